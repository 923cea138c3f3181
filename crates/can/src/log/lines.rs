//! A byte stream becomes lines of bounded length, borrowed from the reader's own buffer where they lie whole in it.
//!
//! *Invariant:* at most [`MAX_LINE`] bytes are held; a longer line is one error and is skipped to its end without being stored.
//! *Next:* `mod.rs`, which hands each line to its format.

use super::error::{Flaw, LogFault};
use std::io::{self, BufRead, ErrorKind};

/// The longest line read, in bytes. The longest frame needs under 300.
pub const MAX_LINE: usize = 4096;

#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// The beginning of a line whose end the reader's buffer does not hold yet.
    part: Vec<u8>,
    too_long: bool,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, part: Vec::new(), too_long: false, number: 0 }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Gives the next line, without its end (`\n` or `\r\n`), to `read`; `None` at the end of the input.
    /// An error leaves what was read of the line, so that a reader that can go on loses nothing.
    #[inline]
    pub(super) fn next<T>(
        &mut self,
        read: impl FnOnce(&[u8], u64) -> Result<T, Flaw>,
    ) -> io::Result<Option<Result<T, Flaw>>> {
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            };
            let at_end = buffer.is_empty();
            let newline = memchr::memchr(b'\n', buffer);
            if at_end && self.part.is_empty() && !self.too_long {
                return Ok(None);
            }
            let taken = newline.unwrap_or(buffer.len());
            let piece = buffer.get(..taken).unwrap_or_default();
            if newline.is_some() && self.part.is_empty() && !self.too_long && taken <= MAX_LINE {
                self.number += 1;
                let outcome = read(trimmed(piece), self.number);
                self.input.consume(taken + 1);
                return Ok(Some(outcome));
            }
            if self.too_long || self.part.len() + taken > MAX_LINE {
                self.too_long = true;
                self.part.clear();
            } else {
                self.part.extend_from_slice(piece);
            }
            self.input.consume(taken + usize::from(newline.is_some()));
            if newline.is_none() && !at_end {
                continue;
            }
            self.number += 1;
            if std::mem::take(&mut self.too_long) {
                return Ok(Some(Err(Flaw::at(MAX_LINE, LogFault::LineTooLong))));
            }
            let outcome = read(trimmed(&self.part), self.number);
            self.part.clear();
            return Ok(Some(outcome));
        }
    }
}

#[inline]
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
