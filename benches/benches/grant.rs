//! What a grant costs: to verify, beside the bare signature and other token libraries; to check, beside a set of names;
//! to refuse, when it is 16 MiB of nothing.
//!
//! All libraries carry the same five features and dates; that they say the same is asserted before anything is timed.
//! The ratios printed first are medians of interleaved rounds: on a noisy machine they count more than the times.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeSet, HashSet};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coachwork_entitlement::{
    Car, Entitlements, Features, Grant, GrantId, Issuer, KeyId, OwnerEpoch, PaidClass, PaidFeature,
    VehicleId, Verifier,
};
use coachwork_vehicle::Timestamp;
use coset::cbor::Value;
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use criterion::{Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

const NAMES: [&str; 5] = ["ambient-light", "navigation", "remote-start", "seat-heating", "traffic"];
const ISSUED: i64 = 1_780_000_000;
const EXPIRES: i64 = 4_102_444_800;
const DOMAIN: &[u8] = b"coachwork/grant/v1";

#[derive(serde::Serialize, serde::Deserialize)]
struct Claims {
    exp: i64,
    iat: i64,
    jti: String,
    vehicle: String,
    features: Vec<String>,
}

struct Bench {
    verifier: Verifier,
    token: Vec<u8>,
    public: VerifyingKey,
    signed: Vec<u8>,
    signature: Signature,
    jwt: String,
    jwt_key: DecodingKey,
    jwt_rules: Validation,
    entitlements: Entitlements,
}

impl Bench {
    fn new() -> Self {
        let secret = [7; 32];
        let issuer = Issuer::new(KeyId::new("2026").unwrap(), &secret).unwrap();
        let verifier = Verifier::new([(issuer.key_id(), issuer.public_key())]).unwrap();
        let vehicle = VehicleId::opaque(*b"a vehicle's name");
        let issued = Timestamp::from_seconds(ISSUED);
        let paid = |name: &str| PaidFeature::new(name.parse().unwrap(), PaidClass::Comfort);
        let draft = Grant::draft(GrantId::new("order-17").unwrap(), vehicle, issued);
        let draft = NAMES.iter().fold(draft, |draft, name| draft.opens(&paid(name)));
        let draft = draft.until(Timestamp::from_seconds(EXPIRES)).for_owner(OwnerEpoch(1));
        let grant = draft.grace(Duration::from_secs(3 * 86_400)).sequence(3).build().unwrap();
        let token = issuer.issue(&grant).unwrap();

        let key = SigningKey::from_bytes(&secret);
        let signed = CoseSign1::from_tagged_slice(&token).unwrap().tbs_data(DOMAIN);
        let signature = key.sign(&signed);

        let claims = Claims {
            exp: EXPIRES,
            iat: ISSUED,
            jti: "order-17".into(),
            vehicle: "61207665686963 6c652773206e616d65".replace(' ', ""),
            features: NAMES.map(String::from).to_vec(),
        };
        let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        der.extend(secret);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("2026".into());
        let jwt = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&der)).unwrap();

        let car = Car { vehicle, owner: OwnerEpoch(1) };
        let features = Arc::new(Features::new(NAMES.map(paid)).unwrap());
        let verified = verifier.verify(&token).unwrap();
        let entitlements = Entitlements::new(car, features, [verified], issued).unwrap();
        let public = key.verifying_key();
        let bench = Self {
            verifier,
            token,
            public,
            signed,
            signature,
            jwt,
            jwt_key: DecodingKey::from_ed_der(public.as_bytes()),
            jwt_rules: Validation::new(Algorithm::EdDSA),
            entitlements,
        };
        bench.assert_equal_answers();
        bench
    }

    fn assert_equal_answers(&self) {
        let names = BTreeSet::from(NAMES.map(String::from));
        let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
        let ours = self.ours();
        assert_eq!(set(ours.features().iter().map(ToString::to_string).collect()), names);
        assert_eq!(ours.expires(), Some(Timestamp::from_seconds(EXPIRES)));
        let (expires, coset) = self.coset();
        assert_eq!((expires, set(coset)), (EXPIRES, names.clone()));
        let jwt = self.jsonwebtoken();
        assert_eq!((jwt.exp, set(jwt.features)), (EXPIRES, names));
        assert!(self.raw());

        let now = Timestamp::from_seconds(ISSUED + 1);
        let grants = name_set();
        for (id, feature) in self.entitlements.features().iter() {
            let allowed = self.entitlements.check(id, now).is_allowed();
            assert_eq!(allowed, grants.contains(feature.name().as_str()));
        }
        println!(
            "bytes for five features: ours {}, jsonwebtoken {} (without owner, grace and sequence)",
            self.token.len(),
            self.jwt.len()
        );
    }

    fn raw(&self) -> bool {
        self.public.verify_strict(black_box(&self.signed), &self.signature).is_ok()
    }

    fn ours(&self) -> Grant {
        self.verifier.verify(black_box(&self.token)).unwrap().into_inner()
    }

    /// The same steps with a general COSE library: parse, verify, read the claims that are needed.
    fn coset(&self) -> (i64, Vec<String>) {
        let message = CoseSign1::from_tagged_slice(black_box(&self.token)).unwrap();
        let verified = message.verify_signature(DOMAIN, |signature, signed| {
            self.public.verify_strict(signed, &Signature::from_slice(signature).unwrap())
        });
        verified.unwrap();
        let claims = Value::from_slice(&message.payload.unwrap()).unwrap().into_map().unwrap();
        let find = |map: &[(Value, Value)], key: i64| {
            map.iter().find(|(is, _)| *is == Value::Integer(key.into())).unwrap().1.clone()
        };
        let expires = i128::from(find(&claims, 4).into_integer().unwrap());
        let ours = find(&claims, -65537).into_map().unwrap();
        let names = find(&ours, 2).into_array().unwrap();
        let names = names.into_iter().map(|name| name.into_text().unwrap()).collect();
        (i64::try_from(expires).unwrap(), names)
    }

    fn jsonwebtoken(&self) -> Claims {
        jsonwebtoken::decode::<Claims>(black_box(&self.jwt), &self.jwt_key, &self.jwt_rules).unwrap().claims
    }
}

