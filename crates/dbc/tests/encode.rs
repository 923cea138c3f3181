//! Encoding against a model that writes bit by bit, and every interface against every other.
//!
//! *Invariant:* the model shares no code with the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

mod corpus;

use coachwork_dbc::{
    BatchEncoder, ByteOrder, CanId, Choices, Database, EncodeError, Encoder, Message, Multiplexed, Number,
    Options, Raw, Signal, SignalIndex, Steps, Value, ValueType,
};
use proptest::prelude::*;

fn message(length: usize, signals: impl IntoIterator<Item = Signal>) -> Message {
    let builder = Message::builder("M", CanId::standard(0x100).unwrap(), length);
    signals.into_iter().fold(builder, coachwork_dbc::MessageBuilder::signal).build().unwrap()
}

/// Writes bits one at a time, as DBC numbers them.
fn model_write(payload: &mut [u8], signal: &Signal, bits: u64) {
    let mut at = signal.start() as usize;
    for step in 0..signal.length() {
        let from = match signal.byte_order() {
            ByteOrder::LittleEndian => step,
            ByteOrder::BigEndian => signal.length() - 1 - step,
        };
        let bit = (bits >> from & 1) as u8;
        payload[at / 8] = payload[at / 8] & !(1 << (at % 8)) | bit << (at % 8);
        at = match signal.byte_order() {
            ByteOrder::LittleEndian => at + 1,
            ByteOrder::BigEndian if at.is_multiple_of(8) => at + 15,
            ByteOrder::BigEndian => at - 1,
        };
    }
}

/// The bits of a double; `None` where it is refused. Not for values nearer to a bound than the slack, nor for signals beyond 51 bits.
fn model_bits(signal: &Signal, value: f64) -> Option<u64> {
    let labelled = |raw: f64| signal.choices().iter().any(|(known, _)| known as f64 == raw);
    let (slack, float) = (signal.factor().abs() * 1e-6, signal.value_type().is_float());
    let within = signal.range().is_none_or(|(min, max)| value >= min - slack && value <= max + slack);
    let raw = (value - signal.offset()) / signal.factor();
    let length = signal.length();
    match signal.value_type() {
        ValueType::F64 => within.then_some(raw.to_bits()),
        ValueType::F32 => {
            let single = raw as f32;
            (within && (single.is_finite() || !raw.is_finite())).then(|| single.to_bits().into())
        }
        ValueType::Unsigned | ValueType::Signed => {
            let raw = raw.round_ties_even();
            let (low, high) = if signal.value_type() == ValueType::Signed {
                (-(2_f64.powi(length as i32 - 1)), 2_f64.powi(length as i32 - 1) - 1.0)
            } else {
                (0.0, 2_f64.powi(length as i32) - 1.0)
            };
            let fits = (low..=high).contains(&raw) && !float;
            (fits && (within || labelled(raw))).then(|| raw as i64 as u64 & (u64::MAX >> (64 - length)))
        }
    }
}

prop_compose! {
    fn signal_in(bytes: u32, name: usize)(
        start in 0..bytes * 8,
        length in prop_oneof![4 => 1..=20_u32, 1 => 1..=51_u32],
        big in any::<bool>(),
        kind in 0..12_u8,
        factor in prop_oneof![Just(1.0), Just(0.5), Just(-3.0), Just(0.1), Just(0.001_220_703_125), -1e6..1e6_f64],
        offset in prop_oneof![Just(0.0), Just(-40.0), Just(0.5), -1e6..1e6_f64],
        range in proptest::option::of((0.0..0.5_f64, 0.5..1.0_f64)),
        start_value in proptest::option::of(0..2_u64),
        choice in proptest::option::of(0..4_i128),
    ) -> Signal {
        let (kind, length) = match kind {
            0..=5 => (ValueType::Unsigned, length),
            6..=9 => (ValueType::Signed, length),
            10 => (ValueType::F32, 32),
            _ => (ValueType::F64, 64),
        };
        let order = if big { ByteOrder::BigEndian } else { ByteOrder::LittleEndian };
        let factor = if factor == 0.0 { 1.0 } else { factor };
        let mut signal = Signal::new(format!("s{name}"), start, length)
            .with_byte_order(order)
            .with_value_type(kind)
            .with_scaling(factor, offset);
        if let Some((from, to)) = range {
            let reach = 2_f64.powi(length.min(40) as i32) * factor;
            let (a, b) = (reach * from + offset, reach * to + offset);
            signal = signal.with_range(a.min(b), a.max(b));
        }
        if let Some(raw) = start_value.filter(|_| !kind.is_float()) {
            signal = signal.with_start_value(Raw::Unsigned(raw));
        }
        if let Some(value) = choice {
            signal = signal.with_choices([(value, "label")].into_iter().collect());
        }
        signal
    }
}

/// Signals that lie inside a message, and may overlap.
fn signals_in(bytes: u32) -> impl Strategy<Value = Vec<Signal>> {
    let inside = move |signal: &Signal| {
        let m = message(bytes as usize, [signal.clone()]);
        m.decode_partial(&vec![0; bytes as usize]).count() == 1
    };
    proptest::collection::vec(any::<()>(), 1..20).prop_flat_map(move |places| {
        places
            .iter()
            .enumerate()
            .map(|(place, ())| signal_in(bytes, place).prop_filter("it leaves the message", inside))
            .collect::<Vec<_>>()
    })
}

