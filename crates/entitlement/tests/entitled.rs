//! A gated vehicle: what is shown, what is refused, and how open subscriptions follow.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_entitlement::*;
use coachwork_vehicle::{
    Access, Admission, Catalogue, Clock, Credential, DataType, Datapoint, Each, Entry, Error, ErrorKind,
    Event, Facts, Get, ManualClock, MemoryVehicle, Monotonic, Outcome, Permission, ReasonKind, Receipt,
    RefusalKind, Request, SignalId, Sleep, Stage, Subscribe, Subscription, Timestamp, Value, Vehicle,
};
use coset::cbor::Value as Cbor;
use futures::FutureExt;
use futures::executor::block_on;
use support::*;

const HEATING: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.Heating";
const BELT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted";
const MASSAGE: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.Massage";
const RANGE: &str = "Vehicle.Powertrain.Range";
const SPEED: &str = "Vehicle.Speed";

const START: i64 = 1_780_000_000;
const DAY: Duration = Duration::from_secs(86_400);
const CAR: fn() -> Car = || Car { vehicle: VehicleId::opaque(VEHICLE), owner: OwnerEpoch(1) };

/// A clock whose time of day can be set.
#[derive(Debug, Clone)]
struct SetClock(ManualClock, Arc<AtomicI64>);

impl SetClock {
    fn new() -> Self {
        Self(ManualClock::new(Timestamp::from_seconds(START)), Arc::default())
    }

