//! The proof: the suite on my vehicle, with a car at the other end of its link that says what it is told to, and obeys.
#![allow(clippy::unwrap_used, clippy::unused_async, missing_docs, reason = "tests")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use coachwork::{Error, ErrorKind, ManualClock, State, Value, VehicleExt};
use coachwork_conformance::{Stage, Subject};
use futures::FutureExt;
use futures::executor::block_on;
use my_vehicle::{Link, MyVehicle, Report};

/// A car that is not there: what it has said and was not asked for yet, or no link to it.
#[derive(Clone, Default)]
struct Pretended(Arc<Mutex<Car>>);

#[derive(Default)]
struct Car {
    lost: bool,
    said: Vec<Report>,
}

#[async_trait]
impl Link for Pretended {
    async fn news(&mut self) -> Result<Vec<Report>, Error> {
        let mut car = self.0.lock().unwrap();
        if car.lost { Err(lost()) } else { Ok(std::mem::take(&mut car.said)) }
    }

    async fn ask(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        let mut car = self.0.lock().unwrap();
        if car.lost {
            return Err(lost());
        }
        // What is asked is done at once, and said.
        car.said.push(vec![(path.to_owned(), State::Valid(value.clone()))]);
        Ok(())
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, "the car does not answer")
}

async fn my_car(stage: Stage) -> Subject {
    let link = Pretended::default();
    let (car, driver) = MyVehicle::new(link.clone(), stage.clock()).unwrap();
    stage.spawn(driver);
    let reporting = link.clone();
    Subject::new(car)
        .with_reports(move |points| {
            let report = points.iter().map(|(path, state)| ((*path).to_owned(), state.clone())).collect();
            reporting.0.lock().unwrap().said.push(report);
            Ok(())
        })
        .with_link(move |up| link.0.lock().unwrap().lost = !up)
}

coachwork_conformance::vehicle!(my_car);

/// What the suite cannot know: what your car says in its own words. The clock stands still until you move it.
#[test]
fn a_lost_link_is_told() {
    let (link, clock) = (Pretended::default(), ManualClock::default());
    let (car, mut driver) = MyVehicle::new(link.clone(), Arc::new(clock.clone())).unwrap();
    link.0.lock().unwrap().said.push(vec![("Vehicle.Speed".to_owned(), State::Valid(Value::Double(50.5)))]);
    // One poll of the driver is one round of its loop.
    assert!((&mut driver).now_or_never().is_none());
    let speed = || block_on(car.read_path("Vehicle.Speed")).unwrap().state.to_string();
    assert_eq!(speed(), "50.5");
    link.0.lock().unwrap().lost = true;
    clock.advance(std::time::Duration::from_secs(1));
    assert!((&mut driver).now_or_never().is_none());
    assert_eq!(speed(), "not available: the car does not answer");
}
