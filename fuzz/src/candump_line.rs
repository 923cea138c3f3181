//! Bytes become the frames of a log, or errors with a place.
//!
//! *Oracle:* the buffer's size changes nothing; a frame that is written is read back the same; a line of the plainest form, read a second
//! time by splitting strings, is the same frame.
//! *Next:* `coachwork_can::log`.

use coachwork_can::log::{CandumpWriter, LogReader, MAX_LINE, Position};
use coachwork_can::{CanId, Frame};
use std::io::BufReader;

/// Runs one input.
pub fn run(data: &[u8]) {
    frames(data);
}

/// The frames that came out.
pub fn frames(data: &[u8]) -> Vec<Frame> {
    let items: Vec<_> = LogReader::new("log", data).collect();
    let piece = usize::from(data.first().copied().unwrap_or(0)) % 40 + 1;
    let pieces: Vec<_> = LogReader::new("log", BufReader::with_capacity(piece, data)).collect();
    let shown = |items: &[Result<Frame, coachwork_can::log::LogError>]| -> Vec<Result<Frame, String>> {
        items.iter().map(|item| item.as_ref().copied().map_err(ToString::to_string)).collect()
    };
    assert_eq!(shown(&items), shown(&pieces), "the buffer's size changes what is read");

    let lines = data.split(|byte| *byte == b'\n').count();
    for error in items.iter().filter_map(|item| item.as_ref().err()) {
        match error.position() {
            Position::Line { line, column } => {
                assert!((1..=lines).contains(&(line as usize)), "{error}");
                assert!((1..=MAX_LINE + 1).contains(&column), "{error}");
                assert!(!error.is_final(), "{error}");
            }
            // Another kind of file, or one that is packed and broken.
            _ => assert!(error.is_final(), "{error}"),
        }
    }
    let frames: Vec<Frame> = items.iter().filter_map(|item| item.as_ref().ok().copied()).collect();
    let mut log = CandumpWriter::new(Vec::new());
    let timed: Vec<Frame> = frames.iter().filter(|frame| frame.time().is_some()).copied().collect();
    for frame in &timed {
        log.write(frame).expect("a frame with a time is written");
    }
    let written = log.into_inner();
    let back: Vec<Frame> =
        LogReader::new("log", &written[..]).map(|item| item.expect("what was written is read")).collect();
    assert_eq!(timed, back);
    second_reading(data);
    frames
}

/// Each line on its own, in the plainest form, by splitting strings.
fn second_reading(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        let Some(expected) = str::from_utf8(line).ok().and_then(plain) else { continue };
        let read: Vec<_> = LogReader::new("line", line).collect();
        assert!(matches!(read.as_slice(), [Ok(frame)] if *frame == expected), "{expected}: {read:?}");
    }
}

fn plain(line: &str) -> Option<Frame> {
    let (time, rest) = line.strip_prefix('(')?.split_once(") ")?;
    let (channel, rest) = rest.split_once(' ')?;
    let (id, payload) = rest.split_once('#')?;
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (seconds, decimals) = time.split_once('.')?;
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_plain = digits(seconds, 9)
        && digits(decimals, 6)
        && hex(id)
        && hex(payload)
        && payload.len() % 2 == 0
        && payload.len() <= 16;
    if !is_plain || channel == "-" || line.len() > MAX_LINE {
        return None;
    }
    let raw = u32::from_str_radix(id, 16).ok()?;
    let id = match id.len() {
        3 => CanId::standard(raw)?,
        8 => CanId::extended(raw)?,
        _ => return None,
    };
    let bytes: Vec<u8> = (0..payload.len() / 2)
        .map(|at| u8::from_str_radix(&payload[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect();
    let nanoseconds = seconds.parse::<i64>().ok()? * 1_000_000_000 + decimals.parse::<i64>().ok()? * 1000;
    let time = coachwork_vehicle::Timestamp::from_nanoseconds(nanoseconds);
    Some(Frame::new(id, &bytes).ok()?.with_time(time).with_channel(channel.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        assert_eq!(frames(b"(1.0) can0 123#01\nnoise\n(2.0) can0 124#R\n").len(), 2);
        assert_eq!(frames(b"noise").len(), 0);
        assert!(plain("(123456789.000001) can0 123#0102").is_some_and(|frame| frame.data() == [1, 2]));
        assert!(plain("(1.0) can0 123#0102").is_none());
    }
}
