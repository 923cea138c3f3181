//! A byte stream becomes a connection: each message is a frame of four bytes of length (big-endian, of what follows the header), one
//! byte of kind, and the message.
//!
//! *Invariant:* a length is checked before anything is allocated for it, and room grows only with what has arrived. The same bytes in
//! any split give the same messages.
//! *Next:* `connection.rs` (the contract), `framed/wire.rs` (frames without I/O).

mod wire;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use self::wire::{Frame, FrameKind, Reader, Writer};
use crate::close::CloseReason;
use crate::connection::Connection;
use crate::error::TransportError;
use crate::info::Info;
use crate::limits::Limits;
use crate::message::{Message, MessageKind};
use crate::subprotocol::agree;

pub use self::wire::FRAME_HEADER;

/// The first word of a hello, with the version of the framing.
const MAGIC: &str = "coachwork/1";
/// The longest hello in bytes.
const MAX_HELLO: usize = 256;

/// Messages over a byte stream, such as TCP or a unix socket, encrypted or not.
///
/// [`connect`](Self::connect) and [`accept`](Self::accept) exchange one hello each, in which the subprotocol is agreed on;
/// [`new`](Self::new) begins without. `docs/wire.md` has the form.
pub struct Framed<S> {
    stream: S,
    info: Info,
    limits: Limits,
    reader: Reader,
    writer: Writer,
    failed: Option<TransportError>,
    closing: Option<CloseReason>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Framed<S> {
    /// A connection whose two sides know already what they speak.
    pub fn new(stream: S, info: Info, limits: &Limits) -> Self {
        let (reader, writer) = (Reader::new(), Writer::new());
        Self { stream, info, limits: limits.clone(), reader, writer, failed: None, closing: None }
    }

    /// The connecting side: offers these subprotocols, the preferred one first, and waits for the choice. Set it a deadline.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where the other side speaks none of them, [`TransportError::Malformed`] where it is no such side.
    pub async fn connect(
        stream: S,
        info: Info,
        limits: &Limits,
        offered: &[&str],
    ) -> Result<Self, TransportError> {
        let mut framed = Self::new(stream, info, limits);
        framed.say_hello(offered)?;
        framed.flush_hello().await?;
        let chosen = framed.hear_hello().await?;
        framed.info.subprotocol = chosen.into_iter().next();
        Ok(framed)
    }

    /// The accepting side: waits for the offer and chooses among the subprotocols it knows, see [`agree`]. Set it a deadline.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where it knows none of them (the other side is told), [`TransportError::TooLarge`] or
    /// [`TransportError::Malformed`] where what arrives is no hello.
    pub async fn accept(
        stream: S,
        info: Info,
        limits: &Limits,
        known: &[&str],
    ) -> Result<Self, TransportError> {
        let mut framed = Self::new(stream, info, limits);
        let offered = framed.hear_hello().await?;
        match agree(&offered, known) {
            Ok(chosen) => {
                framed.say_hello(chosen.as_slice())?;
                framed.info.subprotocol = chosen;
                framed.flush_hello().await?;
                Ok(framed)
            }
            Err(what) => {
                let refused = TransportError::Refused { peer: framed.info.peer.clone(), what };
                let reason = refused.close_reason();
                // That the peer may be gone already changes nothing for this side.
                let _ = std::future::poll_fn(|cx| framed.poll_close(cx, &reason)).await;
                Err(refused)
            }
        }
    }

    fn say_hello<T: AsRef<str>>(&mut self, names: &[T]) -> Result<(), TransportError> {
        let mut hello = MAGIC.to_owned();
        for name in names {
            hello.push(' ');
            hello.push_str(name.as_ref());
        }
        if hello.len() > MAX_HELLO {
            let peer = self.info.peer.clone();
            return Err(TransportError::TooLargeToSend { peer, size: hello.len(), limit: MAX_HELLO });
        }
        self.writer.frame(FrameKind::Hello, &[hello.as_bytes()]);
        Ok(())
    }

    async fn flush_hello(&mut self) -> Result<(), TransportError> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn hear_hello(&mut self) -> Result<Vec<Arc<str>>, TransportError> {
        let frame = std::future::poll_fn(|cx| self.poll_frame(cx, MAX_HELLO)).await?;
        let text = match &frame {
            Frame { kind: FrameKind::Hello, data } => std::str::from_utf8(data).ok(),
            Frame { kind: FrameKind::Close, data } => {
                let (peer, reason) = (self.info.peer.clone(), wire::close_reason(data));
                return Err(TransportError::Refused { peer, what: reason.to_string() });
            }
            _ => None,
        };
        let mut words = text.unwrap_or_default().split(' ');
        if words.next() == Some(MAGIC) {
            return Ok(words.map(Into::into).collect());
        }
        Err(self.fail(TransportError::Malformed {
            peer: self.info.peer.clone(),
            what: format!("the peer did not begin with the hello of {MAGIC}"),
        }))
    }

    /// The next frame, whatever its kind.
    fn poll_frame(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Frame, TransportError>> {
        if let Some(failed) = &self.failed {
            return Poll::Ready(Err(failed.clone()));
        }
        loop {
            match self.reader.next(limit) {
                Ok(Some(frame)) => return Poll::Ready(Ok(frame)),
                Ok(None) => {}
                Err(bad) => {
                    let error = bad.of(&self.info.peer, limit);
                    return Poll::Ready(Err(self.fail(error)));
                }
            }
            match ready!(Pin::new(&mut self.stream).poll_read(cx, self.reader.room())) {
                Ok(0) => return Poll::Ready(Err(self.fail_io(io::ErrorKind::UnexpectedEof.into()))),
                Ok(read) => self.reader.filled(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(self.fail_io(error))),
            }
        }
    }

    /// Writes until at most `leave` bytes wait.
    fn poll_write(&mut self, cx: &mut Context<'_>, leave: usize) -> Poll<Result<(), TransportError>> {
        if let Some(failed) = &self.failed {
            return Poll::Ready(Err(failed.clone()));
        }
        while self.writer.waiting().len() > leave {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, self.writer.waiting())) {
                Ok(0) => return Poll::Ready(Err(self.fail_io(io::ErrorKind::WriteZero.into()))),
                Ok(written) => self.writer.written(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(self.fail_io(error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn fail(&mut self, error: TransportError) -> TransportError {
        self.failed.get_or_insert(error).clone()
    }

    fn fail_io(&mut self, error: io::Error) -> TransportError {
        let error = TransportError::io(self.info.peer.clone(), error);
        self.fail(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for Framed<S> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        let frame = ready!(self.poll_frame(cx, self.limits.message))?;
        let peer = self.info.peer.clone();
        Poll::Ready(match frame.kind {
            FrameKind::Text => Ok(Message::Text(frame.data)),
            FrameKind::Binary => Ok(Message::Binary(frame.data)),
            FrameKind::Close => {
                let reason = wire::close_reason(&frame.data);
                Err(self.fail(TransportError::Closed { peer, reason }))
            }
            FrameKind::Hello => {
                let what = "a hello in the middle of the connection".to_owned();
                Err(self.fail(TransportError::Malformed { peer, what }))
            }
        })
    }

    fn is_receiving(&self) -> bool {
        self.reader.is_within_a_frame()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_write(cx, self.limits.write_buffer.saturating_sub(1))
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let peer = || self.info.peer.clone();
        if let Some(reason) = &self.closing {
            return Err(TransportError::Closed { peer: peer(), reason: reason.clone() });
        }
        let size = parts.iter().map(|part| part.len()).sum();
        // The length field has four bytes.
        let limit = self.limits.message.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
        if size > limit {
            return Err(TransportError::TooLargeToSend { peer: peer(), size, limit });
        }
        if self.writer.waiting().len() >= self.limits.write_buffer {
            return Err(TransportError::Full { peer: peer(), limit: self.limits.write_buffer });
        }
        let kind = match kind {
            MessageKind::Text => FrameKind::Text,
            MessageKind::Binary => FrameKind::Binary,
        };
        self.writer.frame(kind, parts);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.poll_write(cx, 0))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(|error| self.fail_io(error)).into()
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        if let (Some(reason), Some(TransportError::Closed { reason: failed, .. })) =
            (&self.closing, &self.failed)
            && reason == failed
        {
            return Poll::Ready(Ok(()));
        }
        if self.closing.is_none() {
            self.closing = Some(reason.clone());
            if self.failed.is_none() {
                let code = reason.code().number().to_be_bytes();
                self.writer.frame(FrameKind::Close, &[&code, reason.text().as_bytes()]);
            }
        }
        let told = ready!(self.poll_flush(cx));
        let ended = ready!(Pin::new(&mut self.stream).poll_close(cx));
        if let Some(reason) = self.closing.clone() {
            let peer = self.info.peer.clone();
            self.failed.get_or_insert(TransportError::Closed { peer, reason });
        }
        told.and(ended.map_err(|error| TransportError::io(self.info.peer.clone(), error))).into()
    }
}

impl<S> fmt::Debug for Framed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Framed({:?})", self.info)
    }
}

#[cfg(test)]
mod tests;
