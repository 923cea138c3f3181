//! One connection: requests come in and become work, answers, receipts and events go out, all in one future.
//!
//! What is to be written waits in few places, each bounded: answers, of which there are no more than requests; and the connection's
//! own buffer. While that is full no event is taken from a subscription, whose own bound then says what a slow peer misses.
//!
//! *Invariant:* everything that is there is written before one flush. An answer goes out before the events that it announces.
//! *Next:* `calls.rs` (what is done for a request), `feeds.rs` (subscriptions).

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
use coachwork_vehicle::{
    Catalogue, Credential, Datapoint, Each, Event, Monotonic, Permission, Reason, ReasonKind, Receipt,
    SignalId, Sleep, Stage, Vehicle,
};
use event_listener::EventListener;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::calls::{Done, Subscribed, perform};
use crate::door::Pass;
use crate::feeds::{Feed, Feeds};
use crate::gateway::Shared;

/// How many bytes of answers may wait before requests are left unread.
const ANSWERS: usize = 256 * 1024;
/// How many datapoints go into one message.
const POINTS: usize = 256;
/// How many things are done before others get their turn.
const TURN: usize = 256;

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;
type Superseded = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves a connection until it ends.
pub(crate) async fn serve(shared: &Arc<Shared>, mut connection: Box<dyn Connection>) {
    let reason = match Dialect::of_subprotocol(connection.info().subprotocol.as_deref()) {
        None => Some(CloseReason::new(CloseCode::Policy, "this gateway does not speak that subprotocol")),
        Some(dialect) => {
            let mut peer = Peer::new(shared.clone(), connection, dialect);
            let end = poll_fn(|cx| peer.poll(cx)).await;
            shared.counted.cut_off.add(end.cut_off.into());
            connection = peer.connection;
            end.reason
        }
    };
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
    /// The view that was described to the peer last, until it has a newer catalogue.
    described: Option<(Arc<Pass>, Superseded)>,
    /// When to look which admissions have ended.
    over_at: Option<Monotonic>,
    draining: Pin<Box<EventListener>>,
    /// It may be early: then what is due is looked up again.
    timer: Option<(Monotonic, Sleep)>,
}

