//! A JSON export of VSS, as vss-tools write it, becomes entries of a catalogue.
//!
//! *Invariant:* every leaf of the export is an entry or the export is refused, with the path at fault; sizes, depth and the number of
//! leaves are bounded before memory is taken.
//! *Next:* `vspec/node.rs` (one node of the file), `vspec/instances.rs` (what an unexpanded export leaves to the reader).

mod instances;
mod node;
#[cfg(test)]
mod tests;
mod types;

use std::cell::Cell;
use std::collections::HashMap;

use crate::catalogue::{Catalogue, CatalogueError, Entry, Facts, Kind};
use crate::path::Path;
use node::{Node, Nodes, Roots};
use types::Types;

/// The largest export that is read: 64 MiB. VSS 6.0 has 320 KiB.
pub const MAX_BYTES: usize = 64 << 20;

/// The largest number of nodes, branches and leaves, after instances are expanded. VSS 6.0 has 1,607.
pub const MAX_NODES: usize = 1 << 18;

/// How many properties the struct values of an export may leave to their defaults, all together.
pub const MAX_DEFAULTS: usize = 1 << 18;

/// How much of a hostile path an error shows.
const SHOWN: usize = 255;

/// The leaves of one or more exports, in the order of the file.
///
/// ```
/// use coachwork_vehicle::{Facts, Vspec};
/// let standard = Vspec::from_json(br#"{"Vehicle": {"type": "branch", "children": {
///     "Speed": {"type": "sensor", "datatype": "float", "unit": "km/h"},
///     "Door": {"type": "branch", "instances": "Row[1,2]", "children": {
///         "IsOpen": {"type": "actuator", "datatype": "boolean"}}}}}}"#)?;
/// let ours = Vspec::from_json(br#"{"Vehicle": {"type": "branch", "children": {
///     "Speed": {"type": "sensor", "datatype": "float", "max": 250, "x-source": "ESP_21"}}}}"#)?;
/// let car = standard.overlay(ours)?.into_catalogue(Facts::default())?;
/// let speed = car.entry(car.resolve("Vehicle.Speed")?)?;
/// assert_eq!(speed.unit().map(|unit| unit.key()), Some("km/h"));
/// assert_eq!(speed.extended().next(), Some(("x-source", "\"ESP_21\"")));
/// assert!(car.id("Vehicle.Door.Row2.IsOpen").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Vspec {
    entries: Vec<Entry>,
}

/// An export while it is read.
struct Reading {
    types: Types,
    entries: Vec<Entry>,
    nodes: usize,
    /// How many properties values may still leave to their defaults.
    spare: Cell<usize>,
}

/// Why an export is refused: where, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{}{fault}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct VspecError {
    /// The path of the node; empty where the file as a whole is at fault.
    pub path: String,
    /// What is wrong.
    #[source]
    pub fault: VspecFault,
}

