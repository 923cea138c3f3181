//! `changes` and `wait_until` over a vehicle in memory.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;

use super::*;
use crate::catalogue::{Catalogue, Entry, Facts};
use crate::clock::ManualClock;
use crate::datapoint::{Reason, ReasonKind};
use crate::memory::MemoryVehicle;
use crate::time::Timestamp;
use crate::typed::Unavailable;
use crate::value::DataType;
use crate::vss;

/// A car whose speed is in m/s.
fn car() -> MemoryVehicle {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("m/s"),
        Entry::sensor("Vehicle.IsMoving", DataType::STRING),
        Entry::sensor("Vehicle.TraveledDistance", DataType::UINT32).with_unit("s"),
    ];
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(ManualClock::default()))
}

fn publish(car: &MemoryVehicle, speed: f32) {
    car.publish(&[("Vehicle.Speed", Datapoint::valid(speed, Timestamp::default()))]).unwrap();
}

#[test]
fn changes_are_typed_in_the_unit_of_the_path_the_present_one_first() {
    let car = car();
    publish(&car, 10.0);
    let mut speeds = block_on(car.changes(vss::SPEED)).unwrap();
    let mut next = || speeds.next().now_or_never().map(|reading| reading.unwrap().unwrap().valid());
    assert_eq!(next(), Some(Ok(36.0)));
    assert_eq!(next(), None);
    publish(&car, 10.0);
    assert_eq!(next(), None, "an equal value is no change");
    publish(&car, 20.0);
    assert_eq!(next(), Some(Ok(72.0)));
    let lost = Datapoint::not_available(Reason::new(ReasonKind::Link), Timestamp::default());
    car.publish(&[("Vehicle.Speed", lost)]).unwrap();
    assert_eq!(next(), Some(Err(Unavailable::NotAvailable(Reason::new(ReasonKind::Link)))));
}

#[test]
fn changes_are_refused_where_no_value_could_ever_convert() {
    let car = car();
    let kind = |error: Error| error.kind();
    assert_eq!(block_on(car.changes(vss::IS_MOVING)).map_err(kind).unwrap_err(), ErrorKind::WrongType);
    assert_eq!(
        block_on(car.changes(vss::TRAVELED_DISTANCE)).map_err(kind).unwrap_err(),
        ErrorKind::WrongType
    );
    assert_eq!(block_on(car.changes(vss::HEIGHT)).map_err(kind).unwrap_err(), ErrorKind::UnknownSignal);
}

#[test]
fn waiting_ends_with_the_first_value_that_is_wanted() {
    let car = car();
    let mut wait = Box::pin(car.wait_until(vss::SPEED, |speed| *speed > 50.0));
    assert!(wait.as_mut().now_or_never().is_none(), "never set is no value");
    publish(&car, 10.0);
    assert!(wait.as_mut().now_or_never().is_none());
    publish(&car, 20.0);
    assert_eq!(wait.as_mut().now_or_never().unwrap().ok(), Some(72.0));
    let again = block_on(car.wait_until(vss::SPEED, |speed| *speed > 50.0));
    assert_eq!(again.ok(), Some(72.0), "the present value counts");
}

#[test]
fn waiting_fails_when_the_vehicle_ends() {
    let car = car();
    let mut wait = Box::pin(car.wait_until(vss::SPEED, |_| true));
    assert!(wait.as_mut().now_or_never().is_none());
    car.board().end(&Reason::because(ReasonKind::Ended, "the log is over"));
    let error = wait.as_mut().now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("the log is over"), "{error}");
}
