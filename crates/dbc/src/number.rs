//! The bits of a signal become a number: raw as they travel, physical as the user means them.
//!
//! *Invariant:* whole factors and offsets keep integers exact; everything else is one `f64` multiplication and one addition, never fused.
//! *Next:* `decode.rs` (bits in), `encode.rs` (bits out).

use core::fmt;

/// A raw value: what the bits of a signal are, before factor and offset.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Raw {
    /// An unsigned integer of up to 64 bits.
    Unsigned(u64),
    /// A two's complement integer of up to 64 bits.
    Signed(i64),
    /// An IEEE 754 single.
    F32(f32),
    /// An IEEE 754 double.
    F64(f64),
}

impl Raw {
    /// The integer; `None` for a float.
    pub fn integer(self) -> Option<i128> {
        match self {
            Self::Unsigned(value) => Some(value.into()),
            Self::Signed(value) => Some(value.into()),
            Self::F32(_) | Self::F64(_) => None,
        }
    }

    /// The nearest double; integers beyond 2^53 are rounded to even.
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest double is what this returns")]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::F32(value) => value.into(),
            Self::F64(value) => value,
        }
    }
}

/// Integers in full, floats in the shortest form that reads back the same.
impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
        }
    }
}

/// A physical value: raw value times factor plus offset.
///
/// It is an exact integer where the signal is an integer and its factor and offset are whole, otherwise a double. Two numbers are equal when they are
/// the same kind and value; [`to_f64`](Self::to_f64) compares across kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An exact integer.
    Integer(i128),
    /// A double.
    Float(f64),
}

impl Number {
    /// The exact integer; `None` for a double.
    pub fn integer(self) -> Option<i128> {
        match self {
            Self::Integer(value) => Some(value),
            Self::Float(_) => None,
        }
    }

    /// The nearest double; integers beyond 2^53 are rounded to even.
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest double is what this returns")]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Integers in full, doubles in the shortest form that reads back the same.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<f32> for Number {
    fn from(value: f32) -> Self {
        Self::Float(value.into())
    }
}

macro_rules! from_integer {
    ($($t:ty),*) => {$(
        impl From<$t> for Number {
            fn from(value: $t) -> Self {
                Self::Integer(value.into())
            }
        }
    )*};
}
from_integer!(u8, u16, u32, u64, i8, i16, i32, i64, i128);

/// The whole number that a double is, where it fits 64 bits.
#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "the round trip is the test")]
pub(crate) fn whole(value: f64) -> Option<i64> {
    // 2^63 as a double; both bounds are exact.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if !(-LIMIT..LIMIT).contains(&value) {
        return None;
    }
    let integer = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "a whole double converts back exactly")]
    let back = integer as f64;
    (back == value).then_some(integer)
}

/// Rounds half to even, without the standard library.
pub(crate) fn round_ties_even(value: f64) -> f64 {
    const SHIFT: f64 = 4_503_599_627_370_496.0; // 2^52: above it every double is whole
    if value.is_nan() || value.abs() >= SHIFT {
        return value;
    }
    let rounded = if value < 0.0 { (value - SHIFT) + SHIFT } else { (value + SHIFT) - SHIFT };
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_to_even() {
        for (value, want) in [
            (0.5, 0.0),
            (1.5, 2.0),
            (2.5, 2.0),
            (-0.5, 0.0),
            (-1.5, -2.0),
            (3.499_999_999_999_999_6, 3.0),
            (4.503_599_627_370_495_5e15, 4_503_599_627_370_496.0),
            (1e300, 1e300),
        ] {
            assert!((round_ties_even(value) - want).abs() < f64::EPSILON, "{value}");
        }
    }

    #[test]
    fn whole_numbers_only() {
        assert_eq!(whole(3.0), Some(3));
        assert_eq!(whole(-0.0), Some(0));
        assert_eq!(whole(0.1), None);
        assert_eq!(whole(f64::NAN), None);
        assert_eq!(whole(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(whole(9_223_372_036_854_775_808.0), None);
    }
}
