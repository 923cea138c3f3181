//! Values as VISS writes them: every scalar a JSON string, an array an array of strings.
//!
//! *Invariant:* a text is read in the catalogue's type or refused; a number is written with the fewest digits that read back the same.
//! *Next:* `point.rs` (a value with its state and time), `request.rs` (a value to set).

use std::borrow::Cow;
use std::fmt;

use coachwork_vehicle::{DataType, Error, ErrorKind, ScalarType, Value};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::json::Json;

/// A value as it travels, before it is read in a signal's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireValue {
    /// A scalar, as its text.
    Scalar(String),
    /// An array, as the texts of its elements.
    Array(Vec<String>),
}

impl WireValue {
    /// A value as it travels.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => {
                Self::Array(items.iter().map(|item| scalar_text(item).into_owned()).collect())
            }
            scalar => Self::Scalar(scalar_text(scalar).into_owned()),
        }
    }

    /// Reads it in a signal's type.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where it is not of that type; [`ErrorKind::OutOfRange`] where it is a number that the type cannot hold.
    pub fn parse(&self, data_type: DataType) -> Result<Value, Error> {
        match self {
            Self::Scalar(text) => RawValue::Scalar(Text(text.into())).parse(data_type),
            Self::Array(items) => {
                RawValue::Array(items.iter().map(|item| Text(item.as_str().into())).collect())
                    .parse(data_type)
            }
        }
    }

    pub(crate) fn write(&self, json: &mut Json) {
        match self {
            Self::Scalar(text) => {
                json.text(text);
            }
            Self::Array(items) => {
                json.open(b'[');
                for item in items {
                    json.text(item);
                }
                json.close(b']');
            }
        }
    }
}

/// A text of a message, borrowed from it where it holds no escapes. Numbers and booleans that a peer did not put into
/// quotation marks are taken by their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

/// A value of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RawValue<'a> {
    Scalar(Text<'a>),
    Array(Vec<Text<'a>>),
    /// What some servers send for a signal that was never set.
    Null,
}

impl RawValue<'_> {
    pub(crate) fn parse(&self, data_type: DataType) -> Result<Value, Error> {
        match (self, data_type) {
            (Self::Scalar(text), DataType::Scalar(scalar)) => parse_scalar(&text.0, scalar),
            (Self::Array(items), DataType::Array(scalar)) => items
                .iter()
                .map(|item| parse_scalar(&item.0, scalar))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            _ => Err(Error::new(ErrorKind::WrongType, format!("the value is not of type {data_type}"))),
        }
    }

    pub(crate) fn into_wire(self) -> Option<WireValue> {
        match self {
            Self::Scalar(text) => Some(WireValue::Scalar(text.0.into_owned())),
            Self::Array(items) => {
                Some(WireValue::Array(items.into_iter().map(|item| item.0.into_owned()).collect()))
            }
            Self::Null => None,
        }
    }
}

/// Writes a value.
pub(crate) fn write_value(json: &mut Json, value: &Value) {
    match value {
        Value::Array(items) => {
            json.open(b'[');
            for item in items.iter() {
                if let Value::Struct(_) = item {
                    write_value(json, item);
                } else {
                    json.text(&scalar_text(item));
                }
            }
            json.close(b']');
        }
        // An object with its properties, as VISS has it; how deep it nests, its type bounds.
        Value::Struct(of) => {
            json.open(b'{');
            for (name, value) in of.iter() {
                write_value(json.key(name), value);
            }
            json.close(b'}');
        }
        Value::Text(text) => {
            json.text(text);
        }
        Value::Int(v) => {
            json.plain(v);
        }
        Value::Uint(v) => {
            json.plain(v);
        }
        scalar => {
            json.text(&scalar_text(scalar));
        }
    }
}

/// The text of a scalar; an array within an array, which no type allows, is empty.
pub(crate) fn scalar_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Int(v) => v.to_string().into(),
        Value::Uint(v) => v.to_string().into(),
        Value::Float(v) => float_text(f64::from(*v), v),
        Value::Double(v) => float_text(*v, v),
        Value::Text(text) => text.as_ref().into(),
        _ => "".into(),
    }
}

