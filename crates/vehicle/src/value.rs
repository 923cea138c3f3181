//! What a signal can hold: data types as VSS names them, and values in the canonical form of their type.
//!
//! *Invariant:* `DataType::coerce` never changes what a number says, except that a float takes the nearest float.
//! *Next:* `datapoint.rs` (a value with its state and times), `catalogue.rs` (which type each path has).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::structs::StructValue;

/// A scalar data type of VSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are VSS's data types and say what they are")]
pub enum ScalarType {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float,
    Double,
    String,
    /// A struct. Which one, the entry says: [`Entry::struct_type`](crate::Entry::struct_type).
    Struct,
}

impl ScalarType {
    /// All types that say fully what their values are, in the order of the enum: all but the structs.
    pub const ALL: [Self; 12] = [
        Self::Boolean,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Float,
        Self::Double,
        Self::String,
    ];

    /// The name that VSS gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Struct => "struct",
        }
    }

    /// The smallest and the largest value of an integer type.
    pub const fn integer_range(self) -> Option<(i128, i128)> {
        match self {
            Self::Int8 => Some((i8::MIN as i128, i8::MAX as i128)),
            Self::Int16 => Some((i16::MIN as i128, i16::MAX as i128)),
            Self::Int32 => Some((i32::MIN as i128, i32::MAX as i128)),
            Self::Int64 => Some((i64::MIN as i128, i64::MAX as i128)),
            Self::Uint8 => Some((0, u8::MAX as i128)),
            Self::Uint16 => Some((0, u16::MAX as i128)),
            Self::Uint32 => Some((0, u32::MAX as i128)),
            Self::Uint64 => Some((0, u64::MAX as i128)),
            Self::Boolean | Self::Float | Self::Double | Self::String | Self::Struct => None,
        }
    }

    /// Whether values of this type are numbers.
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Boolean | Self::String | Self::Struct)
    }

    const fn is_signed(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }
}

/// The data type of a signal: a scalar, or an array of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// One value.
    Scalar(ScalarType),
    /// Any number of values of one scalar type.
    Array(ScalarType),
}

/// A text that names no data type of VSS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a data type")]
pub struct UnknownDataType(pub String);

#[expect(missing_docs, reason = "the constants are VSS's scalar data types")]
impl DataType {
    pub const BOOLEAN: Self = Self::Scalar(ScalarType::Boolean);
    pub const INT8: Self = Self::Scalar(ScalarType::Int8);
    pub const INT16: Self = Self::Scalar(ScalarType::Int16);
    pub const INT32: Self = Self::Scalar(ScalarType::Int32);
    pub const INT64: Self = Self::Scalar(ScalarType::Int64);
    pub const UINT8: Self = Self::Scalar(ScalarType::Uint8);
    pub const UINT16: Self = Self::Scalar(ScalarType::Uint16);
    pub const UINT32: Self = Self::Scalar(ScalarType::Uint32);
    pub const UINT64: Self = Self::Scalar(ScalarType::Uint64);
    pub const FLOAT: Self = Self::Scalar(ScalarType::Float);
    pub const DOUBLE: Self = Self::Scalar(ScalarType::Double);
    pub const STRING: Self = Self::Scalar(ScalarType::String);
    pub const STRUCT: Self = Self::Scalar(ScalarType::Struct);
}

impl DataType {
    /// The scalar type, that of the elements for an array.
    pub const fn scalar(self) -> ScalarType {
        match self {
            Self::Scalar(scalar) | Self::Array(scalar) => scalar,
        }
    }

    /// Brings `value` into the canonical form of this type.
    ///
    /// Integers and floats convert into each other where the number stays the same; an integer or a double becomes the nearest
    /// float or double. Nothing converts to or from booleans and text.
    ///
    /// # Errors
    /// [`TypeError`] where the value is of another kind, out of the type's range, or would lose its fraction.
    pub fn coerce(self, value: Value) -> Result<Value, TypeError> {
        if value.is(self) {
            return Ok(value);
        }
        let coerced = match (self, &value) {
            (Self::Scalar(scalar), _) => coerce_scalar(scalar, &value),
            (Self::Array(scalar), Value::Array(items)) => {
                items.iter().map(|item| coerce_scalar(scalar, item)).collect::<Option<_>>().map(Value::Array)
            }
            (Self::Array(_), _) => None,
        };
        coerced.ok_or(TypeError { value, wanted: self })
    }

