//! The one place where a backend's reports become readings, subscriptions and receipts.
//!
//! *Invariant:* one publisher at a time; a batch is taken whole or not at all; nothing waits but `feed`. Time is evaluated by
//! whoever looks, so a board needs no task.
//! *Next:* `table.rs` (the latest of each signal), `inbox.rs` and `reader.rs` (subscriptions), `ledger.rs` (receipts).

mod delivery;
mod inbox;
mod ledger;
mod reader;
mod slot;
mod table;
mod track;

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use self::delivery::Deliveries;
use self::inbox::Inbox;
use self::ledger::Ledger;
use self::reader::Reader;
use self::slot::Report;
use self::table::Table;
use crate::catalogue::{Access, Catalogue, CatalogueCell, CatalogueError, Entry, SignalId};
use crate::clock::Clock;
use crate::datapoint::{Datapoint, Reason, State};
use crate::error::{Error, ErrorKind, Operation};
use crate::gate::Gate;
use crate::receipt::{Outcome, Receipt};
use crate::request::Request;
use crate::subscribe::{Overflow, Subscribe};
use crate::subscription::Subscription;
use crate::sync::Turn;
use crate::time::Monotonic;
use crate::vehicle::{Each, Get};

pub use self::ledger::Command;

/// What a backend publishes to and answers from. Clones are handles to the same board; when the last one is dropped,
/// its subscriptions end.
///
/// In: [`publish`](Self::publish) and [`feed`](Self::feed). Out: [`get`](Self::get), [`subscribe`](Self::subscribe), [`set`](Self::set).
/// A backend's own work is its link, and the closure that sends.
#[derive(Clone)]
pub struct Board(Arc<Handle>);

/// Ends the board when the last handle goes.
struct Handle(Arc<Inner>);

struct Inner {
    cell: CatalogueCell,
    clock: Arc<dyn Clock>,
    table: Table,
    ledger: Ledger,
    /// Held by whoever publishes or subscribes: it orders the two.
    deliveries: Turn<Deliveries>,
}

impl Board {
    /// A board for the signals of `catalogue`, all of them never set.
    pub fn new(catalogue: Catalogue, clock: Arc<dyn Clock>) -> Self {
        let table = Table::new(catalogue.len(), clock.as_ref());
        let ledger = Ledger::new();
        let cell = CatalogueCell::new(catalogue);
        let deliveries = Turn::new(Deliveries::new(cell.load()));
        Self(Arc::new(Handle(Arc::new(Inner { cell, clock, table, ledger, deliveries }))))
    }

