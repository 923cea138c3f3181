//! Locks that a panicking holder cannot poison for everybody else, and one that lets whoever waits have a turn.
//!
//! *Invariant:* no lock of this crate is held across an `await`, or while foreign code runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// How often a thread makes way for those that wait, before it takes its turn all the same.
const COURTESY: usize = 200;

/// A lock that one thread takes again and again without pause, and others now and then: it makes way for those, who would
/// otherwise wait for a free moment that never comes.
pub(crate) struct Turn<T> {
    inside: Mutex<T>,
    waiting: AtomicUsize,
}

impl<T> Turn<T> {
    pub(crate) fn new(inside: T) -> Self {
        Self { inside: Mutex::new(inside), waiting: AtomicUsize::new(0) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        for _ in 0..COURTESY {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        match self.inside.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let guard = lock(&self.inside);
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                guard
            }
        }
    }
}
