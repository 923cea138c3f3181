//! What happened to the rights of a car, for whoever has to answer for it later.
//!
//! *Invariant:* an event names features, grants by id, paths and reasons; it holds no token, no key and no vehicle.
//! *Next:* `wallet.rs`, `entitled.rs` and `admission.rs` record; a platform decides what to keep.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::car::OwnerEpoch;
use crate::decision::Decision;
use crate::feature::FeatureName;
use crate::id::GrantId;
use crate::policy::Action;
use crate::store::Recovery;
use crate::time::{Reading, TrustedTime};
use crate::verify::VerifyError;

/// Something that happened to the rights of a car.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AuditEvent {
    /// Somebody was let in, by these grants.
    Admitted {
        /// The grants that were shown; none for what is open to all.
        grants: Vec<GrantId>,
    },
    /// Something was refused to somebody.
    Denied {
        /// What they asked for.
        action: Action,
        /// Of which path.
        path: String,
        /// The feature that it needs; `None` where the app has no permission of its own.
        feature: Option<(FeatureName, Decision)>,
    },
    /// A feature began or ceased to work, or works for another reason.
    FeatureChanged {
        /// Which.
        feature: FeatureName,
        /// The decision now.
        decision: Decision,
    },
    /// A grant was taken in.
    GrantAdded {
        /// Which.
        grant: GrantId,
        /// Its edition.
        sequence: u64,
    },
    /// A set of keys replaced the one before.
    KeysReplaced {
        /// Its place in the row of sets.
        sequence: u64,
    },
    /// The car has a new owner.
    OwnerChanged {
        /// The new owner's epoch.
        owner: OwnerEpoch,
    },
    /// A token, key set or status list was refused.
    Refused {
        /// Why.
        why: VerifyError,
    },
    /// The store had to fall back, or had lost everything.
    StoreRecovered {
        /// How it was found.
        recovery: Recovery,
    },
    /// A status list was taken in.
    StatusUpdated {
        /// Its name.
        uri: String,
    },
    /// A clock said something that was not simply taken.
    TimeDoubted {
        /// What became of it.
        reading: Reading,
    },
}

impl fmt::Display for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted { grants } if grants.is_empty() => f.write_str("let in without a grant"),
            Self::Admitted { grants } => {
                f.write_str("let in with grant")?;
                grants.iter().try_for_each(|grant| write!(f, " {grant}"))
            }
            Self::Denied { action, path, feature: Some((feature, decision)) } => {
                write!(f, "{action} {path} denied: {feature}: {decision}")
            }
            Self::Denied { action, path, feature: None } => {
                write!(f, "{action} {path} denied: the app has no permission for it")
            }
            Self::FeatureChanged { feature, decision } => write!(f, "{feature}: {decision}"),
            Self::GrantAdded { grant, sequence } => write!(f, "grant {grant}, edition {sequence}, was added"),
            Self::KeysReplaced { sequence } => write!(f, "key set {sequence} is in force"),
            Self::OwnerChanged { owner } => write!(f, "the car has a new owner, number {}", owner.0),
            Self::Refused { why } => write!(f, "refused: {why}"),
            Self::StoreRecovered { recovery: Recovery::LastGood } => {
                f.write_str("the store went back to its last good copy")
            }
            Self::StoreRecovered { recovery: Recovery::Lost } => f.write_str(
                "the store was damaged, and so was its last good copy: the car begins with nothing",
            ),
            Self::StoreRecovered { .. } => f.write_str("the store was sound"),
            Self::StatusUpdated { uri } => write!(f, "status list {uri} was updated"),
            Self::TimeDoubted { reading } => reading.fmt(f),
        }
    }
}

/// Takes events. It must be quick, and must not call back.
pub trait Audit: fmt::Debug + Send + Sync + 'static {
    /// Something happened.
    fn record(&self, at: TrustedTime, event: &AuditEvent);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn record(&self, _at: TrustedTime, _event: &AuditEvent) {}
}

/// Keeps the latest events, up to a bound.
#[derive(Debug)]
pub struct AuditLog {
    bound: usize,
    events: Mutex<VecDeque<(TrustedTime, AuditEvent)>>,
}

impl AuditLog {
    /// Keeps this many.
    pub fn new(bound: usize) -> Self {
        Self { bound, events: Mutex::default() }
    }

    /// Takes out what was kept, oldest first.
    pub fn take(&self) -> Vec<(TrustedTime, AuditEvent)> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

impl Audit for AuditLog {
    fn record(&self, at: TrustedTime, event: &AuditEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= self.bound {
            events.pop_front();
        }
        if self.bound > 0 {
            events.push_back((at, event.clone()));
        }
    }
}
