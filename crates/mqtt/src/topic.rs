//! Names of topics: those of a car, and whether an answer may go to one.
//!
//! *Invariant:* no answer goes to a topic that a car is asked on, so that a car can be made to ask neither itself nor another one; none goes to a
//! wildcard or to what belongs to the broker.
//! *Next:* `envelope.rs` (where a peer names its topic), `peers.rs`.

use std::fmt;

/// The longest topic in bytes that an answer goes to.
pub(crate) const MAX_TOPIC: usize = 256;

/// The longest name of a vehicle in bytes.
pub(crate) const MAX_VEHICLE: usize = 128;

/// The last parts of topics on which cars are asked something.
const ASKED_ON: [&str; 4] = ["Vehicle", "ATS", "AGTS", "Coachwork"];

/// Why a name is no topic for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicFault {
    /// It is empty or has more than 256 bytes.
    Length,
    /// It has a wildcard or a control character.
    Character,
    /// It begins with `$`: it belongs to the broker.
    Broker,
    /// A car is asked there: an answer would be taken for a request.
    Asked,
}

/// Whether answers may go to this topic. Those on which cars are asked may not be named, whichever car's: `…/Vehicle`, and beside it
/// `ATS`, `AGTS` and `Coachwork`.
///
/// # Errors
/// Why not.
pub fn check_answer_topic(topic: &str) -> Result<(), TopicFault> {
    if topic.is_empty() || topic.len() > MAX_TOPIC {
        return Err(TopicFault::Length);
    }
    if topic.starts_with('$') {
        return Err(TopicFault::Broker);
    }
    if topic.chars().any(|char| matches!(char, '+' | '#') || char.is_control()) {
        return Err(TopicFault::Character);
    }
    // Some brokers take `a//b` or a last `/` for the same as without: an empty part may not hide another.
    let last = topic.split('/').rfind(|part| !part.is_empty());
    if last.is_none_or(|last| ASKED_ON.iter().any(|asked| asked.eq_ignore_ascii_case(last.trim()))) {
        return Err(TopicFault::Asked);
    }
    Ok(())
}

/// The name of a vehicle at its broker: letters, digits, `.`, `_`, `-` and `:`, at most 128. It may have a `/` before it: then so do its
/// topics, as with the reference server, which asks on `/VID/Vehicle`.
pub(crate) fn is_vehicle(name: &str) -> bool {
    let name = name.strip_prefix('/').unwrap_or(name);
    (1..=MAX_VEHICLE).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':'))
}

/// Where a car is asked.
pub(crate) fn requests(vehicle: &str) -> String {
    format!("{vehicle}/Vehicle")
}

/// Where a car says that it came, and its broker that it is gone.
pub(crate) fn presence(vehicle: &str) -> String {
    format!("{vehicle}/Coachwork")
}

impl fmt::Display for TopicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "the topic is empty or has more than 256 bytes",
            Self::Character => "the topic has a wildcard or a control character",
            Self::Broker => "the topic belongs to the broker",
            Self::Asked => "a car is asked on that topic",
        })
    }
}

impl std::error::Error for TopicFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_topics_of_apps_only() {
        for good in ["a", "app/17", "/x", "Vehicle/x", "VID/Vehicle/7", "ünïq", "a b"] {
            assert_eq!(check_answer_topic(good), Ok(()), "{good}");
        }
        let long = "a".repeat(257);
        for (bad, why) in [
            ("", TopicFault::Length),
            (long.as_str(), TopicFault::Length),
            ("a/#", TopicFault::Character),
            ("+/b", TopicFault::Character),
            ("a\0", TopicFault::Character),
            ("a\n", TopicFault::Character),
            ("$SYS/broker", TopicFault::Broker),
            ("VID/Vehicle", TopicFault::Asked),
            ("another/Vehicle", TopicFault::Asked),
            ("a/b/Vehicle/", TopicFault::Asked),
            ("VID/vehicle//", TopicFault::Asked),
            ("Vehicle", TopicFault::Asked),
            ("VID/ATS", TopicFault::Asked),
            ("VID/AGTS", TopicFault::Asked),
            ("VID/Coachwork", TopicFault::Asked),
            ("/", TopicFault::Asked),
        ] {
            assert_eq!(check_answer_topic(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_vehicle_has_a_plain_name() {
        assert!(is_vehicle("WVWZZZ1JZXW000001") && is_vehicle("fleet-7:car_1.a") && is_vehicle("/VID"));
        for bad in ["", "/", "//a", "a/", "a/b", "+", "a#", "$SYS x", "ä", &"a".repeat(129)] {
            assert!(!is_vehicle(bad), "{bad}");
        }
    }
}
