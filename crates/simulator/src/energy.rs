//! What the drive costs: the traction battery with its charge, current and warmth, the 12 V battery, and the temperatures.
//!
//! *Invariant:* the state of charge stays within 0 to 100 percent.
//! *Next:* `car.rs` (which steps it after the motion).

use crate::scenario::Scenario;

/// Kilowatt hours.
const CAPACITY: f64 = 60.0;
/// Watts for everything but the motor and the comfort of seats.
const ALWAYS_ON: f64 = 450.0;
/// Watts at a charger.
const CHARGER: f64 = 50_000.0;
/// Joules in a kilowatt hour.
const KWH: f64 = 3_600_000.0;
/// Volts below which the 12 V battery spares comfort functions.
pub(crate) const LOW_VOLTAGE_LIMIT: f64 = 12.0;

#[derive(Clone, Debug)]
pub(crate) struct Energy {
    /// Percent.
    pub(crate) charge: f64,
    /// Watts out of the battery, negative into it.
    pub(crate) power: f64,
    /// Joules per metre, as of late.
    consumption: f64,
    pub(crate) is_charging: bool,
    /// Degrees Celsius, all three.
    pub(crate) battery_temperature: f64,
    pub(crate) cabin_temperature: f64,
    pub(crate) outside_temperature: f64,
    /// Volts.
    pub(crate) low_voltage: f64,
    /// Kilopascals above those of cold tyres.
    pub(crate) tyre_warmth: f64,
}

/// What the rest of the car asks of the batteries in one step.
pub(crate) struct Load {
    /// Watts at the motor's shaft.
    pub(crate) motor: f64,
    /// Watts for seats.
    pub(crate) comfort: f64,
    /// Metres in this step.
    pub(crate) distance: f64,
    pub(crate) charging: bool,
}

impl Energy {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let outside = scenario.outside_temperature;
        Self {
            charge: scenario.state_of_charge,
            power: ALWAYS_ON,
            consumption: 160.0 * 3.6,
            is_charging: false,
            battery_temperature: outside + 6.0,
            cabin_temperature: outside + 3.0,
            outside_temperature: outside,
            low_voltage: if scenario.weak_low_voltage_battery { 11.4 } else { 14.2 },
            tyre_warmth: 0.0,
        }
    }

    pub(crate) fn step(&mut self, dt: f64, load: &Load) {
        // The inverter loses a tenth in either direction.
        let motor = if load.motor > 0.0 { load.motor / 0.9 } else { load.motor * 0.9 };
        self.is_charging = load.charging;
        self.power = motor + ALWAYS_ON + load.comfort - if load.charging { CHARGER } else { 0.0 };
        self.charge = (self.charge - self.power * dt / KWH / CAPACITY * 100.0).clamp(0.0, 100.0);
        if load.distance > 0.0 {
            // What the last kilometres cost counts most.
            let share = (load.distance / 5000.0).min(1.0);
            let cost = (self.power * dt / load.distance).clamp(-2000.0, 4000.0);
            self.consumption = (self.consumption + (cost - self.consumption) * share).clamp(300.0, 1500.0);
        }
        let towards = |from: f64, to: f64, seconds: f64| from + (to - from) * (dt / seconds).min(1.0);
        let warm = self.outside_temperature + 8.0 + self.power.abs() / 2500.0;
        self.battery_temperature = towards(self.battery_temperature, warm.min(48.0), 900.0);
        self.cabin_temperature = towards(self.cabin_temperature, 21.0, 300.0);
        let rolling = if load.distance > 0.0 { 22.0 } else { 0.0 };
        self.tyre_warmth = towards(self.tyre_warmth, rolling, 600.0);
    }

    /// Metres that the charge is good for.
    pub(crate) fn range(&self) -> f64 {
        self.charge / 100.0 * CAPACITY * KWH / self.consumption
    }

    /// Volts: lower when empty and under load.
    pub(crate) fn voltage(&self) -> f64 {
        340.0 + 0.6 * self.charge - self.power / 10_000.0
    }

    /// Amperes into the battery; negative out of it.
    pub(crate) fn current(&self) -> f64 {
        -self.power / self.voltage()
    }

    pub(crate) fn is_low_voltage_weak(&self) -> bool {
        self.low_voltage < LOW_VOLTAGE_LIMIT
    }
}
