//! What KUKSA's databroker does over VISS, as seen on one that ran (`crates/cli/scripts/interop_kuksa`): it refuses the filters that the standard makes
//! mandatory, and says 503 for a gap in a subscription with which it goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::cell::RefCell;
use std::rc::Rc;

use coachwork_client::{Client, Options};
use coachwork_transport::{ConnectionExt, Limits, ListenerExt, Message, memory};
use coachwork_vehicle::{ErrorKind, Get, ReasonKind, State, Subscribe, Vehicle};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};
use rig::{Rig, SPEED, float, id};
use serde_json::{Value, json};

const TIME: &str = "2026-01-01T00:00:00Z";

/// The server: what it was asked, and what it shall say by itself. The event that says 503 may be a gap or the end.
struct Databroker {
    asked: Rc<RefCell<Vec<Value>>>,
    say: mpsc::Sender<Value>,
}

fn error(number: u16, reason: &str) -> Value {
    json!({"number": number, "reason": reason, "message": reason})
}

/// Answers one request; the subscription's first event comes by itself. `refusing` has it refuse every subscription.
fn answers(request: &Value, count: usize, refusing: bool) -> Vec<Value> {
    let name = format!("s{count}");
    let mut answer = json!({"action": request["action"], "requestId": request["requestId"]});
    let mut more = Vec::new();
    match (request["action"].as_str().unwrap(), request["filter"]["type"].as_str()) {
        ("get", Some("static-metadata")) => {
            let speed = json!({"type": "sensor", "datatype": "float", "description": ""});
            let branch = json!({"type": "branch", "description": "", "children": {"Speed": speed}});
            answer["metadata"] = json!({"Vehicle": branch});
        }
        ("get", None) => {
            answer["data"] = json!({"path": SPEED, "dp": {"value": "7", "ts": TIME}});
        }
        ("subscribe", None) if refusing => answer["error"] = error(503, "service_unavailable"),
        ("subscribe", None) => {
            answer["subscriptionId"] = name.clone().into();
            more.push(event(&name, "1"));
        }
        ("unsubscribe", None) => answer["subscriptionId"] = request["subscriptionId"].clone(),
        _ => answer["error"] = error(400, "bad_request"),
    }
    answer["ts"] = TIME.into();
    more.insert(0, answer);
    more
}

fn event(name: &str, value: &str) -> Value {
    let data = json!({"path": SPEED, "dp": {"value": value, "ts": TIME}});
    json!({"action": "subscription", "subscriptionId": name, "data": data, "ts": TIME})
}

fn interruption(name: &str) -> Value {
    let error = error(503, "service_unavailable");
    json!({"action": "subscription", "subscriptionId": name, "error": error, "ts": TIME})
}

fn connected(rig: &Rig, refuse_after: usize) -> (Databroker, Client) {
    let (mut listener, connector) = memory::listen("databroker", &Limits::default());
    let (say, mut says) = mpsc::channel(16);
    let broker = Databroker { asked: Rc::default(), say };
    let asked = broker.asked.clone();
    rig.spawn(async move {
        let mut connection = listener.accept().await.unwrap().await.unwrap();
        let mut subscribed = 0;
        loop {
            let messages = futures::select_biased! {
                message = connection.recv().fuse() => {
                    let Ok(Message::Text(text)) = message else { return };
                    let request: Value = serde_json::from_slice(&text).unwrap();
                    asked.borrow_mut().push(request.clone());
                    let unfiltered = request["action"] == "subscribe" && request["filter"].is_null();
                    subscribed += usize::from(unfiltered);
                    answers(&request, subscribed, subscribed > refuse_after)
                }
                said = says.next() => match said {
                    Some(said) => vec![said],
                    None => return,
                },
            };
            for message in messages {
                connection.send(&Message::Text(message.to_string().into())).await.unwrap();
            }
        }
    });
    let connecting = Client::connect(connector.offering(&["VISSv2"]), rig.clock(), Options::default());
    let (client, driver) = rig.run(connecting).unwrap();
    rig.spawn(async move { drop(driver.await) });
    (broker, client)
}

impl Databroker {
    fn say(&self, message: Value) {
        self.say.clone().try_send(message).unwrap();
    }

    fn count(&self, action: &str) -> usize {
        self.asked.borrow().iter().filter(|request| request["action"] == action).count()
    }
}

#[test]
fn a_refused_filter_is_left_out() {
    let rig = Rig::new();
    let (broker, client) = connected(&rig, 9);
    let speed = id(&client, SPEED);
    let point = rig.run(client.get(Get::of(&[speed]))).unwrap().remove(0).unwrap();
    assert_eq!(point.state, float(7.0));
    let mut changes = rig.run(client.subscribe(Subscribe::to([speed]).on_change().queue(16))).unwrap();
    assert_eq!(changes.refused().len(), 0);
    for value in ["1", "2", "2", "3"] {
        broker.say(event("s1", value));
    }
    rig.settle();
    // Filtered here.
    assert_eq!(rig.states(&mut changes), [1.0, 2.0, 3.0].map(float));
    assert_eq!(broker.count("subscribe"), 2);
    drop(changes);
    rig.settle();
    assert_eq!(broker.count("unsubscribe"), 1);
    // It is asked with a filter once.
    let again = rig.run(client.subscribe(Subscribe::to([speed]))).unwrap();
    assert_eq!(again.refused().len(), 0);
    assert_eq!(broker.count("subscribe"), 3);
}

#[test]
fn a_gap_is_seen_and_the_present_value_comes_after_it() {
    let rig = Rig::new();
    let (broker, client) = connected(&rig, 9);
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(16))).unwrap();
    rig.settle();
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    for said in [interruption("s1"), event("s1", "5"), interruption("s1")] {
        broker.say(said);
    }
    rig.settle();
    // The name of before is given up, and told so; one interruption is one subscription more.
    let states = rig.states(&mut watch);
    assert!(
        matches!(&states[0], State::NotAvailable(reason) if reason.kind() == ReasonKind::Link),
        "{states:?}"
    );
    assert_eq!(states.last(), Some(&float(1.0)));
    assert_eq!((broker.count("subscribe"), broker.count("unsubscribe")), (3, 1));
    broker.say(event("s2", "6"));
    rig.settle();
    assert_eq!(rig.states(&mut watch), [float(6.0)]);
}

#[test]
fn an_interruption_that_lasts_is_not_asked_about_without_end() {
    let rig = Rig::new();
    let (broker, client) = connected(&rig, 1);
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(16))).unwrap();
    rig.settle();
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    broker.say(interruption("s1"));
    rig.settle();
    let states = rig.states(&mut watch);
    assert!(matches!(states.last(), Some(State::NotAvailable(_))), "{states:?}");
    assert_eq!(broker.count("subscribe"), 3);
    let unknown = client.catalogue().resolve("Vehicle.Nope").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownSignal);
}
