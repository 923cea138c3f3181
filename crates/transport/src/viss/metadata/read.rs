//! The tree of an answer becomes entries, each with what may be done with it.
//!
//! *Invariant:* a node that cannot be understood is left out and reported by its path; it spoils no other. How many may be is bounded.
//! *Next:* `../reply.rs` (the answer around it), `../../session/client.rs` (which asked).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::{
    Access, Catalogue, DataType, Entry, Error, ErrorKind, Facts, Kind, Permission, Receipts, ScalarType,
    StructType, TimeBase, Value,
};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Metadata;
use crate::viss::object::object;
use crate::viss::point::read_reason;
use crate::viss::value::{RawValue, Text};

/// How many nodes may be left out before the whole is no description of a vehicle.
const MAX_SKIPPED: usize = 10_000;

/// The tree of an answer, its nodes in the order of the message.
#[derive(Debug)]
pub(crate) struct RawTree<'a>(Vec<(Text<'a>, RawNode<'a>)>);

/// A node as it stands. Each member may be anything, for what is wrong with it concerns the node alone.
#[derive(Debug, Default)]
struct RawNode<'a> {
    kind: Option<RawValue<'a>>,
    datatype: Option<RawValue<'a>>,
    unit: Option<RawValue<'a>>,
    min: Option<RawValue<'a>>,
    max: Option<RawValue<'a>>,
    allowed: Option<RawValue<'a>>,
    default: Option<RawValue<'a>>,
    step: Option<RawValue<'a>>,
    stale_after: Option<RawValue<'a>>,
    read: Option<RawValue<'a>>,
    write: Option<RawValue<'a>>,
    children: Option<Children<'a>>,
    /// What makes it no node at all.
    fault: Option<&'static str>,
}

