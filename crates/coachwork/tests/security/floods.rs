//! What one peer can do to others: too much, too slowly, too deep.

use std::net::SocketAddr;
use std::time::Duration;

use coachwork::system::tls::{ClientTls, Identity, Roots, ServerTls};
#[cfg(unix)]
use coachwork::system::unix;
use coachwork::system::{spawn, tcp};
use coachwork::transport::{Connector, Limits};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stand::{MINUTE, Peer, SPEED, Stand, change, get, is_refused, soon, subscribe};

#[tokio::test]
async fn a_flood_of_requests_waits_and_others_are_served() {
    let stand = Stand::with(|options| options.bytes_in = Some(20_000)).await;
    for mut flooder in stand.peers().await {
        let request = format!(r#"{{"action":"get","path":"{SPEED}","requestId":"1"}}"#);
        let (mut sent, enough) = (0, 200_000);
        // It writes without reading, until nobody takes it any more.
        let flood = async {
            while sent < enough {
                flooder.send(request.clone()).await;
                sent += 1;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(400), flood).await;
        let taken = stand.gateway.counters().bytes_in;
        assert!(taken < 4 * 20_000 + 20_000, "{taken} bytes were taken of {sent} requests");
        stand.serves_others().await;
    }
    assert!(stand.gateway.counters().throttled >= 3);
}

/// The link is closed from the other end.
async fn is_cut(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = [0; 512];
    loop {
        match tokio::time::timeout(Duration::from_secs(10), stream.read(&mut rest)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
}

async fn raw(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: car\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A WebSocket whose handshake is done.
async fn upgraded(address: SocketAddr) -> TcpStream {
    let mut stream = raw(address, UPGRADE.as_bytes()).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        soon(stream.read_exact(&mut byte)).await.unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A byte stream whose hello is done.
async fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = raw(address, b"\0\0\0\x0b\0coachwork/1").await;
    let mut head = [0; 5];
    soon(stream.read_exact(&mut head)).await.unwrap();
    let mut hello = vec![0; usize::from(head[3])];
    soon(stream.read_exact(&mut hello)).await.unwrap();
    stream
}

#[tokio::test]
async fn slowloris_in_the_handshake_is_cut_off_and_frees_its_place() {
    let stand = Stand::with(|options| options.handshakes = 4).await;
    for (address, part) in
        [(stand.tcp, &b"\0\0\0"[..]), (stand.web, &UPGRADE.as_bytes()[..UPGRADE.len() - 2])]
    {
        let mut slow = Vec::new();
        for _ in 0..4 {
            slow.push(raw(address, part).await);
        }
        stand.pass(Duration::ZERO).await;
        // Their places are taken, and nobody else comes in by this way ...
        let mut waiting = TcpStream::connect(address).await.unwrap();
        waiting
            .write_all(if address == stand.web { UPGRADE.as_bytes() } else { b"\0\0\0\x0b\0coachwork/1" })
            .await
            .unwrap();
        // ... until their time is over.
        stand.pass(Duration::from_secs(11)).await;
        for mut stream in slow {
            assert!(is_cut(&mut stream).await);
        }
        let mut first = [0];
        soon(waiting.read_exact(&mut first)).await.unwrap();
    }
    assert_eq!(stand.gateway.counters().turned_away, 8);
    stand.serves_others().await;
}

#[tokio::test]
async fn slowloris_in_the_tls_handshake_is_cut_off_and_frees_its_place() {
    let stand = Stand::with(|options| options.handshakes = 4).await;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let shown = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem()).unwrap();
    let limits = Limits::default();
    let listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
    let address = listener.address();
    spawn(stand.gateway.serve(listener.secured(&ServerTls::new(&shown).unwrap()))).unwrap();
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(raw(address, b"\x16\x03\x01\x02\x00\x01\x00").await);
    }
    stand.pass(Duration::ZERO).await;
    let believed = ClientTls::trusting(&Roots::from_pem(made.cert.pem()).unwrap()).unwrap();
    let next = tcp::connector(format!("localhost:{}", address.port()), &limits).secured(&believed);
    let next = next.within(MINUTE);
    let mut waiting = next.connect();
    // A byte now and then is no handshake.
    for stream in &mut slow {
        stream.write_all(b"\x01").await.unwrap();
    }
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut waiting).await.is_err());
    stand.serves_others().await;
    stand.pass(Duration::from_secs(11)).await;
    for mut stream in slow {
        assert!(is_cut(&mut stream).await);
    }
    let mut peer = Peer(soon(waiting).await.unwrap());
    assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
    assert_eq!(stand.gateway.counters().turned_away, 4);
}

/// How a transport puts a message.
fn framed(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], &[1], text.as_bytes()].concat()
}

/// As a client does, masked with zeros; more than 125 bytes and less than 64 KiB.
fn masked(text: &str) -> Vec<u8> {
    let text = format!("{text:200}");
    [&[0x81, 0xfe][..], &u16::try_from(text.len()).unwrap().to_be_bytes(), &[0; 4], text.as_bytes()].concat()
}

