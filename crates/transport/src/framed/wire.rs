//! Frames without I/O: bytes as they come become frames, and frames become the bytes to write.
//!
//! *Invariant:* the reader holds one buffer of fixed size, and of a larger frame only what has arrived.
//! *Next:* `../framed.rs` (which reads and writes the stream).

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use crate::close::{CloseCode, CloseReason};
use crate::error::TransportError;

/// The bytes before each message on a byte stream: its length and its kind.
pub const FRAME_HEADER: usize = 5;

const BUFFER: usize = 16 * 1024;
/// How much room a writer begins with at most, where the last time it needed as much.
const ROOM: usize = 16 * 1024;
/// What a writer keeps allocated when it has nothing to write: an answer or two.
const KEPT: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Hello,
    Text,
    Binary,
    Close,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) data: Bytes,
}

/// Why bytes are no frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadFrame {
    TooLarge(u32),
    Kind(u8),
}

pub(super) struct Reader {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// A frame that is larger than what the buffer held of it, and how many bytes of it are missing.
    pub(super) partial: Option<(FrameKind, BytesMut, usize)>,
}

pub(super) struct Writer {
    buffer: Vec<u8>,
    written: usize,
    /// How much it has held since it was empty, and how much the time before.
    most: usize,
    last: usize,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; BUFFER].into(), start: 0, end: 0, partial: None }
    }

    /// Where the next bytes go; never empty after `next` returned `None`.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says how many bytes were written into [`room`](Self::room).
    pub(super) fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.buffer.len());
    }

    /// The next whole frame; `None` when more bytes are needed.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<Frame>, BadFrame> {
        if self.partial.is_none() {
            let held = self.held();
            let Some((length, after)) = held.split_first_chunk() else { return Ok(None) };
            let announced = u32::from_be_bytes(*length);
            let length = usize::try_from(announced).unwrap_or(usize::MAX);
            // Before the kind has arrived: four bytes are enough to turn a giant away.
            if length > limit {
                return Err(BadFrame::TooLarge(announced));
            }
            let Some((&kind, after)) = after.split_first() else { return Ok(None) };
            let kind = FrameKind::of(kind).ok_or(BadFrame::Kind(kind))?;
            if let Some(data) = after.get(..length) {
                let data = Bytes::copy_from_slice(data);
                self.start += FRAME_HEADER + length;
                return Ok(Some(Frame { kind, data }));
            }
            self.start += FRAME_HEADER;
            self.partial = Some((kind, BytesMut::new(), length));
        }
        let Some((kind, mut data, missing)) = self.partial.take() else { return Ok(None) };
        let held = self.held();
        let arrived = held.get(..missing).unwrap_or(held);
        data.extend_from_slice(arrived);
        let arrived = arrived.len();
        self.start += arrived;
        if arrived < missing {
            self.partial = Some((kind, data, missing - arrived));
            return Ok(None);
        }
        Ok(Some(Frame { kind, data: data.freeze() }))
    }

    /// Whether bytes have arrived of a frame that was not taken.
    pub(super) fn is_within_a_frame(&self) -> bool {
        self.partial.is_some() || self.start < self.end
    }

    fn held(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::new(), written: 0, most: 0, last: 0 }
    }

    /// Appends a frame. The caller has checked that its length fits four bytes.
    pub(super) fn frame(&mut self, kind: FrameKind, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let announced = u32::try_from(length).unwrap_or(u32::MAX);
        if self.buffer.is_empty() {
            self.buffer.reserve(self.last.min(ROOM));
        }
        self.buffer.extend_from_slice(&announced.to_be_bytes());
        self.buffer.push(kind.number());
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
    }

    pub(super) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.written..).unwrap_or_default()
    }

    /// How much it keeps allocated.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn written(&mut self, bytes: usize) {
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

impl FrameKind {
    const ALL: [Self; 4] = [Self::Hello, Self::Text, Self::Binary, Self::Close];

    const fn number(self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 3,
        }
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl BadFrame {
    pub(super) fn of(&self, peer: &Arc<str>, limit: usize) -> TransportError {
        let peer = peer.clone();
        match *self {
            Self::TooLarge(size) => TransportError::TooLarge { peer, size: size.into(), limit },
            Self::Kind(kind) => TransportError::Malformed { peer, what: format!("a frame of kind {kind}") },
        }
    }
}

/// What a close frame says; one without a number is a normal end, and what is not UTF-8 in it is shown as such.
pub(super) fn close_reason(mut data: &[u8]) -> CloseReason {
    if data.len() < 2 {
        return CloseReason::normal();
    }
    let code = CloseCode::from_number(data.get_u16());
    // The reason keeps the beginning of a long text: nothing longer is decoded.
    let text = data.get(..512).unwrap_or(data);
    CloseReason::new(code, String::from_utf8_lossy(text))
}
