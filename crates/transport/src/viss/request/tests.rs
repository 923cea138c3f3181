use coachwork_vehicle::{DataType, Entry, Facts, Operation};
use proptest::prelude::*;

use super::*;
use crate::delivery::{Lane, Note, Origin};

fn decode(text: &str) -> Result<Request, BadRequest> {
    Request::decode(&Message::text(text), Dialect::V3, &Limits::default())
}

fn call(text: &str) -> Call {
    decode(text).unwrap_or_else(|bad| panic!("{text}: {}", bad.error)).call
}

fn fault(text: &str) -> (ErrorKind, String) {
    let error = decode(text).map(|request| panic!("{text} became {request:?}")).unwrap_err().error;
    (error.kind(), error.message().to_owned())
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z_][A-Za-z0-9_]{0,8}"
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..5).prop_map(|names| names.join("."))
}

fn target() -> impl Strategy<Value = Target> {
    let relative = prop::collection::vec(prop_oneof![3 => name(), 1 => Just("*".to_owned())], 1..4);
    let relative = prop::collection::vec(relative.prop_map(|names| names.join(".")), 1..4);
    prop_oneof![
        path().prop_map(|path| Target::path(&path).unwrap()),
        (path(), relative.clone()).prop_map(|(root, below)| Target::below(&root, below).unwrap()),
        relative.prop_map(|below| Target::below("", below).unwrap()),
    ]
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), any::<i32>().prop_map(f64::from)]
        .prop_filter("finite", |number| number.is_finite())
}

fn operator() -> impl Strategy<Value = Operator> {
    prop::sample::select(vec![
        Operator::Eq,
        Operator::Ne,
        Operator::Gt,
        Operator::Gte,
        Operator::Lt,
        Operator::Lte,
    ])
}

use crate::viss::trigger::Operator;

fn standard() -> impl Strategy<Value = Standard> {
    prop_oneof![
        (1..1_000_000_u64).prop_map(|period| Standard::Timebased(Duration::from_millis(period))),
        (operator(), finite()).prop_map(|(operator, diff)| Standard::Change { operator, diff }),
        (operator(), finite()).prop_map(|bound| Standard::Range { bounds: vec![bound], any: false }),
        ((operator(), finite()), (operator(), finite()), any::<bool>())
            .prop_map(|(one, two, any)| Standard::Range { bounds: vec![one, two], any }),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_nanos)
}

fn item() -> impl Strategy<Value = SetItem> {
    let value = any::<String>().prop_map(WireValue::Scalar).prop_recursive(4, 16, 4, |part| {
        prop_oneof![
            prop::collection::vec(part.clone(), 0..4).prop_map(WireValue::Array),
            prop::collection::vec((any::<String>(), part), 0..4).prop_map(WireValue::Struct),
        ]
    });
    let key = "[ -~]{1,20}".prop_map(|key| Key::new(&key).unwrap());
    (path(), value, prop::option::of(duration()), prop::option::of(key))
        .prop_map(|(path, value, within, key)| SetItem { path, value, within, key })
}

fn group() -> impl Strategy<Value = Group> {
    let options = (
        prop::option::of(finite()),
        prop::option::of(duration()),
        prop::option::of(duration()),
        prop::option::of((finite(), prop_oneof![finite(), Just(f64::INFINITY)])),
    );
    (prop::collection::vec(path(), 0..4), options).prop_map(
        |(paths, (change, at_most_every, every, range))| {
            let mut filter = Filter::new();
            (filter.change, filter.at_most_every, filter.every, filter.range) =
                (change, at_most_every, every, range);
            Group { paths, filter }
        },
    )
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let note = (any::<i64>(), any::<String>(), prop::collection::vec(any::<u8>(), 0..50));
    let notes = prop::collection::btree_map(1_u64.., note, 1..5);
    (any::<[u8; 16]>(), any::<u8>(), notes).prop_map(|(origin, number, notes)| {
        let note = |(number, (written, name, payload)): (u64, (i64, String, Vec<u8>))| {
            let written = coachwork_vehicle::Timestamp::from_nanoseconds(written);
            Note { number, written, name: name.into(), payload: payload.into() }
        };
        let lane = Lane { origin: Origin::from_bytes(origin), number };
        Delivery { lane, notes: notes.into_iter().map(note).collect() }
    })
}

