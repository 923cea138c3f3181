//! A catalogue as the metadata of VISS, the tree of VSS in JSON, and back.
//!
//! With additional members the step, staleness and rights of each signal and the facts of the vehicle travel too, so that a client
//! can rebuild the catalogue that the server has.
//!
//! *Next:* `metadata/read.rs` (which reads it), `answer.rs` (which carries it).

mod read;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use coachwork_vehicle::{
    Access, Catalogue, Entry, Error, ErrorKind, Facts, Permission, Receipts, SignalId, StructType, TimeBase,
};

use super::dialect::Form;
use super::json::Json;
use super::point::write_reason;
use super::target::Target;
use super::value::{scalar_text, write_value};

pub(crate) use self::read::{RawFacts, RawPermission, RawTree};

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
    /// What is left out, by path, with the reason: signals that cannot be understood, and nodes of the tree that are none.
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

#[cfg(test)]
mod tests;
