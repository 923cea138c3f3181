//! The database: messages found by id, by parameter group, by name.
//!
//! *Invariant:* a look-up takes one table read for 11-bit ids and one binary search for 29-bit ids and parameter groups; of equals, the first in the file wins.
//! *Next:* `message.rs`, `../decode.rs`.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::attribute::{AttributeDefinition, AttributeObject, AttributeValue, Attributes};
use super::builder::DatabaseBuilder;
use super::extra::{EnvironmentVariable, Relation, ValueTable};
use super::message::Message;
use super::node::Node;
use super::signal::Signal;
use crate::CanId;

/// How a frame's identifier finds its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Match {
    /// By the whole identifier.
    Exact,
    /// By the whole identifier; failing that, by J1939 parameter group number: priority and source address are
    /// ignored, and in PDU1 format the destination address. Standard identifiers match exactly.
    Pgn,
    /// By the whole identifier; failing that, by parameter group number among the messages that the database says are J1939.
    #[default]
    Auto,
}

/// No message.
const NONE: u32 = u32::MAX;

/// A loaded database.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    parts: DatabaseBuilder,
    /// Message positions by 11-bit id; empty where no message has one.
    standard: Vec<u32>,
    /// 29-bit ids and message positions, sorted.
    extended: Vec<(u32, u32)>,
    /// Parameter groups and message positions, sorted, each group once.
    groups: Vec<(u32, u32)>,
    /// The same, of messages that the database says are J1939.
    j1939_groups: Vec<(u32, u32)>,
    /// Message positions by name.
    by_name: Vec<u32>,
}

impl Database {
    /// Begins an empty database.
    pub fn builder() -> DatabaseBuilder {
        DatabaseBuilder::default()
    }

    pub(crate) fn from_parts(parts: DatabaseBuilder) -> Self {
        let messages = &parts.messages;
        let mut standard = Vec::new();
        let mut extended = Vec::new();
        let mut groups = Vec::new();
        let mut j1939_groups = Vec::new();
        for (position, message) in (0_u32..).zip(messages) {
            let id = message.id;
            if let Some(group) = id.pgn() {
                extended.push((id.raw(), position));
                groups.push((group, position));
                if message.is_j1939 {
                    j1939_groups.push((group, position));
                }
            } else {
                if standard.is_empty() {
                    standard = vec![NONE; 2048];
                }
                if let Some(slot) = standard.get_mut(id.raw() as usize).filter(|slot| **slot == NONE) {
                    *slot = position;
                }
            }
        }
        for table in [&mut extended, &mut groups, &mut j1939_groups] {
            table.sort_unstable();
            table.dedup_by_key(|entry| entry.0);
        }
        let mut by_name: Vec<u32> = (0..).take(messages.len()).collect();
        by_name.sort_by(|a, b| {
            let name =
                |position: &u32| messages.get(*position as usize).map_or("", |message| message.name.as_str());
            name(a).cmp(name(b))
        });
        Self { parts, standard, extended, groups, j1939_groups, by_name }
    }

    /// The version text.
    pub fn version(&self) -> &str {
        &self.parts.version
    }

    /// The nodes in the order of the file.
    pub fn nodes(&self) -> &[Node] {
        &self.parts.nodes
    }

