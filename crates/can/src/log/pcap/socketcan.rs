//! A captured packet becomes a frame, by the link type of its capture, and a frame becomes a packet.
//!
//! Link type 227: identifier (4, big-endian, with three flags above it), length, FD flags, reserved, raw length code, data. In Linux's cooked
//! captures (113, 276) the same behind a header that tells direction and, in the second, the interface.
//! *Invariant:* the length that a packet states and the bytes it has agree, or it is a fault.
//! *Next:* `classic.rs`, `ng.rs`, which have the packets; `write.rs`.

use crate::log::LogFault;
use crate::log::window::chunk;
use crate::{CanId, Channel, Direction, Frame, FrameError};

pub(super) const SOCKETCAN: u32 = 227;
const COOKED: u32 = 113;
const COOKED_2: u32 = 276;

const EXTENDED: u32 = 1 << 31;
const REMOTE: u32 = 1 << 30;
const ERROR: u32 = 1 << 29;

const BRS: u8 = 1;
const ESI: u8 = 2;
const FD: u8 = 4;

/// The header before the data, and the length of an FD frame as the system has it.
const HEADER: usize = 8;
const FD_SIZE: usize = 72;

/// Whether packets of a link type can be CAN frames.
pub(super) fn is_read(link: u32) -> bool {
    matches!(link, SOCKETCAN | COOKED | COOKED_2)
}

/// The frame of a packet; `None` when the packet, of a cooked capture, is of another protocol.
#[inline]
pub(super) fn frame(link: u32, packet: &[u8]) -> Result<Option<Frame>, LogFault> {
    match link {
        SOCKETCAN => can(packet, false).map(Some),
        COOKED => {
            let head = chunk::<16>(packet, 0).ok_or(too_short(packet, 16))?;
            let [kind_0, kind_1, .., protocol_0, protocol_1] = *head;
            let kind = u16::from_be_bytes([kind_0, kind_1]);
            cooked(packet, 16, [protocol_0, protocol_1], kind)
        }
        _ => {
            let head = chunk::<20>(packet, 0).ok_or(too_short(packet, 20))?;
            let [protocol_0, protocol_1, _, _, i_0, i_1, i_2, i_3, _, _, kind, ..] = *head;
            let frame = cooked(packet, 20, [protocol_0, protocol_1], kind.into())?;
            let interface = Channel::numbered(u32::from_be_bytes([i_0, i_1, i_2, i_3]));
            Ok(frame.map(|frame| frame.with_channel(interface)))
        }
    }
}

fn cooked(packet: &[u8], header: usize, protocol: [u8; 2], kind: u16) -> Result<Option<Frame>, LogFault> {
    let is_fd = match u16::from_be_bytes(protocol) {
        0x000C => false,
        0x000D => true,
        _ => return Ok(None),
    };
    // 4: sent by this machine.
    let direction = if kind == 4 { Direction::Transmitted } else { Direction::Received };
    let frame = can(packet.get(header..).unwrap_or_default(), is_fd)?;
    Ok(Some(frame.with_direction(Some(direction))))
}

fn too_short(packet: &[u8], header: usize) -> LogFault {
    LogFault::Length { said: header, found: packet.len() }
}

#[inline]
fn can(packet: &[u8], is_fd: bool) -> Result<Frame, LogFault> {
    let [id_0, id_1, id_2, id_3, len, flags, _, code] =
        *chunk::<HEADER>(packet, 0).ok_or_else(|| too_short(packet, HEADER))?;
    let raw = u32::from_be_bytes([id_0, id_1, id_2, id_3]);
    let data = packet.get(HEADER..).unwrap_or_default();
    let len = usize::from(len);
    // A byte of the length above the FD limit has the mark of CAN XL.
    if len & 0x80 != 0 && packet.len() > FD_SIZE {
        return Err(LogFault::CanXl);
    }
    let is_fd = is_fd || flags & FD != 0 || packet.len() == FD_SIZE || len > Frame::MAX_CLASSIC;
    let number = raw & 0x1FFF_FFFF;
    if raw & ERROR != 0 {
        let data = take(data, len, Frame::MAX_CLASSIC)?;
        let frame = Frame::error(number, data).map_err(fault)?;
        return if code > 8 { frame.with_dlc(code.into()).map_err(fault) } else { Ok(frame) };
    }
    let id = if raw & EXTENDED != 0 { CanId::extended(number) } else { CanId::standard(number) };
    let id = id.ok_or(LogFault::Identifier)?;
    if raw & REMOTE != 0 && !is_fd {
        let asked = if len == 8 && code > 8 { code.into() } else { len };
        return Frame::remote(id, asked).map_err(fault);
    }
    if is_fd {
        if raw & REMOTE != 0 {
            return Err(LogFault::Flags);
        }
        let frame = Frame::fd(id, take(data, len, Frame::MAX_FD)?).map_err(fault)?;
        return Ok(frame.with_bit_rate_switch(flags & BRS != 0).with_error_state(flags & ESI != 0));
    }
    let frame = Frame::new(id, take(data, len, Frame::MAX_CLASSIC)?).map_err(fault)?;
    if code > 8 { frame.with_dlc(code.into()).map_err(fault) } else { Ok(frame) }
}

#[inline]
fn take(data: &[u8], len: usize, max: usize) -> Result<&[u8], LogFault> {
    if len > max {
        return Err(LogFault::PayloadTooLong { max });
    }
    data.get(..len).ok_or(LogFault::Length { said: len, found: data.len() })
}

fn fault(why: FrameError) -> LogFault {
    match why {
        FrameError::TooLong { max, .. } => LogFault::PayloadTooLong { max },
        FrameError::NotALengthCode(_) => LogFault::Flags,
        FrameError::NotAnErrorClass(_) => LogFault::Identifier,
    }
}

/// The packet of a frame before its data: of link type [`SOCKETCAN`].
pub(super) fn header(frame: &Frame) -> [u8; HEADER] {
    let kind = if frame.is_error() {
        ERROR
    } else {
        let extended = if frame.id().is_extended() { EXTENDED } else { 0 };
        extended | if frame.is_remote() { REMOTE } else { 0 }
    };
    let [id_0, id_1, id_2, id_3] = (frame.id().raw() | kind).to_be_bytes();
    let (len, flags, code) = if frame.is_fd() {
        let rate = if frame.bit_rate_switch() { BRS } else { 0 };
        let state = if frame.error_state() { ESI } else { 0 };
        (u8::try_from(frame.len()).unwrap_or(0), FD | rate | state, 0)
    } else {
        let dlc = frame.dlc();
        (dlc.min(8), 0, if dlc > 8 { dlc } else { 0 })
    };
    [id_0, id_1, id_2, id_3, len, flags, 0, code]
}
