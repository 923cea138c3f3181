//! What an owner may rely on, each as a test with its name, by a wallet with a manual clock.

#![cfg(feature = "issuer")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use coachwork_entitlement::*;
use coachwork_vehicle::{Clock, ManualClock, Timestamp};

const START: i64 = 1_780_000_000;
const DAY: Duration = Duration::from_secs(86_400);
const LIST: &str = "https://example.com/1";
const CAR: [u8; 16] = *b"a vehicle's name";

/// A back end and a car, with real time beside the car's own.
struct Story {
    issuer: Issuer,
    store: Arc<MemoryStore>,
    clock: ManualClock,
    wallet: Wallet,
    audit: Arc<AuditLog>,
    list: StatusList,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn feature(name: &str) -> PaidFeature {
    PaidFeature::new(name.parse().unwrap(), PaidClass::Comfort)
}

fn plan() -> Plan {
    Plan::new("winter".parse().unwrap(), [feature("seat-heating")])
}

fn open(issuer: &Issuer, store: &Arc<MemoryStore>, clock: &ManualClock, audit: &Arc<AuditLog>) -> Wallet {
    let features = ["navigation", "seat-heating", "sunroof"].map(feature);
    let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())]).unwrap());
    let features = Arc::new(Features::new(features).unwrap());
    let mut setup = Setup::new(VehicleId::opaque(CAR), features, keys, at(START - 86_400));
    setup.fitted.insert("sunroof".parse().unwrap());
    setup.audit = audit.clone();
    Wallet::open(setup, store.clone(), Arc::new(clock.clone())).unwrap()
}

impl Story {
    fn new() -> Self {
        let issuer = Issuer::new(KeyId::new("2026").unwrap(), &[7; 32]).unwrap();
        let (store, clock) = (Arc::new(MemoryStore::default()), ManualClock::new(at(START)));
        let audit = Arc::new(AuditLog::new(100));
        let wallet = open(&issuer, &store, &clock, &audit);
        wallet.tell_time(at(START), Trust::Secure).unwrap();
        let list = StatusList::new(LIST, at(START), 100).unwrap().fresh_for(7 * DAY).unwrap();
        Self { issuer, store, clock, wallet, audit, list }
    }

    fn draft(&self, offer: &Offer) -> Draft {
        let car = self.wallet.car();
        offer.draft(GrantId::new("order-17").unwrap(), car.vehicle, car.owner, self.clock.now())
    }

    fn buy(&self, draft: Draft) {
        self.wallet.add_grant(&self.issuer.issue(&draft.build().unwrap()).unwrap()).unwrap();
    }

    fn publish(&mut self, change: impl FnOnce(&mut StatusList)) {
        self.list = self.list.clone().issued_at(self.clock.now()).unwrap();
        change(&mut self.list);
        self.wallet.add_status(&self.issuer.issue_status(&self.list).unwrap()).unwrap();
    }

    /// The car is switched off for a time, and on again.
    fn off_for(&mut self, time: Duration) {
        self.wallet.checkpoint().unwrap();
        let now = self.clock.now().saturating_add(time);
        self.clock = ManualClock::new(now);
        self.wallet = open(&self.issuer, &self.store, &self.clock, &self.audit);
    }

    fn reason(&self) -> Reason {
        self.wallet.check("seat-heating").reason()
    }
}

fn monthly() -> Offer {
    Offer::recurring(plan(), 30 * DAY).unwrap().grace(3 * DAY).unwrap()
}

fn place() -> StatusRef {
    StatusRef::new(LIST, 5).unwrap()
}

#[test]
fn nothing_ends_while_the_car_moves() {
    let mut story = Story::new();
    story.buy(story.draft(&Offer::trial(plan(), DAY).unwrap()));
    story.wallet.set_safe_state(SafeState::Moving).unwrap();
    story.clock.advance(2 * DAY);
    assert_eq!(story.reason(), Reason::Driving);
    assert_eq!(story.wallet.check("seat-heating").verdict(), Verdict::Degraded);
    // What never worked on this journey does not begin to.
    assert!(!story.wallet.check("navigation").is_allowed());
    // Neither a restart on the way nor a new owner ends it.
    story.off_for(Duration::from_secs(2));
    assert_eq!(story.reason(), Reason::Driving);
    story.wallet.new_owner(OwnerEpoch(2)).unwrap();
    assert!(story.wallet.check("seat-heating").is_allowed());
    story.wallet.set_safe_state(SafeState::Parked).unwrap();
    assert_eq!(story.reason(), Reason::Expired);
    story.wallet.set_safe_state(SafeState::Moving).unwrap();
    assert_eq!(story.reason(), Reason::Expired);
}

