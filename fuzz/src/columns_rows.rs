//! Bytes become a database and a batch of frames; rows and columns are checked against a model that works bit by bit.
//!
//! *Oracle:* the model of `decode_roundtrip.rs`: its bits, sign extension, scaling and multiplexing; every cell of every form is one of its values,
//! and none is missing or said twice.
//! *Next:* `coachwork_dbc::Batch`.

use std::collections::BTreeMap;

use coachwork_dbc::{
    Batch, BatchFrame, CanId, ClassicFrame, Content, Database, FdFrame, Match, Message, MessageBuilder,
    Number, Raw, SignalIndex,
};

use crate::decode_roundtrip::{Input, bits, physical, raw, selected};

/// Runs one input.
pub fn run(data: &[u8]) {
    check(data);
}

/// Raw values by frame and signal.
type Values = BTreeMap<(usize, usize), Raw>;

/// How many values the frames held, in rows and columns alike; `None` where a message does not build.
pub fn check(data: &[u8]) -> Option<usize> {
    let mut input = Input(data);
    let fd = input.byte() & 1 == 1;
    let most = if fd { 64 } else { 8 };
    let mut database = Database::builder();
    let messages = 1 + usize::from(input.byte()) % 3;
    for number in 0..messages {
        let length = 1 + usize::from(input.byte()) % most;
        let signals = (0..usize::from(input.byte()) % 20).map(|position| input.signal(position, length));
        let signals: Vec<_> = signals.collect();
        let message = Message::builder(format!("M{number}"), id(number, fd)?, length);
        database = database.message(signals.into_iter().fold(message, MessageBuilder::signal).build().ok()?);
    }
    let database = database.build();
    // Enough of one message for a bucket to fill, in few bytes.
    let repeat = if input.byte() & 1 == 1 { 70 } else { 1 };
    let mut frames: Vec<(CanId, Vec<u8>)> = Vec::new();
    for _ in 0..1 + usize::from(input.byte()) % 16 {
        let id = id(usize::from(input.byte()) % (messages + 1), fd)?;
        let payload: Vec<u8> = (0..usize::from(input.byte()) % (most + 1)).map(|_| input.byte()).collect();
        for step in 0..repeat {
            let mut payload = payload.clone();
            if let Some(first) = payload.first_mut() {
                *first = first.wrapping_add(step);
            }
            frames.push((id, payload));
        }
    }
    if fd {
        let frames: Option<Vec<_>> = frames.iter().map(|(id, payload)| FdFrame::new(*id, payload)).collect();
        Some(compare(&database, &frames?))
    } else {
        let frames: Option<Vec<_>> =
            frames.iter().map(|(id, payload)| ClassicFrame::new(*id, payload)).collect();
        Some(compare(&database, &frames?))
    }
}

/// Identifiers of both widths.
fn id(number: usize, fd: bool) -> Option<CanId> {
    let number = number as u32;
    if fd == (number % 2 == 0) { CanId::extended(0x18FE_F100 + number) } else { CanId::standard(number) }
}

