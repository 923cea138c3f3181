//! A byte stream becomes a WebSocket connection.
//!
//! *Invariant:* what reading calls for (the answer to a ping, the last frame) is written by the same object; at most one answer to a ping waits, as
//! RFC 6455, section 5.5.3, allows. After a fatal error every call fails.
//! *Next:* `handshake.rs` (how it begins), `reader.rs`, `writer.rs` (frames without I/O), `tcp.rs` (which makes the streams).

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use coachwork_transport::{
    CloseCode, CloseReason, Connection, Info, Limits, Message, MessageKind, TransportError,
};
use futures_io::{AsyncRead, AsyncWrite};

use crate::handshake::{self, MAX_HEAD, Refusal, Request, Terms, Unanswered};
use crate::reader::{Fault, Item, Reader, Role};
use crate::writer::Writer;

/// A WebSocket over any byte stream, encrypted or not, begun by either side.
///
/// [`connector`](crate::connector) and [`listen`](crate::listen) make them over TCP and TLS; this type is for streams of one's own.
pub struct WebSocket<S> {
    stream: S,
    info: Info,
    limits: Limits,
    reader: Reader,
    writer: Writer,
    /// The last ping that was not answered yet.
    ping: Option<Bytes>,
    /// An answer was written where nothing else waited: nobody but the reader flushes it.
    answering: bool,
    failed: Option<TransportError>,
    closing: Option<CloseReason>,
    /// The stream was ended.
    is_over: bool,
}

/// How a server takes connections in: which subprotocols it speaks, at which path, for pages of which sites.
#[derive(Clone, Debug)]
pub struct Accept(Terms);

impl Accept {
    /// Any subprotocol that VISS defines in JSON, at the path `/`, and no pages of other sites.
    pub fn viss() -> Self {
        let known = coachwork_transport::viss::Dialect::SUBPROTOCOLS.map(Into::into).to_vec();
        Self(Terms { known, path: "/".into(), origins: Vec::new() })
    }

    /// Agrees only on these subprotocols; of none, on whatever a client prefers. A client that names none is taken as it is.
    #[must_use]
    pub fn speaking(mut self, names: &[&str]) -> Self {
        self.0.known = names.iter().map(|&name| name.into()).collect();
        self
    }

    /// Is there at this path alone.
    #[must_use]
    pub fn at_path(mut self, path: &str) -> Self {
        self.0.path = path.into();
        self
    }

