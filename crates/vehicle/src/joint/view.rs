//! The trees of several parts become one, with the way down from each of its signals and the way up from each of theirs.
//!
//! *Invariant:* a row of the joint tree means the same path for ever, whichever parts grow; ways are arrays, and no path is compared after
//! the view is made.
//! *Next:* `joint.rs` (which renews it).

use std::collections::HashMap;
use std::sync::Arc;

use super::Share;
use crate::catalogue::{Catalogue, CatalogueError, Entry, Facts, Receipts, SignalId, TimeBase};
use crate::error::Error;

/// A signal of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) signal: SignalId,
}

/// One tree over the catalogues of all parts.
pub(super) struct View {
    pub(super) catalogue: Arc<Catalogue>,
    seen: Vec<Arc<Catalogue>>,
    /// By row: who has the signal, the first one first.
    down: Vec<Vec<Place>>,
    /// By part and its row: the row here.
    up: Vec<Vec<Option<usize>>>,
}

impl View {
    pub(super) fn new(seen: Vec<Arc<Catalogue>>, share: Share) -> Result<Self, CatalogueError> {
        let nothing = Catalogue::new([], Facts::default())?;
        let empty = Self {
            catalogue: Arc::new(nothing),
            seen: Vec::new(),
            down: Vec::new(),
            up: vec![Vec::new(); seen.len()],
        };
        empty.over(seen, share)
    }

    /// The same, with its catalogue as its cell numbers it.
    pub(super) fn known_as(self, catalogue: Arc<Catalogue>) -> Self {
        Self { catalogue, ..self }
    }

    /// Whether it was made of these.
    pub(super) fn has_seen(&self, seen: &[Arc<Catalogue>]) -> bool {
        self.seen.iter().zip(seen).all(|(before, now)| Arc::ptr_eq(before, now) || !is_newer(now, before))
    }

    /// The view over the newer ones of these and of those that it was made of; `None` where nothing is new.
    pub(super) fn renewed(&self, seen: &[Arc<Catalogue>], share: Share) -> Option<Self> {
        if self.has_seen(seen) {
            return None;
        }
        let newest = |(before, now): (&Arc<Catalogue>, &Arc<Catalogue>)| {
            if is_newer(now, before) { now.clone() } else { before.clone() }
        };
        // It fails only where the joint tree has no more numbers: then what is there stays.
        self.over(self.seen.iter().zip(seen).map(newest).collect(), share).ok()
    }

    fn over(&self, seen: Vec<Arc<Catalogue>>, share: Share) -> Result<Self, CatalogueError> {
        let (mut down, mut up) = (self.down.clone(), self.up.clone());
        let mut more: Vec<Entry> = Vec::new();
        let mut rows: HashMap<&str, usize> =
            self.catalogue.iter().enumerate().map(|(row, (_, entry))| (entry.path().as_str(), row)).collect();
        for (part, (catalogue, up)) in seen.iter().zip(&mut up).enumerate() {
            for (signal, entry) in catalogue.iter().skip(up.len()) {
                let place = Place { part, signal };
                let row = *rows.entry(entry.path().as_str()).or_insert(down.len());
                match down.get_mut(row) {
                    None => {
                        more.push(entry.clone());
                        down.push(vec![place]);
                        up.push(Some(row));
                    }
                    Some(places) => {
                        let known = self.catalogue.id_at(row).and_then(|id| self.catalogue.entry(id).ok());
                        let known = known.or_else(|| more.get(row.checked_sub(self.catalogue.len())?));
                        let joins = share == Share::StandBy && known.is_some_and(|known| alike(known, entry));
                        if joins {
                            let at = places.partition_point(|other| other.part < part);
                            places.insert(at, place);
                        }
                        up.push(joins.then_some(row));
                    }
                }
            }
        }
        let access = |id: SignalId| {
            let lead = down.get(id.index())?.first()?;
            seen.get(lead.part)?.access(lead.signal).ok().cloned()
        };
        let catalogue = self
            .catalogue
            .grown(more)?
            .with_access(|id, now| access(id).unwrap_or_else(|| now.clone()))
            .with_facts(facts(&seen))
            .made_of(&seen);
        Ok(Self { catalogue: Arc::new(catalogue), seen, down, up })
    }

    /// Who has a signal, the first one first; at least one.
    pub(super) fn places(&self, signal: SignalId) -> Result<&[Place], Error> {
        Ok(self.down.get(self.catalogue.row(signal)?).map_or(&[], Vec::as_slice))
    }

    /// A part's signal as it is called here; `None` where another part has its path, or this view does not know it yet.
    pub(super) fn up(&self, part: usize, signal: SignalId) -> Option<SignalId> {
        let row = self.up.get(part)?.get(signal.index())?;
        self.catalogue.id_at((*row)?)
    }

    pub(super) fn path(&self, signal: SignalId) -> &str {
        self.catalogue.path(signal).map_or("", crate::Path::as_str)
    }
}

/// Whether one snapshot of a part is later than another. A part that has another tree altogether has broken its word: its old ids stay.
fn is_newer(now: &Catalogue, before: &Catalogue) -> bool {
    now.is_lineage_of(before) && (now.revision() > before.revision() || now.len() > before.len())
}

/// Whether one signal can stand in for another.
fn alike(a: &Entry, b: &Entry) -> bool {
    let of = |entry: &'_ Entry| (entry.kind(), entry.data_type());
    of(a) == of(b) && a.unit() == b.unit() && a.struct_type() == b.struct_type()
}

/// What all parts keep.
fn facts(parts: &[Arc<Catalogue>]) -> Facts {
    let all = |holds: fn(&Facts) -> bool| parts.iter().all(|part| holds(part.facts()));
    Facts {
        receipts: if all(|facts| facts.receipts == Receipts::Confirmed) {
            Receipts::Confirmed
        } else {
            Receipts::Accepted
        },
        back_pressure: all(|facts| facts.back_pressure),
        snapshots: parts.len() == 1 && all(|facts| facts.snapshots),
        reports_changes_only: !all(|facts| !facts.reports_changes_only),
        time: if all(|facts| facts.time == TimeBase::Utc) { TimeBase::Utc } else { TimeBase::Unknown },
    }
}
