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
    bytes: Vec<u8>,
    failed: Option<io::Error>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(Buffer { bytes: Vec::with_capacity(2 * FULL), failed: None })))
    }

    /// Appends what `write` writes.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        let mut buffer = self.0.borrow_mut();
        write(&mut buffer.bytes);
        if buffer.bytes.len() >= FULL || buffer.failed.is_some() { buffer.flush() } else { Ok(()) }
    }

    /// Appends bytes.
    #[inline]
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.append(|out| out.extend_from_slice(bytes))
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
        let mut output = io::stdout().lock();
        let written = output.write_all(&self.bytes).and_then(|()| output.flush());
        self.bytes.clear();
        written.map_err(|error| failure(&error))
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
        if !buffer.bytes.is_empty() && buffer.failed.is_none() {
            let mut output = io::stdout().lock();
            let written = output.write_all(&buffer.bytes).and_then(|()| output.flush());
            buffer.bytes.clear();
            // The next append reports it; reading on would go on for nobody.
            if let Err(error) = written {
                buffer.failed = Some(error);
                return Ok(0);
            }
        }
        drop(buffer);
        self.input.read(into)
    }
}
