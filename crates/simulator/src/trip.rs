//! What the person at the wheel does: gets in, drives off, cruises, brakes, stops for a passenger, charges when it must, parks and leaves.
//!
//! *Invariant:* decides, and moves nothing: `car.rs` turns the wish into motion. Doors open only at a halt.
//! *Next:* `motion.rs` (which follows the wish).

use crate::corner::{Corner, Corners};
use crate::energy::Plug;
use crate::random::Random;
use crate::route::Road;

/// Below this state of charge, in percent, the next halt is a charging stop; it ends at the other one, or at the limit that was set.
const CHARGE_BELOW: f64 = 12.0;
const CHARGE_TO: f64 = 80.0;
/// Below this one the car is plugged in where it is parked.
const PLUG_BELOW: f64 = 65.0;
/// Who sits in the back has the window open when it is as warm as this outside, in °C.
const WARM: f64 = 18.0;

/// The drive so far.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    random: Random,
    /// Decides who else comes along, so that the drive is the same with and without them.
    company: Random,
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
    /// Who sits in the back, and who of them reads.
    guests: Corners<bool>,
    reading: Corners<bool>,
    /// Whether something is in the trunk.
    luggage: bool,
    /// Metres at which this trip ends.
    ends_at: f64,
    /// Metres of the simulation when the driver got in, and seconds since then.
    pub(crate) began_at: f64,
    pub(crate) duration: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// The driver opens the door, sits down, closes it, belts up.
    Enter,
    /// As fast as a share of the limit, for a while of seconds from when that speed is reached.
    Drive {
        eager: f64,
        cruise: f64,
    },
    Brake {
        strength: f64,
    },
    /// At a kerb or a light, for so many seconds; somebody may get in or out.
    Halt {
        until: f64,
        boarding: Option<Boarding>,
    },
    /// At a fast charger.
    Charge,
    /// Belts open, doors open, everybody leaves; plugged in or not.
    Leave {
        plugged: bool,
    },
    /// Alone, for so many seconds.
    Parked {
        until: f64,
        plugged: bool,
    },
}

/// Who gets in or out at a kerb, besides the passenger in front.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Boarding {
    /// Through a rear door; whether they read, where they get in.
    guest: Option<Corner>,
    reads: bool,
    /// With something for the trunk.
    trunk: bool,
}

/// What the driver knows when it decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Metres per second.
    pub(crate) speed: f64,
    /// Metres since the start of the simulation.
    pub(crate) distance: f64,
    /// Percent, and where charging ends.
    pub(crate) charge: f64,
    pub(crate) limit: f64,
    pub(crate) road: Road,
    /// Degrees Celsius outside.
    pub(crate) outside: f64,
}

/// What the driver wants in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Wish {
    /// Metres per second squared.
    pub(crate) acceleration: f64,
    /// To stand still.
    pub(crate) stand: bool,
    /// Degrees at the wheel that the driver errs, positive to the left.
    pub(crate) steering: f64,
    /// What people hold open.
    pub(crate) doors: Corners<bool>,
    pub(crate) windows: Corners<bool>,
    pub(crate) trunk: bool,
    /// By whose seat somebody reads.
    pub(crate) reading: Corners<bool>,
    pub(crate) belted: bool,
    /// Who sits in the car.
    pub(crate) driver: bool,
    pub(crate) passenger: bool,
    pub(crate) guests: Corners<bool>,
    pub(crate) plug: Plug,
    pub(crate) parked: bool,
    /// Nobody is in the car.
    pub(crate) left: bool,
    pub(crate) signal_left: bool,
    pub(crate) signal_right: bool,
}

