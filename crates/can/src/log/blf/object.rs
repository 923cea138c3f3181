//! One object of a BLF file becomes a frame.
//!
//! Objects 1 and 86 (classic), 100 and 101 (FD), 2, 73 and 104 (errors); all others are no frames. A channel counts from 1; 0 is none.
//! *Invariant:* every field is read at its place in the object as its maker defined it; a size that does not hold them is a fault.
//! *Next:* `mod.rs`, which finds the objects; `write.rs`, the way back.

use crate::log::LogFault;
use crate::log::record::RecordFault;
use crate::log::window::{chunk, le16, le32, le64};
use crate::{CanId, Direction, Frame, FrameError};
use coachwork_vehicle::Timestamp;

pub(super) const CAN_MESSAGE: u32 = 1;
const CAN_ERROR: u32 = 2;
pub(super) const CAN_ERROR_EXT: u32 = 73;
const CAN_MESSAGE2: u32 = 86;
pub(super) const CAN_FD_MESSAGE: u32 = 100;
const CAN_FD_MESSAGE_64: u32 = 101;
const CAN_FD_ERROR_64: u32 = 104;

/// The header of version 1: the base, flags, client, object version, time.
pub(super) const HEADER_1: usize = 32;

pub(super) const EXTENDED: u32 = 1 << 31;
pub(super) const REMOTE: u8 = 1 << 7;
pub(super) const FD: u8 = 1;
pub(super) const BRS: u8 = 2;
pub(super) const ESI: u8 = 4;

/// No object that is a frame is longer.
pub(super) const MAX_FRAME_OBJECT: usize = 1024;

/// Whether objects of this type are frames.
#[inline]
pub(super) fn is_frame(kind: u32) -> bool {
    matches!(
        kind,
        CAN_MESSAGE
            | CAN_ERROR
            | CAN_ERROR_EXT
            | CAN_MESSAGE2
            | CAN_FD_MESSAGE
            | CAN_FD_MESSAGE_64
            | CAN_FD_ERROR_64
    )
}

/// The longest that this object, of this type, usually is; one that is longer may be so by damage. What this leaves to
/// spare is less than a frame's object takes, so that none hides in it, where data is written as the type has it.
#[inline]
pub(super) fn usual_size(kind: u32, object: &[u8]) -> usize {
    // The longer header and what the type has, with data in full.
    40 + match kind {
        CAN_MESSAGE => 16,
        CAN_ERROR => 8,
        CAN_FD_MESSAGE => 84,
        CAN_FD_MESSAGE_64 | CAN_FD_ERROR_64 => {
            let valid = le16(object, 4).and_then(|header| object.get(usize::from(header) + 2));
            44 + valid.map_or(0, |valid| usize::from(*valid)) + 12
        }
        _ => 32,
    }
}

/// The frame of an object that [`is_frame`], with its time, and the number of its channel.
#[inline]
pub(super) fn frame(kind: u32, object: &[u8], start: Timestamp) -> Result<(Frame, u16), LogFault> {
    let short = || RecordFault::Size { what: "an object for its type", size: object.len() as u64 };
    let header = usize::from(le16(object, 4).ok_or_else(short)?);
    let time = time(object, header, start)?;
    let body = object.get(header..).ok_or_else(short)?;
    let (frame, channel) = match kind {
        CAN_MESSAGE | CAN_MESSAGE2 => classic(body),
        CAN_FD_MESSAGE => fd(body),
        CAN_FD_MESSAGE_64 => fd_64(object, body),
        CAN_ERROR => le16(body, 0).map(|channel| (Frame::error(0, &[]), channel)),
        CAN_ERROR_EXT => error_ext(body),
        _ => fd_error_64(body),
    }
    .ok_or_else(short)?;
    let frame = frame.map_err(|why| match why {
        FrameError::TooLong { max, .. } => LogFault::PayloadTooLong { max },
        FrameError::NotALengthCode(_) => LogFault::Flags,
        FrameError::NotAnErrorClass(_) => LogFault::Identifier,
    })?;
    Ok((frame.with_time(time), channel))
}

#[inline]
fn time(object: &[u8], header: usize, start: Timestamp) -> Result<Timestamp, LogFault> {
    let short = || RecordFault::Size { what: "an object's header", size: header as u64 };
    let version = le16(object, 6).ok_or_else(short)?;
    if version != 1 && version != 2 {
        return Err(
            RecordFault::Unknown { what: "an object header's version", number: version.into() }.into()
        );
    }
    if header < HEADER_1 {
        return Err(short().into());
    }
    let unit = if le32(object, 16).ok_or_else(short)? == 1 { 10_000 } else { 1 };
    let ticks = i64::try_from(le64(object, 24).ok_or_else(short)?).ok();
    let time = ticks.and_then(|ticks| ticks.checked_mul(unit)?.checked_add(start.nanoseconds()));
    time.map(Timestamp::from_nanoseconds).ok_or(LogFault::Time)
}

type Parsed = Option<(Result<Frame, FrameError>, u16)>;

/// A number above 11 bits is extended, also where its bit does not say so; bits 29 and 30 mean nothing.
#[inline]
fn id(raw: u32) -> Option<CanId> {
    let id = if raw & EXTENDED == 0 { CanId::standard(raw & 0x1FFF_FFFF) } else { None };
    id.or(CanId::extended(raw & 0x1FFF_FFFF))
}

#[inline]
fn direction(number: u8) -> Option<Direction> {
    match number {
        0 => Some(Direction::Received),
        // A request to transmit: not sent yet.
        2 => None,
        _ => Some(Direction::Transmitted),
    }
}

