//! What an app asks of a subscription: which signals, filtered how, and what happens when it is slower than the vehicle.
//!
//! *Invariant:* a checked filter has finite, sensible numbers; every choice of overflow is bounded.
//! *Next:* `subscription.rs` (what comes back), `board/track.rs` (which applies a filter).

use std::time::Duration;

use crate::catalogue::SignalId;
use crate::error::{Error, ErrorKind, Operation};

/// The largest bound of a queue.
pub const MAX_QUEUE: usize = 65_536;

/// A wish to be told of signals. By default: every update, the latest state of each signal, partial.
///
/// ```
/// use coachwork_vehicle::{SignalId, Subscribe};
/// use std::time::Duration;
/// # fn f(doors: Vec<SignalId>) -> Subscribe {
/// Subscribe::to(doors).on_change().at_most_every(Duration::from_millis(100)).queue(64)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe {
    /// The signals, each with its own filter.
    pub signals: Vec<(SignalId, Filter)>,
    /// What happens when the reader is slower than the vehicle.
    pub overflow: Overflow,
    /// Whether one refused signal refuses the whole.
    pub strict: bool,
}

/// Which updates of a signal are delivered.
///
/// The present value always comes first, whatever the filter says. All parts that are given must let an update pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Filter {
    /// Only what differs from what was delivered last. A number must differ by more than this deadband; a NaN equals a NaN;
    /// a signal that returns from stale has changed.
    pub change: Option<f64>,
    /// At most one update in this time. The last one is always delivered, when the time has passed; a value that returns
    /// to the one delivered last within the time cancels it where `change` is given.
    pub at_most_every: Option<Duration>,
    /// The present state once in this time, changed or not; after a delay it skips what it missed. Replaces the updates.
    pub every: Option<Duration>,
    /// Only numbers within these inclusive bounds. States without a value pass.
    pub range: Option<(f64, f64)>,
}

/// What happens when the reader is slower than the vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// States: an unread one is overwritten by the next, which is no loss. Filters run when the reader looks.
    Latest,
    /// Updates, up to this many unread datapoints; then the oldest are lost and counted in an
    /// [`Event::Lagged`](crate::Event::Lagged). Filters run before the queue.
    Queue(usize),
    /// Updates, up to this many unread datapoints; then the source waits, where [`Facts::back_pressure`](crate::Facts::back_pressure)
    /// says that it can. Filters run before the queue.
    Block(usize),
}

impl Subscribe {
    /// All updates of these signals.
    pub fn to(signals: impl IntoIterator<Item = SignalId>) -> Self {
        let signals = signals.into_iter().map(|id| (id, Filter::default())).collect();
        Self { signals, overflow: Overflow::Latest, strict: false }
    }

    /// Adds one signal with a filter of its own.
    #[must_use]
    pub fn and(mut self, signal: SignalId, filter: Filter) -> Self {
        self.signals.push((signal, filter));
        self
    }

    /// Only changes, for all signals named so far.
    #[must_use]
    pub fn on_change(self) -> Self {
        self.deadband(0.0)
    }

    /// Only changes by more than `deadband`, in each signal's unit, for all signals named so far.
    #[must_use]
    pub fn deadband(self, deadband: f64) -> Self {
        self.filtered(|filter| filter.change = Some(deadband))
    }

    /// At most one update in this time, the last one guaranteed, for all signals named so far.
    #[must_use]
    pub fn at_most_every(self, interval: Duration) -> Self {
        self.filtered(|filter| filter.at_most_every = Some(interval))
    }

    /// The present state once in this time, for all signals named so far.
    #[must_use]
    pub fn every(self, period: Duration) -> Self {
        self.filtered(|filter| filter.every = Some(period))
    }

    /// Only numbers from `low` to `high`, for all signals named so far.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        self.filtered(|filter| filter.range = Some((low, high)))
    }

    /// Delivers updates from a queue of `bound` datapoints, the oldest lost and counted when it is full.
    #[must_use]
    pub fn queue(self, bound: usize) -> Self {
        Self { overflow: Overflow::Queue(bound), ..self }
    }

    /// Delivers updates from a queue of `bound` datapoints that holds the source back when it is full.
    #[must_use]
    pub fn block(self, bound: usize) -> Self {
        Self { overflow: Overflow::Block(bound), ..self }
    }

    /// Refuses the whole where one signal is refused.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Checks numbers and bounds; backends that do not use a board call it first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a negative or non-finite deadband, an empty range, a zero interval or period, both of them at
    /// once, or a queue of zero or more than [`MAX_QUEUE`].
    pub fn check(&self) -> Result<(), Error> {
        let invalid =
            |what: &'static str| Err(Error::new(ErrorKind::Invalid, what).during(Operation::Subscribe));
        match self.overflow {
            Overflow::Queue(bound) | Overflow::Block(bound) if bound == 0 || bound > MAX_QUEUE => {
                return invalid("the bound of a queue is 1 to 65536 datapoints");
            }
            _ => {}
        }
        for (_, filter) in &self.signals {
            if filter.change.is_some_and(|band| !(band >= 0.0 && band.is_finite())) {
                return invalid("a deadband is a finite number from 0");
            }
            if filter.range.is_some_and(|(low, high)| low > high || low.is_nan() || high.is_nan()) {
                return invalid("a range goes from a number to one that is not below it");
            }
            if [filter.at_most_every, filter.every].contains(&Some(Duration::ZERO)) {
                return invalid("an interval is longer than zero");
            }
            if filter.at_most_every.is_some() && filter.every.is_some() {
                return invalid("a signal comes at most every interval or every period, not both");
            }
        }
        Ok(())
    }

    fn filtered(mut self, change: impl Fn(&mut Filter)) -> Self {
        self.signals.iter_mut().for_each(|(_, filter)| change(filter));
        self
    }
}

impl Filter {
    /// Every update.
    pub const fn new() -> Self {
        Self { change: None, at_most_every: None, every: None, range: None }
    }
}
