//! The messages of the standard's section on WebSocket, one for one and in our own words: what each request means, what the server's
//! session answers, and what the client's session reads of it. Each follows the standard's schema, as corrected: an error is no success.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::viss::{
    Answer, Call, Capabilities, Dialect, EncodedEvent, EncodedMetadata, Form, Operator, Standard, Target,
    Wanted,
};
use coachwork_transport::{Arrived, ClientSession, Limits, Message, Moment, Received, Reply, ServerSession};
use coachwork_vehicle::{
    Catalogue, Credential, DataType, Datapoint, Entry, Error, ErrorKind, Event, Facts, Monotonic, Operation,
    Points, Reason, ReasonKind, Stage, Subscribe, Timestamp, Value,
};
use serde_json::{Value as Json, json};

const NOW: Moment =
    Moment { time: Timestamp::from_seconds(1_790_000_000), monotonic: Monotonic::from_nanoseconds(0) };
const TS: &str = "2026-09-21T14:13:20Z";
const SECOND: Duration = Duration::from_secs(1);

fn catalogue() -> Arc<Catalogue> {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h"),
        Entry::sensor("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", DataType::BOOLEAN),
        Entry::sensor("Vehicle.Cabin.Door.Row2.DriverSide.IsOpen", DataType::BOOLEAN),
        Entry::sensor("Vehicle.Cabin.Temperature", DataType::INT8),
        Entry::actuator("Vehicle.Cabin.Light.Mode", DataType::STRING),
    ];
    Arc::new(Catalogue::new(entries, Facts::default()).unwrap())
}

fn point(value: impl Into<Value>, seconds: i64) -> Datapoint {
    Datapoint::valid(value, Timestamp::from_seconds(1_790_000_000 - seconds))
}

fn server(dialect: Dialect) -> ServerSession {
    ServerSession::new(dialect, Credential::None, &Limits::default())
}

fn read(message: &[u8], dialect: Dialect) -> Json {
    let message: Json = serde_json::from_slice(message).unwrap();
    follows_schema(&message, dialect);
    message
}

/// What a request means, and how the server's session puts the answer.
fn exchange(dialect: Dialect, request: &Json, answer: impl FnOnce(&Call) -> Answer) -> Json {
    follows_schema(request, dialect);
    let mut server = server(dialect);
    let Received::Call { ticket, call, .. } = server.receive(&Message::text(request.to_string()), NOW) else {
        panic!("{request}");
    };
    read(&server.answer(ticket, &answer(&call), NOW).unwrap(), dialect)
}

/// The shape that the standard's schema asks for. Its own fault is mended: an error is no success, and an event may say so too.
fn follows_schema(message: &Json, dialect: Dialect) {
    let text = |name: &str| message[name].is_string();
    let point = |point: &Json| {
        let value = &point["value"];
        let array = value.as_array();
        let array = array.is_some_and(|all| !all.is_empty() && all.iter().all(Json::is_string));
        (value.is_string() || array) && point["ts"].is_string()
    };
    let item = |item: &Json| {
        let dp = match &item["dp"] {
            Json::Array(points) => !points.is_empty() && points.iter().all(point),
            one => point(one),
        };
        dp && item["path"].is_string()
    };
    let data = || match &message["data"] {
        Json::Array(items) => items.iter().all(item),
        one => item(one),
    };
    let key = if dialect == Dialect::V2 { "type" } else { "variant" };
    let filter = |filter: &Json| filter[key].is_string() && !filter["parameter"].is_null();
    let filters = || match &message["filter"] {
        Json::Array(filters) => (1..=2).contains(&filters.len()) && filters.iter().all(filter),
        one => filter(one),
    };
    let request = message["ts"].is_null();
    assert!(request || text("ts"), "{message}");
    let error = &message["error"];
    if !request && !error.is_null() {
        let (number, description) = match dialect {
            Dialect::V2 => (error["number"].is_u64(), "message"),
            Dialect::V3 => (error["number"].is_string(), "description"),
        };
        assert!(number && error["reason"].is_string() && error[description].is_string(), "{message}");
        assert!(["data", "metadata", "value"].iter().all(|other| message[*other].is_null()), "{message}");
        return;
    }
    let good = match message["action"].as_str().unwrap() {
        "get" if request => text("path") && (message["filter"].is_null() || filters()),
        "get" if message["metadata"].is_object() => message["data"].is_null(),
        "get" => data(),
        "set" if request => text("path") && !message["value"].is_null(),
        "subscribe" if request => text("path") && filters(),
        "subscribe" => text("subscriptionId"),
        "subscription" => text("subscriptionId") && data(),
        "unsubscribe" if request => text("subscriptionId"),
        _ => true,
    };
    assert!(good && (text("requestId") || message["action"] == "subscription"), "{message}");
}