/// Values that are in range, at ties, at bounds, outside, and no numbers.
fn value_of(signal: &Signal, seed: u64) -> f64 {
    let reach = 2_f64.powi(signal.length().min(51) as i32);
    let raw = match seed % 16 {
        0 => reach,
        1 => -1.0,
        2 => return f64::from_bits(seed.rotate_left(17)),
        3 => return signal.min().unwrap_or(0.0),
        4 => return signal.max().unwrap_or(0.0),
        5 | 6 => ((seed >> 8) as f64 % reach).floor() + 0.5,
        _ => ((seed >> 8) as f64 % reach).floor(),
    };
    let raw = if signal.value_type() == ValueType::Signed { raw - (reach / 2.0).floor() } else { raw };
    raw * signal.factor() + signal.offset()
}

/// What every interface gives for one frame.
fn all_interfaces(message: &Message, list: &[SignalIndex], values: &[f64]) -> Result<Vec<u8>, EncodeError> {
    let pairs: Vec<(SignalIndex, f64)> = list.iter().copied().zip(values.iter().copied()).collect();
    let plain = message.encode(&pairs);
    let encoder = message.encoder(list).unwrap();
    let length = message.length();
    let mut buffer = vec![0xA5; length + 3];
    match encoder.encode(values, &mut buffer) {
        Ok(count) => assert_eq!((Ok(&buffer[..count]), &buffer[count..]), (plain.as_deref(), &[0xA5; 3][..])),
        Err(error) => {
            assert_eq!(format!("{:?}", Err::<(), _>(error)), format!("{:?}", plain.as_ref().map(|_| ())));
            assert!(buffer.iter().all(|byte| *byte == 0xA5), "a refusal writes nothing");
        }
    }
    // Before and after it other frames, so that lanes are read across their borders.
    let batch = BatchEncoder::new([encoder.clone()]);
    let three: Vec<f64> = [values, values, values].concat();
    let mut out = Vec::new();
    let found = batch.encode(&[0, 0, 0], &three, |frame| out.push(frame.payload().to_vec()));
    match &plain {
        Ok(plain) => {
            assert_eq!(found, Ok(three.len()));
            assert!(out.iter().all(|payload| payload == plain) && out.len() == 3, "{out:02x?} {plain:02x?}");
        }
        Err(error) => {
            let found = found.unwrap_err();
            assert_eq!((found.frame, found.value), (0, 0));
            assert_eq!(format!("{:?}", found.cause), format!("{error:?}"));
        }
    }
    // Onto a payload, the encoder does what the message does.
    for base in [0x00, 0xFF, 0x5A] {
        let (mut ours, mut theirs) = (vec![base; length + 2], vec![base; length + 2]);
        let found = encoder.encode_onto(values, &mut ours).is_ok();
        assert_eq!(found, message.encode_onto(&pairs, &mut theirs).is_ok());
        assert_eq!(ours, theirs);
    }
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn encodes_like_the_model(
        (signals, bytes) in prop_oneof![Just(1_u32), Just(8), Just(64), 2..64_u32]
            .prop_flat_map(|bytes| (signals_in(bytes), Just(bytes))),
        chosen in proptest::collection::vec(any::<bool>(), 20),
        seeds in proptest::collection::vec(any::<u64>(), 20),
        reverse in any::<bool>(),
    ) {
        let m = message(bytes as usize, signals);
        let mut list: Vec<SignalIndex> =
            m.indexed_signals().zip(&chosen).filter(|(_, chosen)| **chosen).map(|((index, _), _)| index).collect();
        if reverse {
            list.reverse();
        }
        let values: Vec<f64> =
            list.iter().zip(seeds).map(|(index, seed)| value_of(m.signal(*index).unwrap(), seed)).collect();
        let ours = all_interfaces(&m, &list, &values);
        let mut given: Vec<(SignalIndex, Option<u64>)> = list
            .iter()
            .zip(&values)
            .map(|(index, value)| (*index, model_bits(m.signal(*index).unwrap(), *value)))
            .collect();
        prop_assert_eq!(ours.is_ok(), given.iter().all(|given| given.1.is_some()), "{:?}", ours);
        if let Err(error) = &ours {
            let refused = matches!(error, EncodeError::OutOfRange { .. });
            prop_assert!(refused, "{}", error);
        }
        let Ok(ours) = ours else { return Ok(()) };
        given.sort_by_key(|given| given.0);
        let mut want = vec![0; bytes as usize];
        for signal in m.signals() {
            let Some(Raw::Unsigned(start)) = signal.start_value() else { continue };
            let sign = signal.value_type() == ValueType::Signed && signal.length() == 1;
            if start >> signal.length() == 0 && !(sign && start == 1) {
                model_write(&mut want, signal, start);
            }
        }
        for (index, bits) in &given {
            model_write(&mut want, m.signal(*index).unwrap(), bits.unwrap());
        }
        prop_assert_eq!(ours, want);
    }
}
