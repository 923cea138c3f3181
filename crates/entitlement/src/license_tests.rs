//! A grant's state over the whole of time, against the table of `docs/entitlement.md` written down a second time.

use proptest::prelude::*;

use super::*;
use crate::car::{OwnerEpoch, VehicleId};
use crate::decision::Verdict;
use crate::status::StatusRef;
use crate::test_grants::{CAR, grant};

/// Everything that the state depends on, in small numbers of seconds, so that edges meet.
#[derive(Debug, Clone)]
struct Case {
    vehicle: bool,
    owner: bool,
    status: Status,
    because: Option<Because>,
    fresh: Option<i64>,
    offline: Option<u64>,
    region: Option<bool>,
    starts: u64,
    length: Option<u64>,
    grace: u64,
    trial: bool,
    time_lost_at: Option<i64>,
}

prop_compose! {
    fn any_case()(
        (vehicle, owner) in (prop::bool::weighted(0.95), prop::bool::weighted(0.9)),
        status in prop_oneof![
            4 => Just(Status::Valid), 1 => Just(Status::Invalid), 1 => Just(Status::Suspended), 1 => Just(Status::OnHold),
            1 => Just(Status::Paused), 1 => Just(Status::Cancelled), 1 => Just(Status::Transferred),
            1 => Just(Status::Other(15)),
        ],
        because in prop::option::of(Just(Because::Refund)),
        fresh in prop::option::of(0i64..30),
        offline in prop::option::of(1u64..10),
        region in prop::option::of(prop::bool::weighted(0.8)),
        starts in 0u64..20,
        length in prop::option::of(1u64..10),
        grace in 0u64..5,
        trial: bool,
        time_lost_at in prop::option::weighted(0.3, 0i64..30),
    ) -> Case {
        let grace = if length.is_some() { grace } else { 0 };
        let offline = offline.filter(|_| length.is_some() && fresh.is_some());
        let trial = trial && length.is_some();
        Case { vehicle, owner, status, because, fresh, offline, region, starts, length, grace, trial, time_lost_at }
    }
}

impl Case {
    fn parts(&self) -> (Verified<Grant>, Standing, Circumstances) {
        let mut grant =
            grant("a", &["x"], self.starts, self.length.map(|l| self.starts + l), self.grace).into_inner();
        grant.vehicle = if self.vehicle { CAR.vehicle } else { VehicleId::opaque([9; 16]) };
        grant.owner = (!self.owner).then_some(OwnerEpoch(7));
        grant.offline = self.offline;
        grant.regions = if self.region.is_some() { ["DE".parse().unwrap()].into() } else { [].into() };
        grant.status = self.fresh.map(|_| StatusRef::new("list", 0).unwrap());
        if self.trial {
            grant.kind = Kind::Trial;
        }
        let standing = Standing {
            status: self.status,
            because: self.because,
            fresh_until: self.fresh.map(Timestamp::from_seconds),
        };
        let region = self.region.map(|covered| if covered { "DE" } else { "CH" }.parse().unwrap());
        let time_lost_at = self.time_lost_at.map(Timestamp::from_seconds);
        (Verified::assumed(grant), standing, Circumstances { car: CAR, region, time_lost_at })
    }

