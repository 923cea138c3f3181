//! What a car holds (keys, grants, status lists, owner, time) becomes its present [`Entitlements`], and is remembered.
//!
//! *Invariant:* each change is verified, then saved, then in force; one that cannot be saved is refused, except what the
//! car observes of itself (motion, time, country), which holds anyway. Nothing that worked on a journey ends before the
//! car is parked.
//! *Next:* `time.rs`, `saved.rs` and `store.rs` below it; `entitled.rs` follows it; `export.rs` shows it to the owner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use coachwork_vehicle::{Clock, Datapoint, Monotonic, Sleep, Timestamp};

use crate::audit::{Audit, AuditEvent, NoAudit};
use crate::car::{Car, OwnerEpoch, VehicleId};
use crate::decision::Decision;
use crate::entitlements::{Basis, Entitlements, MAX_GRANTS};
use crate::feature::FeatureName;
use crate::features::Features;
use crate::grant::Grant;
use crate::license::{Circumstances, LicenseState};
use crate::saved::{self, MAX_LISTS, Saved};
use crate::status::{Standing, StatusList};
use crate::store::{Recovery, Store, StoreError};
use crate::terms::Region;
use crate::time::{Reading, SavedTime, Timekeeper, Trust, TrustedTime};
use crate::verify::{Roots, Verified, Verifier, VerifyError};

/// How much time may pass between two saves of the time alone.
const SAVE_EVERY: Duration = Duration::from_secs(600);

/// Whether the car is in a state in which something may cease to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SafeState {
    /// It moves, or nobody knows: nothing that works ends now.
    Moving,
    /// It is parked: what has ended ends.
    Parked,
}

impl SafeState {
    /// Of a car with this reading of `Vehicle.Speed`: parked only if it certainly stands.
    pub fn of_speed(speed: &Datapoint) -> Self {
        let standing =
            speed.is_valid() && speed.value().and_then(coachwork_vehicle::Value::as_f64) == Some(0.0);
        if standing { Self::Parked } else { Self::Moving }
    }
}

/// Whom a wallet trusts.
#[derive(Debug, Clone)]
pub enum Anchor {
    /// These keys, for as long as the software is what it is.
    Keys(Verifier),
    /// Whomever the key sets of these roots name.
    Roots(Roots),
}

/// What a wallet needs to know of the car that it is for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The car.
    pub vehicle: VehicleId,
    /// What the platform sells.
    pub features: Arc<Features>,
    /// Whom it trusts.
    pub anchor: Anchor,
    /// The features that the car was built with.
    pub fitted: BTreeSet<FeatureName>,
    /// A date that has certainly passed: of the software, say.
    pub built: Timestamp,
    /// Where events go.
    pub audit: Arc<dyn Audit>,
}

impl Setup {
    /// For this car and these features, with nothing fitted and no audit.
    pub fn new(vehicle: VehicleId, features: Arc<Features>, anchor: Anchor, built: Timestamp) -> Self {
        Self { vehicle, features, anchor, fitted: BTreeSet::new(), built, audit: Arc::new(NoAudit) }
    }
}

/// Follows the entitlements of a wallet.
pub(crate) trait Follow: Send + Sync {
    fn follow(&self, entitlements: Arc<Entitlements>);
}

/// The grants of a car, and what the car knows about them. Clones are the same wallet.
///
/// ```
/// # #[cfg(feature = "issuer")] {
/// use std::sync::Arc;
/// use coachwork_entitlement::*;
/// use coachwork_vehicle::{Clock, ManualClock, Timestamp};
/// # fn story() -> Result<(), Box<dyn std::error::Error>> {
/// let heating = PaidFeature::new("seat-heating".parse()?, PaidClass::Comfort);
/// let features = Arc::new(Features::new([heating.clone()])?);
/// let issuer = Issuer::new(KeyId::new("2026")?, &[7; 32])?;
/// let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())])?);
/// let (car, clock) = (VehicleId::opaque([1; 16]), ManualClock::new(Timestamp::from_seconds(1_780_000_000)));
/// let setup = Setup::new(car, features.clone(), keys, clock.now());
/// let wallet = Wallet::open(setup, MemoryStore::default(), Arc::new(clock.clone()))?;
///
/// let bought = Grant::draft(GrantId::new("order-17")?, car, clock.now()).opens(&heating).build()?;
/// wallet.add_grant(&issuer.issue(&bought)?)?;
/// assert_eq!(wallet.check("seat-heating").reason(), Reason::Granted);
/// println!("{}", wallet.export());
/// # Ok(())
/// # }
/// # story().unwrap();
/// # }
/// ```
#[derive(Clone)]
pub struct Wallet(Arc<Inner>);

