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

    /// Whether values convert between the units of two keys; for what is checked by the compiler.
    pub(crate) const fn are_related(a: &str, b: &str) -> bool {
        if equal(a.as_bytes(), b.as_bytes()) {
            return true;
        }
        match (known(a), known(b)) {
            (Some((_, quantity, Some(_))), Some((_, other, Some(_)))) => {
                equal(quantity.as_bytes(), other.as_bytes())
            }
            _ => false,
        }
    }

    /// All units that VSS 6.0 lists, those of one quantity together.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).zip(UNITS).map(|(row, _)| Self(Repr::Known(row)))
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
        self.conversion(to).map(|conversion| conversion.apply(value))
    }

    /// How values of this unit become values of `to`: looked up once, applied to each value.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn conversion(&self, to: &Self) -> Result<Conversion, UnitError> {
        if self == to {
            return Ok(Conversion::NONE);
        }
        let scales = (|| {
            let ((_, from_quantity, from), (_, to_quantity, to)) = (self.row()?, to.row()?);
            (from_quantity == to_quantity).then_some(((*from)?, (*to)?))
        })();
        let (from, to) = scales.ok_or_else(|| UnitError { from: self.clone(), to: to.clone() })?;
        Ok(from.then(to.inverse()))
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

/// A straight line between two units: `(value + shift) * up / down - back`, in the order that keeps whole numbers whole.
///
/// ```
/// use coachwork_vehicle::{Conversion, Unit};
/// let to_celsius = Unit::new("Fahrenheit").conversion(&Unit::new("Celsius"))?;
/// assert_eq!(to_celsius.apply(212.0), 100.0);
/// assert_eq!(to_celsius.inverse().apply(100.0), 212.0);
/// // A unit that VSS does not have, by way of one that it has.
/// let mph = Conversion::new(0.0, 1.609_344, 1.0).then(Unit::new("km/h").conversion(&Unit::new("m/s"))?);
/// assert_eq!(mph.apply(100.0), 44.704);
/// # Ok::<(), coachwork_vehicle::UnitError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    shift: f64,
    up: f64,
    down: f64,
    back: f64,
}

impl Conversion {
    /// What leaves every value as it is.
    pub const NONE: Self = Self::new(0.0, 1.0, 1.0);

    /// `(value + shift) * up / down`.
    pub const fn new(shift: f64, up: f64, down: f64) -> Self {
        Self { shift, up, down, back: 0.0 }
    }

    /// The converted value.
    ///
    /// There and back by [`inverse`](Self::inverse) is within four roundings of a double (4 × 2⁻⁵² of the value, or of the shift where
    /// the scale has one and the value is smaller), where neither is below 1e-290 or too large for a double. NaN and infinities stay.
    #[inline]
    pub fn apply(self, value: f64) -> f64 {
        let shifted = value + self.shift;
        let scaled = shifted * self.up;
        // On the way to a number that a double can hold, one that it cannot.
        let scaled = if scaled.is_infinite() { shifted / self.down * self.up } else { scaled / self.down };
        scaled - self.back
    }

    /// By how much the converted value moves for one unit of the value.
    pub fn slope(self) -> f64 {
        self.up / self.down
    }

    /// Whether every value stays as it is.
    #[expect(clippy::float_cmp, reason = "the same number, or a conversion")]
    pub fn is_none(self) -> bool {
        self.up == self.down && self.shift == self.back
    }

    /// The way back.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self { shift: self.back, up: self.down, down: self.up, back: self.shift }
    }

    /// This one, and then `next`.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let between = next.shift - self.back;
        let shift = if between == 0.0 { self.shift } else { self.shift + between * self.down / self.up };
        Self { shift, up: self.up * next.up, down: self.down * next.down, back: next.back }
    }
}

/// The row of a key, found at compile time.
const fn known(key: &str) -> Option<&'static Row> {
    let mut rest: &[Row] = UNITS;
    while let Some((row, more)) = rest.split_first() {
        if equal(row.0.as_bytes(), key.as_bytes()) {
            return Some(row);
        }
        rest = more;
    }
    None
}

