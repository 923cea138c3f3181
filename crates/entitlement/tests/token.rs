//! Tokens against the profile: what coset makes is read, and whatever differs in the least is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice)]
#![allow(clippy::format_collect, clippy::format_push_string)]

mod support;

use std::time::Duration;

use coachwork_entitlement::{
    Because, GrantId, KeyError, KeyId, Kind, MAX_TOKEN, OwnerEpoch, PublicKey, VehicleId,
};
use coachwork_entitlement::{Verifier, VerifyError};
use coachwork_vehicle::Timestamp;
use coset::cbor::Value;
use proptest::prelude::*;
use support::*;

/// The last second that a grant may name.
const LAST: i64 = 9_223_372_036;

fn why(token: &[u8]) -> VerifyError {
    verifier().verify(token).unwrap_err()
}

/// What is signed but not a grant.
fn claims_error(payload: Vec<u8>) -> &'static str {
    match why(&sign_payload(payload)) {
        VerifyError::Claims { expected, .. } => expected,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_made_by_coset_is_read() {
    let grant = verifier().verify(&sign_claims(full_claims())).unwrap();
    assert_eq!(grant.key(), KeyId::new(KID).unwrap());
    assert_eq!(grant.id(), GrantId::new("order-17").unwrap());
    assert_eq!(grant.vehicle(), VehicleId::opaque(VEHICLE));
    assert_eq!(grant.owner(), Some(OwnerEpoch(5)));
    assert_eq!(grant.sequence(), 2);
    assert_eq!(grant.issued(), Timestamp::from_seconds(1_780_000_000));
    assert_eq!(grant.starts(), Timestamp::from_seconds(1_790_000_000));
    assert_eq!(grant.expires(), Some(Timestamp::from_seconds(1_800_000_000)));
    assert_eq!(grant.grace(), Duration::from_secs(72 * 3600));
    assert_eq!(grant.ends(), Some(Timestamp::from_seconds(1_800_259_200)));
    let names: Vec<_> = grant.features().iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["remote-start", "seat-heating"]);
}

/// The token at the end of `docs/entitlement.md`, made by the Python script there with pycose.
#[test]
fn a_token_made_in_python_is_read() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/entitlement.md");
    let Ok(page) = std::fs::read_to_string(page) else {
        // A packaged crate has no repository around it.
        return;
    };
    let hex = page.rsplit("```text").next().unwrap().split("```").next().unwrap().replace('\n', "");
    let token: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    assert_eq!(token.len(), 162);
    let grant = verifier().verify(&token).unwrap();
    assert_eq!(grant.id(), GrantId::new("order-17").unwrap());
    assert_eq!(grant.features().len(), 2);
    assert_eq!(grant.ends(), Some(Timestamp::from_seconds(1_800_259_200)));
}

#[test]
fn what_is_optional_may_be_left_out() {
    for claim in [0, 1] {
        let mut claims = full_claims();
        claims.remove(claim);
        if claim == 0 {
            claims[3].1 = Value::Map(full_entries()[..4].to_vec());
        }
        let grant = verifier().verify(&sign_claims(claims)).unwrap();
        assert_eq!(grant.expires().is_none(), claim == 0);
        assert_eq!(grant.starts() == grant.issued(), claim == 1);
    }
    for entry in [2, 3, 4] {
        let (mut claims, mut entries) = (full_claims(), full_entries());
        entries.remove(entry);
        claims[4].1 = Value::Map(entries);
        let grant = verifier().verify(&sign_claims(claims)).unwrap();
        assert_eq!(grant.sequence() == 0, entry == 2);
        assert_eq!(grant.owner().is_none(), entry == 3);
        assert_eq!(grant.grace().is_zero(), entry == 4);
    }
}

#[test]
fn everything_that_may_be_said_is_read() {
    let grant = verifier().verify(&sign_claims(rich_claims())).unwrap();
    assert_eq!(grant.kind(), Kind::Trial);
    assert_eq!(grant.offline(), Some(Duration::from_secs(1_814_400)));
    assert_eq!(grant.regions().iter().map(ToString::to_string).collect::<Vec<_>>(), ["CH", "DE"]);
    assert_eq!(grant.plan().map(ToString::to_string).as_deref(), Some("winter"));
    assert_eq!(grant.because(), Some(Because::Exchanged));
    let scopes: Vec<_> = grant.scopes().iter().map(ToString::to_string).collect();
    assert_eq!(scopes, ["actuate:Vehicle.Cabin.**", "read"]);
    let status = grant.status().unwrap();
    assert_eq!((status.uri(), status.index()), ("https://example.com/1", 7));
}

