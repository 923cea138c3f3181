//! How a wrapper that changes rights keeps an open subscription in step with them.
//!
//! *Invariant:* a poll costs one atomic load per gate while nothing changes.
//! *Next:* `subscription.rs` (which asks its gates first).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::{CatalogueCell, SignalId};
use crate::clock::Clock;
use crate::datapoint::Datapoint;
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

    /// Whether anything is limited at present, so that [`interval`](Self::interval) and [`shape`](Self::shape) have to be asked. It
    /// changes only together with [`cell`](Self::cell).
    fn limits(&self) -> bool {
        false
    }

    /// Where a signal is delivered at most once in a time: that time, and the clock that measures it. What is passed over
    /// meanwhile is no loss: the state at its end is delivered.
    fn interval(&self, signal: SignalId) -> Option<(Arc<dyn Clock>, Duration)> {
        let _ = signal;
        None
    }

    /// What is delivered in place of a datapoint.
    fn shape(&self, signal: SignalId, point: Datapoint) -> Datapoint {
        let _ = signal;
        point
    }

    /// Brings the cell up to date: a transition may be due, or the wrapped vehicle may have a new catalogue.
    fn refresh(&self);
}
