//! Certificates, keys and passwords become what a broker is shown: TLS 1.2 and 1.3, by rustls.
//!
//! *Invariant:* no type of the TLS library is public, and nothing here shows a key or a password. A handle that is changed changes every later link of
//! whoever has a clone of it, and no link that stands.
//! *Next:* `link.rs` (which connects with them).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Why certificates, keys or a password are of no use.
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
    /// A user's name or a password is longer than 65,535 bytes, or the name has a NUL.
    #[error("the user's name or the password cannot be said to a broker")]
    SignIn,
}

/// A certificate with the key that proves it, to be shown to a broker.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Those whose signature under a broker's certificate is believed.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

/// Whom a link believes, and what it shows. Clones are handles of the same.
#[derive(Clone)]
pub struct ClientTls(Arc<RwLock<Believed>>);

struct Believed {
    roots: Roots,
    config: Arc<ClientConfig>,
}

/// A user's name and password at a broker. Clones are handles of the same.
#[derive(Clone)]
pub struct SignIn(Arc<RwLock<Arc<UserPassword>>>);

pub(crate) struct UserPassword {
    pub(crate) user: String,
    pub(crate) password: Vec<u8>,
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
    /// The certificates in a PEM text: of a certificate authority, or of one broker alone.
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

impl ClientTls {
    /// Believes these roots, and shows nothing.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where the library takes them not.
    pub fn trusting(roots: &Roots) -> Result<Self, TlsError> {
        let believed = Believed { roots: roots.clone(), config: client_config(roots, None)?.into() };
        Ok(Self(Arc::new(RwLock::new(believed))))
    }

    /// Shows this identity from the next link on, to a broker that asks for one: also how a certificate is renewed without a restart.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] where key and certificate do not belong together; then nothing changes.
    pub fn present(&self, identity: &Identity) -> Result<(), TlsError> {
        let mut believed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        believed.config = client_config(&believed.roots, Some(identity))?.into();
        Ok(())
    }

    /// Believes these roots from the next link on, and shows this identity or nothing.
    ///
    /// # Errors
    /// As [`present`](Self::present); then nothing changes.
    pub fn renew(&self, roots: &Roots, identity: Option<&Identity>) -> Result<(), TlsError> {
        let renewed = Believed { roots: roots.clone(), config: client_config(roots, identity)?.into() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }
}

impl SignIn {
    /// A user's name and password, or a token in its place.
    ///
    /// # Errors
    /// [`TlsError::SignIn`].
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Result<Self, TlsError> {
        let made = UserPassword::new(user.into(), password.into())?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(made)))))
    }

    /// Says these from the next link on.
    ///
    /// # Errors
    /// As [`new`](Self::new); then nothing changes.
    pub fn renew(&self, user: impl Into<String>, password: impl Into<Vec<u8>>) -> Result<(), TlsError> {
        let made = UserPassword::new(user.into(), password.into())?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
        Ok(())
    }

    pub(crate) fn present(&self) -> Arc<UserPassword> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl UserPassword {
    fn new(user: String, password: Vec<u8>) -> Result<Self, TlsError> {
        let most = usize::from(u16::MAX);
        if user.len() > most || password.len() > most || user.contains('\0') {
            return Err(TlsError::SignIn);
        }
        Ok(Self { user, password })
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

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let believed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("ClientTls").field("roots", &believed.roots).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown_and_nonsense_is_refused() {
        let sign_in = SignIn::new("car", "swordfish").unwrap();
        assert_eq!(format!("{sign_in:?}"), "SignIn");
        assert_eq!(SignIn::new("a\0", "").unwrap_err(), TlsError::SignIn);
        let long = "a".repeat(65_536);
        assert_eq!(sign_in.renew("car", long).unwrap_err(), TlsError::SignIn);
        assert_eq!(sign_in.present().password, b"swordfish");
        sign_in.clone().renew("car", "trout").unwrap();
        assert_eq!(sign_in.present().password, b"trout");
        assert!(matches!(Roots::from_pem("x"), Err(TlsError::Pem { .. })));
        assert!(matches!(Identity::from_pem("x", "y"), Err(TlsError::Pem { .. })));
    }
}
