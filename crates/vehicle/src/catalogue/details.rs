//! What only few entries of a catalogue state, kept apart so that the many others stay small.
//!
//! *Invariant:* extended attributes are sorted by name, each name once.
//! *Next:* `entry.rs` (which reads and writes them).

use std::sync::Arc;

use crate::structs::StructType;
use crate::value::Value;

#[derive(Clone, Debug, Default)]
pub(super) struct Details {
    pub(super) default: Option<Value>,
    pub(super) array_size: Option<u32>,
    pub(super) pattern: Option<Arc<str>>,
    pub(super) deprecation: Option<Arc<str>>,
    pub(super) structure: Option<Arc<StructType>>,
    extended: Vec<(Arc<str>, Arc<str>)>,
}

impl PartialEq for Details {
    /// As values say the same: a default that is not a number is like another one.
    fn eq(&self, other: &Self) -> bool {
        let Self { default, array_size, pattern, deprecation, structure, extended } = self;
        let same = match (default, &other.default) {
            (Some(one), Some(two)) => one.same(two),
            (one, two) => one.is_none() && two.is_none(),
        };
        same && (array_size, pattern, deprecation) == (&other.array_size, &other.pattern, &other.deprecation)
            && structure == &other.structure
            && extended == &other.extended
    }
}

impl Details {
    pub(super) fn extend(&mut self, name: Arc<str>, json: Arc<str>) {
        match self.extended.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => {
                if let Some(known) = self.extended.get_mut(at) {
                    known.1 = json;
                }
            }
            Err(at) => self.extended.insert(at, (name, json)),
        }
    }

    pub(super) fn extended(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extended.iter().map(|(name, json)| (&**name, &**json))
    }

    #[cfg(feature = "vspec")]
    pub(super) fn overlaid(&self, over: &Self) -> Self {
        let mut merged = Self {
            default: over.default.clone().or_else(|| self.default.clone()),
            array_size: over.array_size.or(self.array_size),
            pattern: over.pattern.clone().or_else(|| self.pattern.clone()),
            deprecation: over.deprecation.clone().or_else(|| self.deprecation.clone()),
            structure: over.structure.clone().or_else(|| self.structure.clone()),
            extended: self.extended.clone(),
        };
        for (name, json) in &over.extended {
            merged.extend(name.clone(), json.clone());
        }
        merged
    }
}
