//! Values as VISS writes them: every scalar a JSON string, an array a JSON array, a struct an object of its properties.
//!
//! *Invariant:* a text is read in the catalogue's type or refused; a number is written with the fewest digits that read back the same. How
//! deep a value nests, the message bounds where it is read, and its type where it is understood.
//! *Next:* `point.rs` (a value with its state and time), `request.rs` (a value to set).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use coachwork_vehicle::{DataType, Entry, Error, ErrorKind, ScalarType, StructType, StructValue, Value};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::json::Json;

/// A value as it travels, before it is read in a signal's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireValue {
    /// A scalar, as its text.
    Scalar(String),
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
            Self::Array(items) => RawValue::Array(items.iter().map(Self::as_raw).collect()),
            Self::Struct(fields) => RawValue::Struct(
                fields.iter().map(|(name, value)| (Text(name.into()), value.as_raw())).collect(),
            ),
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
            Self::Scalar(text) => parse_scalar(&text.0, scalar),
            _ => Err(Error::new(ErrorKind::WrongType, format!("the value is no {}", scalar.name()))),
        }
    }

    pub(crate) fn into_wire(self) -> Option<WireValue> {
        Some(match self {
            Self::Scalar(text) => WireValue::Scalar(text.0.into_owned()),
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

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl<'de> Visitor<'de> for IdVisitor {
    type Value = Id<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Id<'de>, E> {
        Ok(Id(Cow::Borrowed(text), false))
    }

    fn visit_str<E>(self, text: &str) -> Result<Id<'de>, E> {
        Ok(Id(Cow::Owned(text.to_owned()), false))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Id<'de>, E> {
        Ok(Id(Cow::Owned(value.to_string()), true))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Id<'de>, E> {
        Ok(Id(Cow::Owned(value.to_string()), true))
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
        f.write_str("a string, or an array or an object of such")
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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(RawValue::Struct(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// A struct with a struct, an array of structs and a default, and what is needed of it.
    fn line() -> Entry {
        let x = Entry::attribute("X", DataType::FLOAT);
        let point = [x, Entry::attribute("Name", DataType::STRING).with_default("here")];
        let point = StructType::new("Types.Point", point).unwrap();
        let one = |name: &str| Entry::attribute(name, DataType::STRUCT).with_struct(&point);
        let many = Entry::attribute("Rest", DataType::Array(ScalarType::Struct)).with_struct(&point);
        let line = StructType::new("Types.Line", [one("From"), many, one("To")]).unwrap();
        Entry::sensor("Vehicle.Line", DataType::STRUCT).with_struct(&line)
    }

    fn read(text: &str, entry: &Entry) -> Result<Value, Error> {
        serde_json::from_str::<RawValue<'_>>(text).unwrap().parse(entry)
    }

    #[test]
    fn a_struct_is_read_in_any_order_with_its_defaults() {
        let line = line();
        let value =
            read(r#"{"To":{"X":1},"From":{"Name":"a","X":"0.1"},"Rest":[{"X":"2"},{"X":"NaN"}]}"#, &line);
        let value = value.unwrap();
        let here = "{From: {X: 0.1, Name: a}, Rest: [{X: 2, Name: here}, {X: NaN, Name: here}], To: {X: 1, Name: here}}";
        assert_eq!(value.to_string(), here);
        let again = WireValue::of(&value);
        assert!(again.parse(&line).unwrap().same(&value));
        let (mut one, mut two) = (Json::new(), Json::new());
        again.write(&mut one);
        write_value(&mut two, &value);
        assert_eq!(one.finish(), two.finish());
    }

    #[test]
    fn a_struct_that_does_not_fit_is_refused() {
        let line = line();
        let rest = r#""To":{"X":"1"},"Rest":[]"#;
        for (text, kind) in [
            (r#"{"From":{"X":"1"},"Rest":[]}"#.to_owned(), ErrorKind::WrongType),
            (format!(r#"{{"From":{{"X":"1","Y":"1"}},{rest}}}"#), ErrorKind::WrongType),
            (format!(r#"{{"From":{{"X":"1","X":"1"}},{rest}}}"#), ErrorKind::WrongType),
            (format!(r#"{{"From":{{"X":{{}}}},{rest}}}"#), ErrorKind::WrongType),
            (format!(r#"{{"From":[{{"X":"1"}}],{rest}}}"#), ErrorKind::WrongType),
            (format!(r#"{{"From":null,{rest}}}"#), ErrorKind::WrongType),
            (format!(r#"{{"From":{{"X":"1e99"}},{rest}}}"#), ErrorKind::OutOfRange),
            (r#""a text""#.to_owned(), ErrorKind::WrongType),
            ("[]".to_owned(), ErrorKind::WrongType),
        ] {
            assert_eq!(read(&text, &line).unwrap_err().kind(), kind, "{text}");
        }
        assert!(read("{}", &of(DataType::STRING)).is_err());
        assert!(read("[{}]", &of(DataType::Array(ScalarType::String))).is_err());
    }

    #[test]
    fn few_bytes_do_not_become_many_values() {
        let property = |n: usize| Entry::attribute(&format!("P{n}"), DataType::BOOLEAN).with_default(true);
        let wide = StructType::new("Types.Wide", (0..4096).map(property)).unwrap();
        let entry = Entry::sensor("Vehicle.Wide", DataType::Array(ScalarType::Struct)).with_struct(&wide);
        let text = |many: usize| format!("[{}]", vec!["{}"; many].join(","));
        assert!(read(&text(16), &entry).is_ok());
        assert_eq!(read(&text(17), &entry).unwrap_err().kind(), ErrorKind::WrongType);
    }

    fn of(data_type: DataType) -> Entry {
        Entry::sensor("Vehicle.A", data_type)
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
            let back = WireValue::of(&one).parse(&of(DataType::Scalar(scalar))).unwrap();
            prop_assert!(back.same(&one), "{one} became {back}");
            let array = Value::Array([one.clone(), one].into());
            let mut json = Json::new();
            write_value(&mut json, &array);
            let raw = json.finish();
            let raw: RawValue<'_> = serde_json::from_slice(&raw).unwrap();
            prop_assert!(raw.parse(&of(DataType::Array(scalar))).unwrap().same(&array));
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
        assert!(WireValue::Array(vec![WireValue::Scalar("1".into())]).parse(&of(DataType::INT8)).is_err());
        assert!(WireValue::Scalar("1".into()).parse(&of(DataType::Array(ScalarType::Int8))).is_err());
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
