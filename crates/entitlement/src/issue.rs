//! A draft becomes a [`Grant`], a grant a signed token, and a [`KeySet`] a signed document: the half that sells, behind
//! feature `issuer`.
//!
//! *Invariant:* this file is the only one of the crate that can sign, and a car is built without it. Rounding to whole
//! seconds is in the buyer's favour. The secret key is shown nowhere and is wiped from memory on drop.
//! *Next:* `claims.rs` and `token.rs` write the bytes; `verify.rs` reads them again.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use coachwork_vehicle::Timestamp;
use ed25519_dalek::{Signer, SigningKey};

use crate::car::{OwnerEpoch, VehicleId};
use crate::claims;
use crate::feature::{FeatureName, PaidFeature};
use crate::grant::{Grant, MAX_SECONDS};
use crate::id::{GrantId, KeyId};
use crate::key::{KeyError, PublicKey};
use crate::key_set::{self, KeySet, Purpose, SetKey};
use crate::token::{GRANT_DOMAIN, KEYS_DOMAIN, MAX_TOKEN, assemble, protected_header, to_be_signed};
use crate::verify::MAX_KEYS;

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
    protected: Vec<u8>,
}

impl Issuer {
    /// An issuer with the private key `secret` (RFC 8032 §5.1.5), which verifiers know by `id`.
    ///
    /// # Errors
    /// [`KeyError`] if a verifier would not take its public key; no known secret has that effect.
    pub fn new(id: KeyId, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(secret);
        let public = PublicKey::from_bytes(key.verifying_key().as_bytes())?;
        Ok(Self { key, public, id, protected: protected_header(&id) })
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
    /// [`IssueError::TooLong`] if it would have more than [`MAX_TOKEN`] bytes.
    pub fn issue(&self, grant: &Grant) -> Result<Vec<u8>, IssueError> {
        self.sign(GRANT_DOMAIN, &claims::encode(grant))
    }

    /// The document that says this key set, where this issuer's key is a root.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn issue_keys(&self, set: &KeySet) -> Result<Vec<u8>, IssueError> {
        self.sign(KEYS_DOMAIN, &key_set::encode(set))
    }

    fn sign(&self, domain: &[u8], payload: &[u8]) -> Result<Vec<u8>, IssueError> {
        let signature = self.key.sign(&to_be_signed(&self.protected, domain, payload)).to_bytes();
        let token = assemble(&self.protected, payload, &signature);
        if token.len() > MAX_TOKEN { Err(IssueError::TooLong) } else { Ok(token) }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.id)
    }
}

impl Grant {
    /// Begins a grant for this vehicle, issued at `now`: without features, without an end, staying with the car.
    pub fn draft(id: GrantId, vehicle: VehicleId, now: Timestamp) -> Draft {
        Draft {
            id,
            vehicle,
            issued: now,
            starts: None,
            expires: None,
            grace: Duration::ZERO,
            owner: None,
            sequence: 0,
            features: BTreeSet::new(),
        }
    }
}

/// A grant in the making.
#[derive(Debug, Clone)]
#[must_use = "a draft is worth nothing until it is built"]
pub struct Draft {
    id: GrantId,
    vehicle: VehicleId,
    issued: Timestamp,
    starts: Option<Timestamp>,
    expires: Option<Timestamp>,
    grace: Duration,
    owner: Option<OwnerEpoch>,
    sequence: u64,
    features: BTreeSet<FeatureName>,
}

impl Draft {
    /// Opens a feature. Safety features have no [`PaidFeature`], so none can be sold.
    pub fn opens(mut self, feature: &PaidFeature) -> Self {
        self.features.insert(feature.name().clone());
        self
    }

    /// Starts later than it is issued. Rounded down to a whole second.
    pub fn starting(mut self, at: Timestamp) -> Self {
        self.starts = Some(at);
        self
    }

    /// Is paid for until then. Rounded up to a whole second.
    pub fn until(mut self, at: Timestamp) -> Self {
        self.expires = Some(at);
        self
    }

