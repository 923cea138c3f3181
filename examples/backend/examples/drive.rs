//! A vehicle of one's own at work: `cargo run -p line-vehicle --example drive`.
//!
//! *Next:* `../src/lib.rs` (the backend), `docs/backend.md` (how it is written).
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::Arc;
use std::time::Duration;

use coachwork::system::{SystemClock, spawn};
use coachwork::transport::{ConnectionExt, Limits, Message, memory};
use coachwork::{Set, VehicleExt, vss};
use line_vehicle::LineVehicle;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (near, mut far) = memory::pair(&Limits::default());
    // The controller at the other end: it says its speed, and does what it is asked.
    let controller = tokio::spawn(async move {
        far.send(&Message::text("Vehicle.Speed=50.5")).await?;
        loop {
            let asked = far.recv().await?;
            println!("the controller is asked for {}", String::from_utf8_lossy(asked.data()));
            far.send(&asked).await?;
        }
        #[allow(unreachable_code, reason = "the type of the task")]
        Ok::<(), coachwork::transport::TransportError>(())
    });
    let (car, driver) = LineVehicle::new(Box::new(near), Arc::new(SystemClock::new()?))?;
    spawn(driver)?;

    let heat = car
        .write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60, Set::within(Duration::from_secs(5)))
        .await?;
    println!("the seat is {}", heat.outcome().await);
    match car.read(vss::SPEED).await?.valid() {
        Ok(speed) => println!("{car} drives at {speed} km/h"),
        Err(why) => println!("no speed: {why}"),
    }
    drop(car);
    println!("and the line ends: {:?}", controller.await?.err().map(|why| why.to_string()));
    Ok(())
}
