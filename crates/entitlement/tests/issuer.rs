//! What the issuer signs, coset reads and the verifier takes; what makes no grant is not signed.

#![cfg(feature = "issuer")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use coachwork_entitlement::*;
use coachwork_vehicle::Timestamp;
use coset::cbor::Value;
use coset::{CborSerializable, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable, iana};
use ed25519_dalek::{Signature, Verifier as _};
use proptest::prelude::*;
use support::*;

fn issuer() -> Issuer {
    Issuer::new(KeyId::new(KID).unwrap(), &[7; 32]).unwrap()
}

fn feature(name: &str) -> PaidFeature {
    PaidFeature::new(name.parse().unwrap(), PaidClass::Comfort)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn draft() -> Draft {
    Grant::draft(GrantId::new("order-17").unwrap(), VehicleId::opaque(VEHICLE), at(1_780_000_000))
}

#[test]
fn the_issuer_writes_what_coset_writes() {
    let grant = draft()
        .opens(&feature("seat-heating"))
        .opens(&feature("remote-start"))
        .starting(at(1_790_000_000))
        .until(at(1_800_000_000))
        .grace(Duration::from_secs(72 * 3600))
        .for_owner(OwnerEpoch(5))
        .sequence(2)
        .build()
        .unwrap();
    assert_eq!(issuer().issue(&grant).unwrap(), sign_claims(full_claims()));
}

#[test]
fn an_accepted_offer_becomes_its_grant() {
    const DAY: Duration = Duration::from_secs(86_400);
    let plan = || Plan::new("winter".parse().unwrap(), [feature("seat-heating"), feature("window-heating")]);
    let vehicle = VehicleId::opaque(VEHICLE);
    let status = || StatusRef::new("https://example.com/1", 3).unwrap();
    let bought = |offer: &Offer| {
        offer
            .draft(GrantId::new("o").unwrap(), vehicle, OwnerEpoch(4), at(1_000))
            .status(status())
            .build()
            .unwrap()
    };
    let grant = bought(
        &Offer::recurring(plan(), 30 * DAY)
            .unwrap()
            .grace(3 * DAY)
            .unwrap()
            .offline(21 * DAY)
            .unwrap()
            .only_in(["DE".parse().unwrap()])
            .for_owner(),
    );
    assert_eq!((grant.kind(), grant.transfer()), (Kind::Recurring, Transfer::EndsWithOwner));
    assert_eq!((grant.owner(), grant.plan().unwrap().as_str()), (Some(OwnerEpoch(4)), "winter"));
    assert_eq!(grant.ends(), Some(at(1_000 + 33 * 86_400)));
    assert_eq!((grant.offline(), grant.regions().len(), grant.features().len()), (Some(21 * DAY), 1, 2));
    assert_eq!(*verifier().verify(&issuer().issue(&grant).unwrap()).unwrap(), grant);

    let lasting = bought(&Offer::perpetual(plan()));
    assert_eq!(
        (lasting.kind(), lasting.transfer(), lasting.ends()),
        (Kind::Perpetual, Transfer::StaysWithCar, None)
    );
    for (offer, kind) in [
        (Offer::trial(plan(), DAY), Kind::Trial),
        (Offer::prepaid(plan(), DAY), Kind::Prepaid),
        (Offer::one_off(plan(), DAY), Kind::OneOff),
    ] {
        assert_eq!(bought(&offer.unwrap()).kind(), kind);
    }
    assert_eq!(Offer::trial(plan(), Duration::ZERO).unwrap_err(), OfferError::NoTerm);
    assert_eq!(Offer::perpetual(plan()).grace(DAY).unwrap_err(), OfferError::GraceWithoutEnd);
    assert_eq!(Offer::perpetual(plan()).offline(DAY).unwrap_err(), OfferError::OfflineWithoutEnd);
}

#[test]
fn a_status_list_survives_its_token_and_coset_reads_it() {
    let mut list = StatusList::new("https://example.com/1", at(1_000), 1_000)
        .unwrap()
        .fresh_for(Duration::from_secs(60))
        .unwrap();
    list.set(7, Status::Invalid, Some(Because::Refund)).unwrap();
    list.set(8, Status::Paused, None).unwrap();
    list.set(9, Status::Invalid, None).unwrap();
    list.set(9, Status::Valid, None).unwrap();
    assert_eq!(list.set(1_000, Status::Valid, None).unwrap_err(), IssueError::Status);
    assert_eq!(list.set(1, Status::Other(16), None).unwrap_err(), IssueError::Status);
    let document = issuer().issue_status(&list).unwrap();
    let read = verifier().verify_status(&document).unwrap();
    assert_eq!(*read, list);
    assert_eq!((read.status(7), read.because(7)), (Some(Status::Invalid), Some(Because::Refund)));
    assert_eq!(
        (read.status(8), read.status(9), read.status(1_000)),
        (Some(Status::Paused), Some(Status::Valid), None)
    );
    // A status list is no grant, a grant no list, nor is a key set either.
    assert!(verifier().verify(&document).is_err());
    assert!(verifier().verify_status(&sign_claims(full_claims())).is_err());

    let read = CoseSign1::from_tagged_slice(&document).unwrap();
    let typ = read.protected.header.rest.iter().find(|(label, _)| *label == coset::Label::Int(16)).unwrap();
    assert_eq!(typ.1, Value::Text("application/statuslist+cwt".into()));
    read.verify_signature(b"", |signature, message| {
        key().verifying_key().verify(message, &Signature::from_slice(signature).unwrap())
    })
    .unwrap();
    let Value::Map(claims) = Value::from_slice(&read.payload.unwrap()).unwrap() else { panic!() };
    let list = &claims.iter().find(|(key, _)| *key == Value::Integer(65533.into())).unwrap().1;
    assert_eq!(list.as_map().unwrap()[1], (Value::Text("bits".into()), Value::Integer(4.into())));
    // Every flip and every truncation is refused.
    let mut document = document;
    for bit in 0..document.len() * 8 {
        document[bit / 8] ^= 1 << (bit % 8);
        assert!(verifier().verify_status(&document).is_err(), "bit {bit}");
        document[bit / 8] ^= 1 << (bit % 8);
    }
    assert!((0..document.len()).all(|end| verifier().verify_status(&document[..end]).is_err()));
    assert_eq!(verifier().verify_status(&vec![0; MAX_STATUS_TOKEN + 1]).unwrap_err(), VerifyError::TooLong);
}

#[test]
fn a_grant_of_five_features_fits_200_bytes() {
    let names = ["ambient-light", "navigation", "remote-start", "seat-heating", "traffic"];
    let draft = names.iter().fold(draft(), |draft, name| draft.opens(&feature(name)));
    let draft = draft.until(at(1_782_592_000)).grace(Duration::from_secs(72 * 3600)).for_owner(OwnerEpoch(1));
    let token = issuer().issue(&draft.sequence(3).build().unwrap()).unwrap();
    assert!(token.len() <= 200, "{} bytes", token.len());
    assert!(verifier().verify(&token).is_ok());
}

#[test]
fn rounding_is_in_the_buyers_favour() {
    let odd = |seconds: i64| Timestamp::from_nanoseconds(seconds * 1_000_000_000 + 1);
    let grant =
        Grant::draft(GrantId::new("g").unwrap(), VehicleId::opaque(VEHICLE), odd(100)).opens(&feature("x"));
    let grant = grant.starting(odd(200)).until(odd(300)).grace(Duration::from_nanos(1)).build().unwrap();
    assert_eq!((grant.issued(), grant.starts()), (at(100), at(200)));
    assert_eq!((grant.expires(), grant.ends()), (Some(at(301)), Some(at(302))));
}

#[test]
fn what_makes_no_grant_is_not_built() {
    let opens = || draft().opens(&feature("x"));
    let far = Duration::from_secs(MAX_SECONDS);
    for (draft, why) in [
        (draft(), IssueError::NoFeature),
        (opens().starting(at(1_779_999_999)), IssueError::Order),
        (opens().until(at(1_780_000_000)), IssueError::Order),
        (opens().starting(at(1_790_000_000)).until(at(1_790_000_000)), IssueError::Order),
        (opens().grace(Duration::from_nanos(1)), IssueError::GraceWithoutEnd),
        (opens().until(at(1_790_000_000)).grace(far), IssueError::Range),
        (opens().until(at(1_790_000_000)).grace(Duration::MAX), IssueError::Range),
        (opens().until(Timestamp::from_nanoseconds(i64::MAX)), IssueError::Range),
        (opens().kind(Kind::Trial), IssueError::Kind),
        (opens().until(at(1_790_000_000)).kind(Kind::Perpetual), IssueError::Kind),
        (opens().offline(Duration::from_secs(1)), IssueError::Offline),
        (opens().until(at(1_790_000_000)).offline(Duration::from_secs(1)), IssueError::Offline),
        (opens().because(Because::Refund), IssueError::Because),
    ] {
        assert_eq!(draft.build().unwrap_err(), why);
    }
    let before_1970 = Grant::draft(GrantId::new("g").unwrap(), VehicleId::opaque(VEHICLE), at(-1));
    assert_eq!(before_1970.opens(&feature("x")).build().unwrap_err(), IssueError::Range);
    let many = (0..100).fold(draft(), |draft, n| draft.opens(&feature(&format!("{n:064}"))));
    assert_eq!(issuer().issue(&many.build().unwrap()).unwrap_err(), IssueError::TooLong);
}

#[test]
fn the_issuer_shows_no_secret() {
    assert_eq!(format!("{:?}", issuer()), "Issuer(32303236)");
}

prop_compose! {
    fn any_grant()(
        id in prop::collection::vec(any::<u8>(), 1..=16),
        vehicle: [u8; 16],
        names in prop::collection::btree_set("[a-z0-9._-]{1,64}", 1..20),
        issued in 0..i64::try_from(MAX_SECONDS / 4).unwrap(),
        delay in prop::option::of(0..i64::try_from(MAX_SECONDS / 4).unwrap()),
        length in prop::option::of((1..i64::try_from(MAX_SECONDS / 4).unwrap(), 0..MAX_SECONDS / 4)),
        owner: Option<u32>,
        sequence: u64,
        (kind, offline, because) in (0usize..4, prop::option::of(1..MAX_SECONDS), prop::option::of(1u64..8)),
        regions in prop::collection::btree_set("[A-Z]{2}", 0..4),
        (plan, place) in (prop::option::of("[a-z.-]{1,64}"), prop::option::of(("[!-~]{1,128}", any::<u32>()))),
        scopes in prop::collection::vec("(read|actuate)(:Vehicle(\\.[A-Z][a-z]{1,6}|\\.\\*){1,3})?", 0..4),
    ) -> Grant {
        let mut draft = Grant::draft(GrantId::new(id).unwrap(), VehicleId::opaque(vehicle), at(issued));
        draft = names.iter().fold(draft, |draft, name| draft.opens(&feature(name)));
        if let Some(delay) = delay {
            draft = draft.starting(at(issued + delay));
        }
        if let Some((length, grace)) = length {
            let end = at(issued + delay.unwrap_or(0) + length);
            draft = draft.until(end).grace(Duration::from_secs(grace));
        }
        if let Some(owner) = owner {
            draft = draft.for_owner(OwnerEpoch(owner));
        }
        if length.is_some() && kind < 3 {
            draft = draft.kind([Kind::Trial, Kind::Prepaid, Kind::OneOff][kind]);
        }
        if let (Some(_), Some(_), Some(offline)) = (length, &place, offline) {
            draft = draft.offline(Duration::from_secs(offline));
        }
        if let Some((uri, index)) = place {
            draft = draft.status(StatusRef::new(&uri, index).unwrap());
        }
        if let Some(because) = because.and_then(Because::from_number).filter(|_| sequence > 0) {
            draft = draft.because(because);
        }
        if let Some(plan) = plan {
            draft = draft.plan(plan.parse().unwrap());
        }
        draft = regions.iter().fold(draft, |draft, region| draft.within(region.parse().unwrap()));
        draft = scopes.iter().fold(draft, |draft, scope| draft.scope(scope.parse().unwrap()));
        draft.sequence(sequence).build().unwrap()
    }
}

proptest! {
    /// Ours verify here and there; coset reads them, and writes the same bytes.
    #[test]
    fn every_grant_survives_its_token(grant in any_grant()) {
        let token = issuer().issue(&grant).unwrap();
        prop_assert_eq!(&*verifier().verify(&token).unwrap(), &grant);

        let read = CoseSign1::from_tagged_slice(&token).unwrap();
        let alg = RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA);
        prop_assert_eq!(&read.protected.header.alg, &Some(alg));
        prop_assert_eq!(&read.protected.header.key_id, KID);
        prop_assert!(read.unprotected.is_empty());
        read.verify_signature(AAD, |signature, message| {
            key().verifying_key().verify(message, &Signature::from_slice(signature).unwrap())
        }).unwrap();
        let payload = read.payload.clone().unwrap();
        let claims = Value::from_slice(&payload).unwrap();
        prop_assert_eq!(cbor(&claims), payload);
        prop_assert_eq!(read.to_tagged_vec().unwrap(), token);
    }
}

