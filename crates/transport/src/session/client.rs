//! The client's end of a conversation: messages out of wishes, answers and events out of messages.
//!
//! *Invariant:* each request that was sent is settled once: by its answer, by its deadline, or by being cancelled. A subscription that
//! nobody waits for any more is ended at the server.
//! *Next:* `server.rs` (the other end); a client, which reconnects and feeds a board.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coachwork_vehicle::{
    Catalogue, Credential, Datapoint, Each, Entry, Error, ErrorKind, Event, Filter, Monotonic, Operation,
    Outcome, Points, Reason, ReasonKind, SignalId, Stage, State, Subscribe,
};

use super::{Moment, Ticket};
use crate::delivery::Delivery;
use crate::limits::Limits;
use crate::message::Message;
use crate::viss::{
    Call, Dialect, Form, Group, Metadata, OneOrMany, Operator, Outline, RawItem, RawReceipt, RawReply,
    Request, SetItem, Standard, SubscriptionId, Target, Text, Wanted, WireValue, protocol, whole_period,
};

/// The client's side of one connection.
///
/// Ask for the [`metadata`](Self::metadata) first: the answer tells whether the server gives additional members, and holds the
/// catalogue that the session [is then given](Self::set_catalogue) to read values in their types.
#[derive(Debug)]
pub struct ClientSession {
    form: Form,
    limits: Limits,
    authorization: Option<Credential>,
    /// The server has not seen the authorization, or has to see it with each request.
    show_authorization: bool,
    /// Whether to ask for additional members; not any more once a server has answered without.
    ask: bool,
    /// Whether subscriptions go without a filter.
    unfiltered: bool,
    catalogue: Option<Arc<Catalogue>>,
    open: BTreeMap<Ticket, Open>,
    next_ticket: u64,
    subscriptions: HashSet<SubscriptionId>,
    receipts: HashMap<Ticket, Vec<bool>>,
}

/// What a message of the server means.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrived {
    /// A request is settled.
    Answer {
        /// The request.
        ticket: Ticket,
        /// What the server says.
        answer: Result<Reply, Error>,
    },
    /// A subscription tells something. After [`Event::Ended`] it is gone.
    Event {
        /// The subscription.
        subscription: SubscriptionId,
        /// What it tells.
        event: Event,
        /// How many datapoints of signals that the catalogue does not have were left out.
        unknown: usize,
    },
    /// A server of pure VISS says that something temporary is wrong with a subscription. By the standard it has ended; there are servers that go on
    /// with it after a gap. Unsubscribe, and subscribe anew.
    Interrupted {
        /// The subscription, which still stands here.
        subscription: SubscriptionId,
        /// What the server says.
        error: Error,
    },
    /// A receipt of a set is settled.
    Receipt {
        /// The request.
        ticket: Ticket,
        /// Its place among the items of the request.
        index: usize,
        /// How it ended.
        outcome: Outcome,
    },
    /// The server has a newer catalogue, of this number: ask for the metadata again.
    CatalogueChanged {
        /// The number.
        revision: u64,
    },
    /// Nothing but a message to send: a subscription that nobody waited for any more is to be ended.
    Send(Bytes),
    /// Nothing: the answer to a request that was cancelled or had its time, or an event of a subscription that is gone.
    Nothing,
}

/// The answer to a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// To a get: one datapoint for each signal, in the order asked.
    Points(Each<Datapoint>),
    /// To a request for metadata.
    Metadata(Metadata),
    /// To a request for history: what was recorded of each signal, the oldest first, in the order asked.
    History(Each<Vec<Datapoint>>),
    /// To a set: how far each item has come, in the order asked. What is accepted is settled later by an [`Arrived::Receipt`], if
    /// the server gives additional members; otherwise nothing more is heard of it.
    Set(Each<Stage>),
    /// To a subscribe: the subscription stands.
    Subscribed {
        /// Its name.
        subscription: SubscriptionId,
        /// The signals that it does not cover at present, by path, with the reason.
        refused: Vec<(String, Error)>,
    },
    /// To an unsubscribe.
    Unsubscribed,
    /// To a delivery.
    Delivered {
        /// The highest number of its lane that is stored, zero where there is none.
        stored: u64,
        /// The note behind it, where that one will never be.
        refused: Option<u64>,
    },
}

