//! Doors, locks, seats, windows and lights: what can be asked to move, and when it will not.
//!
//! *Invariant:* nothing opens or unlocks on request while the car moves. A refused request changes nothing.
//! *Next:* `car.rs` (which steps it and passes requests on).

use coachwork_vehicle::{Refusal, RefusalKind, Value};

use crate::actuator::{Switch, Travel};
use crate::energy::Energy;
use crate::motion::Motion;
use crate::trip::Wish;

/// Percent per second.
const SEAT_SPEED: f64 = 50.0;
const WINDOW_SPEED: f64 = 25.0;
/// Watts of a seat at 100 percent.
const SEAT_POWER: f64 = 90.0;
/// Doors lock by themselves above this speed, in km/h.
const LOCK_ABOVE: f64 = 15.0;
/// Below this state of charge, in percent, comfort is switched off.
const COMFORT_ABOVE: f64 = 5.0;

/// What can be asked to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actuator {
    SeatHeating(Side),
    Lock(Door),
    Window,
    LowBeam,
    ParkingBrake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Driver,
    Passenger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    FrontDriver,
    FrontPassenger,
    RearDriver,
    RearPassenger,
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    driver_seat: Travel,
    passenger_seat: Travel,
    locks: Locks,
    window: Travel,
    low_beam: Switch,
    parking_brake: Switch,
    was_parked: bool,
    was_fast: bool,
    /// What people do: doors, belt, who sits where.
    pub(crate) people: Wish,
}

#[derive(Clone, Debug, Default)]
struct Locks {
    front_driver: Switch,
    front_passenger: Switch,
    rear_driver: Switch,
    rear_passenger: Switch,
}

impl Locks {
    fn all(&mut self) -> [&mut Switch; 4] {
        [&mut self.front_driver, &mut self.front_passenger, &mut self.rear_driver, &mut self.rear_passenger]
    }

    const fn of(&self, door: Door) -> &Switch {
        match door {
            Door::FrontDriver => &self.front_driver,
            Door::FrontPassenger => &self.front_passenger,
            Door::RearDriver => &self.rear_driver,
            Door::RearPassenger => &self.rear_passenger,
        }
    }

    const fn of_mut(&mut self, door: Door) -> &mut Switch {
        match door {
            Door::FrontDriver => &mut self.front_driver,
            Door::FrontPassenger => &mut self.front_passenger,
            Door::RearDriver => &mut self.rear_driver,
            Door::RearPassenger => &mut self.rear_passenger,
        }
    }
}

impl Body {
    pub(crate) fn new() -> Self {
        Self {
            driver_seat: Travel::new(SEAT_SPEED),
            passenger_seat: Travel::new(SEAT_SPEED),
            locks: Locks::default(),
            window: Travel::new(WINDOW_SPEED),
            low_beam: Switch::new(true),
            parking_brake: Switch::new(true),
            was_parked: true,
            was_fast: false,
            people: Wish { stand: true, parked: true, ..Wish::default() },
        }
    }

    /// Asks an actuator to move; the catalogue has checked type and range.
    pub(crate) fn ask(
        &mut self,
        actuator: Actuator,
        value: &Value,
        motion: &Motion,
        energy: &Energy,
    ) -> Result<(), Refusal> {
        match (actuator, value) {
            (Actuator::SeatHeating(side), _) => {
                let percent = value.as_f64().ok_or_else(|| other("a seat is heated by a percentage"))?;
                self.may_heat(side, percent, energy)?;
                self.seat_mut(side).ask(percent);
            }
            (Actuator::Window, _) => {
                let percent = value.as_f64().ok_or_else(|| other("a window is opened by a percentage"))?;
                self.window.ask(percent);
            }
            (Actuator::Lock(door), Value::Bool(locked)) => {
                standing(motion)?;
                if *locked && self.is_open(door) {
                    return Err(not_now("the door is open"));
                }
                self.locks.of_mut(door).ask(*locked);
            }
            (Actuator::ParkingBrake, Value::Bool(engaged)) => {
                standing(motion)?;
                self.parking_brake.ask(*engaged);
            }
            (Actuator::LowBeam, Value::Bool(on)) => self.low_beam.ask(*on),
            (Actuator::Lock(_) | Actuator::ParkingBrake | Actuator::LowBeam, _) => {
                return Err(other("it is switched by true or false"));
            }
        }
        Ok(())
    }

