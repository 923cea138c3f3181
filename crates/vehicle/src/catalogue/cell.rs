//! Where a vehicle keeps its present catalogue, and how holders of an older snapshot learn that it was replaced.
//!
//! *Invariant:* revisions rise by one with each replacement; a snapshot is visible before its revision is announced.
//! *Next:* `gate.rs` (a subscription follows a cell), `board` (which owns one).

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::task::Poll;

use super::Catalogue;
use crate::bell::{Bell, Listener};
use crate::sync::{lock, read, write};

/// The present catalogue of a vehicle or wrapper, replaced as a whole.
///
/// Each cell numbers its own snapshots. A wrapper's catalogue keeps the ids of what it wraps, and is superseded by its own cell as well as
/// by that of the vehicle below it.
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
        let revision = catalogue.revision;
        let first = catalogue.moved_to(&line, revision);
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
            let next = next(&present)?.moved_to(&self.line, revision);
            *write(&self.present) = Arc::new(next);
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

    fn has_passed(&self, seen: u64) -> bool {
        self.revision.load(Ordering::Acquire) > seen
    }
}

/// A snapshot in the line of its cell, and those that it was made of in other cells'.
pub(super) struct Origin {
    line: Arc<Line>,
    revision: u64,
    below: Vec<Arc<Origin>>,
}

impl Catalogue {
    /// This snapshot in the line of a cell; where it comes from another cell's, it remembers that one.
    fn moved_to(self, line: &Arc<Line>, revision: u64) -> Self {
        let below = if Arc::ptr_eq(&self.line, line) {
            self.below
        } else {
            vec![Arc::new(Origin { line: self.line, revision: self.revision, below: self.below })]
        };
        Self { line: line.clone(), revision, below, ..self }
    }

    /// This snapshot, made of those of several vehicles.
    #[must_use]
    pub(crate) fn made_of(self, parts: &[Arc<Self>]) -> Self {
        let origin = |part: &Arc<Self>| {
            let (line, revision, below) = (part.line.clone(), part.revision, part.below.clone());
            Arc::new(Origin { line, revision, below })
        };
        Self { below: parts.iter().map(origin).collect(), ..self }
    }

    /// Completes when the vehicle has a newer snapshot than this one, or a vehicle below it has: then ask it for its catalogue
    /// again. Cancel-safe. A catalogue that no vehicle has taken over is never superseded.
    pub async fn superseded(&self) {
        let mut lines = vec![(&self.line, self.revision)];
        let mut below: Vec<_> = self.below.iter().collect();
        while let Some(origin) = below.pop() {
            lines.push((&origin.line, origin.revision));
            below.extend(&origin.below);
        }
        // Listened to before they are looked at, so that no replacement is missed.
        let mut listeners: Vec<_> = lines.iter().map(|(line, _)| line.replaced.listen()).collect();
        poll_fn(|cx| {
            // Each is polled until it waits: it keeps the waker.
            for listener in &mut listeners {
                while Pin::new(&mut *listener).poll(cx).is_ready() {}
            }
            let passed = lines.iter().any(|(line, seen)| line.has_passed(*seen));
            if passed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
