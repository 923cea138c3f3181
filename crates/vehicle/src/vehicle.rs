//! The trait that apps are written against and every backend implements.
//!
//! *Invariant:* four methods, no default bodies: a wrapper that forgets one does not compile.
//! *Next:* `ext.rs` (conveniences over it), `board` (which does most of the work of an implementation).

use std::fmt::{Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;

use crate::catalogue::{Catalogue, SignalId};
use crate::datapoint::Datapoint;
use crate::error::Error;
use crate::receipt::Receipt;
use crate::request::Request;
use crate::subscribe::Subscribe;
use crate::subscription::Subscription;

/// One answer for each item of a batch, in its order.
pub type Each<T> = Vec<Result<T, Error>>;

/// A car, as an app sees it.
///
/// `Display` names the vehicle for people (`simulator`, `can0 through model3.dbc`). The rules that every implementation keeps are the numbered
/// clauses of the contract, which the conformance suite tests; most of them hold by themselves where a [`Board`](crate::Board) does the work.
///
/// The outer `Err` of a batch means that nothing was tried; an inner one concerns its item alone.
#[async_trait]
pub trait Vehicle: Debug + Display + Send + Sync + 'static {
    /// What the vehicle has, and what may be done with it here and now.
    fn catalogue(&self) -> Arc<Catalogue>;

    /// The present datapoint of each signal. Cancel-safe.
    ///
    /// An item is an `Err` where the signal does not exist or may not be read. A signal without a value is no error: its datapoint says why.
    ///
    /// # Errors
    /// Where the vehicle cannot be asked at all.
    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error>;

    /// Asks actuators to move. It does not write the reading: that follows when the actuator has moved.
    ///
    /// An item is an `Err` where the request makes no sense (unknown, no actuator, wrong type, out of range, link down); what somebody decides is a
    /// receipt settled as refused. A dropped call may or may not have sent its requests, but never half of one.
    ///
    /// # Errors
    /// Where the vehicle cannot be asked at all.
    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error>;

    /// Subscribes to signals. The subscription covers what it can and reports the rest, unless it is strict.
    /// A call that is dropped before it returns leaves no subscription behind.
    ///
    /// # Errors
    /// Where the wish is malformed or exceeds a bound, the vehicle cannot do it, or it is strict and a signal is refused.
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error>;
}

/// What is asked of [`Vehicle::get`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Get<'a> {
    /// The signals.
    pub signals: &'a [SignalId],
}

impl<'a> Get<'a> {
    /// The present datapoints of these signals.
    pub const fn of(signals: &'a [SignalId]) -> Self {
        Self { signals }
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<V: Vehicle + ?Sized> Vehicle for $pointer<V> {
            fn catalogue(&self) -> Arc<Catalogue> {
                (**self).catalogue()
            }

            async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
                (**self).get(get).await
            }

            async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
                (**self).set(requests).await
            }

            async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
                (**self).subscribe(subscribe).await
            }
        }
    )*};
}

forward!(Arc, Box);
