//! A bus as a vehicle, and a vehicle on a bus: values, availability, staleness, commands there and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use coachwork_can::bus::{Batch, Bus, LogSource, VirtualBus};
use coachwork_can::log::LogReader;
use coachwork_can::{CanVehicle, Emit, Mapping};
use coachwork_dbc::Database;
use coachwork_vehicle::{
    Availability, Catalogue, Clock, DataType, Datapoint, Driver, Entry, ErrorKind, Event, Facts, ManualClock,
    MemoryVehicle, Outcome, ReasonKind, Set, State, Subscribe, TimeBase, Timestamp, Value, Vehicle,
    VehicleExt,
};
use futures::FutureExt;
use futures::executor::{LocalPool, LocalSpawner, block_on};
use futures::task::LocalSpawnExt;
use std::sync::Arc;
use std::time::Duration;

const DBC: &str = r#"VERSION ""
NS_ :
BS_:
BU_: ECU APP
BO_ 256 Drive: 4 ECU
 SG_ Speed : 0|16@1+ (0.01,0) [0|300] "km/h" APP
 SG_ Door : 16|2@1+ (1,0) [0|3] "" APP
BO_ 257 SeatState: 2 ECU
 SG_ SeatHeat : 0|8@1+ (1,0) [0|250] "%" APP
BO_ 258 SeatRequest: 2 APP
 SG_ SeatHeatRequest : 0|8@1+ (1,0) [0|250] "%" ECU
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 256 100;
VAL_ 256 Door 0 "Closed" 1 "Open" 2 "Error" 3 "SNA" ;
VAL_ 257 SeatHeat 255 "SNA" ;
VAL_ 258 SeatHeatRequest 255 "SNA" ;
"#;

const MAPPING: &str = r#"{"Vehicle": {"type": "branch", "children": {
  "Speed": {"type": "sensor", "datatype": "float", "unit": "km/h", "dbc2vss": {"signal": "Drive.Speed", "interval_ms": 0}},
  "Door": {"type": "sensor", "datatype": "boolean", "dbc2vss": {"signal": "Door", "interval_ms": 0,
    "transform": {"mapping": [{"from": "Closed", "to": false}, {"from": "Open", "to": true}]}}},
  "Heat": {"type": "actuator", "datatype": "uint8", "unit": "percent", "min": 0, "max": 100,
    "dbc2vss": {"signal": "SeatHeat", "on_change": true}, "vss2dbc": {"signal": "SeatHeatRequest"}}}}}"#;

const SPEED: &str = "Vehicle.Speed";
const DOOR: &str = "Vehicle.Door";
const HEAT: &str = "Vehicle.Heat";

fn mapping() -> Mapping {
    Mapping::parse("m.json", MAPPING).unwrap()
}

fn database() -> Database {
    Database::parse(DBC).unwrap()
}

fn state(car: &dyn Vehicle, path: &str) -> State {
    block_on(car.read_path(path)).unwrap().state
}

fn spawn(spawner: &LocalSpawner, driver: Driver) {
    spawner.spawn_local(async move { driver.await.unwrap() }).unwrap();
}

fn log(text: &'static str, clock: &ManualClock) -> (CanVehicle, Driver) {
    let source = LogSource::new(LogReader::new("drive.log", text.as_bytes()));
    CanVehicle::new(Bus::read_only(source), database(), &mapping(), Arc::new(clock.clone())).unwrap()
}

