//! What a request to a car at the other end of a link costs: over memory, over TCP, and beside it a bare TCP echo of as many bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use coachwork_client::{Client, Options};
use coachwork_gateway::Gateway;
use coachwork_tokio::{SystemClock, tcp};
use coachwork_transport::{Limits, memory};
use coachwork_vehicle::{
    Catalogue, Clock, DataType, Datapoint, Entry, Event, Everybody, Facts, Get, MemoryVehicle, SignalId,
    State, Subscribe, Value, Vehicle,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

const SPEED: &str = "Vehicle.Speed";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// As many signals as VSS 6.0 has, the speed among them.
fn car(clock: &Arc<dyn Clock>) -> MemoryVehicle {
    let others =
        (0..1266).map(|n| Entry::sensor(&format!("Vehicle.Branch{}.Signal{n}", n % 40), DataType::FLOAT));
    let entries = std::iter::once(Entry::sensor(SPEED, DataType::FLOAT)).chain(others);
    let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock.clone());
    car.publish(&[(SPEED, Datapoint::valid(50.5_f32, clock.now()))]).unwrap();
    car
}

fn gateway(car: &MemoryVehicle, clock: &Arc<dyn Clock>) -> Gateway {
    let options = coachwork_gateway::Options::default();
    Gateway::new(Arc::new(Everybody::sees(car.clone())), clock.clone(), options)
}

async fn over_memory(car: &MemoryVehicle, clock: &Arc<dyn Clock>) -> Client {
    let (listener, connector) = memory::listen("memory", &Limits::default());
    coachwork_tokio::spawn(gateway(car, clock).serve(listener)).unwrap();
    let (client, driver) = Client::connect(connector, clock.clone(), Options::default()).await.unwrap();
    coachwork_tokio::spawn(driver).unwrap();
    client
}

async fn over_tcp(car: &MemoryVehicle, clock: &Arc<dyn Clock>) -> Client {
    let limits = Limits::default();
    let listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
    let connector = tcp::connector(listener.address().to_string(), &limits);
    coachwork_tokio::spawn(gateway(car, clock).serve(listener)).unwrap();
    let (client, driver) = Client::connect(connector, clock.clone(), Options::default()).await.unwrap();
    coachwork_tokio::spawn(driver).unwrap();
    client
}

async fn speed(client: &Client, signal: SignalId) -> State {
    client.get(Get::of(&[signal])).await.unwrap().pop().unwrap().unwrap().state
}

fn gets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get");
    let expected = State::Valid(Value::Float(50.5));

    let runtime = runtime();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::on(runtime.handle().clone()));
    let car = car(&clock);
    for (name, client) in [
        ("memory", runtime.block_on(over_memory(&car, &clock))),
        ("tcp", runtime.block_on(over_tcp(&car, &clock))),
    ] {
        let signal = client.catalogue().resolve(SPEED).unwrap();
        assert_eq!(runtime.block_on(speed(&client, signal)), expected);
        group.bench_function(name, |bench| {
            bench.iter(|| runtime.block_on(speed(&client, signal)));
        });
    }

    // The floor: 70 bytes there, 170 bytes back, nothing read into them.
    let (mut echo, address) = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            peer.set_nodelay(true).unwrap();
            let mut asked = [0; 70];
            while peer.read_exact(&mut asked).await.is_ok() {
                peer.write_all(&[7; 170]).await.unwrap();
            }
        });
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        (stream, address)
    });
    assert!(address.ip().is_loopback());
    group.bench_function("bare tcp echo", |bench| {
        bench.iter(|| {
            runtime.block_on(async {
                echo.write_all(&[1; 70]).await.unwrap();
                let mut answer = [0; 170];
                echo.read_exact(&mut answer).await.unwrap();
                answer
            })
        });
    });
    group.finish();
}

/// Published in the process, read by every subscriber over TCP: nothing may be lost.
fn events(criterion: &mut Criterion) {
    const UPDATES: u64 = 2_000;
    let mut group = criterion.benchmark_group("events over tcp");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for subscribers in [1_u64, 8] {
        let runtime = runtime();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::on(runtime.handle().clone()));
        let car = car(&clock);
        let watches: Vec<_> = (0..subscribers)
            .map(|_| {
                runtime.block_on(async {
                    let client = over_tcp(&car, &clock).await;
                    let signal = client.catalogue().resolve(SPEED).unwrap();
                    let watch = client.subscribe(Subscribe::to([signal]).queue(65_536)).await.unwrap();
                    (client, watch)
                })
            })
            .collect();
        let (clients, mut watches): (Vec<_>, Vec<_>) = watches.into_iter().unzip();
        group.throughput(Throughput::Elements(UPDATES * subscribers));
        let mut value = 0.0_f32;
        group.bench_function(format!("{subscribers} subscribers"), |bench| {
            bench.iter_custom(|rounds| {
                let began = Instant::now();
                for _ in 0..rounds {
                    runtime.block_on(async {
                        for _ in 0..UPDATES {
                            value = if value > 200.0 { 0.0 } else { value + 0.5 };
                            car.publish(&[(SPEED, Datapoint::valid(value, clock.now()))]).unwrap();
                        }
                        let last = value + 1_000.0;
                        car.publish(&[(SPEED, Datapoint::valid(last, clock.now()))]).unwrap();
                        for watch in &mut watches {
                            read_to(watch, last).await;
                        }
                    });
                }
                began.elapsed()
            });
        });
        drop(clients);
    }
    group.finish();
}

async fn read_to(watch: &mut coachwork_vehicle::Subscription, last: f32) {
    loop {
        match watch.next().await.unwrap() {
            Event::Changed(points) => {
                if points
                    .iter()
                    .last()
                    .is_some_and(|(_, point)| point.state == State::Valid(Value::Float(last)))
                {
                    return;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

criterion_group!(benches, gets, events);
criterion_main!(benches);
