//! A token becomes a [`Verified<Grant>`] and a document a [`Verified<KeySet>`], or an error that says why not without
//! saying what is in it.
//!
//! *Invariant:* the length is looked at first, then the shape, then the signature, and only then the claims; no other
//! way leads to a [`Verified`]. Whether the grant fits this car and this time is not asked here.
//! *Next:* `license.rs` and `entitlements.rs` ask that; `token.rs`, `claims.rs` and `key.rs` do the steps.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::cbor::Malformed;
use crate::claims;
use crate::grant::Grant;
use crate::id::KeyId;
use crate::key::{KeyError, PublicKey};
use crate::key_set::{self, KeySet, Purpose};
use crate::status::{self, StatusList};
use crate::token::{self, Envelope, Profile, to_be_signed};

/// The most keys of a [`Verifier`], of [`Roots`] and of a [`KeySet`].
pub const MAX_KEYS: usize = 64;

/// Something whose signature was checked. Only a [`Verifier`] or [`Roots`] makes one:
///
/// ```compile_fail,E0451
/// # fn forged(value: coachwork_entitlement::Grant, key: coachwork_entitlement::KeyId) {
/// let mine = coachwork_entitlement::Verified { value, key };
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    key: KeyId,
}

impl<T> Verified<T> {
    /// The key that signed it.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// What was signed, without the proof.
    pub fn into_inner(self) -> T {
        self.value
    }

    #[cfg(test)]
    pub(crate) fn assumed(value: T) -> Self {
        Self { value, key: KeyId::new([0]).unwrap() }
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Checks grants against a set of public keys. Cloning is cheap; it holds nothing secret and reads no clock.
#[derive(Clone)]
pub struct Verifier {
    /// Sorted by id, each id once.
    keys: Arc<[Key]>,
    /// Of the key set that it follows; 0 for keys that are built in.
    sequence: u64,
}

#[derive(Clone, Copy)]
struct Key {
    id: KeyId,
    public: PublicKey,
    /// What it may sign; `None` for a key that is built in: anything but key sets.
    purpose: Option<Purpose>,
    /// When the grants that it may sign are issued, in seconds since 1970.
    from: u64,
    until: Option<u64>,
}

impl Verifier {
    /// A verifier that trusts these keys, whatever the date of a grant.
    ///
    /// # Errors
    /// [`KeyError::Duplicate`] if two have the same id, [`KeyError::TooMany`] if there are more than [`MAX_KEYS`].
    pub fn new(keys: impl IntoIterator<Item = (KeyId, PublicKey)>) -> Result<Self, KeyError> {
        let keys = sorted(keys)?;
        let keys =
            keys.into_iter().map(|(id, public)| Key { id, public, purpose: None, from: 0, until: None });
        Ok(Self { keys: keys.collect(), sequence: 0 })
    }

    /// A verifier that trusts the keys of this set, each for its purpose and for what is issued in its time.
    pub fn trusting(set: &Verified<KeySet>) -> Self {
        let keys = set.keys.iter().map(|k| Key {
            id: k.id,
            public: k.public,
            purpose: Some(k.purpose),
            from: k.from,
            until: k.until,
        });
        Self { keys: keys.collect(), sequence: set.sequence }
    }

    /// A verifier for the next key set.
    ///
    /// # Errors
    /// [`OldKeySet`] if the set is not newer than the one in use: somebody may want a withdrawn key back.
    pub fn updated(&self, set: &Verified<KeySet>) -> Result<Self, OldKeySet> {
        if set.sequence > self.sequence { Ok(Self::trusting(set)) } else { Err(OldKeySet) }
    }

    /// The grant in a token, if a trusted key signed it and it follows the profile to the letter.
    ///
    /// # Errors
    /// A [`VerifyError`]; too long a token is refused without looking at it.
    pub fn verify(&self, token: &[u8]) -> Result<Verified<Grant>, VerifyError> {
        let (grant, key) = open(token, token::GRANT, |id| self.key(id, Purpose::GRANTS), claims::decode)?;
        key.was_in_time(grant.issued)?;
        Ok(grant)
    }

    /// The status list in a document, if a trusted key for status lists signed it and it follows the profile.
    ///
    /// # Errors
    /// A [`VerifyError`], as for a grant.
    pub fn verify_status(&self, document: &[u8]) -> Result<Verified<StatusList>, VerifyError> {
        let (list, key) = open(document, token::STATUS, |id| self.key(id, Purpose::STATUS), status::decode)?;
        key.was_in_time(list.issued)?;
        Ok(list)
    }

    fn key(&self, id: &KeyId, purpose: Purpose) -> Option<(PublicKey, Key)> {
        let at = self.keys.binary_search_by_key(id, |key| key.id).ok()?;
        let key = self.keys.get(at).filter(|key| key.purpose.is_none_or(|is| is == purpose))?;
        Some((key.public, *key))
    }
}

impl Key {
    fn was_in_time(&self, issued: u64) -> Result<(), VerifyError> {
        if issued < self.from || self.until.is_some_and(|until| issued >= until) {
            return Err(VerifyError::KeyOutOfTime);
        }
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.id)).finish()
    }
}

