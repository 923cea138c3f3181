//! What the standard asks of a server beyond reading and setting one signal; and the defects of other servers, which this one must not have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value
)]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use coachwork_gateway::{Protocol, Recent};
use coachwork_transport::{Connection, ConnectionExt, Connector, Message, memory};
use coachwork_vehicle::{
    Clock, Datapoint, Error, ErrorKind, Facts, Permission, Receipts, SignalId, State, Subscribe, Value,
    Vehicle,
};
use futures::FutureExt;
use rig::{DOOR, RANGE, Rig, SEAT, SPEED};
use serde_json::{Value as Json, json};

const SECOND: Duration = Duration::from_secs(1);

struct Peer(Box<dyn Connection>);

impl Peer {
    fn of(rig: &Rig) -> Self {
        Self(rig.run(rig.cable.connect()).unwrap())
    }

    /// One that has agreed on version 2.
    fn two(rig: &Rig) -> Self {
        Self::agreed(rig, "VISSv2")
    }

    fn agreed(rig: &Rig, subprotocol: &str) -> Self {
        let (listener, connector) = memory::listen("agreed", &coachwork_transport::Limits::default());
        let driver = rig.gateway.serve(listener.speaking(&[subprotocol]));
        rig.spawn(async move { driver.await.unwrap() });
        Self(rig.run(connector.offering(&[subprotocol]).connect()).unwrap())
    }

    fn send(&mut self, rig: &Rig, mut request: Json) {
        request["requestId"] = "1".into();
        rig.run(self.0.send(&Message::text(request.to_string()))).unwrap();
    }

    fn ask(&mut self, rig: &Rig, request: Json) -> Json {
        self.send(rig, request);
        self.hear(rig).expect("an answer")
    }

    fn hear(&mut self, rig: &Rig) -> Option<Json> {
        rig.settle();
        let message = self.0.recv().now_or_never()?.unwrap();
        Some(serde_json::from_slice(message.data()).unwrap())
    }

