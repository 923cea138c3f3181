//! What a gateway does about peers that send too much, read too little, or ask again, and whom it tells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use coachwork_gateway::{Gateway, Happened, Observer, Options, SlowPeers};
use coachwork_transport::{Connection, ConnectionExt, Connector, Limits, Message, TransportError, memory};
use coachwork_vehicle::{
    Error, Event, Everybody, Facts, Key, Outcome, Receipt, Set, Subscribe, Vehicle, VehicleExt,
};
use futures::FutureExt;
use rig::{Rig, SEAT, SPEED, float, id};

const SECOND: Duration = Duration::from_secs(1);

fn stranger(rig: &Rig) -> Box<dyn Connection> {
    rig.run(rig.cable.connect()).unwrap()
}

fn get(number: usize) -> String {
    format!(r#"{{"action":"get","path":"Vehicle.Speed","requestId":"{number}"}}"#)
}

/// How many answers are there at the present time.
fn heard(rig: &Rig, link: &mut dyn Connection) -> usize {
    let mut count = 0;
    loop {
        rig.settle();
        match link.recv().now_or_never() {
            Some(Ok(_)) => count += 1,
            Some(Err(error)) => panic!("{error}"),
            None => return count,
        }
    }
}

#[test]
fn a_peer_that_sends_too_much_waits_and_others_do_not() {
    let size = get(1000).len();
    let rig = Rig::with(|options| options.bytes_in = Some(10 * size as u64), Facts::default());
    let (mut greedy, mut other) = (stranger(&rig), stranger(&rig));
    for number in 0..50 {
        rig.run(greedy.send(&Message::text(get(1000 + number)))).unwrap();
    }
    assert_eq!(heard(&rig, &mut *greedy), 10, "a second's worth at once");
    rig.run(other.send(&Message::text(get(1000)))).unwrap();
    assert_eq!(heard(&rig, &mut *other), 1);
    for _ in 0..4 {
        rig.pass(SECOND);
        let more = heard(&rig, &mut *greedy);
        assert!((9..=11).contains(&more), "{more} in a second");
    }
    assert!(rig.gateway.counters().throttled > 0);
    assert_eq!(rig.gateway.counters().cut_off, 0, "it waits, it is not lost");
}

#[test]
fn what_a_peer_is_told_is_bounded_in_bytes_and_the_last_state_arrives() {
    let rig = Rig::with(|options| options.bytes_out = Some(400), Facts::default());
    let client = rig.client();
    // The catalogue alone costs seconds.
    rig.pass(10 * SECOND);
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]))).unwrap();
    rig.pass(10 * SECOND);
    rig.events(&mut watch);
    let before = rig.gateway.counters().bytes_out;
    for speed in 0..100_u8 {
        rig.speed(f32::from(speed));
        rig.pass(Duration::from_millis(50));
    }
    let sent = rig.gateway.counters().bytes_out - before;
    assert!(sent <= 400 * 6 + 400, "{sent} bytes in five seconds");
    rig.pass(5 * SECOND);
    let states = rig.states(&mut watch);
    assert_eq!(states.last(), Some(&float(99.0)));
    assert!(states.len() < 60, "{} of 100 states", states.len());
}

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn happened(&self, what: &Happened<'_>) {
        self.0.lock().unwrap().push(format!("{what:?}"));
    }
}

impl Notes {
    fn has(&self, parts: &[&str]) -> bool {
        let notes = self.0.lock().unwrap();
        notes.iter().any(|note| parts.iter().all(|part| note.contains(part)))
    }
}