struct Inner {
    setup: Setup,
    store: Box<dyn Store>,
    clock: Arc<dyn Clock>,
    recovery: Recovery,
    state: Mutex<State>,
    /// Counts the snapshots, so that followers end with the last one.
    version: AtomicU64,
    followers: Mutex<Vec<Weak<dyn Follow>>>,
}

#[derive(Clone)]
struct State {
    verifier: Verifier,
    keys: Option<Arc<[u8]>>,
    grants: Vec<Held>,
    lists: BTreeMap<Arc<str>, KeptList>,
    owner: OwnerEpoch,
    region: Option<Region>,
    time: Timekeeper,
    journey: Option<BTreeSet<FeatureName>>,
    entitlements: Arc<Entitlements>,
    saved_at: Timestamp,
}

/// A list, and the document that said it.
type KeptList = (Arc<[u8]>, Arc<StatusList>);

#[derive(Clone)]
struct Held {
    token: Arc<[u8]>,
    /// `None` where no key that is trusted now signed it.
    grant: Option<Verified<Grant>>,
}

impl Wallet {
    /// Opens what the store has, or begins with nothing for the first owner.
    ///
    /// At first the time is what was last known, until a source speaks ([`tell_time`](Self::tell_time)), and the car is
    /// parked, unless it was moving when the state was saved.
    ///
    /// # Errors
    /// [`WalletError::Store`] if the store cannot be read. What is damaged is no error: [`recovery`](Self::recovery) says it.
    pub fn open(setup: Setup, store: impl Store, clock: Arc<dyn Clock>) -> Result<Self, WalletError> {
        let loaded = store.load()?;
        let mut recovery = loaded.recovery;
        let saved = loaded.state.and_then(|state| {
            let saved = saved::decode(&state);
            if saved.is_err() {
                recovery = Recovery::Lost;
            }
            saved.ok()
        });
        let saved = saved.unwrap_or_else(|| Saved {
            keys: None,
            grants: Vec::new(),
            lists: Vec::new(),
            owner: 1,
            region: None,
            time: SavedTime::first(setup.built),
            journey: None,
        });
        let mono = clock.monotonic();
        let mut time = Timekeeper::resume(saved.time, mono);
        time.prove(setup.built, mono);
        let mut state = State {
            verifier: Verifier::new([]).map_err(|_| WalletError::Full)?,
            keys: None,
            grants: saved.grants.into_iter().map(|token| Held { token, grant: None }).collect(),
            lists: BTreeMap::new(),
            owner: OwnerEpoch(saved.owner),
            region: saved.region,
            entitlements: Arc::new(empty(&setup, time.now(mono).at)?),
            time,
            journey: None,
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
        state.verify_all(&setup);
        for document in saved.lists {
            if let Ok(list) = state.verifier.verify_status(&document) {
                state.lists.insert(list.uri.clone(), (document, Arc::new(list.into_inner())));
            }
        }
        // The store is not believed about what works: only what a grant of this wallet names can be on a journey.
        let named = |name: &FeatureName| state.held().any(|grant| grant.opens(name));
        state.journey = saved.journey.map(|journey| journey.into_iter().filter(named).collect());
        state.entitlements = Arc::new(state.snapshot(&setup, mono)?);
        let inner = Inner {
            setup,
            store: Box::new(store),
            clock,
            recovery,
            state: Mutex::new(state),
            version: AtomicU64::new(0),
            followers: Mutex::default(),
        };
        let wallet = Self(Arc::new(inner));
        if !matches!(recovery, Recovery::Clean | Recovery::Fresh) {
            wallet.record(&AuditEvent::StoreRecovered { recovery });
        }
        Ok(wallet)
    }

    /// How the store was found when the wallet was opened.
    pub fn recovery(&self) -> Recovery {
        self.0.recovery
    }

    /// Takes in a grant; one that is there already changes nothing.
    ///
    /// # Errors
    /// [`WalletError`] if it does not verify, is for another vehicle, or was replaced by a later edition; or there are too
    /// many; or it cannot be saved.
    pub fn add_grant(&self, token: &[u8]) -> Result<Verified<Grant>, WalletError> {
        let grant = self.refusing(self.verifier().verify(token))?;
        if grant.vehicle() != self.0.setup.vehicle {
            return Err(WalletError::OtherVehicle);
        }
        self.change(|state, setup, mono| {
            if state.grants.iter().any(|held| held.token[..] == *token) {
                return Ok(());
            }
            for held in state.held().filter(|held| held.id() == grant.id()) {
                if held.sequence() == grant.sequence() {
                    return Err(WalletError::Conflict);
                }
                if held.because().is_some() && held.sequence() > grant.sequence() {
                    return Err(WalletError::Old);
                }
            }
            state.grants.push(Held { token: token.into(), grant: Some(grant.clone()) });
            state.drop_what_ended(setup, mono);
            state.time.prove(grant.issued(), mono);
            if state.grants.len() > MAX_GRANTS { Err(WalletError::Full) } else { Ok(()) }
        })?;
        self.record(&AuditEvent::GrantAdded { grant: grant.id(), sequence: grant.sequence() });
        Ok(grant)
    }

    /// Puts the key set in a document in force, and judges all grants by it.
    ///
    /// # Errors
    /// [`WalletError`] if the wallet has fixed keys, the document does not verify, or it is not newer than the one in force.
    pub fn add_keys(&self, document: &[u8]) -> Result<(), WalletError> {
        let Anchor::Roots(roots) = &self.0.setup.anchor else { return Err(WalletError::FixedKeys) };
        let set = self.refusing(roots.verify(document))?;
        self.change(|state, setup, mono| {
            state.verifier = state.verifier.updated(&set).map_err(|_| WalletError::Old)?;
            state.keys = Some(document.into());
            state.time.prove(set.issued(), mono);
            state.verify_all(setup);
            let verifier = &state.verifier;
            state.lists.retain(|_, (document, _)| verifier.verify_status(document).is_ok());
            Ok(())
        })?;
        self.record(&AuditEvent::KeysReplaced { sequence: set.sequence() });
        Ok(())
    }

    /// Takes in a status list.
    ///
    /// # Errors
    /// [`WalletError`] if it does not verify, no grant names it, it is older than the one that is there, or there are too
    /// many.
    pub fn add_status(&self, document: &[u8]) -> Result<(), WalletError> {
        let list = self.refusing(self.verifier().verify_status(document))?.into_inner();
        let (uri, list) = (list.uri.clone(), Arc::new(list));
        self.change(|state, _, mono| {
            if !state.held().any(|grant| grant.status().is_some_and(|place| place.uri == list.uri)) {
                return Err(WalletError::NotNamed);
            }
            if state.lists.get(&list.uri).is_some_and(|(_, known)| known.issued > list.issued) {
                return Err(WalletError::Old);
            }
            state.time.prove(list.issued(), mono);
            state.lists.insert(list.uri.clone(), (document.into(), list.clone()));
            if state.lists.len() > MAX_LISTS { Err(WalletError::Full) } else { Ok(()) }
        })?;
        self.record(&AuditEvent::StatusUpdated { uri: uri.to_string() });
        Ok(())
    }

    /// The car was sold: personal grants end, at the next parking at the latest, and the others stay.
    ///
    /// # Errors
    /// [`WalletError::Old`] if this owner is not later than the present one.
    pub fn new_owner(&self, owner: OwnerEpoch) -> Result<(), WalletError> {
        self.change(|state, _, _| {
            if owner <= state.owner {
                return Err(WalletError::Old);
            }
            state.owner = owner;
            Ok(())
        })?;
        self.record(&AuditEvent::OwnerChanged { owner });
        Ok(())
    }

    /// A source says what time it is.
    ///
    /// # Errors
    /// [`WalletError::Store`] if it cannot be saved; it holds anyway.
    pub fn tell_time(&self, at: Timestamp, source: Trust) -> Result<Reading, WalletError> {
        let (reading, before) = {
            let mut state = self.state();
            let mono = self.0.clock.monotonic();
            let before = state.time.now(mono).trust;
            (state.time.tell(at, source, mono), before)
        };
        if reading != Reading::Taken {
            self.record(&AuditEvent::TimeDoubted { reading });
        }
        let state = self.state();
        let now = state.time.now(self.0.clock.monotonic());
        let save = now.trust != before
            || reading != Reading::Taken
            || now.at.saturating_since(state.saved_at) > SAVE_EVERY;
        drop(state);
        self.observe(save, |_, _| {})?;
        Ok(reading)
    }

    /// The car is in this country now, or nobody knows in which.
    ///
    /// # Errors
    /// [`WalletError::Store`] if it cannot be saved; it holds anyway.
    pub fn enter(&self, region: Option<Region>) -> Result<(), WalletError> {
        self.observe(true, |state, _| state.region = region)
    }

    /// The car moves, or is parked: then what has ended meanwhile ends.
    ///
    /// # Errors
    /// [`WalletError::Store`] if it cannot be saved; it holds anyway.
    pub fn set_safe_state(&self, safe: SafeState) -> Result<(), WalletError> {
        let moving = safe == SafeState::Moving;
        if self.state().journey.is_some() == moving {
            return Ok(());
        }
        self.observe(true, |state, at| {
            state.journey = moving.then(|| state.entitlements.open(at).cloned().collect());
        })
    }

    /// Remembers the time and what works on this journey. To be called now and then, and before the car is switched off.
    ///
    /// # Errors
    /// [`WalletError::Store`] if it cannot be saved.
    pub fn checkpoint(&self) -> Result<(), WalletError> {
        self.observe(true, |_, _| {})
    }

    /// The time, and how far it can be trusted.
    pub fn now(&self) -> TrustedTime {
        self.state().time.now(self.0.clock.monotonic())
    }

    /// What is open at present. For many checks, ask this with [`now`](Self::now).
    pub fn entitlements(&self) -> Arc<Entitlements> {
        self.state().entitlements.clone()
    }

    /// Whether a feature works now.
    pub fn check(&self, feature: &str) -> Decision {
        let state = self.state();
        let now = state.time.now(self.0.clock.monotonic()).at;
        let id = self.0.setup.features.id(feature);
        id.map_or(Decision::UNKNOWN, |id| state.entitlements.check(id, now))
    }

    /// The car, with its present owner.
    pub fn car(&self) -> Car {
        Car { vehicle: self.0.setup.vehicle, owner: self.state().owner }
    }

    /// All grants that it holds and trusts, those that were replaced included.
    pub fn grants(&self) -> Vec<Verified<Grant>> {
        self.state().held().cloned().collect()
    }

    /// A clock whose time of day is this wallet's, for an [`Entitled`](crate::Entitled) vehicle.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(WalletClock(self.clone()))
    }