    /// Takes pages of this site too, as a browser names it (`https://example.org`), or of any site with `*`. A page of the server's own host
    /// is always taken; who is no browser names no site, and is not held back by this.
    #[must_use]
    pub fn allowing_origin(mut self, origin: &str) -> Self {
        self.0.origins.push(origin.into());
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> WebSocket<S> {
    /// The connecting side: asks the server at `authority` (host, and port where it is not the usual one) for `path`, offering subprotocols,
    /// the preferred one first. Set it a deadline.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where the server refuses, [`TransportError::Malformed`] where what it answers is no WebSocket, or where
    /// authority, path or a name has characters that a request has no place for.
    pub async fn connect(
        stream: S,
        info: Info,
        limits: &Limits,
        authority: &str,
        path: &str,
        offered: &[&str],
    ) -> Result<Self, TransportError> {
        let mut socket = Self::new(stream, info, limits, Role::Client);
        let offered: Vec<Arc<str>> = offered.iter().map(|&name| name.into()).collect();
        for text in [authority, path].into_iter().chain(offered.iter().map(AsRef::as_ref)) {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
                return Err(socket.malformed(format!("{text:?} has no place in a request")));
            }
        }
        let key = handshake::key().map_err(|error| socket.fail_io(error))?;
        let request = Request { authority: authority.to_owned(), path: path.to_owned(), offered };
        socket.say(request.head(&key).as_bytes()).await?;
        let (subprotocol, rest) = socket
            .hear(|head| handshake::answered(head, &key, &request.offered))
            .await
            .map_err(|why| why.error(&socket.info.peer))?;
        socket.begin(&rest)?;
        socket.info.subprotocol = subprotocol;
        Ok(socket)
    }

    /// The accepting side: waits for the request and answers it. Set it a deadline.
    ///
    /// # Errors
    /// [`TransportError::Refused`] with the answer that the client got, [`TransportError::Io`] where it went before.
    pub async fn accept(
        stream: S,
        info: Info,
        limits: &Limits,
        accept: &Accept,
    ) -> Result<Self, TransportError> {
        let mut socket = Self::new(stream, info, limits, Role::Server);
        let heard = socket.hear(|head| {
            let asked = handshake::asked(head, &accept.0)?;
            Ok(asked.map(|asked| (asked.clone(), asked.size)))
        });
        match heard.await {
            Ok((asked, rest)) => {
                socket.say(handshake::accepted(&asked).as_bytes()).await?;
                socket.begin(&rest)?;
                socket.info.subprotocol = asked.subprotocol;
                Ok(socket)
            }
            Err(Unheard::Io(error)) => Err(socket.fail_io(error)),
            Err(Unheard::Said(refusal)) => {
                // Whether the peer hears it is its affair.
                let _ = socket.say(handshake::refusal(&refusal).as_bytes()).await;
                let _ = poll_fn(|cx| Pin::new(&mut socket.stream).poll_close(cx)).await;
                Err(TransportError::Refused { peer: socket.info.peer.clone(), what: refusal.what })
            }
        }
    }

    /// The stream, without what was read ahead and what waits to be written.
    pub fn into_inner(self) -> S {
        self.stream
    }

    fn new(stream: S, info: Info, limits: &Limits, role: Role) -> Self {
        Self {
            stream,
            info,
            limits: limits.clone(),
            reader: Reader::new(role),
            writer: Writer::new(role),
            ping: None,
            answering: false,
            failed: None,
            closing: None,
            is_over: false,
        }
    }

    async fn say(&mut self, mut text: &[u8]) -> Result<(), TransportError> {
        poll_fn(|cx| {
            while !text.is_empty() {
                match ready!(Pin::new(&mut self.stream).poll_write(cx, text)) {
                    Ok(0) => return Poll::Ready(Err(self.fail_io(io::ErrorKind::WriteZero.into()))),
                    Ok(count) => text = text.get(count..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Poll::Ready(Err(self.fail_io(error))),
                }
            }
            Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| self.fail_io(error))
        })
        .await
    }

    /// Reads until `parse` finds a whole head; what it says, and what came after the head.
    async fn hear<T, E: From<Refusal>>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, E>,
    ) -> Result<(T, Vec<u8>), Unheard<E>> {
        let mut head = Vec::new();
        let mut room = [0; 1024];
        loop {
            let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut room)).await;
            match read {
                Ok(0) => return Err(Unheard::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => head.extend_from_slice(room.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Unheard::Io(error)),
            }
            match parse(&head).map_err(Unheard::Said)? {
                Some((said, size)) => return Ok((said, head.split_off(size.min(head.len())))),
                None if head.len() > MAX_HEAD => {
                    let what = format!("a head of more than {MAX_HEAD} bytes");
                    return Err(Unheard::Said(Refusal::new(431, what).into()));
                }
                None => {}
            }
        }
    }

    fn begin(&mut self, rest: &[u8]) -> Result<(), TransportError> {
        if self.reader.begin_with(rest) {
            Ok(())
        } else {
            Err(self.malformed("too much came with the handshake".to_owned()))
        }
    }

    /// Writes until at most `leave` bytes wait.
    fn poll_write(&mut self, cx: &mut Context<'_>, leave: usize) -> Poll<Result<(), TransportError>> {
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

    /// Goes on with the answer to a ping. It holds nothing up: what cannot be written now is written later.
    fn answer(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        if self.writer.waiting().is_empty()
            && let Some(payload) = self.ping.take()
        {
            self.answering = true;
            self.writer.pong(&payload).map_err(|error| self.fail_io(error))?;
        }
        if !self.answering {
            return Ok(());
        }
        if let Poll::Ready(written) = self.poll_write(cx, 0) {
            written?;
            if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) {
                flushed.map_err(|error| self.fail_io(error))?;
                self.answering = false;
            }
        }
        Ok(())
    }

    /// The end: the peer is told, as far as it takes it at once, and every later call fails.
    fn end(&mut self, cx: &mut Context<'_>, error: TransportError) -> TransportError {
        if self.closing.is_none() && self.writer.close(&error.close_reason()).is_ok() {
            self.closing = Some(error.close_reason());
            if let Poll::Ready(Ok(())) = self.poll_write(cx, 0) {
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
        }
        self.fail(error)
    }

    fn malformed(&mut self, what: String) -> TransportError {
        let peer = self.info.peer.clone();
        self.fail(TransportError::Malformed { peer, what })
    }

    fn fail(&mut self, error: TransportError) -> TransportError {
        self.failed.get_or_insert(error).clone()
    }

    fn fail_io(&mut self, error: io::Error) -> TransportError {
        let error = TransportError::io(self.info.peer.clone(), error);
        self.fail(error)
    }

    fn fault(&mut self, cx: &mut Context<'_>, fault: &Fault) -> TransportError {
        let peer = self.info.peer.clone();
        match *fault {
            Fault::TooLarge(size) => {
                let limit = self.limits.message;
                self.end(cx, TransportError::TooLarge { peer, size, limit })
            }
            Fault::Malformed(code, what) => {
                let reason = CloseReason::new(CloseCode::from_number(code), what);
                if self.closing.is_none() && self.writer.close(&reason).is_ok() {
                    self.closing = Some(reason);
                }
                self.end(cx, TransportError::Malformed { peer, what: what.to_owned() })
            }
        }
    }
}

