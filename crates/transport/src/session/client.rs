//! The client's end of a conversation: messages out of wishes, answers and events out of messages.
//!
//! *Invariant:* each request that was sent is settled once: by its answer, by its deadline, or by being cancelled. A subscription that
//! nobody waits for any more is ended at the server.
//! *Next:* `client/receive.rs` (what a message of the server means); `server.rs` (the other end); a client, which reconnects and feeds a board.

mod arrived;
mod receive;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coachwork_vehicle::{
    Catalogue, Credential, Error, ErrorKind, Filter, Monotonic, Operation, SignalId, Subscribe,
};

pub use self::arrived::{Arrived, Reply};
use super::{Moment, Ticket};
use crate::delivery::Delivery;
use crate::limits::Limits;
use crate::viss::{
    Call, Dialect, Form, Group, Operator, Request, SetItem, Standard, SubscriptionId, Target, Wanted,
    WireValue, whole_period,
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
