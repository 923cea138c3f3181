//! Where a client takes the token from that it shows: asked for at each connect, before a token ends, and when a gateway says that it has.
//!
//! *Invariant:* a token does not show in `Debug`.
//! *Next:* `connect.rs` (the first token of a link), `driver.rs` (a newer one while it stands).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use coachwork_vehicle::{Error, Timestamp};

/// Gives the tokens that a client shows, one after another: a file that is replaced, a store of grants, a token service.
///
/// A closure that returns a [`Token`] is one.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// The token of now.
    ///
    /// # Errors
    /// Where there is none at present. A link that stands keeps the one it has, and asks again later; a connect fails, and is tried again as
    /// always.
    async fn token(&self) -> Result<Token, Error>;
}

#[async_trait]
impl<F: Fn() -> Token + Send + Sync + 'static> TokenSource for F {
    async fn token(&self) -> Result<Token, Error> {
        Ok(self())
    }
}

/// A token to be let in with, and when to ask for the next one.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) renew: Option<Timestamp>,
}

impl Token {
    /// A token, of which nobody knows when it ends: the next one is asked for when the gateway says so, and at each connect.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { bytes: bytes.into(), renew: None }
    }

    /// Says when the next one is to be asked for: a while before this one ends, so that subscriptions go on without a gap.
    #[must_use]
    pub fn renewed_at(self, at: Timestamp) -> Self {
        Self { renew: Some(at), ..self }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.bytes.len())
    }
}
