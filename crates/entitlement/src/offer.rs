//! What a shop shows: a [`Plan`] of features, and an [`Offer`] that says on which terms it can be had.
//!
//! *Invariant:* an offer's terms fit together: only what is for good has no end, and only what ends has a grace. A plan
//! is made of paid features, so safety is in none.
//! *Next:* `issue.rs` turns an accepted offer into the draft of a grant; `terms.rs` has the words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::feature::{FeatureName, PaidFeature};
use crate::terms::{Kind, Region, Transfer};

/// Features that are sold together under a name.
///
/// ```
/// use coachwork_entitlement::{PaidClass, PaidFeature, Plan};
///
/// let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
/// let light = PaidFeature::new("ambient-light".parse()?, PaidClass::Comfort);
/// let winter = Plan::new("winter".parse()?, [heating, light]);
/// assert_eq!(winter.features().count(), 2);
/// # Ok::<(), coachwork_entitlement::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    name: FeatureName,
    features: BTreeMap<FeatureName, PaidFeature>,
}

impl Plan {
    /// A plan with these features; one that comes twice is taken once.
    pub fn new(name: FeatureName, features: impl IntoIterator<Item = PaidFeature>) -> Self {
        let features = features.into_iter().map(|feature| (feature.name().clone(), feature));
        Self { name, features: features.collect() }
    }

    /// Its name, written like a feature's.
    pub fn name(&self) -> &FeatureName {
        &self.name
    }

    /// Its features, by name.
    pub fn features(&self) -> impl Iterator<Item = &PaidFeature> {
        self.features.values()
    }
}

/// A plan and the terms on which it can be had.
///
/// ```
/// use std::time::Duration;
/// use coachwork_entitlement::{Kind, Offer, PaidClass, PaidFeature, Plan, Transfer};
///
/// const DAY: Duration = Duration::from_secs(86_400);
/// let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
/// let winter = Plan::new("winter".parse()?, [heating]);
/// let monthly = Offer::recurring(winter, 30 * DAY)?.grace(3 * DAY)?.offline(21 * DAY)?.for_owner();
/// assert_eq!((monthly.kind(), monthly.transfer()), (Kind::Recurring, Transfer::EndsWithOwner));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    plan: Plan,
    kind: Kind,
    term: Option<Duration>,
    grace: Duration,
    offline: Option<Duration>,
    regions: BTreeSet<Region>,
    transfer: Transfer,
}

impl Offer {
    /// For good: paid once, and never ends.
    pub fn perpetual(plan: Plan) -> Self {
        Self {
            plan,
            kind: Kind::Perpetual,
            term: None,
            grace: Duration::ZERO,
            offline: None,
            regions: BTreeSet::new(),
            transfer: Transfer::StaysWithCar,
        }
    }

    fn ending(plan: Plan, kind: Kind, term: Duration) -> Result<Self, OfferError> {
        if term.is_zero() {
            return Err(OfferError::NoTerm);
        }
        Ok(Self { kind, term: Some(term), ..Self::perpetual(plan) })
    }

    /// For a period that renews.
    ///
    /// # Errors
    /// [`OfferError::NoTerm`] for a period of zero.
    pub fn recurring(plan: Plan, period: Duration) -> Result<Self, OfferError> {
        Self::ending(plan, Kind::Recurring, period)
    }

    /// Free, for a time.
    ///
    /// # Errors
    /// [`OfferError::NoTerm`] for a time of zero.
    pub fn trial(plan: Plan, term: Duration) -> Result<Self, OfferError> {
        Self::ending(plan, Kind::Trial, term)
    }

    /// Paid ahead, for a time.
    ///
    /// # Errors
    /// [`OfferError::NoTerm`] for a time of zero.
    pub fn prepaid(plan: Plan, term: Duration) -> Result<Self, OfferError> {
        Self::ending(plan, Kind::Prepaid, term)
    }

    /// For one use, within a time.
    ///
    /// # Errors
    /// [`OfferError::NoTerm`] for a time of zero.
    pub fn one_off(plan: Plan, term: Duration) -> Result<Self, OfferError> {
        Self::ending(plan, Kind::OneOff, term)
    }

    /// Keeps working for so long after its end, where a renewal is late.
    ///
    /// # Errors
    /// [`OfferError::GraceWithoutEnd`] for an offer that is for good.
    pub fn grace(self, grace: Duration) -> Result<Self, OfferError> {
        if self.term.is_none() && !grace.is_zero() {
            return Err(OfferError::GraceWithoutEnd);
        }
        Ok(Self { grace, ..self })
    }

    /// Works on for so long after the car last heard whether it is still valid. Without this, it works on until its end.
    ///
    /// # Errors
    /// [`OfferError::OfflineWithoutEnd`] for an offer that is for good: what somebody owns does not wait for a network.
    pub fn offline(self, allowance: Duration) -> Result<Self, OfferError> {
        if self.term.is_none() {
            return Err(OfferError::OfflineWithoutEnd);
        }
        Ok(Self { offline: Some(allowance), ..self })
    }

    /// Works in these countries, where it would work everywhere else.
    #[must_use]
    pub fn only_in(mut self, regions: impl IntoIterator<Item = Region>) -> Self {
        self.regions.extend(regions);
        self
    }

    /// Ends when the car is sold, instead of staying with it.
    #[must_use]
    pub fn for_owner(self) -> Self {
        Self { transfer: Transfer::EndsWithOwner, ..self }
    }

    /// What can be had.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How it is bought.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For how long; `None` is for good.
    pub fn term(&self) -> Option<Duration> {
        self.term
    }

    /// How long it works on after its end.
    pub fn grace_period(&self) -> Duration {
        self.grace
    }

    /// How long it works on without hearing from the seller; `None` sets no limit.
    pub fn offline_allowance(&self) -> Option<Duration> {
        self.offline
    }

    /// Where it works; none is everywhere.
    pub fn regions(&self) -> impl ExactSizeIterator<Item = Region> {
        self.regions.iter().copied()
    }

    /// What happens to it when the car is sold.
    pub fn transfer(&self) -> Transfer {
        self.transfer
    }
}

/// Terms that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// A grace follows an end, and there is none.
    #[error("an offer that is for good has no grace")]
    GraceWithoutEnd,
    /// Only what ends may depend on hearing from the seller.
    #[error("an offer that is for good does not depend on a network")]
    OfflineWithoutEnd,
    /// It would last no time.
    #[error("an offer lasts longer than no time")]
    NoTerm,
}
