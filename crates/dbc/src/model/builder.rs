//! Descriptions of messages and signals become a checked, compiled database.
//!
//! *Invariant:* what cannot be compiled is refused with its name; nothing is repaired here.
//! *Next:* `database.rs` (the result), `../load/assemble.rs` (a file's statements come through here).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::attribute::{AttributeDefinition, AttributeValue, Attributes};
use super::database::Database;
use super::extra::{EnvironmentVariable, Relation, SignalGroup, ValueTable};
use super::message::Message;
use super::node::Node;
use super::signal::{Signal, ValueType};
use crate::CanId;
use crate::plan::Plan;

/// The longest payload that a message may state, in bytes: the largest J1939 transport message fits many times.
pub const MAX_MESSAGE_LENGTH: usize = 65_535;

/// The longest signal, in bits.
const MAX_BITS: u32 = 8 * 65_535;

/// Why a message or a database cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    pub(crate) message: String,
    pub(crate) signal: Option<String>,
    pub(crate) kind: BuildErrorKind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// A signal has no bits, or more than [`MAX_MESSAGE_LENGTH`] bytes.
    Length,
    /// A float signal has neither 32 nor 64 bits as its type says.
    FloatLength,
    /// A factor or an offset is infinite or not a number, or a factor is zero.
    Scaling,
    /// A multiplexed signal names a multiplexer that the message does not have.
    UnknownMultiplexer,
    /// A multiplexer is a float.
    FloatMultiplexer,
    /// A multiplexer depends on itself.
    MultiplexerCycle,
    /// A message is longer than [`MAX_MESSAGE_LENGTH`].
    MessageLength,
}

impl BuildError {
    /// The message concerned.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The signal concerned.
    pub fn signal(&self) -> Option<&str> {
        self.signal.as_deref()
    }

    /// What is wrong.
    pub fn kind(&self) -> BuildErrorKind {
        self.kind
    }
}

impl fmt::Display for BuildErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a signal has at least one bit, and no more than a message",
            Self::FloatLength => "a float has 32 bits, a double 64",
            Self::Scaling => "factor and offset must be finite, and the factor not zero",
            Self::UnknownMultiplexer => "its multiplexer is not in the message",
            Self::FloatMultiplexer => "a multiplexer must be an integer",
            Self::MultiplexerCycle => "a multiplexer depends on itself",
            Self::MessageLength => "the message is too long",
        })
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signal {
            Some(signal) => write!(f, "{}.{signal}: {}", self.message, self.kind),
            None => write!(f, "{}: {}", self.message, self.kind),
        }
    }
}

impl core::error::Error for BuildError {}

/// Collects what a message is; [`build`](Self::build) checks and compiles it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageBuilder {
    pub(crate) name: String,
    pub(crate) symbol: Option<String>,
    pub(crate) id: CanId,
    pub(crate) length: usize,
    pub(crate) senders: Vec<String>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) groups: Vec<SignalGroup>,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: Attributes,
    pub(crate) cycle_time: Option<Duration>,
    pub(crate) is_j1939: bool,
}

impl Message {
    /// Begins a message with a payload of `length` bytes.
    pub fn builder(name: impl Into<String>, id: CanId, length: usize) -> MessageBuilder {
        MessageBuilder {
            name: name.into(),
            symbol: None,
            id,
            length,
            senders: Vec::new(),
            signals: Vec::new(),
            groups: Vec::new(),
            comment: None,
            attributes: Attributes::default(),
            cycle_time: None,
            is_j1939: false,
        }
    }
}

impl MessageBuilder {
    /// Adds a signal.
    #[must_use]
    pub fn signal(mut self, signal: Signal) -> Self {
        self.signals.push(signal);
        self
    }

