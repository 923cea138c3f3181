//! Shutting down in good order: nobody new comes in, what was asked is answered, then everybody is told to come back later.
//!
//! *Invariant:* it begins once; after its deadline connections are cut wherever they are.
//! *Next:* `serve.rs` (which stops accepting), `peer.rs` (which finishes).

use std::sync::{Mutex, PoisonError};

use coachwork_vehicle::Monotonic;
use event_listener::{Event, EventListener};

#[derive(Debug, Default)]
pub(crate) struct Drain {
    until: Mutex<Option<Monotonic>>,
    begun: Event,
    left: Event,
}

impl Drain {
    /// Begins; a later call may only bring the deadline forward.
    pub(crate) fn begin(&self, until: Monotonic) {
        {
            let mut present = self.until.lock().unwrap_or_else(PoisonError::into_inner);
            *present = Some(present.map_or(until, |before| before.min(until)));
        }
        self.begun.notify(usize::MAX);
    }

    /// The deadline, once it has begun.
    pub(crate) fn until(&self) -> Option<Monotonic> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.until().is_some()
    }

    /// A listener for its beginning. Take it before asking whether it has begun.
    pub(crate) fn listen(&self) -> EventListener {
        self.begun.listen()
    }

    /// A connection has ended.
    pub(crate) fn left(&self) {
        self.left.notify(usize::MAX);
    }

    /// Completes when `is_empty`, which is asked anew whenever a connection has ended.
    pub(crate) async fn emptied(&self, is_empty: impl Fn() -> bool) {
        loop {
            let left = self.left.listen();
            if is_empty() {
                return;
            }
            left.await;
        }
    }
}
