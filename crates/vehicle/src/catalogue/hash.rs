//! A catalogue's tree becomes 128 bits that tell it from other trees.
//!
//! *Invariant:* the same entries in any order have the same hash, on every machine and in every version of this crate that keeps the
//! layout below; rights, facts and row numbers are not part of it.
//! *Next:* `catalogue.rs` (`Catalogue::tree_hash`).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Catalogue, Entry};
use crate::structs::StructType;

/// The content hash of a tree, to compare trees rather than version numbers: two cars that both say "VSS 6.0" may differ by a leaf.
///
/// It is FNV-1a of 128 bits over the entries in the order of their paths: it finds differences, it does not withstand forgery.
/// `Display` writes 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeHash([u8; 16]);

impl TreeHash {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let mut entries: Vec<&Entry> = catalogue.iter().map(|(_, entry)| entry).collect();
        entries.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        let mut hash = Fnv::default();
        for entry in entries {
            hash.entry(entry);
        }
        Self(hash.state.to_be_bytes())
    }

    /// The bits, most significant byte first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Fnv {
    state: u128,
    /// The hashes of struct types that have been met, by where they are: a type of many entries is walked once.
    types: HashMap<*const StructType, u128>,
}

impl Default for Fnv {
    fn default() -> Self {
        Self { state: 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, types: HashMap::new() }
    }
}

impl Fnv {
    /// Every field as text with its length before it, so that no two entries run into each other.
    fn entry(&mut self, entry: &Entry) {
        self.field(entry.path());
        self.field(entry.kind());
        self.field(entry.type_name());
        if let Some(of) = entry.struct_type() {
            let definition = self.definition(of);
            self.bytes(&definition.to_be_bytes());
        }
        self.field(entry.unit().map_or("", |unit| unit.key()));
        self.optional(entry.min());
        self.optional(entry.max());
        self.optional(entry.step());
        self.field(entry.allowed().len());
        for value in entry.allowed() {
            self.field(value);
        }
        self.optional(entry.default_value());
        self.optional(entry.array_size());
        self.optional(entry.pattern());
        self.optional(entry.deprecation());
        for (name, json) in entry.extended() {
            self.field(name);
            self.field(json);
        }
        self.field("");
    }

    /// The hash of a struct type: of its properties, which are entries.
    fn definition(&mut self, of: &Arc<StructType>) -> u128 {
        if let Some(known) = self.types.get(&Arc::as_ptr(of)) {
            return *known;
        }
        let mut own = Self { types: std::mem::take(&mut self.types), ..Self::default() };
        for property in of.properties() {
            own.entry(property);
        }
        self.types = own.types;
        self.types.insert(Arc::as_ptr(of), own.state);
        own.state
    }

    fn optional(&mut self, field: Option<impl fmt::Display>) {
        match field {
            None => self.bytes(b"-"),
            Some(field) => {
                self.bytes(b"+");
                self.field(field);
            }
        }
    }

    fn field(&mut self, field: impl fmt::Display) {
        let text = field.to_string();
        self.bytes(text.len().to_string().as_bytes());
        self.bytes(b":");
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        for byte in bytes {
            self.state = (self.state ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
}
