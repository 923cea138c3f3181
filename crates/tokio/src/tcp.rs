//! TCP: connections by address, and a listener on one; encrypted with the feature `tls`.
//!
//! *Invariant:* nothing is sent in the clear but to this machine itself, unless that was asked for by name.
//! *Next:* `stream.rs` (the streams), `dial.rs` (which frames them).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_transport::{Arrival, Connection, Connector, Limits, Listener, TransportError};

use crate::dial::Greeting;
use crate::stream::{Acceptor, Authority, Opener};
#[cfg(feature = "tls")]
use crate::tls::{ClientTls, ServerTls};

/// A connector to `address`: a host or IP address and a port, as in `gateway.local:6444` or `[::1]:6444`. The name is looked up anew for each
/// connection. A link to another machine is encrypted, or it is refused: see `secured` and
/// [`allowing_plain_links`](TcpConnector::allowing_plain_links).
pub fn connector(address: impl Into<Arc<str>>, limits: &Limits) -> TcpConnector {
    let address = address.into();
    let to = Authority::parse(&address, None);
    TcpConnector { opener: Opener::to(address, to), greeting: Greeting::new(limits) }
}

/// Listens on `address`, an IP address and a port: port 0 takes a free one, see [`TcpListener::address`]. Links are plain until they are `secured`.
///
/// # Errors
/// [`TransportError::Io`] where the address cannot be had, or outside of a tokio runtime.
pub async fn listen(address: &str, limits: &Limits) -> Result<TcpListener, TransportError> {
    Ok(TcpListener { acceptor: Acceptor::bind(address).await?, greeting: Greeting::new(limits) })
}

/// Connects over TCP.
#[derive(Clone)]
pub struct TcpConnector {
    opener: Opener,
    greeting: Greeting,
}

impl TcpConnector {
    /// Gives up an attempt after this time, its name look-up and handshakes included. Default 10 seconds.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { opener: self.opener.within(within), ..self }
    }

    /// Offers these subprotocols, the preferred one first.
    #[must_use]
    pub fn offering(self, names: &[&str]) -> Self {
        Self { greeting: self.greeting.naming(names), ..self }
    }

    /// Encrypts every link, and believes and shows what this says.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn secured(self, tls: &ClientTls) -> Self {
        Self { opener: self.opener.secured(tls), ..self }
    }

    /// Connects to other machines in the clear too, where everybody on the way can read and change what travels.
    #[must_use]
    pub fn allowing_plain_links(self) -> Self {
        Self { opener: self.opener.allowing_plain_links(), ..self }
    }
}

#[async_trait]
impl Connector for TcpConnector {
    fn peer(&self) -> &str {
        self.opener.peer()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let framed = self.opener.open(|stream, info| self.greeting.connect(stream, info)).await;
        Ok(Box::new(framed.map_err(answered_in_tls)?))
    }
}

/// Who speaks TLS answers a hello in the clear with an alert, which read as a frame has an absurd length.
fn answered_in_tls(error: TransportError) -> TransportError {
    match error {
        TransportError::TooLarge { peer, size, .. } if (0x1503_0000..0x1504_0000).contains(&size) => {
            TransportError::Refused { peer, what: "it speaks TLS, and this link is plain".to_owned() }
        }
        other => other,
    }
}

/// Accepts connections over TCP.
pub struct TcpListener {
    acceptor: Acceptor,
    greeting: Greeting,
}

impl TcpListener {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Agrees only on these subprotocols.
    #[must_use]
    pub fn speaking(self, names: &[&str]) -> Self {
        Self { greeting: self.greeting.naming(names), ..self }
    }

    /// Encrypts every link.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn secured(self, tls: &ServerTls) -> Self {
        Self { acceptor: self.acceptor.secured(tls), ..self }
    }
}

impl Listener for TcpListener {
    fn local(&self) -> &str {
        self.acceptor.local()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let greeting = self.greeting.clone();
        self.acceptor.poll_accept(cx, move |stream, info| greeting.accept(stream, info))
    }
}

impl fmt::Debug for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpConnector({})", self.opener.peer())
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({})", self.acceptor.local())
    }
}
