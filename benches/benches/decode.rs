//! What a decoded frame costs: one frame at a time, one signal, rows and columns, beside two libraries that load a database at run time.
//!
//! Answers are compared first, signal by signal; a rival is timed on the messages that it decodes as we do, and what it gets wrong is printed.
//! Identifiers come in two orders, random and periodic (a real bus), because branch predictors learn the second.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation, clippy::float_cmp)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hint::black_box;

use coachwork_dbc::{Batch, CanId, ClassicFrame, Database, Match, Message, SignalIndex};
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};

const FRAMES: usize = 10_000;

/// A database as a car has it: 80 messages of up to 10 signals, both byte orders, signed and not, whole factors and others.
fn text() -> String {
    let mut noise = Noise(1);
    let mut text = String::from("VERSION \"\"\n\nNS_ :\n\nBS_:\n\nBU_: A B\n\n");
    for message in 0..80 {
        let _ = writeln!(text, "BO_ {} Message{message}: 8 A", 0x100 + message * 7);
        let mut bit = 0_u32;
        let mut signal = 0_u32;
        while bit < 56 && signal < 10 {
            let length = [1, 2, 4, 7, 8, 12, 16][noise.next() as usize % 7];
            let big = noise.next().is_multiple_of(3);
            let start = if big { bit / 8 * 8 + 7 - bit % 8 } else { bit };
            if bit + length > 64 {
                break;
            }
            let sign = if length > 7 && noise.next().is_multiple_of(2) { '-' } else { '+' };
            let (factor, offset) =
                [("1", "0"), ("0.1", "-40"), ("0.25", "0"), ("0.0078125", "-250"), ("5", "100")]
                    [noise.next() as usize % 5];
            let _ = writeln!(
                text,
                " SG_ Signal{message}_{signal} : {start}|{length}@{}{sign} ({factor},{offset}) [0|0] \"\" B",
                i32::from(!big)
            );
            // Byte orders do not share a byte here.
            bit = (bit + length).div_ceil(8) * 8;
            signal += 1;
        }
        text.push('\n');
    }
    text
}

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn payload(&mut self) -> [u8; 8] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

type Frames = Vec<(CanId, [u8; 8])>;

/// Every message as often as any other, in no order.
fn random(database: &Database) -> Frames {
    let mut noise = Noise(2);
    let messages = database.messages();
    (0..FRAMES).map(|_| (messages[noise.next() as usize % messages.len()].id(), noise.payload())).collect()
}

/// Every message at its own period of 10 to 1000 ms, with some jitter.
fn periodic(database: &Database) -> Frames {
    let mut noise = Noise(3);
    let mut times: Vec<(u64, CanId)> = Vec::new();
    for message in database.messages() {
        let period = [10_000, 20_000, 50_000, 100_000, 200_000, 1_000_000][noise.next() as usize % 6];
        let phase = noise.next() % period;
        times.extend(
            (0..5_000_000 / period).map(|turn| (phase + turn * period + noise.next() % 300, message.id())),
        );
    }
    times.sort_unstable();
    times.into_iter().take(FRAMES).map(|(_, id)| (id, noise.payload())).collect()
}

/// The sum of all values, so that nothing is optimised away.
fn ours(database: &Database, frames: &Frames) -> f64 {
    let mut sum = 0.0;
    for (id, payload) in frames {
        let Some(message) = database.message(*id) else { continue };
        for value in message.decode(payload).into_iter().flatten() {
            sum += value.double();
        }
    }
    sum
}

fn by_handle(message: &Message, index: SignalIndex, frames: &Frames) -> f64 {
    frames
        .iter()
        .filter_map(|(_, payload)| message.decode_signal(index, payload))
        .map(|value| value.double())
        .sum()
}

/// The messages that a rival decodes to the same values.
fn agreed(
    name: &str,
    database: &Database,
    frames: &Frames,
    rival: impl Fn(CanId, &[u8]) -> Vec<(String, f64)>,
) -> BTreeSet<CanId> {
    let mut wrong: BTreeSet<(CanId, String)> = BTreeSet::new();
    let mut signals = 0;
    for (id, payload) in frames {
        let values = rival(*id, payload);
        for value in database.message(*id).unwrap().decode(payload).unwrap() {
            signals += 1;
            let theirs = values.iter().find(|theirs| theirs.0 == value.name()).map(|theirs| theirs.1);
            // A fused or reordered sum may differ in its last bits.
            if theirs
                .is_none_or(|theirs| (theirs - value.double()).abs() > 1e-9 * value.double().abs().max(1.0))
            {
                wrong.insert((*id, value.name().to_owned()));
            }
        }
    }
    let all: usize = database.messages().iter().map(|message| message.signals().len()).sum();
    println!(
        "{name}: {} of {all} signals decode otherwise than ours ({signals} values compared)",
        wrong.len()
    );
    database
        .messages()
        .iter()
        .map(Message::id)
        .filter(|id| !wrong.iter().any(|entry| entry.0 == *id))
        .collect()
}

