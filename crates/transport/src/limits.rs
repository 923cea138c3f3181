//! The bounds that a transport and a session keep, each with a default.
//!
//! *Invariant:* nothing that a peer sends makes this crate hold more than these numbers allow.
//! *Next:* `framed.rs` and `memory.rs` (sizes), `session` (counts).

use std::time::Duration;

/// What a peer may make this side hold. Start from `Limits::default()` and change what should differ.
///
/// ```
/// use coachwork_transport::Limits;
/// let mut limits = Limits::default();
/// limits.message = 64 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message in bytes, received or sent. Default 4 MiB, which holds the metadata of about ten thousand signals.
    pub message: usize,
    /// How many bytes may wait to be written before [`poll_ready`](crate::Connection::poll_ready) waits. Default 256 KiB.
    pub write_buffer: usize,
    /// How deep arrays and objects may nest in a message. Default 24, which the deepest struct in a request fits.
    pub depth: usize,
    /// How many requests of one peer may wait for their answer. Default 256.
    pub requests: usize,
    /// How many subscriptions one peer may have. Default 256.
    pub subscriptions: usize,
    /// How many receipts of one peer may be open. Default 1,024.
    pub receipts: usize,
    /// How many paths one request may name. Default 4,096.
    pub paths: usize,
    /// The deadline of a request that names none. Default 10 seconds.
    pub request_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 4 * 1024 * 1024,
            write_buffer: 256 * 1024,
            depth: 24,
            requests: 256,
            subscriptions: 256,
            receipts: 1024,
            paths: 4096,
            request_time: Duration::from_secs(10),
        }
    }
}
