//! The verified grants of a car become a snapshot that answers for every feature at every time.
//!
//! *Invariant:* immutable, and a pure function of its [`Basis`] and time. A check reads no clock, takes no lock and
//! allocates nothing; it is right at any time, and fast at those near the one for which the snapshot was made.
//! *Next:* `license.rs` judges each grant; `entitled.rs` gates a vehicle with a snapshot and swaps it for the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use coachwork_vehicle::Timestamp;

use crate::car::Car;
use crate::decision::{Decision, Reason, Verdict};
use crate::feature::FeatureName;
use crate::features::{FeatureId, Features};
use crate::grant::Grant;
use crate::id::GrantId;
use crate::license::{Circumstances, LicenseState, edges};
use crate::status::Standing;
use crate::verify::Verified;

/// The most grants of a snapshot.
pub const MAX_GRANTS: usize = 128;

/// What a snapshot is made of.
#[derive(Debug, Clone)]
pub struct Basis {
    /// What the car knows about itself and the time.
    pub here: Circumstances,
    /// The grants, each with what is known about it.
    pub grants: Vec<(Verified<Grant>, Standing)>,
    /// The features that the car was built with: they need no grant.
    pub fitted: BTreeSet<FeatureName>,
    /// While the car moves, the features that worked at some time of this journey: none of them ends before it is
    /// parked, and neither does what starts to work meanwhile. `None` while it is parked.
    pub journey: Option<BTreeSet<FeatureName>>,
}

impl Basis {
    /// These grants, whose status nobody publishes, in this car, parked.
    pub fn of(car: Car, grants: impl IntoIterator<Item = Verified<Grant>>) -> Self {
        let grants = grants.into_iter().take(MAX_GRANTS + 1).map(|grant| {
            let standing = Standing::unknown(&grant);
            (grant, standing)
        });
        let grants = grants.collect();
        Self { here: Circumstances::of(car), grants, fitted: BTreeSet::new(), journey: None }
    }
}

/// The ends of time, beyond which there is nothing to ask about.
const EVER: Timestamp = Timestamp::from_nanoseconds(i64::MIN);
const END: Timestamp = Timestamp::from_nanoseconds(i64::MAX);

/// What a car's grants open, feature by feature and date by date.
///
/// Where several grants open a feature, what is best for the owner counts.
#[derive(Clone)]
pub struct Entitlements {
    features: Arc<Features>,
    here: Circumstances,
    grants: Box<[(Verified<Grant>, Standing)]>,
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
    /// As [`Decision::ends`].
    ends: Option<Timestamp>,
    grant: Option<GrantId>,
}

impl Span {
    /// For all time, by no grant.
    fn ever(reason: Reason) -> Self {
        Self { from: EVER, reason, ends: None, grant: None }
    }

    fn decides_like(&self, other: &Self) -> bool {
        Self { from: EVER, ..*self } == Self { from: EVER, ..*other }
    }
}

#[derive(Debug, Clone, Copy)]
struct Row {
    near: Decision,
    /// Its spans, by index: from the first to before the last.
    first: usize,
    last: usize,
}

