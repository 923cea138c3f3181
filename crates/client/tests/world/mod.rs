//! A car, a gateway that may be killed, clients with queues that may be killed, and a network in any weather: one thread, a clock moved by hand.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_client::queue::{Faults, Full, Memory, NewItem, Origin, Priority, Queue, QueueOptions};
use coachwork_client::{Client, Options, Outbox};
use coachwork_conformance::wire::network::{Chance, Network, Weather};
use coachwork_gateway::{Gateway, Inbox, KeySync, RequestKeys};
use coachwork_transport::{Lane, Limits, Moment, Note};
use coachwork_vehicle::{
    Backoff, Catalogue, Clock, DataType, Datapoint, Each, Entry, Error, Event, Everybody, Facts, Get, Key,
    ManualClock, MemoryVehicle, Monotonic, Outcome, Receipt, Request, Set, SignalId, Stage, State, Subscribe,
    Subscription, Timestamp, Value, Vehicle,
};
use futures::executor::LocalPool;
use futures::future::{AbortHandle, Abortable};
use futures::task::LocalSpawnExt;

pub const SIGNALS: [&str; 3] = ["Vehicle.Speed", "Vehicle.Range", "Vehicle.Seat"];
const REQUEST: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(3);
pub const QUEUE_BYTES: u64 = 16 * 1024;

/// What the world has seen go wrong.
pub type Wrong = Rc<RefCell<Vec<String>>>;

/// Stores as slowly as a database, so that a kill may come before, between and after.
#[derive(Debug)]
pub struct Ledger {
    clock: ManualClock,
    chance: Mutex<Chance>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lanes: BTreeMap<Lane, u64>,
    notes: BTreeMap<String, u32>,
    out_of_order: u32,
}

impl Ledger {
    async fn dawdle(&self) {
        let time = { self.chance.lock().unwrap().below(300) };
        if time > 100 {
            let until = self.clock.monotonic().saturating_add(Duration::from_millis(time));
            self.clock.sleep_until(until).await;
        }
    }
}

#[async_trait]
impl Inbox for Ledger {
    async fn stored(&self, lane: Lane) -> Result<u64, Error> {
        self.dawdle().await;
        Ok(self.kept.lock().unwrap().lanes.get(&lane).copied().unwrap_or(0))
    }

    async fn store(&self, lane: Lane, notes: Vec<Note>) -> Result<(), Error> {
        self.dawdle().await;
        {
            let mut kept = self.kept.lock().unwrap();
            for note in notes {
                let before = kept.lanes.insert(lane, note.number).unwrap_or(0);
                kept.out_of_order += u32::from(before >= note.number);
                let text = String::from_utf8_lossy(&note.payload).into_owned();
                *kept.notes.entry(text).or_default() += 1;
            }
        }
        self.dawdle().await;
        Ok(())
    }
}

/// A car that takes its time to move and to say so, and writes down what it moves. It outlives its gateways.
#[derive(Clone, Debug)]
struct Mover {
    car: MemoryVehicle,
    clock: ManualClock,
    chance: Arc<Mutex<Chance>>,
    moved: Arc<Mutex<Moved>>,
}

#[derive(Debug, Default)]
struct Moved {
    keys: BTreeSet<Key>,
    values: BTreeMap<i64, u32>,
}

impl Mover {
    async fn dawdle(&self) {
        let time = { self.chance.lock().unwrap().below(400) };
        if time > 100 {
            let until = self.clock.monotonic().saturating_add(Duration::from_millis(time));
            self.clock.sleep_until(until).await;
        }
    }
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
        self.dawdle().await;
        {
            let mut moved = self.moved.lock().unwrap();
            for request in &requests {
                // A key that it knows moves nothing again.
                let new = request.set.key.as_ref().is_none_or(|key| moved.keys.insert(key.clone()));
                let Value::Int(value) = request.value else { panic!("{request:?}") };
                *moved.values.entry(value).or_default() += u32::from(new);
            }
        }
        let receipts = self.car.set(requests).await;
        self.dawdle().await;
        receipts
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.car.subscribe(subscribe).await
    }
}

/// A directory of its own, removed at the end.
struct Place(std::path::PathBuf);

