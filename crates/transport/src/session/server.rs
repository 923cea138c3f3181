//! The server's end of a conversation: requests out of messages, messages out of answers and events.
//!
//! *Invariant:* each request is answered once: by the gateway, or when its time is over. Requests, receipts and subscriptions are
//! bounded; one request too many is answered with an error.
//! *Next:* `client.rs` (the other end); a gateway, which decides who may do what and asks the vehicle.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use coachwork_vehicle::{Credential, Error, ErrorKind, Monotonic, Operation, Outcome, Stage};

use super::{Moment, Ticket};
use crate::limits::Limits;
use crate::message::Message;
use crate::viss::{
    Answer, BadRequest, Call, Dialect, EncodedEvent, Envelope, EventHead, Form, Request, SubscriptionId,
    Tongue, Wanted, at_most,
};

/// The server's side of one connection.
///
/// ```
/// use coachwork_transport::viss::{Answer, Call, Dialect};
/// use coachwork_transport::{Limits, Message, Moment, Received, ServerSession};
/// use coachwork_vehicle::{Credential, Datapoint, Monotonic, Timestamp};
///
/// let mut session = ServerSession::new(Dialect::V3, Credential::None, &Limits::default());
/// let now = Moment { time: Timestamp::EPOCH, monotonic: Monotonic::default() };
/// let message = Message::text(r#"{"action":"get","path":"Vehicle.Speed","requestId":"7"}"#);
/// let Received::Call { ticket, call: Call::Get(target), .. } = session.receive(&message, now) else { panic!() };
/// let point = Datapoint::valid(50.5_f32, now.time);
/// let answer = Answer::Points(vec![(target.root().to_owned(), Ok(point))]);
/// assert_eq!(
///     session.answer(ticket, &answer, now).unwrap(),
///     r#"{"action":"get","requestId":"7","data":{"path":"Vehicle.Speed","dp":{"value":"50.5","ts":"1970-01-01T00:00:00Z"}},"ts":"1970-01-01T00:00:00Z"}"#,
/// );
/// ```
#[derive(Debug)]
pub struct ServerSession {
    form: Form,
    /// The link does not say which version the peer speaks, and its words have not told yet.
    guesses: bool,
    limits: Limits,
    /// What the link or an earlier request proved.
    credential: Credential,
    /// In the order of their tickets.
    open: VecDeque<(Ticket, Open)>,
    /// The names that are taken, but for that of the newest request, which most of the time is answered before the next one comes.
    ids: HashSet<String>,
    newest: Option<Ticket>,
    next_ticket: u64,
    /// The peer asked for additional members, and has not been told yet that it gets them.
    welcome: bool,
    subscriptions: HashMap<SubscriptionId, EventHead>,
    next_subscription: u64,
    receipts: HashMap<Ticket, OpenReceipts>,
    /// How many receipts of `receipts` are not settled.
    open_receipts: usize,
}

/// What a message of the peer means.
#[derive(Debug)]
pub enum Received {
    /// A request, to be answered under its ticket.
    Call {
        /// Under which it is answered.
        ticket: Ticket,
        /// What the peer shows for it: its token, or what the link proves.
        credential: Credential,
        /// What is asked.
        call: Call,
    },
    /// No request, or one that is refused here: there is nothing to do but to send this.
    Refused {
        /// The answer.
        reply: Bytes,
        /// What was asked, by its name in VISS; `none` where that could not be read.
        action: &'static str,
        /// What is wrong.
        kind: ErrorKind,
    },
}

#[derive(Debug)]
struct Open {
    id: String,
    id_is_number: bool,
    action: &'static str,
    deadline: Monotonic,
    kind: Kind,
    /// Whether the peer has shown something to be let in with.
    shown: bool,
}

#[derive(Debug)]
enum Kind {
    Get { single: bool },
    Metadata,
    History { single: bool },
    Capabilities,
    Set { items: usize },
    Subscribe(SubscriptionId),
    Unsubscribe(SubscriptionId),
    Deliver,
}

#[derive(Debug)]
struct OpenReceipts {
    id: String,
    id_is_number: bool,
    settled: Vec<bool>,
}

impl ServerSession {
    /// A new conversation. `link` is what the link itself proves of the peer, see [`Info::credential`](crate::Info::credential).
    pub fn new(dialect: Dialect, link: Credential, limits: &Limits) -> Self {
        Self {
            form: Form::pure(dialect),
            guesses: false,
            limits: limits.clone(),
            credential: link,
            open: VecDeque::new(),
            ids: HashSet::new(),
            newest: None,
            next_ticket: 0,
            welcome: false,
            subscriptions: HashMap::new(),
            next_subscription: 1,
            receipts: HashMap::new(),
            open_receipts: 0,
        }
    }

