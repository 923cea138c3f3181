//! Rows and columns against decoding frame by frame, on every database of the corpus and on what the project writes itself.
//!
//! *Invariant:* every value is equal to the last bit; nothing is allocated per frame.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_possible_truncation
)]

mod corpus;

use std::collections::BTreeMap;

use coachwork_dbc::{
    Batch, BatchFrame, ByteOrder, CanId, ClassicFrame, Database, FdFrame, Match, Message, Multiplexed,
    Options, Signal, ValueType,
};

/// A small generator of numbers that look random.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Values by frame and signal, from the plain decoder.
type Values = BTreeMap<(usize, usize), u64>;

fn plain<F: BatchFrame>(database: &Database, frames: &[F]) -> (Values, usize, usize) {
    let (mut values, mut unknown, mut short) = (Values::new(), 0, 0);
    for (at, frame) in frames.iter().enumerate() {
        let Some(message) = database.message(frame.id()).filter(|message| message.length() <= 64) else {
            unknown += 1;
            continue;
        };
        if frame.payload().len() < message.length() {
            short += 1;
            continue;
        }
        // Batches stay within the message.
        for value in message.decode_partial(&frame.payload()[..message.length()]) {
            values.insert((at, value.index().position()), value.double().to_bits());
        }
    }
    (values, unknown, short)
}

fn compare<F: BatchFrame>(name: &str, database: &Database, frames: &[F]) -> usize {
    let (want, unknown, short) = plain(database, frames);
    let mut batch = Batch::new(database, Match::Exact);
    let mut rows = Values::new();
    let counts = batch.rows(frames, |row| {
        let undefined = row.message().problem(frames[row.frame()].payload()).is_some();
        assert_eq!(row.is_partial(), undefined, "{name}: {}", row.message().name());
        for (index, value) in row.signals().iter().zip(row.values()) {
            assert_eq!(rows.insert((row.frame(), index.position()), value.to_bits()), None);
        }
    });
    assert_eq!(
        (counts.decoded, counts.unknown, counts.short),
        (frames.len() - unknown - short, unknown, short),
        "{name}"
    );
    let mut columns = Values::new();
    let again = batch.columns(frames, |block| {
        for (at, index) in block.signals().iter().enumerate() {
            assert_eq!(block.column(at).len(), block.frames().len());
            for (frame, value) in block.frames().iter().zip(block.column(at)) {
                assert_eq!(columns.insert((*frame as usize, index.position()), value.to_bits()), None);
            }
        }
        assert!(block.column(block.signals().len()).is_empty());
    });
    assert_eq!(counts, again, "{name}");
    for (what, ours) in [("rows", rows), ("columns", columns)] {
        for (key, value) in &want {
            let message = database.message(frames[key.0].id()).unwrap();
            let show = || format!("{name}: {what}: {}.{}", message.name(), message.signals()[key.1].name());
            assert_eq!(ours.get(key), Some(value), "{}", show());
        }
        assert_eq!(ours.len(), want.len(), "{name}: {what}");
    }
    want.len()
}

fn frames<F>(database: &Database, most: usize, make: fn(CanId, &[u8]) -> Option<F>) -> Vec<F> {
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let messages = database.messages();
    let count = (messages.len() * 40).min(20_000);
    let mut frames = Vec::new();
    for _ in 0..count {
        let message = &messages[noise.next() as usize % messages.len()];
        let length = if noise.next().is_multiple_of(16) {
            noise.next() as usize % (most + 1)
        } else {
            message.length().min(most)
        };
        let mut payload = noise.bytes(length);
        if !noise.next().is_multiple_of(4) {
            // Small numbers reach the values that multiplexers define.
            for byte in &mut payload {
                *byte %= 8;
            }
        }
        let id = if noise.next().is_multiple_of(64) {
            CanId::extended(noise.next() as u32 & 0x1FFF_FFFF).unwrap()
        } else {
            message.id()
        };
        frames.extend(make(id, &payload));
    }
    frames
}

#[test]
fn batches_equal_single_frames_on_the_corpus() {
    let Some(root) = corpus::root() else { return };
    let mut values = 0;
    for path in corpus::files(&root.join("dbc"), ".dbc") {
        let database = Options::new().load(&std::fs::read(&path).unwrap()).unwrap().database;
        if database.messages().is_empty() {
            continue;
        }
        let name = path.display().to_string();
        values += compare(&name, &database, &frames(&database, 8, ClassicFrame::new));
        values += compare(&name, &database, &frames(&database, 64, FdFrame::new));
    }
    println!("{values} values equal, twice");
    assert!(values > 500_000);
}

