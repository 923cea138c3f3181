//! Whom a connecting side believes, and what it shows.
//!
//! *Invariant:* the name that was asked for must be the certificate's, and the certificate must go back to the roots that were given, and to no others.
//! *Next:* `server.rs` (the other side), `../stream/opener.rs` (which connects).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use coachwork_transport::{Info, TransportError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Identity, Roots, TlsError, encrypted, fault, provider, unusable};
use crate::stream::Stream;

/// Whom a client believes, and what it shows. Clones are handles of the same.
#[derive(Clone)]
pub struct ClientTls(Arc<RwLock<Believed>>);

struct Believed {
    roots: Roots,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Believes these roots, and shows nothing.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where the library takes them not.
    pub fn trusting(roots: &Roots) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Believed::new(roots, None)?))))
    }

    /// Shows this identity from the next link on, to a peer that asks for one: also how a certificate is renewed without a restart.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where key and certificate do not belong together; then nothing changes.
    pub fn present(&self, identity: &Identity) -> Result<(), TlsError> {
        let mut believed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *believed = Believed::new(&believed.roots, Some(identity))?;
        Ok(())
    }

    /// Believes these roots from the next link on, and shows this identity or nothing.
    ///
    /// # Errors
    /// As [`present`](Self::present); then nothing changes.
    pub fn renew(&self, roots: &Roots, identity: Option<&Identity>) -> Result<(), TlsError> {
        let renewed = Believed::new(roots, identity)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// Encrypts a stream to `host`.
    pub(crate) async fn shake(
        &self,
        host: &str,
        stream: TcpStream,
        info: Info,
    ) -> Result<(Stream, Info), TransportError> {
        // The zone of an IPv6 address is this machine's own affair.
        let host = host.split('%').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host).map_err(|_| TransportError::Refused {
            peer: info.peer.clone(),
            what: "the host is no name that a certificate can have".to_owned(),
        })?;
        let config = self.0.read().unwrap_or_else(PoisonError::into_inner).config.clone();
        let shaken = TlsConnector::from(config).connect(name, stream).await;
        let stream = shaken.map_err(|why| fault::in_handshake(&info.peer, why))?;
        let info = encrypted(info, stream.get_ref().1.peer_certificates());
        Ok((Stream::encrypted(stream), info))
    }
}

impl Believed {
    fn new(roots: &Roots, identity: Option<&Identity>) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(unusable)?.with_root_certificates(roots.0.clone());
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(unusable)?,
        };
        Ok(Self { roots: roots.clone(), config: Arc::new(config) })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let believed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("ClientTls").field("roots", &believed.roots).finish_non_exhaustive()
    }
}
