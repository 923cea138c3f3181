//! Bytes become a message and a payload; decoding and encoding are checked against a model that works bit by bit.
//!
//! *Oracle:* the model's bits, its own sign extension, scaling and multiplexing; what is decoded encodes to the same payload.
//! *Next:* `coachwork_dbc::Message`.

use coachwork_dbc::{
    ByteOrder, CanId, DecodeError, Message, Multiplexed, Number, Raw, Signal, Value, ValueType,
};

/// Runs one input.
pub fn run(data: &[u8]) {
    check(data);
}

/// Takes bytes off the input; zeros when it is used up.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl Input<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    fn number(&mut self) -> f64 {
        match self.byte() % 6 {
            0 => 1.0,
            1 => 0.1,
            2 => f64::from(self.byte() as i8),
            3 => 1.0 / (1 + u32::from(self.byte())) as f64,
            4 => i64::from_le_bytes(std::array::from_fn(|_| self.byte())) as f64,
            _ => f64::from_bits(u64::from_le_bytes(std::array::from_fn(|_| self.byte()))),
        }
    }

    pub(crate) fn signal(&mut self, position: usize, length: usize) -> Signal {
        let start = u32::from(self.byte()) * 2 % (length as u32 * 8 + 8);
        let bits = u32::from(self.byte()) % 64 + 1;
        let flags = self.byte();
        let (kind, bits) = match flags % 8 {
            0..=3 => (ValueType::Unsigned, bits),
            4 | 5 => (ValueType::Signed, bits),
            6 => (ValueType::F32, 32),
            _ => (ValueType::F64, 64),
        };
        let order = if flags & 8 == 0 { ByteOrder::LittleEndian } else { ByteOrder::BigEndian };
        let factor = Some(self.number()).filter(|factor| factor.is_finite() && *factor != 0.0).unwrap_or(1.0);
        let offset = Some(self.number()).filter(|offset| offset.is_finite()).unwrap_or(0.0);
        let mut signal = Signal::new(format!("s{position}"), start, bits)
            .with_byte_order(order)
            .with_value_type(kind)
            .with_scaling(factor, offset);
        if flags & 16 != 0 {
            signal = signal.with_multiplexer();
        }
        if flags & 32 != 0 && position > 0 {
            let from = u64::from(self.byte());
            let ranges = [(from, from + u64::from(self.byte() % 4)), (u64::from(self.byte()), 255)];
            let parent = usize::from(self.byte()) % position;
            signal = signal.with_multiplexed(Multiplexed::new(
                format!("s{parent}"),
                ranges.into_iter().take(1 + usize::from(flags & 64 != 0)),
            ));
        }
        signal
    }
}

/// How many signals were present and equal; `None` where the message does not build.
pub fn check(data: &[u8]) -> Option<usize> {
    let mut input = Input(data);
    let length = 1 + usize::from(input.byte()) % 64;
    let signals: Vec<Signal> =
        (0..1 + usize::from(input.byte()) % 12).map(|position| input.signal(position, length)).collect();
    let payload: Vec<u8> = (0..usize::from(input.byte()) % 72).map(|_| input.byte()).collect();
    let builder = Message::builder("M", CanId::standard(1)?, length);
    let message =
        signals.iter().cloned().fold(builder, coachwork_dbc::MessageBuilder::signal).build().ok()?;

    let mut present = 0;
    let mut values = Vec::new();
    for (index, signal) in message.indexed_signals() {
        let ours = message.decode_signal(index, &payload);
        let model = bits(signal, &payload).filter(|_| selected(&signals, signal, &payload));
        assert_eq!(ours.is_some(), model.is_some(), "{signal:?} in {payload:02x?}");
        let Some((ours, bits)) = ours.zip(model) else { continue };
        let raw = raw(signal, bits);
        assert_eq!(format!("{raw:?}"), format!("{:?}", ours.raw()), "{signal:?} in {payload:02x?}");
        assert_eq!(
            format!("{:?}", physical(signal, raw)),
            format!("{:?}", ours.physical()),
            "{signal:?} in {payload:02x?}"
        );
        values.push((index, Value::Raw(raw)));
        present += 1;
    }
    assert_eq!(message.decode_partial(&payload).count(), present);
    match message.decode(&payload) {
        Ok(decoded) => assert_eq!(decoded.count(), present),
        Err(DecodeError::TooShort { needed, .. }) => assert!(payload.len() < needed),
        Err(DecodeError::UndefinedMultiplexer { signal, value }) => {
            assert_eq!(bits(message.signal(signal)?, &payload), Some(value))
        }
        Err(other) => panic!("{other}"),
    }
    if payload.len() >= length {
        let mut out = payload.clone();
        message.encode_onto(&values, &mut out).expect("what was decoded can be encoded");
        assert_eq!(out, payload);
    }
    for (index, signal) in message.indexed_signals() {
        // Any double at all, once; nothing is written where it is refused.
        let number = input.number();
        let mut out = payload.clone();
        if message.encode_onto(&[(index, number)], &mut out).is_err() {
            assert_eq!(out, payload);
        } else if let Some(value) =
            message.decode_signal(index, &out).filter(|_| !signal.value_type().is_float())
        {
            let step = signal.factor().abs();
            let error = (value.physical().to_f64() - number).abs();
            let slack = (number.abs() + signal.offset().abs() + step) * 1e-12;
            assert!(error <= step / 2.0 + slack, "{signal:?}: {number} became {}", value.physical());
        }
    }
    Some(present)
}