#[test]
fn terms_that_do_not_fit_together_are_refused() {
    type Map = Vec<(Value, Value)>;
    let with = |change: &dyn Fn(&mut Map, &mut Map)| {
        let mut claims = rich_claims();
        let Value::Map(mut ours) = claims[5].1.clone() else { panic!() };
        change(&mut claims, &mut ours);
        let last = claims.len() - 1;
        claims[last].1 = Value::Map(ours);
        cbor(&Value::Map(claims))
    };
    assert!(verifier().verify(&sign_payload(with(&|_, _| {}))).is_ok());
    let texts = |names: &[&str]| Value::Array(names.iter().map(|name| text(name)).collect());
    for wrong in [
        // An allowance without a status; a kind, grace or allowance without an end.
        with(&|claims, _| drop(claims.remove(4))),
        with(&|claims, _| drop(claims.remove(0))),
        with(&|_, ours| ours[5].1 = int(0)),
        with(&|_, ours| ours[5].1 = int(4)),
        with(&|_, ours| ours[6].1 = int(0)),
        with(&|_, ours| ours[6].1 = int(LAST + 1)),
        with(&|_, ours| ours[7].1 = texts(&[])),
        with(&|_, ours| ours[7].1 = texts(&["DE", "CH"])),
        with(&|_, ours| ours[7].1 = texts(&["DE", "DE"])),
        with(&|_, ours| ours[7].1 = texts(&["de"])),
        with(&|_, ours| ours[8].1 = text("Winter")),
        with(&|_, ours| ours[9].1 = int(0)),
        with(&|_, ours| ours[9].1 = int(8)),
        // A reason in the first edition.
        with(&|_, ours| drop(ours.remove(2))),
        with(&|_, ours| ours[10].1 = texts(&[])),
        with(&|_, ours| ours[10].1 = texts(&["read", "actuate"])),
        with(&|_, ours| ours[10].1 = texts(&["read-only"])),
        with(&|_, ours| ours[10].1 = texts(&["write"])),
        with(&|claims, _| claims[4].1 = Value::Map(vec![])),
        with(&|claims, _| {
            let place = Value::Map(vec![(text("idx"), int(1 << 32)), (text("uri"), text("x"))]);
            claims[4].1 = Value::Map(vec![(text("status_list"), place)]);
        }),
        with(&|claims, _| {
            let place = Value::Map(vec![(text("idx"), int(1)), (text("uri"), text(&"x".repeat(129)))]);
            claims[4].1 = Value::Map(vec![(text("status_list"), place)]);
        }),
    ] {
        claims_error(wrong);
    }
}

