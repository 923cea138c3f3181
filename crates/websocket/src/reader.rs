//! Bytes as they come become messages and what controls the connection, without I/O.
//!
//! *Invariant:* a length is checked before anything is allocated for it, and room grows only with what has arrived; the same bytes in any split
//! give the same items. Text is UTF-8.
//! *Next:* `frame.rs` (one header), `socket.rs` (which reads the stream).

use bytes::{Bytes, BytesMut};
use coachwork_transport::{CloseCode, CloseReason, Message, MessageKind};

use crate::frame::{Header, Opcode, apply_mask};

/// The room that a connection begins with, and comes back to: most peers say little.
const SMALL: usize = 2 * 1024;
/// The room of one that has much to say.
const LARGE: usize = 16 * 1024;
/// How many reads in a row must have been small before the room is, too.
const PATIENCE: u8 = 64;

/// Which end of the connection this is: a client masks what it sends, a server does not (RFC 6455, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message(Message),
    Ping(Bytes),
    Pong,
    Close(CloseReason),
}

/// Why bytes are no WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLarge(u64),
    /// With the number to close with.
    Malformed(u16, &'static str),
}

/// A frame of which not all has arrived.
#[derive(Debug)]
struct Partial {
    header: Header,
    /// What arrived of its payload, unmasked, where it is no part of a message.
    control: BytesMut,
    /// How much of its payload was taken.
    taken: usize,
    missing: usize,
}

pub(crate) struct Reader {
    role: Role,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// How many reads in a row would have had room in a small buffer.
    small_reads: u8,
    partial: Option<Partial>,
    /// A message of which not all has arrived.
    message: Option<(MessageKind, BytesMut)>,
}

impl Reader {
    pub(crate) fn new(role: Role) -> Self {
        let buffer = vec![0; SMALL].into_boxed_slice();
        Self { role, buffer, start: 0, end: 0, small_reads: 0, partial: None, message: None }
    }

    /// Where the next bytes go; never empty after `next` returned `None`.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.small_reads >= PATIENCE && self.end == 0 && self.buffer.len() > SMALL {
            self.resize(SMALL);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// A buffer of another size, with what is held, which must fit.
    fn resize(&mut self, size: usize) {
        let mut buffer = vec![0; size].into_boxed_slice();
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        if let Some(room) = buffer.get_mut(..held.len()) {
            room.copy_from_slice(held);
            (self.start, self.end) = (0, held.len());
            self.buffer = buffer;
        }
        self.small_reads = 0;
    }