    /// The table: the first row that applies.
    fn expected(&self, t: i64) -> Reason {
        let starts = i64::try_from(self.starts).unwrap();
        let expires = self.length.map(|l| starts + i64::try_from(l).unwrap());
        let ends = expires.map(|e| e + i64::try_from(self.grace).unwrap());
        let silent = self.fresh.zip(self.offline).map(|(f, o)| f + i64::try_from(o).unwrap());
        let withdrawn = |status| self.status == status && self.because.is_some();
        let past = |edge: Option<i64>| edge.is_some_and(|edge| t >= edge);
        let rows = [
            (!self.vehicle, Reason::OtherVehicle),
            (!self.owner || self.status == Status::Transferred, Reason::OtherOwner),
            (withdrawn(Status::Invalid), Reason::Revoked(Because::Refund)),
            (withdrawn(Status::Suspended), Reason::Suspended(Because::Refund)),
            (self.status == Status::OnHold, Reason::OnHold),
            (self.status == Status::Paused, Reason::Paused),
            (t < starts, Reason::NotYet),
            (past(ends), Reason::Expired),
            (self.region == Some(false), Reason::OutOfRegion),
            (expires.is_some() && past(self.time_lost_at), Reason::TimeLost),
            (expires.is_some() && self.time_lost_at.is_some(), Reason::TimeUnknown),
            (past(expires), Reason::Grace),
            (past(silent), Reason::Unconfirmed),
            (past(self.fresh), Reason::StatusStale),
            (matches!(self.status, Status::Invalid | Status::Suspended), Reason::Unexplained),
            (self.status == Status::Cancelled, Reason::Cancelled),
            (self.trial, Reason::Trial),
            (true, Reason::Granted),
        ];
        rows.into_iter().find(|(applies, _)| *applies).unwrap().1
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// The function and the table agree at every second, and the state changes only at the edges that are announced.
    #[test]
    fn the_transition_table(case in any_case()) {
        let (grant, standing, here) = case.parts();
        let edges: Vec<_> = edges(&grant, &standing, &here).collect();
        let mut last = None;
        for t in -2..60 {
            let now = Timestamp::from_seconds(t);
            let reason = LicenseState::of(&grant, &standing, &here, now).reason();
            prop_assert_eq!(reason, case.expected(t), "at {}", t);
            prop_assert!(last.replace(reason).is_none_or(|last| last == reason) || edges.contains(&now));
            let just_before = Timestamp::from_nanoseconds(now.nanoseconds() - 1);
            let before = LicenseState::of(&grant, &standing, &here, just_before).reason();
            prop_assert_eq!(before, case.expected(t - 1), "just before {}", t);
        }
    }

    /// Whatever else is so: nothing opens that no grant covers, and nothing that has no end ends for time or silence.
    #[test]
    fn license_bounds(case in any_case(), t in -2i64..60) {
        let (grant, standing, here) = case.parts();
        let reason = LicenseState::of(&grant, &standing, &here, Timestamp::from_seconds(t)).reason();
        if reason.verdict() != Verdict::Deny {
            let starts = i64::try_from(case.starts).unwrap();
            let ends = case.length.map(|l| starts + i64::try_from(l + case.grace).unwrap());
            prop_assert!(case.vehicle && case.owner && t >= starts && ends.is_none_or(|ends| t < ends));
        } else if case.length.is_none() {
            let silence = matches!(reason, Reason::TimeLost | Reason::Unconfirmed | Reason::Expired);
            prop_assert!(!silence, "{:?}", reason);
        }
    }

    /// Any time, any clock: the state is found and says nothing absurd.
    #[test]
    fn any_time_is_answered(case in any_case(), nanoseconds: i64) {
        let (grant, standing, here) = case.parts();
        let now = Timestamp::from_nanoseconds(nanoseconds);
        let state = LicenseState::of(&grant, &standing, &here, now);
        if let LicenseState::Grace { until: Some(until), .. } | LicenseState::Active { until: Some(until) } = state {
            prop_assert!(now < until);
        }
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
    let standing = Standing::unknown(&grant);
    for (now, state) in [
        (Timestamp::from_nanoseconds(i64::MIN), pending),
        (year("1970-01-01T00:00:00Z"), pending),
        (year("2020-01-01T00:00:00Z"), pending),
        (start, LicenseState::Active { until: Some(end) }),
        (end, LicenseState::Grace { until: Some(ends), why: Leniency::Unpaid }),
        (ends, expired),
        (year("2101-01-01T00:00:00Z"), expired),
        (Timestamp::from_nanoseconds(i64::MAX), expired),
    ] {
        assert_eq!(LicenseState::of(&grant, &standing, &Circumstances::of(CAR), now), state, "{now}");
    }
}

/// The page has the same rows in the same order as [`Case::expected`] above, which the function is compared with.
#[test]
fn the_table_of_the_page_is_this_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/entitlement.md");
    let Ok(page) = std::fs::read_to_string(page) else {
        // A packaged crate has no repository around it.
        return;
    };
    let table = page.split_once("| if | the grant is |").unwrap().1.split_once("\n\n").unwrap().0;
    let states: Vec<_> = table.lines().filter_map(|row| row.split('`').nth(1)).collect();
    let rows = [
        "OtherVehicle",
        "Transferred",
        "Revoked",
        "Suspended",
        "OnHold",
        "Paused",
        "Pending",
        "Expired",
        "OutOfRegion",
        "TimeLost",
        "Grace",
        "Grace",
        "Unconfirmed",
        "Grace",
        "Grace",
        "Cancelled",
        "Trial",
        "Active",
    ];
    assert_eq!(states, rows);
    let works: Vec<_> =
        table.lines().filter(|row| row.contains('`')).map(|row| !row.contains("do not work")).collect();
    assert_eq!(works, rows.map(|row| ["Grace", "Cancelled", "Trial", "Active"].contains(&row)));
}
