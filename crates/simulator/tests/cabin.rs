//! Doors, trunk, windows and the lights inside: what people do with them at stops, and what can be asked of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp
)]

mod drive;

use std::collections::BTreeMap;
use std::time::Duration;

use coachwork_simulator::{Fault, Scenario};
use coachwork_vehicle::{
    ErrorKind, Outcome, Receipt, Set, Stage, Subscribe, Value, Vehicle, VehicleExt, vss,
};
use drive::Drive;
use futures::FutureExt;

const REAR_DOORS: [&str; 2] =
    ["Vehicle.Cabin.Door.Row2.DriverSide.IsOpen", "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen"];
const REAR_WINDOWS: &str = "Vehicle.Cabin.Door.Row2.*.Window.Position";
const TRUNK: &str = "Vehicle.Body.Trunk.Rear.IsOpen";
const DOME: &str = "Vehicle.Cabin.Light.IsDomeOn";

fn confirmed(receipt: &Receipt) -> bool {
    matches!(receipt.stage(), Stage::Settled(Outcome::Confirmed(_)))
}

fn refused(receipt: &Receipt) -> String {
    match receipt.stage() {
        Stage::Settled(Outcome::Refused(why)) => why.text().to_owned(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Goes on until the car does, or stops to be, what is wanted; at most an hour.
fn until(drive: &mut Drive, wanted: impl Fn(&Drive) -> bool) {
    for _ in 0..36_000 {
        if wanted(drive) {
            return;
        }
        drive.run(Duration::from_millis(100));
    }
    panic!("it does not come to that");
}

/// Every change of what matches `patterns` within so many seconds, at one time each, with the values as words.
fn changes(
    drive: &mut Drive,
    patterns: &[&str],
    seconds: u64,
    mut each: impl FnMut(&BTreeMap<String, Value>),
) {
    let signals = patterns.iter().flat_map(|pattern| drive.car.find(pattern).unwrap());
    let mut watch = drive.subscribe(Subscribe::to(signals).on_change().queue(65_536));
    let mut now = BTreeMap::new();
    for _ in 0..seconds * 10 {
        drive.run(Duration::from_millis(100));
        let mut changed = false;
        drive::drain(&mut watch, |_, path, point| {
            changed = true;
            now.insert(path.to_owned(), point.value().unwrap().clone());
        });
        if changed {
            each(&now);
        }
    }
}

#[test]
fn at_stops_the_rear_doors_and_the_trunk_open_and_people_change_places() {
    let mut drive = Drive::new(&Scenario::seeded(5));
    let (mut seen, mut places, mut before) = (BTreeMap::new(), 0, BTreeMap::new());
    let patterns = [
        "Vehicle.Speed",
        "Vehicle.Cabin.Door.*.*.IsOpen",
        "Vehicle.Cabin.Door.*.*.IsLocked",
        "Vehicle.Cabin.Seat.Row2.*.OccupancyStatus",
        "Vehicle.Body.Trunk.Rear.*",
        "Vehicle.Cabin.Light.IsDomeOn",
    ];
    changes(&mut drive, &patterns, 3 * 3600, |now| {
        let is = |path: &str| now[path] == Value::Bool(true);
        let stands = now["Vehicle.Speed"].as_f64().unwrap() == 0.0;
        for (path, value) in now {
            let opened = path.ends_with(".IsOpen") && *value == Value::Bool(true);
            assert!(!opened || stands, "{path} at {}", now["Vehicle.Speed"]);
            if opened && before.get(path) == Some(&Value::Bool(false)) {
                *seen.entry(path.clone()).or_insert(0) += 1;
            }
            let lock = path.replace("IsOpen", "IsLocked");
            assert!(!opened || !is(&lock), "{path} is open and locked");
            if opened && path.contains("Door") {
                assert!(is(DOME), "{path} is open in the dark");
            }
            if path.ends_with("OccupancyStatus") && before.get(path).is_some_and(|was| was != value) {
                let side = usize::from(path.contains("Passenger"));
                assert!(is(REAR_DOORS[side]), "{path} changes through a closed door");
                places += 1;
            }
        }
        assert_eq!(is(TRUNK), is("Vehicle.Body.Trunk.Rear.IsLightOn"));
        before.clone_from(now);
    });
    for path in REAR_DOORS.iter().chain([&TRUNK]) {
        assert!(seen.get(*path).is_some_and(|times| *times >= 2), "{path}: {seen:?}");
    }
    assert!(places >= 4, "{places}");
}

#[test]
fn the_rear_windows_are_open_with_guests_and_warm_weather() {
    for (outside, open) in [(26.0, true), (4.0, false)] {
        let mut drive = Drive::new(&Scenario { outside_temperature: outside, ..Scenario::seeded(5) });
        let (mut widest, mut at_the_kerb) = (0.0_f64, 0.0_f64);
        let patterns = [REAR_WINDOWS, "Vehicle.Cabin.Door.Row1.PassengerSide.Window.Position"];
        changes(&mut drive, &patterns, 3600, |now| {
            for (path, level) in now {
                let most = if path.contains("Row2") { &mut widest } else { &mut at_the_kerb };
                *most = most.max(level.as_f64().unwrap());
            }
        });
        assert_eq!(widest, if open { 40.0 } else { 0.0 }, "at {outside} °C");
        assert_eq!(at_the_kerb, 40.0, "the driver talks to those at the kerb");
    }
}

#[test]
fn a_window_that_was_asked_is_nobodys_to_close() {
    let mut drive = Drive::new(&Scenario::seeded(5));
    let window = vss::CABIN_DOOR_ROW1_PASSENGER_SIDE_WINDOW_POSITION;
    until(&mut drive, |drive| drive.read(window) == 40);
    let asked = drive.write(window, 80);
    drive.run(Duration::from_secs(3));
    assert!(confirmed(&asked), "{asked:?}");
    until(&mut drive, |drive| drive.read(vss::SPEED) > 30.0);
    assert_eq!(drive.read(window), 80);
}

#[test]
fn a_rear_door_opens_on_request_and_is_shut_before_the_drive() {
    let mut drive = Drive::new(&Scenario::default());
    let (door, lock) =
        (vss::CABIN_DOOR_ROW2_PASSENGER_SIDE_IS_OPEN, vss::CABIN_DOOR_ROW2_PASSENGER_SIDE_IS_LOCKED);
    let opened = drive.write(door, true);
    drive.run(Duration::from_millis(500));
    assert!(confirmed(&opened) && drive.read(door) && drive.read(vss::CABIN_LIGHT_IS_DOME_ON));
    let locked = drive.write(lock, true);
    drive.run(Duration::from_millis(100));
    assert_eq!(refused(&locked), "the door is open");
    let closed = drive.write(door, false);
    drive.run(Duration::from_millis(500));
    assert!(confirmed(&closed) && !drive.read(door));

    let (again, locked) = (drive.write(door, true), drive.write(lock, true));
    drive.run(Duration::from_secs(1));
    assert!(confirmed(&again) && !drive.read(lock), "an open door does not lock: {locked:?}");
    until(&mut drive, |drive| drive.read(vss::SPEED) > 0.0);
    assert!(!drive.read(door) && !drive.read(vss::CABIN_LIGHT_IS_DOME_ON));
    let moving = drive.write(door, true);
    drive.run(Duration::from_millis(100));
    assert_eq!(refused(&moving), "not while the car moves");

    until(&mut drive, |drive| drive.read(vss::LOW_VOLTAGE_SYSTEM_STATE) == "LOCK");
    drive.run(Duration::from_secs(10));
    let shut = drive.write(door, true);
    drive.run(Duration::from_secs(2));
    assert_eq!(refused(&shut), "the door is locked");
    let unlocked = drive.write(lock, false);
    drive.run(Duration::from_secs(2));
    let opened = drive.write(door, true);
    drive.run(Duration::from_secs(2));
    assert!(confirmed(&unlocked) && confirmed(&opened) && drive.read(door));
    assert!(drive.read(vss::CABIN_LIGHT_IS_DOME_ON));
    drive.run(Duration::from_secs(900));
    assert!(!drive.read(vss::CABIN_LIGHT_IS_DOME_ON), "a door that stays open does not empty the battery");
}

#[test]
fn what_is_blocked_is_opened_by_nobody() {
    let mut drive = Drive::new(&Scenario::seeded(5));
    for door in REAR_DOORS {
        drive.car.inject(Fault::blocked(door)).unwrap();
    }
    changes(&mut drive, &REAR_DOORS, 3600, |now| {
        assert!(now.values().all(|open| *open == Value::Bool(false)), "{now:?}");
    });
}

#[test]
fn the_lights_inside_do_as_they_are_asked_until_everybody_has_left() {
    let mut drive = Drive::new(&Scenario::default());
    until(&mut drive, |drive| drive.read(vss::SPEED) > 30.0);
    let reading = [
        vss::CABIN_LIGHT_SPOTLIGHT_ROW1_DRIVER_SIDE_IS_LIGHT_ON,
        vss::CABIN_LIGHT_SPOTLIGHT_ROW1_PASSENGER_SIDE_IS_LIGHT_ON,
    ];
    let ambient = [
        vss::CABIN_LIGHT_AMBIENT_LIGHT_ROW1_DRIVER_SIDE_IS_LIGHT_ON,
        vss::CABIN_LIGHT_AMBIENT_LIGHT_ROW2_PASSENGER_SIDE_IS_LIGHT_ON,
    ];
    let level = vss::CABIN_LIGHT_AMBIENT_LIGHT_ROW2_DRIVER_SIDE_INTENSITY;
    assert!(ambient.iter().all(|lamp| drive.read(*lamp)) && drive.read(level) == 40);
    let mut asked: Vec<_> = reading.iter().map(|lamp| drive.write(*lamp, true)).collect();
    asked.push(drive.write(vss::CABIN_LIGHT_IS_DOME_ON, true));
    asked.push(drive.write(ambient[0], false));
    asked.push(drive.write(level, 75));
    drive.run(Duration::from_secs(1));
    assert!(asked.iter().all(confirmed), "{asked:?}");
    drive.run(Duration::from_secs(30));
    assert!(drive.read(vss::CABIN_LIGHT_IS_DOME_ON) && !drive.read(ambient[0]) && drive.read(level) == 75);
    let too_dark = drive.car.write(level, 0, Set::default()).now_or_never().unwrap();
    assert_eq!(too_dark.unwrap_err().kind(), ErrorKind::OutOfRange);

    until(&mut drive, |drive| drive.read(vss::LOW_VOLTAGE_SYSTEM_STATE) == "LOCK");
    drive.run(Duration::from_secs(6));
    let lit = drive.car.find("Vehicle.Cabin.Light.**").unwrap();
    let catalogue = drive.car.catalogue();
    for id in lit {
        let path = catalogue.path(id).unwrap();
        let state = drive.car.read_path(path.as_str()).now_or_never().unwrap().unwrap();
        assert_ne!(state.value(), Some(&Value::Bool(true)), "{path} is on in a car that was left");
    }
}

#[test]
fn a_guest_may_read_in_the_back() {
    let mut drive = Drive::new(&Scenario::seeded(5));
    let sides = ["DriverSide", "PassengerSide"];
    let patterns =
        ["Vehicle.Cabin.Light.Spotlight.Row2.*.IsLightOn", "Vehicle.Cabin.Seat.Row2.*.OccupancyStatus"];
    let mut read = 0;
    changes(&mut drive, &patterns, 3 * 3600, |now| {
        for side in sides {
            let on =
                now[&format!("Vehicle.Cabin.Light.Spotlight.Row2.{side}.IsLightOn")] == Value::Bool(true);
            let taken =
                now[&format!("Vehicle.Cabin.Seat.Row2.{side}.OccupancyStatus")] == Value::from("OCCUPIED");
            assert!(taken || !on, "nobody reads in the back on the {side}");
            read += usize::from(on);
        }
    });
    assert!(read > 0);
}