fn name_set() -> HashSet<&'static str> {
    HashSet::from(NAMES)
}

/// The median time of each, in nanoseconds, in rounds that take turns.
fn medians<const N: usize>(calls: u32, steps: [&dyn Fn(); N]) -> [f64; N] {
    let mut times = [(); N].map(|()| Vec::new());
    for _ in 0..61 {
        for (step, times) in steps.iter().zip(&mut times) {
            let start = Instant::now();
            (0..calls).for_each(|_| step());
            times.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn print_ratios(bench: &Bench) {
    let [raw, ours, coset, jwt] = medians(
        20,
        [
            &|| assert!(bench.raw()),
            &|| drop(black_box(bench.ours())),
            &|| drop(black_box(bench.coset())),
            &|| drop(black_box(bench.jsonwebtoken())),
        ],
    );
    let us = |ns: f64| ns / 1000.0;
    println!(
        "verify: raw verify_strict {:.1} us; ours {:.1} us = {:.3}x; coset {:.1} us = {:.3}x; jsonwebtoken {:.1} us = {:.3}x",
        us(raw),
        us(ours),
        ours / raw,
        us(coset),
        coset / raw,
        us(jwt),
        jwt / raw
    );
    let (id, _) = bench.entitlements.features().iter().nth(3).unwrap();
    let names = name_set();
    let (now, late) = (Timestamp::from_seconds(ISSUED + 1), Timestamp::from_seconds(EXPIRES + 1));
    let [check, far, set] = medians(
        100_000,
        [
            &|| {
                black_box(bench.entitlements.check(black_box(id), black_box(now)));
            },
            &|| {
                black_box(bench.entitlements.check(black_box(id), black_box(late)));
            },
            &|| {
                black_box(names.contains(black_box("seat-heating")));
            },
        ],
    );
    println!(
        "check: {check:.2} ns (beyond the next date {far:.2} ns); HashSet<&str> {set:.2} ns = {:.1}x",
        set / check
    );
}

fn verify(c: &mut Criterion) {
    let bench = Bench::new();
    print_ratios(&bench);
    let mut group = c.benchmark_group("grant_verify");
    group.bench_function("raw verify_strict", |b| b.iter(|| bench.raw()));
    group.bench_function("coachwork", |b| b.iter(|| bench.ours()));
    group.bench_function("coset", |b| b.iter(|| bench.coset()));
    group.bench_function("jsonwebtoken", |b| b.iter(|| bench.jsonwebtoken()));
    group.finish();

    let (id, _) = bench.entitlements.features().iter().nth(3).unwrap();
    let names = name_set();
    let (now, late) = (Timestamp::from_seconds(ISSUED + 1), Timestamp::from_seconds(EXPIRES + 1));
    let mut group = c.benchmark_group("grant_check");
    group.bench_function("coachwork", |b| b.iter(|| bench.entitlements.check(black_box(id), black_box(now))));
    group.bench_function("coachwork beyond the next date", |b| {
        b.iter(|| bench.entitlements.check(black_box(id), black_box(late)));
    });
    group.bench_function("HashSet<&str>", |b| b.iter(|| names.contains(black_box("seat-heating"))));
    group.finish();

    // Shaped like a token as far as each format goes, so that nobody may stop at the first byte.
    let hostile = [&bench.token[..], &vec![0; 16 << 20]].concat();
    let hostile_jwt = format!("{}{}", bench.jwt, "A".repeat(16 << 20));
    assert!(bench.verifier.verify(&hostile).is_err());
    let decode = || jsonwebtoken::decode::<Claims>(&hostile_jwt, &bench.jwt_key, &bench.jwt_rules);
    assert!(decode().is_err());
    let mut group = c.benchmark_group("grant_refuse_16_mib");
    group.sample_size(10);
    group.bench_function("coachwork", |b| b.iter(|| bench.verifier.verify(black_box(&hostile)).is_err()));
    group.bench_function("jsonwebtoken", |b| b.iter(|| decode().is_err()));
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
