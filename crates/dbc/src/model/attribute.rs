//! Attributes: what a database says beyond the format, by name.
//!
//! *Invariant:* values keep their type; an enumeration keeps both its text and its index where the definition knows them.
//! *Next:* `database.rs` (definitions and defaults), `../load/resolve.rs` (the usual names are read here).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AttributeValue {
    /// An integer (`INT`, `HEX`, or an enumeration by index that the definition does not name).
    Integer(i64),
    /// A float.
    Float(f64),
    /// A text, or the chosen text of an enumeration.
    Text(String),
}

impl AttributeValue {
    /// The number; `None` for a text.
    #[expect(clippy::cast_precision_loss, reason = "attributes beyond 2^53 are rounded")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    /// The integer; `None` for a text or a fraction.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Float(value) => crate::number::whole(*value),
            Self::Text(_) => None,
        }
    }

    /// The text; `None` for a number.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Float(_) => None,
        }
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// What kind of object an attribute belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AttributeObject {
    /// The database itself.
    Database,
    /// A node (`BU_`).
    Node,
    /// A message (`BO_`).
    Message,
    /// A signal (`SG_`).
    Signal,
    /// An environment variable (`EV_`).
    EnvironmentVariable,
    /// A node and an environment variable (`BU_EV_REL_`).
    NodeToEnvironmentVariable,
    /// A node and a message (`BU_BO_REL_`).
    NodeToMessage,
    /// A node and a signal (`BU_SG_REL_`).
    NodeToSignal,
}

/// The type of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AttributeType {
    /// An integer within these bounds; no bounds where both are 0.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// An integer that tools show in hexadecimal.
    Hex {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// A float within these bounds; no bounds where both are 0.
    Float {
        /// The smallest value.
        min: f64,
        /// The largest value.
        max: f64,
    },
    /// A text.
    Text,
    /// One of these texts.
    Enumeration(Vec<String>),
}

/// The definition of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AttributeDefinition {
    pub(crate) name: String,
    pub(crate) object: AttributeObject,
    pub(crate) kind: AttributeType,
    pub(crate) default: Option<AttributeValue>,
}

impl AttributeDefinition {
    /// A definition without a default.
    pub fn new(name: impl Into<String>, object: AttributeObject, kind: AttributeType) -> Self {
        Self { name: name.into(), object, kind, default: None }
    }

    /// Sets the value of objects that set none.
    #[must_use]
    pub fn with_default(mut self, default: AttributeValue) -> Self {
        self.default = Some(default);
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it belongs to.
    pub fn object(&self) -> AttributeObject {
        self.object
    }

    /// Its type.
    pub fn kind(&self) -> &AttributeType {
        &self.kind
    }

    /// The value of objects that set none.
    pub fn default(&self) -> Option<&AttributeValue> {
        self.default.as_ref()
    }

    /// A value as this definition means it: the index of an enumeration becomes its text.
    pub(crate) fn interpret(&self, value: AttributeValue) -> AttributeValue {
        let AttributeType::Enumeration(texts) = &self.kind else { return value };
        let index = value.integer().and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| texts.get(index)) {
            Some(text) => AttributeValue::Text(text.clone()),
            None => value,
        }
    }
}

/// The attributes set on one object, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Attributes {
    entries: Vec<(String, AttributeValue)>,
}

impl Attributes {
    /// The value of an attribute that is set here.
    pub fn value(&self, name: &str) -> Option<&AttributeValue> {
        self.entries.iter().find(|entry| entry.0 == name).map(|entry| &entry.1)
    }

    /// Sets an attribute; a value that was there is replaced and returned.
    pub fn set(&mut self, name: impl Into<String>, value: AttributeValue) -> Option<AttributeValue> {
        let name = name.into();
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.0 == name) {
            return Some(core::mem::replace(&mut entry.1, value));
        }
        self.entries.push((name, value));
        None
    }

    /// Names and values in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