#[test]
fn every_single_bit_flip_is_refused() {
    let mut token = sign_claims(rich_claims());
    let verifier = verifier();
    assert!(verifier.verify(&token).is_ok());
    for bit in 0..token.len() * 8 {
        token[bit / 8] ^= 1 << (bit % 8);
        assert!(verifier.verify(&token).is_err(), "bit {bit}");
        token[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_truncation_and_every_appended_byte_is_refused() {
    let token = sign_claims(rich_claims());
    for end in 0..token.len() {
        assert!(matches!(why(&token[..end]), VerifyError::Malformed { .. }), "{end} bytes");
    }
    for byte in 0..=255 {
        let mut longer = token.clone();
        longer.push(byte);
        assert!(matches!(why(&longer), VerifyError::Malformed { .. }), "{byte:02x} appended");
    }
}

/// The issuer's own mistakes: every single-bit flip and truncation of a payload, signed afresh, is either refused or
/// another grant that coset would have encoded to the same bytes.
#[test]
fn every_flip_and_truncation_of_a_signed_payload_is_refused_or_canonical() {
    let payload = cbor(&Value::Map(rich_claims()));
    let mut refused = 0;
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match verifier().verify(&sign_payload(flipped.clone())) {
            Ok(_) => {
                let value: Value = coset::CborSerializable::from_slice(&flipped).unwrap();
                assert_eq!(cbor(&value), flipped, "bit {bit}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > payload.len(), "{refused}");
    for end in 0..payload.len() {
        assert!(verifier().verify(&sign_payload(payload[..end].to_vec())).is_err(), "{end} bytes");
    }
}

#[test]
fn duplicated_reordered_missing_and_unknown_claims_are_refused() {
    let refused = |claims: Vec<(Value, Value)>| claims_error(cbor(&Value::Map(claims)));
    for at in 0..5 {
        let mut twice = full_claims();
        twice.insert(at, twice[at].clone());
        refused(twice);
    }
    for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)] {
        let mut swapped = full_claims();
        swapped.swap(a, b);
        refused(swapped);
    }
    for needed in [2, 3, 4] {
        let mut missing = full_claims();
        missing.remove(needed);
        refused(missing);
    }
    for (at, key) in [(0, int(1)), (4, int(8)), (5, int(-65538)), (5, text("scope"))] {
        let mut more = full_claims();
        more.insert(at, (key, text("x")));
        refused(more);
    }
}

#[test]
fn duplicated_reordered_missing_and_unknown_entries_are_refused() {
    let refused = |entries: Vec<(Value, Value)>| {
        let mut claims = full_claims();
        claims[4].1 = Value::Map(entries);
        claims_error(cbor(&Value::Map(claims)))
    };
    for at in 0..5 {
        let mut twice = full_entries();
        twice.insert(at, twice[at].clone());
        refused(twice);
    }
    for at in 0..4 {
        let mut swapped = full_entries();
        swapped.swap(at, at + 1);
        refused(swapped);
    }
    for needed in [0, 1] {
        let mut missing = full_entries();
        missing.remove(needed);
        refused(missing);
    }
    for (at, key) in [(0, int(0)), (5, int(12)), (5, text("x")), (5, int(-1))] {
        let mut more = full_entries();
        more.insert(at, (key, int(1)));
        refused(more);
    }
}

#[test]
fn features_are_sorted_distinct_well_named_and_at_least_one() {
    let refused = |names: &[&str]| {
        let (mut claims, mut entries) = (full_claims(), full_entries());
        entries[1].1 = Value::Array(names.iter().map(|name| text(name)).collect());
        claims[4].1 = Value::Map(entries);
        claims_error(cbor(&Value::Map(claims)))
    };
    refused(&[]);
    refused(&["b", "a"]);
    refused(&["a", "a"]);
    for name in ["", "Seat", "seat heating", "sitzwärme", "a/b", "a\0", &"x".repeat(65)] {
        assert!(refused(&[name]).contains("a-z"), "{name}");
    }
}

#[test]
fn times_that_make_no_sense_are_refused() {
    let with = |exp: Option<i64>, nbf: Option<i64>, iat: i64, grace: i64| {
        let mut entries = full_entries()[..2].to_vec();
        if grace != 0 {
            entries.push((int(5), int(grace)));
        }
        let mut claims =
            vec![(int(6), int(iat)), (int(7), Value::Bytes(vec![1])), (int(-65537), Value::Map(entries))];
        claims.splice(0..0, nbf.map(|nbf| (int(5), int(nbf))));
        claims.splice(0..0, exp.map(|exp| (int(4), int(exp))));
        cbor(&Value::Map(claims))
    };
    assert!(verifier().verify(&sign_payload(with(Some(11), None, 10, 5))).is_ok());
    assert!(verifier().verify(&sign_payload(with(Some(LAST - 5), None, 0, 5))).is_ok());
    for wrong in [
        with(Some(10), None, 10, 0),
        with(Some(9), None, 10, 0),
        with(Some(20), Some(10), 10, 0),
        with(Some(20), Some(9), 10, 0),
        with(Some(20), Some(20), 10, 0),
        with(None, None, 10, 5),
        with(None, None, -1, 0),
        with(None, None, LAST + 1, 0),
        with(Some(LAST + 1), None, 10, 0),
        with(Some(LAST - 4), None, 10, 5),
        with(Some(LAST), None, 10, i64::MAX),
        with(Some(i64::MAX), None, 10, i64::MAX),
    ] {
        claims_error(wrong);
    }
    // The largest number that CBOR writes, for every number that there is.
    let most = || Value::Integer(u64::MAX.into());
    for claim in 0..3 {
        let mut claims = full_claims();
        claims[claim].1 = most();
        claims_error(cbor(&Value::Map(claims)));
    }
    for (entry, may) in [(2, true), (3, false), (4, false)] {
        let (mut claims, mut entries) = (full_claims(), full_entries());
        entries[entry].1 = most();
        claims[4].1 = Value::Map(entries);
        // A sequence may be that large; it leaves no room for a later edition, which is its issuer's affair.
        assert_eq!(verifier().verify(&sign_claims(claims)).is_ok(), may, "entry {entry}");
    }
    // A date as a float, which RFC 8392 has and the profile does not.
    let mut claims = full_claims();
    claims[0].1 = Value::Float(1.8e9);
    claims_error(cbor(&Value::Map(claims)));
}

#[test]
fn the_same_claims_in_longer_cbor_are_refused() {
    let payload = cbor(&Value::Map(full_claims()));
    let splice = |at: usize, old: &[u8], new: &[u8]| {
        assert_eq!(&payload[at..at + old.len()], old, "at {at}");
        [&payload[..at], new, &payload[at + old.len()..]].concat()
    };
    let position = |needle: &[u8]| payload.windows(needle.len()).position(|w| w == needle).unwrap();
    let id = position(b"\x07\x48order-17");
    for wrong in [
        splice(0, &[0xa5], &[0xb8, 5]),
        splice(0, &[0xa5], &[0xb9, 0, 5]),
        splice(1, &[4], &[0x18, 4]),
        splice(2, &[0x1a], &[0x1b, 0, 0, 0, 0]),
        splice(id + 1, &[0x48], &[0x58, 8]),
        [splice(0, &[0xa5], &[0xbf]), vec![0xff]].concat(),
        splice(id + 1, b"\x48order-17", b"\x5f\x48order-17\xff"),
        splice(0, &[0xa5], &[0xd9, 0xd9, 0xf7, 0xa5]),
        splice(0, &[0xa5], &[0xd8, 0x3d, 0xa5]),
    ] {
        claims_error(wrong);
    }
}

#[test]
fn an_envelope_of_any_other_shape_is_refused() {
    let payload = cbor(&Value::Map(full_claims()));
    let good = [&[0xa2, 1, 0x27, 4, 0x44][..], KID].concat();
    let empty = || Value::Map(vec![]);
    assert!(verifier().verify(&sign_raw(&good, empty(), &payload)).is_ok());
    let header = |entries: &[(i64, Value)]| {
        cbor(&Value::Map(entries.iter().map(|(key, value)| (int(*key), value.clone())).collect()))
    };
    let kid = || Value::Bytes(KID.to_vec());
    for protected in [
        vec![],
        vec![0xa0],
        header(&[(1, int(-8))]),
        header(&[(4, kid())]),
        header(&[(4, kid()), (1, int(-8))]),
        header(&[(1, int(-8)), (1, int(-8)), (4, kid())]),
        header(&[(1, int(-19)), (4, kid())]),
        header(&[(1, int(-7)), (4, kid())]),
        header(&[(1, int(0)), (4, kid())]),
        header(&[(1, text("EdDSA")), (4, kid())]),
        header(&[(1, int(-8)), (2, Value::Array(vec![int(3)])), (4, kid())]),
        header(&[(1, int(-8)), (3, int(61)), (4, kid())]),
        header(&[(1, int(-8)), (4, Value::Bytes(vec![]))]),
        header(&[(1, int(-8)), (4, Value::Bytes(vec![1; 17]))]),
        header(&[(1, int(-8)), (4, text("2026"))]),
        [&[0xb8, 2, 1, 0x27, 4, 0x44][..], KID].concat(),
        [&good[..], &[0]].concat(),
    ] {
        assert!(matches!(why(&sign_raw(&protected, empty(), &payload)), VerifyError::Malformed { .. }));
    }
    let unprotected = Value::Map(vec![(int(4), kid())]);
    assert!(matches!(why(&sign_raw(&good, unprotected, &payload)), VerifyError::Malformed { .. }));

    let token = sign_raw(&good, empty(), &payload);
    for (tag, expected) in [(&[0xd1][..], "tag 18"), (&[], "tag 18"), (&[0xd8, 0x3d, 0xd2], "tag 18")] {
        let other = [tag, &token[1..]].concat();
        let VerifyError::Malformed { expected: found, .. } = why(&other) else { panic!() };
        assert!(found.contains(expected));
    }
    // Four elements that become three or five, a detached payload, a signature of another length.
    let Value::Tag(_, inner) = coset::CborSerializable::from_slice(&token).unwrap() else { panic!() };
    let Value::Array(parts) = *inner else { panic!() };
    let with = |change: fn(&mut Vec<Value>)| {
        let mut parts = parts.clone();
        change(&mut parts);
        cbor(&Value::Tag(18, Box::new(Value::Array(parts))))
    };
    for other in [
        with(|parts| drop(parts.pop())),
        with(|parts| parts.push(Value::Null)),
        with(|parts| parts[2] = Value::Null),
        with(|parts| parts[3] = Value::Bytes(vec![0; 63])),
        with(|parts| parts[3] = Value::Bytes(vec![0; 65])),
    ] {
        assert!(matches!(why(&other), VerifyError::Malformed { .. }));
    }
}

#[test]
fn a_signature_for_another_purpose_is_no_grant() {
    let payload = cbor(&Value::Map(full_claims()));
    for purpose in [&b""[..], b"coachwork/grant/v2", b"coachwork/keys/v1"] {
        assert_eq!(why(&sign_as(payload.clone(), purpose)), VerifyError::Signature);
    }
}

#[test]
fn other_keys_are_refused() {
    let token = sign_claims(full_claims());
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key();
    let other = PublicKey::from_bytes(other.as_bytes()).unwrap();
    let id = KeyId::new(KID).unwrap();
    let same_id = Verifier::new([(id, other)]).unwrap();
    assert_eq!(same_id.verify(&token).unwrap_err(), VerifyError::Signature);
    let other_id = Verifier::new([(KeyId::new("2027").unwrap(), other)]).unwrap();
    assert_eq!(other_id.verify(&token).unwrap_err(), VerifyError::UnknownKey);
    assert_eq!(Verifier::new([(id, other), (id, other)]).unwrap_err(), KeyError::Duplicate);
    let many = (0..100u8).map(|n| (KeyId::new([n]).unwrap(), other));
    assert_eq!(Verifier::new(many).unwrap_err(), KeyError::TooMany);
}

#[test]
fn a_hostile_length_is_refused_at_once_and_unread() {
    let big = vec![0xd2; 16 << 20];
    assert_eq!(why(&big), VerifyError::TooLong);
    assert_eq!(why(&vec![0xd2; MAX_TOKEN + 1]), VerifyError::TooLong);
    assert!(matches!(why(&vec![0xd2; MAX_TOKEN]), VerifyError::Malformed { .. }));
    // Lengths and counts that promise 2^64 - 1 bytes, in every position that has one.
    let claim = |head: u8| [&[head][..], &[0xff; 8]].concat();
    for start in [&b"\xd2\x84"[..], b"\xd2\x84\x41\xa0\xa0", b"\xd2"] {
        for head in [0x5b, 0x7b, 0x9b, 0xbb, 0xdb] {
            assert!(matches!(why(&[start, &claim(head)].concat()), VerifyError::Malformed { .. }));
        }
    }
    // A signed count is believed no more than an unsigned one.
    let mut payload = cbor(&Value::Map(full_claims()));
    let at = payload.windows(2).position(|w| w == [2, 0x82]).unwrap() + 1;
    payload.splice(at..=at, claim(0x9b));
    claims_error(payload);
}

#[test]
fn a_token_as_long_as_allowed_is_read() {
    let mut entries = full_entries();
    let names = (0..).map(|n| format!("{n:04}{}", "x".repeat(50)));
    entries[1].1 = Value::Array(names.take(69).map(Value::Text).collect());
    let mut claims = full_claims();
    claims[4].1 = Value::Map(entries);
    let token = sign_claims(claims);
    assert!((MAX_TOKEN - 100..=MAX_TOKEN).contains(&token.len()), "{}", token.len());
    assert_eq!(verifier().verify(&token).unwrap().features().len(), 69);
}

#[test]
fn nothing_shows_keys_token_bytes_or_the_vehicle() {
    let token = sign_claims(full_claims());
    let grant = verifier().verify(&token).unwrap();
    let public = PublicKey::from_bytes(key().verifying_key().as_bytes()).unwrap();
    let mut shown = format!("{grant:?} {public:?} {:?} {:?}", verifier(), grant.vehicle());
    for end in 0..token.len() {
        let why = why(&token[..end]);
        shown += &format!(" {why} {why:?}");
    }
    let public = key().verifying_key().to_bytes();
    let secrets = [&VEHICLE[..], &public, &token[token.len() - 64..]];
    for secret in secrets.iter().flat_map(|bytes| bytes.windows(4)) {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let decimal = format!("{secret:?}");
        assert!(!shown.contains(&hex) && !shown.contains(&decimal[1..decimal.len() - 1]), "{hex}");
    }
    assert!(!shown.contains("a vehicle's name"));
}

proptest! {
    #[test]
    fn noise_is_refused(token in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(verifier().verify(&token).is_err());
    }

    #[test]
    fn a_damaged_token_is_refused(at in 0usize..1000, bytes in prop::collection::vec(any::<u8>(), 1..8)) {
        let good = sign_claims(full_claims());
        let mut token = good.clone();
        let at = at % token.len();
        token.splice(at..at + bytes.len().min(token.len() - at), bytes);
        prop_assert_eq!(verifier().verify(&token).is_ok(), token == good);
    }
}
