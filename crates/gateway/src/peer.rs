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
    Catalogue, Credential, Datapoint, Each, Error, ErrorKind, Event, Monotonic, Permission, Reason,
    ReasonKind, Receipt, SignalId, Sleep, Stage, Vehicle,
};
use event_listener::EventListener;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::calls::{Done, Subscribed, perform, renew};
use crate::door::Pass;
use crate::feeds::{Feed, Feeds};
use crate::gateway::Shared;
use crate::observer::{Happened, Tally};
use crate::options::SlowPeers;
use crate::rate::Rate;

/// How many bytes of answers may wait before requests are left unread.
const ANSWERS: usize = 256 * 1024;
/// How many datapoints go into one message.
const POINTS: usize = 256;
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

    fn answer(&mut self, ticket: Ticket, answer: &Answer, now: Moment) -> bool {
        let action = self.session.action(ticket);
        let message = self.session.answer(ticket, answer, now);
        let answered = message.is_some();
        self.tally.requests += u64::from(answered);
        if let Some(kind) = refusal(answer, self.session.form().additions)
            && answered
        {
            self.refused(action, kind);
        }
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
                let Subscribed { subscription, trigger, refused, pass, wanted } = *made;
                if self.answer(ticket, &Answer::Subscribed { refused }, now) {
                    let over_at = pass.over_at(self.shared.clock.as_ref());
                    self.over_at = [self.over_at, over_at].into_iter().flatten().min();
                    self.feeds.insert(id, Feed { subscription, trigger, pass, wanted });
                }
            }
            Done::Renewed(id, made) => self.renewed(id, made, now),
            Done::Described(ticket, answer, pass, catalogue) => {
                self.answer(ticket, &answer, now);
                if self.session.form().additions {
                    self.watch(pass, catalogue);
                }
            }
            Done::Settled(ticket, index, outcome) => {
                // What was told is known after a restart.
                self.shared.keys().write_settled();
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

    /// A subscription goes on by a newer right, or ends with the old one.
    fn renewed(&mut self, id: SubscriptionId, made: Result<Box<Subscribed>, Error>, now: Moment) {
        // It may have been given up meanwhile.
        if !self.session.has_subscription(&id) {
            return;
        }
        let form = self.session.form();
        let made = match made {
            Ok(made) if !made.pass.is_over(now.time) => *made,
            _ => return self.events.push_back((id, EncodedEvent::expired(form, now.time))),
        };
        self.shared.tell(&Happened::Renewed { connection: self.number });
        let Subscribed { subscription, trigger, refused, pass, wanted } = made;
        let catalogue = subscription.catalogue().clone();
        let gone = refused.iter().filter(|(_, error)| error.kind() == ErrorKind::Denied).filter_map(
            |(path, error)| {
                let why = Reason::because(ReasonKind::Denied, error.message());
                Some((catalogue.id(path)?, Permission::Denied(why)))
            },
        );
        let gone: Vec<_> = gone.collect();
        if !gone.is_empty() {
            let event = EncodedEvent::new(form, &Event::Access(gone), &catalogue, now.time);
            self.events.extend(event.map(|event| (id.clone(), event)));
        }
        let over_at = pass.over_at(self.shared.clock.as_ref());
        self.over_at = [self.over_at, over_at].into_iter().flatten().min();
        self.feeds.insert(id, Feed { subscription, trigger, pass, wanted });
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
        while !self.outgoing.is_spent()
            && let Poll::Ready(ready) = self.connection.poll_ready(cx)
        {
            ready?;
            if let Some(answer) = self.answers.pop_front() {
                self.answers_bytes -= answer.len();
                self.wrote(answer.len());
                self.connection.feed(MessageKind::Text, &[&answer])?;
            } else if let Some((id, event)) = self.events.pop_front() {
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

    /// An event of a subscription, in the words of the peer.
    fn tell(&mut self, id: SubscriptionId, event: Event, now: Moment) {
        if let Event::Lagged(count) = event {
            self.lagged(count);
        }
        let form = self.session.form();
        let Some(feed) = self.feeds.feed_mut(&id) else { return };
        match event {
            Event::Changed(points) => {
                let points = points.iter().map(|(signal, point)| (signal, point.clone()));
                let points: Vec<(SignalId, Datapoint)> = match &mut feed.trigger {
                    Some(trigger) => trigger.admit(points),
                    None => points.collect(),
                };
                self.tally.datapoints += points.len() as u64;
                let catalogue = feed.subscription.catalogue().clone();
                for part in points.chunks(POINTS) {
                    let shared = self.shared.counted.subscriptions.load() > 1;
                    let encoded = self.shared.events.points(form, part, &catalogue, now.time, shared);
                    self.events.push_back((id.clone(), encoded));
                }
            }
            event => {
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
            self.incoming.fill(now.monotonic);
            self.outgoing.fill(now.monotonic);
            let expired = self.session.expire(*now);
            self.tally.requests += expired.len() as u64;
            self.tally.refused += expired.len() as u64;
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
        let additions = self.session.form().additions;
        for id in over {
            let feed = self.feeds.remove(&id);
            self.events.retain(|(other, _)| *other != id);
            // In pure VISS a token is good for its request. Otherwise the peer may have shown a newer one since.
            match feed.and_then(|feed| feed.wanted).filter(|_| additions) {
                Some(wanted) => {
                    let credential = self.session.credential().clone();
                    self.work.push(Box::pin(renew(self.shared.clone(), id, credential, wanted)));
                }
                None => self.events.push_back((id, EncodedEvent::expired(self.session.form(), now.time))),
            }
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
        if self
            .receiving_since
            .is_some_and(|since| now.monotonic.saturating_since(since) >= options.message_time)
        {
            let reason = CloseReason::new(CloseCode::Policy, "a message took too long to arrive");
            return Some(End { reason: Some(reason), cut_off: true });
        }
        if self.silent_since().is_some_and(|since| now.monotonic.saturating_since(since) >= options.idle_time)
        {
            let reason = CloseReason::new(CloseCode::Policy, "nothing was heard for too long");
            return Some(End { reason: Some(reason), cut_off: true });
        }
        None
    }

    /// Since when a peer has been silent that should not be.
    fn silent_since(&self) -> Option<Monotonic> {
        if self.session.requests() > 0 {
            return None;
        }
        if self.feeds.is_empty() {
            return Some(self.heard);
        }
        // A client of ours that hears nothing asks for a word: one that does not is gone, whatever its link says.
        self.session.form().additions.then(|| self.heard.max(self.said))
    }

    fn next_due(&self) -> Option<Monotonic> {
        let options = &self.shared.options;
        let unread = self.waiting_since.map(|since| since.saturating_add(options.write_time));
        let silent = self.silent_since().map(|since| since.saturating_add(options.idle_time));
        let arriving = self.receiving_since.map(|since| since.saturating_add(options.message_time));
        let drain = self.shared.drain.until();
        let (read, told) = (self.incoming.free_at(), self.outgoing.free_at());
        [self.session.next_deadline(), unread, arriving, silent, self.over_at, drain, read, told]
            .into_iter()
            .flatten()
            .min()
    }

    // What is counted and told.

    fn wrote(&mut self, bytes: usize) {
        self.tally.bytes_out += bytes as u64;
        self.outgoing.spend(bytes);
        self.throttled(self.outgoing.is_spent());
    }

    fn throttled(&self, is_spent: bool) {
        if is_spent {
            self.shared.counted.throttled.add(1);
            self.shared.tell(&Happened::Throttled { connection: self.number });
        }
    }

    fn refused(&mut self, action: &'static str, kind: ErrorKind) {
        self.tally.refused += 1;
        self.shared.tell(&Happened::Refused { connection: self.number, action, kind });
    }

    /// The peer is told, where its dialect has a word for it, and goes where the gateway has no patience.
    fn lagged(&mut self, count: u64) {
        self.tally.lagged += count;
        self.shared.tell(&Happened::Lagged { connection: self.number, count });
        if let SlowPeers::Cut { after } = self.shared.options.slow_peers
            && self.tally.lagged > after
        {
            let text = format!("too slow: {} datapoints were lost", self.tally.lagged);
            self.end = Some(End { reason: Some(CloseReason::new(CloseCode::Policy, text)), cut_off: true });
        }
    }

    /// Adds what was done since the last time to what the gateway has done.
    fn count(&mut self) {
        let (now, told) = (self.tally, std::mem::replace(&mut self.told, self.tally));
        if now == told {
            return;
        }
        let counted = &self.shared.counted;
        for (count, now, told) in [
            (&counted.requests, now.requests, told.requests),
            (&counted.refused, now.refused, told.refused),
            (&counted.bytes_in, now.bytes_in, told.bytes_in),
            (&counted.bytes_out, now.bytes_out, told.bytes_out),
            (&counted.datapoints, now.datapoints, told.datapoints),
            (&counted.lagged, now.lagged, told.lagged),
        ] {
            if now != told {
                count.add(now - told);
            }
        }
    }

    /// What it was served, all of it counted.
    fn tally(&mut self) -> Tally {
        self.count();
        self.tally
    }
}

/// What is wrong with the whole of a request. In pure VISS, what is wrong with an item is that.
fn refusal(answer: &Answer, additions: bool) -> Option<ErrorKind> {
    match answer {
        Answer::Failed(error) => Some(error.kind()),
        Answer::Points(points) if !additions => {
            points.iter().find_map(|(_, one)| Some(one.as_ref().err()?.kind()))
        }
        Answer::Set(receipts) if !additions => {
            receipts.iter().find_map(|one| Some(one.as_ref().err()?.kind()))
        }
        _ => None,
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
