//! The verified grants of a car become a snapshot that answers for every feature at every time.
//!
//! *Invariant:* immutable, and a pure function of car, grants and time. A check reads no clock, takes no lock and
//! allocates nothing; it is right at any time, and fast at those near the one for which the snapshot was made.
//! *Next:* `license.rs` judges each grant; `entitled.rs` gates a vehicle with a snapshot and swaps it for the next.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use coachwork_vehicle::Timestamp;

use crate::car::Car;
use crate::decision::{Decision, Reason, Verdict};
use crate::feature::FeatureName;
use crate::features::{FeatureId, Features};
use crate::grant::Grant;
use crate::id::GrantId;
use crate::license::LicenseState;
use crate::verify::Verified;

/// The most grants of a snapshot.
pub const MAX_GRANTS: usize = 128;

/// The ends of time, beyond which there is nothing to ask about.
const EVER: Timestamp = Timestamp::from_nanoseconds(i64::MIN);
const END: Timestamp = Timestamp::from_nanoseconds(i64::MAX);

/// What a car's grants open, feature by feature and date by date.
///
/// Where several grants open a feature, what is best for the owner counts.
pub struct Entitlements {
    features: Arc<Features>,
    grants: Box<[Verified<Grant>]>,
    /// The histories of all features that a grant names, one after the other; each begins with [`EVER`].
    spans: Box<[Span]>,
    /// By index of feature.
    rows: Box<[Row]>,
    /// All instants at which a decision changes, ascending.
    transitions: Box<[Timestamp]>,
    /// Between these, `Row::near` is the decision.
    near: (Timestamp, Timestamp),
}

/// From when on a reason holds, until the next span of the feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    reason: Reason,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    near: Decision,
    /// Its spans, by index: from the first to before the last.
    first: usize,
    last: usize,
}

impl Entitlements {
    /// What these grants open in this car. Of several with the same id, those with the highest sequence count.
    ///
    /// `now` decides which decisions are at hand at once, and nothing else.
    ///
    /// # Errors
    /// [`TooManyGrants`] if there are more than [`MAX_GRANTS`].
    pub fn new(
        car: Car,
        features: Arc<Features>,
        grants: impl IntoIterator<Item = Verified<Grant>>,
        now: Timestamp,
    ) -> Result<Self, TooManyGrants> {
        let mut grants: Vec<_> = grants.into_iter().take(MAX_GRANTS + 1).collect();
        if grants.len() > MAX_GRANTS {
            return Err(TooManyGrants);
        }
        let mut latest = BTreeMap::<GrantId, u64>::new();
        for grant in &grants {
            let sequence = latest.entry(grant.id()).or_default();
            *sequence = grant.sequence().max(*sequence);
        }
        grants.retain(|grant| latest.get(&grant.id()) == Some(&grant.sequence()));

        let mut spans = Vec::new();
        let mut rows = Vec::with_capacity(features.len());
        for (_, feature) in features.iter() {
            let first = spans.len();
            history(feature.name(), &grants, car, &mut spans);
            rows.push(Row { near: Decision::UNKNOWN, first, last: spans.len() });
        }
        let mut transitions: Vec<_> =
            spans.iter().map(|span| span.from).filter(|from| *from > EVER).collect();
        transitions.sort_unstable();
        transitions.dedup();

        let mut new = Self {
            features,
            grants: grants.into(),
            spans: spans.into(),
            rows: Box::default(),
            transitions: transitions.into(),
            near: (now, now),
        };
        for row in &mut rows {
            row.near = new.look_up(row, now);
        }
        new.rows = rows.into();
        let (from, until) = new.steady(now);
        new.near = (from, until.unwrap_or(END));
        Ok(new)
    }

    /// Whether a feature works at this time, why, and how long this stays so.
    #[inline]
    pub fn check(&self, feature: FeatureId, now: Timestamp) -> Decision {
        let Some(row) = self.features.index(feature).and_then(|at| self.rows.get(at)) else {
            return Decision::UNKNOWN;
        };
        if self.near.0 <= now && now < self.near.1 { row.near } else { self.look_up(row, now) }
    }

    /// The first instant after `now` at which any decision is another than at `now`.
    pub fn next_transition(&self, now: Timestamp) -> Option<Timestamp> {
        self.steady(now).1
    }

    /// The first instant from which on nothing is open any more; `None` if something is for good, or nothing ever was.
    pub fn ends(&self) -> Option<Timestamp> {
        let mut end = None;
        for row in &self.rows {
            let spans = self.spans_of(row);
            match spans.iter().rposition(|span| span.reason.verdict() != Verdict::Deny) {
                None => {}
                Some(at) => match spans.get(at + 1) {
                    None => return None,
                    Some(closed) => end = end.max(Some(closed.from)),
                },
            }
        }
        end
    }

    /// The features that it knows.
    pub fn features(&self) -> &Arc<Features> {
        &self.features
    }

    /// The grants that it rests on, without those that a later edition replaced.
    pub fn grants(&self) -> &[Verified<Grant>] {
        &self.grants
    }

    /// Whether two snapshots decide alike about everything at every time, whatever grants they rest on.
    pub(crate) fn decides_like(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Row, &Row)| self.spans_of(a) == other.spans_of(b);
        self.features == other.features && self.rows.iter().zip(&other.rows).all(alike)
    }

    /// From when until when no decision changes, around `now`.
    pub(crate) fn steady(&self, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let after = self.transitions.partition_point(|at| *at <= now);
        let from = after.checked_sub(1).and_then(|at| self.transitions.get(at));
        (from.copied().unwrap_or(EVER), self.transitions.get(after).copied())
    }

    #[cold]
    fn look_up(&self, row: &Row, now: Timestamp) -> Decision {
        let spans = self.spans_of(row);
        let next = spans.partition_point(|span| span.from <= now);
        let present = next.checked_sub(1).and_then(|at| spans.get(at));
        Decision {
            reason: present.map_or(Reason::NotInPlan, |span| span.reason),
            until: spans.get(next).map(|span| span.from),
        }
    }

    fn spans_of(&self, row: &Row) -> &[Span] {
        self.spans.get(row.first..row.last).unwrap_or_default()
    }
}

/// Appends what the grants say about one feature, from the beginning of time on.
fn history(feature: &FeatureName, grants: &[Verified<Grant>], car: Car, spans: &mut Vec<Span>) {
    let naming: Vec<_> = grants.iter().filter(|grant| grant.opens(feature)).collect();
    if naming.is_empty() {
        return;
    }
    let dates = naming.iter().flat_map(|grant| [Some(grant.starts()), grant.expires(), grant.ends()]);
    let mut dates: Vec<_> = dates.flatten().chain([EVER]).collect();
    dates.sort_unstable();
    dates.dedup();
    let mut last = None;
    for from in dates {
        let reasons = naming.iter().map(|grant| LicenseState::of(grant, car, from).decision().reason());
        let reason = reasons.max().unwrap_or(Reason::NotInPlan);
        if last.replace(reason) != Some(reason) {
            spans.push(Span { from, reason });
        }
    }
}

impl fmt::Debug for Entitlements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entitlements").field("grants", &self.grants).finish_non_exhaustive()
    }
}

/// More than [`MAX_GRANTS`] grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more grants than a car may have")]
pub struct TooManyGrants;

#[cfg(test)]
#[path = "entitlements_tests.rs"]
mod tests;