    pub(crate) fn verifier(&self) -> Verifier {
        self.state().verifier.clone()
    }

    /// What follows for these grants, whether or not the wallet holds them.
    pub(crate) fn basis(&self, grants: Vec<Verified<Grant>>) -> Basis {
        let state = self.state();
        let grants = grants.into_iter().map(|grant| {
            let standing = state.standing(&grant);
            (grant, standing)
        });
        Basis {
            here: state.here(&self.0.setup, self.0.clock.monotonic()),
            grants: grants.collect(),
            fitted: self.0.setup.fitted.clone(),
            journey: state.journey.clone(),
        }
    }

    /// The present and what it rests on, of one moment.
    pub(crate) fn moment(&self) -> (TrustedTime, Arc<Entitlements>, OwnerEpoch) {
        let state = self.state();
        (state.time.now(self.0.clock.monotonic()), state.entitlements.clone(), state.owner)
    }

    pub(crate) fn add_follower(&self, follower: Weak<dyn Follow>) {
        let mut followers = self.followers();
        followers.retain(|follower| follower.strong_count() > 0);
        followers.push(follower);
    }

    pub(crate) fn record(&self, event: &AuditEvent) {
        self.0.setup.audit.record(self.now(), event);
    }

    fn refusing<T>(&self, verified: Result<T, VerifyError>) -> Result<T, WalletError> {
        verified.map_err(|why| {
            self.record(&AuditEvent::Refused { why });
            WalletError::Refused(why)
        })
    }

