//! The latest datapoint of each signal.
//!
//! *Invariant:* a batch is written under one lock, so that a batch read under it never sees half a publish.

use std::sync::RwLock;

use crate::catalogue::{Catalogue, SignalId};
use crate::clock::Clock;
use crate::datapoint::{Datapoint, State};
use crate::error::{Error, Operation};
use crate::sync::{read, write};
use crate::time::Monotonic;
use crate::vehicle::Each;

pub(super) struct Table(RwLock<Vec<Slot>>);

/// A datapoint with the time of its report.
type Slot = (Datapoint, Monotonic);

impl Table {
    pub(super) fn new(rows: usize, clock: &dyn Clock) -> Self {
        let table = Self(RwLock::new(Vec::new()));
        table.grow(rows, clock);
        table
    }

    pub(super) fn grow(&self, rows: usize, clock: &dyn Clock) {
        let slot = (Datapoint::new(State::NeverSet, clock.now()), clock.monotonic());
        write(&self.0).resize(rows, slot);
    }

    pub(super) fn write(&self, now: Monotonic, points: &[(SignalId, Datapoint)]) {
        let mut slots = write(&self.0);
        for (signal, point) in points {
            if let Some(slot) = slots.get_mut(signal.index()) {
                slot.0.clone_from(point);
                slot.1 = now;
            }
        }
    }

    pub(super) fn read(
        &self,
        catalogue: &Catalogue,
        now: Monotonic,
        signals: &[SignalId],
    ) -> Each<Datapoint> {
        let slots = read(&self.0);
        let answer = |signal: &SignalId| -> Result<Datapoint, Error> {
            let entry = catalogue.readable(*signal).map_err(|e| e.during(Operation::Get))?;
            let (point, at) = slots.get(signal.index()).ok_or_else(|| newer().during(Operation::Get))?;
            Ok(Datapoint {
                state: point.state.aged(now.saturating_since(*at), entry.stale_after()),
                ..point.clone()
            })
        };
        signals.iter().map(answer).collect()
    }

    pub(super) fn raw(&self, signal: SignalId) -> Option<Slot> {
        read(&self.0).get(signal.index()).cloned()
    }
}

fn newer() -> Error {
    Error::new(crate::ErrorKind::UnknownSignal, "the signal id is newer than this board")
}
