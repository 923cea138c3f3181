//! Values as VISS writes them: every scalar a JSON string, an array a JSON array, a struct an object of its properties.
//!
//! *Invariant:* a text is read in the catalogue's type or refused; a number is written with the fewest digits that read back the same. How
//! deep a value nests, the message bounds where it is read, and its type where it is understood.
//! *Next:* `value/visit.rs` (how it is read), `point.rs` (a value with its state and time), `request.rs` (a value to set).

mod visit;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use coachwork_vehicle::{DataType, Entry, Error, ErrorKind, ScalarType, StructType, StructValue, Value};

use super::json::Json;

/// A value as it travels, before it is read in a signal's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireValue {
    /// A scalar, as its text.
    Scalar(String),
    /// A number that its sender did not put into quotation marks and that is no whole number of 64 bits: its digits may not be those that were
    /// written, so that it is a value of every type but a string.
    Number(String),
    /// An array, its elements scalars or structs.
    Array(Vec<Self>),
    /// A struct, as its properties by name.
    Struct(Vec<(String, Self)>),
}

impl WireValue {
    /// A value as it travels.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::Array(items.iter().map(Self::of).collect()),
            Value::Struct(of) => {
                Self::Struct(of.iter().map(|(name, value)| (name.to_owned(), Self::of(value))).collect())
            }
            scalar => Self::Scalar(scalar_text(scalar).into_owned()),
        }
    }

    /// Reads it in a signal's type.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where it is not of that type; [`ErrorKind::OutOfRange`] where it is a number that the type cannot hold.
    pub fn parse(&self, entry: &Entry) -> Result<Value, Error> {
        self.as_raw().parse(entry)
    }

    fn as_raw(&self) -> RawValue<'_> {
        match self {
            Self::Scalar(text) => RawValue::Scalar(Text(text.into())),
            Self::Number(text) => RawValue::Number(Text(text.into())),
            Self::Array(items) => RawValue::Array(items.iter().map(Self::as_raw).collect()),
            Self::Struct(fields) => RawValue::Struct(
                fields.iter().map(|(name, value)| (Text(name.into()), value.as_raw())).collect(),
            ),
        }
    }

    pub(crate) fn write(&self, json: &mut Json) {
        match self {
            Self::Scalar(text) | Self::Number(text) => {
                json.text(text);
            }
            Self::Array(items) => {
                json.open(b'[');
                for item in items {
                    item.write(json);
                }
                json.close(b']');
            }
            Self::Struct(fields) => {
                json.open(b'{');
                for (name, value) in fields {
                    value.write(json.any_key(name));
                }
                json.close(b'}');
            }
        }
    }
}

/// How many properties the structs of one value may leave to their defaults.
const MAX_DEFAULTS: usize = 65_536;

/// A text of a message, borrowed from it where it holds no escapes. Numbers and booleans that a peer did not put into
/// quotation marks are taken by their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

/// The name of a request or a subscription: a text, or a whole number that is one to whoever wrote it. It is said again just so, which no other
/// number could promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id<'a>(pub(crate) Cow<'a, str>, pub(crate) IsNumber);

/// Whether an id is a number to whoever wrote it.
pub(crate) type IsNumber = bool;

