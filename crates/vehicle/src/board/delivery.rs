//! From a published batch to the inboxes that want it: an index from signal to subscribers, one lock per subscriber and batch.
//!
//! *Invariant:* what a publish costs depends on who wants its signals, not on how many others there are. Whether a report differs from the
//! one before it is found once, not by each subscriber.
//! *Next:* `inbox.rs` (what each subscriber has not read).

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::inbox::{Engine, Inbox};
use super::slot::Slot;
use super::table::Table;
use super::track::Track;
use crate::bell::Listener;
use crate::catalogue::{Catalogue, CatalogueCell, SignalId};
use crate::datapoint::{Reason, State};
use crate::points::{Point, Share};
use crate::subscribe::Filter;
use crate::time::Monotonic;

/// Who subscribes to what; whoever holds it is the only one that publishes.
pub(super) struct Deliveries {
    catalogue: Arc<Catalogue>,
    seats: Vec<Option<Seat>>,
    free: Vec<usize>,
    /// For each row of the catalogue: who wants it.
    index: Vec<Wanted>,
    /// The seats that want something of the present batch; kept to spare the allocation.
    called: Vec<usize>,
    /// What there is to know of each report of the present batch.
    news: Vec<News>,
    /// The seats whose queues hold their source back.
    blocking: Vec<usize>,
    ended: Option<Reason>,
    /// Whom to wake once the lock is released.
    woken: Vec<Waker>,
}

/// Who wants a signal.
#[derive(Clone, Default)]
struct Wanted {
    /// Every report.
    all: Vec<Want>,
    /// Reports that differ from the one before, or come after it had gone stale.
    changes: Vec<Want>,
    /// Nothing of the reports, but that one of them had gone stale before the next one came.
    returns: Vec<Want>,
    stale_after: Option<Duration>,
}

/// A seat, and which of its tracks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Want {
    seat: usize,
    track: usize,
}

/// A report beside the one before it.
#[derive(Clone, Copy)]
struct News {
    repeats: bool,
    /// The number of the report before it, where that had gone stale.
    stale: Option<u64>,
}

/// A subscriber, with what it wants of the present batch.
struct Seat {
    inbox: Arc<Inbox>,
    engine: Engine,
    called: bool,
    /// Of 64 reports, which are wanted (plain updates).
    mask: u64,
    /// Which tracks have a new state (states).
    words: Vec<u64>,
    replaced: Vec<(usize, u64)>,
    /// Track and report (updates to be judged).
    offered: Vec<(usize, usize, Option<u64>)>,
    /// How many reports are wanted, where room is looked for.
    more: usize,
}

/// A queue that has no room, found under the lock and waited for outside.
pub(super) struct Full(Listener);

impl Full {
    pub(super) async fn room(self) {
        self.0.await;
    }
}

impl Deliveries {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Self {
        let mut deliveries = Self {
            catalogue,
            seats: Vec::new(),
            free: Vec::new(),
            index: Vec::new(),
            called: Vec::new(),
            news: Vec::new(),
            blocking: Vec::new(),
            ended: None,
            woken: Vec::new(),
        };
        deliveries.follow();
        deliveries
    }

    /// The present catalogue.
    pub(super) fn catalogue(&mut self, cell: &CatalogueCell) -> &Arc<Catalogue> {
        if self.catalogue.revision() != cell.revision() {
            self.catalogue = cell.load();
            self.follow();
        }
        &self.catalogue
    }

    /// Brings the index up to the catalogue.
    fn follow(&mut self) {
        let new = self.catalogue.iter().skip(self.index.len());
        let wanted = |(_, entry): (SignalId, &crate::Entry)| Wanted {
            stale_after: entry.stale_after(),
            ..Wanted::default()
        };
        self.index.extend(new.map(wanted));
    }

