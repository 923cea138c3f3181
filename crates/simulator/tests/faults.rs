//! What an app sees of a fault, from its beginning until it is healed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod drive;

use std::time::Duration;

use coachwork_simulator::{Corner, Fault, Scenario};
use coachwork_vehicle::{ErrorKind, Outcome, ReasonKind, RefusalKind, Stage, State, Value, VehicleExt, vss};
use drive::Drive;
use futures::FutureExt;

const SPEED: &str = "Vehicle.Speed";
const WINDOW: &str = "Vehicle.Cabin.Door.Row1.DriverSide.Window.Position";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn state(drive: &Drive, path: &str) -> State {
    drive.car.read_path(path).now_or_never().unwrap().unwrap().state
}

fn number(drive: &Drive, path: &str) -> f64 {
    match state(drive, path) {
        State::Valid(value) => value.as_f64().unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

/// On the way, at some speed.
fn driving(scenario: &Scenario) -> Drive {
    let mut drive = Drive::new(scenario);
    drive.run(seconds(10));
    assert!(number(&drive, SPEED) > 15.0);
    drive
}

#[test]
fn a_stuck_sensor_is_valid_and_says_the_same_for_ever() {
    let mut drive = driving(&Scenario::default());
    let before = number(&drive, SPEED);
    drive.car.inject(Fault::stuck(SPEED)).unwrap();
    let distance = number(&drive, "Vehicle.TraveledDistance");
    for _ in 0..30 {
        drive.run(seconds(1));
        assert_eq!(number(&drive, SPEED).to_bits(), before.to_bits());
    }
    assert!(number(&drive, "Vehicle.TraveledDistance") > distance + 100.0, "the car itself goes on");
    assert_eq!(drive.car.faults(), [Fault::stuck(SPEED)]);
    drive.car.heal(Fault::stuck(SPEED)).unwrap();
    drive.run(Duration::from_millis(100));
    assert_ne!(number(&drive, SPEED).to_bits(), before.to_bits());
    assert!(drive.car.faults().is_empty());
}

#[test]
fn a_lost_signal_goes_stale_and_comes_back_at_once() {
    let mut drive = driving(&Scenario::default());
    drive.car.inject(Fault::lost(SPEED)).unwrap();
    drive.run(Duration::from_millis(2900));
    assert!(matches!(state(&drive, SPEED), State::Valid(_)), "not before three missed repetitions");
    drive.run(Duration::from_millis(300));
    assert!(matches!(state(&drive, SPEED), State::Stale(_)), "{:?}", state(&drive, SPEED));
    drive.car.heal(Fault::lost(SPEED)).unwrap();
    drive.run(Duration::from_millis(100));
    assert!(matches!(state(&drive, SPEED), State::Valid(_)));
}

#[test]
fn a_sensor_can_say_that_it_has_no_value_or_a_wrong_one() {
    let mut drive = driving(&Scenario::default());
    drive.car.inject(Fault::not_available(SPEED)).unwrap();
    drive.run(Duration::from_millis(100));
    let State::NotAvailable(why) = state(&drive, SPEED) else { panic!("{:?}", state(&drive, SPEED)) };
    assert_eq!(why.kind(), ReasonKind::Source);
    // One fault in one place: the later one takes it.
    drive.car.inject(Fault::wrong(SPEED)).unwrap();
    drive.run(seconds(2));
    let State::Error(why) = state(&drive, SPEED) else { panic!("{:?}", state(&drive, SPEED)) };
    assert_eq!(why.kind(), ReasonKind::Source);
    assert_eq!(drive.car.faults(), [Fault::wrong(SPEED)]);
    // Whatever is there is healed.
    drive.car.heal(Fault::stuck(SPEED)).unwrap();
    drive.run(Duration::from_millis(100));
    assert!(matches!(state(&drive, SPEED), State::Valid(_)));
}

#[test]
fn what_is_blocked_stays_and_refuses_also_what_was_under_way() {
    let mut drive = Drive::new(&Scenario::default());
    let open = drive.write_path(WINDOW, 100_u8);
    drive.run(seconds(2));
    drive.car.inject(Fault::blocked(WINDOW)).unwrap();
    drive.run(Duration::from_millis(100));
    let there = number(&drive, WINDOW);
    assert!((20.0..60.0).contains(&there), "{there}");
    let Stage::Settled(Outcome::Refused(why)) = open.stage() else { panic!("{open:?}") };
    assert_eq!((why.kind(), why.text()), (RefusalKind::Busy, "it is blocked"));
    let late = drive.write_path(WINDOW, 0_u8);
    drive.run(seconds(5));
    let Stage::Settled(Outcome::Refused(why)) = late.stage() else { panic!("{late:?}") };
    assert_eq!(why.kind(), RefusalKind::Busy);
    assert_eq!(number(&drive, WINDOW).to_bits(), there.to_bits());
    drive.car.heal(Fault::blocked(WINDOW)).unwrap();
    let again = drive.write_path(WINDOW, 0_u8);
    drive.run(seconds(5));
    assert!(matches!(again.stage(), Stage::Settled(Outcome::Confirmed(_))), "{again:?}");
}

#[test]
fn a_request_behind_a_stuck_sensor_is_carried_out_and_not_confirmed() {
    let mut drive = Drive::new(&Scenario::default().with_fault(Fault::stuck(WINDOW), Duration::ZERO..));
    let open = drive.write_path(WINDOW, 50_u8);
    drive.run(seconds(11));
    assert_eq!(open.stage(), Stage::Settled(Outcome::TimedOut));
    drive.car.heal(Fault::stuck(WINDOW)).unwrap();
    drive.run(Duration::from_millis(100));
    assert_eq!(number(&drive, WINDOW).to_bits(), 50.0_f64.to_bits(), "it moved all the same");
}

#[test]
fn a_slow_leak_empties_one_tyre_until_it_is_mended() {
    let leak = Fault::slow_leak(Corner::RearLeft, 600.0);
    let minutes = |n: u64| seconds(60 * n);
    let mut drive = Drive::new(&Scenario::default().with_fault(leak, minutes(1)..minutes(10)));
    let left = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.Pressure";
    let right = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.Pressure";
    let full = number(&drive, left);
    drive.run(minutes(9));
    assert!(number(&drive, left) < full - 60.0, "{} of {full}", number(&drive, left));
    assert!(number(&drive, right) > full - 5.0);
    let low = vss::CHASSIS_AXLE_ROW2_WHEEL_LEFT_TIRE_IS_PRESSURE_LOW;
    assert!(drive.read(low));
    drive.run(minutes(2));
    assert!(!drive.read(low) && number(&drive, left) > full - 5.0);
}

#[test]
fn an_ageing_battery_loses_health_capacity_and_range() {
    let mut drive = Drive::new(&Scenario::default());
    drive.run(seconds(1));
    let before = (
        number(&drive, "Vehicle.Powertrain.Range"),
        drive.read(vss::POWERTRAIN_TRACTION_BATTERY_NET_CAPACITY),
    );
    drive.car.inject(Fault::BatteryAgeing { percent_per_hour: 600.0 }).unwrap();
    drive.run(seconds(120));
    let health = drive.read(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_HEALTH);
    assert!((79.0..81.0).contains(&health), "{health}");
    let after = (
        number(&drive, "Vehicle.Powertrain.Range"),
        drive.read(vss::POWERTRAIN_TRACTION_BATTERY_NET_CAPACITY),
    );
    assert!(after.0 < before.0 * 0.85 && after.1 == 48 && before.1 == 60, "{before:?} {after:?}");
    drive.run(seconds(3600));
    let health = drive.read(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_HEALTH);
    assert!((49.9..=50.1).contains(&health), "never below half: {health}");
    drive.car.heal(Fault::BatteryAgeing { percent_per_hour: 1.0 }).unwrap();
    drive.run(seconds(2));
    assert!(drive.read(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_HEALTH) > 99.9);
}

#[test]
fn a_weak_low_voltage_battery_spares_the_seats() {
    let mut drive = Drive::new(&Scenario::default());
    let warm = drive.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60);
    drive.run(seconds(2));
    assert!(matches!(warm.stage(), Stage::Settled(Outcome::Confirmed(_))));
    drive.car.inject(Fault::WeakLowVoltageBattery).unwrap();
    drive.run(seconds(3));
    assert_eq!(drive.read(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING), 0, "it is switched off");
    assert!(drive.read(vss::LOW_VOLTAGE_BATTERY_CURRENT_VOLTAGE) < 12.0);
}

#[test]
fn what_is_no_fault_of_this_car_is_refused() {
    let drive = Drive::new(&Scenario::default());
    let kind = |fault: Fault| drive.car.inject(fault).unwrap_err().kind();
    assert_eq!(kind(Fault::stuck("Vehicle.Nothing")), ErrorKind::UnknownSignal);
    assert_eq!(kind(Fault::blocked(SPEED)), ErrorKind::NotActuator);
    assert_eq!(
        kind(Fault::blocked("Vehicle.Body.Lights.DirectionIndicator.Left.IsSignaling")),
        ErrorKind::NotActuator
    );
    assert_eq!(kind(Fault::slow_leak(Corner::FrontLeft, 0.0)), ErrorKind::Invalid);
    assert_eq!(kind(Fault::BatteryAgeing { percent_per_hour: f64::NAN }), ErrorKind::Invalid);
    let unknown = Scenario::default().with_fault(Fault::lost("Vehicle.Nothing"), Duration::ZERO..);
    let clock = coachwork_vehicle::ManualClock::default();
    let error = coachwork_simulator::SimulatedVehicle::new(std::sync::Arc::new(clock), &unknown).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownSignal);
}

