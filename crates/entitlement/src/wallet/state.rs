//! What a wallet holds and what the car knows become a snapshot of its entitlements, and the bytes that are remembered.
//!
//! *Invariant:* the snapshot is made anew after every change, from everything at once. The store is not believed about what
//! works: grants are verified again when they are read.
//! *Next:* `take.rs` and `observe.rs` change it; `../saved.rs` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coachwork_vehicle::{Monotonic, Timestamp};

use super::{Anchor, Setup, WalletError};
use crate::audit::AuditEvent;
use crate::car::{Car, OwnerEpoch};
use crate::decision::Reason;
use crate::entitlements::{Basis, Entitlements, MAX_GRANTS};
use crate::feature::FeatureName;
use crate::grant::Grant;
use crate::license::{Circumstances, LicenseState};
use crate::saved::{self, Saved};
use crate::status::{Standing, StatusList};
use crate::store::Store;
use crate::terms::Region;
use crate::time::{SavedTime, Timekeeper};
use crate::verify::{Verified, Verifier};

/// What changes in a wallet.
#[derive(Clone)]
pub(super) struct State {
    pub(super) verifier: Verifier,
    pub(super) keys: Option<Arc<[u8]>>,
    pub(super) grants: Vec<Held>,
    pub(super) lists: BTreeMap<Arc<str>, KeptList>,
    pub(super) owner: OwnerEpoch,
    pub(super) region: Option<Region>,
    pub(super) time: Timekeeper,
    pub(super) journey: Option<BTreeSet<FeatureName>>,
    pub(super) entitlements: Arc<Entitlements>,
    /// The reasons that were told to the audit last, by feature.
    told: Vec<Reason>,
    pub(super) saved_at: Timestamp,
}

/// A list, and the document that said it.
type KeptList = (Arc<[u8]>, Arc<StatusList>);

#[derive(Clone)]
pub(super) struct Held {
    pub(super) token: Arc<[u8]>,
    /// `None` where no key that is trusted now signed it.
    pub(super) grant: Option<Verified<Grant>>,
}

impl State {
    /// Goes on from what was saved, or begins with nothing.
    pub(super) fn resume(saved: Option<Saved>, setup: &Setup, mono: Monotonic) -> Result<Self, WalletError> {
        let saved = saved.unwrap_or_else(|| Saved {
            keys: None,
            grants: Vec::new(),
            lists: Vec::new(),
            owner: 1,
            region: None,
            time: SavedTime::first(setup.built),
            journey: None,
        });
        let mut time = Timekeeper::resume(saved.time, mono);
        time.prove(setup.built, mono);
        let mut state = State {
            verifier: Verifier::new([]).map_err(|_| WalletError::Full)?,
            keys: None,
            grants: saved.grants.into_iter().map(|token| Held { token, grant: None }).collect(),
            lists: BTreeMap::new(),
            owner: OwnerEpoch(saved.owner),
            region: saved.region,
            entitlements: Arc::new(empty(setup, time.now(mono).at)?),
            time,
            journey: None,
            told: Vec::new(),
            saved_at: Timestamp::EPOCH,
        };
        match &setup.anchor {
            Anchor::Keys(verifier) => state.verifier = verifier.clone(),
            Anchor::Roots(roots) => {
                if let Some(document) = saved.keys
                    && let Ok(set) = roots.verify(&document)
                {
                    state.verifier = Verifier::trusting(&set);
                    state.keys = Some(document);
                }
            }
        }
        state.verify_all(setup);
        for document in saved.lists {
            if let Ok(list) = state.verifier.verify_status(&document) {
                state.lists.insert(list.uri.clone(), (document, Arc::new(list.into_inner())));
            }
        }
        // The store is not believed about what works: only what a grant of this wallet names can be on a journey.
        let named = |name: &FeatureName| state.held().any(|grant| grant.opens(name));
        state.journey = saved.journey.map(|journey| journey.into_iter().filter(named).collect());
        state.entitlements = Arc::new(state.snapshot(setup, mono)?);
        // What is found so is no change.
        state.changes(mono);
        Ok(state)
    }

    pub(super) fn held(&self) -> impl Iterator<Item = &Verified<Grant>> {
        self.grants.iter().filter_map(|held| held.grant.as_ref())
    }