#[test]
fn a_refund_while_the_car_moves_takes_effect_when_it_is_parked() {
    let mut story = Story::new();
    story.buy(story.draft(&monthly()).status(place()));
    story.wallet.set_safe_state(SafeState::Moving).unwrap();
    story.publish(|list| list.set(5, Status::Invalid, Some(Because::Refund)).unwrap());
    assert_eq!(story.reason(), Reason::Driving);
    story.wallet.set_safe_state(SafeState::Parked).unwrap();
    assert_eq!(story.reason(), Reason::Revoked(Because::Refund));
}

#[test]
fn only_a_car_that_certainly_stands_is_parked() {
    use coachwork_vehicle::Datapoint;
    let of = |speed: f32| SafeState::of_speed(&Datapoint::valid(speed, at(START)));
    assert_eq!(of(0.0), SafeState::Parked);
    assert_eq!((of(0.5), of(-1.0), of(f32::NAN)), (SafeState::Moving, SafeState::Moving, SafeState::Moving));
    assert_eq!(
        SafeState::of_speed(&Datapoint::new(coachwork_vehicle::State::NeverSet, at(START))),
        SafeState::Moving
    );
}

#[test]
fn unknown_time_starts_grace_and_is_shown() {
    let mut story = Story::new();
    story.buy(story.draft(&monthly()));
    assert_eq!(story.reason(), Reason::Granted);
    story.off_for(DAY);
    assert_eq!((story.reason(), story.wallet.now().trust), (Reason::TimeUnknown, Trust::Unknown));
    let decision = story.wallet.check("seat-heating");
    assert_eq!((decision.verdict(), decision.help()), (Verdict::Degraded, Help::GoOnline));
    // It is bounded, in running time, whatever the car's own clock says, however often it starts.
    for _ in 0..4 {
        story.wallet.tell_time(at(0), Trust::Rtc).unwrap();
        story.clock.advance(TIME_PATIENCE / 4);
        story.off_for(Duration::ZERO);
    }
    assert_eq!(story.reason(), Reason::TimeLost);
    story.wallet.tell_time(story.clock.now(), Trust::Network).unwrap();
    assert_eq!(story.reason(), Reason::Granted);
}

#[test]
fn stale_status_starts_grace_and_is_shown() {
    let mut story = Story::new();
    let offer = monthly().offline(14 * DAY).unwrap();
    story.buy(story.draft(&offer).status(place()));
    story.publish(|_| ());
    assert_eq!(story.reason(), Reason::Granted);
    story.clock.advance(7 * DAY);
    assert_eq!(story.reason(), Reason::StatusStale);
    story.clock.advance((14 * DAY).checked_sub(Duration::from_nanos(1)).unwrap());
    assert_eq!(story.reason(), Reason::StatusStale);
    story.clock.advance(Duration::from_nanos(1));
    assert_eq!(story.reason(), Reason::Unconfirmed);
    story.publish(|_| ());
    assert_eq!(story.reason(), Reason::Granted);
}

#[test]
fn at_boot_with_no_network_and_a_dead_rtc_the_last_good_state_holds() {
    let mut story = Story::new();
    story.buy(story.draft(&monthly()));
    for dead in [0, 1_577_836_800, 4_133_980_800, i64::MAX / 1_000_000_000] {
        story.off_for(60 * DAY);
        let reading = story.wallet.tell_time(at(dead), Trust::Rtc).unwrap();
        assert!(
            matches!(reading, Reading::RolledBack { .. } | Reading::Implausible { .. }),
            "{dead}: {reading}"
        );
        assert!(story.wallet.check("seat-heating").is_allowed(), "{dead}");
        assert!(story.audit.take().iter().any(|(_, event)| matches!(event, AuditEvent::TimeDoubted { .. })));
    }
}

