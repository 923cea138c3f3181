//! A foreign client at our server, and our client at a foreign server: tokio-tungstenite, over TCP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use coachwork_transport::{
    CloseCode, CloseReason, Connection, ConnectionExt, Connector, Limits, ListenerExt, Message,
    TransportError,
};
use coachwork_websocket::{Accept, connector, listen};
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode as ForeignCode;

type Foreign = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.message = 300_000;
    limits
}

/// Our server's end and a foreign client's.
async fn ours_and_foreign() -> (Box<dyn Connection>, Foreign) {
    let mut listener = listen("127.0.0.1:0", &limits()).await.unwrap();
    let mut request = format!("ws://{}/", listener.address()).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "VISSv2".parse().unwrap());
    let accept = async { listener.accept().await.unwrap().await.unwrap() };
    let (ours, foreign) = tokio::join!(accept, tokio_tungstenite::connect_async(request));
    let (foreign, response) = foreign.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "VISSv2");
    assert_eq!(ours.info().subprotocol.as_deref(), Some("VISSv2"));
    (ours, foreign)
}

fn sizes() -> impl Iterator<Item = usize> {
    [0, 1, 3, 125, 126, 127, 65_535, 65_536, 65_537, 299_999].into_iter()
}

fn letters(length: usize) -> String {
    (0..length).map(|at| char::from(b'a' + u8::try_from(at % 26).unwrap())).collect()
}

#[tokio::test]
async fn messages_of_all_sizes_go_both_ways() {
    let (mut ours, mut foreign) = ours_and_foreign().await;
    let there = async {
        for size in sizes() {
            foreign.send(letters(size).into()).await.unwrap();
            foreign.send(letters(size).into_bytes().into()).await.unwrap();
            assert_eq!(foreign.next().await.unwrap().unwrap(), tungstenite::Message::text(letters(size)));
            assert_eq!(foreign.next().await.unwrap().unwrap(), tungstenite::Message::binary(letters(size)));
        }
    };
    let here = async {
        for size in sizes() {
            let text = ours.recv().await.unwrap();
            assert_eq!(text, Message::text(letters(size)));
            let binary = ours.recv().await.unwrap();
            assert_eq!(binary, Message::Binary(letters(size).into()));
            ours.send(&text).await.unwrap();
            ours.send(&binary).await.unwrap();
        }
    };
    tokio::join!(here, there);
}

#[tokio::test]
async fn a_ping_is_answered_while_our_side_only_reads() {
    let (mut ours, mut foreign) = ours_and_foreign().await;
    let reading = tokio::spawn(async move { ours.recv().await });
    foreign.send(tungstenite::Message::Ping(b"are you there"[..].into())).await.unwrap();
    let pong = tokio::time::timeout(Duration::from_secs(10), foreign.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(pong, tungstenite::Message::Pong(b"are you there"[..].into()));
    reading.abort();
}

#[tokio::test]
async fn each_side_learns_why_the_other_ended() {
    let (mut ours, mut foreign) = ours_and_foreign().await;
    ours.close(CloseReason::new(CloseCode::Policy, "not here")).await.unwrap();
    let tungstenite::Message::Close(Some(frame)) = foreign.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!((frame.code, frame.reason.as_str()), (ForeignCode::Policy, "not here"));

    let (mut ours, mut foreign) = ours_and_foreign().await;
    let frame = tungstenite::protocol::CloseFrame { code: ForeignCode::Away, reason: "lunch".into() };
    foreign.close(Some(frame)).await.unwrap();
    let Err(TransportError::Closed { reason, .. }) = ours.recv().await else { panic!() };
    assert_eq!((reason.code(), reason.text()), (CloseCode::GoingAway, "lunch"));
    // Our echo ends the foreign side in good order.
    assert!(matches!(foreign.next().await, Some(Ok(tungstenite::Message::Close(_)))));
}

#[tokio::test]
async fn a_foreign_peer_that_breaks_a_rule_is_told() {
    let (mut ours, mut foreign) = ours_and_foreign().await;
    foreign.send(vec![0; 300_001].into()).await.unwrap();
    let error = ours.recv().await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge { size: 300_001, limit: 300_000, .. }), "{error:?}");
    let tungstenite::Message::Close(Some(told)) = foreign.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!(told.code, ForeignCode::Size);
}

#[tokio::test]
async fn our_client_speaks_to_a_foreign_server() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/viss", server.local_addr().unwrap());
    let echo = async {
        let (stream, _) = server.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the foreign callback's type")]
        let choose = |request: &tungstenite::handshake::server::Request,
                      mut response: tungstenite::handshake::server::Response| {
            assert_eq!(request.uri().path(), "/viss");
            assert_eq!(request.headers()["sec-websocket-protocol"], "VISSv3, VISSv2, VISS-noenc");
            response.headers_mut().insert("sec-websocket-protocol", "VISS-noenc".parse().unwrap());
            Ok(response)
        };
        let mut foreign = tokio_tungstenite::accept_hdr_async(stream, choose).await.unwrap();
        for _ in sizes() {
            let message = foreign.next().await.unwrap().unwrap();
            foreign.send(tungstenite::Message::Ping(b"x"[..].into())).await.unwrap();
            foreign.send(message).await.unwrap();
            assert_eq!(foreign.next().await.unwrap().unwrap(), tungstenite::Message::Pong(b"x"[..].into()));
        }
        foreign
    };
    let ask = async {
        let mut ours = connector(&url, &limits()).unwrap().connect().await.unwrap();
        assert_eq!(ours.info().subprotocol.as_deref(), Some("VISS-noenc"));
        for size in sizes() {
            let message = Message::text(letters(size));
            ours.send(&message).await.unwrap();
            assert_eq!(ours.recv().await.unwrap(), message);
        }
        // Whoever reads on answers the last ping.
        let _ = tokio::time::timeout(Duration::from_millis(500), ours.recv()).await;
        ours
    };
    let both = async { tokio::join!(echo, ask) };
    drop(tokio::time::timeout(Duration::from_secs(60), both).await.unwrap());
}

#[tokio::test]
async fn a_server_refuses_what_it_does_not_speak() {
    let listener = listen("127.0.0.1:0", &limits()).await.unwrap();
    let mut listener = listener.accepting(Accept::viss().at_path("/viss").speaking(&["VISSv3"]));
    let address = listener.address();
    let accepting = tokio::spawn(async move {
        for _ in 0..2 {
            assert!(matches!(listener.accept().await.unwrap().await, Err(TransportError::Refused { .. })));
        }
    });
    for (url, offered) in [(format!("ws://{address}/"), "VISSv3"), (format!("ws://{address}/viss"), "VISSv2")]
    {
        let error = connector(&url, &limits()).unwrap().offering(&[offered]).connect().await.unwrap_err();
        assert!(matches!(error, TransportError::Refused { .. }), "{error}");
    }
    accepting.await.unwrap();
}