    /// The value that a word stands for, as a line of text, a table or a service writes it: what `Display` of a [`Value`] gives, and what
    /// says the same (`3.0` for an integer, `1e3`). White space around it is not trimmed.
    ///
    /// ```
    /// use coachwork_vehicle::{DataType, Value};
    ///
    /// assert_eq!(DataType::FLOAT.parse_value("50.5"), Ok(Value::Float(50.5)));
    /// assert_eq!(DataType::UINT8.parse_value("3.0"), Ok(Value::Uint(3)));
    /// assert_eq!(DataType::BOOLEAN.parse_value("true"), Ok(Value::Bool(true)));
    /// assert_eq!(DataType::UINT8.parse_value("256").unwrap_err().to_string(), "256 is not a value of type uint8");
    /// ```
    ///
    /// # Errors
    /// [`TypeError`], with the word as its value, where it is no value of this type or is outside of it. Arrays and structs have no such form.
    pub fn parse_value(self, word: &str) -> Result<Value, TypeError> {
        let parsed = match self {
            Self::Scalar(scalar) => parse_scalar(scalar, word),
            Self::Array(_) => None,
        };
        parsed.ok_or_else(|| TypeError { value: word.into(), wanted: self })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => f.write_str(scalar.name()),
            Self::Array(scalar) => write!(f, "{}[]", scalar.name()),
        }
    }
}

impl FromStr for DataType {
    type Err = UnknownDataType;

    fn from_str(text: &str) -> Result<Self, UnknownDataType> {
        let (name, array) = text.strip_suffix("[]").map_or((text, false), |name| (name, true));
        ScalarType::ALL
            .into_iter()
            .find(|scalar| scalar.name() == name)
            .map(|scalar| if array { Self::Array(scalar) } else { Self::Scalar(scalar) })
            .ok_or_else(|| UnknownDataType(text.chars().take(40).collect()))
    }
}

/// A value that does not fit a data type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{value} is not a value of type {wanted}")]
pub struct TypeError {
    /// The value as it was given.
    pub value: Value,
    /// The type that was wanted.
    pub wanted: DataType,
}

/// The value of a signal.
///
/// Signed types are held as `Int`, unsigned ones as `Uint`; the exact width is the catalogue's. `PartialEq` is that of the numbers
/// (a NaN differs from itself); [`same`](Self::same) is the comparison that subscriptions use.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// A value of int8, int16, int32 or int64.
    Int(i64),
    /// A value of uint8, uint16, uint32 or uint64.
    Uint(u64),
    /// A value of type float.
    Float(f32),
    /// A value of type double.
    Double(f64),
    /// A text.
    Text(Arc<str>),
    /// An array; its elements are scalars or structs.
    Array(Arc<[Value]>),
    /// A struct.
    Struct(Arc<StructValue>),
}

impl Value {
    /// Whether this is a value of `data_type` in canonical form.
    pub fn is(&self, data_type: DataType) -> bool {
        match data_type {
            DataType::Scalar(scalar) => self.is_scalar(scalar),
            DataType::Array(scalar) => {
                matches!(self, Self::Array(items) if items.iter().all(|item| item.is_scalar(scalar)))
            }
        }
    }

    fn is_scalar(&self, scalar: ScalarType) -> bool {
        match self {
            Self::Bool(_) => scalar == ScalarType::Boolean,
            Self::Float(_) => scalar == ScalarType::Float,
            Self::Double(_) => scalar == ScalarType::Double,
            Self::Text(_) => scalar == ScalarType::String,
            Self::Array(_) => false,
            Self::Struct(_) => scalar == ScalarType::Struct,
            Self::Int(v) => scalar.is_signed() && in_range(scalar, i128::from(*v)),
            Self::Uint(v) => !scalar.is_signed() && in_range(scalar, i128::from(*v)),
        }
    }

