//! The requests that peers made under idempotency keys: asked again, the same receipt; and keys of different peers never meet.
//!
//! *Invariant:* each holder has a memory of its own, so that nobody can see, use or push out what another one asked. A holder is who
//! holds a credential; without one, the host that it comes from. At most [`HOLDERS`] are remembered, with [`REMEMBERED`] requests each.
//! *Next:* `calls.rs` (which sets).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use coachwork_vehicle::{Credential, Error, ErrorKind, Key, Receipt, SignalId, Value};

use crate::door::Pass;

/// How many requests are remembered for one holder; the oldest is forgotten first.
const REMEMBERED: usize = 1024;
/// How many holders are remembered; the one that asked longest ago is forgotten first.
const HOLDERS: usize = 1024;

/// Whose keys they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// Who holds the credential of this pass.
    Pass(u64),
    /// Whoever comes from this host without a credential.
    Host(Arc<str>),
}

/// What is known of a key.
pub(crate) enum Recalled {
    /// It is new, or its request is still on the way to the vehicle: to be asked under a key of the gateway's own.
    New(Kept),
    /// It was asked before.
    Same(Receipt),
    /// It was used for another request.
    Other(Error),
}

/// A place in the memory.
pub(crate) struct Kept {
    key: Key,
    pub(crate) at_the_vehicle: Key,
}

#[derive(Debug)]
pub(crate) struct Keys {
    /// Tells this gateway from the others of the process, which may serve the same vehicle.
    gateway: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    holders: HashMap<Holder, Memory>,
    /// The number of the last key, and of the last use.
    last: u64,
}

#[derive(Debug, Default)]
struct Memory {
    requests: HashMap<Key, Remembered>,
    order: VecDeque<Key>,
    used: u64,
}

#[derive(Debug)]
struct Remembered {
    at_the_vehicle: Key,
    signal: SignalId,
    value: Value,
    /// There once the vehicle has answered.
    receipt: Option<Receipt>,
}

impl Holder {
    pub(crate) fn of(credential: &Credential, pass: &Pass, from: &Arc<str>) -> Self {
        match credential {
            Credential::None => Self::Host(from.clone()),
            _ => Self::Pass(pass.number),
        }
    }
}

impl Keys {
    pub(crate) fn new() -> Self {
        static GATEWAYS: AtomicU64 = AtomicU64::new(1);
        Self { gateway: GATEWAYS.fetch_add(1, Ordering::Relaxed), known: Mutex::default() }
    }

    /// What is known of a holder's key for this request.
    pub(crate) fn of(&self, holder: &Holder, key: Key, signal: SignalId, value: &Value) -> Recalled {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.last += 1;
        let last = known.last;
        if known.holders.len() >= HOLDERS && !known.holders.contains_key(holder) {
            let oldest = known.holders.iter().min_by_key(|(_, one)| one.used).map(|(held, _)| held.clone());
            oldest.and_then(|held| known.holders.remove(&held));
        }
        let memory = known.holders.entry(holder.clone()).or_default();
        memory.used = last;
        if let Some(before) = memory.requests.get(&key) {
            if before.signal != signal || !before.value.same(value) {
                let message = "the idempotency key was used before for another request";
                return Recalled::Other(Error::new(ErrorKind::Conflict, message));
            }
            return match &before.receipt {
                Some(receipt) => Recalled::Same(receipt.clone()),
                // The vehicle knows its key, and sees that it is the same request.
                None => Recalled::New(Kept { key, at_the_vehicle: before.at_the_vehicle.clone() }),
            };
        }
        // Two numbers and a word are far below the bound of a key.
        let own = Key::new(&format!("gateway/{}/{last}", self.gateway));
        let own = own.unwrap_or_else(|_| key.clone());
        if memory.order.len() >= REMEMBERED
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.requests.remove(&oldest);
        }
        memory.order.push_back(key.clone());
        let request = Remembered { at_the_vehicle: own.clone(), signal, value: value.clone(), receipt: None };
        memory.requests.insert(key.clone(), request);
        Recalled::New(Kept { key, at_the_vehicle: own })
    }

    /// The vehicle has taken the request.
    pub(crate) fn settle(&self, holder: &Holder, kept: &Kept, receipt: &Receipt) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = known.holders.get_mut(holder);
        if let Some(request) = memory.and_then(|memory| memory.requests.get_mut(&kept.key))
            && request.at_the_vehicle == kept.at_the_vehicle
        {
            request.receipt = Some(receipt.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::{Catalogue, DataType, Entry, Facts, ManualClock, Monotonic};

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    fn signals() -> Vec<SignalId> {
        let entries = ["A.A", "A.B"].map(|path| Entry::actuator(path, DataType::INT8));
        Catalogue::new(entries, Facts::default()).unwrap().ids().collect()
    }

    fn ask(keys: &Keys, holder: u64, name: &str, signal: SignalId, value: i64) -> Recalled {
        keys.of(&Holder::Pass(holder), key(name), signal, &Value::Int(value))
    }

    fn new(recalled: Recalled) -> Kept {
        match recalled {
            Recalled::New(kept) => kept,
            _ => panic!("it is known"),
        }
    }

    #[test]
    fn a_request_is_one_for_its_holder_and_nobody_elses() {
        let (keys, other, signals) = (Keys::new(), Keys::new(), signals());
        let kept = new(ask(&keys, 1, "a", signals[0], 5));
        assert_eq!(new(ask(&keys, 1, "a", signals[0], 5)).at_the_vehicle, kept.at_the_vehicle);
        let receipt = Receipt::new(Arc::new(ManualClock::default()), Monotonic::default());
        keys.settle(&Holder::Pass(1), &kept, &receipt);
        assert!(matches!(ask(&keys, 1, "a", signals[0], 5), Recalled::Same(_)));
        for (signal, value) in [(signals[1], 5), (signals[0], 6)] {
            let Recalled::Other(error) = ask(&keys, 1, "a", signal, value) else { panic!() };
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
        // Whoever guesses the key has another one.
        assert_ne!(new(ask(&keys, 2, "a", signals[0], 6)).at_the_vehicle, kept.at_the_vehicle);
        assert_ne!(new(ask(&other, 1, "a", signals[0], 6)).at_the_vehicle, kept.at_the_vehicle);
        assert_ne!(
            new(keys.of(&Holder::Host("1".into()), key("a"), signals[0], &Value::Int(6))).at_the_vehicle,
            kept.at_the_vehicle
        );
    }

    #[test]
    fn nobody_pushes_out_what_another_asked_and_few_are_remembered() {
        let (keys, signals) = (Keys::new(), signals());
        let kept = new(ask(&keys, 1, "a", signals[0], 5));
        for n in 0..=REMEMBERED {
            new(ask(&keys, 2, &n.to_string(), signals[0], 5));
        }
        assert_eq!(new(ask(&keys, 1, "a", signals[0], 5)).at_the_vehicle, kept.at_the_vehicle);
        assert_eq!(keys.known.lock().unwrap().holders[&Holder::Pass(2)].requests.len(), REMEMBERED);
        for n in 0..HOLDERS as u64 {
            new(ask(&keys, 10 + n, "a", signals[0], 5));
        }
        assert_eq!(keys.known.lock().unwrap().holders.len(), HOLDERS);
    }
}
