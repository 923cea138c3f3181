//! What one verified grant is worth in this car at this time: a pure function, with no memory and no clock.
//!
//! *Invariant:* with the right car and owner, a grant is pending before its start, active from it, in grace from its
//! expiry, and expired from its end; each instant begins the next state. Nothing else moves it.
//! *Next:* `entitlements.rs` asks for every grant; `docs/entitlement.md` has the table.

use coachwork_vehicle::Timestamp;

use crate::car::Car;
use crate::decision::{Decision, Reason};
use crate::grant::Grant;
use crate::verify::Verified;

/// The state of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LicenseState {
    /// Paid for.
    Active {
        /// The first instant at which it no longer is; `None` for a grant that lasts.
        until: Option<Timestamp>,
    },
    /// Over.
    Expired {
        /// The first instant at which it was, grace included.
        since: Timestamp,
    },
    /// No longer paid for, but still working.
    Grace {
        /// The first instant at which it no longer works.
        until: Timestamp,
    },
    /// For another vehicle.
    OtherVehicle,
    /// Not started.
    Pending {
        /// The first instant at which it works.
        starts: Timestamp,
    },
    /// Bought by another owner of this car, for themselves.
    Transferred,
}

impl LicenseState {
    /// The state of this grant in this car at this time.
    pub fn of(grant: &Verified<Grant>, car: Car, now: Timestamp) -> Self {
        if grant.vehicle() != car.vehicle {
            return Self::OtherVehicle;
        }
        if grant.owner().is_some_and(|owner| owner != car.owner) {
            return Self::Transferred;
        }
        if now < grant.starts() {
            return Self::Pending { starts: grant.starts() };
        }
        match (grant.expires(), grant.ends()) {
            (Some(expires), Some(_)) if now < expires => Self::Active { until: Some(expires) },
            (Some(_), Some(ends)) if now < ends => Self::Grace { until: ends },
            (Some(_), Some(ends)) => Self::Expired { since: ends },
            _ => Self::Active { until: None },
        }
    }

    /// What it means for the grant's features.
    pub fn decision(self) -> Decision {
        let (reason, until) = match self {
            Self::Active { until } => (Reason::Granted, until),
            Self::Expired { .. } => (Reason::Expired, None),
            Self::Grace { until } => (Reason::Grace, Some(until)),
            Self::OtherVehicle => (Reason::OtherVehicle, None),
            Self::Pending { starts } => (Reason::NotYet, Some(starts)),
            Self::Transferred => (Reason::OtherOwner, None),
        };
        Decision { reason, until }
    }
}

#[cfg(test)]
#[path = "license_tests.rs"]
mod tests;
