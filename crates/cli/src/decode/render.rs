//! A decoded frame as JSON, or as text like candump's with values.
//!
//! *Invariant:* what does not depend on the frame (names, keys, units) is made once per message, what depends on the second once per second.
//! *Next:* `bodies.rs` (what was printed before), `texts.rs` (the signals), `line.rs` (where the pieces go), `../number.rs` (the digits).

use super::bodies::{Bodies, Key};
use super::line::{Line, Piece};
use super::texts::{Style, Texts};
use crate::Format;
use crate::number;
use coachwork_can::{Channel, Frame};
use coachwork_dbc::{CanId, Database, Message};

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;

/// How frames are printed.
#[derive(Debug)]
pub(super) struct Render<'a> {
    database: &'a Database,
    style: Style,
    /// By message.
    messages: Vec<Prepared>,
    texts: Texts,
    bodies: Bodies,
    second: Second,
    /// Of the frame before, and how it is printed.
    channel: (Channel, Piece),
}

/// The parts of a printed message that are always the same.
#[derive(Debug)]
struct Prepared {
    /// ` ::\nNAME(`, or `"id":291,"extended":false,"message":"NAME","signals":{`.
    head: Piece,
    /// How many signals the messages before this one have.
    first_signal: usize,
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
            Prepared { head: Piece::new(head), first_signal: first }
        };
        let messages = database.messages().iter().map(&mut prepared).collect();
        let channel = (Channel::NONE, channel(style.format, &Channel::NONE));
        let texts = Texts::new(database, style);
        Self { database, style, messages, texts, bodies: Bodies::new(), second: Second::default(), channel }
    }

    /// Writes the lines of a data frame of the message at `position`; their length, or `None` where there is not room enough.
    pub(super) fn frame(&mut self, room: &mut [u8], frame: &Frame, position: usize) -> Option<usize> {
        let (Some(message), Some(prepared)) =
            (self.database.messages().get(position), self.messages.get(position))
        else {
            return Some(0);
        };
        let (mut line, style) = (Line::new(room), self.style);
        self.second.put(&mut line, style.format, frame)?;
        if self.channel.0 != *frame.channel() {
            self.channel = (*frame.channel(), channel(style.format, frame.channel()));
        }
        self.channel.1.put(&mut line)?;
        if style.format == Format::Text {
            identifier(&mut line, frame.id())?;
        }
        // JSON has the identifier in what follows, and it may be that of another sender.
        let same = style.format == Format::Text || frame.id() == message.id();
        let key = if same { Key::of(frame, position) } else { None };
        let Some(key) = key else {
            body(&mut line, &mut self.texts, style, prepared, (frame, message))?;
            return Some(line.len());
        };
        if let Some(kept) = self.bodies.body(key) {
            line.extend(kept)?;
        } else {
            let start = line.len();
            body(&mut line, &mut self.texts, style, prepared, (frame, message))?;
            self.bodies.keep(key, line.since(start));
        }
        Some(line.len())
    }
}

