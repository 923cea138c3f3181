//! What a listening side shows, and whom it lets in.
//!
//! *Invariant:* where clients must show a certificate, each link shows it anew: no earlier handshake is taken up again, which would pass over
//! what has expired since.
//! *Next:* `client.rs` (the other side), `../stream/acceptor.rs` (which listens).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use coachwork_transport::{Info, TransportError};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Identity, Roots, TlsError, encrypted, fault, provider, unusable};
use crate::stream::Stream;

/// What a server shows, and whom it lets in. Clones are handles of the same.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Shown>>);

/// What a server shows at present.
struct Shown {
    clients: Option<Roots>,
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Shows this identity, and lets anybody in.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where key and certificate do not belong together.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Shown::new(identity, None)?))))
    }

    /// Shows this identity, and lets in whoever proves to hold a certificate that goes back to these roots. The certificate is in
    /// [`Info::certificate`], from where it becomes a credential.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clients_of(identity: &Identity, roots: &Roots) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Shown::new(identity, Some(roots))?))))
    }

    /// Shows another identity from the next link on: how a certificate is renewed without a restart.
    ///
    /// # Errors
    /// As [`new`](Self::new); then the former identity stays.
    pub fn renew(&self, identity: &Identity) -> Result<(), TlsError> {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown::new(identity, shown.clients.as_ref())?;
        Ok(())
    }

    /// The same with other roots for the certificates of clients, or none: then anybody is let in.
    ///
    /// # Errors
    /// As [`new`](Self::new); then nothing changes.
    pub fn renew_with_clients_of(&self, identity: &Identity, roots: Option<&Roots>) -> Result<(), TlsError> {
        let renewed = Shown::new(identity, roots)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// Encrypts a stream that has arrived.
    pub(crate) async fn shake(self, stream: TcpStream, info: Info) -> Result<(Stream, Info), TransportError> {
        let config = self.0.read().unwrap_or_else(PoisonError::into_inner).config.clone();
        let shaken = TlsAcceptor::from(config).accept(stream).await;
        let stream = shaken.map_err(|why| fault::in_handshake(&info.peer, why))?;
        let info = encrypted(info, stream.get_ref().1.peer_certificates());
        Ok((Stream::encrypted(stream), info))
    }
}

impl Shown {
    fn new(identity: &Identity, clients: Option<&Roots>) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(unusable)?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.0.clone(), provider());
                builder.with_client_cert_verifier(verifier.build().map_err(unusable)?)
            }
        };
        let config = builder.with_single_cert(identity.chain.clone(), identity.key.clone_key());
        let mut config = config.map_err(unusable)?;
        if clients.is_some() {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { clients: clients.cloned(), config: Arc::new(config) })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("ServerTls").field("clients", &shown.clients).finish_non_exhaustive()
    }
}
