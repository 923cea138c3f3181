//! Bytes become the segments of a queue: headers, items, ends and rubbish, in any order and damaged anywhere. Then it is opened, written to, and
//! opened again.
//!
//! *Oracle:* a reader of the format that tries every byte finds the same items, and counts the same damage and loss; what is put
//! afterwards is there beside them, in segments that are whole again. Opening needs memory in proportion to what is there.
//! *Next:* `coachwork_client::queue` (`record.rs` describes the format).

use std::collections::{BTreeMap, BTreeSet};

use coachwork_client::queue::{Memory, NewItem, Opened, Origin, Queue, QueueOptions};
use coachwork_transport::Moment;
use coachwork_vehicle::{Monotonic, Timestamp};

const NOW: Moment =
    Moment { time: Timestamp::from_nanoseconds(i64::MIN), monotonic: Monotonic::from_nanoseconds(0) };
const MAX_BODY: usize = 37 + 512 + 64 * 1024;

/// Runs one input.
pub fn run(data: &[u8]) {
    look(data);
}

/// What an input came to: segments, items that wait, and bytes that are damaged.
fn look(data: &[u8]) -> (usize, usize, u64) {
    let segments = build(&data[..data.len().min(1 << 16)]);
    let expected = read(&segments);
    let disk = Memory::new();
    for (number, segment) in (1..).zip(&segments) {
        disk.place(number, segment.clone());
    }
    let size: usize = segments.iter().map(Vec::len).sum();
    let mut options = QueueOptions::default();
    (options.bytes, options.segment_bytes) = (1 << 30, 4096);
    let fresh = Origin::from_bytes([9; 16]);
    let mut opened = None;
    let used = allocation_counter::measure(|| {
        opened = Some(Queue::open(disk.clone(), options, fresh, NOW).expect("any bytes open"));
    });
    let mut queue = opened.expect("it was opened");
    // A copy of what was read, the items, and both once more while they are written anew.
    assert!(used.bytes_max <= 64 * size as u64 + (1 << 20), "{} bytes for {size}", used.bytes_max);
    if expected.within_budget {
        let found: BTreeMap<u64, Vec<u8>> =
            queue.items().map(|item| (item.number, item.payload.to_vec())).collect();
        let waiting = expected.items.iter().filter(|(_, (expires, _))| *expires != i64::MIN);
        let waiting: BTreeMap<_, _> =
            waiting.map(|(number, (_, payload))| (*number, payload.clone())).collect();
        assert_eq!(found, waiting);
        assert_eq!(queue.opened(), expected.opened(queue.opened()));
        assert_eq!(queue.origin(), expected.origin.unwrap_or(fresh));
    }
    let before: Vec<_> = queue.items().cloned().collect();
    let opened = queue.opened();
    let put = queue.put(NewItem::note("one", "more"), NOW);
    match &put {
        Ok(number) => assert!(before.iter().all(|item| item.number < *number), "{number} was given before"),
        Err(_) => assert!(expected.highest >= u64::MAX - (1 << 20), "nothing can be put"),
    }
    drop(queue);
    let again = Queue::open(disk, options, fresh, NOW).expect("it was just written");
    let whole = again.opened();
    assert!(whole.damaged == 0 && whole.lost == 0 && whole.torn == 0 && !whole.renamed, "{whole:?}");
    let mut after: Vec<_> = again.items().cloned().collect();
    if let Ok(number) = put {
        assert_eq!(after.pop().map(|last| last.number), Some(number));
    }
    assert_eq!(after, before);
    (segments.len(), before.len(), opened.damaged)
}

/// Segments out of instructions: a byte that says what comes, its length, and what it is made of.
fn build(mut data: &[u8]) -> Vec<Vec<u8>> {
    let (mut segments, mut record) = (vec![Vec::new()], 0_u64);
    while let Some((&[what, length], rest)) = data.split_first_chunk() {
        let (part, rest) = rest.split_at(rest.len().min(length.into()));
        data = rest;
        let byte = |at: usize| part.get(at).copied().unwrap_or(1);
        let count = segments.len();
        let segment = segments.last_mut().expect("there is one");
        match what % 8 {
            0 => segment.extend(part),
            kind @ 1..=3 => {
                let mut body = record.to_le_bytes().to_vec();
                body.push(1);
                body.extend(u64::from(byte(0)).to_le_bytes());
                body.extend(0_i64.to_le_bytes());
                let expires = [i64::MAX, i64::MIN, 5][usize::from(byte(1) % 3)];
                body.extend(expires.to_le_bytes());
                body.extend([byte(2) % 4, byte(3) % 3]);
                body.extend(1_u16.to_le_bytes());
                body.push(b'n');
                body.extend(part);
                segment.extend(framed(&body));
                record += 1 + u64::from(kind == 3);
            }
            4 => {
                let mut body = record.to_le_bytes().to_vec();
                body.push(2);
                body.extend(u64::from(byte(0)).to_le_bytes());
                segment.extend(framed(&body));
                record += 1;
            }
            kind @ 5..=6 if count < 16 => {
                let mut header = b"CWQUEUE1".to_vec();
                header.extend([byte(0); 16]);
                header.extend((count as u64 + 1).to_le_bytes());
                let next = if byte(1) == 255 { u64::MAX } else { byte(1).into() };
                header.extend(next.to_le_bytes());
                header.extend(record.to_le_bytes());
                header.extend(crc(&header).to_le_bytes());
                segments.push(if kind == 5 { header } else { Vec::new() });
            }
            _ => {
                if let Some(changed) = segment.get_mut(usize::from(byte(0)) * 7) {
                    *changed ^= 1 << (byte(1) % 8);
                }
            }
        }
    }
    segments
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_le_bytes();
    let sum = crc(&[&length, body].concat()).to_le_bytes();
    [&[0xC0, b'q'], length.as_slice(), &sum, body].concat()
}

