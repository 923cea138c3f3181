//! How a client behaves: whom it shows itself as, how long it waits, how much it holds.
//!
//! *Invariant:* everything that an app or a gateway can make a client hold has a bound here or in transport's `Limits`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::Limits;
use coachwork_vehicle::Backoff;

use crate::token::TokenSource;

/// How a client behaves. Start from `Options::default()` and change what should differ.
///
/// ```
/// use coachwork_client::Options;
/// use std::time::Duration;
/// let mut options = Options::default();
/// options.request_time = Duration::from_secs(2);
/// options.seed = 0x5EED; // from a random source, where there is one
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The token to be let in with. It is not shown to a gateway at the other end of a link that others can read, unless
    /// [`plain_links`](Self::plain_links) says so.
    pub token: Option<Arc<[u8]>>,
    /// Where tokens come from, in place of [`token`](Self::token): asked at each connect, when a token wants to be renewed, and when the
    /// gateway says that it has ended. A link that stands shows the newer one, and its subscriptions go on.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// How long a request may stay unanswered. Default 10 seconds.
    pub request_time: Duration,
    /// How long an attempt to connect may take, the catalogue included. Default 15 seconds.
    pub connect_time: Duration,
    /// The waits between attempts to connect again.
    pub backoff: Backoff,
    /// What the jitter of the waits, and the name under which this client's idempotency keys are kept at the gateway, are derived from. Clients
    /// that share a gateway SHOULD have different seeds: hand in something random, or unique such as a serial number. Default 0.
    pub seed: u64,
    /// After how long without a word from the gateway it is asked for one; where none comes within [`request_time`](Self::request_time),
    /// the link is lost. A gateway takes a client that is silent for its `idle_time` for gone: keep this shorter. Default 15 seconds.
    pub keep_alive: Duration,
    /// Bounds: requests in flight, subscriptions, open receipts. Sizes of messages are checked by the transport, which takes limits
    /// of its own.
    pub limits: Limits,
    /// Whether a token may be shown over a link that others can read. Default no: then such a link is refused.
    pub plain_links: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: None,
            tokens: None,
            request_time: Duration::from_secs(10),
            connect_time: Duration::from_secs(15),
            backoff: Backoff::default(),
            seed: 0,
            keep_alive: Duration::from_secs(15),
            limits: Limits::default(),
            plain_links: false,
        }
    }
}

/// Sources of tokens are equal where they are the same one.
impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            token,
            tokens,
            request_time,
            connect_time,
            backoff,
            seed,
            keep_alive,
            limits,
            plain_links,
        } = self;
        let same = match (tokens, &other.tokens) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same && *token == other.token
            && *request_time == other.request_time
            && *connect_time == other.connect_time
            && *backoff == other.backoff
            && *seed == other.seed
            && *keep_alive == other.keep_alive
            && *limits == other.limits
            && *plain_links == other.plain_links
    }
}

impl Eq for Options {}

/// The token does not show.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("token", &self.token.as_ref().map(|token| format!("{} bytes", token.len())))
            .field("tokens", &self.tokens.is_some())
            .field("request_time", &self.request_time)
            .field("connect_time", &self.connect_time)
            .field("backoff", &self.backoff)
            .field("keep_alive", &self.keep_alive)
            .field("limits", &self.limits)
            .field("plain_links", &self.plain_links)
            .finish_non_exhaustive()
    }
}
