//! What a client's handles, its driver and its subscriptions share: the session of the present link, and what waits for it.
//!
//! *Invariant:* calls put messages in, the driver alone takes them out and puts answers in. No lock is held while something foreign runs.
//! Whatever waits is bounded by the options, and is settled when the link goes.
//! *Next:* `driver.rs` (the link), `calls.rs` (requests), `subscription.rs`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use coachwork_transport::viss::{Metadata, SubscriptionId};
use coachwork_transport::{Arrived, ClientSession, Message, Moment, Reply, Ticket};
use coachwork_vehicle::{
    Board, Catalogue, CatalogueCell, Clock, Datapoint, Each, Error, ErrorKind, Event, Outcome, Permission,
    Reason, ReasonKind, Receipt, Refusal, RefusalKind, Request, SignalId, Stage, Subscribe,
};

use crate::catalogue;
use crate::inbox::Inbox;
use crate::link::{Link, LinkCell};
use crate::options::Options;
use crate::slot::{Pending, Settled, Slot};

pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) peer: Arc<str>,
    pub(crate) mode: Mode,
    pub(crate) link: LinkCell,
    state: Mutex<State>,
}

/// What the gateway at the other end can say.
pub(crate) enum Mode {
    /// All that a vehicle says: filters and rights are its affair.
    Native(CatalogueCell),
    /// Plain VISS: a board on this side does the rest.
    Plain(Board),
}

#[derive(Default)]
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
    refreshing: bool,
    refresh_again: bool,
    left_out: Vec<(String, Error)>,
    driver: Option<Waker>,
    closing: bool,
}

enum Waiting {
    Points(Arc<Slot<Each<Datapoint>>>),
    Set(Option<Arc<Slot<Each<Receipt>>>>, Vec<Asked>),
    Subscribe(u64, Option<Arc<Slot<Refused>>>),
    /// Newer metadata.
    Refresh,
    /// A word from the gateway, whatever it is.
    Probe,
}

/// The paths that a subscription does not cover at present.
pub(crate) type Refused = Vec<(String, Error)>;

/// A request to move something, with the receipt that follows it.
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) receipt: Receipt,
}

