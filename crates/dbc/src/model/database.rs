//! The database: messages found by id, by parameter group, by name.
//!
//! *Invariant:* a look-up by id or parameter group reads one slot of a table; of equals, the first in the file wins.
//! *Next:* `message.rs`, `../decode.rs`.

use alloc::string::String;
use alloc::vec::Vec;

use super::attribute::{AttributeDefinition, AttributeObject, AttributeValue, Attributes};
use super::builder::DatabaseBuilder;
use super::extra::{EnvironmentVariable, Relation, ValueTable};
use super::message::Message;
use super::node::Node;
use super::signal::Signal;
use crate::CanId;
use crate::index::{IdTable, KeyTable, NONE};

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

/// A loaded database.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    parts: DatabaseBuilder,
    ids: IdTable,
    /// Message positions by parameter group.
    groups: KeyTable,
    /// The same, of messages that the database says are J1939.
    j1939_groups: KeyTable,
    has_j1939_groups: bool,
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
        let positions = || (0_u32..).zip(messages);
        let ids = IdTable::new(positions().map(|(position, message)| (message.id, position)));
        let groups = |wanted: fn(&Message) -> bool| {
            let found = positions().filter(|(_, message)| wanted(message));
            KeyTable::new(
                found.filter_map(|(position, message)| Some((message.id.pgn()?, position))).collect(),
            )
        };
        let (groups, j1939_groups) = (groups(|_| true), groups(|message| message.is_j1939));
        let has_j1939_groups = messages.iter().any(|message| message.is_j1939);
        let mut by_name: Vec<u32> = (0..).take(messages.len()).collect();
        by_name.sort_by(|a, b| {
            let name =
                |position: &u32| messages.get(*position as usize).map_or("", |message| message.name.as_str());
            name(a).cmp(name(b))
        });
        Self { parts, ids, groups, j1939_groups, has_j1939_groups, by_name }
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
    #[inline]
    pub fn messages(&self) -> &[Message] {
        &self.parts.messages
    }

    /// The message with exactly this id; the first where a broken database has two.
    #[inline]
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
    #[inline]
    pub fn find(&self, id: CanId, by: Match) -> Option<&Message> {
        self.at(self.position(id, by)?)
    }

    /// The place in [`messages`](Self::messages) of the message that a frame with this id carries.
    #[inline]
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
        self.parts.is_j1939 || self.has_j1939_groups
    }

    /// What the database was built from.
    #[cfg(feature = "serde")]
    pub(crate) fn parts(&self) -> &DatabaseBuilder {
        &self.parts
    }

    /// Whether the database says of itself that it is J1939.
    pub(crate) fn is_j1939_as_a_whole(&self) -> bool {
        self.parts.is_j1939
    }

    fn default_of(&self, name: &str, object: AttributeObject) -> Option<&AttributeValue> {
        self.attribute_definition(name, object)?.default.as_ref()
    }

    #[inline]
    fn at(&self, position: u32) -> Option<&Message> {
        self.parts.messages.get(position as usize)
    }

    #[inline]
    fn exact(&self, id: CanId) -> Option<u32> {
        some(self.ids.place(id))
    }

    #[inline]
    fn position(&self, id: CanId, by: Match) -> Option<u32> {
        let exact = self.ids.place(id);
        if exact != NONE {
            return Some(exact);
        }
        match (by, id.pgn()) {
            (Match::Exact, _) | (_, None) => None,
            (Match::Pgn, Some(group)) => some(self.groups.place(group)),
            (Match::Auto, Some(group)) => some(self.j1939_groups.place(group)),
        }
    }
}

#[inline]
fn some(place: u32) -> Option<u32> {
    (place != NONE).then_some(place)
}
