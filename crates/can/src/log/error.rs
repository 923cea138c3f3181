//! What is wrong with a record of a log, and where.
//!
//! *Invariant:* an error names the log, the place (line and column, or byte offset) and the cause.
//! *Next:* `text_log.rs`, which makes them from a `Flaw`.

use super::{Position, RecordFault};
use std::sync::Arc;
use std::{fmt, io};

/// One record (or the reader behind it) could not be read: which log, where in it, and why.
#[derive(Debug)]
pub struct LogError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    position: Position,
    fault: LogFault,
}

/// What was wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// The line has none of the known shapes.
    #[error("not a frame in any form this reads")]
    NotAFrame,
    /// The file is of another kind, named here; the iteration ends.
    #[error("this is a {0} file, which is not read")]
    OtherFormat(&'static str),
    /// An MF4 log that cannot seek, in gzip or from a pipe, is longer than this many bytes; the iteration ends.
    #[error("the log is longer than {0} bytes: unpack it, and open it by its path")]
    TooLong(u64),
    /// The line is longer than [`MAX_LINE`](super::MAX_LINE) bytes; it was skipped up to its end.
    #[error("the line is longer than {max} bytes", max = super::MAX_LINE)]
    LineTooLong,
    /// The time is not a number of seconds (or microseconds, in CSV) within the 292 years around 1970.
    #[error("not a time")]
    Time,
    /// The channel is not a name of at most 23 printable ASCII characters.
    #[error("not a channel")]
    Channel,
    /// The identifier is not hexadecimal, has the wrong number of digits, or is above its kind's largest.
    #[error("not a CAN identifier")]
    Identifier,
    /// The payload is not hexadecimal bytes.
    #[error("the payload is not hexadecimal bytes")]
    Payload,
    /// The payload does not fit its kind of frame.
    #[error("the payload is longer than {max} bytes")]
    PayloadTooLong {
        /// What fits: 8, or 64 for CAN FD.
        max: usize,
    },
    /// The length that the line states is not the length of the payload that follows.
    #[error("the line says {said} bytes and has {found}")]
    Length {
        /// The length stated.
        said: usize,
        /// The bytes found; counting stops one above the stated.
        found: usize,
    },
    /// The flags of the frame, or its length code, are not what the format has there.
    #[error("not flags or a length code")]
    Flags,
    /// The header names a version of the format that is not read.
    #[error("an unknown version of this format")]
    Version,
    /// A CAN XL frame; only classic and FD frames are read.
    #[error("a CAN XL frame; classic and FD frames are read")]
    CanXl,
    /// A whole frame was read and something unknown follows it.
    #[error("unknown text after the frame")]
    Trailing,
    /// A record of a binary log is not as it should be.
    #[error("{0}")]
    Record(#[from] RecordFault),
    /// The file could not be opened or the reader failed; the iteration ends.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl LogError {
    #[cold]
    pub(super) fn new(name: &Arc<str>, position: Position, fault: LogFault) -> Self {
        Self(Box::new(Inner { name: Arc::clone(name), position, fault }))
    }

    /// The log, by the name its reader was given.
    pub fn log(&self) -> &str {
        &self.0.name
    }

    /// Where in the log; of a failing reader, up to where it was read.
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// Whether nothing is read after this: the reader failed, or the file is of another kind. Every other error costs one record.
    pub fn is_final(&self) -> bool {
        matches!(self.0.fault, LogFault::Io(_) | LogFault::OtherFormat(_) | LogFault::TooLong(_))
    }

    /// What was wrong.
    pub fn fault(&self) -> &LogFault {
        &self.0.fault
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { name, position, fault } = &*self.0;
        match (fault, position) {
            (LogFault::OtherFormat(_), _) | (_, Position::Start) => write!(f, "{name}: {fault}"),
            (LogFault::Io(cause), Position::Line { line, .. }) => {
                write!(f, "{name}: after line {line}: {cause}")
            }
            (LogFault::Io(cause), Position::Byte(offset)) => {
                write!(f, "{name}: after byte {offset}: {cause}")
            }
            (_, Position::Line { line, column }) => write!(f, "{name}:{line}:{column}: {fault}"),
            (_, Position::Byte(offset)) => write!(f, "{name}: byte {offset}: {fault}"),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.fault)
    }
}

/// A fault and where in the line it is; the reader adds log and line.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) offset: usize,
    pub(super) fault: LogFault,
}

impl Flaw {
    pub(super) const fn at(offset: usize, fault: LogFault) -> Self {
        Self { offset, fault }
    }
}
