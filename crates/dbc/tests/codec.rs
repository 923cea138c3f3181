//! Decoding and encoding against a model that works bit by bit, and the cases that go wrong elsewhere, one by one.
//!
//! *Invariant:* the model shares no code with the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

use coachwork_dbc::{
    Availability, ByteOrder, CanId, Choices, Database, DecodeError, EncodeError, Message, Multiplexed,
    Number, Raw, Signal, Value, ValueType,
};
use proptest::prelude::*;

fn message(length: usize, signals: impl IntoIterator<Item = Signal>) -> Message {
    let builder = Message::builder("M", CanId::standard(0x100).unwrap(), length);
    signals.into_iter().fold(builder, coachwork_dbc::MessageBuilder::signal).build().unwrap()
}

fn values(message: &Message, payload: &[u8]) -> Vec<(String, Number)> {
    message.decode(payload).unwrap().map(|value| (value.name().to_owned(), value.physical())).collect()
}

/// The bits of a signal, one at a time, as DBC numbers them.
fn model_bits(payload: &[u8], start: u32, length: u32, order: ByteOrder) -> Option<u64> {
    let mut value = 0_u64;
    let mut at = start as usize;
    for step in 0..length {
        let bit = u64::from(*payload.get(at / 8)? >> (at % 8) & 1);
        match order {
            ByteOrder::LittleEndian => {
                value |= bit << step;
                at += 1;
            }
            ByteOrder::BigEndian => {
                value = value << 1 | bit;
                at = if at.is_multiple_of(8) { at + 15 } else { at - 1 };
            }
        }
    }
    Some(value)
}

prop_compose! {
    fn signal_in(bytes: u32)(
        start in 0..bytes * 8,
        length in 1..=64_u32,
        big in any::<bool>(),
        kind in 0..4_u8,
        factor in prop_oneof![Just(1.0), Just(-3.0), Just(0.1), Just(0.001_220_703_125), -1e6..1e6_f64],
        offset in prop_oneof![Just(0.0), Just(-40.0), Just(0.5), -1e6..1e6_f64],
    ) -> Signal {
        let (kind, length) = match kind {
            0 => (ValueType::Unsigned, length),
            1 => (ValueType::Signed, length),
            2 => (ValueType::F32, 32),
            _ => (ValueType::F64, 64),
        };
        let order = if big { ByteOrder::BigEndian } else { ByteOrder::LittleEndian };
        let factor = if factor == 0.0 { 1.0 } else { factor };
        Signal::new("s", start, length).with_byte_order(order).with_value_type(kind).with_scaling(factor, offset)
    }
}

proptest! {
    #[test]
    fn decodes_like_the_model(signal in signal_in(64), payload in proptest::collection::vec(any::<u8>(), 0..=64)) {
        let m = message(64, [signal.clone()]);
        let index = m.signal_index("s").unwrap();
        let ours = m.decode_signal(index, &payload);
        let bits = model_bits(&payload, signal.start(), signal.length(), signal.byte_order());
        prop_assert_eq!(ours.is_some(), bits.is_some());
        let Some((ours, bits)) = ours.zip(bits) else { return Ok(()) };
        let unused = 64 - signal.length();
        let (raw, number) = match signal.value_type() {
            ValueType::Unsigned => (Raw::Unsigned(bits), bits as f64),
            ValueType::Signed => {
                let value = (bits << unused) as i64 >> unused;
                (Raw::Signed(value), value as f64)
            }
            ValueType::F32 => (Raw::F32(f32::from_bits(bits as u32)), f64::from(f32::from_bits(bits as u32))),
            ValueType::F64 => (Raw::F64(f64::from_bits(bits)), f64::from_bits(bits)),
        };
        prop_assert_eq!(format!("{raw:?}"), format!("{:?}", ours.raw()));
        let whole = signal.factor().fract() == 0.0 && signal.offset().fract() == 0.0;
        if let Some(raw) = raw.integer().filter(|_| whole) {
            prop_assert_eq!(Number::Integer(raw * signal.factor() as i128 + signal.offset() as i128), ours.physical());
        } else {
                let product = number * signal.factor();
                prop_assert_eq!(format!("{:?}", Number::Float(product + signal.offset())), format!("{:?}", ours.physical()));
        }
    }

    #[test]
    fn what_is_decoded_encodes_to_the_same_bits(signal in signal_in(16), payload in proptest::collection::vec(any::<u8>(), 16)) {
        let m = message(16, [signal.clone()]);
        let index = m.signal_index("s").unwrap();
        let Some(value) = m.decode_signal(index, &payload) else { return Ok(()) };
        for base in [0x00, 0xFF] {
            let mut out = [base; 16];
            m.encode_onto(&[(index, Value::Raw(value.raw()))], &mut out).unwrap();
            prop_assert_eq!(
                model_bits(&out, signal.start(), signal.length(), signal.byte_order()),
                model_bits(&payload, signal.start(), signal.length(), signal.byte_order())
            );
            // Every other bit stays.
            let mut mask = [0; 16];
            m.encode_onto(&[(index, Value::Raw(ones(&signal)))], &mut mask).unwrap();
            for (at, byte) in out.iter().enumerate() {
                prop_assert_eq!(byte & !mask[at], base & !mask[at]);
            }
        }
        // Integers come back by their physical value too, where doubles tell them apart.
        if value.raw().integer().is_some_and(|raw| raw.unsigned_abs() < 1 << 40) {
            let mut out = payload.clone();
            m.encode_onto(&[(index, Value::Physical(value.physical()))], &mut out).unwrap();
            prop_assert_eq!(&out, &payload);
        }
    }

    #[test]
    fn no_payload_and_no_value_panics(
        signals in proptest::collection::vec(signal_in(8), 0..6),
        payload in proptest::collection::vec(any::<u8>(), 0..=12),
        number in any::<f64>(),
        raw in any::<u64>(),
    ) {
        let m = message(8, signals);
        let _ = m.decode(&payload).map(Iterator::count);
        let _ = m.decode_partial(&payload).count();
        for value in [Value::from(number), Value::from(raw), Value::raw(raw), Value::raw(number), Value::Label("x")] {
            let _ = m.encode(&[("s", value)]);
            let mut payload = payload.clone();
            let _ = m.encode_onto(&[("s", value)], &mut payload);
        }
    }
}

