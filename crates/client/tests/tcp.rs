//! The same over TCP and a unix socket, under tokio and the system's clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use coachwork_client::{Client, Link, Options};
use coachwork_gateway::Gateway;
use coachwork_tokio::{SystemClock, spawn, tcp};
use coachwork_transport::{Connector, Limits, Listener};
use coachwork_vehicle::{
    Catalogue, Clock, DataType, Datapoint, Entry, Event, Everybody, Facts, MemoryVehicle, Outcome, Set,
    State, Subscribe, Value, Vehicle, VehicleExt,
};

const SPEED: &str = "Vehicle.Speed";
const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.Heating";

fn car(clock: &Arc<dyn Clock>) -> MemoryVehicle {
    let entries = [Entry::sensor(SPEED, DataType::FLOAT), Entry::actuator(SEAT, DataType::INT8)];
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock.clone())
}

async fn whole_way(listener: impl Listener, connector: impl Connector) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
    let car = car(&clock);
    let admission = Arc::new(Everybody::sees(car.clone()));
    let gateway = Gateway::new(admission, clock.clone(), coachwork_gateway::Options::default());
    let serving = spawn(gateway.serve(listener)).unwrap();
    let (client, driver) = Client::connect(connector, clock.clone(), Options::default()).await.unwrap();
    let driving = spawn(driver).unwrap();

    car.publish(&[(SPEED, Datapoint::valid(1.5_f32, clock.now()))]).unwrap();
    assert_eq!(client.read_path(SPEED).await.unwrap().state, State::Valid(Value::Float(1.5)));
    let receipt = client.write_path(SEAT, 40, Set::within(Duration::from_secs(5))).await.unwrap();
    assert!(matches!(receipt.outcome().await, Outcome::Confirmed(_)));

    let speed = client.catalogue().resolve(SPEED).unwrap();
    let mut watch = client.subscribe(Subscribe::to([speed]).queue(20_000)).await.unwrap();
    for n in 0..10_000_u16 {
        car.publish(&[(SPEED, Datapoint::valid(f32::from(n), clock.now()))]).unwrap();
        if n % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut got, mut lost) = (Vec::new(), 0);
    while got.last() != Some(&State::Valid(Value::Float(9_999.0))) {
        match tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap().unwrap() {
            Event::Changed(points) => got.extend(points.iter().map(|(_, point)| point.state.clone())),
            Event::Lagged(count) => lost += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(u64::try_from(got.len()).unwrap() + lost, 10_001, "every update came or was counted");

    let clients = (0..20).map(|_| client.clone());
    let reads = clients.map(|client| tokio::spawn(async move { client.read_path(SPEED).await.unwrap() }));
    for read in reads.collect::<Vec<_>>() {
        assert_eq!(read.await.unwrap().state, State::Valid(Value::Float(9_999.0)));
    }

    gateway.shutdown(Duration::from_secs(5)).await;
    serving.await.unwrap();
    assert!(!client.link_other_than(Link::Up).await.is_up());
    drop((client, watch));
    tokio::time::timeout(Duration::from_secs(10), driving).await.unwrap().unwrap();
}

#[tokio::test]
async fn over_tcp() {
    let limits = Limits::default();
    let listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
    let connector = tcp::connector(listener.address().to_string(), &limits);
    whole_way(listener, connector).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp_with_several_threads() {
    let limits = Limits::default();
    let listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
    let connector = tcp::connector(listener.address().to_string(), &limits).offering(&["VISSv3"]);
    whole_way(listener, connector).await;
}

#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket() {
    let limits = Limits::default();
    let path = std::env::temp_dir().join(format!("coachwork-client-{}.sock", std::process::id()));
    let listener = coachwork_tokio::unix::listen(&path, &limits).await.unwrap();
    whole_way(listener, coachwork_tokio::unix::connector(&path, &limits)).await;
}
