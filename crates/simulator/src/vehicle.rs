//! The simulated car as a `Vehicle`: steps by the clock become datapoints on a board, requests become movements.
//!
//! *Invariant:* steps lie on a fixed grid from the start and carry its times, so that the stream does not depend on when the driver is polled; a request
//! takes effect in the first step that is not before it. At most one request waits for each actuator.
//! *Next:* `car.rs` (one step), `signals.rs` (what is published).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_vehicle::{
    Access, Board, Catalogue, Clock, Command, Datapoint, Driver, Each, Error, ErrorKind, Facts, Get, Kind,
    Monotonic, Outcome, Permission, Reason, ReasonKind, Receipt, Request, SignalId, Subscribe, Subscription,
    Timestamp, Value, Vehicle,
};

use crate::car::Car;
use crate::scenario::Scenario;
use crate::signals::{Row, STEP, rows};

/// A small electric car that drives by itself: it stops, lets a passenger in, charges when it must, and moves its seats, locks, window and lights on request.
///
/// It reports ten times in a second of its clock. Under a [`ManualClock`](coachwork_vehicle::ManualClock) the same [`Scenario`] and the same requests at the same times
/// give the same datapoints with the same timestamps, however fast the clock is moved; its driver catches up with a clock that jumps, step by step.
///
/// Clones are the same car. When the last one is dropped, its subscriptions and its driver end.
#[derive(Clone)]
pub struct SimulatedVehicle(Arc<Shared>);

struct Shared {
    board: Board,
    desk: Arc<Mutex<Desk>>,
}

/// Requests on their way into the car.
#[derive(Debug, Default)]
struct Desk {
    /// At most one for each actuator.
    waiting: Vec<(Monotonic, Command)>,
    stopped: bool,
}

impl SimulatedVehicle {
    /// A car at the start of `scenario`, at the present time of `clock`, and the driver that moves it on.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a scenario with a number outside its range.
    pub fn new(clock: Arc<dyn Clock>, scenario: &Scenario) -> Result<(Self, Driver), Error> {
        scenario.check()?;
        let rows = rows();
        let mut facts = Facts::default();
        facts.back_pressure = true;
        let catalogue = Catalogue::new(rows.iter().map(|row| row.entry.clone()), facts)
            .map_err(|e| Error::new(ErrorKind::Other, e.to_string()).caused_by(e))?;
        let signals: Vec<_> = catalogue.ids().zip(rows).collect();
        let board = Board::new(catalogue, clock.clone());
        // What VSS calls an actuator, and what moves by hand in this car, cannot be set.
        let by_hand = |id: SignalId| {
            signals.iter().any(|(signal, row)| {
                *signal == id && row.entry.kind() == Kind::Actuator && row.actuator.is_none()
            })
        };
        board.restrict(|id, access| {
            let write = if by_hand(id) { Permission::No } else { access.write.clone() };
            Access { write, ..access.clone() }
        });
        let desk = Arc::new(Mutex::new(Desk::default()));
        let shared = Arc::new(Shared { board: board.clone(), desk: desk.clone() });
        let mut simulation = Simulation::new(scenario, signals, board, desk, clock.as_ref());
        let first = simulation.report(true);
        simulation.board.publish(&first)?;
        let driver = Driver::new(simulation.run(clock, Arc::downgrade(&shared)));
        Ok((Self(shared), driver))
    }
}

impl fmt::Display for SimulatedVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulator")
    }
}

impl fmt::Debug for SimulatedVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedVehicle({:?})", self.0.board)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for SimulatedVehicle {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.board.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.0.board.get(get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        let now = self.0.board.clock().monotonic();
        self.0.board.set(requests, |command| lock(&self.0.desk).take(now, command))
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.0.board.subscribe(subscribe)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The driver may wait for room in a queue that nobody empties any more: this lets it go.
        self.board.end(&Reason::because(ReasonKind::Ended, "the simulated car was dropped"));
    }
}

impl Desk {
    fn take(&mut self, now: Monotonic, command: &Command) -> Result<(), Error> {
        if self.stopped {
            let message = "the simulation does not run any more";
            return Err(Error::new(ErrorKind::Unavailable, message).reported_by("simulator"));
        }
        self.waiting.retain(|(_, other)| other.signal != command.signal);
        self.waiting.push((now, command.clone()));
        Ok(())
    }

    /// The requests that were made until `now`.
    fn due(&mut self, now: Monotonic) -> Vec<Command> {
        self.waiting.extract_if(.., |(at, _)| *at <= now).map(|(_, command)| command).collect()
    }
}

/// What the driver owns.
struct Simulation {
    car: Car,
    signals: Vec<(SignalId, Row)>,
    /// The value that was last published of each signal.
    last: Vec<Option<Value>>,
    board: Board,
    desk: Arc<Mutex<Desk>>,
    start: (Monotonic, Timestamp),
    steps: u64,
}

impl Simulation {
    fn new(
        scenario: &Scenario,
        signals: Vec<(SignalId, Row)>,
        board: Board,
        desk: Arc<Mutex<Desk>>,
        clock: &dyn Clock,
    ) -> Self {
        let last = vec![None; signals.len()];
        let start = (clock.monotonic(), clock.now());
        Self { car: Car::new(scenario), signals, last, board, desk, start, steps: 0 }
    }

    async fn run(mut self, clock: Arc<dyn Clock>, vehicle: Weak<Shared>) -> Result<(), Error> {
        loop {
            self.steps += 1;
            let due = self.start.0.saturating_add(self.elapsed());
            clock.sleep_until(due).await;
            if vehicle.strong_count() == 0 {
                return Ok(());
            }
            self.obey(due);
            self.car.step(STEP.as_secs_f64());
            let points = self.report(false);
            self.board.feed(&points).await?;
        }
    }

    /// Passes on what was asked until this step.
    fn obey(&mut self, now: Monotonic) {
        let due = lock(&self.desk).due(now);
        for command in due {
            let row = self.signals.iter().find(|(id, _)| *id == command.signal);
            let Some(actuator) = row.and_then(|(_, row)| row.actuator) else { continue };
            if let Err(refusal) = self.car.ask(actuator, &command.value) {
                self.board.settle(&command, Outcome::Refused(refusal));
            }
        }
    }

    /// What this step has to say, or everything.
    fn report(&mut self, everything: bool) -> Vec<(SignalId, Datapoint)> {
        let at = self.start.1.saturating_add(self.elapsed());
        let mut points = Vec::with_capacity(self.signals.len());
        for ((id, row), last) in self.signals.iter().zip(&mut self.last) {
            let due = everything || self.steps.is_multiple_of(row.every.into());
            if !due && !row.eager {
                continue;
            }
            let value = (row.read)(&self.car);
            if due || last.as_ref() != Some(&value) {
                *last = Some(value.clone());
                points.push((*id, Datapoint::valid(value, at)));
            }
        }
        points
    }

    /// The time of the present step, from the start.
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.steps.saturating_mul(100))
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        lock(&self.desk).stopped = true;
        self.board.withdraw_all(&Reason::because(ReasonKind::Ended, "the simulation has ended"));
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
