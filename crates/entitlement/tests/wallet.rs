//! A vehicle gated by a wallet: scopes, degraded modes, live changes, admission by bundles, audit.

#![cfg(feature = "issuer")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use coachwork_entitlement::*;
use coachwork_vehicle::{
    Admission, Catalogue, Clock, Credential, DataType, Datapoint, Entry, ErrorKind, Event, Facts, Get,
    ManualClock, MemoryVehicle, Outcome, Permission, Request, Subscribe, Timestamp, Value, Vehicle,
};
use futures::FutureExt;
use futures::executor::block_on;

const START: i64 = 1_780_000_000;
const HEATING: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";
const RANGE: &str = "Vehicle.Powertrain.Range";
const SPEED: &str = "Vehicle.Speed";
const POLICY: &str = "
# A test.
feature live-range data
feature seat-heating comfort
protect Vehicle.Trailer.**
set Vehicle.Cabin.Seat.**.HeatingCooling needs seat-heating else within 0..30
read Vehicle.Powertrain.Range needs live-range else every 10 s rounded to 50 within 0..500
";

struct Stand {
    clock: ManualClock,
    memory: MemoryVehicle,
    policy: Arc<Policy>,
    wallet: Wallet,
    issuer: Issuer,
    audit: Arc<AuditLog>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn stand() -> Stand {
    let clock = ManualClock::new(at(START));
    let entries = [
        Entry::actuator(HEATING, DataType::INT8).with_range(Value::from(-100i8), Value::from(100i8)),
        Entry::sensor(RANGE, DataType::UINT32),
        Entry::sensor(SPEED, DataType::FLOAT),
    ];
    let memory =
        MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(clock.clone()));
    let now = clock.now();
    memory
        .publish(&[
            (HEATING, Datapoint::valid(0i8, now)),
            (RANGE, Datapoint::valid(412u32, now)),
            (SPEED, Datapoint::valid(50f32, now)),
        ])
        .unwrap();
    let policy: Arc<Policy> = Arc::new(POLICY.parse().unwrap());
    let issuer = Issuer::new(KeyId::new("2026").unwrap(), &[7; 32]).unwrap();
    let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())]).unwrap());
    let audit = Arc::new(AuditLog::new(100));
    let mut setup = Setup::new(VehicleId::opaque([1; 16]), policy.features().clone(), keys, now);
    setup.audit = audit.clone();
    let wallet = Wallet::open(setup, MemoryStore::default(), Arc::new(clock.clone())).unwrap();
    wallet.tell_time(now, Trust::Secure).unwrap();
    Stand { clock, memory, policy, wallet, issuer, audit }
}

impl Stand {
    fn car(&self, scopes: Option<&str>) -> Entitled<MemoryVehicle> {
        let scopes = scopes.map(|scopes| Arc::new(scopes.parse().unwrap()));
        Entitled::by_wallet(self.memory.clone(), self.policy.clone(), scopes, &self.wallet).unwrap()
    }

    fn token(&self, id: &str, feature: &str, change: impl FnOnce(Draft) -> Draft) -> Vec<u8> {
        let id = GrantId::new(id).unwrap();
        let paid = PaidFeature::new(feature.parse().unwrap(), PaidClass::Comfort);
        let draft = Grant::draft(id, self.wallet.car().vehicle, self.clock.now()).opens(&paid);
        self.issuer.issue(&change(draft).build().unwrap()).unwrap()
    }

    fn buy(&self, feature: &str) {
        self.wallet.add_grant(&self.token(feature, feature, |draft| draft)).unwrap();
    }

    fn publish_range(&self, range: u32) {
        self.memory.publish(&[(RANGE, Datapoint::valid(range, self.clock.now()))]).unwrap();
    }
}

fn read(car: &dyn Vehicle, path: &str) -> Result<Option<Value>, String> {
    let id = car.catalogue().resolve(path).unwrap();
    let point = block_on(car.get(Get::of(&[id]))).unwrap().remove(0);
    point.map(|point| point.value().cloned()).map_err(|error| error.message().to_owned())
}

fn write(car: &dyn Vehicle, path: &str, value: impl Into<Value>) -> Outcome {
    let id = car.catalogue().resolve(path).unwrap();
    block_on(block_on(car.set(vec![Request::new(id, value.into())])).unwrap().remove(0).unwrap().outcome())
}

