//! Policy, entitlements and time become what a wrapper grants: answers per signal, and catalogues that show them.
//!
//! *Invariant:* `get` and `set` are judged at the moment of the call. The catalogues follow: at a date, at new
//! entitlements, at a new catalogue of the wrapped vehicle, whoever notices first. It holds no vehicle, so that an open
//! subscription keeps none alive, and no lock of its own while anything foreign runs.
//! *Next:* `entitled.rs` asks it; open subscriptions follow it as their [`Gate`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coachwork_vehicle::{
    Access, Catalogue, CatalogueCell, Clock, Datapoint, Gate, Monotonic, Permission, SignalId, Timestamp,
};

use crate::decision::{Decision, Reason};
use crate::entitlements::Entitlements;
use crate::feature::{FeatureName, PaidFeature};
use crate::limit::Limit;
use crate::policy::{Action, Need, Policy, Row};
use crate::scope::Scopes;
use crate::wallet::Follow;

pub(crate) struct Rights {
    policy: Arc<Policy>,
    scopes: Option<Arc<Scopes>>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// What the wrapped vehicle allows and the entitlements leave of it: for apps.
    view: CatalogueCell,
    /// What the entitlements leave, as if the vehicle allowed everything: for subscriptions, which the vehicle's own
    /// gate watches already.
    own: CatalogueCell,
}

#[derive(Clone)]
struct State {
    wrapped: Arc<Catalogue>,
    rows: Arc<Vec<Row>>,
    /// What the app may read and move, by row; empty where it has no scopes.
    permits: Arc<Vec<(bool, bool)>>,
    /// Whether any signal is limited, as the catalogues show it.
    limited: bool,
    entitlements: Arc<Entitlements>,
    /// When somebody last looked at the clock for this.
    looked: Timestamp,
    /// The catalogues show what holds from the first of these to before the second.
    shown: (Timestamp, Option<Timestamp>),
    /// The second, on the clock that does not jump.
    due: Option<Monotonic>,
}

impl State {
    fn look(&mut self, clock: &dyn Clock) {
        self.looked = clock.now();
        self.shown = self.entitlements.steady(self.looked);
        let wait = self.shown.1.map(|end| end.saturating_since(self.looked));
        self.due = wait.map(|wait| clock.monotonic().saturating_add(wait));
    }

    /// Whether nothing is to be done for this catalogue at this time. One that a faster caller has overtaken is not
    /// gone back to.
    fn is_of(&self, wrapped: &Catalogue, now: Timestamp) -> bool {
        let known = self.wrapped.is_lineage_of(wrapped) && self.wrapped.revision() >= wrapped.revision();
        known && self.is_steady_at(now)
    }

    fn follow(&mut self, wrapped: &Arc<Catalogue>, policy: &Policy, scopes: Option<&Scopes>) {
        let same = self.wrapped.is_lineage_of(wrapped);
        if same && self.wrapped.revision() >= wrapped.revision() {
            return;
        }
        let known = if same { self.rows.len() } else { 0 };
        let mut rows = self.rows.get(..known).unwrap_or_default().to_vec();
        rows.extend(policy.rows(wrapped, known));
        self.rows = Arc::new(rows);
        self.permits = Arc::new(permits(wrapped, scopes));
        self.wrapped = wrapped.clone();
    }

    fn is_steady_at(&self, now: Timestamp) -> bool {
        self.shown.0 <= now && self.shown.1.is_none_or(|end| now < end)
    }
}

fn permits(catalogue: &Catalogue, scopes: Option<&Scopes>) -> Vec<(bool, bool)> {
    let Some(scopes) = scopes else { return Vec::new() };
    catalogue.iter().map(|(_, entry)| (scopes.reads(entry.path()), scopes.actuates(entry.path()))).collect()
}

/// The rights at the moment of a call.
pub(crate) struct Now {
    state: State,
    policy: Arc<Policy>,
    at: Timestamp,
}

/// What a call may be.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    Get,
    Set,
    Subscribe,
}

