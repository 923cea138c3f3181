//! What one verified grant is worth in this car, under these circumstances, at this time: a pure function, with no
//! memory and no clock.
//!
//! *Invariant:* the first row of the table in `docs/entitlement.md` that applies decides, and each instant begins the
//! next state. Between two neighbours of [`edges`] the state does not change.
//! *Next:* `entitlements.rs` asks for every grant; `wallet.rs` knows the circumstances.

use coachwork_vehicle::Timestamp;

use crate::car::Car;
use crate::decision::Reason;
use crate::grant::Grant;
use crate::status::{Standing, Status};
use crate::terms::{Because, Kind, Region};
use crate::verify::Verified;

/// What the car knows about itself and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// The car and its owner.
    pub car: Car,
    /// The country that it is in; `None` where nobody knows, which is held against no grant.
    pub region: Option<Region>,
    /// Where the time of day is not known and the car goes on from what it last knew: when its patience ends, on that
    /// same time. `None` where the time is known.
    pub time_lost_at: Option<Timestamp>,
}

impl Circumstances {
    /// Of a car that knows the time and nothing of countries.
    pub fn of(car: Car) -> Self {
        Self { car, region: None, time_lost_at: None }
    }
}

/// Why a grant works although something is amiss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Leniency {
    /// Its status is stale, and its offline allowance is not used up.
    StatusStale,
    /// The time is not known.
    TimeUnknown,
    /// It was withdrawn without a reason.
    Unexplained,
    /// It is not paid for any more, and in its grace.
    Unpaid,
}

/// The state of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LicenseState {
    /// Paid for.
    Active {
        /// The first instant at which it no longer is; `None` for a grant that lasts.
        until: Option<Timestamp>,
    },
    /// Paid for, and not to be renewed.
    Cancelled {
        /// The first instant at which it is not paid for any more; `None` for a grant that lasts.
        until: Option<Timestamp>,
    },
    /// Over.
    Expired {
        /// The first instant at which it was, grace included.
        since: Timestamp,
    },
    /// Working, although something is amiss.
    Grace {
        /// The first instant at which it no longer works for that; `None` where no date is set.
        until: Option<Timestamp>,
        /// What is amiss.
        why: Leniency,
    },
    /// Waiting for a payment.
    OnHold,
    /// For another vehicle.
    OtherVehicle,
    /// Not for the country that the car is in.
    OutOfRegion,
    /// Resting, as its owner wished.
    Paused,
    /// Not started.
    Pending {
        /// The first instant at which it works.
        starts: Timestamp,
    },
    /// Withdrawn.
    Revoked {
        /// Why.
        because: Because,
    },
    /// Not working at present.
    Suspended {
        /// Why.
        because: Because,
    },
    /// The time has been unknown for too long.
    TimeLost {
        /// The first instant at which it was, on the time that the car counts by.
        since: Timestamp,
    },
    /// Bought by another owner of this car, for themselves; or gone to another car.
    Transferred,
    /// Free for a time.
    Trial {
        /// The first instant at which it no longer is.
        until: Option<Timestamp>,
    },
    /// Its status was not heard of for longer than it allows.
    Unconfirmed {
        /// The first instant at which that was so.
        since: Timestamp,
    },
}

impl LicenseState {
    /// The state of this grant, with this standing, under these circumstances, at this time.
    pub fn of(grant: &Verified<Grant>, standing: &Standing, here: &Circumstances, now: Timestamp) -> Self {
        if grant.vehicle() != here.car.vehicle {
            return Self::OtherVehicle;
        }
        let elsewhere = grant.owner().is_some_and(|owner| owner != here.car.owner);
        if elsewhere || standing.status == Status::Transferred {
            return Self::Transferred;
        }
        match (standing.status, standing.because) {
            (Status::Invalid, Some(because)) => return Self::Revoked { because },
            (Status::Suspended, Some(because)) => return Self::Suspended { because },
            (Status::OnHold, _) => return Self::OnHold,
            (Status::Paused, _) => return Self::Paused,
            _ => {}
        }
        if now < grant.starts() {
            return Self::Pending { starts: grant.starts() };
        }
        // Before the country: going back to one that it covered would not help.
        if let Some(since) = grant.ends().filter(|ends| now >= *ends) {
            return Self::Expired { since };
        }
        let regions = grant.regions();
        if here.region.is_some_and(|region| !regions.is_empty() && regions.binary_search(&region).is_err()) {
            return Self::OutOfRegion;
        }
        Self::while_running(grant, standing, here, now)
    }

