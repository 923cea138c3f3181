//! Snapshots against a plain walk over all grants.

use proptest::prelude::*;

use super::*;
use crate::feature::{PaidClass, PaidFeature};
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
        let replaced = |g: &Verified<Grant>| grants.iter().any(|o| o.id() == g.id() && o.sequence() > g.sequence());
        let mut last_open = None;
        for second in -2..40 {
            let mut transition = false;
            for (id, feature) in table.iter() {
                let decision = snapshot.check(id, at(second));
                let best = grants.iter().filter(|g| g.opens(feature.name()) && !replaced(g))
                    .map(|g| LicenseState::of(g, CAR, at(second)).decision().reason()).max();
                prop_assert_eq!(decision.reason(), best.unwrap_or(Reason::NotInPlan));
                if let Some(until) = decision.until() {
                    prop_assert!(until > at(second));
                    prop_assert_ne!(snapshot.check(id, until).reason(), decision.reason());
                }
                transition |= snapshot.check(id, at(second - 1)).reason() != decision.reason();
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
fn a_later_edition_replaces_an_earlier_one_even_where_it_opens_less() {
    let table = features(&["x", "y"]);
    let first = grant("g", &["x", "y"], 0, None, 0);
    let mut second = grant("g", &["y"], 0, None, 0).into_inner();
    second.sequence = 1;
    let snapshot = Entitlements::new(CAR, table.clone(), [Verified::assumed(second), first], at(1)).unwrap();
    assert_eq!(snapshot.check(table.id("x").unwrap(), at(1)).reason(), Reason::NotInPlan);
    assert!(snapshot.check(table.id("y").unwrap(), at(1)).is_allowed());
    assert_eq!(snapshot.grants().len(), 1);
}

#[test]
fn grants_are_bounded() {
    let many = (0..=MAX_GRANTS).map(|_| grant("g", &["x"], 0, None, 0));
    assert_eq!(Entitlements::new(CAR, features(&["x"]), many, at(0)).unwrap_err(), TooManyGrants);
}
