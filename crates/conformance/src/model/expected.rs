//! What a board must tell, worked out the plain way.
//!
//! *Invariant:* each rule of `Filter`, `Overflow` and `Receipt` is written down here once more, from their documentation.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use coachwork_vehicle::{ErrorKind, Filter, Overflow, Reason, ReasonKind, State, Value};

use super::{Action, PLACES, STALE_AFTER};

/// What a subscription tells, with signals by number and the points of an event by signal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Changed(Vec<(usize, State)>),
    Lagged(u64),
    Access(Vec<(usize, bool)>),
    Ended,
    Other(String),
}

impl Told {
    /// Points of one signal keep their order; that of signals among each other is not compared.
    pub(crate) fn changed(mut points: Vec<(usize, State)>) -> Self {
        points.sort_by_key(|(signal, _)| *signal);
        Self::Changed(points)
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Changed(a), Self::Changed(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((s, a), (t, b))| s == t && a.same(b))
            }
            (a, b) => a == b,
        }
    }
}

pub(crate) struct Expected {
    now: Duration,
    signals: [Signal; 3],
    places: [Option<Reader>; PLACES],
    ended: bool,
    /// Requests that were answered with a receipt, in order.
    receipts: Vec<usize>,
    requests: Vec<Asked>,
    open: Option<usize>,
    keys: BTreeMap<u8, usize>,
}

struct Signal {
    state: State,
    at: Duration,
    stale_after: Option<Duration>,
    allowed: bool,
}

impl Signal {
    fn look(&self, now: Duration) -> State {
        match (&self.state, self.stale_after) {
            (State::Valid(value), Some(limit)) if now >= self.at + limit => State::Stale(value.clone()),
            (state, _) => state.clone(),
        }
    }
}

struct Asked {
    value: i8,
    deadline: Duration,
    stage: &'static str,
}

/// One subscription.
struct Reader {
    tracks: Vec<Track>,
    overflow: Overflow,
    queue: VecDeque<(usize, State)>,
    lagged: u64,
    over: bool,
}

/// One signal of a subscription.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, as the documentation has them")]
struct Track {
    signal: usize,
    filter: Filter,
    /// The right as the reader last saw it.
    allowed: bool,
    owed: Option<State>,
    last: State,
    last_at: Duration,
    held: Option<State>,
    /// A report that the reader has not looked at, where it is told states.
    unread: bool,
    /// The filter has seen that the present report went stale.
    seen_stale: bool,
    /// The signal was stale before the present report, unseen.
    back: bool,
    tick: Option<Duration>,
}

enum Fate {
    Pass,
    Drop,
    Hold,
}

impl Track {
    fn fate(&mut self, state: &State, now: Duration) -> Fate {
        let number = match state {
            State::Valid(value) | State::Stale(value) => value.as_f64(),
            _ => None,
        };
        if let (Some((low, high)), Some(number)) = (self.filter.range, number)
            && !(low <= number && number <= high)
        {
            return Fate::Drop;
        }
        if self.filter.change.is_some_and(|band| !self.back && !changed(&self.last, state, band)) {
            self.held = None;
            return Fate::Drop;
        }
        if self.filter.at_most_every.is_some_and(|interval| now < self.last_at + interval) {
            self.held = Some(state.clone());
            return Fate::Hold;
        }
        Fate::Pass
    }

    /// The present state is looked at: where it is stale, that is what counts, and no return before it.
    fn look(&mut self, aged: bool) {
        if aged {
            (self.seen_stale, self.back) = (true, false);
        }
    }

    fn give(&mut self, state: &State, now: Duration) {
        (self.last, self.last_at, self.held, self.back) = (state.clone(), now, None, false);
    }

    fn owe(&mut self, state: State, now: Duration) {
        self.seen_stale = matches!(state, State::Stale(_));
        self.give(&state, now);
        self.owed = Some(state);
    }

    fn skip_ticks(&mut self, now: Duration) {
        if let (Some(tick), Some(period)) = (&mut self.tick, self.filter.every) {
            while *tick <= now {
                *tick += period;
            }
        }
    }
}

fn changed(last: &State, now: &State, band: f64) -> bool {
    if let (State::Valid(a), State::Valid(b)) = (last, now)
        && let (Some(a), Some(b)) = (a.as_f64(), b.as_f64())
    {
        return match (a.is_nan(), b.is_nan()) {
            (true, true) => false,
            (false, false) => (a - b).abs() > band,
            _ => true,
        };
    }
    !last.same(now)
}

