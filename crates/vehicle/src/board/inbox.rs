//! What one subscription has not read yet: dirty signals for states, a bounded queue for updates.
//!
//! *Invariant:* a queue never holds more datapoints than its bound; every datapoint that is lost is counted where it is missing.
//! *Next:* `track.rs` (the filter of each signal), `reader.rs` (which empties it).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use super::Inner;
use super::track::{Track, Verdict};
use crate::bell::{Bell, Listener};
use crate::catalogue::{Catalogue, SignalId};
use crate::datapoint::{Datapoint, Reason};
use crate::subscribe::{Filter, Overflow};
use crate::sync::lock;
use crate::time::Monotonic;

pub(super) struct Inbox {
    state: Mutex<Unread>,
    overflow: Overflow,
    room: Bell,
}

/// The unread part, under the inbox's lock.
pub(super) struct Unread {
    pub(super) tracks: Vec<Track>,
    /// Tracks to look at, each once: what changed (states), what is to be replayed (updates).
    pub(super) dirty: Vec<usize>,
    /// Updates that have passed their filters, by track.
    pub(super) queue: VecDeque<(usize, Datapoint)>,
    /// How many were lost before the front of the queue.
    pub(super) lagged: u64,
    /// The earliest time at which a track may become due.
    pub(super) due: Option<Monotonic>,
    pub(super) ended: Option<Reason>,
    pub(super) waker: Option<Waker>,
    /// Whether states are delivered rather than updates.
    pub(super) latest: bool,
    bound: usize,
}

impl Inbox {
    pub(super) fn new(
        catalogue: &Catalogue,
        signals: &[(SignalId, Filter)],
        overflow: Overflow,
        inner: &Arc<Inner>,
    ) -> Self {
        let now = inner.clock.monotonic();
        let tracks: Vec<_> = signals
            .iter()
            .filter_map(|(signal, filter)| {
                let stale_after = catalogue.entry(*signal).ok()?.stale_after();
                Some(Track::new(*signal, *filter, stale_after, inner.present(*signal)?, now))
            })
            .collect();
        let bound = match overflow {
            Overflow::Latest => 0,
            Overflow::Queue(bound) | Overflow::Block(bound) => bound,
        };
        let unread = Unread {
            dirty: (0..tracks.len()).collect(),
            tracks,
            queue: VecDeque::new(),
            lagged: 0,
            due: None,
            ended: None,
            waker: None,
            latest: overflow == Overflow::Latest,
            bound,
        };
        Self { state: Mutex::new(unread), overflow, room: Bell::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Unread> {
        lock(&self.state)
    }

    /// The bound of a queue that holds its source back.
    pub(super) fn block_bound(&self) -> Option<usize> {
        match self.overflow {
            Overflow::Block(bound) => Some(bound),
            Overflow::Latest | Overflow::Queue(_) => None,
        }
    }

    /// Whether `more` datapoints would not fit into a queue that holds its source back.
    pub(super) fn is_full_for(&self, more: usize) -> bool {
        self.block_bound().is_some_and(|bound| self.lock().queue.len().saturating_add(more) > bound)
    }

    /// A listener for room in the queue. Take it before asking [`is_full_for`](Self::is_full_for) again.
    pub(super) fn room(&self) -> Listener {
        self.room.listen()
    }

    /// Tells a waiting source that there is room.
    pub(super) fn made_room(&self) {
        if self.block_bound().is_some() {
            self.room.ring();
        }
    }
}

impl Unread {
    /// Takes a report of the signal of `track`; says whether the reader must be woken.
    pub(super) fn offer(&mut self, index: usize, point: &Datapoint, now: Monotonic) -> bool {
        let Some(track) = self.tracks.get_mut(index) else { return false };
        track.observe(point, now);
        if track.masked || self.ended.is_some() {
            return false;
        }
        let due = track.stale_due();
        if track.is_periodic() {
            return false;
        }
        if self.latest {
            let first = !std::mem::replace(&mut track.dirty, true);
            if first {
                self.dirty.push(index);
            }
            return self.is_due_by(due) || first;
        }
        match track.judge(point, now) {
            Verdict::Drop => self.is_due_by(due),
            // It may go stale before its interval has ended.
            Verdict::Hold(until) => self.is_due_by(Some(until)) | self.is_due_by(due),
            Verdict::Pass => {
                track.deliver(&point.state, now);
                self.push(index, point.clone());
                self.is_due_by(due);
                true
            }
        }
    }

    /// Notes a time at which something becomes due; says whether it is earlier than all known ones.
    pub(super) fn is_due_by(&mut self, due: Option<Monotonic>) -> bool {
        let earlier = due.is_some_and(|due| self.due.is_none_or(|known| due < known));
        if earlier {
            self.due = due;
        }
        earlier
    }

    fn push(&mut self, index: usize, point: Datapoint) {
        if self.queue.len() >= self.bound && self.queue.pop_front().is_some() {
            self.lagged += 1;
        }
        self.queue.push_back((index, point));
    }

    /// Masks a track and forgets what it has not delivered.
    pub(super) fn mask(&mut self, index: usize) {
        if let Some(track) = self.tracks.get_mut(index) {
            track.mask();
            self.queue.retain(|(queued, _)| *queued != index);
            self.dirty.retain(|dirty| *dirty != index);
        }
    }

    /// Lifts the mask of a track; its present state comes next.
    pub(super) fn unmask(&mut self, index: usize, present: (Datapoint, Monotonic), now: Monotonic) {
        if let Some(track) = self.tracks.get_mut(index)
            && track.masked
        {
            track.replay(present, now);
            self.dirty.push(index);
        }
    }
}
