//! Who comes in, how far, and what a peer may make the gateway hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coachwork_client::Link;
use coachwork_transport::{CloseCode, Connection, ConnectionExt, Connector, Message, TransportError};
use coachwork_vehicle::{
    Admission, Admitted, Catalogue, Clock, Credential, Error, ErrorKind, Event, Facts, Get, ManualClock,
    MemoryVehicle, Permission, ReasonKind, Subscribe, Timestamp, Vehicle, VehicleExt,
};
use rig::{Rig, SEAT, SPEED, entries, float, id};

/// Lets in who has the token: `owner` sees everything, `guest` no doors and for a minute only.
#[derive(Debug)]
struct Tokens {
    owner: MemoryVehicle,
    guest: MemoryVehicle,
    until: Timestamp,
}

#[async_trait]
impl Admission for Tokens {
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
        match credential {
            Credential::Token(token) if **token == *b"owner" => {
                Ok(Admitted { view: Arc::new(self.owner.clone()), until: None })
            }
            Credential::Token(token) if **token == *b"guest" => {
                Ok(Admitted { view: Arc::new(self.guest.clone()), until: Some(self.until) })
            }
            Credential::None => Err(Error::new(ErrorKind::Denied, "a token is needed")),
            _ => Err(Error::new(ErrorKind::Denied, "the token opens nothing")),
        }
    }
}

fn guarded(change: impl FnOnce(&mut coachwork_gateway::Options)) -> Rig {
    let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
    let vehicle =
        || MemoryVehicle::new(Catalogue::new(entries(), Facts::default()).unwrap(), Arc::new(clock.clone()));
    let (owner, guest) = (vehicle(), vehicle());
    guest.board().restrict(|_, access| {
        let mut access = access.clone();
        access.write = Permission::denied("guests move nothing");
        access
    });
    let until = clock.now().saturating_add(Duration::from_secs(60));
    let tokens = Tokens { owner: owner.clone(), guest, until };
    Rig::admitting(Arc::new(tokens), owner, clock, change)
}

