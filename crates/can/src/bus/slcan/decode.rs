//! Bytes become lines: what stands before a carriage return, and the bell, which stands alone.
//!
//! *Invariant:* the same bytes in any split give the same lines; at most [`MAX_LINE`] bytes are held; a line that is too long or not well formed
//! costs one [`Malformed`] and never the next line.
//! *Next:* `session.rs`, which acts on the lines; `encode.rs`, the way back.

use crate::{CanId, Channel, Frame};

/// The longest line, in bytes. The longest frame (CAN FD, extended, with a time stamp) has 142.
pub const MAX_LINE: usize = 160;

/// A line of the protocol, from either side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// A frame, and the adapter's time in milliseconds (0 to 59,999, then again from 0) where it gives one.
    Frame(Frame, Option<u16>),
    /// An empty line: the adapter has done what was asked.
    Done,
    /// `z` or `Z`: the adapter has taken a frame.
    Sent,
    /// The bell: the adapter refuses.
    Refused,
    /// `F` and two digits: the adapter's status flags.
    Status(u8),
    /// `V` or `N` and more: what the adapter says of itself.
    Information(String),
    /// A command, as a host sends it, by its letter: `O`, `C`, `S` …
    Command(u8),
}

/// A line that is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no line of slcan")]
pub struct Malformed;

/// Cuts a stream of bytes into lines.
///
/// ```
/// use coachwork_can::bus::slcan::{Decoder, Line};
/// use coachwork_can::Channel;
///
/// let mut heard = Vec::new();
/// let mut decoder = Decoder::new("ttyACM0".parse()?);
/// decoder.decode(b"\rt1232AA", |line| heard.push(line));
/// decoder.decode(b"BB\r\x07", |line| heard.push(line));
/// let [Ok(Line::Done), Ok(Line::Frame(frame, None)), Ok(Line::Refused)] = &heard[..] else { return Err("three lines".into()) };
/// assert_eq!(frame.to_string(), "(-) ttyACM0 123#AABB");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    channel: Channel,
    line: Vec<u8>,
    overlong: bool,
}

impl Decoder {
    /// A decoder whose frames come on `channel`.
    pub fn new(channel: Channel) -> Self {
        Self { channel, line: Vec::with_capacity(MAX_LINE), overlong: false }
    }

    /// One that holds nothing, to stand in for another.
    pub(super) const fn empty() -> Self {
        Self { channel: Channel::NONE, line: Vec::new(), overlong: false }
    }

    /// Reads the next bytes and says what became complete with them.
    pub fn decode(&mut self, mut bytes: &[u8], mut say: impl FnMut(Result<Line, Malformed>)) {
        while !bytes.is_empty() {
            let end = memchr::memchr2(b'\r', BELL, bytes);
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            if !self.overlong && self.line.len() + part.len() > MAX_LINE {
                self.overlong = true;
                self.line.clear();
                say(Err(Malformed));
            }
            if !self.overlong {
                self.line.extend_from_slice(part);
            }
            let Some(at) = end else { return };
            let is_bell = bytes.get(at) == Some(&BELL);
            // Some adapters end a line with a line feed too.
            let text = self.line.strip_prefix(b"\n").unwrap_or(&self.line);
            if is_bell {
                if !text.is_empty() {
                    say(Err(Malformed));
                }
                say(Ok(Line::Refused));
            } else if !self.overlong {
                say(line(text, self.channel).ok_or(Malformed));
            }
            self.line.clear();
            self.overlong = false;
            bytes = bytes.get(at + 1..).unwrap_or_default();
        }
    }
}

const BELL: u8 = 7;

fn line(text: &[u8], channel: Channel) -> Option<Line> {
    let Some((kind, rest)) = text.split_first() else { return Some(Line::Done) };
    Some(match (kind, rest) {
        (b'z' | b'Z', []) => Line::Sent,
        (b't' | b'T' | b'x' | b'r' | b'R' | b'd' | b'D' | b'b' | b'B', _) => {
            let (frame, stamp) = frame(*kind, rest)?;
            Line::Frame(frame.with_channel(channel), stamp)
        }
        (b'F', [high, low]) => Line::Status(digit(*high)? << 4 | digit(*low)?),
        (b'V' | b'v' | b'N', [_, ..]) => Line::Information(str::from_utf8(text).ok()?.to_owned()),
        // What hosts say: open, listen, close, speeds, registers, filters, time stamps, polling, questions.
        (
            b'O' | b'L' | b'C' | b'S' | b's' | b'Y' | b'Z' | b'M' | b'm' | b'A' | b'P' | b'Q' | b'W' | b'X'
            | b'U' | b'F' | b'V' | b'v' | b'N',
            _,
        ) if rest.iter().all(u8::is_ascii_alphanumeric) => Line::Command(*kind),
        _ => return None,
    })
}

/// Identifier, length, bytes, and perhaps four digits of time.
fn frame(kind: u8, text: &[u8]) -> Option<(Frame, Option<u16>)> {
    let is_extended = matches!(kind, b'T' | b'x' | b'R' | b'D' | b'B');
    let is_remote = matches!(kind, b'r' | b'R');
    let is_fd = matches!(kind, b'd' | b'D' | b'b' | b'B');
    let (id, text) = text.split_at_checked(if is_extended { 8 } else { 3 })?;
    let id =
        if is_extended { CanId::extended(hexadecimal(id)?)? } else { CanId::standard(hexadecimal(id)?)? };
    let (code, text) = text.split_first()?;
    let code = usize::from(digit(*code)?);
    let len = match code {
        _ if is_remote => 0,
        0..=8 => code,
        _ if is_fd => *LENGTHS.get(code - 9)?,
        _ => 8,
    };
    let (digits, stamp) = text.split_at_checked(2 * len)?;
    let mut data = [0_u8; Frame::MAX_FD];
    for (byte, [high, low]) in data.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    let data = data.get(..len)?;
    let frame = if is_remote {
        Frame::remote(id, code).ok()?
    } else if is_fd {
        Frame::fd(id, data).ok()?.with_bit_rate_switch(matches!(kind, b'b' | b'B'))
    } else {
        // A raw length code above 8 has eight bytes.
        Frame::new(id, data).ok()?.with_dlc(code).ok()?
    };
    let stamp = match stamp.len() {
        0 => None,
        4 => Some(u16::try_from(hexadecimal(stamp)?).ok().filter(|stamp| *stamp < MINUTE)?),
        _ => return None,
    };
    Some((frame, stamp))
}

/// The lengths of the codes 9 to 15.
pub(super) const LENGTHS: [usize; 7] = [12, 16, 20, 24, 32, 48, 64];

/// Where an adapter's time begins again, in milliseconds.
pub(super) const MINUTE: u16 = 60_000;

fn hexadecimal(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| Some(value << 4 | u32::from(digit(*byte)?)))
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