    /// Takes the version from the words of the peer, for a link that has not agreed on one: the first request whose filter has a `type`, or that
    /// subscribes without one, is of version 2, the first whose filter has a `variant` of version 3. Until then it is as said before.
    #[must_use]
    pub fn guessing(self) -> Self {
        Self { guesses: true, ..self }
    }

    /// How messages to the peer look at present. It changes when the peer asks for additional members, and where it was to be guessed which
    /// version it speaks, before its first subscription.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Takes a message of the peer.
    pub fn receive(&mut self, message: &Message, now: Moment) -> Received {
        let mut tongue = Tongue { dialect: self.form.dialect, is_settled: !self.guesses };
        let decoded = Request::decode_in(message, &mut tongue, &self.limits);
        (self.form.dialect, self.guesses) = (tongue.dialect, !tongue.is_settled);
        let request = match decoded {
            Ok(request) => request,
            Err(bad) => {
                self.greet(bad.additions);
                return self.refuse(&bad, None, now);
            }
        };
        self.greet(request.additions);
        let (id, id_is_number, action) = (request.id, request.id_is_number, request.call.action());
        let repeated = match &request.call {
            Call::Unsubscribe(subscription) if self.form.dialect == Dialect::V2 => Some(subscription.clone()),
            _ => None,
        };
        let (credential, kind) = match self.check(&id, request.authorization, &request.call) {
            Ok(checked) => checked,
            Err(error) => {
                let additions = request.additions;
                let bad = BadRequest { id: Some(id), id_is_number, action: Some(action), additions, error };
                return self.refuse(&bad, repeated.as_ref(), now);
            }
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if let Some(newest) = self.newest() {
            let id = newest.id.clone();
            self.ids.insert(id);
        }
        self.newest = Some(ticket);
        let deadline = now.monotonic.saturating_add(self.limits.request_time);
        let shown = credential != Credential::None;
        self.open.push_back((ticket, Open { id, id_is_number, action, deadline, kind, shown }));
        Received::Call { ticket, credential, call: request.call }
    }

    /// The message that answers a request. `None` where the request is not open any more: its time was over, and the peer knows.
    ///
    /// An answer of another kind than the request is a fault of the caller; the peer gets an error.
    pub fn answer(&mut self, ticket: Ticket, answer: &Answer, now: Moment) -> Option<Bytes> {
        let open = self.close(ticket)?;
        let envelope = Envelope {
            action: Some(open.action),
            id: Some(&open.id),
            id_is_number: open.id_is_number,
            form: self.form,
            welcome: std::mem::take(&mut self.welcome),
            ts: now.time,
        };
        Some(match (open.kind, answer) {
            (_, Answer::Failed(error)) => {
                let missing = self.form.dialect == Dialect::V2
                    && !open.shown
                    && error.kind() == ErrorKind::Denied
                    && error.operation() == Some(Operation::Admit);
                if missing { envelope.error_as(error, (401, "missing_token")) } else { envelope.error(error) }
            }
            (Kind::Get { single }, Answer::Points(points)) => {
                self.limits.answer(&envelope, envelope.points(points, single))
            }
            (Kind::Metadata, Answer::Metadata(metadata)) => {
                self.limits.answer(&envelope, envelope.metadata(metadata))
            }
            (Kind::History { single }, Answer::History(recorded)) => {
                self.limits.answer(&envelope, envelope.history(recorded, single))
            }
            (Kind::Capabilities, Answer::Capabilities(capabilities)) => envelope.capabilities(capabilities),
            (Kind::Set { items }, Answer::Set(receipts)) if receipts.len() == items => {
                let settled = receipts.iter().map(|receipt| !matches!(receipt, Ok(Stage::Accepted)));
                let waiting = settled.clone().filter(|settled| !settled).count();
                if self.form.additions && waiting > 0 {
                    self.open_receipts += waiting;
                    // Its name stays taken until the last receipt is settled.
                    self.ids.insert(open.id.clone());
                    let settled = settled.collect();
                    let (id, id_is_number) = (open.id.clone(), open.id_is_number);
                    self.receipts.insert(ticket, OpenReceipts { id, id_is_number, settled });
                }
                envelope.set(receipts)
            }
            (Kind::Subscribe(subscription), Answer::Subscribed { refused }) => {
                let bytes = envelope.subscribed(subscription.as_str(), refused);
                self.subscriptions.insert(subscription.clone(), EventHead::new(&subscription));
                bytes
            }
            (Kind::Unsubscribe(subscription), Answer::Unsubscribed) => {
                let repeated = (self.form.dialect == Dialect::V2).then(|| subscription.as_str());
                envelope.unsubscribed(repeated)
            }
            (Kind::Deliver, Answer::Delivered { stored, refused }) => envelope.delivered(*stored, *refused),
            _ => envelope.error(&Error::new(ErrorKind::Other, "the server has no answer to this request")),
        })
    }

    /// The subscription that a subscribe request makes once it is answered; for the gateway's own table.
    pub fn subscription(&self, ticket: Ticket) -> Option<SubscriptionId> {
        match &self.find(ticket)?.kind {
            Kind::Subscribe(subscription) => Some(subscription.clone()),
            _ => None,
        }
    }

    /// The first part of a message with an event for a subscription; the second is the event's body. `None` where the subscription does not
    /// stand, or the event is of another form. The subscription is gone after an event that ends it.
    pub fn event(&mut self, subscription: &SubscriptionId, event: &EncodedEvent) -> Option<Bytes> {
        if event.form() != self.form {
            return None;
        }
        if event.ends() {
            return self.subscriptions.remove(subscription).map(|head| head.bytes().clone());
        }
        self.subscriptions.get(subscription).map(|head| head.bytes().clone())
    }

    /// Whether a subscription stands.
    pub fn has_subscription(&self, subscription: &SubscriptionId) -> bool {
        self.subscriptions.contains_key(subscription)
    }

    /// The message that tells how a receipt was settled, in its place among the items of its request. `None` where it was settled
    /// before, or the peer has no words for it.
    pub fn receipt(&mut self, ticket: Ticket, index: usize, outcome: &Outcome, now: Moment) -> Option<Bytes> {
        let receipts = self.receipts.get_mut(&ticket)?;
        let settled = receipts.settled.get_mut(index)?;
        if std::mem::replace(settled, true) {
            return None;
        }
        self.open_receipts = self.open_receipts.saturating_sub(1);
        let (id, id_is_number) = (receipts.id.clone(), receipts.id_is_number);
        let done = receipts.settled.iter().all(|settled| *settled);
        if done {
            self.receipts.remove(&ticket);
            self.ids.remove(&id);
        }
        let envelope = Envelope {
            action: Some("receipt"),
            id: Some(&id),
            id_is_number,
            form: self.form,
            welcome: false,
            ts: now.time,
        };
        Some(envelope.receipt(index, outcome))
    }

    /// The message that tells that the view has a newer catalogue. `None` where the peer has no words for it.
    pub fn catalogue_changed(&self, revision: u64, now: Moment) -> Option<Bytes> {
        let envelope = Envelope {
            action: Some("catalogue"),
            id: None,
            id_is_number: false,
            form: self.form,
            welcome: false,
            ts: now.time,
        };
        self.form.additions.then(|| envelope.catalogue(revision))
    }

    /// When the time of the next request is over.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        // All requests have the same time, so that the oldest is the first.
        self.open.front().map(|(_, open)| open.deadline)
    }