#[test]
fn a_policy_file_is_read_and_printed_alike() {
    let policy: Policy = POLICY.parse().unwrap();
    let printed = policy.to_string();
    assert_eq!(printed.parse::<Policy>().unwrap().to_string(), printed);
    assert!(policy.protects(&"Vehicle.Trailer.IsConnected".parse().unwrap()));
    for (wrong, line) in [
        ("feature abs safety", 1),
        ("\nfeature x warm", 2),
        ("feature X comfort", 1),
        ("feature x comfort\nfeature x comfort", 2),
        ("read Vehicle.Speed needs x", 1),
        ("feature x comfort\nread Vehicle..Speed needs x", 2),
        ("feature x comfort\nwatch Vehicle.Speed needs x", 2),
        ("feature x comfort\nread Vehicle.Speed needs x else", 2),
        ("feature x comfort\nread Vehicle.Speed needs x else every 0 s", 2),
        ("feature x comfort\nread Vehicle.Speed needs x else within 2..1", 2),
        ("feature x comfort\nread Vehicle.Speed needs x else rounded to -1", 2),
        ("feature x comfort\nset Vehicle.Chassis.Brake.** needs x", 2),
        ("protect", 1),
    ] {
        assert_eq!(wrong.parse::<Policy>().unwrap_err().line, line, "{wrong}");
    }
    assert!(matches!("feature abs safety".parse::<Policy>().unwrap_err().why, LineError::Safety));
    assert!("#".repeat(MAX_POLICY + 1).parse::<Policy>().is_err());
}

#[test]
fn without_its_feature_a_signal_is_coarser_slower_and_smaller() {
    let stand = stand();
    let car = stand.car(None);
    assert_eq!(read(&car, RANGE), Ok(Some(Value::from(400u32))));
    stand.publish_range(499);
    assert_eq!(read(&car, RANGE), Ok(Some(Value::from(400u32))), "not so soon");
    stand.clock.advance(Duration::from_secs(10));
    assert_eq!(read(&car, RANGE), Ok(Some(Value::from(500u32))));
    stand.publish_range(501);
    stand.clock.advance(Duration::from_secs(10));
    assert_eq!(read(&car, RANGE), Ok(None), "beyond");
    assert!(matches!(write(&car, HEATING, 30i8), Outcome::Confirmed(_)));
    let Outcome::Refused(why) = write(&car, HEATING, 31i8) else { panic!() };
    assert_eq!(
        why.text(),
        "seat heating is not in your plan: it works within 0..30; a grant for seat-heating opens the rest"
    );
    stand.buy("live-range");
    stand.buy("seat-heating");
    assert_eq!(read(&car, RANGE), Ok(Some(Value::from(501u32))));
    assert!(matches!(write(&car, HEATING, 100i8), Outcome::Confirmed(_)));
}

#[test]
fn an_open_subscription_is_slowed_and_set_free() {
    let stand = stand();
    let car = stand.car(None);
    let id = car.catalogue().resolve(RANGE).unwrap();
    let mut subscription = block_on(car.subscribe(Subscribe::to([id]))).unwrap();
    let mut next = || match subscription.next().now_or_never() {
        Some(Some(Event::Changed(points))) => points.iter().last().map(|(_, point)| point.value().cloned()),
        None => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(), Some(Some(Value::from(400u32))));
    for range in [300, 200, 149] {
        stand.publish_range(range);
        assert_eq!(next(), None);
        stand.clock.advance(Duration::from_secs(3));
    }
    // The last one is not lost.
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(next(), Some(Some(Value::from(150u32))));
    stand.publish_range(148);
    assert_eq!(next(), None);
    stand.buy("live-range");
    assert_eq!(next(), Some(Some(Value::from(148u32))));
    stand.publish_range(147);
    assert_eq!(next(), Some(Some(Value::from(147u32))));
    stand.publish_range(146);
    assert_eq!(next(), Some(Some(Value::from(146u32))));
}

#[test]
fn scopes_and_features_must_both_allow() {
    let stand = stand();
    stand.buy("seat-heating");
    let app = stand.car(Some("read:Vehicle.Cabin.** read:Vehicle.Powertrain"));
    assert_eq!(read(&app, HEATING), Ok(Some(Value::from(0i8))));
    assert!(read(&app, SPEED).unwrap_err().contains("the scope read:Vehicle.Speed gives it"));
    let Outcome::Refused(why) = write(&app, HEATING, 5i8) else { panic!() };
    assert!(why.text().contains(&format!("actuate:{HEATING}")), "{}", why.text());
    let catalogue = app.catalogue();
    let access = catalogue.access(catalogue.resolve(SPEED).unwrap()).unwrap();
    assert!(matches!(&access.read, Permission::Denied(_)));
    let denials = stand.audit.take();
    let denied = |action: Action| {
        denials.iter().any(|(_, event)| matches!(event, AuditEvent::Denied { action: of, feature: None, .. } if *of == action))
    };
    assert!(denied(Action::Read) && denied(Action::Set));
    // And the other way round: a scope opens nothing that is not paid for.
    let actuator = stand.car(Some("actuate"));
    assert!(matches!(write(&actuator, HEATING, 60i8), Outcome::Confirmed(_)));
    let list =
        stand.token("seat-heating", "live-range", |draft| draft.sequence(1).because(Because::Exchanged));
    stand.wallet.add_grant(&list).unwrap();
    assert!(matches!(write(&actuator, HEATING, 60i8), Outcome::Refused(_)));
    let told = stand.audit.take();
    assert!(
        told.iter().any(|(_, event)| event.to_string() == "seat-heating: it is not in your plan"),
        "{told:?}"
    );
}

