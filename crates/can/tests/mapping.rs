//! The mappings of the KUKSA CAN provider load unchanged, or are refused for the reason their names say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod common;

use coachwork_can::bus::{Bus, LogSource, VirtualBus};
use coachwork_can::log::LogReader;
use coachwork_can::{CanVehicle, Mapping, MappingFault, Segment, StartValues, Transform, Wiring};
use coachwork_dbc::Database;
use coachwork_vehicle::{Event, MAX_QUEUE, ManualClock, Permission, Subscribe, Vehicle};
use futures::FutureExt;
use futures::executor::block_on;
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn the_mappings_of_the_corpus_load_unchanged() {
    let Some(corpus) = common::corpus() else { return };
    for (file, entries, commands) in [("vss_4.0__vss_dbc.json", 32, 3), ("vss_4.2__vss_dbc.json", 35, 3)] {
        let mapping = Mapping::load(corpus.join("kuksa-mapping").join(file)).unwrap();
        let count = |wanted: fn(&Transform) -> bool| {
            mapping
                .entries()
                .iter()
                .filter(|e| e.from_bus().is_some_and(|from| from.transform.as_ref().is_some_and(wanted)))
                .count()
        };
        println!("{file}: {} entries", mapping.entries().len());
        if file.contains("4.2") {
            assert_eq!(count(|t| matches!(t, Transform::Table(_))), 21);
            assert_eq!(count(|t| matches!(t, Transform::Math(_))), 6);
        }
        assert_eq!(mapping.entries().len(), entries, "{file}");
        assert_eq!(mapping.entries().iter().filter(|e| e.to_bus().is_some()).count(), commands, "{file}");
    }
    let refused = |file: &str| {
        Mapping::load(corpus.join("kuksa-mapping").join(format!("test__test_mapping_{file}"))).unwrap_err()
    };
    let error = refused("error__mapping_vss2dbc_not_actuator.json");
    assert!(matches!(error.fault(), MappingFault::NotActuator), "{error}");
    let error = refused("error__test_unknown_transform.json");
    assert!(
        matches!(error.fault(), MappingFault::UnknownTransform(name) if name == "something_else"),
        "{error}"
    );
    assert!(Mapping::load(corpus.join("kuksa-mapping/test__test_mapping_transform__test.json")).is_ok());
}

/// Every signal of the sample's DBC file has its place; the one that is in two messages is read from both, and said to be.
#[test]
fn the_mappings_of_the_corpus_fit_their_database_unchanged() {
    let Some(corpus) = common::corpus() else { return };
    let database =
        Database::from_bytes(&std::fs::read(corpus.join("dbc/kuksa/Model3CAN.dbc")).unwrap()).unwrap();
    for (file, writable) in [("vss_4.0__vss_dbc.json", 3), ("vss_4.2__vss_dbc.json", 3)] {
        let mapping = Mapping::load(corpus.join("kuksa-mapping").join(file)).unwrap();
        let start = StartValues::load(corpus.join("kuksa-mapping/dbc_default_values.json")).unwrap();
        let bus = VirtualBus::new("vcan0", 4);
        let wiring =
            Wiring::new().bus(bus.connect(), [Segment::new("vcan0", database.clone())]).start_values(start);
        let (car, _driver) = wiring.vehicle(&mapping, Arc::new(ManualClock::default())).unwrap();
        let catalogue = car.catalogue();
        assert_eq!(catalogue.len(), mapping.entries().len());
        let access = catalogue.ids().map(|id| catalogue.access(id).unwrap().write.clone());
        assert_eq!(access.filter(|write| *write == Permission::Yes).count(), writable);
        let remarks: Vec<String> = car.remarks().iter().map(ToString::to_string).collect();
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        assert!(remarks[0].contains("Charging.IsCharging: dbc2vss: the signal \"CP_hvChargeStatus\" is in several messages: ID23DCP_chargeStatus, ID13DCP_chargeStatus"), "{remarks:?}");
    }
}

/// Paths with how many values passed, and a digest of `time value` lines, as the mapper of the KUKSA CAN provider (with py-expression-eval,
/// cantools 39.4.5 and times that are not rounded to a double) lets them pass, for the same log, database and mapping.
const PASSED: [(&str, usize, u64); 8] = [
    ("Vehicle.Cabin.Infotainment.HMI.SpeedUnit", 185, 0x561B_56DC_6BFD_243C),
    ("Vehicle.Cabin.Infotainment.Media.Played.Album", 185, 0xAE98_7766_78AB_01BE),
    ("Vehicle.Cabin.Infotainment.Media.Volume", 185, 0x7085_1468_95BD_BC01),
    ("Vehicle.OBD.EngineLoad", 208, 0x41D5_E3CE_36BC_DF18),
    ("Vehicle.OBD.Speed", 185, 0x7085_1468_95BD_BC01),
    ("Vehicle.Powertrain.Transmission.CurrentGear", 51, 0x1628_D510_162B_B4D2),
    ("Vehicle.Powertrain.Transmission.IsParkLockEngaged", 51, 0x2C86_A402_EA7D_E199),
    ("Vehicle.Speed", 185, 0x7085_1468_95BD_BC01),
];

fn digest(lines: &[String]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in lines.iter().flat_map(|line| line.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash
}

/// Gates, transforms and their order, value for value and microsecond for microsecond.
#[test]
fn the_recorded_tesla_passes_the_mapping_as_it_passes_the_kuksa_can_provider() {
    let Some(corpus) = common::corpus() else { return };
    let database =
        Database::from_bytes(&std::fs::read(corpus.join("dbc/kuksa/Model3CAN.dbc")).unwrap()).unwrap();
    for (file, wanted) in [("vss_4.2__vss_dbc.json", 8), ("vss_4.0__vss_dbc.json", 5)] {
        let mapping = Mapping::load(corpus.join("kuksa-mapping").join(file)).unwrap();
        let log = LogReader::open(corpus.join("logs/candump/candump_tesla_kuksa.log")).unwrap();
        let source = Bus::read_only(LogSource::new(log));
        let (car, driver) =
            CanVehicle::new(source, database.clone(), &mapping, Arc::new(ManualClock::default())).unwrap();
        let mut watch =
            block_on(car.subscribe(Subscribe::to(car.catalogue().ids()).queue(MAX_QUEUE))).unwrap();
        block_on(driver).unwrap();
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
            for (id, point) in points.iter() {
                let Some(value) = point.value() else { continue };
                let value = match value.as_f64() {
                    Some(number) => format!("{number:.6}"),
                    None => value.to_string(),
                };
                let at = point.source.nanoseconds() / 1000;
                let path = car.catalogue().path(id).unwrap().to_string();
                seen.entry(path).or_default().push(format!(
                    "{}.{:06} {value}\n",
                    at / 1_000_000,
                    at % 1_000_000
                ));
            }
        }
        assert_eq!((car.counts().frames, seen.len()), (12_138, wanted), "{file}");
        for (path, lines) in &seen {
            let expected = PASSED.iter().find(|(known, ..)| known == path);
            assert_eq!(
                Some(&(path.as_str(), lines.len(), digest(lines))),
                expected,
                "{file}: {:?}",
                &lines[..3]
            );
        }
        println!("{file}: {} paths pass as they should", seen.len());
    }
}
