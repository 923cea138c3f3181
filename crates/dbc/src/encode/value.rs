//! What a caller gives: a value as physical, raw or label, and what names its signal.
//!
//! *Invariant:* conversions keep everything: an integer stays an integer, whatever its width.
//! *Next:* `bits.rs` (a value becomes bits).

use alloc::string::{String, ToString};
use core::fmt;

use crate::model::message::{Message, SignalIndex};
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
