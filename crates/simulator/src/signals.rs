//! What of the car is published: one row for each signal, with its facts from VSS 6.0, how often it comes, and where it is read.
//!
//! *Invariant:* paths, kinds, types, units and ranges are those of VSS 6.0; the rows are in the catalogue's order.
//! *Next:* `vehicle.rs` (which publishes them).

use std::time::Duration;

use coachwork_vehicle::{DataType, Entry, Value};

use crate::body::{Actuator, Door, Side};
use crate::car::Car;

/// The step of the simulation.
pub(crate) const STEP: Duration = Duration::from_millis(100);

pub(crate) struct Row {
    pub(crate) entry: Entry,
    /// It is published once in so many steps, and whenever a step changes one that is `eager`.
    pub(crate) every: u32,
    pub(crate) eager: bool,
    pub(crate) actuator: Option<Actuator>,
    pub(crate) read: fn(&Car) -> Value,
}

/// A measurement that comes with every step.
fn fast(entry: Entry, read: fn(&Car) -> Value) -> Row {
    row(entry, 1, false, read)
}

/// A measurement that comes once in a second.
fn slow(entry: Entry, read: fn(&Car) -> Value) -> Row {
    row(entry, 10, false, read)
}

/// A state that comes at once when it changes, and again every half second.
fn state(entry: Entry, read: fn(&Car) -> Value) -> Row {
    row(entry, 5, true, read)
}

fn row(entry: Entry, every: u32, eager: bool, read: fn(&Car) -> Value) -> Row {
    // Ten missed reports are no hiccup any more.
    let entry = entry.with_stale_after(STEP.saturating_mul(every).saturating_mul(10));
    Row { entry, every, eager, actuator: None, read }
}

impl Row {
    fn moved_by(self, actuator: Actuator) -> Self {
        Self { actuator: Some(actuator), ..self }
    }
}

/// All rows. A path that is an actuator in VSS and has no [`Actuator`] here moves by hand.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = driving();
    rows.extend(chassis());
    rows.extend(doors());
    rows.extend(cabin());
    rows.extend(energy());
    rows
}

fn driving() -> Vec<Row> {
    vec![
        fast(sensor("Vehicle.Speed", DataType::FLOAT, "km/h"), |car| float(car.motion.speed_kmh())),
        state(plain_sensor("Vehicle.IsMoving", DataType::BOOLEAN), |car| Value::Bool(car.motion.is_moving())),
        fast(sensor("Vehicle.Acceleration.Longitudinal", DataType::FLOAT, "m/s^2"), |car| {
            float(car.motion.acceleration)
        }),
        slow(sensor("Vehicle.TraveledDistance", DataType::UINT32, "m"), |car| below(car.odometer())),
        fast(
            percent(sensor("Vehicle.Chassis.Accelerator.PedalPosition", DataType::UINT8, "percent")),
            |car| natural(car.motion.accelerator()),
        ),
        fast(percent(sensor("Vehicle.Chassis.Brake.PedalPosition", DataType::UINT8, "percent")), |car| {
            natural(car.motion.brake_pedal(car.body.people.stand))
        }),
        fast(sensor("Vehicle.Powertrain.ElectricMotor.Speed", DataType::FLOAT, "rpm"), |car| {
            float(car.motion.motor_speed())
        }),
        fast(sensor("Vehicle.Powertrain.ElectricMotor.Torque", DataType::INT16, "Nm"), |car| {
            whole(car.motion.motor_torque())
        }),
        fast(sensor("Vehicle.Powertrain.ElectricMotor.Power", DataType::INT16, "kW"), |car| {
            whole(car.motion.motor_power() / 1000.0)
        }),
        state(plain_sensor("Vehicle.Powertrain.Transmission.CurrentGear", DataType::INT8), |car| {
            whole(if car.body.people.stand { 0.0 } else { 1.0 })
        }),
    ]
}

fn chassis() -> Vec<Row> {
    let parking_brake = Entry::actuator("Vehicle.Chassis.ParkingBrake.IsEngaged", DataType::BOOLEAN);
    vec![
        fast(sensor("Vehicle.Chassis.SteeringWheel.Angle", DataType::INT16, "degrees"), |car| {
            whole(car.motion.steering)
        }),
        state(parking_brake, |car| Value::Bool(car.body.is_parking_brake_engaged()))
            .moved_by(Actuator::ParkingBrake),
        slow(sensor("Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", DataType::UINT16, "kPa"), |car| {
            natural(car.tyre_pressure(0))
        }),
        slow(sensor("Vehicle.Chassis.Axle.Row1.Wheel.Right.Tire.Pressure", DataType::UINT16, "kPa"), |car| {
            natural(car.tyre_pressure(1))
        }),
        slow(sensor("Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.Pressure", DataType::UINT16, "kPa"), |car| {
            natural(car.tyre_pressure(2))
        }),
        slow(sensor("Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.Pressure", DataType::UINT16, "kPa"), |car| {
            natural(car.tyre_pressure(3))
        }),
        state(
            Entry::actuator("Vehicle.Body.Lights.Brake.IsActive", DataType::STRING).with_allowed([
                Value::from("INACTIVE"),
                Value::from("ACTIVE"),
                Value::from("ADAPTIVE"),
            ]),
            |car| {
                let pressed = car.motion.brake_pedal(car.body.people.stand) > 3.0;
                Value::from(if pressed { "ACTIVE" } else { "INACTIVE" })
            },
        ),
        state(Entry::actuator("Vehicle.Body.Lights.Beam.Low.IsOn", DataType::BOOLEAN), |car| {
            Value::Bool(car.body.is_low_beam_on())
        })
        .moved_by(Actuator::LowBeam),
    ]
}