    pub(super) fn verify_all(&mut self, setup: &Setup) {
        for held in &mut self.grants {
            let grant = self.verifier.verify(&held.token).ok();
            held.grant = grant.filter(|grant| grant.vehicle() == setup.vehicle);
        }
    }

    pub(super) fn standing(&self, grant: &Grant) -> Standing {
        let unknown = Standing::unknown(grant);
        let list = grant.status().and_then(|place| self.lists.get(&place.uri));
        let Some(known) = list.and_then(|(_, list)| list.standing(grant)) else { return unknown };
        // A grant is as good as news on the day on which it is issued.
        Standing { fresh_until: known.fresh_until.max(unknown.fresh_until), ..known }
    }

    pub(super) fn here(&self, setup: &Setup, mono: Monotonic) -> Circumstances {
        let car = Car { vehicle: setup.vehicle, owner: self.owner };
        Circumstances { car, region: self.region, time_lost_at: self.time.lost_at(mono) }
    }

    fn snapshot(&self, setup: &Setup, mono: Monotonic) -> Result<Entitlements, WalletError> {
        let basis = Basis {
            here: self.here(setup, mono),
            grants: self.held().map(|grant| (grant.clone(), self.standing(grant))).collect(),
            fitted: setup.fitted.clone(),
            journey: self.journey.clone(),
        };
        let now = self.time.now(mono).at;
        Entitlements::from_basis(basis, setup.features.clone(), now).map_err(|_| WalletError::Full)
    }

    /// Makes the snapshot anew. What worked until now on a journey works on.
    pub(super) fn renew(&mut self, setup: &Setup, mono: Monotonic) -> Result<(), WalletError> {
        let now = self.time.now(mono).at;
        if let Some(journey) = &mut self.journey {
            journey.extend(self.entitlements.open(now).cloned());
        }
        self.entitlements = Arc::new(self.snapshot(setup, mono)?);
        Ok(())
    }

    /// Makes room: editions that ended where a later one has not, and then whatever ended long ago.
    pub(super) fn drop_what_ended(&mut self, setup: &Setup, mono: Monotonic) {
        let (here, now) = (self.here(setup, mono), self.time.floor(mono));
        while self.grants.len() > MAX_GRANTS {
            let ended = |held: &Held| {
                held.grant.as_ref().is_some_and(|grant| {
                    let state = LicenseState::of(grant, &self.standing(grant), &here, now);
                    matches!(state, LicenseState::Expired { .. })
                })
            };
            let Some(at) = self.grants.iter().position(ended) else { return };
            self.grants.remove(at);
        }
    }

    pub(super) fn save(&mut self, store: &dyn Store, mono: Monotonic) -> Result<(), WalletError> {
        let saved = Saved {
            keys: self.keys.clone(),
            grants: self.grants.iter().map(|held| held.token.clone()).collect(),
            lists: self.lists.values().map(|(document, _)| document.clone()).collect(),
            owner: self.owner.0,
            region: self.region,
            time: self.time.save(mono),
            journey: self.journey.clone(),
        };
        store.save(&saved::encode(&saved))?;
        self.saved_at = self.time.now(mono).at;
        Ok(())
    }

    /// The features that work for another reason than was told before: by what changed, or because time passed.
    pub(super) fn changes(&mut self, mono: Monotonic) -> Vec<AuditEvent> {
        let now = self.time.now(mono).at;
        let features = self.entitlements.features();
        let decisions = features.iter().map(|(id, feature)| (feature, self.entitlements.check(id, now)));
        let (mut changes, mut told) = (Vec::new(), Vec::with_capacity(features.len()));
        for (at, (feature, decision)) in decisions.enumerate() {
            told.push(decision.reason());
            if self.told.get(at) != told.last() {
                changes.push(AuditEvent::FeatureChanged { feature: feature.name().clone(), decision });
            }
        }
        self.told = told;
        changes
    }
}

fn empty(setup: &Setup, now: Timestamp) -> Result<Entitlements, WalletError> {
    let car = Car { vehicle: setup.vehicle, owner: OwnerEpoch(0) };
    Entitlements::new(car, setup.features.clone(), [], now).map_err(|_| WalletError::Full)
}
