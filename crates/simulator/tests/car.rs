//! The car as an app sees it, under a manual clock: physics, requests, refusals, ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp
)]

mod drive;

use std::fmt::Write as _;
use std::time::Duration;

use coachwork_simulator::{Corner, Fault, Scenario};
use coachwork_vehicle::{
    ErrorKind, Event, Get, Outcome, Permission, Receipt, RefusalKind, Request, Set, Stage, State, Subscribe,
    Value, Vehicle, VehicleExt, vss,
};
use drive::Drive;
use futures::FutureExt;
use proptest::prelude::*;

const LOCK: &str = "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked";
const PASSENGER_SEAT: &str = "Vehicle.Cabin.Seat.Row1.PassengerSide.HeatingCooling";

fn refusal(receipt: &Receipt) -> (RefusalKind, String) {
    match receipt.stage() {
        Stage::Settled(Outcome::Refused(why)) => (why.kind(), why.to_string()),
        other => panic!("not refused: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_gives_the_same_stream(seed in any::<u64>(), tick in 1..5000_u64) {
        // Once in even steps, once in whatever ticks the clock makes.
        let mut even = Drive::new(&Scenario::seeded(seed));
        let mut other = Drive::new(&Scenario::seeded(seed));
        let (mut one, mut two) = (even.watch_all(), other.watch_all());
        let mut streams = (String::new(), String::new());
        for _ in 0..1200 {
            even.run(Duration::from_millis(100));
            drive::drain(&mut one, |_, path, point| writeln!(streams.0, "{path} {point:?}").unwrap());
        }
        let mut left = 120_000;
        while left > 0 {
            let step = tick.min(left);
            left -= step;
            other.tick(Duration::from_millis(step));
            drive::drain(&mut two, |_, path, point| writeln!(streams.1, "{path} {point:?}").unwrap());
        }
        prop_assert!(streams.0.lines().count() > 10_000);
        prop_assert!(streams.0 == streams.1);
    }

    #[test]
    fn physics_holds(seed in any::<u64>(), charge in 0.0..100.0_f64, outside in -40.0..60.0_f64, weak in any::<bool>(), odometer in 0..2_000_000_000_u32) {
        let scenario = Scenario {
            state_of_charge: charge,
            outside_temperature: outside,
            weak_low_voltage_battery: weak,
            odometer,
            ..Scenario::seeded(seed)
        };
        let mut drive = Drive::new(&scenario);
        let mut watch = drive.watch_all();
        let catalogue = drive.car.catalogue();
        let (mut distance, mut fast, mut open) = (0, 0.0_f64, false);
        for _ in 0..9000 {
            drive.run(Duration::from_millis(100));
            let mut fault = None;
            drive::drain(&mut watch, |id, path, point| {
                let value = point.value().expect("the simulated car always has a value");
                let entry = catalogue.entry(id).unwrap();
                if let Some(why) = outside_of(entry, value) {
                    fault = Some(format!("{path}: {why}"));
                }
                match (path, value) {
                    ("Vehicle.Speed", Value::Float(speed)) => {
                        fast = (*speed).into();
                        if !(0.0..140.0).contains(&fast) {
                            fault = Some(format!("speed {speed}"));
                        }
                    }
                    ("Vehicle.TraveledDistance", Value::Uint(now)) => {
                        if *now < distance {
                            fault = Some(format!("distance fell from {distance} to {now}"));
                        }
                        distance = *now;
                    }
                    (path, Value::Bool(now)) if path.ends_with(".IsOpen") => open = *now,
                    _ => {}
                }
            });
            prop_assert!(fault.is_none(), "{fault:?}");
            prop_assert!(fast == 0.0 || !open, "a door is open at {fast} km/h");
        }
        prop_assert!(distance >= u64::from(odometer));
    }

    #[test]
    fn every_request_is_settled_and_every_reading_stays_in_range(
        requests in prop::collection::vec((0..50_usize, -100..=100_i64, any::<bool>(), 0..80_u64), 1..40),
    ) {
        let mut drive = Drive::new(&Scenario::seeded(3));
        let catalogue = drive.car.catalogue();
        let settable: Vec<_> = catalogue
            .ids()
            .filter(|id| catalogue.access(*id).unwrap().write == Permission::Yes)
            .collect();
        prop_assert_eq!(settable.len(), 50);
        let mut receipts = Vec::new();
        for (which, number, on, pause) in requests {
            let id = settable[which];
            let entry = catalogue.entry(id).unwrap();
            let value = match entry.data_type().scalar() {
                coachwork_vehicle::ScalarType::Boolean => Value::Bool(on),
                coachwork_vehicle::ScalarType::String => {
                    let words = entry.allowed();
                    words[usize::try_from(number.unsigned_abs()).unwrap() % words.len()].clone()
                }
                _ => {
                    let (low, high) = (entry.min().unwrap(), entry.max().unwrap());
                    let (low, high) = (low.as_f64().unwrap(), high.as_f64().unwrap());
                    let share = f64::from(i32::try_from(number).unwrap() + 100) / 200.0;
                    Value::Double((low + (high - low) * share).round())
                }
            };
            let request = Request::new(id, value).with(Set::within(Duration::from_secs(8)));
            receipts.extend(drive.car.set(vec![request]).now_or_never().unwrap().unwrap());
            drive.run(Duration::from_millis(100 * pause));
        }
        drive.run(Duration::from_secs(8));
        for receipt in receipts {
            let stage = receipt.unwrap().stage();
            prop_assert!(
                matches!(stage, Stage::Settled(Outcome::Confirmed(_) | Outcome::Refused(_) | Outcome::TimedOut)),
                "{stage:?}"
            );
        }
    }
}

fn outside_of(entry: &coachwork_vehicle::Entry, value: &Value) -> Option<String> {
    let number = value.as_f64();
    let low = entry.min().and_then(Value::as_f64).zip(number).is_some_and(|(min, value)| value < min);
    let high = entry.max().and_then(Value::as_f64).zip(number).is_some_and(|(max, value)| value > max);
    let foreign = !entry.allowed().is_empty() && !entry.allowed().iter().any(|allowed| allowed.same(value));
    let nonsense = number.is_some_and(|number| !number.is_finite());
    (low || high || foreign || nonsense || !value.is(entry.data_type())).then(|| format!("{value:?}"))
}

#[test]
fn a_seat_warms_within_two_seconds_and_the_receipt_says_when() {
    let mut drive = Drive::new(&Scenario::default());
    let seat = drive.car.find("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling").unwrap();
    let mut watch = drive.subscribe(Subscribe::to(seat).on_change().queue(64));
    let receipt = drive.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60);
    drive.run(Duration::from_secs(1));
    assert_eq!(receipt.stage(), Stage::Accepted);
    let part = drive.read(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING);
    assert!((10..60).contains(&part), "{part}");
    drive.run(Duration::from_secs(1));
    assert!(matches!(receipt.stage(), Stage::Settled(Outcome::Confirmed(_))), "{receipt:?}");
    assert_eq!(drive.read(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING), 60);
    // A state is told in the step that changes it: five percent in a tenth of a second.
    let mut levels = Vec::new();
    drive::drain(&mut watch, |_, _, point| levels.push(point.value().and_then(Value::as_f64).unwrap()));
    let expected: Vec<_> = (0..=12).map(|step| f64::from(step) * 5.0).collect();
    assert_eq!(levels, expected);
}

