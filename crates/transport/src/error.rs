//! What can go wrong with a link, and how it looks at the vehicle boundary.
//!
//! *Invariant:* every error names the peer. The mapping into the vehicle's error is here and nowhere else.
//! *Next:* `connection.rs` (which says what is fatal).

use std::io;
use std::sync::Arc;

use coachwork_vehicle::{Error, ErrorKind, Operation};

use crate::close::CloseReason;

/// Why a link could not be made, or carries nothing more.
///
/// All but [`Full`](Self::Full) and [`TooLargeToSend`](Self::TooLargeToSend) end the connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The peer closed the connection in good order, or this side did.
    #[error("{peer}: the connection was closed: {reason}")]
    Closed {
        /// The peer's name.
        peer: Arc<str>,
        /// Why.
        reason: CloseReason,
    },
    /// The link broke without a word.
    #[error("{peer}: the link is lost: {source}")]
    Io {
        /// The peer's name.
        peer: Arc<str>,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The peer announced a message above the limit. Nothing was allocated for it.
    #[error("{peer}: a message of {size} bytes is above the limit of {limit}")]
    TooLarge {
        /// The peer's name.
        peer: Arc<str>,
        /// The announced size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// This side was asked to send a message above the limit. Nothing was sent; the connection lives.
    #[error("{peer}: a message of {size} bytes to send is above the limit of {limit}")]
    TooLargeToSend {
        /// The peer's name.
        peer: Arc<str>,
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More was fed than may wait to be written. Nothing was taken; the connection lives.
    #[error("{peer}: more than {limit} bytes wait to be written")]
    Full {
        /// The peer's name.
        peer: Arc<str>,
        /// The limit in bytes.
        limit: usize,
    },
    /// What the peer sent is not this transport's form.
    #[error("{peer}: {what}")]
    Malformed {
        /// The peer's name.
        peer: Arc<str>,
        /// What is wrong.
        what: String,
    },
    /// Both sides have no subprotocol in common, or the peer refused the connection.
    #[error("{peer}: {what}")]
    Refused {
        /// The peer's name.
        peer: Arc<str>,
        /// Why.
        what: String,
    },
}

impl TransportError {
    /// The system reports an error on the link to `peer`.
    pub fn io(peer: impl Into<Arc<str>>, source: io::Error) -> Self {
        Self::Io { peer: peer.into(), source: Arc::new(source) }
    }

    /// The peer's name.
    pub fn peer(&self) -> &str {
        match self {
            Self::Closed { peer, .. }
            | Self::Io { peer, .. }
            | Self::TooLarge { peer, .. }
            | Self::TooLargeToSend { peer, .. }
            | Self::Full { peer, .. }
            | Self::Malformed { peer, .. }
            | Self::Refused { peer, .. } => peer,
        }
    }

    /// Whether the connection is of no more use.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::TooLargeToSend { .. } | Self::Full { .. })
    }

    /// What to tell the peer when this error ends the connection.
    pub fn close_reason(&self) -> CloseReason {
        use crate::close::CloseCode;
        match self {
            Self::Closed { reason, .. } => reason.clone(),
            Self::TooLarge { size, limit, .. } => {
                CloseReason::new(CloseCode::TooLarge, format!("{size} bytes are above the limit of {limit}"))
            }
            Self::Malformed { what, .. } => CloseReason::new(CloseCode::Protocol, what.clone()),
            Self::Refused { what, .. } => CloseReason::new(CloseCode::Policy, what.clone()),
            Self::Io { .. } | Self::TooLargeToSend { .. } | Self::Full { .. } => {
                CloseReason::new(CloseCode::Internal, "")
            }
        }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let kind = match &error {
            TransportError::Closed { .. } | TransportError::Io { .. } => ErrorKind::Unavailable,
            TransportError::TooLarge { .. }
            | TransportError::TooLargeToSend { .. }
            | TransportError::Full { .. } => ErrorKind::Limit,
            TransportError::Malformed { .. } => ErrorKind::Protocol,
            TransportError::Refused { .. } => ErrorKind::Denied,
        };
        let described = Self::new(kind, error.to_string());
        let described = if matches!(error, TransportError::Refused { .. }) {
            described.during(Operation::Connect)
        } else {
            described
        };
        described.caused_by(error)
    }
}