impl Place {
    fn new() -> Self {
        static PLACES: AtomicU64 = AtomicU64::new(0);
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let name = format!("coachwork-world-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A client, and what an app would hold besides.
struct App {
    name: usize,
    disk: Memory,
    outbox: Option<Outbox>,
    client: Rc<RefCell<Option<Client>>>,
    /// What its subscriptions said last.
    seen: Rc<RefCell<BTreeMap<SignalId, State>>>,
    running: Vec<AbortHandle>,
    /// Whether each get was answered.
    gets: Vec<Rc<Cell<bool>>>,
    receipts: Vec<(Receipt, Monotonic, i64)>,
    /// Puts that succeeded, and puts of which nobody knows.
    must: BTreeSet<String>,
    may: BTreeSet<String>,
}

pub struct World {
    pool: LocalPool,
    pub clock: ManualClock,
    pub chance: Chance,
    pub network: Network,
    pub wrong: Wrong,
    car: MemoryVehicle,
    mover: Mover,
    ledger: Arc<Ledger>,
    gateway: Gateway,
    /// Where gateways remember the requests under keys.
    keys: Place,
    serving: Option<AbortHandle>,
    apps: Vec<App>,
    serial: u32,
    /// The value of the last request.
    last_value: i64,
    pub gateways_killed: u32,
    pub clients_killed: u32,
}

impl World {
    pub fn new(seed: u64, apps: usize) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
        let handle: Arc<dyn Clock> = Arc::new(clock.clone());
        let network = Network::new(handle.clone(), seed, &Limits::default());
        let entries = [
            Entry::sensor(SIGNALS[0], DataType::FLOAT),
            Entry::sensor(SIGNALS[1], DataType::UINT32),
            Entry::actuator(SIGNALS[2], DataType::INT32),
        ];
        let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), handle);
        let chance = Chance::new(!seed);
        let mover = Mover {
            car: car.clone(),
            clock: clock.clone(),
            chance: Arc::new(Mutex::new(Chance::new(seed ^ 0x5eed))),
            moved: Arc::default(),
        };
        let ledger =
            Ledger { clock: clock.clone(), chance: Mutex::new(chance.clone()), kept: Mutex::default() };
        let mut world = Self {
            pool: LocalPool::new(),
            network,
            wrong: Wrong::default(),
            ledger: Arc::new(ledger),
            gateway: gateway(&mover, &clock),
            keys: Place::new(),
            car,
            mover,
            clock,
            chance,
            serving: None,
            apps: Vec::new(),
            serial: 0,
            last_value: 0,
            gateways_killed: 0,
            clients_killed: 0,
        };
        world.start_gateway();
        for name in 0..apps {
            let disk = Memory::new();
            world.apps.push(App {
                name,
                disk,
                outbox: None,
                client: Rc::default(),
                seen: Rc::default(),
                running: Vec::new(),
                gets: Vec::new(),
                receipts: Vec::new(),
                must: BTreeSet::new(),
                may: BTreeSet::new(),
            });
            world.start_app(name);
        }
        world
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) -> AbortHandle {
        let (handle, registration) = AbortHandle::new_pair();
        let work = Abortable::new(work, registration);
        self.pool
            .spawner()
            .spawn_local(async move {
                let _ = work.await;
            })
            .unwrap();
        handle
    }

    /// The gateway's process ends, wherever it is, and another begins; what was stored stays.
    pub fn kill_gateway(&mut self) {
        self.gateways_killed += 1;
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
        self.settle();
        self.start_gateway();
    }

    fn start_gateway(&mut self) {
        // The one before is gone with all that it held.
        self.gateway = gateway(&self.mover, &self.clock).storing(self.ledger.clone());
        let keys = RequestKeys::open(&self.keys.0, KeySync::Never).unwrap();
        self.gateway = self.gateway.clone().knowing(Arc::new(keys));
        let driver = self.gateway.serve(self.network.listen());
        self.serving = Some(self.spawn(async move { drop(driver.await) }));
    }

