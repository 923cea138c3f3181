//! Spellings of units: which one SI and the Vehicle Signal Specification use, and which other ones mean the same.
//!
//! *Invariant:* a spelling that could mean two things has no entry, but for `C`, which databases write for degrees Celsius.
//! *Next:* `signal.rs` (reports), `../diff/signal.rs` (two spellings of one unit are no change).

use alloc::string::String;

/// A unit: its symbol, other usual spellings, and unusual ones as [`fold`] leaves them.
type Unit = (&'static str, &'static [&'static str], &'static [&'static str]);

const UNITS: &[Unit] = &[
    ("%", &["percent"], &["%", "percent", "pct", "prozent", "unitpercent"]),
    (
        "°C",
        &["Celsius", "degC"],
        &[
            "c",
            "degc",
            "celsius",
            "degreec",
            "degreesc",
            "degcelsius",
            "degreecelsius",
            "degreescelsius",
            "cel",
            "unitdegrecelsi",
        ],
    ),
    ("°F", &["Fahrenheit", "degF"], &["degf", "fahrenheit", "degreef", "degreesf"]),
    ("°", &["degrees", "degree", "deg"], &["deg", "degree", "degrees", "grad", "unitdegreofarc"]),
    (
        "°/s",
        &["degrees/s", "deg/s"],
        &[
            "deg/s",
            "degree/s",
            "degrees/s",
            "deg/second",
            "degrees/second",
            "grad/s",
            "dps",
            "degré/s",
            "unitdegreofarcpersecon",
        ],
    ),
    ("rad", &["radians"], &["rad", "radian", "radians"]),
    ("rad/s", &["radians/s"], &["rad/s", "radians/s", "radian/s", "radians/second"]),
    ("km/h", &[], &["km/h", "kph", "kmh", "kmph", "km/hr", "km/hour", "kmperhour", "unitkilometerperhour"]),
    (
        "m/s",
        &[],
        &["m/s", "mps", "m/second", "meters/s", "meter/s", "metre/s", "meters/second", "unitmeterpersecon"],
    ),
    ("mph", &["mi/h"], &["mph", "mi/h", "miles/h", "miles/hour"]),
    ("m/s^2", &["m/s²"], &["m/s2", "m/s/s", "m/ss", "mps2", "m/second2", "unitmeterperseconsquar"]),
    ("m/s^3", &["m/s³"], &["m/s3", "unitmeterpercubicsecon"]),
    ("rpm", &["1/min", "min⁻¹"], &["rpm", "1/min", "r/min", "rev/min", "u/min", "upm", "unitminutinver"]),
    ("mm", &[], &["mm", "millimeter", "millimeters", "millimetre", "unitmillimeter"]),
    ("in", &["inch"], &["inch", "inches"]),
    ("cm", &[], &["cm", "centimeter", "centimeters", "centimetre"]),
    ("m", &[], &["meter", "meters", "metre", "metres", "mtr", "unitmeter"]),
    ("km", &[], &["km", "kilometer", "kilometers", "kilometre", "unitkilometer"]),
    ("mi", &["miles"], &["mile", "miles"]),
    ("ft", &["foot"], &["ft", "foot", "feet"]),
    ("1/m", &["m⁻¹"], &["1/m", "m-1", "1/meter", "1/metre"]),
    ("µs", &["us", "μs"], &["us", "usec", "µsec", "microsecond", "microseconds"]),
    ("ms", &[], &["ms", "msec", "millisecond", "milliseconds", "millisec", "unitmillisecon"]),
    ("s", &[], &["sec", "secs", "second", "seconds", "unitsecon"]),
    ("min", &[], &["min", "mins", "minute", "minutes", "unitminut"]),
    ("h", &[], &["hr", "hrs", "hour", "hours", "unithours"]),
    ("day", &["days", "d"], &["day", "days", "dy", "unitday"]),
    ("month", &["months"], &["month", "months", "mo", "unitmonth"]),
    ("year", &["years"], &["year", "years", "yr", "unityear"]),
    ("V", &[], &["v", "volt", "volts", "unitvolt"]),
    ("mV", &[], &["millivolt", "millivolts", "mvolt"]),
    ("A", &[], &["a", "amp", "amps", "ampere", "amperes", "unitamper"]),
    ("mA", &[], &["milliamp", "milliamps", "milliampere"]),
    ("Ah", &[], &["ah", "a*h", "amphour", "amphours", "amperehour", "ampere*hour"]),
    ("W", &[], &["w", "watt", "watts", "unitwatt"]),
    ("kW", &[], &["kw", "kilowatt", "kilowatts", "unitkilowatt"]),
    ("kWh", &[], &["kwh", "kw*h", "kilowatthour", "kilowatthours"]),
    ("Wh", &[], &["wh", "w*h", "watthour", "watthours", "watt*hour", "watthr"]),
    ("Ohm", &["Ω", "Ω"], &["ohm", "ohms", "unitohm"]),
    ("kOhm", &["kΩ"], &["kohm", "kohms", "kiloohm"]),
    ("Hz", &[], &["hz", "hertz"]),
    ("kHz", &[], &["khz", "kilohertz"]),
    ("Nm", &["N·m"], &["nm", "n*m", "n.m", "n-m", "newtonmeter", "newtonmetre", "unitnewtometer"]),
    ("N", &[], &["n", "newton", "newtons"]),
    ("kN", &[], &["kn", "kilonewton", "unitkilonewto"]),
    ("Pa", &[], &["pascal", "pascals"]),
    ("hPa", &[], &["hpa", "hectopascal"]),
    ("kPa", &[], &["kpa", "kilopascal", "kilopascals", "unitkilopascal"]),
    ("bar", &[], &["bar", "bars", "unitbar"]),
    ("mbar", &[], &["mbar", "millibar", "unitmillibar"]),
    ("psi", &[], &["psi", "lbf/in2"]),
    ("g", &[], &["gram", "grams"]),
    ("kg", &[], &["kg", "kgs", "kilogram", "kilograms"]),
    ("l", &["L"], &["l", "liter", "liters", "litre", "litres", "ltr", "unitliter"]),
    ("ml", &["mL"], &["ml", "milliliter", "millilitre", "unitmilliliter"]),
    ("l/h", &["L/h"], &["l/h", "l/hr", "l/hour", "lph", "litre/h", "liter/h"]),
    ("l/min", &["L/min"], &["l/min", "lpm", "liter/min", "litre/min"]),
    ("l/100km", &["L/100km", "l/100 km"], &["l/100km", "litre/100km", "liter/100km", "liters/100km"]),
    ("dB", &[], &["db", "decibel"]),
    ("K", &["kelvin"], &["kelvin", "degk", "degreesk"]),
];

/// The usual spelling of a unit that is spelled otherwise; `None` where it is usual, empty, or not known.
pub(crate) fn usual(unit: &str) -> Option<&'static str> {
    if unit.is_empty() || UNITS.iter().any(|known| known.0 == unit || known.1.contains(&unit)) {
        return None;
    }
    symbol(unit)
}

/// Whether two spellings mean one unit.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a == b || symbol(a).is_some_and(|symbol_of_a| symbol(b) == Some(symbol_of_a))
}

/// The usual symbol of a unit, however a database spells it (`kph`, `KM/H` and `km/hr` are `km/h`; `degC`, `Celsius` and `°C` are `°C`);
/// `None` where the spelling is not known, or could mean two units.
///
/// ```
/// assert_eq!(coachwork_dbc::lint::unit_symbol("kph"), Some("km/h"));
/// assert_eq!(coachwork_dbc::lint::unit_symbol("furlong"), None);
/// ```
pub fn symbol(unit: &str) -> Option<&'static str> {
    let exact = UNITS.iter().find(|known| known.0 == unit || known.1.contains(&unit));
    let found = exact.or_else(|| {
        let folded = fold(unit);
        UNITS.iter().find(|known| known.2.contains(&folded.as_str()))
    });
    found.map(|known| known.0)
}

