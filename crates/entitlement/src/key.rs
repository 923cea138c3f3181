//! Thirty-two bytes become a public key that strict verification may use.
//!
//! *Invariant:* a [`PublicKey`] is a canonical encoding of a point of prime order: under a key of small order a
//! signature holds for messages that nobody signed, and a key with a small-order part makes verifiers disagree.
//! *Next:* `verify.rs` looks keys up by their id; `issue.rs` (feature `issuer`) has the other half.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

/// An Ed25519 public key. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key with these 32 bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`KeyError::Invalid`] if the bytes are no point of the curve or not its canonical encoding, and
    /// [`KeyError::Weak`] if the point has a part of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Invalid)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::Invalid);
        }
        if key.is_weak() || !point.is_torsion_free() {
            return Err(KeyError::Weak);
        }
        Ok(Self(key))
    }

    /// The key's 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Whether this key signed exactly this message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}

/// A key, or a set of keys, that cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes encode no point of the curve, or not canonically.
    #[error("not an Ed25519 public key")]
    Invalid,
    /// The point has a part of small order.
    #[error("a weak Ed25519 public key: it has a part of small order")]
    Weak,
    /// Two keys of the set have the same id.
    #[error("two keys have the same id")]
    Duplicate,
    /// The set is larger than [`MAX_KEYS`](crate::MAX_KEYS).
    #[error("more keys than a set may hold")]
    TooMany,
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
