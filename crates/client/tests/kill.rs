//! Real processes, killed at random moments: a client that puts notes and requests into a queue on disk, and a gateway that stores the notes in a
//! file and makes the requests of its car. What was acknowledged is never lost, each note is in the gateway's file exactly once, and no request
//! has moved the car twice.
//!
//! The test runs itself again in the roles of client and gateway; each line that the client prints is a `put` that has returned, or how a request
//! ended; each value that the car was moved to is a line in a file.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "real processes, in real time")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use coachwork_client::queue::{Files, NewItem, Origin, Priority, Queue, QueueOptions, Sync};
use coachwork_client::{Client, Options, Outbox};
use coachwork_conformance::wire::network::Chance;
use coachwork_gateway::{FileInbox, Gateway, KeySync, RequestKeys};
use coachwork_tokio::{SystemClock, spawn, unix};
use coachwork_transport::{Limits, Moment};
use coachwork_vehicle::{
    Backoff, Catalogue, Clock, DataType, Datapoint, Each, Entry, Error, Everybody, Facts, Get, Key,
    MemoryVehicle, Receipt, Request, Set, Subscribe, Subscription, Value, Vehicle,
};

const ROLE: &str = "COACHWORK_KILL_ROLE";
const PLACE: &str = "COACHWORK_KILL_PLACE";
const ROUNDS: u32 = 40;
const SEAT: &str = "Vehicle.Seat";

fn socket(place: &Path) -> PathBuf {
    place.join("gateway.sock")
}

/// Not a test of its own: what the processes of the test do.
#[test]
fn role() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else { return };
    let place = PathBuf::from(place);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match role.as_str() {
        "gateway" => runtime.block_on(serve(&place)),
        role => runtime.block_on(put(&place, role == "last")),
    }
}

async fn serve(place: &Path) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
    let entries = [Entry::actuator(SEAT, DataType::INT64)];
    let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock.clone());
    let file = OpenOptions::new().create(true).append(true).open(place.join("moved")).unwrap();
    let car = Mover { car, written: Mutex::new((file, BTreeSet::new())) };
    let inbox = FileInbox::open(place.join("inbox"), 64 * 1024 * 1024).unwrap();
    let gateway = Gateway::new(Arc::new(Everybody::sees(car)), clock, coachwork_gateway::Options::default());
    // A kill is no loss of power: nothing need be synced for it.
    let keys = RequestKeys::open(place.join("requests"), KeySync::Never).unwrap();
    let gateway = gateway.storing(Arc::new(inbox)).knowing(Arc::new(keys));
    let listener = unix::listen(socket(place), &Limits::default()).await.unwrap();
    println!("serving");
    gateway.serve(listener).await.unwrap();
}

/// A car that writes down what it is moved to, before and after some time.
#[derive(Debug)]
struct Mover {
    car: MemoryVehicle,
    written: Mutex<(File, BTreeSet<Key>)>,
}

impl std::fmt::Display for Mover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.car.fmt(f)
    }
}

