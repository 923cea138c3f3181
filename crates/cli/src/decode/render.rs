//! A decoded frame as JSON, or as text like candump's with values.
//!
//! *Invariant:* what does not depend on the frame (names, keys, units) is made once per message.
//! *Next:* `../number.rs` (the digits).

use crate::Format;
use crate::number;
use coachwork_can::{CanId, Frame};
use coachwork_dbc::{Database, Message};

/// How frames are printed.
#[derive(Debug)]
pub(super) struct Render<'a> {
    database: &'a Database,
    format: Format,
    raw: bool,
    single_line: bool,
    labels: bool,
    /// By message.
    messages: Vec<Prepared>,
}

/// The parts of a printed message that are always the same.
#[derive(Debug, Default)]
struct Prepared {
    /// `,"message":"NAME","signals":{`, or ` ::\nNAME(`.
    head: Vec<u8>,
    /// `,"Signal":`, or `,\n    Signal: `, by signal; the first that is printed goes without the comma.
    keys: Vec<Vec<u8>>,
    /// ` km/h`, by signal; for text.
    units: Vec<Vec<u8>>,
}

impl<'a> Render<'a> {
    pub(super) fn new(
        database: &'a Database,
        format: Format,
        raw: bool,
        single_line: bool,
        labels: bool,
    ) -> Self {
        let prepared = |message| match format {
            Format::Jsonl => Prepared::json(message),
            Format::Text => Prepared::text(message, single_line),
        };
        let messages = database.messages().iter().map(prepared).collect();
        Self { database, format, raw, single_line, labels, messages }
    }

    /// A data frame of the message at `position`.
    pub(super) fn frame(&self, out: &mut Vec<u8>, frame: &Frame, position: usize) {
        let Some(message) = self.database.messages().get(position) else { return };
        let Some(prepared) = self.messages.get(position) else { return };
        match self.format {
            Format::Jsonl => self.json(out, frame, message, prepared),
            Format::Text => self.text(out, frame, message, prepared),
        }
    }

    fn json(&self, out: &mut Vec<u8>, frame: &Frame, message: &Message, prepared: &Prepared) {
        out.extend_from_slice(b"{");
        if let Some(time) = frame.time() {
            out.extend_from_slice(b"\"time\":");
            number::seconds(out, time.nanoseconds());
            out.push(b',');
        }
        if !frame.channel().is_none() {
            out.extend_from_slice(b"\"channel\":");
            // Printable ASCII; only these two need an escape.
            if frame.channel().as_bytes().iter().any(|byte| matches!(byte, b'"' | b'\\')) {
                number::text(out, frame.channel().as_str());
            } else {
                out.push(b'"');
                out.extend_from_slice(frame.channel().as_bytes());
                out.push(b'"');
            }
            out.push(b',');
        }
        out.extend_from_slice(b"\"id\":");
        number::integer(out, i128::from(frame.id().raw()));
        out.extend_from_slice(if frame.id().is_extended() {
            b",\"extended\":true"
        } else {
            b",\"extended\":false"
        });
        out.extend_from_slice(&prepared.head);
        for (count, value) in message.decode_partial(frame.data()).enumerate() {
            out.extend_from_slice(prepared.key(value.index().position(), count == 0));
            if self.raw {
                number::raw(out, value.raw());
            } else {
                number::physical(out, value.physical());
            }
        }
        out.extend_from_slice(b"}}\n");
    }

    fn text(&self, out: &mut Vec<u8>, frame: &Frame, message: &Message, prepared: &Prepared) {
        candump(out, frame);
        out.extend_from_slice(&prepared.head);
        let mut is_first = true;
        for value in message.decode_partial(frame.data()) {
            let signal = value.index().position();
            out.extend_from_slice(prepared.key(signal, is_first));
            is_first = false;
            match value.label().filter(|_| self.labels && !self.raw) {
                Some(label) => out.extend_from_slice(label.as_bytes()),
                None if self.raw => number::raw(out, value.raw()),
                None => {
                    number::plain(out, value.physical());
                    if let Some(unit) = prepared.units.get(signal).filter(|unit| !unit.is_empty()) {
                        out.extend_from_slice(unit);
                    }
                }
            }
        }
        out.extend_from_slice(if self.single_line { b")\n" } else { b"\n)\n" });
    }
}

