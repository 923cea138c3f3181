//! Which part took the request under an idempotency key.
//!
//! *Invariant:* as many keys as a board remembers; the oldest is forgotten first.
//! *Next:* `moving.rs`.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::error::{Error, ErrorKind, Operation};
use crate::request::Key;
use crate::sync::lock;

/// How many keys are remembered: as many as a board does.
const REMEMBERED_KEYS: usize = 1024;

#[derive(Default)]
pub(super) struct Keys(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    parts: HashMap<Key, usize>,
    order: VecDeque<Key>,
}

impl Keys {
    /// The part that took it.
    pub(super) fn part(&self, key: &Key) -> Option<usize> {
        lock(&self.0).parts.get(key).copied()
    }

    /// Notes that a part takes it; says whether it is new. Where another part has it, it is a conflict.
    pub(super) fn take(&self, key: &Key, part: usize) -> Result<bool, Error> {
        let mut taken = lock(&self.0);
        match taken.parts.get(key) {
            Some(known) if *known == part => return Ok(false),
            Some(_) => return Err(conflict()),
            None => {}
        }
        if taken.order.len() >= REMEMBERED_KEYS
            && let Some(oldest) = taken.order.pop_front()
        {
            taken.parts.remove(&oldest);
        }
        taken.parts.insert(key.clone(), part);
        taken.order.push_back(key.clone());
        Ok(true)
    }

    /// Forgets it: its request was not sent.
    pub(super) fn free(&self, key: &Key) {
        let mut taken = lock(&self.0);
        taken.parts.remove(key);
        taken.order.retain(|other| other != key);
    }
}

pub(super) fn conflict() -> Error {
    Error::new(ErrorKind::Conflict, "the key was used for another request").during(Operation::Set)
}
