//! Where a vehicle keeps its present catalogue, and how holders of an older snapshot learn that it was replaced.
//!
//! *Invariant:* revisions rise by one with each replacement; a snapshot is visible before its revision is announced.
//! *Next:* `gate.rs` (a subscription follows a cell), `board` (which owns one).

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::Catalogue;
use crate::bell::{Bell, Listener};
use crate::sync::{lock, read, write};

/// The present catalogue of a vehicle or wrapper, replaced as a whole.
///
/// Each cell numbers its own snapshots: a wrapper's catalogue keeps the ids of what it wraps, but is superseded by its own cell.
pub struct CatalogueCell {
    present: RwLock<Arc<Catalogue>>,
    /// Held by whoever replaces.
    replacing: Mutex<()>,
    line: Arc<Line>,
}

/// The newest revision of a cell, shared with its snapshots.
pub(super) struct Line {
    revision: AtomicU64,
    replaced: Bell,
}

impl CatalogueCell {
    /// A cell that begins with `catalogue`.
    pub fn new(catalogue: Catalogue) -> Self {
        let line = Line::new(catalogue.revision);
        let first = Catalogue { line: line.clone(), ..catalogue };
        Self { present: RwLock::new(Arc::new(first)), replacing: Mutex::new(()), line }
    }

    /// The present catalogue.
    pub fn load(&self) -> Arc<Catalogue> {
        read(&self.present).clone()
    }

    /// Puts what `next` makes of the present catalogue in its place, and wakes whoever waits for that.
    ///
    /// One replacement runs at a time, so that concurrent ones do not undo each other: `next` may look at the cell, and must not replace
    /// its catalogue.
    pub fn replace(&self, next: impl FnOnce(&Catalogue) -> Catalogue) {
        let Ok(()) = self.try_replace(|now| Ok::<_, Infallible>(next(now)));
    }

    /// As [`replace`](Self::replace), where making the next catalogue can fail.
    ///
    /// # Errors
    /// That of `next`: then nothing is replaced.
    pub fn try_replace<E>(&self, next: impl FnOnce(&Catalogue) -> Result<Catalogue, E>) -> Result<(), E> {
        {
            let _replacing = lock(&self.replacing);
            let present = self.load();
            let revision = present.revision + 1;
            let next = Arc::new(Catalogue { revision, line: self.line.clone(), ..next(&present)? });
            *write(&self.present) = next;
            self.line.revision.store(revision, Ordering::Release);
        }
        self.line.replaced.ring();
        Ok(())
    }

    /// The revision of the present catalogue: one atomic load.
    pub fn revision(&self) -> u64 {
        self.line.revision.load(Ordering::Acquire)
    }

    /// A listener for the next replacement. Take it before looking at [`revision`](Self::revision), or one may be missed.
    pub(crate) fn listen(&self) -> Listener {
        self.line.replaced.listen()
    }
}

impl fmt::Debug for CatalogueCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CatalogueCell({:?})", self.load())
    }
}

impl Line {
    pub(super) fn new(revision: u64) -> Arc<Self> {
        Arc::new(Self { revision: AtomicU64::new(revision), replaced: Bell::default() })
    }

    /// Completes when the newest revision is above `seen`.
    pub(super) async fn passed(&self, seen: u64) {
        loop {
            let replaced = self.replaced.listen();
            if self.revision.load(Ordering::Acquire) > seen {
                return;
            }
            replaced.await;
        }
    }
}
