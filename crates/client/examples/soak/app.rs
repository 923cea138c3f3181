//! One client with a queue on disk: it puts notes, asks, moves, and watches; and is killed, and starts anew with what its queue holds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coachwork_client::queue::{Files, NewItem, Origin, Priority, Queue, QueueOptions, Sync};
use coachwork_client::{Client, Options, Outbox};
use coachwork_conformance::wire::network::Chance;
use coachwork_tokio::{SystemClock, unix};
use coachwork_transport::{Limits, Moment};
use coachwork_vehicle::{
    Backoff, Clock, Event, Get, Outcome, Request, Set, SignalId, State, Subscribe, Subscription, Vehicle,
};
use futures::FutureExt;
use tokio::task::JoinHandle;

use crate::link::{Switch, Switched};
use crate::served::SIGNALS;

const REQUEST: Duration = Duration::from_secs(2);

/// What all clients tell together.
#[derive(Default)]
pub struct Told {
    pub put: Cell<u64>,
    pub gets: Cell<u64>,
    pub longest: Cell<Duration>,
    pub settled: Cell<u64>,
    /// Those of them of which nobody knows whether they moved something.
    pub in_doubt: Cell<u64>,
    pub wrong: RefCell<Vec<String>>,
}

pub struct App {
    shared: Rc<Shared>,
    running: JoinHandle<()>,
}

struct Shared {
    name: usize,
    place: PathBuf,
    switch: Switch,
    told: Rc<Told>,
    chance: RefCell<Chance>,
    /// How many notes were put in each life.
    lives: RefCell<Vec<u32>>,
    outbox: RefCell<Option<Outbox>>,
    client: RefCell<Option<Client>>,
    seen: RefCell<BTreeMap<SignalId, State>>,
}

impl App {
    pub fn new(name: usize, place: &Path, seed: u64, told: Rc<Told>) -> Self {
        let shared = Rc::new(Shared {
            name,
            place: place.to_owned(),
            switch: Switch::default(),
            told,
            chance: RefCell::new(Chance::new(seed)),
            lives: RefCell::default(),
            outbox: RefCell::default(),
            client: RefCell::default(),
            seen: RefCell::default(),
        });
        Self { running: tokio::task::spawn_local(shared.clone().live()), shared }
    }

    pub fn switch(&self) -> &Switch {
        &self.shared.switch
    }

    pub fn lives(&self) -> Vec<u32> {
        self.shared.lives.borrow().clone()
    }

    pub fn kill(&mut self) {
        self.running.abort();
        self.shared.forget();
        self.running = tokio::task::spawn_local(self.shared.clone().live());
    }

    /// Why it is not at rest, if it is not.
    pub async fn restless(&self) -> Option<String> {
        let name = self.shared.name;
        let counters = self.shared.outbox.borrow().as_ref().map(Outbox::counters);
        let client = self.shared.client.borrow().clone();
        let (Some(counters), Some(client)) = (counters, client) else {
            return Some(format!("client {name} has not connected"));
        };
        if counters.waiting > 0 {
            return Some(format!("client {name}: {counters:?}"));
        }
        let ids: Vec<_> = client.catalogue().ids().collect();
        for (id, point) in ids.iter().zip(client.get(Get::of(&ids)).await.ok()?) {
            let present = point.map(|point| point.state).ok();
            let seen = self.shared.seen.borrow().get(id).cloned();
            if seen != present {
                return Some(format!(
                    "client {name} sees {seen:?}, and there is {present:?}; {}",
                    client.link()
                ));
            }
        }
        None
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.running.abort();
        self.shared.forget();
    }
}

impl Shared {
    fn forget(&self) {
        *self.client.borrow_mut() = None;
        *self.outbox.borrow_mut() = None;
        self.seen.borrow_mut().clear();
    }