fn mixed() -> Database {
    let id = |id| CanId::standard(id).unwrap();
    let wide = (0..11).fold(Message::builder("Wide", id(1), 8), |message, n| {
        let order = if n % 2 == 0 { ByteOrder::BigEndian } else { ByteOrder::LittleEndian };
        let kind = if n % 3 == 0 { ValueType::Signed } else { ValueType::Unsigned };
        message.signal(
            Signal::new(format!("s{n}"), n * 5, 1 + n % 5)
                .with_byte_order(order)
                .with_value_type(kind)
                .with_scaling(0.1, -3.0),
        )
    });
    let odd = Message::builder("Odd", id(2), 64)
        .signal(Signal::new("f", 0, 32).with_value_type(ValueType::F32))
        .signal(Signal::new("long", 32, 64).with_value_type(ValueType::Signed))
        .signal(Signal::new("across", 99, 64))
        .signal(
            Signal::new("d", 455, 64).with_value_type(ValueType::F64).with_byte_order(ByteOrder::BigEndian),
        )
        .signal(Signal::new("far", 496, 13));
    let nested = Message::builder("Nested", CanId::extended(3).unwrap(), 8)
        .signal(Signal::new("m", 0, 3).with_multiplexer())
        .signal(Signal::new("n", 3, 3).with_multiplexer().with_multiplexed(Multiplexed::new("m", [(0, 4)])))
        .signal(Signal::new("a", 8, 8).with_multiplexed(Multiplexed::new("n", [(1, 2)])));
    let simple = Message::builder("Simple", CanId::extended(4).unwrap(), 8)
        .signal(Signal::new("m", 5, 3).with_multiplexer().with_byte_order(ByteOrder::BigEndian))
        .signal(Signal::new("a", 8, 8).with_multiplexed(Multiplexed::new("m", [(0, 1), (3, 3)])))
        .signal(Signal::new("b", 16, 8).with_multiplexed(Multiplexed::new("m", [(1, 1)])));
    let messages = [wide, odd, nested, simple].map(|message| message.build().unwrap());
    messages.into_iter().fold(Database::builder(), coachwork_dbc::DatabaseBuilder::message).build()
}

#[test]
fn batches_equal_single_frames() {
    let database = mixed();
    assert!(compare("mixed", &database, &frames(&database, 8, ClassicFrame::new)) > 100);
    assert!(compare("mixed", &database, &frames(&database, 64, FdFrame::new)) > 500);
}

#[test]
fn groups_are_found_where_they_are_asked_for() {
    let message = Message::builder("Eec1", CanId::extended(0x0CF0_0400).unwrap(), 8)
        .signal(Signal::new("s", 0, 8))
        .build()
        .unwrap();
    let database = Database::builder().message(message).build();
    let frame = [ClassicFrame::new(CanId::extended(0x18F0_0425).unwrap(), &[7; 8]).unwrap()];
    for (by, decoded) in [(Match::Exact, 0), (Match::Pgn, 1), (Match::Auto, 0)] {
        assert_eq!(Batch::new(&database, by).rows(&frame, |_| {}).decoded, decoded, "{by:?}");
    }
}

#[test]
fn decoding_allocates_nothing() {
    let database = mixed();
    let classic = frames(&database, 8, ClassicFrame::new);
    let long = frames(&database, 64, FdFrame::new);
    let mut batch = Batch::new(&database, Match::Auto);
    // The first pass may make room.
    batch.columns(&classic, |_| {});
    let mut sum = 0.0;
    let counted = allocation_counter::measure(|| {
        for frame in &long {
            let Some(message) = database.find(frame.id(), Match::Auto) else { continue };
            for value in message.decode_partial(frame.payload()) {
                sum += value.physical().to_f64() + value.double();
                sum += f64::from(u8::from(value.label().is_some()));
            }
            sum += f64::from(u8::from(message.decode(frame.payload()).is_ok()));
        }
        batch.rows(&classic, |row| sum += row.values().iter().sum::<f64>());
        batch.rows(&long, |row| sum += row.values().iter().sum::<f64>());
        batch.columns(&classic, |block| sum += block.column(0).iter().sum::<f64>());
        batch.columns(&long, |block| sum += block.column(0).iter().sum::<f64>());
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    std::hint::black_box(sum);
    // The counter counts.
    assert!(allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 10]))).count_total > 0);
}
