//! TCP: connections by address, and a listener on one.
//!
//! *Invariant:* small messages are sent at once (`TCP_NODELAY`). A link within this machine is local, any other is plain.
//! *Next:* `dial.rs` (which frames the streams).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_transport::{Arrival, Connection, Connector, Info, Limits, Listener, Security, TransportError};
use tokio::net::TcpStream;

use crate::dial::{Dial, Reception, in_runtime};

/// A connector to `address`: a host or IP address and a port, as in `gateway.local:6444` or `[::1]:6444`. The name is looked up anew for each
/// connection.
pub fn connector(address: impl Into<Arc<str>>, limits: &Limits) -> TcpConnector {
    TcpConnector { address: address.into(), dial: Dial::new(limits) }
}

/// Listens on `address`: port 0 takes a free one, see [`TcpListener::address`].
///
/// # Errors
/// [`TransportError::Io`] where the address cannot be had, or outside of a tokio runtime.
pub async fn listen(address: &str, limits: &Limits) -> Result<TcpListener, TransportError> {
    let name: Arc<str> = address.into();
    in_runtime(&name)?;
    let failed = |why| TransportError::io(name.clone(), why);
    let socket = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(TcpListener { socket, address, local: address.to_string(), reception: Reception::new(limits) })
}

/// Connects over TCP.
#[derive(Clone)]
pub struct TcpConnector {
    address: Arc<str>,
    dial: Dial,
}

impl TcpConnector {
    /// Gives up an attempt after this time, its name look-up and hello included. Default 10 seconds.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.dial.within = within;
        self
    }

    /// Offers these subprotocols, the preferred one first.
    #[must_use]
    pub fn offering(self, names: &[&str]) -> Self {
        Self { dial: self.dial.offering(names), ..self }
    }
}

#[async_trait]
impl Connector for TcpConnector {
    fn peer(&self) -> &str {
        &self.address
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let open = async {
            let stream = TcpStream::connect(&*self.address).await?;
            let info = described(&stream, self.address.clone())?;
            Ok((stream, info))
        };
        self.dial.connect(&self.address, open).await
    }
}

/// Accepts connections over TCP.
pub struct TcpListener {
    socket: tokio::net::TcpListener,
    address: SocketAddr,
    local: String,
    reception: Reception,
}

impl TcpListener {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Agrees only on these subprotocols.
    #[must_use]
    pub fn speaking(self, names: &[&str]) -> Self {
        Self { reception: self.reception.speaking(names), ..self }
    }
}

impl Listener for TcpListener {
    fn local(&self) -> &str {
        &self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let failed = |why| TransportError::io(self.local.as_str(), why);
        let (stream, peer) = ready!(self.socket.poll_accept(cx)).map_err(failed)?;
        let info = described(&stream, peer.to_string().into()).map_err(failed)?;
        Poll::Ready(Ok(self.reception.arrival(stream, info)))
    }
}

fn described(stream: &TcpStream, peer: Arc<str>) -> io::Result<Info> {
    stream.set_nodelay(true)?;
    let local = stream.peer_addr()?.ip().to_canonical().is_loopback();
    Ok(Info::new(peer).with_security(if local { Security::Local } else { Security::Plain }))
}

impl fmt::Debug for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpConnector({})", self.address)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({})", self.local)
    }
}
