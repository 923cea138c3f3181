//! A draft becomes a [`Grant`], a grant a signed token, and a [`KeySet`] a signed document: the half that sells, behind
//! feature `issuer`.
//!
//! *Invariant:* this file is the only one of the crate that can sign, and a car is built without it. Rounding to whole
//! seconds is in the buyer's favour. The secret key is shown nowhere and is wiped from memory on drop.
//! *Next:* `issue/` has what is put together before it is signed; `claims.rs` and `token.rs` write the bytes, and
//! `verify.rs` reads them again.

mod draft;
mod error;
mod lists;

use std::fmt;
use std::time::Duration;

use coachwork_vehicle::Timestamp;
use ed25519_dalek::{Signer, SigningKey};

pub use self::draft::Draft;
pub use self::error::IssueError;
use crate::claims;
use crate::grant::{Grant, MAX_SECONDS};
use crate::id::KeyId;
use crate::key::{KeyError, PublicKey};
use crate::key_set::{self, KeySet};
use crate::status::{self, StatusList};
use crate::token::{self, Profile, assemble, protected_header, to_be_signed};

/// Signs grants with one key.
///
/// ```
/// use std::time::Duration;
/// use coachwork_entitlement::{Grant, GrantId, Issuer, KeyId, PaidClass, PaidFeature, VehicleId, Verifier};
/// use coachwork_vehicle::Timestamp;
///
/// // The back end. The secret's 32 bytes come from a random source or a key store.
/// let issuer = Issuer::new(KeyId::new("2026")?, &[7; 32])?;
/// let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
/// let now = Timestamp::from_seconds(1_780_000_000);
/// let grant = Grant::draft(GrantId::new("order-17")?, VehicleId::from_vin("1M8GDM9AXKP042788")?, now)
///     .opens(&heating)
///     .until(now.saturating_add(Duration::from_secs(30 * 86_400)))
///     .grace(Duration::from_secs(72 * 3600))
///     .build()?;
/// let token = issuer.issue(&grant)?;
///
/// // The car, which knows the public key alone.
/// let verifier = Verifier::new([(issuer.key_id(), issuer.public_key())])?;
/// assert_eq!(*verifier.verify(&token)?, grant);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Issuer {
    key: SigningKey,
    public: PublicKey,
    id: KeyId,
}

impl Issuer {
    /// An issuer with the private key `secret` (RFC 8032 §5.1.5), which verifiers know by `id`.
    ///
    /// # Errors
    /// [`KeyError`] if a verifier would not take its public key; no known secret has that effect.
    pub fn new(id: KeyId, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(secret);
        let public = PublicKey::from_bytes(key.verifying_key().as_bytes())?;
        Ok(Self { key, public, id })
    }

    /// The id of its key.
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// The public half of its key.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The token that says this grant. The same grant gives the same token, always.
    ///
    /// # Errors
    /// [`IssueError::TooLong`] if it would have more than [`MAX_TOKEN`](crate::MAX_TOKEN) bytes.
    pub fn issue(&self, grant: &Grant) -> Result<Vec<u8>, IssueError> {
        self.sign(token::GRANT, &claims::encode(grant))
    }

    /// The document that says this key set, where this issuer's key is a root.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn issue_keys(&self, set: &KeySet) -> Result<Vec<u8>, IssueError> {
        self.sign(token::KEYS, &key_set::encode(set))
    }

    /// The document that says this status list.
    ///
    /// # Errors
    /// [`IssueError::TooLong`] if it would have more than [`MAX_STATUS_TOKEN`](crate::MAX_STATUS_TOKEN) bytes.
    pub fn issue_status(&self, list: &StatusList) -> Result<Vec<u8>, IssueError> {
        self.sign(token::STATUS, &status::encode(list))
    }

    fn sign(&self, profile: Profile, payload: &[u8]) -> Result<Vec<u8>, IssueError> {
        let protected = protected_header(&self.id, profile.typ);
        let signature = self.key.sign(&to_be_signed(&protected, profile.domain, payload)).to_bytes();
        let token = assemble(&protected, payload, &signature);
        if token.len() > profile.max { Err(IssueError::TooLong) } else { Ok(token) }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.id)
    }
}

fn whole_seconds(at: Timestamp, up: bool) -> Result<u64, IssueError> {
    let floor = at.seconds();
    let seconds = floor + i64::from(up && Timestamp::from_seconds(floor) < at);
    u64::try_from(seconds).ok().filter(|seconds| *seconds <= MAX_SECONDS).ok_or(IssueError::Range)
}

fn up_to_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
