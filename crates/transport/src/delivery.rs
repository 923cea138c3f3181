//! What is handed over for good: notes of a sender's queue, numbered, so that whoever gets one twice knows it.
//!
//! *Invariant:* within one lane of one queue, notes are handed over in the order of their numbers; so the highest number that was stored
//! says of every note whether it was.
//! *Next:* `viss/deliver.rs` (as a message), the queue of a client, the inbox of a gateway.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coachwork_vehicle::Timestamp;

/// The name of a queue, under which a gateway knows what it has of it.
///
/// Whoever knows it can make a gateway believe that it has a note already: hand in sixteen random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin([u8; 16]);

/// A part of a queue whose notes are handed over in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The queue.
    pub origin: Origin,
    /// Which of its lanes.
    pub number: u8,
}

/// A message that must not be lost, about anything, for whoever stores it behind the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Its number, unique in its queue and higher than those of the lane before it.
    pub number: u64,
    /// When it was written, as its sender says.
    pub written: Timestamp,
    /// What it is about.
    pub name: Arc<str>,
    /// What it says.
    pub payload: Bytes,
}

/// Notes of one lane, the numbers rising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The lane.
    pub lane: Lane,
    /// The notes.
    pub notes: Vec<Note>,
}

impl Note {
    /// The longest name in bytes.
    pub const MAX_NAME: usize = 512;
    /// The longest payload in bytes.
    pub const MAX_PAYLOAD: usize = 64 * 1024;
}

impl Origin {
    /// A name from bytes that nobody else has.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bytes as 32 hexadecimal digits, as they travel.
    pub fn to_hex(&self) -> String {
        self.0
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    }

    /// The name that these 32 hexadecimal digits say, if they do.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(number.to_be_bytes()))
    }
}

/// It is a secret between a queue and its gateway: only its beginning shows.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "Origin({a:02x}{b:02x}…)")
    }
}

/// What it says does not show.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_digits_and_hardly_shows() {
        let origin = Origin::from_bytes(*b"\x00\xffsixteen_bytes!");
        assert_eq!(Origin::from_hex(&origin.to_hex()), Some(origin));
        assert_eq!(origin.to_hex().len(), 32);
        for bad in ["", "00", &"g".repeat(32), &"+".repeat(32), &"0".repeat(33)] {
            assert_eq!(Origin::from_hex(bad), None);
        }
        assert_eq!(format!("{origin:?}"), "Origin(00ff…)");
    }
}