    fn set_on(&self, seconds: i64) {
        self.1.fetch_add(seconds * 1_000_000_000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanoseconds(self.0.now().nanoseconds() + self.1.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        self.0.sleep_until(deadline)
    }
}

struct Bench {
    clock: SetClock,
    memory: MemoryVehicle,
    policy: Arc<Policy>,
    car: Entitled<MemoryVehicle>,
}

fn feature(name: &str) -> PaidFeature {
    PaidFeature::new(name.parse().unwrap(), PaidClass::Comfort)
}

fn policy() -> Arc<Policy> {
    let rule = |pattern, action, name| Rule::new(pattern, action, feature(name)).unwrap();
    Arc::new(
        Policy::new([
            rule("Vehicle.Cabin.Seat.**.Heating", Action::Set, "seat-heating"),
            rule("Vehicle.Cabin.Seat.**", Action::Set, "seat-comfort"),
            rule("Vehicle.Cabin.Seat.**", Action::Read, "seat-data"),
            rule("Vehicle.Powertrain.Range", Action::Subscribe, "live-range"),
        ])
        .unwrap(),
    )
}

fn bench(features: &[&str]) -> Bench {
    let clock = SetClock::new();
    let entries = [
        Entry::actuator(HEATING, DataType::UINT8).with_range(Value::from(0u8), Value::from(100u8)),
        Entry::sensor(BELT, DataType::BOOLEAN),
        Entry::sensor(RANGE, DataType::UINT32),
        Entry::sensor(SPEED, DataType::FLOAT),
    ];
    let catalogue = Catalogue::new(entries, Facts::default()).unwrap();
    let memory = MemoryVehicle::new(catalogue, Arc::new(clock.clone()));
    let at = clock.now();
    memory
        .publish(&[
            (HEATING, Datapoint::valid(0u8, at)),
            (BELT, Datapoint::valid(true, at)),
            (RANGE, Datapoint::valid(400u32, at)),
            (SPEED, Datapoint::valid(50f32, at)),
        ])
        .unwrap();
    let policy = policy();
    let entitlements = entitlements(&policy, features, Some(START + 86_400), &clock);
    let car = Entitled::new(memory.clone(), policy.clone(), entitlements, Arc::new(clock.clone())).unwrap();
    Bench { clock, memory, policy, car }
}

fn token(features: &[&str], expires: Option<i64>) -> Vec<u8> {
    token_for(features, expires, None, VEHICLE)
}

fn token_for(features: &[&str], expires: Option<i64>, owner: Option<i64>, vehicle: [u8; 16]) -> Vec<u8> {
    let mut names = features.to_vec();
    names.sort_unstable();
    let mut entries = vec![
        (int(1), Cbor::Bytes(vehicle.to_vec())),
        (int(2), Cbor::Array(names.into_iter().map(text).collect())),
    ];
    entries.extend(owner.map(|owner| (int(4), int(owner))));
    let mut claims = vec![
        (int(6), int(START)),
        (int(7), Cbor::Bytes(b"order-17".to_vec())),
        (int(-65537), Cbor::Map(entries)),
    ];
    claims.splice(0..0, expires.map(|expires| (int(4), int(expires))));
    sign_claims(claims)
}

fn entitlements(
    policy: &Policy,
    features: &[&str],
    expires: Option<i64>,
    clock: &SetClock,
) -> Arc<Entitlements> {
    let grant = (!features.is_empty()).then(|| verifier().verify(&token(features, expires)).unwrap());
    Arc::new(Entitlements::new(CAR(), policy.features().clone(), grant, clock.now()).unwrap())
}

impl Bench {
    fn id(&self, path: &str) -> SignalId {
        self.car.catalogue().resolve(path).unwrap()
    }

    fn write_access(&self, path: &str) -> Permission {
        let catalogue = self.car.catalogue();
        catalogue.access(catalogue.resolve(path).unwrap()).unwrap().write.clone()
    }

    fn read_access(&self, path: &str) -> Permission {
        let catalogue = self.car.catalogue();
        catalogue.access(catalogue.resolve(path).unwrap()).unwrap().read.clone()
    }

    fn heat(&self, to: u8) -> Outcome {
        let mut receipts =
            block_on(self.car.set(vec![Request::new(self.id(HEATING), Value::from(to))])).unwrap();
        block_on(receipts.remove(0).unwrap().outcome())
    }

    fn subscribe(&self, paths: &[&str]) -> Subscription {
        let wish = Subscribe::to(paths.iter().map(|path| self.id(path)));
        block_on(self.car.subscribe(wish)).unwrap()
    }

    fn heating(&self) -> Option<Value> {
        let point = block_on(self.memory.get(Get::of(&[self.id(HEATING)]))).unwrap().remove(0).unwrap();
        point.value().cloned()
    }
}

fn denial(permission: &Permission) -> String {
    match permission {
        Permission::Denied(reason) => {
            assert_eq!(reason.kind(), ReasonKind::Denied);
            reason.to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// The points of the next event, which must be there.
fn changed(subscription: &mut Subscription) -> Vec<(SignalId, Option<Value>)> {
    match subscription.next().now_or_never() {
        Some(Some(Event::Changed(points))) => {
            points.iter().map(|(id, point)| (id, point.value().cloned())).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn access(subscription: &mut Subscription) -> Vec<(SignalId, Permission)> {
    match subscription.next().now_or_never() {
        Some(Some(Event::Access(changes))) => changes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_grant_the_seat_stays_cold_and_the_app_reads_why() {
    let bench = bench(&[]);
    let Outcome::Refused(why) = bench.heat(60) else { panic!() };
    assert_eq!(why.kind(), RefusalKind::Denied);
    assert_eq!(why.text(), "seat heating is not in your plan; a grant for seat-heating opens it");
    assert_eq!(bench.heating(), Some(Value::from(0u8)));
    assert_eq!(denial(&bench.write_access(HEATING)), why.text());
    assert_eq!(bench.car.check("seat-heating").reason(), Reason::NotInPlan);
    assert_eq!(bench.car.check("flying").reason(), Reason::Unknown);
}

#[test]
fn with_a_grant_the_seat_warms() {
    let bench = bench(&["seat-heating"]);
    assert!(matches!(bench.heat(60), Outcome::Confirmed(_)));
    assert_eq!(bench.heating(), Some(Value::from(60u8)));
    assert_eq!(bench.write_access(HEATING), Permission::Yes);
    assert_eq!(bench.car.check("seat-heating").verdict(), Verdict::Allow);
}

#[test]
fn the_first_rule_that_matches_decides() {
    assert!(matches!(bench(&["seat-comfort"]).heat(60), Outcome::Refused(_)));
}

#[test]
fn what_is_denied_is_shown_and_not_read() {
    let bench = bench(&["seat-heating"]);
    let why = "seat data is not in your plan; a grant for seat-data opens it";
    assert_eq!(denial(&bench.read_access(HEATING)), why);
    let ids = [bench.id(SPEED), bench.id(HEATING), bench.id(RANGE)];
    let answers = block_on(bench.car.get(Get::of(&ids))).unwrap();
    assert_eq!(answers[0].as_ref().unwrap().value(), Some(&Value::from(50f32)));
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.message(), error.path()), (ErrorKind::Denied, why, Some(HEATING)));
    assert_eq!(answers[2].as_ref().unwrap().value(), Some(&Value::from(400u32)));
    let only = block_on(bench.car.get(Get::of(&[bench.id(HEATING)]))).unwrap();
    assert_eq!(only.len(), 1);
    assert!(only[0].is_err());
}

#[test]
fn a_safety_signal_is_open_whatever_the_wildcards_say() {
    let bench = bench(&[]);
    assert_eq!(bench.read_access(BELT), Permission::Yes);
    assert!(bench.policy.protects(&BELT.parse().unwrap()));
    let belt = block_on(bench.car.get(Get::of(&[bench.id(BELT)]))).unwrap().remove(0).unwrap();
    assert_eq!(belt.value(), Some(&Value::from(true)));
    let mut subscription = bench.subscribe(&[BELT]);
    assert_eq!(subscription.refused().len(), 0);
    assert_eq!(changed(&mut subscription).len(), 1);
}

#[test]
fn a_platform_protects_more_and_never_less() {
    let rule = || Rule::new("Vehicle.Trailer.*", Action::Set, feature("trailer")).unwrap();
    assert!(Policy::new([rule()]).is_ok());
    let more = coachwork_vehicle::Pattern::new("Vehicle.Trailer.**").unwrap();
    assert!(matches!(Policy::protecting([more], [rule()]), Err(PolicyError::Safety { .. })));
    for safety in ["Vehicle.Chassis.Brake.**", "Vehicle.ADAS.ABS.IsEnabled", "Vehicle.*.Lights.Hazard.*"] {
        let rule = Rule::new(safety, Action::Set, feature("cheat")).unwrap();
        let refused = Policy::new([rule]);
        assert_eq!(refused.is_err(), !safety.starts_with("Vehicle.*"), "{safety}");
    }
}

#[test]
fn answers_keep_the_order_of_their_requests() {
    let bench = bench(&[]);
    bench.memory.board().grow(vec![Entry::actuator("Vehicle.Cabin.Fan", DataType::UINT8)]).unwrap();
    let other = bench_of_another_lineage();
    let set = |path: &str, value: Value| Request::new(bench.id(path), value);
    let requests = vec![
        set("Vehicle.Cabin.Fan", Value::from(3u8)),
        set(HEATING, Value::from(60u8)),
        Request::new(other, Value::from(1u8)),
        set("Vehicle.Cabin.Fan", Value::from(4u8)),
        set(SPEED, Value::from(1f32)),
        set(HEATING, Value::from("hot")),
        set(HEATING, Value::from(101u8)),
    ];
    let answers = block_on(bench.car.set(requests)).unwrap();
    let settled = |at: usize| match answers[at].as_ref().unwrap().stage() {
        Stage::Settled(outcome) => outcome,
        Stage::Accepted => panic!("{at}"),
    };
    assert!(matches!(settled(0), Outcome::Confirmed(_)));
    assert!(matches!(settled(1), Outcome::Refused(_)));
    assert!(matches!(settled(3), Outcome::Confirmed(_)));
    let kinds: Vec<_> = [2, 4, 5, 6].map(|at| answers[at].as_ref().unwrap_err().kind()).to_vec();
    assert_eq!(
        kinds,
        [ErrorKind::WrongCatalogue, ErrorKind::NotActuator, ErrorKind::WrongType, ErrorKind::OutOfRange]
    );
}

fn bench_of_another_lineage() -> SignalId {
    let entry = Entry::actuator("Vehicle.X", DataType::UINT8);
    Catalogue::new([entry], Facts::default()).unwrap().resolve("Vehicle.X").unwrap()
}

#[test]
fn a_subscription_reports_what_it_may_not_see_and_a_strict_one_is_refused() {
    let bench = bench(&[]);
    let mut subscription = bench.subscribe(&[SPEED, HEATING, RANGE]);
    let refused: Vec<_> =
        subscription.refused().map(|(path, error)| (path.to_owned(), error.kind())).collect();
    assert_eq!(refused, [(HEATING.to_owned(), ErrorKind::Denied), (RANGE.to_owned(), ErrorKind::Denied)]);
    assert_eq!(changed(&mut subscription), [(bench.id(SPEED), Some(Value::from(50f32)))]);
    let strict = Subscribe::to([bench.id(SPEED), bench.id(HEATING)]).strict();
    let error = block_on(bench.car.subscribe(strict)).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(HEATING)));
}

#[test]
fn a_single_read_stays_free_where_only_subscribing_is_sold() {
    let bench = bench(&[]);
    assert_eq!(bench.read_access(RANGE), Permission::Yes);
    assert!(block_on(bench.car.get(Get::of(&[bench.id(RANGE)]))).unwrap()[0].is_ok());
    assert_eq!(bench.subscribe(&[RANGE]).refused().len(), 1);
}

#[test]
fn new_entitlements_reach_open_subscriptions() {
    let bench = bench(&[]);
    let mut subscription = bench.subscribe(&[SPEED, HEATING]);
    assert_eq!(changed(&mut subscription).len(), 1);
    let heating = bench.id(HEATING);

    let bought = entitlements(&bench.policy, &["seat-data"], None, &bench.clock);
    bench.car.replace(bought).unwrap();
    assert_eq!(access(&mut subscription), [(heating, Permission::Yes)]);
    assert_eq!(changed(&mut subscription), [(heating, Some(Value::from(0u8)))]);

    bench.memory.publish(&[(HEATING, Datapoint::valid(5u8, bench.clock.now()))]).unwrap();
    let refunded = entitlements(&bench.policy, &[], None, &bench.clock);
    bench.car.replace(refunded).unwrap();
    let changes = access(&mut subscription);
    assert_eq!(changes[0].0, heating);
    denial(&changes[0].1);
    // What was queued before the refund is not delivered after it.
    assert!(subscription.next().now_or_never().is_none());
    bench.memory.publish(&[(HEATING, Datapoint::valid(6u8, bench.clock.now()))]).unwrap();
    assert!(subscription.next().now_or_never().is_none());
}

#[test]
fn expiry_is_noticed_by_whoever_looks() {
    let one = bench(&["seat-heating"]);
    one.clock.0.advance(Duration::from_nanos(86_399_999_999_999));
    assert!(matches!(one.heat(10), Outcome::Confirmed(_)));
    one.clock.0.advance(Duration::from_nanos(1));
    let Outcome::Refused(why) = one.heat(20) else { panic!() };
    assert_eq!(why.text(), "seat heating is not in your plan any more; renewing seat-heating opens it again");

    let two = bench(&["seat-heating"]);
    let before = two.car.catalogue();
    two.clock.0.advance(DAY);
    denial(&two.write_access(HEATING));
    assert!(before.superseded().now_or_never().is_some());
}

#[test]
fn expiry_wakes_an_open_subscription() {
    let bench = bench(&["seat-data"]);
    let mut subscription = bench.subscribe(&[HEATING]);
    assert_eq!(changed(&mut subscription).len(), 1);
    assert!(subscription.next().now_or_never().is_none());
    assert_eq!(bench.clock.0.next_deadline(), Some(Monotonic::from_nanoseconds(86_400_000_000_000)));
    bench.clock.0.advance(DAY);
    assert_eq!(access(&mut subscription)[0].0, bench.id(HEATING));
    assert!(subscription.next().now_or_never().is_none());
    assert_eq!(bench.clock.0.next_deadline(), None);
}

/// A vehicle that takes a day to subscribe.
#[derive(Debug)]
struct Slow(MemoryVehicle, ManualClock);

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("slow")
    }
}

#[async_trait]
impl Vehicle for Slow {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.0.get(get).await
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        self.0.set(requests).await
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        let subscription = self.0.subscribe(subscribe).await;
        self.1.advance(DAY);
        subscription
    }
}

#[test]
fn a_date_that_passes_while_subscribing_counts() {
    let bench = bench(&["seat-data"]);
    let slow = Slow(bench.memory.clone(), bench.clock.0.clone());
    let clock = Arc::new(bench.clock.clone());
    let car = Entitled::new(slow, bench.policy.clone(), bench.car.entitlements(), clock).unwrap();
    let mut subscription = block_on(car.subscribe(Subscribe::to([bench.id(HEATING)]))).unwrap();
    assert_eq!(subscription.refused().len(), 1);
    assert!(subscription.next().now_or_never().is_none());
}

#[test]
fn a_clock_that_is_set_moves_the_dates() {
    let bench = bench(&["seat-data"]);
    let mut subscription = bench.subscribe(&[HEATING]);
    assert_eq!(changed(&mut subscription).len(), 1);
    assert!(subscription.next().now_or_never().is_none());
    // Set back by an hour: at the old deadline, an hour is left.
    bench.clock.set_on(-3600);
    bench.clock.0.advance(DAY);
    assert!(subscription.next().now_or_never().is_none());
    assert_eq!(bench.read_access(HEATING), Permission::Yes);
    bench.clock.0.advance(Duration::from_secs(3600));
    assert_eq!(access(&mut subscription)[0].0, bench.id(HEATING));
    // Set back again, the grant covers the time again; whoever looks first tells the subscription.
    bench.clock.set_on(-3600);
    assert_eq!(bench.read_access(HEATING), Permission::Yes);
    assert_eq!(access(&mut subscription), [(bench.id(HEATING), Permission::Yes)]);
}

#[test]
fn the_wrapped_catalogue_is_followed() {
    let bench = bench(&["seat-heating", "seat-data"]);
    let before = bench.car.catalogue();
    bench.memory.board().grow(vec![Entry::actuator(MASSAGE, DataType::UINT8)]).unwrap();
    let after = bench.car.catalogue();
    assert!(
        after.is_lineage_of(&before)
            && after.len() == before.len() + 1
            && after.revision() > before.revision()
    );
    assert_eq!(bench.read_access(MASSAGE), Permission::Yes);
    denial(&bench.write_access(MASSAGE));
    let mut subscription = bench.subscribe(&[MASSAGE]);
    assert_eq!(changed(&mut subscription).len(), 1);

    // What the vehicle itself denies keeps the vehicle's reason.
    let massage = bench.id(MASSAGE);
    bench.memory.board().restrict(|id, access| {
        let mut access = access.clone();
        if id == massage {
            access.read = Permission::denied("the seat is broken");
        }
        access
    });
    assert_eq!(denial(&bench.read_access(MASSAGE)), "the seat is broken");
    assert_eq!(denial(&access(&mut subscription)[0].1), "the seat is broken");
    bench.memory.board().restrict(|id, access| {
        let mut access = access.clone();
        if id == massage {
            access.read = Permission::Yes;
        }
        access
    });
    assert_eq!(access(&mut subscription), [(massage, Permission::Yes)]);
    assert_eq!(bench.read_access(MASSAGE), Permission::Yes);
}

#[test]
fn nothing_changes_the_catalogue_without_a_cause() {
    let bench = bench(&["seat-heating"]);
    let first = bench.car.catalogue();
    bench.heat(1);
    drop(bench.subscribe(&[SPEED]));
    assert!(Arc::ptr_eq(&first, &bench.car.catalogue()));
}

#[test]
fn an_open_subscription_does_not_keep_the_vehicle() {
    let Bench { clock: _clock, memory, policy: _, car } = bench(&[]);
    let id = car.catalogue().resolve(SPEED).unwrap();
    let mut subscription = block_on(car.subscribe(Subscribe::to([id]))).unwrap();
    assert_eq!(changed(&mut subscription).len(), 1);
    drop((memory, car));
    assert!(matches!(subscription.next().now_or_never(), Some(Some(Event::Ended(_)))));
}

#[test]
fn entitlements_for_other_features_are_refused() {
    let bench = bench(&[]);
    let other = Arc::new(Features::new([feature("seat-heating")]).unwrap());
    let other = Arc::new(Entitlements::new(CAR(), other, None, bench.clock.now()).unwrap());
    assert_eq!(bench.car.replace(other), Err(WrongFeatures));
}

fn door(bench: &Bench) -> ByGrant {
    let clock = Arc::new(bench.clock.clone());
    ByGrant::new(bench.memory.clone(), CAR(), bench.policy.clone(), verifier(), clock)
}

fn shown(token: Vec<u8>) -> Credential {
    Credential::Token(token.into())
}

fn writable(view: &dyn Vehicle) -> Permission {
    let catalogue = view.catalogue();
    catalogue.access(catalogue.resolve(HEATING).unwrap()).unwrap().write.clone()
}

#[test]
fn a_grant_at_the_door_opens_what_it_names_until_it_ends() {
    let bench = bench(&[]);
    let door = door(&bench);
    let end = START + 3600;
    let admitted = block_on(door.admit(&shown(token(&["seat-heating"], Some(end))))).unwrap();
    assert_eq!(admitted.until, Some(Timestamp::from_seconds(end)));
    assert_eq!(writable(&*admitted.view), Permission::Yes);
    bench.clock.0.advance(Duration::from_secs(3600));
    denial(&writable(&*admitted.view));
    let error = block_on(door.admit(&shown(token(&["seat-heating"], Some(end))))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("ended 2026-"), "{error}");
}

#[test]
fn nothing_shown_opens_what_needs_no_grant() {
    let bench = bench(&[]);
    let admitted = block_on(door(&bench).admit(&Credential::None)).unwrap();
    assert_eq!(admitted.until, None);
    denial(&writable(&*admitted.view));
    let error = block_on(door(&bench).grants_only().admit(&Credential::None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn equal_rights_share_one_view() {
    let bench = bench(&[]);
    let door = door(&bench);
    let admit = |credential: &Credential| block_on(door.admit(credential)).unwrap().view;
    let forever = admit(&shown(token(&["seat-heating"], None)));
    // Another token with the same rights: a feature that this platform does not know makes no difference.
    let same = admit(&shown(token(&["heated-wings", "seat-heating"], None)));
    assert!(Arc::ptr_eq(&forever, &same));
    let other = admit(&shown(token(&["seat-heating"], Some(START + 60))));
    assert!(!Arc::ptr_eq(&forever, &other));
    assert!(!Arc::ptr_eq(&forever, &admit(&Credential::None)));
    assert!(Arc::ptr_eq(&other, &admit(&shown(token(&["seat-heating"], Some(START + 60))))));
}

#[test]
fn views_that_nobody_holds_are_forgotten() {
    let bench = bench(&[]);
    let door = door(&bench);
    let admit = |end: usize| {
        let end = START + 60 + i64::try_from(end).unwrap();
        block_on(door.admit(&shown(token(&["seat-heating"], Some(end))))).unwrap().view
    };
    for end in 0..=MAX_VIEWS {
        drop(admit(end));
    }
    let held = admit(0);
    assert!(Arc::ptr_eq(&held, &admit(0)));
}

#[test]
fn what_is_no_grant_for_this_car_and_owner_stays_outside() {
    let bench = bench(&[]);
    let door = door(&bench);
    let mut forged = token(&["seat-heating"], None);
    *forged.last_mut().unwrap() ^= 1;
    for (credential, why) in [
        (shown(forged.clone()), "not a grant"),
        (shown(vec![]), "not a grant"),
        (shown(token_for(&["seat-heating"], None, None, [9; 16])), "another vehicle"),
        (shown(token_for(&["seat-heating"], None, Some(2), VEHICLE)), "another owner"),
        (Credential::Certificate(forged.into()), "only grants"),
    ] {
        let error = block_on(door.admit(&credential)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains(why), "{error}");
    }
    let personal = shown(token_for(&["seat-heating"], None, Some(1), VEHICLE));
    assert_eq!(writable(&*block_on(door.admit(&personal)).unwrap().view), Permission::Yes);
}

#[test]
fn what_the_vehicle_cannot_move_it_says_itself() {
    let bench = bench(&[]);
    assert!(matches!(bench.heat(60), Outcome::Refused(_)));
    // A recorded log, say: nothing in it moves, whatever was bought.
    let no = |_: SignalId, now: &Access| Access { write: Permission::No, ..now.clone() };
    bench.memory.board().restrict(no);
    let request = Request::new(bench.id(HEATING), Value::from(60u8));
    let answer = block_on(bench.car.set(vec![request])).unwrap().remove(0);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotActuator);
}