    /// Says how many bytes were written into [`room`](Self::room).
    pub(crate) fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.buffer.len());
        self.small_reads = if bytes < SMALL { self.small_reads.saturating_add(1) } else { 0 };
        if self.end == self.buffer.len() && self.buffer.len() < LARGE {
            self.resize(LARGE);
        }
    }

    /// Takes over what arrived with the handshake; more than fits is refused.
    pub(crate) fn begin_with(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > SMALL {
            self.resize(LARGE);
        }
        let Some(room) = self.room().get_mut(..bytes.len()) else { return false };
        room.copy_from_slice(bytes);
        self.filled(bytes.len());
        true
    }

    /// Whether bytes have arrived of a message, or of what controls the connection, that was not taken.
    pub(crate) fn is_within_an_item(&self) -> bool {
        self.message.is_some() || self.partial.is_some() || self.start < self.end
    }

    /// The next item; `None` when more bytes are needed.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Item>, Fault> {
        loop {
            if self.partial.is_none() && !self.open(limit)? {
                return Ok(None);
            }
            let Some(mut partial) = self.partial.take() else { return Ok(None) };
            self.take_payload(&mut partial);
            if partial.missing > 0 {
                self.partial = Some(partial);
                return Ok(None);
            }
            if let Some(item) = self.end_of_frame(partial)? {
                return Ok(Some(item));
            }
        }
    }

    /// Begins the next frame, if its header has arrived.
    fn open(&mut self, limit: usize) -> Result<bool, Fault> {
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        let malformed = |what| Fault::Malformed(1002, what);
        let Some((header, size)) = Header::parse(held).map_err(malformed)? else { return Ok(false) };
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(malformed(match self.role {
                Role::Server => "a client's frame is not masked",
                Role::Client => "a server's frame is masked",
            }));
        }
        let before = match (&self.message, header.opcode) {
            (None, Opcode::Continuation) => return Err(malformed("a part of no message")),
            (Some(_), Opcode::Text | Opcode::Binary) => return Err(malformed("a message within another")),
            (Some((_, message)), Opcode::Continuation) => message.len(),
            _ => 0,
        };
        let whole = header.length.saturating_add(u64::try_from(before).unwrap_or(u64::MAX));
        let Some(length) = usize::try_from(header.length)
            .ok()
            .filter(|_| usize::try_from(whole).is_ok_and(|whole| whole <= limit))
        else {
            return Err(Fault::TooLarge(whole));
        };
        match header.opcode {
            Opcode::Text => self.message = Some((MessageKind::Text, BytesMut::new())),
            Opcode::Binary => self.message = Some((MessageKind::Binary, BytesMut::new())),
            _ => {}
        }
        self.start += size;
        self.partial = Some(Partial { header, control: BytesMut::new(), taken: 0, missing: length });
        Ok(true)
    }

    /// Moves what has arrived of a frame's payload to where it belongs, unmasked.
    fn take_payload(&mut self, partial: &mut Partial) {
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        let arrived = held.get(..partial.missing).unwrap_or(held);
        let to = match &mut self.message {
            Some((_, message)) if !partial.header.opcode.is_control() => message,
            _ => &mut partial.control,
        };
        let from = to.len();
        to.extend_from_slice(arrived);
        if let (Some(mask), Some(new)) = (partial.header.mask, to.get_mut(from..)) {
            apply_mask(new, mask, partial.taken);
        }
        self.start += arrived.len();
        partial.taken += arrived.len();
        partial.missing -= arrived.len();
    }

    /// What a whole frame says.
    fn end_of_frame(&mut self, frame: Partial) -> Result<Option<Item>, Fault> {
        let Partial { header, control, .. } = frame;
        Ok(match header.opcode {
            Opcode::Ping => Some(Item::Ping(control.freeze())),
            Opcode::Pong => Some(Item::Pong),
            Opcode::Close => Some(Item::Close(close_reason(&control)?)),
            _ if !header.is_last => None,
            _ => match self.message.take() {
                Some((MessageKind::Text, data)) if std::str::from_utf8(&data).is_err() => {
                    return Err(Fault::Malformed(1007, "a text that is not UTF-8"));
                }
                Some((kind, data)) => Some(Item::Message(Message::new(kind, data.freeze()))),
                None => None,
            },
        })
    }
}

/// What a close frame says (RFC 6455, section 5.5.1); one without a number is a normal end.
fn close_reason(payload: &[u8]) -> Result<CloseReason, Fault> {
    let Some((code, text)) = payload.split_first_chunk() else {
        let normal = || CloseReason::normal();
        return payload
            .is_empty()
            .then(normal)
            .ok_or(Fault::Malformed(1002, "half a number in a close frame"));
    };
    let code = u16::from_be_bytes(*code);
    if !may_travel(code) {
        return Err(Fault::Malformed(1002, "a close frame with a number that may not travel"));
    }
    match std::str::from_utf8(text) {
        Ok(text) => Ok(CloseReason::new(CloseCode::from_number(code), text)),
        Err(_) => Err(Fault::Malformed(1007, "the reason in a close frame is not UTF-8")),
    }
}

/// Whether a close frame may have this number: RFC 6455, section 7.4, and the numbers registered since.
pub(crate) const fn may_travel(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