    /// A client's process ends, in the middle of a write or with the power, and another finds what is left.
    pub fn kill_app(&mut self, which: usize) {
        self.clients_killed += 1;
        for running in std::mem::take(&mut self.apps[which].running) {
            running.abort();
        }
        self.settle();
        let app = &mut self.apps[which];
        *app.client.borrow_mut() = None;
        app.outbox = None;
        app.receipts.clear();
        app.gets.clear();
        app.seen.borrow_mut().clear();
        if self.chance.below(2) == 0 {
            app.disk.restart();
        } else {
            let mut chance = self.chance.clone();
            app.disk.lose_power(|loose| usize::try_from(chance.below(loose as u64 + 1)).unwrap());
        }
        self.start_app(which);
    }

    fn start_app(&mut self, which: usize) {
        let name = self.apps[which].name;
        let origin = Origin::from_bytes([u8::try_from(name).unwrap() + 1; 16]);
        let options = queue_options();
        let disk = self.apps[which].disk.clone();
        let queue = Queue::open(disk, options, origin, Moment::of(&self.clock)).unwrap();
        let opened = queue.opened();
        if opened.damaged > 0 || opened.lost > 0 || opened.renamed {
            self.wrong.borrow_mut().push(format!("app {name} finds {opened:?}"));
        }
        let outbox = Outbox::new(queue, Arc::new(self.clock.clone()));
        let (network, clock) = (self.network.clone(), self.clock.clone());
        let (holder, seen) = (self.apps[which].client.clone(), self.apps[which].seen.clone());
        let kept = outbox.clone();
        let seed = self.chance.draw();
        let running = self.spawn(async move {
            let mut options = Options::default();
            (options.request_time, options.connect_time, options.seed) = (REQUEST, CONNECT, seed);
            options.keep_alive = Duration::from_secs(3);
            options.backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(2) };
            let (client, driver) = loop {
                let clock: Arc<dyn Clock> = Arc::new(clock.clone());
                let connecting =
                    Client::connect_with(network.connector(), clock.clone(), options.clone(), kept.clone());
                if let Ok(connected) = connecting.await {
                    break connected;
                }
                clock.sleep_until(clock.monotonic().saturating_add(Duration::from_millis(500))).await;
            };
            *holder.borrow_mut() = Some(client.clone());
            let app = watch(client, seen, clock);
            futures::future::join(driver, app).await.0.unwrap();
        });
        let app = &mut self.apps[which];
        app.outbox = Some(outbox);
        app.running.push(running);
    }

    pub fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    /// Lets time pass from deadline to deadline, everything running meanwhile.
    pub fn pass(&mut self, time: Duration) {
        let end = self.clock.monotonic().saturating_add(time);
        loop {
            self.settle();
            let now = self.clock.monotonic();
            if now >= end {
                return;
            }
            let next = self.clock.next_deadline().filter(|next| *next < end && *next > now).unwrap_or(end);
            self.clock.advance(next.saturating_since(now));
        }
    }

    pub fn publish(&mut self) {
        let signal = SIGNALS[usize::try_from(self.chance.below(2)).unwrap()];
        let number = u16::try_from(self.chance.below(5000)).unwrap();
        let value =
            if signal == SIGNALS[0] { Value::Float(f32::from(number)) } else { Value::Uint(number.into()) };
        self.car.publish(&[(signal, Datapoint::valid(value, self.clock.now()))]).unwrap();
    }

    pub fn put(&mut self, which: usize) {
        self.serial += 1;
        let length = usize::try_from(self.chance.below(120)).unwrap();
        let text = format!("{}:{}:{}", which, self.serial, "x".repeat(length));
        let priority = Priority::ALL[usize::try_from(self.chance.below(3)).unwrap()];
        if self.chance.below(40) == 0 {
            let mut faults = Faults::default();
            match self.chance.below(3) {
                0 => faults.killed_after = Some(self.chance.below(400)),
                1 => faults.full_after = Some(self.chance.below(400)),
                _ => faults.syncs_until_failure = Some(self.chance.below(2)),
            }
            // A sync that failed may lose notices of ends with the power, which the queue then reports: not here.
            if faults.syncs_until_failure.is_none() {
                self.apps[which].disk.set_faults(faults);
            }
        }
        let app = &mut self.apps[which];
        let note = NewItem::note("note", text.clone()).with_priority(priority);
        match app.outbox.as_ref().unwrap().put(note) {
            Ok(_) => drop(app.must.insert(text)),
            Err(_) => drop(app.may.insert(text)),
        }
        let counters = app.outbox.as_ref().unwrap().counters();
        if counters.bytes > 3 * QUEUE_BYTES || counters.dropped > 0 {
            self.wrong.borrow_mut().push(format!("the queue of app {which}: {counters:?}"));
        }
        if app.disk.clone().has_died() {
            self.kill_app(which);
        }
    }

    /// A request for the present values, which must be answered in time, one way or another.
    pub fn get(&mut self, which: usize) {
        let Some(client) = self.apps[which].client.borrow().clone() else { return };
        let (clock, wrong, answered) = (self.clock.clone(), self.wrong.clone(), Rc::new(Cell::new(false)));
        self.apps[which].gets.push(answered.clone());
        let running = self.spawn(async move {
            let begun = clock.monotonic();
            let ids: Vec<_> = client.catalogue().ids().collect();
            let answer = client.get(Get::of(&ids)).await;
            let took = clock.monotonic().saturating_since(begun);
            answered.set(true);
            if took > REQUEST + Duration::from_millis(1) {
                wrong.borrow_mut().push(format!("a get took {took:?}: {answer:?}"));
            }
        });
        self.apps[which].running.push(running);
    }

    /// A request to move something, queued, which must settle by its deadline.
    pub fn set_queued(&mut self, which: usize) {
        let Some(client) = self.apps[which].client.borrow().clone() else { return };
        let within = Duration::from_secs(1 + self.chance.below(20));
        let seat = client.catalogue().resolve(SIGNALS[2]).unwrap();
        self.last_value += 1;
        let value = self.last_value;
        let request = Request::new(seat, Value::Int(value)).with(Set::within(within));
        if let Ok(receipt) = client.set_queued(&request, Priority::High) {
            let deadline = self.clock.monotonic().saturating_add(within);
            self.apps[which].receipts.push((receipt, deadline, value));
        }
        if self.apps[which].disk.clone().has_died() {
            self.kill_app(which);
        }
    }

    /// One thing that may happen.
    pub fn step(&mut self) {
        let which = usize::try_from(self.chance.below(self.apps.len() as u64)).unwrap();
        match self.chance.below(100) {
            0..34 => self.put(which),
            34..50 => self.publish(),
            50..62 => self.get(which),
            62..70 => self.set_queued(which),
            70..74 => self.network.set_weather(Weather::any(&mut self.chance)),
            74..77 => self.network.cut(),
            77..80 => self.kill_app(which),
            80..82 => self.kill_gateway(),
            _ => {
                let time = Duration::from_millis(self.chance.below(1500));
                self.pass(time);
            }
        }
    }

    /// The weather clears; after a time everything that was promised must have come.
    pub fn heal(&mut self) {
        self.network.set_weather(Weather::fine());
        for which in 0..self.apps.len() {
            self.apps[which].disk.set_faults(Faults::default());
            if self.apps[which].disk.clone().has_died() {
                self.kill_app(which);
            }
            // Woken by the next note, where the last one failed.
            self.put(which);
        }
        self.pass(Duration::from_secs(40));
    }

    /// What does not hold.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = self.wrong.borrow().clone();
        let kept = self.ledger.kept.lock().unwrap();
        if kept.out_of_order > 0 {
            wrong.push(format!("{} notes came out of order", kept.out_of_order));
        }
        let mut known = BTreeSet::new();
        for app in &self.apps {
            for text in &app.must {
                match kept.notes.get(text) {
                    Some(1) => {}
                    Some(count) => wrong.push(format!("{text} was stored {count} times")),
                    None => wrong.push(format!("{text} is lost")),
                }
            }
            for text in &app.may {
                if kept.notes.get(text).is_some_and(|count| *count > 1) {
                    wrong.push(format!("{text} was stored twice"));
                }
            }
            known.extend(app.must.iter().chain(&app.may));
            let outbox = app.outbox.as_ref().unwrap();
            if outbox.counters().waiting > 0 {
                wrong.push(format!("app {}: {:?} still waits", app.name, outbox.counters()));
            }
            let client = app.client.borrow();
            let Some(client) = client.as_ref() else {
                wrong.push(format!("app {} has not connected", app.name));
                continue;
            };
            if !client.link().is_up() {
                wrong.push(format!("app {}: the link is {}", app.name, client.link()));
            }
            // What the subscription said last is what is so.
            for id in client.catalogue().ids() {
                let path = client.catalogue().path(id).unwrap().to_string();
                let present = futures::executor::block_on(
                    self.car.get(Get::of(&[self.car.catalogue().resolve(&path).unwrap()])),
                );
                let present = present.unwrap().remove(0).unwrap().state;
                let seen = app.seen.borrow().get(&id).cloned();
                if seen.as_ref() != Some(&present) {
                    wrong.push(format!("app {} sees {seen:?} of {path}, which is {present:?}", app.name));
                }
            }
            let hang = app.gets.iter().filter(|answered| !answered.get()).count();
            if hang > 0 {
                wrong.push(format!("app {}: {hang} gets were never answered", app.name));
            }
            for (receipt, deadline, value) in &app.receipts {
                let times = self.mover.moved.lock().unwrap().values.get(value).copied().unwrap_or(0);
                if matches!(receipt.stage(), Stage::Settled(Outcome::Confirmed(_))) && times == 0 {
                    wrong.push(format!("app {}: {value} is confirmed and was never moved", app.name));
                }
                if receipt.stage() == Stage::Accepted && self.clock.monotonic() >= *deadline {
                    wrong.push(format!("app {}: {receipt:?} is open after its deadline", app.name));
                }
            }
        }
        wrong.extend(
            kept.notes.keys().filter(|text| !known.contains(text)).map(|text| format!("nobody put {text}")),
        );
        for (value, times) in &self.mover.moved.lock().unwrap().values {
            if *times > 1 {
                wrong.push(format!("{value} was moved {times} times"));
            }
        }
        let connections = self.gateway.counters().connections;
        if connections > self.apps.len() as u64 {
            wrong.push(format!("the gateway still has {connections} connections"));
        }
        // A write buffer for each direction, and a message.
        if self.network.most_bytes() > 2 * (256 * 1024 + 64 * 1024) {
            wrong.push(format!("{} bytes were under way", self.network.most_bytes()));
        }
        wrong
    }

    /// How many requests moved something, and how many of those that are held are in doubt.
    pub fn moved(&self) -> (usize, usize) {
        let receipts = self.apps.iter().flat_map(|app| &app.receipts);
        let doubt =
            |(receipt, ..): &&(Receipt, Monotonic, i64)| receipt.stage() == Stage::Settled(Outcome::InDoubt);
        (self.mover.moved.lock().unwrap().values.len(), receipts.filter(doubt).count())
    }

    pub fn notes(&self) -> usize {
        self.ledger.kept.lock().unwrap().notes.len()
    }
}

