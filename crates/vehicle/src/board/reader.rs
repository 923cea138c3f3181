//! The reading half of a board's subscription: it turns what is unread, and what time makes due, into events.
//!
//! *Invariant:* present values come before updates, a gap before what follows it, the end last and once. At most one timer.
//! *Next:* `subscription.rs` (which puts gates over it).

use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};

use super::Inner;
use super::inbox::{Engine, Inbox, Taken, Took, Tracks};
use super::track::Verdict;
use crate::catalogue::SignalId;
use crate::clock::Sleep;
use crate::points::{Point, Points};
use crate::subscription::{Event, Source};
use crate::time::Monotonic;

pub(super) struct Reader {
    board: Arc<Inner>,
    inbox: Arc<Inbox>,
    place: usize,
    /// The filters, where they are not the inbox's.
    own: Option<Tracks>,
    timer: Option<(Monotonic, Sleep)>,
    ended: bool,
}

/// What there is to read.
enum Looked {
    Event(Event),
    /// Nothing, at least until then.
    Nothing(Option<Monotonic>),
    Over,
}

/// The filters, of the reader's own or behind the inbox's lock.
enum Filters<'a> {
    Own(&'a mut Tracks),
    Shared(MutexGuard<'a, Tracks>),
}

impl<'a> Filters<'a> {
    fn of(own: &'a mut Option<Tracks>, inbox: &'a Inbox) -> Self {
        own.as_mut().map_or_else(|| Self::Shared(inbox.tracks()), Self::Own)
    }
}

impl Deref for Filters<'_> {
    type Target = Tracks;

    fn deref(&self) -> &Tracks {
        match self {
            Self::Own(tracks) => tracks,
            Self::Shared(tracks) => tracks,
        }
    }
}

impl DerefMut for Filters<'_> {
    fn deref_mut(&mut self) -> &mut Tracks {
        match self {
            Self::Own(tracks) => tracks,
            Self::Shared(tracks) => tracks,
        }
    }
}

impl Reader {
    pub(super) fn new(board: Arc<Inner>, inbox: Arc<Inbox>, place: usize, own: Option<Tracks>) -> Self {
        Self { board, inbox, place, own, timer: None, ended: false }
    }

    /// The next event that is there now, or the time to look again; and whether a source waits for the room that there is now.
    fn look(&mut self, cx: &Context<'_>) -> (Looked, bool) {
        if self.ended {
            return (Looked::Over, false);
        }
        let Self { board, inbox, own, .. } = self;
        let now = if inbox.timed { board.clock.monotonic() } else { Monotonic::default() };
        // Dropped after the locks: a waker may run anything.
        let mut before = Vec::new();
        let mut tracks = Filters::of(own, inbox);
        let mut order = None;
        let passed = |due: Option<Monotonic>| due.is_some_and(|due| now >= due);
        let is_due = passed(tracks.due) || passed(inbox.unread_due());
        if tracks.owing || is_due {
            // What time makes due follows what has been published until now, and nothing is meanwhile.
            drop(tracks);
            order = Some(board.deliveries.lock());
            tracks = Filters::of(own, inbox);
        }
        if tracks.owing
            && let Some(points) = replays(board, inbox, &mut tracks, now)
        {
            return (Looked::Event(Event::Changed(points)), false);
        }
        let mut evaluate = is_due;
        let mut holds_back = false;
        loop {
            let (taken, nothing) = match inbox.take(&mut tracks, cx.waker()) {
                Took::Lag(lost) => return (Looked::Event(Event::Lagged(lost)), holds_back),
                Took::All(taken) => (taken, false),
                Took::Nothing(waker) => {
                    before.extend(waker);
                    (Taken::default(), true)
                }
            };
            holds_back |= taken.holds_back;
            let mut points = Vec::new();
            for (index, stale) in taken.replaced {
                if let Some(track) = tracks.list.get_mut(index) {
                    track.replaced(stale);
                }
            }
            tracks.is_due_by(inbox.due_of(taken.since));
            if taken.dirty {
                states(board, &mut tracks, now, &mut points);
            }
            if taken.ended.is_some() {
                release(&mut tracks, now, &mut points);
            } else if std::mem::take(&mut evaluate) {
                due(board, &mut tracks, now, &mut points);
            }
            if taken.first.is_some() || !points.is_empty() {
                let points = Points::gathered(taken.first, taken.shares, points);
                return (Looked::Event(Event::Changed(points)), holds_back);
            }
            if let Some(reason) = taken.ended {
                self.ended = true;
                return (Looked::Event(Event::Ended(reason)), holds_back);
            }
            if nothing {
                let due = tracks.due;
                drop((tracks, order));
                drop(before);
                return (Looked::Nothing(due), holds_back);
            }
        }
    }
}

