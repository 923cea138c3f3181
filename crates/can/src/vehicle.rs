//! Buses or logs, with databases and a mapping, as a vehicle. The model for every backend: a board, a link, a `set` that sends.
//!
//! *Invariant:* nothing is sent but what a `vss2dbc` of the mapping names; what the bus says is published as it comes, and when the bus ends, its
//! signals are not available, with the reason.
//! *Next:* `plan` (frames to datapoints and requests to frames), `lines.rs` (where frames come from), `emit.rs` (the other end of such a bus).

use crate::bus::Bus;
use crate::error::bus_error;
use crate::lines::{Lines, Sinks};
use crate::plan::{Fate, Inward, Outward, Plan};
use crate::wiring::Wired;
use crate::{Databases, Direction, Mapping, MappingError, Segment, Wiring};
use async_trait::async_trait;
use coachwork_vehicle::{
    Board, Catalogue, Clock, Command, Datapoint, Driver, Each, Error, Facts, Get, Monotonic, Outcome, Reason,
    ReasonKind, Receipt, Request, SignalId, Subscribe, Subscription, Value, Vehicle,
};
use event_listener::Event;
use futures_util::future::{Either, select};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

/// A vehicle behind CAN buses, or in a log.
///
/// Its catalogue is the mapping's: each path with a `dbc2vss` can be read, each with a `vss2dbc` can be set where its bus can be written. A path whose
/// message has a cycle time in the database is stale three cycles (and the mapping's interval) after its last value. Special values of the
/// database ("not available", "error") become the states of that name.
///
/// A `set` encodes the command's message (the other signals as they last were, or at their start values) and hands it to the bus; where the database
/// says that the message is cyclic, the driver repeats it in its cycle from then on. The receipt is confirmed when the bus reports the value.
/// Where the mapping has no reading for the path, the receipt ends with *accepted*.
pub struct CanVehicle {
    name: String,
    board: Board,
    plan: Arc<Plan>,
    outward: Arc<Outward>,
    sinks: Sinks,
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
    /// Frames that were sent.
    pub sent: u64,
    /// Repetitions of cyclic messages that the bus had no room for.
    pub skipped: u64,
}

#[derive(Debug, Default)]
struct Counters {
    frames: AtomicU64,
    mapped: AtomicU64,
    short: AtomicU64,
    unknown: AtomicU64,
    lost: AtomicU64,
    bad: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
}

/// Tells the driver that the vehicle was dropped.
#[derive(Debug, Default)]
struct Alive {
    dropped: AtomicBool,
    event: Event,
}

impl CanVehicle {
    /// A vehicle on `bus`, and the driver that reads it. For several buses, counters and checksums there is [`Wiring`]. In the mapping, the bus
    /// has the name of its source.
    ///
    /// # Errors
    /// The mapping names a signal that the database does not have, or has in several messages; a unit that is not known or does not convert;
    /// a constant that does not fit; a path that is there twice.
    pub fn new(
        bus: Bus,
        databases: impl Into<Databases>,
        mapping: &Mapping,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Driver), MappingError> {
        let segment = Segment::new(bus.source.name(), databases);
        Self::wired(Wiring::new().bus(bus, [segment]), mapping, clock)
    }

    pub(crate) fn wired(
        wiring: Wiring,
        mapping: &Mapping,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Driver), MappingError> {
        let name = format!("{} through {}", wiring.first_name(), mapping.name());
        let Wired { network, lines, sinks, stamping, start } = wiring.wired(mapping)?;
        let plan = Arc::new(Plan::compile(network, mapping, &start)?);
        let mut facts = Facts::default();
        facts.back_pressure = lines.all_wait();
        facts.time = lines.time_base();
        let catalogue = plan.catalogue(mapping, |segment| sinks.writable(segment), facts)?;
        let inward = Inward::new(&plan, &catalogue);
        let segments = catalogue.ids().zip(&plan.routes);
        let segments = segments
            .map(|(id, route)| {
                let place = route.reading.as_ref().map(|reading| reading.place);
                let place = place.or(route.command.as_ref().map(|command| command.place));
                (id, place.map_or(0, |place| place.segment))
            })
            .collect();
        let vehicle = Self {
            name,
            board: Board::new(catalogue, clock),
            outward: Arc::new(Outward::new(&plan, stamping)),
            plan,
            sinks,
            counters: Arc::default(),
            alive: Arc::default(),
        };
        let link = Link {
            lines,
            segments,
            inward,
            outward: Arc::clone(&vehicle.outward),
            sinks: vehicle.sinks.clone(),
            board: vehicle.board.clone(),
            counters: Arc::clone(&vehicle.counters),
            alive: Arc::clone(&vehicle.alive),
        };
        Ok((vehicle, Driver::new(link.run())))
    }

