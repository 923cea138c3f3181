//! Policy, entitlements and time become what a wrapper grants: answers per signal, and catalogues that show them.
//!
//! *Invariant:* `get` and `set` are judged at the moment of the call. The catalogues follow: at a date, at new
//! entitlements, at a new catalogue of the wrapped vehicle, whoever notices first. It holds no vehicle, so that an open
//! subscription keeps none alive, and no lock of its own while anything foreign runs.
//! *Next:* `rights/now.rs` judges a moment; `entitled.rs` asks it; open subscriptions follow it as their [`Gate`].

mod now;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coachwork_vehicle::{Catalogue, CatalogueCell, Clock, Datapoint, Gate, Monotonic, SignalId, Timestamp};

pub(crate) use self::now::{Deed, Denial, Now};
use crate::entitlements::Entitlements;
use crate::policy::{Policy, Row};
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
        if !self.entitlements.is_near(self.looked) {
            // A date has passed: the checks that follow are as quick as those before it.
            self.entitlements = Arc::new((*self.entitlements).clone().near(self.looked));
        }
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
