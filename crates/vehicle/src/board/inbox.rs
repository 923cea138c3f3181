//! What one subscription has not read yet: dirty bits for states, a bounded ring of shared batches for updates.
//!
//! *Invariant:* a ring never holds more datapoints than its bound; every datapoint that is lost is counted where it is missing. The lock of
//! the tracks comes before that of what is unread.
//! *Next:* `track.rs` (the filter of each signal), `delivery.rs` (which fills it), `reader.rs` (which empties it).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use super::Inner;
use super::track::{Track, Verdict};
use crate::bell::{Bell, Listener};
use crate::catalogue::{Catalogue, SignalId};
use crate::datapoint::Reason;
use crate::points::{Point, Share};
use crate::subscribe::{Filter, Overflow};
use crate::sync::lock;
use crate::time::Monotonic;

pub(super) struct Inbox {
    pub(super) engine: Engine,
    /// Whether time alone makes something due.
    pub(super) timed: bool,
    /// The shortest time after which one of the signals is stale.
    freshness: Option<Duration>,
    overflow: Overflow,
    /// The filters, where whoever publishes asks them.
    tracks: Mutex<Tracks>,
    unread: Mutex<Unread>,
    /// How many datapoints are queued: not fewer than there are.
    queued: AtomicUsize,
    room: Bell,
}

/// How updates come into an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// Latest states: a bit says that there is a new one; filters run when the reader looks.
    States,
    /// Updates whose filters the index of signals answers: batches are queued as they are.
    Plain,
    /// Updates that have to pass filters of their own.
    Judged,
}

/// The filters of the signals.
#[derive(Default)]
pub(super) struct Tracks {
    pub(super) list: Vec<Track>,
    /// Whether present states are owed.
    pub(super) owing: bool,
    /// A time before which nothing becomes due.
    pub(super) due: Option<Monotonic>,
    /// Words to take dirty bits with.
    pub(super) spare: Vec<u64>,
}

/// What has come since the reader looked.
pub(super) struct Unread {
    /// By track: has a new state.
    dirty: Vec<u64>,
    /// By track: may be dirty.
    open: Vec<u64>,
    is_dirty: bool,
    /// By track: the number of the last report that had gone stale when the next one came.
    replaced: BTreeMap<usize, u64>,
    ring: VecDeque<Share>,
    /// How many datapoints the ring holds.
    length: usize,
    bound: usize,
    /// How many were lost before the front of the ring.
    lagged: u64,
    /// Signals of which nothing is queued, because they may not be read.
    masked: Vec<SignalId>,
    /// When the first of what is unread was published, where signals go stale.
    since: Option<Monotonic>,
    pub(super) ended: Option<Reason>,
    waker: Option<Waker>,
    /// A source waits for room.
    holds_back: bool,
}

/// What a reader finds.
pub(super) enum Took {
    /// So many datapoints are missing before what is queued, which it takes next.
    Lag(u64),
    All(Taken),
    /// Nothing, and its waker is kept. The one before it comes back, to be dropped without a lock.
    Nothing(Option<Waker>),
}

/// What a reader takes out at once.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) first: Option<Share>,
    pub(super) shares: Vec<Share>,
    pub(super) replaced: BTreeMap<usize, u64>,
    /// The dirty bits are in [`Tracks::spare`].
    pub(super) dirty: bool,
    /// When the first of it was published, where signals go stale.
    pub(super) since: Option<Monotonic>,
    /// A source waits for the room that there is now.
    pub(super) holds_back: bool,
    pub(super) ended: Option<Reason>,
}

impl Inbox {
    /// An inbox, and the filters where they are the reader's alone.
    pub(super) fn new(
        catalogue: &Catalogue,
        signals: &[(SignalId, Filter)],
        overflow: Overflow,
        inner: &Inner,
    ) -> (Self, Option<Tracks>) {
        let now = inner.clock.monotonic();
        let (mut list, mut plain) = (Vec::with_capacity(signals.len()), true);
        for (signal, filter) in signals {
            let stale_after = catalogue.entry(*signal).ok().and_then(crate::Entry::stale_after);
            plain &= Track::is_plain(filter, stale_after);
            list.extend(
                inner
                    .report(*signal)
                    .map(|now_there| Track::new(*signal, *filter, stale_after, &now_there, now)),
            );
        }
        let (engine, bound) = match overflow {
            Overflow::Latest => (Engine::States, 0),
            Overflow::Queue(bound) | Overflow::Block(bound) if plain => (Engine::Plain, bound),
            Overflow::Queue(bound) | Overflow::Block(bound) => (Engine::Judged, bound),
        };
        let words = if engine == Engine::States { list.len().div_ceil(64) } else { 0 };
        let timed = list.iter().any(Track::is_timed);
        let freshness = list.iter().filter_map(Track::stale_after).min();
        let tracks = Tracks { owing: !list.is_empty(), list, due: None, spare: vec![0; words] };
        let (ours, readers) =
            if engine == Engine::Judged { (tracks, None) } else { (Tracks::default(), Some(tracks)) };
        let inbox = Self {
            engine,
            timed,
            freshness,
            overflow,
            tracks: Mutex::new(ours),
            unread: Mutex::new(Unread {
                dirty: vec![0; words],
                open: vec![u64::MAX; words],
                is_dirty: false,
                replaced: BTreeMap::new(),
                ring: VecDeque::new(),
                length: 0,
                bound,
                lagged: 0,
                masked: Vec::new(),
                since: None,
                ended: None,
                waker: None,
                holds_back: false,
            }),
            queued: AtomicUsize::new(0),
            room: Bell::default(),
        };
        (inbox, readers)
    }

