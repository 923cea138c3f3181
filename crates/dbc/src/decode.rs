//! A payload becomes signals: raw, physical, label, availability.
//!
//! *Invariant:* nothing is allocated; a value is given only where all its bits are in the payload.
//! *Next:* `plan.rs` (where the bits are), `number.rs` (what they become).

use core::fmt;

use crate::model::message::{Message, SignalIndex};
use crate::model::signal::{Availability, Signal};
use crate::plan::Field;
use crate::{Number, Raw};

/// Why a payload does not decode as a whole. [`Message::decode_partial`] gives what it holds nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// The payload is shorter than the message.
    TooShort {
        /// The message's length in bytes.
        needed: usize,
        /// The payload's length in bytes.
        length: usize,
    },
    /// A multiplexer has a value for which the database defines nothing.
    UndefinedMultiplexer {
        /// The multiplexer.
        signal: SignalIndex,
        /// The bits of its raw value.
        value: u64,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { needed, length } => {
                write!(f, "the message has {needed} bytes, the payload {length}")
            }
            Self::UndefinedMultiplexer { signal, value } => write!(
                f,
                "the multiplexer (signal {}) is {value}, and nothing is defined for that",
                signal.position()
            ),
        }
    }
}

impl core::error::Error for DecodeError {}

impl Message {
    /// Decodes a payload. Bytes beyond the message's length are allowed.
    ///
    /// ```
    /// use coachwork_dbc::{CanId, Message, Number, Signal};
    ///
    /// let engine = Message::builder("Engine", CanId::standard(0x100).unwrap(), 2).signal(Signal::new("Speed", 0, 16).with_scaling(0.25, 0.0)).build()?;
    /// let speed = engine.decode(&[0x40, 0x1F]).unwrap().next().unwrap();
    /// assert_eq!(speed.name(), "Speed");
    /// assert_eq!(speed.physical(), Number::Float(2000.0));
    /// # Ok::<(), coachwork_dbc::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`DecodeError`] where the payload is shorter than the message, or a multiplexer has a value for which nothing is defined.
    pub fn decode<'m, 'p>(&'m self, payload: &'p [u8]) -> Result<Decoded<'m, 'p>, DecodeError> {
        match self.problem(payload) {
            Some(error) => Err(error),
            None => Ok(self.decode_partial(payload)),
        }
    }

    /// Decodes what a payload holds: signals whose bits are all in it and whose multiplexers select them.
    pub fn decode_partial<'m, 'p>(&'m self, payload: &'p [u8]) -> Decoded<'m, 'p> {
        Decoded { message: self, payload, next: 0 }
    }

    /// Decodes one signal, by handle; `None` where it is not in this payload (multiplexed out, or beyond its end).
    #[expect(
        clippy::inline_always,
        reason = "a call costs a third of it; benches/instructions.txt guards it"
    )]
    #[inline(always)]
    pub fn decode_signal(&self, index: SignalIndex, payload: &[u8]) -> Option<SignalValue<'_>> {
        let field = self.plan.field(index.position())?;
        let bits = self.plan.present_bits(field, payload)?;
        Some(SignalValue { signal: self.signals.get(index.position())?, field, index, bits })
    }

    /// What keeps a payload from decoding as a whole.
    pub fn problem(&self, payload: &[u8]) -> Option<DecodeError> {
        if payload.len() < self.length() {
            return Some(DecodeError::TooShort { needed: self.length(), length: payload.len() });
        }
        let (signal, value) = self.plan.undefined_multiplexer(payload)?;
        Some(DecodeError::UndefinedMultiplexer { signal: SignalIndex(signal), value })
    }
}

/// The signals that are present in one payload, in the order of the file.
#[derive(Clone, Debug)]
pub struct Decoded<'m, 'p> {
    message: &'m Message,
    payload: &'p [u8],
    next: u32,
}

impl<'m> Decoded<'m, '_> {
    /// The message.
    pub fn message(&self) -> &'m Message {
        self.message
    }

    /// The value of one signal, by handle; `None` where it is not in this payload.
    pub fn value(&self, index: SignalIndex) -> Option<SignalValue<'m>> {
        self.message.decode_signal(index, self.payload)
    }

    /// The value of one signal, by name; `None` where the message has no such signal, or it is not in this payload.
    pub fn value_named(&self, name: &str) -> Option<SignalValue<'m>> {
        self.value(self.message.signal_index(name)?)
    }
}

impl<'m> Iterator for Decoded<'m, '_> {
    type Item = SignalValue<'m>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while (self.next as usize) < self.message.signals.len() {
            let index = SignalIndex(self.next);
            self.next += 1;
            if let Some(value) = self.message.decode_signal(index, self.payload) {
                return Some(value);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.message.signals.len().saturating_sub(self.next as usize)))
    }
}

/// The value of one signal in one payload.
#[derive(Clone, Copy, Debug)]
pub struct SignalValue<'a> {
    signal: &'a Signal,
    field: &'a Field,
    index: SignalIndex,
    bits: u64,
}

impl<'a> SignalValue<'a> {
    /// The signal.
    #[inline]
    pub fn signal(&self) -> &'a Signal {
        self.signal
    }

    /// The signal's name.
    #[inline]
    pub fn name(&self) -> &'a str {
        &self.signal.name
    }

    /// The signal's handle.
    #[inline]
    pub fn index(&self) -> SignalIndex {
        self.index
    }

    /// The raw value.
    #[inline]
    pub fn raw(&self) -> Raw {
        self.field.raw(self.bits)
    }

    /// The physical value.
    pub fn physical(&self) -> Number {
        self.field.physical(self.raw())
    }

    /// The physical value as a double: raw × factor + offset, with one multiplication and one addition.
    #[inline]
    pub fn double(&self) -> f64 {
        self.field.double(self.bits)
    }

    /// The label of the raw value.
    pub fn label(&self) -> Option<&'a str> {
        self.signal.label(self.raw())
    }

    /// Whether the raw value is a value, or stands for "not available" or "error".
    pub fn availability(&self) -> Availability {
        self.signal.availability(self.raw())
    }
}

/// `name: value unit`, or `name: 'label'`.
impl fmt::Display for SignalValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label() {
            Some(label) => write!(f, "{}: '{label}'", self.signal.name),
            None if self.signal.unit.is_empty() => write!(f, "{}: {}", self.signal.name, self.physical()),
            None => write!(f, "{}: {} {}", self.signal.name, self.physical(), self.signal.unit),
        }
    }
}