/// Why no head was heard.
enum Unheard<E> {
    Io(io::Error),
    Said(E),
}

impl Unheard<Unanswered> {
    fn error(self, peer: &Arc<str>) -> TransportError {
        let peer = peer.clone();
        match self {
            Self::Io(error) => TransportError::io(peer, error),
            Self::Said(Unanswered::Refused(what)) => TransportError::Refused { peer, what },
            Self::Said(Unanswered::Malformed(what)) => TransportError::Malformed { peer, what },
        }
    }
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Malformed(refusal.what)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for WebSocket<S> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        loop {
            if let Some(failed) = &self.failed {
                return Poll::Ready(Err(failed.clone()));
            }
            if let Err(error) = self.answer(cx) {
                return Poll::Ready(Err(error));
            }
            match self.reader.next(self.limits.message) {
                Ok(Some(Item::Message(message))) => return Poll::Ready(Ok(message)),
                Ok(Some(Item::Ping(payload))) => {
                    self.ping = Some(payload);
                    continue;
                }
                Ok(Some(Item::Pong)) => continue,
                Ok(Some(Item::Close(reason))) => {
                    let peer = self.info.peer.clone();
                    return Poll::Ready(Err(self.end(cx, TransportError::Closed { peer, reason })));
                }
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Err(self.fault(cx, &fault))),
            }
            match ready!(Pin::new(&mut self.stream).poll_read(cx, self.reader.room())) {
                Ok(0) => return Poll::Ready(Err(self.fail_io(io::ErrorKind::UnexpectedEof.into()))),
                Ok(read) => self.reader.filled(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(self.fail_io(error))),
            }
        }
    }

    fn is_receiving(&self) -> bool {
        self.reader.is_within_an_item()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if let Some(failed) = &self.failed {
            return Poll::Ready(Err(failed.clone()));
        }
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
        if size > self.limits.message {
            return Err(TransportError::TooLargeToSend { peer: peer(), size, limit: self.limits.message });
        }
        if self.writer.waiting().len() >= self.limits.write_buffer {
            return Err(TransportError::Full { peer: peer(), limit: self.limits.write_buffer });
        }
        self.answering = false;
        self.writer.message(kind, parts).map_err(|error| self.fail_io(error))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if let Some(failed) = &self.failed {
            return Poll::Ready(Err(failed.clone()));
        }
        ready!(self.poll_write(cx, 0))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(|error| self.fail_io(error))?;
        // What a ping still asks for now has room.
        Poll::Ready(self.answer(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        if let (Some(reason), Some(TransportError::Closed { reason: failed, .. })) =
            (&self.closing, &self.failed)
            && reason == failed
        {
            return self.poll_end(cx);
        }
        if self.closing.is_none() {
            self.closing = Some(reason.clone());
            if self.failed.is_none() {
                self.writer.close(reason).map_err(|error| self.fail_io(error))?;
            }
        }
        let told = match &self.failed {
            Some(failed) => Err(failed.clone()),
            None => ready!(self.poll_write(cx, 0)),
        };
        let ended = ready!(self.poll_end(cx));
        if let Some(reason) = self.closing.clone() {
            let peer = self.info.peer.clone();
            self.failed.get_or_insert(TransportError::Closed { peer, reason });
        }
        Poll::Ready(told.and(ended))
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> WebSocket<S> {
    /// Writes what waits, where the link still takes it, and ends the stream.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        let lost = |error| TransportError::io(self.info.peer.clone(), error);
        if !matches!(self.failed, Some(TransportError::Io { .. })) {
            while !self.writer.waiting().is_empty() {
                match ready!(Pin::new(&mut self.stream).poll_write(cx, self.writer.waiting())) {
                    Ok(count) if count > 0 => self.writer.written(count),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // The other side is gone: nobody is there to be told.
                    Ok(_) | Err(_) => break,
                }
            }
        }
        let ended = ready!(Pin::new(&mut self.stream).poll_close(cx)).map_err(lost);
        self.is_over = true;
        Poll::Ready(ended)
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocket({:?})", self.info)
    }
}
