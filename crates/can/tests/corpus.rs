//! Every frame of the corpus' text logs, against what an independent implementation read from them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::struct_excessive_bools,
    clippy::print_stdout
)]

mod common;

use coachwork_can::log::LogReader;
use coachwork_can::{Direction, Frame};
use coachwork_vehicle::Timestamp;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

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

fn nanoseconds(text: &str) -> i64 {
    let (seconds, decimals) = text.split_once('.').unwrap();
    seconds.parse::<i64>().unwrap() * 1_000_000_000 + format!("{decimals:0<9}").parse::<i64>().unwrap()
}

/// How a format's times and channels relate to the oracle's, which is python-can.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// The same.
    Same,
    /// The oracle's times count from elsewhere, and have a double's noise; its channels count from 0 (ASC) or are made up (TRC 1.0 and 1.1).
    Asc,
    Trc,
}

fn compare(corpus: &Path, log: &Path, base: Base) -> usize {
    let name = log.strip_prefix(corpus).unwrap().display().to_string();
    let want = oracle(&corpus.join("oracle").join(format!("{name}.frames.jsonl.gz")));
    let mut frames: Vec<_> = LogReader::open(log).unwrap().map(|item| item.unwrap()).collect();
    if name == "logs/asc/multiple_CAN.asc" {
        // The oracle takes the first line for one more line of a header that lacks one.
        let first = frames.remove(0);
        assert_eq!(first.to_string(), "(1581670628.161550) 1 123# R");
    }
    assert_eq!(frames.len(), want.len(), "{name}");
    let time = |frame: &Frame| frame.time().map(Timestamp::nanoseconds);
    let their_time = |want: &Value| want[0].as_str().map(nanoseconds);
    for (number, (frame, want_frame)) in frames.iter().zip(&want).enumerate() {
        let context = format!("{name}, frame {number}: {frame}, want {want_frame}");
        if base == Base::Same {
            assert_eq!(time(frame), their_time(want_frame), "{context}");
        } else {
            let ours = time(frame).unwrap() - time(&frames[0]).unwrap();
            let theirs = their_time(want_frame).unwrap() - their_time(&want[0]).unwrap();
            assert!((ours - theirs).abs() < 1000, "{context}: {ours} {theirs}");
        }
        // The old screen form names its channel in a header, which the oracle does not read.
        match &want_frame[1] {
            Value::Null => {}
            Value::String(channel) => assert_eq!(frame.channel().as_str(), channel, "{context}"),
            Value::Number(channel) if base == Base::Asc => {
                assert_eq!(
                    frame.channel().as_str(),
                    (channel.as_u64().unwrap() + 1).to_string(),
                    "{context}"
                );
            }
            _ if base == Base::Trc && frame.channel().is_none() => {}
            channel => assert_eq!(frame.channel().as_str(), channel.to_string(), "{context}"),
        }
        assert_eq!(u64::from(frame.id().raw()), want_frame[2].as_u64().unwrap(), "{context}");
        let flags = want_frame[3].as_str().unwrap();
        let (data, theirs) = (hex(frame.data()), want_frame[4].as_str().unwrap());
        if base != Base::Same {
            assert_eq!(frame.direction() == Some(Direction::Transmitted), flags.contains('T'), "{context}");
        }
        // Lines of classic form with a length code above 8 and as many bytes as CAN FD has for it: the oracle takes 8 of them.
        if base == Base::Asc && frame.is_fd() && !flags.contains('f') {
            assert!(data.len() > 16 && theirs.len() == 16 && data.starts_with(theirs), "{context}");
            continue;
        }
        let ours = [
            ('x', frame.id().is_extended()),
            // The oracle has error and remote frames of CAN FD, which has no remote frames: both stand on a CAN FD bus.
            ('f', frame.is_fd() || !frame.is_data() && flags.contains('f')),
            ('b', frame.bit_rate_switch()),
            ('e', frame.error_state()),
            ('r', frame.is_remote()),
            ('E', frame.is_error()),
        ];
        for (flag, on) in ours {
            assert_eq!(flags.contains(flag), on, "flag {flag}, {context}");
        }
        assert_eq!(data, theirs, "{context}");
    }
    frames.len()
}

#[test]
fn every_frame_of_every_log_equals_the_oracle() {
    let Some(corpus) = common::corpus() else { return };
    let mut files = 0;
    for (folder, base) in [
        ("logs/candump", Base::Same),
        ("logs/csv", Base::Same),
        ("logs-gpl3/candump", Base::Same),
        ("logs/asc", Base::Asc),
        ("logs/trc", Base::Trc),
    ] {
        let mut logs: Vec<PathBuf> =
            corpus.join(folder).read_dir().unwrap().map(|e| e.unwrap().path()).collect();
        logs.sort();
        for log in logs {
            println!("{}: {} frames equal", log.display(), compare(&corpus, &log, base));
            files += 1;
        }
    }
    assert!(files >= 21, "only {files} logs");
}

