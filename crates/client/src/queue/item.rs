//! What a queue keeps: items, and how urgent each is.
//!
//! *Invariant:* a number is given once in the life of a queue, and never again, whatever happened to its item.
//! *Next:* `record.rs` (items as bytes), `queue.rs` (which keeps them).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coachwork_vehicle::Timestamp;

/// How urgent an item is: a higher one is sent first, the lowest is given up first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Given up first.
    Low,
    /// In between.
    #[default]
    Normal,
    /// Sent first.
    High,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Content {
    /// A message to whoever stores them behind the gateway: its name says what it is about.
    Note,
    /// A request to move an actuator: its name is the path, its payload the value.
    Set,
}

/// Something that waits to be delivered.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// Its number. Of two items of one queue, the later has the higher.
    pub number: u64,
    /// When it was put into the queue.
    pub put: Timestamp,
    /// When it is of no use any more.
    pub expires: Option<Timestamp>,
    /// How urgent it is.
    pub priority: Priority,
    /// What it is.
    pub content: Content,
    /// What it is about.
    pub name: Arc<str>,
    /// What it says.
    pub payload: Bytes,
}

impl Priority {
    /// All of them, the highest first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Low),
            1 => Some(Self::Normal),
            2 => Some(Self::High),
            _ => None,
        }
    }
}

impl Content {
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Note => 0,
            Self::Set => 1,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Note),
            1 => Some(Self::Set),
            _ => None,
        }
    }
}

impl Item {
    /// Whether it is of no use any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// What it says does not show.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("number", &self.number)
            .field("priority", &self.priority)
            .field("content", &self.content)
            .field("name", &self.name)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}
