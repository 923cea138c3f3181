//! What the drive costs: the traction battery with its charge, health, current and warmth, how it is charged, and the 12 V battery.
//!
//! *Invariant:* the state of charge stays within 0 to 100 percent, the state of health within 50 to 100.
//! *Next:* `car.rs` (which steps it after the motion).

use crate::actuator::{Part, Switch};
use crate::scenario::Scenario;

/// Kilowatt hours of a new battery.
pub(crate) const CAPACITY: f64 = 60.0;
/// Watts for control units while somebody is in the car, and while it is parked.
const AWAKE: f64 = 350.0;
const ASLEEP: f64 = 12.0;
/// Joules in a kilowatt hour.
const KWH: f64 = 3_600_000.0;
/// Volts below which the 12 V battery spares comfort functions.
const LOW_VOLTAGE_LIMIT: f64 = 12.0;

/// What the car is plugged into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plug {
    #[default]
    None,
    /// Alternating current, where it is parked.
    Wall,
    /// Direct current, on the way.
    Fast,
}

#[derive(Clone, Debug)]
pub(crate) struct Energy {
    /// Percent.
    pub(crate) charge: f64,
    pub(crate) health: f64,
    /// Watts out of the battery, negative into it.
    pub(crate) power: f64,
    /// Joules per metre, as of late.
    consumption: f64,
    pub(crate) plug: Plug,
    /// Watts of the charger.
    pub(crate) charging: f64,
    /// Percent at which charging ends, and whether it may begin.
    pub(crate) limit: Switch<f64>,
    pub(crate) allowed: Switch,
    /// Degrees Celsius.
    pub(crate) battery_temperature: f64,
    pub(crate) motor_temperature: f64,
    /// The 12 V battery: volts at rest, whether it is weak, and whether the traction battery helps it.
    resting: f64,
    weak: bool,
    helped: bool,
}

/// What the rest of the car asks of the batteries in one step.
pub(crate) struct Load {
    /// Watts at the motor's shaft.
    pub(crate) motor: f64,
    /// Watts for seats and climate.
    pub(crate) comfort: f64,
    /// Metres in this step.
    pub(crate) distance: f64,
    pub(crate) plug: Plug,
    pub(crate) awake: bool,
    /// Degrees Celsius.
    pub(crate) outside: f64,
    /// Percent of health in a second.
    pub(crate) ageing: f64,
}

impl Energy {
    pub(crate) const fn new(scenario: &Scenario) -> Self {
        Self {
            charge: scenario.state_of_charge,
            health: scenario.state_of_health,
            power: AWAKE,
            consumption: 160.0 * 3.6,
            plug: Plug::None,
            charging: 0.0,
            limit: Switch::new(80.0),
            allowed: Switch::new(true),
            battery_temperature: scenario.outside_temperature + 6.0,
            motor_temperature: scenario.outside_temperature + 6.0,
            resting: 12.7,
            weak: scenario.weak_low_voltage_battery,
            helped: true,
        }
    }

    pub(crate) fn step(&mut self, dt: f64, load: &Load) {
        self.limit.step(dt);
        self.allowed.step(dt);
        self.plug = load.plug;
        self.health = (self.health - load.ageing * dt).max(50.0);
        self.charging = self.charger();
        // The inverter loses a tenth in either direction.
        let motor = if load.motor > 0.0 { load.motor / 0.9 } else { load.motor * 0.9 };
        let electronics = if load.awake { AWAKE } else { ASLEEP };
        self.power = motor + electronics + load.comfort - self.charging;
        let before = self.charge;
        self.charge = (before - self.power * dt / KWH / self.capacity() * 100.0).clamp(0.0, 100.0);
        if self.charging > 0.0 {
            // A step ends where the charger switches off.
            self.charge = self.charge.min(self.limit.now().max(before));
        }
        if load.distance > 0.0 {
            // What the last kilometres cost counts most.
            let share = (load.distance / 5000.0).min(1.0);
            let cost = (self.power * dt / load.distance).clamp(-2000.0, 4000.0);
            self.consumption = (self.consumption + (cost - self.consumption) * share).clamp(300.0, 1500.0);
        }
        let towards = |from: f64, to: f64, seconds: f64| from + (to - from) * (dt / seconds).min(1.0);
        let warm = load.outside + if load.awake { 8.0 } else { 0.0 } + self.power.abs() / 2500.0;
        self.battery_temperature = towards(self.battery_temperature, warm.min(48.0), 1800.0);
        self.motor_temperature =
            towards(self.motor_temperature, load.outside + 5.0 + motor.abs() / 600.0, 600.0);
        self.helped = load.awake || self.charging > 0.0;
        // The control units of a parked car live on it: a tenth of a volt in a day.
        let (to, seconds) = if self.helped { (12.7, 1200.0) } else { (12.1, 500_000.0) };
        self.resting = towards(self.resting, to, seconds);
    }

    /// Watts into the battery now: less when it is nearly full, cold or old.
    fn charger(&self) -> f64 {
        if !self.allowed.now() || self.charge >= self.limit.now() {
            return 0.0;
        }
        let cold = (0.35 + self.battery_temperature.max(0.0) / 30.0).min(1.0);
        match self.plug {
            Plug::None => 0.0,
            Plug::Wall => 11_000.0 * ((101.0 - self.charge) / 6.0).min(1.0),
            Plug::Fast => {
                let full = ((110.0 - self.charge) / 60.0).min(1.0);
                110_000.0 * full * cold * self.health / 100.0
            }
        }
    }

    /// Kilowatt hours that it holds when it is full.
    pub(crate) fn capacity(&self) -> f64 {
        CAPACITY * self.health / 100.0
    }

    /// Kilowatt hours in it.
    pub(crate) fn energy(&self) -> f64 {
        self.capacity() * self.charge / 100.0
    }

    /// Metres that the charge is good for.
    pub(crate) fn range(&self) -> f64 {
        self.energy() * KWH / self.consumption
    }

    /// Volts: lower when empty and under load, the more so when old.
    pub(crate) fn voltage(&self) -> f64 {
        let sag = 1.0 + (100.0 - self.health) / 25.0;
        340.0 + 0.6 * self.charge - self.power / 10_000.0 * sag
    }

    /// Amperes into the battery; negative out of it.
    pub(crate) fn current(&self) -> f64 {
        -self.power / self.voltage()
    }

    pub(crate) fn is_charging(&self) -> bool {
        self.charging > 0.0
    }

    /// Seconds until charging ends; 0 where it does not charge.
    pub(crate) fn time_to_complete(&self) -> f64 {
        if self.charging <= 0.0 {
            return 0.0;
        }
        let missing = (self.limit.now() - self.charge).max(0.0) / 100.0 * self.capacity() * KWH;
        missing / self.charging
    }

    /// Kilometres of range in an hour of charging.
    pub(crate) fn charge_rate(&self) -> f64 {
        self.charging / self.consumption * 3.6
    }

    /// Volts of the 12 V battery.
    pub(crate) fn low_voltage(&self) -> f64 {
        if self.weak {
            11.4
        } else if self.helped {
            14.2
        } else {
            self.resting
        }
    }

    pub(crate) const fn weaken(&mut self, weak: bool) {
        self.weak = weak;
    }

    pub(crate) fn is_low_voltage_weak(&self) -> bool {
        self.low_voltage() < LOW_VOLTAGE_LIMIT
    }

    /// A new battery with the charge of the old one.
    pub(crate) const fn renew(&mut self, health: f64) {
        self.health = health;
    }

    pub(crate) fn rests(&self) -> bool {
        self.limit.rests() && self.allowed.rests()
    }
}
