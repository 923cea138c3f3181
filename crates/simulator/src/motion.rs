//! How the car moves: a mass with drag, one electric motor that also brakes, and brakes for the rest.
//!
//! *Invariant:* the speed is never below zero; the distance never shrinks. Only `+ - * /`, so that every machine computes the same.
//! *Next:* `energy.rs` (which pays for it).

use std::f64::consts::PI;

use crate::trip::Wish;

/// Kilograms, the driver included.
const MASS: f64 = 1800.0;
/// Newtons.
const ROLLING: f64 = 180.0;
/// Newtons for (m/s)².
const AIR: f64 = 0.39;
/// Metres.
const WHEEL_RADIUS: f64 = 0.31;
const GEAR_RATIO: f64 = 9.0;
/// Newtons at the wheels.
const STRONGEST_DRIVE: f64 = 6000.0;
/// The motor slows the car with at most so many newtons; the brakes do the rest.
const STRONGEST_RECUPERATION: f64 = 2200.0;
/// Metres per second cubed.
const JERK: f64 = 4.0;

#[derive(Clone, Debug, Default)]
pub(crate) struct Motion {
    /// Metres per second.
    pub(crate) speed: f64,
    /// Metres per second squared.
    pub(crate) acceleration: f64,
    /// Metres since the start.
    pub(crate) distance: f64,
    /// Degrees, positive to the left.
    pub(crate) steering: f64,
    /// Newtons that the motor puts on the road, negative when it recuperates.
    pub(crate) traction: f64,
    /// Newtons of the brakes.
    pub(crate) braking: f64,
}

impl Motion {
    pub(crate) fn step(&mut self, dt: f64, wish: &Wish) {
        if wish.stand && self.speed <= 0.0 {
            (self.acceleration, self.traction, self.braking) = (0.0, 0.0, 0.0);
        } else {
            let change = (wish.acceleration - self.acceleration).clamp(-JERK * dt, JERK * dt);
            self.acceleration += change;
            let before = self.speed;
            self.speed = (before + self.acceleration * dt).max(0.0);
            if wish.acceleration < 0.0 && self.speed < 0.05 {
                self.speed = 0.0;
            }
            self.distance += before.midpoint(self.speed) * dt;
            let drag = if self.speed > 0.0 { ROLLING + AIR * self.speed * self.speed } else { 0.0 };
            let force = MASS * self.acceleration + drag;
            self.traction = force.clamp(-STRONGEST_RECUPERATION, STRONGEST_DRIVE);
            // The motor cannot slow a car that hardly turns it.
            if force < 0.0 && self.speed < 2.0 {
                self.traction = force.max(-STRONGEST_RECUPERATION * self.speed / 2.0);
            }
            self.braking = (self.traction - force).max(0.0);
        }
        let turn = 120.0 * dt;
        self.steering += (wish.steering - self.steering).clamp(-turn, turn);
    }

    pub(crate) fn is_moving(&self) -> bool {
        self.speed > 0.0
    }

    /// Kilometres per hour.
    pub(crate) fn speed_kmh(&self) -> f64 {
        self.speed * 3.6
    }

    /// Percent.
    pub(crate) fn accelerator(&self) -> f64 {
        (self.traction.max(0.0) / STRONGEST_DRIVE * 100.0).min(100.0)
    }

    /// Percent: a quarter of the way lets the motor brake, the rest is for the brakes. A standing car is held.
    pub(crate) fn brake_pedal(&self, held: bool) -> f64 {
        if held && !self.is_moving() {
            return 20.0;
        }
        let recuperating = (-self.traction).max(0.0) / STRONGEST_RECUPERATION * 25.0;
        (recuperating + self.braking / 12_000.0 * 75.0).min(100.0)
    }

    /// Watts at the motor's shaft, negative when it recuperates.
    pub(crate) fn motor_power(&self) -> f64 {
        self.traction * self.speed
    }

    /// Rotations per minute.
    pub(crate) fn motor_speed(&self) -> f64 {
        self.speed / WHEEL_RADIUS * GEAR_RATIO * 60.0 / (2.0 * PI)
    }

    /// Newton metres.
    pub(crate) fn motor_torque(&self) -> f64 {
        self.traction * WHEEL_RADIUS / GEAR_RATIO
    }
}