fn doors() -> Vec<Row> {
    macro_rules! door {
        ($name:literal, $door:expr) => {
            [
                state(
                    Entry::actuator(concat!("Vehicle.Cabin.Door.", $name, ".IsOpen"), DataType::BOOLEAN),
                    |car| Value::Bool(car.body.is_open($door)),
                ),
                state(
                    Entry::actuator(concat!("Vehicle.Cabin.Door.", $name, ".IsLocked"), DataType::BOOLEAN),
                    |car| Value::Bool(car.body.is_locked($door)),
                )
                .moved_by(Actuator::Lock($door)),
            ]
        };
    }
    [
        door!("Row1.DriverSide", Door::FrontDriver),
        door!("Row1.PassengerSide", Door::FrontPassenger),
        door!("Row2.DriverSide", Door::RearDriver),
        door!("Row2.PassengerSide", Door::RearPassenger),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cabin() -> Vec<Row> {
    let heating = |path: &str| {
        let entry = Entry::actuator(path, DataType::INT8).with_unit("percent");
        entry.with_range(Value::Int(-100), Value::Int(100)).with_step(1.0)
    };
    let window = Entry::actuator("Vehicle.Cabin.Door.Row1.DriverSide.Window.Position", DataType::UINT8);
    vec![
        state(heating("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"), |car| {
            whole(car.body.seat(Side::Driver))
        })
        .moved_by(Actuator::SeatHeating(Side::Driver)),
        state(heating("Vehicle.Cabin.Seat.Row1.PassengerSide.HeatingCooling"), |car| {
            whole(car.body.seat(Side::Passenger))
        })
        .moved_by(Actuator::SeatHeating(Side::Passenger)),
        state(plain_sensor("Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted", DataType::BOOLEAN), |car| {
            Value::Bool(car.body.people.belted)
        }),
        state(
            plain_sensor("Vehicle.Cabin.Seat.Row1.PassengerSide.OccupancyStatus", DataType::STRING)
                .with_allowed([Value::from("UNKNOWN"), Value::from("OCCUPIED"), Value::from("EMPTY")]),
            |car| Value::from(if car.body.people.passenger { "OCCUPIED" } else { "EMPTY" }),
        ),
        state(percent(window.with_unit("percent")).with_step(1.0), |car| natural(car.body.window()))
            .moved_by(Actuator::Window),
        slow(sensor("Vehicle.Cabin.HVAC.AmbientAirTemperature", DataType::FLOAT, "Celsius"), |car| {
            float(car.energy.cabin_temperature)
        }),
        slow(sensor("Vehicle.Exterior.AirTemperature", DataType::FLOAT, "Celsius"), |car| {
            float(car.energy.outside_temperature)
        }),
    ]
}

fn energy() -> Vec<Row> {
    let charge =
        sensor("Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", DataType::FLOAT, "percent");
    vec![
        slow(charge.with_range(Value::Float(0.0), Value::Float(100.0)), |car| float(car.energy.charge)),
        slow(sensor("Vehicle.Powertrain.Range", DataType::UINT32, "m"), |car| below(car.energy.range())),
        slow(sensor("Vehicle.Powertrain.TractionBattery.CurrentVoltage", DataType::FLOAT, "V"), |car| {
            float(car.energy.voltage())
        }),
        slow(sensor("Vehicle.Powertrain.TractionBattery.CurrentCurrent", DataType::FLOAT, "A"), |car| {
            float(car.energy.current())
        }),
        slow(
            sensor("Vehicle.Powertrain.TractionBattery.Temperature.Average", DataType::FLOAT, "Celsius"),
            |car| float(car.energy.battery_temperature),
        ),
        state(
            plain_sensor("Vehicle.Powertrain.TractionBattery.Charging.IsCharging", DataType::BOOLEAN),
            |car| Value::Bool(car.energy.is_charging),
        ),
        slow(sensor("Vehicle.LowVoltageBattery.CurrentVoltage", DataType::FLOAT, "V"), |car| {
            float(car.energy.low_voltage)
        }),
    ]
}

fn sensor(path: &str, data_type: DataType, unit: &str) -> Entry {
    plain_sensor(path, data_type).with_unit(unit)
}

fn plain_sensor(path: &str, data_type: DataType) -> Entry {
    Entry::sensor(path, data_type)
}

fn percent(entry: Entry) -> Entry {
    entry.with_range(Value::Uint(0), Value::Uint(100))
}

#[expect(clippy::cast_possible_truncation, reason = "the nearest float is what is published")]
fn float(value: f64) -> Value {
    Value::Float(value as f32)
}

/// The nearest integer; the casts of Rust saturate.
#[expect(clippy::cast_possible_truncation, reason = "rounded before, and far from the ends")]
fn whole(value: f64) -> Value {
    Value::Int(value.round() as i64)
}

/// The nearest natural number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not negative")]
fn natural(value: f64) -> Value {
    Value::Uint(value.round().max(0.0) as u64)
}

/// The natural number below: a distance is shown once it is covered.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not negative")]
fn below(value: f64) -> Value {
    Value::Uint(value.floor().max(0.0) as u64)
}