fn failed(kind: ErrorKind) -> Answer {
    Answer::Failed(Error::new(kind, "so it is"))
}

fn path(path: &str) -> Target {
    Target::path(path).unwrap()
}

#[test]
fn vectors_1_to_5_reading_one_signal_with_and_without_a_token() {
    let plain = json!({"action":"get","path":"Vehicle.Speed","requestId":"41"});
    let shown = json!({"action":"get","path":"Vehicle/Speed","authorization":"aaa.bbb.ccc","requestId":"41"});
    for request in [&plain, &shown] {
        let answer = exchange(Dialect::V3, request, |call| {
            assert_eq!(*call, Call::Get(path("Vehicle.Speed")));
            Answer::Points(vec![("Vehicle.Speed".into(), Ok(point(50.5_f32, 5)))])
        });
        let data = json!({"path":"Vehicle.Speed","dp":{"value":"50.5","ts":"2026-09-21T14:13:15Z"}});
        assert_eq!(answer, json!({"action":"get","requestId":"41","ts":TS,"data":data}));
    }
    let refused = exchange(Dialect::V3, &plain, |_| failed(ErrorKind::UnknownSignal));
    let error = json!({"number":"404","reason":"unavailable_data","description":"so it is"});
    assert_eq!(refused, json!({"action":"get","requestId":"41","ts":TS,"error":error}));
}

#[test]
fn vectors_6_and_7_searching() {
    let request = json!({"action":"get","path":"Vehicle.Cabin","requestId":"5",
        "filter":{"variant":"paths","parameter":["Door.*.*.IsOpen","Temperature"]}});
    let answer = exchange(Dialect::V3, &request, |call| {
        let Call::Get(target) = call else { panic!("{call:?}") };
        let found = target.resolve(&catalogue()).unwrap();
        assert_eq!(found.len(), 3);
        let value = |path: &str| if path.ends_with("IsOpen") { point(false, 1) } else { point(21_i8, 2) };
        Answer::Points(found.into_iter().map(|one| (one.path.clone(), Ok(value(&one.path)))).collect())
    });
    assert_eq!(answer["data"][1]["path"], "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen");
    assert_eq!(answer["data"][1]["dp"]["value"], "false");
    assert_eq!(answer["data"][2]["dp"], json!({"value":"21","ts":"2026-09-21T14:13:18Z"}));
}

#[test]
fn vectors_8_and_9_reading_what_was_recorded() {
    let one = json!({"action":"get","path":"Vehicle.Speed","requestId":"6",
        "filter":{"variant":"history","parameter":"P2DT12H"}});
    let answer = exchange(Dialect::V3, &one, |call| {
        assert_eq!(*call, Call::History { target: path("Vehicle.Speed"), period: 60 * 3600 * SECOND });
        Answer::History(vec![("Vehicle.Speed".into(), vec![point(1.5_f32, 9), point(2.5_f32, 3)])])
    });
    let dp = json!([{"value":"1.5","ts":"2026-09-21T14:13:11Z"},{"value":"2.5","ts":"2026-09-21T14:13:17Z"}]);
    assert_eq!(answer["data"], json!({"path":"Vehicle.Speed","dp":dp}));
    let several = json!({"action":"get","path":"Vehicle","requestId":"6","filter":[
        {"variant":"paths","parameter":["Speed","Cabin.Temperature"]},{"variant":"history","parameter":"PT5M"}]});
    let answer = exchange(Dialect::V3, &several, |call| {
        let Call::History { target, period } = call else { panic!("{call:?}") };
        assert_eq!((target.count(), *period), (2, 300 * SECOND));
        let one = |path: &str, value: Datapoint| (path.to_owned(), vec![value]);
        Answer::History(vec![
            one("Vehicle.Speed", point(1.5_f32, 9)),
            one("Vehicle.Cabin.Temperature", point(20_i8, 9)),
        ])
    });
    assert_eq!(answer["data"][1]["dp"][0]["value"], "20");
    let none = exchange(Dialect::V3, &one, |_| failed(ErrorKind::UnknownSignal));
    assert_eq!(none["error"]["number"], "404");
}

