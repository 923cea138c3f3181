//! Certificates and keys in PEM become what TLS needs: TLS 1.2 and 1.3, by rustls.
//!
//! *Invariant:* no type of the TLS library is public, and nothing here shows a key. A handle that is changed changes every later link of whoever has a
//! clone of it, and no link that stands.
//! *Next:* `tls/client.rs` and `tls/server.rs` (the two sides), `tls/fault.rs` (what goes wrong, in words), `stream.rs` (which links with them).

mod client;
pub(crate) mod fault;
mod server;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coachwork_transport::{Info, Security};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use client::ClientTls;
pub use server::ServerTls;

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
    /// The certificates in a PEM text: of a certificate authority, or of one peer alone.
    ///
    /// # Errors
    /// [`TlsError::Pem`] where there is none, [`TlsError::Certificate`] where one cannot be a root.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("the roots", pem.as_ref())? {
            roots.add(certificate).map_err(unusable)?;
        }
        Ok(Self(Arc::new(roots)))
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

/// The one provider of cryptography, whatever else the process has installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What is known of a link that is encrypted, with the first certificate of its peer.
fn encrypted(info: Info, chain: Option<&[CertificateDer<'_>]>) -> Info {
    let info = info.with_security(Security::Encrypted);
    match chain.and_then(|chain| chain.first()) {
        Some(certificate) => info.with_certificate(Bytes::copy_from_slice(certificate)),
        None => info,
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
