//! A token becomes a [`Verified<Grant>`], or an error that says why not without saying what is in it.
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
use crate::token::{Envelope, GRANT_DOMAIN, MAX_TOKEN, to_be_signed};

/// The most keys of a [`Verifier`].
pub const MAX_KEYS: usize = 64;

/// Something whose signature was checked. Only a [`Verifier`] makes one:
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
    keys: Arc<[(KeyId, PublicKey)]>,
}

impl Verifier {
    /// A verifier that trusts these keys.
    ///
    /// # Errors
    /// [`KeyError::Duplicate`] if two have the same id, [`KeyError::TooMany`] if there are more than [`MAX_KEYS`].
    pub fn new(keys: impl IntoIterator<Item = (KeyId, PublicKey)>) -> Result<Self, KeyError> {
        let mut keys: Vec<_> = keys.into_iter().take(MAX_KEYS + 1).collect();
        if keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        keys.sort_by_key(|(id, _)| *id);
        if keys.is_sorted_by(|(a, _), (b, _)| a < b) {
            Ok(Self { keys: keys.into() })
        } else {
            Err(KeyError::Duplicate)
        }
    }

    /// The grant in a token, if a trusted key signed it and it follows the profile to the letter.
    ///
    /// # Errors
    /// A [`VerifyError`]; too long a token is refused without looking at it.
    pub fn verify(&self, token: &[u8]) -> Result<Verified<Grant>, VerifyError> {
        if token.len() > MAX_TOKEN {
            return Err(VerifyError::TooLong);
        }
        let envelope = Envelope::open(token)
            .map_err(|Malformed { at, expected }| VerifyError::Malformed { at, expected })?;
        let key = envelope.key;
        let public = self.keys.binary_search_by_key(&key, |(id, _)| *id).ok();
        let (_, public) = public.and_then(|at| self.keys.get(at)).ok_or(VerifyError::UnknownKey)?;
        let signed = to_be_signed(envelope.protected, GRANT_DOMAIN, envelope.payload);
        if !public.verifies(&signed, envelope.signature) {
            return Err(VerifyError::Signature);
        }
        let value = claims::decode(envelope.payload).map_err(|Malformed { at, expected }| {
            VerifyError::Claims { at: at + envelope.payload_at, expected }
        })?;
        Ok(Verified { value, key })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

/// Why a token was refused. It names positions in the profile, never bytes of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature holds, but the claims are not those of a grant: the issuer is at fault.
    #[error("signed, but not a grant: expected {expected} at byte {at}")]
    Claims {
        /// The position in the token.
        at: usize,
        /// What the profile has there.
        expected: &'static str,
    },
    /// The bytes are not a token of the profile.
    #[error("not a token: expected {expected} at byte {at}")]
    Malformed {
        /// The position in the token.
        at: usize,
        /// What the profile has there.
        expected: &'static str,
    },
    /// The key did not sign these bytes, or not as a grant.
    #[error("the signature does not hold")]
    Signature,
    /// More than [`MAX_TOKEN`] bytes.
    #[error("longer than a token may be")]
    TooLong,
    /// No trusted key has the token's key id.
    #[error("signed with a key that is not trusted here")]
    UnknownKey,
}
