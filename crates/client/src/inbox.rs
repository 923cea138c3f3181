//! What one subscription has not read yet: what the gateway sent passes through here to the app, in its order.
//!
//! Filters ran at the gateway. What is left is overflow on this side of the link: states overwrite each other, updates are bounded.
//!
//! *Invariant:* at most `bound` updates and one present value for each signal are kept; what is lost is counted where it is missing.
//! *Next:* `subscription.rs` (who fills it), the app (who empties it).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use coachwork_vehicle::{Datapoint, Event, Overflow, Permission, Points, Reason, SignalId, State};

/// The unread part of a subscription, shared by its stream and the driver.
pub(crate) struct Inbox(Mutex<Unread>);

struct Unread {
    /// In the order of their ids.
    tracks: Vec<Track>,
    latest: bool,
    bound: usize,
    /// What comes before `items`: it was spared when updates behind it were lost.
    spared: VecDeque<Item>,
    items: VecDeque<Item>,
    /// How many updates are in `items`.
    updates: usize,
    /// Tracks with an unread state, for `latest`.
    dirty: Vec<usize>,
    access: Vec<(SignalId, Permission)>,
    ended: Option<Reason>,
    done: bool,
    waker: Option<Waker>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of the signal; no two exclude each other"
)]
struct Track {
    signal: SignalId,
    /// Whether a state that the app was told already is kept from it.
    changes_only: bool,
    /// What came last, delivered or not.
    last: Option<Datapoint>,
    delivered: Option<State>,
    /// The next datapoint is the present value.
    owed: bool,
    /// A present value is unread.
    present: bool,
    dirty: bool,
    /// A stale value came since the app looked: what follows is a change, whatever it is.
    returned: bool,
    /// The rights at the gateway, and those that the app was told.
    permission: Permission,
    told: Permission,
    /// A wrapper on this side has taken the right away.
    masked: bool,
}

enum Item {
    Present(usize, Datapoint),
    Update(usize, Datapoint),
    Lagged(u64),
}

/// A signal of a new subscription: its id, whether only changes are wanted, and the right at present.
pub(crate) struct Covered {
    pub(crate) signal: SignalId,
    pub(crate) changes_only: bool,
    pub(crate) permission: Permission,
}

impl Inbox {
    /// An inbox for these signals, in the order of their ids.
    pub(crate) fn new(covered: impl IntoIterator<Item = Covered>, overflow: Overflow) -> Self {
        let tracks = covered.into_iter().map(Track::new).collect();
        let (latest, bound) = match overflow {
            Overflow::Latest => (true, 0),
            Overflow::Queue(bound) | Overflow::Block(bound) => (false, bound),
        };
        Self(Mutex::new(Unread {
            tracks,
            latest,
            bound,
            spared: VecDeque::new(),
            items: VecDeque::new(),
            updates: 0,
            dirty: Vec::new(),
            access: Vec::new(),
            ended: None,
            done: false,
            waker: None,
        }))
    }

    /// Datapoints as the gateway sent them.
    pub(crate) fn points(&self, points: impl IntoIterator<Item = (SignalId, Datapoint)>) {
        self.change(|unread| {
            for (signal, point) in points {
                unread.take(signal, point);
            }
        });
    }

    /// This many datapoints are missing here.
    pub(crate) fn lagged(&self, count: u64) {
        self.change(|unread| unread.items.push_lagged(count));
    }

    /// Rights changed at the gateway.
    pub(crate) fn access(&self, changes: impl IntoIterator<Item = (SignalId, Permission)>) {
        self.change(|unread| {
            for (signal, permission) in changes {
                unread.permit(signal, permission);
            }
        });
    }

    /// The link is lost: what may be read is not available.
    pub(crate) fn link_lost(&self, point: &Datapoint) {
        self.change(|unread| {
            let signals: Vec<_> = unread.tracks.iter().filter(|t| !t.is_denied()).map(|t| t.signal).collect();
            for signal in signals {
                unread.take(signal, point.clone());
            }
        });
    }