    /// The filters, where updates are judged.
    pub(super) fn tracks(&self) -> MutexGuard<'_, Tracks> {
        lock(&self.tracks)
    }

    pub(super) fn unread(&self) -> MutexGuard<'_, Unread> {
        lock(&self.unread)
    }

    /// The bound of a queue that holds its source back.
    pub(super) fn block_bound(&self) -> Option<usize> {
        match self.overflow {
            Overflow::Block(bound) => Some(bound),
            Overflow::Latest | Overflow::Queue(_) => None,
        }
    }

    /// Whether `more` datapoints surely fit: one atomic load.
    pub(super) fn surely_fits(&self, more: usize) -> bool {
        self.block_bound()
            .is_none_or(|bound| self.queued.load(Ordering::Relaxed).saturating_add(more) <= bound)
    }

    /// What to wait for until there may be room for `more` datapoints; `None` where there is.
    pub(super) fn wait_for(&self, more: usize) -> Option<Listener> {
        let bound = self.block_bound()?;
        // The listener comes first: room that is made after the look wakes it.
        let room = self.room.listen();
        let mut unread = self.unread();
        let full = unread.ended.is_none() && unread.length.saturating_add(more) > bound;
        unread.holds_back |= full;
        full.then_some(room)
    }

    /// Tells a waiting source that there is room.
    pub(super) fn made_room(&self) {
        if self.block_bound().is_some() {
            self.room.ring();
        }
    }

    /// Marks tracks as dirty; returns whom to wake.
    pub(super) fn mark(&self, words: &mut [u64], replaced: &mut Vec<(usize, u64)>) -> Option<Waker> {
        let mut unread = self.unread();
        unread.replaced.extend(replaced.drain(..));
        let (mut any, unread) = (0, &mut *unread);
        for ((dirty, open), word) in unread.dirty.iter_mut().zip(&unread.open).zip(words) {
            let new = std::mem::take(word) & open;
            any |= new;
            *dirty |= new;
        }
        if any == 0 {
            return None;
        }
        unread.is_dirty = true;
        unread.waker.take()
    }

    /// Queues the datapoints of a batch whose bits are set; returns whom to wake.
    pub(super) fn queue(&self, batch: &Arc<[Point]>, mask: u64, now: Monotonic) -> Option<Waker> {
        let mut unread = self.unread();
        unread.push(batch, mask, self.freshness.map(|_| now));
        self.queued.store(unread.length, Ordering::Relaxed);
        if unread.ring.is_empty() { None } else { unread.waker.take() }
    }

    /// Asks the filters about datapoints of a batch, each with its track and the number of a report before it that had gone stale, and queues
    /// what passes; returns whom to wake.
    pub(super) fn judge(
        &self,
        batch: &mut impl FnMut() -> Arc<[Point]>,
        points: &[Point],
        offered: &mut Vec<(usize, usize, Option<u64>)>,
        now: Monotonic,
    ) -> Option<Waker> {
        let mut tracks = self.tracks();
        let (mut mask, mut earlier) = (0_u64, false);
        for (index, at, stale) in offered.drain(..) {
            let (Some(track), Some((_, point))) = (tracks.list.get_mut(index), points.get(at)) else {
                continue;
            };
            if let Some(stale) = stale {
                track.replaced(stale);
            }
            if track.masked || track.is_periodic() {
                continue;
            }
            let stale = point.is_valid().then(|| track.stale_after()).flatten();
            let mut due = stale.map(|limit| now.saturating_add(limit));
            match track.judge(point, now) {
                Verdict::Drop => {}
                // It may go stale before its interval has ended.
                Verdict::Hold(until) => due = Some(due.map_or(until, |stale| stale.min(until))),
                Verdict::Pass(()) => {
                    track.deliver(&point.state, now);
                    mask |= 1 << at;
                }
            }
            earlier |= tracks.is_due_by(due);
        }
        let mut unread = self.unread();
        drop(tracks);
        if mask != 0 {
            unread.push(&batch(), mask, None);
            self.queued.store(unread.length, Ordering::Relaxed);
        }
        if mask != 0 || earlier { unread.waker.take() } else { None }
    }

    /// Takes out what is unread, or keeps the waker where nothing is.
    pub(super) fn take(&self, tracks: &mut Tracks, waker: &Waker) -> Took {
        let mut unread = self.unread();
        if unread.lagged > 0 {
            return Took::Lag(std::mem::take(&mut unread.lagged));
        }
        if !unread.is_dirty && unread.ring.is_empty() && unread.replaced.is_empty() && unread.ended.is_none()
        {
            // What was published and is not queued any more, lost or withdrawn, goes stale all the same.
            tracks.is_due_by(self.due_of(unread.since.take()));
            // Registered under the lock: whatever comes from here on wakes this reader.
            let known = unread.waker.as_ref().is_some_and(|known| known.will_wake(waker));
            return Took::Nothing(if known { None } else { unread.waker.replace(waker.clone()) });
        }
        let dirty = std::mem::take(&mut unread.is_dirty);
        if dirty {
            std::mem::swap(&mut unread.dirty, &mut tracks.spare);
        }
        unread.length = 0;
        self.queued.store(0, Ordering::Relaxed);
        Took::All(Taken {
            first: unread.ring.pop_front(),
            shares: if unread.ring.is_empty() { Vec::new() } else { std::mem::take(&mut unread.ring).into() },
            replaced: std::mem::take(&mut unread.replaced),
            dirty,
            since: unread.since.take(),
            holds_back: std::mem::take(&mut unread.holds_back),
            ended: unread.ended.clone(),
        })
    }

    /// Before when nothing becomes due of what is unread, where batches are queued as they are.
    pub(super) fn unread_due(&self) -> Option<Monotonic> {
        let fresh = self.freshness.filter(|_| self.engine == Engine::Plain)?;
        self.unread().since.map(|since| since.saturating_add(fresh))
    }

    /// Before when nothing becomes due of what was published at `since`.
    pub(super) fn due_of(&self, since: Option<Monotonic>) -> Option<Monotonic> {
        since.zip(self.freshness).map(|(since, fresh)| since.saturating_add(fresh))
    }

    /// Ends it; returns whom to wake.
    pub(super) fn end(&self, reason: &Reason) -> Option<Waker> {
        let mut unread = self.unread();
        unread.ended = Some(reason.clone());
        unread.waker.take()
    }

    /// Forgets what is unread of a signal, and queues nothing of it from here on.
    pub(super) fn mask(&self, index: usize, signal: SignalId) {
        let mut unread = self.unread();
        unread.clean(index);
        if let Some(word) = unread.open.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
        for share in &mut unread.ring {
            share.retain(|other| other != signal);
        }
        unread.ring.retain(|share| share.len() > 0);
        unread.length = unread.ring.iter().map(Share::len).sum();
        self.queued.store(unread.length, Ordering::Relaxed);
        if let Err(place) = unread.masked.binary_search(&signal) {
            unread.masked.insert(place, signal);
        }
    }

    /// Queues a signal again; what is unread of it until now is made up for by its present state.
    pub(super) fn unmask(&self, index: usize, signal: SignalId) {
        let mut unread = self.unread();
        if let Some(word) = unread.open.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        if let Ok(place) = unread.masked.binary_search(&signal) {
            unread.masked.remove(place);
        }
    }
}

