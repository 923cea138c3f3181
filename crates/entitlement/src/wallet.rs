//! What a car holds (keys, grants, status lists, owner, time) becomes its present [`Entitlements`], and is remembered.
//!
//! *Invariant:* each change is verified, then saved, then in force; one that cannot be saved is refused, except what the
//! car observes of itself (motion, time, country), which holds anyway. Nothing that worked on a journey ends before the
//! car is parked.
//! *Next:* `wallet/` has its rooms: what it takes, what it observes, what changes, who follows. `time.rs`, `saved.rs` and
//! `store.rs` below it; `entitled.rs` follows it; `export.rs` shows it to the owner.

mod error;
mod follow;
mod observe;
mod setup;
mod state;
mod take;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use coachwork_vehicle::Clock;

pub use self::error::WalletError;
pub(crate) use self::follow::Follow;
pub use self::setup::{Anchor, SafeState, Setup};
use self::state::State;
use crate::audit::AuditEvent;
use crate::car::{Car, OwnerEpoch};
use crate::decision::Decision;
use crate::entitlements::{Basis, Entitlements};
use crate::grant::Grant;
use crate::saved;
use crate::store::{Recovery, Store};
use crate::time::TrustedTime;
use crate::verify::{Verified, Verifier};

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
        let state = State::resume(saved, &setup, clock.monotonic())?;
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

    pub(crate) fn record(&self, event: &AuditEvent) {
        self.0.setup.audit.record(self.now(), event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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