/// A value of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RawValue<'a> {
    Scalar(Text<'a>),
    /// As [`WireValue::Number`].
    Number(Text<'a>),
    Array(Vec<Self>),
    Struct(Vec<(Text<'a>, Self)>),
    /// What some servers send for a signal that was never set.
    Null,
}

impl RawValue<'_> {
    /// Reads it in a signal's type.
    pub(crate) fn parse(&self, entry: &Entry) -> Result<Value, Error> {
        self.parse_with(entry, &mut { MAX_DEFAULTS })
    }

    fn parse_with(&self, entry: &Entry, defaults: &mut usize) -> Result<Value, Error> {
        let of = entry.struct_type();
        match (self, entry.data_type()) {
            (Self::Array(items), DataType::Array(scalar)) => {
                let items = items.iter().map(|item| item.element(scalar, of, defaults));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            (one, DataType::Scalar(scalar)) => one.element(scalar, of, defaults),
            _ => Err(Error::new(
                ErrorKind::WrongType,
                format!("the value is not of type {}", entry.type_name()),
            )),
        }
    }

    fn element(
        &self,
        scalar: ScalarType,
        of: Option<&Arc<StructType>>,
        defaults: &mut usize,
    ) -> Result<Value, Error> {
        match (self, of) {
            (_, None) => self.scalar(scalar),
            (Self::Struct(fields), Some(of)) => parse_struct(fields, of, defaults).map(Value::from),
            (_, Some(of)) => Err(Error::new(ErrorKind::WrongType, format!("the value is no {}", of.path()))),
        }
    }

    /// Reads it as one scalar.
    pub(crate) fn scalar(&self, scalar: ScalarType) -> Result<Value, Error> {
        match self {
            Self::Number(_) if scalar == ScalarType::String => {
                let why = "a number that is not in quotation marks may have lost digits, and is no string";
                Err(Error::new(ErrorKind::WrongType, why))
            }
            Self::Scalar(text) | Self::Number(text) => parse_scalar(&text.0, scalar),
            _ => Err(Error::new(ErrorKind::WrongType, format!("the value is no {}", scalar.name()))),
        }
    }

    pub(crate) fn into_wire(self) -> Option<WireValue> {
        Some(match self {
            Self::Scalar(text) => WireValue::Scalar(text.0.into_owned()),
            Self::Number(text) => WireValue::Number(text.0.into_owned()),
            Self::Array(items) => {
                WireValue::Array(items.into_iter().map(Self::into_wire).collect::<Option<_>>()?)
            }
            Self::Struct(fields) => {
                let field = |(name, value): (Text<'_>, Self)| Some((name.0.into_owned(), value.into_wire()?));
                WireValue::Struct(fields.into_iter().map(field).collect::<Option<_>>()?)
            }
            Self::Null => return None,
        })
    }
}

/// A struct of its properties, each once; what is not given takes its default.
fn parse_struct(
    fields: &[(Text<'_>, RawValue<'_>)],
    of: &Arc<StructType>,
    defaults: &mut usize,
) -> Result<StructValue, Error> {
    let wrong = |why: String| Error::new(ErrorKind::WrongType, why);
    let properties = of.properties();
    // Before anything is made: a few bytes must not stand for many values.
    let spare = defaults.checked_sub(properties.len().saturating_sub(fields.len()));
    *defaults = spare
        .ok_or_else(|| wrong(format!("it leaves more than {MAX_DEFAULTS} properties to their defaults")))?;
    let mut given = Vec::with_capacity(fields.len().min(properties.len()));
    let mut seen = vec![false; properties.len()];
    for (place, (name, value)) in fields.iter().enumerate() {
        let named = |property: &Entry| property.path().as_str() == name.0;
        // In the order of the type, as it is written here.
        let at = Some(place).filter(|place| properties.get(*place).is_some_and(named));
        let at = at.or_else(|| properties.iter().position(named));
        let known = at.and_then(|at| Some((properties.get(at)?, seen.get_mut(at)?)));
        let Some((property, seen)) = known else {
            let shown: String = name.0.chars().take(40).collect();
            return Err(wrong(format!("{} has no property {shown:?}", of.path())));
        };
        if std::mem::replace(seen, true) {
            return Err(wrong(format!("{} is given twice", property.path())));
        }
        let value = value.parse(property);
        let value =
            value.map_err(|e| Error::new(e.kind(), format!("{}: {}", property.path(), e.message())))?;
        given.push((property.path().as_str(), value));
    }
    StructValue::new(of, given).map_err(|why| wrong(why.to_string()))
}

/// Writes a value.
pub(crate) fn write_value(json: &mut Json, value: &Value) {
    match value {
        Value::Array(items) => {
            json.open(b'[');
            for item in items.iter() {
                if let Value::Array(_) = item {
                    // No type allows it.
                    json.text("");
                } else {
                    write_value(json, item);
                }
            }
            json.close(b']');
        }
        // An object with its properties, as VISS has it; how deep it nests, its type bounds.
        Value::Struct(of) => {
            json.open(b'{');
            for (name, value) in of.iter() {
                write_value(json.any_key(name), value);
            }
            json.close(b'}');
        }
        Value::Text(text) => {
            json.text(text);
        }
        Value::Int(v) => {
            json.bare(itoa::Buffer::new().format(*v));
        }
        Value::Uint(v) => {
            json.bare(itoa::Buffer::new().format(*v));
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

#[cfg(test)]
mod tests;
