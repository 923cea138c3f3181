//! What the car observes becomes part of its wallet: the time, the country, whether it moves.
//!
//! *Invariant:* an observation holds whether or not it can be saved. Nothing that worked on a journey ends before the car
//! is parked.
//! *Next:* `state.rs` is what changes; `follow.rs` tells of it.

use std::time::Duration;

use coachwork_vehicle::Timestamp;

use super::state::State;
use super::{SafeState, Wallet, WalletError};
use crate::audit::AuditEvent;
use crate::terms::Region;
use crate::time::{Reading, Trust};

/// How much time may pass between two saves of the time alone.
const SAVE_EVERY: Duration = Duration::from_secs(600);

impl Wallet {
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

    /// A change that holds whether or not it can be saved.
    fn observe(&self, save: bool, change: impl FnOnce(&mut State, Timestamp)) -> Result<(), WalletError> {
        let mono = self.0.clock.monotonic();
        let (changes, saved) = {
            let mut state = self.state();
            let at = state.time.now(mono).at;
            change(&mut state, at);
            state.renew(&self.0.setup, mono)?;
            let saved = if save { state.save(&*self.0.store, mono) } else { Ok(()) };
            (state.changes(mono), saved)
        };
        self.tell_all(&changes);
        saved
    }
}
