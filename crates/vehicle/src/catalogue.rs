//! What a vehicle has, and what may be done with it here and now: a tree of entries, an access table, facts.
//!
//! *Invariant:* a catalogue is a snapshot. Trees of one lineage only grow, and an id means the same entry in all of them;
//! an id of another lineage is `WrongCatalogue`, never another signal.
//! *Next:* `cell.rs` (how a snapshot is replaced), `vehicle.rs` (every vehicle has a catalogue).

mod cell;
mod details;
mod entry;
mod hash;
mod quick;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

pub use cell::CatalogueCell;
pub use entry::{Access, Entry, EntryError, Kind, Permission, UnknownKind};
pub use hash::TreeHash;

use self::cell::{Line, Origin};
pub(crate) use self::quick::Quick;
use crate::datapoint::Reason;
use crate::error::{Error, ErrorKind};
use crate::path::{Path, PathError, Pattern};

/// The dense number of a signal, valid for the catalogues of one lineage.
///
/// It has no text of its own: [`Catalogue::path`] gives the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalId {
    lineage: u32,
    row: u32,
}

/// What holds for a vehicle as a whole.
///
/// `Facts::default()` is right for a live link whose actuators report where they are; its values stand at the fields. Another vehicle changes
/// the fields that differ, one by one:
///
/// ```
/// use coachwork_vehicle::{Facts, TimeBase};
///
/// let mut facts = Facts::default();
/// facts.back_pressure = true;
/// facts.time = TimeBase::Unknown;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// How far a receipt goes. By default to [`Receipts::Confirmed`].
    pub receipts: Receipts,
    /// Whether subscriptions with [`Overflow::Block`](crate::Overflow::Block) hold the source back; where not, they are refused. A vehicle
    /// that promises it gives its board what it hears with [`feed`](crate::Board::feed). By default not.
    pub back_pressure: bool,
    /// Whether a batch `get` sees one moment: never half of what its source reported together. By default so.
    pub snapshots: bool,
    /// Whether the source reports a signal only when it changes. Then a present value that equals what was asked
    /// confirms a receipt at once; otherwise only an observation after the request does. By default not.
    pub reports_changes_only: bool,
    /// What the times at the source, [`Datapoint::source`](crate::Datapoint::source), count from. By default from [`TimeBase::Utc`].
    pub time: TimeBase,
}

/// How far a receipt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receipts {
    /// To the observation that the actuator has moved.
    Confirmed,
    /// To the word of the platform that it took the request; whether the actuator moves is not known.
    Accepted,
}

/// What the times at a source count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeBase {
    /// 1970 in UTC.
    Utc,
    /// An unknown start, as in a log without a date.
    Unknown,
}

impl Default for Facts {
    /// Receipts are confirmed, no back pressure, snapshots, every report counts, times are UTC.
    fn default() -> Self {
        Self {
            receipts: Receipts::Confirmed,
            back_pressure: false,
            snapshots: true,
            reports_changes_only: false,
            time: TimeBase::Utc,
        }
    }
}

/// A snapshot of what a vehicle has and allows. Clones are cheap.
#[derive(Clone)]
pub struct Catalogue {
    tree: Arc<Tree>,
    access: Arc<[Access]>,
    facts: Arc<Facts>,
    revision: u64,
    line: Arc<Line>,
    below: Vec<Arc<Origin>>,
}

struct Tree {
    lineage: u32,
    /// How many entries the largest tree of the lineage has; shared by all its trees.
    newest: Arc<AtomicU32>,
    entries: Vec<Entry>,
    rows: HashMap<Path, u32, Quick>,
    /// Row of each typed constant of `vss`, made at the first use.
    constants: OnceLock<Box<[Option<u32>]>>,
}

/// Why entries do not make a catalogue.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// An entry's path is malformed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An entry contradicts itself.
    #[error("{path}: {why}")]
    Entry {
        /// The entry's path.
        path: Path,
        /// What is wrong with it.
        why: EntryError,
    },
    /// Two entries have one path.
    #[error("{0} is there twice")]
    Duplicate(Path),
    /// More than `u32::MAX` entries.
    #[error("a catalogue has at most 4294967295 entries")]
    TooMany,
    /// Entries were to be added to a tree that has grown already: the newest tree of the lineage is the one that grows.
    #[error("the tree has grown since this snapshot of it was taken")]
    Outgrown,
}

