//! Why a mapping does not load, or does not fit a database: which file, which path, which entry, and the cause.
//!
//! *Next:* `tree.rs` and `plan`, which make them.

use crate::MathError;
use std::fmt;
use std::sync::Arc;

/// A mapping that does not load, or does not fit its database.
#[derive(Clone, Debug)]
pub struct MappingError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    file: Arc<str>,
    path: Option<String>,
    entry: Option<&'static str>,
    fault: MappingFault,
}

/// What is wrong with a mapping.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MappingFault {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[source] Arc<std::io::Error>),
    /// The text is not JSON, names something twice, or is nested deeper than 120 levels.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A member is not of the type that it must have.
    #[error("`{member}` is not {wanted}")]
    NotA {
        /// The member.
        member: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A member is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member that an entry does not have.
    #[error("unknown member {0:?}")]
    UnknownMember(String),
    /// `dbc` is an older name of `dbc2vss`; a leaf has one of them.
    #[error("`dbc` and `dbc2vss` are two names of one thing")]
    Twice,
    /// A branch has children and no signal.
    #[error("a branch has no signal")]
    OnBranch,
    /// The path is not one of a vehicle, or the entry contradicts itself.
    #[error("{0}")]
    Entry(String),
    /// A signal of the bus gives one value, not an array.
    #[error("a signal cannot be an array")]
    Array,
    /// A transform of another name.
    #[error("unknown transform {0:?}; there are `math` and `mapping`")]
    UnknownTransform(String),
    /// A transform is exactly one of `math` and `mapping`.
    #[error("a transform is exactly one of `math` and `mapping`")]
    NotOneTransform,
    /// The expression is not one.
    #[error("math: {0}")]
    Math(#[from] MathError),
    /// Only actuators can be asked to move.
    #[error("only an actuator has a `vss2dbc`")]
    NotActuator,
    /// The database has no such message.
    #[error("the database has no message {0:?}")]
    UnknownMessage(String),
    /// The database has no such signal.
    #[error("the database has no signal {0:?}")]
    UnknownSignal(String),
    /// Several messages have a signal of this name.
    #[error(
        "the signal {signal:?} is in several messages: {messages}; write `Message.Signal`, and `bus` where there are several"
    )]
    AmbiguousSignal {
        /// The signal.
        signal: String,
        /// The messages, joined by commas; at most eight are named.
        messages: String,
    },
    /// The wiring has no bus of this name.
    #[error("there is no bus {bus:?}; there are {known}")]
    UnknownBus {
        /// The bus.
        bus: String,
        /// Those that there are, joined by commas.
        known: String,
    },
    /// The database has no message of this parameter group.
    #[error("the database has no message of parameter group {0}")]
    UnknownGroup(u32),
    /// Only 29-bit identifiers have a source address.
    #[error("the message {0:?} has no source address: its identifier has 11 bits")]
    NoSource(String),
    /// The signal's unit is spelled in a way that is not known, so that its values cannot be converted to the path's.
    #[error(
        "the unit {unit:?} of {signal} is not known; say with `\"unit\"` which one it is, or that it is {wanted:?} already"
    )]
    UnknownUnit {
        /// The signal.
        signal: String,
        /// Its unit, as it is spelled.
        unit: String,
        /// The unit of the path.
        wanted: String,
    },
    /// The signal's unit does not convert to the path's.
    #[error("{signal} is in {unit}, which does not convert to {wanted}")]
    UnitMismatch {
        /// The signal.
        signal: String,
        /// Its unit, as it is spelled.
        unit: String,
        /// The unit of the path.
        wanted: String,
    },
    /// A `math` or `mapping` gives the path's value in the path's unit.
    #[error("`unit` beside a transform means nothing: the transform gives the path's unit")]
    UnitAndTransform,
    /// A constant does not fit the type of the path, or the signal.
    #[error("{constant} does not fit {what}")]
    Constant {
        /// The constant.
        constant: String,
        /// What it must fit.
        what: String,
    },
    /// The way onto the bus needs the inverse of this transform, which has none.
    #[error("the transform cannot be inverted; a table or a straight line can")]
    NotInvertible,
}

impl MappingError {
    pub(crate) fn whole(file: &str, fault: MappingFault) -> Self {
        Self(Box::new(Inner { file: file.into(), path: None, entry: None, fault }))
    }

    pub(crate) fn at(file: &str, path: &str, entry: Option<&'static str>, fault: MappingFault) -> Self {
        Self(Box::new(Inner { file: file.into(), path: Some(path.into()), entry, fault }))
    }

    /// The mapping, by the name it was given.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The path of the vehicle, where it is about one.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The entry: `dbc2vss` or `vss2dbc`.
    pub fn entry(&self) -> Option<&'static str> {
        self.0.entry
    }

    /// What is wrong.
    pub fn fault(&self) -> &MappingFault {
        &self.0.fault
    }
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { file, path, entry, fault } = &*self.0;
        write!(f, "{file}: ")?;
        if let Some(path) = path {
            write!(f, "{path}: ")?;
        }
        if let Some(entry) = entry {
            write!(f, "{entry}: ")?;
        }
        write!(f, "{fault}")
    }
}

impl std::error::Error for MappingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.fault)
    }
}