/// A spelling without what does not matter: case, spaces, powers' signs, the form of the degree sign, text that was read in the wrong encoding.
fn fold(unit: &str) -> String {
    let mut folded = String::with_capacity(unit.len());
    for c in unit.trim().chars() {
        match c {
            ' ' | '_' | '^' | 'Â' | '(' | ')' | '[' | ']' => {}
            '°' | 'º' | '˚' => folded.push_str("deg"),
            '²' => folded.push('2'),
            '³' => folded.push('3'),
            '·' => folded.push('*'),
            'μ' => folded.push('µ'),
            c => folded.extend(c.to_lowercase()),
        }
    }
    let folded = folded.replace("**", "");
    // One way of writing "per second" is enough for the table.
    match folded.strip_suffix("/sec") {
        Some(rest) => alloc::format!("{rest}/s"),
        None => folded.replace("/sec2", "/s2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (unit, want) in [
            ("kph", Some("km/h")),
            ("KPH", Some("km/h")),
            ("km / h", Some("km/h")),
            ("km/h", None),
            ("Â°C", Some("°C")),
            ("deg C", Some("°C")),
            ("C", Some("°C")),
            ("°C", None),
            ("degrees", None),
            ("Deg", Some("°")),
            ("m/sec^2", Some("m/s^2")),
            ("m/s**2", Some("m/s^2")),
            ("m/s2", Some("m/s^2")),
            ("m/s²", None),
            ("NM", Some("Nm")),
            ("RPM", Some("rpm")),
            (" V", Some("V")),
            ("deg/sec", Some("°/s")),
            ("Unit_MeterPerSeconSquar", Some("m/s^2")),
            ("g", None),
            ("K", None),
            ("h", None),
            ("Pa", None),
            ("", None),
            ("furlong", None),
        ] {
            assert_eq!(usual(unit), want, "{unit:?}");
        }
    }

    #[test]
    fn one_unit() {
        assert!(same("kph", "km/h") && same("deg", "°") && same("x", "x") && same("percent", "%"));
        assert!(!same("mph", "km/h") && !same("x", "y") && !same("", "V") && !same("ms", "m/s"));
    }

    #[test]
    fn the_table_is_sound() {
        let mut seen = alloc::collections::BTreeMap::new();
        for (symbol, also, odd) in UNITS {
            for spelling in core::iter::once(symbol).chain(*also) {
                assert_eq!(super::symbol(spelling), Some(*symbol), "{spelling}");
            }
            for spelling in *odd {
                assert_eq!(fold(spelling), *spelling, "not folded");
                if let Some(other) = seen.insert(*spelling, *symbol) {
                    assert_eq!(other, *symbol, "{spelling} means two units");
                }
            }
        }
    }
}
