//! The seat heating is for sale: what gates it, and a grant that opens it.
//!
//! *Next:* `platforms.rs` (which gates each platform), `wire.rs` (where the grant is shown at a door).

use std::sync::Arc;
use std::time::Duration;

use coachwork::entitlement::{
    Action, Car, Entitled, Entitlements, Grant, GrantId, Issuer, KeyId, OwnerEpoch, PaidClass, PaidFeature,
    Policy, Rule, VehicleId, Verifier,
};
use coachwork::system::SystemClock;
use coachwork::{Clock, Vehicle};
use coachwork_examples::Fault;

/// What the platform owner knows: the car, what is sold in it, whose signature counts.
pub(crate) struct Shop {
    pub(crate) car: Car,
    pub(crate) policy: Arc<Policy>,
    pub(crate) verifier: Verifier,
    /// What a buyer was sent.
    pub(crate) token: Vec<u8>,
    /// Dates of grants are of our time, however fast the cars drive.
    pub(crate) time: Arc<SystemClock>,
}

impl Shop {
    pub(crate) fn open() -> Result<Self, Fault> {
        let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
        let rule = Rule::new("Vehicle.Cabin.Seat.**.HeatingCooling", Action::Set, heating.clone())?;
        let car = Car { vehicle: VehicleId::from_vin("1M8GDM9AXKP042788")?, owner: OwnerEpoch(1) };
        // The back end of the maker, far from the car. A real secret comes from a key store.
        let issuer = Issuer::new(KeyId::new("example")?, &[7; 32])?;
        let time = Arc::new(SystemClock::new()?);
        let (now, month) = (time.now(), Duration::from_secs(30 * 86_400));
        let order = Grant::draft(GrantId::new("order-17")?, car.vehicle, now).opens(&heating);
        let grant = order.until(now.saturating_add(month)).build()?;
        Ok(Self {
            car,
            policy: Arc::new(Policy::new([rule])?),
            verifier: Verifier::new([(issuer.key_id(), issuer.public_key())])?,
            token: issuer.issue(&grant)?,
            time,
        })
    }

    /// The vehicle, as far as it was paid for.
    pub(crate) fn gate(
        &self,
        vehicle: Arc<dyn Vehicle>,
        token: Option<&[u8]>,
    ) -> Result<Arc<dyn Vehicle>, Fault> {
        let bought = token.map(|token| self.verifier.verify(token)).transpose()?;
        let features = self.policy.features().clone();
        let entitlements = Entitlements::new(self.car, features, bought, self.time.now())?;
        let (policy, time) = (self.policy.clone(), self.time.clone());
        Ok(Arc::new(Entitled::new(vehicle, policy, Arc::new(entitlements), time)?))
    }
}
