//! The air outside, the rain, and the cabin that is heated and cooled to what was asked.
//!
//! *Invariant:* temperatures stay between the air's and what was asked, some degrees either way.
//! *Next:* `car.rs` (which steps it), `energy.rs` (which pays for it).

use crate::actuator::{Part, Switch};
use crate::random::Random;
use crate::seat::Side;

/// Watts of the climate control at its strongest.
const STRONGEST: f64 = 3500.0;

#[derive(Clone, Debug)]
pub(crate) struct Climate {
    random: Random,
    /// Degrees Celsius.
    pub(crate) outside: f64,
    pub(crate) cabin: f64,
    /// Percent, and seconds until the weather is another.
    pub(crate) rain: f64,
    weather_left: f64,
    /// Watts.
    pub(crate) power: f64,
    /// Degrees Celsius that are wanted on the driver's and the passenger's side.
    pub(crate) driver_target: Switch<f64>,
    pub(crate) passenger_target: Switch<f64>,
    /// Percent.
    pub(crate) driver_fan: Switch<f64>,
    pub(crate) passenger_fan: Switch<f64>,
    pub(crate) air_conditioning: Switch,
    pub(crate) defroster: Switch,
}

impl Climate {
    pub(crate) fn new(seed: u64, outside: f64) -> Self {
        // The weather does not depend on how the car is driven.
        let mut random = Random::new(seed ^ 0x5EED_0F7E_AE87_4E12);
        let weather_left = random.between(1200.0, 9000.0);
        Self {
            random,
            outside,
            cabin: outside + 3.0,
            rain: 0.0,
            weather_left,
            power: 0.0,
            driver_target: Switch::new(21.0),
            passenger_target: Switch::new(21.0),
            driver_fan: Switch::new(40.0),
            passenger_fan: Switch::new(40.0),
            air_conditioning: Switch::new(true),
            defroster: Switch::new(false),
        }
    }

    pub(crate) fn step(&mut self, dt: f64, is_on: bool) {
        for dial in [
            &mut self.driver_target,
            &mut self.passenger_target,
            &mut self.driver_fan,
            &mut self.passenger_fan,
        ] {
            dial.step(dt);
        }
        self.air_conditioning.step(dt);
        self.defroster.step(dt);
        self.weather_left -= dt;
        if self.weather_left <= 0.0 {
            self.rain = if self.rain > 0.0 { 0.0 } else { self.random.between(15.0, 80.0).floor() };
            self.weather_left = self.random.between(600.0, 9000.0);
        }
        // A fan that stands still moves no heat; without air conditioning nothing gets colder than outside.
        let fans = (self.driver_fan.now() + self.passenger_fan.now()) / 200.0;
        let wanted = self.driver_target.now().midpoint(self.passenger_target.now());
        let wanted = if self.air_conditioning.now() { wanted } else { wanted.max(self.outside) };
        let before = self.cabin;
        let loss = (self.outside - self.cabin) * (dt / 2400.0).min(1.0);
        let help =
            if is_on { (wanted - self.cabin) * (dt / 240.0).min(1.0) * (0.2 + 1.6 * fans) } else { 0.0 };
        self.cabin = before + loss + help;
        let idle =
            if is_on { 60.0 + 120.0 * fans + if self.defroster.now() { 400.0 } else { 0.0 } } else { 0.0 };
        self.power = if dt > 0.0 { idle + (help.abs() / dt * 60_000.0).min(STRONGEST) } else { 0.0 };
    }

    pub(crate) const fn target_mut(&mut self, side: Side) -> &mut Switch<f64> {
        match side {
            Side::Driver => &mut self.driver_target,
            Side::Passenger => &mut self.passenger_target,
        }
    }

    pub(crate) const fn fan_mut(&mut self, side: Side) -> &mut Switch<f64> {
        match side {
            Side::Driver => &mut self.driver_fan,
            Side::Passenger => &mut self.passenger_fan,
        }
    }

    pub(crate) fn rests(&self) -> bool {
        self.driver_target.rests()
            && self.passenger_target.rests()
            && self.driver_fan.rests()
            && self.passenger_fan.rests()
            && self.air_conditioning.rests()
            && self.defroster.rests()
    }
}
