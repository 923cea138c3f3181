//! TLS: who is believed, who is shown, and how both change without a restart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use coachwork_transport::{
    Connection, ConnectionExt, Connector, Limits, ListenerExt, Message, Security, TransportError,
};
use coachwork_vehicle::Credential;
use coachwork_websocket::{
    ClientTls, Identity, Roots, ServerTls, TlsError, WebSocketConnector, WebSocketListener, connector, listen,
};

/// A certificate for a name, with its key.
struct Made {
    identity: Identity,
    certificate: String,
    der: Vec<u8>,
}

fn made(name: &str) -> Made {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let identity = Identity::from_pem(cert.pem(), signing_key.serialize_pem()).unwrap();
    Made { identity, certificate: cert.pem(), der: cert.der().to_vec() }
}

async fn pair(
    listener: &mut WebSocketListener,
    connector: &WebSocketConnector,
) -> (Result<Box<dyn Connection>, TransportError>, Result<Box<dyn Connection>, TransportError>) {
    let accept = async { listener.accept().await.unwrap().await };
    tokio::join!(connector.connect(), accept)
}

async fn secured(tls: &ServerTls) -> (WebSocketListener, String) {
    let listener = listen("127.0.0.1:0", &Limits::default()).await.unwrap().secured(tls);
    let url = format!("wss://localhost:{}", listener.address().port());
    (listener, url)
}

fn to(url: &str, tls: &ClientTls) -> WebSocketConnector {
    connector(url, &Limits::default()).unwrap().secured(tls)
}

#[tokio::test]
async fn messages_travel_encrypted_between_those_who_know_each_other() {
    let (server, client) = (made("localhost"), made("phone"));
    let tls =
        ServerTls::with_clients_of(&server.identity, &Roots::from_pem(&client.certificate).unwrap()).unwrap();
    let (mut listener, url) = secured(&tls).await;
    let phone = ClientTls::trusting(&Roots::from_pem(&server.certificate).unwrap()).unwrap();
    // TLS 1.3 tells a client only afterwards that its certificate was wanted.
    let (_, accepted) = pair(&mut listener, &to(&url, &phone)).await;
    assert!(matches!(accepted, Err(TransportError::Refused { .. })));

    phone.present(&client.identity).unwrap();
    let (near, far) = pair(&mut listener, &to(&url, &phone)).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    assert_eq!((near.info().security, far.info().security), (Security::Encrypted, Security::Encrypted));
    assert_eq!(far.info().credential(), Credential::Certificate(client.der.as_slice().into()));
    let large = Message::Binary(vec![5; 1_000_000].into());
    let (sent, received) = tokio::join!(near.send(&large), far.recv());
    sent.unwrap();
    assert_eq!(received.unwrap(), large);
    far.send(&Message::text("well")).await.unwrap();
    assert_eq!(near.recv().await.unwrap(), Message::text("well"));
    far.close(coachwork_transport::CloseReason::normal()).await.unwrap();
    assert!(matches!(near.recv().await, Err(TransportError::Closed { .. })));
}

#[tokio::test]
async fn a_server_that_is_not_believed_is_not_spoken_to() {
    let (server, other) = (made("localhost"), made("localhost"));
    let (mut listener, url) = secured(&ServerTls::new(&server.identity).unwrap()).await;
    let believing_another = ClientTls::trusting(&Roots::from_pem(&other.certificate).unwrap()).unwrap();
    let (near, far) = pair(&mut listener, &to(&url, &believing_another)).await;
    assert!(matches!(
        (near, far),
        (Err(TransportError::Refused { .. }), Err(TransportError::Refused { .. }))
    ));
    // Its certificate does not have the name that was asked for.
    let believing = ClientTls::trusting(&Roots::from_pem(&server.certificate).unwrap()).unwrap();
    let (near, _) = pair(&mut listener, &to(&url.replace("localhost", "127.0.0.1"), &believing)).await;
    assert!(near.is_err());
    let (near, _) = pair(&mut listener, &to(&url, &believing)).await;
    assert!(near.is_ok());
    // Without roots there is nobody to believe; a plain request is not understood.
    let error = connector(&url, &Limits::default()).unwrap().connect().await.unwrap_err();
    assert!(error.to_string().contains("TLS needs roots to believe"), "{error}");
    let (near, far) =
        pair(&mut listener, &connector(&url.replace("wss", "ws"), &Limits::default()).unwrap()).await;
    assert!(near.is_err() && far.is_err());
}

#[tokio::test]
async fn a_certificate_is_renewed_without_a_restart() {
    let (old, new) = (made("localhost"), made("localhost"));
    let tls = ServerTls::new(&old.identity).unwrap();
    let (mut listener, url) = secured(&tls).await;
    let of =
        |made: &Made| to(&url, &ClientTls::trusting(&Roots::from_pem(&made.certificate).unwrap()).unwrap());
    let (near, far) = pair(&mut listener, &of(&old)).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());

    tls.renew(&new.identity).unwrap();
    assert!(pair(&mut listener, &of(&old)).await.0.is_err());
    assert!(pair(&mut listener, &of(&new)).await.0.is_ok());
    // The connection that stood stands.
    near.send(&Message::text("still here")).await.unwrap();
    assert_eq!(far.recv().await.unwrap(), Message::text("still here"));

    // A key of another certificate changes nothing.
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let crossed = Identity::from_pem(&old.certificate, key).unwrap();
    assert!(matches!(tls.renew(&crossed), Err(TlsError::Certificate(_))));
    assert!(pair(&mut listener, &of(&new)).await.0.is_ok());
}

#[test]
fn what_is_no_pem_is_refused_and_no_key_is_shown() {
    let made = made("localhost");
    for (chain, key) in [
        ("", "x"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", ""),
        (&made.certificate, ""),
    ] {
        assert!(matches!(Identity::from_pem(chain, key), Err(TlsError::Pem { .. })), "{chain}");
    }
    assert!(Roots::from_pem("").is_err());
    assert_eq!(format!("{:?}", made.identity), "Identity(1 certificates)");
    assert!(!format!("{:?}", ServerTls::new(&made.identity)).contains("KEY"));
}