/// What is wrong with an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VspecFault {
    /// It is larger than [`MAX_BYTES`].
    #[error("an export of {0} bytes is larger than {MAX_BYTES}")]
    TooLarge(usize),
    /// It is no JSON, or not of the shape of an export; the message names line and column.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It has more nodes than [`MAX_NODES`].
    #[error("the tree has more than {MAX_NODES} nodes")]
    TooMany,
    /// A node has no `type`, or one that VSS does not have.
    #[error("{0:?} is no type of a node (branch, sensor, actuator, attribute, struct, property)")]
    NodeType(String),
    /// A member of a node is missing, or is not what it should be.
    #[error("{member}: {why}")]
    Member {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A datatype names a struct that is not defined.
    #[error("no struct {0} is defined")]
    Struct(String),
    /// The leaf contradicts itself, or is there twice.
    #[error(transparent)]
    Entry(#[from] CatalogueError),
}

impl Vspec {
    /// Reads an export: the JSON of vss-tools, expanded or not, with or without extended attributes.
    ///
    /// Nodes of type `struct` and `property` define types, not signals, and make no entries; an entry of such a type
    /// [has it](Entry::struct_type). Descriptions and comments are not kept.
    ///
    /// # Errors
    /// [`VspecError`] names the path.
    pub fn from_json(json: &[u8]) -> Result<Self, VspecError> {
        Self::read(&roots(json)?, &Nodes::default())
    }

    /// Reads an export whose structs are defined in a file of their own, as vss-tools write it on demand.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn from_json_with_types(json: &[u8], types: &[u8]) -> Result<Self, VspecError> {
        let types = roots(types)?;
        let mut more = types.trees;
        more.0.extend(types.types.0);
        Self::read(&roots(json)?, &more)
    }

    /// What is built in of VSS 6.0, to put overlays over.
    pub fn built_in() -> Self {
        Self { entries: crate::vss::entries().collect() }
    }

    fn read(roots: &Roots, more: &Nodes) -> Result<Self, VspecError> {
        let spare = Cell::new(MAX_DEFAULTS);
        let types = Types::of(&[&roots.types, &roots.trees, more], &spare)?;
        let mut reading = Reading { types, entries: Vec::new(), nodes: 0, spare };
        for (name, root) in &roots.trees.0 {
            reading.node(name, root)?;
        }
        Self { entries: reading.entries }.checked()
    }

    /// These leaves with those of `overlay` put over them: what the overlay states of a known path replaces what was there, its
    /// other paths are added after it.
    ///
    /// # Errors
    /// [`VspecError`] where a merged leaf contradicts itself, or there are more than [`MAX_NODES`].
    pub fn overlay(mut self, overlay: Self) -> Result<Self, VspecError> {
        let rows: HashMap<Path, usize> =
            self.entries.iter().enumerate().map(|(row, entry)| (entry.path().clone(), row)).collect();
        for over in overlay.entries {
            match rows.get(over.path()).and_then(|row| self.entries.get_mut(*row)) {
                Some(known) => *known = known.clone().overlaid(over),
                None => self.entries.push(over),
            }
        }
        self.checked()
    }

    /// The leaves as entries for a catalogue.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A new catalogue of these leaves.
    ///
    /// # Errors
    /// None that reading or merging has not found before; the type is that of [`Catalogue::new`].
    pub fn into_catalogue(self, facts: Facts) -> Result<Catalogue, CatalogueError> {
        Catalogue::new(self.entries, facts)
    }

    /// These leaves, in the form that a catalogue gives them.
    fn checked(self) -> Result<Self, VspecError> {
        if self.entries.len() > MAX_NODES {
            return Err(VspecFault::TooMany.at(""));
        }
        let checked =
            Catalogue::new(self.entries, Facts::default()).map_err(|why| VspecFault::Entry(why).at(""))?;
        Ok(Self { entries: checked.iter().map(|(_, entry)| entry.clone()).collect() })
    }
}

/// The nodes of a file.
fn roots(json: &[u8]) -> Result<Roots, VspecError> {
    if json.len() > MAX_BYTES {
        return Err(VspecFault::TooLarge(json.len()).at(""));
    }
    serde_json::from_slice(json).map_err(|why| VspecFault::Json(why).at(""))
}

impl Reading {
    /// One node and what is below it.
    fn node(&mut self, path: &str, node: &Node) -> Result<(), VspecError> {
        self.count(1, path)?;
        match node.kind.as_str() {
            "branch" => self.branch(path, node),
            "struct" | "property" => Ok(()),
            kind => match kind.parse::<Kind>() {
                Ok(kind) => {
                    let mut find = |name: &str, at: &str| Ok(self.types.find(name, at));
                    let entry = node.entry(kind, path, path, &mut find, &self.spare)?;
                    self.entries.push(entry);
                    Ok(())
                }
                Err(_) => Err(VspecFault::NodeType(node.kind.clone()).at(path)),
            },
        }
    }

    fn branch(&mut self, path: &str, node: &Node) -> Result<(), VspecError> {
        Path::new(path).map_err(|why| VspecFault::Entry(why.into()).at(path))?;
        let places = instances::expand(node.instances.as_ref()).map_err(|fault| fault.at(path))?;
        self.count(places.len(), path)?;
        for (name, child) in &node.children.0 {
            if places.is_empty() || child.instantiate == Some(false) {
                self.node(&format!("{path}.{name}"), child)?;
            }
        }
        for place in &places {
            for (name, child) in node.children.0.iter().filter(|(_, child)| child.instantiate != Some(false))
            {
                self.node(&format!("{path}.{place}.{name}"), child)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, path: &str) -> Result<(), VspecError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(VspecFault::TooMany.at(path)) } else { Ok(()) }
    }
}

impl VspecFault {
    fn at(self, path: &str) -> VspecError {
        VspecError { path: path.chars().take(SHOWN).collect(), fault: self }
    }
}