    /// The values of the first signal of each event up to now.
    fn values(&mut self, rig: &Rig) -> Vec<String> {
        let mut values = Vec::new();
        while let Some(event) = self.hear(rig) {
            let data = &event["data"];
            let first = if data.is_array() { &data[0] } else { data };
            values.push(first["dp"]["value"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned());
        }
        values
    }

    fn subscribe(&mut self, rig: &Rig, path: &str, filter: Json) -> Json {
        self.ask(rig, json!({"action":"subscribe","path":path,"filter":filter}))
    }
}

fn get(path: &str) -> Json {
    json!({"action":"get","path":path})
}

fn history(path: &str, period: &str) -> Json {
    json!({"action":"get","path":path,"filter":{"variant":"history","parameter":period}})
}

fn change(operator: &str, diff: &str) -> Json {
    json!({"variant":"change","parameter":{"logic-op":operator,"diff":diff}})
}

#[test]
fn a_server_says_what_it_can_do_before_anybody_is_let_in() {
    let rig = Rig::with(
        |options| {
            options.protocols = vec![
                Protocol::new("ws").on_port(7443),
                Protocol::new("mqtt").on_topic("car/Vehicle"),
                Protocol::new("tcp").on_port(4443),
            ];
        },
        Facts::default(),
    );
    let mut peer = Peer::of(&rig);
    let value = |peer: &mut Peer, path: &str| peer.ask(&rig, get(path))["data"]["dp"]["value"].clone();
    assert_eq!(value(&mut peer, "Server.Support.Protocol"), json!(["ws", "mqtt", "tcp"]));
    assert_eq!(
        value(&mut peer, "Server/Support/Filter"),
        json!(["timebased", "change", "range", "paths", "metadata"])
    );
    assert_eq!(value(&mut peer, "Server.Support.Encoding"), json!(["json"]));
    assert_eq!(value(&mut peer, "Server.Support.Security"), json!(["accesscontrol"]));
    assert_eq!(value(&mut peer, "Server.Config.Protocol.Websocket.Primary.PortNum"), "7443");
    assert_eq!(value(&mut peer, "Server.Config.Protocol.Mqtt.Primary.Topic"), "car/Vehicle");
    assert_eq!(value(&mut peer, "Server.Config.Protocol.Tcp.Primary.PortNum"), "4443");
    assert_eq!(value(&mut peer, "Server.Config.Limits.Subscriptions"), "256");
    let tree = peer
        .ask(&rig, json!({"action":"get","path":"Server","filter":{"variant":"metadata","parameter":"0"}}));
    let leaf = &tree["metadata"]["Server"]["children"]["Support"]["children"]["Protocol"];
    assert_eq!(*leaf, json!({"type":"attribute","datatype":"string[]"}), "{tree}");
    let all = json!({"action":"get","path":"Server","filter":{"variant":"paths","parameter":["Support"]}});
    assert_eq!(peer.ask(&rig, all)["data"].as_array().unwrap().len(), 5);
    let set = json!({"action":"set","path":"Server.Config.Limits.Subscriptions","value":"1"});
    assert_eq!(peer.ask(&rig, set)["error"]["reason"], "invalid_data");
    // The tree of the vehicle does not grow by it.
    let vehicle = json!({"action":"get","path":"Vehicle","filter":{"variant":"metadata","parameter":"0"}});
    assert!(peer.ask(&rig, vehicle)["metadata"]["Server"].is_null());
    let two = json!({"action":"get","path":"Vehicle","filter":{"type":"dynamic-metadata","parameter":"server_capabilities"}});
    let two = Peer::two(&rig).ask(&rig, two);
    assert_eq!(two["metadata"]["transport_protocol"], json!(["wss", "mqtts", "tcp"]), "{two}");
}

#[test]
fn what_was_recorded_is_read_as_far_back_as_was_asked() {
    let rig = Rig::with(|options| options.history = 12, Facts::default());
    let mut peer = Peer::of(&rig);
    let none = peer.ask(&rig, history(SPEED, "PT1M"));
    assert_eq!(
        (&none["error"]["number"], &none["error"]["reason"]),
        (&json!("404"), &json!("unavailable_data"))
    );

    let recent = Recent::new(1000, 1_000_000);
    let _gateway = rig.gateway.clone().remembering(Arc::new(recent.clone()));
    let all = Subscribe::to(rig.car.catalogue().ids()).queue(64);
    let recording = recent.record(rig.run(rig.car.subscribe(all)).unwrap());
    rig.spawn(async move { drop(recording.await) });
    for speed in 1..=10_u8 {
        rig.speed(f32::from(speed));
        rig.pass(10 * SECOND);
    }
    let values = |answer: &Json| -> Vec<String> {
        let dp = answer["data"]["dp"].as_array().unwrap_or_else(|| panic!("{answer}"));
        dp.iter().map(|point| point["value"].as_str().unwrap().to_owned()).collect()
    };
    // 10 was said 10 s ago and is the present value, which is no history.
    assert_eq!(values(&peer.ask(&rig, history(SPEED, "PT30S"))), ["8", "9"]);
    assert_eq!(values(&peer.ask(&rig, history("Vehicle/Speed", "PT1M"))), ["5", "6", "7", "8", "9"]);
    assert_eq!(values(&peer.ask(&rig, history(SPEED, "PT2M")))[0], "1", "never set was not recorded");
    assert_eq!(peer.ask(&rig, history(SPEED, "PT5S"))["error"]["number"], "404");
    let several = json!({"action":"get","path":"Vehicle","filter":[
        {"variant":"paths","parameter":["Speed","Range"]},{"variant":"history","parameter":"PT20S"}]});
    let several = peer.ask(&rig, several);
    assert_eq!(several["data"][0]["dp"][0]["value"], "9", "{several}");
    assert_eq!(several["data"][1]["path"], RANGE);
    assert_eq!(several["data"][1]["dp"][0]["value"], "viss-inline:Data-not-available");
    for speed in 11..=30_u8 {
        rig.speed(f32::from(speed));
    }
    rig.settle();
    assert_eq!(peer.ask(&rig, history(SPEED, "P1D"))["error"]["number"], "429", "more than may be asked for");
    assert_eq!(peer.ask(&rig, history("Vehicle.Nowhere", "P1D"))["error"]["number"], "404");
    assert_eq!(peer.ask(&rig, history(SPEED, "P1M"))["error"]["number"], "400");
    // Whoever may not read the present may not read the past.
    rig.car.board().restrict(|_, access| {
        let mut access = access.clone();
        access.read = Permission::denied("private");
        access
    });
    let denied = peer.ask(&rig, history(SPEED, "PT30S"));
    assert_eq!(denied["error"]["number"], "401", "{denied}");
    assert!(!denied.to_string().contains("\"dp\""));
}

#[test]
fn the_client_reads_what_was_recorded() {
    for (plain, two) in [(false, false), (true, false), (true, true)] {
        let rig = Rig::with(|options| options.history = 12, Facts::default());
        if plain {
            rig.cable.speak_plain_viss();
        }
        if two {
            let (listener, connector) = memory::listen("two", &coachwork_transport::Limits::default());
            let driver = rig.gateway.serve(listener.speaking(&["VISSv2"]));
            rig.spawn(async move { driver.await.unwrap() });
            rig.cable.plug(connector.offering(&["VISSv2"]));
        }
        rig.speed(0.0);
        let client = rig.client();
        assert_eq!(client.catalogue().facts().receipts == Receipts::Accepted, plain);
        let [speed, range] = [SPEED, RANGE].map(|path| client.catalogue().resolve(path).unwrap());
        let read = |signals: &[SignalId], period: Duration| rig.run(client.history(signals, period));
        let kind = |error: &Error| error.kind();

        // Without a recording.
        let none = read(&[speed], 60 * SECOND);
        let none = if plain { none.unwrap().remove(0).unwrap_err() } else { none.unwrap_err() };
        let expected = if two { ErrorKind::Invalid } else { ErrorKind::Unsupported };
        assert_eq!(none.kind(), expected, "{none}");

        let recent = Recent::new(1000, 1_000_000);
        let _gateway = rig.gateway.clone().remembering(Arc::new(recent.clone()));
        let all = Subscribe::to(rig.car.catalogue().ids()).queue(64);
        let recording = recent.record(rig.run(rig.car.subscribe(all)).unwrap());
        rig.spawn(async move { drop(recording.await) });
        let begin = rig.clock.now();
        for speed in 1..=10_u8 {
            rig.speed(f32::from(speed));
            rig.pass(10 * SECOND);
        }
        let told = |answer: &Result<Vec<Datapoint>, Error>| -> Vec<State> {
            answer.as_ref().unwrap().iter().map(|point| point.state.clone()).collect()
        };
        let answer = read(&[speed], 30 * SECOND).unwrap();
        assert_eq!(told(&answer[0]), [8.0, 9.0].map(|v: f32| State::Valid(Value::Float(v))));
        let times: Vec<_> = answer[0].as_ref().unwrap().iter().map(|point| point.source).collect();
        assert_eq!(times, [70, 80].map(|seconds| begin.saturating_add(seconds * SECOND)));
        // In the order asked; of one of them nothing was recorded.
        let answer = read(&[range, speed], Duration::from_millis(19_500)).unwrap();
        assert_eq!((told(&answer[0]), told(&answer[1])), (vec![], vec![State::Valid(Value::Float(9.0))]));
        let nothing = read(&[speed], 5 * SECOND).unwrap();
        assert_eq!(
            nothing[0].as_ref().map(Vec::len).map_err(kind),
            if plain { Err(ErrorKind::Unsupported) } else { Ok(0) }
        );

        for period in [Duration::ZERO, Duration::from_secs(999 * 86_400)] {
            let error = read(&[speed], period);
            let error = error.map_or_else(|error| error, |mut each| each.remove(0).unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        for speed in 11..=30_u8 {
            rig.speed(f32::from(speed));
        }
        rig.settle();
        let many = read(&[speed], 86_400 * SECOND);
        let many = many.map_or_else(|error| error, |mut each| each.remove(0).unwrap_err());
        // Version 2 has no row for too much.
        assert_eq!(many.kind(), if two { ErrorKind::Unavailable } else { ErrorKind::Limit }, "{many}");

        // Over a link that is lost: on the next one.
        let asked = [speed];
        let mut waiting = std::pin::pin!(client.history(&asked, 50 * SECOND));
        assert!(waiting.as_mut().now_or_never().is_none());
        rig.cable.cut();
        for _ in 0..50 {
            rig.pass(SECOND / 10);
        }
        assert!(client.link().is_up());
        let again = rig.run(waiting);
        let again = again.map_or_else(|error| error, |mut each| each.remove(0).unwrap_err());
        assert_eq!(again.kind(), many.kind(), "{again}");
        // A dropped call leaves nothing open.
        assert!(client.history(&asked, 30 * SECOND).now_or_never().is_none());
        rig.settle();
        assert!(read(&[], 30 * SECOND).unwrap().is_empty());
        // Whoever may not read the present may not read the past.
        rig.car.board().restrict(|_, access| {
            let mut access = access.clone();
            access.read = Permission::denied("private");
            access
        });
        rig.settle();
        let denied = read(&[speed], 30 * SECOND);
        let denied = denied.map_or_else(|error| error, |mut each| each.remove(0).unwrap_err());
        assert_eq!(denied.kind(), ErrorKind::Denied);
    }
}

#[test]
fn ranges_and_changes_of_several_signals_are_decided_by_the_first() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    let paths = json!({"variant":"paths","parameter":["Speed","Range"]});
    let range = json!({"variant":"range","parameter":[
        {"logic-op":"lt","boundary":"10","combination-op":"OR"},{"logic-op":"gt","boundary":"20"}]});
    rig.publish(&[(SPEED, Value::Float(15.0)), (RANGE, Value::Uint(5))]);
    let answer = peer.subscribe(&rig, "Vehicle", json!([paths, range]));
    assert!(answer["subscriptionId"].is_string(), "{answer}");
    assert_eq!(peer.values(&rig), [""; 0]);
    rig.publish(&[(RANGE, Value::Uint(7))]);
    assert_eq!(peer.values(&rig), [""; 0], "the second does not decide");
    rig.speed(25.0);
    let event = peer.hear(&rig).unwrap();
    assert_eq!(event["data"][0]["dp"]["value"], "25");
    assert_eq!(event["data"][1]["dp"]["value"], "7");
    // A wildcard cannot decide; after a path that does, it may stand.
    for (parameter, good) in [(json!(["*", "Range"]), false), (json!(["Speed", "*"]), true)] {
        let filter = json!([{"variant":"paths","parameter":parameter}, change("ne", "0")]);
        let answer = peer.subscribe(&rig, "Vehicle", filter);
        assert_eq!(answer["error"].is_null(), good, "{answer}");
        if !good {
            assert_eq!(answer["error"]["number"], "400");
        }
    }
}

#[test]
fn a_filter_that_does_not_fit_the_type_is_invalid_data() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    for (path, filter) in [
        (DOOR, json!({"variant":"range","parameter":{"logic-op":"gt","boundary":"1"}})),
        (rig::NAME, json!({"variant":"range","parameter":{"logic-op":"gt","boundary":"1"}})),
        (DOOR, change("ne", "1")),
        (rig::NAME, change("gt", "0")),
        (rig::TRIPS, change("lt", "0")),
    ] {
        let answer = peer.subscribe(&rig, path, filter.clone());
        assert_eq!(answer["error"]["reason"], "invalid_data", "{path} {filter}: {answer}");
    }
}

#[test]
fn what_is_asked_of_a_branch_is_invalid_data() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    for request in [
        get("Vehicle.Cabin"),
        json!({"action":"set","path":"Vehicle.Cabin.Seat","value":"1"}),
        json!({"action":"subscribe","path":"Vehicle","filter":change("ne", "0")}),
    ] {
        let answer = peer.ask(&rig, request);
        assert_eq!(answer["error"]["reason"], "invalid_data", "{answer}");
    }
}

