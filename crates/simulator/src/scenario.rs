//! What a simulated drive starts from: a seed and the state of the car.
//!
//! *Invariant:* a checked scenario has finite numbers in the ranges that its fields state.
//! *Next:* `car.rs` (which begins with it).

use coachwork_vehicle::{Error, ErrorKind};

/// Where a simulated car starts: parked, its driver about to get in.
///
/// ```
/// use coachwork_simulator::Scenario;
/// let icy = Scenario { outside_temperature: -12.0, ..Scenario::seeded(7) };
/// assert_eq!(icy.state_of_charge, 80.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Decides every choice of the drive: the same seed gives the same stream of datapoints.
    pub seed: u64,
    /// The traction battery at the start, in percent, 0 to 100. A car that starts nearly empty charges first.
    pub state_of_charge: f64,
    /// The odometer at the start, in metres, 0 to 2,000,000,000.
    pub odometer: u32,
    /// The air outside, in degrees Celsius, -40 to 60.
    pub outside_temperature: f64,
    /// Whether the 12 V battery is too weak for comfort functions: then the seats refuse to heat.
    pub weak_low_voltage_battery: bool,
}

impl Scenario {
    /// A healthy car on a cool day, its drive decided by `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self {
            seed,
            state_of_charge: 80.0,
            odometer: 12_345_678,
            outside_temperature: 4.0,
            weak_low_voltage_battery: false,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        // A NaN is in no range.
        if !(0.0..=100.0).contains(&self.state_of_charge) {
            return Err(invalid("state_of_charge is 0 to 100 percent"));
        }
        if self.odometer > 2_000_000_000 {
            return Err(invalid("odometer is 0 to 2,000,000,000 metres"));
        }
        if !(-40.0..=60.0).contains(&self.outside_temperature) {
            return Err(invalid("outside_temperature is -40 to 60 degrees Celsius"));
        }
        Ok(())
    }
}

impl Default for Scenario {
    /// The scenario of seed 0.
    fn default() -> Self {
        Self::seeded(0)
    }
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what).reported_by("simulator")
}
