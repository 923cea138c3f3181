//! Rules say which paths need which paid feature; a catalogue turns them into one row per signal.
//!
//! *Invariant:* a rule names a [`PaidFeature`], which is never safety, and a row of a protected path is empty whatever
//! the rules say. Patterns are matched once per signal, never when something is asked.
//! *Next:* `safety.rs` has the protected paths; `rights.rs` looks rows up.

use std::sync::Arc;

use coachwork_vehicle::{Catalogue, Path, PathError, Pattern};

use crate::feature::PaidFeature;
use crate::features::{FeatureId, Features, FeaturesError};
use crate::limit::Limit;
use crate::safety::Protected;

/// The most rules of a policy.
pub const MAX_RULES: usize = 1024;

/// What a rule gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reading, once or by subscription.
    Read,
    /// Asking an actuator to move.
    Set,
    /// Reading by subscription; a single read stays free.
    Subscribe,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Set => "set",
            Self::Subscribe => "subscribe",
        })
    }
}

/// A path pattern, an action and the feature that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pattern: Pattern,
    action: Action,
    feature: PaidFeature,
    limit: Option<Limit>,
}

impl Rule {
    /// A rule for all signals whose path matches `pattern` (`*` is one name, `**` any number).
    ///
    /// # Errors
    /// [`PathError`] if the pattern is none.
    pub fn new(pattern: &str, action: Action, feature: PaidFeature) -> Result<Self, PathError> {
        Ok(Self { pattern: Pattern::new(pattern)?, action, feature, limit: None })
    }

    /// Without the feature, this much stays.
    #[must_use]
    pub fn otherwise(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

/// Which features a platform sells and what they open. What no rule names is open to all.
///
/// Where several rules gate the same action on a path, the first decides.
///
/// ```
/// use coachwork_entitlement::{Action, PaidClass, PaidFeature, Policy, Rule};
///
/// let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
/// let policy = Policy::new([Rule::new("Vehicle.Cabin.Seat.**.Heating", Action::Set, heating)?])?;
/// assert!(policy.features().id("seat-heating").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What keeps people alive cannot be gated, as a feature or by its path:
///
/// ```
/// use coachwork_entitlement::{Action, PaidClass, PaidFeature, Policy, PolicyError, Rule};
///
/// let cheat = PaidFeature::new("stop-package".parse()?, PaidClass::Comfort);
/// let rule = Rule::new("Vehicle.Chassis.Brake.*", Action::Read, cheat)?;
/// assert!(matches!(Policy::new([rule]), Err(PolicyError::Safety { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Box<[Compiled]>,
    features: Arc<Features>,
    protected: Protected,
}

/// A rule with its feature's number.
type Compiled = (Pattern, Action, FeatureId, Option<Limit>);

impl Policy {
    /// A policy with these rules, in the order in which they decide.
    ///
    /// A rule whose wildcards reach a safety path among others does not apply there.
    ///
    /// # Errors
    /// [`PolicyError::Safety`] if a rule is about safety paths alone, [`PolicyError::TooMany`] beyond [`MAX_RULES`],
    /// [`PolicyError::Features`] if the features do not make a table.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, PolicyError> {
        Self::protecting([], rules)
    }

    /// A policy that also keeps its hands off these paths, which a platform knows to be needed for safety.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn protecting(
        safety: impl IntoIterator<Item = Pattern>,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Result<Self, PolicyError> {
        Self::complete(safety, rules, [])
    }

    /// A policy that knows features besides those that its rules need.
    pub(crate) fn complete(
        safety: impl IntoIterator<Item = Pattern>,
        rules: impl IntoIterator<Item = Rule>,
        more: impl IntoIterator<Item = PaidFeature>,
    ) -> Result<Self, PolicyError> {
        let protected = Protected::with(safety);
        let rules: Vec<_> = rules.into_iter().take(MAX_RULES + 1).collect();
        if rules.len() > MAX_RULES {
            return Err(PolicyError::TooMany);
        }
        if let Some(rule) = rules.iter().find(|rule| protected.swallows(&rule.pattern)) {
            return Err(PolicyError::Safety { pattern: rule.pattern.clone() });
        }
        let features = Features::new(rules.iter().map(|rule| rule.feature.clone()).chain(more))?;
        let numbered = rules.into_iter().filter_map(|rule| {
            // Every rule's feature is in the table that was made of them.
            let id = features.id(rule.feature.name());
            id.map(|id| (rule.pattern, rule.action, id, rule.limit))
        });
        Ok(Self { rules: numbered.collect(), features: Arc::new(features), protected })
    }

    /// The paths that it protects beside those that no policy can gate.
    pub(crate) fn added(&self) -> &[Pattern] {
        self.protected.added()
    }

    /// Its rules in their order.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (Action, &Pattern, &PaidFeature, Option<&Limit>)> {
        self.rules.iter().filter_map(|(pattern, action, id, limit)| {
            Some((*action, pattern, self.features.feature(*id)?, limit.as_ref()))
        })
    }

    /// The limit that a signal has without the feature.
    pub(crate) fn limit(&self, need: Need) -> Option<&Limit> {
        self.rules.get(need.rule).and_then(|(_, _, _, limit)| limit.as_ref())
    }

    /// The features that its rules name.
    pub fn features(&self) -> &Arc<Features> {
        &self.features
    }

    /// Whether a path is protected, so that no rule applies to it.
    pub fn protects(&self, path: &Path) -> bool {
        self.protected.covers(path)
    }

    /// What is needed for the signals of this catalogue from row `from` on.
    pub(crate) fn rows(&self, catalogue: &Catalogue, from: usize) -> Vec<Row> {
        catalogue.iter().skip(from).map(|(_, entry)| self.row(entry.path())).collect()
    }

    fn row(&self, path: &Path) -> Row {
        let mut row = Row::default();
        if self.rules.is_empty() || self.protected.covers(path) {
            return row;
        }
        for (rule, (pattern, action, feature, _)) in self.rules.iter().enumerate() {
            let slot = match action {
                Action::Read => &mut row.read,
                Action::Set => &mut row.set,
                Action::Subscribe => &mut row.subscribe,
            };
            if slot.is_none() && pattern.matches(path) {
                *slot = Some(Need { feature: *feature, rule });
            }
        }
        row
    }
}

/// The features that a signal needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) read: Option<Need>,
    pub(crate) set: Option<Need>,
    pub(crate) subscribe: Option<Need>,
}

/// A feature that is needed, and the rule that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) feature: FeatureId,
    rule: usize,
}

/// Rules that cannot be a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The rules' features do not make a table.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// A rule is about paths that keep people alive.
    #[error("{pattern} is needed for safety and cannot be gated")]
    Safety {
        /// The rule's pattern.
        pattern: Pattern,
    },
    /// More than [`MAX_RULES`].
    #[error("more rules than a policy may have")]
    TooMany,
}
