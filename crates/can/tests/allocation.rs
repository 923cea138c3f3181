//! What a frame costs in allocations: reading and writing a log none, decoding it through a mapping none of its own; and a log's length no memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use coachwork_can::bus::{Bus, LogSource};
use coachwork_can::log::{LogError, LogFormat, LogReader, LogWriter};
use coachwork_can::{CanVehicle, Frame, Mapping};
use coachwork_dbc::Database;
use coachwork_vehicle::ManualClock;
use futures::executor::block_on;
use std::io::{BufReader, Read, Write};
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

/// A log without an end: a header, then the same lines again and again.
struct Endless {
    header: &'static [u8],
    lines: &'static [u8],
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let from = match self.at.checked_sub(self.header.len()) {
            None => &self.header[self.at..],
            Some(at) => &self.lines[at % self.lines.len()..],
        };
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn memory_is_flat_however_long_the_log_is() {
    let logs: [(&[u8], &[u8]); 6] = [
        (b"", b"(1.0) can0 123#DEADBEEF\n(1.0) can0 123##1DEAD R\nnoise\n"),
        (b"", b"  can0  123   [2]  DE AD\n"),
        (b"base hex  timestamps relative\n", b"0.000001 1 123 Rx d 2 DE AD\n0.0 CANFD 1 Rx 1 Name 1 0 2 2 01 02 0 0 1000\n0.0 1 Statistic: D 0\n0.0 1 1\n"),
        (b";$FILEVERSION=2.1\n", b"1 1.0 FB 1 0123 Rx - 2 DE AD\n; a comment\n1 1.0 DT\n"),
        (b"timestamp,arbitration_id,extended,remote,error,dlc,data\n", b"1.0,0x1,0,0,0,2,3q0=\nnoise\n"),
        (b"Time Stamp,ID,Extended,Bus,LEN,D1\n", b"1,1,false,0,1,FF\nnoise\n"),
    ];
    for (header, lines) in logs {
        let peak = |items, packed: bool| {
            let mut frames = 0;
            let endless = BufReader::with_capacity(4096, Endless { header, lines, at: 0 });
            let measured = allocation_counter::measure(|| {
                let mut count = |item: Result<Frame, LogError>| frames += usize::from(item.is_ok());
                if packed {
                    let gzip =
                        BufReader::new(flate2::bufread::GzEncoder::new(endless, flate2::Compression::fast()));
                    LogReader::new("log", gzip).take(items).for_each(&mut count);
                } else {
                    LogReader::new("log", endless).take(items).for_each(&mut count);
                }
            });
            assert!(frames >= items / 3, "{frames} frames of {items}");
            measured.bytes_max
        };
        for packed in [false, true] {
            assert_eq!(
                peak(500, packed),
                peak(50_000, packed),
                "{packed} {}",
                String::from_utf8_lossy(lines)
            );
        }
    }
}

#[test]
fn writing_a_log_allocates_nothing_per_frame() {
    let frames: Vec<Frame> = LogReader::new("log", &log(100)[..]).map(Result::unwrap).collect();
    for format in [LogFormat::Candump, LogFormat::Asc, LogFormat::Trc, LogFormat::Csv] {
        let cost = |rounds| {
            let measured = allocation_counter::measure(|| {
                let mut writer = LogWriter::new(format, std::io::sink()).unwrap();
                for _ in 0..rounds {
                    for frame in &frames {
                        writer.write(frame).unwrap();
                    }
                }
            });
            measured.count_total
        };
        assert_eq!(cost(1), cost(100), "{format}");
    }
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
