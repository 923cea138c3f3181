//! What a token says once its signature holds: which features, in which car, for which owner, from when until when.
//!
//! *Invariant:* a grant starts no earlier than it was issued and ends after it starts; its features are sorted and
//! distinct, and at least one. Times are whole seconds.
//! *Next:* `claims.rs` reads it from a payload; `license.rs` says what it is worth at a given time.

use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::Timestamp;

use crate::car::{OwnerEpoch, VehicleId};
use crate::feature::FeatureName;
use crate::id::GrantId;
use crate::scope::Scope;
use crate::status::StatusRef;
use crate::terms::{Because, Kind, Region, Transfer};

/// The last second that a [`Timestamp`] can hold: 2262-04-11T23:47:16Z. A grant that ends, grace included, does so
/// by then.
pub const MAX_SECONDS: u64 = 9_223_372_036;

/// What was bought: features, opened in one car for a time, or for good.
///
/// Grants come out of a [`Verifier`](crate::Verifier), as [`Verified<Grant>`](crate::Verified); whoever sells makes
/// them with `Grant::draft` (feature `issuer`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub(crate) id: GrantId,
    pub(crate) sequence: u64,
    pub(crate) vehicle: VehicleId,
    pub(crate) owner: Option<OwnerEpoch>,
    /// Seconds since 1970, as in the token; at most [`MAX_SECONDS`] with the grace added.
    pub(crate) issued: u64,
    pub(crate) starts: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) grace: u64,
    pub(crate) features: Arc<[FeatureName]>,
    pub(crate) kind: Kind,
    /// In seconds, from 1.
    pub(crate) offline: Option<u64>,
    pub(crate) regions: Arc<[Region]>,
    pub(crate) plan: Option<FeatureName>,
    pub(crate) because: Option<Because>,
    pub(crate) scopes: Arc<[Scope]>,
    pub(crate) status: Option<StatusRef>,
}

impl Grant {
    /// Its id. Later editions have the same id and a higher [`sequence`](Self::sequence).
    pub fn id(&self) -> GrantId {
        self.id
    }

    /// Which edition of the grant this is. One that gives a reason ([`because`](Self::because)) replaces those below it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The vehicle that it is for.
    pub fn vehicle(&self) -> VehicleId {
        self.vehicle
    }

    /// The owner that it is for; `None` is whoever owns the car: the grant stays with it when it is sold.
    pub fn owner(&self) -> Option<OwnerEpoch> {
        self.owner
    }

    /// When it was issued.
    pub fn issued(&self) -> Timestamp {
        timestamp(self.issued)
    }

    /// The first instant at which it opens its features.
    pub fn starts(&self) -> Timestamp {
        timestamp(self.starts)
    }

    /// The first instant at which it is no longer paid for; `None` for one that lasts.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires.map(timestamp)
    }

    /// How long its features still work after [`expires`](Self::expires), so that a late renewal cuts nobody off.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }

    /// The first instant at which its features stop working: expiry and grace; `None` for one that lasts.
    pub fn ends(&self) -> Option<Timestamp> {
        self.expires.map(|expires| timestamp(expires.saturating_add(self.grace)))
    }

    /// The features that it opens, sorted by name.
    pub fn features(&self) -> &[FeatureName] {
        &self.features
    }

    /// How it was bought.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happens to it when the car is sold.
    pub fn transfer(&self) -> Transfer {
        if self.owner.is_some() { Transfer::EndsWithOwner } else { Transfer::StaysWithCar }
    }

    /// How long it works on after the car last heard whether it is still valid; `None` sets no limit.
    pub fn offline(&self) -> Option<Duration> {
        self.offline.map(Duration::from_secs)
    }

    /// Where it works, sorted; none is everywhere.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The plan that it was sold as.
    pub fn plan(&self) -> Option<&FeatureName> {
        self.plan.as_ref()
    }

    /// Why it replaces the editions before it. Without a reason it adds to them, and takes nothing away.
    pub fn because(&self) -> Option<Because> {
        self.because
    }

    /// What the app that shows it may do, sorted; none is everything that its features open.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Where its status is published.
    pub fn status(&self) -> Option<&StatusRef> {
        self.status.as_ref()
    }

    /// Whether it opens this feature.
    pub fn opens(&self, feature: &FeatureName) -> bool {
        self.features.binary_search(feature).is_ok()
    }
}

/// Seconds since 1970, which are at most [`MAX_SECONDS`].
pub(crate) fn timestamp(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
