//! Typed constants for paths of COVESA VSS 6.0: a path, the Rust type of its values and their unit, known to the compiler.
//!
//! *Invariant:* each constant's type and unit are those of VSS 6.0; `CONSTANTS` lists the paths in the order of their rows.
//! *Next:* `typed.rs` (what a typed path is), `ext.rs` (typed reads and writes).

use crate::typed::TypedPath;

macro_rules! constants {
    ($($name:ident: $type:ty, $path:literal, $unit:expr;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "rows are named as their constants")]
        enum Row { $($name,)* }

        /// The paths of all constants, by row.
        pub(crate) const CONSTANTS: &[&str] = &[$($path,)*];

        $(
            #[doc = concat!("`", $path, "`")]
            pub const $name: TypedPath<$type> = TypedPath::constant($path, $unit, Row::$name as u16);
        )*

        /// Path, data type and unit of every constant.
        #[cfg(test)]
        const FACTS: &[(&str, crate::DataType, Option<&str>)] =
            &[$(($path, <$type as crate::VssValue>::DATA_TYPE, $unit),)*];
    };
}

constants! {
    SPEED: f32, "Vehicle.Speed", Some("km/h");
    RANGE: u32, "Vehicle.Powertrain.Range", Some("m");
    TRAVELED_DISTANCE: u32, "Vehicle.TraveledDistance", Some("m");
    FUEL_RELATIVE_LEVEL: u8, "Vehicle.Powertrain.FuelSystem.RelativeLevel", Some("percent");
    BATTERY_STATE_OF_CHARGE: f32, "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", Some("percent");
    BRAKE_PEDAL_POSITION: u8, "Vehicle.Chassis.Brake.PedalPosition", Some("percent");
    DOOR_ROW1_DRIVER_IS_OPEN: bool, "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", None;
    DOOR_ROW1_PASSENGER_IS_OPEN: bool, "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen", None;
    SEAT_ROW1_DRIVER_HEATING_COOLING: i8, "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", Some("percent");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_constants() {
        for (row, path) in CONSTANTS.iter().enumerate() {
            assert_eq!(*path, FACTS[row].0);
        }
        assert_eq!(SPEED.path(), CONSTANTS[0]);
        assert_eq!(SEAT_ROW1_DRIVER_HEATING_COOLING.path(), *CONSTANTS.last().unwrap());
    }

    #[test]
    fn units_are_known() {
        for (path, _, unit) in FACTS {
            assert!(unit.is_none_or(|unit| crate::Unit::new(unit).quantity().is_some()), "{path}");
        }
    }
}
