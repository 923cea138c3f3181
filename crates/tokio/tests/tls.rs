//! TLS over TCP: who is believed, who is shown, how both change without a restart, and what is said when it fails.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use coachwork_tokio::stream::{Authority, Opener};
use coachwork_tokio::tcp::{self, TcpConnector, TcpListener};
use coachwork_tokio::tls::{ClientTls, Identity, Roots, ServerTls, TlsError};
use coachwork_transport::{
    CloseReason, Connection, ConnectionExt, Connector, Limits, ListenerExt, Message, Security, TransportError,
};
use coachwork_vehicle::Credential;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DAY: Duration = Duration::from_secs(86_400);

/// A certificate authority.
struct Authorized {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

struct Made {
    identity: Identity,
    der: Vec<u8>,
}

impl Authorized {
    fn new() -> Self {
        Self::called("the authority")
    }

    fn called(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem).unwrap()
    }

    fn trusted(&self) -> ClientTls {
        ClientTls::trusting(&self.roots()).unwrap()
    }

    fn certify(&self, name: &str) -> Made {
        self.between(name, SystemTime::now() - DAY, SystemTime::now() + DAY)
    }

    fn between(&self, name: &str, from: SystemTime, until: SystemTime) -> Made {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (from.into(), until.into());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let identity = Identity::from_pem(certificate.pem(), key.serialize_pem()).unwrap();
        Made { identity, der: certificate.der().to_vec() }
    }
}

type Ended = Result<Box<dyn Connection>, TransportError>;

async fn pair(listener: &mut TcpListener, connector: &TcpConnector) -> (Ended, Ended) {
    let accept = async { listener.accept().await.unwrap().await };
    tokio::join!(connector.connect(), accept)
}

async fn listening(tls: &ServerTls) -> (TcpListener, u16) {
    let listener = tcp::listen("127.0.0.1:0", &Limits::default()).await.unwrap().secured(tls);
    let port = listener.address().port();
    (listener, port)
}

fn to(port: u16, tls: &ClientTls) -> TcpConnector {
    named("localhost", port, tls)
}

fn named(host: &str, port: u16, tls: &ClientTls) -> TcpConnector {
    tcp::connector(format!("{host}:{port}"), &Limits::default()).secured(tls)
}

