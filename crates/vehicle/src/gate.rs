//! How a wrapper that changes rights keeps an open subscription in step with them.
//!
//! *Invariant:* a poll costs one atomic load per gate while nothing changes.
//! *Next:* `subscription.rs` (which asks its gates first).

use std::fmt;
use std::sync::Arc;

use crate::catalogue::CatalogueCell;
use crate::clock::Clock;
use crate::time::Monotonic;

/// The rights that a wrapper has over a vehicle, as they change.
///
/// A wrapper hands one to [`Subscription::gated`](crate::Subscription::gated). When the access table in [`cell`](Self::cell) is replaced, the
/// subscription masks what may no longer be read, drops what is queued of it, and replays the present value of what may be read again.
pub trait Gate: fmt::Debug + Send + Sync + 'static {
    /// The catalogue in force, with the access that this wrapper grants.
    fn cell(&self) -> &CatalogueCell;

    /// The next time at which rights change by themselves, with the clock that measures it.
    fn next_transition(&self) -> Option<(Arc<dyn Clock>, Monotonic)>;

    /// Brings the cell up to date: a transition may be due, or the wrapped vehicle may have a new catalogue.
    fn refresh(&self);
}
