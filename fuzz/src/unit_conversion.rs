//! Bytes become a number and two units: a byte for each that VSS lists, or a name.
//!
//! *Oracle:* units convert exactly where they are of one quantity and both have a scale, and never to or from a name that VSS does not list;
//! there and back is within four roundings; more stays more; a NaN stays one, and so does an infinity.
//! *Next:* `coachwork_vehicle::{Unit, Conversion}`.

use coachwork_vehicle::Unit;

/// Runs one input.
pub fn run(data: &[u8]) {
    converted(data);
}

/// The number in the other unit; `None` where there is no way.
pub fn converted(data: &[u8]) -> Option<f64> {
    let (bytes, rest) = data.split_first_chunk::<8>()?;
    let value = f64::from_le_bytes(*bytes);
    let ([from, to], name) = rest.split_first_chunk::<2>()?;
    let all: Vec<Unit> = Unit::all().collect();
    let unit = |byte: u8| match all.get(usize::from(byte)) {
        Some(unit) => unit.clone(),
        None => Unit::new(&String::from_utf8_lossy(name)),
    };
    let (from, to) = (unit(*from), unit(*to));
    assert_eq!(Unit::new(from.key()), from, "a unit is its key");
    let Ok(there) = from.conversion(&to) else {
        let scale = |unit: &Unit| all.iter().any(|other| other != unit && unit.conversion(other).is_ok());
        let related = from.quantity().is_some() && from.quantity() == to.quantity();
        assert!(from != to && !(related && scale(&from) && scale(&to)), "{from} does not convert to {to}");
        return None;
    };
    let back = to.conversion(&from).expect("what converts there converts back");
    assert!(from == to || from.quantity().is_some() && from.quantity() == to.quantity(), "{from} to {to}");
    let out = there.apply(value);
    assert_eq!(from.convert(value, &to).map(f64::to_bits), Ok(out.to_bits()));
    let again = back.apply(out);
    if value.is_nan() {
        assert!(out.is_nan() && again.is_nan());
    } else if value.is_infinite() {
        assert!(out == value && again == value, "{value} {from} is {out} {to}");
    } else if out.is_infinite() {
        assert!(value.abs() > f64::MAX / 1e7, "{value} {from} is too much in {to}");
    } else if again.is_infinite() {
        // There was rounded up, and back that is beyond the range.
        assert!(
            value.abs() > f64::MAX * (1.0 - 4.0 * f64::EPSILON),
            "{value} {from} is {out} {to}, and {again} {from}"
        );
    } else if value == 0.0 || value.abs().min(out.abs()) > 1e-290 {
        let shift = if from.quantity() == Some("temperature") { 64.0 } else { 0.0 };
        let bound = 4.0 * f64::EPSILON * value.abs().max(shift);
        assert!((again - value).abs() <= bound, "{value} {from} is {out} {to}, and {again} {from}");
    }
    if value.is_finite() && out.is_finite() {
        let more = there.apply(value.next_up());
        assert!(
            more >= out - 4.0 * f64::EPSILON * out.abs(),
            "{value} {from} is {out}, and a little more {more}"
        );
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(value: f64, from: &str, to: &str) -> Vec<u8> {
        let row = |key: &str| Unit::all().position(|unit| unit.key() == key).map_or(255, |row| row as u8);
        let name = if row(from) == 255 { from } else { to };
        [&value.to_le_bytes()[..], &[row(from), row(to)], name.as_bytes()].concat()
    }

    #[test]
    fn the_input_decides_what_comes_out() {
        assert_eq!(converted(&input(36.0, "km/h", "m/s")), Some(10.0));
        assert_eq!(converted(&input(72.0, "km/h", "m/s")), Some(20.0));
        assert_eq!(converted(&input(1.0, "km", "m")), Some(1000.0));
        assert_eq!(converted(&input(1.0, "km", "furlong")), None);
        assert_eq!(converted(&input(1.0, "furlong", "furlong")), Some(1.0));
        assert_eq!(converted(b"short"), None);
    }
}
