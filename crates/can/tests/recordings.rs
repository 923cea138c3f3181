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
use coachwork_can::{CanVehicle, Mapping};
use coachwork_dbc::Database;
use coachwork_vehicle::{Event, ManualClock, State, Subscribe, Value, Vehicle, VehicleExt};
use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use std::cell::RefCell;
use std::collections::BTreeMap;
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