#[test]
fn a_request_never_works_before_it_was_made() {
    let mut drive = Drive::new(&Scenario::default());
    let seat = drive.car.find("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling").unwrap();
    let mut watch = drive.subscribe(Subscribe::to(seat).on_change().queue(64));
    // The clock jumps, and the request is made before the driver has seen it.
    drive.clock.advance(Duration::from_secs(5));
    let receipt = drive.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60);
    drive.run(Duration::from_secs(3));
    assert!(matches!(receipt.stage(), Stage::Settled(Outcome::Confirmed(_))), "{receipt:?}");
    let mut first = None;
    drive::drain(&mut watch, |_, _, point| {
        if point.value() != Some(&Value::Int(0)) {
            first.get_or_insert(point.source);
        }
    });
    let asked = coachwork_vehicle::Timestamp::from_seconds(1_700_000_005);
    assert!(first.unwrap() > asked, "{first:?}");
}

#[test]
fn what_the_car_does_not_do_is_refused_with_a_reason() {
    let mut drive = Drive::new(&Scenario::default());
    let cooling = drive.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, -20);
    let empty = drive.write_path(PASSENGER_SEAT, 40);
    drive.run(Duration::from_millis(100));
    assert_eq!(refusal(&cooling).1, "this seat heats and does not cool");
    assert_eq!(refusal(&empty), (RefusalKind::NotNow, "nobody sits there".to_owned()));

    // The driver's door is open from second 1 to 3.
    drive.run(Duration::from_millis(1900));
    let open = drive.write_path(LOCK, true);
    drive.run(Duration::from_millis(100));
    assert_eq!(refusal(&open), (RefusalKind::NotNow, "the door is open".to_owned()));

    drive.run(Duration::from_secs(13));
    let moving = drive.write_path(LOCK, false);
    drive.run(Duration::from_millis(100));
    assert_eq!(refusal(&moving), (RefusalKind::NotNow, "not while the car moves".to_owned()));
}

#[test]
fn comfort_ends_where_a_battery_is_low() {
    let weak = Scenario { weak_low_voltage_battery: true, ..Scenario::default() };
    let empty = Scenario { state_of_charge: 3.0, ..Scenario::default() };
    for (scenario, why) in
        [(weak, "the 12 V battery is low (11.4 V)"), (empty, "the traction battery is nearly empty")]
    {
        let mut drive = Drive::new(&scenario);
        let receipt = drive.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60);
        drive.run(Duration::from_millis(100));
        assert_eq!(refusal(&receipt), (RefusalKind::NotNow, why.to_owned()));
        drive.run(Duration::from_secs(3));
        assert_eq!(drive.read(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING), 0);
    }
}

