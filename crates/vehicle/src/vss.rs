//! COVESA VSS 6.0: the facts of all its leaves, and a typed path for each.
//!
//! The constant of `Vehicle.A.B.C` is `A_B_C`: [`SPEED`] is `Vehicle.Speed`, and
//! [`CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING`] is `Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling`. Its type is that of the
//! values, so that a mistake is a compile error:
//!
//! ```compile_fail
//! # use coachwork_vehicle::{Error, Vehicle, VehicleExt, vss};
//! # async fn app(car: &dyn Vehicle) -> Result<(), Error> {
//! let speed: u8 = car.read(vss::SPEED).await?.valid().unwrap_or(0); // the speed is a f32
//! # Ok(()) }
//! ```
//!
//! A catalogue of the whole standard, or of a part:
//!
//! ```
//! use coachwork_vehicle::{Catalogue, Facts, Pattern, vss};
//! let all = Catalogue::new(vss::entries(), Facts::default())?;
//! assert_eq!(all.len(), 1267);
//! let cabin = Pattern::new("Vehicle.Cabin.**")?;
//! let cabin = Catalogue::new(vss::entries().filter(|entry| cabin.matches(entry.path())), Facts::default())?;
//! assert!(cabin.id("Vehicle.Speed").is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Invariant:* types and units are those of VSS 6.0; the constants are in the order of the entries.
//! *Next:* `facts.rs` (the compact tree), `typed.rs` (what a typed path is), `ext.rs` (typed reads and writes).

macro_rules! constants {
    ($($name:ident: $type:ty, $path:literal, $unit:expr;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "rows are named as their constants")]
        enum Row { $($name,)* }

        $(
            #[doc = concat!("`", $path, "`")]
            pub const $name: crate::typed::TypedPath<$type> =
                crate::typed::TypedPath::constant($path, $unit, Row::$name as u16);
        )*

        /// Path, data type and unit of every constant, by row.
        #[cfg(test)]
        pub(super) const FACTS: &[(&str, crate::DataType, Option<&str>)] =
            &[$(($path, <$type as crate::VssValue>::DATA_TYPE, $unit),)*];
    };
}

mod constants;
mod facts;

pub use constants::*;
pub use facts::entries;

pub(crate) use facts::visit_paths;

#[cfg(test)]
mod tests;
