//! A draft becomes a [`Grant`], a grant a signed token, and a [`KeySet`] a signed document: the half that sells, behind
//! feature `issuer`.
//!
//! *Invariant:* this file is the only one of the crate that can sign, and a car is built without it. Rounding to whole
//! seconds is in the buyer's favour. The secret key is shown nowhere and is wiped from memory on drop.
//! *Next:* `claims.rs` and `token.rs` write the bytes; `verify.rs` reads them again.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::offer::Offer;
use crate::scope::Scope;
use crate::status::{self, MAX_REASONS, MAX_STATUSES, Status, StatusList, StatusRef};
use crate::terms::{Because, Kind, Region};
use crate::token::{self, Profile, assemble, protected_header, to_be_signed};
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
            kind: None,
            offline: None,
            regions: BTreeSet::new(),
            plan: None,
            because: None,
            scopes: BTreeMap::new(),
            status: None,
        }
    }
}

impl Offer {
    /// Begins the grant of whoever accepted it at `now`: for this vehicle and, where the offer ends with its owner, for
    /// this owner.
    pub fn draft(&self, id: GrantId, vehicle: VehicleId, owner: OwnerEpoch, now: Timestamp) -> Draft {
        let draft = self.plan().features().fold(Grant::draft(id, vehicle, now), Draft::opens);
        Draft {
            expires: self.term().map(|term| now.saturating_add(term)),
            grace: self.grace_period(),
            owner: (self.transfer() == crate::terms::Transfer::EndsWithOwner).then_some(owner),
            kind: Some(self.kind()),
            offline: self.offline_allowance(),
            regions: self.regions().collect(),
            plan: Some(self.plan().name().clone()),
            ..draft
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
    kind: Option<Kind>,
    offline: Option<Duration>,
    regions: BTreeSet<Region>,
    plan: Option<FeatureName>,
    because: Option<Because>,
    scopes: BTreeMap<String, Scope>,
    status: Option<StatusRef>,
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

    /// Is this edition of the grants with its id: it adds to those with a lower number or, with a reason
    /// ([`because`](Self::because)), replaces them.
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Replaces the editions before it, and takes away what they opened and it does not, for this reason.
    pub fn because(mut self, because: Because) -> Self {
        self.because = Some(because);
        self
    }

    /// Was bought like this. Without it, a grant with an end is recurring, and one without is perpetual.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Works on for so long after the car last heard of its status. Rounded up to a whole second.
    pub fn offline(mut self, allowance: Duration) -> Self {
        self.offline = Some(allowance);
        self
    }

    /// Works in this country, and those named before.
    pub fn within(mut self, region: Region) -> Self {
        self.regions.insert(region);
        self
    }

    /// Was sold as this plan.
    pub fn plan(mut self, name: FeatureName) -> Self {
        self.plan = Some(name);
        self
    }

    /// Lets the app that shows it do this, and what was named before, and nothing else.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.insert(scope.to_string(), scope);
        self
    }

    /// Has its status published there.
    pub fn status(mut self, place: StatusRef) -> Self {
        self.status = Some(place);
        self
    }

    /// The grant.
    ///
    /// # Errors
    /// An [`IssueError`] if it opens nothing, would start before it is issued or end before it starts, has a grace, a kind
    /// or an offline allowance that its end or status does not go with, or lies outside 1970 to 2262.
    pub fn build(self) -> Result<Grant, IssueError> {
        let issued = whole_seconds(self.issued, false)?;
        let starts = self.starts.map_or(Ok(issued), |at| whole_seconds(at, false))?;
        let expires = self.expires.map(|at| whole_seconds(at, true)).transpose()?;
        let grace = up_to_seconds(self.grace);
        if self.features.is_empty() {
            return Err(IssueError::NoFeature);
        }
        if starts < issued || expires.is_some_and(|expires| expires <= starts) {
            return Err(IssueError::Order);
        }
        let offline = self.offline.map(up_to_seconds).filter(|seconds| *seconds > 0);
        match expires {
            None if grace > 0 => return Err(IssueError::GraceWithoutEnd),
            None if offline.is_some() => return Err(IssueError::Offline),
            Some(expires) if grace > MAX_SECONDS - expires => return Err(IssueError::Range),
            _ => {}
        }
        if offline.is_some_and(|offline| offline > MAX_SECONDS) {
            return Err(IssueError::Range);
        }
        if offline.is_some() && self.status.is_none() {
            return Err(IssueError::Offline);
        }
        let kind = self.kind.unwrap_or(if expires.is_some() { Kind::Recurring } else { Kind::Perpetual });
        if (kind == Kind::Perpetual) != expires.is_none() {
            return Err(IssueError::Kind);
        }
        if self.because.is_some() && self.sequence == 0 {
            return Err(IssueError::Because);
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
            kind,
            offline,
            regions: self.regions.into_iter().collect(),
            plan: self.plan,
            because: self.because,
            scopes: self.scopes.into_values().collect(),
            status: self.status,
        })
    }
}