impl Entitlements {
    /// What these grants open in this car, parked, for one that knows the time, and grants whose status nobody publishes.
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
        Self::from_basis(Basis::of(car, grants), features, now)
    }

    /// What follows from this basis. Of several grants with the same id, one that gives a reason replaces those with a
    /// lower sequence; without a reason, it adds to them.
    ///
    /// On a journey, `now` is when what works must work on; otherwise it decides which decisions are at hand at once, and
    /// nothing else.
    ///
    /// # Errors
    /// [`TooManyGrants`] if there are more than [`MAX_GRANTS`].
    pub fn from_basis(basis: Basis, features: Arc<Features>, now: Timestamp) -> Result<Self, TooManyGrants> {
        let Basis { here, mut grants, fitted, journey } = basis;
        if grants.len() > MAX_GRANTS {
            return Err(TooManyGrants);
        }
        let mut replaced = BTreeMap::<GrantId, u64>::new();
        for (grant, _) in grants.iter().filter(|(grant, _)| grant.because().is_some()) {
            let sequence = replaced.entry(grant.id()).or_default();
            *sequence = grant.sequence().max(*sequence);
        }
        grants.retain(|(grant, _)| replaced.get(&grant.id()).is_none_or(|least| grant.sequence() >= *least));

        let mut spans = Vec::new();
        let mut rows = Vec::with_capacity(features.len());
        for (_, feature) in features.iter() {
            let first = spans.len();
            let name = feature.name();
            if fitted.contains(name) {
                spans.push(Span::ever(Reason::Fitted));
            } else {
                history(name, &grants, &here, &mut spans);
                if let Some(journey) = &journey {
                    hold(&mut spans, first, journey.contains(name), now);
                }
            }
            rows.push(Row { near: Decision::UNKNOWN, first, last: spans.len() });
        }
        let mut transitions: Vec<_> =
            spans.iter().map(|span| span.from).filter(|from| *from > EVER).collect();
        transitions.sort_unstable();
        transitions.dedup();

        let new = Self {
            features,
            here,
            grants: grants.into(),
            spans: spans.into(),
            rows: rows.into(),
            transitions: transitions.into(),
            near: (now, now),
        };
        Ok(new.near(now))
    }

    /// The same, with the decisions of this time at hand at once.
    pub(crate) fn near(mut self, now: Timestamp) -> Self {
        let mut rows = std::mem::take(&mut self.rows);
        for row in &mut rows {
            row.near = self.look_up(row, now);
        }
        self.rows = rows;
        let (from, until) = self.steady(now);
        self.near = (from, until.unwrap_or(END));
        self
    }

    /// Whether the decisions of this time are at hand at once.
    #[inline]
    pub(crate) fn is_near(&self, now: Timestamp) -> bool {
        self.near.0 <= now && now < self.near.1
    }

    /// Whether a feature works at this time, why, and how long this stays so.
    #[inline]
    pub fn check(&self, feature: FeatureId, now: Timestamp) -> Decision {
        let Some(row) = self.features.index(feature).and_then(|at| self.rows.get(at)) else {
            return Decision::UNKNOWN;
        };
        if self.is_near(now) { row.near } else { self.look_up(row, now) }
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

    /// The grants that it rests on, each with what is known about it, without those that a later edition replaced.
    pub fn grants(&self) -> &[(Verified<Grant>, Standing)] {
        &self.grants
    }

    /// What the car knew about itself and the time.
    pub fn circumstances(&self) -> &Circumstances {
        &self.here
    }

    /// The state of one of its [`grants`](Self::grants) at a time.
    pub fn state_of(&self, grant: &(Verified<Grant>, Standing), now: Timestamp) -> LicenseState {
        LicenseState::of(&grant.0, &grant.1, &self.here, now)
    }

    /// The features that work at a time.
    pub fn open(&self, now: Timestamp) -> impl Iterator<Item = &FeatureName> {
        let open = self.features.iter().filter(move |(id, _)| self.check(*id, now).is_allowed());
        open.map(|(_, feature)| feature.name())
    }

    /// Whether two snapshots decide alike about everything at every time, whatever grants they rest on.
    pub(crate) fn decides_like(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Row, &Row)| self.spans_of(a) == other.spans_of(b);
        self.features == other.features
            && self.rows.len() == other.rows.len()
            && self.rows.iter().zip(&other.rows).all(alike)
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
            grant: present.and_then(|span| span.grant),
            until: spans.get(next).map(|span| span.from),
            ends: present.and_then(|span| span.ends),
        }
    }

    fn spans_of(&self, row: &Row) -> &[Span] {
        self.spans.get(row.first..row.last).unwrap_or_default()
    }
}

/// Appends what the grants say about one feature, from the beginning of time on.
fn history(
    feature: &FeatureName,
    grants: &[(Verified<Grant>, Standing)],
    here: &Circumstances,
    spans: &mut Vec<Span>,
) {
    let naming: Vec<_> = grants.iter().filter(|(grant, _)| grant.opens(feature)).collect();
    if naming.is_empty() {
        return;
    }
    let dates = naming.iter().flat_map(|(grant, standing)| edges(grant, standing, here));
    let mut dates: Vec<_> = dates.chain([EVER]).collect();
    dates.sort_unstable();
    dates.dedup();
    let mut last: Option<Span> = None;
    for from in dates {
        let states = naming.iter().map(|(grant, standing)| {
            let state = LicenseState::of(grant, standing, here, from);
            Span { from, reason: state.reason(), ends: state.ends(), grant: Some(grant.id()) }
        });
        // The best for the owner; of equal ones, what lasts longest.
        let best = states.max_by_key(|span| (span.reason, span.ends.unwrap_or(END), span.grant));
        let span = best.unwrap_or_else(|| Span::ever(Reason::NotInPlan));
        if last.is_none_or(|last| !last.decides_like(&span)) {
            spans.push(span);
        }
        last = Some(span);
    }
}

/// What works on a journey works to its end: from `now` on, the spans of a feature that would end it do not.
fn hold(spans: &mut Vec<Span>, first: usize, mut worked: bool, now: Timestamp) {
    let theirs = spans.split_off(first);
    let at_now = theirs.partition_point(|span| span.from <= now).saturating_sub(1);
    let mut last: Option<Span> = None;
    if theirs.is_empty() && worked {
        spans.push(Span::ever(Reason::Driving));
    }
    for (at, span) in theirs.into_iter().enumerate() {
        // Only the present and what comes are held; the past is not asked about.
        worked |= at >= at_now && span.reason.verdict() != Verdict::Deny;
        let denied = span.reason.verdict() == Verdict::Deny;
        let reason = if worked && denied && at >= at_now { Reason::Driving } else { span.reason };
        let span = Span { reason, ..span };
        if last.is_none_or(|last| !last.decides_like(&span)) {
            spans.push(span);
        }
        last = Some(span);
    }
}

impl fmt::Debug for Entitlements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.grants.iter().map(|(grant, _)| grant.id()).collect();
        f.debug_struct("Entitlements").field("grants", &ids).finish_non_exhaustive()
    }
}

/// More than [`MAX_GRANTS`] grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more grants than a car may have")]
pub struct TooManyGrants;

#[cfg(test)]
#[path = "entitlements_tests.rs"]
mod tests;