#[test]
fn a_log_is_a_vehicle_until_it_ends() {
    let clock = ManualClock::new(Timestamp::from_seconds(5));
    let (car, driver) = log(
        "(1700000000.0) c 100#E8030000\nnoise\n(1700000000.1) c 101#3C00\n(1700000000.2) c 100#D0070100\n(1700000000.3) c 7FF#\n(1700000000.4) c 100#00\n",
        &clock,
    );
    assert_eq!(car.to_string(), "drive.log through m.json");
    assert_eq!(car.catalogue().facts().time, TimeBase::Utc);
    let mut watch =
        block_on(car.watch(&[SPEED], coachwork_vehicle::Filter::new(), Subscribe::to([]).queue(8))).unwrap();
    block_on(driver).unwrap();
    let counts = car.counts();
    assert_eq!((counts.frames, counts.mapped, counts.short, counts.unknown, counts.bad), (5, 4, 1, 1, 1));

    let mut seen = Vec::new();
    while let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
        seen.extend(
            points
                .iter()
                .map(|(_, point)| (point.state.to_string(), point.source.nanoseconds() % 1_000_000_000)),
        );
    }
    assert_eq!(seen[0].0, "never set");
    assert_eq!(seen[1..3], [("10".to_owned(), 0), ("20".to_owned(), 200_000_000)]);
    assert_eq!(seen[3].0, "not available: drive.log has ended");
    assert_eq!(seen.len(), 4);
    let State::NotAvailable(reason) = state(&car, DOOR) else { panic!() };
    assert_eq!(reason.kind(), ReasonKind::Ended);
}

#[test]
fn a_log_cannot_be_written() {
    let (car, _driver) = log("(1.0) c 100#E8030000\n", &ManualClock::default());
    assert_eq!(car.catalogue().facts().time, TimeBase::Unknown);
    let error = block_on(car.write_path(HEAT, 10_u8, Set::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotActuator);
}

#[test]
fn a_log_that_cannot_be_read_is_a_lost_link() {
    let (car, driver) = log("\x1F\u{8B}", &ManualClock::default());
    drop(driver);
    assert_eq!(state(&car, SPEED), State::NeverSet);
    let source = LogSource::new(LogReader::new("x.zip", &b"PK\x03\x04"[..]));
    let (car, driver) =
        CanVehicle::new(Bus::read_only(source), database(), &mapping(), Arc::new(ManualClock::default()))
            .unwrap();
    let error = block_on(driver).unwrap_err();
    assert_eq!(error.to_string(), "x.zip: x.zip: this is a zip file, which is not read");
    let State::NotAvailable(reason) = state(&car, SPEED) else { panic!() };
    assert_eq!(reason.kind(), ReasonKind::Link);
}

#[test]
fn a_mapping_that_does_not_fit_is_refused() {
    let text = MAPPING.replace("Drive.Speed", "Drive.Velocity");
    let mapping = Mapping::parse("m.json", &text).unwrap();
    let source = LogSource::new(LogReader::new("log", &b""[..]));
    let error =
        CanVehicle::new(Bus::read_only(source), database(), &mapping, Arc::new(ManualClock::default()))
            .err()
            .unwrap();
    assert_eq!(
        error.to_string(),
        "m.json: Vehicle.Speed: dbc2vss: the database has no signal \"Drive.Velocity\""
    );
}

#[test]
fn values_go_stale_after_three_cycles_and_come_back() {
    let clock = ManualClock::new(Timestamp::from_seconds(100));
    let bus = VirtualBus::new("can0", 16);
    let (_, ecu) = bus.connect().into_parts();
    let ecu = ecu.unwrap();
    let (car, driver) =
        CanVehicle::new(bus.connect(), database(), &mapping(), Arc::new(clock.clone())).unwrap();
    let mut pool = LocalPool::new();
    spawn(&pool.spawner(), driver);
    let frame = |data: &[u8]| {
        coachwork_can::Frame::new(coachwork_can::CanId::standard(0x100).unwrap(), data).unwrap()
    };
    ecu.try_send(&frame(&[0xE8, 3, 1, 0])).unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&car, SPEED), State::Valid(Value::Float(10.0)));
    clock.advance(Duration::from_millis(299));
    assert_eq!(state(&car, SPEED).availability(), Availability::Valid);
    clock.advance(Duration::from_millis(1));
    assert_eq!(state(&car, SPEED), State::Stale(Value::Float(10.0)));
    assert_eq!(state(&car, DOOR), State::Stale(Value::Bool(true)));
    assert_eq!(state(&car, HEAT), State::NeverSet);
    ecu.try_send(&frame(&[0xE8, 3, 3, 0])).unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&car, SPEED), State::Valid(Value::Float(10.0)));
    assert_eq!(state(&car, DOOR).availability(), Availability::NotAvailable);
    ecu.try_send(&frame(&[0xE8, 3, 2, 0])).unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&car, DOOR).availability(), Availability::Error);
    drop((bus, ecu));
    pool.run_until_stalled();
    assert_eq!(state(&car, SPEED).to_string(), "not available: can0 has ended");
}