#[test]
fn a_peer_that_is_too_slow_is_told_how_much_it_lost_and_is_cut_off_where_the_gateway_says_so() {
    for (slow_peers, stays) in [(SlowPeers::Conflate, true), (SlowPeers::Cut { after: 5 }, false)] {
        let rig = Rig::with(|options| options.slow_peers = slow_peers, Facts::default());
        let notes = Arc::new(Notes::default());
        let _observed = rig.gateway.clone().observed(notes.clone());
        let mut link = stranger(&rig);
        let subscribe = r#"{"action":"subscribe","coachwork":"1","signals":[{"paths":["Vehicle.Speed"]}],"overflow":"queue:4","requestId":"1"}"#;
        rig.run(link.send(&Message::text(subscribe))).unwrap();
        rig.settle();
        // Everything at once, before the gateway has its turn.
        for speed in 0..20_u8 {
            rig.speed(f32::from(speed));
        }
        rig.settle();
        let mut texts = Vec::new();
        let end = loop {
            match link.recv().now_or_never() {
                Some(Ok(message)) => texts.push(String::from_utf8_lossy(message.data()).into_owned()),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        assert_eq!(rig.gateway.counters().lagged, 16, "{texts:?}");
        assert!(notes.has(&["Lagged", "count: 16"]));
        if stays {
            assert!(end.is_none() && texts.iter().any(|text| text.contains(r#""lagged":"16""#)), "{texts:?}");
        } else {
            let Some(TransportError::Closed { reason, .. }) = end else { panic!("{end:?}") };
            assert_eq!(reason.text(), "too slow: 16 datapoints were lost");
            assert_eq!(rig.gateway.counters().cut_off, 1);
            assert!(notes.has(&["Left", "too slow"]));
        }
    }
}

#[test]
fn an_observer_is_told_who_came_what_was_refused_and_what_they_were_served() {
    let rig = Rig::new();
    let notes = Arc::new(Notes::default());
    let _observed = rig.gateway.clone().observed(notes.clone());
    let mut link = stranger(&rig);
    for request in [
        get(1),
        r#"{"action":"get","path":"Vehicle.Nowhere","requestId":"2"}"#.into(),
        r#"{"action":"set","path":"Vehicle","requestId":"3"}"#.into(),
        "noise".into(),
    ] {
        rig.run(link.send(&Message::text(request))).unwrap();
    }
    assert_eq!(heard(&rig, &mut *link), 4);
    drop(link);
    rig.settle();
    assert!(notes.has(&["Arrived", "connection: 1", "Local"]));
    assert!(notes.has(&["Refused", r#""get""#, "UnknownSignal"]));
    assert!(notes.has(&["Refused", r#""set""#, "Invalid"]));
    assert!(notes.has(&["Refused", r#""none""#, "Invalid"]));
    assert!(notes.has(&["Left", "connection: 1", "requests: 4", "refused: 3", "cut_off: None"]), "{notes:?}");
    let counters = rig.gateway.counters();
    assert_eq!((counters.requests, counters.refused), (4, 3));
    assert!(counters.bytes_in > 100 && counters.bytes_out > 200, "{counters:?}");
}

#[test]
fn a_request_asked_again_by_its_key_moves_nothing_whatever_others_ask_under_theirs() {
    let rig = Rig::new();
    let owner = rig.client_with(|options| options.token = Some(b"owner".as_slice().into()));
    let other = rig.client_with(|options| options.token = Some(b"other".as_slice().into()));
    let within = Set::default().keyed(Key::new("1").unwrap());
    let write = |client: &dyn Vehicle, value: i8, set: Set| {
        let receipt: Result<Receipt, Error> = rig.run(client.write_path(SEAT, value, set));
        let outcome = rig.run(receipt.unwrap().outcome());
        assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome}");
    };
    write(&owner, 10, within.clone());
    // A stranger floods with keys of its own, more than the vehicle remembers.
    for number in 0..1100 {
        let set = Set::default().keyed(Key::new(&number.to_string()).unwrap());
        write(&other, i8::try_from(number % 100).unwrap(), set);
    }
    let present = rig.run(rig.car.read_path(SEAT)).unwrap();
    write(&owner, 10, within);
    assert_eq!(rig.run(rig.car.read_path(SEAT)).unwrap(), present, "nothing moved");
}

#[test]
fn any_number_of_transports_serve_one_vehicle_at_once() {
    let rig = Rig::new();
    let mut links = Vec::new();
    for place in 0..5 {
        let (listener, connector) = memory::listen(&format!("place {place}"), &Limits::default());
        let driver = rig.gateway.serve(listener);
        rig.spawn(async move { driver.await.unwrap() });
        links.push(rig.run(connector.connect()).unwrap());
    }
    rig.speed(7.0);
    let client = rig.client();
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]))).unwrap();
    for link in &mut links {
        rig.run(link.send(&Message::text(get(1)))).unwrap();
        let answer = rig.run(link.recv()).unwrap();
        assert!(String::from_utf8_lossy(answer.data()).contains(r#""value":"7""#));
    }
    assert_eq!(rig.gateway.counters().connections, 6);
    assert_eq!(rig.states(&mut watch), [float(7.0)]);
    // One listener that ends takes its own peers along, and nobody else.
    let done = rig.run(async { rig.gateway.shutdown(SECOND).now_or_never() });
    assert!(done.is_none());
    rig.settle();
    assert_eq!(rig.gateway.counters().connections, 0);
    let Some(Event::Changed(_)) = rig.events(&mut watch).pop() else { panic!("its signals go") };
}

#[test]
fn a_host_counts_over_all_transports() {
    let clock: Arc<coachwork_vehicle::ManualClock> = Arc::default();
    let mut options = Options::default();
    (options.connections, options.connections_per_host) = (3, 1);
    let rig = Rig::new();
    let gateway = Gateway::new(Arc::new(Everybody::sees(rig.car.clone())), clock, options);
    let mut links: Vec<Box<dyn Connection>> = Vec::new();
    for place in 0..4 {
        let (listener, connector) = memory::listen(&format!("place {place}"), &Limits::default());
        let driver = gateway.serve(listener);
        rig.spawn(async move { driver.await.unwrap() });
        links.push(rig.run(connector.connect()).unwrap());
        rig.settle();
    }
    // Links within the machine are not counted by host, but all of them by number.
    assert_eq!((gateway.counters().connections, gateway.counters().turned_away), (3, 1));
}