/// The raw value whose bits are all set.
fn ones(signal: &Signal) -> Raw {
    match signal.value_type() {
        ValueType::Unsigned => Raw::Unsigned(u64::MAX >> (64 - signal.length())),
        ValueType::Signed => Raw::Signed(-1),
        ValueType::F32 => Raw::F32(f32::from_bits(u32::MAX)),
        ValueType::F64 => Raw::F64(f64::from_bits(u64::MAX)),
    }
}

#[test]
fn big_endian_signals_count_from_their_top_bit() {
    let m = message(
        8,
        [Signal::new("a", 7, 16), Signal::new("b", 19, 12)].map(|s| s.with_byte_order(ByteOrder::BigEndian)),
    );
    let payload = [0x12, 0x34, 0xF5, 0x67, 0, 0, 0, 0];
    assert_eq!(
        values(&m, &payload),
        [("a".into(), Number::Integer(0x1234)), ("b".into(), Number::Integer(0x567))]
    );
}

#[test]
fn signed_values_of_every_width() {
    for length in 1..=64 {
        let m = message(8, [Signal::new("s", 0, length).with_value_type(ValueType::Signed)]);
        assert_eq!(values(&m, &[0xFF; 8]), [("s".into(), Number::Integer(-1))]);
        let least = -(1_i128 << (length - 1));
        let payload = m.encode(&[("s", least)]).unwrap();
        assert_eq!(values(&m, &payload), [("s".into(), Number::Integer(least))]);
        assert!(matches!(m.encode(&[("s", least - 1)]), Err(EncodeError::OutOfRange { .. })));
    }
}

