//! Units of VSS 6.0 with their quantity, and linear conversion between units of one quantity.
//!
//! *Invariant:* a unit that the table does not know is kept as it was written; it converts only to itself.
//! *Next:* `catalogue.rs` (the unit of each path), `typed.rs` (conversion at the edge).

use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

/// A unit of measure, by its key in VSS (`km/h`, `Celsius`, `percent`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Unit(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Known(u8),
    Other(Arc<str>),
}

/// Two units that do not measure the same quantity, or have no linear conversion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from} does not convert to {to}")]
pub struct UnitError {
    /// The unit of the value.
    pub from: Unit,
    /// The unit that was wanted.
    pub to: Unit,
}

impl Unit {
    /// The unit of that key; a key that VSS 6.0 does not list makes a unit that converts only to itself.
    pub fn new(key: &str) -> Self {
        let known = UNITS.iter().position(|(known, ..)| *known == key).and_then(|row| u8::try_from(row).ok());
        Self(known.map_or_else(|| Repr::Other(key.into()), Repr::Known))
    }

    /// Its key, as VSS writes it.
    pub fn key(&self) -> &str {
        match &self.0 {
            Repr::Known(_) => self.row().map_or("", |(key, ..)| key),
            Repr::Other(key) => key,
        }
    }

    /// What it measures, as VSS names it (`velocity`); `None` for a unit that VSS 6.0 does not list.
    pub fn quantity(&self) -> Option<&'static str> {
        self.row().map(|(_, quantity, _)| *quantity)
    }

    /// Converts `value` from this unit to `to`.
    ///
    /// ```
    /// use coachwork_vehicle::Unit;
    /// assert_eq!(Unit::new("km").convert(1.5, &Unit::new("m"))?, 1500.0);
    /// assert!(Unit::new("km").convert(1.0, &Unit::new("s")).is_err());
    /// # Ok::<(), coachwork_vehicle::UnitError>(())
    /// ```
    ///
    /// # Errors
    /// [`UnitError`] where they measure different things, or one has no linear scale (`dBm`, `months`, `iso8601`).
    pub fn convert(&self, value: f64, to: &Self) -> Result<f64, UnitError> {
        if self == to {
            return Ok(value);
        }
        let scales = (|| {
            let ((_, from_quantity, from), (_, to_quantity, to)) = (self.row()?, to.row()?);
            (from_quantity == to_quantity).then_some(((*from)?, (*to)?))
        })();
        let ((from_factor, from_offset), (to_factor, to_offset)) =
            scales.ok_or_else(|| UnitError { from: self.clone(), to: to.clone() })?;
        Ok((value * from_factor + from_offset - to_offset) / to_factor)
    }

    fn row(&self) -> Option<&'static Row> {
        match self.0 {
            Repr::Known(row) => UNITS.get(usize::from(row)),
            Repr::Other(_) => None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({})", self.key())
    }
}

/// Key, quantity, and factor and offset to the quantity's base: `base = value * factor + offset`.
type Row = (&'static str, &'static str, Option<(f64, f64)>);

