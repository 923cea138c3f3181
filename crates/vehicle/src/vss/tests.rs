//! The facts that are built in, against each other and against what VSS publishes.

use super::constants::FACTS;
use super::*;
use crate::{Catalogue, Entry, Facts, Kind, Unit};

#[test]
fn constants_are_the_leaves_in_their_order() {
    let entries: Vec<Entry> = entries().collect();
    assert_eq!(entries.len(), 1267);
    assert_eq!(FACTS.len(), entries.len());
    for (entry, (path, data_type, unit)) in entries.iter().zip(FACTS) {
        assert_eq!(entry.path().as_str(), *path);
        assert_eq!((entry.data_type(), entry.unit().map(Unit::key)), (*data_type, *unit), "{path}");
    }
}

#[test]
fn every_constant_resolves_through_the_table_to_its_own_path() {
    let all = Catalogue::new(entries().collect::<Vec<_>>().into_iter().rev(), Facts::default()).unwrap();
    for (row, (path, ..)) in FACTS.iter().enumerate() {
        let id = all.constant(u16::try_from(row).unwrap()).unwrap();
        assert_eq!(all.path(id).unwrap().as_str(), *path);
    }
    let few =
        Catalogue::new(entries().filter(|e| e.path().as_str() == SPEED.path()), Facts::default()).unwrap();
    assert_eq!(SPEED.resolve(&few).ok(), few.id("Vehicle.Speed"));
    assert!(TRAVELED_DISTANCE.resolve(&few).is_err());
}

#[test]
fn the_leaves_are_counted_by_kind() {
    let count = |kind| entries().filter(|entry| entry.kind() == kind).count();
    assert_eq!([Kind::Actuator, Kind::Sensor, Kind::Attribute].map(count), [643, 494, 130]);
    assert_eq!(entries().filter(|entry| entry.unit().is_some()).count(), 639);
    assert_eq!(entries().filter(|entry| entry.default_value().is_some()).count(), 36);
    assert_eq!(entries().filter(|entry| !entry.allowed().is_empty()).count(), 102);
    assert_eq!(entries().filter(|entry| entry.deprecation().is_some()).count(), 6);
    assert_eq!(entries().filter(|entry| entry.pattern().is_some()).count(), 1);
}

#[test]
fn units_are_known() {
    assert!(entries().all(|entry| entry.unit().is_none_or(|unit| unit.quantity().is_some())));
}

#[test]
fn what_is_built_in_is_small() {
    assert!(include_str!("tree.txt").len() < 30_000);
}