/// A subscription as it is asked of the gateway, on each link anew.
struct Wish {
    subscribe: Subscribe,
    end: End,
    name: Option<SubscriptionId>,
    /// The request that is under way for it.
    ticket: Option<Ticket>,
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
    ) -> Self {
        let state = State { session: Some(session), left_out, ..State::default() };
        Self { clock, options, peer, mode, link: LinkCell::new(Link::Up), state: Mutex::new(state) }
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

    pub(crate) fn ask_set(
        self: &Arc<Self>,
        asked: Vec<Asked>,
        within: std::time::Duration,
    ) -> Result<Pending<Each<Receipt>>, Unasked> {
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
        state.wishes.insert(number, Wish { subscribe, end, name: None, ticket: None });
        Ok(number)
    }

    /// A wish is given up: the gateway is told where it knows.
    pub(crate) fn forget(&self, wish: u64) {
        let mut state = self.lock();
        let Some(wish) = state.wishes.remove(&wish) else { return };
        let within = self.options.request_time;
        let now = self.moment();
        let state_ref = &mut *state;
        if let Some(session) = &mut state_ref.session {
            if let Some(ticket) = wish.ticket {
                state_ref.waiting.remove(&ticket);
                session.cancel(ticket);
            }
            if let Some(name) = wish.name {
                state_ref.names.remove(&name);
                // Where there is no room for the request, the gateway goes on and is not listened to.
                if let Ok((_, message)) = session.unsubscribe(&name, within, now) {
                    state_ref.out.push_back(message);
                }
            }
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
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    pub(crate) fn next_message(&self) -> Option<Bytes> {
        self.lock().out.pop_front()
    }

    pub(crate) fn next_deadline(&self) -> Option<coachwork_vehicle::Monotonic> {
        self.lock().session.as_ref().and_then(ClientSession::next_deadline)
    }

    /// Asks the gateway for a word.
    pub(crate) fn probe(&self) {
        let catalogue = self.catalogue();
        let within = self.options.request_time;
        let asked = self.ask(
            |session, now| match catalogue.id_at(0) {
                Some(signal) => session.get(&[signal], within, now),
                None => session.metadata(coachwork_transport::viss::Target::everything(), within, now),
            },
            |_, _| Waiting::Probe,
        );
        // Where there is no room for it, others wait for the gateway already.
        drop(asked);
    }

    /// Settles what had its time. Says whether the gateway owes a word that did not come.
    pub(crate) fn expire(&self) -> bool {
        let now = self.moment();
        let (mut silent, mut over) = (false, Vec::new());
        {
            let mut state = self.lock();
            let Some(session) = &mut state.session else { return false };
            for ticket in session.expire(now) {
                match state.waiting.remove(&ticket) {
                    Some(Waiting::Probe) => silent = true,
                    Some(Waiting::Refresh) => {
                        state.refreshing = false;
                        state.refresh_again = true;
                    }
                    Some(Waiting::Subscribe(wish, None)) => state.unsent.push_back(wish),
                    Some(waiting) => over.push(waiting),
                    None => {}
                }
            }
        }
        let error = || Error::new(ErrorKind::Timeout, "the gateway did not answer in time");
        for waiting in over {
            waiting.settle(&Settled::Answered(Err(error())));
        }
        silent
    }

    /// Sends what waits for room among the open requests: subscriptions, and newer metadata.
    pub(crate) fn pump(&self) {
        let now = self.moment();
        let within = self.options.request_time;
        let mut state = self.lock();
        let state = &mut *state;
        let Some(session) = &mut state.session else { return };
        // The other half is for calls.
        while session.requests() <= self.options.limits.requests / 2 {
            if state.refresh_again && !state.refreshing {
                let target = coachwork_transport::viss::Target::everything();
                let Ok((ticket, message)) = session.metadata(target, within, now) else { return };
                state.waiting.insert(ticket, Waiting::Refresh);
                state.out.push_back(message);
                (state.refreshing, state.refresh_again) = (true, false);
                continue;
            }
            let Some(number) = state.unsent.pop_front() else { return };
            let Some(wish) = state.wishes.get_mut(&number) else { continue };
            let subscribe = Subscribe { strict: false, ..wish.subscribe.clone() };
            // What was accepted once is well-formed.
            let Ok((ticket, message)) = session.subscribe(&subscribe, within, now) else { continue };
            wish.ticket = Some(ticket);
            state.waiting.insert(ticket, Waiting::Subscribe(number, None));
            state.out.push_back(message);
        }
    }

    /// Takes a message of the gateway.
    pub(crate) fn take(&self, message: &Message) -> Result<(), Error> {
        let now = self.moment();
        let arrived = match &mut self.lock().session {
            Some(session) => session.receive(message, now)?,
            None => return Ok(()),
        };
        match arrived {
            Arrived::Answer { ticket, answer } => self.answered(ticket, answer),
            Arrived::Event { subscription, event, .. } => self.told(&subscription, event),
            Arrived::Receipt { ticket, index, outcome } => {
                let asked = self.lock().receipts.remove(&(ticket, index));
                if let Some(asked) = asked {
                    asked.receipt.settle(outcome);
                }
            }
            Arrived::CatalogueChanged { .. } => self.lock().refresh_again = true,
            Arrived::Send(message) => self.lock().out.push_back(message),
            _ => {}
        }
        Ok(())
    }

    fn answered(&self, ticket: Ticket, answer: Result<Reply, Error>) {
        let waiting = self.lock().waiting.remove(&ticket);
        match waiting {
            None | Some(Waiting::Probe) => {}
            Some(Waiting::Points(slot)) => {
                slot.fill(Settled::Answered(answer.and_then(|reply| match reply {
                    Reply::Points(points) => Ok(points),
                    _ => Err(odd()),
                })))
            }
            Some(Waiting::Set(slot, asked)) => {
                let stages = answer.and_then(|reply| match reply {
                    Reply::Set(stages) if stages.len() == asked.len() => Ok(stages),
                    _ => Err(odd()),
                });
                self.set_answered(ticket, slot, asked, stages);
            }
            Some(Waiting::Subscribe(wish, slot)) => self.subscribed(wish, slot, answer),
            Some(Waiting::Refresh) => {
                self.lock().refreshing = false;
                if let Ok(Reply::Metadata(metadata)) = answer {
                    self.refreshed(metadata);
                }
            }
        }
    }

    fn set_answered(
        &self,
        ticket: Ticket,
        slot: Option<Arc<Slot<Each<Receipt>>>>,
        asked: Vec<Asked>,
        stages: Result<Each<Stage>, Error>,
    ) {
        let stages = match stages {
            Ok(stages) => stages,
            Err(error) => match slot {
                Some(slot) => return slot.fill(Settled::Answered(Err(error))),
                None => asked.iter().map(|_| Err(error.clone())).collect(),
            },
        };
        let mut answer = Vec::with_capacity(asked.len());
        let plain = matches!(self.mode, Mode::Plain(_));
        for (index, (asked, stage)) in asked.into_iter().zip(stages).enumerate() {
            let receipt = asked.receipt.clone();
            answer.push(match stage {
                Ok(Stage::Accepted) if plain => {
                    receipt.settle(Outcome::Accepted);
                    Ok(receipt)
                }
                Ok(Stage::Accepted) => {
                    self.lock().receipts.insert((ticket, index), asked);
                    Ok(receipt)
                }
                Ok(Stage::Settled(outcome)) => {
                    receipt.settle(outcome);
                    Ok(receipt)
                }
                Err(error) => {
                    // Somebody may hold it from an earlier link.
                    let refusal = Refusal::new(RefusalKind::Other, error.message().to_owned());
                    receipt.settle(Outcome::Refused(refusal));
                    Err(error)
                }
            });
        }
        if let Some(slot) = slot {
            slot.fill(Settled::Answered(Ok(answer)));
        }
    }

    fn subscribed(&self, number: u64, slot: Option<Arc<Slot<Refused>>>, answer: Result<Reply, Error>) {
        let answer = answer.and_then(|reply| match reply {
            Reply::Subscribed { subscription, refused } => Ok((subscription, refused)),
            _ => Err(odd()),
        });
        let end = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(wish) = state.wishes.get_mut(&number) else { return };
            wish.ticket = None;
            if let Ok((subscription, _)) = &answer {
                wish.name = Some(subscription.clone());
                state.names.insert(subscription.clone(), number);
            }
            wish.end.clone()
        };
        match (answer, end) {
            (Ok((_, refused)), End::Inbox(inbox)) => {
                let catalogue = self.catalogue();
                inbox.stands(slot.is_none(), &denied(&catalogue, &refused));
                if let Some(slot) = slot {
                    slot.fill(Settled::Answered(Ok(refused)));
                }
            }
            (Ok((_, refused)), End::Board(_)) => {
                if let Some(slot) = slot {
                    slot.fill(Settled::Answered(Ok(refused)));
                }
            }
            (Err(error), end) => match slot {
                Some(slot) => slot.fill(Settled::Answered(Err(error))),
                // It stood before, and the gateway does not have it any more.
                None => self.refused(number, end, &error),
            },
        }
    }

    fn refused(&self, number: u64, end: End, error: &Error) {
        if error.is_temporary() {
            self.lock().unsent.push_back(number);
            return;
        }
        let kind = if error.kind() == ErrorKind::Denied { ReasonKind::Denied } else { ReasonKind::Other };
        let reason = Reason::because(kind, error.message().to_owned());
        match (end, &self.mode) {
            (End::Inbox(inbox), _) => inbox.end(&reason),
            // The ids of a board's own catalogue are not refused.
            (End::Board(signal), Mode::Plain(board)) => drop(board.withdraw(&[signal], &reason)),
            (End::Board(_), Mode::Native(_)) => {}
        }
    }

    fn told(&self, subscription: &SubscriptionId, event: Event) {
        let end = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(number) = state.names.get(subscription).copied() else { return };
            let Some(wish) = state.wishes.get_mut(&number) else { return };
            if matches!(event, Event::Ended(_)) {
                wish.name = None;
                state.names.remove(subscription);
            }
            wish.end.clone()
        };
        match (end, event) {
            (End::Inbox(inbox), Event::Changed(points)) => {
                inbox.points(points.iter().map(|(signal, point)| (signal, point.clone())));
            }
            (End::Inbox(inbox), Event::Lagged(count)) => inbox.lagged(count),
            (End::Inbox(inbox), Event::Access(changes)) => {
                if let Mode::Native(cell) = &self.mode {
                    self.replace(cell, |now| catalogue::permitted(now, &changes));
                }
                inbox.access(changes);
            }
            (End::Inbox(inbox), Event::Ended(reason)) => inbox.end(&reason),
            (End::Board(_), Event::Changed(points)) => self.present(points.iter()),
            (End::Board(signal), Event::Ended(reason)) => {
                if let Mode::Plain(board) = &self.mode {
                    drop(board.withdraw(&[signal], &reason));
                }
            }
            _ => {}
        }
    }

    /// What a gateway of plain VISS says to be so.
    pub(crate) fn present<'p>(&self, points: impl Iterator<Item = (SignalId, &'p Datapoint)>) {
        if let Mode::Plain(board) = &self.mode {
            let points: Vec<_> = points.map(|(signal, point)| (signal, point.clone())).collect();
            // Values were read in the types of the board's own catalogue.
            drop(board.publish(&points));
        }
    }

    fn refreshed(&self, mut metadata: Metadata) {
        self.lock().left_out = std::mem::take(&mut metadata.skipped);
        match &self.mode {
            Mode::Native(cell) => self.replace(cell, |now| catalogue::next(now, metadata)),
            // A server of plain VISS does not tell of changes; what it says at a new link is taken over as far as rights go.
            Mode::Plain(_) => {}
        }
        let catalogue = self.catalogue();
        if let Some(session) = &mut self.lock().session {
            session.set_catalogue(catalogue);
        }
    }

    /// Puts the next snapshot into the cell, if there is one; a snapshot that says the same supersedes nothing.
    fn replace(&self, cell: &CatalogueCell, next: impl FnOnce(&Catalogue) -> Option<Catalogue>) {
        // `Err` leaves the cell as it is.
        let _: Result<(), ()> = cell.try_replace(|now| next(now).ok_or(()));
    }

    /// A new link stands.
    pub(crate) fn link_stands(&self, mut session: ClientSession, mut metadata: Metadata) {
        let left_out = std::mem::take(&mut metadata.skipped);
        if let Mode::Native(cell) = &self.mode {
            self.replace(cell, |now| catalogue::next(now, metadata));
        }
        session.set_catalogue(self.catalogue());
        let now = self.moment();
        {
            let mut state = self.lock();
            let state = &mut *state;
            state.left_out = left_out;
            state.unsent = state.wishes.keys().copied().collect();
            state.unsent.make_contiguous().sort_unstable();
            let mut again = std::mem::take(&mut state.again);
            again.retain(|asked| asked.receipt.stage() == Stage::Accepted);
            if !again.is_empty() {
                let requests: Vec<_> = again.iter().map(|asked| asked.at(now)).collect();
                match session.set(&requests, self.options.request_time, now) {
                    Ok((ticket, message)) => {
                        state.waiting.insert(ticket, Waiting::Set(None, again));
                        state.out.push_back(message);
                    }
                    // They time out.
                    Err(_) => drop(again),
                }
            }
            state.session = Some(session);
        }
        self.link.store(Link::Up);
        self.pump();
    }

    /// The link is lost, until `link` says otherwise. What waits is settled, and signals are not available.
    pub(crate) fn link_lost(&self, error: &Error, link: Link, reason: &Reason) {
        let (waiting, lost, ends) = {
            let mut state = self.lock();
            let state = &mut *state;
            if state.session.take().is_none() {
                (HashMap::new(), Vec::new(), Vec::new())
            } else {
                state.link += 1;
                state.out.clear();
                state.names.clear();
                state.unsent.clear();
                (state.refreshing, state.refresh_again) = (false, false);
                let waiting = std::mem::take(&mut state.waiting);
                let receipts = std::mem::take(&mut state.receipts).into_values();
                let (again, lost): (Vec<_>, Vec<_>) =
                    receipts.partition(|asked| asked.request.set.key.is_some());
                state.again.extend(again);
                let wishes = state.wishes.values_mut();
                let ends = wishes.map(|wish| {
                    (wish.name, wish.ticket) = (None, None);
                    wish.end.clone()
                });
                (waiting, lost, ends.collect::<Vec<_>>())
            }
        };
        self.link.store(link);
        let point = Datapoint::not_available(reason.clone(), self.clock.now());
        for end in ends {
            if let End::Inbox(inbox) = end {
                inbox.link_lost(&point);
            }
        }
        if let Mode::Plain(board) = &self.mode {
            board.withdraw_all(reason);
        }
        for asked in lost {
            asked.lost(reason);
        }
        for waiting in waiting.into_values() {
            waiting.lost(self, error, reason);
        }
    }

    /// The driver has gone: the link will not come back.
    pub(crate) fn ended(&self, reason: &Reason) {
        let error = Error::new(ErrorKind::Unavailable, reason.to_string());
        self.link_lost(&error, Link::Ended(reason.clone()), reason);
        let again = std::mem::take(&mut self.lock().again);
        for asked in again {
            asked.lost(reason);
        }
        if !self.is_closing() {
            return;
        }
        // Nobody holds the vehicle any more.
        let reason = Reason::because(ReasonKind::Ended, "the vehicle was dropped");
        let ends: Vec<_> = self.lock().wishes.values().map(|wish| wish.end.clone()).collect();
        for end in ends {
            if let End::Inbox(inbox) = end {
                inbox.end(&reason);
            }
        }
        if let Mode::Plain(board) = &self.mode {
            board.end(&reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Waiting {
    fn settle(self, how: &Settled<()>) {
        fn of<T>(how: &Settled<()>) -> Settled<T> {
            match how {
                Settled::Answered(Err(error)) => Settled::Answered(Err(error.clone())),
                Settled::Lost(error) => Settled::Lost(error.clone()),
                Settled::Answered(Ok(())) => Settled::Answered(Err(odd())),
            }
        }
        match self {
            Self::Points(slot) => slot.fill(of(how)),
            Self::Set(Some(slot), _) => slot.fill(of(how)),
            Self::Subscribe(_, Some(slot)) => slot.fill(of(how)),
            Self::Set(None, _) | Self::Subscribe(_, None) | Self::Refresh | Self::Probe => {}
        }
    }

    fn lost(self, shared: &Shared, error: &Error, reason: &Reason) {
        match self {
            Self::Set(None, asked) => {
                let (again, lost): (Vec<_>, Vec<_>) =
                    asked.into_iter().partition(|asked| asked.request.set.key.is_some());
                shared.lock().again.extend(again);
                lost.iter().for_each(|asked| asked.lost(reason));
            }
            other => other.settle(&Settled::Lost(error.clone())),
        }
    }
}

impl Asked {
    fn lost(&self, reason: &Reason) {
        let refusal = Refusal::new(RefusalKind::Link, reason.to_string());
        self.receipt.settle(Outcome::Refused(refusal));
    }

    /// The request, with what is left of its time.
    pub(crate) fn at(&self, now: Moment) -> Request {
        let mut request = self.request.clone();
        request.set.within = self.receipt.deadline().saturating_since(now.monotonic);
        request
    }
}

/// The signals that a subscription covers once the right to them returns.
fn denied(catalogue: &Catalogue, refused: &Refused) -> Vec<(SignalId, Permission)> {
    let permission = |(path, error): &(String, Error)| {
        let id = catalogue.id(path)?;
        let known = catalogue.access(id).ok().map(|access| access.read.clone());
        let read = known.filter(|read| *read != Permission::Yes);
        Some((id, read.unwrap_or_else(|| Permission::denied(error.message().to_owned()))))
    };
    refused.iter().filter_map(permission).collect()
}

fn odd() -> Error {
    Error::new(ErrorKind::Protocol, "the gateway's answer is not one to this request")
}