    /// Adds a group of signals; handles that the message does not have are left out.
    #[must_use]
    pub fn group(mut self, group: SignalGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds a node that sends the message.
    #[must_use]
    pub fn sender(mut self, node: impl Into<String>) -> Self {
        self.senders.push(node.into());
        self
    }

    /// Sets the comment.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Sets an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Sets how often the message is sent.
    #[must_use]
    pub fn cycle_time(mut self, cycle_time: Duration) -> Self {
        self.cycle_time = Some(cycle_time);
        self
    }

    /// Says that this is a J1939 message, to be matched by its parameter group number.
    #[must_use]
    pub fn j1939(mut self, is_j1939: bool) -> Self {
        self.is_j1939 = is_j1939;
        self
    }

    /// Checks and compiles the message.
    ///
    /// # Errors
    /// [`BuildError`] names the signal that cannot be compiled.
    pub fn build(self) -> Result<Message, BuildError> {
        let error = |signal: Option<&Signal>, kind| BuildError {
            message: self.name.clone(),
            signal: signal.map(|signal| signal.name.clone()),
            kind,
        };
        let Some(length) = u32::try_from(self.length).ok().filter(|_| self.length <= MAX_MESSAGE_LENGTH)
        else {
            return Err(error(None, BuildErrorKind::MessageLength));
        };
        for signal in &self.signals {
            if let Err(kind) = check(signal) {
                return Err(error(Some(signal), kind));
            }
        }
        let mut by_name: Vec<u32> = (0..).take(self.signals.len()).collect();
        by_name.sort_by(|a, b| {
            let name = |position: &u32| {
                self.signals.get(*position as usize).map_or("", |signal| signal.name.as_str())
            };
            name(a).cmp(name(b))
        });
        let plan = Plan::compile(&self.signals)
            .map_err(|(position, kind)| error(self.signals.get(position), kind))?;
        Ok(Message {
            name: self.name,
            symbol: self.symbol,
            id: self.id,
            length,
            senders: self.senders,
            groups: self
                .groups
                .into_iter()
                .map(|group| SignalGroup {
                    signals: group
                        .signals
                        .into_iter()
                        .filter(|index| index.position() < self.signals.len())
                        .collect(),
                    ..group
                })
                .collect(),
            signals: self.signals,
            comment: self.comment,
            attributes: self.attributes,
            cycle_time: self.cycle_time.filter(|time| !time.is_zero()),
            is_j1939: self.is_j1939 && self.id.is_extended(),
            plan,
            by_name,
        })
    }
}

pub(crate) fn check(signal: &Signal) -> Result<(), BuildErrorKind> {
    let wanted = match signal.value_type {
        ValueType::F32 => 32..=32,
        ValueType::F64 => 64..=64,
        ValueType::Unsigned | ValueType::Signed => 1..=MAX_BITS,
    };
    if !(1..=MAX_BITS).contains(&signal.length) {
        return Err(BuildErrorKind::Length);
    }
    if !wanted.contains(&signal.length) {
        return Err(BuildErrorKind::FloatLength);
    }
    if !signal.factor.is_finite() || !signal.offset.is_finite() || signal.factor == 0.0 {
        return Err(BuildErrorKind::Scaling);
    }
    Ok(())
}

/// Collects messages; [`build`](Self::build) makes the database. Other formats than DBC fill a database through it.
///
/// ```
/// use coachwork_dbc::{CanId, Database, Message, Signal};
///
/// let engine = Message::builder("Engine", CanId::standard(0x100).unwrap(), 8).signal(Signal::new("Speed", 0, 16).with_scaling(0.25, 0.0)).build()?;
/// let database = Database::builder().message(engine).build();
/// assert_eq!(database.messages().len(), 1);
/// # Ok::<(), coachwork_dbc::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DatabaseBuilder {
    pub(crate) version: String,
    pub(crate) new_symbols: Vec<String>,
    pub(crate) bit_timing: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) messages: Vec<Message>,
    pub(crate) independent_signals: Vec<Signal>,
    pub(crate) value_tables: Vec<ValueTable>,
    pub(crate) environment_variables: Vec<EnvironmentVariable>,
    pub(crate) relations: Vec<Relation>,
    pub(crate) other_statements: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) definitions: Vec<AttributeDefinition>,
    pub(crate) attributes: Attributes,
    pub(crate) is_j1939: bool,
}

impl DatabaseBuilder {
    /// Sets the version text.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Adds a node.
    #[must_use]
    pub fn node(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// Adds a message. Several may have one id; a look-up finds the first.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds a value table with a name of its own.
    #[must_use]
    pub fn value_table(mut self, table: ValueTable) -> Self {
        self.value_tables.push(table);
        self
    }

    /// Sets the comment on the database itself.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Says that the database is J1939 as a whole.
    #[must_use]
    pub fn j1939(mut self, is_j1939: bool) -> Self {
        self.is_j1939 = is_j1939;
        self
    }

    /// Adds an attribute's definition.
    #[must_use]
    pub fn attribute_definition(mut self, definition: AttributeDefinition) -> Self {
        self.definitions.push(definition);
        self
    }

    /// Sets an attribute of the database itself.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Makes the database.
    pub fn build(self) -> Database {
        Database::from_parts(self)
    }
}
