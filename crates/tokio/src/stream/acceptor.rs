//! An address becomes streams of those who come to it, encrypted or not.
//!
//! *Invariant:* nobody who dawdles holds up the next one: a handshake is done by whoever awaits the [`Arrival`], who bounds it.
//! *Next:* `tls.rs` (what a server shows), `opener.rs` (the other side).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use coachwork_transport::{Arrival, Connection, Info, TransportError};
use tokio::net::TcpListener;

use super::{Stream, described};
use crate::dial::in_runtime;
#[cfg(feature = "tls")]
use crate::tls::ServerTls;

/// Accepts streams on one address: the listening side of a transport over TCP.
pub struct Acceptor {
    socket: TcpListener,
    address: SocketAddr,
    local: String,
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

impl Acceptor {
    /// Listens on `address`, an IP address and a port: port 0 takes a free one, see [`address`](Self::address).
    ///
    /// # Errors
    /// [`TransportError::Io`] where the address cannot be had, or outside of a tokio runtime.
    pub async fn bind(address: &str) -> Result<Self, TransportError> {
        let name: Arc<str> = address.into();
        in_runtime(&name)?;
        let failed = |why| TransportError::io(name.clone(), why);
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            address,
            local: address.to_string(),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same for people.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Encrypts every link.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn secured(self, tls: &ServerTls) -> Self {
        Self { tls: Some(tls.clone()), ..self }
    }

    /// The next peer that arrives. What it is awaited for is the TLS handshake and then `handshake`, which gets the stream and what is known of
    /// it.
    ///
    /// # Errors
    /// [`TransportError::Io`] where the system says so of one arrival; the next one may come.
    pub fn poll_accept<C, F>(
        &mut self,
        cx: &mut Context<'_>,
        handshake: impl FnOnce(Stream, Info) -> F + Send + 'static,
    ) -> Poll<Result<Arrival, TransportError>>
    where
        C: Connection + 'static,
        F: Future<Output = Result<C, TransportError>> + Send + 'static,
    {
        let failed = |why| TransportError::io(self.local.as_str(), why);
        let (stream, peer) = ready!(self.socket.poll_accept(cx)).map_err(failed)?;
        let info = described(&stream, peer.to_string().into()).map_err(failed)?;
        #[cfg(feature = "tls")]
        let tls = self.tls.clone();
        Poll::Ready(Ok(Arrival::new(info.peer.clone(), async move {
            #[cfg(feature = "tls")]
            let (stream, info) = match tls {
                Some(tls) => tls.shake(stream, info).await?,
                None => (Stream::plain(stream), info),
            };
            #[cfg(not(feature = "tls"))]
            let stream = Stream::plain(stream);
            let connection: Box<dyn Connection> = Box::new(handshake(stream, info).await?);
            Ok(connection)
        })))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.local)
    }
}
