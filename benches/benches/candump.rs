//! What it costs to read a candump log, beside the reader of the `socketcan` crate.
//!
//! Both read the same bytes; that they read the same frames is asserted before anything is timed. The ratio printed first is the median of
//! interleaved rounds: on a noisy machine it counts more than the times.

#![allow(
    missing_docs,
    clippy::unreachable,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]
#![allow(clippy::disallowed_methods)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use coachwork_can::Frame;
use coachwork_can::log::LogReader;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use embedded_can::Frame as _;
use socketcan::CanAnyFrame;
use socketcan::dump::Reader;

const FRAMES: u32 = 100_000;

/// A bus as cars have it: mostly eight bytes and standard identifiers.
fn classic() -> String {
    lines(|text, n, random| {
        let len = if n % 10 == 0 { n / 10 % 8 } else { 8 };
        if n % 5 == 0 {
            write!(text, "{:08X}#", random % 0x1FFF_FFFF).unwrap();
        } else {
            write!(text, "{:03X}#", random % 0x800).unwrap();
        }
        payload(text, random, len);
    })
}

/// CAN FD, with the lengths that it has.
fn fd() -> String {
    lines(|text, n, random| {
        write!(text, "{:03X}##1", random % 0x800).unwrap();
        payload(text, random, [8, 12, 16, 24, 32, 48, 64][n as usize % 7]);
    })
}

fn payload(text: &mut String, random: u64, len: u32) {
    for at in 0..len {
        write!(text, "{:02X}", random.rotate_left(at * 5) & 0xFF).unwrap();
    }
}

fn lines(mut frame: impl FnMut(&mut String, u32, u64)) -> String {
    let (mut text, mut random) = (String::new(), 0x9E37_79B9_7F4A_7C15_u64);
    for n in 0..FRAMES {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        write!(text, "({}.{:06}) can{} ", 1_700_000_000 + n / 3000, n % 3000 * 333, n % 2).unwrap();
        frame(&mut text, n, random);
        text.push('\n');
    }
    text
}

fn ours(text: &str) -> impl Iterator<Item = Frame> + '_ {
    LogReader::new("log", text.as_bytes()).map(Result::unwrap)
}

fn theirs(text: &str) -> impl Iterator<Item = socketcan::dump::CanDumpRecord> + '_ {
    Reader::from_reader(text.as_bytes()).map(Result::unwrap)
}

fn assert_equal(text: &str) {
    let mut count = 0;
    for (frame, record) in ours(text).zip(theirs(text)) {
        let (id, data) = match &record.frame {
            CanAnyFrame::Normal(frame) => (frame.id(), frame.data()),
            CanAnyFrame::Fd(frame) => (frame.id(), frame.data()),
            other => unreachable!("{other:?}"),
        };
        assert_eq!(embedded_can::Id::from(frame.id()), id);
        assert_eq!(frame.data(), data);
        assert_eq!(frame.time().unwrap().nanoseconds(), i64::try_from(record.t_us).unwrap() * 1000);
        assert_eq!(frame.channel().as_str(), record.device);
        count += 1;
    }
    assert_eq!(count, FRAMES);
}

fn ratio(name: &str, text: &str) {
    let mut ratios: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            black_box(ours(text).map(|frame| frame.len()).sum::<usize>());
            let ours = start.elapsed().as_secs_f64();
            let start = Instant::now();
            black_box(theirs(text).map(|record| record.device.len()).sum::<usize>());
            start.elapsed().as_secs_f64() / ours
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "{name}: {:.1} times as fast as socketcan's reader (median of {} rounds)",
        ratios[4],
        ratios.len()
    );
}

fn candump(c: &mut Criterion) {
    for (name, text) in [("classic", classic()), ("fd", fd())] {
        assert_equal(&text);
        ratio(name, &text);
        let mut group = c.benchmark_group(format!("read candump, {name}"));
        group.throughput(Throughput::Elements(u64::from(FRAMES)));
        group.bench_function("coachwork", |b| b.iter(|| ours(&text).map(|frame| frame.len()).sum::<usize>()));
        group.bench_function("socketcan", |b| b.iter(|| theirs(&text).count()));
        group.finish();
    }
}

criterion_group!(benches, candump);
criterion_main!(benches);