impl Expected {
    pub(crate) fn new() -> Self {
        let signal =
            |stale_after| Signal { state: State::NeverSet, at: Duration::ZERO, stale_after, allowed: true };
        Self {
            now: Duration::ZERO,
            signals: [signal(None), signal(Some(STALE_AFTER)), signal(None)],
            places: Default::default(),
            ended: false,
            receipts: Vec::new(),
            requests: Vec::new(),
            open: None,
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        for asked in &mut self.requests {
            if asked.stage == "open" && self.now >= asked.deadline {
                asked.stage = "timed out";
            }
        }
    }

    pub(crate) fn states(&self) -> Vec<Result<State, ErrorKind>> {
        let look =
            |signal: &Signal| if signal.allowed { Ok(signal.look(self.now)) } else { Err(ErrorKind::Denied) };
        self.signals.iter().map(look).collect()
    }

    pub(crate) fn publish(&mut self, points: &[(usize, State)]) {
        for (number, state) in points {
            let Some(signal) = self.signals.get_mut(*number) else { continue };
            let was_stale =
                matches!(signal.look(self.now), State::Stale(_)) && matches!(signal.state, State::Valid(_));
            let repeats = !was_stale && signal.state.same(state);
            (signal.state, signal.at) = (state.clone(), self.now);
            for reader in self.places.iter_mut().flatten().filter(|_| !self.ended) {
                reader.report(*number, state, was_stale, repeats, self.now);
            }
            let reached = |asked: &Asked| match state {
                State::Valid(Value::Int(seen)) => (i64::from(asked.value) - seen).abs() <= 1,
                _ => false,
            };
            if *number == 2
                && let Some(open) = self.open
                && let Some(asked) = self.requests.get_mut(open)
                && reached(asked)
            {
                if asked.stage == "open" {
                    asked.stage = "confirmed";
                }
                self.open = None;
            }
        }
    }

    pub(crate) fn subscribe(&mut self, action: &Action) {
        let Action::Subscribe { place, signals, filter, overflow } = action else { return };
        let now = self.now;
        let track = |&number: &usize| {
            let signal = self.signals.get(number)?;
            let mut track = Track {
                signal: number,
                filter: *filter,
                allowed: signal.allowed,
                owed: None,
                last: State::NeverSet,
                last_at: now,
                held: None,
                unread: false,
                seen_stale: false,
                back: false,
                tick: filter.every.map(|period| now + period),
            };
            track.owe(signal.look(now), now);
            if !signal.allowed {
                track.owed = None;
            }
            Some(track)
        };
        let tracks = signals.iter().filter_map(track).collect();
        let reader = Reader { tracks, overflow: *overflow, queue: VecDeque::new(), lagged: 0, over: false };
        if let Some(slot) = self.places.get_mut(*place) {
            *slot = Some(reader);
        }
    }

    pub(crate) fn drop_place(&mut self, place: usize) {
        if let Some(slot) = self.places.get_mut(place) {
            *slot = None;
        }
    }

    pub(crate) fn govern(&mut self, signal: usize, allowed: bool) {
        if let Some(signal) = self.signals.get_mut(signal) {
            signal.allowed = allowed;
        }
    }

    pub(crate) fn lose(&mut self) {
        let gone = || State::NotAvailable(Reason::new(ReasonKind::Link));
        self.publish(&[(0, gone()), (1, gone()), (2, gone())]);
        self.close("link");
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn ask(
        &mut self,
        value: i8,
        within: Duration,
        key: Option<u8>,
        fails: bool,
    ) -> Result<(), ErrorKind> {
        if !(-5..=5).contains(&value) {
            return Err(ErrorKind::OutOfRange);
        }
        if let Some(&known) = key.as_ref().and_then(|key| self.keys.get(key)) {
            let same = self.requests.get(known).is_some_and(|asked| asked.value == value);
            if !same {
                return Err(ErrorKind::Conflict);
            }
            self.receipts.push(known);
            return Ok(());
        }
        if fails {
            return Err(ErrorKind::Unavailable);
        }
        self.close("superseded");
        let deadline = self.now + within;
        let stage = if within.is_zero() { "timed out" } else { "open" };
        let number = self.requests.len();
        self.requests.push(Asked { value, deadline, stage });
        self.open = Some(number);
        self.receipts.push(number);
        if let Some(key) = key {
            self.keys.insert(key, number);
        }
        Ok(())
    }

    /// The platform refuses a request, so many before the last; says whether it was open.
    pub(crate) fn settle(&mut self, back: usize) -> bool {
        let number = self.requests.len().checked_sub(back + 1);
        number.is_some() && self.open == number && self.close("busy")
    }

    fn close(&mut self, why: &'static str) -> bool {
        let Some(asked) = self.open.take().and_then(|open| self.requests.get_mut(open)) else { return false };
        let open = asked.stage == "open";
        if open {
            asked.stage = why;
        }
        open
    }

    pub(crate) fn stages(&self) -> Vec<&'static str> {
        let stage = |&number: &usize| self.requests.get(number).map(|asked| asked.stage);
        self.receipts.iter().filter_map(stage).collect()
    }

    /// All that a subscription has to tell now.
    pub(crate) fn read(&mut self, place: usize) -> Vec<Told> {
        let Some(Some(reader)) = self.places.get_mut(place) else { return Vec::new() };
        if reader.over {
            return Vec::new();
        }
        let mut told = Vec::new();
        let changes = reader.follow(&self.signals, self.now);
        if !changes.is_empty() {
            told.push(Told::Access(changes));
        }
        let owed = reader.pay(&self.signals, self.now);
        if !owed.is_empty() {
            told.push(Told::changed(owed));
        }
        if reader.lagged > 0 {
            told.push(Told::Lagged(std::mem::take(&mut reader.lagged)));
        }
        let points = reader.take(&self.signals, self.now, self.ended);
        if !points.is_empty() {
            told.push(Told::changed(points));
        }
        if self.ended {
            reader.over = true;
            told.push(Told::Ended);
        }
        told
    }
}

impl Reader {
    fn report(&mut self, signal: usize, state: &State, was_stale: bool, repeats: bool, now: Duration) {
        let Some(track) = self.tracks.iter_mut().find(|track| track.signal == signal) else { return };
        if was_stale && !track.seen_stale {
            track.back = true;
        }
        track.seen_stale = false;
        // Masking follows the reader's look; what was reported before is purged then.
        if !track.allowed || track.filter.every.is_some() {
            return;
        }
        match self.overflow {
            // A repeat is no news where only changes are wanted.
            Overflow::Latest => {
                let changes = track.filter.change.is_some() && track.filter.at_most_every.is_none();
                track.unread |= !(changes && repeats);
            }
            Overflow::Queue(bound) | Overflow::Block(bound) => {
                if let Fate::Pass = track.fate(state, now) {
                    track.give(state, now);
                    if self.queue.len() >= bound && self.queue.pop_front().is_some() {
                        self.lagged += 1;
                    }
                    self.queue.push_back((signal, state.clone()));
                }
            }
        }
    }