#[test]
fn data_compression_is_refused_and_not_ignored() {
    let rig = Rig::new();
    let answer = Peer::of(&rig).ask(&rig, json!({"action":"get","path":SPEED,"dc":"2+1"}));
    assert_eq!(answer["error"]["number"], "404", "{answer}");
}

#[test]
fn several_actuators_are_set_by_one_request() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    let data = json!([{"path":SEAT,"value":"30"},{"path":DOOR.replace('.', "/"),"value":"true"}]);
    let answer = peer.ask(&rig, json!({"action":"set","data":data}));
    assert!(answer["error"].is_null(), "{answer}");
    assert_eq!(peer.ask(&rig, get(SEAT))["data"]["dp"]["value"], "30");
    assert_eq!(peer.ask(&rig, get(DOOR))["data"]["dp"]["value"], "true");
    let bad = json!([{"path":SEAT,"value":"31"},{"path":SPEED,"value":"1"}]);
    assert_eq!(peer.ask(&rig, json!({"action":"set","data":bad}))["error"]["reason"], "invalid_data");
}

/// A defect of the reference server: its change filter never fired for booleans, whatever the comparison.
#[test]
fn of_several_requests_one_that_makes_no_sense_keeps_the_others_from_moving_anything() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    for (path, value, number) in [(SEAT, "1000", "400"), (SPEED, "1", "400"), ("Vehicle.Nowhere", "1", "404")]
    {
        let items = json!([{"path":DOOR,"value":"true"}, {"path":path,"value":value}]);
        let answer = peer.ask(&rig, json!({"action":"set","data":items}));
        assert_eq!(answer["error"]["number"], number, "{answer}");
        assert_eq!(peer.ask(&rig, get(DOOR))["error"]["number"], "404", "never set");
    }
    rig.car.board().restrict(|signal, access| {
        let mut access = access.clone();
        if rig.car.catalogue().path(signal).unwrap().as_str() == SEAT {
            access.write = Permission::denied("not yours");
        }
        access
    });
    let items = json!([{"path":DOOR,"value":"true"}, {"path":SEAT,"value":"1"}]);
    let answer = peer.ask(&rig, json!({"action":"set","data":items}));
    assert_eq!(answer["error"]["number"], "401", "{answer}");
    assert_eq!(peer.ask(&rig, get(DOOR))["error"]["number"], "404", "never set");
}

