//! A transport within one process: for tests, and for a gateway and a client that share a program.
//!
//! *Invariant:* what one side has flushed and the other not yet received is at most `Limits::write_buffer` bytes and one message.
//! *Next:* `connection.rs` (the contract), `framed.rs` (the same over a byte stream).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::close::CloseReason;
use crate::connection::{Arrival, Connection, Connector, Listener};
use crate::error::TransportError;
use crate::info::{Info, Security};
use crate::limits::Limits;
use crate::message::{Message, MessageKind};
use crate::subprotocol::agree;

/// How many peers may wait to be accepted.
const BACKLOG: usize = 128;

/// Two ends of one link.
///
/// ```
/// use coachwork_transport::{ConnectionExt, Limits, Message, memory};
/// # futures::executor::block_on(async {
/// let (mut here, mut there) = memory::pair(&Limits::default());
/// here.send(&Message::text("hello")).await?;
/// assert_eq!(there.recv().await?, Message::text("hello"));
/// # Ok::<(), coachwork_transport::TransportError>(())
/// # }).unwrap();
/// ```
pub fn pair(limits: &Limits) -> (MemoryConnection, MemoryConnection) {
    let info = Info::new("memory").with_security(Security::Local);
    joined(limits, info.clone(), info)
}

/// A listener, and the connector that reaches it; clones of the connector reach it too. `name` is how both sides see the other.
pub fn listen(name: &str, limits: &Limits) -> (MemoryListener, MemoryConnector) {
    let gate = Arc::new(Gate(Mutex::new(Waiting::default())));
    let listener = MemoryListener { gate: gate.clone(), name: name.into() };
    let connector = MemoryConnector {
        way: Arc::new(Way(gate)),
        name: name.into(),
        limits: limits.clone(),
        offered: Vec::new(),
        certificate: None,
    };
    (listener, connector)
}

/// One end of a link in memory.
pub struct MemoryConnection {
    info: Info,
    limits: Limits,
    sending: Arc<Pipe>,
    receiving: Arc<Pipe>,
    /// Fed, not yet flushed.
    fed: VecDeque<Message>,
    fed_bytes: usize,
    closed: Option<CloseReason>,
    /// What ended it, once a call has said so: every later call says the same.
    failed: Option<TransportError>,
}

/// Takes in what a [`MemoryConnector`] connects.
pub struct MemoryListener {
    gate: Arc<Gate>,
    name: Arc<str>,
}

/// Connects to a [`MemoryListener`].
#[derive(Clone)]
pub struct MemoryConnector {
    way: Arc<Way>,
    name: Arc<str>,
    limits: Limits,
    offered: Vec<Arc<str>>,
    certificate: Option<Bytes>,
}

/// One direction of a link.
#[derive(Default)]
struct Pipe(Mutex<Flow>);