#[test]
fn a_delivery_is_whole_or_refused() {
    let message = |lane: &str, notes: &str| {
        let origin = "0".repeat(31) + "1";
        Message::text(format!(
            r#"{{"action":"deliver","requestId":"1","origin":"{origin}","lane":"{lane}","notes":[{notes}]}}"#
        ))
    };
    let note = |number: &str, name: &str, payload: &str| {
        format!(
            r#"{{"number":"{number}","ts":"2024-01-01T00:00:00Z","name":"{name}","payload":"{payload}"}}"#
        )
    };
    let read = |message: &Message| Request::decode(message, Dialect::V3, &Limits::default());
    let good = [note("1", "a", "x"), note("9", "b", "b64:AAE")].join(",");
    let Ok(Request { call: Call::Deliver(delivery), .. }) = read(&message("2", &good)) else { panic!() };
    assert_eq!((delivery.lane.number, delivery.notes.len()), (2, 2));
    assert_eq!(delivery.notes[1].payload.as_ref(), [0, 1]);
    let bad = [
        message("256", &good),
        message("2", ""),
        message("2", &[note("9", "a", "x"), note("9", "b", "x")].join(",")),
        message("2", &note("0", "a", "x")),
        message("2", &note("1", &"n".repeat(513), "x")),
        message("2", &note("1", "a", &"x".repeat(65_537))),
        message("2", &note("1", "a", "b64:A")),
    ];
    for bad in bad {
        let refused = read(&bad).unwrap_err();
        assert_eq!((refused.error.kind(), refused.action), (ErrorKind::Invalid, Some("deliver")));
    }
}

fn any_call() -> impl Strategy<Value = Call> {
    let overflow = prop_oneof![
        Just(Overflow::Latest),
        any::<usize>().prop_map(Overflow::Queue),
        any::<usize>().prop_map(Overflow::Block)
    ];
    prop_oneof![
        target().prop_map(Call::Get),
        (target(), any::<u32>()).prop_map(|(target, generations)| Call::Metadata { target, generations }),
        prop::collection::vec(item(), 1..4).prop_map(Call::Set),
        (target(), 1..999 * 86_400_u64)
            .prop_map(|(target, period)| Call::History { target, period: Duration::from_secs(period) }),
        Just(Call::Capabilities),
        (target(), standard())
            .prop_filter("the first decides, and has no wildcard", |(target, filter)| {
                matches!(filter, Standard::Timebased(_))
                    || !target.relative().first().is_some_and(|path| path.contains('*'))
            })
            .prop_map(|(target, filter)| Call::Subscribe(Wanted::Standard { target, filter })),
        (prop::collection::vec(group(), 0..4), overflow, any::<bool>()).prop_map(
            |(groups, overflow, strict)| Call::Subscribe(Wanted::Groups { groups, overflow, strict })
        ),
        "[ -~]{1,20}".prop_map(|id| Call::Unsubscribe(SubscriptionId(id.into()))),
        delivery().prop_map(Call::Deliver),
    ]
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let token = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    let id = prop_oneof![
        any::<String>().prop_map(|id| (format!("{}!", id.chars().take(30).collect::<String>()), false)),
        any::<i64>().prop_map(|id| (id.to_string(), true)),
    ];
    (id, any::<bool>(), token, any_call()).prop_map(|((id, id_is_number), additions, token, call)| Request {
        id,
        id_is_number,
        additions,
        authorization: token.map(|token| Credential::Token(token.into())),
        call,
    })
}

