//! The proof: the suite on the car at the end of a line, with a controller at the other end that says what it is told to, and obeys.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::unused_async, reason = "tests")]

use std::sync::Mutex;

use coachwork::transport::{ConnectionExt, Limits, Message, memory};
use coachwork::{Error, ErrorKind, State, Vehicle, VehicleExt};
use coachwork_conformance::{Stage, Subject};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};
use line_vehicle::LineVehicle;

async fn line(stage: Stage) -> Subject {
    let (near, mut far) = memory::pair(&Limits::default());
    let (car, driver) = LineVehicle::new(Box::new(near), stage.clock()).unwrap();
    stage.spawn(driver);
    let (reports, mut said) = mpsc::channel(1024);
    stage.spawn(async move {
        loop {
            // What is asked is done and said at once; what is reported is said.
            let word = futures::select! {
                asked = far.recv().fuse() => match asked {
                    Ok(asked) => asked,
                    Err(_) => return,
                },
                report = said.select_next_some() => report,
            };
            far.send(&word).await.unwrap();
        }
    });
    let reports = Mutex::new(reports);
    Subject::new(car).with_reports(move |points| {
        for (path, state) in points {
            let word = match state {
                State::Valid(value) => value.to_string(),
                State::NotAvailable(why) if why.text().is_none() => "-".to_owned(),
                _ => return Err(Error::new(ErrorKind::Unsupported, "the line has no word for it")),
            };
            reports.lock().unwrap().try_send(Message::text(format!("{path}={word}"))).unwrap();
        }
        Ok(())
    })
}

coachwork_conformance::vehicle!(line);

#[test]
fn a_lost_line_and_bad_words_are_told() {
    futures::executor::block_on(async {
        let clock = coachwork::ManualClock::default();
        let (near, mut far) = memory::pair(&Limits::default());
        let (car, mut driver) = LineVehicle::new(Box::new(near), std::sync::Arc::new(clock)).unwrap();
        for word in [
            "Vehicle.Speed=fast",
            "Vehicle.Unknown=1",
            "noise",
            "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen=true",
        ] {
            far.send(&Message::text(word)).await.unwrap();
        }
        assert!((&mut driver).now_or_never().is_none());
        let speed = car.read_path("Vehicle.Speed").await.unwrap();
        assert_eq!(speed.state.to_string(), "error: fast is not a value of type float");
        drop(far);
        assert!(driver.await.is_err());
        assert!(matches!(car.read_path("Vehicle.Speed").await.unwrap().state, State::NotAvailable(_)));
        assert_eq!(car.to_string(), "the car at the end of the line");
        assert_eq!(car.catalogue().len(), 3);
    });
}

/// What the page shows is what is compiled here.
#[test]
fn the_page_shows_this_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/backend.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (vehicle, proof) = page.split_once("## Prove it").unwrap();
    let shown = code(vehicle).join("\n");
    assert_eq!(shown, include_str!("../src/lib.rs"), "the page's code, block after block, is the file");
    let elsewhere = [
        include_str!("conformance.rs"),
        include_str!("../../log-vehicle/src/lib.rs"),
        include_str!("../../web-vehicle/src/lib.rs"),
        include_str!("../../web-vehicle/tests/conformance.rs"),
    ];
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for block in code(proof) {
        assert!(elsewhere.iter().any(|file| flat(file).contains(&flat(&block))), "in no file:\n{block}");
    }
}

/// The Rust blocks of a page.
fn code(page: &str) -> Vec<String> {
    let blocks = page.split("```rust,ignore\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}