    /// The present catalogue.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.inner().cell.load()
    }

    /// The clock that it measures ages and deadlines with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner().clock
    }

    /// Reports datapoints; never waits. A full [`Block`](crate::Overflow::Block) queue then loses its oldest and says so.
    ///
    /// Values are brought into the catalogue's type. The batch is taken whole or not at all.
    ///
    /// # Errors
    /// [`ErrorKind::WrongCatalogue`] or [`ErrorKind::UnknownSignal`] for an id that is not of this board's catalogue, [`ErrorKind::WrongType`] for a value that
    /// does not fit its signal: then nothing was published.
    pub fn publish(&self, points: &[(SignalId, Datapoint)]) -> Result<(), Error> {
        let inner = self.inner();
        let mut deliveries = inner.deliveries.lock();
        let coerced = coerced(deliveries.catalogue(&inner.cell), points)?;
        inner.deliver(deliveries, coerced.as_deref().unwrap_or(points));
        Ok(())
    }

    /// Reports datapoints, and waits until every [`Block`](crate::Overflow::Block) queue has room for them.
    ///
    /// A batch that is larger than such a queue is reported in parts. Dropped early, it has reported a part or nothing, and never half of a part.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn feed(&self, points: &[(SignalId, Datapoint)]) -> Result<(), Error> {
        let inner = self.inner();
        let coerced = coerced(inner.deliveries.lock().catalogue(&inner.cell), points)?;
        let mut rest = coerced.as_deref().unwrap_or(points);
        while !rest.is_empty() {
            let full = {
                let mut deliveries = inner.deliveries.lock();
                let part = rest.len().min(deliveries.smallest_block());
                let (now, later) = rest.split_at_checked(part).unwrap_or((rest, &[]));
                let full = deliveries.full(now);
                if full.is_none() {
                    inner.deliver(deliveries, now);
                    rest = later;
                }
                full
            };
            if let Some(full) = full {
                full.room().await;
            }
        }
        Ok(())
    }

    /// Reports that these signals are not available, for one reason: a link that was lost, a sensor that is gone.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn withdraw(&self, signals: &[SignalId], reason: &Reason) -> Result<(), Error> {
        let now = self.inner().clock.now();
        let point = Datapoint::not_available(reason.clone(), now);
        let points: Vec<_> = signals.iter().map(|&id| (id, point.clone())).collect();
        self.publish(&points)
    }

    /// Refuses the open requests on these signals: one of several links is lost, and what was sent on it will not be answered.
    pub fn refuse(&self, signals: &[SignalId], reason: &Reason) {
        self.inner().ledger.refuse(signals, reason);
    }

    /// Reports that no signal is available any more, and refuses every open request: the link is lost or the source has ended.
    pub fn withdraw_all(&self, reason: &Reason) {
        let signals: Vec<_> = self.catalogue().ids().collect();
        // Ids of the board's own catalogue and a state without a value cannot be refused.
        let _ = self.withdraw(&signals, reason);
        self.inner().ledger.refuse_all(reason);
    }

    /// Ends every subscription with a reason; those made later end at once. Readings stay.
    pub fn end(&self, reason: &Reason) {
        self.inner().end(reason);
    }

    /// The present datapoints; a batch never sees half a publish.
    ///
    /// # Errors
    /// None as a whole; an item is an `Err` where the id is of another catalogue or the signal may not be read.
    pub fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        let inner = self.inner();
        let catalogue = inner.cell.load();
        let now = inner.clock.monotonic();
        let one = |signal: &SignalId| {
            Some(inner.read(&catalogue, now, *signal)?.map_err(|e| e.during(Operation::Get)))
        };
        let all = || get.signals.iter().map(one).collect::<Option<Each<Datapoint>>>();
        Ok(if get.signals.len() < 2 {
            inner.quiet(all)
        } else {
            inner.quiet(|| inner.table.between_batches(all))
        })
    }

    /// Subscribes to signals.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a malformed wish, [`ErrorKind::Unsupported`] for [`Block`](crate::Overflow::Block) where the catalogue's facts do not promise back pressure; where
    /// it is strict, what refuses a signal.
    pub fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        subscribe.check()?;
        let inner = self.inner();
        let catalogue = inner.cell.load();
        if matches!(subscribe.overflow, Overflow::Block(_)) && !catalogue.facts().back_pressure {
            let message = "this vehicle's source cannot be held back; use a queue";
            return Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Subscribe));
        }
        let (mut granted, mut refused) = (Vec::new(), Vec::new());
        for (signal, filter) in subscribe.signals {
            match catalogue.entry(signal).and_then(|_| catalogue.readable(signal).map(drop)) {
                Ok(()) => granted.push((signal, filter)),
                Err(error) if subscribe.strict => return Err(error.during(Operation::Subscribe)),
                Err(error) if error.kind() == ErrorKind::Denied => granted.push((signal, filter)),
                Err(error) => refused.push((format!("{signal:?}"), error.during(Operation::Subscribe))),
            }
        }
        granted.sort_by_key(|(signal, _)| *signal);
        granted.dedup_by_key(|(signal, _)| *signal);
        let signals = granted.iter().map(|(signal, _)| *signal).collect();
        let reader = {
            let mut deliveries = inner.deliveries.lock();
            deliveries.catalogue(&inner.cell);
            let (inbox, tracks) = Inbox::new(&catalogue, &granted, subscribe.overflow, inner);
            let inbox = Arc::new(inbox);
            let place = deliveries.add(&inbox, &granted);
            Reader::new(inner.clone(), inbox, place, tracks)
        };
        let gate = Arc::new(OwnGate(inner.clone()));
        Ok(Subscription::new(catalogue, signals, refused, Box::new(reader)).gated(gate))
    }

    /// Checks and registers requests, then calls `send` for each new one, in order; a repeated key sends nothing.
    ///
    /// An open request for the same signal is superseded. Where `send` fails, its request is forgotten and the failure is the item's answer. `send` runs without
    /// any lock of the board: it may publish.
    ///
    /// # Errors
    /// None as a whole; an item is an `Err` where the request makes no sense or `send` failed.
    pub fn set(
        &self,
        requests: Vec<Request>,
        mut send: impl FnMut(&Command) -> Result<(), Error>,
    ) -> Result<Each<Receipt>, Error> {
        let inner = self.inner();
        let catalogue = inner.cell.load();
        let answer = |request| inner.ledger.take(request, &catalogue, inner, &mut send);
        Ok(requests.into_iter().map(answer).collect())
    }

    /// Settles a request that [`set`](Self::set) sent: the platform refused it, or will say no more. Confirmation comes from publishing.
    /// Says whether the request was still open.
    pub fn settle(&self, command: &Command, outcome: Outcome) -> bool {
        self.inner().ledger.settle(command, outcome)
    }

    /// Replaces what may be done with the signals: `access` is asked for each with what holds now. Open subscriptions follow.
    pub fn restrict(&self, access: impl FnMut(SignalId, &Access) -> Access) {
        self.inner().cell.replace(|now| now.with_access(access));
    }

    /// Adds signals; ids stay as they are. They are not in subscriptions made before.
    ///
    /// # Errors
    /// [`CatalogueError`] where an entry is malformed or there already: then nothing changed.
    pub fn grow(&self, entries: Vec<Entry>) -> Result<(), CatalogueError> {
        let inner = self.inner();
        inner.cell.try_replace(|now| {
            let grown = now.grown(entries)?;
            let _order = inner.deliveries.lock();
            inner.table.grow(grown.len(), inner.clock.as_ref());
            Ok(grown)
        })
    }

    /// How many subscriptions there are.
    #[cfg(test)]
    pub(crate) fn readers(&self) -> usize {
        self.inner().deliveries.lock().readers()
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }
}