impl Catalogue {
    /// A new lineage with these entries, the default access of each kind, and `facts`.
    ///
    /// # Errors
    /// [`CatalogueError`] where a path is malformed or there twice, or an entry contradicts itself.
    pub fn new(entries: impl IntoIterator<Item = Entry>, facts: Facts) -> Result<Self, CatalogueError> {
        static LINEAGES: AtomicU32 = AtomicU32::new(1);
        let lineage = LINEAGES.fetch_add(1, Ordering::Relaxed);
        let tree = Tree {
            lineage,
            newest: Arc::default(),
            entries: Vec::new(),
            rows: HashMap::default(),
            constants: OnceLock::new(),
        };
        let empty = Self {
            tree: Arc::new(tree),
            access: Arc::new([]),
            facts: Arc::new(facts),
            revision: 0,
            line: Line::new(0),
            below: Vec::new(),
        };
        empty.grown(entries)
    }

    /// The same lineage with more entries; ids of this catalogue mean the same in the new one. Only the newest tree of a lineage grows.
    ///
    /// # Errors
    /// [`CatalogueError`] as for [`new`](Self::new), and [`CatalogueError::Outgrown`] for a tree that has grown before.
    pub fn grown(&self, entries: impl IntoIterator<Item = Entry>) -> Result<Self, CatalogueError> {
        let mut tree = Tree {
            lineage: self.tree.lineage,
            newest: Arc::clone(&self.tree.newest),
            entries: self.tree.entries.clone(),
            rows: self.tree.rows.clone(),
            constants: OnceLock::new(),
        };
        let mut access = self.access.to_vec();
        for entry in entries {
            let entry = entry.checked()?;
            let row = u32::try_from(tree.entries.len()).map_err(|_| CatalogueError::TooMany)?;
            if tree.rows.insert(entry.path().clone(), row).is_some() {
                return Err(CatalogueError::Duplicate(entry.path().clone()));
            }
            access.push(entry.kind().access());
            tree.entries.push(entry);
        }
        let size = |tree: &Tree| u32::try_from(tree.entries.len()).map_err(|_| CatalogueError::TooMany);
        let (before, after) = (size(&self.tree)?, size(&tree)?);
        // Two trees that grow from one would give the same ids to different signals.
        if after > before
            && tree.newest.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return Err(CatalogueError::Outgrown);
        }
        Ok(Self { tree: Arc::new(tree), access: access.into(), ..self.clone() })
    }

    /// The same tree with another access table: `access` is asked for each signal with what holds now.
    #[must_use]
    pub fn with_access(&self, mut access: impl FnMut(SignalId, &Access) -> Access) -> Self {
        let access = self.ids().zip(self.access.iter()).map(|(id, now)| access(id, now)).collect();
        Self { access, ..self.clone() }
    }

    /// The same tree and access with other facts.
    #[must_use]
    pub fn with_facts(&self, facts: Facts) -> Self {
        Self { facts: Arc::new(facts), ..self.clone() }
    }

    /// What holds for the vehicle as a whole.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How many signals it has.
    pub fn len(&self) -> usize {
        self.tree.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.tree.entries.is_empty()
    }

    /// Its place in the sequence of snapshots of its vehicle; a later one has a higher number.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether ids of `other` mean the same here.
    pub fn is_lineage_of(&self, other: &Self) -> bool {
        self.tree.lineage == other.tree.lineage
    }

    /// What tells this tree from others: equal for trees with the same entries, in whatever order, and whatever the rights.
    ///
    /// ```
    /// use coachwork_vehicle::{Catalogue, DataType, Entry, Facts};
    /// let (speed, make) = (Entry::sensor("Speed", DataType::FLOAT), Entry::attribute("Make", DataType::STRING));
    /// let one = Catalogue::new([speed.clone(), make.clone()], Facts::default())?;
    /// let other = Catalogue::new([make, speed.clone()], Facts::default())?;
    /// let third = Catalogue::new([speed.with_unit("km/h")], Facts::default())?;
    /// assert_eq!(one.tree_hash(), other.tree_hash());
    /// assert_ne!(one.tree_hash(), third.tree_hash());
    /// # Ok::<(), coachwork_vehicle::CatalogueError>(())
    /// ```
    pub fn tree_hash(&self) -> TreeHash {
        TreeHash::of(self)
    }

    /// The ids of all signals, in the order of their rows.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = SignalId> + use<> {
        let lineage = self.tree.lineage;
        // The number of entries fits u32: `grown` checks it.
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(move |row| SignalId { lineage, row })
    }

    /// All signals with their entries.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (SignalId, &Entry)> {
        self.ids().zip(&self.tree.entries)
    }

    /// The id of a path.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownSignal`] where the catalogue does not have it.
    pub fn resolve(&self, path: &str) -> Result<SignalId, Error> {
        self.id(path).ok_or_else(|| {
            Error::new(ErrorKind::UnknownSignal, "this vehicle has no such signal").on_path(path)
        })
    }

    /// The id of a path, if the catalogue has it.
    pub fn id(&self, path: &str) -> Option<SignalId> {
        let row = *self.tree.rows.get(path)?;
        Some(SignalId { lineage: self.tree.lineage, row })
    }

    /// The dense row of a signal: below [`len`](Self::len), the same in all catalogues of the lineage; for tables of one's own.
    ///
    /// # Errors
    /// [`ErrorKind::WrongCatalogue`] for an id of another lineage; [`ErrorKind::UnknownSignal`] for one of a later snapshot.
    pub fn row(&self, id: SignalId) -> Result<usize, Error> {
        self.entry(id).map(|_| id.index())
    }

    /// The id of a row.
    pub fn id_at(&self, row: usize) -> Option<SignalId> {
        let known = row < self.len();
        known.then_some(SignalId { lineage: self.tree.lineage, row: u32::try_from(row).ok()? })
    }

    /// What is known of a signal.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub fn entry(&self, id: SignalId) -> Result<&Entry, Error> {
        if id.lineage != self.tree.lineage {
            return Err(Error::new(ErrorKind::WrongCatalogue, "the signal id belongs to another catalogue"));
        }
        self.tree.entries.get(id.index()).ok_or_else(|| {
            Error::new(ErrorKind::UnknownSignal, "the signal id is newer than this snapshot of the catalogue")
        })
    }

    /// The path of a signal.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub fn path(&self, id: SignalId) -> Result<&Path, Error> {
        self.entry(id).map(Entry::path)
    }

    /// What may be done with a signal here and now.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub fn access(&self, id: SignalId) -> Result<&Access, Error> {
        self.entry(id)?;
        self.access
            .get(id.index())
            .ok_or_else(|| Error::new(ErrorKind::Other, "the access table is too short"))
    }

    /// Checks that a signal is here and may be read.
    ///
    /// # Errors
    /// As [`row`](Self::row), and [`ErrorKind::Denied`] with the reason.
    pub fn readable(&self, id: SignalId) -> Result<&Entry, Error> {
        let entry = self.entry(id)?;
        match &self.access(id)?.read {
            Permission::Yes => Ok(entry),
            Permission::No => {
                Err(Error::new(ErrorKind::Denied, "the signal cannot be read").on_path(entry.path().as_str()))
            }
            Permission::Denied(reason) => {
                Err(Error::new(ErrorKind::Denied, reason.to_string()).on_path(entry.path().as_str()))
            }
        }
    }

    /// The signals whose paths match `pattern`, in the order of their rows.
    pub fn find(&self, pattern: &Pattern) -> Vec<SignalId> {
        self.iter().filter(|(_, entry)| pattern.matches(entry.path())).map(|(id, _)| id).collect()
    }

    /// The id of the typed constant in row `constant` of `vss`, through a table.
    pub(crate) fn constant(&self, constant: u16) -> Option<SignalId> {
        let table = self.tree.constants.get_or_init(|| {
            let mut table = Vec::new();
            crate::vss::visit_paths(|path| table.push(self.tree.rows.get(path).copied()));
            table.into()
        });
        let row = (*table.get(usize::from(constant))?)?;
        Some(SignalId { lineage: self.tree.lineage, row })
    }
}

impl SignalId {
    pub(crate) fn index(self) -> usize {
        // Rows are u32 and usize has at least 32 bits on every target with std.
        usize::try_from(self.row).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Catalogue({} signals, lineage {}, revision {})",
            self.len(),
            self.tree.lineage,
            self.revision
        )
    }
}

/// A path in a `HashMap` is looked up by its text.
impl std::borrow::Borrow<str> for Path {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Permission {
    /// The right, withdrawn for a reason in words.
    pub fn denied(text: impl Into<Arc<str>>) -> Self {
        Self::Denied(Reason::because(crate::datapoint::ReasonKind::Denied, text))
    }
}

#[cfg(test)]
mod tests;
