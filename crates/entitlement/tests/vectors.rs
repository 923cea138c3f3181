//! Published vectors for Ed25519 and COSE, as far as they bear on a grant.
//!
//! They are read from `COACHWORK_CORPUS` (default: `../shared/corpus` beside the workspace) and are no part of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice
)]

mod support;

use std::path::PathBuf;

use coachwork_entitlement::{
    KeyError, KeyId, PublicKey, Status, StatusList, Verified, Verifier, VerifyError,
};
use coset::cbor::Value as Cbor;
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;

fn vectors(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("COACHWORK_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus")),
        PathBuf::from,
    );
    let folder = root.join("vectors").join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_none_or(|value| value != "1"),
        "the corpus is required and {} is not there",
        folder.display()
    );
    eprintln!("skipped: {} is not there", folder.display());
    None
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn key(value: &Value) -> Result<PublicKey, KeyError> {
    PublicKey::from_bytes(&hex(value).try_into().unwrap())
}

/// What the crate does with a signature: its own check of the key, then strict verification.
fn accepts(public: &Value, message: &[u8], signature: &[u8]) -> bool {
    key(public).is_ok_and(|key| {
        let key = VerifyingKey::from_bytes(&key.to_bytes()).unwrap();
        key.verify_strict(message, &Signature::from_slice(signature).unwrap()).is_ok()
    })
}

#[test]
fn cctv_no_key_or_signature_with_a_low_order_part_is_trusted() {
    let Some(folder) = vectors("ed25519") else { return };
    let cases = json(folder.join("cctv.json"));
    let cases = cases.as_array().unwrap();
    let (mut weak, mut accepted) = (0, 0);
    for case in cases {
        let empty = vec![];
        let flags: Vec<_> =
            case["flags"].as_array().unwrap_or(&empty).iter().map(|flag| flag.as_str().unwrap()).collect();
        let bad_key = ["low_order_A", "non_canonical_A", "low_order_component_A"];
        if bad_key.iter().any(|flag| flags.contains(flag)) {
            assert!(key(&case["key"]).is_err(), "key of case {}", case["number"]);
            weak += 1;
        } else {
            assert!(key(&case["key"]).is_ok(), "key of case {}", case["number"]);
        }
        let bad = ["low_order_R", "non_canonical_R", "low_order_component_R", "low_order_residue"];
        let bad = bad_key.into_iter().chain(bad).any(|flag| flags.contains(&flag));
        let message = case["msg"].as_str().unwrap().as_bytes();
        let ours = accepts(&case["key"], message, &hex(&case["sig"]));
        assert_eq!(ours, !bad, "case {} {flags:?}", case["number"]);
        accepted += u32::from(ours);
    }
    // One case has no flag at all; it is the only one that a strict verifier with strict keys accepts.
    assert_eq!((cases.len(), weak, accepted), (914, 886, 1));
}

#[test]
fn speccheck_only_the_sound_cases_are_accepted() {
    let Some(folder) = vectors("ed25519") else { return };
    let cases = json(folder.join("speccheck.json"));
    let accepted: Vec<_> = cases
        .as_array()
        .unwrap()
        .iter()
        .map(|case| accepts(&case["pub_key"], &hex(&case["message"]), &hex(&case["signature"])))
        .collect();
    assert_eq!(accepted.len(), 12);
    // Cases 0 to 2 have small-order parts in key or signature, 4 and 5 need cofactored checks, 6 and 7 have a large S,
    // 8 to 11 are not canonical. Case 3 has a mixed-order key and signature.
    assert_eq!(accepted, [false; 12]);
}