#[test]
fn a_root_issues_the_key_set_that_coset_would() {
    let public = issuer().public_key();
    let next =
        PublicKey::from_bytes(ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes());
    let keys = [
        SetKey::for_grants(KeyId::new("2027").unwrap(), next.unwrap(), at(200), None).unwrap(),
        SetKey::for_grants(KeyId::new(KID).unwrap(), public, at(100), Some(at(300))).unwrap(),
    ];
    let set = KeySet::new(7, at(50), keys).unwrap();
    let document = issuer().issue_keys(&set).unwrap();
    let roots = Roots::new([(issuer().key_id(), public)]).unwrap();
    assert_eq!(*roots.verify(&document).unwrap(), set);
    assert_eq!(set.keys()[0].id(), KeyId::new(KID).unwrap());

    let read = CoseSign1::from_tagged_slice(&document).unwrap();
    let payload = read.payload.clone().unwrap();
    assert_eq!(cbor(&Value::from_slice(&payload).unwrap()), payload);
    assert_eq!(sign_as(payload, b"coachwork/keys/v1"), document);
}

#[test]
fn what_makes_no_key_set_is_not_built() {
    let public = issuer().public_key();
    let key = |id: u8| SetKey::for_grants(KeyId::new([id]).unwrap(), public, at(0), None).unwrap();
    assert_eq!(KeySet::new(1, at(0), []).unwrap_err(), IssueError::NoKey);
    assert_eq!(KeySet::new(0, at(0), [key(1)]).unwrap_err(), IssueError::Order);
    assert_eq!(KeySet::new(1, at(-1), [key(1)]).unwrap_err(), IssueError::Range);
    assert_eq!(KeySet::new(1, at(0), [key(1), key(1)]).unwrap_err(), IssueError::Keys(KeyError::Duplicate));
    assert_eq!(KeySet::new(1, at(0), (0..=64).map(key)).unwrap_err(), IssueError::Keys(KeyError::TooMany));
    let backwards = SetKey::for_grants(KeyId::new("k").unwrap(), public, at(9), Some(at(9)));
    assert_eq!(backwards.unwrap_err(), IssueError::Order);
}