fn gateway(car: &Mover, clock: &ManualClock) -> Gateway {
    let mut options = coachwork_gateway::Options::default();
    options.write_time = Duration::from_secs(5);
    options.idle_time = Duration::from_secs(20);
    Gateway::new(Arc::new(Everybody::sees(car.clone())), Arc::new(clock.clone()), options)
}

fn queue_options() -> QueueOptions {
    let mut options = QueueOptions::default();
    (options.bytes, options.segment_bytes, options.full) = (QUEUE_BYTES, 4096, Full::Refuse);
    options
}

/// Subscribes to everything and keeps what it is told.
async fn watch(client: Client, seen: Rc<RefCell<BTreeMap<SignalId, State>>>, clock: ManualClock) {
    let ids: Vec<_> = client.catalogue().ids().collect();
    let mut watch = loop {
        match client.subscribe(Subscribe::to(ids.clone()).on_change()).await {
            Ok(watch) => break watch,
            Err(_) => {
                clock.sleep_until(clock.monotonic().saturating_add(Duration::from_millis(500))).await;
            }
        }
    };
    while let Some(event) = watch.next().await {
        if let Event::Changed(points) = event {
            for (signal, point) in points.iter() {
                seen.borrow_mut().insert(signal, point.state.clone());
            }
        }
    }
}

trait HasDied {
    fn has_died(self) -> bool;
}

impl HasDied for Memory {
    fn has_died(mut self) -> bool {
        use coachwork_client::queue::Storage as _;
        self.segments().is_err()
    }
}
