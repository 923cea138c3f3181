//! Statuses and keys become the lists of them that a back end publishes.
//!
//! *Invariant:* what is made here is what a verifier takes: sorted, bounded, in whole seconds.
//! *Next:* `../issue.rs` signs them.

use std::collections::BTreeMap;
use std::time::Duration;

use coachwork_vehicle::Timestamp;

use super::error::IssueError;
use super::{up_to_seconds, whole_seconds};
use crate::grant::MAX_SECONDS;
use crate::id::KeyId;
use crate::key::{KeyError, PublicKey};
use crate::key_set::{KeySet, Purpose, SetKey};
use crate::status::{self, MAX_REASONS, MAX_STATUSES, Status, StatusList};
use crate::terms::Because;
use crate::verify::MAX_KEYS;

impl StatusList {
    /// A list named `uri`, issued at `now`, with `places` places of four bits, all valid.
    ///
    /// # Errors
    /// [`IssueError::Status`] if `uri` cannot name a list, or there is no place or are too many; [`IssueError::Range`] for
    /// a time outside 1970 to 2262.
    pub fn new(uri: &str, now: Timestamp, places: u32) -> Result<Self, IssueError> {
        let bytes = usize::try_from(places).map_err(|_| IssueError::Status)?.div_ceil(2);
        if !status::is_uri(uri) || bytes == 0 || bytes > MAX_STATUSES {
            return Err(IssueError::Status);
        }
        Ok(Self {
            uri: uri.into(),
            issued: whole_seconds(now, false)?,
            expires: None,
            ttl: None,
            bits: 4,
            statuses: vec![0; bytes].into(),
            reasons: [].into(),
        })
    }

    /// The same list, issued again at `now`.
    ///
    /// # Errors
    /// [`IssueError::Range`] for a time outside 1970 to 2262.
    pub fn issued_at(self, now: Timestamp) -> Result<Self, IssueError> {
        Ok(Self { issued: whole_seconds(now, false)?, ..self })
    }

    /// Is fresh for so long. Rounded up to a whole second.
    ///
    /// # Errors
    /// [`IssueError::Range`] for more than 292 years.
    pub fn fresh_for(self, time: Duration) -> Result<Self, IssueError> {
        let ttl = up_to_seconds(time);
        if ttl == 0 || ttl > MAX_SECONDS {
            Err(IssueError::Range)
        } else {
            Ok(Self { ttl: Some(ttl), ..self })
        }
    }

    /// Puts a status at a place. What withdraws or suspends a grant has effect only with its reason.
    ///
    /// # Errors
    /// [`IssueError::Status`] if the list has no such place or the status does not fit it, or there are too many reasons.
    pub fn set(&mut self, index: u32, status: Status, because: Option<Because>) -> Result<(), IssueError> {
        let bits = u32::from(self.bits);
        let at = usize::try_from(index / (8 / bits)).map_err(|_| IssueError::Status)?;
        let mask = u8::MAX >> (8 - bits);
        let number = status.number();
        let mut statuses = self.statuses.to_vec();
        let byte = statuses.get_mut(at).filter(|_| number <= mask).ok_or(IssueError::Status)?;
        let shift = index % (8 / bits) * bits;
        *byte = *byte & !(mask << shift) | number << shift;
        self.statuses = statuses.into();
        let mut reasons: BTreeMap<_, _> = self.reasons.iter().copied().collect();
        match because {
            Some(because) => reasons.insert(index, because),
            None => reasons.remove(&index),
        };
        if reasons.len() as u64 > MAX_REASONS {
            return Err(IssueError::Status);
        }
        self.reasons = reasons.into_iter().collect();
        Ok(())
    }
}

impl KeySet {
    /// A key set with these keys, issued at `now`. Its `sequence`, from 1, is higher than that of every earlier one.
    ///
    /// # Errors
    /// An [`IssueError`] if there is no key, or the keys, their number or the sequence are not those of a set.
    pub fn new(
        sequence: u64,
        now: Timestamp,
        keys: impl IntoIterator<Item = SetKey>,
    ) -> Result<Self, IssueError> {
        let mut keys: Vec<_> = keys.into_iter().take(MAX_KEYS + 1).collect();
        keys.sort_by_key(|key| key.id);
        if keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany.into());
        }
        if !keys.is_sorted_by(|a, b| a.id < b.id) {
            return Err(KeyError::Duplicate.into());
        }
        if keys.is_empty() {
            return Err(IssueError::NoKey);
        }
        if sequence == 0 {
            return Err(IssueError::Order);
        }
        Ok(Self { sequence, issued: whole_seconds(now, false)?, keys: keys.into() })
    }
}

impl SetKey {
    /// A key for grants issued from `from` on, and, if `until` is given, before that. Rounded to whole seconds, down
    /// and up.
    ///
    /// # Errors
    /// [`IssueError::Order`] if it ends before it begins, [`IssueError::Range`] outside 1970 to 2262.
    pub fn for_grants(
        id: KeyId,
        public: PublicKey,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        Self::new(id, public, Purpose::GRANTS, from, until)
    }

    /// A key for status lists issued in this time, otherwise as [`for_grants`](Self::for_grants).
    ///
    /// # Errors
    /// As there.
    pub fn for_status(
        id: KeyId,
        public: PublicKey,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        Self::new(id, public, Purpose::STATUS, from, until)
    }

    fn new(
        id: KeyId,
        public: PublicKey,
        purpose: Purpose,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, IssueError> {
        let from = whole_seconds(from, false)?;
        let until = until.map(|at| whole_seconds(at, true)).transpose()?;
        if until.is_some_and(|until| until <= from) {
            return Err(IssueError::Order);
        }
        Ok(Self { id, public, purpose, from, until })
    }
}
