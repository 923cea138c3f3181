//! The driver of the simulated car: steps by the clock become datapoints on a board, and requests become movements.
//!
//! *Invariant:* steps lie on a grid of tenths of a second from the start and carry its times, so that the stream does not depend on when the driver is polled; what
//! comes from outside takes effect in the first step that is not before it. A car that sleeps takes steps of a second.
//! *Next:* `car.rs` (one step), `signals` (what is published).

use std::sync::{Arc, Weak};
use std::time::Duration;

use coachwork_vehicle::{
    Board, Clock, Command, Datapoint, Error, Monotonic, Outcome, Reason, ReasonKind, SignalId, Timestamp,
    Value,
};

use crate::car::Car;
use crate::desk::{Change, Desk};
use crate::fault::{Fault, Incident};
use crate::requests::{Actuator, blocked};
use crate::scenario::Scenario;
use crate::signals::{Row, Said, Turn};
use crate::troubles::Trouble;

/// The shortest step, and how many of them a sleeping car takes at once.
const TICK: Duration = Duration::from_millis(100);
const SLEEPING: u64 = 10;

pub(crate) struct Simulation {
    car: Car,
    lines: Vec<Line>,
    board: Board,
    desk: Arc<Desk>,
    start: (Monotonic, Timestamp),
    ticks: u64,
    /// What the scenario has in store, the next one last.
    agenda: Vec<(u64, Change)>,
    /// The request that each actuator follows.
    open: Vec<(Actuator, Command)>,
}

/// A signal and what was said of it.
struct Line {
    id: SignalId,
    row: Row,
    /// What was published last; `None` where it is to be published in any case.
    last: Option<Said>,
    /// What is wrong with the sensor, and the last value before.
    trouble: Option<(Trouble, Value)>,
}

impl Simulation {
    pub(crate) fn new(
        scenario: &Scenario,
        signals: impl IntoIterator<Item = (SignalId, Row)>,
        board: Board,
        desk: Arc<Desk>,
        clock: &dyn Clock,
    ) -> Self {
        let lines =
            signals.into_iter().map(|(id, row)| Line { id, row, last: None, trouble: None }).collect();
        let start = (clock.monotonic(), clock.now());
        let agenda = agenda(&scenario.faults);
        Self { car: Car::new(scenario), lines, board, desk, start, ticks: 0, agenda, open: Vec::new() }
    }

