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
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

mod corpus;

use coachwork_dbc::{
    BatchEncoder, ByteOrder, CanId, Choices, Database, EncodeError, Message, Multiplexed, Options, Raw,
    Signal, SignalIndex, SignalValue, Steps, Value, ValueType,
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
            assert_eq!(format!("{:?}", *found.cause), format!("{error:?}"));
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

/// A tree of multiplexers of four bits and what hangs on them, each signal in a byte of its own.
fn multiplexed() -> impl Strategy<Value = Message> {
    let one =
        (any::<bool>(), any::<prop::sample::Index>(), 0..18_u64, 0..3_u64, proptest::option::of(0..16_u64));
    proptest::collection::vec(one, 1..9).prop_map(|parts| {
        let mut signals: Vec<Signal> = Vec::new();
        for (place, (multiplexer, parent, from, more, start)) in parts.into_iter().enumerate() {
            let mut signal = Signal::new(format!("s{place}"), place as u32 * 8, 4);
            if multiplexer {
                signal = signal.with_multiplexer();
            }
            if let Some(raw) = start {
                signal = signal.with_start_value(Raw::Unsigned(raw));
            }
            let parents: Vec<&str> =
                signals.iter().filter(|s| s.is_multiplexer()).map(Signal::name).collect();
            if !parents.is_empty() && from < 17 {
                let parent = parents[parent.index(parents.len())].to_owned();
                signal = signal.with_multiplexed(Multiplexed::new(parent, [(from, from + more)]));
            }
            signals.push(signal);
        }
        message(16, signals)
    })
}

/// Whether a signal is present under these raw values of all signals, by position.
fn present(message: &Message, signal: &Signal, raw: &[u64]) -> bool {
    signal.multiplexed().is_none_or(|multiplexed| {
        let parent = message.signal_index(multiplexed.multiplexer()).unwrap();
        let value = raw[parent.position()];
        multiplexed.values().iter().any(|range| (range.0..=range.1).contains(&value))
            && present(message, message.signal(parent).unwrap(), raw)
    })
}

/// Whether some values of the multiplexers that are not given make all given signals present.
fn possible(message: &Message, given: &[(SignalIndex, u64)]) -> bool {
    let free: Vec<usize> = message
        .indexed_signals()
        .filter(|(index, signal)| signal.is_multiplexer() && given.iter().all(|given| given.0 != *index))
        .map(|(index, _)| index.position())
        .collect();
    let mut raw = vec![0_u64; message.signals().len()];
    for (index, value) in given {
        raw[index.position()] = *value;
    }
    // A multiplexer's needs do not depend on the others, so that each is tried alone where it cannot matter.
    let needed = |position: &usize| {
        given.iter().any(|(index, _)| {
            let mut signal = message.signal(*index).unwrap();
            while let Some(multiplexed) = signal.multiplexed() {
                let parent = message.signal_index(multiplexed.multiplexer()).unwrap();
                if parent.position() == *position {
                    return true;
                }
                signal = message.signal(parent).unwrap();
            }
            false
        })
    };
    let free: Vec<usize> = free.into_iter().filter(needed).collect();
    (0..16_u64.pow(free.len().min(4) as u32)).any(|assignment| {
        for (place, position) in free.iter().enumerate() {
            raw[*position] = assignment >> (4 * place) & 15;
        }
        given.iter().all(|(index, _)| present(message, message.signal(*index).unwrap(), &raw))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn multiplexers_are_found_where_there_are_any(
        m in multiplexed(),
        chosen in proptest::collection::vec(proptest::option::weighted(0.4, 0..16_u64), 9),
    ) {
        let given: Vec<(SignalIndex, u64)> = m
            .indexed_signals()
            .zip(chosen)
            .filter_map(|((index, _), value)| Some((index, value?)))
            .collect();
        let depth = m.signals().iter().filter(|signal| signal.is_multiplexer()).count();
        prop_assume!(depth <= 4);
        let list: Vec<SignalIndex> = given.iter().map(|given| given.0).collect();
        let values: Vec<f64> = given.iter().map(|given| given.1 as f64).collect();
        let pairs: Vec<(SignalIndex, f64)> = list.iter().copied().zip(values.iter().copied()).collect();
        let plain = m.encode(&pairs);
        match m.encoder(&list) {
            Ok(_) => prop_assert_eq!(&all_interfaces(&m, &list, &values), &plain),
            // Refused for all values at once.
            Err(_) => prop_assert!(plain.is_err()),
        }
        match plain {
            Ok(payload) => {
                let decoded: Vec<_> = m.decode_partial(&payload).collect();
                for (index, value) in &given {
                    let found = decoded.iter().find(|decoded| decoded.index() == *index);
                    prop_assert_eq!(found.map(SignalValue::raw), Some(Raw::Unsigned(*value)));
                }
                for value in &decoded {
                    let signal = m.signal(value.index()).unwrap();
                    if given.iter().all(|given| given.0 != value.index()) && !signal.is_multiplexer() {
                        prop_assert_eq!(value.raw(), signal.start_value().unwrap_or(Raw::Unsigned(0)));
                    }
                }
                // What is absent has no bits.
                let owned: usize = decoded.iter().map(|value| value.index().position()).fold(0, |all, at| all | 1 << at);
                for (at, byte) in payload.iter().enumerate() {
                    prop_assert!(*byte == 0 || owned >> at & 1 == 1);
                }
            }
            Err(EncodeError::UndefinedMultiplexer { .. }) => prop_assert!(possible(&m, &given)),
            Err(error) => prop_assert!(!possible(&m, &given), "{}", error),
        }
    }
}

fn engine() -> Message {
    message(
        8,
        [
            Signal::new("Mode", 0, 4).with_multiplexer(),
            Signal::new("Speed", 8, 16)
                .with_scaling(0.25, 0.0)
                .with_multiplexed(Multiplexed::new("Mode", [(1, 1)])),
            Signal::new("Torque", 8, 12)
                .with_value_type(ValueType::Signed)
                .with_multiplexed(Multiplexed::new("Mode", [(2, 3)])),
            Signal::new("Counter", 60, 4).with_start_value(Raw::Unsigned(9)),
        ],
    )
}

#[test]
fn an_encoder_for_each_value_of_a_multiplexer() {
    let m = engine();
    let mut payload = [0; 8];
    // The multiplexer follows, or is given.
    m.encoder(&["Speed"]).unwrap().encode(&[1.0], &mut payload).unwrap();
    assert_eq!(payload, [1, 4, 0, 0, 0, 0, 0, 0x90]);
    let both = m.encoder(&["Mode", "Speed"]).unwrap();
    both.encode(&[1.0, 1.0], &mut payload).unwrap();
    assert_eq!(payload, [1, 4, 0, 0, 0, 0, 0, 0x90]);
    assert_eq!(
        both.encode(&[2.0, 1.0], &mut payload).unwrap_err().to_string(),
        "Speed is absent while Mode is 2"
    );
    // One that may have several values.
    let several = m.encoder(&["Torque", "Mode"]).unwrap();
    for (mode, first) in [(2.0, 2), (3.0, 3)] {
        several.encode(&[-1.0, mode], &mut payload).unwrap();
        assert_eq!(payload, [first, 0xFF, 0x0F, 0, 0, 0, 0, 0x90]);
    }
    assert!(several.encode(&[-1.0, 1.0], &mut payload).is_err());
    // What excludes each other is refused before any value is known.
    assert!(matches!(m.encoder(&["Speed", "Torque"]), Err(EncodeError::Contradiction { .. })));
    assert!(matches!(m.encoder_of_all(), Err(EncodeError::Contradiction { .. })));
    assert!(matches!(m.encoder(&["Speed", "Speed"]), Err(EncodeError::Duplicate { .. })));
    assert!(matches!(m.encoder(&["Sped"]), Err(EncodeError::UnknownSignal { .. })));
    // All of them in one batch, beside each other.
    let batch = BatchEncoder::new([m.encoder(&["Speed"]).unwrap(), both, several]);
    let mut out = Vec::new();
    batch
        .encode(&[2, 0, 1], &[-1.0, 3.0, 2.0, 1.0, 1.0], |frame| out.push(frame.payload()[..2].to_vec()))
        .unwrap();
    assert_eq!(out, [[3, 0xFF], [1, 8], [1, 4]]);
}

/// Found by the fuzz target: such a multiplexer has no lane, and was encoded without a look at what depends on it.
#[test]
fn a_multiplexer_in_two_words() {
    let m = message(
        17,
        [
            Signal::new("mux", 56, 20).with_multiplexer(),
            Signal::new("one", 0, 8).with_multiplexed(Multiplexed::new("mux", [(1, 1)])),
        ],
    );
    let list = [0, 1].map(|place| m.indexed_signals().nth(place).unwrap().0);
    assert!(all_interfaces(&m, &list, &[1.0, 5.0]).is_ok());
    assert!(matches!(all_interfaces(&m, &list, &[0.0, 5.0]), Err(EncodeError::Contradiction { .. })));
}

#[test]
fn a_signal_that_is_never_present() {
    let m = message(
        2,
        [
            Signal::new("mux", 0, 2).with_multiplexer(),
            Signal::new("gone", 8, 8).with_multiplexed(Multiplexed::new("mux", [(7, 7)])),
        ],
    );
    let error = m.encode(&[("gone", 1)]).unwrap_err();
    assert_eq!(error.to_string(), "gone needs a value that mux cannot have");
    assert!(m.encoder(&["gone"]).is_err());
    // A multiplexer beyond the message cannot be set either.
    let m = message(
        1,
        [
            Signal::new("mux", 8, 2).with_multiplexer(),
            Signal::new("gone", 0, 8).with_multiplexed(Multiplexed::new("mux", [(1, 1)])),
        ],
    );
    assert!(matches!(m.encode(&[("gone", 1)]), Err(EncodeError::Outside { .. })));
    let mut long = [0; 2];
    m.encode_onto(&[("gone", 5)], &mut long).unwrap();
    assert_eq!(long, [5, 1]);
    assert!(matches!(m.encoder(&["gone"]), Err(EncodeError::Outside { .. })));
}

#[test]
fn steps_are_refused_where_that_is_asked_for() {
    let m = message(
        8,
        [
            Signal::new("Tenth", 0, 16).with_scaling(0.1, 0.0).with_unit("V"),
            Signal::new("Down", 16, 8).with_scaling(-2.0, 10.0).with_range(-500.0, 10.0),
            Signal::new("Float", 24, 32).with_value_type(ValueType::F32),
        ],
    );
    let rounds = m.encoder_of_all().unwrap();
    let exact = rounds.clone().exact();
    let mut payload = [0; 8];
    // 0.3 is not 3 × 0.1 in doubles, and still on the step.
    for value in [0.3, 0.1 * 3.0, 6553.5, 1234.5] {
        exact.encode(&[value, 8.0, 0.1], &mut payload).unwrap();
    }
    rounds.encode(&[0.25, 8.0, 0.1], &mut payload).unwrap();
    assert_eq!(payload[0], 2);
    let text = |values: &[f64]| exact.encode(values, &mut [0; 8]).unwrap_err().to_string();
    assert_eq!(text(&[0.25, 8.0, 0.1]), "Tenth = 0.25 is between the steps 0.2 and 0.30000000000000004 V");
    assert_eq!(text(&[0.3, 7.0, 0.1]), "Down = 7 is between the steps 6 and 8");
    assert_eq!(text(&[6553.52, 8.0, 0.1]), "Tenth = 6553.52 is between the steps 6553.5 V");
    assert_eq!(text(&[0.3, 11.0, 0.1]), "Down = 11 is outside -500 to 10");
    // Integers are compared exactly, labels and raw values have no steps.
    let error = exact.encode_values(&[Value::from(1), Value::from(7), Value::from(0.1)], &mut payload);
    assert!(matches!(error, Err(EncodeError::OffGrid { below: 6.0, above: 8.0, .. })), "{error:?}");
    exact.encode_values(&[Value::raw(3_u8), Value::from(-500), Value::from(0.1)], &mut payload).unwrap();
    let batch = BatchEncoder::new([rounds, exact]);
    let error =
        batch.encode(&[0, 1, 1], &[0.25, 8.0, 0.1, 0.3, 8.0, 0.1, 0.25, 8.0, 0.1], |_| ()).unwrap_err();
    assert_eq!((error.frame, error.value), (2, 6));
    assert!(matches!(*error.cause, EncodeError::OffGrid { .. }));
    assert_eq!(Steps::default(), Steps::Round);
}

#[test]
fn integers_of_any_width_round_half_to_even() {
    let m = message(8, [Signal::new("s", 0, 64).with_scaling(2.0, 0.0)]);
    let raw = |value: i128| {
        let payload = m.encode(&[("s", value)]).unwrap();
        u64::from_le_bytes(payload.try_into().unwrap())
    };
    assert_eq!(raw((1 << 62) + 1), 1 << 61);
    assert_eq!(raw((1 << 62) + 3), (1 << 61) + 2);
    assert_eq!(raw(i128::from(u64::MAX) * 2), u64::MAX);
    assert!(m.encode(&[("s", i128::from(u64::MAX) * 2 + 2)]).is_err());
    assert!(m.encode(&[("s", i128::MIN)]).is_err());
    let m = message(8, [Signal::new("s", 0, 64).with_value_type(ValueType::Signed).with_scaling(-1.0, 0.0)]);
    assert!(m.encode(&[("s", i128::MIN)]).is_err());
    assert_eq!(m.encode(&[("s", i64::MIN + 1)]).unwrap(), i64::MAX.to_le_bytes());
}

#[test]
fn floats_keep_every_bit() {
    let m = message(
        12,
        [
            Signal::new("f", 0, 32).with_value_type(ValueType::F32).with_range(0.0, 1.0),
            Signal::new("d", 39, 64).with_value_type(ValueType::F64).with_byte_order(ByteOrder::BigEndian),
        ],
    );
    for bits in [0x7FC0_1234_u32, 0x7F80_0001, 0xFFFF_FFFF, 0x8000_0000, 1] {
        let wide = u64::from(bits) << 32 | 0x0123_4567;
        let mut payload = [0xA5; 12];
        let values = [("f", Value::raw(f32::from_bits(bits))), ("d", Value::raw(f64::from_bits(wide)))];
        m.encode_onto(&values, &mut payload).unwrap();
        assert_eq!(payload[..4], bits.to_le_bytes());
        assert_eq!(payload[4..], wide.to_be_bytes());
        let back: Vec<(SignalIndex, Value<'_>)> =
            m.decode(&payload).unwrap().map(|value| (value.index(), Value::Raw(value.raw()))).collect();
        assert_eq!(m.encode(&back).unwrap(), payload);
    }
}

#[test]
fn labels_that_look_alike_are_named() {
    let gear: Choices =
        [(0, "neutral"), (1, "first"), (2, "second"), (14, "error"), (15, "SNA")].into_iter().collect();
    let m = message(1, [Signal::new("Gear", 0, 4).with_choices(gear)]);
    let text = |label| m.encode(&[("Gear", Value::Label(label))]).unwrap_err().to_string();
    assert_eq!(text("fist"), "Gear has no label \"fist\"; near: \"first\"");
    assert_eq!(text("Neutral"), "Gear has no label \"Neutral\"; near: \"neutral\"");
    assert_eq!(text("nothing like it"), "Gear has no label \"nothing like it\"");
    // In an encoder too, beside physical and raw values.
    let encoder = m.encoder(&["Gear"]).unwrap();
    let mut payload = [0xF0];
    encoder.encode_values_onto(&[Value::Label("second")], &mut payload).unwrap();
    assert_eq!(payload, [0xF2]);
    encoder.encode_values(&["SNA"], &mut payload).unwrap();
    assert_eq!(payload, [0x0F]);
}

#[test]
fn a_batch_says_where_it_ended() {
    let m = engine();
    let batch = BatchEncoder::new([m.encoder(&["Speed"]).unwrap(), m.encoder(&["Counter"]).unwrap()]);
    assert_eq!((batch.len(), batch.is_empty()), (2, false));
    let mut seen = 0;
    let error = batch.encode(&[0, 1, 7], &[1.0, 2.0, 3.0], |_| seen += 1).unwrap_err();
    assert_eq!((error.frame, error.value, seen), (2, 2, 2));
    assert_eq!(*error.cause, EncodeError::UnknownEncoder { number: 7 });
    let error = batch.encode(&[0, 1, 1], &[1.0, 2.0], |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "frame 2: M: 1 signals to encode, and 0 values");
    assert_eq!(batch.encode(&[1], &[2.0, 3.0], |frame| assert_eq!(frame.message().name(), "M")), Ok(1));
    assert_eq!(BatchEncoder::default().encode(&[], &[], |_| ()), Ok(0));
    let encoder = m.encoder(&["Speed", "Counter"]).unwrap();
    assert!(matches!(
        encoder.encode(&[1.0], &mut [0; 8]),
        Err(EncodeError::Count { signals: 2, values: 1, .. })
    ));
    assert!(matches!(
        encoder.encode(&[1.0, 1.0], &mut [0; 7]),
        Err(EncodeError::TooShort { payload: 7, .. })
    ));
    assert!(matches!(encoder.encode_onto(&[1.0, 1.0], &mut [0; 7]), Err(EncodeError::TooShort { .. })));
}

#[test]
fn messages_longer_than_a_frame() {
    let m = message(
        100,
        [Signal::new("far", 790, 10), Signal::new("near", 0, 8).with_start_value(Raw::Unsigned(3))],
    );
    let list = [m.signal_index("far").unwrap()];
    let payload = all_interfaces(&m, &list, &[1023.0]).unwrap();
    assert_eq!((payload.len(), payload[0], payload[98], payload[99]), (100, 3, 0xC0, 0xFF));
}

/// Multiplexers that hang on one another, a thousand deep, and signals that all need the last.
#[test]
fn deep_multiplexing_ends_soon() {
    let mut signals = vec![Signal::new("m0", 0, 1).with_multiplexer()];
    for place in 1..1000_u32 {
        let parent = Multiplexed::new(format!("m{}", place - 1), [(1, 1)]);
        signals.push(Signal::new(format!("m{place}"), place, 1).with_multiplexer().with_multiplexed(parent));
    }
    for place in 1000..2000_u32 {
        let parent = Multiplexed::new("m999", [(1, 1)]);
        signals.push(Signal::new(format!("s{place}"), place, 1).with_multiplexed(parent));
    }
    let m = message(250, signals);
    let given: Vec<(SignalIndex, u8)> = m.indexed_signals().skip(1000).map(|(index, _)| (index, 1)).collect();
    let started = std::time::Instant::now();
    assert_eq!(m.encode(&given).unwrap(), [0xFF; 250]);
    let list: Vec<SignalIndex> = given.iter().map(|given| given.0).collect();
    let mut payload = [0; 250];
    m.encoder(&list).unwrap().encode(&vec![1.0; 1000], &mut payload).unwrap();
    assert_eq!(payload, [0xFF; 250]);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn encoding_allocates_nothing() {
    let m = engine();
    let wide = message(
        64,
        (0..64).map(|place| Signal::new(format!("s{place}"), place * 8 + 3, 5).with_scaling(0.1, 0.0)),
    );
    let (speed, counter) = (m.signal_index("Speed").unwrap(), m.signal_index("Counter").unwrap());
    let encoder = m.encoder(&[speed, counter]).unwrap();
    let values = [1.0; 64];
    let wide_encoder = wide.encoder_of_all().unwrap();
    let batch = BatchEncoder::new([encoder.clone(), wide_encoder.clone()]);
    let pairs: Vec<(SignalIndex, f64)> = wide.indexed_signals().map(|(index, _)| (index, 1.0)).collect();
    let mut payload = [0; 64];
    let counted = allocation_counter::measure(|| {
        m.encode_into(&[("Speed", 1), ("Counter", 2)], &mut payload).unwrap();
        m.encode_onto(&[(speed, 1.5)], &mut payload).unwrap();
        wide.encode_into(&pairs, &mut payload).unwrap();
        wide.encode_onto(&pairs, &mut payload).unwrap();
        encoder.encode(&[1.0, 2.0], &mut payload).unwrap();
        encoder.encode_onto(&[1.0, 2.0], &mut payload).unwrap();
        encoder.encode_values(&[1, 2], &mut payload).unwrap();
        encoder.encode_values_onto(&[Value::raw(1_u8), Value::from(2)], &mut payload).unwrap();
        wide_encoder.encode(&values, &mut payload).unwrap();
        wide_encoder.encode_onto(&values, &mut payload).unwrap();
        batch.encode(&[0, 1], &[1.0; 66], |frame| payload[0] ^= frame.payload()[0]).unwrap();
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(
        allocation_counter::measure(|| drop(std::hint::black_box(m.encode(&[("Speed", 1)])))).count_total > 0
    );
}

/// Every interface on every message of every shared database.
#[test]
fn all_interfaces_agree_on_real_files() {
    let Some(root) = corpus::root() else { return };
    let (mut messages, mut encoded) = (0, 0);
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for path in corpus::files(&root.join("dbc"), ".dbc") {
        let Ok(loaded) = Options::new().load(&std::fs::read(&path).unwrap()) else { continue };
        let database: Database = loaded.database;
        for m in database.messages() {
            let all: Vec<SignalIndex> = m.indexed_signals().map(|(index, _)| index).collect();
            let apart: Vec<Vec<SignalIndex>> = if m.encoder(&all).is_ok() {
                vec![all]
            } else {
                all.iter().map(|index| vec![*index]).collect()
            };
            for list in apart.iter().filter(|list| m.encoder(list).is_ok()).take(20) {
                messages += 1;
                let values: Vec<f64> = list
                    .iter()
                    .map(|index| {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        value_of(m.signal(*index).unwrap(), seed | 15)
                    })
                    .collect();
                encoded += usize::from(all_interfaces(m, list, &values).is_ok());
            }
        }
    }
    println!("{messages} lists of signals, {encoded} of them encoded");
    assert!(encoded > 1000 && encoded < messages);
}
