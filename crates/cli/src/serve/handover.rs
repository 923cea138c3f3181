//! One listener serves several gateways, one after the other: who arrives is let in by the present one.
//!
//! *Invariant:* only the present gateway's door sees who arrives; the door of one before says that nobody comes any more. So a new policy holds for whoever
//! comes, while those who are there are asked to come again.
//! *Next:* `running.rs`, which opens a door for each new policy.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use coachwork_transport::{Arrival, CloseCode, CloseReason, Listener, TransportError};

/// A listener that outlives the gateways that it serves.
#[derive(Clone)]
pub(super) struct Entrance {
    listener: Arc<Mutex<Box<dyn Listener>>>,
    local: Arc<str>,
    present: Arc<AtomicU64>,
}

/// What one gateway sees of it.
pub(super) struct Door {
    entrance: Entrance,
    number: u64,
}

impl Entrance {
    pub(super) fn new(listener: impl Listener) -> Self {
        let local = listener.local().into();
        Self { listener: Arc::new(Mutex::new(Box::new(listener))), local, present: Arc::default() }
    }

    /// The door of the next gateway; the one before is shut.
    pub(super) fn open(&self) -> Door {
        let number = self.present.fetch_add(1, Ordering::AcqRel) + 1;
        Door { entrance: self.clone(), number }
    }
}

impl Listener for Door {
    fn local(&self) -> &str {
        &self.entrance.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        // Held while it looks: a door that is shut meanwhile cannot take the waker of its successor away afterwards.
        let mut listener = self.entrance.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if self.entrance.present.load(Ordering::Acquire) != self.number {
            let reason = CloseReason::new(CloseCode::GoingAway, "this door is shut");
            return Poll::Ready(Err(TransportError::Closed { peer: self.entrance.local.clone(), reason }));
        }
        listener.poll_accept(cx)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({} of {})", self.number, self.entrance.local)
    }
}
