//! What travels: whole messages, and the two ways to hold one.
//!
//! *Invariant:* a message is never split or joined by a transport.
//! *Next:* `connection.rs` (which carries them), `viss` (which says what they mean).

use std::fmt;

use bytes::Bytes;

/// A whole message as it was received.
///
/// Clones share the bytes. `Debug` shows the kind and the length only, since a message may hold a credential.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, meant as UTF-8. A transport need not check that; whoever decodes it does.
    Text(Bytes),
    /// Bytes of another encoding.
    Binary(Bytes),
}

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are those of Message")]
pub enum MessageKind {
    Text,
    Binary,
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into())
    }

    /// A message of this kind.
    pub fn new(kind: MessageKind, data: Bytes) -> Self {
        match kind {
            MessageKind::Text => Self::Text(data),
            MessageKind::Binary => Self::Binary(data),
        }
    }

    /// Whether it is text or binary.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Its bytes.
    pub fn data(&self) -> &Bytes {
        match self {
            Self::Text(data) | Self::Binary(data) => data,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.kind(), self.data().len())
    }
}
