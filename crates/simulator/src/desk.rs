//! What comes to the car from outside between two steps: requests, and faults that begin or are healed.
//!
//! *Invariant:* at most one request waits for each actuator, and a bounded number of faults.
//! *Next:* `simulation.rs` (which takes what is due).

use std::sync::{Mutex, MutexGuard, PoisonError};

use coachwork_vehicle::{Command, Error, ErrorKind, Monotonic};

use crate::fault::Fault;

/// More changes than this in one step are no experiment.
const MOST_CHANGES: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Papers>);

#[derive(Debug, Default)]
pub(crate) struct Papers {
    requests: Vec<(Monotonic, Command)>,
    changes: Vec<(Monotonic, Change)>,
    /// The faults that are there, as of the last step.
    pub(crate) faults: Vec<Fault>,
    stopped: bool,
}

/// A fault begins, or what is there in its place is healed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Break(Fault),
    Heal(Fault),
}

impl Desk {
    pub(crate) fn open(&self) -> MutexGuard<'_, Papers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Papers {
    pub(crate) fn request(&mut self, now: Monotonic, command: &Command) -> Result<(), Error> {
        self.running()?;
        self.requests.retain(|(_, other)| other.signal != command.signal);
        self.requests.push((now, command.clone()));
        Ok(())
    }

    pub(crate) fn change(&mut self, now: Monotonic, change: Change) -> Result<(), Error> {
        self.running()?;
        if self.changes.len() >= MOST_CHANGES {
            let message = "too many faults wait for the next step";
            return Err(Error::new(ErrorKind::Limit, message).reported_by("simulator"));
        }
        self.changes.push((now, change));
        Ok(())
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.changes.is_empty()
    }

    /// The changes and the requests that were made until `now`.
    pub(crate) fn due(&mut self, now: Monotonic) -> (Vec<Change>, Vec<Command>) {
        let changes = self.changes.extract_if(.., |(at, _)| *at <= now).map(|(_, change)| change);
        let requests = self.requests.extract_if(.., |(at, _)| *at <= now).map(|(_, command)| command);
        (changes.collect(), requests.collect())
    }

    fn running(&self) -> Result<(), Error> {
        if self.stopped {
            let message = "the simulation does not run any more";
            return Err(Error::new(ErrorKind::Unavailable, message).reported_by("simulator"));
        }
        Ok(())
    }
}
