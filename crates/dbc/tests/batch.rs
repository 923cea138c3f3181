//! Rows and columns against decoding frame by frame, on every database of the corpus and on what the project writes itself.
//!
//! *Invariant:* every value is equal to the last bit; nothing is allocated per frame.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp
)]

mod corpus;

use std::collections::BTreeMap;

use coachwork_dbc::{
    Batch, BatchFrame, ByteOrder, CanId, ClassicFrame, Column, ColumnType, Content, Database, FdFrame, Match,
    Message, Multiplexed, Number, Options, Raw, Signal, ValueType,
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

/// A frame that pads nothing, of any length.
struct Bytes(CanId, Vec<u8>);

impl BatchFrame for Bytes {
    fn id(&self) -> CanId {
        self.0
    }

    fn payload(&self) -> &[u8] {
        &self.1
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
    for content in [Content::Raw, Content::Physical] {
        let mut cells = 0;
        let again = batch.narrow_columns(frames, content, |block| {
            assert_eq!(block.column(block.signals().len()), None);
            for (at, index) in block.signals().iter().enumerate() {
                let column = block.column(at).unwrap();
                assert_eq!(column.len(), block.frames().len());
                let signal = block.message().signal(*index).unwrap();
                assert_eq!(Some(column.column_type()), ColumnType::of(signal, content));
                for (place, frame) in block.frames().iter().enumerate() {
                    let payload = frames[*frame as usize].payload();
                    let value = block.message().decode_signal(*index, payload).unwrap();
                    let number = match (content, value.raw()) {
                        (Content::Physical, _) => value.physical(),
                        (Content::Raw, Raw::F32(_) | Raw::F64(_)) => Number::Float(value.raw().to_f64()),
                        (Content::Raw, raw) => Number::Integer(raw.integer().unwrap()),
                    };
                    equal(number, column.value(place).unwrap(), &column);
                    cells += 1;
                }
            }
        });
        assert_eq!((counts, want.len()), (again, cells), "{name}: {content:?}");
    }
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

/// The same number: exactly, but where no 64-bit type holds the signal's integers; a single has no sign of its zero to keep.
fn equal(want: Number, have: Number, column: &Column<'_>) {
    match (want, have) {
        (Number::Integer(want), Number::Integer(have)) => assert_eq!(want, have),
        (want, Number::Float(have)) => {
            let (want, nan) = (want.to_f64(), want.to_f64().is_nan() && have.is_nan());
            let exact = want.to_bits() == have.to_bits();
            let zero = matches!(column, Column::F32(_)) && want == 0.0 && have == 0.0;
            assert!(exact || zero || nan || is_rounded(want, have, column), "{want:?} {have:?}");
        }
        (want, have) => panic!("{want:?} {have:?}"),
    }
}

/// Integers beyond 64 bits are computed in doubles, as `double` does.
fn is_rounded(want: f64, have: f64, column: &Column<'_>) -> bool {
    matches!(column, Column::F64(_)) && want.abs() > 9e15 && (want - have).abs() <= want.abs() * 1e-15
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
    let scaled = Message::builder("Scaled", id(5), 8)
        .signal(Signal::new("flag", 0, 1))
        .signal(Signal::new("cold", 8, 8).with_scaling(1.0, -40.0))
        .signal(Signal::new("back", 8, 8).with_scaling(-3.0, 7.0))
        .signal(Signal::new("half", 16, 16).with_scaling(0.5, -1.25))
        .signal(Signal::new("low", 31, 12).with_scaling(-7.0, 1e6).with_byte_order(ByteOrder::BigEndian))
        .signal(Signal::new("sign", 4, 1).with_value_type(ValueType::Signed))
        .signal(Signal::new("all", 0, 64))
        .signal(Signal::new("beyond", 0, 64).with_scaling(3.0, 1.0))
        .signal(Signal::new("most", 0, 62).with_value_type(ValueType::Signed).with_scaling(3.0, -1.0))
        .signal(Signal::new("single", 32, 32).with_value_type(ValueType::F32).with_scaling(2.0, 0.0));
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
    let messages = [wide, odd, scaled, nested, simple].map(|message| message.build().unwrap());
    messages.into_iter().fold(Database::builder(), coachwork_dbc::DatabaseBuilder::message).build()
}

#[test]
fn batches_equal_single_frames() {
    let database = mixed();
    assert!(compare("mixed", &database, &frames(&database, 8, ClassicFrame::new)) > 100);
    assert!(compare("mixed", &database, &frames(&database, 64, FdFrame::new)) > 500);
}

#[test]
fn a_payload_longer_than_any_message_is_long_enough_but_not_for_no_message() {
    let database = mixed();
    let frames = [CanId::standard(1), CanId::standard(0x700), CanId::extended(1)]
        .map(|id| Bytes(id.unwrap(), vec![1; 70_000]));
    let mut batch = Batch::new(&database, Match::Exact);
    let counts = batch.rows(&frames, |row| assert_eq!(row.message().name(), "Wide"));
    assert_eq!((counts.decoded, counts.unknown, counts.short), (1, 2, 0));
    assert_eq!(batch.columns(&frames, |block| assert_eq!(block.message().name(), "Wide")), counts);
}

#[test]
fn windows_end_with_the_payload() {
    let bytes: [u8; 64] = std::array::from_fn(|at| at as u8 + 1);
    let long = FdFrame::new(CanId::standard(1).unwrap(), &bytes).unwrap();
    let short = ClassicFrame::new(CanId::standard(1).unwrap(), &bytes[..8]).unwrap();
    for from in 0..80 {
        assert_eq!(long.window(from), Bytes(long.id(), bytes.to_vec()).window(from), "{from}");
        assert_eq!(short.window(from), Bytes(long.id(), bytes[..8].to_vec()).window(from), "{from}");
    }
    assert_eq!(long.window(60), 0x403F_3E3D);
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
    batch.narrow_columns(&classic, Content::Physical, |_| {});
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
        batch.narrow_columns(&classic, Content::Physical, |block| {
            sum += block.column(0).map_or(0, |column| column.len()) as f64;
        });
        batch.narrow_columns(&long, Content::Physical, |block| {
            sum += block.column(0).map_or(0, |column| column.len()) as f64;
        });
        batch.columns(&long, |block| sum += block.column(0).iter().sum::<f64>());
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    std::hint::black_box(sum);
    // The counter counts.
    assert!(allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 10]))).count_total > 0);
}
