//! Idempotency keys of peers become keys of the gateway's own, so that those of different peers never meet at the vehicle.
//!
//! *Invariant:* the same key of the holders of the same credential is the same key at the vehicle, as long as it is remembered; at most
//! [`REMEMBERED`] are.
//! *Next:* `calls.rs` (which sets).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use coachwork_vehicle::Key;

/// How many keys a gateway remembers; the oldest is forgotten first. A board remembers fewer.
const REMEMBERED: usize = 4096;

#[derive(Debug)]
pub(crate) struct Keys {
    /// Tells this gateway from the others of the process, which may serve the same vehicle.
    gateway: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<(u64, Key), Key>,
    order: VecDeque<(u64, Key)>,
    last: u64,
}

impl Keys {
    pub(crate) fn new() -> Self {
        static GATEWAYS: AtomicU64 = AtomicU64::new(1);
        Self { gateway: GATEWAYS.fetch_add(1, Ordering::Relaxed), known: Mutex::default() }
    }

    /// The key at the vehicle for a key of the holders of pass `number`.
    pub(crate) fn at_the_vehicle(&self, number: u64, key: Key) -> Key {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = (number, key);
        if let Some(key) = known.keys.get(&asked) {
            return key.clone();
        }
        known.last += 1;
        // Two numbers and a word are far below the bound of a key.
        let Ok(own) = Key::new(&format!("gateway/{}/{}", self.gateway, known.last)) else { return asked.1 };
        if known.order.len() >= REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.keys.remove(&oldest);
        }
        known.order.push_back(asked.clone());
        known.keys.insert(asked, own.clone());
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_peers_do_not_meet_and_few_are_remembered() {
        let key = |text: &str| Key::new(text).unwrap();
        let (one, other) = (Keys::new(), Keys::new());
        let first = one.at_the_vehicle(1, key("a"));
        assert_eq!(one.at_the_vehicle(1, key("a")), first);
        assert_ne!(one.at_the_vehicle(2, key("a")), first);
        assert_ne!(other.at_the_vehicle(1, key("a")), first);
        for n in 0..REMEMBERED {
            one.at_the_vehicle(3, key(&n.to_string()));
        }
        assert_ne!(one.at_the_vehicle(1, key("a")), first);
        assert_eq!(one.known.lock().unwrap().keys.len(), REMEMBERED);
    }
}
