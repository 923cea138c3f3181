//! What reading a binary log costs in memory: the same for a log of any length.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use coachwork_can::log::{BlfWriter, LogReader, PcapngWriter};
use coachwork_can::{CanId, Frame};
use coachwork_vehicle::Timestamp;
use std::io::{BufReader, Read};

/// A log without end: the header, then the same piece again and again, up to a number of times.
struct Endless {
    header: Vec<u8>,
    piece: Vec<u8>,
    times: u64,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let from = if self.header.is_empty() { &self.piece } else { &self.header };
            let count = from.len().saturating_sub(self.at).min(into.len());
            if count > 0 {
                into[..count].copy_from_slice(&from[self.at..self.at + count]);
                self.at += count;
                return Ok(count);
            }
            if self.header.is_empty() {
                if self.times == 0 {
                    return Ok(0);
                }
                self.times -= 1;
            }
            self.header.clear();
            self.at = 0;
        }
    }
}

fn frames(count: u32) -> impl Iterator<Item = Frame> {
    (0..count).map(|n| {
        let frame = Frame::new(CanId::extended(n).unwrap(), &n.to_be_bytes()).unwrap();
        frame.with_time(Timestamp::from_nanoseconds(1_700_000_000_000_000_000 + i64::from(n)))
    })
}

/// The most that is held, and how many times something was allocated.
fn cost(header: &[u8], piece: &[u8], times: u64) -> (u64, u64) {
    let log = Endless { header: header.to_vec(), piece: piece.to_vec(), times, at: 0 };
    let input = BufReader::with_capacity(1 << 16, log);
    let measured = allocation_counter::measure(|| {
        let mut log = LogReader::new("log", input);
        assert!(log.by_ref().inspect(|item| assert!(item.is_ok())).count() as u64 >= 1000 * times);
    });
    (measured.bytes_max, measured.count_total)
}

#[test]
fn a_longer_log_takes_no_more_memory() {
    let mut blf = BlfWriter::streamed(Vec::new());
    let mut pcapng = PcapngWriter::new(Vec::new()).unwrap();
    for frame in frames(1000) {
        blf.write(&frame).unwrap();
        pcapng.write(&frame).unwrap();
    }
    let pcapng = pcapng.finish().unwrap();
    // The section and its interface: all but the packets.
    let header = pcapng.len() - 1000 * (12 + 20 + 12);
    for (log, header) in [(blf.finish().unwrap(), 144), (pcapng, header)] {
        let (header, piece) = log.split_at(header);
        let (short, long) = (cost(header, piece, 2), cost(header, piece, 200));
        assert_eq!(short, long);
        assert!(long.0 < 512 * 1024, "{} bytes", long.0);
    }
}