/// Both formats give the shortest digits that read back the same; the exponent only saves zeros.
fn float_text(wide: f64, value: &(impl fmt::Display + fmt::LowerExp)) -> Cow<'static, str> {
    match wide.abs() {
        size if size.is_nan() => "NaN".into(),
        f64::INFINITY if wide > 0.0 => "Infinity".into(),
        f64::INFINITY => "-Infinity".into(),
        size if size == 0.0 || (1e-5..1e16).contains(&size) => value.to_string().into(),
        _ => format!("{value:e}").into(),
    }
}

pub(crate) fn parse_scalar(text: &str, scalar: ScalarType) -> Result<Value, Error> {
    let wrong = || {
        let shown: String = text.chars().take(40).collect();
        Error::new(ErrorKind::WrongType, format!("{shown:?} is not a value of type {}", scalar.name()))
    };
    // What Rust reads as a number without being written as one in any wire format.
    let odd = text.starts_with('+') || text.is_empty();
    let value = match scalar {
        ScalarType::Boolean => match text {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            _ => return Err(wrong()),
        },
        ScalarType::String => return Ok(text.into()),
        ScalarType::Float | ScalarType::Double if odd => return Err(wrong()),
        ScalarType::Float => Value::Float(text.parse().map_err(|_| wrong())?),
        ScalarType::Double => Value::Double(text.parse().map_err(|_| wrong())?),
        _ if odd => return Err(wrong()),
        _ if text.starts_with('-') => match text.parse() {
            Ok(0) => Value::Uint(0),
            Ok(number) => Value::Int(number),
            Err(error) => return Err(integer_error(&error, wrong, scalar)),
        },
        _ => Value::Uint(text.parse().map_err(|error| integer_error(&error, wrong, scalar))?),
    };
    let became_infinite = match &value {
        Value::Float(v) => v.is_infinite(),
        Value::Double(v) => v.is_infinite(),
        _ => false,
    } && text.bytes().any(|byte| byte.is_ascii_digit());
    let out_of_range = || {
        let shown: String = text.chars().take(40).collect();
        Error::new(ErrorKind::OutOfRange, format!("{shown} is outside type {}", scalar.name()))
    };
    if became_infinite {
        return Err(out_of_range());
    }
    DataType::Scalar(scalar).coerce(value).map_err(|_| out_of_range())
}

