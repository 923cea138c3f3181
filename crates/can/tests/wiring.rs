//! What the mapping's form lacks: buses, J1939 senders, units, special values, staleness, cyclic commands, counters and checksums.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use coachwork_can::bus::{Batch, Bus, FrameSource, LogSource, VirtualBus};
use coachwork_can::log::LogReader;
use coachwork_can::{CanId, CanVehicle, Frame, Mapping, MappingError, Segment, Stamps, StartValues, Wiring};
use coachwork_dbc::Database;
use coachwork_vehicle::{
    Availability, Clock, DataType, Datapoint, Driver, Entry, Facts, ManualClock, MemoryVehicle, Outcome,
    ReasonKind, Set, State, Timestamp, Value, Vehicle, VehicleExt,
};
use futures::FutureExt;
use futures::executor::{LocalPool, LocalSpawner, block_on};
use futures::task::LocalSpawnExt;
use std::sync::Arc;
use std::time::Duration;

fn mapping(leaves: &[(&str, &str)]) -> Mapping {
    let leaves: Vec<String> =
        leaves.iter().map(|(path, members)| format!(r#""{path}": {{{members}}}"#)).collect();
    Mapping::parse("m.json", &format!("{{{}}}", leaves.join(","))).unwrap()
}

fn database(text: &str) -> Database {
    Database::parse(&format!("BU_: A B\n{text}")).unwrap()
}

fn source(text: &str) -> Bus {
    Bus::read_only(LogSource::new(LogReader::new("log", std::io::Cursor::new(text.to_owned()))))
}

fn state(car: &dyn Vehicle, path: &str) -> State {
    block_on(car.read_path(path)).unwrap().state
}

fn spawn(spawner: &LocalSpawner, driver: Driver) {
    spawner.spawn_local(async move { driver.await.unwrap() }).unwrap();
}

/// The values that a path had until the log ended.
fn values(car: &CanVehicle, driver: Driver, path: &str) -> Vec<String> {
    let wish = coachwork_vehicle::Subscribe::to([]).queue(64);
    let mut watch = block_on(car.watch(&[path], coachwork_vehicle::Filter::new(), wish)).unwrap();
    block_on(driver).unwrap();
    let mut seen = Vec::new();
    while let Some(Some(coachwork_vehicle::Event::Changed(points))) = watch.next().now_or_never() {
        seen.extend(points.iter().map(|(_, point)| point.state.to_string()));
    }
    seen.retain(|state| state != "never set" && !state.ends_with("has ended"));
    seen
}

fn played(log: &str, dbc: &str, entry: &str) -> Vec<String> {
    let (car, driver) = CanVehicle::new(
        source(log),
        database(dbc),
        &mapping(&[("A", entry)]),
        Arc::new(ManualClock::default()),
    )
    .unwrap();
    values(&car, driver, "A")
}

const SAME: &str = "BO_ 291 Same: 1 A\n SG_ S : 0|8@1+ (1,0) [0|250] \"\" A\n";

fn two_buses(qualified: &str) -> Result<(CanVehicle, Driver), MappingError> {
    let log = "(1.0) can0 123#01\n(1.1) can1 123#02\n(1.2) can2 123#03\n";
    let mapping = mapping(&[(
        "A",
        &format!(r#""type": "sensor", "datatype": "uint8", "dbc2vss": {{{qualified}, "interval_ms": 0}}"#),
    )]);
    Wiring::new()
        .bus(
            source(log),
            [
                Segment::new("drive", database(SAME)).on_channel("can0".parse().unwrap()),
                Segment::new("body", database(SAME)).on_channel("can1".parse().unwrap()),
            ],
        )
        .vehicle(&mapping, Arc::new(ManualClock::default()))
}

#[test]
fn a_signal_is_qualified_by_message_and_bus() {
    for (bus, expected) in [("drive", "1"), ("body", "2")] {
        let (car, driver) = two_buses(&format!(r#""bus": "{bus}", "signal": "Same.S""#)).unwrap();
        assert_eq!(values(&car, driver, "A"), [expected]);
        assert_eq!((car.counts().frames, car.counts().mapped, car.counts().unknown), (3, 1, 1));
    }
    let error = two_buses(r#""signal": "S""#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "m.json: A: dbc2vss: the signal \"S\" is in several messages: drive:Same, body:Same; write `Message.Signal`, and `bus` where there are several"
    );
    let error = two_buses(r#""bus": "engine", "signal": "S""#).unwrap_err();
    assert_eq!(error.to_string(), "m.json: A: dbc2vss: there is no bus \"engine\"; there are drive, body");
}

#[test]
fn a_wiring_that_contradicts_itself_is_refused() {
    let mapping = mapping(&[]);
    let segments = |names: [&str; 2], channels: [&str; 2]| {
        let segment =
            |at: usize| Segment::new(names[at], database(SAME)).on_channel(channels[at].parse().unwrap());
        let wiring = Wiring::new().bus(source(""), [segment(0), segment(1)]);
        wiring.vehicle(&mapping, Arc::new(ManualClock::default())).err().map(|error| error.to_string())
    };
    assert_eq!(segments(["a", "b"], ["0", "1"]), None);
    assert_eq!(segments(["a", "a"], ["0", "1"]).unwrap(), "m.json: two buses are named \"a\"");
    assert_eq!(segments(["a", "b"], ["0", "0"]).unwrap(), "m.json: two buses claim the channel 0 of log");
    let none = Wiring::new().bus(source(""), []).vehicle(&mapping, Arc::new(ManualClock::default()));
    assert_eq!(none.unwrap_err().to_string(), "m.json: the source log carries no bus");
}

/// Two live buses: each ends alone, and takes only its own signals with it.
#[test]
fn several_buses_are_one_vehicle_and_end_one_by_one() {
    let (drive, body) = (VirtualBus::new("can0", 8), VirtualBus::new("can1", 8));
    let (_, to_drive) = drive.connect().into_parts();
    let (mut from_body, to_body) = body.connect().into_parts();
    let (to_drive, to_body) = (to_drive.unwrap(), to_body.unwrap());
    let mapping = mapping(&[
        (
            "A",
            r#""type": "sensor", "datatype": "uint8", "dbc2vss": {"bus": "drive", "signal": "S", "interval_ms": 0}"#,
        ),
        (
            "B",
            r#""type": "actuator", "datatype": "uint8", "dbc2vss": {"bus": "body", "signal": "S", "interval_ms": 0}, "vss2dbc": {"bus": "body", "signal": "S"}"#,
        ),
    ]);
    let (car, driver) = Wiring::new()
        .bus(drive.connect(), [Segment::new("drive", database(SAME))])
        .bus(body.connect(), [Segment::new("body", database(SAME))])
        .vehicle(&mapping, Arc::new(ManualClock::default()))
        .unwrap();
    let mut pool = LocalPool::new();
    spawn(&pool.spawner(), driver);
    let frame = |byte| Frame::new(CanId::standard(0x123).unwrap(), &[byte]).unwrap();
    to_drive.try_send(&frame(7)).unwrap();
    to_body.try_send(&frame(9)).unwrap();
    pool.run_until_stalled();
    assert_eq!(
        (state(&car, "A"), state(&car, "B")),
        (State::Valid(Value::Uint(7)), State::Valid(Value::Uint(9)))
    );

    let receipt = block_on(car.write_path("B", 5_u8, Set::within(Duration::from_secs(9)))).unwrap();
    let mut batch = Batch::new(4);
    block_on(from_body.read(&mut batch)).unwrap();
    assert_eq!(batch.frames()[0].data(), [5], "on its own bus");
    drop((drive, to_drive));
    pool.run_until_stalled();
    assert_eq!(state(&car, "A").to_string(), "not available: can0 has ended");
    assert_eq!(state(&car, "B"), State::Valid(Value::Uint(9)));
    assert!(receipt.clone().outcome().now_or_never().is_none());
    drop((body, to_body, from_body));
    pool.run_until_stalled();
    assert_eq!(state(&car, "B").to_string(), "not available: can1 has ended");
    assert!(matches!(receipt.outcome().now_or_never(), Some(Outcome::Refused(_))));
}

#[test]
fn what_is_sent_is_on_the_channel_of_its_bus() {
    let bus = VirtualBus::new("gateway", 8);
    let (mut far, _) = bus.connect().into_parts();
    let mapping = mapping(&[(
        "B",
        r#""type": "actuator", "datatype": "uint8", "vss2dbc": {"bus": "body", "signal": "S"}"#,
    )]);
    let (car, _driver) = Wiring::new()
        .bus(
            bus.connect(),
            [
                Segment::new("drive", database(SAME)).on_channel("0".parse().unwrap()),
                Segment::new("body", database(SAME)).on_channel("1".parse().unwrap()),
            ],
        )
        .vehicle(&mapping, Arc::new(ManualClock::default()))
        .unwrap();
    block_on(car.write_path("B", 5_u8, Set::default())).unwrap();
    let mut batch = Batch::new(4);
    block_on(far.read(&mut batch)).unwrap();
    assert_eq!((batch.frames()[0].channel().as_str(), batch.frames()[0].data()), ("1", &[5][..]));
}

/// EEC1 (parameter group 61444) from the engine (0) and the transmission (3); the database knows it with the address 254.
const J1939: &str =
    "BO_ 2364540158 EEC1: 8 A\n SG_ EngineSpeed : 24|16@1+ (0.125,0) [0|8031.875] \"rpm\" A\n";
const TRUCK: &str = "(1.0) c 0CF00400#FFFFFF4038FFFFFF\n(1.1) c 0CF00403#FFFFFF8038FFFFFF\n(1.2) c 18F00400#FFFFFFC038FFFFFF\n(1.3) c 0CF00500#FFFFFF0000FFFFFF\n";

#[test]
fn a_j1939_signal_is_read_by_its_group_from_any_sender_or_one() {
    let entry = |name: &str| {
        format!(
            r#""type": "sensor", "datatype": "float", "unit": "rpm", "dbc2vss": {{"signal": "EngineSpeed", {name}, "interval_ms": 0}}"#
        )
    };
    assert_eq!(played(TRUCK, J1939, &entry(r#""pgn": 61444"#)), ["1800", "1808", "1816"]);
    assert_eq!(played(TRUCK, J1939, &entry(r#""pgn": 61444, "source": 0"#)), ["1800", "1816"]);
    assert_eq!(played(TRUCK, J1939, &entry(r#""pgn": 61444, "source": 3"#)), ["1808"]);
    assert!(played(TRUCK, J1939, &entry(r#""pgn": 61444, "source": 9"#)).is_empty());
    let refused = |name: &str, dbc: &str| {
        let mapping = mapping(&[("A", &entry(name))]);
        CanVehicle::new(source(""), database(dbc), &mapping, Arc::new(ManualClock::default()))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(r#""pgn": 61443"#, J1939),
        "m.json: A: dbc2vss: the database has no message of parameter group 61443"
    );
    let standard = "BO_ 5 M: 8 A\n SG_ EngineSpeed : 0|16@1+ (1,0) [0|0] \"rpm\" A\n";
    assert_eq!(
        refused(r#""source": 1"#, standard),
        "m.json: A: dbc2vss: the message \"M\" has no source address: its identifier has 11 bits"
    );
}

#[test]
fn a_frame_of_a_group_is_read_whatever_message_its_identifier_is_that_of() {
    // The transmission's own message of the group has other signals.
    let dbc = format!("{J1939}BO_ 2364539907 Other: 8 A\n SG_ Whatever : 0|8@1+ (1,0) [0|0] \"\" A\n");
    let leaf = |signal: &str| {
        format!(
            r#""type": "sensor", "datatype": "float", "dbc2vss": {{"signal": {signal}, "interval_ms": 0}}"#
        )
    };
    let mapping = mapping(&[("A", &leaf(r#""EngineSpeed", "pgn": 61444"#)), ("B", &leaf(r#""Whatever""#))]);
    let (car, driver) =
        CanVehicle::new(source(TRUCK), database(&dbc), &mapping, Arc::new(ManualClock::default())).unwrap();
    assert_eq!(values(&car, driver, "A"), ["1800", "1808", "1816"]);
    assert_eq!((car.counts().mapped, car.counts().unknown), (3, 1));
}

#[test]
fn a_j1939_command_goes_out_from_the_address_that_the_mapping_says() {
    let bus = VirtualBus::new("can0", 8);
    let (mut far, _) = bus.connect().into_parts();
    let mapping = mapping(&[(
        "A",
        r#""type": "actuator", "datatype": "float", "vss2dbc": {"signal": "EngineSpeed", "pgn": 61444, "source": 39}"#,
    )]);
    let (car, _driver) =
        CanVehicle::new(bus.connect(), database(J1939), &mapping, Arc::new(ManualClock::default())).unwrap();
    block_on(car.write_path("A", 1800_f32, Set::default())).unwrap();
    let mut batch = Batch::new(4);
    block_on(far.read(&mut batch)).unwrap();
    assert_eq!(batch.frames()[0].id().raw(), 0x0CF0_0427);
}

#[test]
fn a_number_is_converted_to_the_unit_of_its_path_and_back() {
    let bus = VirtualBus::new("can0", 8);
    let (mut far, to_car) = bus.connect().into_parts();
    let dbc = "BO_ 291 M: 4 A\n SG_ Speed : 0|16@1+ (0.01,0) [0|300] \"mph\" A\n SG_ Temp : 16|8@1+ (1,-40) [-40|215] \"degF\" A\n SG_ None : 24|8@1+ (1,0) [0|255] \"\" A\n";
    let leaf = |kind: &str, unit: &str, signal: &str, to: &str| {
        format!(
            r#""type": "{kind}", "datatype": "double", "unit": "{unit}", "dbc2vss": {{"signal": "{signal}", "interval_ms": 0}}{to}"#
        )
    };
    let mapping = mapping(&[
        ("Speed", &leaf("actuator", "m/s", "Speed", r#", "vss2dbc": {"signal": "Speed"}"#)),
        ("Temp", &leaf("sensor", "Celsius", "Temp", "")),
        ("None", &leaf("sensor", "km/h", "None", "")),
    ]);
    let (car, driver) =
        CanVehicle::new(bus.connect(), database(dbc), &mapping, Arc::new(ManualClock::default())).unwrap();
    let mut pool = LocalPool::new();
    spawn(&pool.spawner(), driver);
    let receipt = block_on(car.write_path("Speed", 44.704_f64, Set::within(Duration::from_secs(1)))).unwrap();
    let mut batch = Batch::new(4);
    block_on(far.read(&mut batch)).unwrap();
    assert_eq!(&batch.frames()[0].data()[..2], 10_000_u16.to_le_bytes());
    let answer = Frame::new(CanId::standard(0x123).unwrap(), &[0x10, 0x27, 252, 17]).unwrap();
    to_car.unwrap().try_send(&answer).unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&car, "Speed"), State::Valid(Value::Double(44.704)), "100 mph");
    assert_eq!(state(&car, "Temp"), State::Valid(Value::Double(100.0)), "212 °F");
    assert_eq!(state(&car, "None"), State::Valid(Value::Double(17.0)), "no unit says nothing");
    assert!(matches!(receipt.outcome().now_or_never(), Some(Outcome::Confirmed(_))));
    let step = car.catalogue().entry(car.catalogue().resolve("Speed").unwrap()).unwrap().step().unwrap();
    assert!((step - 0.004_470_4).abs() < 1e-12, "the bus' step in the path's unit: {step}");
}

#[test]
fn a_unit_that_is_not_known_or_does_not_convert_is_never_a_silent_number() {
    let refused = |unit: &str, members: &str| {
        let dbc = format!("BO_ 291 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|250] \"{unit}\" A\n");
        let mapping = Mapping::parse(
            "m.json",
            &format!(
                r#"{{"A": {{"type": "sensor", "datatype": "float", "unit": "m/s", "dbc2vss": {{"signal": "S"{members}}}}}}}"#
            ),
        )?;
        CanVehicle::new(source(""), database(&dbc), &mapping, Arc::new(ManualClock::default())).map(drop)
    };
    let said = |unit, members| refused(unit, members).unwrap_err().to_string();
    assert_eq!(said("degC", ""), "m.json: A: dbc2vss: S is in degC, which does not convert to m/s");
    assert_eq!(
        said("knots", ""),
        "m.json: A: dbc2vss: the unit \"knots\" of S is not known; say with `\"unit\"` which one it is, or that it is \"m/s\" already"
    );
    // The mapping may say what the database does not.
    assert!(refused("knots", r#", "unit": "m/s""#).is_ok());
    assert!(refused("degC", r#", "unit": "km/h""#).is_ok());
    // An expression gives the path's unit by itself.
    assert!(refused("knots", r#", "transform": {"math": "x * 0.5144"}"#).is_ok());
    assert_eq!(
        said("knots", r#", "unit": "m/s", "transform": {"math": "x"}"#),
        "m.json: A: dbc2vss: `unit` beside a transform means nothing: the transform gives the path's unit"
    );
}

#[test]
fn a_mapping_names_special_values_that_the_database_does_not() {
    let dbc = "BO_ 291 M: 2 A\n SG_ S : 0|16@1+ (0.1,0) [0|250] \"\" A\nVAL_ 291 S 9 \"Broken\" ;\n";
    let entry = |more: &str| {
        format!(
            r#""type": "sensor", "datatype": "double", "dbc2vss": {{"signal": "S", "interval_ms": 0, {more}}}"#
        )
    };
    let log = "(1.0) c 123#FFFF\n(1.1) c 123#0900\n(1.2) c 123#0A00\n";
    assert_eq!(
        played(log, dbc, &entry(r#""not_available": 6553.5, "error": ["Broken"]"#)),
        ["not available: S is sent as not available", "error: S is sent as an error", "1"]
    );
    let error = CanVehicle::new(
        source(""),
        database(dbc),
        &mapping(&[("A", &entry(r#""error": "Kaputt""#))]),
        Arc::new(ManualClock::default()),
    );
    assert_eq!(error.unwrap_err().to_string(), "m.json: A: dbc2vss: \"Kaputt\" does not fit the labels of S");
}

#[test]
fn a_value_that_is_none_any_more_passes_the_time_gate() {
    let dbc = "BO_ 291 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|250] \"\" A\nVAL_ 291 S 255 \"SNA\" ;\n";
    let entry = r#""type": "sensor", "datatype": "uint8", "dbc2vss": {"signal": "S", "interval_ms": 1000}"#;
    let log =
        "(1.0) c 123#01\n(1.1) c 123#02\n(1.2) c 123#FF\n(1.3) c 123#FF\n(1.4) c 123#03\n(2.0) c 123#04\n";
    assert_eq!(played(log, dbc, entry), ["1", "not available: S is sent as not available", "4"]);
}

fn stale(entry: &str, attributes: &str) -> Option<Duration> {
    let dbc = format!(
        "BO_ 291 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|250] \"\" A\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 9999;\nBA_DEF_ BO_ \"GenMsgSendType\" ENUM \"Cyclic\",\"Event\";\nBA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_DEF_DEF_ \"GenMsgSendType\" \"Cyclic\";\n{attributes}"
    );
    let mapping = mapping(&[(
        "A",
        &format!(r#""type": "sensor", "datatype": "uint8", "dbc2vss": {{"signal": "S", {entry}}}"#),
    )]);
    let (car, _) =
        CanVehicle::new(source(""), database(&dbc), &mapping, Arc::new(ManualClock::default())).unwrap();
    let catalogue = car.catalogue();
    catalogue.entry(catalogue.resolve("A").unwrap()).unwrap().stale_after()
}

#[test]
fn staleness_follows_from_the_cycle_of_the_message_or_the_word_of_the_mapping() {
    let cycle = "BA_ \"GenMsgCycleTime\" BO_ 291 100;\n";
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(stale(r#""interval_ms": 0"#, cycle), ms(300));
    assert_eq!(stale(r#""interval_ms": 500"#, cycle), ms(800));
    assert_eq!(stale(r#""interval_ms": 0"#, ""), None);
    assert_eq!(
        stale(r#""interval_ms": 0"#, &format!("{cycle}BA_ \"GenMsgSendType\" BO_ 291 1;\n")),
        None,
        "sent on events"
    );
    assert_eq!(stale(r#""interval_ms": 0, "stale_ms": 50"#, cycle), ms(50));
    assert_eq!(stale(r#""interval_ms": 0, "stale_ms": 50"#, ""), ms(50));
    assert_eq!(stale(r#""interval_ms": 0, "stale_ms": 0"#, cycle), None);
}

const SEAT: &str = "BO_ 258 Seat: 4 A\n SG_ Heat : 0|8@1+ (1,0) [0|100] \"%\" B\n SG_ Alive : 8|4@1+ (1,0) [0|14] \"\" B\n SG_ Mode : 12|4@1+ (1,0) [0|15] \"\" B\n SG_ Level : 16|8@1+ (1,0) [0|15] \"\" B\n SG_ Crc : 24|8@1+ (1,0) [0|255] \"\" B\n\
BA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 9999;\nBA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_DEF_ SG_ \"GenSigStartValue\" INT 0 255;\nBA_DEF_DEF_ \"GenSigStartValue\" 0;\nBA_ \"GenSigStartValue\" SG_ 258 Mode 3;\nBA_ \"GenMsgCycleTime\" BO_ 258 100;\nVAL_ 258 Mode 5 \"Eco\" ;\n";

struct Bench {
    pool: LocalPool,
    clock: ManualClock,
    ears: Box<dyn FrameSource>,
    car: CanVehicle,
    _bus: VirtualBus,
}

impl Bench {
    fn new(dbc: &str, vss2dbc: &str, wire: impl FnOnce(Wiring) -> Wiring) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(100));
        let bus = VirtualBus::new("can0", 64);
        let (ears, _) = bus.connect().into_parts();
        let mapping = mapping(&[(
            "Heat",
            &format!(
                r#""type": "actuator", "datatype": "uint8", "unit": "percent", "vss2dbc": {{"signal": "Heat"{vss2dbc}}}"#
            ),
        )]);
        let wiring = wire(Wiring::new().bus(bus.connect(), [Segment::new("body", database(dbc))]));
        let (car, driver) = wiring.vehicle(&mapping, Arc::new(clock.clone())).unwrap();
        let pool = LocalPool::new();
        spawn(&pool.spawner(), driver);
        Self { pool, clock, ears, car, _bus: bus }
    }

    fn set(&mut self, heat: u8) {
        block_on(self.car.write_path("Heat", heat, Set::default())).unwrap();
        self.pool.run_until_stalled();
    }

    /// What was sent: milliseconds since the start, and the payload.
    fn heard(&mut self) -> Vec<(i64, Vec<u8>)> {
        let mut batch = Batch::new(64);
        let _ = self.ears.read(&mut batch).now_or_never();
        let at = |frame: &Frame| frame.time().unwrap().nanoseconds() / 1_000_000 - 100_000;
        batch.frames().iter().map(|frame| (at(frame), frame.data().to_vec())).collect()
    }

    fn pass(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds / 10 {
            self.clock.advance(Duration::from_millis(10));
            self.pool.run_until_stalled();
        }
    }
}

#[test]
fn a_cyclic_message_is_repeated_from_its_first_request_on() {
    let mut bench = Bench::new(SEAT, "", |wiring| wiring);
    bench.pass(500);
    assert!(bench.heard().is_empty(), "nothing is sent before somebody asks");
    bench.set(60);
    assert_eq!(bench.heard(), [(500, vec![60, 0x30, 0, 0])], "with start values, at once");
    bench.pass(250);
    assert_eq!(bench.heard(), [(600, vec![60, 0x30, 0, 0]), (700, vec![60, 0x30, 0, 0])]);
    bench.set(10);
    bench.pass(200);
    assert_eq!(
        bench.heard(),
        [(750, vec![10, 0x30, 0, 0]), (850, vec![10, 0x30, 0, 0]), (950, vec![10, 0x30, 0, 0])]
    );
    assert_eq!((bench.car.counts().sent, bench.car.counts().skipped), (6, 0));
    // A late timer skips what it missed.
    bench.clock.advance(Duration::from_millis(1010));
    bench.pool.run_until_stalled();
    assert_eq!(bench.heard().len(), 1);
    drop(bench.car);
    bench.clock.advance(Duration::from_secs(1));
    bench.pool.run_until_stalled();
    let mut batch = Batch::new(4);
    let _ = bench.ears.read(&mut batch).now_or_never();
    assert!(batch.is_empty(), "it ends with the vehicle");
}

#[test]
fn a_message_that_is_sent_on_events_is_sent_once_and_the_mapping_may_say_otherwise() {
    let event = format!(
        "{SEAT}BA_DEF_ BO_ \"GenMsgSendType\" ENUM \"Cyclic\",\"Event\";\nBA_ \"GenMsgSendType\" BO_ 258 1;\n"
    );
    for (dbc, member, frames) in [
        (event.as_str(), "", 1),
        (&event, r#", "cycle_ms": 200"#, 3),
        (SEAT, r#", "cycle_ms": 0"#, 1),
        (SEAT, "", 6),
    ] {
        let mut bench = Bench::new(dbc, member, |wiring| wiring);
        bench.set(1);
        bench.pass(500);
        assert_eq!(bench.heard().len(), frames, "{member}");
    }
}

#[test]
fn a_message_that_is_cyclic_while_active_stops_at_its_start_value() {
    let active = format!(
        "{SEAT}BA_DEF_ BO_ \"GenMsgSendType\" ENUM \"Cyclic\",\"IfActive\";\nBA_ \"GenMsgSendType\" BO_ 258 1;\n"
    );
    let mut bench = Bench::new(&active, "", |wiring| wiring);
    bench.set(60);
    bench.pass(200);
    assert_eq!(bench.heard().len(), 3);
    bench.set(0);
    bench.pass(500);
    assert_eq!(bench.heard().len(), 1, "once more, to say so");
}

#[test]
fn counters_and_checksums_are_in_every_frame() {
    let sum = |id: CanId, payload: &[u8]| {
        u64::from(payload.iter().fold(id.raw(), |sum, byte| sum ^ u32::from(*byte)))
    };
    let mut bench = Bench::new(SEAT, "", |wiring| {
        let stamps = Stamps::new()
            .counter("Seat.Alive")
            .hook("Seat", |_, payload| payload[2] = 9)
            .checksum("body:Seat.Crc", sum);
        wiring.stamps(stamps)
    });
    bench.set(60);
    bench.pass(1600);
    let heard = bench.heard();
    assert_eq!(heard.len(), 17);
    for (number, (_, payload)) in heard.iter().enumerate() {
        assert_eq!(payload[1] & 15, u8::try_from(number % 15).unwrap(), "0 to 14, and again");
        assert_eq!(payload[2], 9);
        assert_eq!(
            payload[3],
            0x3C ^ payload[1] ^ 9 ^ 2,
            "{payload:02X?}: of what was sent, with the id 0x102"
        );
    }
    let refused = |stamps: Stamps| {
        let wiring = Wiring::new().bus(source(""), [Segment::new("body", database(SEAT))]).stamps(stamps);
        wiring.vehicle(&mapping(&[]), Arc::new(ManualClock::default())).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Stamps::new().counter("Seat.Nope")),
        "m.json: Seat: stamp: the database has no signal \"Nope\""
    );
    assert_eq!(
        refused(Stamps::new().hook("Nope", |_, _| {})),
        "m.json: Nope: stamp: the database has no message \"Nope\""
    );
}

#[test]
fn a_repetition_that_the_bus_has_no_room_for_is_counted_and_its_counter_stands() {
    let clock = ManualClock::default();
    let bus = VirtualBus::new("can0", 1);
    let (mut ears, _) = bus.connect().into_parts();
    let mapping =
        mapping(&[("Heat", r#""type": "actuator", "datatype": "uint8", "vss2dbc": {"signal": "Heat"}"#)]);
    let wiring = Wiring::new()
        .bus(bus.connect(), [Segment::new("body", database(SEAT))])
        .stamps(Stamps::new().counter("Seat.Alive"));
    let (car, driver) = wiring.vehicle(&mapping, Arc::new(clock.clone())).unwrap();
    let mut pool = LocalPool::new();
    spawn(&pool.spawner(), driver);
    block_on(car.write_path("Heat", 1_u8, Set::default())).unwrap();
    pool.run_until_stalled();
    clock.advance(Duration::from_millis(100));
    pool.run_until_stalled();
    assert_eq!((car.counts().sent, car.counts().skipped), (1, 1));
    let mut batch = Batch::new(4);
    block_on(ears.read(&mut batch)).unwrap();
    clock.advance(Duration::from_millis(100));
    pool.run_until_stalled();
    batch.clear();
    block_on(ears.read(&mut batch)).unwrap();
    assert_eq!(batch.frames()[0].data()[1] & 15, 1, "the second that was sent");
}

#[test]
fn start_values_may_be_given_and_must_be_of_signals_that_there_are() {
    let start = |text: &str| StartValues::parse("start.json", text).unwrap();
    let mut bench =
        Bench::new(SEAT, "", |wiring| wiring.start_values(start(r#"{"Mode": "Eco", "Seat.Level": 7}"#)));
    bench.set(60);
    assert_eq!(bench.heard(), [(0, vec![60, 0x50, 7, 0])]);
    let refused = |text: &str| {
        let wiring =
            Wiring::new().bus(source(""), [Segment::new("body", database(SEAT))]).start_values(start(text));
        wiring.vehicle(&mapping(&[]), Arc::new(ManualClock::default())).unwrap_err().to_string()
    };
    assert_eq!(refused(r#"{"Nope": 1}"#), "start.json: Nope: the database has no signal \"Nope\"");
    assert!(StartValues::parse("start.json", r#"{"Mode": null}"#).is_err());
}

/// A vehicle goes out on two buses the same way, and comes back the same.
#[test]
fn any_vehicle_is_emitted_onto_several_buses_with_units_and_stamps() {
    let clock = ManualClock::new(Timestamp::from_seconds(5));
    let entries = [
        Entry::sensor("Speed", DataType::FLOAT).with_unit("km/h"),
        Entry::actuator("Heat", DataType::UINT8).with_unit("percent"),
    ];
    let car = MemoryVehicle::new(
        coachwork_vehicle::Catalogue::new(entries, Facts::default()).unwrap(),
        Arc::new(clock.clone()),
    );
    let drive =
        "BO_ 291 Drive: 2 A\n SG_ Mps : 0|16@1+ (0.01,0) [0|100] \"m/s\" B\nVAL_ 291 Mps 65535 \"SNA\" ;\n";
    let body = SEAT.replace("BO_ 258", "BO_ 257").replace(" 258 ", " 257 ").replace("Seat:", "SeatState:")
        + "BO_ 300 SeatRequest: 1 B\n SG_ HeatRequest : 0|8@1+ (1,0) [0|100] \"%\" A\n";
    let mapping = mapping(&[
        (
            "Speed",
            r#""type": "sensor", "datatype": "float", "unit": "km/h", "dbc2vss": {"bus": "drive", "signal": "Mps", "interval_ms": 0}"#,
        ),
        (
            "Heat",
            r#""type": "actuator", "datatype": "uint8", "unit": "percent", "dbc2vss": {"bus": "body", "signal": "Heat", "on_change": true}, "vss2dbc": {"bus": "body", "signal": "HeatRequest"}"#,
        ),
        (
            "Missing",
            r#""type": "sensor", "datatype": "uint8", "dbc2vss": {"bus": "body", "signal": "Level"}"#,
        ),
    ]);
    let (first, second) = (VirtualBus::new("can0", 64), VirtualBus::new("can1", 64));
    let wiring = || {
        Wiring::new()
            .bus(first.connect(), [Segment::new("drive", database(drive))])
            .bus(second.connect(), [Segment::new("body", database(&body))])
    };
    let (mut ears, _) = second.connect().into_parts();
    let (far, driver) = wiring().vehicle(&mapping, Arc::new(clock.clone())).unwrap();
    let emit = wiring().stamps(Stamps::new().counter("SeatState.Alive"));
    let (emitter, missing) = emit.emit(Arc::new(car.clone()), &mapping, Arc::new(clock.clone())).unwrap();
    assert_eq!(missing, ["Missing"]);
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    spawn(&spawner, driver);
    spawn(&spawner, emitter);
    car.publish(&[
        ("Speed", Datapoint::valid(Value::Float(36.0), clock.now())),
        ("Heat", Datapoint::valid(Value::Uint(0), clock.now())),
    ])
    .unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&far, "Speed"), State::Valid(Value::Float(36.0)));
    let receipt = block_on(far.write_path("Heat", 60_u8, Set::within(Duration::from_secs(5)))).unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&car, "Heat"), State::Valid(Value::Uint(60)));
    for _ in 0..10 {
        clock.advance(Duration::from_millis(10));
        pool.run_until_stalled();
    }
    assert!(matches!(receipt.outcome().now_or_never(), Some(Outcome::Confirmed(_))));
    let mut batch = Batch::new(64);
    let _ = ears.read(&mut batch).now_or_never();
    let alive: Vec<u8> =
        batch.frames().iter().filter(|f| f.id().raw() == 257).map(|f| f.data()[1] & 15).collect();
    assert_eq!(alive, [0, 1]);
    car.publish(&[(
        "Speed",
        Datapoint::not_available(coachwork_vehicle::Reason::new(ReasonKind::Source), clock.now()),
    )])
    .unwrap();
    pool.run_until_stalled();
    assert_eq!(state(&far, "Speed").availability(), Availability::NotAvailable);
}

/// A log is stepped by hand: frame after frame comes when its time has come, and what does not come any more is stale.
#[test]
fn a_log_is_stepped_by_the_manual_clock() {
    let dbc = "BO_ 291 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|250] \"\" A\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 9999;\nBA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_ \"GenMsgCycleTime\" BO_ 291 100;\n";
    let clock = ManualClock::default();
    let reader =
        LogReader::new("log", std::io::Cursor::new("(1.0) c 123#01\n(1.1) c 123#02\n(3.0) c 123#03\n"));
    let paced = LogSource::new(reader).paced(Arc::new(clock.clone()), 1.0);
    let mapping = mapping(&[(
        "A",
        r#""type": "sensor", "datatype": "uint8", "dbc2vss": {"signal": "S", "interval_ms": 0}"#,
    )]);
    let (car, driver) =
        CanVehicle::new(Bus::read_only(paced), database(dbc), &mapping, Arc::new(clock.clone())).unwrap();
    let mut pool = LocalPool::new();
    spawn(&pool.spawner(), driver);
    let mut at = |milliseconds| {
        clock.advance(Duration::from_millis(milliseconds));
        pool.run_until_stalled();
        state(&car, "A").to_string()
    };
    assert_eq!(at(0), "1");
    assert_eq!(at(99), "1");
    assert_eq!(at(1), "2");
    assert_eq!(at(299), "2");
    assert_eq!(at(1), "stale (last 2)");
    assert_eq!(at(1600), "not available: log has ended");
}

/// A source that tells what it was given, one item a read: a frame, or that its link is down.
#[derive(Debug)]
struct Told(std::collections::VecDeque<Option<Frame>>);

#[async_trait::async_trait]
impl FrameSource for Told {
    async fn read(&mut self, batch: &mut Batch) -> Result<(), coachwork_can::bus::BusError> {
        match self.0.pop_front() {
            None => {}
            Some(Some(frame)) => assert!(batch.push(frame)),
            Some(None) => {
                assert!(batch.begin_with(coachwork_can::bus::Gap::new(Timestamp::EPOCH, "the plug is out")));
            }
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        "can0"
    }

    fn time_base(&self) -> coachwork_vehicle::TimeBase {
        coachwork_vehicle::TimeBase::Utc
    }

    fn waits(&self) -> bool {
        true
    }
}

#[test]
fn a_link_that_comes_back_brings_values_back_that_did_not_change() {
    let frame = Frame::new(CanId::standard(0x123).unwrap(), &[7]).unwrap();
    let told = Told([Some(frame), Some(frame), None, Some(frame)].into());
    let mapping = mapping(&[(
        "A",
        r#""type": "sensor", "datatype": "uint8", "dbc2vss": {"signal": "S", "on_change": true}"#,
    )]);
    let (car, driver) =
        CanVehicle::new(Bus::read_only(told), database(SAME), &mapping, Arc::new(ManualClock::default()))
            .unwrap();
    assert_eq!(values(&car, driver, "A"), ["7", "not available: can0: the plug is out", "7"]);
}
