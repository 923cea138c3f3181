//! A feature's name and class become something that may be sold, or, for safety, something that may not.
//!
//! *Invariant:* a [`PaidFeature`] never holds a safety feature: [`PaidClass`] has no such variant, so no policy,
//! plan or grant can be written about one. Names are `[a-z0-9._-]{1,64}`.
//! *Next:* `features.rs` numbers the paid features of a platform; `grant.rs` opens them; `policy.rs` gates with them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest feature name, in bytes.
pub const MAX_NAME: usize = 64;

/// A feature's name: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
///
/// ```
/// use coachwork_entitlement::FeatureName;
///
/// let name: FeatureName = "seat-heating".parse()?;
/// assert_eq!(name.as_str(), "seat-heating");
/// assert!("Seat heating".parse::<FeatureName>().is_err());
/// # Ok::<(), coachwork_entitlement::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureName(Arc<str>);

impl FeatureName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for a sentence: `seat-heating` reads "seat heating".
    pub(crate) fn spoken(&self) -> String {
        self.0.replace(['-', '_', '.'], " ")
    }

    pub(crate) fn is_valid(name: &str) -> bool {
        (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
    }
}

impl FromStr for FeatureName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        if Self::is_valid(name) { Ok(Self(name.into())) } else { Err(NameError) }
    }
}

impl TryFrom<&str> for FeatureName {
    type Error = NameError;

    fn try_from(name: &str) -> Result<Self, NameError> {
        name.parse()
    }
}

impl AsRef<str> for FeatureName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a feature name: not 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a feature name is 1 to 64 of a-z, 0-9, '.', '_' and '-'")]
pub struct NameError;

/// What a feature is for. A car can lock every class but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Keeps people alive: never sold, never gated, never in a grant.
    Safety,
    /// Everything that may be sold.
    Paid(PaidClass),
}

/// The classes of what may be sold. Safety is not among them, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PaidClass {
    /// Makes the ride pleasant: seat heating, ambient light.
    Comfort,
    /// Makes the car stronger, faster or go farther.
    Performance,
    /// Needs a service outside the car: live traffic, remote start.
    Connected,
    /// Hands the car's data to somebody.
    Data,
}

impl fmt::Display for PaidClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comfort => "comfort",
            Self::Performance => "performance",
            Self::Connected => "connected",
            Self::Data => "data",
        })
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safety => f.write_str("safety"),
            Self::Paid(class) => class.fmt(f),
        }
    }
}

/// Something a car can do, of any class. What may be sold of it is a [`PaidFeature`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Feature {
    name: FeatureName,
    class: Class,
}

impl Feature {
    /// A feature of any class.
    pub fn new(name: FeatureName, class: Class) -> Self {
        Self { name, class }
    }

    /// Its name.
    pub fn name(&self) -> &FeatureName {
        &self.name
    }

    /// Its class.
    pub fn class(&self) -> Class {
        self.class
    }
}

/// A feature that may be sold, so one that is not safety: the only kind that a [`Policy`](crate::Policy) gates and
/// that a [`Grant`](crate::Grant) opens.
///
/// A safety feature has no form of this type:
///
/// ```compile_fail,E0599
/// # use coachwork_entitlement::{PaidClass, PaidFeature};
/// let brakes = PaidFeature::new("abs".parse().unwrap(), PaidClass::Safety);
/// ```
///
/// and where the class is only known at run time, the way here is closed to it:
///
/// ```
/// use coachwork_entitlement::{Class, Feature, PaidFeature};
///
/// let brakes = Feature::new("abs".parse()?, Class::Safety);
/// assert!(PaidFeature::try_from(brakes).is_err());
/// # Ok::<(), coachwork_entitlement::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaidFeature {
    name: FeatureName,
    class: PaidClass,
}

impl PaidFeature {
    /// A feature that may be sold.
    pub fn new(name: FeatureName, class: PaidClass) -> Self {
        Self { name, class }
    }

    /// Its name.
    pub fn name(&self) -> &FeatureName {
        &self.name
    }

    /// Its class.
    pub fn class(&self) -> PaidClass {
        self.class
    }
}

impl From<PaidFeature> for Feature {
    fn from(paid: PaidFeature) -> Self {
        Self { name: paid.name, class: Class::Paid(paid.class) }
    }
}

impl TryFrom<Feature> for PaidFeature {
    type Error = SafetyError;

    fn try_from(feature: Feature) -> Result<Self, SafetyError> {
        match feature.class {
            Class::Paid(class) => Ok(Self { name: feature.name, class }),
            Class::Safety => Err(SafetyError { feature: feature.name }),
        }
    }
}

/// A safety feature is never sold and never gated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{feature} is a safety feature: it is never sold and never gated")]
pub struct SafetyError {
    /// The feature that somebody tried to sell.
    pub feature: FeatureName,
}
