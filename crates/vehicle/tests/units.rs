//! The table of units against the file that VSS publishes, and conversions there and back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use coachwork_vehicle::{Conversion, Unit};
use proptest::prelude::*;

/// A file of VSS, from beside the corpus.
fn published(name: &str) -> Option<String> {
    let corpus = std::env::var_os("COACHWORK_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    match std::fs::read_to_string(corpus.join("../spec").join(name)) {
        Ok(text) => Some(text),
        Err(why) if std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_some() => panic!("no {name}: {why}"),
        Err(why) => {
            eprintln!("left out, no {name}: {why}");
            None
        }
    }
}

/// The keys at the left edge of a YAML file, each with its members that stand on one line.
fn keys(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut keys: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut key = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        if line.starts_with(' ') {
            if let Some((name, value)) = line.trim().split_once(':') {
                keys.get_mut(&key).unwrap().insert(name.to_owned(), value.trim().to_owned());
            }
        } else {
            line.trim().trim_end_matches(':').clone_into(&mut key);
            assert!(keys.insert(key.clone(), BTreeMap::new()).is_none(), "{key} is there twice");
        }
    }
    keys
}

#[test]
fn every_unit_of_the_file_is_in_the_table_with_its_quantity_and_no_other_is() {
    let Some(text) = published("units.yaml") else { return };
    let file = keys(&text);
    assert_eq!(file.len(), 68);
    for (key, members) in &file {
        assert_eq!(Unit::new(key).quantity(), Some(members["quantity"].as_str()), "{key}");
    }
    let ours: BTreeSet<String> = Unit::all().map(|unit| unit.key().to_owned()).collect();
    assert_eq!(ours, file.into_keys().collect());
    let Some(text) = published("quantities.yaml") else { return };
    let quantities: BTreeSet<String> = keys(&text).into_keys().collect();
    let ours: BTreeSet<String> = Unit::all().map(|unit| unit.quantity().unwrap().to_owned()).collect();
    assert_eq!(ours, quantities);
}

/// Pairs of units of one quantity between which no factor leads: their values are no numbers of one another.
const APART: [&str; 9] =
    ["months", "years", "unix-time", "iso8601", "mpge", "nm/km", "dBm", "dB", "an unknown one"];

#[test]
fn units_of_one_quantity_convert_and_others_do_not() {
    for from in Unit::all() {
        for to in Unit::all() {
            let apart = |unit: &Unit| APART.contains(&unit.key());
            let wanted = from == to || from.quantity() == to.quantity() && !apart(&from) && !apart(&to);
            assert_eq!(from.conversion(&to).is_ok(), wanted, "{from} to {to}");
        }
        for unknown in ["an unknown one", "", "KM/H", "km/h ", "m/s²"] {
            let unknown = Unit::new(unknown);
            assert_eq!(unknown.quantity(), None);
            assert!(from.conversion(&unknown).is_err() && unknown.conversion(&from).is_err());
            assert_eq!(unknown.convert(3.5, &unknown), Ok(3.5));
        }
    }
}

/// What the compiler checks of a typed path is what conversion says.
#[test]
fn typed_paths_take_the_units_that_convert() {
    for (own, other) in
        [("km/h", "m/s"), ("km/h", "kg"), ("dB", "dBm"), ("dB", "dB"), ("s", "months"), ("x", "y")]
    {
        let path = coachwork_vehicle::TypedPath::<f32>::new("Vehicle.A", Some(own));
        let taken = std::panic::catch_unwind(|| path.in_unit(other)).is_ok();
        assert_eq!(taken, Unit::new(own).conversion(&Unit::new(other)).is_ok(), "{own} in {other}");
    }
}

#[test]
fn a_path_without_a_fitting_type_or_unit_is_told_when_it_is_read() {
    use coachwork_vehicle::{Catalogue, DataType, Datapoint, Entry, Facts, Timestamp, TypedPath};
    let read = |entry: Entry, value: coachwork_vehicle::Value, path: TypedPath<u8>| {
        let tree = Catalogue::new([entry], Facts::default()).unwrap();
        let signal = path.resolve(&tree).unwrap();
        path.read(&tree, signal, &Datapoint::valid(value, Timestamp::EPOCH))
            .map_or_else(|error| error.to_string(), |reading| reading.valid().unwrap().to_string())
    };
    let speed = |unit| TypedPath::<u8>::new("Vehicle.Speed", unit);
    let entry = || Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h");
    let text = Entry::sensor("Vehicle.Speed", DataType::STRING).with_unit("km/h");
    assert_eq!(read(entry(), 36.0_f32.into(), speed(Some("m/s"))), "10");
    for (entry, value, unit, wanted) in [
        (entry(), 36.0_f32.into(), Some("kg"), "get Vehicle.Speed: km/h does not convert to kg"),
        (entry(), 36.0_f32.into(), None, "get Vehicle.Speed: the catalogue has km/h, the typed path no unit"),
        (entry(), 36.5_f32.into(), Some("km/h"), "get Vehicle.Speed: 36.5 is not a value of type uint8"),
        (text, "fast".into(), Some("km/h"), "get Vehicle.Speed: fast is not a value of type uint8"),
    ] {
        assert_eq!(read(entry, value, speed(unit)), wanted);
    }
}

