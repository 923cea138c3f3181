//! A provider at work: power from voltage and current, offered to every app beside the car's own signals. `cargo run --example provider`.
//!
//! *Next:* `src/power.rs` (the provider).
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::Arc;

use coachwork::{
    Catalogue, Datapoint, Event, Facts, ManualClock, MemoryVehicle, Subscribe, Timestamp, Vehicle,
    VehicleExt, vss,
};
use coachwork_examples::with_power;
use futures::FutureExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    futures::executor::block_on(async {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        // A car that knows voltage and current, and nobody has told it power.
        let known = ["CurrentVoltage", "CurrentCurrent", "StateOfCharge.Displayed"];
        let entries = vss::entries().filter(|entry| {
            let below = entry.path().as_str().strip_prefix("Vehicle.Powertrain.TractionBattery.");
            below.is_some_and(|name| known.contains(&name))
        });
        let memory = MemoryVehicle::new(Catalogue::new(entries, Facts::default())?, clock.clone());
        let (car, mut driver) = with_power(Arc::new(memory.clone()), clock.clone()).await?;

        // The app sees one car. It knows of no provider.
        let power = car.find("Vehicle.**.CurrentPower")?;
        let mut watch = car.subscribe(Subscribe::to(power).on_change().queue(16)).await?;
        let say = |volts: f32, amperes: f32| {
            let point = |value: f32| Datapoint::valid(value, Timestamp::from_seconds(1_800_000_000));
            memory.publish(&[
                ("Vehicle.Powertrain.TractionBattery.CurrentVoltage", point(volts)),
                ("Vehicle.Powertrain.TractionBattery.CurrentCurrent", point(amperes)),
            ])
        };
        for (volts, amperes) in [(400.0, 0.0), (396.0, 125.0), (402.0, -50.0)] {
            say(volts, amperes)?;
            // With an executor, the driver is spawned; here, everybody has a turn.
            assert!((&mut driver).now_or_never().is_none(), "the driver works as long as the car");
            while let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
                for (signal, point) in points.iter() {
                    println!("{} is {}", watch.path(signal), point.state);
                }
            }
        }
        let kilowatts = coachwork::TypedPath::<f64>::new(
            vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_POWER.path(),
            Some("kW"),
        );
        println!("in kW: {:?}", car.read(kilowatts).await?.valid()?);
        Ok(())
    })
}
