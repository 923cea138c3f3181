//! A message: an id, a length and its signals, compiled.
//!
//! *Invariant:* every signal has a length and a finite scaling; multiplexers exist, are integers, and form no cycle.
//! *Next:* `builder.rs` (how one is made), `../decode.rs` and `../encode.rs` (bytes through it).

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::attribute::Attributes;
use super::extra::SignalGroup;
use super::signal::Signal;
use crate::CanId;
use crate::plan::Plan;

/// The place of a signal in its message: a handle that decodes it with no name compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SignalIndex(pub(crate) u32);

impl SignalIndex {
    /// The place in [`Message::signals`].
    #[inline]
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

/// A message of a database.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub(crate) name: String,
    /// The name in the file, where an attribute holds a longer one.
    pub(crate) symbol: Option<String>,
    pub(crate) id: CanId,
    pub(crate) length: u32,
    pub(crate) senders: Vec<String>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) groups: Vec<SignalGroup>,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: Attributes,
    pub(crate) cycle_time: Option<Duration>,
    pub(crate) is_j1939: bool,
    pub(crate) plan: Plan,
    /// Signal positions, by name, the earlier signal first.
    pub(crate) by_name: Vec<u32>,
}

impl Message {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identifier.
    pub fn id(&self) -> CanId {
        self.id
    }

    /// The number of bytes of the payload.
    #[inline]
    pub fn length(&self) -> usize {
        self.length as usize
    }

    /// The nodes that send it, the first as the message's own line says.
    pub fn senders(&self) -> &[String] {
        &self.senders
    }

    /// The signals in the order of the file.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// The signal with this handle; `None` for a handle of a longer message.
    #[inline]
    pub fn signal(&self, index: SignalIndex) -> Option<&Signal> {
        self.signals.get(index.position())
    }

    /// The signal with this name; the first where a broken database has two.
    pub fn signal_named(&self, name: &str) -> Option<&Signal> {
        self.signal(self.signal_index(name)?)
    }

    /// The handle of the signal with this name; the first where a broken database has two.
    pub fn signal_index(&self, name: &str) -> Option<SignalIndex> {
        let name_of =
            |position: &u32| self.signals.get(*position as usize).map_or("", |signal| signal.name.as_str());
        let at = self.by_name.partition_point(|position| name_of(position) < name);
        let position = self.by_name.get(at).filter(|position| name_of(position) == name)?;
        Some(SignalIndex(*position))
    }

    /// Handles and signals in the order of the file.
    pub fn indexed_signals(&self) -> impl Iterator<Item = (SignalIndex, &Signal)> {
        (0..).map(SignalIndex).zip(&self.signals)
    }

    /// The groups of signals that belong together.
    pub fn groups(&self) -> &[SignalGroup] {
        &self.groups
    }

    /// The comment.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The attributes set on this message, without defaults.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// How often it is sent (`GenMsgCycleTime`); `None` where the database does not say, or says 0.
    pub fn cycle_time(&self) -> Option<Duration> {
        self.cycle_time
    }

    /// Whether the database says that this is a J1939 message, to be matched by its parameter group number.
    pub fn is_j1939(&self) -> bool {
        self.is_j1939
    }

    /// Whether some signals are present only for some values of a multiplexer.
    pub fn is_multiplexed(&self) -> bool {
        self.signals.iter().any(|signal| signal.multiplexed.is_some())
    }
}