#[inline]
fn classic_frame(raw: u32, dlc: u8, remote: bool, data: &[u8]) -> Option<Result<Frame, FrameError>> {
    let id = id(raw)?;
    if remote {
        // A length code has four bits.
        return Some(Frame::remote(id, usize::from(dlc & 0xF)));
    }
    let frame = Frame::new(id, data.get(..usize::from(dlc).min(Frame::MAX_CLASSIC))?);
    Some(with_code(frame, dlc))
}

/// The frame with a length code above 8. One above 15 is none, and means 8 bytes to every reader.
#[inline]
fn with_code(frame: Result<Frame, FrameError>, dlc: u8) -> Result<Frame, FrameError> {
    if (9..=15).contains(&dlc) { frame.and_then(|frame| frame.with_dlc(dlc.into())) } else { frame }
}

#[inline]
fn classic(body: &[u8]) -> Parsed {
    let [channel_0, channel_1, flags, dlc, id_0, id_1, id_2, id_3, data @ ..] = chunk::<16>(body, 0)?;
    let raw = u32::from_le_bytes([*id_0, *id_1, *id_2, *id_3]);
    let frame = classic_frame(raw, *dlc, flags & REMOTE != 0, data)?;
    let frame = frame.map(|frame| frame.with_direction(direction(flags & 0xF)));
    Some((frame, u16::from_le_bytes([*channel_0, *channel_1])))
}

/// Channel 2, flags, length code, identifier 4, frame length 4, bit count, FD flags, valid bytes, 5 reserved, data.
#[inline]
fn fd(body: &[u8]) -> Parsed {
    let head = chunk::<20>(body, 0)?;
    let (channel, raw) = (le16(head, 0)?, le32(head, 4)?);
    let [_, _, flags, dlc, ..] = *head;
    let [fd_flags, valid] = *chunk::<2>(head, 13)?;
    let data = body.get(20..).unwrap_or_default();
    let frame = if fd_flags & FD == 0 || flags & REMOTE != 0 {
        classic_frame(raw, dlc, flags & REMOTE != 0, data)?
    } else {
        let padded = padded(data, valid.into());
        let frame = match padded.get(..valid.into()) {
            Some(data) => Frame::fd(id(raw)?, data),
            None => Err(FrameError::TooLong { len: valid.into(), max: Frame::MAX_FD }),
        };
        frame.map(|frame| {
            frame.with_bit_rate_switch(fd_flags & BRS != 0).with_error_state(fd_flags & ESI != 0)
        })
    };
    Some((frame.map(|frame| frame.with_direction(direction(flags & 0xF))), channel))
}

/// Channel, length code, valid bytes, count of tries, identifier 4, frame length 4, flags 4, 16 of timing, bit count 2, direction,
/// offset of what follows the data, checksum 4, data.
fn fd_64(object: &[u8], body: &[u8]) -> Parsed {
    let head = chunk::<40>(body, 0)?;
    let [channel, dlc, valid, ..] = *head;
    let (raw, flags) = (le32(head, 4)?, le32(head, 12)?);
    let [sent, extra] = *chunk::<2>(head, 34)?;
    let header = object.len() - body.len();
    let end = if extra == 0 { body.len() } else { usize::from(extra).saturating_sub(header) };
    let data = body.get(40..end.min(body.len()).max(40)).unwrap_or_default();
    // Of the data fewer bytes may be there than are valid; the others are zero.
    let data = padded(data, valid.into());
    let frame = if flags & 0x1000 == 0 || flags & 0x10 != 0 {
        classic_frame(raw, dlc, flags & 0x10 != 0, &data)?
    } else {
        let frame = match data.get(..valid.into()) {
            Some(data) => Frame::fd(id(raw)?, data),
            None => Err(FrameError::TooLong { len: valid.into(), max: Frame::MAX_FD }),
        };
        frame.map(|frame| {
            frame.with_bit_rate_switch(flags & 0x2000 != 0).with_error_state(flags & 0x4000 != 0)
        })
    };
    Some((frame.map(|frame| frame.with_direction(direction(sent))), channel.into()))
}

/// The first `valid` bytes of `data`, then zeros.
fn padded(data: &[u8], valid: usize) -> [u8; Frame::MAX_FD] {
    let mut out = [0; Frame::MAX_FD];
    for (into, from) in out.iter_mut().zip(data.iter().take(valid)) {
        *into = *from;
    }
    out
}

/// Channel 2, length 2, flags 4, code, position, length code, reserved, frame length 4, identifier 4, extended flags 2, reserved 2, data.
fn error_ext(body: &[u8]) -> Parsed {
    let head = chunk::<32>(body, 0)?;
    let (channel, raw) = (le16(head, 0)?, le32(head, 16)?);
    let dlc = usize::from(*head.get(10)?);
    let frame = Frame::error(raw & 0x1FFF_FFFF, head.get(24..24 + dlc.min(Frame::MAX_CLASSIC))?);
    Some((with_code(frame, *head.get(10)?), channel))
}

/// Channel, length code, valid bytes, code, flags 2, extended code 2, extended flags 2, offset of what follows, reserved, identifier 4,
/// then 28 more, then data, of which a frame that tells of an error keeps 8.
fn fd_error_64(body: &[u8]) -> Parsed {
    let head = chunk::<44>(body, 0)?;
    let [channel, _, valid, ..] = *head;
    let data = body.get(44..).unwrap_or_default();
    let len = usize::from(valid).min(Frame::MAX_CLASSIC).min(data.len());
    Some((Frame::error(le32(head, 12)? & 0x1FFF_FFFF, data.get(..len)?), channel.into()))
}
