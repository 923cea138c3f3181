//! Rows of what moves the car: motion, motor, position, brakes, steering, tyres.
//!
//! *Next:* `motion.rs`, `route.rs`, `tyres.rs` (where they are read).

use coachwork_vehicle::vss;

use super::{Pace, Rows};
use crate::car::Car;
use crate::corner::Corner;
use crate::requests::Actuator;

pub(super) fn rows(rows: &mut Rows) {
    motion(rows);
    trip(rows);
    position(rows);
    tyres(rows);
}

fn motion(rows: &mut Rows) {
    rows.number(vss::SPEED, Pace::Fast, 0.01, |car| car.motion.speed_kmh());
    rows.flag(vss::IS_MOVING, Pace::State, |car| car.motion.is_moving());
    rows.number(vss::ACCELERATION_LONGITUDINAL, Pace::Fast, 0.001, |car| car.motion.acceleration);
    rows.number(vss::ACCELERATION_LATERAL, Pace::Fast, 0.001, |car| car.motion.sideways());
    rows.number(vss::ANGULAR_VELOCITY_YAW, Pace::Fast, 0.01, |car| car.motion.yaw);
    rows.number(vss::CHASSIS_ACCELERATOR_PEDAL_POSITION, Pace::Fast, 1.0, |car| car.motion.accelerator());
    rows.number(vss::CHASSIS_BRAKE_PEDAL_POSITION, Pace::Fast, 1.0, |car| {
        car.motion.brake_pedal(car.body.people.stand && car.body.people.driver)
    });
    rows.number(vss::CHASSIS_STEERING_WHEEL_ANGLE, Pace::Fast, 1.0, |car| car.motion.steering);
    rows.flag(vss::CHASSIS_PARKING_BRAKE_IS_ENGAGED, Pace::State, |car| car.body.parking_brake.now())
        .moved_by(Actuator::ParkingBrake);
    rows.word(vss::BODY_LIGHTS_BRAKE_IS_ACTIVE, Pace::State, |car| {
        let people = &car.body.people;
        if car.motion.brake_pedal(people.stand && people.driver) > 3.0 { "ACTIVE" } else { "INACTIVE" }
    });
    rows.number(vss::POWERTRAIN_ELECTRIC_MOTOR_SPEED, Pace::Fast, 0.5, |car| car.motion.motor_speed());
    rows.number(vss::POWERTRAIN_ELECTRIC_MOTOR_TORQUE, Pace::Fast, 1.0, |car| car.motion.motor_torque());
    rows.number(vss::POWERTRAIN_ELECTRIC_MOTOR_POWER, Pace::Fast, 1.0, |car| {
        car.motion.motor_power() / 1000.0
    });
    rows.number(vss::POWERTRAIN_ELECTRIC_MOTOR_TEMPERATURE, Pace::Slow, 1.0, |car| {
        car.energy.motor_temperature
    });
    rows.number(vss::POWERTRAIN_TRANSMISSION_CURRENT_GEAR, Pace::State, 1.0, |car| {
        if car.body.people.stand { 0.0 } else { 1.0 }
    });
}

fn trip(rows: &mut Rows) {
    // A distance is shown once it is covered.
    rows.number(vss::TRAVELED_DISTANCE, Pace::Slow, 1.0, |car| car.odometer().floor());
    rows.number(vss::TRAVELED_DISTANCE_SINCE_START, Pace::Slow, 1.0, |car| car.trip_distance().floor());
    rows.number(vss::TRIP_DURATION, Pace::Slow, 1.0, |car| car.trip.duration);
    rows.number(vss::AVERAGE_SPEED, Pace::Slow, 0.1, Car::average_speed);
}

fn position(rows: &mut Rows) {
    rows.number(vss::CURRENT_LOCATION_LATITUDE, Pace::Fast, 1e-7, |car| car.along.latitude());
    rows.number(vss::CURRENT_LOCATION_LONGITUDE, Pace::Fast, 1e-7, |car| car.along.longitude());
    rows.number(vss::CURRENT_LOCATION_HEADING, Pace::Fast, 0.01, |car| car.motion.heading);
    rows.number(vss::CURRENT_LOCATION_ALTITUDE, Pace::Slow, 0.2, |car| car.along.altitude());
    rows.number(vss::CURRENT_LOCATION_HORIZONTAL_ACCURACY, Pace::Slow, 0.1, |_| 1.5);
}

fn tyres(rows: &mut Rows) {
    macro_rules! tyre {
        ($corner:ident, $pressure:ident, $temperature:ident, $low:ident) => {
            rows.number(vss::$pressure, Pace::Slow, 2.0, |car| car.tyres.pressure(Corner::$corner));
            rows.number(vss::$temperature, Pace::Slow, 1.0, |car| car.tyres.temperature(Corner::$corner));
            rows.flag(vss::$low, Pace::State, |car| car.tyres.is_low(Corner::$corner));
        };
    }
    tyre!(
        FrontLeft,
        CHASSIS_AXLE_ROW1_WHEEL_LEFT_TIRE_PRESSURE,
        CHASSIS_AXLE_ROW1_WHEEL_LEFT_TIRE_AIR_TEMPERATURE,
        CHASSIS_AXLE_ROW1_WHEEL_LEFT_TIRE_IS_PRESSURE_LOW
    );
    tyre!(
        FrontRight,
        CHASSIS_AXLE_ROW1_WHEEL_RIGHT_TIRE_PRESSURE,
        CHASSIS_AXLE_ROW1_WHEEL_RIGHT_TIRE_AIR_TEMPERATURE,
        CHASSIS_AXLE_ROW1_WHEEL_RIGHT_TIRE_IS_PRESSURE_LOW
    );
    tyre!(
        RearLeft,
        CHASSIS_AXLE_ROW2_WHEEL_LEFT_TIRE_PRESSURE,
        CHASSIS_AXLE_ROW2_WHEEL_LEFT_TIRE_AIR_TEMPERATURE,
        CHASSIS_AXLE_ROW2_WHEEL_LEFT_TIRE_IS_PRESSURE_LOW
    );
    tyre!(
        RearRight,
        CHASSIS_AXLE_ROW2_WHEEL_RIGHT_TIRE_PRESSURE,
        CHASSIS_AXLE_ROW2_WHEEL_RIGHT_TIRE_AIR_TEMPERATURE,
        CHASSIS_AXLE_ROW2_WHEEL_RIGHT_TIRE_IS_PRESSURE_LOW
    );
}