/// What python-can's writer of a format does not write, or writes otherwise.
struct Writer {
    log: &'static str,
    source: &'static str,
    /// It begins with the first frame, and its times are rounded to microseconds.
    relative: bool,
    channel: fn(u64) -> String,
    direction: bool,
    fd: bool,
    bit_rate: bool,
    remote_length: bool,
    only_classic_data: bool,
}

const CANDUMP: Writer = Writer {
    log: "frames.log",
    source: "source.jsonl",
    relative: false,
    channel: |number| format!("can{number}"),
    direction: true,
    fd: true,
    bit_rate: true,
    remote_length: false,
    only_classic_data: false,
};
const FROM_ONE: fn(u64) -> String = |number| (number + 1).to_string();
const ASC: Writer =
    Writer { log: "frames.asc", relative: true, channel: FROM_ONE, remote_length: true, ..CANDUMP };
const CSV: Writer = Writer {
    log: "frames.csv",
    channel: |_| String::new(),
    direction: false,
    fd: false,
    bit_rate: false,
    remote_length: true,
    ..CANDUMP
};
const TRC: Writer = Writer { log: "frames_full.trc", only_classic_data: true, ..ASC };

/// python-can wrote these from a known sequence; what it does not write is the only difference.
#[test]
fn a_log_written_by_python_can_reads_as_what_was_meant() {
    let Some(corpus) = common::corpus() else { return };
    let classic = |log, writer: Writer| Writer { log, source: "source_classic.jsonl", ..writer };
    for writer in [
        CANDUMP,
        ASC,
        CSV,
        TRC,
        classic("frames_classic.log", CANDUMP),
        classic("frames_classic.asc", ASC),
        classic("frames_classic.trc", TRC),
    ] {
        let log = writer.log;
        let source = std::fs::read_to_string(corpus.join("foreign").join(writer.source)).unwrap();
        let source: Vec<Value> = source.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut start = None;
        let source: Vec<&Value> = source
            .iter()
            .filter(|want| !writer.only_classic_data || !want[3].as_str().unwrap().contains(['f', 'r', 'E']))
            .collect();
        let frames: Vec<_> =
            LogReader::open(corpus.join("foreign").join(log)).unwrap().map(|i| i.unwrap()).collect();
        assert_eq!(frames.len(), source.len(), "{log}");
        for (frame, want) in frames.iter().zip(&source) {
            let flags = want[3].as_str().unwrap();
            let context = format!("{log}: {frame}, want {want}");
            let (time, want_time) =
                (frame.time().unwrap().nanoseconds(), nanoseconds(want[0].as_str().unwrap()));
            if writer.relative {
                // The milliseconds of its header want their zeros (.10 is .010), so that only differences are right.
                let start = *start.get_or_insert(time - want_time);
                assert!((time - want_time - start).abs() < 1000 && start.abs() < 1_000_000_000, "{context}");
            } else {
                assert!((time - want_time).abs() < 500, "{context}");
            }
            assert_eq!(frame.is_error(), flags.contains('E'), "{context}");
            assert_eq!(frame.channel().as_str(), (writer.channel)(want[1].as_u64().unwrap()), "{context}");
            if frame.is_error() {
                continue;
            }
            assert_eq!(u64::from(frame.id().raw()), want[2].as_u64().unwrap(), "{context}");
            assert_eq!(frame.id().is_extended(), flags.contains('x'), "{context}");
            assert_eq!(frame.is_remote(), flags.contains('r'), "{context}");
            let is_fd = flags.contains('f') && (writer.fd || want[4].as_str().unwrap().len() > 16);
            assert_eq!(frame.is_fd(), is_fd, "{context}");
            assert_eq!(frame.bit_rate_switch(), writer.bit_rate && flags.contains('b'), "{context}");
            assert_eq!(frame.error_state(), writer.bit_rate && flags.contains('e'), "{context}");
            let transmitted = frame.direction() == Some(Direction::Transmitted);
            assert_eq!(transmitted, writer.direction && flags.contains('T'), "{context}");
            if frame.is_remote() {
                assert!(
                    !writer.remote_length || u64::from(frame.dlc()) == want[5].as_u64().unwrap(),
                    "{context}"
                );
            } else {
                assert_eq!(hex(frame.data()), want[4].as_str().unwrap(), "{context}");
            }
        }
        println!("{log}: {} frames equal", frames.len());
    }
}
