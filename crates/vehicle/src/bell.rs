//! Waking everybody who waits for the same thing.
//!
//! *Invariant:* wakers run and are dropped outside the lock, so that they may listen, ring, and drop listeners of the same bell.
//! *Next:* `catalogue/cell.rs` (a newer catalogue), `receipt.rs` (an outcome), `board/inbox.rs` (room in a queue).

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::sync::lock;

/// Something that can be waited for; clones are the same bell.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<Tower>);

#[derive(Default)]
struct Tower {
    /// How often it has rung; written under the lock.
    rung: AtomicU64,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    places: u64,
    waiting: BTreeMap<u64, Waker>,
}

/// A future of the next ring after it was made. Once it has completed, it waits for the ring after that one.
pub(crate) struct Listener {
    bell: Bell,
    heard: u64,
    place: Option<u64>,
    /// Whom it wakes, since it last was ready.
    waits: Option<Waker>,
}

impl Bell {
    /// Wakes whoever listens.
    pub(crate) fn ring(&self) {
        let waiting = {
            let mut listeners = lock(&self.0.listeners);
            self.0.rung.fetch_add(1, Ordering::Release);
            std::mem::take(&mut listeners.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    /// Hears every ring from now on. Listen before looking at what is waited for, or a ring may be missed.
    pub(crate) fn listen(&self) -> Listener {
        let heard = self.0.rung.load(Ordering::Acquire);
        Listener { bell: self.clone(), heard, place: None, waits: None }
    }
}

impl Future for Listener {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let rung = this.bell.0.rung.load(Ordering::Acquire);
        if rung != this.heard {
            (this.heard, this.waits) = (rung, None);
            return Poll::Ready(());
        }
        // It waits already, and has not been rung for: nothing took its waker.
        if this.waits.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        let mut listeners = lock(&this.bell.0.listeners);
        let rung = this.bell.0.rung.load(Ordering::Relaxed);
        if rung != this.heard {
            drop(listeners);
            (this.heard, this.waits) = (rung, None);
            return Poll::Ready(());
        }
        let place = *this.place.get_or_insert_with(|| {
            listeners.places += 1;
            listeners.places
        });
        let replaced = listeners.waiting.insert(place, waker.clone());
        drop(listeners);
        drop(replaced);
        this.waits = Some(waker);
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = lock(&self.bell.0.listeners).waiting.remove(&place);
            drop(waker);
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::task::Wake;

    #[test]
    fn a_listener_hears_each_ring_after_it_was_made() {
        let bell = Bell::default();
        bell.ring();
        let mut listener = bell.listen();
        assert_eq!((&mut listener).now_or_never(), None);
        bell.ring();
        bell.ring();
        assert_eq!((&mut listener).now_or_never(), Some(()));
        assert_eq!((&mut listener).now_or_never(), None);
        drop(listener);
        assert!(lock(&bell.0.listeners).waiting.is_empty());
    }

    struct Again(Bell, Mutex<Option<Listener>>);

    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            // Dropped with the lock of this test, which the waker does not take again.
            lock(&self.1).take();
            drop(self.0.listen());
            self.0.ring();
        }
    }

    #[test]
    fn a_waker_may_use_the_same_bell() {
        let bell = Bell::default();
        let (mut first, mut second) = (bell.listen(), bell.listen());
        let waker = Arc::new(Again(bell.clone(), Mutex::new(None))).into();
        let mut cx = Context::from_waker(&waker);
        assert!(second.poll_unpin(&mut cx).is_pending());
        let owner: Waker = Arc::new(Again(bell.clone(), Mutex::new(Some(second)))).into();
        assert!(first.poll_unpin(&mut Context::from_waker(&owner)).is_pending());
        drop((waker, owner));
        bell.ring();
    }
}
