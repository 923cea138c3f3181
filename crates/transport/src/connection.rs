//! The traits of a transport: a `Connector` or a `Listener` makes connections, a `Connection` carries whole messages both ways.
//!
//! A connection is polled, not split: one task asks it for what arrived and gives it what is to go, in one `poll`, without a lock
//! between two halves; and since no future of its own holds state, dropping a call loses nothing. What comes with reading (an answer to
//! a ping, a TLS key update) can be written by the same object.
//!
//! *Invariant:* nothing here knows an executor or a clock; deadlines are the caller's.
//! *Next:* `memory.rs`, `framed.rs` (two transports), `session` (what the messages do).

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;

use crate::close::CloseReason;
use crate::error::TransportError;
use crate::info::Info;
use crate::message::{Message, MessageKind};

/// A link that carries whole messages in order, both ways.
///
/// One task polls it. `poll_recv` and `poll_flush` may both be pending at once: each keeps the waker that it was called with.
/// After a fatal error ([`TransportError::is_fatal`]) every method returns an error again, and none panics.
///
/// Implementers MUST check the size of a message before they allocate room for it, MUST NOT hold more than
/// [`Limits::write_buffer`](crate::Limits::write_buffer) bytes and one message to be written, and MUST NOT write from `feed`.
pub trait Connection: Debug + Send {
    /// What is known of the link. It does not change.
    fn info(&self) -> &Info;

    /// The next message.
    ///
    /// # Errors
    /// [`TransportError::Closed`] with the peer's reason after an orderly end; otherwise what broke the link.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>>;

    /// Whether a part of a message has arrived and the rest has not, as far as [`poll_recv`](Self::poll_recv) has read: so that its caller
    /// can give a message that was begun a time to be finished in. A transport whose messages arrive whole keeps to the default: never.
    fn is_receiving(&self) -> bool {
        false
    }

    /// Ready when [`feed`](Self::feed) has room; writes what waits until then.
    ///
    /// # Errors
    /// What broke the link.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// Takes one message, given in parts that follow each other without a gap, to be written by the next flush. It copies the parts,
    /// so that the large shared part of an event and its small private head need no message of their own.
    ///
    /// # Errors
    /// [`TransportError::Full`] where [`poll_ready`](Self::poll_ready) would wait, [`TransportError::TooLargeToSend`]; in both cases
    /// nothing was taken and the connection lives. Otherwise what broke the link.
    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError>;

    /// Writes everything that was fed, as few writes as possible.
    ///
    /// # Errors
    /// What broke the link.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// Writes everything that was fed, then tells the peer why nothing more comes. The reason of the first call counts.
    /// Afterwards receiving and sending fail with [`TransportError::Closed`].
    ///
    /// # Errors
    /// What broke the link before the peer could be told.
    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>>;
}

/// Makes connections to one peer. `Debug` and [`peer`](Self::peer) show no credential.
#[async_trait]
pub trait Connector: Debug + Send + Sync + 'static {
    /// The peer's name for people.
    fn peer(&self) -> &str;

    /// A new connection, its handshake done. Dropping the call gives it up.
    ///
    /// # Errors
    /// Why there is none.
    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError>;
}

/// Takes connections in.
pub trait Listener: Debug + Send + 'static {
    /// Where it listens, for people.
    fn local(&self) -> &str;

    /// The next peer that arrives. Its handshake has not been done: see [`Arrival`].
    ///
    /// # Errors
    /// That of one arrival leaves the listener of use ([`TransportError::is_fatal`] concerns that arrival); only
    /// [`TransportError::Closed`] says that nobody will arrive any more.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>>;
}

/// A peer that has arrived. Awaiting it does the handshake; the caller sets it a deadline, bounds how many are under way, and drops
/// it to turn the peer away. So a peer that dawdles holds up nobody else.
#[must_use = "an arrival does nothing unless it is awaited"]
pub struct Arrival {
    peer: Arc<str>,
    handshake: Handshake,
}

type Handshake = Pin<Box<dyn Future<Output = Result<Box<dyn Connection>, TransportError>> + Send>>;

impl Arrival {
    /// A peer whose connection stands when `handshake` completes.
    pub fn new(
        peer: impl Into<Arc<str>>,
        handshake: impl Future<Output = Result<Box<dyn Connection>, TransportError>> + Send + 'static,
    ) -> Self {
        Self { peer: peer.into(), handshake: Box::pin(handshake) }
    }

    /// A peer whose connection needs no handshake.
    pub fn ready(connection: impl Connection + 'static) -> Self {
        let peer = connection.info().peer.clone();
        let connection: Box<dyn Connection> = Box::new(connection);
        Self::new(peer, std::future::ready(Ok(connection)))
    }

    /// The peer's name for people.
    pub fn peer(&self) -> &str {
        &self.peer
    }
}

impl Future for Arrival {
    type Output = Result<Box<dyn Connection>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.handshake.as_mut().poll(cx)
    }
}

impl Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arrival({})", self.peer)
    }
}

impl<C: Connection + ?Sized> Connection for Box<C> {
    fn info(&self) -> &Info {
        (**self).info()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        (**self).poll_recv(cx)
    }

    fn is_receiving(&self) -> bool {
        (**self).is_receiving()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        (**self).poll_ready(cx)
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        (**self).feed(kind, parts)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        (**self).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        (**self).poll_close(cx, reason)
    }
}

/// A [`Connection`] awaited, for those who do one thing at a time. All calls are cancel-safe.
pub trait ConnectionExt: Connection {
    /// The next message. Cancel-safe: a dropped call loses nothing.
    fn recv(&mut self) -> impl Future<Output = Result<Message, TransportError>> + Send {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Waits for room and takes one message. Cancel-safe: a dropped call has taken nothing.
    fn feed_message(&mut self, message: &Message) -> impl Future<Output = Result<(), TransportError>> + Send {
        poll_fn(|cx| {
            ready!(self.poll_ready(cx))?;
            Poll::Ready(self.feed(message.kind(), &[message.data()]))
        })
    }

    /// Writes everything that was fed. Cancel-safe: a later flush goes on where this one stopped.
    fn flush(&mut self) -> impl Future<Output = Result<(), TransportError>> + Send {
        poll_fn(|cx| self.poll_flush(cx))
    }

    /// Takes one message and writes it. A dropped call may have taken it, whole.
    fn send(&mut self, message: &Message) -> impl Future<Output = Result<(), TransportError>> + Send {
        let mut fed = false;
        poll_fn(move |cx| {
            if !fed {
                ready!(self.poll_ready(cx))?;
                self.feed(message.kind(), &[message.data()])?;
                fed = true;
            }
            self.poll_flush(cx)
        })
    }

    /// Writes everything that was fed and ends the connection.
    fn close(&mut self, reason: CloseReason) -> impl Future<Output = Result<(), TransportError>> + Send {
        poll_fn(move |cx| self.poll_close(cx, &reason))
    }
}

impl<C: Connection + ?Sized> ConnectionExt for C {}

/// A [`Listener`] awaited.
pub trait ListenerExt: Listener {
    /// The next peer that arrives. Cancel-safe.
    fn accept(&mut self) -> impl Future<Output = Result<Arrival, TransportError>> + Send {
        poll_fn(|cx| self.poll_accept(cx))
    }
}

impl<L: Listener + ?Sized> ListenerExt for L {}