impl StatusList {
    /// A list named `uri`, issued at `now`, with `places` places of four bits, all valid.
    ///
    /// # Errors
    /// [`IssueError::Status`] if `uri` cannot name a list, or there is no place or are too many; [`IssueError::Range`] for
    /// a time outside 1970 to 2262.
    pub fn new(uri: &str, now: Timestamp, places: u32) -> Result<Self, IssueError> {
        let bytes = usize::try_from(places).map_err(|_| IssueError::Status)?.div_ceil(2);
        if !status::is_uri(uri) || bytes == 0 || bytes > MAX_STATUSES {
            return Err(IssueError::Status);
        }
        Ok(Self {
            uri: uri.into(),
            issued: whole_seconds(now, false)?,
            expires: None,
            ttl: None,
            bits: 4,
            statuses: vec![0; bytes].into(),
            reasons: [].into(),
        })
    }

    /// The same list, issued again at `now`.
    ///
    /// # Errors
    /// [`IssueError::Range`] for a time outside 1970 to 2262.
    pub fn issued_at(self, now: Timestamp) -> Result<Self, IssueError> {
        Ok(Self { issued: whole_seconds(now, false)?, ..self })
    }

    /// Is fresh for so long. Rounded up to a whole second.
    ///
    /// # Errors
    /// [`IssueError::Range`] for more than 292 years.
    pub fn fresh_for(self, time: Duration) -> Result<Self, IssueError> {
        let ttl = up_to_seconds(time);
        if ttl == 0 || ttl > MAX_SECONDS {
            Err(IssueError::Range)
        } else {
            Ok(Self { ttl: Some(ttl), ..self })
        }
    }

    /// Puts a status at a place. What withdraws or suspends a grant has effect only with its reason.
    ///
    /// # Errors
    /// [`IssueError::Status`] if the list has no such place or the status does not fit it, or there are too many reasons.
    pub fn set(&mut self, index: u32, status: Status, because: Option<Because>) -> Result<(), IssueError> {
        let bits = u32::from(self.bits);
        let at = usize::try_from(index / (8 / bits)).map_err(|_| IssueError::Status)?;
        let mask = u8::MAX >> (8 - bits);
        let number = status.number();
        let mut statuses = self.statuses.to_vec();
        let byte = statuses.get_mut(at).filter(|_| number <= mask).ok_or(IssueError::Status)?;
        let shift = index % (8 / bits) * bits;
        *byte = *byte & !(mask << shift) | number << shift;
        self.statuses = statuses.into();
        let mut reasons: BTreeMap<_, _> = self.reasons.iter().copied().collect();
        match because {
            Some(because) => reasons.insert(index, because),
            None => reasons.remove(&index),
        };
        if reasons.len() as u64 > MAX_REASONS {
            return Err(IssueError::Status);
        }
        self.reasons = reasons.into_iter().collect();
        Ok(())
    }
}

fn up_to_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
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
        Self::new(id, public, Purpose::GRANTS, from, until)
    }

    /// A key for status lists issued in this time, otherwise as [`for_grants`](Self::for_grants).
    ///
    /// # Errors
    /// As there.
    pub fn for_status(
        id: KeyId,
        public: PublicKey,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        Self::new(id, public, Purpose::STATUS, from, until)
    }

    fn new(
        id: KeyId,
        public: PublicKey,
        purpose: Purpose,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        let from = whole_seconds(from, false)?;
        let until = until.map(|at| whole_seconds(at, true)).transpose()?;
        if until.is_some_and(|until| until <= from) {
            return Err(IssueError::Order);
        }
        Ok(Self { id, public, purpose, from, until })
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
    /// The first edition of a grant replaces none.
    #[error("a reason replaces earlier editions, and the first has none")]
    Because,
    /// A grace follows an end, and there is none.
    #[error("a grant without an end has no grace")]
    GraceWithoutEnd,
    /// What is for good has no end, and everything else has one.
    #[error("a perpetual grant has no end, every other kind has one")]
    Kind,
    /// The keys do not make a set.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// It opens nothing.
    #[error("a grant opens at least one feature")]
    NoFeature,
    /// A key set without keys trusts nobody.
    #[error("a key set has at least one key")]
    NoKey,
    /// Something that is for good, or whose status nobody publishes, cannot depend on hearing of it.
    #[error("an offline allowance goes with an end and a published status")]
    Offline,
    /// It would start before it is issued, or end before it starts; or a key set has sequence 0.
    #[error("it is issued, then starts, then ends; and sequences count from 1")]
    Order,
    /// A time is before 1970, or grace included after 2262-04-11T23:47:16Z.
    #[error("its times lie between 1970 and 2262")]
    Range,
    /// A status list has a URI for a name, a place for each status, and 4 bits for each.
    #[error("no such place or status in the list, or no such list")]
    Status,
    /// The token would have more than [`MAX_TOKEN`](crate::MAX_TOKEN) bytes.
    #[error("it is too long for a token")]
    TooLong,
}
