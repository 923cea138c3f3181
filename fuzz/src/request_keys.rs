//! Bytes become the file in which a gateway remembers the requests under keys: records and rubbish, in any order and damaged anywhere. Then it
//! is opened, and opened again.
//!
//! *Oracle:* a reader of the format that tries every byte finds the same requests, doubts and damage, and refuses the same files, which stay as
//! they were; opened again, nothing is cut any more. Opening needs memory in proportion to what is there.
//! *Next:* `coachwork_gateway::RequestKeys` (`keys/record.rs` describes the format).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use coachwork_gateway::{KeySync, RequestKeys};

/// The longest body.
const MAX_BODY: usize = 19 + 256;

/// Runs one input.
pub fn run(data: &[u8]) {
    look(data);
}

/// A directory of its own, in memory where there is one.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static PLACES: AtomicU64 = AtomicU64::new(0);
        let memory = PathBuf::from("/dev/shm");
        let root = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let place = root.join(format!("coachwork-fuzz-keys-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory can be made");
        Self(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What an input came to: requests, doubts, and bytes that are damaged; `None` where it is refused.
fn look(data: &[u8]) -> Option<(usize, usize, u64)> {
    let (&first, rest) = data.split_first()?;
    // No more than a gateway remembers of one holder.
    let file = build(&rest[..rest.len().min(1 << 13)]);
    let sync = if first % 2 == 0 { KeySync::Each } else { KeySync::Never };
    let expected = read(&file, sync);
    let place = Place::new();
    let path = place.0.join("keys");
    std::fs::write(&path, &file).expect("it can be written");
    let mut opened = None;
    let used = allocation_counter::measure(|| opened = Some(RequestKeys::open(&place.0, sync)));
    assert!(
        used.bytes_max <= 64 * file.len() as u64 + (1 << 20),
        "{} bytes for {}",
        used.bytes_max,
        file.len()
    );
    let found = || std::fs::read(&path).expect("it is there");
    let (keys, expected) = match (opened.expect("it was opened"), expected) {
        (Ok(keys), Some(expected)) => (keys, expected),
        (Err(error), None) => {
            assert_eq!((error.kind(), found()), (std::io::ErrorKind::InvalidData, file));
            return None;
        }
        (opened, expected) => panic!("{opened:?}, not {expected:?}"),
    };
    let opened = keys.opened();
    let seen = (opened.requests, opened.in_doubt, opened.cut, opened.damaged);
    assert_eq!(seen, (expected.requests, expected.in_doubt, expected.cut, expected.damaged));
    drop(keys);
    assert_eq!(found(), file[..file.len() - expected.cut as usize]);
    let again = RequestKeys::open(&place.0, sync).expect("it was opened before").opened();
    let seen = (again.requests, again.in_doubt, again.cut, again.damaged);
    assert_eq!(seen, (expected.requests, expected.in_doubt, 0, expected.damaged));
    Some((expected.requests, expected.in_doubt, expected.damaged))
}

/// A file out of instructions: a byte that says what comes, its length, and what it is made of.
fn build(mut data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some((&[what, length], rest)) = data.split_first_chunk() {
        let (part, rest) = rest.split_at(rest.len().min(length.into()));
        data = rest;
        let byte = |at: usize| part.get(at).copied().unwrap_or(1);
        let id = [byte(0) % 8; 16];
        match what % 8 {
            0 => file.extend(part),
            1..=3 => {
                let parts = [&[1][..], &id, &[byte(1) % 3; 16], &[byte(2); 16], &[byte(3); 8]];
                framed(&parts.concat(), &mut file);
            }
            4 | 5 => framed(&[&[2][..], &id, part.get(1..).unwrap_or_default()].concat(), &mut file),
            6 => framed(&[&[3][..], &id, part.get(2..).unwrap_or_default()].concat(), &mut file),
            _ => {
                if let Some(changed) = file.get_mut(usize::from(byte(0)) * 7) {
                    *changed ^= 1 << (byte(1) % 8);
                }
            }
        }
    }
    file
}

fn framed(body: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(body.len()).expect("short").to_le_bytes();
    let sum = crc(&[&length, body].concat()).to_le_bytes();
    out.extend([&[0xC0, b'k'], length.as_slice(), &sum, body].concat());
}

/// Bit by bit, as the standard has it.
fn crc(data: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
    !data.iter().fold(u32::MAX, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), step))
}

/// What a plain reader finds.
#[derive(Debug)]
struct Expected {
    requests: usize,
    in_doubt: usize,
    cut: u64,
    damaged: u64,
}

fn read(file: &[u8], sync: KeySync) -> Option<Expected> {
    // Whether each is settled.
    let mut known: BTreeMap<&[u8], bool> = BTreeMap::new();
    let (mut at, mut end, mut damaged) = (0, 0, 0);
    while at < file.len() {
        let Some((kind, id, length)) = record(&file[at..]) else {
            at += 1;
            continue;
        };
        damaged += at - end;
        match kind {
            1 if damaged > 0 && sync == KeySync::Each => return None,
            1 => drop(known.insert(id, false)),
            2 => {
                known.entry(id).and_modify(|settled| *settled = true);
            }
            _ => drop(known.remove(id)),
        }
        at += length;
        end = at;
    }
    let in_doubt = known.values().filter(|settled| !**settled).count();
    Some(Expected {
        requests: known.len(),
        in_doubt,
        cut: (file.len() - end) as u64,
        damaged: damaged as u64,
    })
}

fn record(data: &[u8]) -> Option<(u8, &[u8], usize)> {
    if data.len() < 8 || data[..2] != [0xC0, b'k'] {
        return None;
    }
    let length = usize::from(u16::from_le_bytes([data[2], data[3]]));
    let body = data.get(8..8 + length)?;
    if length > MAX_BODY || length < 17 || crc(&[&data[2..4], body].concat()).to_le_bytes() != data[4..8] {
        return None;
    }
    let whole = match (body[0], length) {
        (1, 57) | (3, 17) => true,
        (2, _) => match (body.get(17), length) {
            (Some(1), 26) | (Some(3..=5), 18) => true,
            (Some(2), 19..) => std::str::from_utf8(&body[19..]).is_ok(),
            _ => false,
        },
        _ => false,
    };
    whole.then_some((body[0], &body[1..17], 8 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_used() {
        // Requests 1, 2 and 3; 1 is confirmed, 2 was not taken, 3 is in doubt; rubbish; 3 is refused.
        let three = [1, 3, 1, 0, 9, 1, 3, 2, 0, 9, 1, 3, 3, 0, 9];
        let settled = [4, 10, 1, 1, 0, 0, 0, 0, 0, 0, 0, 9, 6, 1, 2];
        let input = |first: u8, more: &[u8]| [&[first][..], &three, &settled, more].concat();
        assert_eq!(look(&input(0, &[])), Some((2, 1, 0)));
        assert_eq!(look(&input(0, &[0, 2, 9, 9, 5, 4, 3, 2, 1, b'n'])), Some((2, 0, 2)));
        // What is asked behind what is damaged is refused, where each is synced.
        assert_eq!(look(&input(0, &[0, 2, 9, 9, 1, 3, 4, 0, 9])), None);
        assert_eq!(look(&input(1, &[0, 2, 9, 9, 1, 3, 4, 0, 9])), Some((3, 2, 2)));
        assert_eq!(look(&[]), None);
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }
}