pub(crate) fn selected(signals: &[Signal], signal: &Signal, payload: &[u8]) -> bool {
    let Some(multiplexed) = signal.multiplexed() else { return true };
    let Some(parent) = signals.iter().find(|other| other.name() == multiplexed.multiplexer()) else {
        return false;
    };
    let value = bits(parent, payload);
    value.is_some_and(|value| multiplexed.values().iter().any(|range| (range.0..=range.1).contains(&value)))
        && selected(signals, parent, payload)
}

pub(crate) fn bits(signal: &Signal, payload: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    let mut at = signal.start() as usize;
    for step in 0..signal.length() {
        let bit = u64::from(payload.get(at / 8)? >> (at % 8) & 1);
        match signal.byte_order() {
            ByteOrder::LittleEndian => {
                value |= bit << step;
                at += 1;
            }
            ByteOrder::BigEndian => {
                value = value << 1 | bit;
                at = if at % 8 == 0 { at + 15 } else { at - 1 };
            }
        }
    }
    Some(value)
}

pub(crate) fn raw(signal: &Signal, bits: u64) -> Raw {
    match signal.value_type() {
        ValueType::Unsigned => Raw::Unsigned(bits),
        ValueType::Signed if bits >> (signal.length() - 1) & 1 == 1 => {
            Raw::Signed((i128::from(bits) - (1 << signal.length())) as i64)
        }
        ValueType::Signed => Raw::Signed(bits as i64),
        ValueType::F32 => Raw::F32(f32::from_bits(bits as u32)),
        ValueType::F64 => Raw::F64(f64::from_bits(bits)),
    }
}

pub(crate) fn physical(signal: &Signal, raw: Raw) -> Number {
    let fits = |value: f64| {
        value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
    };
    match raw.integer() {
        Some(raw) if fits(signal.factor()) && fits(signal.offset()) => {
            Number::Integer(raw * signal.factor() as i128 + signal.offset() as i128)
        }
        _ => {
            let product = raw.to_f64() * signal.factor();
            Number::Float(product + signal.offset())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn inputs_matter() {
        // One signal of 8 bits at bit 0, in a payload of one byte, and in none.
        assert_eq!(check(&[0, 0, 0, 7, 0, 0, 0, 1, 0xAB]), Some(1));
        assert_eq!(check(&[0, 0, 0, 7, 0, 0, 0, 0]), Some(0));
        // A signal that depends on a signal that is no multiplexer.
        assert_eq!(check(&[0, 1, 0, 7, 0, 0, 0, 0, 7, 32, 0, 0, 0, 0, 0, 0]), None);
        // A multiplexer, and a signal for its value 5.
        assert_eq!(check(&[1, 1, 0, 7, 16, 0, 0, 4, 7, 32, 0, 0, 5, 0, 0, 0, 2, 5, 9]), Some(2));
        assert_eq!(check(&[1, 1, 0, 7, 16, 0, 0, 4, 7, 32, 0, 0, 5, 0, 0, 0, 2, 6, 9]), Some(1));
    }
}
