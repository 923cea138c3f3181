//! A node: a control unit, or whatever else sends and receives.
//!
//! *Invariant:* a description only.
//! *Next:* `database.rs` (its owner).

use alloc::string::String;

use super::attribute::{AttributeValue, Attributes};

/// A node of the network.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    pub(crate) name: String,
    pub(crate) symbol: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: Attributes,
}

impl Node {
    /// A node with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the comment.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Sets an attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The comment.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The attributes set on this node, without defaults.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}
