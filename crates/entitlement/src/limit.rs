//! What stays of a signal without its feature: a slower rate, a coarser value, a smaller range.
//!
//! *Invariant:* a limit changes what is delivered only where its feature is missing, never what the vehicle holds; a value
//! that it hides is not available with a reason, not another value. Numbers in it are finite and make sense.
//! *Next:* `policy.rs` attaches it to a rule; `rights.rs` and `entitled.rs` apply it.

use std::fmt;
use std::time::Duration;

use coachwork_vehicle::{Datapoint, Entry, Reason, ReasonKind, State, Value};

/// The longest interval of a [`Limit`].
pub const MAX_INTERVAL: Duration = Duration::from_secs(86_400);

/// A degraded mode.
///
/// ```
/// use std::time::Duration;
/// use coachwork_entitlement::Limit;
///
/// let limit = Limit::default().every(Duration::from_secs(10))?.rounded_to(5.0)?.within(0.0, 50.0)?;
/// assert_eq!(limit.to_string(), "every 10 s rounded to 5 within 0..50");
/// # Ok::<(), coachwork_entitlement::LimitError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limit {
    pub(crate) every: Option<Duration>,
    pub(crate) step: Option<f64>,
    pub(crate) range: Option<(f64, f64)>,
}

impl Limit {
    /// Is read at most once in this time, in whole milliseconds.
    ///
    /// # Errors
    /// [`LimitError`] for less than a millisecond or more than [`MAX_INTERVAL`].
    pub fn every(self, interval: Duration) -> Result<Self, LimitError> {
        let whole = interval.subsec_nanos().is_multiple_of(1_000_000) && !interval.is_zero();
        if whole && interval <= MAX_INTERVAL {
            Ok(Self { every: Some(interval), ..self })
        } else {
            Err(LimitError)
        }
    }

    /// Is read in whole steps of this, rounded to the nearest.
    ///
    /// # Errors
    /// [`LimitError`] for a step that is not finite and above zero.
    pub fn rounded_to(self, step: f64) -> Result<Self, LimitError> {
        if step.is_finite() && step > 0.0 { Ok(Self { step: Some(step), ..self }) } else { Err(LimitError) }
    }

    /// Is read and set from `low` to `high`, both included.
    ///
    /// # Errors
    /// [`LimitError`] for bounds that are not finite or not in order.
    pub fn within(self, low: f64, high: f64) -> Result<Self, LimitError> {
        let sound = low.is_finite() && high.is_finite() && low <= high;
        if sound { Ok(Self { range: Some((low, high)), ..self }) } else { Err(LimitError) }
    }

    /// Whether a number may be set under it. What is no number has no range.
    pub fn allows(&self, value: &Value) -> bool {
        let Some((low, high)) = self.range else { return true };
        value.as_f64().is_none_or(|number| (low..=high).contains(&number))
    }

    /// The datapoint under this limit, of the signal that `entry` describes.
    pub(crate) fn shape(&self, entry: &Entry, point: &Datapoint) -> Datapoint {
        let shaped = |value: &Value| {
            let Some(number) = value.as_f64() else { return Some(value.clone()) };
            if !self.allows(value) {
                return None;
            }
            let Some(step) = self.step else { return Some(value.clone()) };
            let rounded = (number / step).round() * step;
            entry.data_type().coerce(Value::from(rounded)).ok()
        };
        let hidden = || Reason::because(ReasonKind::Denied, "outside what works without its feature");
        let state = match &point.state {
            State::Valid(value) => shaped(value).map_or_else(|| State::NotAvailable(hidden()), State::Valid),
            State::Stale(value) => shaped(value).map_or_else(|| State::NotAvailable(hidden()), State::Stale),
            other => other.clone(),
        };
        Datapoint { state, source: point.source, received: point.received }
    }
}

/// As a policy file has it.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        if let Some(every) = self.every {
            match every.as_millis() {
                millis if millis % 1000 == 0 => write!(f, "every {} s", millis / 1000)?,
                millis => write!(f, "every {millis} ms")?,
            }
            space = " ";
        }
        if let Some(step) = self.step {
            write!(f, "{space}rounded to {step}")?;
            space = " ";
        }
        if let Some((low, high)) = self.range {
            write!(f, "{space}within {low}..{high}")?;
        }
        Ok(())
    }
}

/// Numbers that make no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interval is 1 ms to a day, a step above zero, and a range of finite numbers in order")]
pub struct LimitError;
