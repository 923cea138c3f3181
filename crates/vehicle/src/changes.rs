//! A subscription to one typed path becomes a stream of typed readings.
//!
//! *Invariant:* every state comes through, valid or not; what does not convert is an error in its place, not a gap.
//! *Next:* `ext.rs` (which makes it), `typed.rs` (the conversion).

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::datapoint::{Datapoint, Reason, ReasonKind};
use crate::error::{Error, ErrorKind, Operation};
use crate::subscription::{Event, Subscription};
use crate::typed::{Reading, TypedPath};
use crate::value::VssValue;

/// The readings of one typed path, as [`VehicleExt::changes`](crate::VehicleExt::changes) gives them. Dropping it ends it.
///
/// While the right to read is withdrawn, it waits; a lost link is a reading that is not available. It ends when the subscription ends;
/// [`ended`](Self::ended) then says why.
pub struct Changes<T> {
    path: TypedPath<T>,
    subscription: Subscription,
    waiting: VecDeque<Datapoint>,
    ended: Option<Reason>,
}

impl<T: VssValue> Changes<T> {
    pub(crate) fn new(path: TypedPath<T>, subscription: Subscription) -> Self {
        Self { path, subscription, waiting: VecDeque::new(), ended: None }
    }

    /// The next reading; `None` after the end. Cancel-safe.
    ///
    /// An item is an `Err` of kind [`WrongType`](crate::ErrorKind::WrongType) where the value does not convert without loss; the next
    /// one may.
    pub async fn next(&mut self) -> Option<Result<Reading<T>, Error>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// Why it ended, once it has.
    pub fn ended(&self) -> Option<&Reason> {
        self.ended.as_ref()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Reading<T>, Error>>> {
        loop {
            if let Some(point) = self.waiting.pop_front() {
                return Poll::Ready(Some(self.reading(&point)));
            }
            match std::task::ready!(Pin::new(&mut self.subscription).poll_next(cx)) {
                Some(Event::Changed(points)) => {
                    self.waiting.extend(points.iter().map(|(_, point)| point.clone()));
                }
                Some(Event::Ended(why)) => self.ended = Some(why),
                // A state overwritten is no loss, and a right that returns brings the present value.
                Some(Event::Lagged(_) | Event::Access(_)) => {}
                None => {
                    self.ended.get_or_insert_with(|| Reason::new(ReasonKind::Ended));
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn reading(&self, point: &Datapoint) -> Result<Reading<T>, Error> {
        let gone = || {
            Error::new(ErrorKind::Protocol, "the subscription covers no signal").during(Operation::Subscribe)
        };
        let signal = *self.subscription.granted().first().ok_or_else(gone)?;
        self.path.read(self.subscription.catalogue(), signal, point)
    }
}

impl<T: VssValue> Stream for Changes<T> {
    type Item = Result<Reading<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl<T> fmt::Debug for Changes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes({})", self.path)
    }
}
