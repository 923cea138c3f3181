//! The faults that are there, by where they are: on a signal, on an actuator, in the car.
//!
//! *Invariant:* at most one in each place, so that there are never more than signals and parts.
//! *Next:* `vehicle.rs` (which asks before it publishes).

use coachwork_vehicle::{Datapoint, Reason, ReasonKind, State, Timestamp, Value};

use crate::fault::Fault;

/// What is wrong with a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Stuck,
    Lost,
    NotAvailable,
    Wrong,
}

impl Trouble {
    /// That of a fault, where it is one of a sensor.
    pub(crate) const fn of(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::Stuck(_) => Some(Self::Stuck),
            Fault::Lost(_) => Some(Self::Lost),
            Fault::NotAvailable(_) => Some(Self::NotAvailable),
            Fault::Wrong(_) => Some(Self::Wrong),
            Fault::Blocked(_)
            | Fault::SlowLeak { .. }
            | Fault::BatteryAgeing { .. }
            | Fault::WeakLowVoltageBattery => None,
        }
    }

    /// What the sensor says where `last` was its last value; nothing where it is lost.
    pub(crate) fn says(self, last: &Value, at: Timestamp) -> Option<Datapoint> {
        match self {
            Self::Stuck => Some(Datapoint::valid(last.clone(), at)),
            Self::Lost => None,
            Self::NotAvailable => Some(Datapoint::not_available(Reason::new(ReasonKind::Source), at)),
            Self::Wrong => Some(Datapoint::new(State::Error(Reason::new(ReasonKind::Source)), at)),
        }
    }
}
