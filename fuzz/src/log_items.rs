//! What every binary log's target asks: the same frames whatever the buffer, errors with a place in the log, and little memory.
//!
//! *Next:* `log_blf.rs`, `log_pcap.rs`, `log_mf4.rs`.

use coachwork_can::Frame;
use coachwork_can::log::{LogError, LogFault, LogReader, Position};
use std::io::BufReader;

/// More than any reader of a binary log holds at a time.
const MAX_HELD: u64 = 2 << 20;

/// The frames of a log.
pub fn items(data: &[u8]) -> Vec<Frame> {
    let mut count = 0;
    let measured = allocation_counter::measure(|| count = LogReader::new("log", data).count());
    assert!(measured.bytes_max < MAX_HELD, "{} bytes are held", measured.bytes_max);

    let whole: Vec<_> = LogReader::new("log", data).map(shown).collect();
    let piece = usize::from(data.last().copied().unwrap_or(0)) % 40 + 1;
    let pieces: Vec<_> = LogReader::new("log", BufReader::with_capacity(piece, data)).map(shown).collect();
    assert_eq!(whole, pieces, "the buffer's size changes what is read");
    assert_eq!(count, whole.len());

    for error in LogReader::new("log", data).filter_map(Result::err) {
        assert!(!matches!(error.fault(), LogFault::Io(_)) || !data.starts_with(b"LOGG"), "{error}");
        if let Position::Byte(offset) = error.position() {
            assert!(offset <= data.len() as u64 || data.starts_with(b"\x1F\x8B"), "{error}");
        }
    }
    LogReader::new("log", data).filter_map(Result::ok).collect()
}

fn shown(item: Result<Frame, LogError>) -> Result<String, String> {
    item.map(|frame| key(&frame)).map_err(|error| error.to_string())
}

/// Everything of a frame, as text.
pub fn key(frame: &Frame) -> String {
    format!("{frame} {} {}", frame.dlc(), frame.is_error())
}
