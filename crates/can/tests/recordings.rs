//! Two recorded cars through their databases and the example mappings: what an app reads of them is plausible.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod common;

use coachwork_can::bus::{Bus, LogSource};
use coachwork_can::log::LogReader;
use coachwork_can::{CanVehicle, Mapping, Segment, Wiring};
use coachwork_dbc::Database;
use coachwork_vehicle::{Driver, Event, ManualClock, State, Subscribe, Value, Vehicle, VehicleExt};
use futures::FutureExt;
use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// Every value that each path had, in order, without repetitions.
type Seen = BTreeMap<String, Vec<Value>>;

fn play(log: &Path, dbc: &Path, mapping: &str) -> (Seen, CanVehicle) {
    let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mappings").join(mapping);
    let mapping = Mapping::load(mapping).unwrap();
    let database = Database::from_bytes(&std::fs::read(dbc).unwrap()).unwrap();
    let source = LogSource::new(LogReader::open(log).unwrap());
    let (car, driver) =
        CanVehicle::new(Bus::read_only(source), database, &mapping, Arc::new(ManualClock::default()))
            .unwrap();
    watched((car, driver))
}

/// Runs a vehicle to its end, and what was said meanwhile.
fn watched((car, driver): (CanVehicle, Driver)) -> (Seen, CanVehicle) {
    let wish = Subscribe::to(car.catalogue().ids()).on_change().block(256);
    let mut watch = block_on(car.subscribe(wish)).unwrap();
    let seen = Rc::new(RefCell::new(Seen::new()));
    let mut pool = LocalPool::new();
    pool.spawner().spawn_local(async move { driver.await.unwrap() }).unwrap();
    let (collected, catalogue) = (Rc::clone(&seen), car.catalogue());
    let collect = async move {
        while let Some(event) = watch.next().await {
            let Event::Changed(points) = event else { panic!("{event:?}: nothing may be lost") };
            for (id, point) in points.iter() {
                let path = catalogue.path(id).unwrap().as_str().to_owned();
                let mut seen = collected.borrow_mut();
                let values = seen.entry(path).or_default();
                if let State::Valid(value) = &point.state {
                    values.push(value.clone());
                }
            }
        }
    };
    pool.spawner().spawn_local(collect).unwrap();
    pool.run_until_stalled();
    let seen = seen.borrow().clone();
    (seen, car)
}

fn numbers(seen: &Seen, path: &str) -> Vec<f64> {
    seen[path].iter().map(|value| value.as_f64().unwrap()).collect()
}

fn within(seen: &Seen, path: &str, low: f64, high: f64) {
    let values = numbers(seen, path);
    assert!(!values.is_empty(), "{path} has no value");
    assert!(values.iter().all(|value| (low..=high).contains(value)), "{path}: {values:?}");
}

fn report(seen: &Seen, car: &CanVehicle) {
    println!("{car}: {:?}", car.counts());
    for (path, values) in seen {
        println!("  {path}: {} changes, first {:?}, last {:?}", values.len(), values.first(), values.last());
    }
}