    /// The subscription stands: the next datapoint of each signal is its present value, and these are the signals without the right
    /// at present. The app is told what changed where it stood before (`anew`); otherwise its report says so.
    pub(crate) fn stands(&self, anew: bool, denied: &[(SignalId, Permission)]) {
        self.change(|unread| {
            unread.tracks.iter_mut().for_each(|track| track.owed = true);
            let signals: Vec<_> = unread.tracks.iter().map(|track| track.signal).collect();
            for signal in signals {
                let found = denied.iter().find(|(other, _)| *other == signal);
                let permission = found.map_or(Permission::Yes, |(_, permission)| permission.clone());
                if !anew
                    && let Some(index) = unread.index(signal)
                    && let Some(track) = unread.tracks.get_mut(index)
                {
                    track.told.clone_from(&permission);
                }
                unread.permit(signal, permission);
            }
        });
    }

    /// Nothing more will come.
    pub(crate) fn end(&self, reason: &Reason) {
        self.change(|unread| {
            if unread.ended.is_none() {
                unread.ended = Some(reason.clone());
            }
        });
    }

    /// A wrapper on this side takes the right to signals away, or gives it back: then the last value comes again.
    pub(crate) fn restrict(&self, signals: &[SignalId], allowed: bool) {
        self.change(|unread| {
            for signal in signals {
                let Some(index) = unread.index(*signal) else { continue };
                let Some(track) = unread.tracks.get_mut(index) else { continue };
                if allowed == track.masked {
                    track.masked = !allowed;
                    if allowed {
                        unread.replay(index);
                    } else {
                        unread.purge(index);
                    }
                }
            }
        });
    }

