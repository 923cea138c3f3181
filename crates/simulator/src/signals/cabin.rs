//! Rows of the body: doors, windows, trunk, lights outside and inside, wipers, seats, climate.
//!
//! *Next:* `body.rs`, `lamps.rs`, `seat.rs`, `climate.rs` (where they are read).

use coachwork_vehicle::vss;

use super::{Pace, Rows};
use crate::corner::Corner;
use crate::requests::Actuator;
use crate::seat::Side;

pub(super) fn rows(rows: &mut Rows) {
    doors(rows);
    lights(rows);
    lamps(rows);
    seats(rows);
    climate(rows);
}

fn doors(rows: &mut Rows) {
    macro_rules! door {
        ($corner:ident, $open:ident, $locked:ident, $window:ident) => {
            rows.flag(vss::$open, Pace::State, |car| car.body.is_open(Corner::$corner))
                .moved_by(Actuator::Door(Corner::$corner));
            rows.flag(vss::$locked, Pace::State, |car| car.body.locks.at(Corner::$corner).now())
                .moved_by(Actuator::Lock(Corner::$corner));
            rows.number(vss::$window, Pace::State, 1.0, |car| car.body.windows.at(Corner::$corner).level())
                .moved_by(Actuator::Window(Corner::$corner));
        };
    }
    door!(
        FrontLeft,
        CABIN_DOOR_ROW1_DRIVER_SIDE_IS_OPEN,
        CABIN_DOOR_ROW1_DRIVER_SIDE_IS_LOCKED,
        CABIN_DOOR_ROW1_DRIVER_SIDE_WINDOW_POSITION
    );
    door!(
        FrontRight,
        CABIN_DOOR_ROW1_PASSENGER_SIDE_IS_OPEN,
        CABIN_DOOR_ROW1_PASSENGER_SIDE_IS_LOCKED,
        CABIN_DOOR_ROW1_PASSENGER_SIDE_WINDOW_POSITION
    );
    door!(
        RearLeft,
        CABIN_DOOR_ROW2_DRIVER_SIDE_IS_OPEN,
        CABIN_DOOR_ROW2_DRIVER_SIDE_IS_LOCKED,
        CABIN_DOOR_ROW2_DRIVER_SIDE_WINDOW_POSITION
    );
    door!(
        RearRight,
        CABIN_DOOR_ROW2_PASSENGER_SIDE_IS_OPEN,
        CABIN_DOOR_ROW2_PASSENGER_SIDE_IS_LOCKED,
        CABIN_DOOR_ROW2_PASSENGER_SIDE_WINDOW_POSITION
    );
    rows.flag(vss::BODY_TRUNK_REAR_IS_OPEN, Pace::State, |car| car.body.trunk.now())
        .moved_by(Actuator::Trunk);
    rows.flag(vss::BODY_TRUNK_REAR_IS_LOCKED, Pace::State, |car| car.body.trunk_lock.now())
        .moved_by(Actuator::TrunkLock);
}

fn lights(rows: &mut Rows) {
    rows.flag(vss::BODY_LIGHTS_BEAM_LOW_IS_ON, Pace::State, |car| car.body.low_beam.now())
        .moved_by(Actuator::LowBeam);
    rows.flag(vss::BODY_LIGHTS_BEAM_HIGH_IS_ON, Pace::State, |car| car.body.high_beam.now())
        .moved_by(Actuator::HighBeam);
    rows.flag(vss::BODY_LIGHTS_HAZARD_IS_SIGNALING, Pace::State, |car| car.body.hazard.now())
        .moved_by(Actuator::Hazard);
    rows.flag(vss::BODY_LIGHTS_FOG_REAR_IS_ON, Pace::State, |car| car.body.rear_fog.now())
        .moved_by(Actuator::RearFog);
    rows.flag(vss::BODY_LIGHTS_DIRECTION_INDICATOR_LEFT_IS_SIGNALING, Pace::State, |car| {
        car.body.signals_left()
    });
    rows.flag(vss::BODY_LIGHTS_DIRECTION_INDICATOR_RIGHT_IS_SIGNALING, Pace::State, |car| {
        car.body.signals_right()
    });
    rows.word(vss::BODY_WINDSHIELD_FRONT_WIPING_MODE, Pace::State, |car| car.body.wipers.now().word())
        .moved_by(Actuator::Wipers);
    rows.flag(vss::BODY_WINDSHIELD_FRONT_WIPING_SYSTEM_IS_WIPING, Pace::State, |car| {
        car.body.is_wiping(car.climate.rain)
    });
    rows.number(vss::BODY_RAINDETECTION_INTENSITY, Pace::Slow, 1.0, |car| car.climate.rain);
}