fn only(frames: &Frames, ids: &BTreeSet<CanId>) -> Frames {
    frames.iter().filter(|frame| ids.contains(&frame.0)).copied().collect()
}

fn count(database: &Database, frames: &Frames) -> u64 {
    frames
        .iter()
        .filter_map(|frame| database.message(frame.0))
        .map(|message| message.signals().len() as u64)
        .sum()
}

fn rivals(group: &mut BenchmarkGroup<'_, WallTime>, text: &str, database: &Database, frames: &Frames) {
    let mut can_decode = can_decode::Parser::new();
    can_decode.add_from_str(text).unwrap();
    let same = agreed("can_decode", database, frames, |id, payload| {
        let decoded = can_decode.decode_msg(id.raw(), payload);
        decoded
            .map(|decoded| {
                decoded.signals.into_iter().map(|(name, signal)| (name, signal.value.physical)).collect()
            })
            .unwrap_or_default()
    });
    let subset = only(frames, &same);
    group.throughput(Throughput::Elements(count(database, &subset)));
    group.bench_function("ours, where can_decode agrees", |b| {
        b.iter(|| ours(black_box(database), black_box(&subset)));
    });
    group.bench_function("can_decode", |b| {
        b.iter(|| {
            subset
                .iter()
                .filter_map(|(id, payload)| can_decode.decode_msg(id.raw(), payload))
                .map(|decoded| decoded.signals.len())
                .sum::<usize>()
        });
    });

    let dbc_rs = match dbc_rs::Dbc::parse(text) {
        Ok(dbc_rs) => dbc_rs,
        Err(why) => {
            println!("dbc-rs does not load the file: {why}");
            return;
        }
    };
    let same = agreed("dbc-rs", database, frames, |id, payload| {
        let decoded = dbc_rs.decode(id.raw(), payload, id.is_extended());
        decoded
            .map(|decoded| decoded.iter().map(|signal| (signal.name.to_owned(), signal.value)).collect())
            .unwrap_or_default()
    });
    let subset = only(frames, &same);
    group.throughput(Throughput::Elements(count(database, &subset)));
    group.bench_function("ours, where dbc-rs agrees", |b| {
        b.iter(|| ours(black_box(database), black_box(&subset)));
    });
    group.bench_function("dbc-rs", |b| {
        b.iter(|| {
            subset
                .iter()
                .filter_map(|(id, payload)| dbc_rs.decode(id.raw(), payload, false).ok())
                .map(|decoded| decoded.len())
                .sum::<usize>()
        });
    });
}

fn decode(c: &mut Criterion) {
    let text = text();
    let database = Database::parse(&text).unwrap();
    for (order, frames) in [("random", random(&database)), ("periodic", periodic(&database))] {
        let packed: Vec<ClassicFrame> =
            frames.iter().map(|(id, payload)| ClassicFrame::new(*id, payload).unwrap()).collect();
        let mut batch = Batch::new(&database, Match::Exact);
        // Equal answers first.
        let mut checked = 0;
        batch.rows(&packed, |row| {
            for (index, value) in row.signals().iter().zip(row.values()) {
                let single = row.message().decode_signal(*index, &frames[row.frame()].1).unwrap().double();
                assert_eq!(single.to_bits(), value.to_bits());
                checked += 1;
            }
        });
        assert_eq!(checked, count(&database, &frames));

        let mut group = c.benchmark_group(format!("decode/{order}"));
        group.throughput(Throughput::Elements(count(&database, &frames)));
        group.bench_function("frame by frame", |b| b.iter(|| ours(black_box(&database), black_box(&frames))));
        group.bench_function("rows", |b| {
            b.iter(|| {
                let mut sum = 0.0;
                batch.rows(black_box(&packed), |row| sum += row.values().first().copied().unwrap_or(0.0));
                sum
            });
        });
        group.bench_function("columns", |b| {
            b.iter(|| {
                let mut sum = 0.0;
                batch.columns(black_box(&packed), |block| {
                    sum += block.column(0).first().copied().unwrap_or(0.0);
                });
                sum
            });
        });
        rivals(&mut group, &text, &database, &frames);
        group.finish();
    }
    let frames = random(&database);
    let message = &database.messages()[0];
    let (index, _) = message.indexed_signals().last().unwrap();
    let mut group = c.benchmark_group("decode/one signal");
    group.throughput(Throughput::Elements(frames.len() as u64));
    group
        .bench_function("by handle", |b| b.iter(|| by_handle(black_box(message), index, black_box(&frames))));
    group.finish();
}

fn load(c: &mut Criterion) {
    let text = text();
    let mut group = c.benchmark_group("load");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("ours", |b| b.iter(|| Database::parse(black_box(&text)).unwrap()));
    group.bench_function("can-dbc", |b| b.iter(|| can_dbc::Dbc::try_from(black_box(text.as_str())).unwrap()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_millis(500));
    targets = decode, load
}
criterion_main!(benches);
