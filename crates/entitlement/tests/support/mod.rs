//! Tokens made with coset and ed25519-dalek, without a line of the crate under test.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::indexing_slicing)]

use coachwork_entitlement::{KeyId, PublicKey, Verifier};
use coset::cbor::Value;
use coset::{CborSerializable, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use ed25519_dalek::{Signer, SigningKey};

pub const KID: &[u8] = b"2026";
pub const AAD: &[u8] = b"coachwork/grant/v1";
pub const VEHICLE: [u8; 16] = *b"a vehicle's name";

pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub fn verifier() -> Verifier {
    let public = PublicKey::from_bytes(key().verifying_key().as_bytes()).unwrap();
    Verifier::new([(KeyId::new(KID).unwrap(), public)]).unwrap()
}

pub fn int(value: i64) -> Value {
    Value::Integer(value.into())
}

pub fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// The claims of a grant with everything in it.
pub fn full_claims() -> Vec<(Value, Value)> {
    vec![
        (int(4), int(1_800_000_000)),
        (int(5), int(1_790_000_000)),
        (int(6), int(1_780_000_000)),
        (int(7), Value::Bytes(b"order-17".to_vec())),
        (int(-65537), Value::Map(full_entries())),
    ]
}

pub fn full_entries() -> Vec<(Value, Value)> {
    vec![
        (int(1), Value::Bytes(VEHICLE.to_vec())),
        (int(2), Value::Array(vec![text("remote-start"), text("seat-heating")])),
        (int(3), int(2)),
        (int(4), int(5)),
        (int(5), int(259_200)),
    ]
}

/// The claims of a grant with every claim and entry that there is.
pub fn rich_claims() -> Vec<(Value, Value)> {
    let mut claims = full_claims();
    let texts = |names: &[&str]| Value::Array(names.iter().map(|name| text(name)).collect());
    let place = Value::Map(vec![(text("idx"), int(7)), (text("uri"), text("https://example.com/1"))]);
    claims.insert(4, (int(65535), Value::Map(vec![(text("status_list"), place)])));
    let mut entries = full_entries();
    entries.extend([
        (int(6), int(1)),
        (int(7), int(1_814_400)),
        (int(8), texts(&["CH", "DE"])),
        (int(9), text("winter")),
        (int(10), int(4)),
        (int(11), texts(&["actuate:Vehicle.Cabin.**", "read"])),
    ]);
    claims[5].1 = Value::Map(entries);
    claims
}

pub fn cbor(value: &Value) -> Vec<u8> {
    value.clone().to_vec().unwrap()
}

pub fn sign_claims(claims: Vec<(Value, Value)>) -> Vec<u8> {
    sign_payload(cbor(&Value::Map(claims)))
}

pub fn sign_payload(payload: Vec<u8>) -> Vec<u8> {
    sign_as(payload, AAD)
}

/// The payload in the profile's envelope, signed for some purpose.
pub fn sign_as(payload: Vec<u8>, aad: &[u8]) -> Vec<u8> {
    let header = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(KID.to_vec()).build();
    CoseSign1Builder::new()
        .protected(header)
        .payload(payload)
        .create_signature(aad, |message| key().sign(message).to_bytes().to_vec())
        .build()
        .to_tagged_vec()
        .unwrap()
}

/// The `Sig_structure` of RFC 9052 §4.4 with any protected bytes, and a token around it.
pub fn sign_raw(protected: &[u8], unprotected: Value, payload: &[u8]) -> Vec<u8> {
    let signed = Value::Array(vec![
        text("Signature1"),
        Value::Bytes(protected.to_vec()),
        Value::Bytes(AAD.to_vec()),
        Value::Bytes(payload.to_vec()),
    ]);
    let signature = key().sign(&cbor(&signed)).to_bytes().to_vec();
    cbor(&Value::Tag(
        18,
        Box::new(Value::Array(vec![
            Value::Bytes(protected.to_vec()),
            unprotected,
            Value::Bytes(payload.to_vec()),
            Value::Bytes(signature),
        ])),
    ))
}

/// A payload signed as a status list: with its type in the protected header, and no external data.
pub fn sign_status(payload: &[u8]) -> Vec<u8> {
    let typ = Value::Text("application/statuslist+cwt".into());
    let header =
        HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(KID.to_vec()).value(16, typ).build();
    CoseSign1Builder::new()
        .protected(header)
        .payload(payload.to_vec())
        .create_signature(b"", |message| key().sign(message).to_bytes().to_vec())
        .build()
        .to_tagged_vec()
        .unwrap()
}
