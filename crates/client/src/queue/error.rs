//! Why something could not be put into a queue.

use std::io;

use coachwork_vehicle::{Error, ErrorKind};

/// Why something could not be put into a queue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no room, and nothing that would give way.
    #[error("{bytes} bytes wait in the queue, which has room for {bound}")]
    Full {
        /// How much waits.
        bytes: u64,
        /// How much may.
        bound: u64,
    },
    /// A name has at most 512 bytes, a payload 64 KiB.
    #[error("a name of {name} bytes (512 are allowed) and a payload of {payload} (64 KiB are)")]
    TooLarge {
        /// The bytes of the name.
        name: usize,
        /// The bytes of the payload.
        payload: usize,
    },
    /// The storage failed.
    #[error("the storage of the queue: {0}")]
    Storage(#[from] io::Error),
}

impl From<QueueError> for Error {
    fn from(error: QueueError) -> Self {
        let kind = match &error {
            QueueError::Full { .. } => ErrorKind::Limit,
            QueueError::TooLarge { .. } => ErrorKind::Invalid,
            QueueError::Storage(_) => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string()).caused_by(error)
    }
}
