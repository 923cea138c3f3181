//! Why values cannot be encoded, in words that name signal, value and what would be possible.
//!
//! *Invariant:* nothing was written where one of these comes back; every list in it is bounded.
//! *Next:* `near.rs` (labels that look alike).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{Number, Raw};

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
        /// Labels that look like it, nearest first, at most three.
        near: Vec<String>,
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
    /// A physical value lies between two raw values, and the [`Encoder`](crate::Encoder) refuses that ([`Steps::Refuse`](crate::Steps)).
    OffGrid {
        /// The signal.
        signal: String,
        /// The physical value.
        value: Number,
        /// The nearest possible value below; not a number where there is none.
        below: f64,
        /// The nearest possible value above; not a number where there is none.
        above: f64,
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
    /// A given signal is present only under values that its multiplexer's bits cannot hold, or under none.
    NeverPresent {
        /// The signal.
        signal: String,
        /// The multiplexer.
        multiplexer: String,
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
    /// A batch has no encoder of this number.
    UnknownEncoder {
        /// The number.
        number: u32,
    },
    /// An encoder got fewer or more values than it has signals.
    Count {
        /// The message.
        message: String,
        /// The number of the encoder's signals.
        signals: usize,
        /// The number of values.
        values: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSignal { message, signal } => write!(f, "{message} has no signal {signal}"),
            Self::Duplicate { signal } => write!(f, "{signal} is given twice"),
            Self::UnknownLabel { signal, label, near } => {
                write!(f, "{signal} has no label {label:?}")?;
                for (place, near) in near.iter().enumerate() {
                    write!(f, "{} {near:?}", if place == 0 { "; near:" } else { "," })?;
                }
                Ok(())
            }
            Self::OutOfRange { signal, value, min, max, unit } => {
                write!(f, "{signal} = {value} is outside {min} to {max}")?;
                if unit.is_empty() { Ok(()) } else { write!(f, " {unit}") }
            }
            Self::OffGrid { signal, value, below, above, unit } => {
                write!(f, "{signal} = {value} is between the steps")?;
                let mut ends = [below, above].into_iter().filter(|end| !end.is_nan());
                if let Some(end) = ends.next() {
                    write!(f, " {end}")?;
                }
                if let Some(end) = ends.next() {
                    write!(f, " and {end}")?;
                }
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
            Self::NeverPresent { signal, multiplexer } => {
                write!(f, "{signal} needs a value that {multiplexer} cannot have")
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
            Self::UnknownEncoder { number } => write!(f, "the batch has no encoder {number}"),
            Self::Count { message, signals, values } => {
                write!(f, "{message}: {signals} signals to encode, and {values} values")
            }
        }
    }
}

impl core::error::Error for EncodeError {}