#[test]
fn integers_beyond_doubles_stay_exact() {
    let m = message(8, [Signal::new("s", 0, 64).with_scaling(10.0, 3.0)]);
    let value = 10 * i128::from(u64::MAX) + 3;
    assert_eq!(values(&m, &[0xFF; 8]), [("s".into(), Number::Integer(value))]);
    assert_eq!(m.encode(&[("s", value)]).unwrap(), [0xFF; 8]);
    assert_eq!(m.encode(&[("s", value - 10)]).unwrap(), [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
}

#[test]
fn floats_in_both_orders() {
    for order in [ByteOrder::LittleEndian, ByteOrder::BigEndian] {
        let (single, double) = if order == ByteOrder::BigEndian { (7, 39) } else { (0, 32) };
        let m = message(
            12,
            [
                Signal::new("f", single, 32).with_value_type(ValueType::F32).with_scaling(2.0, 1.0),
                Signal::new("d", double, 64).with_value_type(ValueType::F64),
            ]
            .map(|s| s.with_byte_order(order)),
        );
        let payload = m.encode(&[("f", 4.0), ("d", -0.1)]).unwrap();
        assert_eq!(
            values(&m, &payload),
            [("f".into(), Number::Float(4.0)), ("d".into(), Number::Float(-0.1))]
        );
        let first = f32::from_bits(1.5_f32.to_bits());
        let bytes = if order == ByteOrder::BigEndian { first.to_be_bytes() } else { first.to_le_bytes() };
        assert_eq!(payload[..4], bytes);
        assert!(matches!(m.encode(&[("f", 1e300)]), Err(EncodeError::OutOfRange { .. })));
        assert!(m.encode(&[("d", f64::NAN)]).is_ok());
    }
}

#[test]
fn a_frame_of_64_bytes() {
    let m = message(
        64,
        [Signal::new("last", 504, 8), Signal::new("wide", 7, 64).with_byte_order(ByteOrder::BigEndian)],
    );
    let mut payload = [0; 64];
    payload[63] = 0xAB;
    payload[..8].copy_from_slice(&0x0123_4567_89AB_CDEF_u64.to_be_bytes());
    assert_eq!(
        values(&m, &payload),
        [("last".into(), Number::Integer(0xAB)), ("wide".into(), Number::Integer(0x0123_4567_89AB_CDEF))]
    );
}

#[test]
fn nine_byte_signals() {
    let m = message(9, [Signal::new("s", 3, 64)]);
    let payload = m.encode(&[("s", u64::MAX)]).unwrap();
    assert_eq!(payload, [0xF8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]);
    assert_eq!(values(&m, &payload), [("s".into(), Number::Integer(u64::MAX.into()))]);
}

fn multiplexed() -> Message {
    message(
        8,
        [
            Signal::new("mux", 0, 4).with_multiplexer(),
            Signal::new("a", 8, 8).with_multiplexed(Multiplexed::new("mux", [(0, 0)])),
            Signal::new("inner", 8, 4)
                .with_multiplexer()
                .with_multiplexed(Multiplexed::new("mux", [(1, 3), (7, 7)])),
            Signal::new("b", 16, 8).with_multiplexed(Multiplexed::new("inner", [(5, 5)])),
            Signal::new("c", 16, 8).with_multiplexed(Multiplexed::new("inner", [(6, 9)])),
            Signal::new("always", 56, 8),
        ],
    )
}

#[test]
fn multiplexing_in_two_levels() {
    let m = multiplexed();
    let names = |payload: &[u8]| m.decode(payload).unwrap().map(|value| value.name()).collect::<Vec<_>>();
    assert_eq!(names(&[0, 5, 0, 0, 0, 0, 0, 0]), ["mux", "a", "always"]);
    assert_eq!(names(&[2, 5, 0, 0, 0, 0, 0, 0]), ["mux", "inner", "b", "always"]);
    assert_eq!(names(&[7, 9, 0, 0, 0, 0, 0, 0]), ["mux", "inner", "c", "always"]);
    let undefined = m.decode(&[4, 0, 0, 0, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(
        undefined,
        DecodeError::UndefinedMultiplexer { signal: m.signal_index("mux").unwrap(), value: 4 }
    );
    assert_eq!(
        m.decode_partial(&[4, 0, 0, 0, 0, 0, 0, 0]).map(|value| value.name()).collect::<Vec<_>>(),
        ["mux", "always"]
    );
    // The inner multiplexer counts only where it is present.
    assert!(m.decode(&[0, 0, 0, 0, 0, 0, 0, 0]).is_ok());
    assert!(matches!(
        m.decode(&[1, 0, 0, 0, 0, 0, 0, 0]),
        Err(DecodeError::UndefinedMultiplexer { value: 0, .. })
    ));
}

#[test]
fn multiplexers_follow_from_what_is_given() {
    let m = multiplexed();
    assert_eq!(m.encode(&[("b", 1)]).unwrap(), [1, 5, 1, 0, 0, 0, 0, 0]);
    assert_eq!(m.encode(&[("c", 1), ("mux", 7)]).unwrap(), [7, 6, 1, 0, 0, 0, 0, 0]);
    assert_eq!(m.encode(&[("always", 1)]).unwrap(), [0, 0, 0, 0, 0, 0, 0, 1]);
    for given in [
        vec![("a", 1), ("b", 1)],
        vec![("b", 1), ("c", 1)],
        vec![("a", 1), ("mux", 1)],
        vec![("b", 1), ("inner", 6)],
    ] {
        assert!(matches!(m.encode(&given), Err(EncodeError::Contradiction { .. })), "{given:?}");
    }
    assert!(matches!(m.encode(&[("mux", 5)]), Err(EncodeError::UndefinedMultiplexer { value: 5, .. })));
    // Onto a payload, a multiplexer changes only where it must.
    let mut payload = [3, 5, 7, 0, 0, 0, 0, 9];
    m.encode_onto(&[("b", 8)], &mut payload).unwrap();
    assert_eq!(payload, [3, 5, 8, 0, 0, 0, 0, 9]);
    m.encode_onto(&[("c", 2)], &mut payload).unwrap();
    assert_eq!(payload, [3, 6, 2, 0, 0, 0, 0, 9]);
}

#[test]
fn rounding_is_half_to_even() {
    let m = message(8, [Signal::new("half", 0, 16), Signal::new("tenth", 16, 16).with_scaling(0.1, 0.0)]);
    for (name, value, want) in
        [("half", 0.5, 0), ("half", 1.5, 2), ("half", 2.5, 2), ("tenth", 0.25, 2), ("tenth", 0.35, 3)]
    {
        let payload = m.encode(&[(name, value)]).unwrap();
        let raw = m.decode(&payload).unwrap().value_named(name).unwrap().raw();
        assert_eq!(raw, Raw::Unsigned(want), "{name} = {value}");
    }
}

#[test]
fn errors_name_signal_value_and_range() {
    let m = message(
        2,
        [Signal::new("Speed", 0, 12).with_scaling(0.1, 0.0).with_range(0.0, 300.0).with_unit("km/h")],
    );
    let text = |given: (&str, Value<'_>)| m.encode(&[given]).unwrap_err().to_string();
    assert_eq!(text(("Speed", 300.5.into())), "Speed = 300.5 is outside 0 to 300 km/h");
    assert_eq!(text(("Sped", 1.into())), "M has no signal Sped");
    assert_eq!(text(("Speed", Value::raw(5000_u32))), "Speed: the raw value 5000 is outside 0 to 4095");
    assert_eq!(text(("Speed", Value::Label("SNA"))), "Speed has no label \"SNA\"");
    assert_eq!(text(("Speed", f64::NAN.into())), "Speed = NaN is outside 0 to 300 km/h");
    assert_eq!(
        m.encode(&[("Speed", 1), ("Speed", 2)]).unwrap_err(),
        EncodeError::Duplicate { signal: "Speed".into() }
    );
    assert_eq!(m.decode(&[0]).unwrap_err().to_string(), "the message has 2 bytes, the payload 1");
    // A raw value goes beyond the range, up to what the bits hold.
    assert_eq!(m.encode(&[("Speed", Value::raw(4095_u32))]).unwrap(), [0xFF, 0x0F]);
}

#[test]
fn labels_and_special_values() {
    let gear: Choices = [(0, "neutral"), (1, "first"), (15, "SNA")].into_iter().collect();
    let m = message(
        1,
        [Signal::new("Gear", 0, 4).with_choices(gear).with_range(0.0, 6.0).with_not_available([15])],
    );
    let payload = m.encode(&[("Gear", "first")]).unwrap();
    let value = m.decode(&payload).unwrap().next().unwrap();
    assert_eq!((value.label(), value.availability()), (Some("first"), Availability::Available));
    let payload = m.encode(&[("Gear", 15)]).unwrap();
    let value = m.decode(&payload).unwrap().next().unwrap();
    assert_eq!((value.label(), value.availability()), (Some("SNA"), Availability::NotAvailable));
    assert!(m.encode(&[("Gear", 14)]).is_err());
}

#[test]
fn start_values_fill_what_is_not_given() {
    let m = message(2, [Signal::new("a", 0, 8).with_start_value(Raw::Unsigned(7)), Signal::new("b", 8, 8)]);
    assert_eq!(m.encode(&[("b", 1)]).unwrap(), [7, 1]);
    assert_eq!(m.encode(&[("a", 1)]).unwrap(), [1, 0]);
    let nothing: [(&str, Value<'_>); 0] = [];
    assert_eq!(m.encode(&nothing).unwrap(), [7, 0]);
}

#[test]
fn a_signal_that_leaves_its_message() {
    let m = message(1, [Signal::new("in", 0, 4), Signal::new("out", 4, 8)]);
    assert_eq!(values(&m, &[0x21]), [("in".into(), Number::Integer(1))]);
    // A longer frame holds it.
    assert_eq!(
        values(&m, &[0x21, 0x03]),
        [("in".into(), Number::Integer(1)), ("out".into(), Number::Integer(0x32))]
    );
    assert!(matches!(m.encode(&[("out", 1)]), Err(EncodeError::Outside { .. })));
    let mut long = [0, 0];
    m.encode_onto(&[("out", 0x32)], &mut long).unwrap();
    assert_eq!(long, [0x20, 0x03]);
}

/// 3 × 0.1 is 0.30000000000000004 as doubles go.
#[test]
fn a_decoded_bound_is_within_its_range() {
    let text = "BU_: A\nBO_ 1 X: 8 A\n SG_ S : 0|16@1+ (0.1,0) [0|0.3] \"\" A\n";
    let database = Database::parse(text).unwrap();
    let message = &database.messages()[0];
    let payload = [3, 0, 0, 0, 0, 0, 0, 0];
    let value = message.decode(&payload).unwrap().next().unwrap().physical();
    assert!(value.to_f64() > 0.3);
    assert_eq!(message.encode(&[("S", Value::from(value))]).unwrap(), payload);
    assert!(message.encode(&[("S", Value::from(0.4))]).is_err());
}
