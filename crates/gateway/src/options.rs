//! What a gateway allows: per peer, and in all.
//!
//! *Invariant:* everything that a peer can make the gateway hold has a bound here or in transport's `Limits`.

use std::time::Duration;

use coachwork_transport::Limits;

use crate::capabilities::Protocol;

/// What a gateway allows. Start from `Options::default()` and change what should differ.
///
/// ```
/// use coachwork_gateway::Options;
/// let mut options = Options::default();
/// options.connections = 64;
/// options.limits.subscriptions = 16;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What one connection may hold: requests in flight, subscriptions, receipts, paths in a request. Sizes of messages are checked by the
    /// transport, which takes limits of its own.
    pub limits: Limits,
    /// How many connections stand at once. Default 1,024.
    pub connections: usize,
    /// How many connections one host may have, by its address; a link within this machine is not counted. Default 64.
    pub connections_per_host: usize,
    /// How many peers may be in their handshake at once. Default 64.
    pub handshakes: usize,
    /// How long a handshake may take. Default 10 seconds.
    pub handshake_time: Duration,
    /// How long a peer may leave what waits for it unread before it is cut off. Default 30 seconds.
    pub write_time: Duration,
    /// How long a message may take to arrive once it has begun, before whoever sends it is cut off; the time in which this gateway leaves it unread
    /// does not count. Over a slow link it is what the largest message takes. Default 60 seconds.
    pub message_time: Duration,
    /// How long a peer without subscriptions may be silent before it is cut off; and one that has some and speaks Coachwork's additional members,
    /// while nothing is sent to it either: such a client asks for a word well before that. Default 10 minutes.
    pub idle_time: Duration,
    /// How many admissions are remembered, each for one credential. Default 1,024.
    pub admissions: usize,
    /// How many bytes of messages one connection may send in a second, a second's worth at once; what is above waits unread. Default 16 MiB.
    pub bytes_in: Option<u64>,
    /// How many bytes of messages are written for one connection in a second; what is above waits, and its subscriptions keep to their
    /// bounds meanwhile. Default no limit.
    pub bytes_out: Option<u64>,
    /// How many datapoints an answer to the filter `history` may have. Default 10,000.
    pub history: usize,
    /// The ways to reach this gateway, which it tells its peers under `Server.Support.Protocol`. Default none.
    pub protocols: Vec<Protocol>,
    /// What becomes of a peer that is too slow for its queue. Default [`SlowPeers::Conflate`].
    pub slow_peers: SlowPeers,
    /// Whether peers may come over links that others can read or change. Default no: such a peer is turned away with a word.
    pub plain_links: bool,
}

/// What becomes of a peer that is slower than what it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowPeers {
    /// It stays. Of each signal it is told the latest state, or its queue loses the oldest and says how many.
    #[default]
    Conflate,
    /// It is cut off once a queue of it has lost this many datapoints in all; the close says how many.
    Cut {
        /// How many it may lose before.
        after: u64,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            connections: 1024,
            connections_per_host: 64,
            handshakes: 64,
            handshake_time: Duration::from_secs(10),
            write_time: Duration::from_secs(30),
            message_time: Duration::from_secs(60),
            idle_time: Duration::from_secs(600),
            admissions: 1024,
            bytes_in: Some(16 * 1024 * 1024),
            bytes_out: None,
            history: 10_000,
            protocols: Vec::new(),
            slow_peers: SlowPeers::Conflate,
            plain_links: false,
        }
    }
}
