//! Who is told what happens at a gateway: an observer, and with the feature `trace` whoever collects traces.
//!
//! *Invariant:* no credential, no value and no text of a peer is in what is told. Nothing is told for each datapoint: those are counted.
//! *Next:* `serve.rs` and `peer.rs` (where things happen), `counters.rs` (what is only counted).

use std::fmt;

use coachwork_transport::Security;
use coachwork_vehicle::ErrorKind;

/// Is told what happens at a gateway, on the task where it happens: it must be quick and must not wait.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Something happened.
    fn happened(&self, what: &Happened<'_>);
}

/// What happened at a gateway. Connections have numbers, in the order in which they came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened<'h> {
    /// A connection stands.
    Arrived {
        /// Its number.
        connection: u64,
        /// The peer's name, as its transport gives it.
        peer: &'h str,
        /// Who could read or change what travels.
        security: Security,
    },
    /// A peer was turned away, or its handshake failed.
    TurnedAway {
        /// The peer's name, where it was known.
        peer: Option<&'h str>,
        /// Why.
        why: &'h str,
    },
    /// A request was refused.
    Refused {
        /// The connection that it came on.
        connection: u64,
        /// What was asked, in the word of VISS; `none` where it was no request.
        action: &'static str,
        /// What was wrong.
        kind: ErrorKind,
    },
    /// A slow peer has lost datapoints, and was told so where its dialect has a word for it.
    Lagged {
        /// Its connection.
        connection: u64,
        /// How many.
        count: u64,
    },
    /// A peer sends or is sent more than its bytes in a second: for a while nothing is read of it, or told to it.
    Throttled {
        /// Its connection.
        connection: u64,
    },
    /// A subscription goes on by the right of a newer token, for the one it was made with has ended.
    Renewed {
        /// The connection.
        connection: u64,
    },
    /// A connection has ended.
    Left {
        /// Its number.
        connection: u64,
        /// What it was served.
        tally: Tally,
        /// Why the gateway cut it off, if it did.
        cut_off: Option<&'h str>,
    },
}

/// What one connection was served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Requests that were answered, refusals included.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Bytes of messages that the peer sent.
    pub bytes_in: u64,
    /// Bytes of messages that were written for it.
    pub bytes_out: u64,
    /// Datapoints of subscriptions.
    pub datapoints: u64,
    /// Datapoints that it was too slow for.
    pub lagged: u64,
}

/// The same for whoever collects traces. Names of peers stay out: a topic may hold a VIN.
#[cfg(feature = "trace")]
pub(crate) fn trace(what: &Happened<'_>) {
    use tracing::{debug, info, warn};
    match *what {
        Happened::Arrived { connection, security, .. } => info!(connection, ?security, "a peer came in"),
        Happened::TurnedAway { why, .. } => warn!(why, "a peer was turned away"),
        Happened::Refused { connection, action, kind } => {
            debug!(connection, action, ?kind, "a request was refused");
        }
        Happened::Lagged { connection, count } => warn!(connection, count, "a slow peer lost datapoints"),
        Happened::Throttled { connection } => warn!(connection, "a peer is above its bytes in a second"),
        Happened::Renewed { connection } => debug!(connection, "a subscription goes on by a newer token"),
        Happened::Left { connection, tally, cut_off } => info!(
            connection,
            requests = tally.requests,
            refused = tally.refused,
            bytes_in = tally.bytes_in,
            bytes_out = tally.bytes_out,
            datapoints = tally.datapoints,
            lagged = tally.lagged,
            cut_off,
            "a peer left"
        ),
    }
}
