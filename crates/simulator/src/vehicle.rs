//! The simulated car as a `Vehicle`, with a door for faults.
//!
//! *Invariant:* what VSS calls an actuator, and what moves by hand in this car, cannot be set.
//! *Next:* `simulation.rs` (which moves it), `signals` (what it has).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use coachwork_vehicle::{
    Access, Board, Catalogue, Clock, Datapoint, Driver, Each, Error, ErrorKind, Facts, Get, Permission,
    Reason, ReasonKind, Receipt, Request, SignalId, Subscribe, Subscription, Vehicle,
};

use crate::desk::{Change, Desk};
use crate::fault::Fault;
use crate::scenario::Scenario;
use crate::signals::{Row, rows};
use crate::simulation::Simulation;

/// A small electric car that drives by itself round and round a route: it stops, lets a passenger in, charges when it must, parks and sleeps, and moves its seats, doors, locks,
/// windows and lights on request.
///
/// Its steps are tenths of a second of its clock, whole seconds while it is parked and asleep. Under a [`ManualClock`](coachwork_vehicle::ManualClock) the same [`Scenario`], the same requests and the
/// same faults at the same times give the same datapoints with the same timestamps, however fast the clock is moved; its driver catches up with a clock that jumps, step by step.
///
/// Clones are the same car. When the last one is dropped, its subscriptions and its driver end.
#[derive(Clone)]
pub struct SimulatedVehicle(Arc<Shared>);

struct Shared {
    board: Board,
    desk: Arc<Desk>,
    /// The signals that can be set.
    actuators: Vec<SignalId>,
}

impl SimulatedVehicle {
    /// A car at the start of `scenario`, at the present time of `clock`, and the driver that moves it on.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a scenario with a number outside its range; as [`inject`](Self::inject) for its faults.
    pub fn new(clock: Arc<dyn Clock>, scenario: &Scenario) -> Result<(Self, Driver), Error> {
        scenario.check()?;
        let rows = rows();
        let mut facts = Facts::default();
        facts.back_pressure = true;
        let catalogue = Catalogue::new(rows.iter().map(|row| row.entry.clone()), facts)
            .map_err(|e| Error::new(ErrorKind::Other, e.to_string()).caused_by(e))?;
        let signals: Vec<(SignalId, Row)> = catalogue.ids().zip(rows).collect();
        let moved = signals.iter().filter(|(_, row)| row.actuator.is_some());
        let actuators: Vec<SignalId> = moved.map(|(id, _)| *id).collect();
        let catalogue = catalogue.with_access(|id, access| {
            let write = if actuators.contains(&id) { Permission::Yes } else { Permission::No };
            Access { write, ..access.clone() }
        });
        let desk = Arc::new(Desk::default());
        let board = Board::new(catalogue, clock.clone());
        let shared = Arc::new(Shared { board: board.clone(), desk: desk.clone(), actuators });
        let car = Self(shared);
        scenario.faults.iter().try_for_each(|incident| car.check(&incident.fault))?;
        let mut simulation = Simulation::new(scenario, signals, board, desk, clock.as_ref());
        simulation.begin()?;
        let driver = Driver::new(simulation.run(clock, Arc::downgrade(&car.0)));
        Ok((car, driver))
    }

    /// Something goes wrong, from the next step on. One [`Fault`] is there in each place: it takes the place of another one of the same signal or part.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownSignal`] for a path that the car does not have, [`ErrorKind::NotActuator`] for one that moves by hand or not at all and is to be blocked, [`ErrorKind::Invalid`] for a rate outside its
    /// range, [`ErrorKind::Unavailable`] when the simulation has ended, [`ErrorKind::Limit`] while thousands of changes wait for its next step.
    pub fn inject(&self, fault: Fault) -> Result<(), Error> {
        self.check(&fault)?;
        self.change(Change::Break(fault))
    }

    /// What is wrong in the place of `fault` is repaired, from the next step on; it need not be the same fault. Where nothing is wrong, nothing happens.
    ///
    /// # Errors
    /// As [`inject`](Self::inject).
    pub fn heal(&self, fault: Fault) -> Result<(), Error> {
        self.check(&fault)?;
        self.change(Change::Heal(fault))
    }

    /// The faults that are there, as of the last step, in the order in which they began.
    pub fn faults(&self) -> Vec<Fault> {
        self.0.desk.open().faults.clone()
    }

    fn change(&self, change: Change) -> Result<(), Error> {
        let now = self.0.board.clock().monotonic();
        self.0.desk.open().change(now, change)
    }

    fn check(&self, fault: &Fault) -> Result<(), Error> {
        fault.check()?;
        let Some(path) = fault.path() else { return Ok(()) };
        let id = self.0.board.catalogue().resolve(path)?;
        if matches!(fault, Fault::Blocked(_)) && !self.0.actuators.contains(&id) {
            let message = "nothing moves it, so that it cannot be blocked";
            return Err(Error::new(ErrorKind::NotActuator, message).on_path(path).reported_by("simulator"));
        }
        Ok(())
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
        self.0.board.set(requests, |command| self.0.desk.open().request(now, command))
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