#[test]
fn a_passenger_gets_in_and_may_then_have_a_warm_seat() {
    let mut drive = Drive::new(&Scenario::default());
    let doors = drive.car.find("Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen").unwrap();
    let mut watch = drive.subscribe(Subscribe::to(doors).on_change().queue(16));
    let mut seen = Vec::new();
    for _ in 0..600 {
        drive.run(Duration::from_millis(100));
        drive::drain(&mut watch, |_, _, point| seen.push(point.value().cloned().unwrap()));
    }
    assert_eq!(seen, [Value::Bool(false), Value::Bool(true), Value::Bool(false)]);
    let warm = drive.write_path(PASSENGER_SEAT, 40);
    drive.run(Duration::from_secs(2));
    assert!(matches!(warm.stage(), Stage::Settled(Outcome::Confirmed(_))), "{warm:?}");
}

#[test]
fn an_empty_car_charges_before_it_drives() {
    let mut drive = Drive::new(&Scenario { state_of_charge: 11.0, ..Scenario::default() });
    drive.run(Duration::from_secs(60));
    assert_eq!(drive.read(vss::SPEED), 0.0);
    let before = drive.read(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_CHARGE_DISPLAYED);
    drive.run(Duration::from_secs(3600));
    assert!(drive.read(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_CHARGE_DISPLAYED) > before + 50.0);
    assert!(drive.read(vss::TRAVELED_DISTANCE_SINCE_START) > 1000, "and then it drives");
}

#[test]
fn what_moves_by_hand_alone_cannot_be_set() {
    let drive = Drive::new(&Scenario::default());
    let indicators = drive.car.find("Vehicle.Body.Lights.DirectionIndicator.*.IsSignaling").unwrap();
    assert_eq!(indicators.len(), 2);
    let catalogue = drive.car.catalogue();
    assert!(indicators.iter().all(|id| catalogue.access(*id).unwrap().write == Permission::No));
    let answer = drive.car.set(vec![Request::new(indicators[0], true)]).now_or_never().unwrap().unwrap();
    assert_eq!(answer[0].as_ref().unwrap_err().kind(), ErrorKind::NotActuator);
}

#[test]
fn a_slow_reader_that_blocks_holds_the_car_back_and_loses_nothing() {
    let mut drive = Drive::new(&Scenario::default());
    // It speeds up, so that each step has another value.
    drive.run(Duration::from_secs(8));
    let speed = drive.car.find("Vehicle.Speed").unwrap();
    let mut watch = drive.subscribe(Subscribe::to(speed).block(4));
    // Less than three seconds: a source that is held back for longer is stale.
    drive.run(Duration::from_millis(900));
    let mut times = Vec::new();
    // Each look makes room, and the driver goes on.
    for _ in 0..20 {
        drive::drain(&mut watch, |_, _, point| times.push(point.source));
        drive.run(Duration::ZERO);
    }
    assert_eq!(times.len(), 10, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1].saturating_since(pair[0]) == Duration::from_millis(100)));
}

#[test]
fn when_the_driver_ends_nothing_is_available_and_nothing_can_be_set() {
    let mut drive = Drive::new(&Scenario::default());
    let open = drive.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60);
    let mut watch = drive.watch_all();
    drive.stop();
    assert_eq!(refusal(&open), (RefusalKind::Link, "the simulation has ended".to_owned()));
    let ids: Vec<_> = drive.car.catalogue().ids().collect();
    for point in drive.car.get(Get::of(&ids)).now_or_never().unwrap().unwrap() {
        assert!(matches!(point.unwrap().state, State::NotAvailable(_)));
    }
    let mut gone = 0;
    drive::drain(&mut watch, |_, _, point| gone += u32::from(!point.is_valid()));
    assert!(gone > 0);
    let late = drive.car.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 10, Set::default());
    assert_eq!(late.now_or_never().unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn when_the_car_is_dropped_its_subscriptions_and_its_driver_end() {
    let mut drive = Drive::new(&Scenario::default());
    let mut watch = drive.watch_all();
    let Drive { car, clock, driver } = &mut drive;
    let _ = std::mem::replace(car, Drive::new(&Scenario::default()).car);
    clock.advance(Duration::from_millis(100));
    assert!(driver.as_mut().unwrap().now_or_never().unwrap().is_ok());
    let mut last = None;
    while let Some(Some(event)) = watch.next().now_or_never() {
        last = Some(event);
    }
    assert!(matches!(last, Some(Event::Ended(_))), "{last:?}");
}

#[test]
fn a_scenario_outside_its_ranges_is_refused() {
    for scenario in [
        Scenario { state_of_charge: 101.0, ..Scenario::default() },
        Scenario { state_of_charge: f64::NAN, ..Scenario::default() },
        Scenario { odometer: 2_000_000_001, ..Scenario::default() },
        Scenario { outside_temperature: -41.0, ..Scenario::default() },
        Scenario { state_of_health: 49.0, ..Scenario::default() },
        Scenario::default().with_fault(Fault::slow_leak(Corner::FrontLeft, f64::NAN), Duration::ZERO..),
    ] {
        let clock = coachwork_vehicle::ManualClock::default();
        let error =
            coachwork_simulator::SimulatedVehicle::new(std::sync::Arc::new(clock), &scenario).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}
