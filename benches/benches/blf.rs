//! What it costs to read a BLF file of compressed containers, classic and CAN FD, written by our own writer.
//!
//! python-can's reader is timed on the same frames by `crates/can/scripts/interop_binary`; no reader of a registry's crates streams the format.
//! What is read is asserted to be what was written before anything is timed.

#![allow(missing_docs, clippy::unwrap_used)]

use coachwork_can::log::{BlfWriter, LogReader};
use coachwork_can::{CanId, Frame};
use coachwork_vehicle::Timestamp;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::io::Cursor;

const FRAMES: u32 = 100_000;

/// Frames of which half the bytes change, as on a bus.
fn frames(len: usize) -> Vec<Frame> {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    (0..FRAMES)
        .map(|n| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let id = CanId::standard(u32::try_from(random % 0x800).unwrap()).unwrap();
            let mut data = [0; 64];
            for half in data.chunks_exact_mut(8) {
                half.iter_mut().zip(random.to_le_bytes()).take(4).for_each(|(into, byte)| *into = byte);
            }
            let data = data.get(..len).unwrap();
            let frame = if len > 8 { Frame::fd(id, data) } else { Frame::new(id, data) }.unwrap();
            let time = Timestamp::from_nanoseconds(1_700_000_000_000_000_000 + i64::from(n) * 300_000);
            let channel = if n % 2 == 0 { "1" } else { "2" };
            frame.with_time(time).with_channel(channel.parse().unwrap())
        })
        .collect()
}

fn blf(c: &mut Criterion) {
    let mut group = c.benchmark_group("read BLF");
    group.throughput(Throughput::Elements(u64::from(FRAMES)));
    for (name, len) in [("classic", 8), ("fd", 64)] {
        let frames = frames(len);
        let mut log = BlfWriter::new(Cursor::new(Vec::new())).unwrap();
        for frame in &frames {
            log.write(frame).unwrap();
        }
        let log = log.finish().unwrap().into_inner();
        let read = || LogReader::new("log", &log[..]).map(Result::unwrap);
        assert!(read().map(|frame| frame.with_direction(None)).eq(frames));
        group.bench_function(name, |b| b.iter(|| read().map(|frame| frame.len()).sum::<usize>()));
    }
    group.finish();
}

criterion_group!(benches, blf);
criterion_main!(benches);