impl Rights {
    pub(crate) fn new(
        policy: Arc<Policy>,
        scopes: Option<Arc<Scopes>>,
        entitlements: Arc<Entitlements>,
        clock: Arc<dyn Clock>,
        wrapped: &Arc<Catalogue>,
    ) -> Self {
        let mut state = State {
            rows: Arc::new(policy.rows(wrapped, 0)),
            permits: Arc::new(permits(wrapped, scopes.as_deref())),
            limited: false,
            wrapped: wrapped.clone(),
            entitlements,
            looked: Timestamp::EPOCH,
            shown: (Timestamp::EPOCH, None),
            due: None,
        };
        state.look(&*clock);
        let now = Now { state: state.clone(), policy: policy.clone(), at: state.looked };
        let (view, own) = (CatalogueCell::new(now.view()), CatalogueCell::new(now.own()));
        state.limited = now.limited();
        Self { policy, scopes, clock, state: Mutex::new(state), view, own }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_deref()
    }

    pub(crate) fn entitlements(&self) -> Arc<Entitlements> {
        self.state().entitlements.clone()
    }

    /// The catalogue for apps, given the wrapped vehicle's present one.
    pub(crate) fn view(&self, wrapped: &Arc<Catalogue>) -> Arc<Catalogue> {
        self.follow(wrapped);
        self.view.load()
    }

    /// The rights now, given the wrapped vehicle's present catalogue.
    pub(crate) fn now(&self, wrapped: &Arc<Catalogue>) -> Now {
        self.follow(wrapped);
        Now { state: self.state().clone(), policy: self.policy.clone(), at: self.clock.now() }
    }

    /// Puts other entitlements in force.
    pub(crate) fn replace(&self, entitlements: Arc<Entitlements>) {
        self.update(|state| state.entitlements = entitlements);
    }

    fn follow(&self, wrapped: &Arc<Catalogue>) {
        if !self.state().is_of(wrapped, self.clock.now()) {
            self.update(|state| state.follow(wrapped, &self.policy, self.scopes.as_deref()));
        }
    }

    /// Changes the state and shows it in both catalogues.
    fn update(&self, change: impl FnOnce(&mut State)) {
        // The state changes under the first cell's lock, so that each table is made of a state no older than the one
        // before it. Wakers run after the cells have let go of their locks.
        self.own.replace(|_| {
            let mut state = self.state();
            change(&mut state);
            state.look(&*self.clock);
            state.limited = self.at(&state).limited();
            self.at(&state).own()
        });
        self.view.replace(|_| self.at(&self.state()).view());
    }

