//! Grants for unit tests, as if they had been verified.

use crate::car::{Car, OwnerEpoch, VehicleId};
use crate::grant::Grant;
use crate::id::GrantId;
use crate::terms::Kind;
use crate::verify::Verified;

pub(crate) const CAR: Car = Car { vehicle: VehicleId::ZERO, owner: OwnerEpoch(1) };

pub(crate) fn grant(
    id: &str,
    features: &[&str],
    starts: u64,
    expires: Option<u64>,
    grace: u64,
) -> Verified<Grant> {
    let mut features: Vec<_> = features.iter().map(|name| name.parse().unwrap()).collect();
    features.sort();
    Verified::assumed(Grant {
        id: GrantId::new(id).unwrap(),
        sequence: 0,
        vehicle: CAR.vehicle,
        owner: None,
        issued: starts,
        starts,
        expires,
        grace,
        features: features.into(),
        kind: if expires.is_some() { Kind::Recurring } else { Kind::Perpetual },
        offline: None,
        regions: [].into(),
        plan: None,
        because: None,
        scopes: [].into(),
        status: None,
    })
}
