//! Rows of the batteries and of charging, and what the car is.
//!
//! *Next:* `energy.rs` (where they are read).

use coachwork_vehicle::vss;

use super::{Pace, Rows};
use crate::car::Car;
use crate::energy::Plug;
use crate::requests::Actuator;

pub(super) fn rows(rows: &mut Rows) {
    battery(rows);
    charging(rows);
    rows.number(vss::LOW_VOLTAGE_BATTERY_CURRENT_VOLTAGE, Pace::Slow, 0.1, |car| car.energy.low_voltage());
    rows.word(vss::LOW_VOLTAGE_SYSTEM_STATE, Pace::State, Car::power_state);
    rows.fixed(vss::VEHICLE_IDENTIFICATION_BRAND, "Coachwork".to_owned());
    rows.fixed(vss::VEHICLE_IDENTIFICATION_MODEL, "Simulator".to_owned());
    rows.fixed(vss::POWERTRAIN_TRACTION_BATTERY_GROSS_CAPACITY, 62_u16);
    rows.fixed(vss::POWERTRAIN_TRACTION_BATTERY_NOMINAL_VOLTAGE, 370_u16);
}

fn battery(rows: &mut Rows) {
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_CHARGE_DISPLAYED, Pace::Slow, 0.1, |car| {
        car.energy.charge
    });
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_CHARGE_CURRENT_ENERGY, Pace::Slow, 0.1, |car| {
        car.energy.energy()
    });
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_HEALTH, Pace::Slow, 0.1, |car| car.energy.health);
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_NET_CAPACITY, Pace::Slow, 1.0, |car| car.energy.capacity());
    // The range falls and never rounds up.
    rows.number(vss::POWERTRAIN_RANGE, Pace::Slow, 100.0, |car| (car.energy.range() / 100.0).floor() * 100.0);
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_VOLTAGE, Pace::Slow, 0.1, |car| {
        car.energy.voltage()
    });
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_CURRENT, Pace::Slow, 0.1, |car| {
        car.energy.current()
    });
    // Into the battery is positive, as with the current.
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_POWER, Pace::Slow, 10.0, |car| -car.energy.power);
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_TEMPERATURE_AVERAGE, Pace::Slow, 0.5, |car| {
        car.energy.battery_temperature
    });
}

fn charging(rows: &mut Rows) {
    rows.flag(vss::POWERTRAIN_TRACTION_BATTERY_CHARGING_IS_CHARGING, Pace::State, |car| {
        car.energy.is_charging()
    });
    rows.flag(
        vss::POWERTRAIN_TRACTION_BATTERY_CHARGING_CHARGING_PORT_ANY_POSITION_IS_CHARGING_CABLE_CONNECTED,
        Pace::State,
        |car| car.energy.plug != Plug::None,
    );
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_CHARGING_CHARGE_LIMIT, Pace::State, 1.0, |car| {
        car.energy.limit.now()
    })
    .moved_by(Actuator::ChargeLimit)
    .within(20.0, 100.0);
    rows.word(vss::POWERTRAIN_TRACTION_BATTERY_CHARGING_START_STOP_CHARGING, Pace::State, |car| {
        if car.energy.allowed.now() { "START" } else { "STOP" }
    })
    .moved_by(Actuator::Charging);
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_CHARGING_CHARGE_RATE, Pace::Slow, 1.0, |car| {
        car.energy.charge_rate()
    });
    rows.number(vss::POWERTRAIN_TRACTION_BATTERY_CHARGING_TIME_TO_COMPLETE, Pace::Slow, 10.0, |car| {
        car.energy.time_to_complete()
    });
}
