//! A bus or a log, with a database and a mapping, as a vehicle. The model for every backend: a board, a link, a `set` that sends.
//!
//! *Invariant:* nothing is sent but what a `vss2dbc` of the mapping names; what the bus says is published as it comes, and when the bus ends, its
//! signals are not available, with the reason.
//! *Next:* `plan` (frames to datapoints and requests to frames), `bus` (where frames come from), `emit.rs` (the other end of such a bus).

use crate::bus::{Batch, Bus, FrameSink, FrameSource};
use crate::error::bus_error;
use crate::plan::{Inward, Outward, Plan};
use crate::{Databases, Direction, Mapping, MappingError};
use async_trait::async_trait;
use coachwork_vehicle::{
    Board, Catalogue, Clock, Command, Datapoint, Driver, Each, Error, ErrorKind, Facts, Get, Outcome, Reason,
    ReasonKind, Receipt, Request, SignalId, Subscribe, Subscription, Value, Vehicle,
};
use event_listener::Event;
use futures_util::future::{Either, select};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

/// A vehicle behind a CAN bus, or in a log.
///
/// Its catalogue is the mapping's: each path with a `dbc2vss` can be read, each with a `vss2dbc` can be set where the bus can be written. A path whose
/// message has a cycle time in the database is stale three cycles (and the mapping's interval) after its last value. Special values of the
/// database ("not available", "error") become the states of that name.
///
/// A `set` encodes the command's message (the other signals as they last were, or at their start values) and hands it to the bus once; its
/// receipt is confirmed when the bus reports the value. Where the mapping has no reading for the path, the receipt ends with *accepted*.
pub struct CanVehicle {
    name: String,
    board: Board,
    outward: Arc<Outward>,
    sink: Option<Arc<dyn FrameSink>>,
    counters: Arc<Counters>,
    alive: Arc<Alive>,
}

/// What a [`CanVehicle`] has read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Frames that were read.
    pub frames: u64,
    /// Of those, frames whose message the mapping reads.
    pub mapped: u64,
    /// Of those, mapped frames that are shorter than their message; the signals that they have were read.
    pub short: u64,
    /// Frames whose message is not in the database.
    pub unknown: u64,
    /// Frames that the source lost because they were not read in time.
    pub lost: u64,
    /// Records of the source that are no frames, as bad lines of a log.
    pub bad: u64,
}

#[derive(Debug, Default)]
struct Counters {
    frames: AtomicU64,
    mapped: AtomicU64,
    short: AtomicU64,
    unknown: AtomicU64,
    lost: AtomicU64,
    bad: AtomicU64,
}

/// Tells the driver that the vehicle was dropped.
#[derive(Debug, Default)]
struct Alive {
    dropped: AtomicBool,
    event: Event,
}

impl CanVehicle {
    /// A vehicle on `bus`, and the driver that reads it.
    ///
    /// # Errors
    /// The mapping names a signal that the database does not have, or has in several messages; a constant that does not fit; a path that is there twice.
    pub fn new(
        bus: Bus,
        databases: impl Into<Databases>,
        mapping: &Mapping,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Driver), MappingError> {
        let (source, sink) = bus.into_parts();
        let plan = Arc::new(Plan::compile(databases.into(), mapping)?);
        let mut facts = Facts::default();
        facts.back_pressure = source.waits();
        facts.time = source.time_base();
        let catalogue = plan.catalogue(mapping, sink.is_some(), facts)?;
        let inward = Inward::new(&plan, &catalogue);
        let vehicle = Self {
            name: format!("{} through {}", source.name(), mapping.name()),
            board: Board::new(catalogue, clock),
            outward: Arc::new(Outward::new(&plan)),
            sink,
            counters: Arc::default(),
            alive: Arc::default(),
        };
        let link = Link {
            source,
            inward,
            outward: Arc::clone(&vehicle.outward),
            board: vehicle.board.clone(),
            counters: Arc::clone(&vehicle.counters),
            alive: Arc::clone(&vehicle.alive),
        };
        Ok((vehicle, Driver::new(link.run())))
    }

