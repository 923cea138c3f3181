//! A whole VISS conversation whose `authorization` is a grant, or several: through a gateway, over memory and over TCP,
//! what they name is open, until they end or are withdrawn.
//!
//! *Invariant:* the peers speak for themselves, in plain VISS, or as our client; the clock is turned by hand.
#![cfg(all(feature = "issuer", feature = "remote", feature = "system"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use std::sync::Arc;
use std::time::Duration;

use coachwork::client::Client;
use coachwork::entitlement::{
    Anchor, AuditEvent, AuditLog, Because, Bundle, ByGrant, Draft, Grant, GrantId, Issuer, KeyId,
    MemoryStore, OwnerEpoch, PaidClass, PaidFeature, Policy, SafeState, Setup, Status, StatusList, StatusRef,
    Trust, VehicleId, Verifier, Wallet,
};
use coachwork::gateway::Gateway;
use coachwork::system::{spawn, tcp};
use coachwork::transport::{Connection, ConnectionExt, Connector, Limits, Listener, Message, memory};
use coachwork::{
    Catalogue, Clock, DataType, Datapoint, Entry, ErrorKind, Event, Facts, ManualClock, MemoryVehicle,
    Outcome, Permission, ReasonKind, Set, Subscribe, Subscription, Timestamp, Value, Vehicle, VehicleExt,
};
use serde_json::Value as Json;

const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";
const RANGE: &str = "Vehicle.Powertrain.Range";
const SPEED: &str = "Vehicle.Speed";
const POLICY: &str = "
feature live-range data
feature seat-heating comfort
set Vehicle.Cabin.Seat.**.HeatingCooling needs seat-heating
read Vehicle.Powertrain.Range needs live-range
";
const START: i64 = 1_780_000_000;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const LIST: &str = "https://example.com/status/1";

/// A car behind a gateway that takes grants, and the back end that issues them.
struct Stand {
    clock: ManualClock,
    car: MemoryVehicle,
    wallet: Wallet,
    issuer: Issuer,
    audit: Arc<AuditLog>,
    gateway: Gateway,
}

impl Stand {
    fn new(listener: impl Listener) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(START));
        let entries = [
            Entry::actuator(SEAT, DataType::INT8).with_range(Value::from(-100i8), Value::from(100i8)),
            Entry::sensor(RANGE, DataType::UINT32),
            Entry::sensor(SPEED, DataType::FLOAT),
        ];
        let catalogue = Catalogue::new(entries, Facts::default()).unwrap();
        let car = MemoryVehicle::new(catalogue, Arc::new(clock.clone()));
        let policy: Arc<Policy> = Arc::new(POLICY.parse().unwrap());
        let issuer = Issuer::new(KeyId::new("2026").unwrap(), &[7; 32]).unwrap();
        let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())]).unwrap());
        let audit = Arc::new(AuditLog::new(100));
        let mut setup = Setup::new(VehicleId::opaque([1; 16]), policy.features().clone(), keys, clock.now());
        setup.audit = audit.clone();
        let wallet = Wallet::open(setup, MemoryStore::default(), Arc::new(clock.clone())).unwrap();
        wallet.tell_time(clock.now(), Trust::Secure).unwrap();
        let door = ByGrant::by_wallet(car.clone(), policy, &wallet).unwrap();
        // The gateway's dates are the wallet's.
        let mut options = coachwork::gateway::Options::default();
        // The clock is turned by days at once: that is no silence.
        options.idle_time = DAY * 365;
        let gateway = Gateway::new(Arc::new(door), wallet.clock(), options);
        spawn(gateway.serve(listener)).unwrap();
        let stand = Self { clock, car, wallet, issuer, audit, gateway };
        stand.publish(412);
        stand
    }

    fn token(&self, id: &str, feature: &str, change: impl FnOnce(Draft) -> Draft) -> Vec<u8> {
        let paid = PaidFeature::new(feature.parse().unwrap(), PaidClass::Comfort);
        let draft = Grant::draft(GrantId::new(id).unwrap(), self.wallet.car().vehicle, self.clock.now());
        self.issuer.issue(&change(draft.opens(&paid)).build().unwrap()).unwrap()
    }

    fn after(&self, time: Duration) -> Timestamp {
        self.clock.now().saturating_add(time)
    }

    fn publish(&self, range: u32) {
        let now = self.clock.now();
        let points = [
            (RANGE, Datapoint::valid(range, now)),
            (SPEED, Datapoint::valid(50f32, now)),
            (SEAT, Datapoint::valid(0i8, now)),
        ];
        self.car.publish(&points).unwrap();
    }

    /// The status of the grant at place 3, from now on.
    fn publish_status(&self, status: Status, because: Option<Because>) {
        let mut list = StatusList::new(LIST, self.clock.now(), 8).unwrap().fresh_for(DAY * 90).unwrap();
        list.set(3, status, because).unwrap();
        self.wallet.add_status(&self.issuer.issue_status(&list).unwrap()).unwrap();
    }
}

