//! A decoded frame as JSON, or as text like candump's with values.
//!
//! *Invariant:* what does not depend on the frame (names, keys, units) is made once per message.
//! *Next:* `../number.rs` (the digits).

use crate::Format;
use crate::number;
use coachwork_can::{CanId, Frame};
use coachwork_dbc::{Database, Match, Message};

/// How frames are printed.
#[derive(Debug)]
pub(super) struct Render<'a> {
    database: &'a Database,
    format: Format,
    raw: bool,
    single_line: bool,
    labels: bool,
    /// JSON, by message.
    messages: Vec<Prepared>,
}

/// The parts of a message's JSON that are always the same.
#[derive(Debug, Default)]
struct Prepared {
    /// `,"message":"NAME","signals":{`
    head: Vec<u8>,
    /// `"Signal":`, by signal.
    keys: Vec<Vec<u8>>,
}

impl<'a> Render<'a> {
    pub(super) fn new(
        database: &'a Database,
        format: Format,
        raw: bool,
        single_line: bool,
        labels: bool,
    ) -> Self {
        let messages = if format == Format::Jsonl {
            database.messages().iter().map(Prepared::new).collect()
        } else {
            Vec::new()
        };
        Self { database, format, raw, single_line, labels, messages }
    }

    /// A data frame whose message the database has.
    pub(super) fn frame(&self, out: &mut Vec<u8>, frame: &Frame, by: Match) {
        let Some(position) = self.database.find_position(frame.id(), by) else { return };
        let Some(message) = self.database.messages().get(position) else { return };
        match (self.format, self.messages.get(position)) {
            (Format::Jsonl, Some(prepared)) => self.json(out, frame, message, prepared),
            _ => self.text(out, frame, message),
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
        let mut is_first = true;
        for value in message.decode_partial(frame.data()) {
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            out.extend_from_slice(
                prepared.keys.get(value.index().position()).map_or(&b"\"\":"[..], Vec::as_slice),
            );
            if self.raw {
                number::raw(out, value.raw());
            } else {
                number::physical(out, value.physical());
            }
        }
        out.extend_from_slice(b"}}\n");
    }

    fn text(&self, out: &mut Vec<u8>, frame: &Frame, message: &Message) {
        candump(out, frame);
        out.extend_from_slice(if self.single_line { b" :: " } else { b" ::\n" });
        out.extend_from_slice(message.name().as_bytes());
        out.push(b'(');
        let (before, between, end): (&[u8], &[u8], &[u8]) =
            if self.single_line { (b"", b", ", b")\n") } else { (b"\n    ", b",", b"\n)\n") };
        for (count, value) in message.decode_partial(frame.data()).enumerate() {
            if count > 0 {
                out.extend_from_slice(between);
            }
            out.extend_from_slice(before);
            out.extend_from_slice(value.name().as_bytes());
            out.extend_from_slice(b": ");
            match value.label().filter(|_| self.labels && !self.raw) {
                Some(label) => out.extend_from_slice(label.as_bytes()),
                None if self.raw => number::raw(out, value.raw()),
                None => {
                    number::plain(out, value.physical());
                    let unit = value.signal().unit();
                    if !unit.is_empty() {
                        out.push(b' ');
                        out.extend_from_slice(unit.as_bytes());
                    }
                }
            }
        }
        out.extend_from_slice(end);
    }
}

impl Prepared {
    fn new(message: &Message) -> Self {
        let mut head = b",\"message\":".to_vec();
        number::text(&mut head, message.name());
        head.extend_from_slice(b",\"signals\":{");
        let key = |name: &str| {
            let mut key = Vec::new();
            number::text(&mut key, name);
            key.push(b':');
            key
        };
        Self { head, keys: message.signals().iter().map(|signal| key(signal.name())).collect() }
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
    if frame.is_fd() {
        out.extend_from_slice(b"  [");
        out.push(b'0' + u8::try_from(len / 10).unwrap_or(0));
        out.push(b'0' + u8::try_from(len % 10).unwrap_or(0));
    } else {
        out.extend_from_slice(b"   [");
        out.push(b'0' + u8::try_from(len).unwrap_or(0));
    }
    out.extend_from_slice(b"] ");
    for byte in frame.data() {
        out.push(b' ');
        hex(out, u32::from(*byte), 2);
    }
}

fn identifier(out: &mut Vec<u8>, id: CanId) {
    hex(out, id.raw(), if id.is_extended() { 8 } else { 3 });
}

fn hex(out: &mut Vec<u8>, value: u32, digits: u32) {
    for place in (0..digits).rev() {
        let nibble = u8::try_from((value >> (place * 4)) & 0xF).unwrap_or(0);
        out.push(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
    }
}
