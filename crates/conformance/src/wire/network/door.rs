//! How connections through a network come to stand: a listener, and connectors.
//!
//! *Next:* `end.rs` (the connections).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use coachwork_transport::{Arrival, CloseReason, Connection, Connector, Listener, TransportError};

use super::{Net, State};

/// The listener of a [`Network`](super::Network). When it is dropped, connections are refused until there is another.
pub struct NetworkListener {
    net: Arc<Net>,
    name: Arc<str>,
    number: u64,
}

/// A way to whoever listens at a [`Network`](super::Network).
#[derive(Clone)]
pub struct NetworkConnector(Arc<Net>, Arc<str>);

impl NetworkListener {
    pub(super) fn new(net: Arc<Net>, number: u64) -> Self {
        Self { net, name: "network".into(), number }
    }
}

impl NetworkConnector {
    pub(super) fn new(net: Arc<Net>) -> Self {
        Self(net, "network".into())
    }
}

#[async_trait]
impl Connector for NetworkConnector {
    fn peer(&self) -> &str {
        &self.1
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let delay = {
            let mut state = self.0.lock();
            let State { chance, weather, .. } = &mut *state;
            let refused = chance.hits(weather.refused);
            (chance.between(weather.delay), refused)
        };
        let (travels, refused) = delay;
        self.0.clock.sleep_until(self.0.clock.monotonic().saturating_add(travels)).await;
        if refused || !self.0.lock().listens {
            return Err(TransportError::io("network", io::ErrorKind::ConnectionRefused.into()));
        }
        let (near, far) = self.0.pair();
        let waker = {
            let mut state = self.0.lock();
            state.waiting.push_back(far);
            state.acceptor.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(Box::new(near))
    }
}

impl Listener for NetworkListener {
    fn local(&self) -> &str {
        &self.name
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let mut state = self.net.lock();
        if state.listener != self.number {
            let reason = CloseReason::normal();
            return Poll::Ready(Err(TransportError::Closed { peer: "network".into(), reason }));
        }
        if let Some(end) = state.waiting.pop_front() {
            return Poll::Ready(Ok(Arrival::ready(end)));
        }
        state.acceptor = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for NetworkListener {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.net.lock();
            if state.listener != self.number {
                return;
            }
            state.listens = false;
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
    }
}

impl fmt::Debug for NetworkConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkConnector")
    }
}

impl fmt::Debug for NetworkListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkListener")
    }
}
