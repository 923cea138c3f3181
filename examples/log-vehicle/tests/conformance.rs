//! The proof: the suite on a logged drive, which says something at its beginning and then nothing for long.
#![allow(clippy::unwrap_used, clippy::unused_async, missing_docs, reason = "tests")]

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use coachwork::{ManualClock, VehicleExt};
use coachwork_conformance::{Stage, Subject};
use log_vehicle::LogVehicle;

const DRIVE: &str = "0.0 Vehicle.Speed=50.5\n0.0 Vehicle.Cabin.Door.Row1.DriverSide.IsOpen=false\n\
    0.0 Vehicle.VehicleIdentification.Brand=Somebody's\n0.1 Vehicle.Speed=51\nnoise\n86400 Vehicle.Speed=0\n";

async fn logged(stage: Stage) -> Subject {
    let (car, mut driver) = LogVehicle::new(Cursor::new(DRIVE), stage.clock()).unwrap();
    // What the log says first is said before anybody looks.
    assert!(futures::FutureExt::now_or_never(&mut driver).is_none());
    stage.spawn(driver);
    Subject::new(car)
}

coachwork_conformance::vehicle!(logged);

#[test]
fn the_log_is_played_to_its_end() {
    futures::executor::block_on(async {
        let clock = ManualClock::default();
        let (car, mut driver) = LogVehicle::new(Cursor::new(DRIVE), Arc::new(clock.clone())).unwrap();
        let step = |driver: &mut _| futures::FutureExt::now_or_never(driver);
        assert!(step(&mut driver).is_none());
        assert_eq!(car.read_path("Vehicle.Speed").await.unwrap().state.to_string(), "50.5");
        clock.advance(Duration::from_millis(100));
        assert!(step(&mut driver).is_none());
        clock.advance(Duration::from_secs(90_000));
        assert!(step(&mut driver).is_some_and(|end| end.is_ok()));
        assert_eq!(car.bad_lines(), 1);
        let speed = car.read_path("Vehicle.Speed").await.unwrap();
        assert_eq!(speed.state.to_string(), "not available: the log has ended");
    });
}