    /// Takes note of rights that have changed since the last look.
    fn follow(&mut self, signals: &[Signal; 3], now: Duration) -> Vec<(usize, bool)> {
        let mut changes = Vec::new();
        for track in &mut self.tracks {
            let Some(signal) = signals.get(track.signal) else { continue };
            if signal.allowed == track.allowed {
                continue;
            }
            track.allowed = signal.allowed;
            changes.push((track.signal, signal.allowed));
            self.queue.retain(|(queued, _)| *queued != track.signal);
            (track.owed, track.held, track.unread) = (None, None, false);
            if signal.allowed {
                track.owe(signal.look(now), now);
                track.skip_ticks(now);
            }
        }
        changes
    }

    /// The present states that come first.
    fn pay(&mut self, signals: &[Signal; 3], now: Duration) -> Vec<(usize, State)> {
        let mut points = Vec::new();
        for track in &mut self.tracks {
            let (Some(owed), Some(signal)) = (track.owed.take(), signals.get(track.signal)) else { continue };
            let fresh = self.overflow == Overflow::Latest || track.filter.every.is_some();
            if fresh {
                let state = signal.look(now);
                track.owe(state.clone(), now);
                track.owed = None;
                track.unread = false;
                track.skip_ticks(now);
                points.push((track.signal, state));
            } else {
                points.push((track.signal, owed));
            }
        }
        points
    }

    /// What is queued, what has changed, and what time has brought.
    fn take(&mut self, signals: &[Signal; 3], now: Duration, ended: bool) -> Vec<(usize, State)> {
        let mut points: Vec<_> = self.queue.drain(..).collect();
        for track in self.tracks.iter_mut().filter(|track| track.allowed) {
            let Some(signal) = signals.get(track.signal) else { continue };
            let state = signal.look(now);
            if std::mem::take(&mut track.unread) {
                track.held = None;
                track.look(is_aged(signal, now));
                if let Fate::Pass = track.fate(&state, now) {
                    track.give(&state, now);
                    points.push((track.signal, state.clone()));
                }
            }
            if ended {
                points.extend(track.held.take().map(|held| (track.signal, held)));
                continue;
            }
            if let Some(tick) = track.tick {
                if tick <= now {
                    track.skip_ticks(now);
                    track.look(is_aged(signal, now));
                    if let Fate::Pass = track.fate(&state, now) {
                        track.give(&state, now);
                        points.push((track.signal, state));
                    }
                }
                continue;
            }
            if is_aged(signal, now) && !std::mem::replace(&mut track.seen_stale, true) {
                track.back = false;
                if let Fate::Pass = track.fate(&state, now) {
                    track.give(&state, now);
                    points.push((track.signal, state));
                    continue;
                }
            }
            if let (Some(interval), Some(held)) = (track.filter.at_most_every, &track.held)
                && now >= track.last_at + interval
            {
                let held = held.clone();
                track.give(&held, now);
                points.push((track.signal, held));
            }
        }
        points
    }
}

/// Whether the present report of a signal has gone stale by its age.
fn is_aged(signal: &Signal, now: Duration) -> bool {
    matches!(signal.state, State::Valid(_)) && matches!(signal.look(now), State::Stale(_))
}
