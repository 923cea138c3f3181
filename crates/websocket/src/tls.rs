//! Certificates and keys in PEM become what TLS needs: TLS 1.2 and 1.3, by rustls.
//!
//! *Invariant:* no type of the TLS library is public, and nothing here shows a key. A handle that is changed changes every later connection of
//! whoever has a clone of it, and no connection that stands.
//! *Next:* `tcp.rs` (which connects and listens with them).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Why certificates or keys are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A text is no PEM, or holds nothing of what is wanted.
    #[error("{what}: {why}")]
    Pem {
        /// What was wanted.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The certificate and the key do not belong together, or the library takes them not.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
}

/// A certificate with the key that proves it, to be shown to the other side.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Those whose signature under a certificate is believed.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

/// What a server shows, and whom it lets in. Clones are handles of the same.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Shown>>);

/// What a server shows at present.
struct Shown {
    clients: Option<Roots>,
    config: Arc<ServerConfig>,
}

/// Whom a client believes, and what it shows. Clones are handles of the same.
#[derive(Clone)]
pub struct ClientTls {
    roots: Roots,
    config: Arc<RwLock<Arc<ClientConfig>>>,
}

impl Identity {
    /// A chain of certificates in PEM, one's own first, and its key in PEM (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    /// [`TlsError::Pem`] where either holds none. Whether they belong together shows where the identity is used.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let chain = certificates("the chain of certificates", chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|why| TlsError::Pem { what: "the key", why: why.to_string() })?;
        Ok(Self { chain, key })
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Roots {
    /// The certificates in a PEM text: of a certificate authority, or of one server alone.
    ///
    /// # Errors
    /// [`TlsError::Pem`] where there is none, [`TlsError::Certificate`] where one cannot be a root.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("the roots", pem.as_ref())? {
            roots.add(certificate).map_err(|why| TlsError::Certificate(why.to_string()))?;
        }
        Ok(Self(Arc::new(roots)))
    }
}

impl ServerTls {
    /// Shows this identity, and lets anybody in.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where key and certificate do not belong together.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Self::made(identity, None)
    }

    /// Shows this identity, and lets in whoever proves to hold a certificate that goes back to these roots. The certificate is in
    /// [`Info::certificate`](coachwork_transport::Info), from where it becomes a credential.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clients_of(identity: &Identity, roots: &Roots) -> Result<Self, TlsError> {
        Self::made(identity, Some(roots.clone()))
    }

    fn made(identity: &Identity, clients: Option<Roots>) -> Result<Self, TlsError> {
        let config = Arc::new(server_config(identity, clients.as_ref())?);
        Ok(Self(Arc::new(RwLock::new(Shown { clients, config }))))
    }

    /// Shows another identity from the next connection on: how a certificate is renewed without a restart.
    ///
    /// # Errors
    /// As [`new`](Self::new); then the former identity stays.
    pub fn renew(&self, identity: &Identity) -> Result<(), TlsError> {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        shown.config = Arc::new(server_config(identity, shown.clients.as_ref())?);
        Ok(())
    }

    /// The same with other roots for the certificates of clients, or none: then anybody is let in.
    ///
    /// # Errors
    /// As [`new`](Self::new); then nothing changes.
    pub fn renew_with_clients_of(&self, identity: &Identity, roots: Option<&Roots>) -> Result<(), TlsError> {
        let config = Arc::new(server_config(identity, roots)?);
        let shown = Shown { clients: roots.cloned(), config };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }
}

impl ClientTls {
    /// Believes these roots, and shows nothing.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where the library takes them not.
    pub fn trusting(roots: &Roots) -> Result<Self, TlsError> {
        let config = client_config(roots, None)?;
        Ok(Self { roots: roots.clone(), config: Arc::new(RwLock::new(Arc::new(config))) })
    }

    /// Shows this identity from the next connection on, to a server that asks for one.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where key and certificate do not belong together; then nothing changes.
    pub fn present(&self, identity: &Identity) -> Result<(), TlsError> {
        let config = client_config(&self.roots, Some(identity))?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(TlsError::Pem { what, why: "it holds no certificate".to_owned() }),
        Err(why) => Err(TlsError::Pem { what, why: why.to_string() }),
    }
}

fn unusable(why: impl fmt::Display) -> TlsError {
    TlsError::Certificate(why.to_string())
}

fn server_config(identity: &Identity, clients: Option<&Roots>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.0.clone(), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(unusable)?)
        }
    };
    builder.with_single_cert(identity.chain.clone(), identity.key.clone_key()).map_err(unusable)
}

fn client_config(roots: &Roots, identity: Option<&Identity>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?.with_root_certificates(roots.0.clone());
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key()).map_err(unusable)
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("ServerTls").field("clients", &shown.clients).finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("roots", &self.roots).finish_non_exhaustive()
    }
}
