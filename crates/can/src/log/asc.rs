//! A line of Vector's ASC becomes a frame, or what later lines need: the base of the numbers, the date, the time so far.
//!
//! `0.015991 1  123x  Rx   d 4 DE AD BE EF  Length = …`: seconds, channel, identifier (`x`: extended), direction, `d` and length and bytes,
//! or `r` for a remote frame; `1 ErrorFrame`; `CANFD 1 Rx 123 Name 1 0 d 32 …`: flags, length code and length.
//! *Invariant:* a line with a time that is no frame (statistics, chip states, J1939 sums, other buses, variables) is an event, and moves the
//! time on where times are relative; a frame that is cut short is a flaw.
//! *Next:* `text_log.rs`, which asks here; `asc_date.rs`; `asc_write.rs`, the way back.

use super::asc_date;
use super::error::{Flaw, LogFault};
use super::text::{self, Rest, Word};
use crate::{CanId, Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;

/// What the header has said.
#[derive(Debug, Default)]
pub(super) struct Asc {
    decimal: bool,
    relative: bool,
    /// The time of the last line, where times are relative.
    elapsed: i64,
    /// When the measurement began.
    start: Option<Timestamp>,
    /// When the block began that the last line began.
    block: Option<Timestamp>,
}

/// Whether a log that begins with this line is an ASC log.
pub(super) fn is_header(line: Rest<'_>) -> bool {
    let (first, rest) = line.next_word();
    let (second, _) = rest.next_word();
    let is_base = first.is("base") && (second.is("hex") || second.is("dec"));
    let is_event = first.text.contains(&b'.')
        && text::seconds(first.text).is_some()
        && (second.is("CANFD") || text::decimal(second.text).is_some());
    is_base || is_event || (first.is("date") && !second.text.is_empty() && !second.text.starts_with(b"#"))
}

impl Asc {
    /// Whether the times count from 1970, and not from an unknown start.
    pub(super) fn has_date(&self) -> bool {
        self.start.is_some()
    }

    /// One line; `None` where it is no frame.
    pub(super) fn line(&mut self, line: Rest<'_>) -> Result<Option<Frame>, Flaw> {
        let (first, rest) = line.next_word();
        if !first.text.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-') {
            return self.header(first, rest);
        }
        let time = text::seconds(first.text).ok_or(first.flaw(LogFault::Time))?;
        let before = if self.relative { self.elapsed } else { 0 };
        self.elapsed = before.checked_add(time.nanoseconds()).ok_or(first.flaw(LogFault::Time))?;
        let block = self.block.take();
        let (second, rest) = rest.next_word();
        if second.text.is_empty() {
            return Err(second.flaw(LogFault::NotAFrame));
        }
        let frame = if let Some(channel) = channel(second)? {
            self.classic(channel, rest)?
        } else if second.is("CANFD") {
            let (word, rest) = rest.next_word();
            let channel = channel_of(word)?;
            Some(self.fd(channel, rest)?)
        } else {
            if let Some(block) = block
                && second.is("Start")
            {
                // The measurement began with this block, whatever the head of the file says.
                self.start = block.nanoseconds().checked_sub(self.elapsed).map(Timestamp::from_nanoseconds);
            }
            if second.is("CANXL") {
                return Err(second.flaw(LogFault::CanXl));
            }
            None
        };
        let start = self.start.map_or(0, Timestamp::nanoseconds);
        let time = start.checked_add(self.elapsed).ok_or(first.flaw(LogFault::Time))?;
        Ok(frame.map(|frame| frame.with_time(Timestamp::from_nanoseconds(time))))
    }

    fn header(&mut self, first: Word<'_>, rest: Rest<'_>) -> Result<Option<Frame>, Flaw> {
        let (second, after) = rest.next_word();
        let date = |rest: Rest<'_>, at: Word<'_>| asc_date::date(rest.bytes()).ok_or(at.flaw(LogFault::Time));
        if first.text.starts_with(b"//") {
        } else if first.is("date") {
            self.start = None;
            self.start = Some(date(rest, second)?);
        } else if first.is("base") {
            self.decimal = match second {
                word if word.is("hex") => false,
                word if word.is("dec") => true,
                word => return Err(word.flaw(LogFault::Flags)),
            };
            let (word, rest) = after.next_word();
            self.relative = word.is("timestamps") && rest.next_word().0.is("relative");
        } else if first.is("Begin") && second.is("Triggerblock") {
            self.block = None;
            let (word, _) = after.next_word();
            if !word.text.is_empty() {
                self.block = Some(date(after, word)?);
            }
        } else if !matches!(first, word if word.is("internal") || word.is("no") || word.is("End")) {
            return Err(first.flaw(LogFault::NotAFrame));
        }
        Ok(None)
    }

    /// What follows a channel's number.
    fn classic(&self, channel: Channel, rest: Rest<'_>) -> Result<Option<Frame>, Flaw> {
        let (name, rest) = rest.next_word();
        if name.is("ErrorFrame") {
            let frame = Frame::error(0, &[]).map_err(|_| name.flaw(LogFault::Identifier))?;
            return Ok(Some(frame.with_channel(channel)));
        }
        let (word, after) = rest.next_word();
        let id = self.id(name.text);
        let Some(direction) = direction(word) else {
            // A request to transmit is no frame yet; what has no direction is something else, or was cut off.
            let is_number =
                name.text.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X'));
            return if is_number && !word.is("TxRq") {
                Err(word.flaw(LogFault::NotAFrame))
            } else {
                Ok(None)
            };
        };
        let (kind, after) = after.next_word();
        let named = || named(after);
        let id = id.or_else(named).ok_or(name.flaw(LogFault::Identifier))?;
        let frame = if kind.is("r") {
            let (length, _) = after.next_word();
            let code = if length.text.is_empty() || length.is("Length") { Some(0) } else { code(length) };
            code.and_then(|code| Frame::remote(id, code).ok()).ok_or(length.flaw(LogFault::Flags))?
        } else if kind.is("d") {
            let (length, rest) = after.next_word();
            let code = code(length).ok_or(length.flaw(LogFault::Flags))?;
            self.data(id, code, length, rest)?
        } else {
            return Err(kind.flaw(LogFault::Flags));
        };
        Ok(Some(frame.with_channel(channel).with_direction(Some(direction))))
    }

    /// The bytes of a classic line. A length code above 8 stands for 8 bytes, or, where so many follow, for those of a CAN FD frame.
    fn data(&self, id: CanId, code: usize, at: Word<'_>, rest: Rest<'_>) -> Result<Frame, Flaw> {
        let mut data = [0; Frame::MAX_FD];
        let (found, _) = self.bytes(rest, &mut data)?;
        let said = if code > 8 && found != 8 { fd_length(code) } else { code.min(8) };
        if found != said {
            return Err(at.flaw(LogFault::Length { said, found }));
        }
        let data = data.get(..found).unwrap_or_default();
        let frame = if found > Frame::MAX_CLASSIC { Frame::fd(id, data) } else { Frame::new(id, data) };
        frame.and_then(|frame| frame.with_dlc(code)).map_err(|_| at.flaw(LogFault::Flags))
    }

    /// What follows the channel of a CAN FD bus, which carries classic frames too.
    fn fd(&self, channel: Channel, rest: Rest<'_>) -> Result<Frame, Flaw> {
        let (word, rest) = rest.next_word();
        let direction = direction(word).ok_or(word.flaw(LogFault::Flags))?;
        let (name, rest) = rest.next_word();
        if name.is("ErrorFrame") {
            let frame = Frame::error(0, &[]).map_err(|_| name.flaw(LogFault::Identifier))?;
            return Ok(frame.with_channel(channel).with_direction(Some(direction)));
        }
        let id = self.id(name.text).ok_or(name.flaw(LogFault::Identifier))?;
        let (word, after) = rest.next_word();
        let (brs, rest) = if matches!(word.text, b"0" | b"1") { (word, after) } else { after.next_word() };
        let (esi, rest) = rest.next_word();
        let flag = |word: Word<'_>| match word.text {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(word.flaw(LogFault::Flags)),
        };
        let (brs, esi) = (flag(brs)?, flag(esi)?);
        let (code_at, rest) = rest.next_word();
        let code = code(code_at).ok_or(code_at.flaw(LogFault::Flags))?;
        let (length_at, rest) = rest.next_word();
        let length = text::decimal(length_at.text).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or(length_at.flaw(LogFault::Flags))?;
        let mut data = [0; Frame::MAX_FD];
        let room =
            data.get_mut(..length).ok_or(length_at.flaw(LogFault::PayloadTooLong { max: Frame::MAX_FD }))?;
        let (found, rest) = self.bytes(rest, room)?;
        if found != length {
            return Err(length_at.flaw(LogFault::Length { said: length, found }));
        }
        // Duration and length of the message, then its flags.
        let (_, rest) = rest.next_word();
        let (_, rest) = rest.next_word();
        let flags = text::hex_u32(rest.next_word().0.text);
        let frame = match flags {
            Some(flags) if flags & FLAG_FD == 0 && flags & FLAG_REMOTE != 0 => Frame::remote(id, code),
            None if length == 0 && code > 0 => Frame::remote(id, code),
            Some(flags) if flags & FLAG_FD == 0 && !brs && !esi && length <= Frame::MAX_CLASSIC => {
                Frame::new(id, data.get(..length).unwrap_or_default()).and_then(|frame| frame.with_dlc(code))
            }
            _ => Frame::fd(id, data.get(..length).unwrap_or_default()),
        };
        let frame = frame.map_err(|_| code_at.flaw(LogFault::Flags))?;
        let frame = frame.with_bit_rate_switch(brs).with_error_state(esi);
        Ok(frame.with_channel(channel).with_direction(Some(direction)))
    }

    /// An identifier in the base of the log; `x` at its end makes it extended.
    fn id(&self, text: &[u8]) -> Option<CanId> {
        match text.strip_suffix(b"x").or_else(|| text.strip_suffix(b"X")) {
            Some(digits) => CanId::extended(self.number(digits)?),
            None => CanId::standard(self.number(text)?),
        }
    }

    fn number(&self, text: &[u8]) -> Option<u32> {
        if self.decimal { text::decimal(text) } else { text::hex_u32(text) }
    }

    /// The bytes up to the first word that is none, as many as there is room for.
    fn bytes<'a>(&self, mut rest: Rest<'a>, into: &mut [u8]) -> Result<(usize, Rest<'a>), Flaw> {
        for (count, byte) in into.iter_mut().enumerate() {
            let (word, after) = rest.next_word();
            let value = match (self.decimal, word.text) {
                (false, [high, low]) => text::hex_byte(*high, *low),
                (true, text) => text::decimal(text).and_then(|value| u8::try_from(value).ok()),
                _ => None,
            };
            match value {
                Some(value) => *byte = value,
                None if word.text.is_empty()
                    || word.text.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) =>
                {
                    return Ok((count, rest));
                }
                None => return Err(word.flaw(LogFault::Payload)),
            }
            rest = after;
        }
        Ok((into.len(), rest))
    }
}

