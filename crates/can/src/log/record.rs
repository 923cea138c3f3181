//! What is wrong with a record of a binary log, and at which byte.
//!
//! *Invariant:* a fault says which part of which record is wrong; none of them holds bytes of the log.
//! *Next:* `error.rs`, which names the log too; `blf/`, `pcap/`, `mf4/`, which make them.

use super::LogFault;

/// What was wrong with a record of a binary log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The log ends within the record; what was whole before it has been read.
    #[error("the log ends within {0}")]
    Truncated(&'static str),
    /// These bytes are no record; reading goes on at the next that is one.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// The record states a size that nothing of its kind has, or that is above this reader's limit.
    #[error("{what} of {size} bytes")]
    Size {
        /// Of what the size is.
        what: &'static str,
        /// The size stated.
        size: u64,
    },
    /// What a compressed part holds does not unpack; what was unpacked before the damage has been read.
    #[error("the compressed data of {0} are damaged")]
    Compression(&'static str),
    /// The record is written in a way that this reader does not know.
    #[error("{what} {number} is not known")]
    Unknown {
        /// What is not known.
        what: &'static str,
        /// Its number in the log.
        number: u64,
    },
    /// The log ends before the size that its header states.
    #[error("the log ends here; its header states {0} bytes")]
    Short(u64),
}

/// A fault and the byte where it is; the reader adds the log's name.
#[derive(Debug)]
pub(super) struct ByteFlaw {
    pub(super) offset: u64,
    pub(super) fault: LogFault,
}

impl ByteFlaw {
    #[cold]
    pub(super) fn new(offset: u64, fault: impl Into<LogFault>) -> Self {
        Self { offset, fault: fault.into() }
    }
}
