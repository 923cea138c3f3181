//! A catalogue as the metadata of VISS, the tree of VSS in JSON, and back.
//!
//! With additional members the step, staleness and rights of each signal and the facts of the vehicle travel too, so that a client
//! can rebuild the catalogue that the server has.
//!
//! *Invariant:* an entry that cannot be understood is left out and reported; it spoils no other.
//! *Next:* `answer.rs` (which carries it).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coachwork_vehicle::{
    Access, Catalogue, DataType, Entry, Error, ErrorKind, Facts, Kind, Permission, Receipts, ScalarType,
    SignalId, StructType, TimeBase, Value,
};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::dialect::Form;
use super::json::Json;
use super::point::{read_reason, write_reason};
use super::target::Target;
use super::value::{RawValue, Text, scalar_text, write_value};

/// How deep the metadata of the deepest path nests.
pub(crate) const METADATA_DEPTH: usize = 2 * 32 + 16;

/// Metadata, encoded once for all peers of one form that see the same catalogue.
#[derive(Clone, Debug)]
pub struct EncodedMetadata {
    form: Form,
    /// The members of the answer, each after a comma.
    pub(crate) members: Bytes,
}

/// What a server says of its signals.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The signals with what may be done with them, each checked by itself.
    pub entries: Vec<(Entry, Access)>,
    /// What holds for the vehicle; only a server with additional members says it.
    pub facts: Option<Facts>,
    /// The number of the server's snapshot; only a server with additional members says it.
    pub revision: Option<u64>,
    /// The signals that are left out, by path, with the reason.
    pub skipped: Vec<(String, Error)>,
}

impl EncodedMetadata {
    /// The form that it is encoded in.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The metadata of what `target` means in `catalogue`; `generations` levels of the tree, zero for all.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownSignal`] where there is nothing, [`ErrorKind::Limit`] where the target names too many paths.
    pub fn new(form: Form, catalogue: &Catalogue, target: &Target, generations: u32) -> Result<Self, Error> {
        let patterns = target.patterns()?;
        let mut chosen: Vec<_> =
            catalogue.iter().filter(|(_, entry)| target.includes(entry.path(), &patterns)).collect();
        if chosen.is_empty() && !(target.root().is_empty() && catalogue.is_empty()) {
            let message = "this vehicle has nothing at or below it";
            return Err(Error::new(ErrorKind::UnknownSignal, message).on_path(target.root()));
        }
        // In this order, what is below a branch follows without a gap: a dot sorts before letters and digits.
        chosen.sort_unstable_by(|(_, a), (_, b)| a.path().cmp(b.path()));
        let above = target.root().rfind('.').map_or(0, |dot| dot + 1);
        let levels =
            if generations == 0 { usize::MAX } else { usize::try_from(generations).unwrap_or(usize::MAX) };
        let mut json = Json::continued();
        json.key("metadata").open(b'{');
        let types = if form.additions { TypesWriter::of(&chosen) } else { TypesWriter::default() };
        let mut tree = TreeWriter { json, open: Vec::new(), types };
        let mut chosen = chosen.into_iter().peekable();
        while let Some((id, entry)) = chosen.next() {
            let names: Vec<&str> =
                entry.path().as_str().get(above..).unwrap_or_default().split('.').collect();
            let access = catalogue.access(id).unwrap_or(&NO_ACCESS);
            // VSS has nothing below a signal, but a catalogue may.
            let more = chosen.peek().is_some_and(|(_, next)| {
                next.path()
                    .as_str()
                    .strip_prefix(entry.path().as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            });
            let leaf = (names.len() <= levels).then_some((entry, access, form));
            tree.node(&names, levels, leaf, more);
        }
        let (mut json, types) = tree.finish();
        json.close(b'}');
        if form.additions {
            types.write(&mut json);
            write_facts(&mut json, catalogue.facts());
            json.key("revision").plain(catalogue.revision());
        }
        Ok(Self { form, members: json.finish() })
    }
}

const NO_ACCESS: Access = Access { read: Permission::No, write: Permission::No };

/// Writes entries that come in the order of their paths as a tree.
struct TreeWriter<'e> {
    json: Json,
    /// The names of the nodes whose `children` are open.
    open: Vec<&'e str>,
    types: TypesWriter<'e>,
}

