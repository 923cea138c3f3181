//! The gateway's process: a car that drives, an inbox on disk, a unix socket; and how the other process starts and kills it.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use coachwork_gateway::{FileInbox, Gateway, KeySync, Options, RequestKeys};
use coachwork_tokio::{SystemClock, unix};
use coachwork_transport::Limits;
use coachwork_vehicle::{
    Catalogue, Clock, DataType, Datapoint, Entry, Everybody, Facts, MemoryVehicle, Value,
};

/// What the car has.
pub const SIGNALS: [&str; 3] = ["Vehicle.Speed", "Vehicle.TraveledDistance", "Vehicle.Cabin.Seat.Heating"];

pub async fn serve(place: &Path) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
    let entries = [
        Entry::sensor(SIGNALS[0], DataType::FLOAT).with_unit("km/h"),
        Entry::sensor(SIGNALS[1], DataType::UINT32),
        Entry::actuator(SIGNALS[2], DataType::INT8),
    ];
    let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock.clone());
    let inbox = FileInbox::open(place.join("inbox"), 1 << 30).unwrap();
    let keys = RequestKeys::open(place.join("requests"), KeySync::Each).unwrap();
    let mut options = Options::default();
    (options.idle_time, options.write_time) = (Duration::from_secs(20), Duration::from_secs(5));
    let gateway = Gateway::new(Arc::new(Everybody::sees(car.clone())), clock.clone(), options);
    let listener = unix::listen(place.join("gateway.sock"), &Limits::default()).await.unwrap();
    let serving = gateway.storing(Arc::new(inbox)).knowing(Arc::new(keys)).serve(listener);
    let quiet = place.join("quiet");
    let driving = async move {
        for step in 0_u32.. {
            if !quiet.exists() || step == 0 {
                let at = clock.now();
                let speed = Datapoint::valid(f32::from(u16::try_from(step % 2000).unwrap()) / 10.0, at);
                let distance = Datapoint::valid(Value::Uint(step.into()), at);
                car.publish(&[(SIGNALS[0], speed), (SIGNALS[1], distance)]).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    futures::future::join(serving, driving).await.0.unwrap();
}

/// A running gateway.
pub struct Served(Child);

impl Served {
    pub fn start(place: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        Self(Command::new(program).arg("gateway").arg(place).spawn().unwrap())
    }

    pub fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// With SIGKILL, whatever it does.
    pub fn kill(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "the gateway ended by itself");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