proptest! {
    #[test]
    fn a_request_survives_its_message(request in request(), two in any::<bool>()) {
        let dialect = if two { Dialect::V2 } else { Dialect::V3 };
        let message = Message::Text(request.encode(dialect));
        let back = Request::decode(&message, dialect, &Limits::default());
        prop_assert_eq!(back.map_err(|bad| bad.error.to_string()), Ok(request));
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]{}:,\"a-z*./0-9\\\\ ]{0,200}") {
        let _ = decode(&text);
    }

    #[test]
    fn a_request_cut_or_changed_anywhere_never_panics(request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = request.encode(Dialect::V3).to_vec();
        let at = at.index(bytes.len());
        let cut = Message::Text(bytes[..at].to_vec().into());
        prop_assert!(Request::decode(&cut, Dialect::V3, &Limits::default()).is_err());
        bytes[at] = byte;
        let _ = Request::decode(&Message::Text(bytes.into()), Dialect::V3, &Limits::default());
    }
}

#[test]
fn the_forms_of_the_standard_are_read() {
    let path = |path| Target::path(path).unwrap();
    assert_eq!(
        call(r#"{"action":"get","path":"Vehicle/Cabin/Door","requestId":"1"}"#),
        Call::Get(path("Vehicle.Cabin.Door"))
    );
    assert_eq!(
        call(
            r#"{"action":"get","path":"Vehicle.Cabin.Door","requestId":"1",
            "filter":{"variant":"paths","parameter":["*.*.IsOpen","Row1/DriverSide"]}}"#
        ),
        Call::Get(Target::below("Vehicle.Cabin.Door", ["*.*.IsOpen", "Row1.DriverSide"]).unwrap())
    );
    for filter in [
        r#"{"variant":"metadata","parameter":"0"}"#,
        r#"{"variant":"metadata"}"#,
        r#"{"type":"static-metadata","parameter":""}"#,
        r#"[{"variant":"metadata","parameter":"0"}]"#,
    ] {
        assert_eq!(
            call(&format!(r#"{{"action":"get","path":"Vehicle","requestId":"1","filter":{filter}}}"#)),
            Call::Metadata { target: path("Vehicle"), generations: 0 }
        );
    }
    let subscribe = |filter: &str| {
        let text =
            format!(r#"{{"action":"subscribe","path":"Vehicle.Speed","requestId":"1","filter":{filter}}}"#);
        match call(&text) {
            Call::Subscribe(Wanted::Standard { filter, .. }) => filter,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        subscribe(r#"{"variant":"timebased","parameter":{"period":"500"}}"#),
        Standard::Timebased(Duration::from_millis(500))
    );
    assert_eq!(
        subscribe(r#"{"type":"change","parameter":{"logic-op":"gt","diff":"2.5"}}"#),
        Standard::Change { operator: Operator::Gt, diff: 2.5 }
    );
    let (low, high) = ((Operator::Gte, 50.0), (Operator::Lt, 55.0));
    assert_eq!(
        subscribe(
            r#"{"variant":"range","parameter":[{"logic-op":"gte","boundary":"50"},{"logic-op":"lt","boundary":"55"}]}"#
        ),
        Standard::Range { bounds: vec![low, high], any: false }
    );
    assert_eq!(
        subscribe(
            r#"{"variant":"range","parameter":[{"logic-op":"gte","boundary":"50","combination-op":"OR"},{"logic-op":"lt","boundary":"55"}]}"#
        ),
        Standard::Range { bounds: vec![low, high], any: true }
    );
    // Version 2 has a word of its own for the comparison of a range.
    assert_eq!(
        subscribe(
            r#"{"type":"range","parameter":[{"boundary-op":"gte","boundary":"50","combination-op":"AND"},{"boundary-op":"lt","boundary":"55"}]}"#
        ),
        Standard::Range { bounds: vec![low, high], any: false }
    );
    assert_eq!(
        call(
            r#"{"action":"get","path":"Vehicle/Cabin","requestId":"1",
            "filter":[{"variant":"paths","parameter":["A","B.C"]},{"variant":"history","parameter":"P2DT12H"}]}"#
        ),
        Call::History {
            target: Target::below("Vehicle.Cabin", ["A", "B.C"]).unwrap(),
            period: Duration::from_secs(60 * 3600)
        }
    );
    assert_eq!(
        call(
            r#"{"action":"get","path":"Vehicle","filter":{"type":"dynamic-metadata","parameter":"server_capabilities"},"requestId":"1"}"#
        ),
        Call::Capabilities
    );
    assert_eq!(
        call(r#"{"action":"set","path":"Vehicle.Seat","value":"60","requestId":"1"}"#),
        Call::Set(vec![SetItem {
            path: "Vehicle.Seat".into(),
            value: WireValue::Scalar("60".into()),
            within: None,
            key: None
        }])
    );
    assert!(matches!(
        call(r#"{"action":"set","data":[{"path":"A","value":["1","2"]},{"path":"B","value":true}],"requestId":"1"}"#),
        Call::Set(items) if items[1].value == WireValue::Scalar("true".into())
    ));
}

#[test]
fn what_is_wrong_is_said() {
    use ErrorKind::{Invalid, Limit, Unsupported, WrongType};
    let long = "x".repeat(200);
    for (text, kind, part) in [
        ("", Invalid, "not a request"),
        ("[]", Invalid, "not a request"),
        ("{}", Invalid, "action"),
        (r#"{"action":"get","path":"Vehicle.Speed"}"#, Invalid, "requestId"),
        (r#"{"action":"get","requestId":"1"}"#, Invalid, "path"),
        (r#"{"action":"get","path":"","requestId":"1"}"#, Invalid, "empty"),
        (r#"{"action":"get","path":"Vehicle.*","requestId":"1"}"#, Invalid, "name"),
        (r#"{"action":"get","path":"Vehicle.Größe","requestId":"1"}"#, Invalid, "name"),
        (r#"{"action":"steal","path":"Vehicle","requestId":"1"}"#, Invalid, "no action"),
        (r#"{"action":"get","action":"set","path":"V","requestId":"1"}"#, Invalid, "duplicate"),
        (r#"{"action":"subscribe","path":"V","requestId":"1"}"#, Invalid, "without a filter"),
        (r#"{"action":"set","path":"V","requestId":"1"}"#, Invalid, "value"),
        (r#"{"action":"set","path":"V","value":null,"requestId":"1"}"#, Invalid, "value"),
        (r#"{"action":"set","data":[{"path":"V","value":null}],"requestId":"1"}"#, WrongType, "string"),
        (r#"{"action":"set","path":"V","value":{"a":null},"requestId":"1"}"#, WrongType, "string"),
        (r#"{"action":"set","path":"V","value":[null],"requestId":"1"}"#, WrongType, "string"),
        (r#"{"action":"set","data":[],"requestId":"1"}"#, Invalid, "value"),
        (
            r#"{"action":"get","path":"V","filter":{"variant":"curvelog"},"requestId":"1"}"#,
            Unsupported,
            "curvelog",
        ),
        (
            r#"{"action":"get","path":"V","filter":{"variant":"timebased","parameter":{"period":"1"}},"requestId":"1"}"#,
            Invalid,
            "get takes",
        ),
        (r#"{"action":"get","path":"V","filter":[],"requestId":"1"}"#, Invalid, "one or two"),
        (r#"{"action":"get","path":"V","filter":"paths","requestId":"1"}"#, Invalid, "one or two"),
        (
            r#"{"action":"get","path":"V","filter":{"variant":"paths","parameter":["**"]},"requestId":"1"}"#,
            Invalid,
            "one name",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":{"variant":"timebased","parameter":{"period":"0"}},"requestId":"1"}"#,
            Invalid,
            "longer",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":{"variant":"change","parameter":{"logic-op":"gt","diff":"x"}},"requestId":"1"}"#,
            Invalid,
            "number",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":{"variant":"change","parameter":{"logic-op":"gt","diff":"1e999"}},"requestId":"1"}"#,
            Invalid,
            "number",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":{"variant":"range","parameter":[]},"requestId":"1"}"#,
            Invalid,
            "bounds",
        ),
        (r#"{"action":"subscribe","signals":[],"path":"V","requestId":"1"}"#, Invalid, "signals, or"),
        (r#"{"action":"subscribe","signals":[],"overflow":"queue:-1","requestId":"1"}"#, Invalid, "number"),
        (r#"{"action":"unsubscribe","requestId":"1"}"#, Invalid, "subscriptionId"),
        (&format!(r#"{{"action":"get","path":"V","requestId":"{long}"}}"#), Invalid, "longer"),
        (
            &format!(
                r#"{{"action":"get","path":"V","x":{}1{},"requestId":"1"}}"#,
                "[".repeat(30),
                "]".repeat(30)
            ),
            Limit,
            "deeper",
        ),
    ] {
        let (was, message) = fault(text);
        assert!(was == kind && message.contains(part), "{text}: {was:?} {message}");
    }
}

#[test]
fn filters_that_exclude_each_other_or_are_not_there_are_refused() {
    use ErrorKind::{Invalid, Unsupported};
    for (text, kind, part) in [
        (r#"{"action":"get","path":"V","dc":"2+1","requestId":"1"}"#, Unsupported, "compression"),
        (
            r#"{"action":"get","path":"V","filter":{"variant":"history","parameter":"P1Y"},"requestId":"1"}"#,
            Invalid,
            "ISO 8601",
        ),
        (
            r#"{"action":"get","path":"V","filter":[{"variant":"history","parameter":"P1D"},{"variant":"metadata","parameter":"0"}],"requestId":"1"}"#,
            Invalid,
            "exclude",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":{"variant":"history","parameter":"P1D"},"requestId":"1"}"#,
            Invalid,
            "a subscription takes",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":[{"variant":"change","parameter":{"logic-op":"ne","diff":"0"}},{"variant":"timebased","parameter":{"period":"9"}}],"requestId":"1"}"#,
            Invalid,
            "exclude",
        ),
        (
            r#"{"action":"subscribe","path":"V","filter":[{"variant":"paths","parameter":["*.A","B"]},{"variant":"change","parameter":{"logic-op":"ne","diff":"0"}}],"requestId":"1"}"#,
            Invalid,
            "no wildcard",
        ),
        (
            r#"{"action":"get","path":"V","filter":{"type":"dynamic-metadata","parameter":"server_capabilities"},"requestId":"1"}"#,
            Invalid,
            "path Vehicle",
        ),
        (
            r#"{"action":"get","path":"Vehicle","filter":{"type":"dynamic-metadata","parameter":"samplerate"},"requestId":"1"}"#,
            Unsupported,
            "server_capabilities",
        ),
        (
            r#"{"action":"get","path":"V","filter":[{"variant":"paths","parameter":["A"]},{"variant":"metadata"},{"variant":"paths","parameter":["B"]}],"requestId":"1"}"#,
            Invalid,
            "one or two",
        ),
    ] {
        let (was, message) = fault(text);
        assert!(was == kind && message.contains(part), "{text}: {was:?} {message}");
    }
}

#[test]
fn unknown_members_are_ignored_and_the_answer_to_a_bad_request_has_its_id() {
    let text = r#"{"action":"get","path":"V","requestId":"7","codec":"1+1","x":{"y":[1,2,{"z":null}]}}"#;
    assert_eq!(call(text), Call::Get(Target::path("V").unwrap()));
    let bad = decode(r#"{"action":"get","path":5.5e3,"requestId":"7","filter":[{}]}"#).unwrap_err();
    assert_eq!((bad.id.as_deref(), bad.action), (Some("7"), Some("get")));
    let bytes =
        Message::Text(Bytes::from_static(b"{\"action\":\"get\",\"path\":\"\xff\",\"requestId\":\"1\"}"));
    let bad = Request::decode(&bytes, Dialect::V3, &Limits::default()).unwrap_err();
    assert!(bad.error.message().contains("UTF-8"));
    let binary = Message::Binary(Bytes::from_static(b"\x0a\x00"));
    let bad = Request::decode(&binary, Dialect::V3, &Limits::default()).unwrap_err();
    assert_eq!(bad.error.kind(), ErrorKind::Unsupported);
    // Some clients send text in binary messages.
    let binary =
        Message::Binary(Bytes::from_static(b" {\"action\":\"get\",\"path\":\"V\",\"requestId\":\"1\"}"));
    assert_eq!(Request::decode(&binary, Dialect::V3, &Limits::default()).unwrap().id, "1");
}

#[test]
fn filters_are_read_in_the_forms_that_clients_give_them() {
    let decode = |filter: &str, dialect| {
        let text = format!(r#"{{"action":"get","path":"Vehicle","filter":{filter},"requestId":"1"}}"#);
        Request::decode(&Message::text(text), dialect, &Limits::default()).map(|request| request.call)
    };
    let all = || Call::Metadata { target: Target::path("Vehicle").unwrap(), generations: 0 };
    for filter in [
        r#"{"type":"static-metadata","parameter":["type","datatype"]}"#,
        r#"{"type":"static-metadata","parameter":"unit"}"#,
        r#"{"variant":"metadata","parameter":0}"#,
        r#""{\"variant\":\"metadata\",\"parameter\":\"0\"}""#,
        r#""[{\"variant\":\"metadata\",\"parameter\":\"0\"}]""#,
    ] {
        assert_eq!(decode(filter, Dialect::V2).unwrap(), all(), "{filter}");
    }
    let capabilities = r#"{"type":"dynamic-metadata","parameter":["server_capabilities"]}"#;
    assert_eq!(decode(capabilities, Dialect::V2).unwrap(), Call::Capabilities);
    for filter in [
        r#"{"variant":"metadata","parameter":"unit"}"#,
        r#"{"variant":"metadata","parameter":["unit"]}"#,
        r#"{"type":"static-metadata","parameter":[]}"#,
        r#"{"type":"static-metadata","parameter":["a b"]}"#,
        r#""\"{}\"""#,
        r#""7""#,
        r#""""#,
        r#""{\"variant\":""#,
    ] {
        assert!(decode(filter, Dialect::V3).is_err(), "{filter}");
    }
    let deep = format!("\"{}\"", "[".repeat(1000));
    assert_eq!(decode(&deep, Dialect::V3).unwrap_err().error.kind(), ErrorKind::Limit);
}

#[test]
fn more_paths_than_the_limit_are_refused() {
    let limits = Limits { paths: 2, ..Limits::default() };
    let decode = |text: &str| Request::decode(&Message::text(text), Dialect::V3, &limits);
    for text in [
        r#"{"action":"get","path":"V","filter":{"variant":"paths","parameter":["a","b","c"]},"requestId":"1"}"#,
        r#"{"action":"set","data":[{"path":"a","value":"1"},{"path":"b","value":"1"},{"path":"c","value":"1"}],"requestId":"1"}"#,
        r#"{"action":"subscribe","signals":[{"paths":["a","b"]},{"paths":["c"]}],"requestId":"1"}"#,
    ] {
        assert_eq!(decode(text).unwrap_err().error.kind(), ErrorKind::Limit, "{text}");
    }
}

#[test]
fn a_set_is_read_in_the_type_of_the_catalogue() {
    let seat = Entry::actuator("V.Seat", DataType::INT8);
    let catalogue = Catalogue::new([seat], Facts::default()).unwrap();
    let resolve = |path: &str, value: &str| {
        let text = format!(r#"{{"action":"set","path":"{path}","value":"{value}","requestId":"1"}}"#);
        let Call::Set(items) = call(&text) else { panic!("{text}") };
        items[0].resolve(&catalogue)
    };
    assert_eq!(resolve("V/Seat", "60").unwrap().value, coachwork_vehicle::Value::Int(60));
    for (path, value, kind) in [
        ("V.Seat", "warm", ErrorKind::WrongType),
        ("V.Seat", "", ErrorKind::WrongType),
        ("V.Seat", "600", ErrorKind::OutOfRange),
        ("V.Soul", "1", ErrorKind::UnknownSignal),
    ] {
        let error = resolve(path, value).unwrap_err();
        assert_eq!((error.kind(), error.path()), (kind, Some(path)));
        assert_eq!(error.operation(), None::<Operation>);
    }
}

#[test]
fn a_token_does_not_show_in_debug() {
    let request = decode(r#"{"action":"get","path":"V","requestId":"1","authorization":"secret"}"#).unwrap();
    assert_eq!(request.authorization, Some(Credential::Token(b"secret".as_slice().into())));
    assert!(!format!("{request:?}").contains("secret"));
}