#[test]
fn vectors_10_and_11_discovering_signals() {
    let request = json!({"action":"get","path":"Vehicle.Cabin","requestId":"7",
        "filter":{"variant":"metadata","parameter":"2"}});
    let answer = exchange(Dialect::V3, &request, |call| {
        let Call::Metadata { target, generations } = call else { panic!("{call:?}") };
        let form = Form::pure(Dialect::V3);
        Answer::Metadata(EncodedMetadata::new(form, &catalogue(), target, *generations).unwrap())
    });
    let cabin = &answer["metadata"]["Cabin"];
    assert_eq!(cabin["type"], "branch");
    assert_eq!(cabin["children"]["Temperature"], json!({"type":"sensor","datatype":"int8"}));
    assert_eq!(cabin["children"]["Door"]["children"], json!({}), "two generations, no more");
}

#[test]
fn vectors_12_to_16_setting() {
    let plain = json!({"action":"set","path":"Vehicle.Cabin.Light.Mode","value":"calm","requestId":"8"});
    let mut shown = plain.clone();
    shown["authorization"] = "aaa.bbb.ccc".into();
    for request in [&plain, &shown] {
        let answer = exchange(Dialect::V3, request, |call| {
            let Call::Set(items) = call else { panic!("{call:?}") };
            assert_eq!(items[0].resolve(&catalogue()).unwrap().value, "calm".into());
            Answer::Set(vec![Ok(Stage::Accepted)])
        });
        assert_eq!(answer, json!({"action":"set","requestId":"8","ts":TS}));
    }
    let refused = exchange(Dialect::V3, &plain, |_| failed(ErrorKind::UnknownSignal));
    assert_eq!(refused["error"]["reason"], "unavailable_data");
}

/// A subscription from its request to its last event.
fn subscribed(filter: &Json, wanted: &Standard, token: bool) {
    let mut request = json!({"action":"subscribe","path":"Vehicle.Speed","filter":filter,"requestId":"9"});
    if token {
        request["authorization"] = "aaa.bbb.ccc".into();
    }
    follows_schema(&request, Dialect::V3);
    let mut server = server(Dialect::V3);
    let Received::Call { ticket, call, .. } = server.receive(&Message::text(request.to_string()), NOW) else {
        panic!("{request}");
    };
    let Call::Subscribe(Wanted::Standard { target, filter }) = &call else { panic!("{call:?}") };
    assert_eq!((target, filter), (&path("Vehicle.Speed"), wanted));
    let subscription = server.subscription(ticket).unwrap();
    let answer = server.answer(ticket, &Answer::Subscribed { refused: Vec::new() }, NOW).unwrap();
    let id = subscription.as_str();
    let wanted = json!({"action":"subscribe","requestId":"9","subscriptionId":id,"ts":TS});
    assert_eq!(read(&answer, Dialect::V3), wanted);
    let catalogue = catalogue();
    let speed = catalogue.resolve("Vehicle.Speed").unwrap();
    let mut say = |event: &EncodedEvent| {
        let head = server.event(&subscription, event).unwrap();
        read(&[head.as_ref(), event.body()].concat(), Dialect::V3)
    };
    let changed = Event::Changed(Points::new(vec![(speed, point(51.0_f32, 0))]));
    let event = say(&EncodedEvent::new(Form::pure(Dialect::V3), &changed, &catalogue, NOW.time).unwrap());
    let data = json!({"path":"Vehicle.Speed","dp":{"value":"51","ts":TS}});
    assert_eq!(event, json!({"action":"subscription","subscriptionId":id,"ts":TS,"data":data}));
    let end = say(&EncodedEvent::expired(Form::pure(Dialect::V3), NOW.time));
    assert_eq!((&end["error"]["number"], &end["error"]["reason"]), (&json!("401"), &json!("invalid_token")));
}

