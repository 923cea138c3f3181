//! A line of candump's screen form becomes a frame.
//!
//! `  can0  123   [4]  DE AD BE EF`: after time and channel an optional `RX`/`TX` and flags, the identifier, the length in brackets (two
//! digits for CAN FD, braces for a raw length code), the bytes; `remote request`, `ERRORFRAME` or the bytes as text in quotes may follow.
//! An old form has `<0x123> [4] DE AD BE EF` and names the interface in a header line.
//! *Invariant:* the stated length and the bytes agree, or the line is a flaw.
//! *Next:* `candump.rs`, which reads time and channel first.

use super::error::{Flaw, LogFault};
use super::text::{self, Identifier, Rest};
use crate::{CanId, Channel, Direction, Frame};

/// `interface = can0, family = 29, type = 3, proto = 1`, the header of the old form.
pub(super) fn header(line: &[u8]) -> Option<Channel> {
    let rest = line.strip_prefix(b"interface = ")?;
    let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
    Channel::new(rest.get(..end)?.trim_ascii()).ok()
}

/// What follows the channel; `line` is where the whole line begins, for a line that is no frame at all.
pub(super) fn body(line: Rest<'_>, rest: Rest<'_>) -> Result<Frame, Flaw> {
    let mut direction = None;
    let mut flags = (false, false);
    let mut rest = rest;
    let (word, after) = rest.word();
    if let b"RX" | b"TX" = word {
        direction = Some(if word == b"RX" { Direction::Received } else { Direction::Transmitted });
        let (brs, next) = after.word();
        let (esi, next) = next.word();
        flags = match (brs, esi) {
            (b"-" | b"B", b"-" | b"E") => (brs == b"B", esi == b"E"),
            _ => return Err(Flaw::at(after.offset(), LogFault::Flags)),
        };
        rest = next;
    }
    let (word, after) = rest.word();
    if !matches!(after.first(), Some(b'[' | b'{')) {
        return Err(Flaw::at(line.offset(), LogFault::NotAFrame));
    }
    let id = text::identifier(word).ok_or(Flaw::at(rest.offset(), LogFault::Identifier))?;
    let frame = sized(id, after)?.with_direction(direction);
    Ok(frame.with_bit_rate_switch(flags.0).with_error_state(flags.1))
}

/// `<0x18eeff01> [8] 05 a0 …`
pub(super) fn angle(rest: Rest<'_>) -> Result<Frame, Flaw> {
    let flaw = Flaw::at(rest.offset(), LogFault::Identifier);
    let Some((word, after)) = rest.until(b'>') else { return Err(flaw) };
    let Some(digits) = word.strip_prefix(b"<0x") else { return Err(flaw) };
    let id = text::hex_u32(digits)
        .and_then(|raw| if digits.len() <= 3 { CanId::standard(raw) } else { CanId::extended(raw) });
    sized(Identifier::Frame(id.ok_or(flaw)?), after.after_spaces())
}

/// `[8]  05 A0 …`, `[08]  …` of CAN FD, `{C}  …` with a raw length code.
fn sized(id: Identifier, rest: Rest<'_>) -> Result<Frame, Flaw> {
    let flaw = || Flaw::at(rest.offset(), LogFault::Flags);
    let (end, braces) = if rest.first() == Some(b'{') { (b'}', true) } else { (b']', false) };
    let (digits, after) = rest.skip(1).until(end).ok_or_else(flaw)?;
    let (said, code) = if braces {
        let code = digits.first().copied().filter(|_| digits.len() == 1).and_then(text::hex_digit);
        (8, Some(code.filter(|code| *code > 8).ok_or_else(flaw)?))
    } else {
        (text::decimal(digits).and_then(|n| usize::try_from(n).ok()).ok_or_else(flaw)?, None)
    };
    let is_fd = !braces && digits.len() == 2;
    let max = if is_fd { Frame::MAX_FD } else { Frame::MAX_CLASSIC };
    if said > max {
        return Err(Flaw::at(rest.offset() + 1, LogFault::PayloadTooLong { max }));
    }
    let after = after.after_spaces();
    if after.bytes().trim_ascii_end() == b"remote request" {
        let Identifier::Frame(id) = id else { return Err(flaw()) };
        return Frame::remote(id, code.map_or(said, usize::from)).map_err(|_| flaw());
    }
    let mut data = [0; Frame::MAX_FD];
    let after = bytes(after, data.get_mut(..said).unwrap_or_default())?;
    trailing(after)?;
    let data = data.get(..said).unwrap_or_default();
    let frame = match id {
        Identifier::Error(class) => Frame::error(class, data),
        Identifier::Frame(id) if is_fd => Frame::fd(id, data),
        Identifier::Frame(id) => Frame::new(id, data),
    };
    let frame = frame.map_err(|_| Flaw::at(rest.offset() + 1, LogFault::PayloadTooLong { max }))?;
    match code {
        Some(code) => frame.with_dlc(usize::from(code)).map_err(|_| flaw()),
        None => Ok(frame),
    }
}

/// As many bytes as `data` has room for, each followed by spaces.
fn bytes<'a>(mut rest: Rest<'a>, data: &mut [u8]) -> Result<Rest<'a>, Flaw> {
    let said = data.len();
    for (found, into) in data.iter_mut().enumerate() {
        match rest.bytes() {
            [] => return Err(Flaw::at(rest.offset(), LogFault::Length { said, found })),
            [high, low, after @ ..] if matches!(after.first(), None | Some(b' ')) => {
                *into = text::hex_byte(*high, *low).ok_or(Flaw::at(rest.offset(), LogFault::Payload))?;
                rest = rest.skip(2).after_spaces();
            }
            _ => return Err(Flaw::at(rest.offset(), LogFault::Payload)),
        }
    }
    if let [high, low, after @ ..] = rest.bytes()
        && text::hex_byte(*high, *low).is_some()
        && matches!(after.first(), None | Some(b' '))
    {
        return Err(Flaw::at(rest.offset(), LogFault::Length { said, found: said + 1 }));
    }
    Ok(rest)
}

/// After the bytes: nothing, the bytes as text in quotes, or the word for an error frame.
fn trailing(rest: Rest<'_>) -> Result<(), Flaw> {
    match rest.bytes().trim_ascii_end() {
        b"" | b"ERRORFRAME" | [b'\'', .., b'\''] => Ok(()),
        _ => Err(Flaw::at(rest.offset(), LogFault::Trailing)),
    }
}
