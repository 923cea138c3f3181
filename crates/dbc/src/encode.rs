//! Values become a payload: the inverse of decoding, with every check that decoding does not need.
//!
//! *Invariant:* a payload is written only when every value fits; rounding is half to even; multiplexers follow from what is given.
//! *Next:* `plan.rs` (where the bits go).

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::model::message::{Message, SignalIndex};
use crate::model::signal::Signal;
use crate::number::{round_ties_even, whole};
use crate::plan::{Field, contains};
use crate::{Number, Raw};

/// A value to encode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A physical value: checked against the signal's range, scaled and rounded half to even. Outside the range only values with a label pass.
    Physical(Number),
    /// A raw value: checked against the signal's bits alone, so that special values can be sent.
    Raw(Raw),
    /// A label of the signal's value table.
    Label(&'a str),
}

impl Value<'_> {
    /// A raw value.
    pub fn raw(raw: impl Into<Raw>) -> Self {
        Self::Raw(raw.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(label: &'a str) -> Self {
        Self::Label(label)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(label: &'a String) -> Self {
        Self::Label(label)
    }
}

impl From<Raw> for Value<'_> {
    fn from(raw: Raw) -> Self {
        Self::Raw(raw)
    }
}

impl From<Number> for Value<'_> {
    fn from(value: Number) -> Self {
        Self::Physical(value)
    }
}

macro_rules! physical {
    ($($t:ty),*) => {$(
        impl From<$t> for Value<'_> {
            fn from(value: $t) -> Self {
                Self::Physical(value.into())
            }
        }
    )*};
}
physical!(f32, f64, u8, u16, u32, u64, i8, i16, i32, i64, i128);

macro_rules! raw {
    ($($t:ty => $kind:ident),*) => {$(
        impl From<$t> for Raw {
            fn from(value: $t) -> Self {
                Self::$kind(value.into())
            }
        }
    )*};
}
raw!(u8 => Unsigned, u16 => Unsigned, u32 => Unsigned, u64 => Unsigned, i8 => Signed, i16 => Signed, i32 => Signed, i64 => Signed, f32 => F32, f64 => F64);

mod sealed {
    pub trait Sealed {}
}

/// What names a signal of a message: a handle or a name.
pub trait SignalKey: sealed::Sealed + fmt::Debug {
    /// The signal's handle in this message.
    fn resolve(&self, message: &Message) -> Option<SignalIndex>;
    /// The key as an error shows it.
    fn describe(&self) -> String;
}

impl sealed::Sealed for SignalIndex {}

impl SignalKey for SignalIndex {
    fn resolve(&self, message: &Message) -> Option<SignalIndex> {
        message.signal(*self).map(|_| *self)
    }

    fn describe(&self) -> String {
        self.position().to_string()
    }
}

impl sealed::Sealed for &str {}

impl SignalKey for &str {
    fn resolve(&self, message: &Message) -> Option<SignalIndex> {
        message.signal_index(self)
    }

    fn describe(&self) -> String {
        (*self).to_string()
    }
}

impl sealed::Sealed for String {}

impl SignalKey for String {
    fn resolve(&self, message: &Message) -> Option<SignalIndex> {
        message.signal_index(self)
    }

    fn describe(&self) -> String {
        self.clone()
    }
}

