//! A listener becomes connections: peers arrive, shake hands within a time, and are served side by side in one future.
//!
//! *Invariant:* handshakes and connections are bounded; whoever is too many is told so. Nobody waits for a peer that dawdles.
//! *Next:* `peer.rs` (what becomes of one connection).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use coachwork_transport::{
    Arrival, CloseCode, CloseReason, Connection, ConnectionExt, Listener, Security, TransportError,
};
use coachwork_vehicle::{Error, Sleep};
use event_listener::EventListener;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::gateway::Shared;
use crate::observer::Happened;
use crate::peer;

/// How long to wait after an arrival failed: the system may be out of sockets.
const PAUSE: Duration = Duration::from_millis(50);

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(crate) struct Serving<L> {
    shared: Arc<Shared>,
    /// Gone when nobody will arrive any more.
    listener: Option<L>,
    handshakes: FuturesUnordered<Task<Option<Box<dyn Connection>>>>,
    peers: FuturesUnordered<Task<()>>,
    pause: Option<Sleep>,
    draining: Pin<Box<EventListener>>,
}

impl<L: Listener> Serving<L> {
    pub(crate) fn new(shared: Arc<Shared>, listener: L) -> Self {
        let draining = Box::pin(shared.drain.listen());
        let (handshakes, peers) = (FuturesUnordered::new(), FuturesUnordered::new());
        Self { shared, listener: Some(listener), handshakes, peers, pause: None, draining }
    }

    /// Serves until the listener ends or the gateway is shut down, and whoever is there has gone.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.poll(cx)).await;
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.listener.is_some() && (self.shared.drain.has_begun() || self.is_told_to_drain(cx)) {
                // Whoever waits in the backlog sees the listener go and comes back elsewhere or later.
                self.listener = None;
                self.handshakes.clear();
            }
            let mut idle = true;
            while let Poll::Ready(Some(())) = self.peers.poll_next_unpin(cx) {}
            while let Poll::Ready(Some(shaken)) = self.handshakes.poll_next_unpin(cx) {
                idle = false;
                if let Some(connection) = shaken {
                    self.admit(connection);
                }
            }
            while self.handshakes.len() < self.shared.options.handshakes {
                let Poll::Ready(arrival) = self.poll_arrival(cx) else { break };
                idle = false;
                self.handshakes.push(arrival);
            }
            if self.listener.is_none() && self.handshakes.is_empty() && self.peers.is_empty() {
                return Poll::Ready(());
            }
            if idle {
                return Poll::Pending;
            }
        }
    }

    fn is_told_to_drain(&mut self, cx: &mut Context<'_>) -> bool {
        self.draining.as_mut().poll(cx).is_ready() && {
            self.draining = Box::pin(self.shared.drain.listen());
            // The new listener comes first: a drain that begins after this look wakes it.
            self.draining.as_mut().poll(cx).is_ready() || self.shared.drain.has_begun()
        }
    }

    /// The handshake of the next peer.
    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<Task<Option<Box<dyn Connection>>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                if Pin::new(pause).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
            }
            let Some(listener) = &mut self.listener else { return Poll::Pending };
            match listener.poll_accept(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(arrival)) => return Poll::Ready(shake(self.shared.clone(), arrival)),
                Poll::Ready(Err(TransportError::Closed { .. })) => self.listener = None,
                Poll::Ready(Err(_)) => {
                    self.shared.turned_away(None, "its link broke before the handshake");
                    let clock = &self.shared.clock;
                    self.pause = Some(clock.sleep_until(clock.monotonic().saturating_add(PAUSE)));
                }
            }
        }
    }

    /// A connection that stands: it is served, or told why not.
    fn admit(&mut self, mut connection: Box<dyn Connection>) {
        let options = &self.shared.options;
        let info = connection.info();
        let host = (info.security != Security::Local).then(|| host(&info.peer));
        let from_host = host.as_ref().map_or(0, |host| self.shared.hosts.count(host));
        let connections = self.shared.counted.connections.load();
        let reason = if !info.is_secure() && !options.plain_links {
            "this gateway takes no links that others can read or change"
        } else if connections >= u64::try_from(options.connections).unwrap_or(u64::MAX) {
            "this gateway has no room for more connections"
        } else if from_host >= options.connections_per_host {
            "too many connections from this host"
        } else {
            self.shared.counted.accepted.add(1);
            self.shared.counted.connections.add(1);
            let number = self.shared.arrivals.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            self.shared.tell(&Happened::Arrived {
                connection: number,
                peer: &info.peer,
                security: info.security,
            });
            if let Some(host) = &host {
                self.shared.hosts.enter(host);
            }
            let from = host.clone().unwrap_or_else(|| "here".into());
            let leaving = Leaving(self.shared.clone(), host);
            let serving = async move {
                peer::serve(&leaving.0, connection, number, from).await;
                drop(leaving);
            };
            #[cfg(feature = "trace")]
            let serving = tracing::Instrument::instrument(
                serving,
                tracing::info_span!("coachwork.connection", connection = number),
            );
            self.peers.push(Box::pin(serving));
            return;
        };
        self.shared.turned_away(Some(&info.peer), reason);
        let (shared, reason) = (self.shared.clone(), CloseReason::new(CloseCode::Policy, reason));
        self.handshakes.push(Box::pin(async move {
            // Whether the peer hears it is its affair.
            let _ = shared.within(shared.options.handshake_time, connection.close(reason)).await;
            None
        }));
    }
}

impl Shared {
    fn turned_away(&self, peer: Option<&str>, why: &str) {
        self.counted.turned_away.add(1);
        self.tell(&Happened::TurnedAway { peer, why });
    }
}

/// How many connections each host has, over all transports of a gateway.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<HashMap<Arc<str>, usize>>);

impl Hosts {
    fn count(&self, host: &str) -> usize {
        self.lock().get(host).copied().unwrap_or(0)
    }

    fn enter(&self, host: &Arc<str>) {
        *self.lock().entry(host.clone()).or_default() += 1;
    }

    fn leave(&self, host: &str) {
        let mut hosts = self.lock();
        if let Some(count) = hosts.get_mut(host) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                hosts.remove(host);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection out, also when its future is dropped.
struct Leaving(Arc<Shared>, Option<Arc<str>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(host) = &self.1 {
            self.0.hosts.leave(host);
        }
        self.0.counted.connections.take(1);
        self.0.drain.left();
    }
}

fn shake(shared: Arc<Shared>, arrival: Arrival) -> Task<Option<Box<dyn Connection>>> {
    Box::pin(async move {
        let shaken = shared.within(shared.options.handshake_time, arrival).await;
        if let Some(Ok(connection)) = shaken {
            return Some(connection);
        }
        let why = match shaken {
            None => "its handshake took too long",
            Some(_) => "its handshake failed",
        };
        shared.turned_away(None, why);
        None
    })
}

/// The peer's name without its port, where it has one.
fn host(peer: &Arc<str>) -> Arc<str> {
    match peer.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.into(),
        _ => peer.clone(),
    }
}
