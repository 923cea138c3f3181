//! What a connection and the task that has the link to the broker share: messages both ways, and how it ends.
//!
//! *Invariant:* what is to be sent is bounded by the write buffer and one message; what has come is bounded by those who put it in. Locks are held for a
//! few instructions and never across a wait.
//! *Next:* `connection.rs` (one side of it), `car.rs` and `app.rs` (the other side).

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use coachwork_transport::{CloseReason, Message, TransportError};

/// One connection's messages.
pub(crate) struct Mailbox {
    /// Under which the task knows it.
    pub(crate) id: u64,
    state: Mutex<State>,
    bell: Arc<Bell>,
}

#[derive(Default)]
pub(crate) struct State {
    /// What has come and was not taken yet.
    pub(crate) inbox: VecDeque<Message>,
    /// What all messages that were taken count, see `flow.rs`.
    pub(crate) taken: u64,
    /// What is to be sent; the first `flushed` of them now.
    pub(crate) outbox: VecDeque<Message>,
    pub(crate) outbox_bytes: usize,
    pub(crate) flushed: usize,
    /// This side ends it; the task says so once all else is sent.
    pub(crate) closing: Option<CloseReason>,
    /// The other side has been told, as far as a broker can be.
    pub(crate) told: bool,
    /// Nothing more comes or goes, and why.
    pub(crate) end: Option<TransportError>,
    /// Nobody has the connection any more.
    pub(crate) dropped: bool,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
}

/// That a side has ended it, and the reason that it gave.
pub(crate) struct Over(pub(crate) Option<CloseReason>);

/// Tells the task which mailboxes have something for it.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    /// Each at most once.
    order: VecDeque<u64>,
    waiting: HashSet<u64>,
    waker: Option<Waker>,
}

impl Mailbox {
    pub(crate) fn new(id: u64, bell: &Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { id, state: Mutex::default(), bell: bell.clone() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The task should look at it.
    pub(crate) fn ring(&self) {
        self.bell.ring(self.id);
    }

    /// Puts in what has come.
    pub(crate) fn deliver(&self, message: Message) {
        let mut state = self.lock();
        state.inbox.push_back(message);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// The next message that was flushed.
    pub(crate) fn next_out(&self) -> Option<Message> {
        let mut state = self.lock();
        if state.flushed == 0 {
            return None;
        }
        state.flushed -= 1;
        let message = state.outbox.pop_front();
        state.outbox_bytes -= message.as_ref().map_or(0, cost);
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        message
    }

    /// Whether this side has ended it and nothing is left to be sent: the reason, if it gave one.
    pub(crate) fn over(&self) -> Option<Over> {
        let state = self.lock();
        let is_closed = state.closing.is_some() && state.outbox.is_empty();
        (state.dropped || state.end.is_some() || is_closed).then(|| Over(state.closing.clone()))
    }

    /// Ends it, unless it has ended already.
    pub(crate) fn end(&self, error: TransportError) {
        let mut state = self.lock();
        state.end.get_or_insert(error);
        state.told = true;
        state.outbox.clear();
        (state.outbox_bytes, state.flushed) = (0, 0);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
    }

    /// The other side has been told that this one ends.
    pub(crate) fn told(&self) {
        let mut state = self.lock();
        state.told = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
    }
}

impl Bell {
    pub(crate) fn ring(&self, id: u64) {
        let mut rung = lock(&self.0);
        if rung.waiting.insert(id) {
            rung.order.push_back(id);
        }
        let waker = rung.waker.take();
        drop(rung);
        wake(waker);
    }

    /// The next mailbox to look at.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<u64> {
        let mut rung = lock(&self.0);
        let Some(id) = rung.order.pop_front() else {
            rung.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        rung.waiting.remove(&id);
        Poll::Ready(id)
    }
}

/// What a message counts towards a bound: an empty one is not free.
pub(crate) fn cost(message: &Message) -> usize {
    message.data().len() + size_of::<Message>()
}

/// A poisoned lock only says that a thread panicked while it held it; every update here is complete at each unlock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
