//! Every frame of the corpus' candump and CSV logs, against what an independent implementation read from them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod common;

use coachwork_can::log::LogReader;
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

fn compare(corpus: &Path, log: &Path) -> usize {
    let name = log.strip_prefix(corpus).unwrap().display().to_string();
    let want = oracle(&corpus.join("oracle").join(format!("{name}.frames.jsonl.gz")));
    let frames: Vec<_> = LogReader::open(log).unwrap().map(|item| item.unwrap()).collect();
    assert_eq!(frames.len(), want.len(), "{name}");
    for (number, (frame, want)) in frames.iter().zip(&want).enumerate() {
        let context = format!("{name}, frame {number}: {frame}, want {want}");
        assert_eq!(frame.time().map(Timestamp::nanoseconds), want[0].as_str().map(nanoseconds), "{context}");
        // The old screen form names its channel in a header, which the oracle does not read.
        match &want[1] {
            Value::Null => {}
            Value::String(channel) => assert_eq!(frame.channel().as_str(), channel, "{context}"),
            channel => assert_eq!(frame.channel().as_str(), channel.to_string(), "{context}"),
        }
        assert_eq!(u64::from(frame.id().raw()), want[2].as_u64().unwrap(), "{context}");
        let flags = want[3].as_str().unwrap();
        let ours = [
            ('x', frame.id().is_extended()),
            ('f', frame.is_fd()),
            ('b', frame.bit_rate_switch()),
            ('e', frame.error_state()),
            ('r', frame.is_remote()),
            ('E', frame.is_error()),
        ];
        for (flag, on) in ours {
            assert_eq!(flags.contains(flag), on, "flag {flag}, {context}");
        }

        assert_eq!(hex(frame.data()), want[4].as_str().unwrap(), "{context}");
    }
    frames.len()
}

#[test]
fn every_frame_of_every_log_equals_the_oracle() {
    let Some(corpus) = common::corpus() else { return };
    let mut files = 0;
    for folder in ["logs/candump", "logs/csv", "logs-gpl3/candump"] {
        let mut logs: Vec<PathBuf> =
            corpus.join(folder).read_dir().unwrap().map(|e| e.unwrap().path()).collect();
        logs.sort();
        for log in logs {
            println!("{}: {} frames equal", log.display(), compare(&corpus, &log));
            files += 1;
        }
    }
    assert!(files >= 11, "only {files} logs");
}

/// python-can wrote these from a known sequence; what it cannot write is the only difference.
#[test]
fn a_log_written_by_python_can_reads_as_what_was_meant() {
    let Some(corpus) = common::corpus() else { return };
    for (log, source) in [("frames.log", "source.jsonl"), ("frames_classic.log", "source_classic.jsonl")] {
        let source = std::fs::read_to_string(corpus.join("foreign").join(source)).unwrap();
        let source: Vec<Value> = source.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let frames: Vec<_> =
            LogReader::open(corpus.join("foreign").join(log)).unwrap().map(|i| i.unwrap()).collect();
        assert_eq!(frames.len(), source.len());
        for (frame, want) in frames.iter().zip(&source) {
            let flags = want[3].as_str().unwrap();
            let context = format!("{log}: {frame}, want {want}");
            assert_eq!(
                frame.time().map(Timestamp::nanoseconds),
                want[0].as_str().map(nanoseconds),
                "{context}"
            );
            assert_eq!(frame.is_error(), flags.contains('E'), "{context}");
            if frame.is_error() {
                continue;
            }
            assert_eq!(u64::from(frame.id().raw()), want[2].as_u64().unwrap(), "{context}");
            assert_eq!(frame.channel().as_str(), format!("can{}", want[1]), "{context}");
            assert_eq!(frame.is_remote(), flags.contains('r'), "{context}");
            assert_eq!(frame.is_fd(), flags.contains('f'), "{context}");
            assert_eq!(
                frame.direction() == Some(coachwork_can::Direction::Transmitted),
                flags.contains('T'),
                "{context}"
            );

            if !frame.is_remote() {
                assert_eq!(hex(frame.data()), want[4].as_str().unwrap(), "{context}");
            }
        }
        println!("{log}: {} frames equal", frames.len());
    }
}
