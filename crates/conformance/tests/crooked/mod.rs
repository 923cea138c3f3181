//! Connections with one fault each: the id of the clause that they break.

use std::fmt;
use std::task::{Context, Poll};

use coachwork_transport::{CloseReason, Connection, Info, Message, MessageKind, TransportError};

pub(crate) struct Crooked {
    inner: Box<dyn Connection>,
    fault: &'static str,
    info: Info,
    fed: Vec<u8>,
    writing: bool,
    closing: bool,
    taken: Option<Message>,
    /// Messages that this end has taken over the limit of its buffer.
    extra: Vec<(MessageKind, Vec<u8>)>,
}

impl Crooked {
    pub(crate) fn new(inner: Box<dyn Connection>, fault: &'static str) -> Self {
        let mut info = inner.info().clone();
        if fault == "T6" {
            info.peer = "".into();
        }
        let (fed, extra) = (Vec::new(), Vec::new());
        Self { inner, fault, info, fed, writing: false, closing: false, taken: None, extra }
    }

    fn pass_extra(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        while let Some((kind, data)) = self.extra.first() {
            if self.inner.poll_ready(cx)?.is_pending() {
                return Poll::Pending;
            }
            self.inner.feed(*kind, &[data])?;
            self.extra.remove(0);
        }
        Poll::Ready(Ok(()))
    }
}

impl Connection for Crooked {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        if self.fault == "T4" && self.writing {
            // It does one thing at a time.
            return Poll::Pending;
        }
        match self.inner.poll_recv(cx) {
            // The kind is lost.
            Poll::Ready(Ok(Message::Text(data))) if self.fault == "T1" && data == "ünïcödé" => {
                Poll::Ready(Ok(Message::Binary(data)))
            }
            // A message is kept for the next poll, and forgotten if another has come by then.
            Poll::Ready(Ok(message)) if self.fault == "T5" && message.data().len() == 40_000 => {
                self.taken = Some(message);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending if self.taken.is_some() => Poll::Ready(Ok(self.taken.take().unwrap())),
            Poll::Ready(Err(TransportError::Closed { peer, .. })) if self.fault == "T10" => {
                Poll::Ready(Err(TransportError::Closed { peer, reason: CloseReason::normal() }))
            }
            Poll::Ready(Err(TransportError::Io { .. })) if self.fault == "T12" => Poll::Pending,
            other => other,
        }
    }

    fn is_receiving(&self) -> bool {
        self.inner.is_receiving()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.fault {
            "T9" if self.inner.poll_ready(cx)?.is_pending() => Poll::Ready(Ok(())),
            _ => self.inner.poll_ready(cx),
        }
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        if self.fault == "T11" && self.closing {
            return Ok(());
        }
        if self.fault == "T13" {
            self.fed = parts.concat();
        }
        if self.fault == "T2" && parts.len() > 1 && kind == MessageKind::Text {
            for part in parts {
                self.inner.feed(kind, &[part])?;
            }
            return Ok(());
        }
        if self.fault == "T9" && !self.extra.is_empty() {
            self.extra.push((kind, parts.concat()));
            return Ok(());
        }
        let result = self.inner.feed(kind, parts);
        match (self.fault, result) {
            ("T3", Ok(())) if parts.concat().len() == 1 => {
                let _ = self.inner.poll_flush(&mut Context::from_waker(std::task::Waker::noop()));
                Ok(())
            }
            ("T7", Err(TransportError::TooLargeToSend { .. })) => Ok(()),
            ("T8", Err(error @ TransportError::Full { .. })) => {
                // It says that it took nothing, and takes it.
                self.extra.push((kind, parts.concat()));
                Err(error)
            }
            ("T9", Err(TransportError::Full { .. })) if parts.concat().len() > 60_000 => {
                self.extra.push((kind, parts.concat()));
                Ok(())
            }
            (_, result) => result,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.fault == "T4" {
            let flushed = self.inner.poll_flush(cx);
            self.writing = flushed.is_pending();
            return flushed;
        }
        if self.pass_extra(cx)?.is_pending() {
            return Poll::Pending;
        }
        self.inner.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        self.closing = true;
        self.inner.poll_close(cx, reason)
    }
}

impl fmt::Debug for Crooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crooked({:?})", String::from_utf8_lossy(&self.fed))
    }
}
