//! One step of the whole car: the driver wishes, the car moves, the batteries pay, the actuators follow.
//!
//! *Invariant:* a pure function of the scenario, the steps and what comes between them: no clock, no randomness but the seed's.
//! *Next:* `signals` (what of it is published), `vehicle.rs` (which steps it by the clock).

use crate::body::Body;
use crate::climate::Climate;
use crate::energy::{Energy, Load};
use crate::fault::Fault;
use crate::motion::Motion;
use crate::route::Along;
use crate::scenario::Scenario;
use crate::trip::{Trip, View};
use crate::tyres::Tyres;

/// Metres that the odometer can show.
const ODOMETER_END: f64 = 4_294_967_295.0;

#[derive(Clone, Debug)]
pub(crate) struct Car {
    pub(crate) trip: Trip,
    odometer_at_start: f64,
    health_at_start: f64,
    /// Percent of the battery's health in a second.
    ageing: f64,
    pub(crate) motion: Motion,
    pub(crate) along: Along,
    pub(crate) energy: Energy,
    pub(crate) climate: Climate,
    pub(crate) tyres: Tyres,
    pub(crate) body: Body,
}

impl Car {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let along = Along::new(scenario.route.clone().unwrap_or_default());
        Self {
            trip: Trip::new(scenario.seed),
            odometer_at_start: scenario.odometer.into(),
            health_at_start: scenario.state_of_health,
            ageing: 0.0,
            motion: Motion { heading: along.heading(), ..Motion::default() },
            along,
            energy: Energy::new(scenario),
            climate: Climate::new(scenario.seed, scenario.outside_temperature),
            tyres: Tyres::new(scenario.outside_temperature),
            body: Body::new(),
        }
    }

    /// `dt` seconds later.
    pub(crate) fn step(&mut self, dt: f64) {
        let view = View {
            speed: self.motion.speed,
            distance: self.motion.distance,
            charge: self.energy.charge,
            limit: self.energy.limit.now(),
            road: self.along.road(),
            outside: self.climate.outside,
        };
        let wish = self.trip.wish(dt, &view);
        let before = self.motion.distance;
        self.motion.step(dt, &wish, self.along.heading(), self.along.slope());
        let distance = self.motion.distance - before;
        self.along.advance(distance);
        self.climate.step(dt, !wish.left);
        let load = Load {
            motor: self.motion.motor_power(),
            comfort: self.body.comfort_power() + self.climate.power,
            distance,
            plug: wish.plug,
            awake: !wish.left,
            outside: self.climate.outside,
            ageing: self.ageing,
        };
        self.energy.step(dt, &load);
        self.tyres.step(dt, self.climate.outside, self.motion.speed);
        self.body.step(dt, wish, &self.motion, &self.energy);
    }

    /// Whether nobody is in the car and nothing in it moves, so that long steps will do.
    pub(crate) fn is_asleep(&self) -> bool {
        self.trip.is_parked()
            && !self.motion.is_moving()
            && self.body.rests()
            && self.climate.rests()
            && self.energy.rests()
    }

    /// A fault of the car itself begins, or is repaired.
    pub(crate) fn break_or_mend(&mut self, fault: &Fault, broken: bool) {
        match fault {
            Fault::SlowLeak { wheel, kilopascals_per_hour } => {
                self.tyres.leak(*wheel, broken.then_some(*kilopascals_per_hour));
            }
            Fault::BatteryAgeing { percent_per_hour } => {
                self.ageing = if broken { percent_per_hour / 3600.0 } else { 0.0 };
                if !broken {
                    self.energy.renew(self.health_at_start);
                }
            }
            Fault::WeakLowVoltageBattery => self.energy.weaken(broken),
            // Those of a signal or an actuator are not the car's.
            Fault::Stuck(_)
            | Fault::Lost(_)
            | Fault::NotAvailable(_)
            | Fault::Wrong(_)
            | Fault::Blocked(_) => {}
        }
    }

    /// Metres.
    pub(crate) fn odometer(&self) -> f64 {
        (self.odometer_at_start + self.motion.distance).min(ODOMETER_END)
    }

    /// Metres since the driver got in.
    pub(crate) fn trip_distance(&self) -> f64 {
        self.motion.distance - self.trip.began_at
    }

    /// Kilometres per hour since the driver got in.
    pub(crate) fn average_speed(&self) -> f64 {
        if self.trip.duration > 0.0 { self.trip_distance() / self.trip.duration * 3.6 } else { 0.0 }
    }

    /// The word of VSS for what is switched on.
    pub(crate) const fn power_state(&self) -> &'static str {
        let people = &self.body.people;
        if people.left {
            "LOCK"
        } else if !people.driver {
            "OFF"
        } else if people.belted {
            "ON"
        } else {
            "ACC"
        }
    }
}