const fn equal(mut a: &[u8], mut b: &[u8]) -> bool {
    while let (Some((one, a_rest)), Some((other, b_rest))) = (a.split_first(), b.split_first()) {
        if *one != *other {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
}

/// Key, quantity, and the way to the quantity's base.
type Row = (&'static str, &'static str, Option<Conversion>);

/// `base = value * up / down`.
const fn times(up: f64, down: f64) -> Conversion {
    Conversion::new(0.0, up, down)
}

/// VSS defines no factors; these are ours. Where a unit has no fixed length or no linear scale there are none.
const UNITS: &[Row] = &[
    ("mm", "length", Some(times(1.0, 1000.0))),
    ("cm", "length", Some(times(1.0, 100.0))),
    ("m", "length", Some(times(1.0, 1.0))),
    ("km", "length", Some(times(1000.0, 1.0))),
    ("inch", "length", Some(times(254.0, 10_000.0))),
    ("km/h", "velocity", Some(times(10.0, 36.0))),
    ("m/s", "velocity", Some(times(1.0, 1.0))),
    ("m/s^2", "acceleration", Some(times(1.0, 1.0))),
    ("cm/s^2", "acceleration", Some(times(1.0, 100.0))),
    ("ml", "volume", Some(times(1.0, 1000.0))),
    ("l", "volume", Some(times(1.0, 1.0))),
    ("cm^3", "volume", Some(times(1.0, 1000.0))),
    ("Celsius", "temperature", Some(times(1.0, 1.0))),
    ("Fahrenheit", "temperature", Some(Conversion::new(-32.0, 5.0, 9.0))),
    ("degrees", "angle", Some(times(1.0, 1.0))),
    ("degrees/s", "angular-speed", Some(times(1.0, 1.0))),
    ("rad/s", "angular-speed", Some(times(180.0, PI))),
    ("W", "power", Some(times(1.0, 1.0))),
    ("kW", "power", Some(times(1000.0, 1.0))),
    ("PS", "power", Some(times(735.498_75, 1.0))),
    ("kWh", "work", Some(times(1.0, 1.0))),
    ("g", "mass", Some(times(1.0, 1000.0))),
    ("kg", "mass", Some(times(1.0, 1.0))),
    ("lbs", "mass", Some(times(0.453_592_37, 1.0))),
    ("V", "voltage", Some(times(1.0, 1.0))),
    ("A", "electric-current", Some(times(1.0, 1.0))),
    ("Ah", "electric-charge", Some(times(1.0, 1.0))),
    ("ms", "duration", Some(times(1.0, 1000.0))),
    ("s", "duration", Some(times(1.0, 1.0))),
    ("min", "duration", Some(times(60.0, 1.0))),
    ("h", "duration", Some(times(3600.0, 1.0))),
    ("day", "duration", Some(times(86_400.0, 1.0))),
    ("weeks", "duration", Some(times(604_800.0, 1.0))),
    ("months", "duration", None),
    ("years", "duration", None),
    ("unix-time", "datetime", None),
    ("iso8601", "datetime", None),
    ("mbar", "pressure", Some(times(100.0, 1.0))),
    ("Pa", "pressure", Some(times(1.0, 1.0))),
    ("kPa", "pressure", Some(times(1000.0, 1.0))),
    ("psi", "pressure", Some(times(6_894.757_293_168_361, 1.0))),
    ("stars", "rating", Some(times(1.0, 1.0))),
    ("g/s", "mass-per-time", Some(times(1.0, 1.0))),
    ("g/km", "mass-per-distance", Some(times(1.0, 1.0))),
    ("kWh/100km", "energy-consumption-per-distance", Some(times(10.0, 1.0))),
    ("Wh/km", "energy-consumption-per-distance", Some(times(1.0, 1.0))),
    ("ml/100km", "volume-per-distance", Some(times(1.0, 1000.0))),
    ("l/100km", "volume-per-distance", Some(times(1.0, 1.0))),
    ("l/h", "volume-flow-rate", Some(times(1.0, 1.0))),
    ("mpg-us", "distance-per-volume", Some(times(1.0, 1.0))),
    ("mpg-uk", "distance-per-volume", Some(times(3.785_411_784, 4.546_09))),
    ("mpge", "distance-per-volume", None),
    ("mpg", "distance-per-volume", Some(times(1.0, 1.0))),
    ("km/l", "distance-per-volume", Some(times(3.785_411_784, 1.609_344))),
    ("N", "force", Some(times(1.0, 1.0))),
    ("kN", "force", Some(times(1000.0, 1.0))),
    ("Nm", "torque", Some(times(1.0, 1.0))),
    ("rpm", "rotational-speed", Some(times(1.0, 1.0))),
    ("Hz", "frequency", Some(times(1.0, 1.0))),
    ("cpm", "frequency", Some(times(1.0, 60.0))),
    ("bpm", "frequency", Some(times(1.0, 60.0))),
    ("ratio", "relation", Some(times(1.0, 1.0))),
    ("percent", "relation", Some(times(1.0, 100.0))),
    ("nm/km", "relation", None),
    ("dBm", "relation", None),
    ("dB", "relation", None),
    ("Ohm", "resistance", Some(times(1.0, 1.0))),
    ("lx", "illuminance", Some(times(1.0, 1.0))),
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
            (212.0, "Fahrenheit", "Celsius", 100.0),
            (37.0, "Celsius", "Fahrenheit", 98.6),
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

    #[test]
    fn whole_numbers_stay_whole() {
        for (value, from, to, wanted) in
            [(36.0, "km/h", "m/s", 10.0), (10.0, "m/s", "km/h", 36.0), (7.0, "ms", "s", 0.007)]
        {
            assert_eq!(Unit::new(from).convert(value, &Unit::new(to)), Ok(wanted), "{value} {from}");
        }
        let there = Unit::new("Celsius").conversion(&Unit::new("Fahrenheit")).unwrap();
        assert_eq!((there.apply(-40.0), there.apply(100.0), there.slope()), (-40.0, 212.0, 1.8));
        assert!(Unit::new("km").conversion(&Unit::new("km")).unwrap().is_none() && !there.is_none());
        // 300 K are 80.33 °F, by way of Celsius.
        let kelvin = Conversion::new(-273.15, 1.0, 1.0).then(there);
        assert!((kelvin.apply(300.0) - 80.33).abs() < 1e-9, "{}", kelvin.apply(300.0));
        assert!((kelvin.inverse().apply(80.33) - 300.0).abs() < 1e-9);
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
