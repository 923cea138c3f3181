//! The reading half of a board's subscription: it turns what is unread, and what time makes due, into events.
//!
//! *Invariant:* present values come before updates, a gap before what follows it, the end last and once. At most one timer.
//! *Next:* `subscription.rs` (which puts gates over it).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Inner;
use super::inbox::{Inbox, Unread};
use super::track::Verdict;
use crate::catalogue::SignalId;
use crate::clock::Sleep;
use crate::datapoint::Datapoint;
use crate::subscription::{Event, Points, Source};
use crate::sync::lock;
use crate::time::Monotonic;

pub(super) struct Reader {
    board: Arc<Inner>,
    inbox: Arc<Inbox>,
    timer: Option<(Monotonic, Sleep)>,
    ended: bool,
}

impl Reader {
    pub(super) fn new(board: Arc<Inner>, inbox: Arc<Inbox>) -> Self {
        Self { board, inbox, timer: None, ended: false }
    }

    /// The next event that is there at `now`, or the time to look again.
    fn take(&mut self, now: Monotonic, cx: &Context<'_>) -> Result<Option<Event>, Option<Monotonic>> {
        if self.ended {
            return Ok(None);
        }
        // Dropped after the lock: a waker may run anything.
        let _replaced;
        let mut unread = self.inbox.lock();
        if let Some(points) = unread.replays(now) {
            return Ok(Some(Event::Changed(points)));
        }
        if unread.lagged > 0 {
            return Ok(Some(Event::Lagged(std::mem::take(&mut unread.lagged))));
        }
        let mut points = unread.queued();
        if !points.is_empty() {
            self.inbox.made_room();
        }
        unread.states(now, &mut points);
        unread.due(now, &mut points);
        if !points.is_empty() {
            return Ok(Some(Event::Changed(Points::new(points))));
        }
        if let Some(reason) = unread.ended.clone() {
            self.ended = true;
            return Ok(Some(Event::Ended(reason)));
        }
        // Registered under the inbox's lock: whatever is offered from here on wakes this reader.
        if !unread.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            _replaced = unread.waker.replace(cx.waker().clone());
        }
        Err(unread.due)
    }
}

impl Source for Reader {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let due = match self.take(self.board.clock.monotonic(), cx) {
                Ok(event) => return Poll::Ready(event),
                Err(due) => due,
            };
            let Some(due) = due else {
                self.timer = None;
                return Poll::Pending;
            };
            if self.timer.as_ref().is_none_or(|(at, _)| *at != due) {
                self.timer = Some((due, self.board.clock.sleep_until(due)));
            }
            let Some((_, sleep)) = &mut self.timer else { return Poll::Pending };
            if Pin::new(sleep).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
        }
    }

    fn restrict(&mut self, signals: &[SignalId], allowed: bool) {
        // No publisher runs meanwhile, so that the replayed state is the present one.
        let order = lock(&self.board.deliveries);
        let now = self.board.clock.monotonic();
        let mut unread = self.inbox.lock();
        for signal in signals {
            let Ok(index) = unread.tracks.binary_search_by_key(signal, |track| track.signal) else {
                continue;
            };
            match (allowed, self.board.present(*signal)) {
                (true, Some(present)) => unread.unmask(index, present, now),
                _ => unread.mask(index),
            }
        }
        drop((unread, order));
        self.inbox.made_room();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        lock(&self.board.deliveries).remove(&self.inbox);
        self.inbox.made_room();
    }
}

impl Unread {
    /// Present states that are owed whatever the filters say.
    fn replays(&mut self, now: Monotonic) -> Option<Points> {
        let (tracks, latest, mut points) = (&mut self.tracks, self.latest, Vec::new());
        self.dirty.retain(|&index| {
            let Some(track) = tracks.get_mut(index).filter(|track| track.is_owed()) else { return true };
            track.dirty = false;
            points.extend(track.pay(now, latest).map(|point| (track.signal, point)));
            false
        });
        if points.is_empty() {
            return None;
        }
        self.look_again();
        Some(Points::new(points))
    }

    /// Updates that have passed their filters.
    fn queued(&mut self) -> Vec<(SignalId, Datapoint)> {
        let tracks = &self.tracks;
        self.queue.drain(..).filter_map(|(index, point)| Some((tracks.get(index)?.signal, point))).collect()
    }

    /// States that have changed since the reader looked, as far as their filters let them pass now.
    fn states(&mut self, now: Monotonic, points: &mut Vec<(SignalId, Datapoint)>) {
        for index in std::mem::take(&mut self.dirty) {
            let Some(track) = self.tracks.get_mut(index) else { continue };
            track.dirty = false;
            let (point, verdict) = track.judge_present(now);
            match verdict {
                Verdict::Drop => {}
                Verdict::Hold(until) => drop(self.is_due_by(Some(until))),
                Verdict::Pass => {
                    track.deliver(&point.state, now);
                    points.push((track.signal, point));
                }
            }
        }
    }

    /// What time alone has made due.
    fn due(&mut self, now: Monotonic, points: &mut Vec<(SignalId, Datapoint)>) {
        let ended = self.ended.is_some();
        if !ended && self.due.is_none_or(|due| now < due) {
            return;
        }
        for track in &mut self.tracks {
            let point = if ended { track.release() } else { track.due(now) };
            if let Some(point) = point {
                track.deliver(&point.state, now);
                points.push((track.signal, point));
            }
        }
        self.look_again();
    }

    fn look_again(&mut self) {
        self.due = self.tracks.iter().filter_map(super::track::Track::next_due).min();
    }
}
