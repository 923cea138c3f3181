//! Bytes become a message, a list of its signals and their values; every way to encode them is checked against a model that writes bit by bit, and
//! against every other way.
//!
//! *Oracle:* the model's own range, rounding and bits; a brute search for multiplexers; batch, encoder and message agree to the last bit and error.
//! *Next:* `coachwork_dbc::Encoder`, `coachwork_dbc::BatchEncoder`.

use coachwork_dbc::{
    BatchEncoder, ByteOrder, CanId, Choices, EncodeError, Message, Multiplexed, Raw, Signal, SignalIndex,
    Steps, ValueType,
};

/// Runs one input.
pub fn run(data: &[u8]) {
    check(data);
}

/// Takes bytes off the input; zeros when it is used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    fn eight(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A factor, an offset or a bound.
    fn number(&mut self) -> f64 {
        match self.byte() % 7 {
            0 => 1.0,
            1 => 0.1,
            2 => 0.5,
            3 => f64::from(self.byte() as i8),
            4 => 1.0 / f64::from(1 + u32::from(self.byte())),
            5 => (self.eight() as i64) as f64,
            _ => f64::from_bits(self.eight()),
        }
    }

    fn signal(&mut self, position: usize, length: usize) -> Signal {
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
        let more = self.byte();
        let (mut factor, mut offset) = (1.0, 0.0);
        if more & 1 != 0 {
            factor = Some(self.number()).filter(|factor| factor.is_finite() && *factor != 0.0).unwrap_or(1.0);
        }
        if more & 2 != 0 {
            offset = Some(self.number()).filter(|offset| offset.is_finite()).unwrap_or(0.0);
        }
        let mut signal = Signal::new(format!("s{position}"), start, bits)
            .with_byte_order(order)
            .with_value_type(kind)
            .with_scaling(factor, offset);
        if more & 4 != 0 {
            let (a, b) = (self.number(), self.number());
            if a.is_finite() && b.is_finite() {
                signal = signal.with_range(a.min(b), a.max(b));
            }
        }
        if more & 8 != 0 {
            signal = signal.with_start_value(Raw::Unsigned(self.byte().into()));
        }
        if more & 16 != 0 {
            let value = i128::from(self.byte());
            signal = signal.with_choices([(value, "label")].into_iter().collect::<Choices>());
        }
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

    /// A physical value: on a step, between two, at a bound, or any double.
    fn value(&mut self, signal: &Signal) -> f64 {
        let kind = self.byte();
        let raw = match kind % 8 {
            0 => 0.0,
            1 => f64::from(self.byte()),
            2 => f64::from(self.byte()) + 0.5,
            3 => return signal.min().unwrap_or(-1.0),
            4 => return signal.max().unwrap_or(-0.0),
            5 => (self.eight() >> (self.byte() % 64)) as f64,
            6 => (self.eight() as i64 >> (self.byte() % 64)) as f64 + 0.5,
            _ => return f64::from_bits(self.eight()),
        };
        raw * signal.factor() + signal.offset()
    }
}

/// The payload, or the error's text.
type Answer = Result<Vec<u8>, String>;

