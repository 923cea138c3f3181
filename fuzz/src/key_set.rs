//! Bytes become a key set, as they are or signed by a root as what they claim to be; whatever verifies is exactly what it says.
//!
//! *Oracle:* a verified set is issued again to the same bytes, and a second reading of the claims, from the documentation
//! and over ciborium, takes and refuses the same payloads.
//! *Next:* `coachwork_entitlement::Roots`.

use std::sync::LazyLock;

use coachwork_entitlement::{Issuer, KeyId, MAX_TOKEN, PublicKey, Roots, VerifyError};
use coset::CborSerializable;
use coset::cbor::Value;

use crate::token_verify::{Verdict, entries, integer, sign_for};

const KID: &[u8] = b"fuzz";
const PROTECTED: &[u8] = b"\xa2\x01\x27\x04\x44fuzz";
const LAST: i128 = 9_223_372_036;

static ROOT: LazyLock<(Issuer, Roots)> = LazyLock::new(|| {
    let issuer = Issuer::new(KeyId::new(KID).expect("an id"), &[7; 32]).expect("a key");
    let roots = Roots::new([(issuer.key_id(), issuer.public_key())]).expect("a set");
    (issuer, roots)
});

/// The first byte says what the rest is: a whole document, or a payload to be signed.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`], with the outcome.
pub fn judge(data: &[u8]) -> Verdict {
    let (mode, rest) = data.split_first().unwrap_or((&0, &[]));
    let document =
        if mode % 2 == 0 { rest.to_vec() } else { sign_for(b"coachwork/keys/v1", PROTECTED, rest) };
    let outcome = ROOT.1.verify(&document);
    if mode % 2 == 1 {
        let expected = document.len() <= MAX_TOKEN && is_key_set(rest);
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
    }
    match outcome {
        Ok(set) => {
            assert_eq!(
                ROOT.0.issue_keys(&set).expect("it was a document"),
                document,
                "the set has another document"
            );
            Verdict::Grant
        }
        Err(VerifyError::Claims { .. }) => Verdict::Claims,
        Err(_) => Verdict::Token,
    }
}

/// The claims as `docs/entitlement.md` has them, read with ciborium.
fn is_key_set(payload: &[u8]) -> bool {
    let Ok(value) = Value::from_slice(payload) else { return false };
    value.clone().to_vec().ok().as_deref() == Some(payload) && key_set(value).is_some()
}

fn key_set(value: Value) -> Option<()> {
    let [issued, keys, sequence] = entries(value, [6, -65537, -65538])?;
    let within =
        |value: Value, last: i128, first: i128| integer(value).filter(|n| (first..=last).contains(n));
    within(issued?, LAST, 0)?;
    within(sequence?, i128::from(u64::MAX), 1)?;
    let keys = keys?.into_array().ok()?;
    let mut ids = Vec::new();
    for key in keys {
        let [id, public, purpose, from, until] = entries(key, [1, 2, 3, 4, 5])?;
        let id = id?.into_bytes().ok().filter(|id| (1..=16).contains(&id.len()))?;
        let public: [u8; 32] = public?.into_bytes().ok()?.try_into().ok()?;
        PublicKey::from_bytes(&public).ok()?;
        within(purpose?, 255, 1)?;
        let from = within(from?, LAST, 0)?;
        if let Some(until) = until {
            within(until, LAST, from + 1)?;
        }
        ids.push(id);
    }
    ((1..=64).contains(&ids.len()) && ids.is_sorted_by(|a, b| a < b)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        let payload = std::fs::read("seeds/key_set/payload").expect("the seed");
        assert_eq!(judge(&payload), Verdict::Grant);
        let mut worse = payload;
        worse[1] ^= 1;
        assert_eq!(judge(&worse), Verdict::Claims);
        assert_eq!(judge(&[]), Verdict::Token);
    }
}
