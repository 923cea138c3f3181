//! What can go wrong in the simulated car, and when.
//!
//! *Invariant:* one fault for each signal and each part; a later one of the same kind of place takes the place of the one before.
//! *Next:* `troubles.rs` (which keeps those that are there), `vehicle.rs` (`inject` and `heal`).

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::Error;

use crate::corner::Corner;
use crate::scenario::invalid;

/// Something that goes wrong: in what a signal says, or in a part of the car.
///
/// | fault | what an app sees |
/// |---|---|
/// | [`Stuck`](Self::Stuck) | `Valid`, and always the value of the moment in which it began |
/// | [`Lost`](Self::Lost) | no more reports: `Stale` with the last value when its time is over |
/// | [`NotAvailable`](Self::NotAvailable) | `NotAvailable`, of kind `Source` |
/// | [`Wrong`](Self::Wrong) | `Error`, of kind `Source` |
/// | [`Blocked`](Self::Blocked) | the reading stays; requests are `Refused(Busy)`, an open one too |
/// | [`SlowLeak`](Self::SlowLeak) | the pressure falls, then `IsPressureLow` |
/// | [`BatteryAgeing`](Self::BatteryAgeing) | the state of health falls; capacity, range and voltage follow |
/// | [`WeakLowVoltageBattery`](Self::WeakLowVoltageBattery) | 11.4 V; the seats refuse to heat |
///
/// A fault of a signal is one of its sensor: the car itself goes on. A request for an actuator whose reading is stuck or gone is carried out and not confirmed.
/// A fault that is healed is repaired: the tyre is full again, the battery new.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The sensor of this path goes on saying what it said last.
    Stuck(Arc<str>),
    /// Nothing is heard of this path any more.
    Lost(Arc<str>),
    /// The sensor of this path says that it has no value.
    NotAvailable(Arc<str>),
    /// The sensor of this path says that its value is wrong.
    Wrong(Arc<str>),
    /// The actuator of this path does not move.
    Blocked(Arc<str>),
    /// A tyre loses air.
    SlowLeak {
        /// Which one.
        wheel: Corner,
        /// How fast, above 0 and up to 10,000.
        kilopascals_per_hour: f64,
    },
    /// The traction battery loses its health, down to 50 percent.
    BatteryAgeing {
        /// How fast, above 0 and up to 1000. A real one takes years; an hour may stand for one.
        percent_per_hour: f64,
    },
    /// The 12 V battery is too weak for comfort functions.
    WeakLowVoltageBattery,
}

impl Fault {
    /// The sensor of `path` goes on saying what it said last.
    pub fn stuck(path: &str) -> Self {
        Self::Stuck(path.into())
    }

    /// Nothing is heard of `path` any more.
    pub fn lost(path: &str) -> Self {
        Self::Lost(path.into())
    }

    /// The sensor of `path` says that it has no value.
    pub fn not_available(path: &str) -> Self {
        Self::NotAvailable(path.into())
    }

    /// The sensor of `path` says that its value is wrong.
    pub fn wrong(path: &str) -> Self {
        Self::Wrong(path.into())
    }

    /// The actuator of `path` does not move.
    pub fn blocked(path: &str) -> Self {
        Self::Blocked(path.into())
    }

    /// A tyre loses air.
    pub const fn slow_leak(wheel: Corner, kilopascals_per_hour: f64) -> Self {
        Self::SlowLeak { wheel, kilopascals_per_hour }
    }

    /// The path that it is about, where it is about one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Stuck(path)
            | Self::Lost(path)
            | Self::NotAvailable(path)
            | Self::Wrong(path)
            | Self::Blocked(path) => Some(path),
            Self::SlowLeak { .. } | Self::BatteryAgeing { .. } | Self::WeakLowVoltageBattery => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        // A NaN is in no range.
        let rate = |rate: f64, most: f64| rate > 0.0 && rate <= most;
        match self {
            Self::SlowLeak { kilopascals_per_hour, .. } if !rate(*kilopascals_per_hour, 10_000.0) => {
                Err(invalid("a leak is above 0 and up to 10,000 kilopascals in an hour"))
            }
            Self::BatteryAgeing { percent_per_hour } if !rate(*percent_per_hour, 1000.0) => {
                Err(invalid("ageing is above 0 and up to 1000 percent in an hour"))
            }
            _ => Ok(()),
        }
    }

    /// Whether both are in one place, so that only one of them can be there.
    pub(crate) fn is_where(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::SlowLeak { wheel, .. }, Self::SlowLeak { wheel: other, .. }) => wheel == other,
            (Self::BatteryAgeing { .. }, Self::BatteryAgeing { .. })
            | (Self::WeakLowVoltageBattery, Self::WeakLowVoltageBattery) => true,
            _ => {
                let blocks = |fault: &Self| matches!(fault, Self::Blocked(_));
                self.path().is_some() && self.path() == other.path() && blocks(self) == blocks(other)
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stuck(path) => write!(f, "{path} is stuck"),
            Self::Lost(path) => write!(f, "{path} is lost"),
            Self::NotAvailable(path) => write!(f, "{path} is not available"),
            Self::Wrong(path) => write!(f, "{path} is wrong"),
            Self::Blocked(path) => write!(f, "{path} is blocked"),
            Self::SlowLeak { wheel, kilopascals_per_hour } => {
                write!(f, "the tyre {wheel} loses {kilopascals_per_hour} kPa in an hour")
            }
            Self::BatteryAgeing { percent_per_hour } => {
                write!(f, "the traction battery loses {percent_per_hour} percent of its health in an hour")
            }
            Self::WeakLowVoltageBattery => f.write_str("the 12 V battery is weak"),
        }
    }
}

/// A fault in a [`Scenario`](crate::Scenario): what, from when on, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// What goes wrong.
    pub fault: Fault,
    /// How long after the start.
    pub from: Duration,
    /// When it is healed, after the start; `None` for never.
    pub until: Option<Duration>,
}

impl Incident {
    /// `fault` in a span of the time since the start. The span's ends are rounded up to steps of the simulation.
    pub fn new(fault: Fault, when: impl RangeBounds<Duration>) -> Self {
        let from = match when.start_bound() {
            Bound::Included(from) | Bound::Excluded(from) => *from,
            Bound::Unbounded => Duration::ZERO,
        };
        let until = match when.end_bound() {
            Bound::Included(until) | Bound::Excluded(until) => Some(*until),
            Bound::Unbounded => None,
        };
        Self { fault, from, until }
    }
}