/// A peer with a subscription, who may be silent for as long as it likes, sends messages byte by byte: what it begins it must finish.
async fn drips<S: AsyncRead + AsyncWrite + Unpin>(
    stand: &Stand,
    mut stream: S,
    put: impl Fn(&str) -> Vec<u8>,
) {
    let connections = stand.gateway.counters().connections;
    let mut wish = subscribe(SPEED);
    wish["requestId"] = "1".into();
    stream.write_all(&put(&wish.to_string())).await.unwrap();
    let message = put(r#"{"action":"get","path":"Vehicle.Speed","requestId":"2"}"#);
    // As long as it may take, and then the next one at once.
    for _ in 0..2 {
        for byte in 0..4 {
            stream.write_all(&message[byte..=byte]).await.unwrap();
            stand.pass(Duration::from_millis(14_900)).await;
        }
        stream.write_all(&message[4..]).await.unwrap();
    }
    // Silent between messages; then one that stops where it likes, in its head or behind.
    stand.pass(10 * MINUTE).await;
    assert_eq!(stand.gateway.counters().cut_off, 0);
    assert!(stand.gateway.counters().connections >= connections, "it is there");
    for byte in 0..3 {
        stream.write_all(&message[byte..=byte]).await.unwrap();
        stand.pass(Duration::from_secs(19)).await;
    }
    assert_eq!(stand.gateway.counters().cut_off, 0);
    stand.pass(Duration::from_secs(4)).await;
    assert_eq!(stand.gateway.counters().cut_off, 1);
    assert!(is_cut(&mut stream).await);
    stand.serves_others().await;
}

#[tokio::test]
async fn slowloris_in_the_middle_of_a_message_is_cut_off_over_tcp() {
    let stand = Stand::new().await;
    drips(&stand, greeted(stand.tcp).await, framed).await;
}

#[tokio::test]
async fn slowloris_in_the_middle_of_a_message_is_cut_off_over_a_websocket() {
    let stand = Stand::new().await;
    drips(&stand, upgraded(stand.web).await, masked).await;
}

#[cfg(unix)]
#[tokio::test]
async fn slowloris_in_the_middle_of_a_message_is_cut_off_over_a_unix_socket() {
    let stand = Stand::new().await;
    let path = std::env::temp_dir().join(format!("coachwork-drips-{}.sock", std::process::id()));
    let listener = unix::listen(&path, &Limits::default()).await.unwrap();
    spawn(stand.gateway.serve(listener)).unwrap();
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"\0\0\0\x0b\0coachwork/1").await.unwrap();
    let mut hello = [0; 16];
    soon(stream.read_exact(&mut hello)).await.unwrap();
    drips(&stand, stream, framed).await;
}

#[tokio::test]
async fn an_oversized_message_is_refused_by_its_length_alone() {
    let stand = Stand::new().await;
    let mut framed = greeted(stand.tcp).await;
    framed.write_all(b"\xff\xff\xff\xff\x01").await.unwrap();
    assert!(is_cut(&mut framed).await);
    let mut web = upgraded(stand.web).await;
    web.write_all(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await.unwrap();
    let mut close = [0; 4];
    soon(web.read_exact(&mut close)).await.unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1009), "{close:?}");
    // And in many frames, none of which is too large.
    let mut web = upgraded(stand.web).await;
    let part = vec![b' '; 1024 * 1024];
    let mut first = 0x01;
    for _ in 0..5 {
        let mut frame = vec![first, 0xff];
        frame.extend((part.len() as u64).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(&part);
        if web.write_all(&frame).await.is_err() {
            break;
        }
        first = 0x00;
    }
    assert!(is_cut(&mut web).await);
    stand.serves_others().await;
}

#[tokio::test]
async fn deep_nesting_is_an_error_and_no_end() {
    let stand = Stand::new().await;
    for mut peer in stand.peers().await {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
            for text in [
                deep.clone(),
                format!(r#"{{"action":"get","path":"{SPEED}","requestId":"7","filter":{deep}}}"#),
            ] {
                peer.send(text).await;
                is_refused(&peer.hear().await, "429");
            }
        }
        assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
    }
}

#[tokio::test]
async fn a_subscription_bomb_is_bounded_and_others_are_served() {
    let stand = Stand::with(|options| options.limits.subscriptions = 32).await;
    for mut peer in stand.peers().await {
        let mut refused = 0;
        for number in 0..200 {
            peer.send(
                json!({"action":"subscribe","path":SPEED,"filter":change(),"requestId":number.to_string()})
                    .to_string(),
            )
            .await;
        }
        let mut answers = 0;
        while answers < 200 {
            let heard = peer.hear().await;
            answers += usize::from(heard["action"] == "subscribe");
            refused += usize::from(heard["error"]["number"] == "429");
        }
        assert_eq!(refused, 168);
        assert_eq!(stand.gateway.counters().subscriptions, 32);
        // Nor may one request name what costs much.
        for paths in [vec!["*.Range"; 65], vec!["Speed"; 4097]] {
            let filter = json!([{"variant":"paths","parameter":paths},{"variant":"timebased","parameter":{"period":"1"}}]);
            loop {
                let request =
                    json!({"action":"subscribe","path":"Vehicle","filter":filter.clone(),"requestId":"bomb"});
                peer.send(request.to_string()).await;
                let answer = peer.hear().await;
                if answer["requestId"] == "bomb" {
                    is_refused(&answer, "429");
                    break;
                }
            }
        }
        stand.serves_others().await;
        drop(peer);
        while stand.gateway.counters().subscriptions > 0 {
            tokio::task::yield_now().await;
        }
    }
}
