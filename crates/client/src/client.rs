//! The client as an app holds it: a vehicle, and where its link stands.
//!
//! *Next:* `calls.rs` (get and set), `watch.rs` (subscribe), `plain.rs` (the same to a server of plain VISS).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coachwork_transport::Connector;
use coachwork_vehicle::{
    Board, Catalogue, CatalogueCell, Clock, Datapoint, Driver, Each, Error, Get, Receipt, Request, SignalId,
    Subscribe, Subscription, Vehicle,
};

use crate::connect::{Established, establish};
use crate::driver::Running;
use crate::link::Link;
use crate::options::Options;
use crate::outbox::Outbox;
use crate::plain::Plain;
use crate::queue::Priority;
use crate::shared::{Mode, Shared};
use crate::{calls, catalogue, history, watch};

/// A car at the other end of a link. Clones are handles to the same client; when the last one is dropped, its subscriptions end and
/// the link is closed.
///
/// The present state of a signal is asked of the gateway; while the link is down, signals are not available
/// ([`ReasonKind::Link`](coachwork_vehicle::ReasonKind::Link)), a `subscribe` stands and fills when the link comes back, and a `set` is
/// [`ErrorKind::Unavailable`](coachwork_vehicle::ErrorKind::Unavailable).
#[derive(Clone)]
pub struct Client(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    plain: Option<Plain>,
}

impl Client {
    /// Connects, and learns what the gateway's vehicle has. Spawn the driver: it carries everything.
    ///
    /// # Errors
    /// Why there is no link: [`ErrorKind::Unavailable`](coachwork_vehicle::ErrorKind::Unavailable) where nobody answers,
    /// [`ErrorKind::Timeout`](coachwork_vehicle::ErrorKind::Timeout) where it took too long, [`ErrorKind::Denied`](coachwork_vehicle::ErrorKind::Denied)
    /// where the gateway does not let this client in. Nothing is tried again: that begins once a link has stood.
    pub async fn connect(
        connector: impl Connector,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Self, Driver), Error> {
        Self::connect_to(Arc::new(connector), clock, options, None).await
    }

    /// The same, and what waits in `outbox` is delivered whenever the link stands. A client that was connected with it before, and its
    /// driver, must have gone.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(
        connector: impl Connector,
        clock: Arc<dyn Clock>,
        options: Options,
        outbox: Outbox,
    ) -> Result<(Self, Driver), Error> {
        Self::connect_to(Arc::new(connector), clock, options, Some(outbox)).await
    }

    async fn connect_to(
        connector: Arc<dyn Connector>,
        clock: Arc<dyn Clock>,
        options: Options,
        outbox: Option<Outbox>,
    ) -> Result<(Self, Driver), Error> {
        let established = establish(connector.as_ref(), clock.as_ref(), &options).await?;
        let Established { connection, mut session, mut metadata, renew } = established;
        let left_out = std::mem::take(&mut metadata.skipped);
        let catalogue = catalogue::first(metadata)?;
        let mode = if session.has_additions() {
            Mode::Native(CatalogueCell::new(catalogue))
        } else {
            Mode::Plain(Board::new(catalogue, clock.clone()))
        };
        session.set_catalogue(match &mode {
            Mode::Native(cell) => cell.load(),
            Mode::Plain(board) => board.catalogue(),
        });
        let peer: Arc<str> = connector.peer().into();
        let shared = Arc::new(Shared::new(clock, options, peer, mode, session, left_out, outbox));
        shared.take_up_queued();
        let plain = Plain::of(&shared);
        let driver = Driver::new(Running::new(shared.clone(), connector, connection, renew).run());
        Ok((Self(Arc::new(Handle { shared, plain })), driver))
    }

    /// Where the link stands.
    pub fn link(&self) -> Link {
        self.0.shared.link.load()
    }

    /// Waits until the link stands otherwise than `seen`. Cancel-safe.
    pub async fn link_other_than(&self, seen: Link) -> Link {
        self.0.shared.link.wait(|link| *link != seen).await
    }

    /// Asks an actuator to move now or, while the link is down, as soon as it stands again, until the request's own time
    /// ([`Set::within`](coachwork_vehicle::Set::within)) is over: then it has timed out and is not asked any more. It is kept in the outbox: should this process end
    /// before, the next client of the outbox asks in its place, and nobody holds the receipt.
    ///
    /// However often it travels, the gateway asks the vehicle once, as long as its memory of keys lives.
    ///
    /// # Errors
    /// As [`set`](Vehicle::set) for a request that makes no sense, and [`ErrorKind::Invalid`](coachwork_vehicle::ErrorKind::Invalid) for one with a key;
    /// [`ErrorKind::Unsupported`](coachwork_vehicle::ErrorKind::Unsupported) without an outbox, and to a gateway of plain VISS;
    /// [`ErrorKind::Limit`](coachwork_vehicle::ErrorKind::Limit) and [`ErrorKind::Unavailable`](coachwork_vehicle::ErrorKind::Unavailable) where the queue does not take it.
    pub fn set_queued(&self, request: &Request, priority: Priority) -> Result<Receipt, Error> {
        calls::set_queued(&self.0.shared, request, priority)
    }

    /// What was recorded of signals, from now back through `period`: for each, in the order asked, the datapoints of that time by the time of their
    /// source, the oldest first. The present one is none of them. Of a signal of which nothing was recorded the list is empty; with a server of plain VISS,
    /// which does not tell that from no recording at all, it is an error.
    ///
    /// A part of a second of the period counts as a whole one. How much is told is bounded by the gateway (`Options::history` there) and by the largest
    /// message. Like a get it is asked again on the next link, until `Options::request_time` is over. Cancel-safe: a dropped call asks for nothing more.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](coachwork_vehicle::ErrorKind::Unsupported) where the gateway records nothing (with a server of plain VISS, in place of the
    /// signal's list); [`ErrorKind::Limit`](coachwork_vehicle::ErrorKind::Limit) where there is more than may be asked for at once: ask for a shorter period;
    /// [`ErrorKind::Invalid`](coachwork_vehicle::ErrorKind::Invalid) for a period of no length, or of 999 days and more;
    /// [`ErrorKind::Unavailable`](coachwork_vehicle::ErrorKind::Unavailable) while the link is down; [`ErrorKind::Timeout`](coachwork_vehicle::ErrorKind::Timeout).
    /// In place of a signal's list: that it may not be read, or is of another catalogue.
    pub async fn history(
        &self,
        signals: &[SignalId],
        period: Duration,
    ) -> Result<Each<Vec<Datapoint>>, Error> {
        history::history(&self.0.shared, signals, period).await
    }

    /// The signals that the gateway has and this client does not understand, by path, with the reason.
    pub fn left_out(&self) -> Vec<(String, Error)> {
        self.0.shared.left_out()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for Client {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.shared.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        match &self.0.plain {
            Some(plain) => plain.get(get.signals).await,
            None => calls::get(&self.0.shared, get.signals).await,
        }
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        match &self.0.plain {
            Some(plain) => plain.set(requests).await,
            None => calls::set(&self.0.shared, requests).await,
        }
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        match &self.0.plain {
            Some(plain) => plain.subscribe(subscribe).await,
            None => watch::subscribe(&self.0.shared, subscribe).await,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the vehicle at {}", self.0.shared.peer)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({}, {})", self.0.shared.peer, self.link())
    }
}