/// Why values cannot be encoded. Nothing was written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The message has no such signal.
    UnknownSignal {
        /// The message.
        message: String,
        /// The name or the handle's number.
        signal: String,
    },
    /// A signal is given twice.
    Duplicate {
        /// The signal.
        signal: String,
    },
    /// The signal's value table has no such label.
    UnknownLabel {
        /// The signal.
        signal: String,
        /// The label.
        label: String,
    },
    /// A physical value is outside the signal's range, or not a number.
    OutOfRange {
        /// The signal.
        signal: String,
        /// The physical value.
        value: Number,
        /// The smallest value that is possible.
        min: f64,
        /// The largest value that is possible.
        max: f64,
        /// The signal's unit.
        unit: String,
    },
    /// A raw value does not fit the signal's bits.
    RawOutOfRange {
        /// The signal.
        signal: String,
        /// The raw value.
        value: Raw,
        /// The smallest raw value.
        min: i128,
        /// The largest raw value.
        max: i128,
    },
    /// A raw float is given for an integer signal, or the other way round.
    RawKind {
        /// The signal.
        signal: String,
        /// The raw value.
        value: Raw,
    },
    /// A given signal is absent under the multiplexer value that another given value asks for.
    Contradiction {
        /// The signal.
        signal: String,
        /// The multiplexer.
        multiplexer: String,
        /// The bits of the multiplexer's raw value.
        value: u64,
    },
    /// A multiplexer has a value for which the database defines nothing.
    UndefinedMultiplexer {
        /// The multiplexer.
        signal: String,
        /// The bits of its raw value.
        value: u64,
    },
    /// A given signal has bits beyond the payload, or more than 64.
    Outside {
        /// The signal.
        signal: String,
        /// The payload's length in bytes.
        length: usize,
    },
    /// The payload to write onto is shorter than the message.
    TooShort {
        /// The message.
        message: String,
        /// The message's length in bytes.
        length: usize,
        /// The payload's length in bytes.
        payload: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSignal { message, signal } => write!(f, "{message} has no signal {signal}"),
            Self::Duplicate { signal } => write!(f, "{signal} is given twice"),
            Self::UnknownLabel { signal, label } => write!(f, "{signal} has no label {label:?}"),
            Self::OutOfRange { signal, value, min, max, unit } => {
                write!(f, "{signal} = {value} is outside {min} to {max}")?;
                if unit.is_empty() { Ok(()) } else { write!(f, " {unit}") }
            }
            Self::RawOutOfRange { signal, value, min, max } => {
                write!(f, "{signal}: the raw value {value} is outside {min} to {max}")
            }
            Self::RawKind { signal, value } => {
                write!(f, "{signal}: the raw value {value} is not of the signal's type")
            }
            Self::Contradiction { signal, multiplexer, value } => {
                write!(f, "{signal} is absent while {multiplexer} is {value}")
            }
            Self::UndefinedMultiplexer { signal, value } => {
                write!(f, "{signal} is {value}, and nothing is defined for that")
            }
            Self::Outside { signal, length } => {
                write!(f, "{signal} has bits beyond the payload's {length} bytes")
            }
            Self::TooShort { message, length, payload } => {
                write!(f, "{message} has {length} bytes, the payload {payload}")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// A multiplexer, the values that the given signals leave it, and the first of those signals.
type Asked = (usize, Vec<(u64, u64)>, usize);

impl Message {
    /// Encodes values into a new payload.
    ///
    /// Signals that are not given have their start value, or the raw value 0 where the database states none. Multiplexers that are not given are set
    /// so that the given signals are present. Bits that no signal owns are 0.
    ///
    /// ```
    /// use coachwork_dbc::{CanId, Message, Signal};
    ///
    /// let engine = Message::builder("Engine", CanId::standard(0x100).unwrap(), 2).signal(Signal::new("Speed", 0, 16).with_scaling(0.25, 0.0)).build()?;
    /// assert_eq!(engine.encode(&[("Speed", 2000)]).unwrap(), [0x40, 0x1F]);
    /// assert_eq!(engine.encode(&[("Speed", -1)]).unwrap_err().to_string(), "Speed = -1 is outside 0 to 16383.75");
    /// # Ok::<(), coachwork_dbc::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError`] for an unknown signal or label, a value that does not fit, or values that contradict each other.
    pub fn encode<'v, K, V>(&self, values: &[(K, V)]) -> Result<Vec<u8>, EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        let given = self.given(values)?;
        let mut payload = vec![0; self.length()];
        // Present signals depend on multiplexers, so these come first: what is given, what that asks for, start values.
        let chosen = self.multiplexers(&given, None)?;
        for (position, field) in self.fields() {
            if let Some(bits) = self.start_bits(position, field)
                && self.selected(position, &chosen)
            {
                // A start value outside the message is nobody's wish.
                let _ = field.write(&mut payload, bits);
            }
        }
        self.put(&given, &chosen, &mut payload)?;
        Ok(payload)
    }

    /// Encodes values onto an existing payload: the bits of signals that are not given stay, except multiplexers that must change for the given ones.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`encode`](Self::encode), and where the payload is shorter than the message. The payload is then unchanged.
    pub fn encode_onto<'v, K, V>(&self, values: &[(K, V)], payload: &mut [u8]) -> Result<(), EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        if payload.len() < self.length() {
            return Err(EncodeError::TooShort {
                message: self.name.clone(),
                length: self.length(),
                payload: payload.len(),
            });
        }
        let given = self.given(values)?;
        let chosen = self.multiplexers(&given, Some(payload))?;
        self.put(&given, &chosen, payload)
    }

    fn fields(&self) -> impl Iterator<Item = (usize, &Field)> {
        (0..self.signals.len()).filter_map(|position| Some((position, self.plan.field(position)?)))
    }

    fn signal_name(&self, position: usize) -> String {
        self.signals.get(position).map_or_else(String::new, |signal| signal.name.clone())
    }

    fn start_bits(&self, position: usize, field: &Field) -> Option<u64> {
        bits_of_raw(self.signals.get(position)?, field, self.signals.get(position)?.start_value?).ok()
    }

    /// Positions and bits of what is given, sorted by position.
    fn given<'v, K, V>(&self, values: &[(K, V)]) -> Result<Vec<(usize, u64)>, EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        let mut given = Vec::with_capacity(values.len());
        for (key, value) in values {
            let unknown =
                || EncodeError::UnknownSignal { message: self.name.clone(), signal: key.describe() };
            let position = key.resolve(self).ok_or_else(unknown)?.position();
            let (signal, field) =
                self.signals.get(position).zip(self.plan.field(position)).ok_or_else(unknown)?;
            if signal.length > 64 {
                return Err(EncodeError::Outside { signal: signal.name.clone(), length: self.length() });
            }
            let bits = match (*value).into() {
                Value::Physical(number) => bits_of_number(signal, field, number)?,
                Value::Raw(raw) => bits_of_raw(signal, field, raw)?,
                Value::Label(label) => bits_of_label(signal, field, label)?,
            };
            given.push((position, bits));
        }
        given.sort_by_key(|entry| entry.0);
        match given
            .windows(2)
            .find_map(|pair| pair.first().filter(|first| pair.last().is_some_and(|last| last.0 == first.0)))
        {
            Some((position, _)) => Err(EncodeError::Duplicate { signal: self.signal_name(*position) }),
            None => Ok(given),
        }
    }

    /// The bits of every multiplexer that is present: given, asked for by what is given, in the payload, its start value, or the first defined one.
    fn multiplexers(
        &self,
        given: &[(usize, u64)],
        payload: Option<&[u8]>,
    ) -> Result<Vec<(usize, u64)>, EncodeError> {
        let mut chosen: Vec<(usize, u64)> = Vec::new();
        let mut asked: Vec<Asked> = Vec::new();
        for &(position, _) in given {
            let mut child = position;
            while let Some((multiplexer, values)) = self.plan.selector(child) {
                match asked.iter_mut().find(|entry| entry.0 == multiplexer) {
                    None => asked.push((multiplexer, values.to_vec(), position)),
                    Some(entry) => {
                        entry.1 = intersection(&entry.1, values);
                        if entry.1.is_empty() {
                            return Err(self.contradiction(position, multiplexer, entry.2, given));
                        }
                    }
                }
                child = multiplexer;
            }
        }
        for multiplexer in self.plan.multiplexers() {
            let Some(field) = self.plan.field(multiplexer) else { continue };
            let wanted = asked.iter().find(|entry| entry.0 == multiplexer);
            let allowed = |bits: &u64| wanted.is_none_or(|entry| contains(&entry.1, *bits));
            let defined = self.plan.defined(multiplexer);
            let bits = if let Some((_, bits)) = given.iter().find(|entry| entry.0 == multiplexer) {
                if let Some((_, _, child)) = wanted.filter(|_| !allowed(bits)) {
                    return Err(EncodeError::Contradiction {
                        signal: self.signal_name(*child),
                        multiplexer: self.signal_name(multiplexer),
                        value: *bits,
                    });
                }
                *bits
            } else if let Some(bits) = payload.and_then(|payload| field.bits(payload)).filter(allowed) {
                bits
            } else {
                let known = |bits: &u64| allowed(bits) && (defined.is_empty() || contains(defined, *bits));
                let start = self.start_bits(multiplexer, field).or(Some(0)).filter(known);
                start
                    .or_else(|| wanted.map_or(defined, |entry| &entry.1).first().map(|range| range.0))
                    .unwrap_or(0)
            };
            chosen.push((multiplexer, bits));
        }
        if payload.is_none() {
            for &(multiplexer, bits) in &chosen {
                let defined = self.plan.defined(multiplexer);
                if self.selected(multiplexer, &chosen) && !defined.is_empty() && !contains(defined, bits) {
                    return Err(EncodeError::UndefinedMultiplexer {
                        signal: self.signal_name(multiplexer),
                        value: bits,
                    });
                }
            }
        }
        Ok(chosen)
    }

    /// Two given signals exclude each other.
    fn contradiction(
        &self,
        position: usize,
        multiplexer: usize,
        other: usize,
        given: &[(usize, u64)],
    ) -> EncodeError {
        let value = given.iter().find(|entry| entry.0 == multiplexer).map(|entry| entry.1);
        let value = value
            .or_else(|| self.plan.selector(other).and_then(|(_, values)| values.first()).map(|range| range.0))
            .unwrap_or(0);
        EncodeError::Contradiction {
            signal: self.signal_name(position),
            multiplexer: self.signal_name(multiplexer),
            value,
        }
    }

    /// Whether a signal is present under these multiplexers.
    fn selected(&self, position: usize, chosen: &[(usize, u64)]) -> bool {
        let mut child = position;
        while let Some((multiplexer, values)) = self.plan.selector(child) {
            if !chosen.iter().any(|entry| entry.0 == multiplexer && contains(values, entry.1)) {
                return false;
            }
            child = multiplexer;
        }
        true
    }

    fn put(
        &self,
        given: &[(usize, u64)],
        chosen: &[(usize, u64)],
        payload: &mut [u8],
    ) -> Result<(), EncodeError> {
        for &(position, _) in given {
            if !self.plan.field(position).is_some_and(|field| field.fits(payload.len())) {
                return Err(EncodeError::Outside {
                    signal: self.signal_name(position),
                    length: payload.len(),
                });
            }
        }
        let multiplexers = chosen.iter().filter(|entry| self.selected(entry.0, chosen));
        for &(position, bits) in multiplexers.chain(given) {
            if let Some(field) = self.plan.field(position) {
                let _ = field.write(payload, bits);
            }
        }
        Ok(())
    }
}

