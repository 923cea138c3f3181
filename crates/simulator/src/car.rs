//! One step of the whole car: the driver wishes, the car moves, the batteries pay, the actuators follow.
//!
//! *Invariant:* a pure function of the scenario, the steps and the requests between them: no clock, no randomness but the seed's.
//! *Next:* `signals.rs` (what of it is published), `vehicle.rs` (which steps it by the clock).

use coachwork_vehicle::{Refusal, Value};

use crate::body::{Actuator, Body};
use crate::energy::{Energy, Load};
use crate::motion::Motion;
use crate::scenario::Scenario;
use crate::trip::Trip;

/// Metres that the odometer can show.
const ODOMETER_END: f64 = 4_294_967_295.0;

#[derive(Clone, Debug)]
pub(crate) struct Car {
    trip: Trip,
    odometer_at_start: f64,
    pub(crate) motion: Motion,
    pub(crate) energy: Energy,
    pub(crate) body: Body,
}

impl Car {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            trip: Trip::new(scenario.seed),
            odometer_at_start: scenario.odometer.into(),
            motion: Motion::default(),
            energy: Energy::new(scenario),
            body: Body::new(),
        }
    }

    /// Asks an actuator to move, from the next step on.
    pub(crate) fn ask(&mut self, actuator: Actuator, value: &Value) -> Result<(), Refusal> {
        self.body.ask(actuator, value, &self.motion, &self.energy)
    }

    /// `dt` seconds later.
    pub(crate) fn step(&mut self, dt: f64) {
        let wish = self.trip.wish(dt, self.motion.speed, self.energy.charge);
        let before = self.motion.distance;
        self.motion.step(dt, &wish);
        let load = Load {
            motor: self.motion.motor_power(),
            comfort: self.body.comfort_power(),
            distance: self.motion.distance - before,
            charging: wish.charging,
        };
        self.energy.step(dt, &load);
        self.body.step(dt, wish, &self.motion, &self.energy);
    }

    /// Metres.
    pub(crate) fn odometer(&self) -> f64 {
        (self.odometer_at_start + self.motion.distance).min(ODOMETER_END)
    }

    /// Kilopascals in a tyre, by its number: they differ a little.
    pub(crate) fn tyre_pressure(&self, wheel: u8) -> f64 {
        238.0 + f64::from(wheel) * 1.5 + self.energy.tyre_warmth
    }
}
