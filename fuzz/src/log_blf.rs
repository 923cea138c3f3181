//! Bytes become the frames of a BLF file, or errors with a place.
//!
//! *Oracle:* the buffer's size changes nothing; memory stays small; frames that are written are read back the same, but for what the format
//! has no place for; one changed byte in a file costs nothing of the containers it is not in.
//! *Next:* `coachwork_can::log`, `log_items.rs`.

use crate::log_items::{items, key};
use coachwork_can::log::{BlfWriter, LogReader, WriteError};
use coachwork_can::{CanId, Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::OnceLock;

/// Runs one input.
pub fn run(data: &[u8]) {
    frames(data);
}

/// The frames that came out.
pub fn frames(data: &[u8]) -> Vec<Frame> {
    changed(data);
    let frames = if data.starts_with(b"LOGG") { items(data) } else { items(&in_a_container(data)) };
    written(&frames);
    frames
}

/// What is no file of its own becomes the content of a compressed container, where the fuzzer cannot reach by itself.
fn in_a_container(data: &[u8]) -> Vec<u8> {
    let mut log = BlfWriter::streamed(Vec::new()).finish().expect("an empty log");
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(data).expect("packed");
    log.extend(container(data.len(), &packer.finish().expect("packed")));
    log
}

fn container(content: usize, packed: &[u8]) -> Vec<u8> {
    let size = 32 + packed.len();
    let mut out = b"LOBJ\x10\x00\x01\x00".to_vec();
    out.extend((size as u32).to_le_bytes());
    out.extend([10, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    out.extend((content as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend(packed);
    out.extend(vec![0; size % 4]);
    out
}

fn written(frames: &[Frame]) {
    let mut log = BlfWriter::new(Cursor::new(Vec::new())).expect("a cursor seeks");
    let mut held = Vec::new();
    for frame in frames {
        match log.write(frame) {
            Ok(()) => held.push(*frame),
            Err(WriteError::NoTime(_)) => assert!(frame.time().is_none()),
            Err(WriteError::Unheld { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let bytes = log.finish().expect("a log").into_inner();
    let back = items(&bytes);
    assert_eq!(held.len(), back.len());
    let (mut numbers, mut names) = (HashMap::new(), HashMap::new());
    for (held, back) in held.iter().zip(&back) {
        assert_eq!(numbers.entry(*held.channel()).or_insert(*back.channel()), back.channel());
        let name =
            if held.channel().is_none() { Channel::new(b"1").expect("a name") } else { *held.channel() };
        names.entry(*back.channel()).or_insert(name);
        let direction = held.direction().or(Some(Direction::Received)).filter(|_| !held.is_error());
        assert_eq!(key(&held.with_direction(direction).with_channel(*back.channel())), key(back));
    }
}

/// A file of three containers, in the second of which (and in its header) one byte is changed.
fn changed(data: &[u8]) {
    static GOOD: OnceLock<(Vec<u8>, usize, usize)> = OnceLock::new();
    let [low, high, value, ..] = *data else { return };
    let (good, from, to) = GOOD.get_or_init(|| {
        let mut log = BlfWriter::streamed(Vec::new()).finish().expect("an empty log");
        let mut ends = Vec::new();
        for start in [0, 100, 200] {
            let part = BlfWriter::streamed(Vec::new());
            log.extend_from_slice(&of(part, start)[144..]);
            ends.push(log.len());
        }
        (log, ends[0], ends[1])
    });
    let mut log = good.clone();
    log[from + usize::from(u16::from_le_bytes([low, high])) % (to - from)] = value;
    let ids: Vec<u32> =
        LogReader::new("log", &log[..]).filter_map(Result::ok).map(|frame| frame.id().raw()).collect();
    assert!(ids.iter().take(30).copied().eq(0..30), "{ids:?}");
    assert!(ids.iter().rev().take(30).rev().copied().eq(200..230), "{ids:?}");
}

fn of(mut log: BlfWriter<Vec<u8>>, start: u32) -> Vec<u8> {
    for n in start..start + 30 {
        let frame = Frame::new(CanId::extended(n).expect("an id"), &n.to_be_bytes()).expect("a frame");
        log.write(&frame.with_time(Timestamp::from_nanoseconds(n.into()))).expect("held");
    }
    log.finish().expect("a log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let log = of(BlfWriter::streamed(Vec::new()), 5);
        assert_eq!(frames(&log).len(), 30);
        assert_eq!(frames(&log[..100]).len(), 0);
        let mut object = b"LOBJ\x20\x00\x01\x00\x30\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00".to_vec();
        object.resize(48, 0);
        assert_eq!(frames(&object).len(), 1);
        assert_eq!(frames(&object[..47]).len(), 0);
    }
}
