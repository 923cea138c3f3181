//! The project's own databases, mapping and log: in order, complete, and true to the car.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use coachwork::can::bus::VirtualBus;
use coachwork::can::{CanVehicle, Databases, Emit, Mapping};
use coachwork::dbc::Options;
use coachwork::simulator::SimulatedVehicle;
use coachwork::{
    Driver, Get, ManualClock, Outcome, Permission, Request, Set, Stage, Value, Vehicle, VehicleExt,
};
use coachwork_examples::{START, databases, drive_log, load_databases, mapping_file, record, scenario};
use futures::FutureExt;

fn all() -> (Databases, Mapping) {
    (
        load_databases(&databases(), |notice| panic!("{notice}")).unwrap(),
        Mapping::load(mapping_file()).unwrap(),
    )
}

#[test]
fn the_databases_load_strictly() {
    for file in databases() {
        let loaded = Options::new().strict(true).load(&std::fs::read(&file).unwrap());
        let database = loaded.unwrap_or_else(|why| panic!("{}: {why}", file.display())).database;
        // Every signal that is not a float or a multiplexer can say that it has no value, and starts so.
        for message in database.messages() {
            for signal in message.signals() {
                let special = signal.is_multiplexer() || signal.value_type().is_float();
                let silent = signal.start_value().is_some_and(|start| {
                    signal.availability(start) == coachwork::dbc::Availability::NotAvailable
                });
                assert!(special || silent, "{}.{}", message.name(), signal.name());
            }
        }
    }
}

#[test]
fn the_log_is_the_drive_byte_for_byte() {
    let (databases, mapping) = all();
    let recorded = record(&scenario(), databases, &mapping, Duration::from_secs(60)).unwrap();
    let file = std::fs::read(drive_log()).unwrap();
    assert!(recorded == file, "record_drive makes another log than {}", drive_log().display());
}

/// The simulated car, and the same car as the bus tells it.
struct Twins {
    clock: Arc<ManualClock>,
    car: SimulatedVehicle,
    bus: CanVehicle,
    drivers: Vec<Driver>,
}

impl Twins {
    fn new() -> Self {
        let (databases, mapping) = all();
        let clock = Arc::new(ManualClock::new(START));
        let wire = VirtualBus::new("can0", 4096);
        let (car, drive) = SimulatedVehicle::new(clock.clone(), &scenario()).unwrap();
        let emit = Emit::of(Arc::new(car.clone()), databases.clone(), &mapping).unwrap();
        assert!(emit.missing().is_empty(), "{:?}", emit.missing());
        let emit = emit.onto(wire.connect(), clock.clone());
        let (bus, read) = CanVehicle::new(wire.connect(), databases, &mapping, clock.clone()).unwrap();
        let mut twins = Self { clock, car, bus, drivers: vec![drive, emit, read] };
        // All cycles begin now, so that all messages meet at whole seconds.
        twins.poll();
        twins
    }

    fn poll(&mut self) {
        for driver in &mut self.drivers {
            assert!(driver.now_or_never().is_none(), "a driver has ended");
        }
    }

    fn run(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            self.clock.advance(Duration::from_millis(100));
            left -= Duration::from_millis(100);
            // Twice, so that a request that came over the bus and its answer both arrive.
            self.poll();
            self.poll();
        }
    }
}

fn value(car: &dyn Vehicle, path: &str) -> Option<Value> {
    let id = car.catalogue().resolve(path).unwrap();
    car.get(Get::of(&[id])).now_or_never().unwrap().unwrap().remove(0).unwrap().value().cloned()
}

#[test]
fn the_bus_says_what_the_car_says() {
    let mut twins = Twins::new();
    let catalogue = twins.car.catalogue();
    assert_eq!(catalogue.len(), twins.bus.catalogue().len());
    for second in 1..=60 {
        twins.run(Duration::from_secs(1));
        for (_, entry) in catalogue.iter() {
            let path = entry.path().as_str();
            let (car, bus) = (value(&twins.car, path), value(&twins.bus, path));
            let seen = twins.bus.catalogue();
            let other = seen.entry(seen.resolve(path).unwrap()).unwrap();
            assert_eq!(entry.data_type(), other.data_type(), "{path}");
            assert_eq!(entry.unit(), other.unit(), "{path}");
            // Numbers agree within what the database can tell apart.
            let same = match (car.as_ref().and_then(Value::as_f64), bus.as_ref().and_then(Value::as_f64)) {
                (Some(car), Some(bus)) => (car - bus).abs() <= other.step().unwrap_or(1.0) / 2.0 + 1e-3,
                _ => car == bus,
            };
            assert!(same, "{path} after {second} s: the car has {car:?}, the bus {bus:?}");
        }
    }
}

#[test]
fn what_moves_in_the_car_moves_over_the_bus() {
    let mut twins = Twins::new();
    twins.run(Duration::from_secs(1));
    let (car, bus) = (twins.car.catalogue(), twins.bus.catalogue());
    let settable = |catalogue: &coachwork::Catalogue| -> Vec<String> {
        let yes = |id: &_| catalogue.access(*id).unwrap().write == Permission::Yes;
        let mut paths: Vec<_> =
            catalogue.ids().filter(yes).map(|id| catalogue.path(id).unwrap().to_string()).collect();
        paths.sort();
        paths
    };
    assert_eq!(settable(&car), settable(&bus));
    let heat = |percent: i8| {
        Request::new(bus.resolve("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling").unwrap(), percent)
            .with(Set::within(Duration::from_secs(4)))
    };
    let receipts = twins.bus.set(vec![heat(60)]).now_or_never().unwrap().unwrap();
    let window = twins
        .bus
        .write_path("Vehicle.Cabin.Door.Row1.DriverSide.Window.Position", 30_u8, Set::default())
        .now_or_never()
        .unwrap()
        .unwrap();
    twins.run(Duration::from_secs(3));
    let stage = receipts[0].as_ref().unwrap().stage();
    assert!(matches!(stage, Stage::Settled(Outcome::Confirmed(_))), "{stage:?}");
    assert!(matches!(window.stage(), Stage::Settled(Outcome::Confirmed(_))), "{window:?}");
    assert_eq!(value(&twins.car, "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"), Some(Value::Int(60)));

    // What the car refuses does not move; the bus has no way to say why.
    let cold = twins.bus.set(vec![heat(-20)]).now_or_never().unwrap().unwrap();
    twins.run(Duration::from_secs(5));
    assert!(matches!(cold[0].as_ref().unwrap().stage(), Stage::Settled(Outcome::TimedOut)));
    assert_eq!(value(&twins.bus, "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"), Some(Value::Int(60)));
}
