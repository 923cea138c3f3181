//! A signal's unit and a path's unit become the conversion between their values.
//!
//! *Invariant:* what is not known does not convert: an unknown spelling beside a unit that is spelled otherwise is an error. No unit at all
//! (an empty one in the database, none in the catalogue) says nothing, and the number passes as it is.
//! *Next:* `value.rs`, which applies the conversion to each number.

use crate::MappingFault;
use coachwork_dbc::lint::unit_symbol;
use coachwork_vehicle::{Conversion, Unit};

/// Units of databases by their usual symbol: the unit of VSS, and how a value becomes one of it.
const SYMBOLS: &[(&str, &str, Conversion)] = &[
    ("%", "percent", Conversion::NONE),
    ("°C", "Celsius", Conversion::NONE),
    ("K", "Celsius", Conversion::new(-273.15, 1.0, 1.0)),
    ("°F", "Fahrenheit", Conversion::NONE),
    ("°", "degrees", Conversion::NONE),
    ("rad", "degrees", Conversion::new(0.0, 180.0, std::f64::consts::PI)),
    ("°/s", "degrees/s", Conversion::NONE),
    ("mph", "km/h", Conversion::new(0.0, 1.609_344, 1.0)),
    ("in", "inch", Conversion::NONE),
    ("mi", "km", Conversion::new(0.0, 1.609_344, 1.0)),
    ("ft", "inch", Conversion::new(0.0, 12.0, 1.0)),
    ("µs", "ms", Conversion::new(0.0, 1.0, 1000.0)),
    ("month", "months", Conversion::NONE),
    ("year", "years", Conversion::NONE),
    ("mV", "V", Conversion::new(0.0, 1.0, 1000.0)),
    ("mA", "A", Conversion::new(0.0, 1.0, 1000.0)),
    ("Wh", "kWh", Conversion::new(0.0, 1.0, 1000.0)),
    ("kOhm", "Ohm", Conversion::new(0.0, 1000.0, 1.0)),
    ("kHz", "Hz", Conversion::new(0.0, 1000.0, 1.0)),
    ("hPa", "mbar", Conversion::NONE),
    ("bar", "mbar", Conversion::new(0.0, 1000.0, 1.0)),
    ("l/min", "l/h", Conversion::new(0.0, 60.0, 1.0)),
];

/// How the number of `signal`, which is in `unit`, becomes one in `wanted`.
pub(super) fn conversion(signal: &str, unit: &str, wanted: Option<&str>) -> Result<Conversion, MappingFault> {
    let unit = unit.trim();
    let Some(wanted) = wanted.map(str::trim).filter(|wanted| !wanted.is_empty() && !unit.is_empty()) else {
        return Ok(Conversion::NONE);
    };
    if unit == wanted || unit_symbol(unit).is_some_and(|symbol| unit_symbol(wanted) == Some(symbol)) {
        return Ok(Conversion::NONE);
    }
    let (from, to) = (known(unit), known(wanted));
    let Some((from, scale)) = from else {
        let (signal, unit, wanted) = (signal.into(), unit.into(), wanted.into());
        return Err(MappingFault::UnknownUnit { signal, unit, wanted });
    };
    to.and_then(|(to, back)| Some(scale.then(from.conversion(&to).ok()?).then(back.inverse()))).ok_or_else(
        || MappingFault::UnitMismatch { signal: signal.into(), unit: unit.into(), wanted: wanted.into() },
    )
}

/// The unit of VSS behind a spelling, and how a value becomes one of it.
fn known(spelling: &str) -> Option<(Unit, Conversion)> {
    let is_known = |key: &str| Some(Unit::new(key)).filter(|unit| unit.quantity().is_some());
    if let Some(unit) = is_known(spelling) {
        return Some((unit, Conversion::NONE));
    }
    let symbol = unit_symbol(spelling)?;
    match SYMBOLS.iter().find(|(known, ..)| *known == symbol) {
        Some((_, key, scale)) => is_known(key).map(|unit| (unit, *scale)),
        None => is_known(symbol).map(|unit| (unit, Conversion::NONE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(value: f64, unit: &str, wanted: &str) -> Result<f64, String> {
        conversion("S", unit, Some(wanted)).map(|way| way.apply(value)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn spellings_of_databases_convert_to_units_of_vss() {
        for (value, unit, wanted, expected) in [
            (36.0, "km/h", "m/s", 10.0),
            (36.0, "kph", "m/s", 10.0),
            (10.0, "m/s", "km/h", 36.0),
            (100.0, "mph", "km/h", 160.934_4),
            (100.0, "MPH", "m/s", 44.704),
            (212.0, "degF", "Celsius", 100.0),
            (212.0, "°F", "celsius", 100.0),
            (300.0, "K", "Celsius", 26.850_000_000_000_023),
            (20.0, "C", "celsius", 20.0),
            (20.0, "deg C", "Celsius", 20.0),
            (50.0, "%", "percent", 50.0),
            (50.0, "%", "ratio", 0.5),
            (12_500.0, "mV", "V", 12.5),
            (2.5, "bar", "kPa", 250.0),
            (1013.0, "hPa", "Pa", 101_300.0),
            (900.0, "1/min", "rpm", 900.0),
            (3.0, "Deg", "degrees", 3.0),
            (1.0, "kWh", "kWh", 1.0),
            (7.5, "furlong", "furlong", 7.5),
            (2.0, "l/min", "l/h", 120.0),
        ] {
            assert_eq!(converted(value, unit, wanted), Ok(expected), "{value} {unit} to {wanted}");
        }
    }

    #[test]
    fn what_is_not_known_or_does_not_convert_is_an_error() {
        assert_eq!(
            converted(1.0, "furlong", "m").unwrap_err(),
            "the unit \"furlong\" of S is not known; say with `\"unit\"` which one it is, or that it is \"m\" already"
        );
        assert_eq!(
            converted(1.0, "km/h", "Celsius").unwrap_err(),
            "S is in km/h, which does not convert to Celsius"
        );
        assert_eq!(
            converted(1.0, "km/h", "furlong").unwrap_err(),
            "S is in km/h, which does not convert to furlong"
        );
        assert!(converted(1.0, "ms", "m/s").is_err());
    }

    #[test]
    fn no_unit_says_nothing() {
        assert!(conversion("S", "", Some("km/h")).unwrap().is_none());
        assert!(conversion("S", "kph", None).unwrap().is_none());
        assert!(conversion("S", " ", Some("km/h")).unwrap().is_none());
    }

    #[test]
    fn every_symbol_is_one_and_has_its_unit() {
        for (symbol, key, _) in SYMBOLS {
            assert_eq!(unit_symbol(symbol), Some(*symbol));
            assert!(Unit::new(key).quantity().is_some(), "{key}");
        }
    }
}
