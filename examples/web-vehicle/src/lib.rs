//! A car behind a web service that has to be asked: `GET /signals?since=7` tells what is new, `PUT /signals/Vehicle.X` moves something.
//!
//! *Invariant:* one request is under way at a time; while the service does not answer, nothing is available, and says why.
//! *Next:* `tests/conformance.rs` (the proof, and such a service).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use coachwork::{
    Board, Catalogue, Clock, Command, DataType, Datapoint, Driver, Each, Entry, Error, ErrorKind, Facts, Get,
    Outcome, Reason, ReasonKind, Receipt, Refusal, RefusalKind, Request, ScalarType, SignalId, State,
    Subscribe, Subscription, Value, Vehicle,
};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};

/// How long after one answer the service is asked again.
const EVERY: Duration = Duration::from_millis(50);

/// How many requests may wait for their turn.
const WAITING: usize = 16;

/// The answer of a web service: its status and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 where it did what was asked.
    pub status: u16,
    /// What it says.
    pub body: String,
}

/// Any HTTP client: over it, this crate needs no other.
#[async_trait]
pub trait Web: Send + 'static {
    /// Does one request. `Err` where no answer came.
    async fn request(&mut self, method: &str, target: &str, body: &str) -> Result<Answer, Error>;
}

/// The car as an app sees it.
#[derive(Debug)]
pub struct WebVehicle {
    board: Board,
    requests: Mutex<mpsc::Sender<Command>>,
}

fn catalogue() -> Result<Catalogue, Error> {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT)
            .with_unit("km/h")
            .with_stale_after(Duration::from_secs(2)),
        Entry::sensor("Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", DataType::FLOAT)
            .with_unit("percent"),
        Entry::sensor("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", DataType::BOOLEAN),
        Entry::actuator("Vehicle.Cabin.HVAC.Station.Row1.Driver.Temperature", DataType::INT8)
            .with_unit("Celsius")
            .with_range(Value::Int(15), Value::Int(30)),
    ];
    Catalogue::new(entries, Facts::default()).map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))
}

impl WebVehicle {
    /// The car behind this service, and the driver that asks it.
    ///
    /// # Errors
    /// Where the catalogue contradicts itself.
    pub fn new(web: impl Web, clock: Arc<dyn Clock>) -> Result<(Self, Driver), Error> {
        let board = Board::new(catalogue()?, clock);
        let (requests, asked) = mpsc::channel(WAITING);
        let driver = Driver::new(drive(web, asked, board.clone()));
        Ok((Self { board, requests: Mutex::new(requests) }, driver))
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
        f.write_str("the car behind the web service")
    }
}

/// Asks for what is new and sends what waits, until the vehicle is dropped.
async fn drive(mut web: impl Web, mut asked: mpsc::Receiver<Command>, board: Board) -> Result<(), Error> {
    let clock = board.clock().clone();
    let mut since = 0;
    loop {
        if let Err(lost) = poll(&mut web, &board, &mut since).await {
            board.withdraw_all(&Reason::because(ReasonKind::Link, lost.to_string()));
        }
        let pause = clock.sleep_until(clock.monotonic().saturating_add(EVERY));
        match select(pause, asked.next()).await {
            Either::Left(_) => {}
            Either::Right((Some(command), _)) => {
                if let Some(refusal) = put(&mut web, &board, &command).await? {
                    board.settle(&command, Outcome::Refused(refusal));
                }
            }
            Either::Right((None, _)) => return Ok(()),
        }
    }
}

/// Publishes what is new. The body is the next number, then a line for each moment: `path=word;path=word`.
async fn poll(web: &mut impl Web, board: &Board, since: &mut u64) -> Result<(), Error> {
    let answer = web.request("GET", &format!("/signals?since={since}"), "").await?;
    let odd = || Error::new(ErrorKind::Protocol, format!("the service answers {}", answer.status));
    let (next, moments) = answer.body.split_once('\n').filter(|_| answer.status == 200).ok_or_else(odd)?;
    *since = next.parse().map_err(|_| odd())?;
    for moment in moments.lines() {
        let points: Vec<_> = moment.split(';').filter_map(|said| understood(board, said)).collect();
        board.publish(&points)?;
    }
    Ok(())
}

/// Asks for one move; the refusal where it is refused. That it moved is seen at a later poll.
async fn put(web: &mut impl Web, board: &Board, command: &Command) -> Result<Option<Refusal>, Error> {
    let target = format!("/signals/{}", board.catalogue().path(command.signal)?);
    Ok(match web.request("PUT", &target, &command.value.to_string()).await {
        Ok(Answer { status: 200..300, .. }) => None,
        Ok(Answer { status: 409, body }) => Some(Refusal::new(RefusalKind::Busy, body)),
        Ok(Answer { status, body }) => Some(Refusal::new(RefusalKind::Other, format!("{status}: {body}"))),
        Err(lost) => Some(Refusal::new(RefusalKind::Link, lost.to_string())),
    })
}

/// The datapoint of `path=word`; the word `null` says that there is no value.
fn understood(board: &Board, said: &str) -> Option<(SignalId, Datapoint)> {
    let catalogue = board.catalogue();
    let (path, word) = said.split_once('=')?;
    let signal = catalogue.id(path)?;
    let data_type = catalogue.entry(signal).ok()?.data_type();
    let value = match data_type.scalar() {
        ScalarType::Boolean => word.parse().ok().map(Value::Bool),
        ScalarType::String => Some(Value::from(word)),
        _ => word.parse().ok().map(Value::Double),
    };
    let state = match value.and_then(|value| data_type.coerce(value).ok()) {
        _ if word == "null" => State::NotAvailable(Reason::new(ReasonKind::Source)),
        Some(value) => State::Valid(value),
        None => State::Error(Reason::because(ReasonKind::Malformed, format!("the service says {word:?}"))),
    };
    Some((signal, Datapoint::new(state, board.clock().now())))
}
