//! What a frame costs in allocations: reading a log none, decoding it through a mapping none of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use coachwork_can::bus::{Bus, LogSource};
use coachwork_can::log::LogReader;
use coachwork_can::{CanVehicle, Mapping};
use coachwork_dbc::Database;
use coachwork_vehicle::ManualClock;
use futures::executor::block_on;
use std::io::Write;
use std::sync::Arc;

/// A log in which every value changes with every frame.
fn log(frames: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for n in 0..frames {
        let [a, b, ..] = n.to_le_bytes();
        writeln!(text, "({}.{:06}) can0 123#{a:02X}{b:02X}{:02X}00", n / 100, n % 100, n % 2).unwrap();
    }
    text
}

const DBC: &str = "BU_: A\nBO_ 291 Drive: 4 A\n SG_ Speed : 0|16@1+ (0.01,0) [0|700] \"km/h\" A\n SG_ Door : 16|8@1+ (1,0) [0|1] \"\" A\nVAL_ 291 Door 0 \"Closed\" 1 \"Open\" ;\n";
const MAPPING: &str = r#"{"Vehicle": {"type": "branch", "children": {
    "Speed": {"type": "sensor", "datatype": "float", "dbc2vss": {"signal": "Speed", "interval_ms": 0}},
    "Twice": {"type": "sensor", "datatype": "int32", "dbc2vss": {"signal": "Speed", "interval_ms": 0, "transform": {"math": "x * 2"}}},
    "Door": {"type": "sensor", "datatype": "boolean", "dbc2vss": {"signal": "Door", "on_change": true, "transform": {"mapping": [{"from": "Closed", "to": false}, {"from": "Open", "to": true}]}}},
    "Label": {"type": "sensor", "datatype": "string", "dbc2vss": {"signal": "Door", "interval_ms": 0}}}}}"#;

#[test]
fn reading_a_log_allocates_nothing_per_frame() {
    let cost = |frames| {
        let text = log(frames);
        let measured = allocation_counter::measure(|| {
            assert_eq!(LogReader::new("log", &text[..]).flatten().count(), frames as usize);
        });
        measured.count_total
    };
    assert_eq!(cost(100), cost(10_000));
}

#[test]
fn a_vehicle_allocates_per_batch_and_not_per_frame() {
    let cost = |frames| {
        let text = log(frames);
        let source = LogSource::new(LogReader::new("log", std::io::Cursor::new(text)));
        let mapping = Mapping::parse("m.json", MAPPING).unwrap();
        let database = Database::parse(DBC).unwrap();
        let (car, driver) =
            CanVehicle::new(Bus::read_only(source), database, &mapping, Arc::new(ManualClock::default()))
                .unwrap();
        let measured = allocation_counter::measure(|| block_on(driver).unwrap());
        assert_eq!(car.counts().mapped, u64::from(frames));
        measured.count_total
    };
    let (few, many) = (cost(6_400), cost(64_000));
    let batches = (64_000 - 6_400) / 64;
    // The futures of an object-safe source and of the race with the vehicle's end.
    assert!(many - few <= 3 * batches, "{} allocations in {batches} batches of 64 frames", many - few);
}