#[test]
fn vectors_17_to_33_subscribing_by_each_filter() {
    let range = |bounds: &[(Operator, f64)], any| Standard::Range { bounds: bounds.to_vec(), any };
    for (filter, wanted) in [
        (
            json!({"variant":"timebased","parameter":{"period":"500"}}),
            Standard::Timebased(Duration::from_millis(500)),
        ),
        (
            json!({"variant":"range","parameter":[{"logic-op":"gt","boundary":"49"},{"logic-op":"lt","boundary":"51"}]}),
            range(&[(Operator::Gt, 49.0), (Operator::Lt, 51.0)], false),
        ),
        (
            json!({"variant":"range","parameter":[{"logic-op":"lt","boundary":"50","combination-op":"OR"},{"logic-op":"gt","boundary":"55"}]}),
            range(&[(Operator::Lt, 50.0), (Operator::Gt, 55.0)], true),
        ),
        (
            json!({"variant":"range","parameter":{"logic-op":"eq","boundary":"5"}}),
            range(&[(Operator::Eq, 5.0)], false),
        ),
        (
            json!({"variant":"change","parameter":{"logic-op":"gt","diff":"10"}}),
            Standard::Change { operator: Operator::Gt, diff: 10.0 },
        ),
    ] {
        subscribed(&filter, &wanted, false);
        subscribed(&filter, &wanted, true);
    }
    let request = json!({"action":"subscribe","path":"Vehicle.Speed","requestId":"9",
        "filter":{"variant":"timebased","parameter":{"period":"500"}}});
    let refused = exchange(Dialect::V3, &request, |_| failed(ErrorKind::UnknownSignal));
    assert_eq!(refused["error"]["number"], "404");
    // A filter that this server does not have is a feature that is not there.
    let curve = json!({"action":"subscribe","path":"Vehicle.Speed","requestId":"9",
        "filter":{"variant":"curvelog","parameter":{"maxerr":"0.5","bufsize":"100"}}});
    follows_schema(&curve, Dialect::V3);
    let received = server(Dialect::V3).receive(&Message::text(curve.to_string()), NOW);
    let Received::Refused { reply, .. } = received else { panic!("{received:?}") };
    let reply = read(&reply, Dialect::V3);
    assert_eq!((&reply["error"]["number"], &reply["action"]), (&json!("404"), &json!("subscribe")));
}

#[test]
fn vectors_34_to_36_unsubscribing() {
    for (dialect, key) in [(Dialect::V2, "type"), (Dialect::V3, "variant")] {
        let mut server = server(dialect);
        let call = |server: &mut ServerSession, request: &Json| {
            follows_schema(request, dialect);
            match server.receive(&Message::text(request.to_string()), NOW) {
                Received::Call { ticket, .. } => Ok(ticket),
                Received::Refused { reply, .. } => Err(read(&reply, dialect)),
            }
        };
        let subscribe = json!({"action":"subscribe","path":"Vehicle.Speed","requestId":"1",
            "filter":{key:"timebased","parameter":{"period":"500"}}});
        let ticket = call(&mut server, &subscribe).unwrap();
        let id = server.subscription(ticket).unwrap();
        server.answer(ticket, &Answer::Subscribed { refused: Vec::new() }, NOW).unwrap();
        let request = json!({"action":"unsubscribe","subscriptionId":id.as_str(),"requestId":"10"});
        let ticket = call(&mut server, &request).unwrap();
        let answer = read(&server.answer(ticket, &Answer::Unsubscribed, NOW).unwrap(), dialect);
        let mut wanted = json!({"action":"unsubscribe","requestId":"10","ts":TS});
        if dialect == Dialect::V2 {
            wanted["subscriptionId"] = id.as_str().into();
        }
        assert_eq!(answer, wanted);
        let gone = call(&mut server, &request).unwrap_err();
        let (reason, repeated) = match dialect {
            Dialect::V2 => ("invalid_data", &request["subscriptionId"]),
            Dialect::V3 => ("unavailable_data", &Json::Null),
        };
        assert_eq!((&gone["error"]["reason"], &gone["subscriptionId"]), (&json!(reason), repeated));
    }
}

