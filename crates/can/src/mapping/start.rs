//! The start values of signals that no path gives: a JSON object of names and values, as the KUKSA CAN provider's `dbc_default_values.json`.
//!
//! *Invariant:* a name that no database has is an error when the values meet the databases.
//! *Next:* `plan/outward.rs`, which puts them into the first frame of a message.

use super::json::{self, Node};
use super::{Constant, MappingError, MappingFault};
use std::path::Path;
use std::sync::Arc;

/// What signals carry in a frame that is sent, where nothing else is known of them; it goes before the database's start values.
///
/// ```
/// use coachwork_can::StartValues;
/// let values = StartValues::parse("start.json", r#"{"LampMode": "Off", "Seat.Level": 2}"#)?;
/// assert_eq!(values.len(), 2);
/// # Ok::<(), coachwork_can::MappingError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartValues {
    name: String,
    pub(crate) values: Vec<(String, Constant)>,
}

impl StartValues {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or is not an object of names and values.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, MappingError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(cause) => Err(MappingError::whole(&name, MappingFault::Io(Arc::new(cause)))),
        }
    }

    /// Reads them from their text; `name` is for error messages.
    ///
    /// # Errors
    /// The text is not a JSON object whose values are numbers, booleans or labels.
    pub fn parse(name: &str, text: &str) -> Result<Self, MappingError> {
        let whole = |fault| MappingError::whole(name, fault);
        let not_a = |member: &str, wanted| whole(MappingFault::NotA { member: member.into(), wanted });
        let root = json::parse(text).map_err(whole)?;
        let members = root.members().ok_or_else(|| not_a("the file", "an object"))?;
        let value = |(signal, node): &(String, Node)| match node {
            Node::Bool(value) => Ok((signal.clone(), Constant::Bool(*value))),
            Node::Integer(value) => Ok((signal.clone(), Constant::Integer(*value))),
            Node::Number(value) => Ok((signal.clone(), Constant::Number(*value))),
            Node::Text(label) => Ok((signal.clone(), Constant::Text(label.as_str().into()))),
            Node::Null | Node::List(_) | Node::Object(_) => {
                Err(not_a(signal, "a number, a boolean or a label"))
            }
        };
        Ok(Self { name: name.to_owned(), values: members.iter().map(value).collect::<Result<_, _>>()? })
    }

    /// How many signals have one.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