#[derive(Debug)]
struct Open {
    deadline: Monotonic,
    kind: Kind,
    /// The request asked for additional members.
    asked: bool,
}

#[derive(Debug)]
enum Kind {
    Get(Vec<SignalId>),
    History(Vec<SignalId>),
    Metadata { root: String },
    Set { items: usize },
    Subscribe,
    Unsubscribe,
    Deliver,
}

impl Kind {
    /// What the request asks, by its name in VISS.
    fn action(&self) -> &'static str {
        match self {
            Self::Get(_) | Self::History(_) | Self::Metadata { .. } => "get",
            Self::Set { .. } => "set",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Deliver => "deliver",
        }
    }
}

impl ClientSession {
    /// A new conversation, which asks for additional members and shows `authorization`.
    pub fn new(dialect: Dialect, authorization: Credential, limits: &Limits) -> Self {
        let authorization = matches!(authorization, Credential::Token(_)).then_some(authorization);
        Self {
            form: Form::pure(dialect),
            limits: limits.clone(),
            show_authorization: authorization.is_some(),
            authorization,
            ask: true,
            unfiltered: false,
            catalogue: None,
            open: BTreeMap::new(),
            next_ticket: 1,
            subscriptions: HashSet::new(),
            receipts: HashMap::new(),
        }
    }

    /// The same, which keeps to pure VISS: for a server that refuses members that it does not know.
    #[must_use]
    pub fn pure(self) -> Self {
        Self { ask: false, ..self }
    }

    /// Whether the server gives additional members. Known once it has answered.
    pub fn has_additions(&self) -> bool {
        self.form.additions
    }

    /// Shows another token from the next request on.
    pub fn set_authorization(&mut self, authorization: Credential) {
        self.authorization = matches!(authorization, Credential::Token(_)).then_some(authorization);
        self.show_authorization = self.authorization.is_some();
    }

