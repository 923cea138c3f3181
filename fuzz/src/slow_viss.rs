//! A message of VISS, read slowly: member by member and each as a tree, to say whether it has the shape that its members ask for.
//!
//! *Invariant:* nothing of the crates is used. What is a list where an object stands, or has a known member twice, has not that shape.
//! *Next:* `session_bytes.rs`, `viss_filters.rs` (whose oracle it is: what the crates take must have the shape).

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object as they stand.
struct Members(Vec<(String, Box<RawValue>)>);

type Shape = Result<(), String>;

/// A request; `id` is how it was read.
pub fn request(message: &[u8], id: &str) -> Shape {
    let members = Members::of(message)?;
    let read = members.one("requestId")?.ok_or("no requestId")?;
    let said = match tree(&read)? {
        Value::String(text) => text,
        Value::Number(number) if number.is_i64() || number.is_u64() => read.get().to_owned(),
        other => return Err(format!("{other} is no requestId")),
    };
    if said != id && said != "-0" {
        return Err(format!("{said:?} was read as {id:?}"));
    }
    let action = members.one("action")?.ok_or("no action")?;
    if !tree(&action)?.is_string() {
        return Err("an action that is no text".to_owned());
    }
    for name in
        ["path", "authorization", "within", "key", "coachwork", "overflow", "strict", "origin", "lane"]
    {
        members.scalar(name)?;
    }
    members.each("data", |item| {
        item.scalar("path")?.ok_or("an item without a path")?;
        item.one("value")?.ok_or("an item without a value")?;
        item.scalar("within")?;
        item.scalar("key").map(drop)
    })?;
    members.each("signals", |group| {
        let paths = group.one("paths")?.ok_or("a group without paths")?;
        if !tree(&paths)?.is_array() {
            return Err("paths that are no list".to_owned());
        }
        for name in ["change", "atMostEvery", "every"] {
            group.scalar(name)?;
        }
        match group.one("range")?.map(|range| tree(&range)).transpose()? {
            Some(Value::Array(bounds)) if bounds.len() != 2 => Err("a range of two bounds".to_owned()),
            None | Some(Value::Array(_) | Value::Null) => Ok(()),
            Some(_) => Err("a range that is no list".to_owned()),
        }
    })?;
    members.each("notes", |note| {
        for name in ["number", "ts", "name", "payload"] {
            note.scalar(name)?.ok_or_else(|| format!("a note without {name}"))?;
        }
        Ok(())
    })?;
    match members.one("filter")? {
        Some(filter) => self::filter(&filter),
        None => Ok(()),
    }
}

fn filter(filter: &RawValue) -> Shape {
    let one = |filter: &RawValue| {
        let members = Members::of(filter.get().as_bytes())?;
        let named = members.scalar("variant")?.or(members.scalar("type")?);
        named.ok_or("a filter without a name")?;
        let Some(parameter) = members.one("parameter")? else { return Ok(()) };
        match tree(&parameter)? {
            Value::Object(_) => Members::of(parameter.get().as_bytes())?.parameter(),
            Value::Array(list) if list.iter().any(Value::is_object) => {
                list_of(&parameter)?.iter().try_for_each(|one| Members::of(one.get().as_bytes())?.parameter())
            }
            _ => Ok(()),
        }
    };
    match tree(filter)? {
        Value::Null => Ok(()),
        Value::Object(_) => one(filter),
        Value::Array(list) if (1..=2).contains(&list.len()) => {
            list_of(filter)?.iter().try_for_each(|each| one(each))
        }
        other => Err(format!("{other} is no filter")),
    }
}

