//! What a request and an answer must have.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: other, VISSv2\r\nSec-WebSocket-Protocol: VISSv3\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn terms(known: &[&str]) -> Terms {
    let known = known.iter().map(|&name| name.into()).collect();
    Terms { known, path: "/chat".into(), origins: vec!["https://maps.example".into()] }
}

fn status(request: &str) -> Result<Option<Arc<str>>, u16> {
    match asked(request.as_bytes(), &terms(&["VISSv3", "VISSv2"])) {
        Ok(Some(asked)) => Ok(asked.subprotocol),
        Ok(None) => Err(0),
        Err(refusal) => Err(refusal.status),
    }
}

#[test]
fn the_example_of_the_standard() {
    // RFC 6455, section 1.3.
    let asked = asked(REQUEST.as_bytes(), &terms(&["VISSv3", "VISSv2"])).unwrap().unwrap();
    assert_eq!(asked.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(asked.subprotocol.as_deref(), Some("VISSv2"));
    assert_eq!(asked.size, REQUEST.len());
    for cut in 0..REQUEST.len() {
        assert_eq!(super::asked(&REQUEST.as_bytes()[..cut], &terms(&[])), Ok(None), "{cut}");
    }
}

#[test]
fn what_is_no_such_request_gets_a_status() {
    assert_eq!(status(REQUEST), Ok(Some("VISSv2".into())));
    for (from, to, wanted) in [
        ("GET", "POST", 405),
        ("HTTP/1.1", "HTTP/1.0", 405),
        ("/chat", "/", 404),
        ("Host: server.example.com\r\n", "", 400),
        ("Host: server.example.com\r\n", "Host: a\r\nHost: b\r\n", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("keep-alive, Upgrade", "keep-alive", 426),
        ("Version: 13", "Version: 8", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("other, VISSv2\r\nSec-WebSocket-Protocol: VISSv3", "graphql", 400),
        ("GET", "\x01", 400),
        ("Sec-WebSocket-Version", "Origin: https://evil.example\r\nSec-WebSocket-Version", 403),
        ("Sec-WebSocket-Version", "Origin: null\r\nSec-WebSocket-Version", 403),
    ] {
        let changed = REQUEST.replacen(from, to, 1);
        assert_ne!(changed, REQUEST);
        assert_eq!(status(&changed), Err(wanted), "{changed}");
    }
    for origin in ["https://maps.example", "http://server.example.com"] {
        let page =
            REQUEST.replace("Sec-WebSocket-Version", &format!("Origin: {origin}\r\nSec-WebSocket-Version"));
        assert!(status(&page).is_ok(), "{page}");
    }
    let none =
        REQUEST.replace("Sec-WebSocket-Protocol: other, VISSv2\r\nSec-WebSocket-Protocol: VISSv3\r\n", "");
    assert_eq!(status(&none), Ok(None));
    let query = REQUEST.replace("/chat", "/chat?token=x");
    assert!(status(&query).is_ok());
    let many =
        REQUEST.replace("Sec-WebSocket-Version", &format!("{}Sec-WebSocket-Version", "A: b\r\n".repeat(70)));
    assert_eq!(status(&many), Err(431));
}

#[test]
fn the_answer_belongs_to_the_request() {
    let offered: Vec<Arc<str>> = vec!["VISSv3".into(), "VISSv2".into()];
    let request =
        Request { authority: "car:6443".to_owned(), path: "/chat".to_owned(), offered: offered.clone() };
    let key = key().unwrap();
    let asked = asked(request.head(&key).as_bytes(), &terms(&["VISSv2"])).unwrap().unwrap();
    let answer = accepted(&asked);
    let whole = Ok(Some((Some("VISSv2".into()), answer.len())));
    assert_eq!(answered(format!("{answer}rest").as_bytes(), &key, &offered), whole);
    for cut in 0..answer.len() {
        assert_eq!(answered(&answer.as_bytes()[..cut], &key, &offered), Ok(None));
    }
    let malformed =
        |answer: &str| matches!(answered(answer.as_bytes(), &key, &offered), Err(Unanswered::Malformed(_)));
    assert!(matches!(answered(answer.as_bytes(), "other", &offered), Err(Unanswered::Malformed(_))));
    assert!(malformed("SSH-2.0-OpenSSH_9.2\r\n"));
    for (from, to) in [
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade", "Connection: close"),
        ("VISSv2", "graphql"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: VISSv3\r\nSec-WebSocket-Protocol"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol"),
    ] {
        assert!(malformed(&answer.replacen(from, to, 1)), "{from} {to}");
    }
    let refused = refusal(&Refusal::new(404, "there is nothing at this path"));
    assert_eq!(
        answered(refused.as_bytes(), &key, &offered),
        Err(Unanswered::Refused("the server refuses the WebSocket: 404 Not Found".to_owned()))
    );
}

proptest! {
    #[test]
    fn noise_is_never_taken(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!matches!(asked(&noise, &terms(&[])), Ok(Some(_))));
        prop_assert!(!matches!(answered(&noise, "key", &[]), Ok(Some(_))));
    }
}
