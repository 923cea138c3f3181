//! The lights inside: the dome lamp that the doors switch, reading and ambient lights at four seats, and the one in the trunk.
//!
//! *Invariant:* what the car switches on by itself it switches off by itself; what somebody asked for stays until everybody has left.
//! *Next:* `body.rs` (which steps it), `requests.rs` (who may ask).

use crate::actuator::{Part, Switch};
use crate::corner::{Corner, Corners};

/// Seconds that the dome lamp stays on after the last door was closed, and after the car was left.
const AFTER_DOOR: f64 = 20.0;
const AFTER_LEAVING: f64 = 5.0;
/// Seconds after which a door that stays open does not keep it on any more.
const OPEN_DOOR: f64 = 600.0;
/// Percent.
const AMBIENT: f64 = 40.0;

#[derive(Clone, Debug)]
pub(crate) struct Lamps {
    pub(crate) dome: Switch,
    pub(crate) reading: Corners<Switch>,
    pub(crate) ambient: Corners<Switch>,
    /// Percent.
    pub(crate) intensity: Corners<Switch<f64>>,
    pub(crate) trunk: Switch,
    /// Seconds until the dome lamp goes out, where the car has put it on.
    courtesy: Option<f64>,
    was_open: bool,
    was_trunk_open: bool,
    hand: Corners<bool>,
}

/// What the lights follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// Whether a door is open, and the trunk.
    pub(crate) open: bool,
    pub(crate) trunk_open: bool,
    pub(crate) moving: bool,
    /// Who reads.
    pub(crate) reading: Corners<bool>,
}

impl Lamps {
    pub(crate) fn new() -> Self {
        let four = |on: bool| Corners {
            front_left: Switch::new(on),
            front_right: Switch::new(on),
            rear_left: Switch::new(on),
            rear_right: Switch::new(on),
        };
        let level = || Switch::new(AMBIENT);
        Self {
            dome: Switch::new(false),
            reading: four(false),
            ambient: four(true),
            intensity: Corners {
                front_left: level(),
                front_right: level(),
                rear_left: level(),
                rear_right: level(),
            },
            trunk: Switch::new(false),
            courtesy: None,
            was_open: false,
            was_trunk_open: false,
            hand: Corners::default(),
        }
    }

    pub(crate) fn step(&mut self, dt: f64, around: Surroundings) {
        for switch in self.switches() {
            switch.step(dt);
        }
        self.intensity.all_mut().into_iter().for_each(|level| level.step(dt));
        match (self.was_open, around.open) {
            (false, true) if self.courtesy.is_some() || !self.dome.now() => {
                self.dome.force(true);
                self.courtesy = Some(OPEN_DOOR);
            }
            (true, false) => self.courtesy = self.courtesy.map(|_| AFTER_DOOR),
            _ => {}
        }
        self.was_open = around.open;
        if let Some(left) = &mut self.courtesy {
            *left -= dt;
            if *left <= 0.0 || around.moving {
                self.dome.force(false);
                self.courtesy = None;
            }
        }
        if self.was_trunk_open != around.trunk_open {
            self.trunk.force(around.trunk_open);
            self.was_trunk_open = around.trunk_open;
        }
        for corner in Corner::ALL {
            let reads = *around.reading.at(corner);
            if reads != *self.hand.at(corner) {
                self.reading.at_mut(corner).force(reads);
                *self.hand.at_mut(corner) = reads;
            }
        }
    }

    /// Asks for the dome lamp: on, it stays on until everybody has left; off, until the next door opens.
    pub(crate) const fn ask_dome(&mut self, on: bool) {
        self.dome.ask(on);
        self.courtesy = None;
    }

    /// Who leaves the car puts out what is on; who comes finds it in its ambient light.
    pub(crate) fn leave_or_come(&mut self, left: bool) {
        self.ambient.all_mut().into_iter().for_each(|lamp| lamp.force(!left));
        if left {
            self.reading.all_mut().into_iter().for_each(|lamp| lamp.force(false));
            if self.dome.now() {
                self.courtesy = Some(AFTER_LEAVING);
            }
        }
    }

    pub(crate) fn rests(&self) -> bool {
        let one = [&self.dome, &self.trunk];
        one.into_iter().chain(self.reading.all()).chain(self.ambient.all()).all(Part::rests)
            && self.intensity.all().into_iter().all(Part::rests)
    }

    fn switches(&mut self) -> impl Iterator<Item = &mut Switch> {
        let one = [&mut self.dome, &mut self.trunk];
        one.into_iter().chain(self.reading.all_mut()).chain(self.ambient.all_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: Surroundings = Surroundings {
        open: false,
        trunk_open: false,
        moving: false,
        reading: Corners { front_left: false, front_right: false, rear_left: false, rear_right: false },
    };
    const OPEN: Surroundings = Surroundings { open: true, ..CLOSED };

    fn pass(lamps: &mut Lamps, seconds: u32, around: Surroundings) {
        (0..seconds).for_each(|_| lamps.step(1.0, around));
    }

    #[test]
    fn the_dome_lamp_outlasts_the_door_and_no_drive() {
        let mut lamps = Lamps::new();
        pass(&mut lamps, 5, OPEN);
        assert!(lamps.dome.now());
        pass(&mut lamps, 19, CLOSED);
        assert!(lamps.dome.now());
        pass(&mut lamps, 2, CLOSED);
        assert!(!lamps.dome.now());
        pass(&mut lamps, 5, OPEN);
        pass(&mut lamps, 1, Surroundings { moving: true, ..CLOSED });
        assert!(!lamps.dome.now());
    }

    #[test]
    fn a_door_that_stays_open_does_not_empty_the_battery() {
        let mut lamps = Lamps::new();
        pass(&mut lamps, 590, OPEN);
        assert!(lamps.dome.now());
        pass(&mut lamps, 20, OPEN);
        assert!(!lamps.dome.now());
    }

    #[test]
    fn what_was_asked_stays() {
        let mut lamps = Lamps::new();
        lamps.ask_dome(true);
        pass(&mut lamps, 900, Surroundings { moving: true, ..CLOSED });
        assert!(lamps.dome.now());
        pass(&mut lamps, 1, OPEN);
        pass(&mut lamps, 60, CLOSED);
        assert!(lamps.dome.now(), "a door does not put it off");
        pass(&mut lamps, 1, OPEN);
        lamps.ask_dome(false);
        pass(&mut lamps, 60, OPEN);
        assert!(!lamps.dome.now());
        lamps.ask_dome(true);
        pass(&mut lamps, 1, CLOSED);
        lamps.leave_or_come(true);
        pass(&mut lamps, 6, CLOSED);
        assert!(!lamps.dome.now(), "nobody is in the car");
    }
}
