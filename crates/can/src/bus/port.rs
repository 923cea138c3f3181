//! A link that stands, as a bus sees it: frames come in, frames go out, until it fails. Byte streams with a protocol are one kind of it.
//!
//! *Invariant:* nothing here waits for time or dials; a port that has failed is dropped. What a port is handed to send it keeps or leaves, and
//! never loses without failing.
//! *Next:* `link.rs` (which keeps a port, and dials again), `socketcand`, `slcan` (protocols over byte streams).

use crate::Frame;
use async_trait::async_trait;
use coachwork_vehicle::{Clock, Timestamp};
use futures_io::{AsyncRead, AsyncWrite};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Makes a link to a bus, as often as it is needed. Implement it, and [`Port`], for hardware that is not here.
#[async_trait]
pub trait Dial: fmt::Debug + Send + 'static {
    /// What the bus is called, for people.
    fn name(&self) -> &str;

    /// Which frames the bus carries.
    fn carries(&self) -> Carries;

    /// Makes the link, up to where frames come and go. It is given up after [`LinkOptions::within`](super::LinkOptions).
    ///
    /// Cancel-safe: a dropped call leaves nothing open.
    ///
    /// # Errors
    /// The bus is out of reach.
    async fn dial(&mut self, clock: &Arc<dyn Clock>) -> io::Result<Box<dyn Port>>;
}

#[async_trait]
impl<D: Dial + ?Sized> Dial for Box<D> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn carries(&self) -> Carries {
        (**self).carries()
    }

    async fn dial(&mut self, clock: &Arc<dyn Clock>) -> io::Result<Box<dyn Port>> {
        (**self).dial(clock).await
    }
}

/// A link to a bus that stands.
pub trait Port: fmt::Debug + Send {
    /// Takes in what has arrived: at least one thing when it is ready.
    ///
    /// # Errors
    /// The link is lost.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        now: Timestamp,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>>;

    /// Sends frames from the front of `frames` and takes those it has sent away; ready when all are sent and nothing waits to be written.
    ///
    /// # Errors
    /// The link is lost.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>>;

    /// Asks the other side for a sign of life, to be sent with the next [`poll_send`](Self::poll_send). Returns whether silence after it
    /// means that the link is lost.
    fn probe(&mut self) -> bool {
        false
    }

    /// Takes leave. What was sent before has been written.
    ///
    /// # Errors
    /// The link is lost already.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// What a port took in, and what it has to say about what was sent.
#[derive(Debug, Default)]
pub struct Intake {
    pub(super) frames: Vec<Frame>,
    pub(super) bad: u64,
    pub(super) lost: u64,
    pub(super) sent: u64,
    pub(super) confirmed: u64,
    pub(super) refused: u64,
}

impl Intake {
    /// A frame was received.
    pub fn frame(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    /// Something was received that is no frame.
    pub fn bad(&mut self) {
        self.bad += 1;
    }

    /// The other side says that it lost frames: this many, or at least as many.
    pub fn lost(&mut self, frames: u64) {
        self.lost += frames;
    }

    fn append(&mut self, mut other: Self) {
        self.frames.append(&mut other.frames);
        self.bad += other.bad;
        self.lost += other.lost;
    }

    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.bad == 0 && self.lost == 0
    }

    /// A frame was sent, or is about to be written.
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// The other side confirms the next frames of those that were sent.
    pub fn confirmed(&mut self, frames: u64) {
        self.confirmed += frames;
    }

    /// The other side refused a frame or a command.
    pub fn refused(&mut self) {
        self.refused += 1;
    }
}

/// Which frames a kind of bus carries, beside classic data frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carries {
    /// The kind of bus, for people: `socketcand`.
    pub bus: &'static str,
    /// Whether it carries CAN FD frames.
    pub fd: bool,
    /// Whether it carries remote frames.
    pub remote: bool,
}

/// A bus of this kind does not carry frames of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bus} does not carry {what}")]
#[non_exhaustive]
pub struct NotCarried {
    /// The kind of bus.
    pub bus: &'static str,
    /// The kind of frame.
    pub what: &'static str,
}

