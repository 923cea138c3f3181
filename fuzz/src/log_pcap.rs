//! Bytes become the frames of a pcap or pcapng file, or errors with a place.
//!
//! *Oracle:* the buffer's size changes nothing; memory stays small; frames that are written are read back exactly the same; one changed byte
//! in a file costs no more than two records.
//! *Next:* `coachwork_can::log`, `log_items.rs`.

use crate::log_items::{items, key};
use coachwork_can::log::{LogReader, PcapngWriter, WriteError};
use coachwork_can::{CanId, Frame};
use coachwork_vehicle::Timestamp;
use std::sync::OnceLock;

/// Runs one input.
pub fn run(data: &[u8]) {
    frames(data);
}

/// The frames that came out.
pub fn frames(data: &[u8]) -> Vec<Frame> {
    changed(data);
    let frames = items(data);
    let mut log = PcapngWriter::new(Vec::new()).expect("a vector");
    let mut held = Vec::new();
    for frame in &frames {
        match log.write(frame) {
            Ok(()) => held.push(key(frame)),
            Err(WriteError::NoTime(_)) => assert!(frame.time().is_none()),
            Err(WriteError::Unheld { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let bytes = log.finish().expect("a log");
    assert_eq!(held, items(&bytes).iter().map(key).collect::<Vec<_>>());
    frames
}

/// Forty records, in the twentieth of which one byte is changed.
fn changed(data: &[u8]) {
    static GOOD: OnceLock<[(Vec<u8>, usize); 2]> = OnceLock::new();
    let [place, value, ..] = *data else { return };
    let logs = GOOD.get_or_init(|| {
        let mut ng = PcapngWriter::new(Vec::new()).expect("a vector");
        let mut pcap = b"\xD4\xC3\xB2\xA1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\x00\x00\x04\x00\xE3\0\0\0".to_vec();
        for n in 0..40 {
            let frame = Frame::new(CanId::extended(n).expect("an id"), &[7; 8]).expect("a frame");
            ng.write(&frame.with_time(Timestamp::from_seconds(1_700_000_000 + i64::from(n)))).expect("held");
            pcap.extend((1_700_000_000 + n).to_le_bytes());
            pcap.extend([0, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0]);
            pcap.extend((n | 1 << 31).to_be_bytes());
            pcap.extend([8, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7]);
        }
        let ng = ng.finish().expect("a log");
        let block = 12 + 20 + 16;
        let from = ng.len() - 20 * block;
        [(ng, from), (pcap, 24 + 20 * 32)]
    });
    for (good, from) in logs {
        let mut log = good.clone();
        log[from + usize::from(place) % 32] = value;
        let ids: Vec<u32> =
            LogReader::new("log", &log[..]).filter_map(Result::ok).map(|frame| frame.id().raw()).collect();
        assert!(ids.len() >= 38, "{ids:?}");
        assert!(ids.iter().take(20).copied().eq(0..20), "{ids:?}");
        assert!(ids.iter().rev().take(18).rev().copied().eq(22..40), "{ids:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let mut log = PcapngWriter::new(Vec::new()).expect("a vector");
        let frame = Frame::new(CanId::extended(1).expect("an id"), &[7; 8]).expect("a frame");
        log.write(&frame.with_time(Timestamp::from_seconds(1))).expect("held");
        let log = log.finish().expect("a log");
        assert_eq!(frames(&log).len(), 1);
        assert_eq!(frames(&log[..log.len() - 1]).len(), 0);
    }
}