/// What is below a node.
#[derive(Debug)]
enum Children<'a> {
    Tree(RawTree<'a>),
    /// Their names alone, as version 3 has the lowest generation that was asked for.
    Names(Vec<RawValue<'a>>),
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawPermission<'a> {
    #[serde(borrow)]
    right: Text<'a>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self", expecting = "an object")]
pub(crate) struct RawFacts<'a> {
    #[serde(borrow)]
    receipts: Option<Text<'a>>,
    #[serde(borrow)]
    back_pressure: Option<Text<'a>>,
    #[serde(borrow)]
    snapshots: Option<Text<'a>>,
    #[serde(borrow)]
    reports_changes_only: Option<Text<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
}

object!(RawPermission, RawFacts);

impl Metadata {
    /// `root` is the path that was asked for: the tree begins with its last name.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where more than [`MAX_SKIPPED`] nodes cannot be understood, with the first of them.
    pub(crate) fn read(
        tree: RawTree<'_>,
        types: Option<RawTree<'_>>,
        facts: Option<&RawFacts<'_>>,
        revision: Option<u64>,
        root: &str,
    ) -> Result<Self, Error> {
        let mut metadata =
            Self { entries: Vec::new(), facts: facts.map(RawFacts::facts), revision, skipped: Vec::new() };
        let types = read_types(types);
        let above = root.rfind('.').map_or("", |dot| root.get(..dot).unwrap_or_default());
        for (name, node) in tree.0 {
            // Some servers name the first node by its whole path.
            let path = if above.is_empty() || name.0 == root {
                name.0.into_owned()
            } else {
                format!("{above}.{}", name.0)
            };
            metadata.node(&path, node, &types)?;
        }
        metadata.once()?;
        Ok(metadata)
    }

    /// Depth is bounded: the message was checked for it before it was read.
    fn node(&mut self, path: &str, mut node: RawNode<'_>, types: &Types) -> Result<(), Error> {
        if let Some(fault) = node.fault {
            return self.skip(path.to_owned(), unread(fault, path));
        }
        let children = node.children.take();
        // Whatever has something below it and does not say what it is, is a branch.
        let is_branch = match &node.kind {
            None => children.is_some(),
            Some(kind) => matches!(kind, RawValue::Scalar(kind) if kind.0 == "branch"),
        };
        if !is_branch {
            match node.signal(path, types) {
                Ok(entry) => self.entries.push(entry),
                Err(error) => self.skip(path.to_owned(), error)?,
            }
        }
        match children {
            None => {}
            Some(Children::Tree(tree)) => {
                for (name, child) in tree.0 {
                    self.node(&format!("{path}.{}", name.0), child, types)?;
                }
            }
            Some(Children::Names(names)) => {
                for name in names {
                    let RawValue::Scalar(name) = name else {
                        self.skip(path.to_owned(), unread("a child of it is no node", path))?;
                        continue;
                    };
                    let path = format!("{path}.{}", name.0);
                    let error = unread("the server names it and does not say what it is", &path);
                    self.skip(path, error)?;
                }
            }
            Some(Children::Other) => {
                self.skip(path.to_owned(), unread("its children are no object", path))?;
            }
        }
        Ok(())
    }

    /// Of several signals of one path the first counts.
    fn once(&mut self) -> Result<(), Error> {
        let mut seen = HashSet::with_capacity(self.entries.len());
        let first: Vec<bool> =
            self.entries.iter().map(|(entry, _)| seen.insert(entry.path().as_str())).collect();
        if !first.contains(&false) {
            return Ok(());
        }
        for ((entry, access), first) in std::mem::take(&mut self.entries).into_iter().zip(first) {
            if first {
                self.entries.push((entry, access));
            } else {
                let path = entry.path().as_str();
                self.skip(path.to_owned(), unread("it is there twice; the first counts", path))?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, path: String, error: Error) -> Result<(), Error> {
        if self.skipped.len() >= MAX_SKIPPED {
            let first = self.skipped.first().map_or(error.clone(), |(_, error)| error.clone());
            let why = format!(
                "more than {MAX_SKIPPED} nodes cannot be understood, the first of them: {}",
                first.message()
            );
            return Err(unread(why, first.path().map_or("", AsRef::as_ref)));
        }
        self.skipped.push((path, error));
        Ok(())
    }
}

fn unread(why: impl Into<std::borrow::Cow<'static, str>>, path: &str) -> Error {
    Error::new(ErrorKind::Protocol, why).on_path(path)
}

/// Struct types by their paths.
type Types = HashMap<String, Arc<StructType>>;

/// The struct types that can be understood, each made of those before it: so none contains itself, and none is walked twice. The
/// signals of one that cannot be understood are left out.
fn read_types(types: Option<RawTree<'_>>) -> Types {
    let mut made = Types::new();
    for (path, node) in types.into_iter().flat_map(|types| types.0) {
        let Some(Children::Tree(properties)) = node.children else { continue };
        let property = |(name, property): (Text<'_>, RawNode<'_>)| property.property(&name.0, &made);
        let properties: Result<Vec<Entry>, Error> = properties.0.into_iter().map(property).collect();
        let of = properties.ok().and_then(|properties| StructType::new(&path.0, properties).ok());
        if let Some(of) = of {
            made.entry(path.0.into_owned()).or_insert(of);
        }
    }
    made
}

impl RawNode<'_> {
    fn signal(mut self, path: &str, types: &Types) -> Result<(Entry, Access), Error> {
        let kind = text(self.kind.take(), "type", path)?;
        let kind = kind.ok_or_else(|| unread("a node without a type", path))?;
        let kind: Kind = kind.0.parse().map_err(|why| unread(format!("{why}"), path))?;
        let (read, write) = (self.read.take(), self.write.take());
        let entry = self.leaf(kind, path, types)?;
        // The check of a whole catalogue, for this entry alone.
        Catalogue::new([entry.clone()], Facts::default()).map_err(|why| unread(why.to_string(), path))?;
        let usual = kind.access();
        let read = read.map_or(usual.read, permission);
        let write = write.map_or(usual.write, permission);
        Ok((entry, Access { read, write }))
    }

    /// A property of a struct.
    fn property(mut self, name: &str, types: &Types) -> Result<Entry, Error> {
        if let Some(fault) = self.fault {
            return Err(unread(fault, name));
        }
        let default = self.default.take();
        let entry = self.leaf(Kind::Attribute, name, types)?;
        match default {
            None | Some(RawValue::Null) => Ok(entry),
            Some(default) => default.parse(&entry).map(|default| entry.with_default(default)),
        }
    }

    fn leaf(self, kind: Kind, path: &str, types: &Types) -> Result<Entry, Error> {
        let name = text(self.datatype, "datatype", path)?;
        let name = name.ok_or_else(|| unread("a signal without a datatype", path))?.0;
        let (one, is_array) = name.strip_suffix("[]").map_or((name.as_ref(), false), |one| (one, true));
        let (data_type, of) = match (name.parse(), types.get(one)) {
            (Ok(data_type), _) => (data_type, None),
            (Err(_), Some(of)) if is_array => (DataType::Array(ScalarType::Struct), Some(of)),
            (Err(_), Some(of)) => (DataType::STRUCT, Some(of)),
            (Err(why), None) => return Err(unread(format!("{why}"), path)),
        };
        let scalar = data_type.scalar();
        let limit = |limit: Option<RawValue<'_>>| -> Result<Option<Value>, Error> {
            match limit {
                None | Some(RawValue::Null) => Ok(None),
                Some(limit) => limit.scalar(scalar).map(Some).map_err(|error| error.on_path(path)),
            }
        };
        let mut entry = Entry::new(kind, path, data_type).with_range(limit(self.min)?, limit(self.max)?);
        if let Some(of) = of {
            entry = entry.with_struct(of);
        }
        if let Some(unit) = text(self.unit, "unit", path)?.filter(|unit| !unit.0.is_empty()) {
            entry = entry.with_unit(&unit.0);
        }
        match self.allowed {
            None | Some(RawValue::Null) => {}
            Some(RawValue::Array(allowed)) => {
                let allowed =
                    allowed.iter().map(|one| one.scalar(scalar).map_err(|error| error.on_path(path)));
                entry = entry.with_allowed(allowed.collect::<Result<Vec<_>, _>>()?);
            }
            Some(_) => return Err(unread("allowed is an array", path)),
        }
        if let Some(step) = text(self.step, "step", path)? {
            let step = step.0.parse().map_err(|_| unread("a step is a number", path))?;
            entry = entry.with_step(step);
        }
        if let Some(limit) = text(self.stale_after, "staleAfter", path)? {
            let limit = limit.0.parse().map_err(|_| unread("staleAfter is a number of nanoseconds", path))?;
            entry = entry.with_stale_after(Duration::from_nanos(limit));
        }
        Ok(entry)
    }
}

/// A member that is a text, or is not there.
fn text<'a>(member: Option<RawValue<'a>>, name: &str, path: &str) -> Result<Option<Text<'a>>, Error> {
    match member {
        None | Some(RawValue::Null) => Ok(None),
        Some(RawValue::Scalar(text) | RawValue::Number(text)) => Ok(Some(text)),
        Some(_) => Err(unread(format!("its {name} is no text"), path)),
    }
}