/// An answer, an event or a receipt.
pub fn reply(message: &[u8]) -> Shape {
    let members = Members::of(message)?;
    let texts = [
        "action",
        "requestId",
        "subscriptionId",
        "revision",
        "index",
        "lagged",
        "stored",
        "refusedNote",
        "coachwork",
    ];
    for name in texts {
        members.scalar(name)?;
    }
    for name in ["error", "metadata", "types", "facts", "ended", "receipt"] {
        members.object(name)?;
    }
    members.each("receipts", |receipt| {
        receipt.object("error")?;
        receipt.scalar("stage")?.map(drop).ok_or_else(|| "a receipt without a stage".to_owned())
    })?;
    members.each("refused", |refused| {
        refused.object("error")?;
        refused.scalar("path")?.map(drop).ok_or_else(|| "no path".to_owned())
    })?;
    members.each("access", |access| {
        access.object("read")?;
        access.scalar("path")?.map(drop).ok_or_else(|| "no path".to_owned())
    })?;
    let item = |item: &Members| {
        item.object("error")?;
        item.scalar("path")?.ok_or("an item without a path")?;
        item.one_or_each("dp", |point| {
            for name in ["ts", "state", "reason", "text"] {
                point.scalar(name)?;
            }
            point.one("value").map(drop)
        })
    };
    members.one_or_each("data", item)
}

impl Members {
    fn of(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|why| why.to_string())
    }

    /// A member; there are no two of it.
    fn one(&self, name: &str) -> Result<Option<Box<RawValue>>, String> {
        let mut named = self.0.iter().filter(|(known, _)| known == name);
        let one = named.next().map(|(_, value)| value.clone());
        if named.next().is_some() {
            return Err(format!("{name} is there twice"));
        }
        Ok(one.filter(|value| value.get() != "null"))
    }

    fn scalar(&self, name: &str) -> Result<Option<Value>, String> {
        match self.one(name)?.map(|value| tree(&value)).transpose()? {
            Some(Value::Array(_) | Value::Object(_)) => Err(format!("{name} is no text")),
            scalar => Ok(scalar),
        }
    }

    fn object(&self, name: &str) -> Shape {
        match self.one(name)? {
            Some(value) => Members::of(value.get().as_bytes()).map(drop),
            None => Ok(()),
        }
    }

    fn each(&self, name: &str, shape: impl Fn(&Members) -> Shape) -> Shape {
        match self.one(name)? {
            Some(list) => {
                list_of(&list)?.iter().try_for_each(|one| shape(&Members::of(one.get().as_bytes())?))
            }
            None => Ok(()),
        }
    }

    fn one_or_each(&self, name: &str, shape: impl Fn(&Members) -> Shape) -> Shape {
        match self.one(name)? {
            Some(value) if value.get().starts_with('{') => shape(&Members::of(value.get().as_bytes())?),
            _ => self.each(name, shape),
        }
    }

    fn parameter(&self) -> Shape {
        ["period", "logic-op", "boundary-op", "diff", "boundary", "combination-op"]
            .iter()
            .try_for_each(|name| self.one(name).map(drop))
    }
}

fn list_of(list: &RawValue) -> Result<Vec<Box<RawValue>>, String> {
    serde_json::from_str(list.get()).map_err(|why| why.to_string())
}

fn tree(value: &RawValue) -> Result<Value, String> {
    serde_json::from_str(value.get()).map_err(|why| why.to_string())
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_looked_at() {
        let get = r#"{"action":"get","path":"V","requestId":"1""#;
        assert_eq!(request(format!("{get}}}").as_bytes(), "1"), Ok(()));
        for (rest, id) in [
            ("}", "2"),
            ("} x", "1"),
            (",\"path\":\"W\"}", "1"),
            (",\"data\":[[\"V\",\"1\"]]}", "1"),
            (",\"filter\":{\"variant\":\"paths\",\"variant\":\"paths\"}}", "1"),
            (",\"filter\":[[\"paths\"]]}", "1"),
            (",\"signals\":[[[\"V\"]]]}", "1"),
        ] {
            assert!(request(format!("{get}{rest}").as_bytes(), id).is_err(), "{rest}");
        }
        assert!(request(br#"["get","1","V"]"#, "1").is_err());
        assert!(reply(br#"{"action":"get","data":[["V"]]}"#).is_err());
        assert!(reply(br#"{"action":"get","data":{"path":"V","dp":[["1"]]}}"#).is_err());
        assert_eq!(reply(br#"{"action":"get","data":[{"path":"V","dp":[{"value":"1"}]}]}"#), Ok(()));
    }
}
