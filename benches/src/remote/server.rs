//! The server's process: a gateway in front of a vehicle in memory with the signals of VSS 6.0, and a socket by which it is told what to publish.
//!
//! *Invariant:* one thread does all of it, as `coachwork serve` does.
//! *Next:* `child.rs` (which starts it).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coachwork_gateway::{Gateway, Options};
use coachwork_tokio::{SystemClock, spawn, tcp, unix};
use coachwork_transport::Limits;
use coachwork_vehicle::{
    Catalogue, Clock, DataType, Datapoint, Entry, Everybody, Facts, MemoryVehicle, SignalId, vss,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{SERVER, SIGNAL, pin};

/// How many datapoints may be on their way to each subscriber.
const AHEAD: u64 = 4096;
/// How many updates are published before the gateway gets its turn.
const BURST: u64 = 256;

struct Server {
    car: MemoryVehicle,
    clock: Arc<dyn Clock>,
    gateway: Gateway,
    signal: SignalId,
    next: u32,
}

/// Serves until the one that commands it has gone. Its first line tells where it listens.
pub fn run(folder: &Path) {
    pin(SERVER);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::on(runtime.handle().clone()));
    runtime.block_on(serve(folder, clock));
}

async fn serve(folder: &Path, clock: Arc<dyn Clock>) {
    let entries = vss::entries().chain([Entry::actuator(SIGNAL, DataType::UINT32)]);
    let catalogue = Catalogue::new(entries, Facts::default()).expect("a catalogue");
    let signal = catalogue.resolve(SIGNAL).expect("the signal");
    let car = MemoryVehicle::new(catalogue, clock.clone());
    let mut options = Options::default();
    options.connections_per_host = options.connections;
    let limits = Limits::default();
    let gateway = Gateway::new(Arc::new(Everybody::sees(car.clone())), clock.clone(), options);
    let websocket = coachwork_websocket::listen("127.0.0.1:0", &limits).await.expect("a socket");
    let stream = tcp::listen("127.0.0.1:0", &limits).await.expect("a socket");
    let path = folder.join("peers");
    let local = unix::listen(&path, &limits).await.expect("a socket");
    let control = tokio::net::UnixListener::bind(folder.join("control")).expect("a socket");
    let echo = super::bare::echo(&folder.join("echo")).await;
    println!("{} {} {echo}", websocket.address(), stream.address());
    let running = [
        spawn(gateway.serve(websocket)).expect("a runtime"),
        spawn(gateway.serve(stream)).expect("a runtime"),
        spawn(gateway.serve(local)).expect("a runtime"),
    ];
    let mut server = Server { car, clock, gateway, signal, next: 0 };
    server.publish(1);
    let (control, _) = control.accept().await.expect("somebody to command");
    let (from, mut to) = control.into_split();
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        match words[0] {
            "publish" => server.publish(number(1)),
            "flood" => {
                server.flood(number(1), number(2)).await;
                to.write_all(b"done\n").await.expect("the one that commands");
            }
            "every" => {
                for _ in 0..number(2) {
                    tokio::time::sleep(Duration::from_millis(number(1))).await;
                    server.publish(1);
                }
            }
            other => panic!("no such command: {other}"),
        }
    }
    drop(running);
}

impl Server {
    fn publish(&mut self, count: u64) {
        for _ in 0..count {
            self.next += 1;
            let point = Datapoint::valid(self.next, self.clock.now());
            self.car.board().publish(&[(self.signal, point)]).expect("the signal");
        }
    }

    /// Publishes as fast as peers read, one update at a time: nobody may be left behind further than their queues reach.
    async fn flood(&mut self, updates: u64, subscribers: u64) {
        let told = self.gateway.counters().datapoints;
        let mut published = 0;
        while published < updates {
            let burst = BURST.min(updates - published);
            self.publish(burst);
            published += burst;
            loop {
                tokio::task::yield_now().await;
                let behind =
                    (published * subscribers).saturating_sub(self.gateway.counters().datapoints - told);
                if behind < AHEAD * subscribers {
                    break;
                }
            }
        }
    }
}