fn bits_of_label(signal: &Signal, field: &Field, label: &str) -> Result<u64, EncodeError> {
    let value = signal
        .choices
        .value(label)
        .ok_or_else(|| EncodeError::UnknownLabel { signal: signal.name.clone(), label: label.to_string() })?;
    if signal.value_type.is_float() {
        #[expect(clippy::cast_precision_loss, reason = "a float signal holds a rounded value")]
        return bits_of_float(signal, value as f64).ok_or_else(|| EncodeError::UnknownLabel {
            signal: signal.name.clone(),
            label: label.to_string(),
        });
    }
    integer_bits(signal, field, value)
}

fn bits_of_raw(signal: &Signal, field: &Field, raw: Raw) -> Result<u64, EncodeError> {
    let kind = || EncodeError::RawKind { signal: signal.name.clone(), value: raw };
    if signal.value_type.is_float() {
        return match raw {
            Raw::F32(value) if signal.length == 32 => Ok(value.to_bits().into()),
            Raw::F32(_) | Raw::F64(_) => bits_of_float(signal, raw.to_f64()).ok_or_else(kind),
            Raw::Unsigned(_) | Raw::Signed(_) => Err(kind()),
        };
    }
    integer_bits(signal, field, raw.integer().ok_or_else(kind)?)
}

