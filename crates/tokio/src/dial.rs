//! What TCP and unix sockets have in common: a stream becomes a framed connection within a time.
//!
//! *Invariant:* nothing waits without an end, and nothing panics outside of a runtime: that is an error of the link.
//! *Next:* `tcp.rs`, `unix.rs`.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::{Arrival, Connection, Framed, Info, Limits, TransportError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use crate::stream::Compat;

/// What a connector's links have in common.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) limits: Limits,
    pub(crate) offered: Vec<Arc<str>>,
    pub(crate) within: Duration,
}

impl Dial {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), offered: Vec::new(), within: Duration::from_secs(10) }
    }

    pub(crate) fn offering(self, names: &[&str]) -> Self {
        Self { offered: names.iter().map(|&name| name.into()).collect(), ..self }
    }

    /// The stream that `open` makes, with what is known of its link, as a connection whose hello was answered.
    pub(crate) async fn connect<S>(
        &self,
        peer: &Arc<str>,
        open: impl Future<Output = io::Result<(S, Info)>> + Send,
    ) -> Result<Box<dyn Connection>, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        in_runtime(peer)?;
        let opened = async {
            let (stream, info) = open.await.map_err(|why| TransportError::io(peer.clone(), why))?;
            let offered: Vec<_> = self.offered.iter().map(AsRef::as_ref).collect();
            Framed::connect(Compat(stream), info, &self.limits, &offered).await
        };
        let Ok(connection) = tokio::time::timeout(self.within, opened).await else {
            let why =
                io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {:?}", self.within));
            return Err(TransportError::io(peer.clone(), why));
        };
        Ok(Box::new(connection?))
    }
}

/// What a listener's links have in common.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    pub(crate) limits: Limits,
    pub(crate) known: Vec<Arc<str>>,
}

impl Reception {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), known: Vec::new() }
    }

    pub(crate) fn speaking(self, names: &[&str]) -> Self {
        Self { known: names.iter().map(|&name| name.into()).collect(), ..self }
    }

    /// A stream that has arrived; its hello is heard when somebody awaits it.
    pub(crate) fn arrival<S>(&self, stream: S, info: Info) -> Arrival
    where
        S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
    {
        let Self { limits, known } = self.clone();
        Arrival::new(info.peer.clone(), async move {
            let known: Vec<_> = known.iter().map(AsRef::as_ref).collect();
            let connection = Framed::accept(Compat(stream), info, &limits, &known).await?;
            let connection: Box<dyn Connection> = Box::new(connection);
            Ok(connection)
        })
    }
}

/// Tokio's sockets panic outside of a runtime; this says so instead.
pub(crate) fn in_runtime(peer: &Arc<str>) -> Result<(), TransportError> {
    let unsupported = |why| io::Error::new(io::ErrorKind::Unsupported, why);
    Handle::try_current().map(drop).map_err(|why| TransportError::io(peer.clone(), unsupported(why)))
}