    fn at(&self, state: &State) -> Now {
        Now { state: state.clone(), policy: self.policy.clone(), at: state.looked }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follow for Rights {
    fn follow(&self, entitlements: Arc<Entitlements>) {
        self.replace(entitlements);
    }
}

impl Gate for Rights {
    fn limits(&self) -> bool {
        self.state().limited
    }

    fn interval(&self, signal: SignalId) -> Option<(Arc<dyn Clock>, Duration)> {
        let state = self.state().clone();
        let every = self.at(&state).limit(signal, Deed::Subscribe).and_then(|limit| limit.every)?;
        Some((self.clock.clone(), every))
    }

    fn shape(&self, signal: SignalId, point: Datapoint) -> Datapoint {
        let state = self.state().clone();
        self.at(&state).shape(signal, Deed::Subscribe, point)
    }

    fn cell(&self) -> &CatalogueCell {
        &self.own
    }

    fn next_transition(&self) -> Option<(Arc<dyn Clock>, Monotonic)> {
        self.state().due.map(|due| (self.clock.clone(), due))
    }

    fn refresh(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        if state.is_steady_at(now) {
            // The time of day was set back meanwhile: the date is farther than it was.
            state.look(&*self.clock);
        } else {
            drop(state);
            self.update(|_| {});
        }
    }
}

/// Why a signal may not be used.
pub(crate) struct Denial {
    pub(crate) words: String,
    /// The feature that is missing; `None` where the app has no permission of its own.
    pub(crate) feature: Option<(FeatureName, Decision)>,
    pub(crate) action: Action,
}

impl Now {
    /// Why a signal may not be used so, if it may not. A signal that the catalogue does not have is not judged.
    pub(crate) fn denial(&self, signal: SignalId, deed: Deed) -> Option<Denial> {
        let row = self.state.wrapped.row(signal).ok()?;
        let action = deed.action();
        if !self.permitted(row, deed) {
            return Some(Denial { words: self.unpermitted(row, deed), feature: None, action });
        }
        let (need, decision) = self.denied(self.state.rows.get(row)?, deed)?;
        let name = self.policy.features().feature(need.feature).map(PaidFeature::name);
        Some(Denial {
            words: self.words(need, decision),
            feature: name.map(|name| (name.clone(), decision)),
            action,
        })
    }

    /// The limit under which a signal may be used so; `None` where it has none, or may not be used.
    pub(crate) fn limit(&self, signal: SignalId, deed: Deed) -> Option<Limit> {
        let row = self.state.wrapped.row(signal).ok()?;
        self.limit_of(self.state.rows.get(row)?, deed)
    }

    /// The feature without which a signal is limited.
    pub(crate) fn limited_by(&self, signal: SignalId, deed: Deed) -> Option<FeatureName> {
        let row = self.state.wrapped.row(signal).ok()?;
        let (need, _) = self.missing(self.state.rows.get(row)?, deed).next()?;
        self.policy.features().feature(need.feature).map(|feature| feature.name().clone())
    }

    pub(crate) fn shape(&self, signal: SignalId, deed: Deed, point: Datapoint) -> Datapoint {
        let (Some(limit), Ok(entry)) = (self.limit(signal, deed), self.catalogue().entry(signal)) else {
            return point;
        };
        limit.shape(entry, &point)
    }

    /// The catalogue that they were judged by.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.state.wrapped
    }

    /// Whether any limit is in force.
    pub(crate) fn limited(&self) -> bool {
        self.state.rows.iter().any(|row| {
            [Deed::Get, Deed::Subscribe].into_iter().any(|deed| self.limit_of(row, deed).is_some())
        })
    }

    /// Whether the vehicle itself has a way to move the signal.
    pub(crate) fn can_move(&self, signal: SignalId) -> bool {
        self.catalogue().access(signal).is_ok_and(|access| access.write != Permission::No)
    }

    fn permitted(&self, row: usize, deed: Deed) -> bool {
        let permit = self.state.permits.get(row);
        permit.is_none_or(|(read, actuate)| if matches!(deed, Deed::Set) { *actuate } else { *read })
    }

    fn unpermitted(&self, row: usize, deed: Deed) -> String {
        let path = self.state.wrapped.iter().nth(row).map_or("", |(_, entry)| entry.path().as_str());
        let verb = if matches!(deed, Deed::Set) { "actuate" } else { "read" };
        format!("this app has no permission; the scope {verb}:{path} gives it")
    }

    /// What a deed needs and does not have.
    fn missing(&self, row: &Row, deed: Deed) -> impl Iterator<Item = (Need, Decision)> {
        let needed = match deed {
            Deed::Get => [row.read, None],
            Deed::Set => [row.set, None],
            Deed::Subscribe => [row.read, row.subscribe],
        };
        let decisions = needed.into_iter().flatten();
        let decisions = decisions.map(|need| (need, self.state.entitlements.check(need.feature, self.at)));
        decisions.filter(|(_, decision)| !decision.is_allowed())
    }

    fn denied(&self, row: &Row, deed: Deed) -> Option<(Need, Decision)> {
        self.missing(row, deed).find(|(need, _)| self.policy.limit(*need).is_none())
    }

    fn limit_of(&self, row: &Row, deed: Deed) -> Option<Limit> {
        let mut limits = self.missing(row, deed).map(|(need, _)| self.policy.limit(need).copied());
        // Where something is denied, nothing is limited; where two rules limit, the first does.
        let first = limits.next()??;
        limits.all(|limit| limit.is_some()).then_some(first)
    }

    fn words(&self, need: Need, decision: Decision) -> String {
        let name = self.policy.features().feature(need.feature).map(PaidFeature::name);
        name.map_or_else(|| Reason::Unknown.to_string(), |name| denial(name, decision))
    }

    fn view(&self) -> Catalogue {
        self.show(|access, [get, set, _]| Access {
            read: both(&access.read, get),
            write: both(&access.write, set),
        })
    }

    fn own(&self) -> Catalogue {
        let yes = Permission::Yes;
        self.show(|_, [_, set, subscribe]| Access { read: both(&yes, subscribe), write: both(&yes, set) })
    }

    /// The wrapped catalogue with another access table, made of its own and the denials of get, set and subscribe.
    fn show(&self, access: impl Fn(&Access, [Option<Permission>; 3]) -> Access) -> Catalogue {
        let mut said = BTreeMap::new();
        let mut rows = self.state.rows.iter().enumerate();
        self.state.wrapped.with_access(|_, wrapped| {
            let (at, row) = rows.next().map_or((usize::MAX, Row::default()), |(at, row)| (at, *row));
            let denials = [Deed::Get, Deed::Set, Deed::Subscribe].map(|deed| {
                if !self.permitted(at, deed) {
                    return Some(Permission::denied(self.unpermitted(at, deed)));
                }
                let (need, decision) = self.denied(&row, deed)?;
                let denied = || Permission::denied(self.words(need, decision));
                Some(said.entry(need.feature).or_insert_with(denied).clone())
            });
            access(wrapped, denials)
        })
    }
}

impl Deed {
    fn action(self) -> Action {
        match self {
            Self::Get => Action::Read,
            Self::Set => Action::Set,
            Self::Subscribe => Action::Subscribe,
        }
    }
}

/// A right that both the vehicle and the entitlements must give.
fn both(wrapped: &Permission, denial: Option<Permission>) -> Permission {
    match wrapped {
        Permission::Yes => denial.unwrap_or(Permission::Yes),
        other => other.clone(),
    }
}

/// What a person reads where a feature is missing: what, why, and what would help.
fn denial(feature: &FeatureName, decision: Decision) -> String {
    let spoken = feature.spoken();
    match (decision.reason, decision.until) {
        (Reason::Unknown | Reason::NotInPlan, _) => {
            format!("{spoken} is not in your plan; a grant for {feature} opens it")
        }
        (Reason::Expired, _) => {
            format!("{spoken} is not in your plan any more; renewing {feature} opens it again")
        }
        (Reason::NotYet, Some(starts)) => format!("{spoken} is not in your plan yet; it starts {starts}"),
        (Reason::OtherOwner, _) => {
            format!("{spoken} is not in your plan; the grant for {feature} is another owner's")
        }
        (Reason::OtherVehicle, _) => {
            format!("{spoken} is not in your plan; the grant for {feature} is another vehicle's")
        }
        (reason, _) => format!("{spoken} does not work at present: {reason}; to do: {}", reason.help()),
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rights").field("entitlements", &self.entitlements()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use coachwork_vehicle::{DataType, Entry, Facts, ManualClock};

    use super::*;
    use crate::test_grants::CAR;

    #[test]
    fn a_catalogue_that_was_overtaken_is_not_gone_back_to() {
        let entry = |path| Entry::sensor(path, DataType::BOOLEAN);
        let vehicle = CatalogueCell::new(Catalogue::new([entry("Vehicle.A")], Facts::default()).unwrap());
        let older = vehicle.load();
        vehicle.replace(|now| now.grown([entry("Vehicle.B")]).unwrap());
        let newer = vehicle.load();
        let policy = Arc::new(Policy::new([]).unwrap());
        let nothing = Entitlements::new(CAR, policy.features().clone(), [], Timestamp::EPOCH).unwrap();
        let rights = Rights::new(policy, None, Arc::new(nothing), Arc::new(ManualClock::default()), &older);
        assert_eq!(rights.view(&older).len(), 1);
        assert_eq!(rights.view(&newer).len(), 2);
        let revision = rights.view(&newer).revision();
        assert_eq!((rights.view(&older).len(), rights.view(&older).revision()), (2, revision));
        assert_eq!(rights.now(&older).catalogue().len(), 2);
    }
}