    /// What was read so far.
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { frames, mapped, short, unknown, lost, bad } = &*self.counters;
        Counts {
            frames: of(frames),
            mapped: of(mapped),
            short: of(short),
            unknown: of(unknown),
            lost: of(lost),
            bad: of(bad),
        }
    }

    /// Encodes and sends one command.
    fn send(&self, command: &Command) -> Result<(), Error> {
        let sink = self
            .sink
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the bus cannot be written"))?;
        let catalogue = self.board.catalogue();
        let row = catalogue.row(command.signal)?;
        let reading = |row: usize| self.present(catalogue.id_at(row)?);
        self.outward.command(row, &command.value, reading, |frame| {
            let frame =
                frame.with_time(self.board.clock().now()).with_direction(Some(Direction::Transmitted));
            sink.try_send(&frame).map_err(|error| bus_error(error, &self.name))
        })?;
        if !self.outward.is_read(row) {
            self.board.settle(command, Outcome::Accepted);
        }
        Ok(())
    }

    /// The valid value of a signal, if it has one now.
    fn present(&self, signal: SignalId) -> Option<Value> {
        let point = self.board.get(Get::of(&[signal])).ok()?.pop()?.ok()?;
        point.value().cloned()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for CanVehicle {
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

impl fmt::Display for CanVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for CanVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanVehicle")
            .field("name", &self.name)
            .field("board", &self.board)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Drop for CanVehicle {
    fn drop(&mut self) {
        self.alive.dropped.store(true, Ordering::Release);
        self.alive.event.notify(usize::MAX);
    }
}

/// How many frames are read at once.
const BATCH: usize = 64;

/// What the driver runs.
struct Link {
    source: Box<dyn FrameSource>,
    inward: Inward,
    outward: Arc<Outward>,
    board: Board,
    counters: Arc<Counters>,
    alive: Arc<Alive>,
}

impl Link {
    async fn run(mut self) -> Result<(), Error> {
        let mut batch = Batch::new(BATCH);
        let mut points: Vec<(SignalId, Datapoint)> = Vec::new();
        loop {
            let read = match select(pin!(self.source.read(&mut batch)), pin!(self.alive.ended())).await {
                Either::Left((read, _)) => read,
                Either::Right(_) => return Ok(()),
            };
            self.counters.lost.fetch_add(batch.lost(), Ordering::Relaxed);
            self.counters.bad.fetch_add(batch.bad(), Ordering::Relaxed);
            if let Err(error) = read {
                let error = bus_error(error, self.source.name());
                self.board.withdraw_all(&Reason::because(ReasonKind::Link, error.to_string()));
                return Err(error);
            }
            if batch.is_empty() {
                self.board.withdraw_all(&Reason::because(
                    ReasonKind::Ended,
                    format!("{} has ended", self.source.name()),
                ));
                return Ok(());
            }
            if let Some(gap) = batch.gap().filter(|gap| gap.until.is_none()) {
                // The link comes back, and what the bus then says is published again.
                let why = format!("{}: {}", self.source.name(), gap.why);
                self.board.withdraw_all(&Reason::because(ReasonKind::Link, why));
            }
            self.fold(&batch, &mut points);
            batch.clear();
            if self.source.waits() {
                if let Either::Right(_) =
                    select(pin!(self.board.feed(&points)), pin!(self.alive.ended())).await
                {
                    return Ok(());
                }
                // A log never makes its reader wait; others want to run too.
                yield_now().await;
            } else {
                self.board.publish(&points)?;
            }
            points.clear();
        }
    }

    /// What the frames say.
    fn fold(&mut self, batch: &Batch, points: &mut Vec<(SignalId, Datapoint)>) {
        use crate::plan::Fate;
        let now = self.board.clock().now();
        let mut counts = Counts::default();
        for frame in batch.frames() {
            let fate = self.inward.read(frame, now, points);
            counts.mapped += u64::from(matches!(fate, Fate::Read | Fate::Short));
            counts.short += u64::from(fate == Fate::Short);
            counts.unknown += u64::from(fate == Fate::Unknown);
            if !self.outward.is_empty() {
                self.outward.seen(frame);
            }
            counts.frames += 1;
        }
        let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
        add(&self.counters.frames, counts.frames);
        add(&self.counters.mapped, counts.mapped);
        add(&self.counters.short, counts.short);
        add(&self.counters.unknown, counts.unknown);
    }
}

impl Alive {
    /// Completes when the vehicle was dropped.
    async fn ended(&self) {
        loop {
            let event = self.event.listen();
            if self.dropped.load(Ordering::Acquire) {
                return;
            }
            event.await;
        }
    }
}

/// Lets other tasks of the executor run.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
