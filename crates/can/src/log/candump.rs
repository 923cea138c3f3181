//! A line of candump becomes a frame: the log form here, the screen form by way of `console.rs`.
//!
//! `(1436509052.249713) can0 123#DEADBEEF`: time, channel, three or eight hexadecimal digits, `#` and bytes (which `.` may part),
//! `#R` and a length for a remote frame, `##` and a flags digit for CAN FD, `_` and a raw length code; then ` R` or ` T`.
//! *Invariant:* the form of can-utils and no more; everything else is a flaw at its column.
//! *Next:* `mod.rs` asks here; `write.rs` is the way back.

use super::error::{Flaw, LogFault};
use super::text::{self, Identifier, Rest};
use super::{LogFormat, console};
use crate::{Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;

/// The channel of the line before, which nearly every line has too, with the space after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastChannel {
    channel: Channel,
    /// Its first eight bytes, and which of them count; of a longer name, none does.
    bytes: u64,
    mask: u64,
}

impl Default for LastChannel {
    fn default() -> Self {
        Self { channel: Channel::NONE, bytes: 0, mask: u64::MAX }
    }
}

impl LastChannel {
    /// The channel that a text begins with, and what follows the space after it.
    #[inline]
    fn of<'a>(&mut self, text: &'a [u8]) -> Option<(Channel, &'a [u8])> {
        match text.first_chunk() {
            // No name has the zeros of the default, and a line of them no identifier.
            Some(bytes) if (u64::from_le_bytes(*bytes) ^ self.bytes) & self.mask == 0 => {
                Some((self.channel, text.get(self.channel.as_bytes().len() + 1..)?))
            }
            _ => self.other(text),
        }
    }

    fn other<'a>(&mut self, text: &'a [u8]) -> Option<(Channel, &'a [u8])> {
        let space = text.iter().position(|byte| *byte == b' ')?;
        let channel = channel(text.get(..space)?)?;
        if let Some(bytes) = text.first_chunk().filter(|_| (1..8).contains(&space) && !channel.is_none()) {
            let mask = u64::MAX >> (56 - 8 * space);
            *self = Self { channel, bytes: u64::from_le_bytes(*bytes) & mask, mask };
        }
        Some((channel, text.get(space + 1..)?))
    }
}

/// A whole line of the log form into `frame`, or `None` when it is anything else; then [`any_line`] says what.
#[inline]
pub(super) fn whole_line(line: &[u8], last: &mut LastChannel, frame: &mut Frame) -> Option<()> {
    // Nearly every time has ten digits and six decimals.
    let usual = line.get(1..).and_then(|line| line.split_at_checked(17));
    let (time, rest) = if let Some((time, [b')', b' ', rest @ ..])) = usual {
        (time, rest)
    } else {
        let (time, rest) = Rest::new(line, 1).until(b')')?;
        (time, rest.bytes().strip_prefix(b" ")?)
    };
    let time = text::seconds(time)?;
    let (channel, rest) = last.of(rest)?;
    // Nearly every frame is a classic data frame, and its line ends with it.
    let (digits, data) = match rest {
        [_, _, _, b'#', data @ ..] => (rest.get(..3)?, data),
        [_, _, _, _, _, _, _, _, b'#', data @ ..] => (rest.get(..8)?, data),
        _ => return None,
    };
    let (bytes, len) = if let Ok(data) = <&[u8; 16]>::try_from(data) {
        (text::eight_bytes(data), 8)
    } else {
        let mut bytes = [0; Frame::MAX_CLASSIC];
        (text::hex_bytes(data, &mut bytes).then_some(bytes), data.len() / 2)
    };
    if let Some(bytes) = bytes
        && let Some(Identifier::Frame(id)) = text::identifier(digits)
        && let Ok(len) = u8::try_from(len)
    {
        frame.set_classic(id, bytes, len, time, channel);
        return Some(());
    }
    *frame = body(Rest::new(line, line.len() - rest.len())).ok()?.with_time(time).with_channel(channel);
    Some(())
}

/// A line of either form, from its first character that is not a space.
pub(super) fn any_line(line: Rest<'_>, default_channel: Channel) -> Result<(Frame, LogFormat), Flaw> {
    let (time, rest) = time(line)?;
    if rest.first() == Some(b'<') {
        let frame = console::angle(rest)?.with_channel(default_channel);
        return Ok((text::timed(frame, time), LogFormat::Console));
    }
    let (name, rest) = rest.word();
    if name.is_empty() || rest.bytes().is_empty() {
        return Err(Flaw::at(line.offset(), LogFault::NotAFrame));
    }
    let (word, _) = rest.word();
    let (frame, format) = if word.contains(&b'#') {
        (body(rest)?, LogFormat::Candump)
    } else {
        (console::body(line, rest)?, LogFormat::Console)
    };
    let channel = channel(name).ok_or(Flaw::at(rest.offset() - name.len() - 1, LogFault::Channel))?;
    Ok((text::timed(frame, time).with_channel(channel), format))
}

/// A channel name; `-` is what [`CandumpWriter`](super::CandumpWriter) writes for none.
#[inline]
fn channel(name: &[u8]) -> Option<Channel> {
    if name == b"-" { Some(Channel::NONE) } else { Channel::new(name).ok() }
}

/// The time in parentheses that a line may begin with: seconds, or a date.
fn time(line: Rest<'_>) -> Result<(Option<Timestamp>, Rest<'_>), Flaw> {
    if line.first() != Some(b'(') {
        return Ok((None, line));
    }
    let inside = line.skip(1);
    let flaw = || Flaw::at(inside.offset(), LogFault::Time);
    let (time, rest) = inside.until(b')').ok_or_else(flaw)?;
    let time = text::seconds(time).or_else(|| text::date(time)).ok_or_else(flaw)?;
    Ok((Some(time), rest.after_spaces()))
}