impl Prepared {
    fn json(message: &Message) -> Self {
        let mut head = b",\"message\":".to_vec();
        number::text(&mut head, message.name());
        head.extend_from_slice(b",\"signals\":{");
        let key = |name: &str| {
            let mut key = vec![b','];
            number::text(&mut key, name);
            key.push(b':');
            key
        };
        let keys = message.signals().iter().map(|signal| key(signal.name())).collect();
        Self { head, keys, units: Vec::new() }
    }

    fn text(message: &Message, single_line: bool) -> Self {
        let head = format!("{}{}(", if single_line { " :: " } else { " ::\n" }, message.name());
        let before = if single_line { ", " } else { ",\n    " };
        let signals = message.signals().iter();
        let keys =
            signals.clone().map(|signal| format!("{before}{}: ", signal.name()).into_bytes()).collect();
        let unit = |unit: &str| if unit.is_empty() { Vec::new() } else { format!(" {unit}").into_bytes() };
        Self { head: head.into_bytes(), keys, units: signals.map(|signal| unit(signal.unit())).collect() }
    }

    /// What stands before the value of a signal; the first of a message has no comma, nor the space after it on the same line.
    #[inline]
    fn key(&self, signal: usize, is_first: bool) -> &[u8] {
        let key = self.keys.get(signal).map_or(&b""[..], Vec::as_slice);
        let skipped = if !is_first {
            0
        } else if key.get(1) == Some(&b' ') {
            2
        } else {
            1
        };
        key.get(skipped..).unwrap_or_default()
    }
}

/// The frame as candump shows it: ` (1436509052.249713)  can0  123   [4]  DE AD BE EF`.
fn candump(out: &mut Vec<u8>, frame: &Frame) {
    out.push(b' ');
    if let Some(time) = frame.time() {
        out.push(b'(');
        number::seconds(out, time.nanoseconds());
        out.extend_from_slice(b") ");
    }
    if !frame.channel().is_none() {
        out.push(b' ');
        out.extend_from_slice(frame.channel().as_bytes());
    }
    out.extend_from_slice(b"  ");
    identifier(out, frame.id());
    let len = frame.len();
    let (tens, ones) = (digit(len / 10), digit(len % 10));
    if frame.is_fd() {
        out.extend_from_slice(&[b' ', b' ', b'[', tens, ones, b']', b' ']);
    } else {
        out.extend_from_slice(&[b' ', b' ', b' ', b'[', ones, b']', b' ']);
    }
    payload(out, frame.data());
}

/// ` DE AD BE EF`, put together apart: one copy into the output instead of three for each byte.
fn payload(out: &mut Vec<u8>, data: &[u8]) {
    if data.len() <= Frame::MAX_CLASSIC {
        spaced::<{ 3 * Frame::MAX_CLASSIC }>(out, data);
    } else {
        spaced::<{ 3 * Frame::MAX_FD }>(out, data);
    }
}

fn spaced<const LENGTH: usize>(out: &mut Vec<u8>, data: &[u8]) {
    let mut text = [b' '; LENGTH];
    for (into, byte) in text.chunks_exact_mut(3).zip(data) {
        if let [_, high, low] = into {
            (*high, *low) = (hex_digit(byte >> 4), hex_digit(byte & 0xF));
        }
    }
    out.extend_from_slice(text.get(..3 * data.len()).unwrap_or_default());
}

fn digit(value: usize) -> u8 {
    b'0' + u8::try_from(value % 10).unwrap_or(0)
}

/// Without a table and without a branch: the letters begin 7 after the digits.
fn hex_digit(nibble: u8) -> u8 {
    b'0' + nibble + 7 * u8::from(nibble > 9)
}

fn identifier(out: &mut Vec<u8>, id: CanId) {
    let mut digits = [b'0'; 8];
    for (into, place) in digits.iter_mut().zip((0..8).rev()) {
        *into = hex_digit(u8::try_from((id.raw() >> (place * 4)) & 0xF).unwrap_or(0));
    }
    out.extend_from_slice(digits.get(if id.is_extended() { 0 } else { 5 }..).unwrap_or_default());
}