#[test]
fn the_driver_ends_with_its_vehicle() {
    let bus = VirtualBus::new("can0", 16);
    let (car, mut driver) =
        CanVehicle::new(bus.connect(), database(), &mapping(), Arc::new(ManualClock::default())).unwrap();
    let mut watch =
        block_on(car.watch(&[SPEED], coachwork_vehicle::Filter::new(), Subscribe::to([]))).unwrap();
    assert!((&mut driver).now_or_never().is_none());
    drop(car);
    assert!(matches!((&mut driver).now_or_never(), Some(Ok(()))));
    drop(driver);
    let mut last = None;
    while let Some(Some(event)) = watch.next().now_or_never() {
        last = Some(event);
    }
    assert!(matches!(last, Some(Event::Ended(_))), "{last:?}");
}

#[test]
fn a_command_is_sent_once_and_only_where_the_mapping_allows_it() {
    let clock = ManualClock::default();
    let bus = VirtualBus::new("can0", 16);
    let (mut ecu, to_car) = bus.connect().into_parts();
    let (car, driver) =
        CanVehicle::new(bus.connect(), database(), &mapping(), Arc::new(clock.clone())).unwrap();
    let mut pool = LocalPool::new();
    spawn(&pool.spawner(), driver);
    let receipt = block_on(car.write_path(HEAT, 60_u8, Set::within(Duration::from_secs(1)))).unwrap();
    let mut batch = Batch::new(8);
    block_on(ecu.read(&mut batch)).unwrap();
    assert_eq!(batch.frames().len(), 1);
    assert_eq!(batch.frames()[0].to_string(), "(0000000000.000000) - 102#3C00 T");
    for (path, value) in [(SPEED, Value::Float(1.0)), (DOOR, Value::Bool(true))] {
        assert_eq!(
            block_on(car.write_path(path, value, Set::default())).unwrap_err().kind(),
            ErrorKind::NotActuator
        );
    }
    assert_eq!(
        block_on(car.write_path(HEAT, 101_u8, Set::default())).unwrap_err().kind(),
        ErrorKind::OutOfRange
    );
    batch.clear();
    assert!(ecu.read(&mut batch).now_or_never().is_none(), "nothing else was sent");

    let answer = coachwork_can::Frame::new(coachwork_can::CanId::standard(0x101).unwrap(), &[60, 0]).unwrap();
    to_car.unwrap().try_send(&answer).unwrap();
    pool.run_until_stalled();
    assert!(matches!(receipt.outcome().now_or_never(), Some(Outcome::Confirmed(_))));
    assert_eq!(state(&car, HEAT), State::Valid(Value::Uint(60)));
}

#[test]
fn a_command_that_nothing_reads_back_ends_with_accepted() {
    let text = MAPPING.replace(r#""dbc2vss": {"signal": "SeatHeat", "on_change": true}, "#, "");
    let mapping = Mapping::parse("m.json", &text).unwrap();
    let bus = VirtualBus::new("can0", 4);
    let clock = Arc::new(ManualClock::default());
    let (car, _driver) = CanVehicle::new(bus.connect(), database(), &mapping, clock).unwrap();
    let receipt = block_on(car.write_path(HEAT, 1_u8, Set::default())).unwrap();
    assert_eq!(receipt.outcome().now_or_never(), Some(Outcome::Accepted));
    assert_eq!(block_on(car.read_path(HEAT)).unwrap_err().kind(), ErrorKind::Denied);
}

#[test]
fn a_full_bus_refuses_a_command_and_it_can_be_asked_again() {
    let bus = VirtualBus::new("can0", 1);
    let (mut ecu, _) = bus.connect().into_parts();
    let (car, _driver) =
        CanVehicle::new(bus.connect(), database(), &mapping(), Arc::new(ManualClock::default())).unwrap();
    block_on(car.write_path(HEAT, 1_u8, Set::default())).unwrap();
    let error = block_on(car.write_path(HEAT, 2_u8, Set::default())).unwrap_err();
    assert!(error.is_temporary(), "{error}");
    let mut batch = Batch::new(8);
    block_on(ecu.read(&mut batch)).unwrap();
    block_on(car.write_path(HEAT, 2_u8, Set::default())).unwrap();
}

/// What a simulator is to the bus: a vehicle with values, that moves its seat when it is told to.
fn simulated(clock: &ManualClock) -> MemoryVehicle {
    let entries = [
        Entry::sensor(SPEED, DataType::FLOAT).with_unit("km/h"),
        Entry::sensor(DOOR, DataType::BOOLEAN),
        Entry::actuator(HEAT, DataType::UINT8).with_unit("percent"),
    ];
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(clock.clone()))
}