/// The keys that sign key sets, and nothing else: the one thing that a car must be built with.
///
/// Their private halves are kept offline.
#[derive(Clone)]
pub struct Roots {
    /// Sorted by id, each id once.
    keys: Arc<[(KeyId, PublicKey)]>,
}

impl Roots {
    /// Trusts these keys as roots.
    ///
    /// # Errors
    /// As [`Verifier::new`].
    pub fn new(keys: impl IntoIterator<Item = (KeyId, PublicKey)>) -> Result<Self, KeyError> {
        Ok(Self { keys: sorted(keys)?.into() })
    }

    /// The key set in a document, if a root signed it and it follows the profile to the letter.
    ///
    /// # Errors
    /// A [`VerifyError`], as for a grant.
    pub fn verify(&self, document: &[u8]) -> Result<Verified<KeySet>, VerifyError> {
        let find = |id: &KeyId| {
            let at = self.keys.binary_search_by_key(id, |(id, _)| *id).ok();
            at.and_then(|at| self.keys.get(at)).map(|(_, public)| (*public, ()))
        };
        open(document, token::KEYS, find, key_set::decode).map(|(set, ())| set)
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

fn sorted(keys: impl IntoIterator<Item = (KeyId, PublicKey)>) -> Result<Vec<(KeyId, PublicKey)>, KeyError> {
    let mut keys: Vec<_> = keys.into_iter().take(MAX_KEYS + 1).collect();
    if keys.len() > MAX_KEYS {
        return Err(KeyError::TooMany);
    }
    keys.sort_by_key(|(id, _)| *id);
    if keys.is_sorted_by(|(a, _), (b, _)| a < b) { Ok(keys) } else { Err(KeyError::Duplicate) }
}

/// The order of checks, for every kind of document.
fn open<T, K>(
    token: &[u8],
    profile: Profile,
    find: impl FnOnce(&KeyId) -> Option<(PublicKey, K)>,
    decode: fn(&[u8]) -> Result<T, Malformed>,
) -> Result<(Verified<T>, K), VerifyError> {
    if token.len() > profile.max {
        return Err(VerifyError::TooLong);
    }
    let envelope = Envelope::open(token, profile.typ)
        .map_err(|Malformed { at, expected }| VerifyError::Malformed { at, expected })?;
    let (public, found) = find(&envelope.key).ok_or(VerifyError::UnknownKey)?;
    let signed = to_be_signed(envelope.protected, profile.domain, envelope.payload);
    if !public.verifies(&signed, envelope.signature) {
        return Err(VerifyError::Signature);
    }
    let value = decode(envelope.payload).map_err(|Malformed { at, expected }| VerifyError::Claims {
        at: at + envelope.payload_at,
        expected,
    })?;
    Ok((Verified { value, key: envelope.key }, found))
}

/// A key set that is not newer than the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key set is not newer than the one in use")]
pub struct OldKeySet;

/// Why a token was refused. It names positions in the profile, never bytes of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature holds, but the claims are not those of the profile: the issuer is at fault.
    #[error("signed, but not as it should be: expected {expected} at byte {at}")]
    Claims {
        /// The position in the token.
        at: usize,
        /// What the profile has there.
        expected: &'static str,
    },
    /// The grant was issued before or after the time of its key.
    #[error("issued outside the time of its key")]
    KeyOutOfTime,
    /// The bytes are not a token of the profile.
    #[error("not a token: expected {expected} at byte {at}")]
    Malformed {
        /// The position in the token.
        at: usize,
        /// What the profile has there.
        expected: &'static str,
    },
    /// The key did not sign these bytes, or not for this purpose.
    #[error("the signature does not hold")]
    Signature,
    /// More than [`MAX_TOKEN`](crate::MAX_TOKEN) bytes, or for a status list [`MAX_STATUS_TOKEN`](crate::MAX_STATUS_TOKEN).
    #[error("longer than a token may be")]
    TooLong,
    /// No trusted key has the token's key id.
    #[error("signed with a key that is not trusted here")]
    UnknownKey,
}