fn integer_bits(signal: &Signal, field: &Field, value: i128) -> Result<u64, EncodeError> {
    field.pattern(value).ok_or_else(|| {
        let (min, max) = field.integer_limits();
        let raw = u64::try_from(value).map(Raw::Unsigned).or_else(|_| i64::try_from(value).map(Raw::Signed));
        #[expect(clippy::cast_precision_loss, reason = "only shown")]
        EncodeError::RawOutOfRange {
            signal: signal.name.clone(),
            value: raw.unwrap_or(Raw::F64(value as f64)),
            min,
            max,
        }
    })
}

fn bits_of_number(signal: &Signal, field: &Field, number: Number) -> Result<u64, EncodeError> {
    let value = number.to_f64();
    let refuse = || {
        let (min, max) = possible(signal, field);
        EncodeError::OutOfRange {
            signal: signal.name.clone(),
            value: number,
            min,
            max,
            unit: signal.unit.clone(),
        }
    };
    if value.is_nan() && !signal.value_type.is_float() {
        return Err(refuse());
    }
    // A bound that was decoded comes back with the rounding of its scaling.
    let rounding = |bound: f64| {
        if signal.value_type.is_float() { bound.abs() * 1e-12 } else { signal.factor.abs() * 1e-6 }
    };
    let in_range =
        signal.range.is_none_or(|(min, max)| (min - rounding(min)..=max + rounding(max)).contains(&value));
    if signal.value_type.is_float() {
        return bits_of_float(signal, (value - signal.offset) / signal.factor)
            .filter(|_| in_range)
            .ok_or_else(refuse);
    }
    let raw = raw_integer(signal, field, number).ok_or_else(refuse)?;
    // Labelled values ("not available" and the like) lie outside the range on purpose.
    if !in_range && signal.choices.label(raw).is_none() {
        return Err(refuse());
    }
    field.pattern(raw).ok_or_else(refuse)
}