/// A right that is not understood is denied.
fn permission(raw: RawValue<'_>) -> Permission {
    let (mut right, mut reason, mut text) = (None, None, None);
    if let RawValue::Struct(members) = raw {
        for (name, value) in members {
            let place = match name.0.as_ref() {
                "right" => &mut right,
                "reason" => &mut reason,
                "text" => &mut text,
                _ => continue,
            };
            if let (RawValue::Scalar(value), None) = (value, &place) {
                *place = Some(value);
            }
        }
    }
    let right = right.unwrap_or_else(|| Text("".into()));
    RawPermission { right, reason, text }.permission()
}

impl RawPermission<'_> {
    /// A right that is not understood is denied.
    pub(crate) fn permission(self) -> Permission {
        match self.right.0.as_ref() {
            "yes" => Permission::Yes,
            "no" => Permission::No,
            _ => Permission::Denied(read_reason(self.reason.as_ref(), self.text)),
        }
    }
}

impl RawFacts<'_> {
    /// What is not said is taken as the weaker promise.
    fn facts(&self) -> Facts {
        let yes = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| text.0 == "true");
        let mut facts = Facts::default();
        facts.receipts = match &self.receipts {
            Some(text) if text.0 == "confirmed" => Receipts::Confirmed,
            _ => Receipts::Accepted,
        };
        facts.time = match &self.time {
            Some(text) if text.0 == "utc" => TimeBase::Utc,
            _ => TimeBase::Unknown,
        };
        facts.back_pressure = yes(&self.back_pressure);
        facts.snapshots = yes(&self.snapshots);
        facts.reports_changes_only = yes(&self.reports_changes_only);
        facts
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawTree<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = RawTree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of nodes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawTree<'de>, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = map.next_entry()? {
            nodes.push(node);
        }
        Ok(RawTree(nodes))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawNode<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// A visitor's answers to whatever is no object, and to no list: the same for all of it.
macro_rules! otherwise {
    ($what:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($what)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($what)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($what)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($what)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($what)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($what)
        }
    };
}

struct NodeVisitor;

impl NodeVisitor {
    fn none<'a>() -> RawNode<'a> {
        RawNode { fault: Some("the node is no object"), ..RawNode::default() }
    }
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = RawNode<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawNode<'de>, A::Error> {
        let mut node = RawNode::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let place = match name.0.as_ref() {
                "type" => &mut node.kind,
                "datatype" => &mut node.datatype,
                "unit" => &mut node.unit,
                "min" => &mut node.min,
                "max" => &mut node.max,
                "allowed" => &mut node.allowed,
                "default" => &mut node.default,
                "step" => &mut node.step,
                "staleAfter" => &mut node.stale_after,
                "read" => &mut node.read,
                "write" => &mut node.write,
                "children" => {
                    if node.children.is_some() {
                        node.fault = Some("the node has two members children");
                    }
                    node.children = map.next_value::<Option<Children<'de>>>()?;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if place.is_some() {
                node.fault = Some("the node has a member twice");
            }
            *place = Some(map.next_value()?);
        }
        Ok(node)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawNode<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::none())
    }

    otherwise!(Self::none());
}

impl<'de: 'a, 'a> Deserialize<'de> for Children<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChildrenVisitor)
    }
}

struct ChildrenVisitor;

impl<'de> Visitor<'de> for ChildrenVisitor {
    type Value = Children<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of nodes, or a list of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Children<'de>, A::Error> {
        TreeVisitor.visit_map(map).map(Children::Tree)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Children<'de>, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = seq.next_element()? {
            names.push(name);
        }
        Ok(Children::Names(names))
    }

    otherwise!(Children::Other);
}
