//! Messages become the bytes to write.
//!
//! *Invariant:* a client's frames are masked with bytes of the system's random source (RFC 6455, section 10.3), a server's are not.
//! *Next:* `socket.rs` (which writes the stream).

use coachwork_transport::{CloseReason, MessageKind};

use crate::frame::{Header, Opcode, apply_mask};
use crate::reader::{Role, may_travel};

/// How much room a writer begins with at most, where the last time it needed as much.
const ROOM: usize = 16 * 1024;
/// What a writer keeps allocated when it has nothing to write: an answer or two.
const KEPT: usize = 512;

/// How many random bytes are fetched at a time.
const MASKS: usize = 512;

pub(crate) struct Writer {
    buffer: Vec<u8>,
    written: usize,
    /// How much it has held since it was empty, and how much the time before.
    most: usize,
    last: usize,
    /// Random bytes that were fetched, the used ones cut off; only for a client.
    masks: Option<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            buffer: Vec::new(),
            written: 0,
            most: 0,
            last: 0,
            masks: (role == Role::Client).then(Vec::new),
        }
    }

    /// Appends a message.
    ///
    /// # Errors
    /// What the system's random source says; nothing was appended.
    pub(crate) fn message(&mut self, kind: MessageKind, parts: &[&[u8]]) -> std::io::Result<()> {
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        self.frame(opcode, parts)
    }

    /// Appends the answer to a ping.
    pub(crate) fn pong(&mut self, payload: &[u8]) -> std::io::Result<()> {
        self.frame(Opcode::Pong, &[payload])
    }

    /// Appends the last frame; a number that may not travel becomes 1000, the normal end.
    pub(crate) fn close(&mut self, reason: &CloseReason) -> std::io::Result<()> {
        let number = reason.code().number();
        let number = if may_travel(number) { number } else { 1000 };
        self.frame(Opcode::Close, &[&number.to_be_bytes(), reason.text().as_bytes()])
    }

    fn frame(&mut self, opcode: Opcode, parts: &[&[u8]]) -> std::io::Result<()> {
        let mask = self.mask()?;
        if self.buffer.is_empty() {
            self.buffer.reserve(self.last.min(ROOM));
        }
        Header::append(opcode, parts.iter().map(|part| part.len()).sum(), mask, &mut self.buffer);
        let from = self.buffer.len();
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
        if let (Some(mask), Some(payload)) = (mask, self.buffer.get_mut(from..)) {
            apply_mask(payload, mask, 0);
        }
        Ok(())
    }

    fn mask(&mut self) -> std::io::Result<Option<[u8; 4]>> {
        let Some(masks) = &mut self.masks else { return Ok(None) };
        if masks.is_empty() {
            masks.resize(MASKS, 0);
            if let Err(error) = getrandom::fill(masks) {
                masks.clear();
                return Err(std::io::Error::other(error));
            }
        }
        let mask = masks.last_chunk().copied();
        masks.truncate(masks.len() - 4);
        Ok(mask)
    }

    pub(crate) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.written..).unwrap_or_default()
    }

    pub(crate) fn written(&mut self, bytes: usize) {
        self.most = self.most.max(self.buffer.len());
        self.written = self.written.saturating_add(bytes).min(self.buffer.len());
        if self.written == self.buffer.len() {
            self.last = std::mem::take(&mut self.most);
            self.buffer.clear();
            self.buffer.shrink_to(KEPT);
            self.written = 0;
        } else if self.written >= ROOM {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_with_nothing_to_write_keeps_next_to_nothing() {
        let mut writer = Writer::new(Role::Server);
        for _ in 0..3 {
            for size in [100, 30_000, 7] {
                writer.message(MessageKind::Text, &[&vec![b'x'; size]]).unwrap();
            }
            let waiting = writer.waiting().len();
            writer.written(ROOM + 1);
            assert_eq!(writer.waiting().len(), waiting - ROOM - 1);
            writer.written(waiting);
            assert!(writer.waiting().is_empty() && writer.buffer.capacity() <= KEPT);
        }
        writer.message(MessageKind::Text, &[b"x"]).unwrap();
        assert!((ROOM..2 * ROOM).contains(&writer.buffer.capacity()), "room for as much as the last time");
    }
}