    async fn live(self: Rc<Self>) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
        let outbox = Outbox::new(self.queue(clock.as_ref()).await, clock.clone());
        *self.outbox.borrow_mut() = Some(outbox.clone());
        self.lives.borrow_mut().push(0);
        let putting = self.put(&outbox);
        let using = async {
            let (client, driver) = self.connect(&outbox, &clock).await;
            *self.client.borrow_mut() = Some(client.clone());
            let watching = async {
                loop {
                    match client.subscribe(Subscribe::to(client.catalogue().ids()).on_change()).await {
                        Ok(watch) => break self.watch(watch).await,
                        Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                    }
                }
            };
            let asking = self.ask(&client);
            futures::join!(driver.map(drop), watching, asking);
        };
        futures::join!(putting, using);
    }

    /// The one before may not have let go of it yet.
    async fn queue(&self, clock: &dyn Clock) -> Queue {
        let directory = self.place.join(format!("client-{}", self.name));
        loop {
            if let Ok(files) = Files::open(&directory) {
                let mut options = QueueOptions::default();
                (options.segment_bytes, options.sync) = (16 * 1024, Sync::Every(16, Duration::from_secs(2)));
                let mut origin = [7; 16];
                origin[..8].copy_from_slice(&u64::try_from(self.name).unwrap().to_le_bytes());
                let queue =
                    Queue::open(files, options, Origin::from_bytes(origin), Moment::of(clock)).unwrap();
                let opened = queue.opened();
                if opened.damaged + opened.lost + opened.torn > 0 || opened.renamed {
                    self.wrong(format!("client {} finds {opened:?}", self.name));
                }
                return queue;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn connect(&self, outbox: &Outbox, clock: &Arc<dyn Clock>) -> (Client, coachwork_vehicle::Driver) {
        let connector = unix::connector(self.place.join("gateway.sock"), &Limits::default());
        let connector = Switched(connector, self.switch.clone());
        loop {
            let mut options = Options::default();
            (options.request_time, options.connect_time) = (REQUEST, Duration::from_secs(5));
            options.keep_alive = Duration::from_secs(3);
            options.seed = self.chance.borrow_mut().draw();
            options.backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(2) };
            let connecting = Client::connect_with(connector.clone(), clock.clone(), options, outbox.clone());
            if let Ok(connected) = connecting.await {
                return connected;
            }
            let pause = self.chance.borrow_mut().below(500);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// About one note in a second.
    async fn put(&self, outbox: &Outbox) {
        while !self.place.join("quiet").exists() {
            let (pause, priority) = {
                let mut chance = self.chance.borrow_mut();
                (chance.below(2000), Priority::ALL[usize::try_from(chance.below(3)).unwrap()])
            };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let life = self.lives.borrow().len() - 1;
            let n = self.lives.borrow()[life];
            let note = NewItem::note("usage", format!("{}:{life}:{n}", self.name)).with_priority(priority);
            match outbox.put(note) {
                Ok(_) => {
                    self.lives.borrow_mut()[life] += 1;
                    self.told.put.set(self.told.put.get() + 1);
                }
                Err(error) => self.wrong(format!("client {}: {error}", self.name)),
            }
        }
    }

    async fn ask(&self, client: &Client) {
        let seat = client.catalogue().resolve(SIGNALS[2]).unwrap();
        let ids: Vec<_> = client.catalogue().ids().collect();
        while !self.place.join("quiet").exists() {
            let pause = self.chance.borrow_mut().below(4000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let begun = Instant::now();
            let _ = client.get(Get::of(&ids)).await;
            let took = begun.elapsed();
            self.told.gets.set(self.told.gets.get() + 1);
            self.told.longest.set(self.told.longest.get().max(took));
            // On a busy machine the timer may come late.
            if took > REQUEST + Duration::from_secs(3) {
                self.wrong(format!("client {}: a get took {took:?}", self.name));
            }
            let value = i8::try_from(self.chance.borrow_mut().below(100)).unwrap();
            let request = Request::new(seat, value).with(Set::within(Duration::from_secs(5)));
            if let Ok(receipt) = client.set_queued(&request, Priority::Normal) {
                let in_doubt = receipt.outcome().await == Outcome::InDoubt;
                self.told.in_doubt.set(self.told.in_doubt.get() + u64::from(in_doubt));
                self.told.settled.set(self.told.settled.get() + 1);
            }
        }
    }

    async fn watch(&self, mut watch: Subscription) {
        while let Some(event) = watch.next().await {
            if let Event::Changed(points) = event {
                let mut seen = self.seen.borrow_mut();
                seen.extend(points.iter().map(|(signal, point)| (signal, point.state.clone())));
            }
        }
    }

    fn wrong(&self, what: String) {
        let mut wrong = self.told.wrong.borrow_mut();
        if wrong.len() < 20 {
            wrong.push(what);
        }
    }
}
