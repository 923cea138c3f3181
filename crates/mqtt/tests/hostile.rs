//! Brokers that do not behave, and links in the clear. The broker here is none: a socket that says prepared bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::net::UdpSocket;
use std::time::Duration;

use coachwork_mqtt::{SignIn, connector, listen};
use coachwork_transport::{ConnectionExt, Connector, Limits, ListenerExt, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CONNACK: &[u8] = &[0x20, 2, 0, 0];

/// A socket that says one thing after another, each once something was said to it.
async fn saying(things: Vec<Vec<u8>>) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}/car", socket.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut heard = [0; 4096];
            for thing in &things {
                if stream.read(&mut heard).await.unwrap_or(0) == 0 || stream.write_all(thing).await.is_err() {
                    break;
                }
            }
            // What else is said is read, and not answered.
            while stream.read(&mut heard).await.unwrap_or(0) > 0 {}
        }
    });
    url
}

async fn app(things: Vec<Vec<u8>>) -> TransportError {
    let url = saying(things).await;
    let connector = connector(&url, &Limits::default()).unwrap().greeting_for(Duration::ZERO);
    connector.within(Duration::from_millis(700)).connect().await.unwrap_err()
}

fn suback(granted: &[u8]) -> Vec<u8> {
    [&[0x90, u8::try_from(granted.len() + 2).unwrap(), 0, 1], granted].concat()
}

#[tokio::test]
async fn a_broker_that_does_not_behave_is_left_with_a_reason() {
    let cases = [
        (vec![], "no connection within"),
        (vec![vec![0x20, 2, 0, 5]], "does not let this client in"),
        (vec![vec![0x20, 2, 0, 4]], "user's name and password"),
        (vec![vec![0x20, 2, 0, 77]], "does not say why"),
        (vec![b"HTTP/1.1 400 Bad Request\r\n".repeat(4)], "may not send here"),
        (vec![vec![0xd0, 0]], "does not begin with its answer"),
        (vec![vec![0x30, 0xff, 0xff, 0xff, 0xff]], "length of more than four"),
        (vec![vec![0x90, 0xff, 0xff, 0xff, 0x7f]], "is no PUBLISH"),
        (vec![CONNACK.to_vec()], "no connection within"),
        (vec![CONNACK.to_vec(), suback(&[0x80, 0x80])], "grants no subscription"),
        (vec![CONNACK.to_vec(), suback(&[1])], "does not answer SUBSCRIBE"),
        (vec![CONNACK.to_vec(), vec![0x90, 4, 0, 9, 1, 1]], "does not answer SUBSCRIBE"),
        (vec![CONNACK.to_vec(), CONNACK.to_vec()], "does not answer SUBSCRIBE"),
    ];
    for (things, why) in cases {
        let error = app(things).await.to_string();
        assert!(error.contains(why), "{error} is not {why}");
        assert!(!error.contains("/car"), "the vehicle's name is shown: {error}");
    }
}

#[tokio::test]
async fn a_broker_may_send_before_it_says_that_it_has_subscribed_us() {
    // A request on the car's topic comes with the answer to SUBSCRIBE, and before it.
    let envelope = br#"{"topic":"app","request":"hello"}"#;
    let mut early = vec![0x30, u8::try_from(envelope.len() + 13).unwrap(), 0, 11];
    early.extend(b"car/Vehicle");
    early.extend(envelope);
    let url = saying(vec![CONNACK.to_vec(), [early, suback(&[1])].concat()]).await;
    let mut listener = listen(&url, &Limits::default()).unwrap();
    listener.online().await.unwrap();
    let arrival = tokio::time::timeout(Duration::from_secs(5), listener.accept()).await.unwrap().unwrap();
    let mut connection = arrival.await.unwrap();
    assert_eq!(&connection.recv().await.unwrap().data()[..], b"hello");
}

#[tokio::test]
async fn a_car_says_why_it_has_no_broker_and_goes_on_trying() {
    let url = saying(vec![vec![0x20, 2, 0, 4]]).await;
    let mut listener =
        listen(&url, &Limits::default()).unwrap().signed_in(&SignIn::new("a", "secret").unwrap());
    let error = listener.online().await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { .. }), "{error}");
    let error = tokio::time::timeout(Duration::from_secs(5), listener.accept()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("password"), "{error}");
    assert!(!format!("{listener:?} {error:?}").contains("secret"));
}

#[tokio::test]
async fn nothing_goes_in_the_clear_to_another_machine() {
    // An address of this machine that is not loopback stands for another machine's.
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    let Ok(address) = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr()) else { return };
    if address.ip().is_loopback() {
        return;
    }
    let socket = TcpListener::bind((address.ip(), 0)).await.unwrap();
    let url = format!("mqtt://{}/car", socket.local_addr().unwrap());
    let error = connector(&url, &Limits::default()).unwrap().connect().await.unwrap_err();
    assert!(error.to_string().contains("use mqtts://"), "{error}");
    let (mut stream, _) = socket.accept().await.unwrap();
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap_or(0), 0, "something was said");
    let allowed = connector(&url, &Limits::default()).unwrap().allowing_plain_links();
    let allowed = allowed.within(Duration::from_secs(1));
    let (_, said) = tokio::join!(allowed.connect(), async {
        socket.accept().await.unwrap().0.read(&mut [0; 10]).await.unwrap()
    });
    assert!(said > 0);
}

#[tokio::test]
async fn without_roots_nobody_is_believed() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtts://{}/car", socket.local_addr().unwrap());
    let error = connector(&url, &Limits::default()).unwrap().connect().await.unwrap_err();
    assert!(error.to_string().contains("needs roots"), "{error}");
}
