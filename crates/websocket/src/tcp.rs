//! WebSockets over TCP, with TLS or without: a connector by URL, and a listener on an address.
//!
//! *Invariant:* nothing is sent in the clear but to this machine itself, unless that was asked for by name. No wait is without an end.
//! *Next:* `socket.rs` (the connection), coachwork-tokio's `stream` and `tls` (what it runs over).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_tokio::stream::{Acceptor, Opener};
use coachwork_tokio::tls::{ClientTls, ServerTls};
use coachwork_transport::viss::Dialect;
use coachwork_transport::{Arrival, Connection, Connector, Limits, Listener, TransportError};

use crate::socket::{Accept, WebSocket};
use crate::url::{Url, UrlError};

/// A connector to a URL: `wss://gateway.local:6443`, `ws://127.0.0.1:8090/viss`. Without a port it is 6443, that of VISS. It offers the
/// subprotocols of VISS, see [`offering`](WebSocketConnector::offering).
///
/// # Errors
/// What is wrong with the URL.
pub fn connector(url: &str, limits: &Limits) -> Result<WebSocketConnector, UrlError> {
    let url = Url::parse(url)?;
    let opener = Opener::new(url.text.clone(), url.to.clone()).instead("wss://");
    Ok(WebSocketConnector {
        opener: if url.is_secure { opener.encrypted() } else { opener },
        url,
        limits: limits.clone(),
        offered: Dialect::SUBPROTOCOLS.map(Into::into).to_vec(),
    })
}

/// Listens on `address`, an IP address and a port: port 0 takes a free one, see [`WebSocketListener::address`]. Links are plain until
/// [`secured`](WebSocketListener::secured).
///
/// # Errors
/// [`TransportError::Io`] where the address cannot be had, or outside of a tokio runtime.
pub async fn listen(address: &str, limits: &Limits) -> Result<WebSocketListener, TransportError> {
    let acceptor = Acceptor::bind(address).await?;
    Ok(WebSocketListener { acceptor, limits: limits.clone(), accept: Accept::viss() })
}

/// Connects by WebSocket.
#[derive(Clone)]
pub struct WebSocketConnector {
    url: Url,
    opener: Opener,
    limits: Limits,
    offered: Vec<Arc<str>>,
}

impl WebSocketConnector {
    /// Gives up an attempt after this time, its name look-up and handshakes included. Default 10 seconds.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { opener: self.opener.within(within), ..self }
    }

    /// Offers these subprotocols, the preferred one first. Default: those of VISS.
    #[must_use]
    pub fn offering(self, names: &[&str]) -> Self {
        Self { offered: names.iter().map(|&name| name.into()).collect(), ..self }
    }

    /// Believes and shows what this says, on `wss://`.
    #[must_use]
    pub fn secured(self, tls: &ClientTls) -> Self {
        let opener = if self.url.is_secure { self.opener.secured(tls) } else { self.opener };
        Self { opener, ..self }
    }

    /// Connects to other machines with `ws://` too, where everybody on the way can read and change what travels.
    #[must_use]
    pub fn allowing_plain_links(self) -> Self {
        Self { opener: self.opener.allowing_plain_links(), ..self }
    }
}

#[async_trait]
impl Connector for WebSocketConnector {
    fn peer(&self) -> &str {
        &self.url.text
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let Self { url, limits, .. } = self;
        let offered: Vec<&str> = self.offered.iter().map(AsRef::as_ref).collect();
        let open =
            |stream, info| WebSocket::connect(stream, info, limits, &url.authority, &url.path, &offered);
        Ok(Box::new(self.opener.open(open).await?))
    }
}

/// Accepts WebSockets.
pub struct WebSocketListener {
    acceptor: Acceptor,
    limits: Limits,
    accept: Accept,
}

impl WebSocketListener {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Encrypts every link.
    #[must_use]
    pub fn secured(self, tls: &ServerTls) -> Self {
        Self { acceptor: self.acceptor.secured(tls), ..self }
    }

    /// Takes connections in like this. Default: [`Accept::viss`].
    #[must_use]
    pub fn accepting(self, accept: Accept) -> Self {
        Self { accept, ..self }
    }
}

impl Listener for WebSocketListener {
    fn local(&self) -> &str {
        self.acceptor.local()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let (limits, accept) = (self.limits.clone(), self.accept.clone());
        self.acceptor.poll_accept(cx, move |stream, info| async move {
            WebSocket::accept(stream, info, &limits, &accept).await
        })
    }
}

impl fmt::Debug for WebSocketConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketConnector({})", self.url.text)
    }
}

impl fmt::Debug for WebSocketListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketListener({})", self.acceptor.local())
    }
}
