//! Bytes become the frames of a text log, and those a log of any format that is written.
//!
//! The first byte picks the header that is put before the rest, and the format to write.
//! *Oracle:* the buffer's size and gzip change nothing; what went through a format once goes through it again unchanged, byte for byte; a
//! good line after anything at all is read.
//! *Next:* `coachwork_can::log`.

use coachwork_can::Frame;
use coachwork_can::log::{LogError, LogFormat, LogReader, LogWriter, WriteError};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{BufReader, Write};

/// What the rest may begin with, so that the fuzzer need not find it, and a line that is a frame under it.
const HEADERS: [(&str, &str); 7] = [
    ("", ""),
    ("date Sat Sep 30 15:06:13.191 2017\nbase hex  timestamps absolute\n", "1.5 1 1 Rx d 0"),
    ("base dec  timestamps relative\n", "0.5 1 1 Rx d 0"),
    (";$FILEVERSION=1.3\n;$STARTTIME=44548.5\n", ""),
    (";$FILEVERSION=2.1\n;$STARTTIME=44548.5\n;$COLUMNS=N,O,T,B,I,d,R,L,D\n", ""),
    ("timestamp,arbitration_id,extended,remote,error,dlc,data\n", "1.5,0x1,0,0,0,0,"),
    ("Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n", "1,1,false,Rx,0,0"),
];

/// Runs one input.
pub fn run(data: &[u8]) {
    frames(data);
}

/// The frames that came out.
pub fn frames(data: &[u8]) -> Vec<Frame> {
    let Some((selector, rest)) = data.split_first() else { return Vec::new() };
    let selector = usize::from(*selector);
    let (header, good) = HEADERS[selector % HEADERS.len()];
    let text = [header.as_bytes(), rest].concat();
    let items = items(&text, 1 << 16);
    assert_eq!(items, self::items(&text, selector % 40 + 1), "the buffer's size changes what is read");
    if !rest.starts_with(b"\x1F\x8B") && !text.is_empty() {
        assert_eq!(items, self::items(&packed(&text), 64), "gzip changes what is read");
    }
    resynchronises(&text, good);
    let frames: Vec<Frame> = items.into_iter().filter_map(Result::ok).collect();
    for format in LogFormat::WRITTEN {
        through(&frames, *format);
    }
    frames
}

fn items(text: &[u8], piece: usize) -> Vec<Result<Frame, String>> {
    let shown = |item: Result<Frame, LogError>| item.map_err(|error| error.to_string());
    LogReader::new("log", BufReader::with_capacity(piece, text)).map(shown).collect()
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).expect("a vector takes it");
    gzip.finish().expect("a vector takes it")
}

/// A good line after anything, a line of its own, is read; a header in between may have changed what is good.
fn resynchronises(text: &[u8], good: &str) {
    let is_header = |line: &[u8]| {
        let line = line.trim_ascii_start();
        [&b"base"[..], b"date", b"begin", b"Time", b"timestamp", b"\xEF"]
            .iter()
            .any(|word| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    };
    let lines = text.split(|byte| *byte == b'\n');
    if good.is_empty() || lines.filter(|line| is_header(line)).count() > 2 || text.contains(&b'-') {
        return;
    }
    let longer = [text, b"\n", good.as_bytes()].concat();
    let last = items(&longer, 1 << 16).pop();
    // Times that add up may leave the range of times.
    let too_late = matches!(&last, Some(Err(error)) if error.ends_with("not a time"));
    assert!(too_late || matches!(last, Some(Ok(_))), "{last:?}");
}

fn written(frames: &[Frame], format: LogFormat) -> (Vec<u8>, usize) {
    let mut log = LogWriter::new(format, Vec::new()).expect("the format is written");
    let mut count = 0;
    for frame in frames {
        match log.write(frame) {
            Ok(()) => count += 1,
            Err(error) => assert!(!matches!(error, WriteError::Io(_)), "{error}"),
        }
    }
    (log.finish().expect("a vector takes it"), count)
}

fn through(frames: &[Frame], format: LogFormat) {
    let (bytes, count) = written(frames, format);
    let once: Vec<Frame> =
        LogReader::new("log", &bytes[..]).map(|item| item.expect("what was written is read")).collect();
    assert_eq!(once.len(), count, "{format}");
    let (again, _) = written(&once, format);
    let twice: Vec<Frame> =
        LogReader::new("log", &again[..]).map(|item| item.expect("what was written is read")).collect();
    assert_eq!(once, twice, "{format}");
    assert_eq!(bytes, again, "{format}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        assert_eq!(frames(b"\x01 1.0 1 123 Rx d 1 AA\nnoise\n 2.0 1 124 Tx r\n").len(), 2);
        assert_eq!(frames(b"\x02 1.0 1 123 Rx d 1 AA\n").len(), 0);
        assert_eq!(frames(b"\x04 1 1.0 FB 1 0123 Rx - 1 AA\n").len(), 1);
        assert_eq!(frames(b"\x05noise\n").len(), 0);
        assert_eq!(frames(b"").len(), 0);
    }
}