/// `123#…`, `12345678#…` and what may follow.
fn body(rest: Rest<'_>) -> Result<Frame, Flaw> {
    let bytes = rest.bytes();
    let digits = if bytes.get(3) == Some(&b'#') { 3 } else { 8 };
    if bytes.get(digits) != Some(&b'#') {
        return Err(Flaw::at(
            rest.offset(),
            if is_xl(bytes) { LogFault::CanXl } else { LogFault::Identifier },
        ));
    }
    let id = bytes.get(..digits).and_then(text::identifier);
    let id = id.ok_or(Flaw::at(rest.offset(), LogFault::Identifier))?;
    let after = rest.skip(digits + 1);
    match (after.first(), id) {
        (Some(b'#'), Identifier::Frame(id)) => fd(id, after.skip(1)),
        (Some(b'R'), Identifier::Frame(id)) => remote(id, after.skip(1)),
        (_, id) => classic(id, after),
    }
}

fn classic(id: Identifier, rest: Rest<'_>) -> Result<Frame, Flaw> {
    let mut data = [0; Frame::MAX_CLASSIC];
    let (len, after) = payload(rest, &mut data)?;
    let data = data.get(..len).unwrap_or_default();
    let frame = match id {
        Identifier::Frame(id) => Frame::new(id, data),
        Identifier::Error(class) => Frame::error(class, data),
    };
    let frame =
        frame.map_err(|_| Flaw::at(rest.offset(), LogFault::PayloadTooLong { max: Frame::MAX_CLASSIC }))?;
    length_code(frame, after, len == 8)
}

fn fd(id: crate::CanId, rest: Rest<'_>) -> Result<Frame, Flaw> {
    // Bit 2 says that this is CAN FD, which the second `#` says already.
    let flags = rest.first().and_then(text::hex_digit).filter(|flags| *flags < 8);
    let flags = flags.ok_or(Flaw::at(rest.offset(), LogFault::Flags))?;
    let rest = rest.skip(1);
    let mut data = [0; Frame::MAX_FD];
    let (len, after) = payload(rest, &mut data)?;
    let frame = Frame::fd(id, data.get(..len).unwrap_or_default());
    let frame =
        frame.map_err(|_| Flaw::at(rest.offset(), LogFault::PayloadTooLong { max: Frame::MAX_FD }))?;
    ending(frame.with_bit_rate_switch(flags & 1 != 0).with_error_state(flags & 2 != 0), after)
}

fn remote(id: crate::CanId, rest: Rest<'_>) -> Result<Frame, Flaw> {
    let (len, after) = match rest.first().and_then(text::hex_digit) {
        Some(len) if len <= 8 => (usize::from(len), rest.skip(1)),
        Some(_) => return Err(Flaw::at(rest.offset(), LogFault::Flags)),
        None => (0, rest),
    };
    let frame = Frame::remote(id, len).map_err(|_| Flaw::at(rest.offset(), LogFault::Flags))?;
    length_code(frame, after, len == 8)
}

/// `_` and a raw length code from 9 to 15, which only a length of 8 can have.
#[inline]
fn length_code(frame: Frame, rest: Rest<'_>, possible: bool) -> Result<Frame, Flaw> {
    if rest.first() != Some(b'_') {
        return ending(frame, rest);
    }
    let flaw = Flaw::at(rest.offset() + 1, LogFault::Flags);
    match rest.bytes().get(1).copied().and_then(text::hex_digit) {
        Some(code @ 9..=15) if possible => match frame.with_dlc(usize::from(code)) {
            Ok(frame) => ending(frame, rest.skip(2)),
            Err(_) => Err(flaw),
        },
        _ => Err(flaw),
    }
}

/// Nothing, or the direction.
#[inline]
fn ending(frame: Frame, rest: Rest<'_>) -> Result<Frame, Flaw> {
    if rest.bytes().is_empty() {
        return Ok(frame);
    }
    match rest.bytes().trim_ascii_end() {
        b"" => Ok(frame),
        b" R" => Ok(frame.with_direction(Some(Direction::Received))),
        b" T" => Ok(frame.with_direction(Some(Direction::Transmitted))),
        text if text.first() == Some(&b' ') => Err(Flaw::at(rest.offset() + 1, LogFault::Trailing)),
        _ => Err(Flaw::at(rest.offset(), LogFault::Payload)),
    }
}

/// Pairs of digits, which `.` may part, into `data`.
#[inline]
fn payload<'a>(rest: Rest<'a>, data: &mut [u8]) -> Result<(usize, Rest<'a>), Flaw> {
    let mut left = rest.bytes();
    let mut len = 0;
    while let [high, low, tail @ ..] = left {
        let Some(byte) = text::hex_byte(*high, *low) else { break };
        let Some(into) = data.get_mut(len) else {
            let at = rest.offset() + rest.bytes().len() - left.len();
            return Err(Flaw::at(at, LogFault::PayloadTooLong { max: data.len() }));
        };
        *into = byte;
        len += 1;
        left = match tail {
            [b'.', more @ ..] => more,
            tail => tail,
        };
    }
    Ok((len, rest.skip(rest.bytes().len() - left.len())))
}

/// `0007B#81:00:12345678#…`
fn is_xl(text: &[u8]) -> bool {
    text.get(5) == Some(&b'#') && text.get(8) == Some(&b':')
}
