//! From a published batch to the inboxes that want it: an index from signal to subscribers, one lock per subscriber and batch.
//!
//! *Invariant:* what a publish costs depends on who wants its signals, not on how many others there are.
//! *Next:* `inbox.rs` (what each subscriber has not read).

use std::sync::Arc;
use std::task::Waker;

use super::inbox::Inbox;
use crate::bell::Listener;
use crate::catalogue::SignalId;
use crate::datapoint::{Datapoint, Reason};
use crate::subscribe::Filter;
use crate::time::Monotonic;

pub(super) struct Deliveries {
    inboxes: Vec<Option<Arc<Inbox>>>,
    free: Vec<usize>,
    /// For each row of the catalogue: which inbox wants it, as which of its tracks.
    wanted: Vec<Vec<Want>>,
    /// The present batch, by inbox; kept to spare the allocation.
    batch: Vec<(Want, usize)>,
    blocking: Vec<Arc<Inbox>>,
    ended: Option<Reason>,
    /// Whom to wake once the lock is released.
    woken: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Want {
    inbox: usize,
    track: usize,
}

/// A queue that has no room, found under the lock and waited for outside.
pub(super) struct Full(Listener);

impl Full {
    pub(super) async fn room(self) {
        self.0.await;
    }
}

impl Deliveries {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            inboxes: Vec::new(),
            free: Vec::new(),
            wanted: vec![Vec::new(); rows],
            batch: Vec::new(),
            blocking: Vec::new(),
            ended: None,
            woken: Vec::new(),
        }
    }

    /// The readers to wake, outside the lock: a waker may run anything, this board included.
    pub(super) fn woken(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.woken)
    }

    pub(super) fn grow(&mut self, rows: usize) {
        self.wanted.resize(rows, Vec::new());
    }

    pub(super) fn add(&mut self, inbox: &Arc<Inbox>, signals: &[(SignalId, Filter)]) {
        inbox.lock().ended.clone_from(&self.ended);
        let place = self.free.pop().unwrap_or_else(|| {
            self.inboxes.push(None);
            self.inboxes.len() - 1
        });
        if let Some(slot) = self.inboxes.get_mut(place) {
            *slot = Some(inbox.clone());
        }
        for (track, (signal, _)) in signals.iter().enumerate() {
            if let Some(wanted) = self.wanted.get_mut(signal.index()) {
                wanted.push(Want { inbox: place, track });
            }
        }
        if inbox.block_bound().is_some() {
            self.blocking.push(inbox.clone());
        }
    }

    pub(super) fn remove(&mut self, inbox: &Arc<Inbox>) {
        self.blocking.retain(|other| !Arc::ptr_eq(other, inbox));
        let same = |slot: &Option<Arc<Inbox>>| slot.as_ref().is_some_and(|other| Arc::ptr_eq(other, inbox));
        let Some(place) = self.inboxes.iter().position(same) else { return };
        for track in &inbox.lock().tracks {
            if let Some(wanted) = self.wanted.get_mut(track.signal.index()) {
                wanted.retain(|want| want.inbox != place);
            }
        }
        if let Some(slot) = self.inboxes.get_mut(place) {
            *slot = None;
        }
        self.free.push(place);
    }

    /// Gives each inbox its part of a batch, in the batch's order.
    pub(super) fn offer(&mut self, now: Monotonic, points: &[(SignalId, Datapoint)]) {
        self.collect(points);
        let mut rest = self.batch.as_slice();
        while let Some((Want { inbox: place, .. }, _)) = rest.first() {
            let part = rest.iter().take_while(|(want, _)| want.inbox == *place).count();
            let (mine, others) = rest.split_at_checked(part).unwrap_or((rest, &[]));
            rest = others;
            let Some(Some(inbox)) = self.inboxes.get(*place) else { continue };
            let mut unread = inbox.lock();
            let wake = mine.iter().fold(false, |wake, (want, at)| {
                points.get(*at).is_some_and(|(_, point)| unread.offer(want.track, point, now)) | wake
            });
            if wake {
                self.woken.extend(unread.waker.take());
            }
        }
    }

    /// A queue that holds its source back and has no room for its part of `points`.
    pub(super) fn full(&mut self, points: &[(SignalId, Datapoint)]) -> Option<Full> {
        if self.blocking.is_empty() {
            return None;
        }
        self.collect(points);
        self.blocking.iter().find_map(|inbox| {
            // The listener comes first: room that is made after the look wakes it.
            let room = inbox.room();
            let mine = |want: &Want| {
                self.inboxes
                    .get(want.inbox)
                    .is_some_and(|slot| slot.as_ref().is_some_and(|i| Arc::ptr_eq(i, inbox)))
            };
            let more = self.batch.iter().filter(|(want, _)| mine(want)).count();
            (more > 0 && inbox.is_full_for(more)).then_some(Full(room))
        })
    }

    /// The smallest bound of a queue that holds its source back.
    pub(super) fn smallest_block(&self) -> usize {
        self.blocking.iter().filter_map(|inbox| inbox.block_bound()).min().unwrap_or(usize::MAX)
    }

    pub(super) fn end(&mut self, reason: &Reason) {
        self.ended = Some(reason.clone());
        for inbox in self.inboxes.iter().flatten() {
            let mut unread = inbox.lock();
            unread.ended = Some(reason.clone());
            self.woken.extend(unread.waker.take());
        }
        // An ended subscription must not hold a source back.
        for inbox in self.blocking.drain(..) {
            inbox.made_room();
        }
    }

    /// How many inboxes there is room for.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.inboxes.len()
    }

    /// Sorts who wants what of a batch by inbox, then by place in the batch.
    fn collect(&mut self, points: &[(SignalId, Datapoint)]) {
        self.batch.clear();
        for (at, (signal, _)) in points.iter().enumerate() {
            let wanted = self.wanted.get(signal.index()).map_or(&[][..], Vec::as_slice);
            self.batch.extend(wanted.iter().map(|want| (*want, at)));
        }
        if points.len() > 1 {
            self.batch.sort_unstable_by_key(|(want, at)| (want.inbox, *at));
        }
    }
}