    /// The readers to wake, outside the lock: a waker may run anything, this board included.
    pub(super) fn woken(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.woken)
    }

    /// Seats a subscriber; returns its place.
    pub(super) fn add(&mut self, inbox: &Arc<Inbox>, signals: &[(SignalId, Filter)]) -> usize {
        inbox.unread().ended.clone_from(&self.ended);
        let place = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        for (track, (signal, filter)) in signals.iter().enumerate() {
            if let Some(wanted) = self.index.get_mut(signal.index()) {
                wanted.list(filter).push(Want { seat: place, track });
            }
        }
        if let Some(seat) = self.seats.get_mut(place) {
            *seat = Some(Seat::new(inbox.clone(), signals.len()));
        }
        if inbox.block_bound().is_some() && self.ended.is_none() {
            self.blocking.push(place);
        }
        place
    }

    pub(super) fn remove(&mut self, place: usize, signals: impl Iterator<Item = SignalId>) {
        self.blocking.retain(|other| *other != place);
        for signal in signals {
            if let Some(wanted) = self.index.get_mut(signal.index()) {
                for list in [&mut wanted.all, &mut wanted.changes, &mut wanted.returns] {
                    list.retain(|want| want.seat != place);
                }
            }
        }
        if let Some(seat) = self.seats.get_mut(place) {
            *seat = None;
            self.free.push(place);
        }
    }

    /// Writes a batch into the table and gives each inbox its part of it, in the batch's order.
    pub(super) fn offer(&mut self, table: &Table, now: Monotonic, points: &[Point]) {
        self.write(table, now, points);
        if self.ended.is_some() {
            return;
        }
        let news = std::mem::take(&mut self.news);
        for (points, news) in points.chunks(Share::MOST).zip(news.chunks(Share::MOST)) {
            self.call(points, news);
            let mut batch = shared(points);
            for place in self.called.drain(..) {
                let Some(Some(seat)) = self.seats.get_mut(place) else { continue };
                self.woken.extend(seat.deliver(&mut batch, points, now));
            }
        }
        self.news = news;
    }

    fn write(&mut self, table: &Table, now: Monotonic, points: &[Point]) {
        self.news.clear();
        let table = table.batch();
        for (signal, point) in points {
            let (slot, wanted) = (table.slot(*signal), self.index.get(signal.index()));
            let (Some(slot), Some(wanted)) = (slot, wanted) else {
                self.news.push(News { repeats: false, stale: None });
                continue;
            };
            self.news.push(wanted.news(slot, &point.state, now));
            slot.write(point, now);
        }
    }

    /// Tells the seats which of at most 64 reports they want.
    fn call(&mut self, points: &[Point], news: &[News]) {
        for (at, ((signal, _), news)) in points.iter().zip(news).enumerate() {
            let Some(wanted) = self.index.get(signal.index()) else { continue };
            let changes = if news.repeats { &[][..] } else { wanted.changes.as_slice() };
            for want in wanted.all.iter().chain(changes) {
                let Some(Some(seat)) = self.seats.get_mut(want.seat) else { continue };
                if !std::mem::replace(&mut seat.called, true) {
                    self.called.push(want.seat);
                }
                seat.want(want.track, at, news.stale);
            }
            let Some(stale) = news.stale else { continue };
            for want in &wanted.returns {
                let Some(Some(seat)) = self.seats.get_mut(want.seat) else { continue };
                if !std::mem::replace(&mut seat.called, true) {
                    self.called.push(want.seat);
                }
                seat.note(want.track, at, stale);
            }
        }
    }

    /// A queue that holds its source back and has no room for its part of `points`.
    pub(super) fn full(&mut self, points: &[Point]) -> Option<Full> {
        let inbox = |place: &usize| Some((*place, &self.seats.get(*place)?.as_ref()?.inbox));
        // Most of the time there is room for the whole batch wherever one looks.
        let mut doubtful =
            self.blocking.iter().filter_map(inbox).filter(|(_, i)| !i.surely_fits(points.len()));
        doubtful.next()?;
        for (signal, _) in points {
            let Some(wanted) = self.index.get(signal.index()) else { continue };
            for want in wanted.all.iter().chain(&wanted.changes) {
                if let Some(Some(seat)) = self.seats.get_mut(want.seat) {
                    seat.more += 1;
                }
            }
        }
        let mut full = None;
        for seat in self.seats.iter_mut().flatten() {
            let more = std::mem::take(&mut seat.more);
            if more > 0 && full.is_none() {
                full = seat.inbox.wait_for(more).map(Full);
            }
        }
        full
    }

    /// The smallest bound of a queue that holds its source back.
    pub(super) fn smallest_block(&self) -> usize {
        let seats = self.blocking.iter().filter_map(|place| self.seats.get(*place)?.as_ref());
        seats.filter_map(|seat| seat.inbox.block_bound()).min().unwrap_or(usize::MAX)
    }

    pub(super) fn end(&mut self, reason: &Reason) {
        self.ended = Some(reason.clone());
        for seat in self.seats.iter().flatten() {
            self.woken.extend(seat.inbox.end(reason));
        }
        // An ended subscription must not hold a source back.
        for place in self.blocking.drain(..) {
            if let Some(Some(seat)) = self.seats.get(place) {
                seat.inbox.made_room();
            }
        }
    }

    /// How many subscribers there are.
    #[cfg(test)]
    pub(super) fn readers(&self) -> usize {
        self.seats.iter().flatten().count()
    }

    /// How many subscribers there is room for.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.seats.len()
    }
}

