//! What a config says of its transports becomes listeners, with their certificates.
//!
//! *Invariant:* all listen, or none: what cannot be listened on is an error before anybody is let in. A file that is of no use changes nothing.
//! *Next:* `running.rs` (which serves them and renews their certificates), `handover.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use coachwork_gateway::Protocol;
use coachwork_mqtt::{ClientTls, PeerBounds, SignIn};
use coachwork_transport::{Limits, Listener as _};
use coachwork_websocket::{Accept, Identity, Roots, ServerTls};

use super::config::{Count, Listen, Mqtt, WebSocket};
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
    tls: Option<ClientTls>,
    sign_in: Option<SignIn>,
    certificate: Option<(PathBuf, PathBuf)>,
    user: Option<(String, PathBuf)>,
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
        let shown = shown(socket, folder)?;
        let accept = Accept::viss().at_path(&socket.path);
        let accept = socket.origins.iter().fold(accept, |accept, origin| accept.allowing_origin(origin));
        let listener =
            coachwork_websocket::listen(&socket.address.to_string(), limits).await.map_err(failure)?;
        let address = listener.address();
        let listener = match &shown {
            Some(Shown::Server { tls, .. }) => listener.secured(tls),
            _ => listener,
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
    for mqtt in &listen.mqtt {
        open.push(at_broker(mqtt, folder, limits)?);
    }
    #[cfg(not(unix))]
    if !listen.unix.is_empty() {
        return Err(failure("this system has no unix sockets"));
    }
    Ok(open)
}

/// Whether all certificates are of use.
pub(super) fn certificates(listen: &Listen, folder: &Path) -> Result<(), Failure> {
    listen.websocket.iter().try_for_each(|socket| shown(socket, folder).map(drop))?;
    listen.mqtt.iter().try_for_each(|mqtt| at_broker(mqtt, folder, &Limits::default()).map(drop))
}

/// The car at a broker. It goes there when it is served, and again when the link is lost.
fn at_broker(mqtt: &Mqtt, folder: &Path, limits: &Limits) -> Result<Transport, Failure> {
    let path = |path: &PathBuf| from(folder, path);
    let failed = |why: &dyn std::fmt::Display| failure(format_args!("listen.mqtt: {why}"));
    let mut listener = coachwork_mqtt::listen(&mqtt.url, limits).map_err(|why| failed(&why))?;
    let tls = match &mqtt.ca {
        None => None,
        Some(ca) => {
            let ca = path(ca);
            let wrong = |why| failure(format_args!("{}: {why}", ca.display()));
            let roots = coachwork_mqtt::Roots::from_pem(pem(&ca)?).map_err(wrong)?;
            Some(ClientTls::trusting(&roots).map_err(wrong)?)
        }
    };
    let mut shown = AtBroker {
        tls,
        sign_in: None,
        certificate: mqtt
            .certificate
            .as_ref()
            .zip(mqtt.key.as_ref())
            .map(|(one, key)| (path(one), path(key))),
        user: mqtt.user.clone().zip(mqtt.password.as_ref().map(path)),
    };
    shown.renew()?;
    if let Some((user, file)) = &shown.user {
        let made = SignIn::new(user, password(file)?);
        shown.sign_in = Some(made.map_err(|why| failed(&why))?);
    }
    if let Some(tls) = &shown.tls {
        listener = listener.secured(tls);
    }
    if let Some(sign_in) = &shown.sign_in {
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
    Ok(Transport { entrance, url, shown: Some(Shown::Broker(shown)), protocol })
}

impl AtBroker {
    fn renew(&self) -> Result<(), Failure> {
        if let (Some(tls), Some((certificate, key))) = (&self.tls, &self.certificate) {
            let wrong = |why| failure(format_args!("{}: {why}", certificate.display()));
            let identity = coachwork_mqtt::Identity::from_pem(pem(certificate)?, pem(key)?).map_err(wrong)?;
            tls.present(&identity).map_err(wrong)?;
        }
        if let (Some(sign_in), Some((user, file))) = (&self.sign_in, &self.user) {
            let renewed = sign_in.renew(user, password(file)?);
            renewed.map_err(|why| failure(format_args!("{}: {why}", file.display())))?;
        }
        Ok(())
    }
}

/// A password, without the end of its line.
fn password(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(pem(file)?.trim_ascii_end().to_vec())
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
    Ok(Some(Shown::Server { tls, files }))
}

impl Shown {
    /// The files that it comes from.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Server { files: Files { certificate, key, clients }, .. } => {
                [certificate, key].into_iter().chain(clients).cloned().collect()
            }
            Self::Broker(AtBroker { certificate, user, .. }) => {
                let certificate = certificate.iter().flat_map(|(certificate, key)| [certificate, key]);
                certificate.chain(user.iter().map(|(_, password)| password)).cloned().collect()
            }
        }
    }

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
