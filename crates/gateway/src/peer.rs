//! One connection: requests come in and become work, answers, receipts and events go out, all in one future.
//!
//! What is to be written waits in few places, each bounded: answers, of which there are no more than requests; and the connection's
//! own buffer. While that is full no event is taken from a subscription, whose own bound then says what a slow peer misses.
//!
//! *Invariant:* everything that is there is written before one flush. An answer goes out before the events that it announces.
//! *Next:* `peer/` (answers, events, what time brings, what is counted), `calls.rs` (what is done for a request), `feeds.rs` (subscriptions).

mod answers;
mod events;
mod tallies;
mod times;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use coachwork_transport::viss::{Answer, Call, Dialect, EncodedEvent, SubscriptionId};
use coachwork_transport::{
    CloseCode, CloseReason, Connection, ConnectionExt, MessageKind, Moment, Received, ServerSession, Ticket,
    TransportError,
};
use coachwork_vehicle::{Credential, Monotonic, Sleep};
use event_listener::EventListener;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::calls::{Done, perform};
use crate::door::Pass;
use crate::feeds::Feeds;
use crate::gateway::Shared;
use crate::observer::{Happened, Tally};
use crate::rate::Rate;

/// How many bytes of answers may wait before requests are left unread.
const ANSWERS: usize = 256 * 1024;
/// How many things are done before others get their turn.
const TURN: usize = 256;

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;
type Superseded = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    mut connection: Box<dyn Connection>,
    number: u64,
    from: Arc<str>,
) {
    let (mut tally, mut cut_off) = (Tally::default(), None);
    let reason = match Dialect::of_subprotocol(connection.info().subprotocol.as_deref()) {
        None => Some(CloseReason::new(CloseCode::Policy, "this gateway does not speak that subprotocol")),
        Some(dialect) => {
            let mut peer = Peer::new(shared.clone(), connection, dialect, number, from);
            let end = poll_fn(|cx| peer.poll(cx)).await;
            shared.counted.cut_off.add(end.cut_off.into());
            tally = peer.tally();
            connection = peer.connection;
            let why = || {
                end.reason.as_ref().map_or_else(|| "it reads nothing".to_owned(), |why| why.text().to_owned())
            };
            cut_off = end.cut_off.then(why);
            end.reason
        }
    };
    shared.tell(&Happened::Left { connection: number, tally, cut_off: cut_off.as_deref() });
    if let Some(reason) = reason {
        // Whether the peer hears it is its affair.
        let _ = shared.within(shared.options.handshake_time, connection.close(reason)).await;
    }
}

/// How a connection ends.
struct End {
    /// What to tell the peer, if it is still there.
    reason: Option<CloseReason>,
    /// Whether it was the gateway's decision.
    cut_off: bool,
}

struct Peer {
    shared: Arc<Shared>,
    number: u64,
    /// Where it comes from: who it is, as long as it shows nothing better.
    from: Arc<str>,
    incoming: Rate,
    outgoing: Rate,
    /// What it was served, up to what `counted` has been told already.
    tally: Tally,
    told: Tally,
    /// It is to go, for a reason found on the way.
    end: Option<End>,
    connection: Box<dyn Connection>,
    session: ServerSession,
    work: FuturesUnordered<Work>,
    feeds: Feeds,
    /// Messages to write, and how many bytes they have.
    answers: VecDeque<Bytes>,
    answers_bytes: usize,
    /// Events to write: those of one turn of one subscription, and ends.
    events: VecDeque<(SubscriptionId, EncodedEvent)>,
    /// Since when something has waited for the peer to read.
    waiting_since: Option<Monotonic>,
    heard: Monotonic,
    /// Since when a message has been arriving.
    receiving_since: Option<Monotonic>,
    /// When something was written for it last.
    said: Monotonic,
    /// The view that was described to the peer last, until it has a newer catalogue.
    described: Option<(Arc<Pass>, Superseded)>,
    /// When to look which admissions have ended.
    over_at: Option<Monotonic>,
    draining: Pin<Box<EventListener>>,
    /// It may be early: then what is due is looked up again.
    timer: Option<(Monotonic, Sleep)>,
}