impl Carries {
    /// Whether a frame can be sent.
    ///
    /// # Errors
    /// It cannot: it is of a kind that this bus does not carry, or an error frame, which nobody sends.
    pub fn check(&self, frame: &Frame) -> Result<(), NotCarried> {
        let what = if frame.is_error() {
            "error frames"
        } else if frame.is_remote() && !self.remote {
            "remote frames"
        } else if frame.is_fd() && !self.fd {
            "CAN FD frames"
        } else {
            return Ok(());
        };
        Err(NotCarried { bus: self.bus, what })
    }
}

/// A byte stream in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// Opens the byte stream that a protocol runs over, as often as it is needed: a TCP connection, a serial port.
#[async_trait]
pub trait DialStream: fmt::Debug + Send + 'static {
    /// Opens it.
    ///
    /// Cancel-safe: a dropped call leaves nothing open.
    ///
    /// # Errors
    /// It cannot be opened now.
    async fn dial(&mut self) -> io::Result<Box<dyn ByteStream>>;
}

/// A protocol over a byte stream: bytes and time in, bytes and frames out.
pub(super) trait Protocol: fmt::Debug + Send + 'static {
    /// What a new stream is greeted with.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Whether frames can come and go.
    fn is_up(&self) -> bool;

    /// Reads what has arrived, and answers it.
    fn receive(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
        intake: &mut Intake,
        out: &mut Vec<u8>,
    ) -> io::Result<()>;

    /// Writes one frame. [`Carries::check`] has let it through.
    fn send(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried>;

    /// Writes what follows a number of frames.
    fn after_sending(&mut self, out: &mut Vec<u8>);

    /// Asks for a sign of life; whether one must come.
    fn probe(&mut self, out: &mut Vec<u8>) -> bool;

    /// What the stream is left with.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// How much is read at once, in bytes.
const CHUNK: usize = 16 * 1024;
/// How many bytes wait to be written before frames wait instead.
const UNWRITTEN: usize = 16 * 1024;

/// A protocol over its stream.
pub(super) struct StreamPort<P> {
    stream: Box<dyn ByteStream>,
    protocol: P,
    chunk: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    closing: bool,
    /// What came right behind the greeting, before anybody asked for it.
    early: Option<Intake>,
}

impl<P: Protocol> StreamPort<P> {
    /// Begins the protocol on a new stream, up to where frames come and go.
    pub(super) async fn open(
        stream: Box<dyn ByteStream>,
        protocol: P,
        clock: &Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let (chunk, out) = (vec![0; CHUNK], Vec::with_capacity(CHUNK));
        let mut port = Self { stream, protocol, chunk, out, written: 0, closing: false, early: None };
        port.protocol.begin(&mut port.out);
        let mut intake = Intake::default();
        loop {
            std::future::poll_fn(|cx| port.poll_write(cx)).await?;
            if port.protocol.is_up() {
                port.early = Some(intake);
                return Ok(port);
            }
            std::future::poll_fn(|cx| port.poll_receive(cx, clock.now(), &mut intake)).await?;
        }
    }

    /// Writes what waits, and flushes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.out.clear();
        self.written = 0;
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

impl<P: Protocol> Port for StreamPort<P> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        now: Timestamp,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>> {
        if let Some(early) = self.early.take_if(|early| !early.is_empty()) {
            intake.append(early);
            return Poll::Ready(Ok(()));
        }
        loop {
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut self.chunk)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => {
                    let bytes = self.chunk.get(..read).unwrap_or_default();
                    return Poll::Ready(self.protocol.receive(bytes, now, intake, &mut self.out));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>> {
        loop {
            let before = frames.len();
            while self.out.len() < UNWRITTEN
                && let Some(frame) = frames.pop_front()
            {
                match self.protocol.send(&frame, &mut self.out) {
                    Ok(()) => intake.sent(),
                    Err(NotCarried { .. }) => intake.refused(),
                }
            }
            if frames.len() < before {
                self.protocol.after_sending(&mut self.out);
            }
            ready!(self.poll_write(cx))?;
            if frames.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn probe(&mut self) -> bool {
        self.protocol.probe(&mut self.out)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            self.closing = true;
            self.protocol.end(&mut self.out);
        }
        ready!(self.poll_write(cx))?;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl<P: fmt::Debug> fmt::Debug for StreamPort<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamPort").field(&self.protocol).finish()
    }
}