impl Peer {
    fn new(shared: Arc<Shared>, connection: Box<dyn Connection>, dialect: Dialect) -> Self {
        let credential = connection.info().credential();
        let session = ServerSession::new(dialect, credential, &shared.options.limits);
        let draining = Box::pin(shared.drain.listen());
        let (heard, feeds) = (shared.clock.monotonic(), Feeds::new(shared.clone()));
        Self {
            shared,
            connection,
            session,
            work: FuturesUnordered::new(),
            feeds,
            answers: VecDeque::new(),
            answers_bytes: 0,
            events: VecDeque::new(),
            waiting_since: None,
            heard,
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
            if idle {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes requests in, as long as their answers have room. Says whether there was one.
    fn read(&mut self, now: Moment, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        let mut read = false;
        while self.answers_bytes < ANSWERS && !self.shared.drain.has_begun() {
            let Poll::Ready(message) = self.connection.poll_recv(cx) else { break };
            (read, self.heard) = (true, now.monotonic);
            match self.session.receive(&message?, now) {
                Received::Reply(bytes) => self.send([bytes]),
                Received::Call { ticket, call: Call::Unsubscribe(subscription), .. } => {
                    self.forget(&subscription);
                    self.answer(ticket, &Answer::Unsubscribed, now);
                }
                Received::Call { ticket, credential, call } => {
                    self.begin(ticket, credential, call);
                    // Most are done at once: so requests are begun in their order, and their answers count before the next is read.
                    self.work(now, cx);
                }
            }
        }
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
            let catalogue = pass.view.catalogue();
            let message = self.session.catalogue_changed(catalogue.revision(), now);
            self.send(message);
            self.watch(pass, catalogue);
        }
        worked
    }

    fn send(&mut self, messages: impl IntoIterator<Item = Bytes>) {
        for message in messages {
            self.answers_bytes += message.len();
            self.answers.push_back(message);
        }
    }

    fn begin(&mut self, ticket: Ticket, credential: Credential, call: Call) {
        let work = perform(self.shared.clone(), ticket, credential, call, self.session.form());
        self.work.push(Box::pin(work));
    }

    fn answer(&mut self, ticket: Ticket, answer: &Answer, now: Moment) -> bool {
        let message = self.session.answer(ticket, answer, now);
        let answered = message.is_some();
        self.shared.counted.requests.add(answered.into());
        self.send(message);
        answered
    }

    fn finish(&mut self, done: Done, now: Moment) {
        match done {
            Done::Answered(ticket, answer) => {
                self.answer(ticket, &answer, now);
            }
            Done::Set(ticket, receipts) => self.follow(ticket, receipts, now),
            Done::Subscribed(ticket, made) => {
                // One that nobody waits for any more is dropped here, and so ends.
                let Some(id) = self.session.subscription(ticket) else { return };
                let Subscribed { subscription, trigger, refused, pass } = *made;
                if self.answer(ticket, &Answer::Subscribed { refused }, now) {
                    let over_at = pass.over_at(self.shared.clock.as_ref());
                    self.over_at = [self.over_at, over_at].into_iter().flatten().min();
                    self.feeds.insert(id, Feed { subscription, trigger, pass });
                }
            }
            Done::Described(ticket, answer, pass, catalogue) => {
                self.answer(ticket, &answer, now);
                if self.session.form().additions {
                    self.watch(pass, catalogue);
                }
            }
            Done::Settled(ticket, index, outcome) => {
                let message = self.session.receipt(ticket, index, &outcome, now);
                self.send(message);
            }
        }
    }

    /// Answers a set, and tells of its receipts as they are settled.
    fn follow(&mut self, ticket: Ticket, receipts: Each<Receipt>, now: Moment) {
        let stages =
            receipts.iter().map(|each| each.as_ref().map(Receipt::stage).map_err(Clone::clone)).collect();
        let stages: Vec<Result<Stage, _>> = stages;
        let open: Vec<_> = stages.iter().map(|stage| matches!(stage, Ok(Stage::Accepted))).collect();
        let answered = self.answer(ticket, &Answer::Set(stages), now);
        if !answered || !self.session.form().additions {
            return;
        }
        for (index, (receipt, _)) in receipts.into_iter().zip(open).enumerate().filter(|(_, (_, open))| *open)
        {
            if let Ok(receipt) = receipt {
                self.work
                    .push(Box::pin(async move { Done::Settled(ticket, index, receipt.outcome().await) }));
            }
        }
    }

    fn watch(&mut self, pass: Arc<Pass>, catalogue: Arc<Catalogue>) {
        self.described = Some((pass, Box::pin(async move { catalogue.superseded().await })));
    }

    fn forget(&mut self, subscription: &SubscriptionId) {
        self.feeds.remove(subscription);
        self.events.retain(|(id, _)| id != subscription);
    }

    /// Writes answers, then events, as long as there is room, then flushes. Says whether there was something.
    fn write(&mut self, now: Moment, cx: &mut Context<'_>) -> Result<bool, TransportError> {
        let mut wrote = false;
        while let Poll::Ready(ready) = self.connection.poll_ready(cx) {
            ready?;
            if let Some(answer) = self.answers.pop_front() {
                self.answers_bytes -= answer.len();
                self.connection.feed(MessageKind::Text, &[&answer])?;
            } else if let Some((id, event)) = self.events.pop_front() {
                if let Some(head) = self.session.event(&id, &event) {
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
            (wrote, self.waiting_since) = (true, None);
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

    /// An event of a subscription, in the words of the peer.
    fn tell(&mut self, id: SubscriptionId, event: Event, now: Moment) {
        let form = self.session.form();
        let Some(feed) = self.feeds.feed_mut(&id) else { return };
        match event {
            Event::Changed(points) => {
                let points = points.iter().map(|(signal, point)| (signal, point.clone()));
                let points: Vec<(SignalId, Datapoint)> = match &mut feed.trigger {
                    Some(trigger) => trigger.admit(points),
                    None => points.collect(),
                };
                self.shared.counted.datapoints.add(u64::try_from(points.len()).unwrap_or(0));
                let catalogue = feed.subscription.catalogue().clone();
                for part in points.chunks(POINTS) {
                    let shared = self.shared.counted.subscriptions.load() > 1;
                    let encoded = self.shared.events.points(form, part, &catalogue, now.time, shared);
                    self.events.push_back((id.clone(), encoded));
                }
            }
            event => {
                if let Event::Lagged(count) = event {
                    self.shared.counted.lagged.add(count);
                }
                // Pure VISS has no word for a right that goes while others stay: there, access is all or nothing.
                let event = denied(&event).filter(|_| !form.additions).map_or(event, Event::Ended);
                let catalogue = feed.subscription.catalogue();
                let encoded = EncodedEvent::new(form, &event, catalogue, now.time);
                self.events.extend(encoded.map(|encoded| (id, encoded)));
            }
        }
    }

    /// What time alone brings: requests that were not answered, admissions that end, peers that neither read nor speak, the end of the gateway.
    fn look_at_the_time(&mut self, now: &mut Moment, cx: &mut Context<'_>) -> Option<End> {
        loop {
            let expired = self.session.expire(*now);
            self.shared.counted.requests.add(u64::try_from(expired.len()).unwrap_or(0));
            self.send(expired);
            if self.over_at.is_some_and(|at| at <= now.monotonic) {
                self.end_what_is_over(*now);
            }
            if let Some(end) = self.end_at(*now, cx) {
                return Some(end);
            }
            let Some(due) = self.next_due() else {
                self.timer = None;
                return None;
            };
            if self.timer.as_ref().is_none_or(|(at, _)| *at > due) {
                self.timer = Some((due, self.shared.clock.sleep_until(due)));
            }
            let (_, sleep) = self.timer.as_mut()?;
            if Pin::new(sleep).poll(cx).is_pending() {
                return None;
            }
            self.timer = None;
            *now = Moment::of(self.shared.clock.as_ref());
        }
    }

    fn end_what_is_over(&mut self, now: Moment) {
        let over = self.feeds.iter().filter(|(_, feed)| feed.pass.is_over(now.time));
        let over: Vec<_> = over.map(|(id, _)| id.clone()).collect();
        for id in over {
            let reason = Reason::because(ReasonKind::Denied, "the admission has ended");
            let ended = EncodedEvent::ended(self.session.form(), &reason, now.time);
            self.forget(&id);
            self.events.push_back((id, ended));
        }
        let clock = self.shared.clock.as_ref();
        self.over_at = self.feeds.iter().filter_map(|(_, feed)| feed.pass.over_at(clock)).min();
    }

    fn end_at(&mut self, now: Moment, cx: &mut Context<'_>) -> Option<End> {
        if self.shared.drain.until().is_none() && self.draining.as_mut().poll(cx).is_ready() {
            self.draining = Box::pin(self.shared.drain.listen());
            let _ = self.draining.as_mut().poll(cx);
        }
        if let Some(until) = self.shared.drain.until() {
            let done = self.session.requests() == 0 && self.answers.is_empty();
            if done || until <= now.monotonic {
                let reason = CloseReason::new(CloseCode::GoingAway, "the gateway is shut down");
                return Some(End { reason: Some(reason), cut_off: !done });
            }
        }
        let options = &self.shared.options;
        if self.waiting_since.is_some_and(|since| now.monotonic.saturating_since(since) >= options.write_time)
        {
            return Some(End { reason: None, cut_off: true });
        }
        let silent = now.monotonic.saturating_since(self.heard) >= options.idle_time;
        if silent && self.is_idle() {
            let reason = CloseReason::new(CloseCode::Policy, "nothing was heard for too long");
            return Some(End { reason: Some(reason), cut_off: true });
        }
        None
    }

    fn is_idle(&self) -> bool {
        self.feeds.is_empty() && self.session.requests() == 0
    }

    fn next_due(&self) -> Option<Monotonic> {
        let options = &self.shared.options;
        let unread = self.waiting_since.map(|since| since.saturating_add(options.write_time));
        let silent = self.is_idle().then(|| self.heard.saturating_add(options.idle_time));
        let drain = self.shared.drain.until();
        [self.session.next_deadline(), unread, silent, self.over_at, drain].into_iter().flatten().min()
    }
}

/// Why a signal may not be read any more, if that is what happened.
fn denied(event: &Event) -> Option<Reason> {
    let Event::Access(changes) = event else { return None };
    changes.iter().find_map(|(_, permission)| match permission {
        Permission::Denied(why) => Some(why.clone()),
        _ => None,
    })
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