#[test]
fn the_error_tables_of_both_versions() {
    use ErrorKind::{
        Conflict, Denied, Invalid, Limit, NotActuator, OutOfRange, Protocol, Timeout, Unavailable,
        UnknownSignal, Unsupported, WrongType,
    };
    let request = json!({"action":"get","path":"Vehicle.Speed","requestId":"1"});
    let row = |dialect, request: &Json, error: Error| -> (u64, String) {
        let answer = exchange(dialect, request, |_| Answer::Failed(error));
        let number = &answer["error"]["number"];
        let number = number.as_u64().unwrap_or_else(|| number.as_str().unwrap().parse().unwrap());
        (number, answer["error"]["reason"].as_str().unwrap().to_owned())
    };
    for (kind, three, two) in [
        (Invalid, (400, "bad_request"), (400, "bad_request")),
        (WrongType, (400, "invalid_data"), (400, "invalid_data")),
        (OutOfRange, (400, "invalid_data"), (400, "invalid_data")),
        (NotActuator, (400, "invalid_data"), (400, "invalid_data")),
        (Conflict, (400, "invalid_data"), (400, "invalid_data")),
        (Denied, (401, "invalid_token"), (403, "forbidden_request")),
        (UnknownSignal, (404, "unavailable_data"), (404, "unavailable_data")),
        (Unsupported, (404, "unavailable_data"), (400, "bad_request")),
        (Limit, (429, "too_many_requests"), (503, "service_unavailable")),
        (Protocol, (502, "bad_gateway"), (503, "service_unavailable")),
        (Unavailable, (503, "service_unavailable"), (503, "service_unavailable")),
        (Timeout, (504, "gateway_timeout"), (503, "service_unavailable")),
    ] {
        for (dialect, (number, reason)) in [(Dialect::V3, three), (Dialect::V2, two)] {
            assert_eq!(
                row(dialect, &request, Error::new(kind, "x")),
                (number, reason.to_owned()),
                "{kind:?}"
            );
        }
    }
    let mut shown = request.clone();
    shown["authorization"] = "aaa.bbb.ccc".into();
    for (dialect, request, reason) in [
        (Dialect::V3, &request, "invalid_token"),
        (Dialect::V3, &shown, "invalid_token"),
        (Dialect::V2, &request, "missing_token"),
        (Dialect::V2, &shown, "invalid_token"),
    ] {
        let refused = Error::new(Denied, "x").during(Operation::Admit);
        assert_eq!(row(dialect, request, refused), (401, reason.to_owned()));
    }
    let expired = EncodedEvent::expired(Form::pure(Dialect::V2), NOW.time);
    assert!(String::from_utf8_lossy(expired.body()).contains(r#""number":401,"reason":"expired_token""#));
    let end = Event::Ended(Reason::new(ReasonKind::Ended));
    let end = EncodedEvent::new(Form::pure(Dialect::V3), &end, &catalogue(), NOW.time).unwrap();
    assert!(String::from_utf8_lossy(end.body()).contains(r#""number":"503""#));
}

#[test]
fn version_2_is_told_what_the_server_can_do() {
    let request = json!({"action":"get","path":"Vehicle","requestId":"1",
        "filter":{"type":"dynamic-metadata","parameter":"server_capabilities"}});
    let answer = exchange(Dialect::V2, &request, |call| {
        assert_eq!(*call, Call::Capabilities);
        let mut capabilities = Capabilities::default();
        capabilities.protocols = vec!["ws".into()];
        capabilities.filters = vec!["timebased".into(), "metadata".into()];
        Answer::Capabilities(capabilities)
    });
    let wanted =
        json!({"filter":["timebased","static-metadata","dynamic-metadata"],"transport_protocol":"wss"});
    assert_eq!(answer["metadata"], wanted);
}

#[test]
fn an_answer_above_the_limit_of_a_message_is_an_error_in_its_place() {
    let mut limits = Limits::default();
    limits.message = 2000;
    let mut server = ServerSession::new(Dialect::V3, Credential::None, &limits);
    let request = json!({"action":"get","path":"Vehicle.Speed","requestId":"6",
        "filter":{"variant":"history","parameter":"P1D"}});
    let received = server.receive(&Message::text(request.to_string()), NOW);
    let Received::Call { ticket, .. } = received else { panic!("{received:?}") };
    let recorded = vec![("Vehicle.Speed".to_owned(), vec![point(1.5_f32, 9); 100])];
    let answer = server.answer(ticket, &Answer::History(recorded), NOW).unwrap();
    let answer = read(&answer, Dialect::V3);
    assert_eq!((&answer["error"]["number"], &answer["requestId"]), (&json!("429"), &json!("6")));
}

/// What the client's session asks and reads, to and from a server that speaks as the standard's examples do.
#[test]
fn the_client_reads_what_the_standard_writes() {
    let catalogue = catalogue();
    let mut client = ClientSession::new(Dialect::V3, Credential::None, &Limits::default());
    client.set_catalogue(catalogue.clone());
    let [speed, mode] =
        ["Vehicle.Speed", "Vehicle.Cabin.Light.Mode"].map(|path| catalogue.resolve(path).unwrap());
    let settle = |client: &mut ClientSession, asked: &[u8], mut answer: Json| {
        answer["requestId"] = read(asked, Dialect::V3)["requestId"].clone();
        answer["ts"] = TS.into();
        follows_schema(&answer, Dialect::V3);
        match client.receive(&Message::text(answer.to_string()), NOW).unwrap() {
            Arrived::Answer { answer, .. } => answer,
            other => panic!("{other:?}"),
        }
    };
    let (_, asked) = client.get(&[speed], SECOND, NOW).unwrap();
    let data = json!({"path":"Vehicle.Speed","dp":{"value":"7","ts":TS}});
    let answer = settle(&mut client, &asked, json!({"action":"get","data":data}));
    let Ok(Reply::Points(points)) = answer else { panic!("{answer:?}") };
    assert_eq!(points[0].as_ref().unwrap().value(), Some(&7.0_f32.into()));
    let (_, asked) = client.get(&[speed], SECOND, NOW).unwrap();
    let error = json!({"number":"404","reason":"unavailable_data","description":"x"});
    let answer = settle(&mut client, &asked, json!({"action":"get","error":error}));
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::UnknownSignal);
    let request = coachwork_vehicle::Request::new(mode, "calm");
    let (_, asked) = client.set(&[request], SECOND, NOW).unwrap();
    assert!(matches!(settle(&mut client, &asked, json!({"action":"set"})), Ok(Reply::Set(_))));
    let (_, asked) = client.subscribe(&Subscribe::to([speed]).on_change(), SECOND, NOW).unwrap();
    let answer = settle(&mut client, &asked, json!({"action":"subscribe","subscriptionId":"12"}));
    let Ok(Reply::Subscribed { subscription, .. }) = answer else { panic!("{answer:?}") };
    let event = json!({"action":"subscription","subscriptionId":"12","ts":TS,
        "error":{"number":"401","reason":"expired_token","description":"x"}});
    let arrived = client.receive(&Message::text(event.to_string()), NOW).unwrap();
    let Arrived::Event { subscription: of, event: Event::Ended(why), .. } = arrived else { panic!() };
    assert_eq!((of, why.kind()), (subscription, ReasonKind::Denied));
}