/// One known pair for each factor of the table: so much of the unit is so much of its neighbour.
#[test]
fn each_factor_is_the_one_that_standards_give() {
    for (value, from, wanted, to) in [
        (1.0, "m", 1000.0, "mm"),
        (1.0, "m", 100.0, "cm"),
        (1.0, "km", 1000.0, "m"),
        (1.0, "inch", 25.4, "mm"),
        (3.6, "km/h", 1.0, "m/s"),
        (1.0, "m/s^2", 100.0, "cm/s^2"),
        (1.0, "l", 1000.0, "ml"),
        (1.0, "l", 1000.0, "cm^3"),
        (37.0, "Celsius", 98.6, "Fahrenheit"),
        (-40.0, "Fahrenheit", -40.0, "Celsius"),
        (180.0, "degrees/s", std::f64::consts::PI, "rad/s"),
        (1.0, "kW", 1000.0, "W"),
        (1.0, "PS", 735.498_75, "W"),
        (1.0, "kg", 1000.0, "g"),
        (1.0, "lbs", 453.592_37, "g"),
        (1.0, "s", 1000.0, "ms"),
        (1.0, "min", 60.0, "s"),
        (1.0, "h", 60.0, "min"),
        (1.0, "day", 24.0, "h"),
        (1.0, "weeks", 7.0, "day"),
        (1.0, "mbar", 100.0, "Pa"),
        (1.0, "kPa", 10.0, "mbar"),
        (1.0, "psi", 6.894_757_293_168_361, "kPa"),
        (1.0, "kWh/100km", 10.0, "Wh/km"),
        (1.0, "l/100km", 1000.0, "ml/100km"),
        (1.0, "mpg", 1.0, "mpg-us"),
        (1.0, "mpg-us", 1.200_949_925_504_855, "mpg-uk"),
        (1.0, "mpg-us", 0.425_143_707_430_272, "km/l"),
        (1.0, "kN", 1000.0, "N"),
        (60.0, "cpm", 1.0, "Hz"),
        (72.0, "bpm", 1.2, "Hz"),
        (12.5, "percent", 0.125, "ratio"),
    ] {
        let got = Unit::new(from).convert(value, &Unit::new(to)).unwrap();
        assert!(
            (got - wanted).abs() <= 1e-14 * f64::abs(wanted),
            "{value} {from} is {got} {to}, not {wanted}"
        );
    }
}

fn any_pair() -> impl Strategy<Value = (Unit, Unit, Conversion)> {
    let pairs: Vec<_> = Unit::all()
        .flat_map(|from| Unit::all().map(move |to| (from.clone(), to)))
        .filter_map(|(from, to)| from.conversion(&to).ok().map(|conversion| (from, to, conversion)))
        .collect();
    prop::sample::select(pairs)
}

proptest! {
    /// There and back is the same to four roundings, of the value or of the shift of its scale.
    #[test]
    fn a_value_comes_back((from, to, there) in any_pair(), value in any::<f64>()) {
        let out = there.apply(value);
        let back = to.conversion(&from).unwrap().apply(out);
        if value.is_nan() {
            prop_assert!(out.is_nan() && back.is_nan());
        } else if value.is_infinite() {
            prop_assert_eq!((out, back), (value, value), "{} to {}", from, to);
        } else if out.is_infinite() {
            prop_assert!(value.abs() > f64::MAX / 1e7, "{value} {from} is too much in {to}");
        } else if value == 0.0 || value.abs().min(out.abs()) > 1e-290 {
            // A shifted scale rounds at the size of its shift.
            let size = if from.quantity() == Some("temperature") { value.abs().max(64.0) } else { value.abs() };
            prop_assert!(
                (back - value).abs() <= 4.0 * f64::EPSILON * size,
                "{value} {from} is {out} {to}, and {back} {from}"
            );
        }
    }

    /// More stays more.
    #[test]
    fn conversions_keep_the_order((_, _, there) in any_pair(), a in -1e12..1e12_f64, b in -1e12..1e12_f64) {
        prop_assert!(there.apply(a.min(b)) <= there.apply(a.max(b)));
    }
}
