//! A car at the end of a line: messages like `Vehicle.Speed=50.5` become readings, requests become messages of the same form.
//!
//! *Invariant:* what the line says is published as it comes; when the line is lost, nothing is available, and says why.
//! *Next:* `tests/conformance.rs` (the proof), `examples/drive.rs` (the vehicle at work).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use coachwork::transport::{CloseReason, Connection, ConnectionExt, Message};
use coachwork::{
    Board, Catalogue, Clock, Command, DataType, Datapoint, Driver, Each, Entry, Error, ErrorKind, Facts, Get,
    Reason, ReasonKind, Receipt, Request, State, Subscribe, Subscription, Value, Vehicle,
};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};

/// How many requests may wait for the line.
const WAITING: usize = 16;

/// The car as an app sees it.
#[derive(Debug)]
pub struct LineVehicle {
    board: Board,
    line: Mutex<mpsc::Sender<Message>>,
}

/// What the car has: facts of the car, as its maker documents them.
fn catalogue() -> Result<Catalogue, Error> {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h"),
        Entry::sensor("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", DataType::BOOLEAN),
        Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", DataType::INT8)
            .with_unit("percent")
            .with_range(Value::Int(-100), Value::Int(100)),
    ];
    Catalogue::new(entries, Facts::default()).map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))
}

impl LineVehicle {
    /// A car at the other end of `link`, and the driver that reads it.
    ///
    /// # Errors
    /// Where the catalogue contradicts itself.
    pub fn new(link: Box<dyn Connection>, clock: Arc<dyn Clock>) -> Result<(Self, Driver), Error> {
        let board = Board::new(catalogue()?, clock);
        let (line, requests) = mpsc::channel(WAITING);
        let driver = Driver::new(drive(link, requests, board.clone()));
        Ok((Self { board, line: Mutex::new(line) }, driver))
    }

    /// Hands one checked request to the driver.
    fn send(&self, command: &Command) -> Result<(), Error> {
        let message = format!("{}={}", self.board.catalogue().path(command.signal)?, command.value);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = line.try_send(Message::text(message));
        sent.map_err(|_| Error::new(ErrorKind::Unavailable, "the line does not take more requests"))
    }
}

#[async_trait]
impl Vehicle for LineVehicle {
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

impl fmt::Display for LineVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the car at the end of the line")
    }
}

/// Carries messages both ways, until the line is lost or the vehicle is dropped.
async fn drive(
    mut link: Box<dyn Connection>,
    mut requests: mpsc::Receiver<Message>,
    board: Board,
) -> Result<(), Error> {
    loop {
        let carried = futures::select! {
            message = link.recv().fuse() => message.map(|message| hear(&board, &message)),
            request = requests.next() => match request {
                Some(request) => link.send(&request).await,
                None => return Ok(link.close(CloseReason::normal()).await?),
            },
        };
        if let Err(lost) = carried {
            board.withdraw_all(&Reason::because(ReasonKind::Link, lost.to_string()));
            return Err(lost.into());
        }
    }
}

/// Publishes what a message says. What the catalogue does not have is none of this vehicle's business.
fn hear(board: &Board, message: &Message) {
    let (catalogue, now) = (board.catalogue(), board.clock().now());
    let text = String::from_utf8_lossy(message.data());
    let Some((path, word)) = text.trim().split_once('=') else { return };
    let Ok(signal) = catalogue.resolve(path) else { return };
    let Ok(entry) = catalogue.entry(signal) else { return };
    let published = board.publish(&[(signal, Datapoint::new(understood(entry, word), now))]);
    debug_assert!(published.is_ok(), "the id and the type are the catalogue's");
}

/// The state that a word stands for, in the type of the signal.
fn understood(entry: &Entry, word: &str) -> State {
    match entry.data_type().parse_value(word) {
        _ if word == "-" => State::NotAvailable(Reason::new(ReasonKind::Source)),
        Ok(value) => State::Valid(value),
        Err(why) => State::Error(Reason::because(ReasonKind::Malformed, why.to_string())),
    }
}
