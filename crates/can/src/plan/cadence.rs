//! The attributes of a message become how it is sent: in a cycle, in a cycle while something is asked, or when something happens.
//!
//! *Invariant:* only a message that always comes in a cycle makes its values stale.
//! *Next:* `mod.rs` (staleness), `outward.rs` (repetition).

use coachwork_dbc::{Database, Message};
use std::time::Duration;

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cadence {
    /// When something changes.
    OnEvent,
    /// Every so often.
    Cyclic(Duration),
    /// Every so often while one of its signals asks for something.
    CyclicIfActive(Duration),
}

impl Cadence {
    /// What `GenMsgCycleTime` and `GenMsgSendType` say. Makers name the send types differently; a cycle time without one is a cycle.
    pub(crate) fn of(database: &Database, message: &Message) -> Self {
        let Some(cycle) = message.cycle_time().filter(|cycle| !cycle.is_zero()) else { return Self::OnEvent };
        let send_type = database.message_attribute(message, "GenMsgSendType");
        let send_type = send_type.and_then(|value| value.text()).unwrap_or_default().to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| send_type.contains(word));
        if says(&["ifactive", "enabled"]) {
            Self::CyclicIfActive(cycle)
        } else if says(&["event", "spontan", "trigger", "onchange", "onwrite"])
            && !says(&["cyclic", "periodic"])
        {
            Self::OnEvent
        } else {
            Self::Cyclic(cycle)
        }
    }

    /// The time between two frames of a message that always comes.
    pub(crate) fn regular(self) -> Option<Duration> {
        match self {
            Self::Cyclic(cycle) => Some(cycle),
            Self::OnEvent | Self::CyclicIfActive(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn send_types_as_makers_name_them() {
        let cadence = |set: &str| {
            let text = format!(
                "BU_: A\nBO_ 1 M: 1 A\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 9999;\nBA_DEF_ BO_ \"GenMsgSendType\" ENUM \"Cyclic\",\"IfActive\",\"Event\",\"EventPeriodic\",\"EnabledPeriodic\",\"spontaneous\",\"NoMsgSendType\";\nBA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_DEF_DEF_ \"GenMsgSendType\" \"NoMsgSendType\";\n{set}"
            );
            let database = Database::parse(&text).unwrap();
            Cadence::of(&database, &database.messages()[0])
        };
        let cycle = "BA_ \"GenMsgCycleTime\" BO_ 1 50;\n";
        let ms = Duration::from_millis(50);
        assert_eq!(cadence(""), Cadence::OnEvent);
        assert_eq!(cadence("BA_ \"GenMsgSendType\" BO_ 1 0;\n"), Cadence::OnEvent, "no time, no cycle");
        assert_eq!(cadence(cycle), Cadence::Cyclic(ms));
        for (send_type, expected) in [
            (0, Cadence::Cyclic(ms)),
            (1, Cadence::CyclicIfActive(ms)),
            (2, Cadence::OnEvent),
            (3, Cadence::Cyclic(ms)),
            (4, Cadence::CyclicIfActive(ms)),
            (5, Cadence::OnEvent),
            (6, Cadence::Cyclic(ms)),
        ] {
            assert_eq!(
                cadence(&format!("{cycle}BA_ \"GenMsgSendType\" BO_ 1 {send_type};\n")),
                expected,
                "{send_type}"
            );
        }
        assert_eq!(Cadence::CyclicIfActive(ms).regular(), None);
    }
}
