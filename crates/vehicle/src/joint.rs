//! Several vehicles become one: one tree with ids of its own, and each call goes to the parts that it concerns.
//!
//! *Invariant:* no lock is held while a part works; a part that fails fails for its own signals alone.
//! *Next:* `joint/view.rs` (the tree, the way down and up), `reading.rs`, `moving.rs`, `listening.rs` (the calls), `merged.rs` and
//! `failover.rs` (what apps see).

mod keys;
mod listening;
mod moving;
mod reading;
mod seat;
mod source;
mod together;
mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};

use self::keys::Keys;
use self::view::View;
use crate::catalogue::{Catalogue, CatalogueCell};
use crate::clock::Clock;
use crate::datapoint::{ReasonKind, State};
use crate::error::{Error, ErrorKind};
use crate::sync::{lock, read, write};
use crate::vehicle::{Each, Vehicle};

/// Who has a path that several parts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// The first part alone.
    First,
    /// Each part whose signal is of the same kind, type and unit as the first's stands by for those before it.
    StandBy,
}

/// What a part says of a signal, from nothing to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nothing yet.
    Silent,
    /// Something, but not the present word of its source: an old value, a lost link, an end.
    Speaks,
    /// The present word of its source.
    Answers,
}

impl Standing {
    fn of(state: &State) -> Self {
        match state {
            State::NeverSet => Self::Silent,
            State::Stale(_) => Self::Speaks,
            State::NotAvailable(why) if matches!(why.kind(), ReasonKind::Link | ReasonKind::Ended) => {
                Self::Speaks
            }
            State::Valid(_) | State::NotAvailable(_) | State::Error(_) => Self::Answers,
        }
    }
}

/// Vehicles behind one tree.
pub(crate) struct Joint {
    parts: Vec<Arc<dyn Vehicle>>,
    clock: Arc<dyn Clock>,
    share: Share,
    cell: CatalogueCell,
    view: RwLock<Arc<View>>,
    /// Held by whoever makes the next view.
    renewing: Mutex<()>,
    keys: Keys,
}

/// What each part is asked, with the places of the answers in the batch.
type Calls<T> = BTreeMap<usize, (Vec<usize>, Vec<T>)>;

impl Joint {
    pub(crate) fn new(
        parts: impl IntoIterator<Item = Arc<dyn Vehicle>>,
        clock: Arc<dyn Clock>,
        share: Share,
    ) -> Result<Self, Error> {
        let parts: Vec<_> = parts.into_iter().collect();
        if parts.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "one vehicle is made of at least one"));
        }
        let seen = parts.iter().map(Vehicle::catalogue).collect();
        let view = View::new(seen, share)
            .map_err(|why| Error::new(ErrorKind::Invalid, "the parts do not make one tree").caused_by(why))?;
        let cell = CatalogueCell::new((*view.catalogue).clone());
        let view = RwLock::new(Arc::new(view.known_as(cell.load())));
        Ok(Self { parts, clock, share, cell, view, renewing: Mutex::default(), keys: Keys::default() })
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        self.view().catalogue.clone()
    }

    /// The present view: made anew where a part has another catalogue than before.
    fn view(&self) -> Arc<View> {
        let seen: Vec<_> = self.parts.iter().map(Vehicle::catalogue).collect();
        let present = read(&self.view).clone();
        if present.has_seen(&seen) {
            return present;
        }
        let _renewing = lock(&self.renewing);
        // Somebody else may have made it meanwhile.
        let present = read(&self.view).clone();
        let Some(next) = present.renewed(&seen, self.share) else { return present };
        self.cell.replace(|_| (*next.catalogue).clone());
        let next = Arc::new(next.known_as(self.cell.load()));
        *write(&self.view) = next.clone();
        next
    }

    /// The names of the parts.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.parts.iter().map(ToString::to_string)
    }
}

/// A part's answer to its share of a batch, by the places in the batch; a part that fails as a whole fails for each.
fn by_place<T>(
    (places, answer): (Vec<usize>, Result<Each<T>, Error>),
) -> impl Iterator<Item = (usize, Result<T, Error>)> {
    let (mut each, whole) = match answer {
        Ok(each) => (each.into_iter(), None),
        Err(error) => (Vec::new().into_iter(), Some(error)),
    };
    let missing = || Error::new(ErrorKind::Protocol, "a part did not answer each request with one result");
    places.into_iter().map(move |place| {
        let answer = each.next().unwrap_or_else(|| Err(whole.clone().unwrap_or_else(missing)));
        (place, answer)
    })
}

impl fmt::Debug for Joint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.parts).finish()
    }
}
