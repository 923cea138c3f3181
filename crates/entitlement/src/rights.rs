//! Policy, entitlements and time become what a wrapper grants: answers per signal, and catalogues that show them.
//!
//! *Invariant:* `get` and `set` are judged at the moment of the call. The catalogues follow: at a date, at new
//! entitlements, at a new catalogue of the wrapped vehicle, whoever notices first. It holds no vehicle, so that an open
//! subscription keeps none alive, and no lock of its own while anything foreign runs.
//! *Next:* `entitled.rs` asks it; open subscriptions follow it as their [`Gate`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coachwork_vehicle::{
    Access, Catalogue, CatalogueCell, Clock, Gate, Monotonic, Permission, SignalId, Timestamp,
};

use crate::decision::{Decision, Reason};
use crate::entitlements::Entitlements;
use crate::feature::{FeatureName, PaidFeature};
use crate::features::FeatureId;
use crate::policy::{Policy, Row};

pub(crate) struct Rights {
    policy: Arc<Policy>,
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

    fn follow(&mut self, wrapped: &Arc<Catalogue>, policy: &Policy) {
        let same = self.wrapped.is_lineage_of(wrapped);
        if same && self.wrapped.revision() >= wrapped.revision() {
            return;
        }
        let known = if same { self.rows.len() } else { 0 };
        let mut rows = self.rows.get(..known).unwrap_or_default().to_vec();
        rows.extend(policy.rows(wrapped, known));
        self.rows = Arc::new(rows);
        self.wrapped = wrapped.clone();
    }

    fn is_steady_at(&self, now: Timestamp) -> bool {
        self.shown.0 <= now && self.shown.1.is_none_or(|end| now < end)
    }
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
        entitlements: Arc<Entitlements>,
        clock: Arc<dyn Clock>,
        wrapped: &Arc<Catalogue>,
    ) -> Self {
        let mut state = State {
            rows: Arc::new(policy.rows(wrapped, 0)),
            wrapped: wrapped.clone(),
            entitlements,
            looked: Timestamp::EPOCH,
            shown: (Timestamp::EPOCH, None),
            due: None,
        };
        state.look(&*clock);
        let now = Now { state: state.clone(), policy: policy.clone(), at: state.looked };
        let (view, own) = (CatalogueCell::new(now.view()), CatalogueCell::new(now.own()));
        Self { policy, clock, state: Mutex::new(state), view, own }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
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
            self.update(|state| state.follow(wrapped, &self.policy));
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

impl Gate for Rights {
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

impl Now {
    /// Why a signal may not be used so, if it may not. A signal that the catalogue does not have is not judged.
    pub(crate) fn denial(&self, signal: SignalId, deed: Deed) -> Option<String> {
        let row = self.state.wrapped.row(signal).ok().and_then(|row| self.state.rows.get(row))?;
        let (feature, decision) = self.denied(row, deed)?;
        Some(self.words(feature, decision))
    }

    /// The catalogue that they were judged by.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.state.wrapped
    }

    /// Whether the vehicle itself has a way to move the signal.
    pub(crate) fn can_move(&self, signal: SignalId) -> bool {
        self.catalogue().access(signal).is_ok_and(|access| access.write != Permission::No)
    }

    fn denied(&self, row: &Row, deed: Deed) -> Option<(FeatureId, Decision)> {
        let needed = match deed {
            Deed::Get => [row.read, None],
            Deed::Set => [row.set, None],
            Deed::Subscribe => [row.read, row.subscribe],
        };
        let decisions = needed.into_iter().flatten();
        let mut decisions =
            decisions.map(|feature| (feature, self.state.entitlements.check(feature, self.at)));
        decisions.find(|(_, decision)| !decision.is_allowed())
    }

    fn words(&self, feature: FeatureId, decision: Decision) -> String {
        let name = self.policy.features().feature(feature).map(PaidFeature::name);
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
        let mut rows = self.state.rows.iter();
        self.state.wrapped.with_access(|_, wrapped| {
            let row = rows.next().copied().unwrap_or_default();
            let denials = [Deed::Get, Deed::Set, Deed::Subscribe].map(|deed| {
                let (feature, decision) = self.denied(&row, deed)?;
                let denied = || Permission::denied(self.words(feature, decision));
                Some(said.entry(feature).or_insert_with(denied).clone())
            });
            access(wrapped, denials)
        })
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
        _ => format!("{spoken} is not in your plan; a grant for {feature} opens it"),
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
        let rights = Rights::new(policy, Arc::new(nothing), Arc::new(ManualClock::default()), &older);
        assert_eq!(rights.view(&older).len(), 1);
        assert_eq!(rights.view(&newer).len(), 2);
        let revision = rights.view(&newer).revision();
        assert_eq!((rights.view(&older).len(), rights.view(&older).revision()), (2, revision));
        assert_eq!(rights.now(&older).catalogue().len(), 2);
    }
}
