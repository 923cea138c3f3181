//! A queue in the hands of an app and of a client: the app puts notes in, the client delivers them while its link stands.
//!
//! *Invariant:* a note leaves the queue when the gateway says that it is stored, and not before. No lock is held while something waits.
//! *Next:* `queue/` (what is kept), `shared/deliveries.rs` (how it travels).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use coachwork_transport::{Moment, Origin};
use coachwork_vehicle::{Clock, Timestamp};
use event_listener::Event;

use crate::queue::{End, Item, NewItem, Opened, Queue, QueueCounters, QueueError};

/// What an app wants delivered, whether the link stands or not. Clones are handles to the same queue.
///
/// It needs no client to take notes: hand it to [`Client::connect_with`](crate::Client::connect_with) when there is a gateway to connect to, and after a failed
/// attempt to the next. One client at a time delivers from it.
///
/// Putting a note writes to the storage, and, as the queue's [`Sync`](crate::queue::Sync) has it, waits for the disk.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    queue: Mutex<Queue>,
    driver: Mutex<Option<Waker>>,
    emptied: Event,
}

impl Outbox {
    /// Hands a queue to apps and a client, with the clock to measure with.
    pub fn new(queue: Queue, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            clock,
            queue: Mutex::new(queue),
            driver: Mutex::default(),
            emptied: Event::new(),
        }))
    }

    /// Keeps a note until the gateway has stored it; says its number.
    ///
    /// # Errors
    /// As [`Queue::put`]: then it is not kept.
    pub fn put(&self, note: NewItem) -> Result<u64, QueueError> {
        let number = self.queue().put(note, Moment::of(self.0.clock.as_ref()))?;
        self.wake();
        Ok(number)
    }

    /// What was found when the queue was opened.
    pub fn opened(&self) -> Opened {
        self.queue().opened()
    }

    /// What the queue has done.
    pub fn counters(&self) -> QueueCounters {
        self.queue().counters()
    }

    /// Makes everything durable that is not yet.
    ///
    /// # Errors
    /// As [`Queue::sync`].
    pub fn sync(&self) -> Result<(), QueueError> {
        self.queue().sync()
    }

    /// Waits until nothing waits any more: everything was delivered, or has expired. Cancel-safe.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.listen();
            if self.counters().waiting == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        self.queue().origin()
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.queue().next_number()
    }

    /// The notes that come next.
    pub(crate) fn next(&self, count: usize, bytes: usize) -> Vec<Item> {
        self.queue().next_notes(count, bytes)
    }

    /// Does what time demands.
    pub(crate) fn keep(&self, now: Moment) {
        let mut queue = self.queue();
        // A failure is counted, and tried again with the next note.
        if queue.sync_due().is_some_and(|due| due <= now.monotonic) {
            let _ = queue.sync();
        }
        let expired = !queue.expire(now.time).is_empty();
        drop(queue);
        if expired {
            self.tell();
        }
    }

    pub(crate) fn sync_due(&self) -> Option<coachwork_vehicle::Monotonic> {
        self.queue().sync_due()
    }

    pub(crate) fn end(&self, numbers: impl IntoIterator<Item = u64>, why: End) {
        self.queue().end(numbers, why);
        self.tell();
    }

    /// The requests to move something that wait.
    pub(crate) fn sets(&self, now: Timestamp) -> Vec<Item> {
        let queue = self.queue();
        let sets =
            queue.items().filter(|item| item.content == crate::queue::Content::Set && !item.is_over(now));
        sets.cloned().collect()
    }

    /// Whom to wake when something is put in.
    pub(crate) fn drive(&self, waker: &Waker) {
        let mut driver = self.0.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if !driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            let replaced = driver.replace(waker.clone());
            drop(driver);
            drop(replaced);
        }
    }

    fn wake(&self) {
        let driver = self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn tell(&self) {
        if self.counters().waiting == 0 {
            self.0.emptied.notify(usize::MAX);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueCounters { waiting, bytes, .. } = self.counters();
        write!(f, "Outbox({waiting} items, {bytes} bytes)")
    }
}