impl<'e> TreeWriter<'e> {
    fn node(&mut self, names: &[&'e str], levels: usize, leaf: Option<(&Entry, &Access, Form)>, more: bool) {
        let shown = names.get(..levels).unwrap_or(names);
        let branches =
            if leaf.is_some() { shown.split_last().map_or(shown, |(_, branches)| branches) } else { shown };
        let common = self.open.iter().zip(branches).take_while(|(open, name)| open == name).count();
        self.close_to(common);
        for name in branches.get(common..).unwrap_or_default() {
            self.json.key(name).open(b'{').member("type", "branch").key("children").open(b'{');
            self.open.push(name);
        }
        if let (Some((entry, access, form)), Some(name)) = (leaf, shown.last()) {
            self.json.key(name).open(b'{');
            self.json.member("type", entry.kind().name());
            write_entry(&mut self.json, entry, &self.types, form.additions);
            if form.additions {
                write_access(&mut self.json, entry, access);
            }
            if more {
                self.json.key("children").open(b'{');
                self.open.push(name);
            } else {
                self.json.close(b'}');
            }
        }
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            self.open.pop();
            self.json.close(b'}').close(b'}');
        }
    }

    fn finish(mut self) -> (Json, TypesWriter<'e>) {
        self.close_to(0);
        (self.json, self.types)
    }
}

/// The struct types of the signals that are written, each after those of its properties.
#[derive(Default)]
struct TypesWriter<'e> {
    known: HashMap<&'e str, &'e Arc<StructType>>,
    order: Vec<&'e Arc<StructType>>,
}

