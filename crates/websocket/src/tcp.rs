//! WebSockets over TCP, with TLS or without: a connector by URL, and a listener on an address.
//!
//! *Invariant:* nothing is sent in the clear but to this machine itself, unless that was asked for by name. No wait is without an end.
//! *Next:* `socket.rs` (the connection), `tls.rs` (certificates).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use coachwork_transport::viss::Dialect;
use coachwork_transport::{Arrival, Connection, Connector, Info, Limits, Listener, Security, TransportError};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::socket::{Accept, WebSocket};
use crate::tls::{ClientTls, ServerTls};
use crate::url::{Url, UrlError};

/// A connector to a URL: `wss://gateway.local:6443`, `ws://127.0.0.1:8090/viss`. Without a port it is 6443, that of VISS. It offers the
/// subprotocols of VISS, see [`offering`](WebSocketConnector::offering).
///
/// # Errors
/// What is wrong with the URL.
pub fn connector(url: &str, limits: &Limits) -> Result<WebSocketConnector, UrlError> {
    Ok(WebSocketConnector {
        url: Url::parse(url)?,
        limits: limits.clone(),
        offered: Dialect::SUBPROTOCOLS.map(Into::into).to_vec(),
        within: Duration::from_secs(10),
        tls: None,
        plain: false,
    })
}

/// Listens on `address`, an IP address and a port: port 0 takes a free one, see [`WebSocketListener::address`]. Links are plain until
/// [`secured`](WebSocketListener::secured).
///
/// # Errors
/// [`TransportError::Io`] where the address cannot be had, or outside of a tokio runtime.
pub async fn listen(address: &str, limits: &Limits) -> Result<WebSocketListener, TransportError> {
    let name: Arc<str> = address.into();
    in_runtime(&name)?;
    let failed = |why| TransportError::io(name.clone(), why);
    let socket = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(WebSocketListener {
        socket,
        address,
        local: address.to_string(),
        limits: limits.clone(),
        accept: Accept::viss(),
        tls: None,
    })
}

/// Connects by WebSocket.
#[derive(Clone)]
pub struct WebSocketConnector {
    url: Url,
    limits: Limits,
    offered: Vec<Arc<str>>,
    within: Duration,
    tls: Option<ClientTls>,
    plain: bool,
}

impl WebSocketConnector {
    /// Gives up an attempt after this time, its name look-up and handshakes included. Default 10 seconds.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Offers these subprotocols, the preferred one first. Default: those of VISS.
    #[must_use]
    pub fn offering(self, names: &[&str]) -> Self {
        Self { offered: names.iter().map(|&name| name.into()).collect(), ..self }
    }

    /// Believes and shows what this says, on `wss://`.
    #[must_use]
    pub fn secured(self, tls: &ClientTls) -> Self {
        Self { tls: Some(tls.clone()), ..self }
    }

    /// Connects to other machines with `ws://` too, where everybody on the way can read and change what travels.
    #[must_use]
    pub fn allowing_plain_links(self) -> Self {
        Self { plain: true, ..self }
    }

    async fn open(&self) -> Result<Box<dyn Connection>, TransportError> {
        let peer = &self.url.text;
        let lost = |why| TransportError::io(peer.clone(), why);
        let stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await.map_err(lost)?;
        let info = described(&stream, peer.clone()).map_err(lost)?;
        let offered: Vec<&str> = self.offered.iter().map(AsRef::as_ref).collect();
        let (limits, authority, path) = (&self.limits, &self.url.authority, &self.url.path);
        if !self.url.is_secure {
            if !info.is_secure() && !self.plain {
                let what = "ws:// to another machine is refused, for others could read and change what travels: use wss://";
                return Err(TransportError::Refused { peer: peer.clone(), what: what.to_owned() });
            }
            let socket = WebSocket::connect(stream.compat(), info, limits, authority, path, &offered).await?;
            return Ok(Box::new(socket));
        }
        let refused = |what: String| TransportError::Refused { peer: peer.clone(), what };
        let tls = self
            .tls
            .as_ref()
            .ok_or_else(|| refused("wss:// needs roots to believe: see secured".to_owned()))?;
        let name = ServerName::try_from(self.url.host.clone())
            .map_err(|_| refused("the host is no name that a certificate can have".to_owned()))?;
        let stream = TlsConnector::from(tls.config()).connect(name, stream).await.map_err(lost)?;
        let info = encrypted(info, stream.get_ref().1.peer_certificates());
        let socket = WebSocket::connect(stream.compat(), info, limits, authority, path, &offered).await?;
        Ok(Box::new(socket))
    }
}

