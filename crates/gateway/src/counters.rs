//! What a gateway has done, in numbers that only grow, but for how many are here now.
//!
//! *Invariant:* counting never waits and never fails.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a gateway has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that stand now.
    pub connections: u64,
    /// Connections that came to stand.
    pub accepted: u64,
    /// Peers that were turned away, or whose handshake failed.
    pub turned_away: u64,
    /// Connections that the gateway cut off: a broken protocol, a peer that reads nothing, an idle one.
    pub cut_off: u64,
    /// Subscriptions that stand now.
    pub subscriptions: u64,
    /// Requests that were answered, refusals included.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Bytes of messages that peers sent.
    pub bytes_in: u64,
    /// Bytes of messages that were written for peers.
    pub bytes_out: u64,
    /// How often a peer was above its bytes in a second.
    pub throttled: u64,
    /// Datapoints that were sent to subscribers.
    pub datapoints: u64,
    /// Datapoints that were lost to slow subscribers, who were told.
    pub lagged: u64,
    /// Notes of clients' queues that were stored.
    pub notes: u64,
    /// Notes that were delivered again, and known.
    pub notes_again: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) connections: Count,
    pub(crate) accepted: Count,
    pub(crate) turned_away: Count,
    pub(crate) cut_off: Count,
    pub(crate) subscriptions: Count,
    pub(crate) requests: Count,
    pub(crate) refused: Count,
    pub(crate) bytes_in: Count,
    pub(crate) bytes_out: Count,
    pub(crate) throttled: Count,
    pub(crate) datapoints: Count,
    pub(crate) lagged: Count,
    pub(crate) notes: Count,
    pub(crate) notes_again: Count,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn take(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub(crate) fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counted {
    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            connections: self.connections.load(),
            accepted: self.accepted.load(),
            turned_away: self.turned_away.load(),
            cut_off: self.cut_off.load(),
            subscriptions: self.subscriptions.load(),
            requests: self.requests.load(),
            refused: self.refused.load(),
            bytes_in: self.bytes_in.load(),
            bytes_out: self.bytes_out.load(),
            throttled: self.throttled.load(),
            datapoints: self.datapoints.load(),
            lagged: self.lagged.load(),
            notes: self.notes.load(),
            notes_again: self.notes_again.load(),
        }
    }
}