    /// The node with this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.parts.nodes.iter().find(|node| node.name == name)
    }

    /// Signals that belong to no message (`VECTOR__INDEPENDENT_SIG_MSG`).
    pub fn independent_signals(&self) -> &[Signal] {
        &self.parts.independent_signals
    }

    /// Value tables with names of their own (`VAL_TABLE_`).
    pub fn value_tables(&self) -> &[ValueTable] {
        &self.parts.value_tables
    }

    /// The environment variables (`EV_`).
    pub fn environment_variables(&self) -> &[EnvironmentVariable] {
        &self.parts.environment_variables
    }

    /// Attributes of nodes together with what they use (`BA_REL_`).
    pub fn relations(&self) -> &[Relation] {
        &self.parts.relations
    }

    /// The keywords that the file lists as new (`NS_`).
    pub fn new_symbols(&self) -> &[String] {
        &self.parts.new_symbols
    }

    /// The obsolete bit timing (`BS_`), as written; usually empty.
    pub fn bit_timing(&self) -> &str {
        &self.parts.bit_timing
    }

    /// Obsolete statements that have no other place here (`SGTYPE_`, `CAT_` …), as written.
    pub fn other_statements(&self) -> &[String] {
        &self.parts.other_statements
    }

    /// The comment on the database itself.
    pub fn comment(&self) -> Option<&str> {
        self.parts.comment.as_deref()
    }

    /// The messages in the order of the file.
    pub fn messages(&self) -> &[Message] {
        &self.parts.messages
    }

    /// The message with exactly this id; the first where a broken database has two.
    pub fn message(&self, id: CanId) -> Option<&Message> {
        self.at(self.exact(id)?)
    }

    /// The message with this name; the first where a broken database has two.
    pub fn message_named(&self, name: &str) -> Option<&Message> {
        let name_of = |position: &u32| self.at(*position).map_or("", |message| message.name.as_str());
        let at = self.by_name.partition_point(|position| name_of(position) < name);
        let position = self.by_name.get(at).filter(|position| name_of(position) == name)?;
        self.at(*position)
    }

    /// The message that a frame with this id carries.
    pub fn find(&self, id: CanId, by: Match) -> Option<&Message> {
        self.at(self.position(id, by)?)
    }

    /// The place in [`messages`](Self::messages) of the message that a frame with this id carries.
    pub fn find_position(&self, id: CanId, by: Match) -> Option<usize> {
        self.position(id, by).map(|position| position as usize)
    }

    /// The definitions of attributes.
    pub fn attribute_definitions(&self) -> &[AttributeDefinition] {
        &self.parts.definitions
    }

    /// The definition of an attribute.
    pub fn attribute_definition(&self, name: &str, object: AttributeObject) -> Option<&AttributeDefinition> {
        self.parts
            .definitions
            .iter()
            .find(|definition| definition.name == name && definition.object == object)
    }

    /// The attributes set on the database itself, without defaults.
    pub fn attributes(&self) -> &Attributes {
        &self.parts.attributes
    }

    /// The value of an attribute of the database: set, or its default.
    pub fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.parts.attributes.value(name).or_else(|| self.default_of(name, AttributeObject::Database))
    }

    /// The value of an attribute of a message: set, or its default.
    pub fn message_attribute<'a>(&'a self, message: &'a Message, name: &str) -> Option<&'a AttributeValue> {
        message.attributes.value(name).or_else(|| self.default_of(name, AttributeObject::Message))
    }

    /// The value of an attribute of a signal: set, or its default.
    pub fn signal_attribute<'a>(&'a self, signal: &'a Signal, name: &str) -> Option<&'a AttributeValue> {
        signal.attributes.value(name).or_else(|| self.default_of(name, AttributeObject::Signal))
    }

    /// Whether the database says that it is J1939 (or NMEA 2000), as a whole or for some message.
    pub fn is_j1939(&self) -> bool {
        self.parts.is_j1939 || !self.j1939_groups.is_empty()
    }

    /// Whether the database says of itself that it is J1939.
    pub(crate) fn is_j1939_as_a_whole(&self) -> bool {
        self.parts.is_j1939
    }

    fn default_of(&self, name: &str, object: AttributeObject) -> Option<&AttributeValue> {
        self.attribute_definition(name, object)?.default.as_ref()
    }

    fn at(&self, position: u32) -> Option<&Message> {
        self.parts.messages.get(position as usize)
    }

    fn exact(&self, id: CanId) -> Option<u32> {
        if id.is_extended() {
            search(&self.extended, id.raw())
        } else {
            self.standard.get(id.raw() as usize).copied().filter(|position| *position != NONE)
        }
    }

    fn position(&self, id: CanId, by: Match) -> Option<u32> {
        match (by, id.pgn()) {
            (Match::Exact, _) | (_, None) => self.exact(id),
            (Match::Pgn, Some(group)) => self.exact(id).or_else(|| search(&self.groups, group)),
            (Match::Auto, Some(group)) => self.exact(id).or_else(|| search(&self.j1939_groups, group)),
        }
    }
}

fn search(table: &[(u32, u32)], key: u32) -> Option<u32> {
    let at = table.binary_search_by_key(&key, |entry| entry.0).ok()?;
    table.get(at).map(|entry| entry.1)
}
