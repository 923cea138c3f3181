//! Bytes become the elements of socketcand and the lines of slcan, or are counted as neither.
//!
//! *Oracle:* the split changes nothing; garbage costs nothing behind the next delimiter; a frame that is written is read back the same; a frame of
//! the plainest form, read a second time by splitting strings, is the same frame.
//! *Next:* `coachwork_can::bus::{socketcand, slcan}`.

use coachwork_can::bus::{slcan, socketcand};
use coachwork_can::{CanId, Channel, Frame};
use coachwork_vehicle::Timestamp;

/// Runs one input.
pub fn run(data: &[u8]) {
    frames(data);
}

/// The frames that came out: of socketcand, and of slcan.
pub fn frames(data: &[u8]) -> (Vec<Frame>, Vec<Frame>) {
    let sizes: Vec<usize> = data.iter().take(8).map(|byte| usize::from(byte % 23) + 1).collect();
    let (elements, lines) = (elements(data, &[usize::MAX]), lines(data, &[usize::MAX]));
    assert_eq!(elements, self::elements(data, &sizes), "the split changes what is read");
    assert_eq!(lines, self::lines(data, &sizes), "the split changes what is read");
    // Each needs a delimiter, and garbage another one at most.
    assert!(elements.len() <= 2 * data.len() && lines.len() <= 2 * data.len());
    resynchronizes(data);

    let of_elements: Vec<Frame> = elements
        .into_iter()
        .filter_map(|element| match element.ok()? {
            socketcand::Element::Frame(frame) | socketcand::Element::Send(frame) => Some(frame),
            _ => None,
        })
        .collect();
    let of_lines: Vec<(Frame, Option<u16>)> = lines
        .into_iter()
        .filter_map(|line| match line.ok()? {
            slcan::Line::Frame(frame, stamp) => Some((frame, stamp)),
            _ => None,
        })
        .collect();
    for frame in &of_elements {
        written_reads_back(frame);
    }
    for (frame, stamp) in &of_lines {
        let mut out = Vec::new();
        match stamp {
            Some(stamp) => slcan::encode_stamped(frame, u64::from(*stamp), &mut out),
            None => slcan::encode(frame, &mut out),
        }
        .expect("a frame of a line is written as one");
        // A raw length code above 8 is written as 8, and no other than that of a classic frame is.
        let code = if frame.is_fd() { frame.dlc() } else { frame.dlc().min(8) };
        let expected = frame.with_dlc(usize::from(code)).expect("a length code");
        assert_eq!(self::lines(&out, &[3]), [Ok(slcan::Line::Frame(expected, *stamp))]);
    }
    second_reading(data);
    (of_elements, of_lines.into_iter().map(|(frame, _)| frame).collect())
}

type Elements = Vec<Result<socketcand::Element, socketcand::Malformed>>;
type Lines = Vec<Result<slcan::Line, slcan::Malformed>>;

fn pieces<'a>(mut data: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let (mut pieces, mut sizes) = (Vec::new(), sizes.iter().cycle());
    while !data.is_empty() {
        let (piece, rest) = data.split_at(sizes.next().map_or(1, |size| *size).min(data.len()));
        pieces.push(piece);
        data = rest;
    }
    pieces
}

fn elements(data: &[u8], sizes: &[usize]) -> Elements {
    let (mut decoder, mut said) = (socketcand::Decoder::new(Channel::NONE), Vec::new());
    pieces(data, sizes).into_iter().for_each(|piece| decoder.decode(piece, |element| said.push(element)));
    said
}

fn lines(data: &[u8], sizes: &[usize]) -> Lines {
    let (mut decoder, mut said) = (slcan::Decoder::new(Channel::NONE), Vec::new());
    pieces(data, sizes).into_iter().for_each(|piece| decoder.decode(piece, |line| said.push(line)));
    said
}

/// Whatever came before, what follows the next delimiter is read.
fn resynchronizes(data: &[u8]) {
    let after = [data, b"< hi >"].concat();
    assert_eq!(elements(&after, &[7]).last(), Some(&Ok(socketcand::Element::Hi)));
    let after = [data, b"\rz\r"].concat();
    assert_eq!(lines(&after, &[7]).last(), Some(&Ok(slcan::Line::Sent)));
}

fn written_reads_back(frame: &Frame) {
    let mut out = Vec::new();
    socketcand::encode_frame(frame, &mut out).expect("a frame of an element is written as one");
    let timed = if frame.time().is_some() { *frame } else { frame.with_time(Timestamp::EPOCH) };
    assert_eq!(elements(&out, &[5]), [Ok(socketcand::Element::Frame(timed))]);
    out.clear();
    if socketcand::encode_send(frame, &mut out).is_ok() {
        let sent = Frame::new(frame.id(), frame.data()).expect("a classic frame");
        assert_eq!(elements(&out, &[5]), [Ok(socketcand::Element::Send(sent))]);
    }
}

/// Each element and each line on its own, in the plainest form, by splitting strings.
fn second_reading(data: &[u8]) {
    for element in data.split_inclusive(|byte| *byte == b'>') {
        if let Some(expected) = str::from_utf8(element).ok().and_then(plain_element) {
            assert_eq!(elements(element, &[4]), [Ok(socketcand::Element::Frame(expected))]);
        }
    }
    for line in data.split_inclusive(|byte| *byte == b'\r') {
        if let Some(expected) = str::from_utf8(line).ok().and_then(plain_line) {
            assert_eq!(lines(line, &[4]), [Ok(slcan::Line::Frame(expected, None))]);
        }
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    if is_hex && text.len() <= 16 && text.len() % 2 == 0 { pairs.collect() } else { None }
}

fn id(text: &str) -> Option<CanId> {
    let raw = u32::from_str_radix(text, 16).ok().filter(|_| !text.starts_with('+'))?;
    match text.len() {
        3 => CanId::standard(raw),
        8 => CanId::extended(raw),
        _ => None,
    }
}

/// `< frame 123 1700000000.123456 0102 >`.
fn plain_element(text: &str) -> Option<Frame> {
    let inner = text.strip_prefix("< frame ")?.strip_suffix(" >")?;
    let [id_text, time, data] = inner.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let (seconds, decimals) = time.split_once('.')?;
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds, 9) || !digits(decimals, 6) {
        return None;
    }
    let nanoseconds = seconds.parse::<i64>().ok()? * 1_000_000_000 + decimals.parse::<i64>().ok()? * 1000;
    let frame = Frame::new(id(id_text)?, &bytes(data)?).ok()?;
    Some(frame.with_time(Timestamp::from_nanoseconds(nanoseconds)))
}

/// `t1232AABB`.
fn plain_line(text: &str) -> Option<Frame> {
    let line = text.strip_suffix('\r')?;
    let width = match line.get(..1)? {
        "t" => 3,
        "T" => 8,
        _ => return None,
    };
    let (id_text, rest) = (line.get(1..=width)?, line.get(width + 1..)?);
    let (len, data) = (rest.get(..1)?.parse::<usize>().ok()?, bytes(rest.get(1..)?)?);
    if data.len() == len { Frame::new(id(id_text)?, &data).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let (elements, lines) =
            frames(b"< frame 123 123456789.000001 0102 >< send 124 1 f >\rt1232AABB\rd123F\r");
        assert_eq!((elements.len(), lines.len()), (2, 1));
        assert_eq!(frames(b"noise"), (Vec::new(), Vec::new()));
        assert!(plain_element("< frame 123 123456789.000001 0102 >").is_some());
        assert!(plain_line("t1232AABB\r").is_some() && plain_line("t1232AA\r").is_none());
    }
}