#[async_trait]
impl Vehicle for Mover {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.car.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.car.get(get).await
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        {
            let mut written = self.written.lock().unwrap();
            let (file, keys) = &mut *written;
            for request in &requests {
                let Value::Int(value) = request.value else { panic!("{request:?}") };
                // A key that it knows moves nothing again; each life of the process knows its own.
                if keys.insert(request.set.key.clone().unwrap()) {
                    writeln!(file, "{value}").unwrap();
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.car.set(requests).await
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.car.subscribe(subscribe).await
    }
}

/// Asks the seat to move, again and again, and says what became of it.
async fn ask(client: Client, numbers: Arc<AtomicI64>) {
    let seat = client.catalogue().resolve(SEAT).unwrap();
    loop {
        let value = numbers.fetch_add(1, Ordering::Relaxed);
        let request = Request::new(seat, Value::Int(value)).with(Set::within(Duration::from_secs(60)));
        if let Ok(receipt) = client.set_queued(&request, Priority::Normal) {
            tokio::spawn(async move {
                let outcome = receipt.outcome().await;
                let word = format!("{outcome:?}");
                let word = word.split(|c: char| !c.is_alphabetic()).next().unwrap().to_owned();
                println!("asked {value} {word}");
            });
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

async fn put(place: &Path, last: bool) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
    let mut options = QueueOptions::default();
    // Segments that are begun and removed all the time. A kill is no loss of power: nothing need be synced for it.
    (options.segment_bytes, options.sync) = (4096, Sync::Never);
    let now = Moment::of(clock.as_ref());
    let files = Files::open(place.join("queue")).unwrap();
    let queue = Queue::open(files, options, Origin::from_bytes(*b"a kill test's id"), now).unwrap();
    let opened = queue.opened();
    assert_eq!((opened.damaged, opened.lost, opened.renamed), (0, 0, false), "{opened:?}");
    let first = queue.next_number();
    let outbox = Outbox::new(queue, clock.clone());
    let delivered = outbox.clone();
    // No value is given twice, in no life of the client.
    let numbers = Arc::new(AtomicI64::new(i64::try_from(first << 16).unwrap()));
    tokio::spawn(async move {
        let connector = unix::connector(socket(&place_of_env()), &Limits::default());
        loop {
            let mut options = Options::default();
            options.seed = first;
            options.backoff = Backoff { first: Duration::from_millis(5), most: Duration::from_millis(50) };
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
            let connected = Client::connect_with(connector.clone(), clock, options, delivered.clone()).await;
            if let Ok((client, driver)) = connected {
                let running = spawn(driver).unwrap();
                let asking = (!last).then(|| tokio::spawn(ask(client.clone(), numbers.clone())));
                running.await.unwrap();
                if let Some(asking) = asking {
                    asking.abort();
                }
                drop(client);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut out = std::io::stdout();
    if last {
        outbox.emptied().await;
        writeln!(out, "empty").unwrap();
        return;
    }
    for n in 0_u64.. {
        let text = format!("{first}-{n}");
        let priority = Priority::ALL[usize::try_from(n % 3).unwrap()];
        if outbox.put(NewItem::note("note", text.clone()).with_priority(priority)).is_ok() {
            writeln!(out, "put {text}").unwrap();
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

fn place_of_env() -> PathBuf {
    std::env::var(PLACE).unwrap().into()
}

struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(role: &str, place: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "role", "--nocapture", "--test-threads", "1"])
            .env(ROLE, role)
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The lines that were printed until it was killed; SIGKILL, in whatever it was doing.
    fn kill(mut self) -> Vec<String> {
        assert!(
            self.child.try_wait().unwrap().is_none(),
            "it ended by itself: {:?}",
            self.lines.iter().collect::<Vec<_>>()
        );
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }

    fn wait_for(&self, what: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(what) => return,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        panic!("{what:?} did not come within a minute");
    }
}

#[test]
fn killed_processes_lose_and_double_nothing() {
    let place = std::env::temp_dir().join(format!("coachwork-kill-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).unwrap();
    let mut chance = Chance::new(u64::from(std::process::id()));
    let (mut put, mut asked) = (BTreeSet::new(), BTreeMap::new());
    let mut hear = |lines: Vec<String>, put: &mut BTreeSet<String>| {
        for line in lines {
            if let Some((_, text)) = line.split_once("put ") {
                put.insert(text.to_owned());
            } else if let Some((_, text)) = line.split_once("asked ") {
                let (value, outcome) = text.split_once(' ').unwrap();
                asked.insert(value.to_owned(), outcome.to_owned());
            }
        }
    };
    let mut gateway = Process::start("gateway", &place);
    let (mut gateways, mut clients) = (0, 0);
    let mut client = Process::start("client", &place);
    for _ in 0..ROUNDS {
        std::thread::sleep(Duration::from_millis(10 + chance.below(120)));
        if chance.below(2) == 0 {
            gateways += 1;
            gateway.kill();
            gateway = Process::start("gateway", &place);
        } else {
            clients += 1;
            hear(client.kill(), &mut put);
            client = Process::start("client", &place);
        }
    }
    // The first put may still be on its way: then this life has put nothing.
    hear(client.kill(), &mut put);
    let client = Process::start("last", &place);
    client.wait_for("empty");
    drop(client.child.wait_with_output());
    gateway.kill();
    let inbox = FileInbox::open(place.join("inbox"), u64::MAX).unwrap();
    let mut stored = BTreeMap::<String, u32>::new();
    for (_, note) in inbox.read().unwrap().0 {
        *stored.entry(String::from_utf8(note.payload.to_vec()).unwrap()).or_default() += 1;
    }
    let lost: Vec<_> = put.iter().filter(|text| !stored.contains_key(*text)).collect();
    let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).collect();
    // Of each life of the client, one may be there whose put never returned, or whose line was not printed.
    let unknown = stored.keys().filter(|text| !put.contains(*text)).count();
    let mut moved = BTreeMap::<String, u32>::new();
    for line in std::fs::read_to_string(place.join("moved")).unwrap().lines() {
        *moved.entry(line.to_owned()).or_default() += 1;
    }
    let count = |word: &str| asked.values().filter(|outcome| *outcome == word).count();
    println!(
        "{} requests have moved something; {} are known as confirmed, {} in doubt",
        moved.len(),
        count("Confirmed"),
        count("InDoubt")
    );
    let twice: Vec<_> = moved.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "moved twice: {twice:?}");
    let confirmed = asked.iter().filter(|(_, outcome)| *outcome == "Confirmed");
    let never: Vec<_> = confirmed.filter(|(value, _)| !moved.contains_key(*value)).collect();
    assert!(never.is_empty(), "confirmed, and never moved: {never:?}");
    assert!(moved.len() > 50, "only {} have moved", moved.len());
    println!(
        "{} notes put, {} stored, {gateways} gateways and {clients} clients killed",
        put.len(),
        stored.len()
    );
    assert!(lost.is_empty() && doubled.is_empty(), "lost: {lost:?}, doubled: {doubled:?}");
    assert!(unknown <= clients + 1, "{unknown} unknown");
    assert!(put.len() > 100, "only {} were put", put.len());
    drop(inbox);
    std::fs::remove_dir_all(place).unwrap();
}