    fn while_running(grant: &Grant, standing: &Standing, here: &Circumstances, now: Timestamp) -> Self {
        let expires = grant.expires();
        if let (Some(expires), Some(ends)) = (expires, grant.ends()) {
            if let Some(since) = here.time_lost_at {
                // What has an end cannot be judged for ever without a clock. What has none does not need one.
                return if now >= since {
                    Self::TimeLost { since }
                } else {
                    Self::Grace { until: Some(since.min(ends)), why: Leniency::TimeUnknown }
                };
            }
            if now >= expires {
                return Self::Grace { until: Some(ends), why: Leniency::Unpaid };
            }
        }
        if let Some(stale) = standing.fresh_until.filter(|fresh| now >= *fresh) {
            let silent = grant.offline().map(|offline| stale.saturating_add(offline));
            return match silent {
                Some(since) if now >= since => Self::Unconfirmed { since },
                _ => Self::Grace { until: silent, why: Leniency::StatusStale },
            };
        }
        match (standing.status, grant.kind()) {
            (Status::Invalid | Status::Suspended, _) => {
                Self::Grace { until: expires, why: Leniency::Unexplained }
            }
            (Status::Cancelled, _) => Self::Cancelled { until: expires },
            (_, Kind::Trial) => Self::Trial { until: expires },
            _ => Self::Active { until: expires },
        }
    }

    /// The date by which it stops working of itself, where it works and has one.
    pub(crate) fn ends(self) -> Option<Timestamp> {
        match self {
            Self::Active { until }
            | Self::Cancelled { until }
            | Self::Grace { until, .. }
            | Self::Trial { until } => until,
            _ => None,
        }
    }

    /// What it says about the grant's features.
    pub fn reason(self) -> Reason {
        match self {
            Self::Active { .. } => Reason::Granted,
            Self::Cancelled { .. } => Reason::Cancelled,
            Self::Expired { .. } => Reason::Expired,
            Self::Grace { why: Leniency::StatusStale, .. } => Reason::StatusStale,
            Self::Grace { why: Leniency::TimeUnknown, .. } => Reason::TimeUnknown,
            Self::Grace { why: Leniency::Unexplained, .. } => Reason::Unexplained,
            Self::Grace { why: Leniency::Unpaid, .. } => Reason::Grace,
            Self::OnHold => Reason::OnHold,
            Self::OtherVehicle => Reason::OtherVehicle,
            Self::OutOfRegion => Reason::OutOfRegion,
            Self::Paused => Reason::Paused,
            Self::Pending { .. } => Reason::NotYet,
            Self::Revoked { because } => Reason::Revoked(because),
            Self::Suspended { because } => Reason::Suspended(because),
            Self::TimeLost { .. } => Reason::TimeLost,
            Self::Transferred => Reason::OtherOwner,
            Self::Trial { .. } => Reason::Trial,
            Self::Unconfirmed { .. } => Reason::Unconfirmed,
        }
    }
}

/// All instants at which the state of a grant may change.
pub(crate) fn edges(
    grant: &Grant,
    standing: &Standing,
    here: &Circumstances,
) -> impl Iterator<Item = Timestamp> + use<> {
    let silent =
        standing.fresh_until.zip(grant.offline()).map(|(fresh, offline)| fresh.saturating_add(offline));
    let edges = [
        Some(grant.starts()),
        grant.expires(),
        grant.ends(),
        standing.fresh_until,
        silent,
        here.time_lost_at,
    ];
    edges.into_iter().flatten()
}

#[cfg(test)]
#[path = "license_tests.rs"]
mod tests;