fn integer_error(error: &std::num::ParseIntError, wrong: impl Fn() -> Error, scalar: ScalarType) -> Error {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    if matches!(error.kind(), NegOverflow | PosOverflow) {
        Error::new(ErrorKind::OutOfRange, format!("the number is outside type {}", scalar.name()))
    } else {
        wrong()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(if value { "true" } else { "false" })))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Text<'de>, E> {
        Ok(Text(scalar_text(&Value::Double(value)).into_owned().into()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = RawValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<RawValue<'de>, E> {
        TextVisitor.visit_borrowed_str(text).map(RawValue::Scalar)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawValue<'de>, E> {
        TextVisitor.visit_str(text).map(RawValue::Scalar)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<RawValue<'de>, E> {
        TextVisitor.visit_bool(value).map(RawValue::Scalar)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawValue<'de>, E> {
        TextVisitor.visit_i64(value).map(RawValue::Scalar)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<RawValue<'de>, E> {
        TextVisitor.visit_u64(value).map(RawValue::Scalar)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<RawValue<'de>, E> {
        TextVisitor.visit_f64(value).map(RawValue::Scalar)
    }

    fn visit_unit<E>(self) -> Result<RawValue<'de>, E> {
        Ok(RawValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawValue::Array(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::{Entry, StructType, StructValue};
    use proptest::prelude::*;

    #[test]
    fn a_struct_is_an_object_of_texts() {
        let point = [Entry::attribute("X", DataType::FLOAT), Entry::attribute("Name", DataType::STRING)];
        let point = StructType::new("Types.Point", point).unwrap();
        let value = StructValue::new(&point, [("X", Value::Double(0.1)), ("Name", "here".into())]).unwrap();
        let mut json = Json::new();
        write_value(&mut json, &Value::Array([Value::from(value)].into()));
        assert_eq!(&json.finish()[..], br#"[{"X":"0.1","Name":"here"}]"#);
    }

    fn value(scalar: ScalarType) -> BoxedStrategy<Value> {
        match scalar {
            ScalarType::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
            ScalarType::Float => any::<f32>().prop_map(Value::Float).boxed(),
            ScalarType::Double => any::<f64>().prop_map(Value::Double).boxed(),
            ScalarType::Int64 => any::<i64>().prop_map(Value::Int).boxed(),
            ScalarType::Uint64 => any::<u64>().prop_map(Value::Uint).boxed(),
            ScalarType::Int8 => any::<i8>().prop_map(Value::from).boxed(),
            ScalarType::Int16 => any::<i16>().prop_map(Value::from).boxed(),
            ScalarType::Int32 => any::<i32>().prop_map(Value::from).boxed(),
            ScalarType::Uint8 => any::<u8>().prop_map(Value::from).boxed(),
            ScalarType::Uint16 => any::<u16>().prop_map(Value::from).boxed(),
            ScalarType::Uint32 => any::<u32>().prop_map(Value::from).boxed(),
            ScalarType::String | ScalarType::Struct => any::<String>().prop_map(Value::from).boxed(),
        }
    }

    proptest! {
        #[test]
        fn every_value_survives_in_its_type(
            (scalar, one) in prop::sample::select(&ScalarType::ALL[..]).prop_flat_map(|scalar| (Just(scalar), value(scalar)))
        ) {
            let back = WireValue::of(&one).parse(DataType::Scalar(scalar)).unwrap();
            prop_assert!(back.same(&one), "{one} became {back}");
            let array = Value::Array([one.clone(), one].into());
            let mut json = Json::new();
            write_value(&mut json, &array);
            let raw = json.finish();
            let raw: RawValue<'_> = serde_json::from_slice(&raw).unwrap();
            prop_assert!(raw.parse(DataType::Array(scalar)).unwrap().same(&array));
        }

        #[test]
        fn no_text_panics_and_numbers_keep_what_they_say(text in "[-+.0-9eEinfNa ]{0,30}", scalar in prop::sample::select(&ScalarType::ALL[..])) {
            if let Ok(value) = parse_scalar(&text, scalar) {
                prop_assert!(value.is(DataType::Scalar(scalar)));
                if scalar.integer_range().is_some() {
                    prop_assert_eq!(scalar_text(&value).parse::<i128>(), text.parse::<i128>());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        use ErrorKind::{OutOfRange, WrongType};
        for (text, scalar, kind) in [
            ("256", ScalarType::Uint8, OutOfRange),
            ("-1", ScalarType::Uint8, OutOfRange),
            ("99999999999999999999999", ScalarType::Int64, OutOfRange),
            ("-99999999999999999999999", ScalarType::Int64, OutOfRange),
            ("1.0", ScalarType::Int8, WrongType),
            ("", ScalarType::Int8, WrongType),
            ("+1", ScalarType::Int8, WrongType),
            (" 1", ScalarType::Double, WrongType),
            ("", ScalarType::Float, WrongType),
            ("0x10", ScalarType::Float, WrongType),
            ("1e39", ScalarType::Float, OutOfRange),
            ("1e999", ScalarType::Double, OutOfRange),
            ("True", ScalarType::Boolean, WrongType),
            ("1", ScalarType::Boolean, WrongType),
        ] {
            assert_eq!(parse_scalar(text, scalar).unwrap_err().kind(), kind, "{text} as {}", scalar.name());
        }
        assert!(WireValue::Array(vec!["1".into()]).parse(DataType::INT8).is_err());
        assert!(WireValue::Scalar("1".into()).parse(DataType::Array(ScalarType::Int8)).is_err());
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (Value::Float(0.1), "0.1"),
            (Value::Double(0.1), "0.1"),
            (Value::Double(f64::from(0.1_f32)), "0.10000000149011612"),
            (Value::Double(1e300), "1e300"),
            (Value::Double(120.0), "120"),
            (Value::Double(-0.0), "-0"),
            (Value::Float(1.5e-7), "1.5e-7"),
            (Value::Double(f64::NEG_INFINITY), "-Infinity"),
            (Value::Float(f32::NAN), "NaN"),
        ] {
            assert_eq!(scalar_text(&value), text);
        }
    }
}