    pub(crate) fn step(&mut self, dt: f64, people: Wish, motion: &Motion, energy: &Energy) {
        self.people = people;
        let spare = energy.is_low_voltage_weak() || energy.charge < COMFORT_ABOVE;
        for (seat, off) in
            [(&mut self.driver_seat, spare), (&mut self.passenger_seat, spare || !people.passenger)]
        {
            if off && seat.is_asked() {
                seat.ask(0.0);
            }
        }
        for switch in self.locks.all().into_iter().chain([&mut self.low_beam, &mut self.parking_brake]) {
            switch.step(dt);
        }
        for travel in [&mut self.driver_seat, &mut self.passenger_seat, &mut self.window] {
            travel.step(dt);
        }
        // The person at the wheel parks the car and frees it to drive off; the car locks itself on the way, and frees a door that opens.
        if people.parked != self.was_parked || motion.is_moving() {
            self.parking_brake.force(people.parked);
            self.was_parked = people.parked;
        }
        let fast = motion.speed_kmh() > LOCK_ABOVE;
        if fast && !self.was_fast {
            self.locks.all().into_iter().for_each(|lock| lock.force(true));
        }
        self.was_fast = fast;
        if people.driver_door {
            self.locks.front_driver.force(false);
        }
        if people.passenger_door {
            self.locks.front_passenger.force(false);
        }
    }

    /// Percent.
    pub(crate) fn seat(&self, side: Side) -> f64 {
        match side {
            Side::Driver => self.driver_seat.level(),
            Side::Passenger => self.passenger_seat.level(),
        }
    }

    /// Percent, 0 is closed.
    pub(crate) fn window(&self) -> f64 {
        self.window.level()
    }

    pub(crate) fn is_low_beam_on(&self) -> bool {
        self.low_beam.is_on()
    }

    pub(crate) fn is_parking_brake_engaged(&self) -> bool {
        self.parking_brake.is_on()
    }

    pub(crate) fn is_locked(&self, door: Door) -> bool {
        self.locks.of(door).is_on()
    }

    pub(crate) fn is_open(&self, door: Door) -> bool {
        match door {
            Door::FrontDriver => self.people.driver_door,
            Door::FrontPassenger => self.people.passenger_door,
            Door::RearDriver | Door::RearPassenger => false,
        }
    }

    /// Watts.
    pub(crate) fn comfort_power(&self) -> f64 {
        (self.driver_seat.level() + self.passenger_seat.level()) / 100.0 * SEAT_POWER
    }

    fn seat_mut(&mut self, side: Side) -> &mut Travel {
        match side {
            Side::Driver => &mut self.driver_seat,
            Side::Passenger => &mut self.passenger_seat,
        }
    }

    fn may_heat(&self, side: Side, percent: f64, energy: &Energy) -> Result<(), Refusal> {
        if percent < 0.0 {
            return Err(other("this seat heats and does not cool"));
        }
        if percent <= 0.0 {
            return Ok(());
        }
        if energy.is_low_voltage_weak() {
            return Err(not_now(&format!("the 12 V battery is low ({:.1} V)", energy.low_voltage)));
        }
        if energy.charge < COMFORT_ABOVE {
            return Err(not_now("the traction battery is nearly empty"));
        }
        if side == Side::Passenger && !self.people.passenger {
            return Err(not_now("nobody sits there"));
        }
        Ok(())
    }
}

fn standing(motion: &Motion) -> Result<(), Refusal> {
    if motion.is_moving() { Err(not_now("not while the car moves")) } else { Ok(()) }
}

fn not_now(text: &str) -> Refusal {
    Refusal::new(RefusalKind::NotNow, text)
}

fn other(text: &str) -> Refusal {
    Refusal::new(RefusalKind::Other, text)
}