#[test]
fn clocks_at_1970_2020_2101_and_the_end_of_numbers_cut_nothing_that_was_promised() {
    let (y1970, y2020, y2101) = (0, 1_577_836_800, 4_133_980_800);
    for source in [Trust::Rtc, Trust::Network, Trust::Secure] {
        for told in [y1970, y2020, y2101, i64::MAX / 1_000_000_000] {
            let mut story = Story::new();
            story.buy(story.draft(&monthly()));
            let maps = Plan::new("maps".parse().unwrap(), [feature("navigation")]);
            let maps = Offer::perpetual(maps).draft(
                GrantId::new("order-18").unwrap(),
                story.wallet.car().vehicle,
                OwnerEpoch(1),
                story.clock.now(),
            );
            story.buy(maps);
            story.off_for(DAY);
            let reading = story.wallet.tell_time(at(told), source).unwrap();
            // Only who can know is believed that it is that late; nobody that it is earlier than what has passed.
            let believed = reading == Reading::Taken;
            assert_eq!(believed, told >= y2101 && source > Trust::Rtc, "{told} by {source}: {reading}");
            let heating = story.wallet.check("seat-heating");
            assert_eq!(heating.is_allowed(), !believed, "{told} by {source}: {heating}");
            assert!(story.wallet.check("navigation").is_allowed(), "{told} by {source}");

            // The clock that does not jump runs to its last number.
            story.clock.advance(Duration::from_nanos(u64::MAX));
            assert_eq!(story.clock.monotonic().nanoseconds(), u64::MAX);
            assert!(!story.wallet.check("seat-heating").is_allowed(), "{told} by {source}");
            assert!(story.wallet.check("navigation").is_allowed(), "{told} by {source}");
            for (feature, exported) in story.wallet.export().features {
                assert_eq!(exported, story.wallet.check(feature.name().as_str()));
            }
            story.wallet.checkpoint().unwrap();
        }
    }
}

#[test]
fn perpetual_grants_stay_with_the_car_and_survive_a_new_owner() {
    let mut story = Story::new();
    story.buy(story.draft(&Offer::perpetual(plan())));
    story.wallet.new_owner(OwnerEpoch(2)).unwrap();
    story.off_for(400 * DAY);
    assert_eq!(story.reason(), Reason::Granted);
    // Neither silence nor a lost clock ends it.
    story.clock.advance(TIME_PATIENCE * 2);
    assert_eq!(story.reason(), Reason::Granted);
    assert!(story.wallet.export().to_string().contains("stays with the car when it is sold"));
}

#[test]
fn personal_grants_end_with_the_owner_and_say_so() {
    let story = Story::new();
    story.buy(story.draft(&monthly().for_owner()));
    assert!(story.wallet.export().to_string().contains("ends when the car is sold"));
    story.wallet.new_owner(OwnerEpoch(2)).unwrap();
    assert_eq!(story.reason(), Reason::OtherOwner);
    assert!(story.wallet.check("seat-heating").to_string().contains("another owner"));
    assert!(matches!(story.wallet.new_owner(OwnerEpoch(1)), Err(WalletError::Old)));
}

#[test]
fn removal_of_a_paid_feature_needs_a_signed_reason() {
    let mut story = Story::new();
    story.buy(story.draft(&monthly()).status(place()));
    story.publish(|list| list.set(5, Status::Invalid, None).unwrap());
    assert_eq!(story.reason(), Reason::Unexplained);
    assert!(story.wallet.check("seat-heating").is_allowed());
    story.publish(|list| list.set(5, Status::Invalid, Some(Because::Chargeback)).unwrap());
    assert_eq!(story.reason(), Reason::Revoked(Because::Chargeback));
    story.publish(|list| list.set(5, Status::Suspended, Some(Because::Fraud)).unwrap());
    assert_eq!(story.reason(), Reason::Suspended(Because::Fraud));
    for (status, reason) in [
        (Status::OnHold, Reason::OnHold),
        (Status::Paused, Reason::Paused),
        (Status::Cancelled, Reason::Cancelled),
        (Status::Transferred, Reason::OtherOwner),
        (Status::Valid, Reason::Granted),
    ] {
        story.publish(|list| list.set(5, status, None).unwrap());
        assert_eq!(story.reason(), reason);
    }
}

