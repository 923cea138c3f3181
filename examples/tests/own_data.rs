//! The project's own databases, mapping and log: in order, complete, and true to the car.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use coachwork::can::bus::{Bus, LogSource, VirtualBus};
use coachwork::can::log::LogReader;
use coachwork::can::{CanId, CanVehicle, Databases, Mapping, Segment, Wiring};
use coachwork::dbc::Options;
use coachwork::simulator::{Corner, Fault, Scenario, SimulatedVehicle};
use coachwork::{
    Availability, Catalogue, Driver, Get, Kind, ManualClock, Outcome, Permission, Request, Set, Stage, State,
    Value, Vehicle, VehicleExt,
};
use coachwork_examples::{
    START, crc, databases, drive_log, load_databases, mapping_file, record, scenario, stamps,
};
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
        // Every signal that is not a float, a multiplexer or a checksum can say that it has no value, and starts so.
        for message in database.messages() {
            for signal in message.signals() {
                let sum = signal.name().ends_with("Checksum");
                let special = signal.is_multiplexer() || signal.value_type().is_float() || sum;
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
    fn new(scenario: &Scenario) -> Self {
        let (databases, mapping) = all();
        let clock = Arc::new(ManualClock::new(START));
        let wire = VirtualBus::new("can0", 4096);
        let (car, drive) = SimulatedVehicle::new(clock.clone(), scenario).unwrap();
        let wiring = Wiring::new().bus(wire.connect(), [Segment::new("can0", databases.clone())]);
        let (emit, missing) =
            wiring.stamps(stamps()).emit(Arc::new(car.clone()), &mapping, clock.clone()).unwrap();
        assert!(missing.is_empty(), "{missing:?}");
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

fn state(car: &dyn Vehicle, path: &str) -> State {
    let id = car.catalogue().resolve(path).unwrap();
    car.get(Get::of(&[id])).now_or_never().unwrap().unwrap().remove(0).unwrap().state
}

fn value(car: &dyn Vehicle, path: &str) -> Option<Value> {
    match state(car, path) {
        State::Valid(value) => Some(value),
        _ => None,
    }
}

/// Whether the bus says what the car says, within half of what the database can tell apart.
fn same(car: Option<&Value>, bus: Option<&Value>, step: f64) -> bool {
    match (car.and_then(Value::as_f64), bus.and_then(Value::as_f64)) {
        // A float is as near as floats are.
        (Some(car), Some(bus)) => (car - bus).abs() <= step / 2.0 + car.abs() * 1e-7,
        _ => car == bus,
    }
}

/// What the car reports and a bus would carry: attributes are what the car is, and on no bus.
fn reported(catalogue: &Catalogue) -> Vec<String> {
    let reported = catalogue.iter().filter(|(_, entry)| entry.kind() != Kind::Attribute);
    reported.map(|(_, entry)| entry.path().to_string()).collect()
}

#[test]
fn the_page_counts_the_signals() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/simulator.md");
    let page = std::fs::read_to_string(page).unwrap();
    let signals = Twins::new(&scenario()).car.catalogue().len();
    assert!(page.contains(&format!("{signals} signals, their facts")), "{signals}");
}

#[test]
fn the_bus_says_what_the_car_says() {
    // Nearly empty and in the rain sooner or later: it drives, charges, parks, and one tyre leaks.
    let minute = Duration::from_secs(60);
    let leaky = Scenario { state_of_charge: 13.0, ..scenario() };
    let leaky = leaky.with_fault(Fault::slow_leak(Corner::FrontRight, 300.0), 2 * minute..);
    for (scenario, seconds) in [(scenario(), 300), (leaky, 2000)] {
        let mut twins = Twins::new(&scenario);
        let catalogue = twins.car.catalogue();
        let paths = reported(&catalogue);
        assert_eq!(paths.len(), twins.bus.catalogue().len());
        for second in 1..=seconds {
            twins.run(Duration::from_secs(1));
            if second > 300 && second % 20 != 0 {
                continue;
            }
            let seen = twins.bus.catalogue();
            for path in &paths {
                let entry = catalogue.entry(catalogue.resolve(path).unwrap()).unwrap();
                let other = seen.entry(seen.resolve(path).unwrap()).unwrap();
                assert_eq!(entry.data_type(), other.data_type(), "{path}");
                assert_eq!(entry.unit(), other.unit(), "{path}");
                assert_eq!((entry.min(), entry.max()), (other.min(), other.max()), "{path}");
                let (car, bus) = (value(&twins.car, path), value(&twins.bus, path));
                assert!(car.is_some(), "{path} after {second} s");
                assert!(
                    same(car.as_ref(), bus.as_ref(), other.step().unwrap_or(0.0)),
                    "{path} after {second} s: the car has {car:?}, the bus {bus:?}"
                );
            }
        }
    }
}

#[test]
fn a_fault_of_the_car_is_seen_through_the_bus() {
    let mut twins = Twins::new(&scenario());
    twins.run(Duration::from_secs(10));
    let speed = "Vehicle.Speed";
    for (fault, seen) in [
        (Fault::not_available(speed), Availability::NotAvailable),
        (Fault::wrong(speed), Availability::Error),
    ] {
        twins.car.inject(fault.clone()).unwrap();
        twins.run(Duration::from_millis(300));
        assert_eq!(state(&twins.bus, speed).availability(), seen, "{fault}");
    }
    twins.car.heal(Fault::wrong(speed)).unwrap();
    twins.run(Duration::from_millis(300));
    assert_eq!(state(&twins.bus, speed).availability(), Availability::Valid);
    // A bus knows no age: what is stale in the car goes out as "not available".
    twins.car.inject(Fault::lost(speed)).unwrap();
    twins.run(Duration::from_secs(4));
    assert_eq!(state(&twins.car, speed).availability(), Availability::Stale);
    assert_eq!(state(&twins.bus, speed).availability(), Availability::NotAvailable);
}

/// The recorded log, read back, ends with what the car said last.
#[test]
fn the_log_says_what_the_car_said() {
    let (databases, mapping) = all();
    let clock = Arc::new(ManualClock::new(START));
    let log = std::fs::File::open(drive_log()).unwrap();
    let source = LogSource::new(LogReader::new("drive.log", std::io::BufReader::new(log)));
    let (bus, mut driver) =
        CanVehicle::new(Bus::read_only(source), databases, &mapping, clock.clone()).unwrap();
    let (car, mut drive) = SimulatedVehicle::new(clock.clone(), &scenario()).unwrap();
    clock.advance(Duration::from_secs(60));
    assert!((&mut drive).now_or_never().is_none());
    let ids: Vec<_> = bus.catalogue().ids().collect();
    let wish = coachwork::Subscribe::to(ids).block(256);
    let mut watch = bus.subscribe(wish).now_or_never().unwrap().unwrap();
    let mut last = std::collections::BTreeMap::new();
    loop {
        let ended = (&mut driver).now_or_never();
        while let Some(Some(event)) = watch.next().now_or_never() {
            let coachwork::Event::Changed(points) = event else { continue };
            for (id, point) in points.iter() {
                if let Some(value) = point.value() {
                    last.insert(watch.path(id).to_owned(), value.clone());
                }
            }
        }
        if ended.is_some() {
            break;
        }
    }
    let catalogue = bus.catalogue();
    for path in reported(&car.catalogue()) {
        let step = catalogue.entry(catalogue.resolve(&path).unwrap()).unwrap().step().unwrap_or(0.0);
        let said = value(&car, &path);
        assert!(same(said.as_ref(), last.get(&path), step), "{path}: {said:?}, {:?}", last.get(&path));
    }
}

#[test]
fn the_steering_message_counts_and_sums_up() {
    let steering = CanId::standard(514).unwrap();
    let log = LogReader::new("drive.log", std::io::BufReader::new(std::fs::File::open(drive_log()).unwrap()));
    let (mut frames, mut before) = (0, None);
    for frame in log {
        let frame = frame.unwrap();
        if frame.id() != steering {
            continue;
        }
        // The first one says 15: nothing was counted yet.
        let counter = frame.data()[2] & 0x0F;
        assert_eq!(frame.data()[3], crc(&frame.data()[..3]));
        assert!(
            before.is_none_or(|before| counter == if before >= 14 { 0 } else { before + 1 }),
            "{before:?} {counter}"
        );
        before = Some(counter);
        frames += 1;
    }
    assert!(frames > 500, "{frames}");
    // As its authors state it: the check value of "123456789".
    assert_eq!(crc(b"123456789"), 0x4B);
}

#[test]
fn what_moves_in_the_car_moves_over_the_bus() {
    let mut twins = Twins::new(&scenario());
    twins.run(Duration::from_secs(1));
    let (car, bus) = (twins.car.catalogue(), twins.bus.catalogue());
    let settable = |catalogue: &Catalogue| -> Vec<String> {
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
    let others = [
        ("Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen", Value::Bool(true)),
        ("Vehicle.Cabin.Light.Spotlight.Row2.DriverSide.IsLightOn", Value::Bool(true)),
        ("Vehicle.Cabin.Light.AmbientLight.Row1.DriverSide.Intensity", Value::Uint(75)),
    ];
    let asked = others.clone().map(|(path, value)| {
        twins.bus.write_path(path, value, Set::default()).now_or_never().unwrap().unwrap()
    });
    twins.run(Duration::from_secs(3));
    let stage = receipts[0].as_ref().unwrap().stage();
    assert!(matches!(stage, Stage::Settled(Outcome::Confirmed(_))), "{stage:?}");
    assert!(matches!(window.stage(), Stage::Settled(Outcome::Confirmed(_))), "{window:?}");
    for (receipt, (path, wanted)) in asked.iter().zip(others) {
        assert!(matches!(receipt.stage(), Stage::Settled(Outcome::Confirmed(_))), "{path}: {receipt:?}");
        assert_eq!(value(&twins.car, path), Some(wanted));
    }
    assert_eq!(value(&twins.bus, "Vehicle.Cabin.Light.IsDomeOn"), Some(Value::Bool(true)), "a door is open");
    assert_eq!(value(&twins.car, "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"), Some(Value::Int(60)));

    // What the car refuses does not move; the bus has no way to say why.
    let cold = twins.bus.set(vec![heat(-20)]).now_or_never().unwrap().unwrap();
    twins.run(Duration::from_secs(5));
    assert!(matches!(cold[0].as_ref().unwrap().stage(), Stage::Settled(Outcome::TimedOut)));
    assert_eq!(value(&twins.bus, "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"), Some(Value::Int(60)));
}
