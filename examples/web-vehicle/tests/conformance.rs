//! The proof: the suite on the car behind a web service, with a service that keeps what the car has said, by number.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::unused_async, missing_docs, reason = "tests")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use coachwork::{Error, ErrorKind, ManualClock, Outcome, Set, State, VehicleExt};
use coachwork_conformance::{Stage, Subject};
use futures::executor::block_on;
use web_vehicle::{Answer, Web, WebVehicle};

#[derive(Clone, Default)]
struct Service(Arc<Mutex<Car>>);

#[derive(Default)]
struct Car {
    lost: bool,
    busy: bool,
    /// What was said at each moment, the first one at number 0.
    moments: Vec<String>,
}

#[async_trait]
impl Web for Service {
    async fn request(&mut self, method: &str, target: &str, body: &str) -> Result<Answer, Error> {
        let mut car = self.0.lock().unwrap();
        if car.lost {
            return Err(Error::new(ErrorKind::Unavailable, "connection refused"));
        }
        let answer = |status, body: String| Ok(Answer { status, body });
        match (method, target.split_once("?since="), target.strip_prefix("/signals/")) {
            ("GET", Some(("/signals", since)), _) => {
                let since: usize = since.parse().unwrap();
                answer(200, format!("{}\n{}", car.moments.len(), car.moments[since..].join("\n")))
            }
            ("PUT", _, Some(_)) if car.busy => answer(409, "the blower is being serviced".into()),
            ("PUT", _, Some(path)) => {
                let moment = format!("{path}={body}");
                car.moments.push(moment);
                answer(204, String::new())
            }
            _ => answer(404, String::new()),
        }
    }
}

async fn behind_the_web(stage: Stage) -> Subject {
    let service = Service::default();
    let (car, driver) = WebVehicle::new(service.clone(), stage.clock()).unwrap();
    stage.spawn(driver);
    let reporting = service.clone();
    Subject::new(car)
        .with_reports(move |points| {
            let word = |(path, state): &(&str, State)| match state {
                State::Valid(value) => Ok(format!("{path}={value}")),
                State::NotAvailable(why) if why.text().is_none() => Ok(format!("{path}=null")),
                _ => Err(Error::new(ErrorKind::Unsupported, "the service has no word for it")),
            };
            let words: Vec<_> = points.iter().map(word).collect::<Result<_, _>>()?;
            reporting.0.lock().unwrap().moments.push(words.join(";"));
            Ok(())
        })
        .with_link(move |up| service.0.lock().unwrap().lost = !up)
}

coachwork_conformance::vehicle!(behind_the_web);

#[test]
fn what_the_service_refuses_is_told() {
    let clock = ManualClock::default();
    let service = Service::default();
    service.0.lock().unwrap().busy = true;
    let (car, mut driver) = WebVehicle::new(service, Arc::new(clock)).unwrap();
    let mut step = || futures::FutureExt::now_or_never(&mut driver).is_none();
    assert!(step());
    let path = "Vehicle.Cabin.HVAC.Station.Row1.Driver.Temperature";
    let asked = block_on(car.write_path(path, 21_i8, Set::default())).unwrap();
    assert!(step());
    let outcome = block_on(asked.outcome());
    assert!(
        matches!(&outcome, Outcome::Refused(why) if why.text() == "the blower is being serviced"),
        "{outcome}"
    );
}