#[test]
fn what_ends_by_its_date_is_in_the_audit_once() {
    let story = Story::new();
    story.buy(story.draft(&Offer::trial(plan(), DAY).unwrap()));
    story.audit.take();
    story.clock.advance(DAY);
    for _ in 0..3 {
        story.wallet.checkpoint().unwrap();
    }
    let events: Vec<_> = story.audit.take().into_iter().map(|(_, event)| event.to_string()).collect();
    assert_eq!(events, ["seat-heating: your plan for it has ended"]);
}

#[test]
fn a_person_reads_no_end_where_nothing_ends() {
    let mut story = Story::new();
    let place = || StatusRef::new(LIST, 5).unwrap();
    story.buy(story.draft(&Offer::perpetual(plan())).status(place()));
    story.publish(|_| {});
    let decision = story.wallet.check("seat-heating");
    assert!(decision.until().is_some(), "then the status is stale");
    assert_eq!((decision.ends(), decision.to_string().as_str()), (None, "it is in your plan"));
    let story = Story::new();
    story.buy(story.draft(&monthly().only_in(["DE".parse().unwrap()])));
    assert_eq!(
        story.wallet.check("seat-heating").to_string(),
        "it is in your plan (until 2026-06-27T20:26:40Z)"
    );
    // Abroad, and over: going back would not help.
    story.wallet.enter(Some("CH".parse().unwrap())).unwrap();
    assert_eq!(story.wallet.check("seat-heating").help(), Help::Return);
    story.clock.advance(40 * DAY);
    assert_eq!(story.wallet.check("seat-heating").help(), Help::Renew);
}

#[test]
fn equipment_fitted_at_the_factory_needs_no_grant() {
    let story = Story::new();
    let sunroof = story.wallet.check("sunroof");
    assert_eq!((sunroof.reason(), sunroof.grant(), sunroof.until()), (Reason::Fitted, None, None));
}

#[test]
fn an_older_snapshot_is_not_taken_back() {
    let mut story = Story::new();
    let first = story.issuer.issue(&story.draft(&monthly()).build().unwrap()).unwrap();
    story.wallet.add_grant(&first).unwrap();
    let refund = story.draft(&Offer::one_off(plan(), Duration::from_secs(1)).unwrap()).sequence(1);
    story.buy(refund.because(Because::Refund).status(place()));
    story.clock.advance(DAY);
    assert_eq!(story.reason(), Reason::Expired);
    // It is there, and replaced: to show it again changes nothing.
    story.wallet.add_grant(&first).unwrap();
    assert_eq!(story.reason(), Reason::Expired);
    let between = story.draft(&monthly()).sequence(0).status(place());
    let between = story.issuer.issue(&between.build().unwrap()).unwrap();
    assert!(matches!(story.wallet.add_grant(&between), Err(WalletError::Conflict | WalletError::Old)));

    let old = story.issuer.issue_status(&story.list).unwrap();
    story.publish(|_| ());
    assert!(matches!(story.wallet.add_status(&old), Err(WalletError::Old)));
    let elsewhere = StatusList::new("https://example.com/2", at(START), 10).unwrap();
    let elsewhere = story.issuer.issue_status(&elsewhere).unwrap();
    assert!(matches!(story.wallet.add_status(&elsewhere), Err(WalletError::NotNamed)));
}

#[test]
fn another_cars_grant_and_anybodys_forgery_are_not_taken_in() {
    let story = Story::new();
    let other = Grant::draft(GrantId::new("g").unwrap(), VehicleId::opaque([1; 16]), at(START));
    let other = story.issuer.issue(&other.opens(&feature("seat-heating")).build().unwrap()).unwrap();
    assert!(matches!(story.wallet.add_grant(&other), Err(WalletError::OtherVehicle)));
    let thief = Issuer::new(KeyId::new("2026").unwrap(), &[8; 32]).unwrap();
    let forged = thief.issue(&story.draft(&monthly()).build().unwrap()).unwrap();
    assert!(matches!(story.wallet.add_grant(&forged), Err(WalletError::Refused(VerifyError::Signature))));
    assert!(story.audit.take().iter().any(|(_, event)| matches!(event, AuditEvent::Refused { .. })));
    assert_eq!(story.reason(), Reason::NotInPlan);
}

