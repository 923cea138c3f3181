//! A drive that was logged, as a vehicle that can only be read: lines like `0.250 Vehicle.Speed=50.5`, seconds since the log began.
//!
//! *Invariant:* lines of one time are one report; a line that makes no sense is counted, and costs itself alone.
//! *Next:* `tests/conformance.rs` (the proof).

use std::fmt;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use coachwork::{
    Board, Catalogue, Clock, DataType, Datapoint, Driver, Each, Entry, Error, ErrorKind, Facts, Get, Reason,
    ReasonKind, Receipt, Request, ScalarType, SignalId, State, Subscribe, Subscription, TimeBase, Timestamp,
    Value, Vehicle,
};

/// The logged car.
#[derive(Debug)]
pub struct LogVehicle {
    board: Board,
    bad: Arc<AtomicU64>,
}

fn catalogue() -> Result<Catalogue, Error> {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h"),
        Entry::sensor("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", DataType::BOOLEAN),
        Entry::attribute("Vehicle.VehicleIdentification.Brand", DataType::STRING),
    ];
    let mut facts = Facts::default();
    // A log can be held back, and its seconds count from nobody knows when.
    facts.back_pressure = true;
    facts.time = TimeBase::Unknown;
    Catalogue::new(entries, facts).map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))
}

impl LogVehicle {
    /// The car of this log, and the driver that plays it at its own pace on `clock`.
    ///
    /// # Errors
    /// Where the catalogue contradicts itself.
    pub fn new(log: impl BufRead + Send + 'static, clock: Arc<dyn Clock>) -> Result<(Self, Driver), Error> {
        let board = Board::new(catalogue()?, clock);
        let bad = Arc::new(AtomicU64::new(0));
        let driver = Driver::new(play(log, board.clone(), bad.clone()));
        Ok((Self { board, bad }, driver))
    }

    /// How many lines made no sense.
    pub fn bad_lines(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Vehicle for LogVehicle {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.board.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.board.get(get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        // The catalogue has no actuators: the board refuses every request, and nothing is ever sent.
        self.board.set(requests, |_| Err(Error::new(ErrorKind::Unsupported, "a log cannot be asked")))
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.board.subscribe(subscribe)
    }
}

impl fmt::Display for LogVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a logged drive")
    }
}

/// Feeds what the log says, each time when it comes, then says that it has ended.
async fn play(log: impl BufRead + Send, board: Board, bad: Arc<AtomicU64>) -> Result<(), Error> {
    let (clock, catalogue) = (board.clock().clone(), board.catalogue());
    let began = clock.monotonic();
    let mut together: (Duration, Vec<(SignalId, Datapoint)>) = (Duration::ZERO, Vec::new());
    for line in log.lines() {
        let line = match line {
            Ok(line) => line,
            Err(why) => {
                board.withdraw_all(&Reason::because(ReasonKind::Link, why.to_string()));
                return Err(Error::new(ErrorKind::Unavailable, "the log cannot be read").caused_by(why));
            }
        };
        let Some((at, signal, point)) = understood(&catalogue, &line) else {
            bad.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        if at != together.0 {
            board.feed(&std::mem::take(&mut together.1)).await?;
            together.0 = at;
            clock.sleep_until(began.saturating_add(at)).await;
        }
        together.1.push((signal, point));
    }
    board.feed(&together.1).await?;
    board.withdraw_all(&Reason::because(ReasonKind::Ended, "the log has ended"));
    Ok(())
}

/// The time, signal and datapoint of a line.
fn understood(catalogue: &Catalogue, line: &str) -> Option<(Duration, SignalId, Datapoint)> {
    let (seconds, said) = line.trim().split_once(' ')?;
    let (path, word) = said.split_once('=')?;
    let at = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    let signal = catalogue.id(path)?;
    let data_type = catalogue.entry(signal).ok()?.data_type();
    let value = match data_type.scalar() {
        ScalarType::Boolean => Value::Bool(word.parse().ok()?),
        ScalarType::String => Value::from(word),
        _ => Value::Double(word.parse().ok()?),
    };
    let state = State::Valid(data_type.coerce(value).ok()?);
    let nanoseconds = i64::try_from(at.as_nanos()).ok()?;
    Some((at, signal, Datapoint::new(state, Timestamp::from_nanoseconds(nanoseconds))))
}
