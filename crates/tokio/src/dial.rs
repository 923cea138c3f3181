//! What the links over TCP and unix sockets have in common: a stream becomes a framed connection, and what opens has an end.
//!
//! *Invariant:* nothing waits without an end, and nothing panics outside of a runtime: that is an error of the link.
//! *Next:* `tcp.rs`, `unix.rs`, `stream.rs`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::{Framed, Info, Limits, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

/// How framed links begin: the limits, and the subprotocols that are offered or known.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    limits: Limits,
    names: Vec<Arc<str>>,
}

impl Greeting {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), names: Vec::new() }
    }

    pub(crate) fn naming(self, names: &[&str]) -> Self {
        Self { names: names.iter().map(|&name| name.into()).collect(), ..self }
    }

    /// A stream that was opened, when its hello is answered.
    pub(crate) async fn connect<S>(&self, stream: S, info: Info) -> Result<Framed<S>, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        Framed::connect(stream, info, &self.limits, &self.names()).await
    }

    /// A stream that has arrived, when its hello is heard.
    pub(crate) async fn accept<S>(self, stream: S, info: Info) -> Result<Framed<S>, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        Framed::accept(stream, info, &self.limits, &self.names()).await
    }

    fn names(&self) -> Vec<&str> {
        self.names.iter().map(AsRef::as_ref).collect()
    }
}

/// What opens, or that it took too long.
pub(crate) async fn within<T>(
    peer: &Arc<str>,
    time: Duration,
    opening: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    in_runtime(peer)?;
    tokio::time::timeout(time, opening).await.unwrap_or_else(|_| {
        let why = io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {time:?}"));
        Err(TransportError::io(peer.clone(), why))
    })
}

/// Tokio's sockets panic outside of a runtime; this says so instead.
pub(crate) fn in_runtime(peer: &Arc<str>) -> Result<(), TransportError> {
    let unsupported = |why| io::Error::new(io::ErrorKind::Unsupported, why);
    Handle::try_current().map(drop).map_err(|why| TransportError::io(peer.clone(), unsupported(why)))
}
