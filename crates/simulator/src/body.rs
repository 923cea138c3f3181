//! Doors, locks, windows, seats, lights and wipers: what can be asked to move, and what people move by hand.
//!
//! *Invariant:* nothing opens or unlocks on request while the car moves, and no door or trunk that can move is open then. What is blocked is moved by nobody.
//! *Next:* `requests.rs` (who may move what), `car.rs` (which steps it).

use crate::actuator::{Part, Switch, Travel};
use crate::corner::{Corner, Corners};
use crate::energy::Energy;
use crate::lamps::{Lamps, Surroundings};
use crate::motion::Motion;
use crate::seat::{Seat, Side};
use crate::trip::Wish;

/// Percent per second.
const WINDOW_SPEED: f64 = 25.0;
/// Percent that people open a window.
const WINDOW_BY_HAND: f64 = 40.0;
/// Watts of a seat at 100 percent.
const SEAT_POWER: f64 = 90.0;
/// Doors lock by themselves above this speed, in km/h.
const LOCK_ABOVE: f64 = 15.0;
/// Below this state of charge, in percent, comfort is switched off.
pub(crate) const COMFORT_ABOVE: f64 = 5.0;

/// What the wipers are set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wipers {
    Off,
    Slow,
    Medium,
    Fast,
    Interval,
    RainSensor,
}

impl Wipers {
    pub(crate) const ALL: [Self; 6] =
        [Self::Off, Self::Slow, Self::Medium, Self::Fast, Self::Interval, Self::RainSensor];

    /// The word of VSS.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Slow => "SLOW",
            Self::Medium => "MEDIUM",
            Self::Fast => "FAST",
            Self::Interval => "INTERVAL",
            Self::RainSensor => "RAIN_SENSOR",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) driver_seat: Seat,
    pub(crate) passenger_seat: Seat,
    pub(crate) doors: Corners<Switch>,
    pub(crate) locks: Corners<Switch>,
    pub(crate) windows: Corners<Travel>,
    /// Which windows people have opened by hand and will close.
    aired: Corners<bool>,
    pub(crate) trunk: Switch,
    pub(crate) trunk_lock: Switch,
    pub(crate) low_beam: Switch,
    pub(crate) high_beam: Switch,
    pub(crate) hazard: Switch,
    pub(crate) rear_fog: Switch,
    pub(crate) wipers: Switch<Wipers>,
    pub(crate) parking_brake: Switch,
    pub(crate) lamps: Lamps,
    was_parked: bool,
    was_left: bool,
    was_fast: bool,
    /// What people do: doors, belt, who sits where.
    pub(crate) people: Wish,
}

impl Body {
    pub(crate) fn new() -> Self {
        let window = || Travel::new(0.0, WINDOW_SPEED);
        Self {
            driver_seat: Seat::new(),
            passenger_seat: Seat::new(),
            doors: Corners::default(),
            locks: Corners::default(),
            windows: Corners {
                front_left: window(),
                front_right: window(),
                rear_left: window(),
                rear_right: window(),
            },
            aired: Corners::default(),
            trunk: Switch::new(false),
            trunk_lock: Switch::new(false),
            low_beam: Switch::new(true),
            high_beam: Switch::new(false),
            hazard: Switch::new(false),
            rear_fog: Switch::new(false),
            wipers: Switch::new(Wipers::RainSensor),
            parking_brake: Switch::new(true),
            lamps: Lamps::new(),
            was_parked: true,
            was_left: false,
            was_fast: false,
            people: Wish { stand: true, parked: true, ..Wish::default() },
        }
    }

    pub(crate) fn step(&mut self, dt: f64, people: Wish, motion: &Motion, energy: &Energy) {
        let before = std::mem::replace(&mut self.people, people);
        let spare = energy.is_low_voltage_weak() || energy.charge < COMFORT_ABOVE;
        for (seat, is_taken) in
            [(&mut self.driver_seat, !people.left), (&mut self.passenger_seat, people.passenger)]
        {
            if (spare || !is_taken) && seat.heating.is_asked() {
                seat.heating.ask(0.0);
            }
            seat.step(dt);
        }
        for switch in self.switches() {
            switch.step(dt);
        }
        self.wipers.step(dt);
        self.windows.all_mut().into_iter().for_each(|window| window.step(dt));
        // The person at the wheel parks the car and frees it to drive off; the car locks itself on the way, and frees a door that opens.
        if people.parked != self.was_parked || motion.is_moving() {
            self.parking_brake.force(people.parked);
            self.was_parked = people.parked;
        }
        let fast = motion.speed_kmh() > LOCK_ABOVE;
        if fast && !self.was_fast {
            self.locks.all_mut().into_iter().for_each(|lock| lock.force(true));
            self.trunk_lock.force(true);
        }
        self.was_fast = fast;
        if people.left != self.was_left {
            self.leave_or_come(people.left);
            self.was_left = people.left;
        }
        self.by_hand(&before, &people);
        if motion.is_moving() {
            self.close();
        }
        for corner in Corner::ALL {
            if self.is_open(corner) {
                self.locks.at_mut(corner).force(false);
            }
        }
        let around = Surroundings {
            open: Corner::ALL.into_iter().any(|door| self.is_open(door)),
            trunk_open: self.trunk.now(),
            moving: motion.is_moving(),
            reading: people.reading,
        };
        self.lamps.step(dt, around);
    }