/// VSS defines no factors; these are ours. Where a unit has no fixed length or no linear scale there are none.
const UNITS: &[Row] = &[
    ("mm", "length", Some((0.001, 0.0))),
    ("cm", "length", Some((0.01, 0.0))),
    ("m", "length", Some((1.0, 0.0))),
    ("km", "length", Some((1000.0, 0.0))),
    ("inch", "length", Some((0.0254, 0.0))),
    ("km/h", "velocity", Some((1.0 / 3.6, 0.0))),
    ("m/s", "velocity", Some((1.0, 0.0))),
    ("m/s^2", "acceleration", Some((1.0, 0.0))),
    ("cm/s^2", "acceleration", Some((0.01, 0.0))),
    ("ml", "volume", Some((0.001, 0.0))),
    ("l", "volume", Some((1.0, 0.0))),
    ("cm^3", "volume", Some((0.001, 0.0))),
    ("Celsius", "temperature", Some((1.0, 0.0))),
    ("Fahrenheit", "temperature", Some((5.0 / 9.0, -160.0 / 9.0))),
    ("degrees", "angle", Some((1.0, 0.0))),
    ("degrees/s", "angular-speed", Some((1.0, 0.0))),
    ("rad/s", "angular-speed", Some((180.0 / PI, 0.0))),
    ("W", "power", Some((1.0, 0.0))),
    ("kW", "power", Some((1000.0, 0.0))),
    ("PS", "power", Some((735.498_75, 0.0))),
    ("kWh", "work", Some((1.0, 0.0))),
    ("g", "mass", Some((0.001, 0.0))),
    ("kg", "mass", Some((1.0, 0.0))),
    ("lbs", "mass", Some((0.453_592_37, 0.0))),
    ("V", "voltage", Some((1.0, 0.0))),
    ("A", "electric-current", Some((1.0, 0.0))),
    ("Ah", "electric-charge", Some((1.0, 0.0))),
    ("ms", "duration", Some((0.001, 0.0))),
    ("s", "duration", Some((1.0, 0.0))),
    ("min", "duration", Some((60.0, 0.0))),
    ("h", "duration", Some((3600.0, 0.0))),
    ("day", "duration", Some((86_400.0, 0.0))),
    ("weeks", "duration", Some((604_800.0, 0.0))),
    ("months", "duration", None),
    ("years", "duration", None),
    ("unix-time", "datetime", None),
    ("iso8601", "datetime", None),
    ("mbar", "pressure", Some((100.0, 0.0))),
    ("Pa", "pressure", Some((1.0, 0.0))),
    ("kPa", "pressure", Some((1000.0, 0.0))),
    ("psi", "pressure", Some((6_894.757_293_168_361, 0.0))),
    ("stars", "rating", Some((1.0, 0.0))),
    ("g/s", "mass-per-time", Some((1.0, 0.0))),
    ("g/km", "mass-per-distance", Some((1.0, 0.0))),
    ("kWh/100km", "energy-consumption-per-distance", Some((10.0, 0.0))),
    ("Wh/km", "energy-consumption-per-distance", Some((1.0, 0.0))),
    ("ml/100km", "volume-per-distance", Some((0.001, 0.0))),
    ("l/100km", "volume-per-distance", Some((1.0, 0.0))),
    ("l/h", "volume-flow-rate", Some((1.0, 0.0))),
    ("mpg-us", "distance-per-volume", Some((1.0, 0.0))),
    ("mpg-uk", "distance-per-volume", Some((3.785_411_784 / 4.546_09, 0.0))),
    ("mpge", "distance-per-volume", None),
    ("mpg", "distance-per-volume", Some((1.0, 0.0))),
    ("km/l", "distance-per-volume", Some((3.785_411_784 / 1.609_344, 0.0))),
    ("N", "force", Some((1.0, 0.0))),
    ("kN", "force", Some((1000.0, 0.0))),
    ("Nm", "torque", Some((1.0, 0.0))),
    ("rpm", "rotational-speed", Some((1.0, 0.0))),
    ("Hz", "frequency", Some((1.0, 0.0))),
    ("cpm", "frequency", Some((1.0 / 60.0, 0.0))),
    ("bpm", "frequency", Some((1.0 / 60.0, 0.0))),
    ("ratio", "relation", Some((1.0, 0.0))),
    ("percent", "relation", Some((0.01, 0.0))),
    ("nm/km", "relation", None),
    ("dBm", "relation", None),
    ("dB", "relation", None),
    ("Ohm", "resistance", Some((1.0, 0.0))),
    ("lx", "illuminance", Some((1.0, 0.0))),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_conversions() {
        for (value, from, to, wanted) in [
            (36.0, "km/h", "m/s", 10.0),
            (1.0, "km", "m", 1000.0),
            (50.0, "percent", "ratio", 0.5),
            (1.0, "kWh/100km", "Wh/km", 10.0),
            (90.0, "degrees/s", "rad/s", PI / 2.0),
            (30.0, "mpg-uk", "mpg-us", 24.980_2),
        ] {
            let got = Unit::new(from).convert(value, &Unit::new(to)).unwrap();
            assert!((got - wanted).abs() < 1e-4 * wanted, "{value} {from} is {got} {to}, not {wanted}");
        }
    }

    #[test]
    fn no_conversion_across_quantities_or_without_a_scale() {
        for (from, to) in [("km", "s"), ("dB", "dBm"), ("months", "s"), ("furlong", "m")] {
            assert!(Unit::new(from).convert(1.0, &Unit::new(to)).is_err(), "{from} to {to}");
        }
        assert_eq!(Unit::new("furlong").convert(1.0, &Unit::new("furlong")), Ok(1.0));
    }

    proptest! {
        #[test]
        fn there_and_back(value in -1e9..1e9_f64, a in 0..UNITS.len(), b in 0..UNITS.len()) {
            let (a, b) = (Unit::new(UNITS[a].0), Unit::new(UNITS[b].0));
            if let Ok(there) = a.convert(value, &b) {
                let back = b.convert(there, &a).unwrap();
                prop_assert!((back - value).abs() <= 1e-9 * value.abs().max(1e3), "{} {} {}", value, there, back);
            }
        }
    }
}
