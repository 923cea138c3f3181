use proptest::prelude::*;

use super::*;

fn parsed(payload: &str) -> Result<(String, String, Option<Head>), EnvelopeError> {
    Envelope::parse(payload.as_bytes()).map(|it| (it.topic.into_owned(), it.request.into_owned(), it.head))
}

#[test]
fn what_a_foreign_client_sends_is_understood() {
    let request = r#"{"action":"get","path":"Vehicle.Speed","requestId":"1"}"#;
    let wanted = Ok(("app/7".to_owned(), request.to_owned(), None));
    let text = r#"{"topic":"app/7","request":"{\"action\":\"get\",\"path\":\"Vehicle.Speed\",\"requestId\":\"1\"}"}"#;
    assert_eq!(parsed(text), wanted);
    // In another order, with spaces and members of others; and the object itself.
    assert_eq!(parsed(&format!(r#" {{ "x" : [1] , "request" : {request} , "topic":"app\/7" }} "#)), wanted);
    // What is no VISS is the session's affair.
    assert_eq!(parsed(r#"{"topic":"a","request":"???"}"#), Ok(("a".to_owned(), "???".to_owned(), None)));
}

#[test]
fn what_is_no_envelope_is_said() {
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"topic":"a"}"#,
        r#"{"request":"a"}"#,
        r#"{"topic":1,"request":"a"}"#,
        r#"{"topic":"a","request":1}"#,
        r#"{"topic":"a","request":null}"#,
        r#"{"topic":"a","request":["a"]}"#,
        r#"{"topic":"a","request":"a"}x"#,
        r#"{"topic":"a","topic":"b","request":"a"}"#,
        r#"{"topic":"a","request":"a""#,
    ] {
        assert!(matches!(parsed(bad), Err(EnvelopeError::Form(_))), "{bad}: {:?}", parsed(bad));
    }
    assert_eq!(
        parsed(r#"{"topic":"V/Vehicle","request":"a"}"#),
        Err(EnvelopeError::Topic(TopicFault::Asked))
    );
    assert_eq!(
        parsed(r#"{"topic":"V\u0000","request":"a"}"#),
        Err(EnvelopeError::Topic(TopicFault::Character))
    );
    for head in [
        "",
        "hi",
        "01",
        "-1",
        "1 text",
        "hello",
        "hello x",
        "hello 1 a b",
        "hello 1 ",
        "lost 1",
        "close x",
        "99999999999999999999",
    ] {
        let envelope = format!(r#"{{"topic":"a","request":"","coachwork":"{head}"}}"#);
        assert_eq!(parsed(&envelope), Err(EnvelopeError::Head), "{head}");
    }
    let deep = format!(r#"{{"topic":"a","request":{}1{}}}"#, "[".repeat(500_000), "]".repeat(500_000));
    assert!(matches!(parsed(&deep), Err(EnvelopeError::Form(_))));
    let deep = format!(r#"{{"topic":"a","request":{}1{}}}"#, r#"{"a":"#.repeat(300_000), "}".repeat(300_000));
    assert!(matches!(parsed(&deep), Err(EnvelopeError::Form(_)) | Ok(_)));
}

fn heads() -> impl Strategy<Value = Head> {
    let kind = || prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)];
    prop_oneof![
        (any::<u64>(), prop::option::of("[a-z0-9]{1,16}"))
            .prop_map(|(window, session)| Head::Hello { window, session }),
        (any::<u64>(), kind()).prop_map(|(number, kind)| Head::Part { number, kind }),
        any::<u64>().prop_map(Head::Taken),
        (any::<u16>(), "([a-zäöü\"\\\\]{1,5} ?){0,4}")
            .prop_map(|(code, text)| { Head::Close(CloseReason::new(CloseCode::from_number(code), text)) }),
        Just(Head::Lost),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(topic in "[a-zA-Z/äöü\"\\\\]{1,40}x", data in prop::collection::vec(any::<u8>(), 0..200),
            text in ".{0,100}", number: u64, is_text: bool, head in prop::option::of(heads())) {
        let envelope = Envelope { topic: topic.as_str().into(), request: text.as_str().into(), head: head.clone() };
        let encoded = envelope.encode();
        prop_assert_eq!(Envelope::parse(&encoded), Ok(envelope.clone()));
        // It is the JSON that another reader reads.
        let other: serde_json::Value = serde_json::from_slice(&encoded).unwrap();
        prop_assert_eq!(other["topic"].as_str(), Some(topic.as_str()));
        prop_assert_eq!(other["request"].as_str(), Some(text.as_str()));

        let message = if is_text { Message::text(text.as_str()) } else { Message::Binary(data.into()) };
        let part = Head::Part { number, kind: message.kind() };
        let envelope = Envelope::of_message(&topic, Some(part), message.kind(), message.data());
        let encoded = envelope.encode();
        let size = wrapped_size(message.kind(), &[message.data()]);
        prop_assert!(encoded.len() <= size + topic.len() * 2 + 100, "{} bytes, {size} foretold", encoded.len());
        prop_assert_eq!(Envelope::parse(&encoded).unwrap().message(), Some(message));
        // The same heads the other way.
        let line = [with_head(head.as_ref()), b"{}\n".to_vec()].concat().into();
        prop_assert_eq!(split_head(&line), Ok((head, Bytes::from_static(b"{}\n"))));
    }
}

/// Found by fuzzing: control characters that JSON does not escape were kept when read, and lost when written.
#[test]
fn what_a_close_says_is_the_same_read_and_written() {
    let payload = b"{\"topic\":\"a\",\"request\":\"\",\"coachwork\":\"close 2002 b\x7f c\"}";
    let read = Envelope::parse(payload).unwrap();
    let Some(Head::Close(reason)) = &read.head else { panic!("{read:?}") };
    assert_eq!(reason.text(), "b  c");
    assert_eq!(Envelope::parse(&read.encode()), Ok(read.clone()));
}

/// Found by fuzzing: a list of three was taken for the three members.
#[test]
fn a_list_is_no_envelope() {
    for list in ["[\"a\", \"{}\"]", " [\"a\", {}, \"lost\"]", "[\"a\",\"b\",\"c\"]"] {
        assert!(matches!(Envelope::parse(list.as_bytes()), Err(EnvelopeError::Form(_))), "{list}");
    }
    assert!(Envelope::parse(b" {\"topic\":\"a\",\"request\":{}}").is_ok());
}
