//! My vehicle: what the link says becomes readings, requests become words on the link.
//!
//! *Invariant:* the link is asked again and again; while it does not answer, nothing is available, and says why.
//! *Next:* `tests/conformance.rs` (the proof).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use coachwork::{
    Board, Catalogue, Clock, Command, DataType, Datapoint, Driver, Each, Entry, Error, ErrorKind, Facts, Get,
    Outcome, Reason, ReasonKind, Receipt, Refusal, RefusalKind, Request, State, Subscribe, Subscription,
    Value, Vehicle,
};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};

/// How long after one answer the link is asked again. CHANGE THIS to what your source bears.
const EVERY: Duration = Duration::from_millis(100);

/// How many requests may wait for the link.
const WAITING: usize = 16;

/// What was said together: paths with their states.
pub type Report = Vec<(String, State)>;

/// The way to the car. IMPLEMENT THIS over your protocol, or put your protocol in its place.
#[async_trait]
pub trait Link: Send + 'static {
    /// What the car has said since it was asked last, the oldest first. A source that knows only what holds now gives one report.
    async fn news(&mut self) -> Result<Vec<Report>, Error>;

    /// Asks the car to move something. `Err` where it was not sent.
    async fn ask(&mut self, path: &str, value: &Value) -> Result<(), Error>;
}

/// The car as an app sees it.
#[derive(Debug)]
pub struct MyVehicle {
    board: Board,
    requests: Mutex<mpsc::Sender<Command>>,
}

/// What the car has. CHANGE THIS to what yours has: COVESA VSS paths where they exist, with their units and limits.
fn catalogue() -> Result<Catalogue, Error> {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT)
            .with_unit("km/h")
            .with_stale_after(Duration::from_secs(2)),
        Entry::sensor("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", DataType::BOOLEAN),
        Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", DataType::INT8)
            .with_unit("percent")
            .with_range(Value::Int(-100), Value::Int(100)),
    ];
    Catalogue::new(entries, Facts::default()).map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))
}

impl MyVehicle {
    /// The car at the other end of `link`, and the driver that asks it: spawn that one.
    ///
    /// # Errors
    /// Where the catalogue contradicts itself.
    pub fn new(link: impl Link, clock: Arc<dyn Clock>) -> Result<(Self, Driver), Error> {
        let board = Board::new(catalogue()?, clock);
        let (requests, asked) = mpsc::channel(WAITING);
        let driver = Driver::new(drive(link, asked, board.clone()));
        Ok((Self { board, requests: Mutex::new(requests) }, driver))
    }

    /// Hands one checked request to the driver; it must not wait.
    fn send(&self, command: &Command) -> Result<(), Error> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = requests.try_send(command.clone());
        sent.map_err(|_| Error::new(ErrorKind::Unavailable, "the link does not take more requests"))
    }
}

#[async_trait]
impl Vehicle for MyVehicle {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.board.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.board.get(get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        self.board.set(requests, |command| self.send(command))
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.board.subscribe(subscribe)
    }
}

impl fmt::Display for MyVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("my vehicle")
    }
}

/// Asks the link and sends what waits, until the vehicle is dropped.
async fn drive(mut link: impl Link, mut asked: mpsc::Receiver<Command>, board: Board) -> Result<(), Error> {
    let clock = board.clock().clone();
    loop {
        match link.news().await {
            Ok(news) => news.iter().for_each(|report| hear(&board, report)),
            // The subscriptions stay: when the link answers again, they go on.
            Err(lost) => board.withdraw_all(&Reason::because(ReasonKind::Link, lost.to_string())),
        }
        let pause = clock.sleep_until(clock.monotonic().saturating_add(EVERY));
        match select(pause, asked.next()).await {
            Either::Left(_) => {}
            Either::Right((Some(command), _)) => {
                let path = board.catalogue().path(command.signal)?.to_string();
                if let Err(lost) = link.ask(&path, &command.value).await {
                    let why = Refusal::new(RefusalKind::Link, lost.to_string());
                    board.settle(&command, Outcome::Refused(why));
                }
            }
            Either::Right((None, _)) => return Ok(()),
        }
    }
}

/// Publishes what was said together. What the catalogue does not have is none of this vehicle's business.
fn hear(board: &Board, report: &Report) {
    let (catalogue, now) = (board.catalogue(), board.clock().now());
    let point = |(path, state): &(String, State)| {
        let signal = catalogue.id(path)?;
        let data_type = catalogue.entry(signal).ok()?.data_type();
        let state = match state {
            State::Valid(value) => match data_type.coerce(value.clone()) {
                Ok(value) => State::Valid(value),
                Err(why) => State::Error(Reason::because(ReasonKind::Malformed, why.to_string())),
            },
            other => other.clone(),
        };
        Some((signal, Datapoint::new(state, now)))
    };
    let points: Vec<_> = report.iter().filter_map(point).collect();
    let published = board.publish(&points);
    debug_assert!(published.is_ok(), "the ids and the types are the catalogue's");
}
