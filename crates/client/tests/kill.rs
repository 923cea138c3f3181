//! Real processes, killed at random moments: a client that puts notes into a queue on disk, and a gateway that stores them in a file. What was
//! acknowledged is never lost, and each note is in the gateway's file exactly once.
//!
//! The test runs itself again in the roles of client and gateway; each line that the client prints is a `put` that has returned.
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
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use coachwork_client::queue::{Files, NewItem, Origin, Priority, Queue, QueueOptions, Sync};
use coachwork_client::{Client, Options, Outbox};
use coachwork_conformance::wire::network::Chance;
use coachwork_gateway::{FileInbox, Gateway};
use coachwork_tokio::{SystemClock, spawn, unix};
use coachwork_transport::{Limits, Moment};
use coachwork_vehicle::{Backoff, Catalogue, Clock, DataType, Entry, Everybody, Facts, MemoryVehicle};

const ROLE: &str = "COACHWORK_KILL_ROLE";
const PLACE: &str = "COACHWORK_KILL_PLACE";
const ROUNDS: u32 = 40;

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
    let entries = [Entry::sensor("Vehicle.Speed", DataType::FLOAT)];
    let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock.clone());
    let inbox = FileInbox::open(place.join("inbox"), 64 * 1024 * 1024).unwrap();
    let gateway = Gateway::new(Arc::new(Everybody::sees(car)), clock, coachwork_gateway::Options::default());
    let gateway = gateway.storing(Arc::new(inbox));
    let listener = unix::listen(socket(place), &Limits::default()).await.unwrap();
    println!("serving");
    gateway.serve(listener).await.unwrap();
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
                running.await.unwrap();
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
    let mut put = BTreeSet::new();
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
            let lines = client.kill();
            put.extend(lines.iter().filter_map(|line| Some(line.split_once("put ")?.1.to_owned())));
            client = Process::start("client", &place);
        }
    }
    // The first put may still be on its way: then this life has put nothing.
    let lines = client.kill();
    put.extend(lines.iter().filter_map(|line| Some(line.split_once("put ")?.1.to_owned())));
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
