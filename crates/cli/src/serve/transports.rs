//! What a config says of its transports becomes listeners, with their certificates.
//!
//! *Invariant:* all listen, or none: what cannot be listened on is an error before anybody is let in. A file that is of no use changes nothing.
//! *Next:* `running.rs` (which serves them and renews their certificates), `handover.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use coachwork_gateway::Protocol;
use coachwork_mqtt::{PeerBounds, SignIn};
use coachwork_tokio::tls::{ClientTls, Identity, Roots, ServerTls};
use coachwork_transport::{Limits, Listener as _, TransportError};
use coachwork_websocket::Accept;

use super::config::{Count, Listen, Mqtt};
use super::from;
use super::handover::Entrance;
use super::watched::Watched;
use crate::Failure;
use crate::live::failure;

/// Something that listens.
pub(super) struct Transport {
    pub(super) entrance: Entrance,
    /// Where, as a client is told it.
    pub(super) url: String,
    /// What it shows, and whether the files of it are others than when they were read.
    pub(super) shown: Option<(Shown, Watched)>,
    /// The same, as a peer of another transport is told it.
    pub(super) protocol: Protocol,
}

/// What a transport shows to those whom it meets, and the files that it comes from.
#[derive(Clone)]
pub(super) enum Shown {
    /// A server, to its clients.
    Server { tls: ServerTls, files: Files },
    /// A car, to its broker.
    Broker(AtBroker),
}

/// What a car shows to its broker.
#[derive(Clone)]
pub(super) struct AtBroker {
    /// Whom it believes, with the file that says so.
    tls: Option<(ClientTls, PathBuf)>,
    certificate: Option<(PathBuf, PathBuf)>,
    sign_in: Option<(SignIn, String, PathBuf)>,
}

#[derive(Clone)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

/// Listens everywhere.
pub(super) async fn open(listen: &Listen, folder: &Path, limits: &Limits) -> Result<Vec<Transport>, Failure> {
    let mut open = Vec::new();
    for socket in &listen.websocket {
        let shown = shown(folder, [&socket.certificate, &socket.key, &socket.clients])?;
        let accept = Accept::viss().at_path(&socket.path);
        let accept = socket.origins.iter().fold(accept, |accept, origin| accept.allowing_origin(origin));
        let listener = coachwork_websocket::listen(&socket.address.to_string(), limits)
            .await
            .map_err(|why| unheard(&why))?;
        let address = listener.address();
        let listener = match &shown {
            Some((Shown::Server { tls, .. }, _)) => listener.secured(tls),
            _ => listener,
        };
        let scheme = if shown.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{address}{}", socket.path.trim_end_matches('/'));
        let protocol = Protocol::new("ws").on_port(address.port());
        open.push(Transport { entrance: Entrance::new(listener.accepting(accept)), url, shown, protocol });
    }
    for tcp in &listen.tcp {
        let shown = shown(folder, [&tcp.certificate, &tcp.key, &tcp.clients])?;
        let listener = coachwork_tokio::tcp::listen(&tcp.address.to_string(), limits)
            .await
            .map_err(|why| unheard(&why))?;
        let address = listener.address();
        let (listener, scheme) = match &shown {
            Some((Shown::Server { tls, .. }, _)) => (listener.secured(tls), "tcps"),
            _ => (listener, "tcp"),
        };
        let url = format!("{scheme}://{address}");
        let protocol = Protocol::new("tcp").on_port(address.port());
        open.push(Transport { entrance: Entrance::new(listener), url, shown, protocol });
    }
    #[cfg(unix)]
    for unix in &listen.unix {
        let path = from(folder, &unix.path);
        let listener = coachwork_tokio::unix::listen(&path, limits).await.map_err(|why| unheard(&why))?;
        let url = format!("unix:{}", path.display());
        let protocol = Protocol::new("unix");
        open.push(Transport { entrance: Entrance::new(listener), url, shown: None, protocol });
    }
    for mqtt in &listen.mqtt {
        open.push(at_broker(mqtt, folder, limits)?);
    }
    #[cfg(not(unix))]
    if !listen.unix.is_empty() {
        return Err(failure("this system has no unix sockets"));
    }
    Ok(open)
}

/// Why there is nothing to listen on; no link was lost where none could come.
fn unheard(why: &TransportError) -> Failure {
    match why {
        TransportError::Io { peer, source } => failure(format_args!("cannot listen on {peer}: {source}")),
        other => failure(other),
    }
}

/// Whether all certificates are of use.
pub(super) fn certificates(listen: &Listen, folder: &Path) -> Result<(), Failure> {
    let sockets = listen.websocket.iter().map(|socket| [&socket.certificate, &socket.key, &socket.clients]);
    let tcp = listen.tcp.iter().map(|tcp| [&tcp.certificate, &tcp.key, &tcp.clients]);
    sockets.chain(tcp).try_for_each(|files| shown(folder, files).map(drop))?;
    listen.mqtt.iter().try_for_each(|mqtt| at_broker(mqtt, folder, &Limits::default()).map(drop))
}