#[test]
fn a_bundle_opens_exactly_what_it_names_until_it_ends() {
    let stand = stand();
    let door = ByGrant::by_wallet(stand.memory.clone(), stand.policy.clone(), &stand.wallet).unwrap();
    let end = at(START + 3600);
    let scope = || "actuate:Vehicle.Cabin".parse::<Scope>().unwrap();
    let one = stand.token("a", "seat-heating", |draft| draft.until(end).scope(scope()));
    let two = stand.token("b", "live-range", |draft| draft.scope("read:Vehicle.Powertrain".parse().unwrap()));
    let show = |tokens: &[&Vec<u8>]| {
        let bundle = Bundle::new(tokens.iter().map(|token| (*token).clone())).unwrap();
        block_on(door.admit(&Credential::Token(bundle.to_text().into_bytes().into())))
    };
    let heat = show(&[&one]).unwrap();
    assert_eq!(heat.until, Some(end));
    assert!(matches!(write(&*heat.view, HEATING, 60i8), Outcome::Confirmed(_)));
    assert!(read(&*heat.view, RANGE).is_err(), "no scope for it");
    assert!(read(&*heat.view, SPEED).is_err());
    let both = show(&[&one, &two]).unwrap();
    assert_eq!(both.until, None);
    assert_eq!(read(&*both.view, RANGE), Ok(Some(Value::from(412u32))));
    assert!(matches!(write(&*both.view, HEATING, 60i8), Outcome::Confirmed(_)));
    assert!(read(&*both.view, SPEED).is_err());
    // Equal rights share a view; the raw token is a credential too.
    let again = block_on(door.admit(&Credential::Token(one.clone().into()))).unwrap();
    assert!(Arc::ptr_eq(&heat.view, &again.view));
    stand.clock.advance(Duration::from_secs(3600));
    assert!(matches!(write(&*heat.view, HEATING, 60i8), Outcome::Refused(_)));
    assert_eq!(show(&[&one]).unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(
        block_on(door.admit(&Credential::Token(b"nonsense!"[..].into()))).unwrap_err().kind(),
        ErrorKind::Denied
    );
}

#[test]
fn what_is_withdrawn_in_the_wallet_ends_in_open_views() {
    let stand = stand();
    let door = ByGrant::by_wallet(stand.memory.clone(), stand.policy.clone(), &stand.wallet).unwrap();
    let place = StatusRef::new("list", 3).unwrap();
    let token = stand.token("a", "seat-heating", |draft| draft.status(place));
    // The car holds it as well, so that its list is taken in.
    stand.wallet.add_grant(&token).unwrap();
    let guest = block_on(door.admit(&Credential::Token(token.into()))).unwrap();
    let id = guest.view.catalogue().resolve(HEATING).unwrap();
    let mut subscription = block_on(guest.view.subscribe(Subscribe::to([id]))).unwrap();
    assert!(subscription.next().now_or_never().is_some());
    assert!(matches!(write(&*guest.view, HEATING, 60i8), Outcome::Confirmed(_)));
    let mut list = StatusList::new("list", at(START), 8).unwrap();
    list.set(3, Status::Invalid, Some(Because::Refund)).unwrap();
    let refund = stand.issuer.issue_status(&list).unwrap();
    // While the car moves nothing ends, here neither.
    stand.wallet.set_safe_state(SafeState::Moving).unwrap();
    stand.wallet.add_status(&refund).unwrap();
    assert!(matches!(write(&*guest.view, HEATING, 61i8), Outcome::Confirmed(_)));
    stand.wallet.set_safe_state(SafeState::Parked).unwrap();
    let Outcome::Refused(why) = write(&*guest.view, HEATING, 62i8) else { panic!() };
    assert!(why.text().contains("seat-heating"), "{}", why.text());
}
