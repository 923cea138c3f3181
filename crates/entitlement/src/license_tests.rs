//! A grant's state over the whole of time.

use proptest::prelude::*;

use super::*;
use crate::car::{OwnerEpoch, VehicleId};
use crate::decision::Verdict;
use crate::grant::MAX_SECONDS;
use crate::test_grants::{CAR, grant};

/// The times at which clocks go wrong, and the edges of the type.
fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        any::<i64>().prop_map(Timestamp::from_nanoseconds),
        (0..2 * i64::try_from(MAX_SECONDS).unwrap()).prop_map(Timestamp::from_seconds),
        Just(Timestamp::EPOCH),
        Just(Timestamp::from_nanoseconds(i64::MIN)),
        Just(Timestamp::from_nanoseconds(i64::MAX)),
    ]
}

prop_compose! {
    /// A grant with its times anywhere, often close together.
    fn any_span()(issued in 0..MAX_SECONDS / 2, wide in any::<bool>())(
        issued in Just(issued),
        delay in if wide { 0..MAX_SECONDS / 8 } else { 0..3 },
        length in proptest::option::of(if wide { 1..MAX_SECONDS / 8 } else { 1..3 }),
        grace in if wide { 0..MAX_SECONDS / 8 } else { 0..3 },
    ) -> (u64, Option<u64>, u64) {
        (issued + delay, length.map(|l| issued + delay + l), if length.is_some() { grace } else { 0 })
    }
}

fn ns(seconds: u64) -> i128 {
    i128::from(seconds) * 1_000_000_000
}

proptest! {
    /// Never allowed outside validity and grace, never denied inside: against plain integer arithmetic.
    #[test]
    fn license_time((starts, expires, grace) in any_span(), at in any_time(), near in -2i64..=2) {
        let grant = grant("a", &["x"], starts, expires, grace);
        let edges = [Some(starts), expires, expires.map(|e| e + grace)];
        let near_edges = edges.into_iter().flatten().map(|edge| {
            Timestamp::from_nanoseconds(Timestamp::from_seconds(i64::try_from(edge).unwrap()).nanoseconds() + near)
        });
        for now in near_edges.chain([at]) {
            let t = i128::from(now.nanoseconds());
            let paid = t >= ns(starts) && expires.is_none_or(|e| t < ns(e));
            let covered = t >= ns(starts) && expires.is_none_or(|e| t < ns(e) + ns(grace));
            let decision = LicenseState::of(&grant, CAR, now).decision();
            prop_assert_eq!(decision.is_allowed(), covered, "{} at {}", decision, now);
            prop_assert_eq!(decision.verdict() == Verdict::Allow, paid);
            // A date that is announced is the date on which it happens.
            if let Some(until) = decision.until() {
                let before = Timestamp::from_nanoseconds(until.nanoseconds() - 1);
                prop_assert!(now < until);
                prop_assert_eq!(LicenseState::of(&grant, CAR, before).decision(), decision);
                prop_assert_ne!(LicenseState::of(&grant, CAR, until).decision().reason(), decision.reason());
            }
        }
    }

    /// Neither another car's grant nor another owner's ever opens anything.
    #[test]
    fn only_this_car_and_this_owner(
        (starts, expires, grace) in any_span(), now in any_time(), vehicle: [u8; 16], owner: u32, bound: Option<u32>,
    ) {
        let mut grant = grant("a", &["x"], starts, expires, grace).into_inner();
        grant.owner = bound.map(OwnerEpoch);
        let grant = Verified::assumed(grant);
        let elsewhere = Car { vehicle: VehicleId::opaque(vehicle), ..CAR };
        if elsewhere != CAR {
            prop_assert_eq!(LicenseState::of(&grant, elsewhere, now), LicenseState::OtherVehicle);
        }
        let sold = Car { owner: OwnerEpoch(owner), ..CAR };
        let transferred = LicenseState::of(&grant, sold, now) == LicenseState::Transferred;
        prop_assert_eq!(transferred, bound.is_some_and(|bound| bound != owner));
    }
}

#[test]
fn clocks_at_1970_2020_2101_and_the_extremes() {
    let year = |text: &str| text.parse::<Timestamp>().unwrap();
    let (start, end) = (year("2026-01-01T00:00:00Z"), year("2027-01-01T00:00:00Z"));
    let seconds = |at: Timestamp| u64::try_from(at.seconds()).unwrap();
    let grant = grant("a", &["x"], seconds(start), Some(seconds(end)), 86_400);
    let ends = year("2027-01-02T00:00:00Z");
    let expired = LicenseState::Expired { since: ends };
    let pending = LicenseState::Pending { starts: start };
    for (now, state) in [
        (Timestamp::from_nanoseconds(i64::MIN), pending),
        (year("1970-01-01T00:00:00Z"), pending),
        (year("2020-01-01T00:00:00Z"), pending),
        (start, LicenseState::Active { until: Some(end) }),
        (end, LicenseState::Grace { until: ends }),
        (ends, expired),
        (year("2101-01-01T00:00:00Z"), expired),
        (Timestamp::from_nanoseconds(i64::MAX), expired),
    ] {
        assert_eq!(LicenseState::of(&grant, CAR, now), state, "{now}");
    }
}
