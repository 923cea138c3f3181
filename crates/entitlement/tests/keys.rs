//! Key sets: what a root signed is trusted for what it says, keys take turns, and nothing goes back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use coachwork_entitlement::{KeyError, KeyId, MAX_KEYS, OldKeySet, PublicKey, Roots, Verifier, VerifyError};
use coachwork_vehicle::Timestamp;
use coset::cbor::Value;
use ed25519_dalek::SigningKey;
use support::*;

const KEYS_AAD: &[u8] = b"coachwork/keys/v1";
/// When the grant of `full_claims` was issued.
const ISSUED: i64 = 1_780_000_000;

fn roots() -> Roots {
    let public = PublicKey::from_bytes(key().verifying_key().as_bytes()).unwrap();
    Roots::new([(KeyId::new(KID).unwrap(), public)]).unwrap()
}

/// The key that signs grants here is the same as the root's, so that only domains keep the two apart.
fn entry(id: &[u8], purpose: i64, from: i64, until: Option<i64>) -> Vec<(Value, Value)> {
    let mut entry = vec![
        (int(1), Value::Bytes(id.to_vec())),
        (int(2), Value::Bytes(key().verifying_key().to_bytes().to_vec())),
        (int(3), int(purpose)),
        (int(4), int(from)),
    ];
    entry.extend(until.map(|until| (int(5), int(until))));
    entry
}

fn claims(keys: Vec<Vec<(Value, Value)>>, sequence: i64) -> Vec<(Value, Value)> {
    vec![
        (int(6), int(ISSUED)),
        (int(-65537), Value::Array(keys.into_iter().map(Value::Map).collect())),
        (int(-65538), int(sequence)),
    ]
}

fn document(keys: Vec<Vec<(Value, Value)>>, sequence: i64) -> Vec<u8> {
    sign_as(cbor(&Value::Map(claims(keys, sequence))), KEYS_AAD)
}

fn refused(claims: Vec<(Value, Value)>) {
    let why = roots().verify(&sign_as(cbor(&Value::Map(claims)), KEYS_AAD)).unwrap_err();
    assert!(matches!(why, VerifyError::Claims { .. }), "{why}");
}

#[test]
fn a_key_set_made_by_coset_is_read_and_trusted_in_its_time() {
    let grant = sign_claims(full_claims());
    for (from, until, trusted) in [
        (0, None, true),
        (ISSUED, Some(ISSUED + 1), true),
        (ISSUED + 1, None, false),
        (0, Some(ISSUED), false),
    ] {
        let set = roots().verify(&document(vec![entry(KID, 1, from, until)], 1)).unwrap();
        assert_eq!((set.sequence(), set.keys().len()), (1, 1));
        assert_eq!(set.keys()[0].from(), Timestamp::from_seconds(from));
        assert_eq!(set.keys()[0].until(), until.map(Timestamp::from_seconds));
        let outcome = Verifier::trusting(&set).verify(&grant).map(drop);
        assert_eq!(outcome, if trusted { Ok(()) } else { Err(VerifyError::KeyOutOfTime) });
    }
}

#[test]
fn keys_overlap_and_a_withdrawn_one_is_gone() {
    let both = vec![entry(b"2025", 1, 0, Some(ISSUED + 10)), entry(KID, 1, ISSUED - 10, None)];
    let set = roots().verify(&document(both, 1)).unwrap();
    let verifier = Verifier::trusting(&set);
    let grant = sign_claims(full_claims());
    assert!(verifier.verify(&grant).is_ok());
    let next = roots().verify(&document(vec![entry(b"2027", 1, 0, None)], 2)).unwrap();
    let updated = verifier.updated(&next).unwrap();
    assert_eq!(updated.verify(&grant).unwrap_err(), VerifyError::UnknownKey);
    // The set before, or the same again, does not bring it back.
    for old in [&set, &next] {
        assert_eq!(updated.updated(old).unwrap_err(), OldKeySet);
    }
}

#[test]
fn a_key_for_another_purpose_signs_no_grants() {
    let set = roots().verify(&document(vec![entry(KID, 2, 0, None)], 1)).unwrap();
    assert_eq!(set.keys()[0].purpose().number(), 2);
    let verifier = Verifier::trusting(&set);
    assert_eq!(verifier.verify(&sign_claims(full_claims())).unwrap_err(), VerifyError::UnknownKey);
}

