//! Conversations: which requests are open, until when, and which subscriptions stand, at either end.
//!
//! *Invariant:* a session is a pure state machine: messages and times in, messages and events out. It does no I/O, reads no clock and
//! waits for nothing.
//! *Next:* `server.rs` and `client.rs`; a gateway and a client drive them over a `Connection`.

mod client;
mod server;

use coachwork_vehicle::{Clock, Monotonic, Timestamp};

pub use self::client::{Arrived, ClientSession, Reply};
pub use self::server::{Received, ServerSession};

/// A request that is open in a session: its own name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// The present, as a session is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of day, which goes into messages.
    pub time: Timestamp,
    /// The reading that deadlines are measured with.
    pub monotonic: Monotonic,
}

impl Moment {
    /// The present of a clock.
    pub fn of(clock: &dyn Clock) -> Self {
        Self { time: clock.now(), monotonic: clock.monotonic() }
    }
}

#[cfg(test)]
mod interleaving_tests;
#[cfg(test)]
mod tests;
