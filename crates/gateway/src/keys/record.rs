//! What a file of keys consists of: that something is asked, how it was settled, that it was never taken.
//!
//! A record: `C0 6B`, the length of its body (2 bytes, little-endian), the CRC-32 of these two bytes and the body (4), the body. A body: its
//! kind (1 byte), the request's id (16); for one that is asked (1) its owner (16), its content (16) and its end (8, nanoseconds UTC); for one
//! that is settled (2) how (1): confirmed (1) with its time (8), refused (2) with the kind (1) and the text, accepted (3), timed out (4), in
//! doubt (5); for one that was not taken (3) nothing.
//!
//! *Invariant:* no key, credential, path or value is in a record: ids, owners and contents are digests.
//! *Next:* `file.rs` (which writes and reads them).

use coachwork_vehicle::{Outcome, Refusal, RefusalKind, Timestamp};

const MARK: [u8; 2] = [0xC0, 0x6B];
const FRAME: usize = 8;
/// The longest text of a refusal that is kept.
const MAX_TEXT: usize = 256;
/// The longest body.
const MAX_BODY: usize = 19 + MAX_TEXT;

/// Half of a SHA-256.
pub(super) type Digest = [u8; 16];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// It is going to be asked of the vehicle.
    Asked { id: Digest, owner: Digest, content: Digest, until: Timestamp },
    /// This became of it.
    Settled { id: Digest, outcome: Outcome },
    /// The vehicle has not taken it.
    Withdrawn { id: Digest },
}

impl Record {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(64);
        match self {
            Self::Asked { id, owner, content, until } => {
                body.push(1);
                body.extend([id, owner, content].into_iter().flatten());
                body.extend_from_slice(&until.nanoseconds().to_le_bytes());
            }
            Self::Settled { id, outcome } => {
                body.push(2);
                body.extend_from_slice(id);
                encode_outcome(outcome, &mut body);
            }
            Self::Withdrawn { id } => {
                body.push(3);
                body.extend_from_slice(id);
            }
        }
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&length);
        out.extend_from_slice(&sum(length, &body).to_le_bytes());
        out.extend_from_slice(&body);
    }

    /// The record at the beginning of `data`, and its length.
    pub(super) fn decode(data: &[u8]) -> Option<(Self, usize)> {
        let mut rest = data.strip_prefix(&MARK)?;
        let length: [u8; 2] = take(&mut rest)?;
        let expected = u32::from_le_bytes(take(&mut rest)?);
        let size = usize::from(u16::from_le_bytes(length));
        let mut body = rest.get(..size).filter(|_| size <= MAX_BODY)?;
        if sum(length, body) != expected {
            return None;
        }
        let [kind] = take(&mut body)?;
        let id = take(&mut body)?;
        let record = match kind {
            1 => Self::Asked {
                id,
                owner: take(&mut body)?,
                content: take(&mut body)?,
                until: Timestamp::from_nanoseconds(i64::from_le_bytes(take(&mut body)?)),
            },
            2 => Self::Settled { id, outcome: decode_outcome(&mut body)? },
            3 => Self::Withdrawn { id },
            _ => return None,
        };
        body.is_empty().then_some((record, FRAME + size))
    }
}

fn sum(length: [u8; 2], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

fn encode_outcome(outcome: &Outcome, body: &mut Vec<u8>) {
    match outcome {
        Outcome::Confirmed(at) => {
            body.push(1);
            body.extend_from_slice(&at.nanoseconds().to_le_bytes());
        }
        Outcome::Refused(why) => {
            let place = RefusalKind::ALL.iter().position(|kind| *kind == why.kind());
            let place = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
            body.extend_from_slice(&[2, place]);
            body.extend_from_slice(shortened(why.text()).as_bytes());
        }
        Outcome::Accepted => body.push(3),
        Outcome::TimedOut => body.push(4),
        // One of a later version is one that this one has no word for.
        _ => body.push(5),
    }
}

fn decode_outcome(body: &mut &[u8]) -> Option<Outcome> {
    let [how] = take(body)?;
    Some(match how {
        1 => Outcome::Confirmed(Timestamp::from_nanoseconds(i64::from_le_bytes(take(body)?))),
        2 => {
            let [place] = take(body)?;
            let kind = RefusalKind::ALL.get(usize::from(place)).copied().unwrap_or(RefusalKind::Other);
            let text = std::str::from_utf8(std::mem::take(body)).ok()?;
            Outcome::Refused(Refusal::new(kind, text))
        }
        3 => Outcome::Accepted,
        4 => Outcome::TimedOut,
        5 => Outcome::InDoubt,
        _ => return None,
    })
}

/// A text as it is kept: one that is too long ends with an ellipsis.
fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let mut end = MAX_TEXT - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default()).into()
}

fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(*taken)
}
