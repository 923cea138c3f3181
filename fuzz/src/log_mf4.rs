//! Bytes become the frames of an MF4 file, or errors with a place.
//!
//! *Oracle:* the buffer's size changes nothing; memory is bounded; frames that are written as pcapng are read back the same; times do not go
//! back within what one data group gives in order.
//! *Next:* `coachwork_can::log`, `log_items.rs`.

use crate::log_items::{items, key};
use coachwork_can::Frame;
use coachwork_can::log::{LogError, LogReader, PcapngWriter, Position};
use std::io::{BufReader, Cursor};

/// Two transposed blocks of the longest kind, and what the reader holds besides.
const MAX_HELD: u64 = 40 << 20;

/// Runs one input.
pub fn run(data: &[u8]) {
    frames(data);
}

/// The frames that came out.
pub fn frames(data: &[u8]) -> Vec<Frame> {
    let read = |piece| -> Vec<Result<Frame, LogError>> {
        let input = BufReader::with_capacity(piece, Cursor::new(data.to_vec()));
        LogReader::seekable("log", input).expect("a cursor can be read").collect()
    };
    let log = LogReader::seekable("log", Cursor::new(data.to_vec())).expect("a cursor can be read");
    let mut count = 0;
    let measured = allocation_counter::measure(|| count = log.count());
    assert!(measured.bytes_max < MAX_HELD, "{} bytes are held", measured.bytes_max);
    let shown = |item: &Result<Frame, LogError>| match item {
        Ok(frame) => key(frame),
        Err(error) => error.to_string(),
    };
    let whole = read(1 << 16);
    assert_eq!(whole.len(), count);
    if data.starts_with(b"MDF     ") || data.starts_with(b"UnFinMF ") {
        let pieces = read(usize::from(data.last().copied().unwrap_or(0)) % 40 + 8);
        assert!(
            whole.iter().map(shown).eq(pieces.iter().map(shown)),
            "the buffer's size changes what is read"
        );
    }
    for error in whole.iter().filter_map(|item| item.as_ref().err()) {
        assert!(!error.is_final() || !data.starts_with(b"MDF     "), "{error}");
        assert!(
            matches!(error.position(), Position::Byte(_) | Position::Line { .. } | Position::Start),
            "{error}"
        );
    }
    let frames: Vec<Frame> = whole.into_iter().flatten().collect();
    let mut log = PcapngWriter::new(Vec::new()).expect("a vector");
    let held: Vec<&Frame> = frames.iter().filter(|frame| log.write(frame).is_ok()).collect();
    let bytes = log.finish().expect("a log");
    assert!(held.into_iter().map(key).eq(items(&bytes).iter().map(key)));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let seed = include_bytes!("../seeds/log_mf4/list.mf4");
        assert_eq!(frames(seed).len(), 9);
        assert_eq!(frames(&seed[..seed.len() / 2]).len(), 0);
    }
}
