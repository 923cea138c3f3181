//! What one subscription keeps of one signal, and which of its updates pass the filter.
//!
//! *Invariant:* `delivered` is the last state that the reader was given; `held` is an update that waits for its interval to end.

use std::time::Duration;

use super::slot::Report;
use crate::catalogue::SignalId;
use crate::datapoint::{Datapoint, State};
use crate::subscribe::Filter;
use crate::time::Monotonic;

pub(super) struct Track {
    pub(super) signal: SignalId,
    filter: Filter,
    stale_after: Option<Duration>,
    pub(super) masked: bool,
    /// The state at the time of subscribing, which is delivered first and whatever the filter says.
    replay: Option<Datapoint>,
    delivered: Option<State>,
    delivered_at: Monotonic,
    /// The number of the report that was delivered as the present state.
    seen: Option<u64>,
    held: Option<Datapoint>,
    next_tick: Option<Monotonic>,
    /// The number of the report of which the filter was asked when it had gone stale.
    told: Option<u64>,
    /// The signal had gone stale before its present report, and nobody looked meanwhile.
    returned: bool,
}

/// What becomes of an update.
pub(super) enum Verdict<T = ()> {
    Pass(T),
    Drop,
    /// It waits until the interval ends.
    Hold(Monotonic),
}

impl Track {
    pub(super) fn new(
        signal: SignalId,
        filter: Filter,
        stale_after: Option<Duration>,
        present: &Report,
        now: Monotonic,
    ) -> Self {
        let next_tick = filter.every.map(|period| now.saturating_add(period));
        let mut track = Self {
            signal,
            filter,
            stale_after,
            masked: false,
            replay: None,
            delivered: None,
            delivered_at: now,
            seen: None,
            held: None,
            next_tick,
            told: None,
            returned: false,
        };
        track.owe_present(present, now);
        track
    }

    /// Whether the present state is owed.
    pub(super) fn is_owed(&self) -> bool {
        self.replay.is_some()
    }

    /// Whether updates are ignored because the present state comes by the clock.
    pub(super) fn is_periodic(&self) -> bool {
        self.filter.every.is_some()
    }

    /// Whether an update passes only where it differs from the report before it, so that repeats need not be shown to the filter.
    pub(super) fn wants_changes(filter: &Filter) -> bool {
        filter.change.is_some() && filter.at_most_every.is_none() && filter.every.is_none()
    }

    /// Whether every update passes, or every one that differs from the report before it: then nobody has to ask the filter.
    pub(super) fn is_plain(filter: &Filter, stale_after: Option<Duration>) -> bool {
        *filter == Filter::new()
            || (*filter == Filter { change: Some(0.0), ..Filter::new() } && stale_after.is_none())
    }

    /// For how long a report stays fresh.
    pub(super) fn stale_after(&self) -> Option<Duration> {
        self.stale_after
    }

    /// Whether it does anything when time passes.
    pub(super) fn is_timed(&self) -> bool {
        self.stale_after.is_some() || self.filter.at_most_every.is_some() || self.filter.every.is_some()
    }

    /// Notes that the report of this number had gone stale when the next one came. A reader that did not look in the meantime is told all
    /// the same: back from stale is a change.
    pub(super) fn replaced(&mut self, stale: u64) {
        if self.told != Some(stale) {
            self.returned = true;
        }
    }

    /// Takes the present state afresh, to deliver it whatever the filter says.
    pub(super) fn replay(&mut self, present: &Report, now: Monotonic) {
        self.masked = false;
        self.owe_present(present, now);
        self.skip_ticks(now);
    }

    /// For the filter, what is owed counts as delivered: updates that come before it is read are compared with it.
    fn owe_present(&mut self, present: &Report, now: Monotonic) {
        let point = self.look(present, now);
        self.deliver(&point.state, now);
        self.replay = Some(point);
    }

    /// Hands out the state that is owed: the one at the time of subscribing, or the `present` one where that is given.
    pub(super) fn pay(&mut self, now: Monotonic, present: Option<&Report>) -> Option<Datapoint> {
        let owed = self.replay.take()?;
        let Some(present) = present else { return Some(owed) };
        let point = self.look(present, now);
        self.deliver(&point.state, now);
        self.seen = Some(present.number);
        self.skip_ticks(now);
        Some(point)
    }

    /// Forgets what is not delivered yet.
    pub(super) fn mask(&mut self) {
        (self.masked, self.replay, self.held) = (true, None, None);
    }

    /// The present datapoint as it is at `now`, for the filter: stale, if it was not renewed in time.
    fn look(&mut self, present: &Report, now: Monotonic) -> Datapoint {
        if self.went_stale(present, now) {
            self.told = Some(present.number);
            self.returned = false;
        }
        let state = present.point.state.aged(now.saturating_since(present.at), self.stale_after);
        Datapoint { state, ..present.point }
    }