/// The identifier of a frame that goes by its name: `… ID = 291` or `… ID = 291x` at the end, always decimal.
fn named(mut rest: Rest<'_>) -> Option<CanId> {
    loop {
        let (word, after) = rest.next_word();
        if word.text.is_empty() {
            return None;
        }
        if word.text == b"ID" && after.next_word().0.text == b"=" {
            let (number, _) = after.next_word().1.next_word();
            return Asc { decimal: true, ..Asc::default() }.id(number.text);
        }
        rest = after;
    }
}

/// The bits of a CAN FD line's flags that say what kind of frame it is.
const FLAG_REMOTE: u32 = 0x10;
const FLAG_FD: u32 = 0x1000;

/// A length code: one digit, hexadecimal as in the standard, or 10 to 15 as some write it.
fn code(word: Word<'_>) -> Option<usize> {
    match word.text {
        [digit] => text::hex_digit(*digit).map(usize::from),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + usize::from(digit - b'0')),
        _ => None,
    }
}

/// The length that a code stands for on a CAN FD bus.
pub(super) fn fd_length(code: usize) -> usize {
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64].get(code).copied().unwrap_or(0)
}

/// The channel, where the word is a number; `None` where it is something else.
fn channel(word: Word<'_>) -> Result<Option<Channel>, Flaw> {
    if text::decimal(word.text).is_some() { channel_of(word).map(Some) } else { Ok(None) }
}

fn channel_of(word: Word<'_>) -> Result<Channel, Flaw> {
    let flaw = word.flaw(LogFault::Channel);
    text::decimal(word.text).and_then(|_| Channel::new(word.text).ok()).ok_or(flaw)
}

fn direction(word: Word<'_>) -> Option<Direction> {
    if word.is("Rx") {
        Some(Direction::Received)
    } else if word.is("Tx") {
        Some(Direction::Transmitted)
    } else {
        None
    }
}
