//! One node of an export becomes an entry.
//!
//! *Invariant:* the order of the file is kept, and a name that is there twice is an error, not the last of the two.
//! *Next:* `vspec.rs` (which walks the nodes).

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::{VspecError, VspecFault};
use crate::catalogue::{Entry, Kind};
use crate::value::{DataType, Value};

type Json = serde_json::Value;

/// Nodes by name, in the order of the file.
#[derive(Default)]
pub(super) struct Nodes(pub(super) Vec<(String, Node)>);

#[derive(serde::Deserialize)]
pub(super) struct Node {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    datatype: Option<String>,
    unit: Option<String>,
    min: Option<Json>,
    max: Option<Json>,
    allowed: Option<Vec<Json>>,
    default: Option<Json>,
    pattern: Option<String>,
    deprecation: Option<String>,
    arraysize: Option<u32>,
    pub(super) instances: Option<Json>,
    pub(super) instantiate: Option<bool>,
    #[serde(default)]
    pub(super) children: Nodes,
    /// Everything else: what VSS says in words, and extended attributes.
    #[serde(flatten)]
    others: BTreeMap<String, Json>,
}

/// Members that are words for people.
const WORDS: [&str; 4] = ["description", "comment", "uuid", "fka"];

impl Node {
    /// The leaf at `path` as an entry, not yet checked against itself.
    pub(super) fn entry(&self, kind: Kind, path: &str) -> Result<Entry, VspecError> {
        let fault = |member, why: String| VspecFault::Member { member, why }.at(path);
        if !self.children.0.is_empty() {
            return Err(fault("children", format!("a {kind} has none")));
        }
        let data_type = self.data_type().map_err(|fault| fault.at(path))?;
        let limit = |member, json: &Option<Json>| {
            json.as_ref().map(|json| value(json).map_err(|why| fault(member, why))).transpose()
        };
        let mut entry =
            Entry::new(kind, path, data_type).with_range(limit("min", &self.min)?, limit("max", &self.max)?);
        if let Some(allowed) = &self.allowed {
            let allowed: Result<Vec<_>, _> = allowed.iter().map(value).collect();
            entry = entry.with_allowed(allowed.map_err(|why| fault("allowed", why))?);
        }
        if let Some(default) = limit("default", &self.default)? {
            entry = entry.with_default(default);
        }
        if let Some(unit) = self.unit.as_deref().filter(|unit| !unit.is_empty()) {
            entry = entry.with_unit(unit);
        }
        if let Some(expression) = &self.pattern {
            entry = entry.with_pattern(expression);
        }
        if let Some(advice) = &self.deprecation {
            entry = entry.with_deprecation(advice);
        }
        // vss-tools write 0 where the size is open.
        if let Some(elements) = self.arraysize.filter(|elements| *elements > 0) {
            entry = entry.with_array_size(elements);
        }
        let extended = self.others.iter().filter(|(name, _)| !WORDS.contains(&name.as_str()));
        Ok(extended.fold(entry, |entry, (name, json)| entry.with_extended(name, &json.to_string())))
    }

    fn data_type(&self) -> Result<DataType, VspecFault> {
        let missing = || VspecFault::Member { member: "datatype", why: "it is missing".to_owned() };
        let name = self.datatype.as_deref().ok_or_else(missing)?;
        name.parse().map_err(|unknown: crate::value::UnknownDataType| {
            // The type of a struct is the path of its definition.
            if name.contains('.') {
                VspecFault::Struct(unknown.0)
            } else {
                VspecFault::Member { member: "datatype", why: unknown.to_string() }
            }
        })
    }
}

/// A value as JSON writes it; the entry's check brings it into the type of the signal.
fn value(json: &Json) -> Result<Value, String> {
    match json {
        Json::Bool(truth) => Ok(Value::Bool(*truth)),
        Json::String(text) => Ok(Value::from(text.as_str())),
        Json::Number(number) => {
            let whole = number.as_u64().map(Value::Uint).or_else(|| number.as_i64().map(Value::Int));
            whole
                .or_else(|| number.as_f64().map(Value::Double))
                .ok_or_else(|| format!("{number} is too large"))
        }
        Json::Array(items) => items.iter().map(value).collect::<Result<_, _>>().map(Value::Array),
        Json::Null | Json::Object(_) => Err(format!("{json} is not a value")),
    }
}

impl<'de> Deserialize<'de> for Nodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Nodes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nodes by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nodes, A::Error> {
        let mut nodes = Nodes::default();
        let mut names = HashSet::new();
        while let Some((name, node)) = map.next_entry::<String, Node>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("{name:?} is there twice")));
            }
            nodes.0.push((name, node));
        }
        Ok(nodes)
    }
}