/// Bit by bit, as the standard has it.
fn crc(data: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
    !data.iter().fold(u32::MAX, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), step))
}

/// What a plain reader finds.
struct Expected {
    items: BTreeMap<u64, (i64, Vec<u8>)>,
    origin: Option<Origin>,
    damaged: u64,
    torn: u64,
    lost: u64,
    highest: u64,
    within_budget: bool,
}

impl Expected {
    fn opened(&self, seen: Opened) -> Opened {
        let mut opened = seen;
        (opened.waiting, opened.torn) = (self.items.len(), self.torn);
        (opened.damaged, opened.lost) = (self.damaged, self.lost);
        opened.renamed = self.origin.is_none() && (self.damaged > 0 || !self.items.is_empty());
        opened
    }
}

fn read(segments: &[Vec<u8>]) -> Expected {
    let (mut items, mut ended, mut all) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let (mut origin, mut highest, mut within_budget) = (None, 0_u64, true);
    let (mut torn, mut damaged) = (0, 0);
    // The numbers of headers and records as they stand.
    let mut numbers = Vec::new();
    for (place, data) in segments.iter().enumerate() {
        let mut at = 0;
        if data.len() >= 52 && &data[..8] == b"CWQUEUE1" && crc(&data[..48]).to_le_bytes() == data[48..52] {
            at = 52;
            origin = origin.or(Some(Origin::from_bytes(data[8..24].try_into().expect("sixteen"))));
            let number = |from: usize| u64::from_le_bytes(data[from..from + 8].try_into().expect("eight"));
            highest = highest.max(number(32));
            numbers.push((number(40), false));
        }
        let (mut end, mut work) = (at, 0);
        while at < data.len() {
            let Some((number, kind, length)) = record(&data[at..], &mut work) else {
                at += 1;
                continue;
            };
            damaged += at - end;
            at += length;
            end = at;
            numbers.push((number, true));
            match kind {
                Ok((item, expires, payload)) => {
                    highest = highest.max(item.saturating_add(1));
                    all.push((item, expires, payload));
                }
                Err(item) => drop(ended.insert(item)),
            }
        }
        within_budget &= work <= data.len() * 4 + MAX_BODY;
        if place + 1 == segments.len() { torn = data.len() - end } else { damaged += data.len() - end }
    }
    for (item, expires, payload) in all {
        if !ended.contains(&item) {
            items.entry(item).or_insert((expires, payload));
        }
    }
    let (mut next, mut lost) = (None::<u64>, 0_u64);
    for (number, is_record) in numbers {
        lost = lost.saturating_add(next.map_or(0, |next| number.saturating_sub(next)));
        let follows = if is_record { number.saturating_add(1) } else { number };
        next = Some(next.map_or(follows, |next| next.max(follows)));
    }
    let (damaged, torn) = (damaged as u64, torn as u64);
    Expected { items, origin, damaged, torn, lost, highest, within_budget }
}

type Kind = Result<(u64, i64, Vec<u8>), u64>;

fn record(data: &[u8], work: &mut usize) -> Option<(u64, Kind, usize)> {
    if data.len() < 10 || data[..2] != [0xC0, b'q'] {
        return None;
    }
    let length = u32::from_le_bytes(data[2..6].try_into().expect("four")) as usize;
    if length > MAX_BODY || data.len() < 10 + length {
        return None;
    }
    *work += length;
    let body = &data[10..10 + length];
    if crc(&[&data[2..6], body].concat()).to_le_bytes() != data[6..10] || length < 9 {
        return None;
    }
    let number = |from: usize| {
        body.get(from..from + 8).map(|part| u64::from_le_bytes(part.try_into().expect("eight")))
    };
    let kind = match body[8] {
        1 if length >= 37 => {
            let name = usize::from(u16::from_le_bytes([body[35], body[36]]));
            let (name, payload) = body[37..].split_at_checked(name)?;
            let known = body[33] < 3 && body[34] < 2 && name.len() <= 512 && payload.len() <= 64 * 1024;
            if !known || std::str::from_utf8(name).is_err() {
                return None;
            }
            Ok((number(9)?, number(25)?.cast_signed(), payload.to_vec()))
        }
        2 if length == 17 => Err(number(9)?),
        _ => return None,
    };
    Some((number(0)?, kind, 10 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_used() {
        // A segment with a header, items 10 and 11, the end of 10, rubbish, item 12; another segment, item 13.
        let input = [
            5, 2, 7, 1, 1, 4, 10, 0, 1, 0, 1, 4, 11, 0, 2, 0, 4, 1, 10, 0, 3, 1, 2, 3, 1, 4, 12, 0, 0, 1, 5,
            2, 7, 20, 1, 4, 13, 0, 0, 0,
        ];
        assert_eq!(look(&input), (3, 3, 3));
        assert_eq!(look(&[]), (1, 0, 0));
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }
}