impl Unread {
    fn push(&mut self, batch: &Arc<[Point]>, mask: u64, since: Option<Monotonic>) {
        let mut share = Share::new(batch.clone(), mask);
        if !self.masked.is_empty() {
            let masked = &self.masked;
            share.retain(|signal| masked.binary_search(&signal).is_err());
        }
        if share.len() == 0 {
            return;
        }
        self.length += share.len();
        self.ring.push_back(share.of_its_own_where_sparse());
        if self.since.is_none() {
            self.since = since;
        }
        while let Some(excess @ 1..) = self.length.checked_sub(self.bound) {
            let Some(oldest) = self.ring.front_mut() else { return };
            let lost = excess.min(oldest.len());
            if lost == oldest.len() {
                self.ring.pop_front();
            } else {
                oldest.skip(lost);
            }
            self.length -= lost;
            self.lagged += u64::try_from(lost).unwrap_or(u64::MAX);
        }
    }

    /// Forgets what there is to know of a track's new state.
    pub(super) fn clean(&mut self, index: usize) {
        self.replaced.remove(&index);
        if let Some(word) = self.dirty.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
    }
}

impl Tracks {
    /// Notes a time at which something becomes due; says whether it is earlier than all known ones.
    pub(super) fn is_due_by(&mut self, due: Option<Monotonic>) -> bool {
        let earlier = due.is_some_and(|due| self.due.is_none_or(|known| due < known));
        if earlier {
            self.due = due;
        }
        earlier
    }

    pub(super) fn position(&self, signal: SignalId) -> Option<usize> {
        self.list.binary_search_by_key(&signal, |track| track.signal).ok()
    }
}