    /// Reads values in the types of this catalogue from here on, and names signals by its ids. Requests that are open were made with
    /// the one before; both must be of one lineage.
    pub fn set_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        self.catalogue = Some(catalogue);
    }

    /// The message that asks for the metadata at and below `target`, to be answered `within` this time.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where too many requests are open.
    pub fn metadata(
        &mut self,
        target: Target,
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        let kind = Kind::Metadata { root: target.root().to_owned() };
        self.request(kind, Call::Metadata { target, generations: 0 }, within, now)
    }

    /// The message that asks for the present datapoints of signals.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] as above; [`ErrorKind::Unavailable`] without a catalogue, and its errors for a signal that it does not have;
    /// [`ErrorKind::Unsupported`] where pure VISS cannot ask for these signals in one message, for they are of different trees.
    pub fn get(
        &mut self,
        signals: &[SignalId],
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        let target = self.target(signals)?;
        self.request(Kind::Get(signals.to_vec()), Call::Get(target), within, now)
    }

    /// The message that asks what was recorded of signals, from now back through `period`, whose part of a second counts as a whole one.
    ///
    /// # Errors
    /// As for [`get`](Self::get), and [`ErrorKind::Invalid`] for a period of no length, or of 999 days and more.
    pub fn history(
        &mut self,
        signals: &[SignalId],
        period: Duration,
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        let period = whole_period(period)?;
        let target = self.target(signals)?;
        self.request(Kind::History(signals.to_vec()), Call::History { target, period }, within, now)
    }

    /// The message that asks actuators to move. `within` is the time for the answer; each request has its own for the outcome.
    ///
    /// # Errors
    /// As for [`get`](Self::get); without additional members, [`ErrorKind::Unsupported`] for more than one request, as well as for a key.
    pub fn set(
        &mut self,
        requests: &[coachwork_vehicle::Request],
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        let unsupported = |message| Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Set));
        if !self.form.additions && requests.len() > 1 {
            return unsupported("this server takes one request at a time");
        }
        if !self.form.additions && requests.iter().any(|request| request.set.key.is_some()) {
            return unsupported("this server does not know idempotency keys");
        }
        if requests.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "nothing to set").during(Operation::Set));
        }
        let catalogue = self.catalogue()?;
        let item = |request: &coachwork_vehicle::Request| {
            let entry = catalogue.entry(request.signal)?;
            let value = entry.coerce(request.value.clone()).map_err(|why| {
                Error::new(ErrorKind::WrongType, why.to_string()).on_path(entry.path().as_str())
            })?;
            Ok(SetItem {
                path: entry.path().to_string(),
                value: WireValue::of(&value),
                within: self.form.additions.then_some(request.set.within),
                key: request.set.key.clone(),
            })
        };
        let items = requests.iter().map(item).collect::<Result<Vec<_>, Error>>()?;
        self.request(Kind::Set { items: items.len() }, Call::Set(items), within, now)
    }

    /// The message that asks to be told of signals.
    ///
    /// Without additional members it can name one signal, with the filter `every` or any other; then the server is asked for every change,
    /// and the caller filters what comes.
    ///
    /// # Errors
    /// As for [`get`](Self::get); without additional members, [`ErrorKind::Unsupported`] for more than one signal.
    pub fn subscribe(
        &mut self,
        wish: &Subscribe,
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        wish.check()?;
        let catalogue = self.catalogue()?;
        let wanted = if self.form.additions {
            let mut groups: Vec<Group> = Vec::new();
            for (signal, filter) in &wish.signals {
                let path = catalogue.path(*signal)?.to_string();
                match groups.last_mut() {
                    Some(group) if group.filter == *filter => group.paths.push(path),
                    _ => groups.push(Group { paths: vec![path], filter: *filter }),
                }
            }
            Wanted::Groups { groups, overflow: wish.overflow, strict: wish.strict }
        } else {
            let [(signal, filter)] = wish.signals.as_slice() else {
                let message = "this server is subscribed to one signal at a time";
                return Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Subscribe));
            };
            Wanted::Standard {
                target: Target::of(&[catalogue.path(*signal)?.as_str()]),
                filter: if self.unfiltered { Standard::None } else { standard(filter) },
            }
        };
        self.request(Kind::Subscribe, Call::Subscribe(wanted), within, now)
    }

    /// Subscribes from here on without a filter, which is to every update: for a server that refuses filters. Only version 2 can say that; whether it
    /// does so.
    pub fn without_filters(&mut self) -> bool {
        self.unfiltered = !self.form.additions && self.form.dialect == Dialect::V2;
        self.unfiltered
    }

    /// The message that ends a subscription. From here on nothing that it still tells is reported.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the subscription does not stand.
    pub fn unsubscribe(
        &mut self,
        subscription: &SubscriptionId,
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        if !self.subscriptions.contains(subscription) {
            return Err(Error::new(ErrorKind::Invalid, "no such subscription on this connection"));
        }
        let request =
            self.request(Kind::Unsubscribe, Call::Unsubscribe(subscription.clone()), within, now)?;
        self.subscriptions.remove(subscription);
        Ok(request)
    }

    /// The message that hands notes over, to be stored behind the server.
    ///
    /// # Errors
    /// As for [`get`](Self::get); [`ErrorKind::Unsupported`] without additional members.
    pub fn deliver(
        &mut self,
        delivery: Delivery,
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        if !self.form.additions {
            return Err(Error::new(ErrorKind::Unsupported, "this server stores nothing"));
        }
        self.request(Kind::Deliver, Call::Deliver(delivery), within, now)
    }

    /// Nobody waits for this request any more. The server is not told: a set may move something all the same. A subscription that it makes
    /// is ended, see [`Arrived::Send`].
    pub fn cancel(&mut self, ticket: Ticket) {
        self.receipts.remove(&ticket);
        self.open.remove(&ticket);
    }

    /// When the time of the next request is over.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.open.values().map(|open| open.deadline).min()
    }

    /// The requests whose time is over; each is settled with an error of kind timeout.
    pub fn expire(&mut self, now: Moment) -> Vec<Ticket> {
        let over = |open: &Open| open.deadline <= now.monotonic;
        let tickets: Vec<_> =
            self.open.iter().filter(|(_, open)| over(open)).map(|(ticket, _)| *ticket).collect();
        for &ticket in &tickets {
            self.cancel(ticket);
        }
        tickets
    }

    /// How many requests are open.
    pub fn requests(&self) -> usize {
        self.open.len()
    }

    /// The subscriptions that stand.
    pub fn subscriptions(&self) -> impl ExactSizeIterator<Item = &SubscriptionId> {
        self.subscriptions.iter()
    }

    /// Takes a message of the server.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] or [`ErrorKind::Limit`] where it cannot be read: the session goes on, but the peer is not what it should be.
    /// Where it can still be told that it answers a get, a set, an unsubscribe or a delivery, that request alone is settled with the error.
    pub fn receive(&mut self, message: &Message, now: Moment) -> Result<Arrived, Error> {
        let reply = match RawReply::read(message, self.limits.depth) {
            Ok(reply) => reply,
            Err(error) => return self.unreadable(message, error),
        };
        match reply.action.as_ref().map(|action| action.0.as_ref()) {
            Some("subscription") => self.event(reply, now),
            Some("receipt") => self.receipt(reply),
            Some("catalogue") => {
                let revision = reply.revision.and_then(|revision| revision.0.parse().ok());
                let revision = revision.ok_or_else(|| protocol("a catalogue without a revision"))?;
                Ok(Arrived::CatalogueChanged { revision })
            }
            _ => self.answer(reply, now),
        }
    }

    /// These signals, as a get names them.
    fn target(&self, signals: &[SignalId]) -> Result<Target, Error> {
        let catalogue = self.catalogue()?;
        let paths = signals.iter().map(|&id| catalogue.path(id).map(coachwork_vehicle::Path::as_str));
        let target = Target::of(&paths.collect::<Result<Vec<_>, _>>()?);
        if signals.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "no signals to get").during(Operation::Get));
        }
        if target.root().is_empty() && !self.form.additions {
            let message = "pure VISS gets signals of one tree at a time";
            return Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Get));
        }
        Ok(target)
    }

    fn unreadable(&mut self, message: &Message, error: Error) -> Result<Arrived, Error> {
        let outline = Outline::of(message.data());
        let ticket = outline.id.and_then(|id| id.0.parse().ok()).map(Ticket);
        let said = |action: &str| outline.action.as_ref().is_none_or(|said| *said == action);
        // Without its answer nobody could end a subscription, and nobody knows the signals.
        let alone = |kind: &Kind| !matches!(kind, Kind::Subscribe | Kind::Metadata { .. });
        let answers = |open: &Open| alone(&open.kind) && said(open.kind.action());
        match ticket.filter(|ticket| self.open.get(ticket).is_some_and(answers)) {
            Some(ticket) => {
                self.cancel(ticket);
                Ok(Arrived::Answer { ticket, answer: Err(error) })
            }
            None => Err(error),
        }
    }

    fn catalogue(&self) -> Result<&Arc<Catalogue>, Error> {
        let missing = || Error::new(ErrorKind::Unavailable, "the catalogue of the server is not known yet");
        self.catalogue.as_ref().ok_or_else(missing)
    }

    fn request(
        &mut self,
        kind: Kind,
        call: Call,
        within: Duration,
        now: Moment,
    ) -> Result<(Ticket, Bytes), Error> {
        // As at the server, an unsubscribe is always taken.
        if self.open.len() >= self.limits.requests && !matches!(call, Call::Unsubscribe(_)) {
            let message = format!("{} requests wait for their answers", self.limits.requests);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let asked = self.ask && !self.form.additions;
        let (ticket, message) = self.message(call, asked);
        let deadline = now.monotonic.saturating_add(within);
        self.open.insert(ticket, Open { deadline, kind, asked });
        Ok((ticket, message))
    }

    /// The next request, which is not kept.
    fn message(&mut self, call: Call, asked: bool) -> (Ticket, Bytes) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        // A server of pure VISS sees the token with each request.
        let authorization =
            self.authorization.clone().filter(|_| self.show_authorization || !self.form.additions);
        self.show_authorization = false;
        let request =
            Request { id: ticket.0.to_string(), id_is_number: false, additions: asked, authorization, call };
        (ticket, request.encode(self.form.dialect))
    }

    fn answer(&mut self, reply: RawReply<'_>, now: Moment) -> Result<Arrived, Error> {
        let id = reply.request_id.as_ref().ok_or_else(|| protocol("an answer without requestId"))?;
        let ticket = id.0.parse().map(Ticket).ok().filter(|ticket| ticket.0 < self.next_ticket);
        let ticket = ticket.ok_or_else(|| protocol("an answer to a request that was never made"))?;
        let Some(open) = self.open.remove(&ticket) else { return Ok(self.late(&reply)) };
        if reply.coachwork.is_some() {
            self.form.additions = true;
        } else if open.asked && !self.form.additions && reply.error.is_none() {
            self.ask = false;
        }
        let answer = self.settle(ticket, open.kind, reply, now);
        Ok(Arrived::Answer { ticket, answer })
    }

    /// The answer to a request that nobody waits for.
    fn late(&mut self, reply: &RawReply<'_>) -> Arrived {
        let subscribed =
            reply.action.as_ref().is_some_and(|action| action.0 == "subscribe") && reply.error.is_none();
        match &reply.subscription_id {
            Some(subscription) if subscribed => {
                let subscription = SubscriptionId(subscription.0.as_ref().into());
                if self.subscriptions.contains(&subscription) {
                    // The same answer twice.
                    return Arrived::Nothing;
                }
                let (_, message) = self.message(Call::Unsubscribe(subscription), false);
                Arrived::Send(message)
            }
            _ => Arrived::Nothing,
        }
    }

    fn settle(
        &mut self,
        ticket: Ticket,
        kind: Kind,
        reply: RawReply<'_>,
        now: Moment,
    ) -> Result<Reply, Error> {
        if let Some(error) = reply.error {
            return Err(error.into_error());
        }
        let lacks = |what: &str| protocol(format!("the answer has no {what}"));
        match kind {
            Kind::Get(signals) => {
                let data = reply.data.ok_or_else(|| lacks("data"))?;
                let missing = || lacks("datapoint of this signal");
                self.each(&signals, data, missing, |item, entry| {
                    item.into_result(entry, self.form.additions, now.time)
                })
                .map(Reply::Points)
            }
            Kind::History(signals) => {
                let data = reply.data.ok_or_else(|| lacks("data"))?;
                let missing = || lacks("datapoints of this signal");
                self.each(&signals, data, missing, |item, entry| {
                    item.into_history(entry, self.form.additions, now.time)
                })
                .map(Reply::History)
            }
            Kind::Metadata { root } => {
                let tree = reply.metadata.ok_or_else(|| lacks("metadata"))?;
                let revision = reply.revision.and_then(|revision| revision.0.parse().ok());
                let metadata = Metadata::read(tree, reply.types, reply.facts.as_ref(), revision, &root);
                metadata.map(Reply::Metadata)
            }
            Kind::Set { items } => {
                let Some(receipts) = reply.receipts else {
                    return Ok(Reply::Set(vec![Ok(Stage::Accepted); items]));
                };
                if receipts.len() != items {
                    return Err(protocol("the answer has another number of receipts than the request"));
                }
                let stages: Each<Stage> = receipts.into_iter().map(RawReceipt::stage).collect();
                let settled: Vec<_> =
                    stages.iter().map(|stage| !matches!(stage, Ok(Stage::Accepted))).collect();
                if settled.contains(&false) {
                    self.receipts.insert(ticket, settled);
                }
                Ok(Reply::Set(stages))
            }
            Kind::Subscribe => {
                let subscription = reply.subscription_id.ok_or_else(|| lacks("subscriptionId"))?;
                let subscription = SubscriptionId(subscription.0.as_ref().into());
                self.subscriptions.insert(subscription.clone());
                let refused = reply.refused.unwrap_or_default().into_iter();
                let refused =
                    refused.map(|item| (item.path.0.into_owned(), item.error.into_error())).collect();
                Ok(Reply::Subscribed { subscription, refused })
            }
            Kind::Unsubscribe => Ok(Reply::Unsubscribed),
            Kind::Deliver => {
                let number = |text: Option<Text<'_>>| text.and_then(|text| text.0.parse().ok());
                let stored = number(reply.stored).ok_or_else(|| lacks("number of what is stored"))?;
                Ok(Reply::Delivered { stored, refused: number(reply.refused_note) })
            }
        }
    }

    /// What an answer says of each signal, in the order asked.
    fn each<T: Clone>(
        &self,
        signals: &[SignalId],
        data: OneOrMany<RawItem<'_>>,
        missing: impl Fn() -> Error,
        read: impl Fn(RawItem<'_>, &Entry) -> Result<T, Error>,
    ) -> Result<Each<T>, Error> {
        let catalogue = self.catalogue()?;
        let mut found = HashMap::new();
        for item in data.into_vec() {
            let Some(signal) = catalogue.id(&item.path.0.replace('/', ".")) else { continue };
            found.insert(signal, read(item, catalogue.entry(signal)?));
        }
        Ok(signals.iter().map(|id| found.get(id).cloned().unwrap_or_else(|| Err(missing()))).collect())
    }

    fn event(&mut self, reply: RawReply<'_>, now: Moment) -> Result<Arrived, Error> {
        let subscription =
            reply.subscription_id.ok_or_else(|| protocol("an event without subscriptionId"))?;
        let subscription = SubscriptionId(subscription.0.as_ref().into());
        if !self.subscriptions.contains(&subscription) {
            return Ok(Arrived::Nothing);
        }
        let mut unknown = 0;
        let event = if let Some(data) = reply.data {
            let catalogue = self.catalogue()?;
            let items = data.into_vec();
            let mut points = Vec::with_capacity(items.len());
            for item in items {
                match catalogue.id(&item.path.0) {
                    Some(signal) => {
                        let entry = catalogue.entry(signal)?;
                        let point = item.into_result(entry, self.form.additions, now.time);
                        let point = point.unwrap_or_else(|error| {
                            let reason = Reason::because(ReasonKind::Malformed, error.message());
                            Datapoint::new(State::Error(reason), now.time)
                        });
                        points.push((signal, point));
                    }
                    None => unknown += 1,
                }
            }
            Event::Changed(Points::new(points))
        } else if let Some(lagged) = reply.lagged {
            let count = lagged.0.parse().map_err(|_| protocol("a lag that is no number"))?;
            Event::Lagged(count)
        } else if let Some(access) = reply.access {
            let catalogue = self.catalogue()?;
            let mut changes = Vec::with_capacity(access.len());
            for change in access {
                match catalogue.id(&change.path.0) {
                    Some(signal) => changes.push((signal, change.read.permission())),
                    None => unknown += 1,
                }
            }
            Event::Access(changes)
        } else if let Some(error) = reply.error {
            let error = error.into_error();
            if !self.form.additions && error.is_temporary() {
                return Ok(Arrived::Interrupted { subscription, error });
            }
            self.subscriptions.remove(&subscription);
            Event::Ended(match reply.ended {
                Some(ended) => ended.reason(),
                None if error.kind() == ErrorKind::Denied => {
                    Reason::because(ReasonKind::Denied, error.message())
                }
                None => Reason::because(ReasonKind::Other, error.message()),
            })
        } else {
            return Err(protocol("an event that says nothing"));
        };
        Ok(Arrived::Event { subscription, event, unknown })
    }

    fn receipt(&mut self, reply: RawReply<'_>) -> Result<Arrived, Error> {
        let ticket = reply.request_id.and_then(|id| id.0.parse().ok()).map(Ticket);
        let ticket = ticket.ok_or_else(|| protocol("a receipt without requestId"))?;
        let index = reply.index.and_then(|index| index.0.parse::<usize>().ok());
        let index = index.ok_or_else(|| protocol("a receipt without index"))?;
        let stage = reply.receipt.ok_or_else(|| protocol("a receipt that says nothing"))?.stage()?;
        let Stage::Settled(outcome) = stage else { return Err(protocol("a receipt that is not settled")) };
        let Some(receipts) = self.receipts.get_mut(&ticket) else { return Ok(Arrived::Nothing) };
        match receipts.get_mut(index) {
            Some(settled) if !*settled => *settled = true,
            _ => return Ok(Arrived::Nothing),
        }
        if !receipts.contains(&false) {
            self.receipts.remove(&ticket);
        }
        Ok(Arrived::Receipt { ticket, index, outcome })
    }
}

/// What a server of pure VISS is asked for in place of a filter of ours.
fn standard(filter: &Filter) -> Standard {
    match filter.every {
        // Whole milliseconds are all that VISS can say; a shorter period is the shortest there is.
        Some(period) => Standard::Timebased(Duration::from_millis(
            u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1),
        )),
        None => Standard::Change { operator: Operator::Ne, diff: 0.0 },
    }
}
