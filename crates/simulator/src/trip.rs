//! What the person at the wheel does: gets in, drives off, cruises, brakes, stops for a passenger, charges when it must.
//!
//! *Invariant:* decides, and moves nothing: `car.rs` turns the wish into motion. Doors open only at a halt.
//! *Next:* `motion.rs` (which follows the wish).

use crate::random::Random;

/// Metres per second for one kilometre per hour.
const KMH: f64 = 1.0 / 3.6;
/// Below this state of charge, in percent, the next halt is a charging stop.
const CHARGE_BELOW: f64 = 12.0;
/// It ends at this one.
const CHARGE_TO: f64 = 80.0;

/// The drive so far.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    random: Random,
    phase: Phase,
    /// Seconds in the present phase.
    elapsed: f64,
    halts: u32,
    steering: f64,
    /// Nobody holds a speed exactly: metres per second.
    wander: f64,
    /// Seconds until the next correction of both.
    correct_in: f64,
    passenger: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// The driver opens the door, sits down, closes it, belts up.
    Enter,
    /// Up to `target`, then on with it for a while; metres per second and seconds.
    Drive {
        target: f64,
        cruise: f64,
    },
    Brake {
        strength: f64,
    },
    /// At a kerb or a light, for so many seconds; a passenger may get in or out.
    Halt {
        until: f64,
        passenger: bool,
    },
    Charge,
}

/// What the driver wants in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Wish {
    /// Metres per second squared.
    pub(crate) acceleration: f64,
    /// To stand still.
    pub(crate) stand: bool,
    /// Degrees at the wheel, positive to the left.
    pub(crate) steering: f64,
    pub(crate) driver_door: bool,
    pub(crate) passenger_door: bool,
    pub(crate) belted: bool,
    pub(crate) passenger: bool,
    pub(crate) charging: bool,
    pub(crate) parked: bool,
}

impl Trip {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        Self {
            random,
            phase: Phase::Enter,
            elapsed: 0.0,
            halts: 0,
            steering: 0.0,
            wander: 0.0,
            correct_in: 0.0,
            passenger: false,
        }
    }

    /// What is wanted for the next `dt` seconds at this speed (m/s) and state of charge (percent).
    pub(crate) fn wish(&mut self, dt: f64, speed: f64, charge: f64) -> Wish {
        self.elapsed += dt;
        if let Some(next) = self.next(speed, charge) {
            self.phase = next;
            self.elapsed = 0.0;
        }
        self.correct(dt, speed);
        let now = self.elapsed;
        let entering = self.phase == Phase::Enter;
        let boarding = matches!(self.phase, Phase::Halt { passenger: true, .. });
        if boarding && now >= 4.0 && now - dt < 4.0 {
            self.passenger = !self.passenger;
        }
        Wish {
            acceleration: self.acceleration(speed),
            stand: matches!(self.phase, Phase::Enter | Phase::Halt { .. } | Phase::Charge),
            steering: self.steering,
            driver_door: entering && (1.0..3.0).contains(&now),
            passenger_door: boarding && (2.0..5.0).contains(&now),
            belted: !entering || now >= 4.0,
            passenger: self.passenger,
            charging: self.phase == Phase::Charge,
            parked: self.phase == Phase::Charge || (entering && now < 5.5),
        }
    }

    fn next(&mut self, speed: f64, charge: f64) -> Option<Phase> {
        match self.phase {
            Phase::Enter if self.elapsed < 6.0 => None,
            Phase::Enter if charge < CHARGE_BELOW => Some(Phase::Charge),
            Phase::Enter => {
                let (target, cruise) = (self.random.between(45.0, 55.0), self.random.between(8.0, 12.0));
                Some(Phase::Drive { target: target * KMH, cruise })
            }
            Phase::Drive { cruise, target } => {
                // The cruise begins when the speed is there.
                if speed < target - 1.0 {
                    self.elapsed = 0.0;
                }
                let strength = 1.6 + self.random.between(0.0, 1.2);
                (self.elapsed >= cruise).then_some(Phase::Brake { strength })
            }
            Phase::Brake { .. } if speed > 0.0 => None,
            Phase::Brake { .. } if charge < CHARGE_BELOW => Some(Phase::Charge),
            Phase::Brake { .. } => {
                self.halts = self.halts.wrapping_add(1);
                let passenger = self.halts % 3 == 1;
                Some(Phase::Halt { until: self.random.between(7.0, 15.0), passenger })
            }
            Phase::Halt { until, .. } if self.elapsed < until => None,
            Phase::Charge if charge < CHARGE_TO => None,
            Phase::Halt { .. } | Phase::Charge => {
                let (target, cruise) = (self.random.between(30.0, 110.0), self.random.between(15.0, 90.0));
                Some(Phase::Drive { target: target * KMH, cruise })
            }
        }
    }

    fn acceleration(&self, speed: f64) -> f64 {
        match self.phase {
            Phase::Drive { target, .. } => ((target + self.wander - speed) * 0.6).clamp(-1.0, 2.2),
            // The last metre is gentle.
            Phase::Brake { strength } => -strength.min(0.4 + speed),
            Phase::Enter | Phase::Halt { .. } | Phase::Charge => 0.0,
        }
    }

    /// Small corrections at speed, wide turns when slow.
    fn correct(&mut self, dt: f64, speed: f64) {
        self.correct_in -= dt;
        if self.correct_in <= 0.0 {
            let widest = (240.0 / (1.0 + 0.4 * speed)).min(120.0);
            self.steering = if speed > 0.0 { self.random.between(-widest, widest) } else { self.steering };
            self.wander = self.random.between(-0.5, 0.5);
            self.correct_in = self.random.between(1.5, 5.0);
        }
    }
}
