//! The paths that no policy can gate: what keeps people alive works for every owner.
//!
//! *Invariant:* the list only grows. A policy may add to it and cannot take from it; where a rule's wildcards reach a
//! path of it, the rule does not apply there.
//! *Next:* `policy.rs` asks it for every rule and every signal.

use coachwork_vehicle::{Path, PathError, Pattern};

/// Signals of VSS whose refusal could hurt somebody: braking, steering and stability, warnings, belts and airbags,
/// child locks, lights to see and be seen with, clear windows, the horn, tyres, and the driver's attention.
const PROTECTED: &[&str] = &[
    "Vehicle.ADAS.ABS.**",
    "Vehicle.ADAS.DMS.**",
    "Vehicle.ADAS.EBA.**",
    "Vehicle.ADAS.EBD.**",
    "Vehicle.ADAS.ESC.**",
    "Vehicle.ADAS.LaneDepartureDetection.**",
    "Vehicle.ADAS.ObstacleDetection.**",
    "Vehicle.ADAS.TCS.**",
    "Vehicle.Body.Hood.**",
    "Vehicle.Body.Horn.**",
    "Vehicle.Body.Lights.**",
    "Vehicle.Body.Windshield.**",
    "Vehicle.Cabin.Door.**.IsChildLockActive",
    "Vehicle.Cabin.Door.**.IsLocked",
    "Vehicle.Cabin.Door.*.*.IsOpen",
    "Vehicle.Cabin.IsWindowChildLockEngaged",
    "Vehicle.Cabin.Seat.**.Airbag.**",
    "Vehicle.Cabin.Seat.**.IsBelted",
    "Vehicle.Cabin.Seat.**.OccupancyStatus",
    "Vehicle.Cabin.Seat.**.SeatBeltHeight",
    "Vehicle.Chassis.Axle.**.Brake.**",
    "Vehicle.Chassis.Axle.**.Tire.**",
    "Vehicle.Chassis.Brake.**",
    "Vehicle.Chassis.ParkingBrake.**",
    "Vehicle.Chassis.SteeringWheel.Angle",
    "Vehicle.Driver.AttentiveProbability",
    "Vehicle.Driver.DistractionLevel",
    "Vehicle.Driver.FatigueLevel",
    "Vehicle.Driver.IsEyesOnRoad",
    "Vehicle.Driver.IsHandsOnWheel",
    "Vehicle.MotionManagement.**",
    "Vehicle.Powertrain.Transmission.IsParkLockEngaged",
];

/// The protected paths, as patterns.
#[derive(Debug, Clone)]
pub(crate) struct Protected {
    all: Vec<Pattern>,
    /// How many of them are built in.
    built_in: usize,
}

impl Protected {
    /// The built-in ones and those that a platform adds.
    pub(crate) fn with(more: impl IntoIterator<Item = Pattern>) -> Self {
        // A pattern that does not parse would be dropped here; a test shows that none is.
        let built_in = PROTECTED.iter().flat_map(|pattern| Pattern::new(pattern));
        let mut all: Vec<_> = built_in.collect();
        let built_in = all.len();
        all.extend(more);
        Self { all, built_in }
    }

    /// Those that a platform added.
    pub(crate) fn added(&self) -> &[Pattern] {
        self.all.get(self.built_in..).unwrap_or_default()
    }

    pub(crate) fn covers(&self, path: &Path) -> bool {
        self.all.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether everything that `pattern` stands for is protected, so that a rule with it could only be meant for that.
    pub(crate) fn swallows(&self, pattern: &Pattern) -> bool {
        // Wildcards become a name that no path has: what covers it covers whatever they stand for.
        let names = pattern.as_str().split('.').map(|name| if name.starts_with('*') { "any" } else { name });
        let stand_in: Result<Path, PathError> = names.collect::<Vec<_>>().join(".").parse();
        stand_in.is_ok_and(|path| self.covers(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pattern_is_one() {
        assert_eq!(Protected::with([]).all.len(), PROTECTED.len());
    }

    #[test]
    fn comfort_next_to_safety_is_not_protected() {
        let protected = Protected::with([]);
        for open in [
            "Vehicle.Cabin.Seat.Row1.DriverSide.Heating",
            "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling",
            "Vehicle.Chassis.SteeringWheel.HeatingCooling",
            "Vehicle.ADAS.CruiseControl.IsEnabled",
            "Vehicle.Cabin.Door.Row1.DriverSide.Shade.Position",
            "Vehicle.Cabin.Light.AmbientLight.Row1.DriverSide.Color",
            "Vehicle.Speed",
        ] {
            assert!(!protected.covers(&open.parse().unwrap()), "{open}");
        }
        for safe in [
            "Vehicle.ADAS.ABS.IsEnabled",
            "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted",
            "Vehicle.Cabin.Door.Row2.PassengerSide.IsChildLockActive",
            "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.FluidLevel",
            "Vehicle.Body.Lights.Hazard.IsSignaling",
        ] {
            assert!(protected.covers(&safe.parse().unwrap()), "{safe}");
        }
    }
}