/// A peer that writes its own VISS.
struct Peer(Box<dyn Connection>);

impl Peer {
    async fn ask(&mut self, request: &str, authorization: Option<&str>) -> Json {
        let mut request: Json = serde_json::from_str(request).unwrap();
        request["requestId"] = "7".into();
        if let Some(token) = authorization {
            request["authorization"] = token.into();
        }
        self.0.send(&Message::text(request.to_string())).await.unwrap();
        let answer = self.hear().await;
        assert_eq!(answer["requestId"], "7", "{answer}");
        answer
    }

    async fn hear(&mut self) -> Json {
        serde_json::from_slice(soon(self.0.recv()).await.unwrap().data()).unwrap()
    }

    /// Nothing else was said up to now: what comes next is the answer to this.
    async fn is_silent(&mut self) {
        self.ask(&get(SPEED), None).await;
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it comes soon")
}

fn get(path: &str) -> String {
    format!(r#"{{"action":"get","path":"{path}"}}"#)
}

fn set(value: i8) -> String {
    format!(r#"{{"action":"set","path":"{SEAT}","value":"{value}"}}"#)
}

fn subscribe(path: &str) -> String {
    format!(
        r#"{{"action":"subscribe","path":"{path}","filter":{{"variant":"change","parameter":{{"logic-op":"ne","diff":"0"}}}}}}"#
    )
}

/// The feature is not open to whoever asks.
fn is_denied(answer: &Json, why: &str) {
    is_refused(answer, "401", why);
}

fn is_refused(answer: &Json, number: &str, why: &str) {
    assert_eq!(answer["error"]["number"], number, "{answer}");
    assert!(answer["error"].to_string().contains(why), "{answer} does not say: {why}");
}

async fn a_token(listener: impl Listener, connector: impl Connector) {
    let stand = Stand::new(listener);
    let mut peer = Peer(connector.connect().await.unwrap());
    let token = stand.token("range", "live-range", |draft| draft.until(stand.after(DAY * 30)));
    let token = Bundle::new([token]).unwrap().to_text();
    let shown = Some(token.as_str());

    // Without it, what needs no grant is open, and what needs one says which.
    assert_eq!(peer.ask(&get(SPEED), None).await["data"]["dp"]["value"], "50");
    is_denied(&peer.ask(&get(RANGE), None).await, "live range is not in your plan");
    is_denied(&peer.ask(&subscribe(RANGE), None).await, "live range is not in your plan");

    // With it, what it names, and nothing else.
    assert_eq!(peer.ask(&get(RANGE), shown).await["data"]["dp"]["value"], "412");
    is_denied(&peer.ask(&set(60), shown).await, "seat heating is not in your plan");
    // In plain VISS a token is good for its request alone.
    is_denied(&peer.ask(&get(RANGE), None).await, "live range is not in your plan");
    let forged = format!("{}A", &token[..token.len() - 1]);
    let refused = peer.ask(&get(RANGE), Some(&forged)).await;
    is_refused(&refused, "401", "not a grant");
    assert!(!refused.to_string().contains(&token[..12]), "a refusal shows nothing of what was shown");

    let subscribed = peer.ask(&subscribe(RANGE), shown).await;
    let subscription = subscribed["subscriptionId"].clone();
    assert!(subscription.is_string(), "{subscribed}");
    assert_eq!(peer.hear().await["data"]["dp"]["value"], "412");
    stand.clock.advance(DAY * 29 + SECOND * 86_399);
    stand.publish(400);
    assert_eq!(peer.hear().await["data"]["dp"]["value"], "400");

    // Its last second is over: the subscription ends and says why, and the token opens nothing.
    stand.clock.advance(SECOND);
    stand.publish(399);
    let end = peer.hear().await;
    assert_eq!((&end["action"], &end["subscriptionId"]), (&"subscription".into(), &subscription), "{end}");
    assert!(end["data"].is_null(), "{end}");
    is_refused(&end, "401", "the admission has ended");
    is_refused(&peer.ask(&get(RANGE), shown).await, "401", "the grant ended");
    stand.publish(398);
    peer.is_silent().await;
    let counters = stand.gateway.counters();
    assert_eq!(counters.subscriptions, 0);
    assert!(
        stand
            .audit
            .take()
            .iter()
            .any(|(_, event)| matches!(event, AuditEvent::Admitted { grants } if !grants.is_empty()))
    );
}

async fn a_bundle(listener: impl Listener, connector: impl Connector) {
    let stand = Stand::new(listener);
    let range = stand.token("range", "live-range", |draft| draft.until(stand.after(MINUTE)));
    let heat = stand.token("heat", "seat-heating", |draft| draft.until(stand.after(MINUTE * 2)));
    let mut options = coachwork::client::Options::default();
    options.token = Some(Bundle::new([range, heat]).unwrap().to_text().into_bytes().into());
    options.keep_alive = DAY;
    options.seed = 7;
    let clock: Arc<dyn Clock> = Arc::new(stand.clock.clone());
    let (client, driver) = soon(Client::connect(connector, clock, options)).await.unwrap();
    spawn(driver).unwrap();

    // Both are open, to an app that knows nothing of grants.
    let warm = soon(client.write_path(SEAT, 60i8, Set::default())).await.unwrap();
    assert!(matches!(soon(warm.outcome()).await, Outcome::Confirmed(_)));
    let signals = [RANGE, SEAT].map(|path| client.catalogue().resolve(path).unwrap());
    let mut watch = soon(client.subscribe(Subscribe::to(signals))).await.unwrap();
    assert!(watch.refused().next().is_none());
    let Event::Changed(first) = soon(watch.next()).await.unwrap() else { panic!() };
    assert!(first.iter().any(|(signal, _)| signal == signals[0]));

    // The first ends: its signal goes, with the reason; the other stays.
    stand.clock.advance(MINUTE);
    let (signal, why) = denied(&mut watch).await;
    assert_eq!(signal, signals[0]);
    assert!(why.contains("live range is not in your plan any more"), "{why}");
    let read = soon(client.read_path(RANGE)).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::Denied, "{read}");
    let cool = soon(client.write_path(SEAT, 20i8, Set::default())).await.unwrap();
    assert!(matches!(soon(cool.outcome()).await, Outcome::Confirmed(_)));

    // The second ends, and the whole with it.
    stand.clock.advance(MINUTE);
    let why = loop {
        match soon(watch.next()).await.unwrap() {
            Event::Ended(reason) => break reason,
            Event::Changed(_) | Event::Access(_) | Event::Lagged(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(why.kind(), ReasonKind::Denied, "{why}");
    let refused = soon(client.write_path(SEAT, 80i8, Set::default())).await;
    let refused = match refused {
        Ok(receipt) => soon(receipt.outcome()).await.to_string(),
        Err(error) => error.to_string(),
    };
    assert!(
        refused.contains("the grant ended") || refused.contains("not in your plan any more"),
        "{refused}"
    );
    stand.gateway.shutdown(Duration::ZERO).await;
}

/// The next signal that is denied, and why.
async fn denied(watch: &mut Subscription) -> (coachwork::SignalId, String) {
    loop {
        let event = soon(watch.next()).await.unwrap();
        let Event::Access(changes) = &event else { continue };
        if let Some((signal, Permission::Denied(why))) = changes.first() {
            return (*signal, why.to_string());
        }
    }
}

async fn a_withdrawn_token(listener: impl Listener, connector: impl Connector) {
    let stand = Stand::new(listener);
    let place = StatusRef::new(LIST, 3).unwrap();
    let token = stand.token("range", "live-range", |draft| draft.status(place).for_owner(OwnerEpoch(1)));
    // The wallet takes lists that its own grants name.
    stand.wallet.add_grant(&token).unwrap();
    stand.publish_status(Status::Valid, None);
    let token = Bundle::new([token]).unwrap().to_text();
    let mut peer = Peer(connector.connect().await.unwrap());
    peer.ask(&subscribe(RANGE), Some(&token)).await;
    assert_eq!(peer.hear().await["data"]["dp"]["value"], "412");

    // Without a reason, nothing is taken away; nor while the car moves.
    stand.publish_status(Status::Invalid, None);
    stand.publish(411);
    assert_eq!(peer.hear().await["data"]["dp"]["value"], "411");
    stand.wallet.set_safe_state(SafeState::Moving).unwrap();
    stand.clock.advance(SECOND);
    stand.publish_status(Status::Invalid, Some(Because::Refund));
    stand.publish(410);
    assert_eq!(peer.hear().await["data"]["dp"]["value"], "410");

    // Parked, it ends, and says why.
    stand.wallet.set_safe_state(SafeState::Parked).unwrap();
    stand.publish(409);
    let end = peer.hear().await;
    is_denied(&end, "live range");
    is_denied(&end, "the money was given back");
    is_denied(&peer.ask(&get(RANGE), Some(&token)).await, "the money was given back");
    stand.publish(408);
    peer.is_silent().await;
    assert_eq!(stand.gateway.counters().subscriptions, 0);
}

macro_rules! over_both {
    ($($name:ident: $story:ident,)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn over_memory() {
                let (listener, connector) = memory::listen("gateway", &Limits::default());
                $story(listener, connector).await;
            }

            #[tokio::test]
            async fn over_tcp() {
                let limits = Limits::default();
                let listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
                let connector = tcp::connector(listener.address().to_string(), &limits);
                $story(listener, connector).await;
            }
        }
    )*};
}

over_both! {
    a_token_opens_what_it_names_until_it_ends: a_token,
    a_bundle_opens_what_it_names_until_it_ends: a_bundle,
    a_token_that_is_withdrawn_ends_its_subscriptions: a_withdrawn_token,
}
