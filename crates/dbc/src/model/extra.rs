//! What a database holds besides nodes, messages and signals: environment variables, named value tables, signal groups, relations, old statements.
//!
//! *Invariant:* descriptions only; decoding never looks at them.
//! *Next:* `database.rs` (their owner), `../write.rs` (written back).

use alloc::string::String;
use alloc::vec::Vec;

use super::attribute::{AttributeValue, Attributes};
use super::choices::Choices;
use super::message::SignalIndex;
use crate::CanId;

/// The type of an environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvironmentType {
    /// An integer.
    Integer,
    /// A float.
    Float,
    /// A text.
    Text,
    /// Bytes.
    Data,
}

/// A value outside the bus that a simulation tool keeps.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EnvironmentVariable {
    pub(crate) name: String,
    pub(crate) kind: u32,
    pub(crate) range: (f64, f64),
    pub(crate) unit: String,
    pub(crate) initial: f64,
    pub(crate) id: i64,
    pub(crate) access: String,
    pub(crate) nodes: Vec<String>,
    pub(crate) data_length: Option<u32>,
    pub(crate) choices: Choices,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: Attributes,
}

impl EnvironmentVariable {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    pub fn kind(&self) -> EnvironmentType {
        // Text variables are floats with bit 15 of the access type set.
        let text = self
            .access
            .strip_prefix("DUMMY_NODE_VECTOR")
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .is_some_and(|code| code & 0x8000 != 0);
        match self.kind {
            _ if self.data_length.is_some() => EnvironmentType::Data,
            _ if text => EnvironmentType::Text,
            0 => EnvironmentType::Integer,
            1 => EnvironmentType::Float,
            _ => EnvironmentType::Text,
        }
    }

    /// The smallest and the largest value.
    pub fn range(&self) -> (f64, f64) {
        self.range
    }

    /// The unit.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The first value.
    pub fn initial(&self) -> f64 {
        self.initial
    }

    /// The old numeric id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Who may do what, as the file codes it (`DUMMY_NODE_VECTOR3` …).
    pub fn access(&self) -> &str {
        &self.access
    }

    /// The nodes that may use it.
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// The number of bytes of a data variable.
    pub fn data_length(&self) -> Option<u32> {
        self.data_length
    }

    /// The labels of values.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// The comment.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The attributes set on this variable, without defaults.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

/// A value table with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ValueTable {
    pub(crate) name: String,
    pub(crate) choices: Choices,
}

impl ValueTable {
    /// A table with this name.
    pub fn new(name: impl Into<String>, choices: Choices) -> Self {
        Self { name: name.into(), choices }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Values and labels.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }
}

/// Signals of a message that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SignalGroup {
    pub(crate) name: String,
    pub(crate) repetitions: u32,
    pub(crate) signals: Vec<SignalIndex>,
}

impl SignalGroup {
    /// A group of signals of one message.
    pub fn new(name: impl Into<String>, signals: impl IntoIterator<Item = SignalIndex>) -> Self {
        Self { name: name.into(), repetitions: 1, signals: signals.into_iter().collect() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The repetitions that the file states; 1 but for curiosities.
    pub fn repetitions(&self) -> u32 {
        self.repetitions
    }

    /// The signals' handles, of the message that holds the group.
    pub fn signals(&self) -> &[SignalIndex] {
        &self.signals
    }
}

/// What a node's attribute relates to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RelationTarget {
    /// An environment variable.
    EnvironmentVariable(String),
    /// A message.
    Message(CanId),
    /// A signal of a message.
    Signal(CanId, String),
}

/// An attribute of a node together with something it uses.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Relation {
    pub(crate) attribute: String,
    pub(crate) node: String,
    pub(crate) target: RelationTarget,
    pub(crate) value: AttributeValue,
}

impl Relation {
    /// The attribute's name.
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What the node's attribute relates to.
    pub fn target(&self) -> &RelationTarget {
        &self.target
    }

    /// The value.
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }
}
