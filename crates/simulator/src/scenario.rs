//! What a simulated drive starts from: a seed, the state of the car, the way, and what will go wrong.
//!
//! *Invariant:* a checked scenario has finite numbers in the ranges that its fields state.
//! *Next:* `car.rs` (which begins with it).

use std::ops::RangeBounds;
use std::time::Duration;

use coachwork_vehicle::{Error, ErrorKind};

use crate::fault::{Fault, Incident};
use crate::route::Route;

/// More incidents than this are no scenario.
const MOST_INCIDENTS: usize = 1000;

/// Where a simulated car starts: parked, its driver about to get in.
///
/// ```
/// use coachwork_simulator::{Corner, Fault, Scenario};
/// use std::time::Duration;
/// let icy = Scenario { outside_temperature: -12.0, ..Scenario::seeded(7) };
/// assert_eq!(icy.state_of_charge, 80.0);
/// let minutes = |n: u64| Duration::from_secs(60 * n);
/// let unlucky = icy
///     .with_fault(Fault::slow_leak(Corner::RearLeft, 120.0), minutes(5)..)
///     .with_fault(Fault::stuck("Vehicle.Speed"), minutes(1)..minutes(2));
/// assert_eq!(unlucky.faults.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Decides every choice of the drive: the same seed gives the same stream of datapoints.
    pub seed: u64,
    /// The traction battery at the start, in percent, 0 to 100. A car that starts nearly empty charges first.
    pub state_of_charge: f64,
    /// What the traction battery holds of what it held when it was new, in percent, 50 to 100.
    pub state_of_health: f64,
    /// The odometer at the start, in metres, 0 to 2,000,000,000.
    pub odometer: u32,
    /// The air outside, in degrees Celsius, -40 to 60.
    pub outside_temperature: f64,
    /// Whether the 12 V battery is too weak for comfort functions: then the seats refuse to heat.
    pub weak_low_voltage_battery: bool,
    /// Where it drives; `None` is [`Route::default`].
    pub route: Option<Route>,
    /// What goes wrong and when, at most 1000; more can be injected and healed at any time.
    pub faults: Vec<Incident>,
}

impl Scenario {
    /// A healthy car on a cool day, its drive decided by `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self {
            seed,
            state_of_charge: 80.0,
            state_of_health: 100.0,
            odometer: 12_345_678,
            outside_temperature: 4.0,
            weak_low_voltage_battery: false,
            route: None,
            faults: Vec::new(),
        }
    }

    /// The same with a fault in a span of the time since the start: `from..until`, or `from..` for good.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault, when: impl RangeBounds<Duration>) -> Self {
        self.faults.push(Incident::new(fault, when));
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        // A NaN is in no range.
        if !(0.0..=100.0).contains(&self.state_of_charge) {
            return Err(invalid("state_of_charge is 0 to 100 percent"));
        }
        if !(50.0..=100.0).contains(&self.state_of_health) {
            return Err(invalid("state_of_health is 50 to 100 percent"));
        }
        if self.odometer > 2_000_000_000 {
            return Err(invalid("odometer is 0 to 2,000,000,000 metres"));
        }
        if !(-40.0..=60.0).contains(&self.outside_temperature) {
            return Err(invalid("outside_temperature is -40 to 60 degrees Celsius"));
        }
        if self.faults.len() > MOST_INCIDENTS {
            return Err(invalid("a scenario has at most 1000 faults"));
        }
        self.faults.iter().try_for_each(|incident| incident.fault.check())
    }
}

impl Default for Scenario {
    /// The scenario of seed 0.
    fn default() -> Self {
        Self::seeded(0)
    }
}

pub(crate) fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what).reported_by("simulator")
}