impl Trip {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let ends_at = random.between(6_000.0, 30_000.0);
        Self {
            random,
            company: Random::new(seed ^ 0x00C0_FFEE),
            phase: Phase::Enter,
            elapsed: 0.0,
            halts: 0,
            steering: 0.0,
            wander: 0.0,
            correct_in: 0.0,
            passenger: false,
            guests: Corners::default(),
            reading: Corners::default(),
            luggage: false,
            ends_at,
            began_at: 0.0,
            duration: 0.0,
        }
    }

    /// Whether nobody is in the car.
    pub(crate) const fn is_parked(&self) -> bool {
        matches!(self.phase, Phase::Parked { .. })
    }

    /// What is wanted for the next `dt` seconds.
    pub(crate) fn wish(&mut self, dt: f64, view: &View) -> Wish {
        self.elapsed += dt;
        if let Some(next) = self.next(view) {
            self.phase = next;
            self.elapsed = 0.0;
        }
        if !self.is_parked() {
            self.correct(dt, view.speed);
            self.duration += dt;
        }
        let now = self.elapsed;
        let entering = self.phase == Phase::Enter;
        let boarding = match self.phase {
            Phase::Halt { boarding, .. } => boarding,
            _ => None,
        };
        if let Some(boarding) = boarding {
            self.board(boarding, now, dt);
        }
        let boards = boarding.is_some();
        let guest = |corner| boarding.is_some_and(|boarding| boarding.guest == Some(corner));
        let leaving = matches!(self.phase, Phase::Leave { .. });
        let left = self.is_parked();
        if left {
            (self.passenger, self.luggage) = (false, false);
            (self.guests, self.reading) = (Corners::default(), Corners::default());
        }
        let rear_door = |corner| {
            (guest(corner) && (2.5..5.5).contains(&now))
                || (leaving && *self.guests.at(corner) && (4.0..6.0).contains(&now))
        };
        let aired = |corner| !leaving && *self.guests.at(corner) && view.outside >= WARM;
        let seated = |seats: &Corners<bool>, corner| *seats.at(corner) && !(leaving && now >= 5.0);
        let plug = match self.phase {
            Phase::Charge => Plug::Fast,
            Phase::Leave { plugged: true } if now >= 6.0 => Plug::Wall,
            Phase::Parked { plugged: true, .. } => Plug::Wall,
            _ => Plug::None,
        };
        let drives = matches!(self.phase, Phase::Drive { .. } | Phase::Brake { .. });
        Wish {
            acceleration: self.acceleration(view),
            stand: !drives,
            steering: self.steering,
            doors: Corners {
                front_left: (entering && (1.0..3.0).contains(&now)) || (leaving && (3.0..5.0).contains(&now)),
                front_right: (boards && (2.0..5.0).contains(&now))
                    || (leaving && self.passenger && (3.5..5.5).contains(&now)),
                rear_left: rear_door(Corner::RearLeft),
                rear_right: rear_door(Corner::RearRight),
            },
            // The driver talks to whoever stands at the kerb; in the back it is a matter of the weather.
            windows: Corners {
                front_left: false,
                front_right: boards && (0.5..6.0).contains(&now),
                rear_left: aired(Corner::RearLeft),
                rear_right: aired(Corner::RearRight),
            },
            trunk: (boarding.is_some_and(|boarding| boarding.trunk) && (1.5..6.5).contains(&now))
                || (leaving && self.luggage && (5.5..8.5).contains(&now)),
            reading: Corners {
                rear_left: seated(&self.reading, Corner::RearLeft),
                rear_right: seated(&self.reading, Corner::RearRight),
                ..Corners::default()
            },
            belted: if entering { now >= 4.0 } else { !(left || leaving && now >= 2.0) },
            driver: if entering { now >= 2.0 } else { !(left || leaving && now >= 4.0) },
            passenger: self.passenger && !(leaving && now >= 4.5),
            guests: Corners {
                rear_left: seated(&self.guests, Corner::RearLeft),
                rear_right: seated(&self.guests, Corner::RearRight),
                ..Corners::default()
            },
            plug,
            parked: left || leaving || self.phase == Phase::Charge || (entering && now < 5.5),
            left,
            signal_left: drives && view.road.turn < 0.0,
            signal_right: drives && view.road.turn > 0.0,
        }
    }

    fn next(&mut self, view: &View) -> Option<Phase> {
        match self.phase {
            Phase::Enter if self.elapsed < 6.0 => None,
            Phase::Enter if view.charge < CHARGE_BELOW => Some(Phase::Charge),
            Phase::Charge if view.charge < CHARGE_TO.min(view.limit) => None,
            Phase::Enter => Some(self.drive(8.0, 12.0)),
            Phase::Drive { cruise, eager } => {
                // The cruise begins when the speed is there.
                if view.speed < (eager * view.road.cap) - 1.0 {
                    self.elapsed = self.elapsed.min(cruise / 2.0);
                }
                let strength = 1.6 + self.random.between(0.0, 1.2);
                (self.elapsed >= cruise).then_some(Phase::Brake { strength })
            }
            Phase::Brake { .. } if view.speed > 0.0 => None,
            Phase::Brake { .. } if view.charge < CHARGE_BELOW => Some(Phase::Charge),
            Phase::Brake { .. } if view.distance >= self.ends_at => {
                Some(Phase::Leave { plugged: view.charge < PLUG_BELOW })
            }
            Phase::Brake { .. } => {
                self.halts = self.halts.wrapping_add(1);
                let boarding = (self.halts % 3 == 1).then(|| self.boarding());
                Some(Phase::Halt { until: self.random.between(7.0, 15.0), boarding })
            }
            Phase::Halt { until, .. } if self.elapsed < until => None,
            Phase::Halt { .. } | Phase::Charge => Some(self.drive(15.0, 90.0)),
            Phase::Leave { .. } if self.elapsed < 10.0 => None,
            Phase::Leave { plugged } => {
                Some(Phase::Parked { until: self.random.between(600.0, 9000.0), plugged })
            }
            Phase::Parked { until, .. } if self.elapsed < until => None,
            Phase::Parked { .. } => {
                self.ends_at = view.distance + self.random.between(6_000.0, 30_000.0);
                (self.began_at, self.duration) = (view.distance, 0.0);
                Some(Phase::Enter)
            }
        }
    }

    /// Who comes along or gets out at the next kerb.
    fn boarding(&mut self) -> Boarding {
        let mut chance = || self.company.between(0.0, 1.0);
        let guest = match chance() {
            nobody if nobody < 0.4 => None,
            right if right < 0.75 => Some(Corner::RearRight),
            _ => Some(Corner::RearLeft),
        };
        Boarding { guest, reads: chance() < 0.5, trunk: guest.is_some() && chance() < 0.5 }
    }

    /// At its moment, each of them is in or out.
    fn board(&mut self, boarding: Boarding, now: f64, dt: f64) {
        let is_moment = |moment: f64| now >= moment && now - dt < moment;
        if is_moment(4.0) {
            self.passenger = !self.passenger;
            self.luggage |= boarding.trunk;
        }
        if let Some(corner) = boarding.guest.filter(|_| is_moment(4.5)) {
            let sits = !*self.guests.at(corner);
            *self.guests.at_mut(corner) = sits;
            *self.reading.at_mut(corner) = sits && boarding.reads;
        }
    }

    fn drive(&mut self, shortest: f64, longest: f64) -> Phase {
        Phase::Drive { eager: self.random.between(0.88, 1.0), cruise: self.random.between(shortest, longest) }
    }

    fn acceleration(&self, view: &View) -> f64 {
        match self.phase {
            Phase::Drive { eager, .. } => {
                let target = (eager * view.road.cap + self.wander).min(view.road.cap);
                ((target - view.speed) * 0.6).clamp(-2.2, 2.2)
            }
            // The last metre is gentle.
            Phase::Brake { strength } => -strength.min(0.4 + view.speed),
            Phase::Enter
            | Phase::Halt { .. }
            | Phase::Charge
            | Phase::Leave { .. }
            | Phase::Parked { .. } => 0.0,
        }
    }

    /// Small corrections.
    fn correct(&mut self, dt: f64, speed: f64) {
        self.correct_in -= dt;
        if self.correct_in <= 0.0 {
            self.steering = if speed > 0.0 { self.random.between(-2.5, 2.5) } else { self.steering };
            self.wander = self.random.between(-0.5, 0.5);
            self.correct_in = self.random.between(1.5, 5.0);
        }
    }
}