impl Peer {
    fn new(
        shared: Arc<Shared>,
        connection: Box<dyn Connection>,
        dialect: Dialect,
        number: u64,
        from: Arc<str>,
    ) -> Self {
        let credential = connection.info().credential();
        let session = ServerSession::new(dialect, credential, &shared.options.limits);
        let session = if connection.info().subprotocol.is_some() { session } else { session.guessing() };
        let draining = Box::pin(shared.drain.listen());
        let (heard, feeds) = (shared.clock.monotonic(), Feeds::new(shared.clone()));
        let options = &shared.options;
        let (incoming, outgoing) = (Rate::new(options.bytes_in, heard), Rate::new(options.bytes_out, heard));
        Self {
            shared,
            number,
            from,
            incoming,
            outgoing,
            tally: Tally::default(),
            told: Tally::default(),
            end: None,
            connection,
            session,
            work: FuturesUnordered::new(),
            feeds,
            answers: VecDeque::new(),
            answers_bytes: 0,
            events: VecDeque::new(),
            waiting_since: None,
            heard,
            receiving_since: None,
            said: heard,
            described: None,
            over_at: None,
            draining,
            timer: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        // Reading the clock costs as much as much of the rest: once is enough for what is done in one go.
        let mut now = Moment::of(self.shared.clock.as_ref());
        for _ in 0..TURN {
            if let Some(end) = self.look_at_the_time(&mut now, cx) {
                return Poll::Ready(end);
            }
            let mut idle = true;
            match self.read(now, cx) {
                Ok(read) => idle &= !read,
                Err(error) => return Poll::Ready(End::of(&error)),
            }
            idle &= !self.work(now, cx);
            match self.write(now, cx) {
                Ok(wrote) => idle &= !wrote,
                Err(error) => return Poll::Ready(End::of(&error)),
            }
            if let Some(end) = self.end.take() {
                return Poll::Ready(end);
            }
            if idle {
                self.count();
                return Poll::Pending;
            }
        }
        self.count();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes requests in, as long as their answers have room. Says whether there was one, or one has begun.
    fn read(&mut self, now: Moment, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        let mut read = false;
        while self.answers_bytes < ANSWERS && !self.incoming.is_spent() && !self.shared.drain.has_begun() {
            let Poll::Ready(message) = self.connection.poll_recv(cx) else {
                let since = self.receiving_since;
                self.receiving_since = self.connection.is_receiving().then(|| since.unwrap_or(now.monotonic));
                // Where it has just begun, its time has.
                return Ok(read || self.receiving_since.is_some() && since.is_none());
            };
            (read, self.heard, self.receiving_since) = (true, now.monotonic, None);
            let message = message?;
            self.tally.bytes_in += message.data().len() as u64;
            self.incoming.spend(message.data().len());
            self.throttled(self.incoming.is_spent());
            match self.session.receive(&message, now) {
                Received::Refused { reply, action, kind } => {
                    self.tally.requests += 1;
                    self.refused(action, kind);
                    self.send([reply]);
                }
                Received::Call { ticket, call: Call::Unsubscribe(subscription), .. } => {
                    self.forget(&subscription);
                    self.answer(ticket, &Answer::Unsubscribed, now);
                }
                Received::Call { ticket, credential, call } => {
                    self.begin(ticket, credential, call, now, cx);
                }
            }
            // At once, so that answers to many requests do not pile up first.
            self.write_answers(now, cx)?;
        }
        // What is left unread is not late.
        self.receiving_since = None;
        Ok(read)
    }

    /// Goes on with what was begun. Says whether something was done.
    fn work(&mut self, now: Moment, cx: &mut Context<'_>) -> bool {
        let mut worked = false;
        while let Poll::Ready(Some(done)) = self.work.poll_next_unpin(cx) {
            worked = true;
            self.finish(done, now);
        }
        while let Some((pass, superseded)) = &mut self.described
            && superseded.as_mut().poll(cx).is_ready()
        {
            worked = true;
            let pass = pass.clone();
            let catalogue = pass.view().catalogue();
            let message = self.session.catalogue_changed(catalogue.revision(), now);
            self.send(message);
            self.watch(pass, catalogue);
        }
        worked
    }

    /// Begins what is asked. Most is done at once: so requests are begun in their order, their answers count before the next is read,
    /// and only what must wait takes a place among what is waited for.
    fn begin(
        &mut self,
        ticket: Ticket,
        credential: Credential,
        call: Call,
        now: Moment,
        cx: &mut Context<'_>,
    ) {
        #[cfg(feature = "trace")]
        let action = call.action();
        let work =
            perform(self.shared.clone(), ticket, credential, call, self.session.form(), self.from.clone());
        #[cfg(feature = "trace")]
        let work = {
            let span = tracing::debug_span!("coachwork.request", connection = self.number, action);
            tracing::Instrument::instrument(work, span)
        };
        let mut work: Work = Box::pin(work);
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => self.finish(done, now),
            Poll::Pending => {
                self.work.push(work);
                self.work(now, cx);
            }
        }
    }

    /// Writes answers, then events, as long as there is room, then flushes. Says whether there was something.
    fn write(&mut self, now: Moment, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        let mut wrote = self.write_answers(now, cx)?;
        while self.answers.is_empty() && self.has_room(cx)? {
            if let Some((id, event)) = self.events.pop_front() {
                if let Some(head) = self.session.event(&id, &event) {
                    self.wrote(head.len() + event.body().len());
                    self.connection.feed(MessageKind::Text, &[&head, event.body()])?;
                }
                if event.ends() {
                    self.forget(&id);
                }
            } else if let Poll::Ready((id, event)) = self.feeds.poll_next(cx) {
                self.tell(id, event, now);
            } else {
                break;
            }
            (wrote, self.said, self.waiting_since) = (true, now.monotonic, None);
        }
        match self.connection.poll_flush(cx) {
            Poll::Ready(flushed) => {
                flushed?;
                self.waiting_since = None;
            }
            Poll::Pending => {
                self.waiting_since.get_or_insert(now.monotonic);
            }
        }
        Ok(wrote)
    }

    /// Puts answers into the connection's buffer, as long as there is room. Says whether there was one.
    fn write_answers(&mut self, now: Moment, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        let mut wrote = false;
        while !self.answers.is_empty() && self.has_room(cx)? {
            let Some(answer) = self.answers.pop_front() else { break };
            self.answers_bytes -= answer.len();
            self.wrote(answer.len());
            self.connection.feed(MessageKind::Text, &[&answer])?;
            (wrote, self.said, self.waiting_since) = (true, now.monotonic, None);
        }
        Ok(wrote)
    }

    /// Whether the connection takes a message now.
    fn has_room(&mut self, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        if self.outgoing.is_spent() {
            return Ok(false);
        }
        match self.connection.poll_ready(cx) {
            Poll::Ready(ready) => ready.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }
}

impl End {
    /// The link broke, or the peer broke its rules and is told so.
    fn of(error: &TransportError) -> Self {
        let reason = match error {
            TransportError::Closed { .. } | TransportError::Io { .. } => None,
            TransportError::TooLargeToSend { .. } => {
                Some(CloseReason::new(CloseCode::TooLarge, error.to_string()))
            }
            _ => Some(error.close_reason()),
        };
        Self { cut_off: reason.is_some(), reason }
    }
}
