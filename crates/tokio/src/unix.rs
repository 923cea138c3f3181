//! Unix sockets: connections by path, and a listener on one.
//!
//! *Invariant:* a listener takes its own file away when it goes, and one that a dead process left behind when it comes; it never takes
//! the place of one that answers, or of a file of another kind. Who may connect is who may write to the file.
//! *Next:* `dial.rs` (which frames the streams).

use std::fmt;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_transport::{Arrival, Connection, Connector, Info, Limits, Listener, Security, TransportError};
use tokio::net::UnixStream;

use crate::compat::Compat;
use crate::dial::{Greeting, in_runtime, within};

/// A connector to the socket at `path`.
pub fn connector(path: impl Into<PathBuf>, limits: &Limits) -> UnixConnector {
    let path = path.into();
    UnixConnector {
        peer: path.to_string_lossy().into(),
        path,
        within: Duration::from_secs(10),
        greeting: Greeting::new(limits),
    }
}

/// Listens on a new socket at `path`.
///
/// # Errors
/// [`TransportError::Io`] where the socket cannot be made, is in use, or outside of a tokio runtime.
pub async fn listen(path: impl Into<PathBuf>, limits: &Limits) -> Result<UnixListener, TransportError> {
    let path = path.into();
    let local: Arc<str> = path.to_string_lossy().into();
    in_runtime(&local)?;
    let failed = |why| TransportError::io(local.clone(), why);
    if is_abandoned(&path).await {
        std::fs::remove_file(&path).map_err(failed)?;
    }
    let socket = tokio::net::UnixListener::bind(&path).map_err(failed)?;
    Ok(UnixListener { socket, path, local, greeting: Greeting::new(limits) })
}

/// Connects over a unix socket.
#[derive(Clone)]
pub struct UnixConnector {
    path: PathBuf,
    peer: Arc<str>,
    within: Duration,
    greeting: Greeting,
}

impl UnixConnector {
    /// Gives up an attempt after this time, its hello included. Default 10 seconds.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Offers these subprotocols, the preferred one first.
    #[must_use]
    pub fn offering(self, names: &[&str]) -> Self {
        Self { greeting: self.greeting.naming(names), ..self }
    }
}

#[async_trait]
impl Connector for UnixConnector {
    fn peer(&self) -> &str {
        &self.peer
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let opening = async {
            let opened = UnixStream::connect(&self.path).await;
            let stream = opened.map_err(|why| TransportError::io(self.peer.clone(), why))?;
            let info = Info::new(self.peer.clone()).with_security(Security::Local);
            self.greeting.connect(Compat(stream), info).await
        };
        Ok(Box::new(within(&self.peer, self.within, opening).await?))
    }
}

/// Accepts connections over a unix socket. Dropping it takes its file away.
pub struct UnixListener {
    socket: tokio::net::UnixListener,
    path: PathBuf,
    local: Arc<str>,
    greeting: Greeting,
}

impl UnixListener {
    /// Agrees only on these subprotocols.
    #[must_use]
    pub fn speaking(mut self, names: &[&str]) -> Self {
        self.greeting = self.greeting.clone().naming(names);
        self
    }
}

impl Listener for UnixListener {
    fn local(&self) -> &str {
        &self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let accepted = ready!(self.socket.poll_accept(cx));
        let (stream, _) = accepted.map_err(|why| TransportError::io(self.local.clone(), why))?;
        // Whoever connects has no name of its own.
        let info = Info::new(self.local.clone()).with_security(Security::Local);
        let greeting = self.greeting.clone();
        Poll::Ready(Ok(Arrival::new(info.peer.clone(), async move {
            let connection: Box<dyn Connection> = Box::new(greeting.accept(Compat(stream), info).await?);
            Ok(connection)
        })))
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        // Somebody else may have taken the file away; then there is nothing left to do.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether there is a socket at `path` that nobody answers.
async fn is_abandoned(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |why: io::Error| why.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.is_err_and(refused)
}

impl fmt::Debug for UnixConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixConnector({})", self.peer)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixListener({})", self.local)
    }
}