fn compare<F: BatchFrame>(database: &Database, frames: &[F]) -> usize {
    let mut want = Values::new();
    let (mut unknown, mut short) = (0, 0);
    for (at, frame) in frames.iter().enumerate() {
        let Some(message) = database.messages().iter().find(|message| message.id() == frame.id()) else {
            unknown += 1;
            continue;
        };
        let Some(payload) = frame.payload().get(..message.length()) else {
            short += 1;
            continue;
        };
        for (place, signal) in message.signals().iter().enumerate() {
            let bits = bits(signal, payload).filter(|_| selected(message.signals(), signal, payload));
            want.extend(bits.map(|bits| ((at, place), raw(signal, bits))));
        }
    }

    let mut batch = Batch::new(database, Match::Exact);
    let mut cells = 0;
    let counts = batch.rows(frames, |row| {
        assert_eq!(row.signals().len(), row.values().len());
        for (index, value) in row.signals().iter().zip(row.values()) {
            same(double(row.message(), *index, want[&(row.frame(), index.position())]), *value);
            cells += 1;
        }
        assert!(row.signals().is_sorted());
    });
    assert_eq!(
        (counts.decoded, counts.unknown, counts.short),
        (frames.len() - unknown - short, unknown, short)
    );
    assert_eq!(cells, want.len(), "rows");

    let mut cells = 0;
    let again = batch.columns(frames, |block| {
        for (at, index) in block.signals().iter().enumerate() {
            assert_eq!(block.frames().len(), block.column(at).len());
            for (frame, value) in block.frames().iter().zip(block.column(at)) {
                same(double(block.message(), *index, want[&(*frame as usize, index.position())]), *value);
                cells += 1;
            }
        }
    });
    assert_eq!((again, cells), (counts, want.len()), "columns");

    for content in [Content::Raw, Content::Physical] {
        let mut cells = 0;
        let again = batch.narrow_columns(frames, content, |block| {
            for (at, index) in block.signals().iter().enumerate() {
                let column = block.column(at).expect("a column for every signal");
                assert_eq!(block.frames().len(), column.len());
                for (place, frame) in block.frames().iter().enumerate() {
                    let raw = want[&(*frame as usize, index.position())];
                    let have = column.value(place).expect("a value for every frame");
                    narrow(block.message(), *index, content, raw, have);
                    cells += 1;
                }
            }
        });
        assert_eq!((again, cells), (counts, want.len()), "{content:?}");
    }
    want.len()
}

fn double(message: &Message, index: SignalIndex, raw: Raw) -> f64 {
    let signal = message.signal(index).expect("a signal of the message");
    let product = raw.to_f64() * signal.factor();
    product + signal.offset()
}

fn narrow(message: &Message, index: SignalIndex, content: Content, raw: Raw, have: Number) {
    let signal = message.signal(index).expect("a signal of the message");
    let want = match (content, raw.integer()) {
        (Content::Physical, _) => physical(signal, raw),
        (Content::Raw, Some(raw)) => Number::Integer(raw),
        (Content::Raw, None) => Number::Float(raw.to_f64()),
    };
    match (want, have) {
        (Number::Integer(want), Number::Integer(have)) => assert_eq!(want, have, "{signal:?}"),
        // Some value of the signal is beyond 64 bits: all are doubles.
        (Number::Integer(_), Number::Float(have)) => same(double(message, index, raw), have),
        (Number::Float(want), Number::Float(have)) => same(want, have),
        (want, have) => panic!("{signal:?}: {want:?} {have:?}"),
    }
}

fn same(want: f64, have: f64) {
    assert!(want == have || want.is_nan() && have.is_nan(), "{want} {have}");
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn inputs_matter() {
        // One message of one byte with one signal of 8 bits, and one frame of it; then a frame without bytes; then one of no message.
        assert_eq!(check(&[0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 1, 0xAB]), Some(1));
        assert_eq!(check(&[0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0]), Some(0));
        assert_eq!(check(&[0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0, 1, 1, 0xAB]), Some(0));
        // The same frame seventy times, and in CAN FD.
        assert_eq!(check(&[0, 0, 0, 1, 0, 7, 0, 0, 0, 1, 0, 0, 1, 0xAB]), Some(70));
        assert_eq!(check(&[1, 0, 0, 1, 0, 7, 0, 0, 0, 1, 0, 0, 1, 0xAB]), Some(70));
        // A multiplexer, and a signal for its value 5.
        let multiplexed =
            |value| [0, 0, 1, 2, 0, 7, 16, 0, 0, 4, 7, 32, 0, 0, 5, 0, 0, 0, 0, 0, 0, 2, value, 9];
        assert_eq!(check(&multiplexed(5)), Some(2));
        assert_eq!(check(&multiplexed(6)), Some(1));
        // A signal that depends on one that is no multiplexer.
        assert_eq!(check(&[0, 0, 1, 2, 0, 7, 0, 0, 0, 4, 7, 32, 0, 0, 5, 0, 0, 0]), None);
    }

    #[test]
    fn any_bytes_agree() {
        let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()[3]
        };
        let mut values = 0;
        for round in 0..600 {
            let mut data: Vec<u8> = (0..600).map(|_| next()).collect();
            // One to three messages in turn.
            data[1] = round as u8;
            values += check(&data).unwrap_or(0);
        }
        assert!(values > 1000, "{values}");
    }
}