    /// Answers the requests whose time is over.
    pub fn expire(&mut self, now: Moment) -> Vec<Bytes> {
        let mut messages = Vec::new();
        while let Some((ticket, open)) = self.open.front() {
            if open.deadline > now.monotonic {
                break;
            }
            let ticket = *ticket;
            let error = Error::new(ErrorKind::Timeout, "the vehicle did not answer in time");
            messages.extend(self.answer(ticket, &Answer::Failed(error), now));
        }
        messages
    }

    /// What an open request asks, by its name in VISS; `none` where it is not open any more.
    pub fn action(&self, ticket: Ticket) -> &'static str {
        self.find(ticket).map_or("none", |open| open.action)
    }

    /// How many requests are open.
    pub fn requests(&self) -> usize {
        self.open.len()
    }

    /// The subscriptions that stand.
    pub fn subscriptions(&self) -> impl ExactSizeIterator<Item = &SubscriptionId> {
        self.subscriptions.keys()
    }

    /// Whether a request has a place: then what the peer shows for it, and what is to be answered.
    fn check(
        &mut self,
        id: &str,
        authorization: Option<Credential>,
        call: &Call,
    ) -> Result<(Credential, Kind), Error> {
        let limit = |count: usize, limit: usize, what: &str| {
            if count < limit {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Limit, format!("{what} are above the limit of {limit}")))
        };
        // An unsubscribe is always taken: it frees something, and there are no more of them than subscriptions.
        if !matches!(call, Call::Unsubscribe(_)) {
            limit(self.open.len(), self.limits.requests, "requests without an answer")?;
        }
        if self.ids.contains(id) || self.newest().is_some_and(|newest| newest.id == id) {
            return Err(Error::new(ErrorKind::Invalid, "a request of this requestId is open"));
        }
        // In pure VISS a token is good for its request; a peer with additional members shows it once.
        let credential = match authorization {
            Some(token) if self.form.additions => {
                self.credential = token.clone();
                token
            }
            Some(token) => token,
            None => self.credential.clone(),
        };
        let kind = match call {
            Call::Get(target) => Kind::Get { single: target.is_single() },
            Call::Metadata { .. } => Kind::Metadata,
            Call::History { target, .. } => Kind::History { single: target.is_single() },
            Call::Capabilities => Kind::Capabilities,
            Call::Set(items) => {
                let pending = self.open.iter().map(|(_, open)| match open.kind {
                    Kind::Set { items } => items,
                    _ => 0,
                });
                at_most(
                    pending.sum::<usize>() + self.open_receipts + items.len(),
                    self.limits.receipts,
                    "open receipts",
                )?;
                Kind::Set { items: items.len() }
            }
            Call::Subscribe(Wanted::Groups { .. }) if !self.form.additions => {
                let message = "groups of signals are an additional member, which was not asked for";
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            Call::Subscribe(_) => {
                let pending =
                    self.open.iter().filter(|(_, open)| matches!(open.kind, Kind::Subscribe(_))).count();
                limit(self.subscriptions.len() + pending, self.limits.subscriptions, "subscriptions")?;
                let subscription = SubscriptionId(self.next_subscription.to_string().into());
                self.next_subscription += 1;
                Kind::Subscribe(subscription)
            }
            Call::Deliver(_) if !self.form.additions => {
                let message = "a delivery is an additional action, which was not asked for";
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            Call::Deliver(_) => Kind::Deliver,
            Call::Unsubscribe(subscription) => {
                // From here on no event of it is sent.
                if self.subscriptions.remove(subscription).is_none() {
                    return Err(Error::new(
                        ErrorKind::UnknownSignal,
                        "no such subscription on this connection",
                    ));
                }
                Kind::Unsubscribe(subscription.clone())
            }
        };
        Ok((credential, kind))
    }

    /// What the peer has shown for this connection: its last token, or what the link proves.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    fn close(&mut self, ticket: Ticket) -> Option<Open> {
        let place = self.place(ticket)?;
        let (_, open) = self.open.remove(place)?;
        if self.newest == Some(ticket) {
            self.newest = None;
        } else {
            self.ids.remove(&open.id);
        }
        Some(open)
    }

    /// A peer that asks for additional members gets them from here on, and is told so with the next answer.
    fn greet(&mut self, asked: bool) {
        self.welcome |= asked && !self.form.additions;
        self.form.additions |= asked;
    }

    fn find(&self, ticket: Ticket) -> Option<&Open> {
        self.open.get(self.place(ticket)?).map(|(_, open)| open)
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.open.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }

    /// The newest request, where it is open.
    fn newest(&self) -> Option<&Open> {
        self.open.back().filter(|(ticket, _)| self.newest == Some(*ticket)).map(|(_, open)| open)
    }

    /// `repeated`: the subscription that version 2 says again, and of which it calls it invalid data that there is none.
    fn refuse(&mut self, bad: &BadRequest, repeated: Option<&SubscriptionId>, now: Moment) -> Received {
        let envelope = Envelope {
            action: bad.action,
            id: bad.id.as_deref(),
            id_is_number: bad.id_is_number,
            form: self.form,
            welcome: std::mem::take(&mut self.welcome),
            ts: now.time,
        };
        let reply = match repeated {
            Some(subscription) => envelope.not_unsubscribed(subscription.as_str(), &bad.error),
            None => envelope.error(&bad.error),
        };
        Received::Refused { reply, action: bad.action.unwrap_or("none"), kind: bad.error.kind() }
    }
}

impl Limits {
    /// An answer that is larger than a message may be is an error in its place, and the connection lives on.
    fn answer(&self, envelope: &Envelope<'_>, answer: Bytes) -> Bytes {
        if answer.len() <= self.message {
            return answer;
        }
        let message = format!(
            "the answer has {} bytes, above the limit of {}: ask for less",
            answer.len(),
            self.message
        );
        envelope.error(&Error::new(ErrorKind::Limit, message))
    }
}
