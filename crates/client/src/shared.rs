//! What a client's handles, its driver and its subscriptions share: the session of the present link, and what waits for it.
//!
//! *Invariant:* calls put messages in, the driver alone takes them out and puts answers in. No lock is held while something foreign runs.
//! Whatever waits is bounded by the options, and is settled when the link goes.
//! *Next:* `driver.rs` (the link), `calls.rs` (requests), `subscription.rs`.

mod arrivals;
mod deliveries;
mod links;

use self::deliveries::Deliveries;
pub(crate) use self::links::Expired;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use coachwork_transport::viss::SubscriptionId;
use coachwork_transport::{ClientSession, Moment, Ticket};
use coachwork_vehicle::{
    Board, Catalogue, CatalogueCell, Clock, Credential, Datapoint, Each, Error, ErrorKind, Reason,
    ReasonKind, Receipt, Request, SignalId, Stage, Subscribe,
};

use crate::inbox::Inbox;
use crate::link::{Link, LinkCell};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::slot::{Pending, Slot};
use crate::token::Token;

pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) peer: Arc<str>,
    pub(crate) mode: Mode,
    pub(crate) link: LinkCell,
    pub(crate) outbox: Option<Outbox>,
    /// The gateway said that the token opens nothing any more.
    renew: AtomicBool,
    /// The gateway refuses filters.
    unfiltered: AtomicBool,
    state: Mutex<State>,
}

/// What the gateway at the other end can say.
pub(crate) enum Mode {
    /// All that a vehicle says: filters and rights are its affair.
    Native(CatalogueCell),
    /// Plain VISS: a board on this side does the rest.
    Plain(Board),
}

struct State {
    /// There while the link stands.
    session: Option<ClientSession>,
    /// The number of the present link.
    link: u64,
    out: VecDeque<Bytes>,
    waiting: HashMap<Ticket, Waiting>,
    receipts: HashMap<(Ticket, usize), Asked>,
    /// To be asked again on the next link: each has a key.
    again: Vec<Asked>,
    wishes: HashMap<u64, Wish>,
    names: HashMap<SubscriptionId, u64>,
    last_wish: u64,
    /// Wishes that the gateway has not been told of on this link.
    unsent: VecDeque<u64>,
    /// Subscriptions that nobody wants any more, and that the gateway has not been told of.
    unwanted: Vec<SubscriptionId>,
    /// Signals whose present value a board does not have.
    unknown: VecDeque<SignalId>,
    refreshing: bool,
    refresh_again: bool,
    left_out: Vec<(String, Error)>,
    driver: Option<Waker>,
    closing: bool,
    deliveries: Deliveries,
}

enum Waiting {
    Points(Arc<Slot<Each<Datapoint>>>),
    History(Arc<Slot<Each<Vec<Datapoint>>>>),
    Set(Option<Arc<Slot<Each<Receipt>>>>, Vec<Asked>),
    Subscribe(u64, Option<Arc<Slot<Refused>>>),
    /// Newer metadata.
    Refresh,
    /// The present value of a signal, for the board.
    Present(SignalId),
    /// A word from the gateway, whatever it is.
    Probe,
    /// That notes are stored: these.
    Delivery(Vec<u64>),
}

/// The paths that a subscription does not cover at present.
pub(crate) type Refused = Vec<(String, Error)>;

/// A request to move something, with the receipt that follows it.
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) receipt: Receipt,
    /// It waits in the outbox until it is settled.
    pub(crate) queued: bool,
}

/// A subscription as it is asked of the gateway, on each link anew.
struct Wish {
    subscribe: Subscribe,
    end: End,
    name: Option<SubscriptionId>,
    /// The request that is under way for it.
    ticket: Option<Ticket>,
    /// It stood, and is asked for anew after what the gateway called temporary.
    interrupted: bool,
}

/// Where what a subscription tells goes.
#[derive(Clone)]
enum End {
    Inbox(Arc<Inbox>),
    /// To the board, as the present state of a signal.
    Board(SignalId),
}

/// Why a request could not be made.
pub(crate) enum Unasked {
    Down(Reason),
    Failed(Error),
}

