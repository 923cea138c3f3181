//! `changes` and `wait_until` over a vehicle in memory.

use std::sync::Arc;
use std::task::Poll;

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

/// A vehicle whose every call waits once before it does something and once before it answers.
#[derive(Debug)]
struct Slow(MemoryVehicle);

async fn pause() {
    let mut first = true;
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("slow")
    }
}

#[async_trait::async_trait]
impl Vehicle for Slow {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        pause().await;
        let answer = self.0.get(get).await;
        pause().await;
        answer
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        pause().await;
        let answer = self.0.set(requests).await;
        pause().await;
        answer
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        pause().await;
        let answer = self.0.subscribe(subscribe).await;
        pause().await;
        answer
    }
}

/// Polls a call so many times and drops it; says whether it had ended.
fn dropped_after(polls: usize, call: impl Future) -> bool {
    let mut call = std::pin::pin!(call);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    (0..polls).any(|_| call.as_mut().poll(&mut cx).is_ready())
}

/// Each call, dropped at each of its waits: nothing is left behind, a request was sent whole or not at all, and asked again all is well.
#[test]
fn a_call_may_be_dropped_at_each_of_its_waits() {
    let seat = Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", DataType::INT8)
        .with_unit("percent");
    let speed = Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h");
    let catalogue = Catalogue::new([seat, speed], Facts::default()).unwrap();
    let car = Slow(MemoryVehicle::new(catalogue, Arc::new(ManualClock::default())));
    let heating = vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING;
    let path = heating.path();
    let readers = || car.0.board().readers();
    let mut waits = [0; 7];
    for polls in 0..8 {
        let mut ended = [false; 7];
        ended[0] = dropped_after(polls, car.read(vss::SPEED));
        ended[1] = dropped_after(polls, car.read_path(path));
        for (call, value) in [(2, 20), (3, 30)] {
            let before = block_on(Vehicle::get(&car.0, Get::of(&[car.catalogue().resolve(path).unwrap()])));
            ended[call] = if call == 2 {
                dropped_after(polls, car.write(heating, value, Set::default()))
            } else {
                dropped_after(polls, car.write_path(path, i64::from(value), Set::default()))
            };
            let after = block_on(Vehicle::get(&car.0, Get::of(&[car.catalogue().resolve(path).unwrap()])));
            let (before, after) = (before.unwrap().pop().unwrap(), after.unwrap().pop().unwrap());
            let sent = after.as_ref().unwrap().value() == Some(&Value::Int(value.into()));
            assert!(sent || before.unwrap().state == after.unwrap().state, "sent whole or not at all");
            assert!(sent || !ended[call]);
        }
        ended[4] = dropped_after(polls, car.watch(&[path, "Vehicle.No"], Filter::new(), Subscribe::to([])));
        ended[5] = dropped_after(polls, car.changes(vss::SPEED));
        ended[6] = dropped_after(polls, car.wait_until(vss::SPEED, |speed| *speed > 1e6));
        assert_eq!(readers(), 0, "no subscription is left after {polls} polls");
        for (waits, ended) in waits.iter_mut().zip(ended) {
            *waits += usize::from(!ended);
        }
    }
    // Polled three times, each has ended, but for the one that waits for what does not come.
    assert_eq!(waits, [3, 3, 3, 3, 3, 3, 8]);
    assert_eq!(block_on(car.read_path(path)).unwrap().value(), Some(&Value::Int(30)));
}