    /// Asks the filter about a state that would be delivered at `now`.
    pub(super) fn judge(&mut self, point: &Datapoint, now: Monotonic) -> Verdict {
        if !self.in_range(&point.state) {
            return Verdict::Drop;
        }
        if let (Some(band), Some(delivered)) = (self.filter.change, &self.delivered)
            && !self.returned
            && !differs(delivered, &point.state, band)
        {
            // It is back where the reader believes it to be: nothing is owed any more.
            self.held = None;
            return Verdict::Drop;
        }
        match (self.filter.at_most_every, &self.delivered) {
            (Some(interval), Some(_)) if now < self.delivered_at.saturating_add(interval) => {
                self.held = Some(point.clone());
                Verdict::Hold(self.delivered_at.saturating_add(interval))
            }
            _ => Verdict::Pass(()),
        }
    }

    /// Notes that the reader is given `state`.
    pub(super) fn deliver(&mut self, state: &State, now: Monotonic) {
        self.delivered = Some(state.clone());
        self.delivered_at = now;
        self.returned = false;
        self.held = None;
    }

    /// Asks the filter about the present state, which takes the place of one that waits. What was delivered as present is not asked about again.
    pub(super) fn judge_present(&mut self, present: &Report, now: Monotonic) -> Verdict<Datapoint> {
        if self.seen == Some(present.number) {
            return Verdict::Drop;
        }
        self.held = None;
        let point = self.look(present, now);
        match self.judge(&point, now) {
            Verdict::Pass(()) => {
                self.deliver(&point.state, now);
                self.seen = Some(present.number);
                Verdict::Pass(point)
            }
            Verdict::Drop => Verdict::Drop,
            Verdict::Hold(until) => Verdict::Hold(until),
        }
    }

    /// An update that still waits for its interval, for a reader that must not wait because the end has come.
    pub(super) fn release(&mut self) -> Option<Datapoint> {
        self.held.take()
    }

    /// What time alone makes due at `now`: a held update, a tick, or that the value has gone stale.
    pub(super) fn due(&mut self, present: &Report, now: Monotonic) -> Option<Datapoint> {
        if self.masked {
            return None;
        }
        if let Some(tick) = self.next_tick {
            if now < tick {
                return None;
            }
            self.skip_ticks(now);
            let point = self.look(present, now);
            return matches!(self.judge(&point, now), Verdict::Pass(())).then_some(point);
        }
        if self.went_stale(present, now) {
            // Going stale is an update like others, and later than one that waits.
            let point = self.look(present, now);
            if matches!(self.judge(&point, now), Verdict::Pass(())) {
                return Some(point);
            }
        }
        let interval = self.filter.at_most_every?;
        if now < self.delivered_at.saturating_add(interval) {
            return None;
        }
        self.held.take()
    }

    /// The next time at which something becomes due, if the signal is not reported again.
    pub(super) fn next_due(&self, present: &Report) -> Option<Monotonic> {
        if self.masked {
            return None;
        }
        if self.next_tick.is_some() {
            return self.next_tick;
        }
        let held =
            self.held.as_ref().and(self.filter.at_most_every).map(|i| self.delivered_at.saturating_add(i));
        match (held, self.stale_due(present)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// When the present value goes stale, if the filter has not been told.
    pub(super) fn stale_due(&self, present: &Report) -> Option<Monotonic> {
        let valid = matches!(present.point.state, State::Valid(_));
        (valid && self.told != Some(present.number))
            .then(|| self.stale_after.map(|limit| present.at.saturating_add(limit)))
            .flatten()
    }

    fn went_stale(&self, present: &Report, now: Monotonic) -> bool {
        self.stale_due(present).is_some_and(|due| now >= due)
    }

    /// Puts the next tick after `now`: missed ones are skipped, and the grid stays where it began.
    fn skip_ticks(&mut self, now: Monotonic) {
        if let (Some(tick), Some(period)) = (self.next_tick, self.filter.every)
            && tick <= now
        {
            self.next_tick = Some(after(tick, period, now));
        }
    }

    fn in_range(&self, state: &State) -> bool {
        match (self.filter.range, state) {
            (Some((low, high)), State::Valid(value) | State::Stale(value)) => {
                value.as_f64().is_none_or(|number| (low..=high).contains(&number))
            }
            _ => true,
        }
    }
}

/// The first tick of the grid through `tick` that is after `now`.
fn after(tick: Monotonic, period: Duration, now: Monotonic) -> Monotonic {
    let period = period.as_nanos().max(1);
    let behind = now.saturating_since(tick).as_nanos();
    let steps = behind / period + 1;
    let ahead = u64::try_from(steps.saturating_mul(period)).unwrap_or(u64::MAX);
    tick.saturating_add(Duration::from_nanos(ahead))
}

fn differs(delivered: &State, now: &State, band: f64) -> bool {
    if let (State::Valid(a), State::Valid(b)) = (delivered, now)
        && band > 0.0
        && let (Some(a), Some(b)) = (a.as_f64(), b.as_f64())
        && !a.is_nan()
        && !b.is_nan()
    {
        return (a - b).abs() > band;
    }
    !delivered.same(now)
}
