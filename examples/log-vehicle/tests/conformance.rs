//! The proof: the suite on a logged drive, and what the suite cannot know of it.
#![allow(clippy::unwrap_used, clippy::unused_async, missing_docs, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use coachwork::{DataType, Entry, ManualClock, Set, Subscribe, Vehicle, VehicleExt};
use coachwork_conformance::{Stage, Subject};
use futures::FutureExt;
use futures::executor::block_on;
use log_vehicle::LogVehicle;

const DOOR: &str = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen";

const DRIVE: &str = "# seconds,path,value
0,Vehicle.Speed,0
0,Vehicle.Cabin.Door.Row1.DriverSide.IsOpen,true
0,Vehicle.Private.Driver,Ann, or Bo
1.5,Vehicle.Cabin.Door.Row1.DriverSide.IsOpen,false
2,Vehicle.Speed,3.5
3,Vehicle.Speed,
4,Vehicle.Speed,fast
86400,Vehicle.Speed,0
";

fn own() -> Vec<Entry> {
    vec![Entry::sensor("Vehicle.Private.Driver", DataType::STRING)]
}

async fn logged(stage: Stage) -> Subject {
    let (car, mut driver) = LogVehicle::new("drive.csv", DRIVE, own(), stage.clock()).unwrap();
    // What the log says first is said before anybody looks.
    assert!((&mut driver).now_or_never().is_none());
    stage.spawn(driver);
    Subject::new(car)
}

coachwork_conformance::vehicle!(logged);

#[test]
fn the_log_is_played_by_the_clock_to_its_end() {
    block_on(async {
        let clock = ManualClock::default();
        let (car, mut driver) = LogVehicle::new("drive.csv", DRIVE, own(), Arc::new(clock.clone())).unwrap();
        let mut at = |by: u64| {
            clock.advance(Duration::from_millis(by));
            (&mut driver).now_or_never()
        };
        let speed = async || car.read_path("Vehicle.Speed").await.unwrap();
        assert_eq!(speed().await.state.to_string(), "never set");
        assert!(at(0).is_none());
        assert_eq!(car.read_path("Vehicle.Private.Driver").await.unwrap().state.to_string(), "Ann, or Bo");
        at(1999);
        assert_eq!(speed().await.state.to_string(), "0");
        at(1);
        assert_eq!(speed().await.state.to_string(), "3.5");
        assert_eq!(speed().await.source.to_string(), "1970-01-01T00:00:02Z");
        at(1000);
        assert_eq!(speed().await.state.to_string(), "not available: the source has no value");
        at(1000);
        assert_eq!(speed().await.state.to_string(), "error: fast is not a value of type float");
        let moved = car.write_path(DOOR, true, Set::default()).await;
        assert_eq!(moved.unwrap_err().to_string(), format!("set {DOOR}: the signal cannot be set here"));
        assert!(at(86_400_000).is_some_and(|end| end.is_ok()));
        assert_eq!(speed().await.state.to_string(), "not available: drive.csv has ended");
        assert_eq!(car.to_string(), "the log drive.csv");
    });
}

#[test]
fn the_driver_ends_with_the_vehicle() {
    let start = || LogVehicle::new("drive.csv", DRIVE, own(), Arc::new(ManualClock::default())).unwrap();
    let (car, mut driver) = start();
    assert!((&mut driver).now_or_never().is_none());
    drop(car);
    assert!(driver.now_or_never().is_some_and(|end| end.is_ok()));

    // It is also told where a reader holds the log back.
    let (car, mut driver) = start();
    let signals: Vec<_> = car.catalogue().ids().collect();
    let held = block_on(car.subscribe(Subscribe::to(signals).block(1))).unwrap();
    assert!((&mut driver).now_or_never().is_none());
    drop(car);
    assert!(driver.now_or_never().is_some_and(|end| end.is_ok()));
    drop(held);
}

#[test]
fn a_wrong_line_is_named() {
    for (text, why) in [
        ("0,Vehicle.Speed", "line 1: it is not seconds,path,value"),
        ("soon,Vehicle.Speed,1", "line 1: \"soon\" is no number of seconds"),
        ("-1,Vehicle.Speed,1", "line 1: \"-1\" is no number of seconds"),
        ("\n1,Vehicle.Speed,1\n0,Vehicle.Speed,1", "line 3: it goes back in time"),
        ("0,Vehicle.Sped,1", "line 1: Vehicle.Sped: this vehicle has no such signal"),
    ] {
        let refused = LogVehicle::new("drive.csv", text, own(), Arc::new(ManualClock::default()));
        assert_eq!(refused.err().map(|why| why.to_string()), Some(why.to_owned()));
    }
}
