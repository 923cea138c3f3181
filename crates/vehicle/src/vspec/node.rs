//! One node of an export becomes an entry.
//!
//! *Invariant:* the order of the file is kept, and a name that is there twice is an error, not the last of the two.
//! *Next:* `vspec.rs` (which walks the nodes).

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::{MAX_DEFAULTS, VspecError, VspecFault};
use crate::catalogue::{Entry, Kind};
use crate::structs::{StructType, StructValue};
use crate::value::{DataType, ScalarType, UnknownDataType, Value};

type Json = serde_json::Value;

/// Nodes by name, in the order of the file.
#[derive(Default)]
pub(super) struct Nodes(pub(super) Vec<(String, Node)>);

/// A file: trees, and beside them the definitions of structs.
#[derive(Default)]
pub(super) struct Roots {
    pub(super) trees: Nodes,
    pub(super) types: Nodes,
}

/// Finds the struct of a name at a path.
pub(super) type Find<'a> = dyn FnMut(&str, &str) -> Result<Option<Arc<StructType>>, VspecError> + 'a;

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
    /// The leaf at `path` as an entry named `name`, not yet checked against itself.
    pub(super) fn entry(
        &self,
        kind: Kind,
        name: &str,
        path: &str,
        find: &mut Find<'_>,
        spare: &Cell<usize>,
    ) -> Result<Entry, VspecError> {
        let fault = |member, why: String| VspecFault::Member { member, why }.at(path);
        if !self.children.0.is_empty() {
            return Err(fault("children", format!("a {} has none", self.kind)));
        }
        let (data_type, of) = self.data_type(path, find)?;
        let limit = |member, json: &Option<Json>| {
            let read = |json| value(json, of.as_ref(), spare).map_err(|why| fault(member, why));
            json.as_ref().map(read).transpose()
        };
        let mut entry = Entry::new(kind, name, data_type);
        if let Some(of) = &of {
            entry = entry.with_struct(of);
        }
        entry = entry.with_range(limit("min", &self.min)?, limit("max", &self.max)?);
        if let Some(allowed) = &self.allowed {
            let allowed: Result<Vec<_>, _> = allowed.iter().map(|json| value(json, None, spare)).collect();
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

    /// The type, and which struct it is where it is one.
    fn data_type(
        &self,
        path: &str,
        find: &mut Find<'_>,
    ) -> Result<(DataType, Option<Arc<StructType>>), VspecError> {
        let fault = |why: String| VspecFault::Member { member: "datatype", why }.at(path);
        let name = self.datatype.as_deref().ok_or_else(|| fault("it is missing".to_owned()))?;
        let unknown: UnknownDataType = match name.parse() {
            Ok(data_type) => return Ok((data_type, None)),
            Err(unknown) => unknown,
        };
        let (of, data_type) = match name.strip_suffix("[]") {
            Some(of) => (of, DataType::Array(ScalarType::Struct)),
            None => (name, DataType::STRUCT),
        };
        match find(of, path)? {
            Some(of) => Ok((data_type, Some(of))),
            // Only the type of a struct is a path.
            None if name.contains('.') => Err(VspecFault::Struct(unknown.0).at(path)),
            None => Err(fault(unknown.to_string())),
        }
    }
}

/// A value as JSON writes it; the entry's check brings it into the type of the signal. `spare`: how many properties the file may still leave to
/// their defaults.
fn value(json: &Json, of: Option<&Arc<StructType>>, spare: &Cell<usize>) -> Result<Value, String> {
    match json {
        Json::Bool(truth) => Ok(Value::Bool(*truth)),
        Json::String(text) => Ok(Value::from(text.as_str())),
        Json::Number(number) => {
            let whole = number.as_u64().map(Value::Uint).or_else(|| number.as_i64().map(Value::Int));
            whole
                .or_else(|| number.as_f64().map(Value::Double))
                .ok_or_else(|| format!("{number} is too large"))
        }
        Json::Array(items) => {
            items.iter().map(|item| value(item, of, spare)).collect::<Result<_, _>>().map(Value::Array)
        }
        Json::Object(members) => {
            let of = of.ok_or_else(|| format!("{json} is not a value"))?;
            // Before anything is made: a few bytes must not stand for many values.
            let left = spare.get().checked_sub(of.properties().len().saturating_sub(members.len()));
            spare.set(left.ok_or_else(|| {
                format!("the values of the file leave more than {MAX_DEFAULTS} properties to their defaults")
            })?);
            let member = |(name, json): (&'_ String, &Json)| {
                let property = of.properties().iter().find(|known| known.path().as_str() == name);
                Ok((name.clone(), value(json, property.and_then(Entry::struct_type), spare)?))
            };
            let members: Vec<(String, Value)> = members.iter().map(member).collect::<Result<_, String>>()?;
            let members = members.iter().map(|(name, value)| (name.as_str(), value.clone()));
            StructValue::new(of, members).map(Value::from).map_err(|why| why.to_string())
        }
        Json::Null => Err(format!("{json} is not a value")),
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

impl<'de> Deserialize<'de> for Roots {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TreesAndTypes)
    }
}

struct TreesAndTypes;

impl<'de> Visitor<'de> for TreesAndTypes {
    type Value = Roots;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trees by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Roots, A::Error> {
        let mut roots = Roots::default();
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("{name:?} is there twice")));
            }
            // vss-tools put the definitions of structs beside the tree, in a member of this name.
            if name == "ComplexDataTypes" {
                roots.types = map.next_value()?;
            } else {
                roots.trees.0.push((name, map.next_value()?));
            }
        }
        Ok(roots)
    }
}
