//! A reader becomes a window of bounded size over its bytes, which the binary formats look through.
//!
//! *Invariant:* the window never grows; its offset counts every byte from the start of the log; an interrupted read is tried again.
//! *Next:* `blf/`, `pcap/`, which consume from it.

use std::io::{self, ErrorKind, Read};

/// The bytes of a log that were read and not consumed yet.
#[derive(Debug)]
pub(super) struct Window<R> {
    input: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R, capacity: usize) -> Self {
        Self { input, buffer: vec![0; capacity].into_boxed_slice(), start: 0, end: 0, offset: 0 }
    }

    /// What was read and not consumed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes of the log are before [`bytes`](Self::bytes).
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads until at least `wanted` bytes are there (or as many as fit); says whether they are. At the end of the log they are not.
    #[inline]
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.end - self.start >= wanted { Ok(true) } else { self.read_on(wanted) }
    }

    fn read_on(&mut self, wanted: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end = (self.end + count).min(self.buffer.len()),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(true)
    }

    /// Consumes `count` bytes, or all that are there.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads over `count` bytes; says whether the log has them all.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<bool> {
        let mut left = count;
        while left > 0 {
            if !self.fill(1)? {
                return Ok(false);
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(self.bytes().len());
            self.consume(step);
            left -= step as u64;
        }
        Ok(true)
    }
}

/// `N` bytes from `at` on.
#[inline]
pub(super) fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// A little-endian number of 16 bits at `at`.
#[inline]
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    chunk(bytes, at).copied().map(u16::from_le_bytes)
}

/// A little-endian number of 32 bits at `at`.
#[inline]
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).copied().map(u32::from_le_bytes)
}

/// A little-endian number of 64 bits at `at`.
#[inline]
pub(super) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    chunk(bytes, at).copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_and_never_grows() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut window = Window::new(&bytes[..], 16);
        assert!(window.fill(4).unwrap());
        window.consume(3);
        assert!(window.fill(16).unwrap() && window.bytes() == &bytes[3..19]);
        assert!(window.skip(60).unwrap());
        assert_eq!(window.offset(), 63);
        assert!(window.fill(16).unwrap() && window.bytes()[0] == 63);
        assert!(!window.skip(60).unwrap());
        assert_eq!(window.offset(), 100);
        assert!(!window.fill(1).unwrap() && window.bytes().is_empty());
    }

    #[test]
    fn more_than_fits_is_never_there() {
        let bytes = [0; 100];
        let mut window = Window::new(&bytes[..], 16);
        assert!(!window.fill(17).unwrap());
        assert_eq!(window.bytes().len(), 16);
    }
}
