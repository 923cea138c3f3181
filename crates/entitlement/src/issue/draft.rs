//! What a back end wants to sell becomes a [`Grant`], or an error that says what does not go together.
//!
//! *Invariant:* a grant that is built is one that a verifier takes. Rounding to whole seconds is in the buyer's favour.
//! *Next:* `../issue.rs` signs it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coachwork_vehicle::Timestamp;

use super::error::IssueError;
use super::{up_to_seconds, whole_seconds};
use crate::car::{OwnerEpoch, VehicleId};
use crate::feature::{FeatureName, PaidFeature};
use crate::grant::{Grant, MAX_SECONDS};
use crate::id::GrantId;
use crate::offer::Offer;
use crate::scope::Scope;
use crate::status::StatusRef;
use crate::terms::{Because, Kind, Region, Transfer};

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
            owner: (self.transfer() == Transfer::EndsWithOwner).then_some(owner),
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
