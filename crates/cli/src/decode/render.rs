//! A decoded frame as JSON, or as text like candump's with values.
//!
//! *Invariant:* what does not depend on the frame (names, keys, units) is made once per message, what depends on the second once per second.
//! *Next:* `texts.rs` (the signals), `line.rs` (where the pieces go), `../number.rs` (the digits).

use super::line::Line;
use super::texts::{Style, Texts};
use crate::Format;
use crate::number;
use coachwork_can::{Channel, Frame};
use coachwork_dbc::{CanId, Database, Message};

/// How frames are printed.
#[derive(Debug)]
pub(super) struct Render<'a> {
    database: &'a Database,
    style: Style,
    /// By message.
    messages: Vec<Prepared>,
    texts: Texts,
    second: Second,
    channel: (Channel, Vec<u8>),
    line: Line,
}

/// The parts of a printed message that are always the same.
#[derive(Debug, Default)]
struct Prepared {
    /// ` ::\nNAME(`, or `"id":291,"extended":false,"message":"NAME","signals":{`.
    head: Vec<u8>,
    /// How many signals the messages before this one have.
    first_signal: usize,
}

/// A time up to its decimal point, as the frames of one second have it.
#[derive(Debug)]
struct Second {
    second: i64,
    text: [u8; 32],
    len: usize,
}

impl<'a> Render<'a> {
    pub(super) fn new(database: &'a Database, style: Style) -> Self {
        let mut first_signal = 0;
        let mut prepared = |message: &Message| {
            let head = match style.format {
                Format::Jsonl => json_head(message, message.id()),
                Format::Text => {
                    let before = if style.single_line { " :: " } else { " ::\n" };
                    format!("{before}{}(", message.name()).into_bytes()
                }
            };
            let first = first_signal;
            first_signal += message.signals().len();
            Prepared { head, first_signal: first }
        };
        let messages = database.messages().iter().map(&mut prepared).collect();
        let channel = (Channel::NONE, channel(style.format, &Channel::NONE));
        let second = Second { second: -1, text: [0; 32], len: 0 };
        Self { database, style, messages, texts: Texts::new(database, style), second, channel, line: Line::new() }
    }

    /// The lines of a data frame of the message at `position`.
    pub(super) fn frame(&mut self, frame: &Frame, position: usize) -> &[u8] {
        self.line.clear();
        let (Some(message), Some(prepared)) =
            (self.database.messages().get(position), self.messages.get(position))
        else {
            return &[];
        };
        let (line, style) = (&mut self.line, self.style);
        self.second.put(line, style.format, frame);
        if self.channel.0 != *frame.channel() {
            self.channel = (*frame.channel(), channel(style.format, frame.channel()));
        }
        line.extend(&self.channel.1);
        match style.format {
            Format::Text => {
                identifier(line, frame.id());
                payload(line, frame);
                line.extend(&prepared.head);
            }
            Format::Jsonl if frame.id() == message.id() => line.extend(&prepared.head),
            Format::Jsonl => line.extend(&json_head(message, frame.id())),
        }
        let mut is_empty = true;
        for value in message.decode_partial(frame.data()) {
            self.texts.put(line, prepared.first_signal + value.index().position(), &value);
            is_empty = false;
        }
        if !is_empty {
            line.shorten(style.separator().len());
        }
        match style.format {
            Format::Jsonl => line.put(b"}}\n", 3),
            Format::Text if style.single_line => line.put(b")\n", 2),
            Format::Text => line.put(b"\n)\n", 3),
        }
        line.bytes()
    }
}