    /// Keeps working for so long after its end. Rounded up to a whole second.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Is for this owner alone and ends when the car is sold.
    pub fn for_owner(mut self, owner: OwnerEpoch) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Replaces grants with the same id and a lower number.
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// The grant.
    ///
    /// # Errors
    /// An [`IssueError`] if it opens nothing, would start before it is issued or end before it starts, has a grace but
    /// no end, or lies outside 1970 to 2262.
    pub fn build(self) -> Result<Grant, IssueError> {
        let issued = whole_seconds(self.issued, false)?;
        let starts = self.starts.map_or(Ok(issued), |at| whole_seconds(at, false))?;
        let expires = self.expires.map(|at| whole_seconds(at, true)).transpose()?;
        let grace = self.grace.as_secs().saturating_add(u64::from(self.grace.subsec_nanos() > 0));
        if self.features.is_empty() {
            return Err(IssueError::NoFeature);
        }
        if starts < issued || expires.is_some_and(|expires| expires <= starts) {
            return Err(IssueError::Order);
        }
        match expires {
            None if grace > 0 => return Err(IssueError::GraceWithoutEnd),
            Some(expires) if grace > MAX_SECONDS - expires => return Err(IssueError::Range),
            _ => {}
        }
        Ok(Grant {
            id: self.id,
            sequence: self.sequence,
            vehicle: self.vehicle,
            owner: self.owner,
            issued,
            starts,
            expires,
            grace,
            features: self.features.into_iter().collect(),
        })
    }
}

impl KeySet {
    /// A key set with these keys, issued at `now`. Its `sequence`, from 1, is higher than that of every earlier one.
    ///
    /// # Errors
    /// An [`IssueError`] if there is no key, or the keys, their number or the sequence are not those of a set.
    pub fn new(
        sequence: u64,
        now: Timestamp,
        keys: impl IntoIterator<Item = SetKey>,
    ) -> Result<Self, IssueError> {
        let mut keys: Vec<_> = keys.into_iter().take(MAX_KEYS + 1).collect();
        keys.sort_by_key(|key| key.id);
        if keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany.into());
        }
        if !keys.is_sorted_by(|a, b| a.id < b.id) {
            return Err(KeyError::Duplicate.into());
        }
        if keys.is_empty() {
            return Err(IssueError::NoKey);
        }
        if sequence == 0 {
            return Err(IssueError::Order);
        }
        Ok(Self { sequence, issued: whole_seconds(now, false)?, keys: keys.into() })
    }
}

impl SetKey {
    /// A key for grants issued from `from` on, and, if `until` is given, before that. Rounded to whole seconds, down
    /// and up.
    ///
    /// # Errors
    /// [`IssueError::Order`] if it ends before it begins, [`IssueError::Range`] outside 1970 to 2262.
    pub fn for_grants(
        id: KeyId,
        public: PublicKey,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        let from = whole_seconds(from, false)?;
        let until = until.map(|at| whole_seconds(at, true)).transpose()?;
        if until.is_some_and(|until| until <= from) {
            return Err(IssueError::Order);
        }
        Ok(Self { id, public, purpose: Purpose::GRANTS, from, until })
    }
}

fn whole_seconds(at: Timestamp, up: bool) -> Result<u64, IssueError> {
    let floor = at.seconds();
    let seconds = floor + i64::from(up && Timestamp::from_seconds(floor) < at);
    u64::try_from(seconds).ok().filter(|seconds| *seconds <= MAX_SECONDS).ok_or(IssueError::Range)
}

/// A grant or key set that cannot be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A grace follows an end, and there is none.
    #[error("a grant without an end has no grace")]
    GraceWithoutEnd,
    /// The keys do not make a set.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// It opens nothing.
    #[error("a grant opens at least one feature")]
    NoFeature,
    /// A key set without keys trusts nobody.
    #[error("a key set has at least one key")]
    NoKey,
    /// It would start before it is issued, or end before it starts; or a key set has sequence 0.
    #[error("it is issued, then starts, then ends; and sequences count from 1")]
    Order,
    /// A time is before 1970, or grace included after 2262-04-11T23:47:16Z.
    #[error("its times lie between 1970 and 2262")]
    Range,
    /// The token would have more than [`MAX_TOKEN`] bytes.
    #[error("it is too long for a token")]
    TooLong,
}
