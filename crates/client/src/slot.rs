//! Where the answer to one request arrives, for the call that waits for it.
//!
//! *Invariant:* it is filled once. Whoever stops waiting cancels the request.
//! *Next:* `shared.rs` (which fills it), `calls.rs` (which wait).

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use coachwork_transport::Ticket;
use coachwork_vehicle::Error;

use crate::shared::Shared;

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Settled<T> {
    Answered(Result<T, Error>),
    /// The link was lost before an answer came.
    Lost(Error),
}

#[derive(Debug)]
pub(crate) struct Slot<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    settled: Option<Settled<T>>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner { settled: None, waker: None })))
    }

    pub(crate) fn fill(&self, settled: Settled<T>) {
        let waker = {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.settled = Some(settled);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Settled<T>> {
        // Dropped after the lock: a waker may run anything.
        let _replaced;
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settled) = inner.settled.take() {
            return Poll::Ready(settled);
        }
        _replaced = inner.waker.replace(cx.waker().clone());
        Poll::Pending
    }
}

/// The wait for one answer. Dropped early, it cancels the request.
#[must_use]
pub(crate) struct Pending<T> {
    shared: Arc<Shared>,
    slot: Arc<Slot<T>>,
    /// The request, until it is settled.
    ticket: Option<(u64, Ticket)>,
}

impl<T> Pending<T> {
    pub(crate) fn new(shared: Arc<Shared>, slot: Arc<Slot<T>>, link: u64, ticket: Ticket) -> Self {
        Self { shared, slot, ticket: Some((link, ticket)) }
    }

    pub(crate) async fn settled(mut self) -> Settled<T> {
        let settled = std::future::poll_fn(|cx| self.slot.poll(cx)).await;
        self.ticket = None;
        settled
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some((link, ticket)) = self.ticket {
            self.shared.cancel(link, ticket);
        }
    }
}
