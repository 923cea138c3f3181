//! A wallet's changes reach whoever follows it: gated vehicles, guests' views, and the audit; and its time becomes a clock.
//!
//! *Invariant:* every follower ends with the last snapshot, whatever order the changes came in. No lock of the wallet is
//! held while a follower runs.
//! *Next:* `../rights.rs` and `../admission.rs` follow.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use coachwork_vehicle::{Clock, Monotonic, Sleep, Timestamp};

use super::Wallet;
use crate::audit::AuditEvent;
use crate::entitlements::Entitlements;

/// Follows the entitlements of a wallet.
pub(crate) trait Follow: Send + Sync {
    fn follow(&self, entitlements: Arc<Entitlements>);
}

impl Wallet {
    /// A clock whose time of day is this wallet's, for an [`Entitled`](crate::Entitled) vehicle.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(WalletClock(self.clone()))
    }

    pub(crate) fn add_follower(&self, follower: Weak<dyn Follow>) {
        let mut followers = self.followers();
        followers.retain(|follower| follower.strong_count() > 0);
        followers.push(follower);
    }

    pub(super) fn tell_all(&self, changes: &[AuditEvent]) {
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

    fn followers(&self) -> MutexGuard<'_, Vec<Weak<dyn Follow>>> {
        self.0.followers.lock().unwrap_or_else(PoisonError::into_inner)
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
