//! Where the link to the gateway stands, and how an app follows it.
//!
//! *Invariant:* a link that has ended stays ended.
//! *Next:* `driver.rs` (which moves it), `client.rs` (which shows it).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use coachwork_vehicle::{Monotonic, Reason};
use event_listener::Event;

/// Where the link to the gateway stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// It stands.
    Up,
    /// It is lost, for this reason; the next attempt to connect comes at `retry`, on the client's clock, or is under way.
    Down {
        /// Why it is lost.
        reason: Reason,
        /// When the next attempt comes.
        retry: Monotonic,
    },
    /// It is lost for good: the driver was stopped, or the gateway does not let this client in any more.
    Ended(Reason),
}

impl Link {
    /// Whether requests reach the gateway.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down { reason, .. } => write!(f, "down: {reason}"),
            Self::Ended(reason) => write!(f, "ended: {reason}"),
        }
    }
}

/// The present state of the link, and those who wait for another.
#[derive(Debug)]
pub(crate) struct LinkCell {
    present: Mutex<Link>,
    changed: Event,
}

impl LinkCell {
    pub(crate) fn new(link: Link) -> Self {
        Self { present: Mutex::new(link), changed: Event::new() }
    }

    pub(crate) fn load(&self) -> Link {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn store(&self, link: Link) {
        {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*present, Link::Ended(_)) || *present == link {
                return;
            }
            *present = link;
        }
        self.changed.notify(usize::MAX);
    }

    /// Completes with the first state that `wanted` accepts, the present one included.
    pub(crate) async fn wait(&self, mut wanted: impl FnMut(&Link) -> bool) -> Link {
        loop {
            let changed = self.changed.listen();
            let link = self.load();
            if wanted(&link) {
                return link;
            }
            changed.await;
        }
    }
}