impl Wanted {
    /// Where a subscriber with this filter stands.
    fn list(&mut self, filter: &Filter) -> &mut Vec<Want> {
        if filter.every.is_some() {
            &mut self.returns
        } else if Track::wants_changes(filter) {
            &mut self.changes
        } else {
            &mut self.all
        }
    }

    /// A state beside the report that it takes the place of.
    fn news(&self, slot: &Slot, state: &State, now: Monotonic) -> News {
        if self.changes.is_empty()
            && (self.stale_after.is_none() || self.all.is_empty() && self.returns.is_empty())
        {
            return News { repeats: false, stale: None };
        }
        // Nobody else writes: the slot is whole.
        let Some(before) = slot.read() else { return News { repeats: false, stale: None } };
        let aged = matches!(before.point.state, State::Valid(_))
            && self.stale_after.is_some_and(|limit| now.saturating_since(before.at) >= limit);
        let repeats = !aged && before.point.state.same(state);
        News { repeats, stale: aged.then_some(before.number) }
    }
}

impl Seat {
    fn new(inbox: Arc<Inbox>, tracks: usize) -> Self {
        let words = if inbox.engine == Engine::States { tracks.div_ceil(64) } else { 0 };
        Self {
            engine: inbox.engine,
            inbox,
            called: false,
            mask: 0,
            words: vec![0; words],
            replaced: Vec::new(),
            offered: Vec::new(),
            more: 0,
        }
    }

    fn want(&mut self, track: usize, at: usize, stale: Option<u64>) {
        match self.engine {
            Engine::Plain => self.mask |= 1 << at,
            Engine::Judged => self.offered.push((track, at, stale)),
            Engine::States => {
                if let Some(word) = self.words.get_mut(track / 64) {
                    *word |= 1 << (track % 64);
                }
                self.replaced.extend(stale.map(|stale| (track, stale)));
            }
        }
    }

    fn note(&mut self, track: usize, at: usize, stale: u64) {
        match self.engine {
            Engine::Plain => {}
            Engine::Judged => self.offered.push((track, at, Some(stale))),
            Engine::States => self.replaced.push((track, stale)),
        }
    }

    /// Brings the inbox what was called for; returns whom to wake.
    fn deliver(
        &mut self,
        batch: &mut impl FnMut() -> Arc<[Point]>,
        points: &[Point],
        now: Monotonic,
    ) -> Option<Waker> {
        self.called = false;
        match self.engine {
            Engine::Plain => self.inbox.queue(&batch(), std::mem::take(&mut self.mask), now),
            Engine::Judged => self.inbox.judge(batch, points, &mut self.offered, now),
            Engine::States => self.inbox.mark(&mut self.words, &mut self.replaced),
        }
    }
}

/// The batch in common, made where the first one wants it.
fn shared(points: &[Point]) -> impl FnMut() -> Arc<[Point]> {
    let mut batch: Option<Arc<[Point]>> = None;
    move || batch.get_or_insert_with(|| points.into()).clone()
}
