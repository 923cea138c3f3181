//! What looks like a request and is none: each is refused with a typed error, and the answer tells the id back wherever it can be read.

use serde_json::json;

use super::*;

fn refused(text: &str) -> BadRequest {
    Request::decode(&Message::text(text.to_owned()), Dialect::V3, &Limits::default())
        .map(|request| panic!("{text} became {request:?}"))
        .unwrap_err()
}

#[test]
fn a_list_is_no_object() {
    // All members of a request in their order.
    let null = serde_json::Value::Null;
    let all = |members: &[serde_json::Value]| {
        let mut all = members.to_vec();
        all.resize(18, null.clone());
        json!(all).to_string()
    };
    let get = all(&[json!("get"), json!("7"), json!("Vehicle.Speed")]);
    let bad = refused(&get);
    assert_eq!((bad.error.kind(), bad.id, bad.action), (ErrorKind::Invalid, None, None));
    let id = r#""requestId":"7""#;
    for text in [
        format!(r#"{{"action":"set",{id},"data":[["Vehicle.Speed","1",null,null]]}}"#),
        format!(r#"{{"action":"set",{id},"data":{{"path":"Vehicle.Speed","value":"1"}}}}"#),
        format!(
            r#"{{"action":"subscribe",{id},"coachwork":"1","signals":[[["Vehicle.Speed"],null,null,null,null]]}}"#
        ),
        format!(r#"{{"action":"subscribe",{id},"path":"V","filter":["timebased",{{"period":"1"}}]}}"#),
        format!(
            r#"{{"action":"subscribe",{id},"path":"V","filter":{{"variant":"timebased","parameter":["1"]}}}}"#
        ),
        format!(
            r#"{{"action":"deliver",{id},"origin":"{:032}","lane":"1","notes":[["1","2024-01-01T00:00:00Z","a","x"]]}}"#,
            1
        ),
    ] {
        let bad = refused(&text);
        assert_eq!((bad.error.kind(), bad.id.as_deref()), (ErrorKind::Invalid, Some("7")), "{text}");
        assert!(bad.action.is_some(), "{text}");
    }
}

#[test]
fn the_id_is_told_back_wherever_it_can_be_read() {
    use ErrorKind::{Invalid, Limit};
    let deep = format!("{}1{}", "[".repeat(60_000), "]".repeat(60_000));
    let get = r#""action":"get","path":"V","requestId":"7""#;
    for (text, kind, id, action) in [
        // Behind its end, before its end, within.
        (format!("{{{get}}} x"), Invalid, Some("7"), Some("get")),
        (format!("{{{get}}}{{{get}}}"), Invalid, Some("7"), Some("get")),
        (format!("{{{get}]"), Invalid, Some("7"), Some("get")),
        (format!("{{{get},}}"), Invalid, Some("7"), Some("get")),
        // What is cut short may be anything.
        (format!("{{{get}"), Invalid, None, None),
        (format!("{{{get},"), Invalid, None, None),
        (format!("{{{get},\"x\":nul}}"), Invalid, Some("7"), Some("get")),
        (format!("{{{get},\"within\":1e999}}"), Invalid, Some("7"), Some("get")),
        (format!("{{{get},\"value\":\"\\ud800\"}}"), Invalid, Some("7"), Some("get")),
        (format!("{{{get},\"value\":\"\u{0}\"}}"), Invalid, Some("7"), Some("get")),
        (format!("{{\"x\":{deep},{get}}}"), Limit, Some("7"), Some("get")),
        // A member that is there twice: of the id, neither is known to be meant.
        (format!("{{{get},\"path\":\"W\"}}"), Invalid, Some("7"), Some("get")),
        (format!("{{{get},\"requestId\":\"8\"}}"), Invalid, None, Some("get")),
        (format!("{{{get},\"requestId\":\"7\"}}"), Invalid, None, Some("get")),
        (format!("{{{get},\"action\":\"set\"}}"), Invalid, Some("7"), None),
        (r#"{"action":"get","path":"V","filter":{"variant":"paths","variant":"metadata","parameter":["A"]},"requestId":"7"}"#.to_owned(), Invalid, Some("7"), Some("get")),
        (r#"{"action":"get","path":"V","filter":{"variant":"paths","parameter":["A"],"parameter":["B"]},"requestId":"7"}"#.to_owned(), Invalid, Some("7"), Some("get")),
        (r#"{"action":"set","data":[{"path":"V","path":"W","value":"1"}],"requestId":"7"}"#.to_owned(), Invalid, Some("7"), Some("set")),
        // An id that cannot be said again as it was written.
        (r#"{"action":"get","path":"V","requestId":1.0}"#.to_owned(), Invalid, None, Some("get")),
        (r#"{"action":"get","path":"V","requestId":18446744073709551616}"#.to_owned(), Invalid, None, Some("get")),
        (r#"{"action":"get","path":"V","requestId":true}"#.to_owned(), Invalid, None, Some("get")),
        (r#"{"action":"get","path":"V","requestId":["7"]}"#.to_owned(), Invalid, None, Some("get")),
        (r#"{"action":"get","path":"V","requestId":"\ud800"}"#.to_owned(), Invalid, None, Some("get")),
        (r#"{"action":"get","path":"V","requestId":""}"#.to_owned(), Invalid, None, Some("get")),
        (r#"{"action":["get"],"path":"V","requestId":18446744073709551615}"#.to_owned(), Invalid, Some("18446744073709551615"), None),
        ("7".to_owned(), Invalid, None, None),
        (r#""requestId""#.to_owned(), Invalid, None, None),
    ] {
        let shown: String = text.chars().take(120).collect();
        let bad = refused(&text);
        assert_eq!((bad.error.kind(), bad.id.as_deref(), bad.action), (kind, id, action), "{shown}");
    }
    let mut bytes = br#"{"action":"get","path":"V","requestId":"7","x":""#.to_vec();
    bytes.extend_from_slice(b"\xff\"}");
    let bad = Request::decode(&Message::Text(bytes.into()), Dialect::V3, &Limits::default()).unwrap_err();
    assert_eq!((bad.error.kind(), bad.id.as_deref()), (Invalid, Some("7")));
}

#[test]
fn what_is_unknown_is_skipped_whatever_it_holds() {
    for value in ["1e999", "\"\\ud800\"", "[[[]]]", "{\"a\":1,\"a\":2}", "null"] {
        let text = format!(r#"{{"new":{value},"action":"get","path":"V","requestId":7,"filter":null}}"#);
        let request = Request::decode(&Message::text(text), Dialect::V3, &Limits::default()).unwrap();
        assert_eq!((request.id.as_str(), request.call.action()), ("7", "get"));
    }
}