#[test]
fn version_2_repeats_a_subscription_that_there_is_not() {
    let rig = Rig::new();
    let unsubscribe = json!({"action":"unsubscribe","subscriptionId":"77"});
    let two = Peer::two(&rig).ask(&rig, unsubscribe.clone());
    assert_eq!((&two["subscriptionId"], &two["error"]["number"]), (&json!("77"), &json!(400)), "{two}");
    assert_eq!(two["error"]["reason"], "invalid_data");
    let three = Peer::of(&rig).ask(&rig, unsubscribe);
    assert_eq!((three.get("subscriptionId"), &three["error"]["number"]), (None, &json!("404")), "{three}");
}

#[test]
fn where_no_version_was_agreed_on_the_words_of_the_peer_tell_which() {
    let rig = Rig::new();
    let unknown = || get("Vehicle.Nowhere");
    let mut peer = Peer::of(&rig);
    assert_eq!(peer.ask(&rig, unknown())["error"]["number"], "404", "version 3 as long as nothing tells");
    let subscribed = peer.ask(&rig, json!({"action":"subscribe","path":SPEED}));
    let id = subscribed["subscriptionId"].as_str().unwrap_or_else(|| panic!("{subscribed}")).to_owned();
    while peer.hear(&rig).is_some() {}
    let gone = peer.ask(&rig, json!({"action":"unsubscribe","subscriptionId":id}));
    assert_eq!(gone["subscriptionId"], id.as_str(), "version 2: {gone}");
    assert_eq!(peer.ask(&rig, unknown())["error"]["number"], 404);
    // It stays so, whatever follows.
    let three = json!({"variant":"metadata","parameter":"0"});
    let asked = peer.ask(&rig, json!({"action":"get","path":"Vehicle.Nowhere","filter":three.clone()}));
    assert_eq!(asked["error"]["number"], 404);
    for (filter, number) in [
        (json!({"type":"paths","parameter":["Nowhere"]}), json!(404)),
        (json!([{"type":"nonsense","parameter":"1"}]), json!(400)),
        (json!({"variant":"paths","parameter":["Nowhere"]}), json!("404")),
    ] {
        let mut peer = Peer::of(&rig);
        let answer = peer.ask(&rig, json!({"action":"get","path":"Vehicle","filter":filter}));
        assert_eq!(answer["error"]["number"], number, "{answer}");
        if number.is_string() {
            let answer = peer.ask(&rig, json!({"action":"subscribe","path":SPEED}));
            assert_eq!(answer["error"]["number"], "400", "version 3 wants a filter: {answer}");
        }
    }
    // What was agreed on holds.
    let two = Peer::two(&rig).ask(&rig, json!({"action":"get","path":"Vehicle","filter":three}));
    assert!(two["metadata"].is_object(), "{two}");
}

