//! A gateway: who may come in, what they may hold, and what all connections share.
//!
//! *Next:* `serve.rs` (a listener becomes connections), `peer.rs` (one connection).

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use coachwork_transport::Listener;
use coachwork_vehicle::{Admission, Clock, Driver, Error};
use futures_util::future::{Either, select};

use crate::capabilities;
use crate::counters::{Counted, Counters};
use crate::door::{Door, Pass};
use crate::drain::Drain;
use crate::encoded::{Described, Events};
use crate::history::History;
use crate::inbox::Inbox;
use crate::intake::Intake;
use crate::keys::RequestKeys;
use crate::observer::{Happened, Observer};
use crate::options::Options;
use crate::serve::{Hosts, Serving};

/// Serves vehicles to peers. Clones are handles to the same gateway: it may serve any number of transports at once.
///
/// Peers speak COVESA VISS, version 2 or 3; those that ask for it get what VISS cannot say as additional members.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

/// What all connections of a gateway share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) door: Door,
    pub(crate) counted: Counted,
    pub(crate) drain: Drain,
    keys: OnceLock<Arc<RequestKeys>>,
    pub(crate) events: Events,
    pub(crate) metadata: Described,
    /// How many connections came to stand: the number of the last.
    pub(crate) arrivals: AtomicU64,
    pub(crate) hosts: Hosts,
    pub(crate) history: OnceLock<Arc<dyn History>>,
    observer: OnceLock<Arc<dyn Observer>>,
    pub(crate) intake: OnceLock<Intake>,
    own: OnceLock<Arc<Pass>>,
}

impl Gateway {
    /// A gateway that lets in whom `admission` admits, within `options`, and measures time with `clock`.
    pub fn new(admission: Arc<dyn Admission>, clock: Arc<dyn Clock>, options: Options) -> Self {
        let door = Door::new(admission, clock.clone(), options.admissions);
        Self(Arc::new(Shared {
            clock,
            options,
            door,
            counted: Counted::default(),
            drain: Drain::default(),
            keys: OnceLock::new(),
            events: Events::default(),
            metadata: Described::default(),
            arrivals: AtomicU64::new(0),
            hosts: Hosts::default(),
            history: OnceLock::new(),
            observer: OnceLock::new(),
            intake: OnceLock::new(),
            own: OnceLock::new(),
        }))
    }

    /// The same gateway, which tells `observer` what happens. The first observer stays.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn Observer>) -> Self {
        let _ = self.0.observer.set(observer);
        self
    }

    /// The same gateway, which hands what the queues of clients deliver to `inbox`. The first inbox stays; without one, deliveries are refused.
    #[must_use]
    pub fn storing(self, inbox: Arc<dyn Inbox>) -> Self {
        let _ = self.0.intake.set(Intake::new(inbox));
        self
    }

    /// The same gateway, which answers the filter `history` from a recording. The first one stays; say so before anybody is served.
    #[must_use]
    pub fn remembering(self, history: Arc<dyn History>) -> Self {
        let _ = self.0.history.set(history);
        self
    }

    /// The same gateway, which knows requests again by what `keys` remember. The first ones stay; without any, it remembers in memory.
    #[must_use]
    pub fn knowing(self, keys: Arc<RequestKeys>) -> Self {
        let _ = self.0.keys.set(keys);
        self
    }

    /// Serves whoever arrives at `listener`, until it ends or the gateway is shut down. Dropping the driver cuts its connections.
    pub fn serve(&self, listener: impl Listener) -> Driver {
        Driver::new(Serving::new(self.0.clone(), listener).run())
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.0.counted.snapshot()
    }

    /// Shuts down in good order: nobody new is let in, requests in flight are answered, then each peer is told that the gateway goes away.
    /// After `within`, whoever is still there is cut off. Completes when all connections have ended; dropping it does not undo it.
    pub async fn shutdown(&self, within: Duration) {
        self.0.drain.begin(self.0.clock.monotonic().saturating_add(within));
        self.0.drain.emptied(|| self.0.counted.connections.load() == 0).await;
    }
}

impl Shared {
    pub(crate) fn keys(&self) -> &RequestKeys {
        self.keys.get_or_init(|| Arc::new(RequestKeys::in_memory()))
    }

    /// Tells whoever observes.
    pub(crate) fn tell(&self, what: &Happened<'_>) {
        #[cfg(feature = "trace")]
        crate::observer::trace(what);
        if let Some(observer) = self.observer.get() {
            observer.happened(what);
        }
    }

    /// The pass to the gateway's own signals, which say what it can do.
    pub(crate) fn own(&self) -> Result<Arc<Pass>, Error> {
        if let Some(own) = self.own.get() {
            return Ok(own.clone());
        }
        let tree = capabilities::tree(&self.options, self.history.get().is_some(), &self.clock)?;
        Ok(self.own.get_or_init(|| Arc::new(Pass::to_all(Arc::new(tree)))).clone())
    }

    /// What `work` yields, or `None` when it takes longer.
    pub(crate) async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        let timer = self.clock.sleep_until(self.clock.monotonic().saturating_add(time));
        match select(pin!(work), timer).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({} connections)", self.0.counted.connections.load())
    }
}
