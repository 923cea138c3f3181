//! What is known of a link once it stands: who is there, how safe it is, what was negotiated.
//!
//! *Invariant:* an `Info` does not change while its connection lives.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coachwork_vehicle::Credential;

/// What a connection says of itself.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The peer's name for people: an address, a topic, `memory`. It appears in every error of the connection.
    pub peer: Arc<str>,
    /// Who could read or change what travels.
    pub security: Security,
    /// The subprotocol that both sides agreed on, such as `VISSv3`.
    pub subprotocol: Option<Arc<str>>,
    /// The certificate that the peer proved to hold, in DER.
    pub certificate: Option<Bytes>,
}

/// Who could read or change what travels over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Nobody but the peer: encrypted and checked, as by TLS.
    Encrypted,
    /// Nobody outside this machine: memory, a unix socket, loopback.
    Local,
    /// Anybody on the way.
    Plain,
}

impl Info {
    /// A plain link to `peer`, without subprotocol and certificate.
    pub fn new(peer: impl Into<Arc<str>>) -> Self {
        Self { peer: peer.into(), security: Security::Plain, subprotocol: None, certificate: None }
    }

    /// Says how safe the link is.
    #[must_use]
    pub fn with_security(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// Names the subprotocol that was agreed on.
    #[must_use]
    pub fn with_subprotocol(self, name: impl Into<Arc<str>>) -> Self {
        Self { subprotocol: Some(name.into()), ..self }
    }

    /// Keeps the certificate that the peer proved to hold, in DER.
    #[must_use]
    pub fn with_certificate(self, der: Bytes) -> Self {
        Self { certificate: Some(der), ..self }
    }

    /// Whether nobody on the way can read or change what travels.
    pub fn is_secure(&self) -> bool {
        self.security != Security::Plain
    }

    /// What the link itself proves of the peer: its certificate, or nothing.
    pub fn credential(&self) -> Credential {
        match &self.certificate {
            Some(der) => Credential::Certificate(der.as_ref().into()),
            None => Credential::None,
        }
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("peer", &self.peer)
            .field("security", &self.security)
            .field("subprotocol", &self.subprotocol)
            .field("certificate", &self.credential())
            .finish()
    }
}
