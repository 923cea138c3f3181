//! What a config says of its transports becomes listeners, with their certificates.
//!
//! *Invariant:* all listen, or none: what cannot be listened on is an error before anybody is let in. A file that is of no use changes nothing.
//! *Next:* `running.rs` (which serves them and renews their certificates), `handover.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use coachwork_gateway::Protocol;
use coachwork_transport::Limits;
use coachwork_websocket::{Accept, Identity, Roots, ServerTls};

use super::config::{Listen, WebSocket};
use super::from;
use super::handover::Entrance;
use crate::Failure;
use crate::live::failure;

/// Something that listens.
pub(super) struct Transport {
    pub(super) entrance: Entrance,
    /// Where, as a client is told it.
    pub(super) url: String,
    pub(super) shown: Option<Shown>,
    /// The same, as a peer of another transport is told it.
    pub(super) protocol: Protocol,
}

/// What a server shows, and the files that it comes from.
#[derive(Clone)]
pub(super) struct Shown {
    tls: ServerTls,
    files: Files,
}

#[derive(Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

/// Listens everywhere.
pub(super) async fn open(listen: &Listen, folder: &Path, limits: &Limits) -> Result<Vec<Transport>, Failure> {
    let mut open = Vec::new();
    for socket in &listen.websocket {
        let shown = shown(socket, folder)?;
        let accept = Accept::viss().at_path(&socket.path);
        let accept = socket.origins.iter().fold(accept, |accept, origin| accept.allowing_origin(origin));
        let listener =
            coachwork_websocket::listen(&socket.address.to_string(), limits).await.map_err(failure)?;
        let address = listener.address();
        let listener = match &shown {
            Some(shown) => listener.secured(&shown.tls),
            None => listener,
        };
        let scheme = if shown.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{address}{}", socket.path.trim_end_matches('/'));
        let protocol = Protocol::new("ws").on_port(address.port());
        open.push(Transport { entrance: Entrance::new(listener.accepting(accept)), url, shown, protocol });
    }
    for tcp in &listen.tcp {
        let listener =
            coachwork_tokio::tcp::listen(&tcp.address.to_string(), limits).await.map_err(failure)?;
        let url = format!("tcp://{}", listener.address());
        let protocol = Protocol::new("tcp").on_port(listener.address().port());
        open.push(Transport { entrance: Entrance::new(listener), url, shown: None, protocol });
    }
    #[cfg(unix)]
    for unix in &listen.unix {
        let path = from(folder, &unix.path);
        let listener = coachwork_tokio::unix::listen(&path, limits).await.map_err(failure)?;
        let url = format!("unix:{}", path.display());
        let protocol = Protocol::new("unix");
        open.push(Transport { entrance: Entrance::new(listener), url, shown: None, protocol });
    }
    #[cfg(not(unix))]
    if !listen.unix.is_empty() {
        return Err(failure("this system has no unix sockets"));
    }
    Ok(open)
}

/// Whether all certificates are of use.
pub(super) fn certificates(listen: &Listen, folder: &Path) -> Result<(), Failure> {
    listen.websocket.iter().try_for_each(|socket| shown(socket, folder).map(drop))
}

fn shown(socket: &WebSocket, folder: &Path) -> Result<Option<Shown>, Failure> {
    let (Some(certificate), Some(key)) = (&socket.certificate, &socket.key) else { return Ok(None) };
    let clients = socket.clients.as_ref().map(|path| from(folder, path));
    let files = Files { certificate: from(folder, certificate), key: from(folder, key), clients };
    let (identity, roots) = files.read()?;
    let made = match &roots {
        Some(roots) => ServerTls::with_clients_of(&identity, roots),
        None => ServerTls::new(&identity),
    };
    let tls = made.map_err(|why| failure(format_args!("{}: {why}", files.certificate.display())))?;
    Ok(Some(Shown { tls, files }))
}

impl Shown {
    /// The files that it comes from.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let Files { certificate, key, clients } = &self.files;
        [certificate, key].into_iter().chain(clients).cloned().collect()
    }

    /// Shows what is in the files now.
    pub(super) fn renew(&self) -> Result<(), Failure> {
        let (identity, roots) = self.files.read()?;
        let renewed = self.tls.renew_with_clients_of(&identity, roots.as_ref());
        renewed.map_err(|why| failure(format_args!("{}: {why}", self.files.certificate.display())))
    }
}

impl Files {
    fn read(&self) -> Result<(Identity, Option<Roots>), Failure> {
        let (chain, key) = (pem(&self.certificate)?, pem(&self.key)?);
        let identity = Identity::from_pem(chain, key).map_err(|why| {
            failure(format_args!("{}, {}: {why}", self.certificate.display(), self.key.display()))
        })?;
        let roots = self.clients.as_ref().map(|path| {
            Roots::from_pem(pem(path)?).map_err(|why| failure(format_args!("{}: {why}", path.display())))
        });
        Ok((identity, roots.transpose()?))
    }
}

/// A file that holds certificates or a key.
pub(crate) fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|why| failure(format_args!("{}: {why}", path.display())))
}
