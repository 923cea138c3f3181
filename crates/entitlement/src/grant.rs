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
}

impl Grant {
    /// Its id. A later grant with the same id and a higher [`sequence`](Self::sequence) replaces it.
    pub fn id(&self) -> GrantId {
        self.id
    }

    /// Which edition of the grant this is: the highest that a car knows counts, the others no longer do.
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

    /// Whether it opens this feature.
    pub fn opens(&self, feature: &FeatureName) -> bool {
        self.features.binary_search(feature).is_ok()
    }
}

/// Seconds since 1970, which are at most [`MAX_SECONDS`].
pub(crate) fn timestamp(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