#[async_trait]
impl Connector for WebSocketConnector {
    fn peer(&self) -> &str {
        &self.url.text
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        in_runtime(&self.url.text)?;
        tokio::time::timeout(self.within, self.open()).await.unwrap_or_else(|_| {
            let why =
                io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {:?}", self.within));
            Err(TransportError::io(self.url.text.clone(), why))
        })
    }
}

/// Accepts WebSockets.
pub struct WebSocketListener {
    socket: tokio::net::TcpListener,
    address: SocketAddr,
    local: String,
    limits: Limits,
    accept: Accept,
    tls: Option<ServerTls>,
}

impl WebSocketListener {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Encrypts every link.
    #[must_use]
    pub fn secured(self, tls: &ServerTls) -> Self {
        Self { tls: Some(tls.clone()), ..self }
    }

    /// Takes connections in like this. Default: [`Accept::viss`].
    #[must_use]
    pub fn accepting(self, accept: Accept) -> Self {
        Self { accept, ..self }
    }
}

impl Listener for WebSocketListener {
    fn local(&self) -> &str {
        &self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let failed = |why| TransportError::io(self.local.as_str(), why);
        let (stream, peer) = ready!(self.socket.poll_accept(cx)).map_err(failed)?;
        let info = described(&stream, peer.to_string().into()).map_err(failed)?;
        let (limits, accept, tls) = (self.limits.clone(), self.accept.clone(), self.tls.clone());
        Poll::Ready(Ok(Arrival::new(info.peer.clone(), async move {
            let Some(tls) = tls else {
                let socket = WebSocket::accept(stream.compat(), info, &limits, &accept).await?;
                let connection: Box<dyn Connection> = Box::new(socket);
                return Ok(connection);
            };
            let peer = info.peer.clone();
            let stream = TlsAcceptor::from(tls.config())
                .accept(stream)
                .await
                .map_err(|why| TransportError::io(peer, why))?;
            let info = encrypted(info, stream.get_ref().1.peer_certificates());
            let socket = WebSocket::accept(stream.compat(), info, &limits, &accept).await?;
            let connection: Box<dyn Connection> = Box::new(socket);
            Ok(connection)
        })))
    }
}

fn described(stream: &TcpStream, peer: Arc<str>) -> io::Result<Info> {
    stream.set_nodelay(true)?;
    let local = stream.peer_addr()?.ip().to_canonical().is_loopback();
    Ok(Info::new(peer).with_security(if local { Security::Local } else { Security::Plain }))
}

fn encrypted(info: Info, chain: Option<&[CertificateDer<'_>]>) -> Info {
    let info = info.with_security(Security::Encrypted);
    match chain.and_then(|chain| chain.first()) {
        Some(certificate) => info.with_certificate(Bytes::copy_from_slice(certificate)),
        None => info,
    }
}

/// Tokio's sockets panic outside of a runtime; this says so instead.
fn in_runtime(peer: &Arc<str>) -> Result<(), TransportError> {
    let unsupported = |why| io::Error::new(io::ErrorKind::Unsupported, why);
    Handle::try_current().map(drop).map_err(|why| TransportError::io(peer.clone(), unsupported(why)))
}

impl fmt::Debug for WebSocketConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketConnector({})", self.url.text)
    }
}

impl fmt::Debug for WebSocketListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketListener({})", self.local)
    }
}
