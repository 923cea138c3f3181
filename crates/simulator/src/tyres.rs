//! Four tyres: warm by rolling, full by the warmth, and less full where one leaks.
//!
//! *Invariant:* a pressure is never below zero.
//! *Next:* `car.rs` (which steps them after the motion).

use crate::corner::{Corner, Corners};

/// Kilopascals above the air's at 20 degrees Celsius.
const FULL: f64 = 250.0;
/// The air's own.
const AIR: f64 = 101.3;
const KELVIN: f64 = 273.15;
/// Below this, in kilopascals, the car warns.
const LOW: f64 = 190.0;

#[derive(Clone, Debug)]
pub(crate) struct Tyre {
    /// Kilopascals at 20 degrees Celsius.
    cold: f64,
    /// Degrees Celsius of the air inside.
    temperature: f64,
    /// Kilopascals in a second.
    leak: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Tyres(Corners<Tyre>);

impl Tyres {
    pub(crate) const fn new(outside: f64) -> Self {
        const fn tyre(cold: f64, temperature: f64) -> Tyre {
            Tyre { cold, temperature, leak: 0.0 }
        }
        // They differ a little.
        Self(Corners {
            front_left: tyre(FULL, outside),
            front_right: tyre(FULL + 2.0, outside),
            rear_left: tyre(FULL + 4.0, outside),
            rear_right: tyre(FULL + 3.0, outside),
        })
    }

    pub(crate) fn step(&mut self, dt: f64, outside: f64, speed: f64) {
        let share = (dt / 700.0).min(1.0);
        for tyre in self.0.all_mut() {
            tyre.temperature += (outside + 0.7 * speed - tyre.temperature) * share;
            tyre.cold = (tyre.cold - tyre.leak * dt).max(0.0);
        }
    }

    /// Begins to leak, in kilopascals per hour; `None` mends the tyre and fills it.
    pub(crate) fn leak(&mut self, wheel: Corner, rate: Option<f64>) {
        let tyre = self.0.at_mut(wheel);
        tyre.leak = rate.unwrap_or_default() / 3600.0;
        if rate.is_none() {
            tyre.cold = FULL;
        }
    }

    /// Kilopascals above the air's.
    pub(crate) fn pressure(&self, wheel: Corner) -> f64 {
        let tyre = self.0.at(wheel);
        ((tyre.cold + AIR) * (tyre.temperature + KELVIN) / (20.0 + KELVIN) - AIR).max(0.0)
    }

    /// Degrees Celsius.
    pub(crate) const fn temperature(&self, wheel: Corner) -> f64 {
        self.0.at(wheel).temperature
    }

    pub(crate) fn is_low(&self, wheel: Corner) -> bool {
        self.pressure(wheel) < LOW
    }
}