/// How often a reader looks again before it keeps writers from writing.
const TRIES: usize = 8;

impl Inner {
    /// Hands checked points to the table, to the subscribers and to the open requests.
    fn deliver(&self, mut deliveries: MutexGuard<'_, Deliveries>, points: &[(SignalId, Datapoint)]) {
        let now = self.clock.monotonic();
        deliveries.offer(&self.table, now, points);
        let woken = deliveries.woken();
        drop(deliveries);
        woken.into_iter().for_each(Waker::wake);
        if self.ledger.has_open() {
            self.ledger.observe(&self.cell.load(), points, now);
        }
    }

    /// The present report of a signal of this board's catalogue.
    fn report(&self, signal: SignalId) -> Option<Report> {
        let slot = self.table.slot(signal)?;
        Some(self.quiet(|| slot.read()))
    }

    /// The datapoint of a signal as it is `now`; `None` while it is written.
    fn read(
        &self,
        catalogue: &Catalogue,
        now: Monotonic,
        signal: SignalId,
    ) -> Option<Result<Datapoint, Error>> {
        let entry = match catalogue.readable(signal) {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        let Some(slot) = self.table.slot(signal) else {
            return Some(Err(Error::new(ErrorKind::UnknownSignal, "the signal id is newer than this board")));
        };
        let mut report = slot.read()?;
        if let Some(limit) = entry.stale_after() {
            report.point.state = report.point.state.aged(now.saturating_since(report.at), Some(limit));
        }
        Some(Ok(report.point))
    }

    /// What `look` sees when nobody writes what it looks at. Most of the time that is so at once; where it is not, it waits its turn.
    fn quiet<T>(&self, look: impl Fn() -> Option<T>) -> T {
        for _ in 0..TRIES {
            if let Some(seen) = look() {
                return seen;
            }
            std::hint::spin_loop();
        }
        let _order = self.deliveries.lock();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
        }
    }

    fn end(&self, reason: &Reason) {
        let woken = {
            let mut deliveries = self.deliveries.lock();
            deliveries.end(reason);
            deliveries.woken()
        };
        woken.into_iter().for_each(Waker::wake);
    }
}

fn held(state: &State) -> Option<&crate::Value> {
    match state {
        State::Valid(value) | State::Stale(value) => Some(value),
        State::NeverSet | State::NotAvailable(_) | State::Error(_) => None,
    }
}

/// The points in the catalogue's types: `None` where they are already.
fn coerced(
    catalogue: &Catalogue,
    points: &[(SignalId, Datapoint)],
) -> Result<Option<Vec<(SignalId, Datapoint)>>, Error> {
    let mut fits = true;
    for (signal, point) in points {
        let entry = catalogue.entry(*signal).map_err(|e| e.during(Operation::Publish))?;
        fits &= held(&point.state).is_none_or(|value| entry.holds(value));
    }
    if fits {
        return Ok(None);
    }
    points
        .iter()
        .map(|(signal, point)| Ok((*signal, coerce(catalogue, *signal, point)?)))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn coerce(catalogue: &Catalogue, signal: SignalId, point: &Datapoint) -> Result<Datapoint, Error> {
    let entry = catalogue.entry(signal)?;
    let fit = |value: &crate::Value| {
        entry.coerce(value.clone()).map_err(|e| {
            let path = entry.path().as_str();
            Error::new(ErrorKind::WrongType, e.to_string()).during(Operation::Publish).on_path(path)
        })
    };
    let state = match &point.state {
        State::Valid(value) => State::Valid(fit(value)?),
        State::Stale(value) => State::Stale(fit(value)?),
        other => other.clone(),
    };
    Ok(Datapoint { state, ..point.clone() })
}

/// A board's own access table, over its own subscriptions.
#[derive(Debug)]
struct OwnGate(Arc<Inner>);

impl Gate for OwnGate {
    fn cell(&self) -> &CatalogueCell {
        &self.0.cell
    }

    fn next_transition(&self) -> Option<(Arc<dyn Clock>, Monotonic)> {
        None
    }

    fn refresh(&self) {}
}

impl Drop for Handle {
    fn drop(&mut self) {
        let reason = Reason::because(crate::ReasonKind::Ended, "the vehicle was dropped");
        self.0.end(&reason);
        self.0.ledger.refuse_all(&reason);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Board({:?})", self.cell.load())
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
