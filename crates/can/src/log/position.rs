//! Where in a log something is.
//!
//! *Next:* `error.rs`, whose errors have one.

use std::fmt;

/// Where in a log something is: a line of a text log, a byte of a binary one. In a compressed log, of its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Position {
    /// Before anything was read.
    Start,
    /// A place in a text log.
    Line {
        /// The line, from 1.
        line: u64,
        /// The column in bytes, from 1.
        column: usize,
    },
    /// A place in a binary log: how many bytes are before it.
    Byte(u64),
}

/// `start`, `line 3, column 7` or `byte 144`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Line { line, column } => write!(f, "line {line}, column {column}"),
            Self::Byte(offset) => write!(f, "byte {offset}"),
        }
    }
}