fn lamps(rows: &mut Rows) {
    macro_rules! lamps {
        ($corner:ident, $reading:ident, $ambient:ident, $intensity:ident) => {
            rows.flag(vss::$reading, Pace::Comfort, |car| car.body.lamps.reading.at(Corner::$corner).now())
                .moved_by(Actuator::Reading(Corner::$corner));
            rows.flag(vss::$ambient, Pace::Comfort, |car| car.body.lamps.ambient.at(Corner::$corner).now())
                .moved_by(Actuator::Ambient(Corner::$corner));
            rows.number(vss::$intensity, Pace::Comfort, 1.0, |car| {
                car.body.lamps.intensity.at(Corner::$corner).now()
            })
            .moved_by(Actuator::AmbientIntensity(Corner::$corner));
        };
    }
    rows.flag(vss::CABIN_LIGHT_IS_DOME_ON, Pace::Comfort, |car| car.body.lamps.dome.now())
        .moved_by(Actuator::Dome);
    lamps!(
        FrontLeft,
        CABIN_LIGHT_SPOTLIGHT_ROW1_DRIVER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW1_DRIVER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW1_DRIVER_SIDE_INTENSITY
    );
    lamps!(
        FrontRight,
        CABIN_LIGHT_SPOTLIGHT_ROW1_PASSENGER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW1_PASSENGER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW1_PASSENGER_SIDE_INTENSITY
    );
    lamps!(
        RearLeft,
        CABIN_LIGHT_SPOTLIGHT_ROW2_DRIVER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW2_DRIVER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW2_DRIVER_SIDE_INTENSITY
    );
    lamps!(
        RearRight,
        CABIN_LIGHT_SPOTLIGHT_ROW2_PASSENGER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW2_PASSENGER_SIDE_IS_LIGHT_ON,
        CABIN_LIGHT_AMBIENT_LIGHT_ROW2_PASSENGER_SIDE_INTENSITY
    );
    rows.flag(vss::BODY_TRUNK_REAR_IS_LIGHT_ON, Pace::Comfort, |car| car.body.lamps.trunk.now())
        .moved_by(Actuator::TrunkLight);
}

fn seats(rows: &mut Rows) {
    macro_rules! seat {
        ($side:ident, $seat:ident, $heat:ident, $position:ident, $height:ident, $recline:ident) => {
            rows.number(vss::$heat, Pace::State, 1.0, |car| car.body.$seat.heating.level())
                .moved_by(Actuator::SeatHeating(Side::$side));
            rows.number(vss::$position, Pace::State, 1.0, |car| car.body.$seat.position.level())
                .moved_by(Actuator::SeatPosition(Side::$side))
                .within(0.0, 250.0);
            rows.number(vss::$height, Pace::State, 1.0, |car| car.body.$seat.height.level())
                .moved_by(Actuator::SeatHeight(Side::$side))
                .within(0.0, 80.0);
            rows.number(vss::$recline, Pace::State, 0.5, |car| car.body.$seat.backrest.level())
                .moved_by(Actuator::Backrest(Side::$side))
                .within(-10.0, 60.0);
        };
    }
    seat!(
        Driver,
        driver_seat,
        CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING,
        CABIN_SEAT_ROW1_DRIVER_SIDE_POSITION,
        CABIN_SEAT_ROW1_DRIVER_SIDE_HEIGHT,
        CABIN_SEAT_ROW1_DRIVER_SIDE_BACKREST_RECLINE
    );
    seat!(
        Passenger,
        passenger_seat,
        CABIN_SEAT_ROW1_PASSENGER_SIDE_HEATING_COOLING,
        CABIN_SEAT_ROW1_PASSENGER_SIDE_POSITION,
        CABIN_SEAT_ROW1_PASSENGER_SIDE_HEIGHT,
        CABIN_SEAT_ROW1_PASSENGER_SIDE_BACKREST_RECLINE
    );
    rows.flag(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_IS_BELTED, Pace::State, |car| car.body.people.belted);
    rows.word(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_OCCUPANCY_STATUS, Pace::State, |car| {
        occupied(car.body.people.driver)
    });
    rows.word(vss::CABIN_SEAT_ROW1_PASSENGER_SIDE_OCCUPANCY_STATUS, Pace::State, |car| {
        occupied(car.body.people.passenger)
    });
    rows.word(vss::CABIN_SEAT_ROW2_DRIVER_SIDE_OCCUPANCY_STATUS, Pace::Comfort, |car| {
        occupied(car.body.people.guests.rear_left)
    });
    rows.word(vss::CABIN_SEAT_ROW2_PASSENGER_SIDE_OCCUPANCY_STATUS, Pace::Comfort, |car| {
        occupied(car.body.people.guests.rear_right)
    });
}

const fn occupied(is: bool) -> &'static str {
    if is { "OCCUPIED" } else { "EMPTY" }
}

fn climate(rows: &mut Rows) {
    rows.number(vss::CABIN_HVAC_AMBIENT_AIR_TEMPERATURE, Pace::Slow, 0.1, |car| car.climate.cabin);
    rows.number(vss::EXTERIOR_AIR_TEMPERATURE, Pace::Slow, 0.1, |car| car.climate.outside);
    rows.number(vss::CABIN_HVAC_STATION_ROW1_DRIVER_TEMPERATURE, Pace::State, 0.5, |car| {
        car.climate.driver_target.now()
    })
    .moved_by(Actuator::Temperature(Side::Driver))
    .within(16.0, 28.0);
    rows.number(vss::CABIN_HVAC_STATION_ROW1_PASSENGER_TEMPERATURE, Pace::State, 0.5, |car| {
        car.climate.passenger_target.now()
    })
    .moved_by(Actuator::Temperature(Side::Passenger))
    .within(16.0, 28.0);
    rows.number(vss::CABIN_HVAC_STATION_ROW1_DRIVER_FAN_SPEED, Pace::State, 1.0, |car| {
        car.climate.driver_fan.now()
    })
    .moved_by(Actuator::Fan(Side::Driver));
    rows.number(vss::CABIN_HVAC_STATION_ROW1_PASSENGER_FAN_SPEED, Pace::State, 1.0, |car| {
        car.climate.passenger_fan.now()
    })
    .moved_by(Actuator::Fan(Side::Passenger));
    rows.flag(vss::CABIN_HVAC_IS_AIR_CONDITIONING_ACTIVE, Pace::State, |car| {
        car.climate.air_conditioning.now()
    })
    .moved_by(Actuator::AirConditioning);
    rows.flag(vss::CABIN_HVAC_IS_FRONT_DEFROSTER_ACTIVE, Pace::State, |car| car.climate.defroster.now())
        .moved_by(Actuator::Defroster);
}
