//! A car behind a small web service: `GET /values` answers with lines `name=value`, `POST /set` takes one such line.
//!
//! *Invariant:* one request is under way at a time; while the service does not answer, nothing is available, and says why.
//! *Next:* `http.rs` (a question and its answer), `tests/conformance.rs` (the proof, and such a service).

mod http;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use coachwork::{
    Board, Catalogue, Clock, Command, DataType, Datapoint, Driver, Each, Entry, Error, ErrorKind, Facts, Get,
    Outcome, Reason, ReasonKind, Receipt, Refusal, RefusalKind, Request, SignalId, State, Subscribe,
    Subscription, Value, Vehicle,
};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};

use crate::http::Answer;

/// How long after one answer the service is asked again.
const EVERY: Duration = Duration::from_millis(200);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many requests may wait for their turn.
const WAITING: usize = 16;

/// What the service says where it has no value.
const UNAVAILABLE: &str = "unavailable";

/// The car as an app sees it.
#[derive(Debug)]
pub struct WebVehicle {
    address: SocketAddr,
    board: Board,
    requests: Mutex<mpsc::Sender<Command>>,
}

/// What the car has, each with the name that the service gives it.
fn signals() -> [(&'static str, Entry); 4] {
    [
        (
            "speed",
            Entry::sensor("Vehicle.Speed", DataType::FLOAT)
                .with_unit("km/h")
                .with_stale_after(Duration::from_secs(2)),
        ),
        ("range", Entry::sensor("Vehicle.Powertrain.Range", DataType::UINT32).with_unit("m")),
        ("door_fl", Entry::sensor("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", DataType::BOOLEAN)),
        (
            "seat_heat",
            Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", DataType::INT8)
                .with_unit("percent")
                .with_range(Value::Int(-100), Value::Int(100)),
        ),
    ]
}

impl WebVehicle {
    /// The car whose service listens at `address`, and the driver that asks it: spawn that one on a tokio runtime that does I/O.
    ///
    /// # Errors
    /// Where the catalogue contradicts itself.
    pub fn new(address: SocketAddr, clock: Arc<dyn Clock>) -> Result<(Self, Driver), Error> {
        let catalogue = Catalogue::new(signals().map(|(_, entry)| entry), Facts::default())
            .map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))?;
        let name = |(name, entry): (_, Entry)| Ok((name, catalogue.resolve(entry.path().as_str())?));
        let names = signals().into_iter().map(name).collect::<Result<_, Error>>()?;
        let board = Board::new(catalogue, clock);
        let (requests, asked) = mpsc::channel(WAITING);
        let service = Service { address, names, board: board.clone() };
        let driver = Driver::new(service.drive(asked));
        Ok((Self { address, board, requests: Mutex::new(requests) }, driver))
    }

    fn send(&self, command: &Command) -> Result<(), Error> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = requests.try_send(command.clone());
        sent.map_err(|_| Error::new(ErrorKind::Unavailable, "the service does not take more requests"))
    }
}

#[async_trait]
impl Vehicle for WebVehicle {
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

impl fmt::Display for WebVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the car at {}", self.address)
    }
}

/// The service, and what its names mean.
struct Service {
    address: SocketAddr,
    names: Vec<(&'static str, SignalId)>,
    board: Board,
}

impl Service {
    /// Asks for the values and sends what waits, until the vehicle is dropped.
    async fn drive(self, mut asked: mpsc::Receiver<Command>) -> Result<(), Error> {
        let clock = self.board.clock().clone();
        loop {
            match self.ask("GET /values", "").await {
                Ok(Answer { status: 200, body }) => self.hear(&body),
                Ok(Answer { status, .. }) => self.lose(format!("the service answers {status}")),
                Err(lost) => self.lose(lost.to_string()),
            }
            let pause = clock.sleep_until(clock.monotonic().saturating_add(EVERY));
            match select(pause, asked.next()).await {
                Either::Left(_) => {}
                Either::Right((Some(command), _)) => {
                    if let Some(refusal) = self.put(&command).await {
                        self.board.settle(&command, Outcome::Refused(refusal));
                    }
                }
                Either::Right((None, _)) => return Ok(()),
            }
        }
    }

    fn lose(&self, why: String) {
        self.board.withdraw_all(&Reason::because(ReasonKind::Link, why));
    }

    /// Publishes an answer as the one moment that it is.
    fn hear(&self, body: &str) {
        let now = self.board.clock().now();
        let said = |name| body.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        let point = |&(name, signal)| (signal, Datapoint::new(self.state(signal, said(name)), now));
        let points: Vec<_> = self.names.iter().map(point).collect();
        let published = self.board.publish(&points);
        debug_assert!(published.is_ok(), "the ids and the types are the catalogue's");
    }

    /// The state that a word stands for, or that the lack of one does.
    fn state(&self, signal: SignalId, word: Option<&str>) -> State {
        let malformed = |why: String| State::Error(Reason::because(ReasonKind::Malformed, why));
        match (word, self.board.catalogue().entry(signal)) {
            (Some(UNAVAILABLE), _) => State::NotAvailable(Reason::new(ReasonKind::Source)),
            (None, _) => {
                State::NotAvailable(Reason::because(ReasonKind::Source, "the service does not mention it"))
            }
            (Some(word), Ok(entry)) => match entry.data_type().parse_value(word) {
                Ok(value) => State::Valid(value),
                Err(why) => malformed(why.to_string()),
            },
            (_, Err(why)) => malformed(why.to_string()),
        }
    }

    /// Asks for one move; the refusal where it is refused. That it moved is seen in the next answer.
    async fn put(&self, command: &Command) -> Option<Refusal> {
        let (name, _) = self.names.iter().find(|(_, signal)| *signal == command.signal)?;
        match self.ask("POST /set", &format!("{name}={}\n", command.value)).await {
            Ok(Answer { status: 200, .. }) => None,
            Ok(Answer { status: 409, body }) => Some(Refusal::new(RefusalKind::NotNow, body.trim())),
            Ok(Answer { status, body }) => {
                Some(Refusal::new(RefusalKind::Other, format!("{status}: {}", body.trim())))
            }
            Err(lost) => Some(Refusal::new(RefusalKind::Link, lost.to_string())),
        }
    }

    /// Asks one thing and waits for the answer, for as long as the patience lasts.
    async fn ask(&self, what: &str, body: &str) -> std::io::Result<Answer> {
        let clock = self.board.clock();
        let late = clock.sleep_until(clock.monotonic().saturating_add(PATIENCE));
        match select(Box::pin(http::ask(self.address, what, body)), late).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(std::io::Error::other("the service does not answer")),
        }
    }
}
