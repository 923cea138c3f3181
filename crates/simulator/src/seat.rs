//! A seat in front: warm, and moved by motors.
//!
//! *Invariant:* each of its levels stays within what the catalogue says.
//! *Next:* `body.rs` (which has two).

use crate::actuator::{Part, Travel};

/// Percent, millimetres, millimetres and degrees in a second.
const SPEEDS: [f64; 4] = [50.0, 20.0, 8.0, 3.0];

/// A side of the front row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Driver,
    Passenger,
}

#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Percent.
    pub(crate) heating: Travel,
    /// Millimetres from the front of the rail, and of height.
    pub(crate) position: Travel,
    pub(crate) height: Travel,
    /// Degrees to the back.
    pub(crate) backrest: Travel,
}

impl Seat {
    pub(crate) const fn new() -> Self {
        let [heating, position, height, backrest] = SPEEDS;
        Self {
            heating: Travel::new(0.0, heating),
            position: Travel::new(120.0, position),
            height: Travel::new(40.0, height),
            backrest: Travel::new(22.0, backrest),
        }
    }

    pub(crate) fn step(&mut self, dt: f64) {
        for part in [&mut self.heating, &mut self.position, &mut self.height, &mut self.backrest] {
            part.step(dt);
        }
    }

    pub(crate) fn rests(&self) -> bool {
        self.heating.rests() && self.position.rests() && self.height.rests() && self.backrest.rests()
    }
}
