//! What is asked of an actuator, and how: a value, a deadline, perhaps a key that makes asking again harmless.
//!
//! *Next:* `vehicle.rs` (`set` takes them), `receipt.rs` (what comes back).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::SignalId;
use crate::value::Value;

/// One request to move an actuator.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The actuator.
    pub signal: SignalId,
    /// Where it should go, in the catalogue's unit; converted to the catalogue's type.
    pub value: Value,
    /// How it is asked.
    pub set: Set,
}

/// How a request is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// How long after the call the request may stay unconfirmed.
    pub within: Duration,
    /// A key under which the same request may be asked again: it returns the same receipt and moves nothing twice.
    pub key: Option<Key>,
}

/// An idempotency key: 1 to 64 bytes of the caller's choice, unique among its requests.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

/// A text that is empty or longer than 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to 64 bytes, not {0}")]
pub struct KeyError(pub usize);

impl Request {
    /// A request with the default deadline.
    pub fn new(signal: SignalId, value: impl Into<Value>) -> Self {
        Self { signal, value: value.into(), set: Set::default() }
    }

    /// Asks it in another way.
    #[must_use]
    pub fn with(self, set: Set) -> Self {
        Self { set, ..self }
    }
}

impl Set {
    /// With this deadline.
    pub fn within(within: Duration) -> Self {
        Self { within, key: None }
    }

    /// Under this key.
    #[must_use]
    pub fn keyed(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }
}

impl Default for Set {
    /// Within 10 seconds, without a key.
    fn default() -> Self {
        Self::within(Duration::from_secs(10))
    }
}

impl Key {
    /// Keeps a key.
    ///
    /// # Errors
    /// [`KeyError`] where it is empty or longer than 64 bytes.
    pub fn new(key: &str) -> Result<Self, KeyError> {
        if key.is_empty() || key.len() > 64 { Err(KeyError(key.len())) } else { Ok(Self(key.into())) }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", &*self.0)
    }
}
