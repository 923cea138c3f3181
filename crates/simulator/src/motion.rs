//! How the car moves: a mass with drag on a slope, one electric motor that also brakes, brakes for the rest, and a wheel that follows the road.
//!
//! *Invariant:* the speed is never below zero; the distance never shrinks. Only `+ - * /`, so that every machine computes the same.
//! *Next:* `energy.rs` (which pays for it).

use std::f64::consts::PI;

use crate::geo;
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
/// Metres per second squared.
const GRAVITY: f64 = 9.81;
/// Metres between the axles, and turns of the steering wheel for one of the wheels.
const WHEELBASE: f64 = 2.7;
const STEERING_RATIO: f64 = 15.0;
/// Degrees in a second that the car turns at most, and the sideways push that the people in it bear.
const QUICKEST_TURN: f64 = 30.0;
const STRONGEST_PUSH: f64 = 3.0;

#[derive(Clone, Debug, Default)]
pub(crate) struct Motion {
    /// Metres per second.
    pub(crate) speed: f64,
    /// Metres per second squared.
    pub(crate) acceleration: f64,
    /// Metres since the start.
    pub(crate) distance: f64,
    /// Degrees at the wheel, positive to the left.
    pub(crate) steering: f64,
    /// The direction of the car, in degrees from north by east.
    pub(crate) heading: f64,
    /// Degrees in a second, positive to the left.
    pub(crate) yaw: f64,
    /// Newtons that the motor puts on the road, negative when it recuperates.
    pub(crate) traction: f64,
    /// Newtons of the brakes.
    pub(crate) braking: f64,
}

impl Motion {
    /// `dt` seconds later, on a road of this direction (degrees) and slope (metres up for a metre of the way).
    pub(crate) fn step(&mut self, dt: f64, wish: &Wish, heading: f64, slope: f64) {
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
            let weight = MASS * GRAVITY * slope;
            let drag = if self.speed > 0.0 { ROLLING + AIR * self.speed * self.speed + weight } else { 0.0 };
            let force = MASS * self.acceleration + drag;
            self.traction = force.clamp(-STRONGEST_RECUPERATION, STRONGEST_DRIVE);
            // The motor cannot slow a car that hardly turns it.
            if force < 0.0 && self.speed < 2.0 {
                self.traction = force.max(-STRONGEST_RECUPERATION * self.speed / 2.0);
            }
            self.braking = (self.traction - force).max(0.0);
        }
        self.steer(dt, wish, heading);
    }

    /// Turns the car to the direction of the road, as fast as its speed permits.
    fn steer(&mut self, dt: f64, wish: &Wish, heading: f64) {
        let before = self.yaw;
        self.yaw = 0.0;
        if self.speed > 0.0 {
            let push = STRONGEST_PUSH / self.speed * 180.0 / PI;
            let most = QUICKEST_TURN.min(push).min(self.speed * 8.0);
            let change = 60.0 * dt;
            // To the left is positive for the wheel and negative for the compass.
            let wanted = (-geo::turn(self.heading, heading) * 0.8).clamp(-most, most);
            self.yaw = before + (wanted - before).clamp(-change, change);
            self.heading = geo::whole_turn(self.heading - self.yaw * dt);
        }
        let bend =
            if self.speed > 0.0 { self.yaw / self.speed.max(1.5) * WHEELBASE * STEERING_RATIO } else { 0.0 };
        let turn = 360.0 * dt;
        self.steering += (bend + wish.steering - self.steering).clamp(-turn, turn);
    }

    /// Metres per second squared, positive to the left.
    pub(crate) fn sideways(&self) -> f64 {
        self.speed * self.yaw * PI / 180.0
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
