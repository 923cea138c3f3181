//! A computed signal is as good as its parts, and the car with it keeps the contract.
#![allow(clippy::unwrap_used, clippy::unused_async, missing_docs, reason = "tests")]

use std::sync::Arc;

use coachwork::{
    Catalogue, Datapoint, Facts, ManualClock, MemoryVehicle, Permission, Reason, ReasonKind, Timestamp,
    Vehicle, vss,
};
use coachwork_conformance::{Stage, Subject};
use coachwork_examples::with_power;
use futures::FutureExt;

const VOLTAGE: &str = "Vehicle.Powertrain.TractionBattery.CurrentVoltage";
const CURRENT: &str = "Vehicle.Powertrain.TractionBattery.CurrentCurrent";

fn tree() -> Catalogue {
    let mine = ["CurrentVoltage", "CurrentCurrent", "NominalVoltage", "IsChargingCableLocked"];
    let entries = vss::entries().filter(|entry| {
        mine.iter().any(|name| entry.path().as_str().ends_with(&format!("TractionBattery.{name}")))
    });
    Catalogue::new(entries, Facts::default()).unwrap()
}

/// The suite moves the car's own signals; the power is among those that it reads.
async fn powered(stage: Stage) -> Subject {
    let memory = MemoryVehicle::new(tree(), stage.clock());
    let subject = Subject::memory(memory.clone());
    let (car, driver) = with_power(Arc::new(memory), stage.clock()).await.unwrap();
    stage.spawn(driver);
    subject.over(car)
}

coachwork_conformance::vehicle!(powered);

#[test]
fn the_power_is_as_good_as_its_parts() {
    futures::executor::block_on(async {
        let clock = Arc::new(ManualClock::default());
        let memory = MemoryVehicle::new(tree(), clock.clone());
        let (car, mut driver) = with_power(Arc::new(memory.clone()), clock).await.unwrap();
        let signal = car.catalogue().resolve(vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_POWER.path()).unwrap();
        let power = |driver: &mut coachwork::Driver| {
            assert!(driver.now_or_never().is_none());
            let answer =
                car.get(coachwork::Get::of(&[signal])).now_or_never().unwrap().unwrap().remove(0).unwrap();
            (answer.state.to_string(), answer.source)
        };
        let at = Timestamp::from_seconds;
        assert_eq!(power(&mut driver).0, "not available: no voltage: never set");
        memory.publish(&[(VOLTAGE, Datapoint::valid(400.0_f32, at(5)))]).unwrap();
        assert_eq!(power(&mut driver).0, "not available: no current: never set");
        memory.publish(&[(CURRENT, Datapoint::valid(-2.5_f32, at(7)))]).unwrap();
        assert_eq!(power(&mut driver), ("-1000".to_owned(), at(7)));
        let lost = Reason::because(ReasonKind::Link, "the bus is silent");
        memory.board().withdraw(&[memory.board().catalogue().id(CURRENT).unwrap()], &lost).unwrap();
        assert_eq!(power(&mut driver).0, "not available: no current: not available: the bus is silent");
        let denied = Permission::denied("not in your plan");
        memory.board().restrict(|_, now| coachwork::Access { read: denied.clone(), ..now.clone() });
        assert_eq!(power(&mut driver).0, "not available: no voltage: it may not be read");
        drop((car, memory));
        assert!(driver.await.is_ok());
    });
}