impl Second {
    /// The frame's time: ` (1436509052.249713) `, or `{"time":1436509052.249713,`.
    fn put(&mut self, line: &mut Line, format: Format, frame: &Frame) {
        let Some(time) = frame.time() else {
            let none = match format {
                Format::Jsonl => b'{',
                Format::Text => b' ',
            };
            return line.put(&[none], 1);
        };
        let nanoseconds = time.nanoseconds();
        let (second, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        let micros = u32::try_from(rest / 1000).unwrap_or(u32::MAX);
        if self.second != second || nanoseconds < 0 || rest % 1000 != 0 {
            let digits = self.whole(format, nanoseconds, second);
            if rest % 1000 != 0 || nanoseconds < 0 {
                return line.extend(&digits);
            }
        }
        line.put(&self.text, self.len);
        let after = match format {
            Format::Jsonl => [b',', 0],
            Format::Text => [b')', b' '],
        };
        let [a, b] = number::two_digits(micros / 10_000);
        let [c, d] = number::two_digits(micros / 100 % 100);
        let [e, f] = number::two_digits(micros % 100);
        let [g, h] = after;
        line.put(&[a, b, c, d, e, f, g, h], if h == 0 { 7 } else { 8 });
    }

    /// The whole text of a time, of which what stands before the decimals is kept.
    #[cold]
    fn whole(&mut self, format: Format, nanoseconds: i64, second: i64) -> Vec<u8> {
        let mut text = match format {
            Format::Jsonl => b"{\"time\":".to_vec(),
            Format::Text => b" (".to_vec(),
        };
        number::seconds(&mut text, nanoseconds);
        self.len = 0;
        // A time before 0 has a sign, which belongs to no other.
        self.second = if nanoseconds < 0 { -1 } else { second };
        for (into, byte) in self.text.iter_mut().zip(&text) {
            *into = *byte;
            self.len += 1;
            if *byte == b'.' {
                break;
            }
        }
        text.extend_from_slice(match format {
            Format::Jsonl => b",",
            Format::Text => b") ",
        });
        text
    }
}

/// `"id":291,"extended":false,"message":"NAME","signals":{`
fn json_head(message: &Message, id: CanId) -> Vec<u8> {
    let mut head = format!("\"id\":{},\"extended\":{},\"message\":", id.raw(), id.is_extended()).into_bytes();
    number::text(&mut head, message.name());
    head.extend_from_slice(b",\"signals\":{");
    head
}

/// A channel as it stands between time and identifier: ` can0  `, or `"channel":"can0",`.
fn channel(format: Format, channel: &Channel) -> Vec<u8> {
    let mut text = Vec::new();
    match format {
        Format::Jsonl if channel.is_none() => {}
        Format::Jsonl => {
            text.extend_from_slice(b"\"channel\":");
            number::text(&mut text, channel.as_str());
            text.push(b',');
        }
        Format::Text => {
            if !channel.is_none() {
                text.push(b' ');
                text.extend_from_slice(channel.as_bytes());
            }
            text.extend_from_slice(b"  ");
        }
    }
    text
}

/// Three digits, or eight.
fn identifier(line: &mut Line, id: CanId) {
    let (value, digits) = if id.is_extended() { (id.raw(), 8) } else { (id.raw() << 20, 3) };
    // One digit a byte, the first in the highest.
    let spread = u64::from(value);
    let spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF;
    let spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF;
    let spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    // The letters begin 7 after the digits; adding 6 to a digit of 10 or more carries into bit 4.
    let letters = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    line.put(&(spread + 0x3030_3030_3030_3030 + 7 * letters).to_be_bytes(), digits);
}

/// Length and bytes: `   [4]  DE AD BE EF`.
fn payload(line: &mut Line, frame: &Frame) {
    let len = frame.len();
    let [tens, ones] = number::two_digits(u32::from(u8::try_from(len).unwrap_or(0)));
    if frame.is_fd() {
        line.put(&[b' ', b' ', b'[', tens, ones, b']', b' '], 7);
    } else {
        line.put(&[b' ', b' ', b' ', b'[', ones, b']', b' '], 7);
    }
    for (place, bytes) in frame.padded().chunks_exact(8).enumerate() {
        let Some(left @ 1..) = len.checked_sub(8 * place) else { return };
        let mut text = [b' '; 24];
        for (into, byte) in text.chunks_exact_mut(3).zip(bytes) {
            if let ([_, high, low], Some(digits)) = (into, HEX.get(usize::from(*byte))) {
                [*high, *low] = *digits;
            }
        }
        line.put(&text, 3 * left.min(8));
    }
}

/// The two digits of each byte.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds does not compile")]
static HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xF]];
        byte += 1;
    }
    table
};