/// Why somebody was refused; what else went wrong is none of it.
fn refusal(ended: Ended) -> String {
    match ended {
        Err(TransportError::Refused { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

async fn talk(near: &mut Box<dyn Connection>, far: &mut Box<dyn Connection>) {
    near.send(&Message::text("still here")).await.unwrap();
    assert_eq!(far.recv().await.unwrap(), Message::text("still here"));
    far.send(&Message::text("so am I")).await.unwrap();
    assert_eq!(near.recv().await.unwrap(), Message::text("so am I"));
}

#[tokio::test]
async fn messages_travel_encrypted_and_a_client_certificate_is_a_credential() {
    let us = Authorized::new();
    let phone = us.certify("phone");
    let tls = ServerTls::with_clients_of(&us.certify("localhost").identity, &us.roots()).unwrap();
    let (listener, port) = listening(&tls).await;
    let mut listener = listener.speaking(&["VISSv3"]);
    let client = us.trusted();
    client.present(&phone.identity).unwrap();
    let (near, far) = pair(&mut listener, &to(port, &client).offering(&["VISSv2", "VISSv3"])).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    for info in [near.info(), far.info()] {
        assert_eq!((info.security, info.subprotocol.as_deref()), (Security::Encrypted, Some("VISSv3")));
    }
    assert_eq!(far.info().credential(), Credential::Certificate(phone.der.as_slice().into()));
    let large = Message::Binary(vec![5; 1_000_000].into());
    let (sent, received) = tokio::join!(near.send(&large), far.recv());
    sent.unwrap();
    assert_eq!(received.unwrap(), large);
    talk(&mut near, &mut far).await;
    far.close(CloseReason::normal()).await.unwrap();
    assert!(matches!(near.recv().await, Err(TransportError::Closed { .. })));
}

#[tokio::test]
async fn a_server_that_is_not_believed_is_refused_and_it_is_said_why() {
    let (us, others) = (Authorized::new(), Authorized::called("another"));
    let again = Authorized::new();
    let now = SystemTime::now();
    for (identity, client, host, why) in [
        (us.certify("localhost"), again.trusted(), "localhost", "goes back to none of the roots"),
        (us.certify("localhost"), others.trusted(), "localhost", "goes back to none of the roots"),
        (us.certify("car.example"), us.trusted(), "localhost", "is for another name"),
        (us.certify("localhost"), us.trusted(), "127.0.0.1", "is for another name"),
        (us.between("localhost", now - 2 * DAY, now - DAY), us.trusted(), "localhost", "has expired"),
        (us.between("localhost", now + DAY, now + 2 * DAY), us.trusted(), "localhost", "is not valid yet"),
    ] {
        let (mut listener, port) = listening(&ServerTls::new(&identity.identity).unwrap()).await;
        let (near, far) = pair(&mut listener, &named(host, port, &client)).await;
        assert!(refusal(near).starts_with("its certificate "), "{why}");
        let (near, _) = pair(&mut listener, &named(host, port, &client)).await;
        let near = refusal(near);
        assert!(near.contains(why), "{near}, and not {why}");
        assert!(refusal(far).starts_with("it does not believe the certificate that it was shown"), "{why}");
    }
    // An address is a name too.
    let (mut listener, port) = listening(&ServerTls::new(&us.certify("127.0.0.1").identity).unwrap()).await;
    assert!(pair(&mut listener, &named("127.0.0.1", port, &us.trusted())).await.0.is_ok());
}

#[tokio::test]
async fn a_client_that_must_show_a_certificate_shows_one_that_is_believed_or_stays_out() {
    let (us, others) = (Authorized::new(), Authorized::new());
    let now = SystemTime::now();
    let tls = ServerTls::with_clients_of(&us.certify("localhost").identity, &us.roots()).unwrap();
    let (mut listener, port) = listening(&tls).await;
    let client = us.trusted();
    let (near, far) = pair(&mut listener, &to(port, &client)).await;
    assert!(near.is_err());
    assert_eq!(refusal(far), "it shows no certificate, and must");
    for (shown, why) in [
        (others.certify("phone"), "goes back to none of the roots"),
        (us.between("phone", now - 2 * DAY, now - DAY), "has expired"),
    ] {
        client.present(&shown.identity).unwrap();
        let (near, far) = pair(&mut listener, &to(port, &client)).await;
        assert!(near.is_err());
        let far = refusal(far);
        assert!(far.contains(why), "{far}, and not {why}");
    }
    client.present(&us.certify("phone").identity).unwrap();
    assert!(pair(&mut listener, &to(port, &client)).await.1.is_ok());
}

#[tokio::test]
async fn a_client_whose_certificate_expires_meanwhile_is_not_taken_by_an_earlier_handshake() {
    let us = Authorized::new();
    let tls = ServerTls::with_clients_of(&us.certify("localhost").identity, &us.roots()).unwrap();
    let (mut listener, port) = listening(&tls).await;
    let client = us.trusted();
    let now = SystemTime::now();
    client.present(&us.between("phone", now - DAY, now + Duration::from_secs(4)).identity).unwrap();
    let connector = to(port, &client);
    let (near, far) = pair(&mut listener, &connector).await;
    // What there is to be taken up later is sent with the first messages.
    talk(&mut near.unwrap(), &mut far.unwrap()).await;
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let (_, Err(TransportError::Refused { what, .. })) = pair(&mut listener, &connector).await {
            assert_eq!(what, "its certificate has expired");
            return;
        }
        assert!(Instant::now() < end, "it still comes in");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn certificates_and_roots_change_without_a_restart_and_what_stands_goes_on() {
    let (old, new) = (Authorized::new(), Authorized::new());
    let tls = ServerTls::with_clients_of(&old.certify("localhost").identity, &old.roots()).unwrap();
    let (mut listener, port) = listening(&tls).await;
    let client = old.trusted();
    client.present(&old.certify("phone").identity).unwrap();
    let connector = to(port, &client);
    let (near, far) = pair(&mut listener, &connector).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());

    // What does not belong together changes nothing, on either side.
    let key = KeyPair::generate().unwrap().serialize_pem();
    let crossed = Identity::from_pem(&old.pem, key).unwrap();
    assert!(matches!(tls.renew(&crossed), Err(TlsError::Certificate(_))));
    assert!(matches!(tls.renew_with_clients_of(&crossed, None), Err(TlsError::Certificate(_))));
    assert!(matches!(client.present(&crossed), Err(TlsError::Certificate(_))));
    assert!(matches!(client.renew(&new.roots(), Some(&crossed)), Err(TlsError::Certificate(_))));
    assert!(pair(&mut listener, &connector).await.1.is_ok());

    // The server changes, and its clients are asked for the same as before.
    tls.renew(&new.certify("localhost").identity).unwrap();
    assert!(refusal(pair(&mut listener, &connector).await.0).contains("none of the roots"));
    let nobody = to(port, &new.trusted());
    assert_eq!(refusal(pair(&mut listener, &nobody).await.1), "it shows no certificate, and must");
    client.renew(&new.roots(), Some(&old.certify("phone").identity)).unwrap();
    assert!(pair(&mut listener, &connector).await.1.is_ok());

    // Its clients have to change.
    tls.renew_with_clients_of(&new.certify("localhost").identity, Some(&new.roots())).unwrap();
    assert!(refusal(pair(&mut listener, &connector).await.1).contains("none of the roots"));
    client.present(&new.certify("phone").identity).unwrap();
    assert!(pair(&mut listener, &connector).await.1.is_ok());

    // Nobody is asked any more.
    tls.renew_with_clients_of(&new.certify("localhost").identity, None).unwrap();
    client.renew(&new.roots(), None).unwrap();
    assert!(pair(&mut listener, &connector).await.1.is_ok());

    talk(&mut near, &mut far).await;
}

#[tokio::test]
async fn a_side_in_the_clear_and_one_that_encrypts_part_with_a_word() {
    let us = Authorized::new();
    let tls = ServerTls::new(&us.certify("localhost").identity).unwrap();
    let (mut secured, port) = listening(&tls).await;
    let plain = tcp::connector(format!("127.0.0.1:{port}"), &Limits::default());
    let (near, far) = pair(&mut secured, &plain).await;
    assert_eq!(refusal(near), "it speaks TLS, and this link is plain");
    assert!(matches!(&far, Err(TransportError::Malformed { what, .. }) if what == "it does not speak TLS"));

    let mut open = tcp::listen("127.0.0.1:0", &Limits::default()).await.unwrap();
    let port = open.address().port();
    let (near, far) = pair(&mut open, &to(port, &us.trusted())).await;
    let (near, far) = (near.unwrap_err(), far.unwrap_err());
    assert!(near.to_string().contains("does not speak TLS"), "{near}");
    assert_eq!(near.peer(), format!("localhost:{port}"));
    assert!(!matches!(far, TransportError::Closed { .. }), "{far}");
}

/// A stream that has said the beginning of a handshake.
async fn begun(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    stream
}

#[tokio::test]
async fn a_handshake_that_dawdles_holds_nobody_up_and_has_an_end_at_either_side() {
    let us = Authorized::new();
    let tls = ServerTls::new(&us.certify("localhost").identity).unwrap();
    let (mut listener, port) = listening(&tls).await;
    let mut slow = begun(listener.address()).await;
    let mut dawdling = Box::pin(listener.accept().await.unwrap());
    for _ in 0..20 {
        slow.write_all(b"\0").await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut dawdling).await.is_err());
    }
    let (near, far) = pair(&mut listener, &to(port, &us.trusted())).await;
    talk(&mut near.unwrap(), &mut far.unwrap()).await;
    // Whoever awaited it gives it up, and the peer is cut off.
    drop(dawdling);
    assert!(matches!(slow.read(&mut [0]).await, Ok(0) | Err(_)));

    // A server that takes the connection and says nothing, or a little now and then.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connector = to(silent.local_addr().unwrap().port(), &us.trusted()).within(Duration::from_millis(200));
    let dripping = tokio::spawn(async move {
        let (mut stream, _) = silent.accept().await.unwrap();
        stream.write_all(b"\x16\x03\x03\x40\x00").await.unwrap();
        while stream.write_all(b"\x02").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let late = tokio::time::timeout(Duration::from_secs(10), connector.connect()).await;
    let late = late.unwrap().unwrap_err();
    assert!(late.to_string().ends_with("the link is lost: no connection within 200ms"), "{late}");
    dripping.await.unwrap();
}

#[tokio::test]
async fn nothing_goes_in_the_clear_to_another_machine() {
    // An address of this machine that is not loopback stands for another machine's.
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    let Ok(address) = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr()) else { return };
    if address.ip().is_loopback() {
        return;
    }
    let (us, limits) = (Authorized::new(), Limits::default());
    let name = address.ip().to_string();
    let mut listener = tcp::listen(&format!("{name}:0"), &limits).await.unwrap();
    let elsewhere = listener.address().to_string();
    let plain = tcp::connector(elsewhere.clone(), &limits);
    let (near, far) = pair(&mut listener, &plain).await;
    let what = refusal(near);
    assert!(what.contains("others could read and change what travels: use TLS, or allow plain"), "{what}");
    assert!(far.is_err());
    let (near, far) = pair(&mut listener, &plain.allowing_plain_links()).await;
    assert_eq!(
        (near.unwrap().info().security, far.unwrap().info().security),
        (Security::Plain, Security::Plain)
    );
    let mut listener = listener.secured(&ServerTls::new(&us.certify(&name).identity).unwrap());
    let (near, far) = pair(&mut listener, &tcp::connector(elsewhere, &limits).secured(&us.trusted())).await;
    assert_eq!(far.unwrap().info().security, Security::Encrypted);
    assert!(near.unwrap().info().is_secure());
}

#[tokio::test]
async fn without_roots_there_is_nobody_to_believe() {
    let to = Authority::parse("localhost:1", None).unwrap();
    let nobody = Opener::new("a car", to).encrypted().open(async |_, _| Ok(())).await.unwrap_err();
    assert_eq!(nobody.to_string(), "a car: TLS needs roots to believe: see secured");
}

#[test]
fn what_is_no_pem_is_refused_and_no_key_is_shown() {
    let us = Authorized::new();
    for (chain, key) in
        [("", "x"), ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", ""), (&us.pem, "")]
    {
        assert!(matches!(Identity::from_pem(chain, key), Err(TlsError::Pem { .. })), "{chain}");
    }
    assert!(Roots::from_pem("").is_err());
    let made = us.certify("localhost");
    assert_eq!(format!("{:?}", made.identity), "Identity(1 certificates)");
    for shown in [
        format!("{:?}", ServerTls::with_clients_of(&made.identity, &us.roots())),
        format!("{:?}", us.trusted()),
    ] {
        assert!(shown.contains("Roots(1)") && !shown.contains("KEY"), "{shown}");
    }
}
