//! Who may be asked to move, and when it will not: the actuators of the car, and the reasons they refuse for.
//!
//! *Invariant:* a refused request changes nothing. What is asked here starts to move in a later step.
//! *Next:* `actuator.rs` (how it moves), `signals` (which path is which actuator).

use coachwork_vehicle::{Refusal, RefusalKind, Value};

use crate::actuator::Part;
use crate::body::{COMFORT_ABOVE, Wipers};
use crate::car::Car;
use crate::corner::Corner;
use crate::energy::Plug;
use crate::seat::Side;

/// What can be asked to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actuator {
    SeatHeating(Side),
    SeatPosition(Side),
    SeatHeight(Side),
    Backrest(Side),
    Door(Corner),
    Lock(Corner),
    Window(Corner),
    Trunk,
    TrunkLock,
    LowBeam,
    HighBeam,
    Hazard,
    RearFog,
    Wipers,
    ParkingBrake,
    Temperature(Side),
    Fan(Side),
    AirConditioning,
    Defroster,
    Dome,
    Reading(Corner),
    Ambient(Corner),
    AmbientIntensity(Corner),
    TrunkLight,
    ChargeLimit,
    Charging,
}

impl Car {
    /// Asks an actuator to move, from the next step on; the catalogue has checked type and range.
    pub(crate) fn ask(&mut self, actuator: Actuator, value: &Value) -> Result<(), Refusal> {
        if self.part(actuator).is_blocked() {
            return Err(blocked());
        }
        let number = || value.as_f64().ok_or_else(|| other("it is asked with a number"));
        let flag = || match value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(other("it is asked with true or false")),
        };
        let word = || match value {
            Value::Text(word) => Ok(&**word),
            _ => Err(other("it is asked with a word")),
        };
        match actuator {
            Actuator::SeatHeating(side) => {
                self.may_heat(side, number()?)?;
                self.body.seat_mut(side).heating.ask(number()?);
            }
            Actuator::SeatPosition(side) => {
                self.may_sit_elsewhere(side)?;
                self.body.seat_mut(side).position.ask(number()?);
            }
            Actuator::SeatHeight(side) => {
                self.may_sit_elsewhere(side)?;
                self.body.seat_mut(side).height.ask(number()?);
            }
            Actuator::Backrest(side) => {
                self.may_sit_elsewhere(side)?;
                self.body.seat_mut(side).backrest.ask(number()?);
            }
            Actuator::Window(door) => self.body.ask_window(door, number()?),
            Actuator::Door(door) => {
                self.standing()?;
                if flag()? && self.body.locks.at(door).now() {
                    return Err(not_now("the door is locked"));
                }
                self.body.doors.at_mut(door).ask(flag()?);
            }
            Actuator::Lock(door) => {
                self.standing()?;
                if flag()? && self.body.is_open(door) {
                    return Err(not_now("the door is open"));
                }
                self.body.locks.at_mut(door).ask(flag()?);
            }
            Actuator::Trunk => {
                self.standing()?;
                if flag()? && self.body.trunk_lock.now() {
                    return Err(not_now("the trunk is locked"));
                }
                self.body.trunk.ask(flag()?);
            }
            Actuator::TrunkLock => {
                self.standing()?;
                if flag()? && self.body.trunk.now() {
                    return Err(not_now("the trunk is open"));
                }
                self.body.trunk_lock.ask(flag()?);
            }
            Actuator::ParkingBrake => {
                self.standing()?;
                self.body.parking_brake.ask(flag()?);
            }
            Actuator::LowBeam => self.body.low_beam.ask(flag()?),
            Actuator::HighBeam => self.body.high_beam.ask(flag()?),
            Actuator::Hazard => self.body.hazard.ask(flag()?),
            Actuator::RearFog => self.body.rear_fog.ask(flag()?),
            Actuator::Wipers => {
                let word = word()?;
                let wipers = Wipers::ALL.into_iter().find(|wipers| wipers.word() == word);
                self.body.wipers.ask(wipers.ok_or_else(|| other("the wipers have no such setting"))?);
            }
            Actuator::Temperature(side) => self.climate.target_mut(side).ask(number()?),
            Actuator::Fan(side) => self.climate.fan_mut(side).ask(number()?),
            Actuator::AirConditioning => self.climate.air_conditioning.ask(flag()?),
            Actuator::Defroster => self.climate.defroster.ask(flag()?),
            Actuator::Dome => self.body.lamps.ask_dome(flag()?),
            Actuator::Reading(seat) => self.body.lamps.reading.at_mut(seat).ask(flag()?),
            Actuator::Ambient(seat) => self.body.lamps.ambient.at_mut(seat).ask(flag()?),
            Actuator::AmbientIntensity(seat) => self.body.lamps.intensity.at_mut(seat).ask(number()?),
            Actuator::TrunkLight => self.body.lamps.trunk.ask(flag()?),
            Actuator::ChargeLimit => self.energy.limit.ask(number()?),
            Actuator::Charging => match word()? {
                "START" if self.energy.plug == Plug::None => return Err(not_now("no cable is plugged in")),
                "START" => self.energy.allowed.ask(true),
                "STOP" => self.energy.allowed.ask(false),
                _ => return Err(other("charging is started or stopped")),
            },
        }
        Ok(())
    }

    /// The part that an actuator is.
    pub(crate) fn part(&mut self, actuator: Actuator) -> &mut dyn Part {
        let body = &mut self.body;
        match actuator {
            Actuator::SeatHeating(side) => &mut body.seat_mut(side).heating,
            Actuator::SeatPosition(side) => &mut body.seat_mut(side).position,
            Actuator::SeatHeight(side) => &mut body.seat_mut(side).height,
            Actuator::Backrest(side) => &mut body.seat_mut(side).backrest,
            Actuator::Door(door) => body.doors.at_mut(door),
            Actuator::Lock(door) => body.locks.at_mut(door),
            Actuator::Window(door) => body.windows.at_mut(door),
            Actuator::Trunk => &mut body.trunk,
            Actuator::TrunkLock => &mut body.trunk_lock,
            Actuator::LowBeam => &mut body.low_beam,
            Actuator::HighBeam => &mut body.high_beam,
            Actuator::Hazard => &mut body.hazard,
            Actuator::RearFog => &mut body.rear_fog,
            Actuator::Wipers => &mut body.wipers,
            Actuator::ParkingBrake => &mut body.parking_brake,
            Actuator::Temperature(side) => self.climate.target_mut(side),
            Actuator::Fan(side) => self.climate.fan_mut(side),
            Actuator::AirConditioning => &mut self.climate.air_conditioning,
            Actuator::Defroster => &mut self.climate.defroster,
            Actuator::Dome => &mut body.lamps.dome,
            Actuator::Reading(seat) => body.lamps.reading.at_mut(seat),
            Actuator::Ambient(seat) => body.lamps.ambient.at_mut(seat),
            Actuator::AmbientIntensity(seat) => body.lamps.intensity.at_mut(seat),
            Actuator::TrunkLight => &mut body.lamps.trunk,
            Actuator::ChargeLimit => &mut self.energy.limit,
            Actuator::Charging => &mut self.energy.allowed,
        }
    }

    fn may_heat(&self, side: Side, percent: f64) -> Result<(), Refusal> {
        if percent < 0.0 {
            return Err(other("this seat heats and does not cool"));
        }
        if percent <= 0.0 {
            return Ok(());
        }
        if self.energy.is_low_voltage_weak() {
            return Err(not_now(&format!("the 12 V battery is low ({:.1} V)", self.energy.low_voltage())));
        }
        if self.energy.charge < COMFORT_ABOVE {
            return Err(not_now("the traction battery is nearly empty"));
        }
        if self.body.people.left || (side == Side::Passenger && !self.body.people.passenger) {
            return Err(not_now("nobody sits there"));
        }
        Ok(())
    }

    /// The driver's seat does not move under the driver on the way.
    fn may_sit_elsewhere(&self, side: Side) -> Result<(), Refusal> {
        if side == Side::Driver { self.standing() } else { Ok(()) }
    }

    fn standing(&self) -> Result<(), Refusal> {
        if self.motion.is_moving() { Err(not_now("not while the car moves")) } else { Ok(()) }
    }
}

/// Why what is blocked does not move.
pub(crate) fn blocked() -> Refusal {
    Refusal::new(RefusalKind::Busy, "it is blocked")
}

fn not_now(text: &str) -> Refusal {
    Refusal::new(RefusalKind::NotNow, text)
}

fn other(text: &str) -> Refusal {
    Refusal::new(RefusalKind::Other, text)
}
