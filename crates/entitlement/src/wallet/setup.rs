//! What a wallet needs to know of its car before it is opened, and when something may end.
//!
//! *Next:* `../wallet.rs` is opened with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use coachwork_vehicle::{Datapoint, Timestamp};

use crate::audit::{Audit, NoAudit};
use crate::car::VehicleId;
use crate::feature::FeatureName;
use crate::features::Features;
use crate::verify::{Roots, Verifier};

/// Whether the car is in a state in which something may cease to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SafeState {
    /// It moves, or nobody knows: nothing that works ends now.
    Moving,
    /// It is parked: what has ended ends.
    Parked,
}

impl SafeState {
    /// Of a car with this reading of `Vehicle.Speed`: parked only if it certainly stands.
    pub fn of_speed(speed: &Datapoint) -> Self {
        let standing =
            speed.is_valid() && speed.value().and_then(coachwork_vehicle::Value::as_f64) == Some(0.0);
        if standing { Self::Parked } else { Self::Moving }
    }
}

/// Whom a wallet trusts.
#[derive(Debug, Clone)]
pub enum Anchor {
    /// These keys, for as long as the software is what it is.
    Keys(Verifier),
    /// Whomever the key sets of these roots name.
    Roots(Roots),
}

/// What a wallet needs to know of the car that it is for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The car.
    pub vehicle: VehicleId,
    /// What the platform sells.
    pub features: Arc<Features>,
    /// Whom it trusts.
    pub anchor: Anchor,
    /// The features that the car was built with.
    pub fitted: BTreeSet<FeatureName>,
    /// A date that has certainly passed: of the software, say.
    pub built: Timestamp,
    /// Where events go.
    pub audit: Arc<dyn Audit>,
}

impl Setup {
    /// For this car and these features, with nothing fitted and no audit.
    pub fn new(vehicle: VehicleId, features: Arc<Features>, anchor: Anchor, built: Timestamp) -> Self {
        Self { vehicle, features, anchor, fitted: BTreeSet::new(), built, audit: Arc::new(NoAudit) }
    }
}