impl<'e> TypesWriter<'e> {
    fn of(chosen: &[(SignalId, &'e Entry)]) -> Self {
        let mut types = Self::default();
        chosen.iter().filter_map(|(_, entry)| entry.struct_type()).for_each(|of| types.note(of));
        types
    }

    /// How deep types nest is bounded, and a type that is known is not walked again.
    fn note(&mut self, of: &'e Arc<StructType>) {
        if self.known.contains_key(of.path().as_str()) {
            return;
        }
        self.known.insert(of.path().as_str(), of);
        of.properties().iter().filter_map(Entry::struct_type).for_each(|part| self.note(part));
        self.order.push(of);
    }

    /// The name of an entry's type. Where two parts of a vehicle define a struct of one path differently, the second has a name that
    /// nothing defines, so that the other end leaves its signals out rather than reading them wrongly.
    fn name(&self, entry: &'e Entry) -> Cow<'e, str> {
        let known = |of: &Arc<StructType>| {
            self.known.get(of.path().as_str()).is_none_or(|known| Arc::ptr_eq(known, of) || *known == of)
        };
        match entry.struct_type() {
            Some(of) if !known(of) => format!("{}#2", entry.type_name()).into(),
            _ => entry.type_name(),
        }
    }

    fn write(&self, json: &mut Json) {
        if self.order.is_empty() {
            return;
        }
        json.key("types").open(b'{');
        for of in &self.order {
            json.any_key(of.path().as_str()).open(b'{').member("type", "struct").key("children").open(b'{');
            for property in of.properties() {
                json.any_key(property.path().as_str()).open(b'{').member("type", "property");
                write_entry(json, property, self, true);
                if let Some(default) = property.default_value() {
                    write_value(json.key("default"), default);
                }
                json.close(b'}');
            }
            json.close(b'}').close(b'}');
        }
        json.close(b'}');
    }
}

fn write_entry<'e>(json: &mut Json, entry: &'e Entry, types: &TypesWriter<'e>, additions: bool) {
    json.key("datatype").plain(types.name(entry));
    if let Some(unit) = entry.unit() {
        json.member("unit", unit.key());
    }
    for (key, limit) in [("min", entry.min()), ("max", entry.max())] {
        if let Some(limit) = limit {
            json.member(key, &scalar_text(limit));
        }
    }
    if !entry.allowed().is_empty() && entry.struct_type().is_none() {
        json.key("allowed").open(b'[');
        for value in entry.allowed() {
            json.text(&scalar_text(value));
        }
        json.close(b']');
    }
    if !additions {
        return;
    }
    if let Some(step) = entry.step() {
        json.member("step", &scalar_text(&step.into()));
    }
    if let Some(limit) = entry.stale_after() {
        json.key("staleAfter").plain(limit.as_nanos());
    }
}

fn write_access(json: &mut Json, entry: &Entry, access: &Access) {
    let usual = entry.kind().access();
    for (key, now, usual) in [("read", &access.read, &usual.read), ("write", &access.write, &usual.write)] {
        if now != usual {
            write_permission(json.key(key), now);
        }
    }
}

pub(crate) fn write_permission(json: &mut Json, permission: &Permission) {
    json.open(b'{');
    match permission {
        Permission::Yes => {
            json.member("right", "yes");
        }
        Permission::No => {
            json.member("right", "no");
        }
        Permission::Denied(reason) => {
            json.member("right", "denied");
            write_reason(json, reason);
        }
    }
    json.close(b'}');
}

fn write_facts(json: &mut Json, facts: &Facts) {
    let receipts = match facts.receipts {
        Receipts::Confirmed => "confirmed",
        Receipts::Accepted => "accepted",
    };
    let time = match facts.time {
        TimeBase::Utc => "utc",
        TimeBase::Unknown => "unknown",
    };
    json.key("facts").open(b'{').member("receipts", receipts).key("backPressure").plain(facts.back_pressure);
    json.key("snapshots").plain(facts.snapshots).key("reportsChangesOnly").plain(facts.reports_changes_only);
    json.member("time", time).close(b'}');
}

/// The tree of an answer, its nodes in the order of the message.
#[derive(Debug)]
pub(crate) struct RawTree<'a>(Vec<(Text<'a>, RawNode<'a>)>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNode<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    datatype: Option<Text<'a>>,
    #[serde(borrow)]
    unit: Option<Text<'a>>,
    #[serde(borrow)]
    min: Option<RawValue<'a>>,
    #[serde(borrow)]
    max: Option<RawValue<'a>>,
    #[serde(borrow)]
    allowed: Option<RawValue<'a>>,
    #[serde(borrow)]
    children: Option<RawTree<'a>>,
    #[serde(borrow)]
    default: Option<RawValue<'a>>,
    #[serde(borrow)]
    step: Option<Text<'a>>,
    #[serde(borrow)]
    stale_after: Option<Text<'a>>,
    #[serde(borrow)]
    read: Option<RawPermission<'a>>,
    #[serde(borrow)]
    write: Option<RawPermission<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawPermission<'a> {
    #[serde(borrow)]
    right: Text<'a>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
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

impl Metadata {
    /// `root` is the path that was asked for: the tree begins with its last name.
    pub(crate) fn read(
        tree: RawTree<'_>,
        types: Option<RawTree<'_>>,
        facts: Option<&RawFacts<'_>>,
        revision: Option<u64>,
        root: &str,
    ) -> Self {
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
            metadata.node(&path, node, &types);
        }
        metadata
    }

    /// Depth is bounded: the message was checked for it before it was read.
    fn node(&mut self, path: &str, mut node: RawNode<'_>, types: &Types) {
        let children = node.children.take();
        if node.kind.as_ref().is_some_and(|kind| kind.0 != "branch") {
            match node.signal(path, types) {
                Ok(entry) => self.entries.push(entry),
                Err(error) => self.skipped.push((path.to_owned(), error)),
            }
        }
        for (name, child) in children.into_iter().flat_map(|tree| tree.0) {
            self.node(&format!("{path}.{}", name.0), child, types);
        }
    }
}

/// Struct types by their paths.
type Types = HashMap<String, Arc<StructType>>;

/// The struct types that can be understood, each made of those before it: so none contains itself, and none is walked twice. The
/// signals of one that cannot be understood are left out.
fn read_types(types: Option<RawTree<'_>>) -> Types {
    let mut made = Types::new();
    for (path, node) in types.into_iter().flat_map(|types| types.0) {
        let properties = node.children.into_iter().flat_map(|children| children.0);
        let property = |(name, property): (Text<'_>, RawNode<'_>)| property.property(&name.0, &made);
        let properties: Result<Vec<Entry>, Error> = properties.map(property).collect();
        let of = properties.ok().and_then(|properties| StructType::new(&path.0, properties).ok());
        if let Some(of) = of {
            made.entry(path.0.into_owned()).or_insert(of);
        }
    }
    made
}

impl RawNode<'_> {
    fn signal(mut self, path: &str, types: &Types) -> Result<(Entry, Access), Error> {
        let unread = |why: String| Error::new(ErrorKind::Protocol, why).on_path(path);
        let kind = self.kind.take().map_or_else(String::new, |kind| kind.0.into_owned());
        let kind: Kind = kind.parse().map_err(|why| unread(format!("{why}")))?;
        let (read, write) = (self.read.take(), self.write.take());
        let entry = self.leaf(kind, path, types)?;
        // The check of a whole catalogue, for this entry alone.
        Catalogue::new([entry.clone()], Facts::default()).map_err(|why| unread(why.to_string()))?;
        let usual = kind.access();
        let read = read.map_or(usual.read, RawPermission::permission);
        let write = write.map_or(usual.write, RawPermission::permission);
        Ok((entry, Access { read, write }))
    }

