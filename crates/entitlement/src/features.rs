//! The paid features of a platform get dense numbers, so that a check compares no names.
//!
//! *Invariant:* sorted by name, each name once, with one class. A [`FeatureId`] carries a tag of the table that made
//! it; a table with other features treats it as unknown instead of taking it for one of its own.
//! *Next:* `policy.rs` makes a table from its rules; `entitlements.rs` answers by [`FeatureId`].

use std::fmt;

use crate::feature::{FeatureName, PaidFeature};

/// The most features of a table.
pub const MAX_FEATURES: usize = 1024;

/// Names one feature of a [`Features`] table, in four bytes of index and four of tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureId {
    tag: u32,
    index: u32,
}

impl fmt::Debug for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeatureId({})", self.index)
    }
}

/// The paid features that a platform has, in the order of their names.
///
/// ```
/// use coachwork_entitlement::{Features, PaidClass, PaidFeature};
///
/// let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
/// let features = Features::new([heating.clone()])?;
/// let id = features.id("seat-heating").expect("it is in the table");
/// assert_eq!(features.feature(id), Some(&heating));
/// assert_eq!(features.id("massage"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    list: Box<[PaidFeature]>,
    tag: u32,
}

impl Features {
    /// A table of these features; one that comes twice is taken once.
    ///
    /// # Errors
    /// [`FeaturesError::Conflict`] if a name comes with two classes, [`FeaturesError::TooMany`] if there are more than
    /// [`MAX_FEATURES`].
    pub fn new(features: impl IntoIterator<Item = PaidFeature>) -> Result<Self, FeaturesError> {
        let mut list = Vec::new();
        for feature in features {
            match list.binary_search_by(|known: &PaidFeature| known.name().cmp(feature.name())) {
                Ok(at) if list.get(at) == Some(&feature) => {}
                Ok(_) => return Err(FeaturesError::Conflict { feature: feature.name().clone() }),
                Err(_) if list.len() == MAX_FEATURES => return Err(FeaturesError::TooMany),
                Err(at) => list.insert(at, feature),
            }
        }
        let tag = tag(&list);
        Ok(Self { list: list.into(), tag })
    }

    /// The number of a feature, if the table has it.
    pub fn id(&self, name: impl AsRef<str>) -> Option<FeatureId> {
        let at = self.list.binary_search_by(|known| known.name().as_str().cmp(name.as_ref())).ok()?;
        self.id_at(at)
    }

    /// The feature with this number; `None` for a number of another table.
    pub fn feature(&self, id: FeatureId) -> Option<&PaidFeature> {
        self.list.get(self.index(id)?)
    }

    /// All features with their numbers, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FeatureId, &PaidFeature)> {
        let tag = self.tag;
        self.list.iter().enumerate().map(move |(at, feature)| {
            // A table has at most MAX_FEATURES.
            (FeatureId { tag, index: u32::try_from(at).unwrap_or(u32::MAX) }, feature)
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Its place in arrays that follow this table.
    #[inline]
    pub(crate) fn index(&self, id: FeatureId) -> Option<usize> {
        // A u32 fits a usize wherever std runs that this family supports; elsewhere the id is unknown.
        if id.tag == self.tag { usize::try_from(id.index).ok() } else { None }
    }

    fn id_at(&self, at: usize) -> Option<FeatureId> {
        Some(FeatureId { tag: self.tag, index: u32::try_from(at).ok()? })
    }
}

/// FNV-1a over names and classes: equal tables have equal tags, and an id of another table is noticed.
fn tag(list: &[PaidFeature]) -> u32 {
    let text = list.iter().flat_map(|feature| {
        // No name has these bytes, so that the borders are unambiguous.
        let class = feature.class().to_string();
        feature
            .name()
            .as_str()
            .bytes()
            .chain([b'/'])
            .chain(class.into_bytes())
            .chain([b'\n'])
            .collect::<Vec<_>>()
    });
    text.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A list of features that cannot be a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeaturesError {
    /// One name comes with two classes.
    #[error("{feature} is listed with two classes")]
    Conflict {
        /// The name.
        feature: FeatureName,
    },
    /// More than [`MAX_FEATURES`].
    #[error("more features than a table may hold")]
    TooMany,
}