    /// Publishes everything as it is at the start.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        self.work_off(self.start.0);
        let mut points = Vec::with_capacity(self.lines.len());
        self.report(&mut points);
        self.board.publish(&points)
    }

    /// Steps until the vehicle is gone.
    pub(crate) async fn run<V>(mut self, clock: Arc<dyn Clock>, vehicle: Weak<V>) -> Result<(), Error>
    where
        V: Send + Sync,
    {
        let mut points = Vec::with_capacity(self.lines.len());
        loop {
            let ticks = self.next_step();
            let due = self.start.0.saturating_add(elapsed(self.ticks.saturating_add(ticks)));
            if clock.monotonic() < due {
                clock.sleep_until(due).await;
            }
            if vehicle.strong_count() == 0 {
                return Ok(());
            }
            self.ticks = self.ticks.saturating_add(ticks);
            self.work_off(due);
            self.car.step(if ticks > 1 { 1.0 } else { 0.1 });
            points.clear();
            self.report(&mut points);
            self.board.feed(&points).await?;
        }
    }

    /// How many ticks the next step has. The long ones begin at whole seconds, so that no turn of a pace is passed over.
    fn next_step(&self) -> u64 {
        if self.ticks.is_multiple_of(SLEEPING) && self.car.is_asleep() { SLEEPING } else { 1 }
    }

    /// Passes on what was asked until this step, by the scenario first.
    fn work_off(&mut self, now: Monotonic) {
        while self.agenda.last().is_some_and(|(at, _)| *at <= self.ticks) {
            let Some((_, change)) = self.agenda.pop() else { break };
            self.change(&change);
        }
        let (changes, requests) = {
            let mut papers = self.desk.open();
            if papers.is_empty() {
                return;
            }
            papers.due(now)
        };
        for change in &changes {
            self.change(change);
        }
        for command in requests {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        let line = self.lines.iter_mut().find(|line| line.id == command.signal);
        let Some((line, actuator)) = line.and_then(|line| line.row.actuator.map(|it| (line, it))) else {
            return;
        };
        self.open.retain(|(other, _)| *other != actuator);
        match self.car.ask(actuator, &command.value) {
            Ok(()) => {
                // Where it is already where it is asked to be, nothing would be told.
                line.last = None;
                self.open.push((actuator, command));
            }
            Err(refusal) => {
                self.board.settle(&command, Outcome::Refused(refusal));
            }
        }
    }

    /// A fault begins or ends. One in the same place ends in either case.
    fn change(&mut self, change: &Change) {
        let (Change::Break(fault) | Change::Heal(fault)) = change;
        let before = {
            let mut papers = self.desk.open();
            let before = papers.faults.iter().position(|other| other.is_where(fault));
            let before = before.map(|at| papers.faults.remove(at));
            if matches!(change, Change::Break(_)) {
                papers.faults.push(fault.clone());
            }
            before
        };
        if let Some(before) = before {
            self.apply(&before, false);
        }
        if matches!(change, Change::Break(_)) {
            self.apply(fault, true);
        }
    }

    fn apply(&mut self, fault: &Fault, broken: bool) {
        let Some(path) = fault.path() else { return self.car.break_or_mend(fault, broken) };
        let Some(line) = self.lines.iter_mut().find(|line| line.row.entry.path().as_str() == path) else {
            return;
        };
        if let Some(trouble) = Trouble::of(fault) {
            let said = line.last.unwrap_or_else(|| line.row.say(&self.car));
            line.trouble = broken.then(|| (trouble, line.row.value(said)));
            line.last = None;
            return;
        }
        let Some(actuator) = line.row.actuator else { return };
        self.car.part(actuator).block(broken);
        if broken && let Some(at) = self.open.iter().position(|(other, _)| *other == actuator) {
            let (_, command) = self.open.swap_remove(at);
            self.board.settle(&command, Outcome::Refused(blocked()));
        }
    }

    /// What this step has to say.
    fn report(&mut self, points: &mut Vec<(SignalId, Datapoint)>) {
        let at = self.start.1.saturating_add(elapsed(self.ticks));
        let turn = Turn::at(self.ticks);
        for line in &mut self.lines {
            let (looked_at, repeated) = turn.of(line.row.pace);
            let told_anyway = repeated || line.last.is_none();
            if !looked_at && !told_anyway {
                continue;
            }
            let said = line.row.say(&self.car);
            if !told_anyway && (line.last == Some(said) || line.trouble.is_some()) {
                continue;
            }
            line.last = Some(said);
            let point = match &line.trouble {
                None => Some(Datapoint::valid(line.row.value(said), at)),
                Some((trouble, value)) => trouble.says(value, at),
            };
            points.extend(point.map(|point| (line.id, point)));
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.desk.open().stop();
        self.board.withdraw_all(&Reason::because(ReasonKind::Ended, "the simulation has ended"));
    }
}

/// The beginnings and ends of incidents, the next one last; in the order of the scenario where they are in one step.
fn agenda(incidents: &[Incident]) -> Vec<(u64, Change)> {
    let mut agenda: Vec<(u64, Change)> = Vec::new();
    for Incident { fault, from, until } in incidents {
        agenda.push((step_after(*from), Change::Break(fault.clone())));
        agenda.extend(until.map(|until| (step_after(until.max(*from)), Change::Heal(fault.clone()))));
    }
    agenda.sort_by_key(|(at, _)| *at);
    agenda.reverse();
    agenda
}

/// The first step that is not before a time.
fn step_after(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
}

/// The time of so many ticks, from the start.
fn elapsed(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(100))
}