impl Shared {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        options: Options,
        peer: Arc<str>,
        mode: Mode,
        session: ClientSession,
        left_out: Vec<(String, Error)>,
        outbox: Option<Outbox>,
    ) -> Self {
        let deliveries = Deliveries::new(options.backoff, options.seed);
        let state = Mutex::new(State::new(session, left_out, deliveries));
        let (link, renew) = (LinkCell::new(Link::Up), AtomicBool::new(false));
        Self { clock, options, peer, mode, link, outbox, renew, unfiltered: AtomicBool::default(), state }
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        match &self.mode {
            Mode::Native(cell) => cell.load(),
            Mode::Plain(board) => board.catalogue(),
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::of(self.clock.as_ref())
    }

    /// Why signals are not available, where the link does not stand.
    pub(crate) fn down(&self) -> Option<Reason> {
        match self.link.load() {
            Link::Up => None,
            Link::Down { reason, .. } | Link::Ended(reason) => Some(reason),
        }
    }

    pub(crate) fn left_out(&self) -> Vec<(String, Error)> {
        self.lock().left_out.clone()
    }

    // Calls.

    pub(crate) fn ask_points(
        self: &Arc<Self>,
        signals: &[SignalId],
        within: std::time::Duration,
    ) -> Result<Pending<Each<Datapoint>>, Unasked> {
        let slot = Slot::new();
        let (link, ticket) =
            self.ask(|session, now| session.get(signals, within, now), |_, _| Waiting::Points(slot.clone()))?;
        Ok(Pending::new(self.clone(), slot, link, ticket))
    }

    pub(crate) fn ask_history(
        self: &Arc<Self>,
        signals: &[SignalId],
        period: std::time::Duration,
        within: std::time::Duration,
    ) -> Result<Pending<Each<Vec<Datapoint>>>, Unasked> {
        let slot = Slot::new();
        let (link, ticket) = self.ask(
            |session, now| session.history(signals, period, within, now),
            |_, _| Waiting::History(slot.clone()),
        )?;
        Ok(Pending::new(self.clone(), slot, link, ticket))
    }

    pub(crate) fn ask_set(
        self: &Arc<Self>,
        asked: Vec<Asked>,
        within: std::time::Duration,
    ) -> Result<Pending<Each<Receipt>>, Unasked> {
        {
            let mut state = self.lock();
            let (limit, more) = (self.options.limits.receipts, asked.len());
            if state.receipts.len().saturating_add(more) > limit {
                // A gateway that does not say how they ended says so by their deadlines.
                state.receipts.retain(|_, asked| asked.receipt.stage() == Stage::Accepted);
            }
            if state.receipts.len().saturating_add(more) > limit {
                let message = format!("{} receipts are open", state.receipts.len());
                return Err(Unasked::Failed(Error::new(ErrorKind::Limit, message)));
            }
        }
        let slot = Slot::new();
        let requests: Vec<_> = asked.iter().map(|one| one.request.clone()).collect();
        let (link, ticket) = self.ask(
            |session, now| session.set(&requests, within, now),
            |_, _| Waiting::Set(Some(slot.clone()), asked),
        )?;
        Ok(Pending::new(self.clone(), slot, link, ticket))
    }

    /// Registers a subscription and asks the gateway for it. `Ok(None)`: the link is down, and it will be asked for on the next one.
    pub(crate) fn ask_subscribe(
        self: &Arc<Self>,
        wish: u64,
        strict: bool,
        within: std::time::Duration,
    ) -> Result<Option<Pending<Refused>>, Error> {
        let slot = Slot::new();
        let made = self.ask_with_state(
            |state, now| {
                let subscribe = state.wishes.get(&wish).map(|wish| wish.subscribe.clone());
                let subscribe = subscribe.unwrap_or_else(|| Subscribe::to([]));
                let session = state.session.as_mut()?;
                Some(session.subscribe(&Subscribe { strict, ..subscribe }, within, now))
            },
            |state, ticket| {
                if let Some(wish) = state.wishes.get_mut(&wish) {
                    wish.ticket = Some(ticket);
                }
                Waiting::Subscribe(wish, Some(slot.clone()))
            },
        );
        match made {
            Ok((link, ticket)) => Ok(Some(Pending::new(self.clone(), slot, link, ticket))),
            Err(Unasked::Down(_)) => Ok(None),
            Err(Unasked::Failed(error)) => Err(error),
        }
    }

    /// Subscribes without filters from here on, on this link and later ones; whether that can be said.
    pub(crate) fn without_filters(&self) -> bool {
        let unfiltered = self.lock().session.as_mut().is_some_and(ClientSession::without_filters);
        self.unfiltered.store(unfiltered, Ordering::Relaxed);
        unfiltered
    }

    /// Whether subscriptions have filters.
    pub(crate) fn has_filters(&self) -> bool {
        !self.unfiltered.load(Ordering::Relaxed)
    }

    /// Keeps a wish whose events go to an inbox; the gateway is not told yet.
    pub(crate) fn wish(&self, subscribe: Subscribe, inbox: Arc<Inbox>) -> Result<u64, Error> {
        self.keep_wish(subscribe, End::Inbox(inbox))
    }

    /// Keeps a wish whose events go to the board.
    pub(crate) fn wish_for_board(&self, subscribe: Subscribe, signal: SignalId) -> Result<u64, Error> {
        self.keep_wish(subscribe, End::Board(signal))
    }

    fn keep_wish(&self, subscribe: Subscribe, end: End) -> Result<u64, Error> {
        let mut state = self.lock();
        if state.wishes.len() >= self.options.limits.subscriptions {
            let message = format!("this client has {} subscriptions already", state.wishes.len());
            return Err(Error::new(ErrorKind::Limit, message));
        }
        state.last_wish += 1;
        let number = state.last_wish;
        state.wishes.insert(number, Wish { subscribe, end, name: None, ticket: None, interrupted: false });
        Ok(number)
    }

    /// A wish is given up: the gateway is told where it knows.
    pub(crate) fn forget(&self, wish: u64) {
        let mut state = self.lock();
        let Some(wish) = state.wishes.remove(&wish) else { return };
        if let Some(ticket) = wish.ticket {
            state.waiting.remove(&ticket);
            if let Some(session) = &mut state.session {
                session.cancel(ticket);
            }
        }
        if let Some(name) = wish.name {
            state.names.remove(&name);
            state.unwanted.push(name);
        }
        wake(state);
    }

    /// Nobody waits for a request any more.
    pub(crate) fn cancel(&self, link: u64, ticket: Ticket) {
        let mut state = self.lock();
        if state.link != link {
            return;
        }
        // What becomes of a subscription is decided by its wish.
        if matches!(state.waiting.get(&ticket), Some(Waiting::Subscribe(..))) {
            return;
        }
        let removed = state.waiting.remove(&ticket);
        if let Some(session) = &mut state.session {
            session.cancel(ticket);
        }
        drop(state);
        drop(removed);
    }

    fn ask(
        &self,
        request: impl FnOnce(&mut ClientSession, Moment) -> Result<(Ticket, Bytes), Error>,
        waiting: impl FnOnce(&mut State, Ticket) -> Waiting,
    ) -> Result<(u64, Ticket), Unasked> {
        self.ask_with_state(|state, now| Some(request(state.session.as_mut()?, now)), waiting)
    }

    fn ask_with_state(
        &self,
        request: impl FnOnce(&mut State, Moment) -> Option<Result<(Ticket, Bytes), Error>>,
        waiting: impl FnOnce(&mut State, Ticket) -> Waiting,
    ) -> Result<(u64, Ticket), Unasked> {
        let now = self.moment();
        let mut state = self.lock();
        let Some(made) = request(&mut state, now) else {
            drop(state);
            let reason = self.down().unwrap_or_else(|| Reason::new(ReasonKind::Link));
            return Err(Unasked::Down(reason));
        };
        let (ticket, message) = made.map_err(Unasked::Failed)?;
        let waiting = waiting(&mut state, ticket);
        state.waiting.insert(ticket, waiting);
        state.out.push_back(message);
        let link = state.link;
        wake(state);
        Ok((link, ticket))
    }

    // The driver's side.

    /// Where the driver is to be woken.
    pub(crate) fn drive(&self, waker: &Waker) {
        if let Some(outbox) = &self.outbox {
            outbox.drive(waker);
        }
        let mut state = self.lock();
        if !state.driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            let replaced = state.driver.replace(waker.clone());
            drop(state);
            drop(replaced);
        }
    }

    /// The last handle has gone.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        wake(state);
        if matches!(self.link.load(), Link::Ended(_)) {
            // There is no driver any more that would do it.
            self.end_subscriptions();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Whether the gateway has said since the last time that the token opens nothing.
    pub(crate) fn was_told_to_renew(&self) -> bool {
        self.renew.swap(false, Ordering::Relaxed)
    }

    /// Shows the gateway another token, now: what goes on by it should not wait for the next request.
    pub(crate) fn show(&self, token: Token) {
        #[cfg(feature = "trace")]
        tracing::debug!("a newer token is shown");
        if let Some(session) = &mut self.lock().session {
            session.set_authorization(Credential::Token(token.bytes));
        }
        self.probe();
    }

    pub(crate) fn next_message(&self) -> Option<Bytes> {
        self.lock().out.pop_front()
    }

    pub(crate) fn next_deadline(&self) -> Option<coachwork_vehicle::Monotonic> {
        self.lock().session.as_ref().and_then(ClientSession::next_deadline)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(session: ClientSession, left_out: Vec<(String, Error)>, deliveries: Deliveries) -> Self {
        Self {
            session: Some(session),
            link: 0,
            out: VecDeque::new(),
            waiting: HashMap::new(),
            receipts: HashMap::new(),
            again: Vec::new(),
            wishes: HashMap::new(),
            names: HashMap::new(),
            last_wish: 0,
            unsent: VecDeque::new(),
            unwanted: Vec::new(),
            unknown: VecDeque::new(),
            refreshing: false,
            refresh_again: false,
            left_out,
            driver: None,
            closing: false,
            deliveries,
        }
    }
}

/// Wakes the driver, outside the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let driver = state.driver.take();
    drop(state);
    if let Some(driver) = driver {
        driver.wake();
    }
}

impl Asked {
    /// The request, with what is left of its time.
    pub(crate) fn at(&self, now: Moment) -> Request {
        let mut request = self.request.clone();
        request.set.within = self.receipt.deadline().saturating_since(now.monotonic);
        request
    }
}

fn odd() -> Error {
    Error::new(ErrorKind::Protocol, "the gateway's answer is not one to this request")
}
