//! A car at a broker: `cargo run -p coachwork-mqtt --example car -- mqtt://127.0.0.1:1883/CAR1`. It has a speed that changes, and a seat whose heating
//! can be set.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;

use coachwork_gateway::{Gateway, Options};
use coachwork_tokio::{SystemClock, spawn};
use coachwork_transport::Limits;
use coachwork_vehicle::{Catalogue, Clock, DataType, Datapoint, Entry, Everybody, Facts, MemoryVehicle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: car mqtt://BROKER/VEHICLE")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new()?);
    let car = MemoryVehicle::new(
        Catalogue::new(
            [
                Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h"),
                Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.Heating", DataType::INT8),
            ],
            Facts::default(),
        )?,
        clock.clone(),
    );
    car.publish(&[("Vehicle.Speed", Datapoint::valid(50.5_f32, clock.now()))])?;
    let mut limits = Limits::default();
    limits.message = 64 * 1024;
    let mut listener = coachwork_mqtt::listen(&url, &limits)?;
    listener.online().await?;
    println!("the car is at its broker");
    let gateway = Gateway::new(Arc::new(Everybody::sees(car.clone())), clock.clone(), Options::default());
    spawn(gateway.serve(listener))?;
    let mut speed = 50.5_f32;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        speed += 1.0;
        car.publish(&[("Vehicle.Speed", Datapoint::valid(speed, clock.now()))])?;
    }
}