#[test]
fn a_country_that_the_plan_does_not_cover_ends_it_there_and_nowhere_else() {
    let story = Story::new();
    story.buy(story.draft(&monthly().only_in(["DE".parse().unwrap(), "CH".parse().unwrap()])));
    for (region, reason) in [
        (None, Reason::Granted),
        (Some("CH"), Reason::Granted),
        (Some("FR"), Reason::OutOfRegion),
        (Some("DE"), Reason::Granted),
    ] {
        story.wallet.enter(region.map(|region| region.parse().unwrap())).unwrap();
        assert_eq!(story.reason(), reason);
    }
}

#[test]
fn the_owners_export_agrees_with_the_decisions() {
    let mut story = Story::new();
    story.buy(story.draft(&monthly().for_owner().only_in(["DE".parse().unwrap()])).status(place()));
    story.publish(|list| list.set(5, Status::Cancelled, None).unwrap());
    let export = story.wallet.export();
    for (feature, decision) in &export.features {
        assert_eq!(*decision, story.wallet.check(feature.name().as_str()));
    }
    let json: serde_json::Value = serde_json::from_str(&export.to_json()).unwrap();
    let grant = &json["grants"][0];
    assert_eq!(grant["state"], "cancelled");
    assert_eq!(grant["plan"], "winter");
    assert_eq!(grant["sale"], "ends when the car is sold");
    assert_eq!(grant["stays_with_car"], "false".parse::<serde_json::Value>().unwrap());
    assert_eq!(grant["countries"][0], "DE");
    assert_eq!(grant["paid_until"], at(START).saturating_add(30 * DAY).to_string());
    let heating =
        json["features"].as_array().unwrap().iter().find(|f| f["feature"] == "seat-heating").unwrap();
    assert_eq!((&heating["verdict"], &heating["grant"]), (&"works".into(), &grant["id"]));
    let words = export.to_string();
    for said in
        ["winter", "works in DE", "ends when the car is sold", "a subscription that renews", "sunroof"]
    {
        assert!(words.contains(said), "{said}: {words}");
    }
}

#[test]
fn keys_are_replaced_and_what_the_old_ones_signed_follows() {
    let root = Issuer::new(KeyId::new("root").unwrap(), &[1; 32]).unwrap();
    let [old, new] = [(b"old", 2), (b"new", 3)]
        .map(|(id, seed)| Issuer::new(KeyId::new(id).unwrap(), &[seed; 32]).unwrap());
    let roots = Anchor::Roots(Roots::new([(root.key_id(), root.public_key())]).unwrap());
    let features = Arc::new(Features::new([feature("seat-heating")]).unwrap());
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(ManualClock::new(at(START))));
    let car = VehicleId::opaque(CAR);
    let wallet = || {
        Wallet::open(
            Setup::new(car, features.clone(), roots.clone(), at(START)),
            store.clone(),
            clock.clone(),
        )
        .unwrap()
    };
    let key =
        |issuer: &Issuer| SetKey::for_grants(issuer.key_id(), issuer.public_key(), at(0), None).unwrap();
    let set = |sequence, keys: Vec<SetKey>| {
        root.issue_keys(&KeySet::new(sequence, at(START), keys).unwrap()).unwrap()
    };
    let grant = Grant::draft(GrantId::new("g").unwrap(), car, at(START))
        .opens(&feature("seat-heating"))
        .build()
        .unwrap();
    let first = wallet();
    assert!(first.add_grant(&old.issue(&grant).unwrap()).is_err());
    first.add_keys(&set(1, vec![key(&old), key(&new)])).unwrap();
    first.add_grant(&old.issue(&grant).unwrap()).unwrap();
    let second = wallet();
    assert!(second.check("seat-heating").is_allowed(), "keys and grants are remembered");
    // A key that is no longer in the set opens nothing, and does not come back with an old set.
    second.add_keys(&set(2, vec![key(&new)])).unwrap();
    assert!(!second.check("seat-heating").is_allowed());
    assert!(matches!(second.add_keys(&set(1, vec![key(&old)])), Err(WalletError::Old)));
    assert!(matches!(wallet().add_keys(&set(2, vec![key(&old)])), Err(WalletError::Old)));
    // A status list signed with a key for grants is none.
    let list = StatusList::new(LIST, at(START), 8).unwrap();
    assert!(matches!(second.add_status(&new.issue_status(&list).unwrap()), Err(WalletError::Refused(_))));
}
