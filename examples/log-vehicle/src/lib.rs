//! A drive out of a text log: lines of `seconds,path,value` become readings when their second has come on the vehicle's clock.
//!
//! *Invariant:* lines of one time are one report; a log that makes no sense is refused with the line, before anything is played.
//! *Next:* `tests/conformance.rs` (the proof).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coachwork::{
    Access, Board, Catalogue, Clock, Datapoint, Driver, Each, Entry, Error, ErrorKind, Facts, Get,
    Permission, Reason, ReasonKind, Receipt, Request, SignalId, State, Subscribe, Subscription, TimeBase,
    Timestamp, Vehicle, vss,
};
use futures::channel::oneshot;
use futures::future::{Either, select};

/// The logged car.
#[derive(Debug)]
pub struct LogVehicle {
    name: String,
    board: Board,
    /// When this is dropped, the driver ends.
    _here: oneshot::Sender<()>,
}

impl LogVehicle {
    /// The car of the log `text`, which people know as `name`, and the driver that plays it at its own pace on `clock`. It has the paths that
    /// the log names: those of `own`, and those of VSS.
    ///
    /// # Errors
    /// Names the line that is malformed, goes back in time, or has a path that is in neither.
    pub fn new(
        name: &str,
        text: &str,
        own: Vec<Entry>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Driver), Error> {
        let lines = lines(text)?;
        let catalogue = catalogue(&lines, own)?;
        let moments = moments(&catalogue, &lines)?;
        let board = Board::new(catalogue, clock);
        let (here, gone) = oneshot::channel();
        let driver = Driver::new(play(name.to_owned(), moments, board.clone(), gone));
        Ok((Self { name: name.to_owned(), board, _here: here }, driver))
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
        // Nothing may be written: the board refuses every request, and nothing is ever sent.
        self.board.set(requests, |_| Err(Error::new(ErrorKind::Unsupported, "a log cannot be asked")))
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.board.subscribe(subscribe)
    }
}

impl fmt::Display for LogVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log {}", self.name)
    }
}

/// What the log says of one time.
struct Moment {
    after: Duration,
    said: Vec<(SignalId, State)>,
}

/// Feeds each moment when it comes, then says that the log has ended.
async fn play(
    name: String,
    moments: Vec<Moment>,
    board: Board,
    mut gone: oneshot::Receiver<()>,
) -> Result<(), Error> {
    let clock = board.clock().clone();
    let began = clock.monotonic();
    for moment in moments {
        let comes = clock.sleep_until(began.saturating_add(moment.after));
        if let Either::Right(_) = select(comes, &mut gone).await {
            return Ok(());
        }
        let source = Timestamp::EPOCH.saturating_add(moment.after);
        let point = |(signal, state)| (signal, Datapoint { state, source, received: clock.now() });
        let points: Vec<_> = moment.said.into_iter().map(point).collect();
        match select(Box::pin(board.feed(&points)), &mut gone).await {
            Either::Left((fed, _)) => fed?,
            Either::Right(_) => return Ok(()),
        }
    }
    board.withdraw_all(&Reason::because(ReasonKind::Ended, format!("{name} has ended")));
    Ok(())
}

struct Line<'a> {
    number: usize,
    after: Duration,
    path: &'a str,
    word: &'a str,
}

fn wrong(number: usize, what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("line {number}: {what}"))
}

/// The lines of a log, but for those that are empty or begin with `#`.
fn lines(text: &str) -> Result<Vec<Line<'_>>, Error> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut parts = line.splitn(3, ',').map(str::trim);
        let (Some(seconds), Some(path), Some(word)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(number, "it is not seconds,path,value"));
        };
        let after = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let after = after.ok_or_else(|| wrong(number, format!("{seconds:?} is no number of seconds")))?;
        if lines.last().is_some_and(|last| after < last.after) {
            return Err(wrong(number, "it goes back in time"));
        }
        lines.push(Line { number, after, path, word });
    }
    Ok(lines)
}

/// What the log names, with the facts of VSS. What is an actuator there stays one, but here nobody may move it.
fn catalogue(lines: &[Line<'_>], own: Vec<Entry>) -> Result<Catalogue, Error> {
    let mut facts = Facts::default();
    // A log can be held back, and its seconds count from nobody knows when.
    facts.back_pressure = true;
    facts.time = TimeBase::Unknown;
    let named: HashSet<&str> = lines.iter().map(|line| line.path).collect();
    let entries = own.into_iter().chain(vss::entries()).filter(|entry| named.contains(entry.path().as_str()));
    let catalogue = Catalogue::new(entries, facts);
    let catalogue = catalogue.map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))?;
    Ok(catalogue.with_access(|_, now| Access { read: now.read.clone(), write: Permission::No }))
}

fn moments(catalogue: &Catalogue, lines: &[Line<'_>]) -> Result<Vec<Moment>, Error> {
    let mut moments: Vec<Moment> = Vec::new();
    for line in lines {
        let signal = catalogue.resolve(line.path).map_err(|why| wrong(line.number, why))?;
        let said = (signal, state(catalogue.entry(signal)?, line.word));
        match moments.last_mut() {
            Some(moment) if moment.after == line.after => moment.said.push(said),
            _ => moments.push(Moment { after: line.after, said: vec![said] }),
        }
    }
    Ok(moments)
}

/// Nothing after the comma says that there was no value; a word that is none of the signal's type is an error of that signal.
fn state(entry: &Entry, word: &str) -> State {
    match entry.data_type().parse_value(word) {
        _ if word.is_empty() => State::NotAvailable(Reason::new(ReasonKind::Source)),
        Ok(value) => State::Valid(value),
        Err(why) => State::Error(Reason::because(ReasonKind::Malformed, why.to_string())),
    }
}