/// What all ways give; `None` where the message does not build, or its signals exclude each other.
pub fn check(data: &[u8]) -> Option<Answer> {
    let mut input = Input(data);
    let length = match input.byte() {
        long @ 250.. => usize::from(long),
        short => 1 + usize::from(short) % 64,
    };
    let signals: Vec<Signal> =
        (0..1 + usize::from(input.byte()) % 12).map(|position| input.signal(position, length)).collect();
    let builder = Message::builder("M", CanId::standard(1)?, length);
    let message =
        signals.iter().cloned().fold(builder, coachwork_dbc::MessageBuilder::signal).build().ok()?;

    let flags = u16::from(input.byte()) | u16::from(input.byte()) << 8;
    let mut list: Vec<SignalIndex> = message
        .indexed_signals()
        .filter(|(index, _)| flags >> index.position() & 1 == 0)
        .map(|(index, _)| index)
        .collect();
    if flags & 1 << 15 != 0 {
        list.reverse();
    }
    let values: Vec<f64> =
        list.iter().filter_map(|index| Some(input.value(message.signal(*index)?))).collect();
    let pairs: Vec<(SignalIndex, f64)> = list.iter().copied().zip(values.iter().copied()).collect();
    let payload: Vec<u8> = (0..length + usize::from(input.byte() % 9)).map(|_| input.byte()).collect();

    let plain = message.encode(&pairs).map_err(|error| error.to_string());
    let encoder = match message.encoder(&list) {
        Ok(encoder) => encoder,
        Err(error) => {
            assert!(plain.is_err(), "refused beforehand: {error}");
            return None;
        }
    };
    let mut buffer = vec![0xA5; length + 1];
    let single = encoder.encode(&values, &mut buffer).map_err(|error| error.to_string());
    let single = single.map(|count| buffer[..count].to_vec());
    assert_eq!(single, plain, "{signals:?} {pairs:?}");
    // Several frames, so that lanes read beyond their own; and an encoder that refuses what lies between two steps.
    let batch = BatchEncoder::new([encoder.clone(), encoder.clone().exact()]);
    for exact in [0, 1] {
        let mut out = Vec::new();
        let three = values.repeat(3);
        let found = batch.encode(&[exact, exact, exact], &three, |frame| out.push(frame.payload().to_vec()));
        match (found, &plain) {
            (Ok(used), Ok(plain)) => {
                assert!(used == three.len() && out.len() == 3 && out.iter().all(|payload| payload == plain));
            }
            (Err(error), Ok(_)) => {
                assert!(exact == 1 && matches!(*error.cause, EncodeError::OffGrid { .. }), "{error}");
            }
            (Err(error), Err(plain)) => {
                assert_eq!((error.frame, error.value, out.len()), (0, 0, 0));
                let other = matches!(*error.cause, EncodeError::OffGrid { .. }) && exact == 1;
                assert!(other || error.cause.to_string() == *plain, "{error}, {plain}");
            }
            (Ok(_), Err(plain)) => panic!("a batch takes what is refused: {plain}"),
        }
        let mut buffer = vec![0; length];
        let steps = if exact == 1 { Steps::Refuse } else { Steps::Round };
        let alone = encoder.clone().with_steps(steps).encode(&values, &mut buffer);
        assert_eq!(alone.is_ok(), out.len() == 3, "{alone:?}");
    }
    let (mut ours, mut theirs) = (payload.clone(), payload.clone());
    let onto = encoder.encode_onto(&values, &mut ours).map_err(|error| error.to_string());
    assert_eq!(onto, message.encode_onto(&pairs, &mut theirs).map_err(|error| error.to_string()));
    assert_eq!(ours, theirs);
    if onto.is_err() {
        assert_eq!(ours, payload);
    }
    // Signals at their places.
    let mut given: Vec<(SignalIndex, Option<u64>)> = pairs
        .iter()
        .filter_map(|(index, value)| Some((*index, bits(message.signal(*index)?, *value)?)))
        .collect();
    given.sort_unstable_by_key(|given| given.0);
    if let Ok(found) = &plain {
        let plain_signals =
            signals.iter().all(|signal| signal.multiplexed().is_none() && !signal.is_multiplexer());
        let mut want = vec![0; length];
        for signal in &signals {
            let Some(Raw::Unsigned(start)) = signal.start_value() else { continue };
            if !signal.value_type().is_float() && i128::from(start) <= most(signal) {
                write(signal, &mut want, start);
            }
        }
        let sure = given.len() == pairs.len();
        for (index, bits) in &given {
            let signal = message.signal(*index)?;
            let bits = bits.unwrap_or_else(|| panic!("taken, though out of range: {signal:?} {pairs:?}"));
            write(signal, &mut want, bits);
        }
        if plain_signals && sure {
            assert_eq!(*found, want, "{signals:?} {pairs:?}");
        }
        // Other bits stay, multiplexers apart.
        if plain_signals && onto.is_ok() {
            let mut want = payload.clone();
            for (index, bits) in &given {
                write(message.signal(*index)?, &mut want, (*bits)?);
            }
            if sure {
                assert_eq!(ours, want);
            }
        }
    } else if signals.iter().all(|signal| signal.multiplexed().is_none() && !signal.is_multiplexer()) {
        let inside = |index: &SignalIndex| message.signal(*index).is_some_and(|signal| fits(signal, length));
        let fine = given.len() == pairs.len() && given.iter().all(|given| given.1.is_some());
        assert!(
            !fine || !list.iter().all(inside),
            "refused, though in range: {plain:?} {signals:?} {pairs:?}"
        );
    }
    Some(plain)
}

/// The largest raw integer.
fn most(signal: &Signal) -> i128 {
    let bits = if signal.value_type() == ValueType::Signed { signal.length() - 1 } else { signal.length() };
    (1_i128 << bits) - 1
}