#[derive(Default)]
struct Flow {
    queue: VecDeque<Message>,
    bytes: usize,
    ended: Option<End>,
    /// Nobody reads any more.
    unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How a writer ended.
#[derive(Clone)]
enum End {
    Closed(CloseReason),
    Dropped,
}

struct Gate(Mutex<Waiting>);

/// The connectors' hold on the gate: it goes with the last of them.
struct Way(Arc<Gate>);

#[derive(Default)]
struct Waiting {
    /// Connections of the listener's side.
    queue: VecDeque<MemoryConnection>,
    /// The subprotocols that the listener speaks.
    known: Vec<Arc<str>>,
    waker: Option<Waker>,
    listener_gone: bool,
    connectors_gone: bool,
}

fn joined(limits: &Limits, here: Info, there: Info) -> (MemoryConnection, MemoryConnection) {
    let (one, two) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |info, sending, receiving| MemoryConnection {
        info,
        limits: limits.clone(),
        sending,
        receiving,
        fed: VecDeque::new(),
        fed_bytes: 0,
        closed: None,
        failed: None,
    };
    (end(here, one.clone(), two.clone()), end(there, two, one))
}

/// What a message counts towards a bound: an empty one is not free.
fn cost(message: &Message) -> usize {
    message.data().len() + size_of::<Message>()
}

/// A poisoned lock only says that a thread panicked while it held it; every update here is complete at each unlock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl MemoryConnection {
    fn still_open(&self) -> Result<(), TransportError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        match &self.closed {
            Some(reason) => {
                Err(TransportError::Closed { peer: self.info.peer.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    fn ended(&mut self, end: Option<End>) -> TransportError {
        let peer = self.info.peer.clone();
        let error = match end {
            Some(End::Closed(reason)) => TransportError::Closed { peer, reason },
            Some(End::Dropped) | None => TransportError::io(peer, io::ErrorKind::ConnectionReset.into()),
        };
        self.failed.insert(error).clone()
    }

    /// Moves what was fed into the pipe, until nothing is left or, if not `all`, there is room to feed more.
    fn push(&mut self, cx: &mut Context<'_>, all: bool) -> Poll<Result<(), TransportError>> {
        self.still_open()?;
        let mut flow = lock(&self.sending.0);
        if flow.unread {
            drop(flow);
            let end = lock(&self.receiving.0).ended.clone();
            return Poll::Ready(Err(self.ended(end)));
        }
        let mut moved = false;
        while flow.queue.is_empty() || flow.bytes < self.limits.write_buffer {
            let Some(message) = self.fed.pop_front() else { break };
            self.fed_bytes -= cost(&message);
            flow.bytes += cost(&message);
            flow.queue.push_back(message);
            moved = true;
        }
        let waits = if all { !self.fed.is_empty() } else { self.fed_bytes >= self.limits.write_buffer };
        if waits {
            flow.writer = Some(cx.waker().clone());
        }
        let reader = if moved { flow.reader.take() } else { None };
        drop(flow);
        wake(reader);
        if waits { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl Connection for MemoryConnection {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        self.still_open()?;
        let mut flow = lock(&self.receiving.0);
        if let Some(message) = flow.queue.pop_front() {
            flow.bytes -= cost(&message);
            let writer = flow.writer.take();
            drop(flow);
            wake(writer);
            return Poll::Ready(Ok(message));
        }
        if let Some(end) = flow.ended.clone() {
            drop(flow);
            return Poll::Ready(Err(self.ended(Some(end))));
        }
        flow.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.still_open().is_ok() && self.fed_bytes < self.limits.write_buffer {
            return Poll::Ready(Ok(()));
        }
        self.push(cx, false)
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        self.still_open()?;
        let peer = || self.info.peer.clone();
        let size = parts.iter().map(|part| part.len()).sum();
        if size > self.limits.message {
            return Err(TransportError::TooLargeToSend { peer: peer(), size, limit: self.limits.message });
        }
        if self.fed_bytes >= self.limits.write_buffer {
            return Err(TransportError::Full { peer: peer(), limit: self.limits.write_buffer });
        }
        let mut data = BytesMut::with_capacity(size);
        for part in parts {
            data.extend_from_slice(part);
        }
        let message = Message::new(kind, data.freeze());
        self.fed_bytes += cost(&message);
        self.fed.push_back(message);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.push(cx, true)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        if self.closed.is_some() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(self.push(cx, true));
        self.closed = Some(reason.clone());
        let reader = {
            let mut flow = lock(&self.sending.0);
            flow.ended = Some(End::Closed(reason.clone()));
            flow.reader.take()
        };
        let writer = {
            let mut flow = lock(&self.receiving.0);
            flow.unread = true;
            flow.writer.take()
        };
        wake(reader);
        wake(writer);
        Poll::Ready(flushed)
    }
}

impl Drop for MemoryConnection {
    fn drop(&mut self) {
        let reader = {
            let mut flow = lock(&self.sending.0);
            flow.ended.get_or_insert(End::Dropped);
            flow.reader.take()
        };
        let writer = {
            let mut flow = lock(&self.receiving.0);
            flow.unread = true;
            flow.queue.clear();
            flow.bytes = 0;
            flow.writer.take()
        };
        wake(reader);
        wake(writer);
    }
}

impl MemoryListener {
    /// Agrees only on these subprotocols, see [`agree`].
    #[must_use]
    pub fn speaking(self, known: &[&str]) -> Self {
        lock(&self.gate.0).known = known.iter().map(|&name| name.into()).collect();
        self
    }
}

impl Listener for MemoryListener {
    fn local(&self) -> &str {
        &self.name
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let mut waiting = lock(&self.gate.0);
        if let Some(connection) = waiting.queue.pop_front() {
            return Poll::Ready(Ok(Arrival::ready(connection)));
        }
        if waiting.connectors_gone {
            let (peer, reason) = (self.name.clone(), CloseReason::normal());
            return Poll::Ready(Err(TransportError::Closed { peer, reason }));
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        let queue = {
            let mut waiting = lock(&self.gate.0);
            waiting.listener_gone = true;
            std::mem::take(&mut waiting.queue)
        };
        drop(queue);
    }
}

impl MemoryConnector {
    /// Offers these subprotocols, the preferred one first.
    #[must_use]
    pub fn offering(self, names: &[&str]) -> Self {
        Self { offered: names.iter().map(|&name| name.into()).collect(), ..self }
    }

    /// Shows this certificate (DER) to the listener, as a mutually authenticated link would.
    #[must_use]
    pub fn with_certificate(self, der: Bytes) -> Self {
        Self { certificate: Some(der), ..self }
    }
}

#[async_trait]
impl Connector for MemoryConnector {
    fn peer(&self) -> &str {
        &self.name
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let refused = |what: String| TransportError::Refused { peer: self.name.clone(), what };
        let mut waiting = lock(&self.way.0.0);
        if waiting.listener_gone {
            return Err(TransportError::io(self.name.clone(), io::ErrorKind::ConnectionRefused.into()));
        }
        if waiting.queue.len() >= BACKLOG {
            return Err(TransportError::io(self.name.clone(), io::ErrorKind::WouldBlock.into()));
        }
        let mut here = Info::new(self.name.clone()).with_security(Security::Local);
        here.subprotocol = agree(&self.offered, &waiting.known).map_err(refused)?;
        let there = Info { certificate: self.certificate.clone(), ..here.clone() };
        let (here, there) = joined(&self.limits, here, there);
        waiting.queue.push_back(there);
        let listener = waiting.waker.take();
        drop(waiting);
        wake(listener);
        Ok(Box::new(here))
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let listener = {
            let mut waiting = lock(&self.0.0);
            waiting.connectors_gone = true;
            waiting.waker.take()
        };
        wake(listener);
    }
}

impl fmt::Debug for MemoryConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryConnection({:?})", self.info)
    }
}

impl fmt::Debug for MemoryListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryListener({})", self.name)
    }
}

impl fmt::Debug for MemoryConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryConnector({})", self.name)
    }
}

#[cfg(test)]
mod tests;