    /// The number as a double (the nearest one for large integers); `None` for booleans, text, arrays and structs.
    #[expect(clippy::cast_precision_loss, reason = "documented: the nearest double")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(*v as f64),
            Self::Uint(v) => Some(*v as f64),
            Self::Float(v) => Some(f64::from(*v)),
            Self::Double(v) => Some(*v),
            Self::Bool(_) | Self::Text(_) | Self::Array(_) | Self::Struct(_) => None,
        }
    }

    /// Whether both say the same: equal, or both not a number.
    #[expect(
        clippy::float_cmp,
        reason = "what was sent and what came back are compared to the bit, but for the sign of zero"
    )]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Double(a), Self::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.same(b))
            }
            (Self::Struct(a), Self::Struct(b)) => a.same(b),
            (a, b) => a == b,
        }
    }

    /// The order of two numbers, exact for integers; `None` where one is no number.
    pub fn compare(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self.as_i128(), other.as_i128()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.as_f64()?.partial_cmp(&other.as_f64()?),
        }
    }

    fn as_i128(&self) -> Option<i128> {
        match self {
            Self::Int(v) => Some(i128::from(*v)),
            Self::Uint(v) => Some(i128::from(*v)),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::Uint(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Double(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
            Self::Struct(v) => v.fmt(f),
            Self::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

fn in_range(scalar: ScalarType, value: i128) -> bool {
    scalar.integer_range().is_some_and(|(min, max)| (min..=max).contains(&value))
}

fn coerce_scalar(scalar: ScalarType, value: &Value) -> Option<Value> {
    if value.is_scalar(scalar) {
        return Some(value.clone());
    }
    match scalar {
        ScalarType::Boolean | ScalarType::String | ScalarType::Struct => None,
        ScalarType::Float => to_float(value.as_f64()?).map(Value::Float),
        ScalarType::Double => value.as_f64().map(Value::Double),
        _ => {
            let number = value.as_i128().or_else(|| whole(value.as_f64()?))?;
            if !in_range(scalar, number) {
                return None;
            }
            if scalar.is_signed() {
                i64::try_from(number).ok().map(Value::Int)
            } else {
                u64::try_from(number).ok().map(Value::Uint)
            }
        }
    }
}

fn parse_scalar(scalar: ScalarType, word: &str) -> Option<Value> {
    // A number with digits is finite: one that is too large for a float would be read as infinite.
    let finite_as_written = |finite: bool| finite || !word.bytes().any(|byte| byte.is_ascii_digit());
    let value = match scalar {
        ScalarType::Boolean => Value::Bool(word.parse().ok()?),
        ScalarType::String => Value::from(word),
        ScalarType::Struct => return None,
        ScalarType::Float => {
            Value::Float(word.parse().ok().filter(|number: &f32| finite_as_written(number.is_finite()))?)
        }
        ScalarType::Double => {
            Value::Double(word.parse().ok().filter(|number: &f64| finite_as_written(number.is_finite()))?)
        }
        _ => {
            let exact = word.parse().map(Value::Int).or_else(|_| word.parse().map(Value::Uint));
            // Up to here every whole number has a double of its own.
            let written_as_float =
                || word.parse().ok().filter(|number: &f64| number.abs() < 9e15).map(Value::Double);
            exact.ok().or_else(written_as_float)?
        }
    };
    coerce_scalar(scalar, &value)
}

/// The nearest float; `None` where a finite number would become infinite.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest float is what is wanted; overflow is checked"
)]
fn to_float(value: f64) -> Option<f32> {
    let float = value as f32;
    (float.is_finite() || !value.is_finite()).then_some(float)
}

/// The integer that a double holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^64, hence within i128")]
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() <= 18_446_744_073_709_551_616.0).then_some(value as i128)
}

/// A Rust type that holds the values of one data type; the key to typed reads and writes.
pub trait VssValue: Sized + Send + 'static {
    /// The data type of VSS that it stands for.
    const DATA_TYPE: DataType;

    /// The value, if it is one of this type.
    fn from_value(value: &Value) -> Option<Self>;

    /// The value in canonical form.
    fn into_value(self) -> Value;
}

/// A Rust type that holds one value, not an array of them.
pub trait VssScalar: VssValue {}

impl VssScalar for String {}

/// An array of any number of elements.
impl<T: VssScalar> VssValue for Vec<T> {
    const DATA_TYPE: DataType = DataType::Array(T::DATA_TYPE.scalar());

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Array(items) => items.iter().map(T::from_value).collect(),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Array(self.into_iter().map(T::into_value).collect())
    }
}

macro_rules! vss_value {
    ($($type:ty, $scalar:ident, $variant:ident, $wide:ty;)*) => {$(
        impl VssScalar for $type {}

        impl VssValue for $type {
            const DATA_TYPE: DataType = DataType::Scalar(ScalarType::$scalar);

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(v) => <$type>::try_from(v.clone()).ok(),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(<$wide>::from(self))
            }
        }

        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                value.into_value()
            }
        }
    )*};
}

vss_value! {
    bool, Boolean, Bool, bool;
    i8, Int8, Int, i64;
    i16, Int16, Int, i64;
    i32, Int32, Int, i64;
    i64, Int64, Int, i64;
    u8, Uint8, Uint, u64;
    u16, Uint16, Uint, u64;
    u32, Uint32, Uint, u64;
    u64, Uint64, Uint, u64;
    f32, Float, Float, f32;
    f64, Double, Double, f64;
}