/// The bits of a value, or that it is refused; `None` where rounding of doubles decides, which is not modelled.
fn bits(signal: &Signal, value: f64) -> Option<Option<u64>> {
    let raw = (value - signal.offset()) / signal.factor();
    let step = signal.factor().abs();
    if signal.value_type().is_float() {
        // Which bits arithmetic leaves of what is no number is not modelled.
        if raw.is_nan() {
            return None;
        }
        let near = |bound: f64| (value - bound).abs() <= (bound.abs() + value.abs()) * 1e-9;
        if signal.range().is_some_and(|(min, max)| near(min) || near(max)) {
            return None;
        }
        if signal.range().is_some_and(|(min, max)| !(min <= value && value <= max)) {
            return Some(None);
        }
        let single = raw as f32;
        return Some(match signal.value_type() {
            ValueType::F64 => Some(raw.to_bits()),
            _ => (single.is_finite() || !raw.is_finite()).then(|| single.to_bits().into()),
        });
    }
    if value.is_nan() {
        return Some(None);
    }
    // Beyond 2^51 the exact way and that of doubles part.
    if signal.length() > 51 || raw.is_nan() || (raw.abs() > 1e15 && raw.abs() < 1e20) {
        return None;
    }
    let near = |bound: f64| (value - bound).abs() <= step * 1e-5 + (bound.abs() + value.abs()) * 1e-9;
    let at_bound = signal.range().is_some_and(|(min, max)| near(min) || near(max));
    let raw = raw.round_ties_even();
    let least = if signal.value_type() == ValueType::Signed { -most(signal) - 1 } else { 0 };
    if raw < least as f64 || raw > most(signal) as f64 {
        return Some(None);
    }
    let within = signal.range().is_none_or(|(min, max)| min <= value && value <= max);
    let labelled = signal.choices().iter().any(|(known, _)| known as f64 == raw);
    if at_bound && !labelled {
        return None;
    }
    Some((within || labelled).then(|| raw as i64 as u64 & (u64::MAX >> (64 - signal.length()))))
}

fn fits(signal: &Signal, length: usize) -> bool {
    let mut at = signal.start() as usize;
    (0..signal.length()).all(|_| {
        let inside = at / 8 < length;
        at = next(signal, at);
        inside
    })
}

fn next(signal: &Signal, at: usize) -> usize {
    match signal.byte_order() {
        ByteOrder::LittleEndian => at + 1,
        ByteOrder::BigEndian if at % 8 == 0 => at + 15,
        ByteOrder::BigEndian => at - 1,
    }
}

/// Writes bits one at a time; nothing where one of them is outside.
fn write(signal: &Signal, payload: &mut [u8], bits: u64) {
    if !fits(signal, payload.len()) {
        return;
    }
    let mut at = signal.start() as usize;
    for step in 0..signal.length() {
        let from = match signal.byte_order() {
            ByteOrder::LittleEndian => step,
            ByteOrder::BigEndian => signal.length() - 1 - step,
        };
        let bit = (bits >> from & 1) as u8;
        payload[at / 8] = payload[at / 8] & !(1 << (at % 8)) | bit << (at % 8);
        at = next(signal, at);
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    /// One signal of 8 bits at bit 0 of a payload of one byte; everything is given.
    fn one(value: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, 7, 0, 0, 0, 0], value].concat()
    }

    #[test]
    fn inputs_matter() {
        // 171, 2.5 and 3.5 in half to even, and 300.
        assert_eq!(check(&one(&[1, 171])), Some(Ok(vec![171])));
        assert_eq!(check(&one(&[2, 2])), Some(Ok(vec![2])));
        assert_eq!(check(&one(&[2, 3])), Some(Ok(vec![4])));
        let beyond = check(&one(&[5, 44, 1, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(beyond, Some(Err("s0 = 300 is outside 0 to 255".to_owned())));
        // A multiplexer of one value, and a signal for its value 5, alone.
        let multiplexed = [1, 1, 0, 7, 16, 0, 4, 7, 32, 0, 5, 0, 0, 0, 1, 0, 1, 9];
        assert_eq!(check(&multiplexed), Some(Ok(vec![5, 9])));
        // A signal that depends on a signal that is no multiplexer.
        assert_eq!(check(&[0, 1, 0, 7, 0, 0, 0, 7, 32, 0, 0, 0, 0, 0]), None);
    }

    /// Bytes that look random reach both answers often.
    #[test]
    fn noise_is_answered() {
        let (mut state, mut taken, mut refused) = (0x9E37_79B9_7F4A_7C15_u64, 0, 0);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let count: usize =
            std::env::var("ENCODE_MODEL_NOISE").ok().and_then(|count| count.parse().ok()).unwrap_or(2000);
        for _ in 0..count {
            let length = next() % 160;
            // Small numbers are the ones that mean something.
            let data: Vec<u8> = (0..length)
                .map(|_| (next() >> 32) as u8 & [0xFF, 0x3F, 7, 1][(next() >> 40) as usize % 4])
                .collect();
            match check(&data) {
                Some(Ok(_)) => taken += 1,
                Some(Err(_)) => refused += 1,
                None => {}
            }
        }
        assert!(taken * 20 > count && refused * 20 > count, "{taken} taken, {refused} refused of {count}");
    }
}
