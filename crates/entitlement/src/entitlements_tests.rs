//! Snapshots against a plain walk over all grants.

use proptest::prelude::*;

use super::*;
use crate::feature::{PaidClass, PaidFeature};
use crate::terms::Because;
use crate::test_grants::{CAR, grant};

fn features(names: &[&str]) -> Arc<Features> {
    let list = names.iter().map(|name| PaidFeature::new(name.parse().unwrap(), PaidClass::Comfort));
    Arc::new(Features::new(list).unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

prop_compose! {
    fn any_grant()(
        id in "[a-d]", names in proptest::sample::subsequence(vec!["x", "y", "z"], 1..=3), sequence in 0u64..2,
        starts in 0u64..20, length in proptest::option::of(1u64..10), grace in 0u64..5, ours in 0u8..8,
    ) -> Verified<Grant> {
        let grace = if length.is_some() { grace } else { 0 };
        let mut grant = grant(&id, &names, starts, length.map(|l| starts + l), grace).into_inner();
        grant.sequence = sequence;
        grant.because = (sequence > 0 && ours % 2 == 0).then_some(Because::Exchanged);
        if ours == 0 {
            grant.vehicle = crate::VehicleId::opaque([9; 16]);
        } else if ours == 1 {
            grant.owner = Some(crate::OwnerEpoch(7));
        }
        Verified::assumed(grant)
    }
}

proptest! {
    /// The fast answer, the slow answer and a walk over the grants agree at every second; dates announced are kept.
    #[test]
    fn a_snapshot_answers_as_its_grants_do(
        grants in prop::collection::vec(any_grant(), 0..6), made_at in -2i64..40,
    ) {
        let table = features(&["x", "y", "z", "never"]);
        let snapshot = Entitlements::new(CAR, table.clone(), grants.clone(), at(made_at)).unwrap();
        let replaced = |g: &Verified<Grant>| grants.iter().any(|o| o.id() == g.id() && o.sequence() > g.sequence() && o.because().is_some());
        let here = Circumstances::of(CAR);
        let mut last_open = None;
        for second in -2..40 {
            let mut transition = false;
            for (id, feature) in table.iter() {
                let decision = snapshot.check(id, at(second));
                let best = grants.iter().filter(|g| g.opens(feature.name()) && !replaced(g))
                    .map(|g| {
                        let state = LicenseState::of(g, &Standing::unknown(g), &here, at(second));
                        (state.reason(), state.ends().unwrap_or(END), Some(g.id()))
                    })
                    .max();
                let whole = |decision: Decision| (decision.reason(), decision.ends(), decision.grant());
                let best = best.map(|(reason, ends, grant)| (reason, Some(ends).filter(|ends| *ends < END), grant));
                prop_assert_eq!(whole(decision), best.unwrap_or((Reason::NotInPlan, None, None)));
                prop_assert!(decision.ends().is_none_or(|ends| ends > at(second)));
                if let Some(until) = decision.until() {
                    prop_assert!(until > at(second));
                    let then = snapshot.check(id, until);
                    prop_assert_ne!(whole(then), whole(decision));
                }
                let before = snapshot.check(id, at(second - 1));
                transition |= whole(before) != whole(decision);
                if decision.is_allowed() {
                    last_open = Some(second);
                }
            }
            prop_assert_eq!(snapshot.next_transition(at(second - 1)) == Some(at(second)), transition);
        }
        prop_assert_eq!(snapshot.ends().is_some(), last_open.is_some_and(|last| last < 39));
        if let Some(ends) = snapshot.ends() {
            prop_assert_eq!(Some(ends), last_open.map(|last| at(last + 1)));
        }
        let elsewhen = Entitlements::new(CAR, table.clone(), grants.clone(), at(0)).unwrap();
        prop_assert!(snapshot.decides_like(&elsewhen));
        // Moved to another time, it decides as before.
        let moved = elsewhen.near(at(made_at));
        prop_assert!(moved.is_near(at(made_at)) && moved.decides_like(&snapshot));
        for (id, _) in table.iter() {
            for second in -2..40 {
                prop_assert_eq!(moved.check(id, at(second)), snapshot.check(id, at(second)));
            }
        }
    }
}

#[test]
fn an_id_of_another_table_is_unknown() {
    let theirs = features(&["a", "x"]);
    let ours = features(&["x"]);
    let snapshot = Entitlements::new(CAR, ours.clone(), [grant("g", &["x"], 0, None, 0)], at(1)).unwrap();
    assert!(snapshot.check(ours.id("x").unwrap(), at(1)).is_allowed());
    for (id, _) in theirs.iter() {
        assert_eq!(snapshot.check(id, at(1)), Decision::UNKNOWN);
    }
}

#[test]
fn removal_of_a_paid_feature_needs_a_signed_reason() {
    let table = features(&["x", "y"]);
    let first = grant("g", &["x", "y"], 0, None, 0);
    let mut second = grant("g", &["y"], 0, None, 0).into_inner();
    second.sequence = 1;
    let with = |second: &Grant| {
        let both = [Verified::assumed(second.clone()), first.clone()];
        Entitlements::new(CAR, table.clone(), both, at(1)).unwrap()
    };
    let silent = with(&second);
    assert!(silent.check(table.id("x").unwrap(), at(1)).is_allowed());
    second.because = Some(Because::Refund);
    let explained = with(&second);
    assert_eq!(explained.check(table.id("x").unwrap(), at(1)).reason(), Reason::NotInPlan);
    assert!(explained.check(table.id("y").unwrap(), at(1)).is_allowed());
    assert_eq!((silent.grants().len(), explained.grants().len()), (2, 1));

    // By a status list, too.
    let standing = |because| Standing { status: crate::Status::Invalid, because, fresh_until: Some(at(100)) };
    for (because, reason) in
        [(None, Reason::Unexplained), (Some(Because::Fraud), Reason::Revoked(Because::Fraud))]
    {
        let mut basis = Basis::of(CAR, []);
        basis.grants.push((first.clone(), standing(because)));
        let withdrawn = Entitlements::from_basis(basis, table.clone(), at(1)).unwrap();
        assert_eq!(withdrawn.check(table.id("x").unwrap(), at(1)).reason(), reason);
    }
}

#[test]
fn equipment_fitted_at_the_factory_needs_no_grant() {
    let table = features(&["x", "y"]);
    let basis = Basis { fitted: ["x".parse().unwrap()].into(), ..Basis::of(CAR, []) };
    let snapshot = Entitlements::from_basis(basis, table.clone(), at(1)).unwrap();
    for time in [i64::MIN / 1_000_000_000, 0, i64::MAX / 1_000_000_000] {
        assert_eq!(snapshot.check(table.id("x").unwrap(), at(time)).reason(), Reason::Fitted);
    }
    assert!(!snapshot.check(table.id("y").unwrap(), at(1)).is_allowed());
    assert_eq!(snapshot.ends(), None);
}

proptest! {
    /// On a journey, whatever works at its beginning or begins to work works to its end; before, and for all else, nothing
    /// is different.
    #[test]
    fn nothing_ends_on_a_journey(
        grants in prop::collection::vec(any_grant(), 0..6), now in -2i64..40,
        worked in proptest::sample::subsequence(vec!["x", "y", "z", "never"], 0..=4),
    ) {
        let table = features(&["x", "y", "z", "never"]);
        let parked = Entitlements::new(CAR, table.clone(), grants.clone(), at(now)).unwrap();
        let journey: BTreeSet<FeatureName> = worked.iter().map(|name| name.parse().unwrap()).collect();
        let basis = Basis { journey: Some(journey.clone()), ..Basis::of(CAR, grants) };
        let moving = Entitlements::from_basis(basis, table.clone(), at(now)).unwrap();
        for (id, feature) in table.iter() {
            let mut worked = journey.contains(feature.name());
            for second in now..42 {
                let (still, driving) = (parked.check(id, at(second)), moving.check(id, at(second)));
                worked |= still.is_allowed();
                prop_assert_eq!(driving.is_allowed(), worked, "{} at {}", feature.name(), second);
                if still.is_allowed() {
                    prop_assert_eq!(driving.reason(), still.reason());
                } else if worked {
                    prop_assert_eq!(driving.reason(), Reason::Driving);
                }
            }
        }
    }
}

#[test]
fn grants_are_bounded() {
    let many = (0..=MAX_GRANTS).map(|_| grant("g", &["x"], 0, None, 0));
    assert_eq!(Entitlements::new(CAR, features(&["x"]), many, at(0)).unwrap_err(), TooManyGrants);
}