#[test]
fn a_request_id_that_is_a_number_comes_back_as_one() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    for (id, back) in
        [("7", "7"), ("\"7\"", "\"7\""), ("-1", "-1"), ("18446744073709551615", "18446744073709551615")]
    {
        for path in [SPEED, "Vehicle.Nowhere"] {
            let text = format!(r#"{{"action":"get","path":"{path}","requestId":{id}}}"#);
            rig.run(peer.0.send(&Message::text(text))).unwrap();
            let answer = peer.hear(&rig).unwrap();
            assert_eq!(answer["requestId"].to_string(), back, "{answer}");
        }
    }
    // In what is refused before anything is asked, too.
    rig.run(peer.0.send(&Message::text(r#"{"action":"get","path":5.5e,"requestId":8}"#))).unwrap();
    let refused = peer.hear(&rig).unwrap();
    assert_eq!(refused["error"]["number"], "400");
    rig.run(peer.0.send(&Message::text(r#"{"action":"nonsense","requestId":8}"#))).unwrap();
    assert_eq!(peer.hear(&rig).unwrap()["requestId"], 8);
}

#[test]
fn times_have_six_digits_for_those_who_know_no_more() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    let fine = coachwork_vehicle::Timestamp::from_nanoseconds(1_700_000_000_123_456_789);
    rig.car.publish(&[(SPEED, Datapoint::valid(50.0_f32, fine))]).unwrap();
    let pure = peer.ask(&rig, get(SPEED));
    assert_eq!(pure["data"]["dp"]["ts"], "2023-11-14T22:13:20.123456Z");
    let mut asking = get(SPEED);
    asking["coachwork"] = "1".into();
    assert_eq!(peer.ask(&rig, asking)["data"]["dp"]["ts"], "2023-11-14T22:13:20.123456789Z");
}

#[test]
fn defect_of_others_a_change_of_a_boolean_fires_for_every_comparison() {
    for (operator, wanted) in [
        ("ne", ["false", "true", "false", "true"].as_slice()),
        ("gt", &["false", "true", "true"]),
        ("lt", &["false", "false"]),
        ("gte", &["false", "true", "true", "false", "true"]),
        ("lte", &["false", "true", "false", "false"]),
        ("eq", &["false", "true", "false"]),
    ] {
        let rig = Rig::new();
        let mut peer = Peer::of(&rig);
        rig.publish(&[(DOOR, Value::Bool(false))]);
        peer.subscribe(&rig, DOOR, change(operator, "0"));
        let mut values = peer.values(&rig);
        for open in [true, true, false, false, true] {
            rig.publish(&[(DOOR, Value::Bool(open))]);
            values.extend(peer.values(&rig));
        }
        assert_eq!(values, wanted, "{operator}");
    }
}

/// A defect of the reference server: a conversion that failed wrote an empty text and reported success.
#[test]
fn defect_of_others_a_value_that_does_not_convert_is_an_error_and_moves_nothing() {
    let rig = Rig::new();
    let mut peer = Peer::of(&rig);
    peer.ask(&rig, json!({"action":"set","path":SEAT,"value":"30"}));
    for value in
        [json!(""), json!("warm"), json!("30.5"), json!("1e1"), json!("300"), json!(["30"]), json!(" 30")]
    {
        let answer = peer.ask(&rig, json!({"action":"set","path":SEAT,"value":value}));
        assert_eq!(answer["error"]["reason"], "invalid_data", "{value}: {answer}");
        assert_eq!(peer.ask(&rig, get(SEAT))["data"]["dp"]["value"], "30");
    }
}

/// A defect of another server: a subscribe without a filter ended it.
#[test]
fn defect_of_others_a_subscribe_without_a_filter_is_an_answer_and_no_end() {
    let rig = Rig::new();
    let mut peer = Peer::agreed(&rig, "VISSv3");
    let answer = peer.ask(&rig, json!({"action":"subscribe","path":SPEED}));
    assert_eq!(
        (&answer["error"]["number"], &answer["error"]["reason"]),
        (&json!("400"), &json!("bad_request"))
    );
    for filter in
        [json!(null), json!({}), json!([]), json!("change"), json!({"variant":"change"}), json!([null])]
    {
        let answer = peer.subscribe(&rig, SPEED, filter);
        assert_eq!(answer["error"]["number"], "400", "{answer}");
    }
    rig.speed(3.0);
    assert_eq!(peer.ask(&rig, get(SPEED))["data"]["dp"]["value"], "3");
    // In version 2 it may be left out, and means every update.
    let mut two = Peer::two(&rig);
    let answer = two.ask(&rig, json!({"action":"subscribe","path":SPEED}));
    assert!(answer["subscriptionId"].is_string(), "{answer}");
    assert_eq!(two.values(&rig), ["3"]);
}

/// A defect of another server: subscriptions to several paths sent nothing.
#[test]
fn defect_of_others_a_subscription_to_several_paths_is_told_of_all_of_them() {
    for other in [
        json!({"variant":"timebased","parameter":{"period":"1000"}}),
        change("ne", "0"),
        json!({"variant":"range","parameter":{"logic-op":"gte","boundary":"0"}}),
    ] {
        let rig = Rig::new();
        let at = rig.clock.now();
        rig.publish(&[(SPEED, Value::Float(1.0)), (RANGE, Value::Uint(2))]);
        rig.car.publish(&[(DOOR, Datapoint::valid(true, at))]).unwrap();
        let mut peer = Peer::of(&rig);
        let paths = json!({"variant":"paths","parameter":["Speed","Range","Cabin.Door.*.DriverSide.IsOpen"]});
        let answer = peer.subscribe(&rig, "Vehicle", json!([paths, other.clone()]));
        assert!(answer["subscriptionId"].is_string(), "{answer}");
        rig.pass(SECOND);
        let mut seen = std::collections::BTreeSet::new();
        while let Some(event) = peer.hear(&rig) {
            for item in event["data"].as_array().into_iter().flatten() {
                seen.insert(item["path"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(seen.len(), 3, "{other}: {seen:?}");
    }
}