    /// What the mapping leaves open and was decided here, each naming file, path and entry: a signal that is in several messages of its bus is
    /// read from all of them, as the format has it. Nothing is left open for what is sent: there it is an error.
    pub fn remarks(&self) -> &[MappingError] {
        &self.plan.remarks
    }

    /// What was read and sent so far.
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { frames, mapped, short, unknown, lost, bad, sent, skipped } = &*self.counters;
        Counts {
            frames: of(frames),
            mapped: of(mapped),
            short: of(short),
            unknown: of(unknown),
            lost: of(lost),
            bad: of(bad),
            sent: of(sent),
            skipped: of(skipped),
        }
    }

    /// Encodes and sends one command.
    fn send(&self, command: &Command) -> Result<(), Error> {
        let catalogue = self.board.catalogue();
        let row = catalogue.row(command.signal)?;
        let reading = |row: usize| self.present(catalogue.id_at(row)?);
        let clock = self.board.clock();
        self.outward.command(row, &command.value, clock.monotonic(), reading, |(segment, frame)| {
            let frame = frame.with_time(clock.now()).with_direction(Some(Direction::Transmitted));
            self.sinks.try_send(segment, frame).map_err(|error| bus_error(error, &self.name))
        })?;
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
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

/// What the driver runs.
struct Link {
    lines: Lines,
    /// The bus of each signal.
    segments: Vec<(SignalId, usize)>,
    inward: Inward,
    outward: Arc<Outward>,
    sinks: Sinks,
    board: Board,
    counters: Arc<Counters>,
    alive: Arc<Alive>,
}

/// What the driver waited for.
enum Happened {
    Read(usize, Result<(), crate::bus::BusError>),
    /// A message is due again, or one has begun to be repeated.
    Due,
    Dropped,
}

impl Link {
    async fn run(mut self) -> Result<(), Error> {
        let mut points: Vec<(SignalId, Datapoint)> = Vec::new();
        let mut failed = None;
        loop {
            let happened = self.next().await;
            if matches!(happened, Happened::Dropped) {
                return Ok(());
            }
            let ended = match &happened {
                Happened::Read(line, Ok(())) => {
                    self.lines.line(*line).is_none_or(|line| line.batch.is_empty())
                }
                Happened::Read(_, Err(_)) => true,
                Happened::Due | Happened::Dropped => {
                    self.repeat();
                    false
                }
            };
            // A read that was given up for something else has left its frames in the batch.
            self.notice_gaps();
            self.fold(&mut points);
            if !points.is_empty() && !self.hand_on(&points).await? {
                return Ok(());
            }
            points.clear();
            if let Happened::Read(line, outcome) = happened
                && ended
            {
                failed = failed.or(self.end(line, outcome.err()));
                if self.lines.all_ended() {
                    return failed.map_or(Ok(()), Err);
                }
            }
        }
    }

    /// Frames of some line, a message that is due, or the end of the vehicle.
    async fn next(&mut self) -> Happened {
        let Self { lines, outward, board, alive, .. } = self;
        let (armed, due) =
            if outward.is_empty() { (None, None) } else { (Some(outward.armed()), outward.next_due()) };
        let timer = async {
            match (armed, due) {
                (None, _) => std::future::pending().await,
                (Some(armed), None) => armed.await,
                (Some(armed), Some(due)) => {
                    select(pin!(armed), board.clock().sleep_until(due)).await;
                }
            }
        };
        let read = async {
            let (line, outcome) = lines.read().await;
            Happened::Read(line, outcome)
        };
        let ended = async {
            alive.ended().await;
            Happened::Dropped
        };
        let due = async {
            timer.await;
            Happened::Due
        };
        select(pin!(ended), pin!(async { select(pin!(due), pin!(read)).await.factor_first().0 }))
            .await
            .factor_first()
            .0
    }

    /// Publishes points; a source that can wait does. Whether to go on.
    async fn hand_on(&mut self, points: &[(SignalId, Datapoint)]) -> Result<bool, Error> {
        if !self.lines.all_wait() {
            self.board.publish(points)?;
            return Ok(true);
        }
        if let Either::Right(_) = select(pin!(self.board.feed(points)), pin!(self.alive.ended())).await {
            return Ok(false);
        }
        // A log never makes its reader wait; others want to run too.
        yield_now().await;
        Ok(true)
    }

    /// Sends again what is due.
    fn repeat(&self) {
        let clock = self.board.clock();
        let now: Monotonic = clock.monotonic();
        self.outward.repeat(now, |(segment, frame)| {
            let frame = frame.with_time(clock.now()).with_direction(Some(Direction::Transmitted));
            let sent = self.sinks.try_send(segment, frame).is_ok();
            let counter = if sent { &self.counters.sent } else { &self.counters.skipped };
            counter.fetch_add(1, Ordering::Relaxed);
            sent
        });
    }

    /// A line has ended: its signals are not available, and requests that wait for it are refused.
    fn end(&mut self, line: usize, error: Option<crate::bus::BusError>) -> Option<Error> {
        let error = error.map(|error| bus_error(error, self.lines.name(line)));
        let reason = match &error {
            Some(error) => Reason::because(ReasonKind::Link, error.to_string()),
            None => Reason::because(ReasonKind::Ended, format!("{} has ended", self.lines.name(line))),
        };
        let own: Vec<usize> =
            self.lines.line(line).into_iter().flat_map(crate::lines::Line::segments).collect();
        self.lines.end(line);
        if self.lines.all_ended() && self.lines.iter().count() == 1 {
            self.board.withdraw_all(&reason);
            return error;
        }
        self.lose(&own, &reason);
        error
    }

    /// The signals of some buses are not available, and requests that wait for them are refused; what is heard next is news.
    fn lose(&mut self, buses: &[usize], reason: &Reason) {
        let gone = self.segments.iter().filter(|(_, segment)| buses.contains(segment));
        let gone: Vec<SignalId> = gone.map(|(id, _)| *id).collect();
        // Ids of the board's own catalogue and a state without a value cannot be refused.
        let _ = self.board.withdraw(&gone, reason);
        self.board.refuse(&gone, reason);
        self.inward.forget(&gone);
    }

    /// A link that is down may come back; until then its buses are lost.
    fn notice_gaps(&mut self) {
        let begins = |line: &&crate::lines::Line| line.batch.gap().is_some_and(|gap| gap.until.is_none());
        let lost: Vec<(Vec<usize>, Reason)> = self
            .lines
            .iter()
            .filter(begins)
            .map(|line| {
                let why = line.batch.gap().map_or("", |gap| &gap.why);
                let why = format!("{}: {why}", line.source.name());
                (line.segments().collect(), Reason::because(ReasonKind::Link, why))
            })
            .collect();
        for (buses, reason) in lost {
            self.lose(&buses, &reason);
        }
    }

    /// What the frames say, and what was counted.
    fn fold(&mut self, points: &mut Vec<(SignalId, Datapoint)>) {
        let now = self.board.clock().now();
        let mut counts = Counts::default();
        for line in self.lines.iter_mut() {
            for frame in line.batch.frames() {
                counts.frames += 1;
                let Some(segment) = line.segment(frame) else {
                    counts.unknown += 1;
                    continue;
                };
                let fate = self.inward.read(segment, frame, now, points);
                counts.mapped += u64::from(matches!(fate, Fate::Read | Fate::Short));
                counts.short += u64::from(fate == Fate::Short);
                counts.unknown += u64::from(fate == Fate::Unknown);
                if !self.outward.is_empty() {
                    self.outward.seen(segment, frame);
                }
            }
            counts.lost += line.batch.lost();
            counts.bad += line.batch.bad();
            line.batch.clear();
        }
        let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
        add(&self.counters.frames, counts.frames);
        add(&self.counters.mapped, counts.mapped);
        add(&self.counters.short, counts.short);
        add(&self.counters.unknown, counts.unknown);
        add(&self.counters.lost, counts.lost);
        add(&self.counters.bad, counts.bad);
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