    /// A change that is saved before it is in force.
    fn change(
        &self,
        change: impl FnOnce(&mut State, &Setup, Monotonic) -> Result<(), WalletError>,
    ) -> Result<(), WalletError> {
        let mono = self.0.clock.monotonic();
        let changes = {
            let mut state = self.state();
            let mut next = state.clone();
            change(&mut next, &self.0.setup, mono)?;
            next.renew(&self.0.setup, mono)?;
            next.save(&*self.0.store, mono)?;
            let changes = next.changes_since(&state, mono);
            *state = next;
            changes
        };
        self.tell_all(&changes);
        Ok(())
    }

    /// A change that holds whether or not it can be saved.
    fn observe(&self, save: bool, change: impl FnOnce(&mut State, Timestamp)) -> Result<(), WalletError> {
        let mono = self.0.clock.monotonic();
        let (changes, saved) = {
            let mut state = self.state();
            let before = state.clone();
            let at = state.time.now(mono).at;
            change(&mut state, at);
            state.renew(&self.0.setup, mono)?;
            let saved = if save { state.save(&*self.0.store, mono) } else { Ok(()) };
            (state.changes_since(&before, mono), saved)
        };
        self.tell_all(&changes);
        saved
    }

    fn tell_all(&self, changes: &[AuditEvent]) {
        for event in changes {
            self.record(event);
        }
        let mut version = self.0.version.fetch_add(1, Ordering::AcqRel) + 1;
        loop {
            let followers: Vec<_> = self.followers().iter().filter_map(Weak::upgrade).collect();
            let entitlements = self.entitlements();
            for follower in &followers {
                follower.follow(entitlements.clone());
            }
            // Whoever was faster told something newer; whoever was slower might have told something older.
            let now = self.0.version.load(Ordering::Acquire);
            if now == version {
                return;
            }
            version = now;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followers(&self) -> MutexGuard<'_, Vec<Weak<dyn Follow>>> {
        self.0.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn empty(setup: &Setup, now: Timestamp) -> Result<Entitlements, WalletError> {
    let car = Car { vehicle: setup.vehicle, owner: OwnerEpoch(0) };
    Entitlements::new(car, setup.features.clone(), [], now).map_err(|_| WalletError::Full)
}

impl State {
    fn held(&self) -> impl Iterator<Item = &Verified<Grant>> {
        self.grants.iter().filter_map(|held| held.grant.as_ref())
    }

    fn verify_all(&mut self, setup: &Setup) {
        for held in &mut self.grants {
            let grant = self.verifier.verify(&held.token).ok();
            held.grant = grant.filter(|grant| grant.vehicle() == setup.vehicle);
        }
    }

    fn standing(&self, grant: &Grant) -> Standing {
        let unknown = Standing::unknown(grant);
        let list = grant.status().and_then(|place| self.lists.get(&place.uri));
        let Some(known) = list.and_then(|(_, list)| list.standing(grant)) else { return unknown };
        // A grant is as good as news on the day on which it is issued.
        Standing { fresh_until: known.fresh_until.max(unknown.fresh_until), ..known }
    }

    fn here(&self, setup: &Setup, mono: Monotonic) -> Circumstances {
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
    fn renew(&mut self, setup: &Setup, mono: Monotonic) -> Result<(), WalletError> {
        let now = self.time.now(mono).at;
        if let Some(journey) = &mut self.journey {
            journey.extend(self.entitlements.open(now).cloned());
        }
        self.entitlements = Arc::new(self.snapshot(setup, mono)?);
        Ok(())
    }

    /// Makes room: editions that ended where a later one has not, and then whatever ended long ago.
    fn drop_what_ended(&mut self, setup: &Setup, mono: Monotonic) {
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

    fn save(&mut self, store: &dyn Store, mono: Monotonic) -> Result<(), WalletError> {
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

    fn changes_since(&self, before: &Self, mono: Monotonic) -> Vec<AuditEvent> {
        let now = self.time.now(mono).at;
        let features = self.entitlements.features();
        let changes = features.iter().filter_map(|(id, feature)| {
            let decision = self.entitlements.check(id, now);
            let was = before.entitlements.check(id, now);
            let feature = feature.name().clone();
            (was.reason() != decision.reason()).then_some(AuditEvent::FeatureChanged { feature, decision })
        });
        changes.collect()
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Wallet")
            .field("grants", &state.grants.len())
            .field("owner", &state.owner)
            .field("keys", &state.verifier)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct WalletClock(Wallet);

impl Clock for WalletClock {
    fn now(&self) -> Timestamp {
        self.0.now().at
    }

    fn monotonic(&self) -> Monotonic {
        self.0.0.clock.monotonic()
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        self.0.0.clock.sleep_until(deadline)
    }
}

/// What a wallet does not take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// Another grant has the same id and sequence.
    #[error("another grant has the same id and sequence")]
    Conflict,
    /// The wallet trusts fixed keys, and takes no key set.
    #[error("this wallet has fixed keys")]
    FixedKeys,
    /// There are more grants or status lists than a car may have.
    #[error("more grants or status lists than a car may have")]
    Full,
    /// No grant of this car names the status list.
    #[error("no grant of this car names this status list")]
    NotNamed,
    /// Something newer is in force.
    #[error("something newer is in force already")]
    Old,
    /// The grant is for another vehicle.
    #[error("the grant is for another vehicle")]
    OtherVehicle,
    /// It does not verify.
    #[error("{0}")]
    Refused(VerifyError),
    /// It cannot be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
}