/// Present states that are owed whatever the filters say.
fn replays(board: &Inner, inbox: &Inbox, tracks: &mut Tracks, now: Monotonic) -> Option<Points> {
    tracks.owing = false;
    let mut points = Vec::new();
    for (index, track) in tracks.list.iter_mut().enumerate().filter(|(_, track)| track.is_owed()) {
        let present = if inbox.engine == Engine::States || track.is_periodic() {
            inbox.unread().clean(index);
            board.report(track.signal)
        } else {
            None
        };
        points.extend(track.pay(now, present.as_ref()).map(|point| (track.signal, point)));
    }
    look_again(board, tracks);
    (!points.is_empty()).then(|| Points::new(points))
}

/// States that have changed since the reader looked, as far as their filters let them pass now.
fn states(board: &Inner, tracks: &mut Tracks, now: Monotonic, points: &mut Vec<Point>) {
    let mut words = std::mem::take(&mut tracks.spare);
    for (place, word) in words.iter_mut().enumerate() {
        while *word != 0 {
            let index = place * 64 + usize::try_from(word.trailing_zeros()).unwrap_or(0);
            *word &= *word - 1;
            let Some(track) = tracks.list.get_mut(index).filter(|track| !track.masked) else { continue };
            let Some(present) = board.report(track.signal) else { continue };
            let verdict = track.judge_present(&present, now);
            let (signal, stale) = (track.signal, track.stale_due(&present));
            tracks.is_due_by(stale);
            match verdict {
                Verdict::Drop => {}
                Verdict::Hold(until) => {
                    tracks.is_due_by(Some(until));
                }
                Verdict::Pass(point) => points.push((signal, point)),
            }
        }
    }
    tracks.spare = words;
}

/// What time alone has made due.
fn due(board: &Inner, tracks: &mut Tracks, now: Monotonic, points: &mut Vec<Point>) {
    for track in tracks.list.iter_mut().filter(|track| track.is_timed()) {
        let Some(present) = board.report(track.signal) else { continue };
        if let Some(point) = track.due(&present, now) {
            track.deliver(&point.state, now);
            points.push((track.signal, point));
        }
    }
    look_again(board, tracks);
}

fn look_again(board: &Inner, tracks: &mut Tracks) {
    let timed = tracks.list.iter().filter(|track| track.is_timed());
    tracks.due = timed.filter_map(|track| track.next_due(&board.report(track.signal)?)).min();
}

/// What waits for an interval to end, for a reader that must not wait because the end has come.
fn release(tracks: &mut Tracks, now: Monotonic, points: &mut Vec<Point>) {
    for track in &mut tracks.list {
        if let Some(point) = track.release() {
            track.deliver(&point.state, now);
            points.push((track.signal, point));
        }
    }
}

impl Source for Reader {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let (looked, holds_back) = self.look(cx);
            if holds_back {
                self.inbox.made_room();
            }
            let due = match looked {
                Looked::Event(event) => return Poll::Ready(Some(event)),
                Looked::Over => return Poll::Ready(None),
                Looked::Nothing(due) => due,
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
        if signals.is_empty() {
            return;
        }
        {
            // Nobody publishes meanwhile, so that the replayed state is the present one.
            let _order = self.board.deliveries.lock();
            let now = self.board.clock.monotonic();
            let mut tracks = Filters::of(&mut self.own, &self.inbox);
            for signal in signals {
                let Some(index) = tracks.position(*signal) else { continue };
                let Some(track) = tracks.list.get_mut(index) else { continue };
                match self.board.report(*signal) {
                    Some(present) if allowed => {
                        if track.masked {
                            track.replay(&present, now);
                            self.inbox.unmask(index, *signal);
                            tracks.owing = true;
                        }
                    }
                    _ => {
                        track.mask();
                        self.inbox.mask(index, *signal);
                    }
                }
            }
        }
        self.inbox.made_room();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        {
            let mut deliveries = self.board.deliveries.lock();
            let tracks = Filters::of(&mut self.own, &self.inbox);
            deliveries.remove(self.place, tracks.list.iter().map(|track| track.signal));
        }
        self.inbox.made_room();
    }
}