#[test]
fn a_grant_is_no_key_set_and_a_key_set_no_grant() {
    assert_eq!(roots().verify(&sign_claims(full_claims())).unwrap_err(), VerifyError::Signature);
    let document = document(vec![entry(KID, 1, 0, None)], 1);
    assert_eq!(verifier().verify(&document).unwrap_err(), VerifyError::Signature);
}

#[test]
fn every_single_bit_flip_and_truncation_is_refused() {
    let mut bytes = document(vec![entry(b"2025", 1, 0, Some(9)), entry(KID, 1, 5, None)], 3);
    let roots = roots();
    assert!(roots.verify(&bytes).is_ok());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(roots.verify(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for end in 0..bytes.len() {
        assert!(roots.verify(&bytes[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn what_is_no_key_set_is_refused() {
    let one = || entry(KID, 1, 0, None);
    let good = || claims(vec![one()], 1);
    assert!(roots().verify(&sign_as(cbor(&Value::Map(good())), KEYS_AAD)).is_ok());
    refused(claims(vec![], 1));
    refused(claims(vec![one()], 0));
    refused(claims(vec![one(), one()], 1));
    refused(claims(vec![entry(b"2027", 1, 0, None), one()], 1));
    refused(claims(vec![entry(KID, 0, 0, None)], 1));
    refused(claims(vec![entry(KID, 256, 0, None)], 1));
    refused(claims(vec![entry(KID, 1, 5, Some(5))], 1));
    refused(claims(vec![entry(KID, 1, -1, None)], 1));
    refused(claims(vec![entry(b"", 1, 0, None)], 1));
    refused(claims((0..=MAX_KEYS).map(|n| entry(&[u8::try_from(n).unwrap()], 1, 0, None)).collect(), 1));
    for at in 0..3 {
        let (mut missing, mut twice, mut swapped) = (good(), good(), good());
        missing.remove(at);
        refused(missing);
        twice.insert(at, twice[at].clone());
        refused(twice);
        swapped.swap(at, (at + 1) % 3);
        refused(swapped);
    }
    for at in 0..4 {
        let (mut missing, mut twice) = (one(), one());
        missing.remove(at);
        refused(claims(vec![missing], 1));
        twice.insert(at, twice[at].clone());
        refused(claims(vec![twice], 1));
    }
    let mut more = one();
    more.push((int(6), int(1)));
    refused(claims(vec![more], 1));
}

#[test]
fn a_count_that_is_not_that_of_its_entries_is_refused() {
    let payload = cbor(&Value::Map(claims(vec![entry(KID, 1, 0, None)], 1)));
    let at = payload.windows(2).position(|pair| pair == [0x81, 0xa4]).unwrap() + 1;
    for head in [0xa3, 0xa5, 0xa6] {
        let mut wrong = payload.clone();
        wrong[at] = head;
        let why = roots().verify(&sign_as(wrong, KEYS_AAD)).unwrap_err();
        assert!(matches!(why, VerifyError::Claims { .. }), "{why}");
    }
}

/// Points of small order, and what is no point.
#[test]
fn a_weak_key_spoils_its_set() {
    let weak = [
        [0; 32],
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [0xff; 32],
    ];
    for bytes in weak {
        let mut entry = entry(KID, 1, 0, None);
        entry[1].1 = Value::Bytes(bytes.to_vec());
        refused(claims(vec![entry], 1));
    }
    let mut short = entry(KID, 1, 0, None);
    short[1].1 = Value::Bytes(vec![1; 31]);
    refused(claims(vec![short], 1));
}

#[test]
fn roots_are_a_set_too() {
    let public = PublicKey::from_bytes(key().verifying_key().as_bytes()).unwrap();
    let id = KeyId::new("r").unwrap();
    assert_eq!(Roots::new([(id, public), (id, public)]).unwrap_err(), KeyError::Duplicate);
    let other = PublicKey::from_bytes(SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes()).unwrap();
    let others = Roots::new([(KeyId::new(KID).unwrap(), other)]).unwrap();
    let document = document(vec![entry(KID, 1, 0, None)], 1);
    assert_eq!(others.verify(&document).unwrap_err(), VerifyError::Signature);
}