#[test]
fn kona_ev() {
    let Some(corpus) = common::corpus() else { return };
    let log = corpus.join("logs/csv/230112-7-2019-pcan-ccan-power-off-on-ready-off.csv");
    let (seen, car) = play(&log, &corpus.join("dbc/kona-ev/pcan.dbc"), "kona_ev.json");
    report(&seen, &car);
    assert_eq!(car.counts().frames, 39_546);
    assert!(seen.values().all(|values| !values.is_empty()), "every path of the mapping has had a value");
    // The car stands; it is switched on, made ready and switched off again.
    assert_eq!(numbers(&seen, "Vehicle.Speed"), [0.0]);
    assert_eq!(
        seen["Vehicle.LowVoltageSystemState"],
        ["OFF", "START", "ON", "OFF"].map(|t| Value::Text(t.into()))
    );
    assert_eq!(seen["Vehicle.Cabin.Door.Row1.DriverSide.IsOpen"], [Value::Bool(false)]);
    assert_eq!(numbers(&seen, "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed"), [36.5]);
    within(&seen, "Vehicle.Powertrain.TractionBattery.CurrentVoltage", 350.0, 360.0);
    within(&seen, "Vehicle.LowVoltageBattery.CurrentVoltage", 11.5, 14.0);
    within(&seen, "Vehicle.Powertrain.TractionBattery.Temperature.Max", 10.0, 40.0);
    within(&seen, "Vehicle.Chassis.SteeringWheel.Angle", 39.0, 41.0);
    assert!(numbers(&seen, "Vehicle.Powertrain.Range").contains(&182_000.0));
    assert_eq!(numbers(&seen, "Vehicle.TraveledDistance"), [26_716_500.0]);
    assert_eq!(numbers(&seen, "Vehicle.Powertrain.Transmission.SelectedGear"), [126.0]);
    let state = block_on(car.read_path("Vehicle.Speed")).unwrap().state;
    assert!(state.to_string().ends_with("has ended"), "{state}");
}

#[test]
fn durango() {
    let Some(corpus) = common::corpus() else { return };
    let log = corpus.join("logs-gpl3/candump/dodge_durango_engine_on.log");
    let (seen, car) =
        play(&log, &corpus.join("dbc/opendbc/chrysler_pacifica_2017_hybrid_generated.dbc"), "durango.json");
    report(&seen, &car);
    assert_eq!(car.counts().frames, 32_150);
    assert!(seen.values().all(|values| !values.is_empty()), "every path of the mapping has had a value");
    // The engine is started in Park.
    assert_eq!(numbers(&seen, "Vehicle.Speed"), [0.0]);
    assert_eq!(seen["Vehicle.IsMoving"], [Value::Bool(false)]);
    let engine = numbers(&seen, "Vehicle.Powertrain.CombustionEngine.Speed");
    assert!(engine[0].abs() < f64::EPSILON);
    assert!((1000.0..2000.0).contains(engine.last().unwrap()), "{engine:?}");
    within(&seen, "Vehicle.Powertrain.CombustionEngine.Speed", 0.0, 2000.0);
    within(&seen, "Vehicle.Powertrain.CombustionEngine.Torque", -100.0, 200.0);
    within(&seen, "Vehicle.Chassis.SteeringWheel.Angle", -5.0, 5.0);
    assert_eq!(numbers(&seen, "Vehicle.Powertrain.Transmission.SelectedGear"), [126.0]);
    assert_eq!(seen["Vehicle.Cabin.Door.Row1.DriverSide.IsOpen"], [Value::Bool(false)]);
    assert_eq!(seen["Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted"], [Value::Bool(false)]);
}