    /// Doors, windows and the trunk that people open and close.
    fn by_hand(&mut self, before: &Wish, people: &Wish) {
        for corner in Corner::ALL {
            let (was, door) = (*before.doors.at(corner), *people.doors.at(corner));
            if was != door {
                self.doors.at_mut(corner).force(door);
            }
            let (was, window) = (*before.windows.at(corner), *people.windows.at(corner));
            if was != window && (window || *self.aired.at(corner)) {
                self.windows.at_mut(corner).ask(if window { WINDOW_BY_HAND } else { 0.0 });
                *self.aired.at_mut(corner) = window;
            }
        }
        if before.trunk != people.trunk {
            if people.trunk {
                self.trunk_lock.force(false);
            }
            self.trunk.force(people.trunk);
        }
    }

    /// Asks a window to move: it is nobody's to close by hand then.
    pub(crate) fn ask_window(&mut self, corner: Corner, level: f64) {
        self.windows.at_mut(corner).ask(level);
        *self.aired.at_mut(corner) = false;
    }

    /// Who drives off or leaves shuts what is open.
    fn close(&mut self) {
        self.doors.all_mut().into_iter().for_each(|door| door.force(false));
        self.trunk.force(false);
    }

    /// Who leaves the car closes it, locks it and switches off; who comes unlocks it and puts the lights on.
    fn leave_or_come(&mut self, left: bool) {
        self.locks.all_mut().into_iter().for_each(|lock| lock.force(left));
        self.low_beam.force(!left);
        self.lamps.leave_or_come(left);
        if left {
            self.close();
            self.windows.all_mut().into_iter().for_each(|window| window.ask(0.0));
            self.trunk_lock.force(true);
            self.high_beam.force(false);
            self.rear_fog.force(false);
        }
    }

    fn switches(&mut self) -> impl Iterator<Item = &mut Switch> {
        self.locks.all_mut().into_iter().chain(self.doors.all_mut()).chain([
            &mut self.trunk,
            &mut self.trunk_lock,
            &mut self.low_beam,
            &mut self.high_beam,
            &mut self.hazard,
            &mut self.rear_fog,
            &mut self.parking_brake,
        ])
    }

    pub(crate) fn rests(&self) -> bool {
        let switches = [
            &self.trunk,
            &self.trunk_lock,
            &self.low_beam,
            &self.high_beam,
            &self.hazard,
            &self.rear_fog,
            &self.parking_brake,
        ];
        self.driver_seat.rests()
            && self.passenger_seat.rests()
            && self.windows.all().into_iter().all(Part::rests)
            && self.locks.all().into_iter().chain(self.doors.all()).chain(switches).all(Part::rests)
            && self.lamps.rests()
            && self.wipers.rests()
    }

    pub(crate) const fn seat_mut(&mut self, side: Side) -> &mut Seat {
        match side {
            Side::Driver => &mut self.driver_seat,
            Side::Passenger => &mut self.passenger_seat,
        }
    }

    pub(crate) const fn is_open(&self, door: Corner) -> bool {
        self.doors.at(door).now()
    }

    /// Whether the wipers move, in so much rain (percent).
    pub(crate) fn is_wiping(&self, rain: f64) -> bool {
        match self.wipers.now() {
            Wipers::Off => false,
            Wipers::RainSensor => rain > 0.0 && !self.people.left,
            Wipers::Slow | Wipers::Medium | Wipers::Fast | Wipers::Interval => !self.people.left,
        }
    }

    pub(crate) const fn signals_left(&self) -> bool {
        self.people.signal_left || self.hazard.now()
    }

    pub(crate) const fn signals_right(&self) -> bool {
        self.people.signal_right || self.hazard.now()
    }

    /// Watts.
    pub(crate) fn comfort_power(&self) -> f64 {
        (self.driver_seat.heating.level() + self.passenger_seat.heating.level()) / 100.0 * SEAT_POWER
    }
}
