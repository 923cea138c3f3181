//! Open requests: checked and registered before they are sent, confirmed by what is published after.
//!
//! *Invariant:* at most one request is open for a signal; settled keys are remembered up to a bound; nothing foreign runs under the lock.
//! *Next:* `receipt.rs` (what the caller holds).

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Inner;
use super::slot::Report;
use crate::catalogue::{Catalogue, Entry, Permission, Quick, Receipts, SignalId};
use crate::datapoint::{Datapoint, Reason, State};
use crate::error::{Error, ErrorKind, Operation};
use crate::receipt::{Outcome, Receipt, Refusal, RefusalKind};
use crate::request::{Key, Request};
use crate::sync::lock;
use crate::time::Monotonic;
use crate::value::Value;

/// How many idempotency keys a board remembers; the oldest is forgotten first.
const REMEMBERED_KEYS: usize = 1024;

/// A request that a board has checked and registered, to be sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Command {
    /// The actuator.
    pub signal: SignalId,
    /// Where it should go, in the catalogue's type and unit.
    pub value: Value,
    /// When the request times out, on the board's clock.
    pub deadline: Monotonic,
    /// The caller's idempotency key, if it gave one.
    pub key: Option<Key>,
    ticket: u64,
}

pub(super) struct Ledger {
    book: Mutex<Book>,
    open: AtomicUsize,
}

#[derive(Default)]
struct Book {
    tickets: u64,
    open: HashMap<SignalId, Open, Quick>,
    keys: HashMap<Key, Remembered>,
    /// Keys in the order in which they came.
    order: VecDeque<Key>,
}

struct Open {
    ticket: u64,
    wanted: Value,
    receipt: Receipt,
}