/// Every example is a COSE message of another profile: refused by its shape, whatever its signature is worth.
#[test]
fn cose_examples_of_other_profiles_are_refused() {
    let Some(folder) = vectors("cose") else { return };
    let example = json(folder.join("eddsa-examples/eddsa-sig-01.json"));
    let trusted = key(&example["input"]["sign0"]["key"]["x_hex"]).unwrap();
    let verifier = Verifier::new([(KeyId::new("11").unwrap(), trusted)]).unwrap();
    let mut seen = 0;
    for kind in ["CWT", "eddsa-examples", "sign1-tests"] {
        for file in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = file.unwrap().path();
            let token = hex(&json(path.clone())["output"]["cbor"]);
            let refused = verifier.verify(&token).unwrap_err();
            assert!(matches!(refused, VerifyError::Malformed { .. }), "{}: {refused}", path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 18);
}

/// Our reading of RFC 9052 against the working group's: the bytes to be signed, and the signature over them.
#[test]
fn the_cose_eddsa_example_verifies_over_its_sig_structure() {
    let Some(folder) = vectors("cose/eddsa-examples") else { return };
    let example = json(folder.join("eddsa-sig-01.json"));
    let message = CoseSign1::from_tagged_slice(&hex(&example["output"]["cbor"])).unwrap();
    let signed = message.tbs_data(b"");
    assert_eq!(signed, hex(&example["intermediates"]["ToBeSign_hex"]));
    assert!(accepts(&example["input"]["sign0"]["key"]["x_hex"], &signed, &message.signature));
    // In the profile's envelope, the same key and signature make no grant: it was made for another purpose.
    let header = coset::HeaderBuilder::new().algorithm(coset::iana::Algorithm::EdDSA).key_id(b"11".to_vec());
    let moved = coset::CoseSign1Builder::new()
        .protected(header.build())
        .payload(message.payload.unwrap())
        .signature(message.signature)
        .build();
    let trusted = key(&example["input"]["sign0"]["key"]["x_hex"]).unwrap();
    let verifier = Verifier::new([(KeyId::new("11").unwrap(), trusted)]).unwrap();
    let moved = moved.to_tagged_vec().unwrap();
    assert_eq!(verifier.verify(&moved).unwrap_err(), VerifyError::Signature);
}

/// RFC 8392's own claims are those of the profile, as far as both have them: same keys, same types.
#[test]
fn the_cwt_example_has_the_registered_claims_where_we_have_them() {
    let Some(folder) = vectors("cose/CWT") else { return };
    let example = json(folder.join("A_3.json"));
    let message = CoseSign1::from_tagged_slice(&hex(&example["output"]["cbor"])).unwrap();
    let Cbor::Map(claims) = Cbor::from_slice(&message.payload.unwrap()).unwrap() else { panic!() };
    let claim =
        |number: i64| claims.iter().find(|(key, _)| *key == Cbor::Integer(number.into())).unwrap().1.clone();
    assert_eq!(claim(4), Cbor::Integer(1_444_064_944.into()));
    assert_eq!(claim(5), Cbor::Integer(1_443_944_944.into()));
    assert_eq!(claim(6), Cbor::Integer(1_443_944_944.into()));
    assert_eq!(claim(7), Cbor::Bytes(vec![0x0b, 0x71]));
}

/// The hexadecimal text of a vector file, whatever stands above it.
fn hex_lines(path: PathBuf) -> Vec<u8> {
    let text = std::fs::read_to_string(path).unwrap();
    let digits = text.rsplit(':').next().unwrap().split_whitespace().collect::<String>();
    hex(&Value::String(digits))
}

/// A list of the draft in our envelope, signed with the tests' key.
fn status_list(list: &[u8]) -> Result<Verified<StatusList>, VerifyError> {
    let list = Cbor::from_slice(list).unwrap();
    let claims = vec![
        (support::int(2), support::text("https://example.com/statuslists/1")),
        (support::int(6), support::int(1_686_920_170)),
        (support::int(65533), list),
    ];
    support::verifier().verify_status(&support::sign_status(&support::cbor(&Cbor::Map(claims))))
}

#[test]
fn status_list_examples_of_every_width_are_read() {
    let Some(folder) = vectors("status-list") else { return };
    let read = |name: &str| {
        let list = status_list(&hex_lines(folder.join(name))).unwrap();
        let len = u32::try_from(list.len()).unwrap();
        let marked =
            (0..len).map(|at| (at, list.status(at).unwrap().number())).filter(|(_, status)| *status > 0);
        (list.len(), marked.collect::<Vec<_>>())
    };
    // The draft's §4.1: 0xb9 0xa3 of one bit each, and 0xc9 0x44 0xf9 of two.
    let bits = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    let set: Vec<_> = (0u32..).zip(bits).filter(|(_, status)| *status > 0).collect();
    assert_eq!(read("status_list_encoding_cbor.md"), (16, set));
    let pairs = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
    let set: Vec<_> = (0u32..).zip(pairs).filter(|(_, status)| *status > 0).collect();
    assert_eq!(read("status_list_encoding2_cbor.md"), (12, set));
    // Its appendix: 2^20 entries each.
    let places = [0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345];
    let (len, marked) = read("status_list_encoding1_long_cbor.md");
    assert_eq!((len, marked), (1 << 20, places.map(|at| (at, 1)).to_vec()));
    let (len, marked) = read("status_list_encoding2_long_cbor.md");
    let twos = [1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3];
    assert_eq!((len, marked), (1 << 20, places.into_iter().zip(twos).collect()));
    let (len, mut marked) = read("status_list_encoding4_cbor.md");
    marked.sort_by_key(|(_, status)| *status);
    assert_eq!((len, marked.len(), marked[0], marked[14]), (1 << 20, 15, (0, 1), (1_030_205, 15)));
    let (len, marked) = read("status_list_encoding8_cbor.md");
    let distinct: std::collections::BTreeSet<_> = marked.iter().map(|(_, status)| *status).collect();
    assert_eq!((len, marked.len(), distinct.len()), (1 << 20, 255, 255));
}

/// The draft's whole token has another algorithm, another header and another order of claims: refused; its list is read.
#[test]
fn the_status_list_token_of_another_profile_is_refused_and_its_list_read() {
    let Some(folder) = vectors("status-list") else { return };
    let token = hex_lines(folder.join("status_list_cwt.md"));
    let refused = support::verifier().verify_status(&token).unwrap_err();
    assert!(matches!(refused, VerifyError::Malformed { .. }), "{refused}");
    let message = CoseSign1::from_tagged_slice(&token).unwrap();
    let Cbor::Map(claims) = Cbor::from_slice(&message.payload.unwrap()).unwrap() else { panic!() };
    let list = &claims.iter().find(|(key, _)| *key == support::int(65533)).unwrap().1;
    let list = status_list(&support::cbor(list)).unwrap();
    assert_eq!(
        (list.len(), list.status(0), list.status(1)),
        (16, Some(Status::Invalid), Some(Status::Valid))
    );
}