    /// A property of a struct.
    fn property(mut self, name: &str, types: &Types) -> Result<Entry, Error> {
        let default = self.default.take();
        let entry = self.leaf(Kind::Attribute, name, types)?;
        match default {
            None | Some(RawValue::Null) => Ok(entry),
            Some(default) => default.parse(&entry).map(|default| entry.with_default(default)),
        }
    }

    fn leaf(self, kind: Kind, path: &str, types: &Types) -> Result<Entry, Error> {
        let unread = |why: String| Error::new(ErrorKind::Protocol, why).on_path(path);
        let name = self.datatype.map_or_else(String::new, |name| name.0.into_owned());
        let (one, is_array) = name.strip_suffix("[]").map_or((name.as_str(), false), |one| (one, true));
        let (data_type, of) = match (name.parse(), types.get(one)) {
            (Ok(data_type), _) => (data_type, None),
            (Err(_), Some(of)) if is_array => (DataType::Array(ScalarType::Struct), Some(of)),
            (Err(_), Some(of)) => (DataType::STRUCT, Some(of)),
            (Err(why), None) => return Err(unread(format!("{why}"))),
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
        if let Some(unit) = self.unit.filter(|unit| !unit.0.is_empty()) {
            entry = entry.with_unit(&unit.0);
        }
        match self.allowed {
            None | Some(RawValue::Null) => {}
            Some(RawValue::Array(allowed)) => {
                let allowed = allowed.iter().map(|one| one.scalar(scalar));
                entry = entry.with_allowed(allowed.collect::<Result<Vec<_>, _>>()?);
            }
            Some(_) => return Err(unread("allowed is an array".to_owned())),
        }
        if let Some(step) = self.step {
            let step = step.0.parse().map_err(|_| unread("a step is a number".to_owned()))?;
            entry = entry.with_step(step);
        }
        if let Some(limit) = self.stale_after {
            let limit =
                limit.0.parse().map_err(|_| unread("staleAfter is a number of nanoseconds".to_owned()))?;
            entry = entry.with_stale_after(Duration::from_nanos(limit));
        }
        Ok(entry)
    }
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
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = RawTree<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
        deserializer.deserialize_map(TreeVisitor)
    }
}
