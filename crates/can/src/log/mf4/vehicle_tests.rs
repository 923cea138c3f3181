//! An MF4 log of a truck's J1939 network, read through a mapping, is a vehicle.

use super::tests::{File, START, fixed};
use crate::bus::{Bus, LogSource};
use crate::log::LogReader;
use crate::{CanId, CanVehicle, Frame, Mapping};
use coachwork_dbc::Database;
use coachwork_vehicle::{Event, ManualClock, State, Subscribe, Timestamp, Vehicle};
use futures::FutureExt;
use futures::executor::block_on;
use std::io::Cursor;
use std::sync::Arc;

/// Engine speed in EEC1 (group 61444) and wheel-based speed in CCVS1 (group 65265), known with the address 254.
const TRUCK: &str = r#"VERSION ""
NS_ :
BS_:
BU_: A
BO_ 2364540158 EEC1: 8 A
 SG_ EngineSpeed : 24|16@1+ (0.125,0) [0|8031.875] "rpm" A
BO_ 2566844926 CCVS1: 8 A
 SG_ WheelSpeed : 8|16@1+ (0.00390625,0) [0|250.996] "km/h" A
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
"#;

/// The engine's speed as the engine (0) says it, the transmission's (3) of the same group, and the vehicle's as anybody says it.
const MAPPING: &str = r#"{
  "Vehicle": {"type": "branch", "children": {
    "Engine": {"type": "sensor", "datatype": "float", "unit": "rpm", "dbc2vss": {"signal": "EngineSpeed", "pgn": 61444, "source": 0, "interval_ms": 0}},
    "Shaft": {"type": "sensor", "datatype": "float", "unit": "rpm", "dbc2vss": {"signal": "EngineSpeed", "pgn": 61444, "source": 3, "interval_ms": 0}},
    "Speed": {"type": "sensor", "datatype": "float", "unit": "m/s", "dbc2vss": {"signal": "WheelSpeed", "pgn": 65265, "interval_ms": 0}}
  }}
}"#;

fn frame(id: u32, milliseconds: i64, data: [u8; 8]) -> Frame {
    let frame = Frame::new(CanId::extended(id).unwrap(), &data).unwrap();
    let time = Timestamp::from_nanoseconds(START + milliseconds * 1_000_000);
    frame.with_channel("1".parse().unwrap()).with_time(time)
}

/// One line a datapoint: its path, the milliseconds since the log's start, its state.
fn datapoints(file: File) -> Vec<String> {
    let log = LogReader::seekable("truck.mf4", Cursor::new(file.0)).unwrap();
    let database = Database::from_bytes(TRUCK.as_bytes()).unwrap();
    let mapping = Mapping::parse("truck.json", MAPPING).unwrap();
    let bus = Bus::read_only(LogSource::new(log));
    let (car, driver) = CanVehicle::new(bus, database, &mapping, Arc::new(ManualClock::default())).unwrap();
    let mut watch = block_on(car.subscribe(Subscribe::to(car.catalogue().ids()).queue(4096))).unwrap();
    // The first event says that nothing was there yet.
    assert!(matches!(watch.next().now_or_never(), Some(Some(Event::Changed(_)))));
    block_on(driver).unwrap();
    let mut seen = Vec::new();
    while let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
        for (id, point) in points.iter() {
            let state = match &point.state {
                State::Valid(value) => format!("{value}"),
                State::NotAvailable(_) => String::from("not available"),
                other => format!("{other:?}"),
            };
            let at = (point.source.nanoseconds() - START) / 1_000_000;
            seen.push(format!("{} {at} {state}", car.catalogue().path(id).unwrap()));
        }
    }
    seen
}

#[test]
fn j1939_frames_of_an_mf4_log_become_datapoints_by_group_and_sender() {
    let frames = [
        frame(0x0CF0_0400, 0, [0xFF, 0xFF, 0xFF, 0x40, 0x38, 0xFF, 0xFF, 0xFF]),
        frame(0x0CF0_0403, 10, [0xFF, 0xFF, 0xFF, 0x80, 0x38, 0xFF, 0xFF, 0xFF]),
        // Of another group, of another sender, and as a standard identifier of the same digits: nothing to this mapping.
        frame(0x0CF0_0500, 20, [0xFF, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF]),
        frame(0x0CF0_0405, 30, [0xFF, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF]),
        // 90 km/h from the address 0x21, in the group's usual priority and another.
        frame(0x18FE_F121, 40, [0xFF, 0, 0x5A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        frame(0x0CFE_F117, 50, [0xFF, 0, 0x36, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        // The engine has no speed to tell.
        frame(0x0CF0_0400, 60, [0xFF; 8]),
        frame(0x18F0_0400, 70, [0xFF, 0xFF, 0xFF, 0xC0, 0x38, 0xFF, 0xFF, 0xFF]),
    ];
    for packed in [false, true] {
        let content: Vec<u8> = frames.iter().flat_map(fixed).collect();
        let mut file = File::new(b"MDF     ");
        let data = if packed {
            file.block(b"##DZ", &[], &super::tests::zipped(&content, Some(80)))
        } else {
            file.block(b"##DT", &[], &content)
        };
        let (group, _) = file.data_frames(0, false, 0);
        file.data_group(0, group, data);
        let seen = datapoints(file);
        let (said, ended) = seen.split_at(6);
        assert_eq!(
            said,
            [
                "Vehicle.Engine 0 1800",
                "Vehicle.Shaft 10 1808",
                "Vehicle.Speed 40 25",
                "Vehicle.Speed 50 15",
                "Vehicle.Engine 60 not available",
                "Vehicle.Engine 70 1816",
            ],
            "packed: {packed}"
        );
        // The end of the log is the end of what is known.
        assert!(ended.len() == 3 && ended.iter().all(|line| line.ends_with("not available")), "{ended:?}");
    }
}
