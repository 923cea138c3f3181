//! Who comes in: each distinct credential is admitted once, and remembered until its admission ends.
//!
//! *Invariant:* at most `bound` admissions are remembered; a refusal never is. Equal credentials get the same pass, so that their view is shared.
//! *Next:* `peer.rs` (which shows the credential of a connection or a request).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::keys::Holder;
use coachwork_vehicle::{Admission, Clock, Credential, Error, Monotonic, Operation, Timestamp, Vehicle};

/// What a credential opened.
#[derive(Debug)]
pub(crate) struct Pass {
    /// The vehicle as the holder sees it.
    view: Arc<dyn Vehicle>,
    until: Option<Timestamp>,
    /// Whose idempotency keys its holder's are; without a credential, it is the host's affair.
    pub(crate) holder: Option<Holder>,
}

#[derive(Debug)]
pub(crate) struct Door {
    admission: Arc<dyn Admission>,
    clock: Arc<dyn Clock>,
    bound: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    passes: HashMap<Credential, Remembered>,
    /// How often somebody came.
    uses: u64,
}

#[derive(Debug)]
struct Remembered {
    pass: Arc<Pass>,
    used: u64,
}

impl Door {
    pub(crate) fn new(admission: Arc<dyn Admission>, clock: Arc<dyn Clock>, bound: usize) -> Self {
        Self { admission, clock, bound: bound.max(1), known: Mutex::default() }
    }

    /// The pass for a credential.
    pub(crate) async fn admit(&self, credential: &Credential) -> Result<Arc<Pass>, Error> {
        if let Some(pass) = self.remembered(credential) {
            return Ok(pass);
        }
        let admitted = self.admission.admit(credential).await.map_err(|e| e.during(Operation::Admit))?;
        Ok(self.remember(credential, admitted.view, admitted.until))
    }

    fn remembered(&self, credential: &Credential) -> Option<Arc<Pass>> {
        let pass = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.uses += 1;
            let used = known.uses;
            let remembered = known.passes.get_mut(credential)?;
            remembered.used = used;
            remembered.pass.clone()
        };
        // A clock is read only for a pass that may end.
        let is_over = pass.may_end() && pass.is_over(self.clock.now());
        (!is_over).then_some(pass)
    }

    fn remember(
        &self,
        credential: &Credential,
        view: Arc<dyn Vehicle>,
        until: Option<Timestamp>,
    ) -> Arc<Pass> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.uses += 1;
        let used = known.uses;
        if known.passes.len() >= self.bound && !known.passes.contains_key(credential) {
            let oldest = known.passes.iter().min_by_key(|(_, one)| one.used).map(|(held, _)| held.clone());
            oldest.and_then(|held| known.passes.remove(&held));
        }
        let pass = Arc::new(Pass { view, until, holder: Holder::of(credential) });
        known.passes.insert(credential.clone(), Remembered { pass: pass.clone(), used });
        pass
    }
}

impl Pass {
    /// A pass to what is open to everybody.
    pub(crate) fn to_all(view: Arc<dyn Vehicle>) -> Self {
        Self { view, until: None, holder: None }
    }

    /// The vehicle as the holder sees it: itself, for through its `Arc` each call would take a place of its own in memory.
    pub(crate) fn view(&self) -> &dyn Vehicle {
        self.view.as_ref()
    }

    pub(crate) fn may_end(&self) -> bool {
        self.until.is_some()
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// When to look again whether it is over, on the monotonic side of `clock`.
    pub(crate) fn over_at(&self, clock: &dyn Clock) -> Option<Monotonic> {
        let left = self.until?.saturating_since(clock.now());
        // The time of day may be set meanwhile: look at least once a minute.
        Some(clock.monotonic().saturating_add(left.min(Duration::from_secs(60))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use coachwork_vehicle::{Admitted, Catalogue, ErrorKind, Facts, ManualClock, MemoryVehicle};
    use futures::executor::block_on;

    #[derive(Debug)]
    struct Counting {
        vehicle: Arc<dyn Vehicle>,
        until: Option<Timestamp>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Admission for Counting {
        async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match credential {
                Credential::None => Err(Error::new(ErrorKind::Denied, "a token is needed")),
                _ => Ok(Admitted { view: self.vehicle.clone(), until: self.until }),
            }
        }
    }

    fn door(until: Option<Timestamp>, clock: &ManualClock) -> (Arc<Counting>, Door) {
        let catalogue = Catalogue::new([], Facts::default()).unwrap();
        let vehicle = Arc::new(MemoryVehicle::new(catalogue, Arc::new(clock.clone())));
        let counting = Arc::new(Counting { vehicle, until, asked: AtomicUsize::new(0) });
        (counting.clone(), Door::new(counting, Arc::new(clock.clone()), 2))
    }

    fn token(text: &str) -> Credential {
        Credential::Token(text.as_bytes().into())
    }

    #[test]
    fn a_credential_is_admitted_once_and_few_are_remembered() {
        let clock = ManualClock::default();
        let (counting, door) = door(None, &clock);
        let asked = || counting.asked.load(Ordering::Relaxed);
        let first = block_on(door.admit(&token("a"))).unwrap();
        assert!(Arc::ptr_eq(&first, &block_on(door.admit(&token("a"))).unwrap()));
        assert_eq!(asked(), 1);
        let other = block_on(door.admit(&token("b"))).unwrap();
        assert_ne!(first.holder, other.holder);
        // The third takes the place of the one that was used longest ago.
        block_on(door.admit(&token("a"))).unwrap();
        block_on(door.admit(&token("c"))).unwrap();
        assert_eq!(asked(), 3);
        block_on(door.admit(&token("a"))).unwrap();
        assert_eq!(asked(), 3);
        block_on(door.admit(&token("b"))).unwrap();
        assert_eq!(asked(), 4);
    }

    #[test]
    fn a_refusal_is_not_remembered_and_an_end_is_kept() {
        let clock = ManualClock::default();
        let (counting, door) = door(Some(Timestamp::from_seconds(90)), &clock);
        for _ in 0..2 {
            assert_eq!(block_on(door.admit(&Credential::None)).unwrap_err().kind(), ErrorKind::Denied);
        }
        assert_eq!(counting.asked.load(Ordering::Relaxed), 2);
        let pass = block_on(door.admit(&token("a"))).unwrap();
        assert_eq!(pass.over_at(&clock).map(Monotonic::nanoseconds), Some(60_000_000_000));
        clock.advance(Duration::from_secs(90));
        assert!(pass.is_over(clock.now()));
        let renewed = block_on(door.admit(&token("a"))).unwrap();
        assert_eq!(renewed.holder, pass.holder);
        assert_eq!(counting.asked.load(Ordering::Relaxed), 4);
    }
}
