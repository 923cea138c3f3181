//! Definitions of structs, wherever they stand in an export, become struct types.
//!
//! *Invariant:* every definition is checked, used or not; one that contains itself is refused, and none is walked deeper than a type may nest.
//! *Next:* `node.rs` (a property is read as a leaf is), `structs.rs` (what a type is).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::node::{Node, Nodes};
use super::{MAX_NODES, VspecError, VspecFault};
use crate::catalogue::Kind;
use crate::structs::{MAX_STRUCT_DEPTH, StructType};

/// The struct types of an export by their paths.
#[derive(Default)]
pub(super) struct Types(BTreeMap<String, Arc<StructType>>);

/// Definitions on their way to types.
struct Making<'a> {
    nodes: BTreeMap<String, &'a Node>,
    made: BTreeMap<String, Arc<StructType>>,
    /// The definitions that are being read, each within the one before.
    open: Vec<String>,
    /// How many properties values may still leave to their defaults.
    spare: &'a Cell<usize>,
}

impl Types {
    pub(super) fn of(trees: &[&Nodes], spare: &Cell<usize>) -> Result<Self, VspecError> {
        let mut making = Making { nodes: BTreeMap::new(), made: BTreeMap::new(), open: Vec::new(), spare };
        let mut seen = 0;
        for tree in trees {
            for (name, node) in &tree.0 {
                making.collect(name, node, &mut seen)?;
            }
        }
        let paths: Vec<String> = making.nodes.keys().cloned().collect();
        for path in &paths {
            making.make(path)?;
        }
        Ok(Self(making.made))
    }

    /// The type of this name, as it is known at a path: by its whole path, or from a branch that they share.
    pub(super) fn find(&self, name: &str, at: &str) -> Option<Arc<StructType>> {
        resolved(name, at, |path| self.0.contains_key(path)).and_then(|path| self.0.get(&path).cloned())
    }
}

impl<'a> Making<'a> {
    fn collect(&mut self, path: &str, node: &'a Node, seen: &mut usize) -> Result<(), VspecError> {
        *seen += 1;
        if *seen > MAX_NODES {
            return Err(VspecFault::TooMany.at(path));
        }
        if node.kind == "struct" && self.nodes.insert(path.to_owned(), node).is_some() {
            let why = "it is defined twice".to_owned();
            return Err(VspecFault::Member { member: "type", why }.at(path));
        }
        for (name, child) in &node.children.0 {
            self.collect(&format!("{path}.{name}"), child, seen)?;
        }
        Ok(())
    }

    fn make(&mut self, path: &str) -> Result<Arc<StructType>, VspecError> {
        if let Some(made) = self.made.get(path) {
            return Ok(made.clone());
        }
        let fault = |member, why: String| VspecFault::Member { member, why }.at(path);
        let Some(node) = self.nodes.get(path).copied() else {
            return Err(VspecFault::Struct(path.to_owned()).at(path));
        };
        if self.open.iter().any(|open| open == path) {
            return Err(fault("datatype", "the struct contains itself".to_owned()));
        }
        if self.open.len() >= MAX_STRUCT_DEPTH {
            return Err(fault("datatype", format!("structs nest more than {MAX_STRUCT_DEPTH} deep")));
        }
        self.open.push(path.to_owned());
        let mut properties = Vec::with_capacity(node.children.0.len());
        for (name, child) in &node.children.0 {
            let below = format!("{path}.{name}");
            if child.kind != "property" {
                return Err(VspecFault::NodeType(child.kind.clone()).at(&below));
            }
            let spare = self.spare;
            let mut find = |wanted: &str, at: &str| {
                let known = resolved(wanted, at, |path| self.nodes.contains_key(path));
                known.map(|path| self.make(&path)).transpose()
            };
            properties.push(child.entry(Kind::Attribute, name, &below, &mut find, spare)?);
        }
        self.open.pop();
        let made = StructType::new(path, properties).map_err(|why| fault("children", why.to_string()))?;
        self.made.insert(path.to_owned(), made.clone());
        Ok(made)
    }
}

/// The path that a name means at a path.
fn resolved(name: &str, at: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    if known(name) {
        return Some(name.to_owned());
    }
    let above = std::iter::successors(at.rsplit_once('.'), |(branch, _)| branch.rsplit_once('.'));
    above.map(|(branch, _)| format!("{branch}.{name}")).find(|path| known(path))
}