    /// The next event.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        // Dropped after the lock: a waker may run anything.
        let _replaced;
        let mut unread = self.lock();
        if unread.done {
            return Poll::Ready(None);
        }
        if let Some(event) = unread.next() {
            return Poll::Ready(Some(event));
        }
        if let Some(reason) = unread.ended.clone() {
            unread.done = true;
            return Poll::Ready(Some(Event::Ended(reason)));
        }
        if !unread.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            _replaced = unread.waker.replace(cx.waker().clone());
        }
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut Unread)) {
        let woken = {
            let mut unread = self.lock();
            if unread.ended.is_some() {
                return;
            }
            change(&mut unread);
            if unread.is_empty() { None } else { unread.waker.take() }
        };
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unread> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Track {
    fn new(covered: Covered) -> Self {
        Self {
            signal: covered.signal,
            changes_only: covered.changes_only,
            last: None,
            delivered: None,
            owed: true,
            present: false,
            dirty: false,
            returned: false,
            told: covered.permission.clone(),
            permission: covered.permission,
            masked: false,
        }
    }

    fn is_denied(&self) -> bool {
        self.permission != Permission::Yes
    }
}

impl Unread {
    fn is_empty(&self) -> bool {
        self.spared.is_empty()
            && self.items.is_empty()
            && self.dirty.is_empty()
            && self.access.is_empty()
            && self.ended.is_none()
    }

    fn index(&self, signal: SignalId) -> Option<usize> {
        self.tracks.binary_search_by_key(&signal, |track| track.signal).ok()
    }

    fn take(&mut self, signal: SignalId, point: Datapoint) {
        let Some(index) = self.index(signal) else { return };
        let Some(track) = self.tracks.get_mut(index) else { return };
        let owed = std::mem::take(&mut track.owed);
        track.returned |= matches!(point.state, State::Stale(_));
        track.last = Some(point.clone());
        if !track.masked {
            self.put(index, point, owed);
        }
    }

    /// A present value comes outside the bound, unless one is unread already.
    fn put(&mut self, index: usize, point: Datapoint, present: bool) {
        let Some(track) = self.tracks.get_mut(index) else { return };
        let spare = present && !track.present;
        track.present |= present;
        if self.latest {
            if !std::mem::replace(&mut track.dirty, true) {
                self.dirty.push(index);
            }
            return;
        }
        if spare {
            self.items.push_back(Item::Present(index, point));
            return;
        }
        if self.updates >= self.bound {
            self.lose_oldest();
        }
        self.items.push_back(Item::Update(index, point));
        self.updates += 1;
    }

    fn lose_oldest(&mut self) {
        while let Some(item) = self.items.pop_front() {
            match item {
                Item::Update(..) => {
                    self.updates -= 1;
                    self.spared.push_lagged(1);
                    return;
                }
                Item::Present(..) => self.spared.push_back(item),
                Item::Lagged(count) => self.spared.push_lagged(count),
            }
        }
    }

    fn permit(&mut self, signal: SignalId, permission: Permission) {
        let Some(index) = self.index(signal) else { return };
        let Some(track) = self.tracks.get_mut(index) else { return };
        if permission == Permission::Yes {
            track.owed = true;
        }
        track.permission.clone_from(&permission);
        self.access.retain(|(other, _)| *other != signal);
        if track.told != permission {
            self.access.push((signal, permission));
        }
        if track.is_denied() {
            self.purge(index);
        }
    }

    /// Forgets what is unread of a track.
    fn purge(&mut self, index: usize) {
        if let Some(track) = self.tracks.get_mut(index) {
            (track.dirty, track.present) = (false, false);
        }
        self.dirty.retain(|dirty| *dirty != index);
        let keep = |item: &Item| !matches!(item, Item::Present(at, _) | Item::Update(at, _) if *at == index);
        self.spared.retain(keep);
        self.items.retain(keep);
        self.updates = self.items.iter().filter(|item| matches!(item, Item::Update(..))).count();
    }

    fn replay(&mut self, index: usize) {
        let last = self.tracks.get(index).filter(|track| !track.is_denied()).and_then(|t| t.last.clone());
        if let Some(point) = last {
            self.put(index, point, true);
        }
    }

    fn next(&mut self) -> Option<Event> {
        if !self.access.is_empty() {
            let changes = std::mem::take(&mut self.access);
            for (signal, permission) in &changes {
                if let Some(track) = self.index(*signal).and_then(|index| self.tracks.get_mut(index)) {
                    track.told.clone_from(permission);
                }
            }
            return Some(Event::Access(changes));
        }
        let queued = self.queued();
        if queued.is_some() {
            return queued;
        }
        let points = self.states(true).or_else(|| self.states(false))?;
        Some(Event::Changed(Points::new(points)))
    }

    /// A gap, or the datapoints of one kind that follow each other at the front.
    fn queued(&mut self) -> Option<Event> {
        let mut points = Vec::new();
        let mut kind = None;
        loop {
            let (items, is_item) = match self.spared.front() {
                Some(_) => (&mut self.spared, false),
                None => (&mut self.items, true),
            };
            let present = match items.front() {
                None => break,
                Some(Item::Lagged(_)) if !points.is_empty() => break,
                Some(Item::Lagged(count)) => {
                    let count = *count;
                    items.pop_front();
                    return Some(Event::Lagged(count));
                }
                Some(Item::Present(..)) => true,
                Some(Item::Update(..)) => false,
            };
            if *kind.get_or_insert(present) != present {
                break;
            }
            if let Some(Item::Present(index, point) | Item::Update(index, point)) = items.pop_front() {
                if is_item && !present {
                    self.updates -= 1;
                }
                if let Some(track) = self.tracks.get_mut(index) {
                    track.present &= !present;
                    points.push((track.signal, point));
                }
            }
        }
        (!points.is_empty()).then(|| Event::Changed(Points::new(points)))
    }

    /// States that the app has not seen: the present values that are owed, or the others.
    fn states(&mut self, present: bool) -> Option<Vec<(SignalId, Datapoint)>> {
        let (tracks, mut points) = (&mut self.tracks, Vec::new());
        self.dirty.retain(|&index| {
            let Some(track) = tracks.get_mut(index) else { return false };
            if track.present != present {
                return true;
            }
            (track.dirty, track.present) = (false, false);
            let Some(point) = &track.last else { return false };
            let told = track.delivered.as_ref().is_some_and(|delivered| delivered.same(&point.state));
            let returned = std::mem::take(&mut track.returned);
            // It went and came back unread: for the app nothing has changed.
            if present || returned || !track.changes_only || !told {
                track.delivered = Some(point.state.clone());
                points.push((track.signal, point.clone()));
            }
            false
        });
        (!points.is_empty()).then_some(points)
    }
}

/// Gaps that follow each other are one.
trait PushLagged {
    fn push_lagged(&mut self, count: u64);
}

impl PushLagged for VecDeque<Item> {
    fn push_lagged(&mut self, count: u64) {
        match self.back_mut() {
            Some(Item::Lagged(before)) => *before = before.saturating_add(count),
            _ => self.push_back(Item::Lagged(count)),
        }
    }
}

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;