impl VssValue for String {
    const DATA_TYPE: DataType = DataType::STRING;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.as_ref().to_owned()),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Text(self.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        value.into_value()
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_coerce_only_where_they_stay_the_same() {
        let cases = [
            (DataType::UINT8, Value::Int(255), Some(Value::Uint(255))),
            (DataType::UINT8, Value::Int(256), None),
            (DataType::UINT8, Value::Int(-1), None),
            (DataType::UINT8, Value::Double(60.0), Some(Value::Uint(60))),
            (DataType::UINT8, Value::Double(60.5), None),
            (DataType::INT8, Value::Uint(127), Some(Value::Int(127))),
            (DataType::INT64, Value::Uint(u64::MAX), None),
            (DataType::UINT64, Value::Double(18_446_744_073_709_551_616.0), None),
            (DataType::INT32, Value::Double(f64::NAN), None),
            (DataType::FLOAT, Value::Int(3), Some(Value::Float(3.0))),
            (DataType::FLOAT, Value::Double(1e300), None),
            (DataType::FLOAT, Value::Double(f64::INFINITY), Some(Value::Float(f32::INFINITY))),
            (DataType::BOOLEAN, Value::Int(1), None),
            (DataType::STRING, Value::Int(1), None),
            (
                DataType::Array(ScalarType::Uint8),
                Value::Array([Value::Int(1)].into()),
                Some(Value::Array([Value::Uint(1)].into())),
            ),
            (DataType::Array(ScalarType::Uint8), Value::Array([Value::Int(-1)].into()), None),
            (DataType::Array(ScalarType::Uint8), Value::Uint(1), None),
        ];
        for (data_type, value, wanted) in cases {
            assert_eq!(data_type.coerce(value.clone()).ok(), wanted, "{value} as {data_type}");
        }
    }

    #[test]
    fn data_types_survive_their_names() {
        for scalar in ScalarType::ALL {
            for data_type in [DataType::Scalar(scalar), DataType::Array(scalar)] {
                assert_eq!(data_type.to_string().parse(), Ok(data_type));
            }
        }
        assert!("uint7".parse::<DataType>().is_err());
        assert!("uint8[][]".parse::<DataType>().is_err());
    }

    #[test]
    fn words_are_values_of_a_type() {
        let parsed =
            |data_type: DataType, word: &str| data_type.parse_value(word).map_err(|why| why.to_string());
        assert_eq!(parsed(DataType::UINT64, "18446744073709551615"), Ok(Value::Uint(u64::MAX)));
        assert_eq!(parsed(DataType::INT64, "-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        assert_eq!(parsed(DataType::INT8, "-3.0"), Ok(Value::Int(-3)));
        assert_eq!(parsed(DataType::UINT16, "1e3"), Ok(Value::Uint(1000)));
        assert_eq!(parsed(DataType::DOUBLE, "-inf"), Ok(Value::Double(f64::NEG_INFINITY)));
        assert_eq!(parsed(DataType::STRING, " 1 "), Ok(Value::from(" 1 ")));
        for (data_type, word) in [
            (DataType::INT8, "3.5"),
            (DataType::INT8, "128"),
            (DataType::INT8, ""),
            (DataType::INT8, " 3"),
            (DataType::UINT64, "9007199254740993.0"),
            (DataType::FLOAT, "1e39"),
            (DataType::DOUBLE, "1e309"),
            (DataType::DOUBLE, "fast"),
            (DataType::BOOLEAN, "1"),
            (DataType::STRUCT, "a"),
            (DataType::Array(ScalarType::String), "a"),
        ] {
            assert_eq!(parsed(data_type, word), Err(format!("{word} is not a value of type {data_type}")));
        }
    }

    proptest! {
        #[test]
        fn what_is_displayed_parses_to_the_same(number in any::<i64>(), bits in any::<u64>(), text in ".*", scalar in proptest::sample::select(&ScalarType::ALL[..])) {
            let float = f64::from_bits(bits);
            for value in [Value::Int(number), Value::Uint(bits), Value::Double(float), Value::Bool(bits % 2 == 0), Value::from(&*text)] {
                if let Ok(value) = DataType::Scalar(scalar).coerce(value) {
                    let parsed = DataType::Scalar(scalar).parse_value(&value.to_string());
                    prop_assert!(parsed.as_ref().is_ok_and(|parsed| parsed.same(&value)), "{value}: {parsed:?}");
                }
            }
        }

        #[test]
        fn any_word_is_a_value_of_the_type_or_named_in_the_error(word in ".*|[-+]?[0-9]{1,25}([.][0-9]{0,3})?(e[0-9]{1,3})?", scalar in proptest::sample::select(&ScalarType::ALL[..])) {
            match DataType::Scalar(scalar).parse_value(&word) {
                Ok(value) => prop_assert!(value.is(DataType::Scalar(scalar))),
                Err(why) => prop_assert_eq!(why.value, Value::from(&*word)),
            }
        }

        #[test]
        fn coerced_values_are_of_the_type_and_say_the_same(number in any::<i64>(), scalar in proptest::sample::select(&ScalarType::ALL[..])) {
            if let Ok(value) = DataType::Scalar(scalar).coerce(Value::Int(number)) {
                prop_assert!(value.is(DataType::Scalar(scalar)));
                if scalar.integer_range().is_some() {
                    prop_assert_eq!(value.compare(&Value::Int(number)), Some(std::cmp::Ordering::Equal));
                }
            }
        }
    }
}
