//! Who may come in, and what they see: a credential in, a view of the vehicle and an end date out.
//!
//! *Invariant:* a credential never shows in `Debug` or `Display`, and is compared whole.
//! *Next:* a gateway calls it once for each distinct credential; an entitlement library supplies it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Error;
use crate::time::Timestamp;
use crate::vehicle::Vehicle;

/// What a peer shows to be let in. Equal credentials get equal views.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing.
    None,
    /// A token, as its bytes.
    Token(Arc<[u8]>),
    /// The certificate of a mutually authenticated link, in DER.
    Certificate(Arc<[u8]>),
}

/// A view of a vehicle for those with certain rights.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The vehicle as they see it. Peers with equal rights share one view: the same `Arc`.
    pub view: Arc<dyn Vehicle>,
    /// When the admission ends by itself.
    pub until: Option<Timestamp>,
}

/// Decides who may come in.
#[async_trait]
pub trait Admission: fmt::Debug + Send + Sync + 'static {
    /// The view for a credential. Equal rights yield the same `Arc`, so that one encoding of an update serves all who share it.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) where the credential opens nothing; the message says why, without the credential.
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error>;
}

/// Lets everybody in, to the whole vehicle.
#[derive(Clone, Debug)]
pub struct Everybody(Arc<dyn Vehicle>);

impl Everybody {
    /// Everybody sees this vehicle.
    pub fn sees(vehicle: impl Vehicle) -> Self {
        Self(Arc::new(vehicle))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Admission for Everybody {
    async fn admit(&self, _credential: &Credential) -> Result<Admitted, Error> {
        Ok(Admitted { view: self.0.clone(), until: None })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(token) => write!(f, "Token({} bytes)", token.len()),
            Self::Certificate(der) => write!(f, "Certificate({} bytes)", der.len()),
        }
    }
}
