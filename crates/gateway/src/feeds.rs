//! The subscriptions of one connection, polled only when they have something to say.
//!
//! *Invariant:* each feed has a waker of its own; one that was removed is dropped at once, and a late wake of it does no harm.
//! *Next:* `peer.rs` (which sends what they say).

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use coachwork_transport::viss::{SubscriptionId, Trigger, Wanted};
use coachwork_vehicle::{Event, Subscription};
use futures_core::Stream;

use crate::door::Pass;
use crate::gateway::Shared;

/// One subscription of a peer.
pub(crate) struct Feed {
    pub(crate) subscription: Subscription,
    /// The filter that the vehicle does not have.
    pub(crate) trigger: Option<Trigger>,
    /// By whose right it stands.
    pub(crate) pass: Arc<Pass>,
    /// What was asked, to be asked again by a newer right; kept where that right may end.
    pub(crate) wanted: Option<Arc<Wanted>>,
}

pub(crate) struct Feeds {
    shared: Arc<Shared>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    places: HashMap<SubscriptionId, usize>,
    ready: Arc<Ready>,
}

struct Slot {
    id: SubscriptionId,
    feed: Feed,
    place: Arc<Place>,
    waker: Waker,
}

/// The feeds to poll, in the order in which they woke.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<Arc<Place>>>,
    parent: Mutex<Option<Waker>>,
}

struct Place {
    index: usize,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        self.ready.push(self.clone());
        let parent = self.ready.parent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Ready {
    fn push(&self, place: Arc<Place>) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(place);
    }

    fn pop(&self) -> Option<Arc<Place>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Feeds {
    /// None yet; those that come are counted at the gateway.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (slots, free) = (Vec::new(), Vec::new());
        Self { shared, slots, free, places: HashMap::new(), ready: Arc::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn insert(&mut self, id: SubscriptionId, feed: Feed) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let place = Arc::new(Place { index, queued: AtomicBool::new(false), ready: self.ready.clone() });
        let waker = Waker::from(place.clone());
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Slot { id: id.clone(), feed, place: place.clone(), waker });
        }
        self.places.insert(id, index);
        self.shared.counted.subscriptions.add(1);
        place.wake();
    }

    pub(crate) fn remove(&mut self, id: &SubscriptionId) -> Option<Feed> {
        let index = self.places.remove(id)?;
        let slot = self.slots.get_mut(index)?.take()?;
        self.free.push(index);
        self.shared.counted.subscriptions.take(1);
        Some(slot.feed)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SubscriptionId, &Feed)> {
        self.slots.iter().flatten().map(|slot| (&slot.id, &slot.feed))
    }

    /// The next event of any feed, with the feed. One after its end is [`Event::Ended`]; it is for the caller to remove it.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(SubscriptionId, Event)> {
        {
            let mut parent = self.ready.parent.lock().unwrap_or_else(PoisonError::into_inner);
            if !parent.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *parent = Some(cx.waker().clone());
            }
        }
        while let Some(place) = self.ready.pop() {
            // From here on a wake puts it into the queue again.
            place.queued.store(false, Ordering::Release);
            let Some(Some(slot)) = self.slots.get_mut(place.index) else { continue };
            if !Arc::ptr_eq(&slot.place, &place) {
                continue;
            }
            let mut cx = Context::from_waker(&slot.waker);
            if let Poll::Ready(Some(event)) = Pin::new(&mut slot.feed.subscription).poll_next(&mut cx) {
                let id = slot.id.clone();
                // It may have more to say, after the others.
                if !place.queued.swap(true, Ordering::AcqRel) {
                    self.ready.push(place);
                }
                return Poll::Ready((id, event));
            }
        }
        Poll::Pending
    }

    pub(crate) fn feed_mut(&mut self, id: &SubscriptionId) -> Option<&mut Feed> {
        let index = *self.places.get(id)?;
        self.slots.get_mut(index)?.as_mut().map(|slot| &mut slot.feed)
    }
}

impl Drop for Feeds {
    fn drop(&mut self) {
        self.shared.counted.subscriptions.take(u64::try_from(self.places.len()).unwrap_or(0));
    }
}
