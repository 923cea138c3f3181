//! Frames through mappings: transforms, gates in their order, availability; and the way back.

use super::*;
use crate::{CanId, Databases, Frame};
use coachwork_dbc::Availability;
use coachwork_vehicle::{Datapoint, SignalId, State, Timestamp, Value};
use proptest::prelude::*;
use std::sync::Arc;

const DBC: &str = r#"VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 100 Drive: 8 A
 SG_ Speed : 0|16@1+ (0.1,-10) [-10|400] "km/h" B
 SG_ Gear : 16|4@1+ (1,0) [0|15] "" B
 SG_ Temp : 24|8@1- (1,0) [-128|127] "degC" B
 SG_ Big : 32|32@1+ (1,0) [0|0] "" B
BO_ 101 Seat: 2 A
 SG_ Heat : 0|8@1+ (1,0) [0|100] "" B
 SG_ Lamp : 8|2@1+ (1,0) [0|3] "" B
BO_ 102 Other: 2 A
 SG_ Heat : 0|8@1+ (1,0) [0|100] "" B
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 100 100;
VAL_ 100 Gear 0 "P" 1 "R" 2 "N" 3 "D" 15 "SNA" ;
VAL_ 101 Lamp 0 "Off" 1 "On" 2 "Error" 3 "SNA" ;
"#;

/// A `dbc2vss` with this expression.
fn through_math(math: &str) -> crate::FromBus {
    let text = format!(
        r#"{{"A": {{"type": "sensor", "datatype": "double", "dbc2vss": {{"signal": "Speed", "transform": {{"math": "{math}"}}}}}}}}"#
    );
    Mapping::parse("m.json", &text).unwrap().entries()[0].from_bus().unwrap().clone()
}

fn database() -> Databases {
    coachwork_dbc::Database::parse(DBC).unwrap().into()
}

fn compile(leaves: &str) -> Result<(Plan, Catalogue), MappingError> {
    let mapping = Mapping::parse("m.json", &format!("{{{leaves}}}"))?;
    let plan = Plan::compile(database(), &mapping, &StartValues::default())?;
    let catalogue = plan.catalogue(&mapping, |_| true, Facts::default())?;
    Ok((plan, catalogue))
}