/// The raw integer nearest to a physical value; `None` where it is beyond all integers here.
fn raw_integer(signal: &Signal, field: &Field, number: Number) -> Option<i128> {
    let value = number.to_f64();
    // Whole numbers go the exact way where they divide.
    if let Some((factor, offset)) = field.integer_scaling() {
        let exact = number.integer().or_else(|| whole(value).map(i128::from));
        if let Some(scaled) = exact.and_then(|exact| exact.checked_sub(offset.into()))
            && scaled % i128::from(factor) == 0
        {
            return Some(scaled / i128::from(factor));
        }
    }
    let raw = round_ties_even((value - signal.offset) / signal.factor);
    // Doubles from 2^63 on are whole but not in `whole`'s reach.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bounds are checked first, and the value is whole"
    )]
    whole(raw).map(i128::from).or_else(|| (9.2e18..1.85e19).contains(&raw).then_some(raw as i128))
}

/// The bits of a float signal's raw value; `None` where a finite value becomes infinite.
fn bits_of_float(signal: &Signal, raw: f64) -> Option<u64> {
    if signal.length == 64 {
        return Some(raw.to_bits());
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to the nearest single is what a float signal does"
    )]
    let single = raw as f32;
    (single.is_finite() || !raw.is_finite()).then(|| single.to_bits().into())
}

/// The physical values that a signal can take: its range, within what its bits can hold.
#[expect(clippy::cast_precision_loss, reason = "only shown")]
fn possible(signal: &Signal, field: &Field) -> (f64, f64) {
    if signal.value_type.is_float() {
        return signal.range.unwrap_or(if signal.length == 32 {
            (f32::MIN.into(), f32::MAX.into())
        } else {
            (f64::MIN, f64::MAX)
        });
    }
    let (low, high) = field.integer_limits();
    let (a, b) = (low as f64 * signal.factor + signal.offset, high as f64 * signal.factor + signal.offset);
    let (min, max) = signal.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    (min.max(a.min(b)), max.min(a.max(b)))
}

/// The values in both lists of sorted ranges.
fn intersection(a: &[(u64, u64)], b: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut both: Vec<(u64, u64)> = a
        .iter()
        .flat_map(|x| b.iter().map(|y| (x.0.max(y.0), x.1.min(y.1))))
        .filter(|range| range.0 <= range.1)
        .collect();
    both.sort_unstable();
    both.dedup();
    both
}
