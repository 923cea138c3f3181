//! A subscription at the far end of the link: what the app holds of it.
//!
//! *Invariant:* dropping it ends the subscription at the gateway.
//! *Next:* `inbox.rs` (what is unread), `shared.rs` (which keeps the wish, and asks it anew on each link).

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use coachwork_vehicle::{CatalogueCell, Clock, Event, Gate, Monotonic, SignalId, Source};

use crate::inbox::Inbox;
use crate::shared::Shared;

/// A wish that is given up when this goes.
pub(crate) struct Kept {
    pub(crate) shared: Arc<Shared>,
    pub(crate) wish: u64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.shared.forget(self.wish);
    }
}

/// The source of a subscription whose events come from the gateway.
pub(crate) struct Remote {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) _kept: Option<Kept>,
}

impl Source for Remote {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.inbox.poll(cx)
    }

    fn restrict(&mut self, signals: &[SignalId], allowed: bool) {
        self.inbox.restrict(signals, allowed);
    }
}

/// Keeps wishes alive as long as a subscription of the board's, over which it is put as a gate that changes nothing.
pub(crate) struct Held<T> {
    pub(crate) cell: CatalogueCell,
    pub(crate) _held: Vec<T>,
}

impl<T: Send + Sync + 'static> Gate for Held<T> {
    fn cell(&self) -> &CatalogueCell {
        &self.cell
    }

    fn next_transition(&self) -> Option<(Arc<dyn Clock>, Monotonic)> {
        None
    }

    fn refresh(&self) {}
}

impl<T> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}