struct Remembered {
    signal: SignalId,
    value: Value,
    receipt: Receipt,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { book: Mutex::default(), open: AtomicUsize::new(0) }
    }

    pub(super) fn has_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// One request, from check to sending.
    pub(super) fn take(
        &self,
        request: Request,
        catalogue: &Catalogue,
        board: &Inner,
        send: &mut impl FnMut(&Command) -> Result<(), Error>,
    ) -> Result<Receipt, Error> {
        let entry = catalogue.entry(request.signal).map_err(|e| e.during(Operation::Set))?;
        let value = entry.settable(request.value)?;
        match &catalogue.access(request.signal)?.write {
            Permission::Yes => {}
            Permission::No => {
                let error = Error::new(ErrorKind::NotActuator, "the signal cannot be set here");
                return Err(error.during(Operation::Set).on_path(entry.path().as_str()));
            }
            Permission::Denied(reason) => {
                let refusal = Refusal::new(RefusalKind::Denied, reason.to_string());
                return Ok(Receipt::settled(board.clock.clone(), Outcome::Refused(refusal)));
            }
        }
        let deadline = board.clock.monotonic().saturating_add(request.set.within);
        let receipt = Receipt::new(board.clock.clone(), deadline);
        let (command, before) =
            match self.register(request.signal, value, request.set.key, deadline, receipt.clone())? {
                Registered::New(command, before) => (command, before),
                Registered::Known(receipt) => return Ok(receipt),
            };
        if let Err(error) = send(&command) {
            self.forget(&command, before);
            // Somebody may have been given the receipt in the meantime, by the same key.
            receipt.settle(Outcome::Refused(Refusal::new(RefusalKind::Link, error.message().to_owned())));
            return Err(error.during(Operation::Set).on_path(entry.path().as_str()));
        }
        if let Some(before) = before {
            let refusal = Refusal::new(RefusalKind::Superseded, "a later request took its place");
            before.receipt.settle(Outcome::Refused(refusal));
        }
        self.settle_early(&command, catalogue, entry, board);
        Ok(receipt)
    }

    /// Settles an open request from outside; says whether it was open.
    pub(super) fn settle(&self, command: &Command, outcome: Outcome) -> bool {
        let open = {
            let mut book = lock(&self.book);
            let ours = book.open.get(&command.signal).is_some_and(|open| open.ticket == command.ticket);
            let open = if ours { book.open.remove(&command.signal) } else { None };
            self.count(&book);
            open
        };
        open.is_some_and(|open| open.receipt.settle(outcome))
    }

    /// Confirms what the points show to have happened.
    pub(super) fn observe(&self, catalogue: &Catalogue, points: &[(SignalId, Datapoint)], now: Monotonic) {
        // Mostly it is one, which needs no list.
        let (mut first, mut others) = (None, Vec::new());
        {
            let mut book = lock(&self.book);
            for (signal, point) in points {
                let (Some(seen), Some(open)) = (point.value(), book.open.get(signal)) else { continue };
                if catalogue.entry(*signal).is_ok_and(|entry| entry.reached(&open.wanted, seen)) {
                    let confirmed = book.open.remove(signal).map(|open| (open.receipt, point.source));
                    match &first {
                        None => first = confirmed,
                        Some(_) => others.extend(confirmed),
                    }
                }
            }
            // What has timed out needs no confirmation any more.
            book.open.retain(|_, open| open.receipt.is_open_at(now));
            self.count(&book);
        }
        for (receipt, at) in first.into_iter().chain(others) {
            receipt.settle_at(Outcome::Confirmed(at), now);
        }
    }

    /// Refuses what is open on some signals.
    pub(super) fn refuse(&self, signals: &[SignalId], reason: &Reason) {
        let open: Vec<_> = {
            let mut book = lock(&self.book);
            let open = signals.iter().filter_map(|signal| book.open.remove(signal)).collect();
            self.count(&book);
            open
        };
        for open in open {
            open.receipt.settle(Outcome::Refused(Refusal::new(RefusalKind::Link, reason.to_string())));
        }
    }

    pub(super) fn refuse_all(&self, reason: &Reason) {
        let open = {
            let mut book = lock(&self.book);
            let open = std::mem::take(&mut book.open);
            self.count(&book);
            open
        };
        for open in open.into_values() {
            open.receipt.settle(Outcome::Refused(Refusal::new(RefusalKind::Link, reason.to_string())));
        }
    }

    fn register(
        &self,
        signal: SignalId,
        value: Value,
        key: Option<Key>,
        deadline: Monotonic,
        receipt: Receipt,
    ) -> Result<Registered, Error> {
        let mut book = lock(&self.book);
        if let Some(known) = key.as_ref().and_then(|key| book.keys.get(key)) {
            if known.signal == signal && known.value.same(&value) {
                return Ok(Registered::Known(known.receipt.clone()));
            }
            let message = "the idempotency key was used before for another request";
            return Err(Error::new(ErrorKind::Conflict, message).during(Operation::Set));
        }
        book.tickets += 1;
        let ticket = book.tickets;
        if let Some(key) = &key {
            book.remember(key, Remembered { signal, value: value.clone(), receipt: receipt.clone() });
        }
        let before = book.open.insert(signal, Open { ticket, wanted: value.clone(), receipt });
        self.count(&book);
        Ok(Registered::New(Command { signal, value, deadline, key, ticket }, before))
    }

    /// Takes back a request that could not be sent; the one before it is open again.
    fn forget(&self, command: &Command, before: Option<Open>) {
        let mut book = lock(&self.book);
        if let Some(key) = &command.key {
            book.keys.remove(key);
            book.order.retain(|other| other != key);
        }
        if book.open.get(&command.signal).is_some_and(|open| open.ticket == command.ticket) {
            book.open.remove(&command.signal);
            if let Some(before) = before {
                book.open.insert(command.signal, before);
            }
        }
        self.count(&book);
    }

    /// Settles at once what the vehicle's facts say can be settled at once.
    fn settle_early(&self, command: &Command, catalogue: &Catalogue, entry: &Entry, board: &Inner) {
        if catalogue.facts().receipts == Receipts::Accepted {
            self.settle(command, Outcome::Accepted);
            return;
        }
        if !catalogue.facts().reports_changes_only {
            return;
        }
        let Some(Report { point, at, .. }) = board.report(command.signal) else { return };
        let age = board.clock.monotonic().saturating_since(at);
        if let State::Valid(seen) = point.state.aged(age, entry.stale_after())
            && entry.reached(&command.value, &seen)
        {
            self.settle(command, Outcome::Confirmed(point.source));
        }
    }

    fn count(&self, book: &Book) {
        self.open.store(book.open.len(), Ordering::Release);
    }
}

enum Registered {
    New(Command, Option<Open>),
    Known(Receipt),
}

impl Book {
    fn remember(&mut self, key: &Key, request: Remembered) {
        if self.order.len() >= REMEMBERED_KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.keys.insert(key.clone(), request);
    }
}