/// The car at a broker. It goes there when it is served, and again when the link is lost.
fn at_broker(mqtt: &Mqtt, folder: &Path, limits: &Limits) -> Result<Transport, Failure> {
    let path = |path: &PathBuf| from(folder, path);
    let failed = |why: &dyn std::fmt::Display| failure(format_args!("listen.mqtt: {why}"));
    let mut listener = coachwork_mqtt::listen(&mqtt.url, limits).map_err(|why| failed(&why))?;
    let (ca, certificate) = (mqtt.ca.as_ref().map(path), mqtt.certificate.as_ref().zip(mqtt.key.as_ref()));
    let certificate = certificate.map(|(certificate, key)| (path(certificate), path(key)));
    let user = mqtt.user.clone().zip(mqtt.password.as_ref().map(path));
    let files = [ca.as_ref(), user.as_ref().map(|(_, password)| password)].into_iter().flatten();
    let files = files.chain(certificate.iter().flat_map(|(certificate, key)| [certificate, key]));
    let watched = Watched::new(files.cloned());
    let mut shown = AtBroker { tls: None, certificate, sign_in: None };
    if let Some(ca) = ca {
        let roots = roots(&ca)?;
        let tls = ClientTls::trusting(&roots);
        shown.tls = Some((tls.map_err(|why| failure(format_args!("{}: {why}", ca.display())))?, ca));
    }
    if let Some((user, file)) = user {
        let made = SignIn::new(&user, password(&file)?).map_err(|why| failed(&why))?;
        shown.sign_in = Some((made, user, file));
    }
    shown.renew()?;
    if let Some((tls, _)) = &shown.tls {
        listener = listener.secured(tls);
    }
    if let Some((sign_in, ..)) = &shown.sign_in {
        listener = listener.signed_in(sign_in);
    }
    if let Some(client) = &mqtt.client {
        listener = listener.named(client);
    }
    if mqtt.version_2 {
        listener = listener.speaking("VISSv2");
    }
    if mqtt.allow_plain_links {
        listener = listener.allowing_plain_links();
    }
    let mut bounds = PeerBounds::default();
    bounds.peers = mqtt.peers.map_or(bounds.peers, Count::size);
    bounds.answers_under.clone_from(&mqtt.answers_under);
    // Its local name has no vehicle, whose name may be its VIN.
    let url = listener.local().to_owned();
    let entrance = Entrance::new(listener.bounded(bounds));
    let protocol = Protocol::new("mqtt");
    Ok(Transport { entrance, url, shown: Some((Shown::Broker(shown), watched)), protocol })
}

impl AtBroker {
    /// What is in the files, or nothing of it.
    fn renew(&self) -> Result<(), Failure> {
        let wrong =
            |path: &Path, why: &dyn std::fmt::Display| failure(format_args!("{}: {why}", path.display()));
        let secret = self.sign_in.as_ref().map(|(.., file)| password(file)).transpose()?;
        if let Some((tls, ca)) = &self.tls {
            let identity = self.certificate.as_ref().map(|(certificate, key)| identity(certificate, key));
            let renewed = tls.renew(&roots(ca)?, identity.transpose()?.as_ref());
            let shown = self.certificate.as_ref().map_or(ca, |(certificate, _)| certificate);
            renewed.map_err(|why| wrong(shown, &why))?;
        }
        if let (Some((sign_in, user, file)), Some(secret)) = (&self.sign_in, secret) {
            sign_in.renew(user, secret).map_err(|why| wrong(file, &why))?;
        }
        Ok(())
    }
}

/// A password, without the end of its line.
fn password(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(pem(file)?.trim_ascii_end().to_vec())
}

/// What a server shows that has a certificate, a key, and roots of its clients.
fn shown(folder: &Path, files: [&Option<PathBuf>; 3]) -> Result<Option<(Shown, Watched)>, Failure> {
    let [Some(certificate), Some(key), clients] =
        files.map(|file| file.as_ref().map(|path| from(folder, path)))
    else {
        return Ok(None);
    };
    let watched = Watched::new([&certificate, &key].into_iter().chain(&clients).cloned());
    let files = Files { certificate, key, clients };
    let (identity, roots) = files.read()?;
    let made = match &roots {
        Some(roots) => ServerTls::with_clients_of(&identity, roots),
        None => ServerTls::new(&identity),
    };
    let tls = made.map_err(|why| failure(format_args!("{}: {why}", files.certificate.display())))?;
    Ok(Some((Shown::Server { tls, files }, watched)))
}

impl Shown {
    /// Shows what is in the files now.
    pub(super) fn renew(&self) -> Result<(), Failure> {
        match self {
            Self::Server { tls, files } => {
                let (identity, roots) = files.read()?;
                let renewed = tls.renew_with_clients_of(&identity, roots.as_ref());
                renewed.map_err(|why| failure(format_args!("{}: {why}", files.certificate.display())))
            }
            Self::Broker(shown) => shown.renew(),
        }
    }
}

impl Files {
    fn read(&self) -> Result<(Identity, Option<Roots>), Failure> {
        let clients = self.clients.as_deref().map(roots).transpose()?;
        Ok((identity(&self.certificate, &self.key)?, clients))
    }
}

/// A certificate and its key.
pub(crate) fn identity(certificate: &Path, key: &Path) -> Result<Identity, Failure> {
    let made = Identity::from_pem(pem(certificate)?, pem(key)?);
    made.map_err(|why| failure(format_args!("{}, {}: {why}", certificate.display(), key.display())))
}

/// Whom to believe.
pub(crate) fn roots(path: &Path) -> Result<Roots, Failure> {
    Roots::from_pem(pem(path)?).map_err(|why| failure(format_args!("{}: {why}", path.display())))
}

/// A file that holds certificates or a key.
fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|why| failure(format_args!("{}: {why}", path.display())))
}
