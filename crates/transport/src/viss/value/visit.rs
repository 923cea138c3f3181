//! Texts, ids and values out of a message, by one look at each: whatever JSON has is taken as the text that it is.
//!
//! *Invariant:* nothing is copied that the message holds without escapes.
//! *Next:* `../value.rs` (what becomes of them).

use std::borrow::Cow;
use std::fmt;

use coachwork_vehicle::Value;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Id, RawValue, Text, scalar_text};

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
        TextVisitor.visit_f64(value).map(RawValue::Number)
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
