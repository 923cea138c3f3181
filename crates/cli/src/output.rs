//! Standard output, buffered by us, so that a pipe sees what was decoded before the next wait for input.
//!
//! *Invariant:* whoever waits for input flushes first ([`FlushFirst`]); an output that is gone is [`Failure::Unread`], not an error.
//! *Next:* `decode.rs`, which writes here and reads through [`FlushFirst`].

use crate::Failure;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;

/// Written out when it holds this much.
const FULL: usize = 1 << 16;

/// Standard output and what is not written to it yet. Clones are handles to the same.
#[derive(Clone, Debug)]
pub(crate) struct Output(Rc<RefCell<Buffer>>);

#[derive(Debug)]
struct Buffer {
    room: Vec<u8>,
    /// How much of the room is written.
    len: usize,
    failed: Option<io::Error>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(Buffer { room: vec![0; 2 * FULL], len: 0, failed: None })))
    }

    /// Appends what `write` writes.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.put(|room| {
            room.get_mut(..bytes.len()).map(|into| into.copy_from_slice(&bytes)).map(|()| bytes.len())
        })
    }

    /// Appends what `write` writes into the room it is given; it says how much that is, or `None` where it needs more room. Then it is
    /// asked again.
    #[inline]
    pub(crate) fn put(&self, mut write: impl FnMut(&mut [u8]) -> Option<usize>) -> Result<(), Failure> {
        let mut buffer = self.0.borrow_mut();
        let Buffer { room, len, .. } = &mut *buffer;
        loop {
            if let Some(written) = room.get_mut(*len..).and_then(&mut write) {
                *len += written;
                break;
            }
            room.resize(2 * room.len(), 0);
        }
        if buffer.len >= FULL || buffer.failed.is_some() { buffer.flush() } else { Ok(()) }
    }

    pub(crate) fn flush(&self) -> Result<(), Failure> {
        self.0.borrow_mut().flush()
    }
}

impl Buffer {
    fn flush(&mut self) -> Result<(), Failure> {
        if let Some(error) = self.failed.take() {
            return Err(failure(&error));
        }
        self.write().map_err(|error| failure(&error))
    }

    /// Writes what there is, which is gone then, written or not.
    fn write(&mut self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        let len = std::mem::take(&mut self.len);
        output.write_all(self.room.get(..len).unwrap_or_default()).and_then(|()| output.flush())
    }
}

fn failure(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        Failure::Unread
    } else {
        Failure::Message(format!("standard output: {error}"))
    }
}

/// A reader that flushes the output before it may wait for input.
#[derive(Debug)]
pub(crate) struct FlushFirst<R> {
    pub(crate) input: R,
    pub(crate) output: Output,
}

impl<R: Read> Read for FlushFirst<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = self.output.0.borrow_mut();
        if buffer.len > 0 && buffer.failed.is_none() {
            // The next append reports it; reading on would go on for nobody.
            if let Err(error) = buffer.write() {
                buffer.failed = Some(error);
                return Ok(0);
            }
        }
        drop(buffer);
        self.input.read(into)
    }
}
