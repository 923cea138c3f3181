//! What must not allocate: a check at any time, and the refusal of what is no token.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use coachwork_entitlement::{
    Car, Entitlements, Features, MAX_TOKEN, OwnerEpoch, PaidClass, PaidFeature, VehicleId, VerifyError,
};
use coachwork_vehicle::Timestamp;
use support::*;

fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

#[test]
fn a_check_allocates_nothing() {
    let paid = PaidFeature::new("seat-heating".parse().unwrap(), PaidClass::Comfort);
    let features = Arc::new(Features::new([paid]).unwrap());
    let grant = verifier().verify(&sign_claims(full_claims())).unwrap();
    let car = Car { vehicle: VehicleId::opaque(VEHICLE), owner: OwnerEpoch(5) };
    let now = Timestamp::from_seconds(1_795_000_000);
    let entitlements = Entitlements::new(car, features.clone(), [grant], now).unwrap();
    let id = features.id("seat-heating").unwrap();
    let count = allocations(|| {
        for seconds in (1_770_000_000..1_810_000_000).step_by(1_000_000) {
            let now = Timestamp::from_seconds(seconds);
            std::hint::black_box((entitlements.check(id, now), entitlements.next_transition(now)));
        }
    });
    assert_eq!(count, 0);
    assert!(entitlements.check(id, now).is_allowed());
}

#[test]
fn a_refusal_before_the_signature_allocates_nothing() {
    let verifier = verifier();
    let token = sign_claims(full_claims());
    let mut other_key = token.clone();
    other_key[8] ^= 1;
    let mut refused: Vec<Vec<u8>> = (0..token.len()).map(|end| token[..end].to_vec()).collect();
    refused.push(vec![0xd2; MAX_TOKEN + 1]);
    refused.push(vec![0xd2; 16 << 20]);
    refused.push(b"\xd2\x84\x5b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec());
    refused.push(other_key.clone());
    for token in &refused {
        assert_eq!(allocations(|| assert!(verifier.verify(token).is_err())), 0);
    }
    assert_eq!(verifier.verify(&other_key), Err(VerifyError::UnknownKey));
    // The counter counts: a grant that is read does allocate.
    assert!(allocations(|| assert!(verifier.verify(&token).is_ok())) > 0);
}

/// A check is told the time and borrows a snapshot that nothing changes: no file on its way has a clock or a lock to ask.
#[test]
fn a_check_reads_no_clock_and_takes_no_lock() {
    for (name, source) in [
        ("entitlements.rs", include_str!("../src/entitlements.rs")),
        ("license.rs", include_str!("../src/license.rs")),
        ("decision.rs", include_str!("../src/decision.rs")),
        ("features.rs", include_str!("../src/features.rs")),
    ] {
        for word in ["Clock", "Instant", "SystemTime", "Mutex", "RwLock", "Atomic", "Cell", "OnceLock"] {
            let used = source.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            assert!(!used, "{name} has {word}");
        }
    }
    // And threads share it without one.
    shared::<Entitlements>();
}

fn shared<T: Send + Sync + std::panic::RefUnwindSafe>() {}
