//! Every frame of the corpus' binary logs, against what an independent implementation read from them, and of logs that others wrote
//! from a known sequence.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::struct_excessive_bools
)]

mod common;

use coachwork_can::log::{BlfWriter, LogReader, PcapngWriter};
use coachwork_can::{Direction, Frame};
use coachwork_vehicle::Timestamp;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;

fn hex(data: &[u8]) -> String {
    data.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(u32::from(digit), 16).unwrap())
        .collect()
}

fn oracle(path: &Path) -> Vec<Value> {
    let lines = BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn source(path: &Path) -> Vec<Value> {
    let lines = BufReader::new(File::open(path).unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn nanoseconds(text: &str) -> i64 {
    let (seconds, decimals) = text.split_once('.').unwrap();
    seconds.parse::<i64>().unwrap() * 1_000_000_000 + format!("{decimals:0<9}").parse::<i64>().unwrap()
}

fn frames(path: &Path) -> Vec<Frame> {
    LogReader::open(path).unwrap().map(|item| item.unwrap()).collect()
}

/// What a comparison leaves out, or allows.
#[derive(Clone, Copy, Default)]
struct Allow {
    /// How far apart times may be: the other implementation has them as floating-point seconds.
    nanoseconds: u64,
    /// What the other implementation has taken from the channel's number.
    channel_less: u64,
    no_channel: bool,
    no_direction: bool,
    /// Error frames have their eight bytes, where the known sequence has none.
    error_of_8: bool,
    /// Samples made by hand have identifiers that are not of their kind.
    standard_above_11_bits: bool,
}

fn compare(name: &str, frames: &[Frame], want: &[Value], allow: Allow) {
    assert_eq!(frames.len(), want.len(), "{name}");
    for (number, (frame, want)) in frames.iter().zip(want).enumerate() {
        let context = format!("{name}, frame {number}: {frame}, want {want}");
        let (time, want_time) = (frame.time().map(Timestamp::nanoseconds), want[0].as_str().map(nanoseconds));
        assert!(time.unwrap().abs_diff(want_time.unwrap()) <= allow.nanoseconds, "{context}");
        if allow.no_channel {
            assert_eq!(frame.channel().as_str(), "", "{context}");
        } else {
            let channel = want[1].as_u64().unwrap() + allow.channel_less;
            assert_eq!(frame.channel().as_str(), channel.to_string(), "{context}");
        }
        let flags = want[3].as_str().unwrap();
        assert_eq!(u64::from(frame.id().raw()), want[2].as_u64().unwrap(), "{context}");
        let extended = flags.contains('x')
            || flags.contains('E')
            || (allow.standard_above_11_bits && frame.id().raw() > 0x7FF);
        // There are no remote FD frames: one that says it is both is remote.
        let fd = !flags.contains('r');
        let ours = [
            ('x', frame.id().is_extended(), extended),
            ('f', frame.is_fd(), flags.contains('f') && fd),
            ('b', frame.bit_rate_switch(), flags.contains('b') && fd),
            ('e', frame.error_state(), flags.contains('e') && fd),
            ('r', frame.is_remote(), flags.contains('r')),
            ('E', frame.is_error(), flags.contains('E')),
        ];
        for (flag, on, want) in ours {
            assert_eq!(on, want, "flag {flag}, {context}");
        }
        if !allow.no_direction && !frame.is_error() {
            assert_eq!(frame.direction() == Some(Direction::Transmitted), flags.contains('T'), "{context}");
        }
        if allow.error_of_8 && frame.is_error() {
            assert_eq!(frame.data(), [0; 8], "{context}");
            continue;
        }
        assert_eq!(hex(frame.data()), want[4].as_str().unwrap(), "{context}");
        // The oracle of a recording does not have it.
        if let Some(dlc) = want.get(5) {
            let dlc = dlc.as_u64().unwrap();
            let ours = if frame.is_remote() { u64::from(frame.dlc()) } else { frame.len() as u64 };
            assert_eq!(ours, dlc, "{context}");
        }
    }
    println!("{name}: {} frames equal", frames.len());
}

#[test]
fn every_frame_of_every_binary_log_equals_the_oracle() {
    let Some(corpus) = common::corpus() else { return };
    let allow = |folder| match folder {
        "logs/blf" => {
            Allow { nanoseconds: 500, channel_less: 1, standard_above_11_bits: true, ..Allow::default() }
        }
        _ => Allow { no_channel: true, no_direction: true, ..Allow::default() },
    };
    let mut files = 0;
    for folder in ["logs/blf", "logs/pcap"] {
        for log in corpus.join(folder).read_dir().unwrap() {
            let log = log.unwrap().path();
            let name = log.strip_prefix(&corpus).unwrap().display().to_string();
            let want = oracle(&corpus.join("oracle").join(format!("{name}.frames.jsonl.gz")));
            compare(&name, &frames(&log), &want, allow(folder));
            files += 1;
        }
    }
    assert_eq!(files, 4);
}

/// python-can and scapy wrote these from a known sequence; what they cannot write is the only difference.
#[test]
fn logs_written_by_others_read_as_what_was_meant() {
    let Some(corpus) = common::corpus() else { return };
    let foreign = corpus.join("foreign");
    let blf = Allow { nanoseconds: 500, channel_less: 1, ..Allow::default() };
    let pcap = Allow { no_channel: true, no_direction: true, error_of_8: true, ..Allow::default() };
    for (log, meant, allow) in [
        ("frames.blf", "source.jsonl", blf),
        ("frames_stored.blf", "source.jsonl", blf),
        ("frames_classic.blf", "source_classic.jsonl", blf),
        ("frames.pcap", "source.jsonl", pcap),
        ("frames.pcapng", "source.jsonl", pcap),
    ] {
        compare(log, &frames(&foreign.join(log)), &source(&foreign.join(meant)), allow);
    }
}

/// Recorders' own files, not finished, with data of variable length; and python-can's, stored, deflated and transposed.
#[cfg(feature = "mf4")]
#[test]
fn every_frame_of_every_mf4_log_equals_the_oracle() {
    let Some(corpus) = common::corpus() else { return };
    let mut files = 0;
    for log in corpus.join("logs/mf4").read_dir().unwrap() {
        let log = log.unwrap().path();
        let name = log.strip_prefix(&corpus).unwrap().display().to_string();
        let want = oracle(&corpus.join("oracle").join(format!("{name}.frames.jsonl.gz")));
        // The oracle has microseconds; some recorders' times are doubles of nanoseconds.
        compare(&name, &frames(&log), &want, Allow { nanoseconds: 500, ..Allow::default() });
        // As from a pipe, and in gzip.
        let bytes = std::fs::read(&log).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &bytes).unwrap();
        for stream in [bytes, packed.finish().unwrap()] {
            let streamed: Vec<Frame> = LogReader::new(&name, &stream[..]).map(Result::unwrap).collect();
            assert_eq!(streamed, frames(&log), "{name}");
        }
        files += 1;
    }
    assert_eq!(files, 6);
    let foreign = corpus.join("foreign");
    let allow = Allow { nanoseconds: 500, ..Allow::default() };
    for log in ["frames.mf4", "frames_deflate.mf4", "frames_transposed.mf4"] {
        compare(log, &frames(&foreign.join(log)), &source(&foreign.join("source.jsonl")), allow);
    }
}

/// What is read from each log is written, and read again as the same.
#[test]
fn what_is_written_is_read_again() {
    let Some(corpus) = common::corpus() else { return };
    for log in [
        "logs/candump/candump.log",
        "logs-gpl3/candump/dodge_durango_engine_on.log",
        "logs/pcap/can0-1.pcap",
        "foreign/frames.blf",
    ] {
        let meant = frames(&corpus.join(log));
        let mut blf = BlfWriter::new(Cursor::new(Vec::new())).unwrap();
        let mut pcapng = PcapngWriter::new(Vec::new()).unwrap();
        for frame in &meant {
            blf.write(frame).unwrap();
            pcapng.write(frame).unwrap();
        }
        let pcapng = pcapng.finish().unwrap();
        let read: Vec<Frame> = LogReader::new("pcapng", &pcapng[..]).map(|item| item.unwrap()).collect();
        assert!(read == meant, "{log} as pcapng");
        let blf = blf.finish().unwrap().into_inner();
        let read: Vec<Frame> = LogReader::new("blf", &blf[..]).map(|item| item.unwrap()).collect();
        assert_eq!(read.len(), meant.len(), "{log} as BLF");
        let mut numbers = std::collections::HashMap::new();
        for (read, meant) in read.iter().zip(&meant) {
            let number = *numbers.entry(*meant.channel()).or_insert(*read.channel());
            let direction =
                if meant.is_error() { None } else { meant.direction().or(Some(Direction::Received)) };
            assert_eq!(*read, meant.with_channel(number).with_direction(direction), "{log} as BLF");
        }
    }
}
