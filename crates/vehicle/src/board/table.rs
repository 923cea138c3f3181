//! The latest report of each signal, read without a lock.
//!
//! *Invariant:* one thread writes at a time, a batch as a whole: who reads several signals sees all of a batch or nothing of it.
//! *Next:* `slot.rs` (one signal), `delivery.rs` (whose lock makes writers take turns).

use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use super::slot::Slot;
use crate::catalogue::SignalId;
use crate::clock::Clock;
use crate::datapoint::{Datapoint, State};

/// How many rows the first growth makes room for; each one after it twice as many as the one before.
const GROWTH: usize = 1024;

pub(super) struct Table {
    /// Rows there were from the beginning.
    first: usize,
    rows: AtomicUsize,
    segments: Box<[OnceLock<Box<[Slot]>>]>,
    /// Odd while a batch is written.
    batch: AtomicU64,
}

/// A batch that is being written; it is whole once this is dropped.
pub(super) struct Writing<'a>(&'a Table);

impl Table {
    pub(super) fn new(rows: usize, clock: &dyn Clock) -> Self {
        let segments = (0..33).map(|_| OnceLock::new()).collect();
        let table = Self { first: rows, rows: AtomicUsize::new(0), segments, batch: AtomicU64::new(0) };
        table.grow(rows, clock);
        table
    }

    /// Makes room for more rows, all of them never set; for one thread at a time.
    pub(super) fn grow(&self, rows: usize, clock: &dyn Clock) {
        let never = Datapoint::new(State::NeverSet, clock.now());
        let at = clock.monotonic();
        for row in self.rows.swap(rows, Ordering::Relaxed)..rows {
            let (segment, place) = self.place(row);
            let length = if segment == 0 { self.first } else { GROWTH << (segment - 1) };
            if let Some(segment) = self.segments.get(segment)
                && let Some(slot) =
                    segment.get_or_init(|| (0..length).map(|_| Slot::new()).collect()).get(place)
            {
                slot.write(&never, at);
            }
        }
    }

    /// Begins to write a batch; for one thread at a time.
    pub(super) fn batch(&self) -> Writing<'_> {
        let turn = self.batch.load(Ordering::Relaxed);
        self.batch.store(turn.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        Writing(self)
    }

    /// What `read` makes of the table; `None` where a batch was written meanwhile, or `read` says so.
    pub(super) fn between_batches<T>(&self, read: impl FnOnce() -> Option<T>) -> Option<T> {
        let turn = self.batch.load(Ordering::Acquire);
        if turn % 2 == 1 {
            return None;
        }
        let seen = read()?;
        fence(Ordering::Acquire);
        (self.batch.load(Ordering::Relaxed) == turn).then_some(seen)
    }

    /// The slot of a signal of this board's catalogue.
    pub(super) fn slot(&self, signal: SignalId) -> Option<&Slot> {
        let (segment, place) = self.place(signal.index());
        self.segments.get(segment)?.get()?.get(place)
    }

    /// In which segment a row is, and where in it.
    fn place(&self, row: usize) -> (usize, usize) {
        let Some(past) = row.checked_sub(self.first) else { return (0, row) };
        let doubled = (past / GROWTH + 1).ilog2();
        // 33 segments hold more rows than a catalogue may have.
        let segment = usize::try_from(doubled).map_or(usize::MAX, |doubled| doubled + 1);
        (segment, past - GROWTH * ((1 << doubled) - 1))
    }
}

impl Deref for Writing<'_> {
    type Target = Table;

    fn deref(&self) -> &Table {
        self.0
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let turn = self.0.batch.load(Ordering::Relaxed);
        self.0.batch.store(turn.wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn each_row_has_a_slot_of_its_own() {
        for first in [0, 1, 3, 1267] {
            let table = Table::new(first, &ManualClock::default());
            table.grow(first + 10_000, &ManualClock::default());
            let mut places: Vec<_> = (0..first + 10_000).map(|row| table.place(row)).collect();
            for (segment, place) in &places {
                assert!(table.segments[*segment].get().unwrap().get(*place).is_some());
            }
            places.dedup();
            assert_eq!(places.len(), first + 10_000);
            assert!(places.is_sorted());
        }
    }
}