/// The log of the Kona holds two of its buses. What the example mapping keeps apart by values, the names of the buses keep apart.
#[test]
fn kona_ev_on_two_buses() {
    let Some(corpus) = common::corpus() else { return };
    let database = |name: &str| {
        Database::from_bytes(&std::fs::read(corpus.join("dbc/kona-ev").join(name)).unwrap()).unwrap()
    };
    let (pcan, ccan) = (database("pcan.dbc"), database("ccan.dbc"));
    let leaf = |signal: &str| {
        format!(
            r#"{{"type": "sensor", "datatype": "float", "unit": "V", "dbc2vss": {{{signal}, "interval_ms": 0}}}}"#
        )
    };
    let mapping = format!(
        r#"{{"Drive": {}, "Cabin": {}, "Brake": {}}}"#,
        leaf(r#""bus": "pcan", "signal": "BatteryCharging.Voltage_12V""#),
        leaf(r#""bus": "ccan", "signal": "BatteryCharging.Voltage_12V""#),
        leaf(r#""bus": "ccan", "signal": "IEB_MAYBE_C371.BrakeUnknown""#),
    );
    let mapping = Mapping::parse("kona.json", &mapping).unwrap();
    let log = corpus.join("logs/csv/230112-7-2019-pcan-ccan-power-off-on-ready-off.csv");
    let wiring = Wiring::new().bus(
        Bus::read_only(LogSource::new(LogReader::open(log).unwrap())),
        [
            Segment::new("pcan", pcan.clone()).on_channel("0".parse().unwrap()),
            // The second bus has some messages of the first.
            Segment::new("ccan", vec![ccan, pcan]).on_channel("1".parse().unwrap()),
        ],
    );
    let (seen, car) = watched(wiring.vehicle(&mapping, Arc::new(ManualClock::default())).unwrap());
    report(&seen, &car);
    assert_eq!(car.counts().frames, 39_546);
    // The car is switched off in the end, and the drive bus says zero then.
    let (last, on) = seen["Drive"].split_last().unwrap();
    assert_eq!(last.as_f64(), Some(0.0));
    assert!(
        on.len() > 10 && on.iter().all(|volts| (11.5..14.0).contains(&volts.as_f64().unwrap())),
        "{on:?}"
    );
    assert_eq!(numbers(&seen, "Cabin"), [0.0], "the same identifier on the other bus says nothing");
    assert!(!numbers(&seen, "Brake").is_empty());
}

/// Two rudders report on a boat's network by one parameter group: each path has its own sender, in degrees.
#[test]
fn j1939_senders_are_apart_and_their_values_are_the_oracles() {
    let Some(corpus) = common::corpus() else { return };
    let oracle = |file: &str| -> Vec<serde_json::Value> {
        let file = std::fs::File::open(corpus.join("oracle").join(file)).unwrap();
        let lines = std::io::BufReader::new(flate2::read::GzDecoder::new(file)).lines();
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    };
    let frames = oracle("logs/candump/candumpSample3.txt.frames.jsonl.gz");
    let decoded = oracle("logs/candump/candumpSample3.txt.decode.jsonl.gz");
    let database =
        Database::from_bytes(&std::fs::read(corpus.join("dbc/canboat/canboat.dbc")).unwrap()).unwrap();
    for (source, count) in [(204_u64, 348), (172, 174)] {
        let mapping = format!(
            r#"{{"Rudder": {{"type": "sensor", "datatype": "double", "unit": "degrees", "dbc2vss": {{"pgn": 127245, "source": {source}, "signal": "position", "interval_ms": 0}}}}}}"#
        );
        let mapping = Mapping::parse("boat.json", &mapping).unwrap();
        let log = LogSource::new(LogReader::open(corpus.join("logs/candump/candumpSample3.txt")).unwrap());
        let (car, driver) = CanVehicle::new(
            Bus::read_only(log),
            database.clone(),
            &mapping,
            Arc::new(ManualClock::default()),
        )
        .unwrap();
        let mut watch = block_on(car.subscribe(Subscribe::to(car.catalogue().ids()).queue(4096))).unwrap();
        block_on(driver).unwrap();
        let mut seen = Vec::new();
        while let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
            seen.extend(points.iter().map(|(_, point)| point.state.clone()));
        }
        // The first says that nothing was there yet, the last that the log has ended.
        let seen = &seen[1..seen.len() - 1];
        let wanted: Vec<f64> = decoded
            .iter()
            .filter(|line| line[2] == "PGN_127245_rudder")
            .filter(|line| {
                frames[usize::try_from(line[0].as_u64().unwrap()).unwrap()][2].as_u64().unwrap() & 0xFF
                    == source
            })
            .map(|line| line[3][4].as_f64().unwrap())
            .collect();
        assert_eq!((seen.len(), wanted.len()), (count, count));
        for (state, radians) in seen.iter().zip(&wanted) {
            match state {
                State::Valid(value) => {
                    let degrees = value.as_f64().unwrap();
                    assert!((degrees - radians.to_degrees()).abs() < 1e-9, "{degrees} is not {radians} rad");
                }
                other => assert!((radians - 3.2767).abs() < 1e-9, "{other}, but {radians} rad"),
            }
        }
        println!("{source}: {count} rudder positions equal");
    }
}