#[test]
fn without_the_token_nobody_comes_in() {
    let rig = guarded(|_| {});
    for (token, why) in [(None, "a token is needed"), (Some("stranger"), "the token opens nothing")] {
        let error =
            rig.try_client(|options| options.token = token.map(|token| token.as_bytes().into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains("stranger"));
    }
    let client = rig.client_with(|options| options.token = Some(b"owner".as_slice().into()));
    rig.speed(3.0);
    assert_eq!(rig.run(client.read_path(SPEED)).unwrap().state, float(3.0));
    let guest = rig.client_with(|options| options.token = Some(b"guest".as_slice().into()));
    let seat = id(&guest, SEAT);
    assert_eq!(guest.catalogue().access(seat).unwrap().write, Permission::denied("guests move nothing"));
}

#[test]
fn an_admission_ends_with_its_subscriptions() {
    let rig = guarded(|_| {});
    let guest = rig.client_with(|options| options.token = Some(b"guest".as_slice().into()));
    let mut watch = rig.run(guest.subscribe(Subscribe::to([id(&guest, SPEED)]))).unwrap();
    rig.pass(Duration::from_secs(59));
    rig.events(&mut watch);
    rig.pass(Duration::from_secs(2));
    let events = rig.events(&mut watch);
    let Some(Event::Ended(reason)) = events.last() else { panic!("{events:?}") };
    assert_eq!(reason.kind(), ReasonKind::Denied, "{reason}");
    // The same token opens the door again only as far as its admission says: here, not at all any more.
    assert_eq!(rig.gateway.counters().subscriptions, 0);
}

#[test]
fn too_many_subscriptions_and_connections_are_told_so() {
    let rig = Rig::with(
        |options| {
            options.connections = 2;
            options.limits.subscriptions = 3;
        },
        Facts::default(),
    );
    let client = rig.client();
    let wish = || Subscribe::to([id(&client, SPEED)]);
    let kept: Vec<_> = (0..3).map(|_| rig.run(client.subscribe(wish())).unwrap()).collect();
    let error = rig.run(client.subscribe(wish())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.is_temporary());
    drop(kept);
    rig.settle();
    drop(rig.run(client.subscribe(wish())).unwrap());
    let _second = rig.client();
    let error = rig.try_client(|_| {}).unwrap_err();
    assert!(error.to_string().contains("no room"), "{error}");
    assert_eq!(rig.gateway.counters().turned_away, 1);
}

#[test]
fn requests_in_flight_are_bounded_here() {
    let rig = Rig::new();
    let client = rig.client_with(|options| options.limits.requests = 4);
    let asked = [id(&client, SPEED)];
    let mut calls: Vec<_> = (0..5).map(|_| Box::pin(client.get(Get::of(&asked)))).collect();
    for call in &mut calls[..4] {
        assert!(futures::FutureExt::now_or_never(call).is_none());
    }
    let error = rig.run(calls.pop().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    for call in calls {
        rig.run(call).unwrap();
    }
}

/// A peer that speaks for itself.
fn stranger(rig: &Rig) -> Box<dyn Connection> {
    rig.run(rig.cable.connect()).unwrap()
}

fn ask(rig: &Rig, link: &mut dyn Connection, text: &str) -> serde_json::Value {
    rig.run(link.send(&Message::text(text))).unwrap();
    hear(rig, link)
}

fn hear(rig: &Rig, link: &mut dyn Connection) -> serde_json::Value {
    serde_json::from_slice(rig.run(link.recv()).unwrap().data()).unwrap()
}

#[test]
fn a_plain_viss_client_is_served_in_its_own_words() {
    let rig = Rig::new();
    rig.speed(50.5);
    let mut link = stranger(&rig);
    let get = ask(&rig, &mut *link, r#"{"action":"get","path":"Vehicle.Speed","requestId":"1"}"#);
    assert_eq!(get["requestId"], "1");
    assert_eq!(get["data"]["dp"]["value"], "50.5");
    assert_eq!(get["data"]["dp"]["ts"], "2023-11-14T22:13:20Z");
    let unknown = ask(&rig, &mut *link, r#"{"action":"get","path":"Vehicle.Nowhere","requestId":"2"}"#);
    assert_eq!(unknown["error"]["number"], "404");
    let set = format!(r#"{{"action":"set","path":"{SEAT}","value":"30","requestId":"3"}}"#);
    let set = ask(&rig, &mut *link, &set);
    assert!(set["error"].is_null() && set["requestId"] == "3", "{set}");
    let outside = format!(r#"{{"action":"set","path":"{SEAT}","value":"101","requestId":"4"}}"#);
    assert_eq!(ask(&rig, &mut *link, &outside)["error"]["number"], "400");
    let subscribe = r#"{"action":"subscribe","path":"Vehicle.Speed","filter":{"variant":"change","parameter":{"logic-op":"ne","diff":"0"}},"requestId":"5"}"#;
    let subscribed = ask(&rig, &mut *link, subscribe);
    let subscription = subscribed["subscriptionId"].as_str().unwrap().to_owned();
    let event = hear(&rig, &mut *link);
    assert_eq!(event["action"], "subscription");
    assert_eq!(event["subscriptionId"], subscription.as_str());
    assert_eq!(event["data"]["dp"]["value"], "50.5");
    rig.speed(50.5);
    rig.speed(51.0);
    assert_eq!(hear(&rig, &mut *link)["data"]["dp"]["value"], "51");
    // Another peer cannot end it.
    let mut other = stranger(&rig);
    let unsubscribe =
        format!(r#"{{"action":"unsubscribe","subscriptionId":"{subscription}","requestId":"6"}}"#);
    assert!(!ask(&rig, &mut *other, &unsubscribe)["error"].is_null());
    assert_eq!(rig.gateway.counters().subscriptions, 1);
    assert!(ask(&rig, &mut *link, &unsubscribe)["error"].is_null());
    assert_eq!(rig.gateway.counters().subscriptions, 0);
}

#[test]
fn access_is_all_or_nothing_in_plain_viss() {
    let rig = Rig::new();
    rig.car.board().restrict(|signal, access| {
        let mut access = access.clone();
        if rig.car.catalogue().path(signal).unwrap().as_str() == SPEED {
            access.read = Permission::denied("speed is private");
        }
        access
    });
    let mut link = stranger(&rig);
    let get = r#"{"action":"get","path":"Vehicle","filter":{"variant":"paths","parameter":["Speed","Range"]},"requestId":"1"}"#;
    assert_eq!(ask(&rig, &mut *link, get)["error"]["number"], "401");
    let subscribe = r#"{"action":"subscribe","path":"Vehicle","filter":[{"variant":"paths","parameter":["Speed","Range"]},{"variant":"timebased","parameter":{"period":"100"}}],"requestId":"2"}"#;
    assert_eq!(ask(&rig, &mut *link, subscribe)["error"]["number"], "401");
    assert_eq!(rig.gateway.counters().subscriptions, 0);
}

#[test]
fn noise_is_answered_and_harms_nobody() {
    let rig = Rig::new();
    let client = rig.client();
    for noise in
        ["", "{", "[]", "null", "{\"action\":\"fly\"}", "{\"action\":\"get\"}", "\u{0}", "{\"requestId\":7}"]
    {
        let mut link = stranger(&rig);
        rig.run(link.send(&Message::text(noise))).unwrap();
        rig.settle();
        match futures::FutureExt::now_or_never(link.recv()) {
            Some(Ok(answer)) => {
                let answer: serde_json::Value = serde_json::from_slice(answer.data()).unwrap();
                assert!(!answer["error"].is_null(), "{noise:?}: {answer}");
            }
            Some(Err(TransportError::Closed { reason, .. })) => {
                assert_eq!(reason.code(), CloseCode::Protocol);
            }
            other => panic!("{noise:?}: {other:?}"),
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut link = stranger(&rig);
    rig.run(link.send(&Message::text(deep))).unwrap();
    rig.settle();
    assert!(futures::FutureExt::now_or_never(link.recv()).is_some());
    rig.speed(1.0);
    assert_eq!(rig.run(client.read_path(SPEED)).unwrap().state, float(1.0));
}

#[test]
fn a_peer_that_reads_nothing_is_cut_off_and_holds_nobody_up() {
    let rig = Rig::new();
    let client = rig.client();
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(64))).unwrap();
    let mut deaf = stranger(&rig);
    let subscribe = r#"{"action":"subscribe","path":"Vehicle.Speed","filter":{"variant":"timebased","parameter":{"period":"1"}},"requestId":"1"}"#;
    rig.run(deaf.send(&Message::text(subscribe))).unwrap();
    rig.settle();
    assert_eq!(rig.gateway.counters().subscriptions, 2);
    for _ in 0..60 {
        rig.speed(1.0);
        rig.pass(Duration::from_secs(1));
    }
    assert!(rig.states(&mut watch).len() >= 60);
    assert_eq!(rig.gateway.counters().cut_off, 1);
    assert_eq!(rig.gateway.counters().connections, 1);
    assert_eq!(rig.gateway.counters().subscriptions, 1);
    assert_eq!(client.link(), Link::Up);
}

#[test]
fn a_silent_peer_is_cut_off_and_one_that_watches_is_not() {
    let rig = Rig::with(|options| options.idle_time = Duration::from_secs(60), Facts::default());
    let _silent = stranger(&rig);
    let mut watching = stranger(&rig);
    let subscribe = r#"{"action":"subscribe","path":"Vehicle.Speed","filter":{"variant":"change","parameter":{"logic-op":"ne","diff":"0"}},"requestId":"1"}"#;
    ask(&rig, &mut *watching, subscribe);
    rig.pass(Duration::from_secs(59));
    assert_eq!(rig.gateway.counters().connections, 2);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.gateway.counters().connections, 1);
    assert_eq!(rig.gateway.counters().cut_off, 1);
}
