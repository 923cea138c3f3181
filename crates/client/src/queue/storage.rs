//! Where segments live: the few calls that a queue makes of a disk, so that a test can put a worse one in its place.
//!
//! *Invariant:* a call that fails may have done any part of its work; the queue trusts nothing that such a call touched.
//! *Next:* `files.rs` and `memory.rs` (the two there are), `log.rs` (the one who calls).

use std::fmt;
use std::io;

/// A place for the numbered segments of one queue. No two queues may use one place at the same time.
pub trait Storage: fmt::Debug + Send + 'static {
    /// The numbers of the segments that are there, in any order.
    ///
    /// # Errors
    /// Where the place cannot be read.
    fn segments(&mut self) -> io::Result<Vec<u64>>;

    /// What a segment holds, at most its first `limit` bytes, and how many bytes it has in all.
    ///
    /// # Errors
    /// Where the segment cannot be read.
    fn read(&mut self, segment: u64, limit: usize) -> io::Result<(Vec<u8>, u64)>;

    /// Makes a segment, without content. That it is there need not be durable before it is synced.
    ///
    /// # Errors
    /// Where it is there already, or there is no room.
    fn create(&mut self, segment: u64) -> io::Result<()>;

    /// Writes at the end of a segment.
    ///
    /// # Errors
    /// Where not everything was written; then any beginning of it may have been.
    fn append(&mut self, segment: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts a segment to its first `length` bytes.
    ///
    /// # Errors
    /// Where it could not be cut.
    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()>;

    /// Makes a segment, and that it is there, durable: both survive a loss of power afterwards.
    ///
    /// # Errors
    /// Where that is not certain. Then nothing written since the last success may be taken for durable, whatever a later call says.
    fn sync(&mut self, segment: u64) -> io::Result<()>;

    /// Removes a segment, durably.
    ///
    /// # Errors
    /// Where it is still there, or may come back.
    fn remove(&mut self, segment: u64) -> io::Result<()>;
}