#[test]
fn a_vehicle_behind_a_bus_reads_and_moves_like_itself() {
    let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
    let car = simulated(&clock);
    let bus = VirtualBus::new("can0", 64);
    let emit = Emit::of(Arc::new(car.clone()), database(), &mapping()).unwrap();
    assert!(emit.missing().is_empty());
    let (far, driver) =
        CanVehicle::new(bus.connect(), database(), &mapping(), Arc::new(clock.clone())).unwrap();
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    spawn(&spawner, driver);
    spawn(&spawner, emit.onto(bus.connect(), Arc::new(clock.clone())));
    drop(bus);

    let now = clock.now();
    // Before the vehicle knows its speed, the message that carries it has nothing true to say.
    pool.run_until_stalled();
    assert_eq!(state(&far, SPEED), State::NeverSet);
    car.publish(&[
        (SPEED, Datapoint::valid(Value::Float(87.25), now)),
        (DOOR, Datapoint::valid(Value::Bool(true), now)),
        (HEAT, Datapoint::valid(Value::Uint(0), now)),
    ])
    .unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&far, SPEED), State::Valid(Value::Float(87.25)));
    assert_eq!(state(&far, DOOR), State::Valid(Value::Bool(true)));
    assert_eq!(state(&far, HEAT), State::Valid(Value::Uint(0)));

    // The cycle keeps an unchanged value fresh.
    for _ in 0..20 {
        clock.advance(Duration::from_millis(100));
        pool.run_until_stalled();
    }
    assert_eq!(state(&far, SPEED).availability(), Availability::Valid);

    // A request goes the whole way and its answer comes back.
    let receipt = block_on(far.write_path(HEAT, 60_u8, Set::within(Duration::from_secs(5)))).unwrap();
    assert!(receipt.outcome().now_or_never().is_none());
    pool.run_until_stalled();
    assert_eq!(state(&car, HEAT), State::Valid(Value::Uint(60)));
    assert!(matches!(receipt.outcome().now_or_never(), Some(Outcome::Confirmed(_))));
    assert_eq!(state(&far, HEAT), State::Valid(Value::Uint(60)));

    // What the vehicle does not know goes out as not available.
    car.publish(&[
        (DOOR, Datapoint::new(State::NotAvailable(coachwork_vehicle::Reason::new(ReasonKind::Source)), now)),
        (HEAT, Datapoint::new(State::Error(coachwork_vehicle::Reason::new(ReasonKind::Source)), now)),
    ])
    .unwrap();
    clock.advance(Duration::from_millis(100));
    pool.run_until_stalled();
    assert_eq!(state(&far, HEAT).availability(), Availability::NotAvailable, "the signal has no error value");
    assert_eq!(state(&far, DOOR).availability(), Availability::NotAvailable);
    assert_eq!(state(&far, SPEED).availability(), Availability::Valid);

    // A signal that cannot say so silences its message, until there is a value again.
    let unknown = State::NotAvailable(coachwork_vehicle::Reason::new(ReasonKind::Source));
    car.publish(&[(SPEED, Datapoint::new(unknown, now))]).unwrap();
    for _ in 0..4 {
        clock.advance(Duration::from_millis(100));
        pool.run_until_stalled();
    }
    assert_eq!(state(&far, SPEED), State::Stale(Value::Float(87.25)));
    car.publish(&[(SPEED, Datapoint::valid(Value::Float(3.0), now))]).unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&far, SPEED), State::Valid(Value::Float(3.0)));
}