/// What follows the identifier; of JSON with the identifier.
#[inline(never)]
fn body(
    line: &mut Line<'_>,
    texts: &mut Texts,
    style: Style,
    prepared: &Prepared,
    (frame, message): (&Frame, &Message),
) -> Option<()> {
    match style.format {
        Format::Text => {
            payload(line, frame)?;
            prepared.head.put(line)?;
        }
        Format::Jsonl if frame.id() == message.id() => prepared.head.put(line)?,
        Format::Jsonl => line.extend(&json_head(message, frame.id()))?,
    }
    let mut is_empty = true;
    for value in message.decode_partial(frame.data()) {
        texts.put(line, prepared.first_signal + value.index().position(), &value)?;
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
}

/// A time up to its decimal point, as the frames of one second have it.
#[derive(Debug, Default)]
struct Second {
    /// Where the second begins, in nanoseconds.
    begin: u64,
    text: [u8; 32],
    /// Zero where no second is kept.
    len: usize,
}

impl Second {
    /// The frame's time: ` (1436509052.249713) `, or `{"time":1436509052.249713,`.
    #[inline]
    fn put(&mut self, line: &mut Line<'_>, format: Format, frame: &Frame) -> Option<()> {
        let Some(time) = frame.time() else {
            let none = match format {
                Format::Jsonl => b'{',
                Format::Text => b' ',
            };
            return line.put(&[none], 1);
        };
        // A time before 0 is later than every second that is kept.
        let rest = time.nanoseconds().cast_unsigned().wrapping_sub(self.begin);
        let micros = match u32::try_from(rest) {
            Ok(rest) if rest < 1_000_000_000 && rest % 1000 == 0 && self.len != 0 => rest / 1000,
            _ => return line.extend(&self.whole(format, time.nanoseconds())),
        };
        line.put(&self.text, self.len)?;
        let [d1, d2] = number::two_digits(micros / 10_000);
        let [d3, d4] = number::two_digits(micros / 100 % 100);
        let [d5, d6] = number::two_digits(micros % 100);
        match format {
            Format::Jsonl => line.put(&[d1, d2, d3, d4, d5, d6, b','], 7),
            Format::Text => line.put(&[d1, d2, d3, d4, d5, d6, b')', b' '], 8),
        }
    }

    /// The whole text of a time, of which what stands before the decimals is kept.
    #[cold]
    fn whole(&mut self, format: Format, nanoseconds: i64) -> Vec<u8> {
        let mut text = match format {
            Format::Jsonl => b"{\"time\":".to_vec(),
            Format::Text => b" (".to_vec(),
        };
        number::seconds(&mut text, nanoseconds);
        self.len = 0;
        if let Ok(time) = u64::try_from(nanoseconds) {
            self.begin = time - time % 1_000_000_000;
            let len = text.iter().position(|byte| *byte == b'.').map_or(0, |point| point + 1);
            if let (Some(into), Some(from)) = (self.text.get_mut(..len), text.get(..len)) {
                into.copy_from_slice(from);
                self.len = len;
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
fn channel(format: Format, channel: &Channel) -> Piece {
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
    Piece::new(text)
}

/// Three digits, or eight.
#[inline]
fn identifier(line: &mut Line<'_>, id: CanId) -> Option<()> {
    let (value, digits) = if id.is_extended() { (id.raw(), 8) } else { (id.raw() << 20, 3) };
    // One digit a byte, the first in the highest.
    let spread = u64::from(value);
    let spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF;
    let spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF;
    let spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    // The letters begin 7 after the digits; adding 6 to a digit of 10 or more carries into bit 4.
    let letters = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    line.put(&(spread + 0x3030_3030_3030_3030 + 7 * letters).to_be_bytes(), digits)
}

/// Length and bytes: `   [4]  DE AD BE EF`.
#[expect(clippy::inline_always, reason = "the place in the line stays in a register")]
#[inline(always)]
fn payload(line: &mut Line<'_>, frame: &Frame) -> Option<()> {
    let len = frame.len();
    if frame.is_fd() {
        let [tens, ones] = number::two_digits(u32::from(u8::try_from(len).unwrap_or(0)));
        line.put(&[b' ', b' ', b'[', tens, ones, b']', b' '], 7)?;
    } else {
        line.put(&[b' ', b' ', b' ', b'[', b'0' | u8::try_from(len & 0xF).unwrap_or(0), b']', b' '], 7)?;
    }
    for (place, bytes) in frame.padded().as_chunks::<8>().0.iter().enumerate() {
        let Some(left @ 1..) = len.checked_sub(8 * place) else { break };
        let text: &mut [u8; 24] = line.space(3 * left.min(8))?;
        for ([space, high, low], byte) in text.as_chunks_mut::<3>().0.iter_mut().zip(bytes) {
            *space = b' ';
            [*high, *low] = HEX.get(usize::from(*byte)).copied().unwrap_or_default();
        }
    }
    Some(())
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