fn leaf(path: &str, data_type: &str, members: &str) -> String {
    format!(r#""{path}": {{"type": "actuator", "datatype": "{data_type}", {members}}}"#)
}

/// Runs payloads of message 100, one every `step` milliseconds, and gives what passed as (time, state).
fn drive(data_type: &str, entry: &str, step: i64, payloads: &[[u8; 8]]) -> Vec<(i64, State)> {
    run(0x64, data_type, entry, step, &payloads.iter().map(|p| p.to_vec()).collect::<Vec<_>>())
}

fn run(id: u32, data_type: &str, entry: &str, step: i64, payloads: &[Vec<u8>]) -> Vec<(i64, State)> {
    let (plan, catalogue) = compile(&leaf("A", data_type, &format!(r#""dbc2vss": {entry}"#))).unwrap();
    let mut inward = Inward::new(&plan, &catalogue);
    let mut passed = Vec::new();
    for (number, payload) in (0..).zip(payloads) {
        let at = Timestamp::from_nanoseconds(number * step * 1_000_000);
        let frame = Frame::new(CanId::standard(id).unwrap(), payload).unwrap().with_time(at);
        let mut points: Vec<(SignalId, Datapoint)> = Vec::new();
        inward.read(0, &frame, Timestamp::from_seconds(1), &mut points);
        passed.extend(points.into_iter().map(|(_, point)| (number * step, point.state)));
    }
    passed
}

fn speed(raw: u16) -> [u8; 8] {
    let [a, b] = raw.to_le_bytes();
    [a, b, 0, 0, 0, 0, 0, 0]
}

fn only(data_type: &str, entry: &str, payload: [u8; 8]) -> Option<State> {
    drive(data_type, entry, 0, &[payload]).pop().map(|(_, state)| state)
}

#[test]
fn numbers_become_the_type_of_the_path() {
    let plain = r#"{"signal": "Speed"}"#;
    assert_eq!(only("double", plain, speed(1234)), Some(State::Valid(Value::Double(1234.0 * 0.1 - 10.0))));
    assert_eq!(only("float", plain, speed(1234)), Some(State::Valid(Value::Float(113.4))));
    assert_eq!(only("uint8", plain, speed(1135)), Some(State::Valid(Value::Uint(104))), "half to even");
    assert_eq!(only("boolean", plain, speed(1234)), Some(State::Valid(Value::Bool(true))));
    assert_eq!(only("boolean", plain, speed(100)), Some(State::Valid(Value::Bool(false))));
    assert_eq!(
        only("int8", r#"{"signal": "Temp"}"#, [0, 0, 0, 0x80, 0, 0, 0, 0]),
        Some(State::Valid(Value::Int(-128)))
    );
    assert_eq!(
        only("uint32", r#"{"signal": "Big"}"#, [0, 0, 0, 0, 255, 255, 255, 255]),
        Some(State::Valid(Value::Uint(4_294_967_295)))
    );
    let too_big = only("uint8", plain, speed(4000)).unwrap();
    assert_eq!(too_big.to_string(), "error: the value of Speed does not fit uint8");
}

#[test]
fn labels_become_text_and_tables_translate_them() {
    let gear = |n| [0, 0, n, 0, 0, 0, 0, 0];
    let text = |t: &str| Some(State::Valid(Value::Text(t.into())));
    assert_eq!(only("string", r#"{"signal": "Gear"}"#, gear(3)), text("D"));
    assert_eq!(only("string", r#"{"signal": "Gear"}"#, gear(7)), text("7"));
    assert_eq!(only("int8", r#"{"signal": "Gear"}"#, gear(3)), Some(State::Valid(Value::Int(3))));
    let table = r#"{"signal": "Gear", "transform": {"mapping": [{"from": "D", "to": 1}, {"from": "R", "to": -1}, {"from": 0, "to": 0}, {"from": "D", "to": 5}, {"from": "X", "to": 9}]}}"#;
    assert_eq!(
        only("int8", table, gear(3)),
        Some(State::Valid(Value::Int(1))),
        "the first that equals counts"
    );
    assert_eq!(only("int8", table, gear(1)), Some(State::Valid(Value::Int(-1))));
    assert_eq!(only("int8", table, gear(0)), Some(State::Valid(Value::Int(0))));
    assert_eq!(only("int8", table, gear(2)), None, "no match, no sample");
    let truth =
        r#"{"signal": "Gear", "transform": {"mapping": [{"from": true, "to": true}, {"from": 0, "to": 0}]}}"#;
    assert_eq!(only("boolean", truth, gear(1)), Some(State::Valid(Value::Bool(true))));
    assert_eq!(only("boolean", truth, gear(0)), Some(State::Valid(Value::Bool(false))));
}

#[test]
fn special_values_are_states_unless_the_table_names_them() {
    let lamp =
        |entry: &str, raw| run(0x65, "boolean", entry, 0, &[vec![0, raw]]).pop().map(|(_, state)| state);
    let plain = r#"{"signal": "Lamp"}"#;
    assert_eq!(lamp(plain, 1), Some(State::Valid(Value::Bool(true))));
    assert_eq!(lamp(plain, 2).unwrap().to_string(), "error: Lamp is sent as an error");
    assert_eq!(lamp(plain, 3).unwrap().to_string(), "not available: Lamp is sent as not available");
    let table = r#"{"signal": "Lamp", "transform": {"mapping": [{"from": "On", "to": true}, {"from": "SNA", "to": false}]}}"#;
    assert_eq!(lamp(table, 3), Some(State::Valid(Value::Bool(false))));
    assert_eq!(lamp(table, 2).unwrap().availability(), coachwork_vehicle::Availability::Error);
    let math = r#"{"signal": "Lamp", "transform": {"math": "x"}}"#;
    assert_eq!(lamp(math, 3).unwrap().availability(), coachwork_vehicle::Availability::NotAvailable);
}

#[test]
fn the_time_gate_comes_first_and_remembers_dropped_samples() {
    let times = |entry: &str, payloads: &[[u8; 8]]| -> Vec<i64> {
        drive("double", entry, 100, payloads).into_iter().map(|(at, _)| at).collect()
    };
    let rising: Vec<[u8; 8]> = (0..25).map(|n| speed(n * 10)).collect();
    assert_eq!(times(r#"{"signal": "Speed"}"#, &rising), [0, 1000, 2000], "one a second by default");
    assert_eq!(times(r#"{"signal": "Speed", "interval_ms": 500}"#, &rising), [0, 500, 1000, 1500, 2000]);
    assert_eq!(times(r#"{"signal": "Speed", "interval_ms": 0}"#, &rising).len(), 25);
    // The sample at 0 fails (1/0) and is dropped, but the gate has opened for it: the next is at 500.
    let failing = r#"{"signal": "Speed", "interval_ms": 500, "transform": {"math": "1 / (x + 10)"}}"#;
    assert_eq!(times(failing, &rising), [500, 1000, 1500, 2000]);
}

#[test]
fn the_change_gate_compares_what_the_path_would_say() {
    let entry = r#"{"signal": "Speed", "on_change": true, "transform": {"math": "floor(x / 10)"}}"#;
    let passed = drive("int16", entry, 10, &[speed(100), speed(150), speed(210), speed(100), speed(100)]);
    assert_eq!(passed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 20, 30]);
}

#[test]
fn a_value_that_stays_is_passed_on_before_it_is_stale() {
    let entry = r#"{"signal": "Speed", "on_change": true}"#;
    let (plan, _) = compile(&leaf("A", "double", &format!(r#""dbc2vss": {entry}"#))).unwrap();
    assert_eq!(plan.routes[0].reading.as_ref().unwrap().stale_after, Some(Duration::from_millis(300)));
    let passed = drive("double", entry, 100, &[speed(7); 9]);
    assert_eq!(passed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 200, 400, 600, 800]);
}

#[test]
fn a_log_that_starts_again_passes_the_time_gate() {
    let (plan, catalogue) = compile(&leaf("A", "double", r#""dbc2vss": {"signal": "Speed"}"#)).unwrap();
    let mut inward = Inward::new(&plan, &catalogue);
    let mut points = Vec::new();
    for at in [5, 1] {
        let frame = Frame::new(CanId::standard(100).unwrap(), &speed(1))
            .unwrap()
            .with_time(Timestamp::from_seconds(at));
        assert_eq!(inward.read(0, &frame, Timestamp::EPOCH, &mut points), Fate::Read);
    }
    assert_eq!(points.len(), 2);
}

#[test]
fn frames_have_fates() {
    let (plan, catalogue) = compile(&leaf("A", "double", r#""dbc2vss": {"signal": "Speed"}"#)).unwrap();
    let mut inward = Inward::new(&plan, &catalogue);
    let mut points = Vec::new();
    let mut fate = |id: u32, frame: fn(CanId) -> Frame| {
        inward.read(0, &frame(CanId::standard(id).unwrap()), Timestamp::EPOCH, &mut points)
    };
    assert_eq!(fate(100, |id| Frame::new(id, &[1, 2, 3]).unwrap()), Fate::Short);
    assert_eq!(fate(101, |id| Frame::new(id, &[1, 2]).unwrap()), Fate::Unmapped);
    assert_eq!(fate(999, |id| Frame::new(id, &[1, 2]).unwrap()), Fate::Unknown);
    assert_eq!(fate(100, |id| Frame::remote(id, 8).unwrap()), Fate::NoData);
    assert_eq!(points.len(), 1, "the short frame holds the whole signal");
}

#[test]
fn names_that_mean_nothing_or_several_signals_are_refused() {
    let fails = |members: &str| compile(&leaf("A", "uint8", members)).err().unwrap().to_string();
    assert_eq!(
        fails(r#""dbc2vss": {"signal": "Nope"}"#),
        "m.json: A: dbc2vss: the database has no signal \"Nope\""
    );
    assert_eq!(
        fails(r#""dbc2vss": {"signal": "Nope.Heat"}"#),
        "m.json: A: dbc2vss: the database has no message \"Nope\""
    );
    assert_eq!(
        fails(r#""dbc2vss": {"signal": "Seat.Nope"}"#),
        "m.json: A: dbc2vss: the database has no signal \"Seat.Nope\""
    );
    assert_eq!(
        fails(r#""vss2dbc": {"signal": "Heat"}"#),
        "m.json: A: vss2dbc: the signal \"Heat\" is in several messages: Seat, Other; write `Message.Signal`, and `bus` where there are several"
    );
    assert!(compile(&leaf("A", "uint8", r#""vss2dbc": {"signal": "Other.Heat"}"#)).is_ok());
    assert_eq!(
        fails(r#""dbc2vss": {"signal": "Gear", "transform": {"mapping": [{"from": "D", "to": 300}]}}"#),
        "m.json: A: dbc2vss: 300 does not fit the type uint8"
    );
    assert_eq!(
        fails(r#""vss2dbc": {"signal": "Gear", "transform": {"mapping": [{"from": 1, "to": "Drive"}]}}"#),
        "m.json: A: vss2dbc: \"Drive\" does not fit the labels of Gear"
    );
}

#[test]
fn access_follows_the_mapping() {
    let (_, catalogue) = compile(
        &[
            leaf("A", "uint8", r#""dbc2vss": {"signal": "Temp"}"#),
            leaf("B", "uint8", r#""vss2dbc": {"signal": "Lamp"}"#),
        ]
        .join(","),
    )
    .unwrap();
    let access = |path: &str| catalogue.access(catalogue.resolve(path).unwrap()).unwrap().clone();
    assert_eq!(access("A"), Access { read: Permission::Yes, write: Permission::No });
    assert_eq!(access("B"), Access { read: Permission::No, write: Permission::Yes });
}

fn outward(leaves: &[String]) -> Outward {
    let (plan, _) = compile(&leaves.join(",")).unwrap();
    Outward::new(&Arc::new(plan), Stamping::default())
}

fn sent(
    outward: &Outward,
    row: usize,
    value: &Value,
    readings: &[Option<Value>],
) -> Result<Frame, coachwork_vehicle::Error> {
    let mut frame = None;
    outward.command(
        row,
        value,
        coachwork_vehicle::Monotonic::default(),
        |row| readings.get(row).cloned().flatten(),
        |(_, made)| {
            frame = Some(made);
            Ok(())
        },
    )?;
    Ok(frame.unwrap())
}

#[test]
fn a_command_keeps_the_rest_of_its_message() {
    let leaves = [
        leaf("A", "uint8", r#""vss2dbc": {"signal": "Seat.Heat"}"#),
        leaf("B", "boolean", r#""vss2dbc": {"signal": "Lamp"}"#),
    ];
    let all = outward(&leaves);
    assert_eq!(
        sent(&all, 0, &Value::Uint(60), &[None, None]).unwrap().data(),
        [60, 3],
        "no request for the lamp"
    );
    assert_eq!(sent(&all, 1, &Value::Bool(true), &[]).unwrap().data(), [60, 1], "the heat as it was asked");
    all.seen(0, &Frame::new(CanId::standard(101).unwrap(), &[9, 0]).unwrap());
    assert_eq!(sent(&all, 1, &Value::Bool(true), &[]).unwrap().data(), [9, 1], "the heat as it was seen");

    let fresh = outward(&leaves);
    assert_eq!(
        sent(&fresh, 1, &Value::Bool(false), &[Some(Value::Uint(40)), None]).unwrap().data(),
        [40, 0],
        "the heat as it is read"
    );
    let error = sent(&fresh, 0, &Value::Uint(101), &[]).unwrap_err();
    assert_eq!(error.kind(), coachwork_vehicle::ErrorKind::OutOfRange);
    assert_eq!(
        sent(&fresh, 1, &Value::Bool(true), &[]).unwrap().data(),
        [40, 1],
        "a failed command changes nothing"
    );
}

#[test]
fn a_command_that_cannot_be_sent_is_not_remembered() {
    let all = outward(&[
        leaf("A", "uint8", r#""vss2dbc": {"signal": "Seat.Heat"}"#),
        leaf("B", "boolean", r#""vss2dbc": {"signal": "Lamp"}"#),
    ]);
    let full =
        |_: (usize, Frame)| Err(coachwork_vehicle::Error::new(coachwork_vehicle::ErrorKind::Limit, "full"));
    all.command(0, &Value::Uint(60), coachwork_vehicle::Monotonic::default(), |_| None, full).unwrap_err();
    let frame = sent(&all, 1, &Value::Bool(true), &[]).unwrap();
    assert_eq!((frame.id(), frame.data()), (CanId::standard(101).unwrap(), &[0, 1][..]));
}

#[test]
fn only_lines_and_tables_have_an_inverse() {
    let database = database();
    let network = Network::from(database);
    let names = Names::new(&network);
    let (_, signal) =
        names.find(&crate::SignalName { signal: "Speed".into(), ..Default::default() }).unwrap();
    let inverse = |math: &str| ToWire::inverse(&through_math(math), signal, DataType::DOUBLE, None);
    for math in ["floor(x)", "x * x", "1 / x", "5", "x > 3", "abs(x)"] {
        assert!(matches!(inverse(math), Err(MappingFault::NotInvertible)), "{math}");
    }
    let Some(Wire::Number(number)) = inverse("x * 2 + 1").unwrap().convert(&Value::Double(7.0)) else {
        panic!()
    };
    assert!((number.to_f64() - 3.0).abs() < 1e-12);
}

use coachwork_vehicle::DataType;

proptest! {
    #[test]
    fn what_goes_out_comes_in_again(slope in prop::sample::select(vec![0.5, 2.0, -4.0, 3.6]), offset in -50.0..50.0f64, raw in 0..4000u16) {
        let database = database();
        let network = Network::from(database);
        let names = Names::new(&network);
        let (place, signal) = names.find(&crate::SignalName { signal: "Speed".into(), ..Default::default() }).unwrap();
        let message = network.message(place.message).unwrap();
        let from = through_math(&format!("x * ({slope}) + ({offset})"));
        let to_vehicle = ToVehicle::compile(&from, signal, DataType::DOUBLE, None).unwrap();
        let to_wire = ToWire::inverse(&from, signal, DataType::DOUBLE, None).unwrap();
        let payload = speed(raw);
        let sample = message.decode_signal(place.signal, &payload).unwrap();
        prop_assert_eq!(sample.availability(), Availability::Available);
        let Some(State::Valid(value)) = to_vehicle.convert(&sample) else { panic!() };
        let wire = to_wire.convert(&value).unwrap();
        let back = message.encode(&[(place.signal, wire.as_value())]).unwrap();
        prop_assert_eq!(&back[..2], &payload[..2]);
    }
}

/// Numbers in other units, expressions, tables, labels, special values and values that do not fit: no frame costs an allocation.
#[test]
fn decoding_to_datapoints_allocates_nothing() {
    let every =
        |signal: &str, more: &str| format!(r#""dbc2vss": {{"signal": "{signal}", "interval_ms": 0{more}}}"#);
    let leaves = [
        leaf("A", "float", &format!(r#""unit": "m/s", {}"#, every("Speed", ""))),
        leaf("B", "int16", &every("Speed", r#", "transform": {"math": "floor(x * 2)"}"#)),
        leaf("C", "uint8", &every("Speed", r#", "not_available": 10, "error": [11, 12]"#)),
        leaf(
            "D",
            "string",
            &every(
                "Gear",
                r#", "transform": {"mapping": [{"from": "P", "to": "parked"}, {"from": 1, "to": "back"}]}"#,
            ),
        ),
        leaf("E", "int8", &every("Gear", "")),
        leaf("F", "double", &every("Temp", r#", "on_change": true"#)),
    ];
    let (plan, catalogue) = compile(&leaves.join(",")).unwrap();
    let mut inward = Inward::new(&plan, &catalogue);
    let mut points: Vec<(SignalId, Datapoint)> = Vec::with_capacity(16);
    let (mut seen, mut unavailable) = (0, 0);
    let measured = allocation_counter::measure(|| {
        for number in 0..20_000_u32 {
            let [a, b, c, _] = number.to_le_bytes();
            let at = Timestamp::from_nanoseconds(i64::from(number) * 1_000_000);
            let frame = Frame::new(CanId::standard(100).unwrap(), &[a, b, a & 15, c, 0, 0, 0, 0]).unwrap();
            assert_eq!(inward.read(0, &frame.with_time(at), at, &mut points), Fate::Read);
            seen += points.len();
            unavailable += points.iter().filter(|(_, point)| !point.is_valid()).count();
            points.clear();
        }
    });
    assert!(seen > 80_000 && unavailable > 10_000, "{seen} points, {unavailable} without a value");
    assert_eq!(measured.count_total, 0);
}