#[test]
fn faults_that_nobody_takes_are_bounded() {
    let drive = Drive::new(&Scenario::default());
    let mut refused = None;
    for _ in 0..10_000 {
        if let Err(error) = drive.car.inject(Fault::WeakLowVoltageBattery) {
            refused = Some(error);
            break;
        }
    }
    let error = refused.unwrap();
    assert!(error.kind() == ErrorKind::Limit && error.is_temporary());
}

#[test]
fn an_injected_fault_never_works_before_it_was_made() {
    let mut drive = driving(&Scenario::default());
    let speed = drive.car.find(SPEED).unwrap();
    let mut watch = drive.subscribe(coachwork_vehicle::Subscribe::to(speed).queue(1024));
    drive::drain(&mut watch, |_, _, _| {});
    // The clock jumps, and the fault is made before the driver has seen it.
    drive.clock.advance(seconds(5));
    drive.car.inject(Fault::not_available(SPEED)).unwrap();
    drive.run(seconds(1));
    let (mut before, mut after) = (0, 0);
    let made = coachwork_vehicle::Timestamp::from_seconds(1_700_000_015);
    drive::drain(&mut watch, |_, _, point| {
        let early = point.source < made;
        assert_eq!(early, matches!(point.state, State::Valid(Value::Float(_))), "{point:?}");
        *(if early { &mut before } else { &mut after }) += 1;
    });
    assert!(before > 20 && after > 0, "{before} {after}");
}
