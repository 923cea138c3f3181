//! Cars and apps at Mosquitto. `crates/mqtt/scripts/broker` starts it and says where it is; without it, all of this is left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use coachwork_client::{Client, Options};
use coachwork_gateway::Gateway;
use coachwork_mqtt::{ClientTls, Identity, MqttListener, Roots, SignIn, connector, listen};
use coachwork_tokio::{SystemClock, spawn};
use coachwork_transport::{
    CloseCode, CloseReason, Connection, ConnectionExt, Connector, Limits, ListenerExt, Message, Security,
    TransportError,
};
use coachwork_vehicle::{
    Catalogue, Clock, Credential, DataType, Datapoint, Entry, Event, Everybody, Facts, MemoryVehicle, State,
    Subscribe, Vehicle, VehicleExt, vss,
};

/// What the script says, or why the test does nothing.
fn told(what: &str) -> Option<String> {
    let told = std::env::var(what).ok();
    if told.is_none() {
        assert!(!std::env::var("COACHWORK_REQUIRE_BROKER").is_ok_and(|it| it == "1"), "{what} is not set");
        eprintln!("left out: {what} is not set");
    }
    told
}

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(&told("COACHWORK_MQTT_CERTIFICATES").unwrap()).join(name)).unwrap()
}

fn identity(name: &str) -> Identity {
    Identity::from_pem(pem(&format!("{name}.pem")), pem(&format!("{name}.key"))).unwrap()
}

/// A vehicle that no other test has.
fn at(broker: &str, vehicle: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("{broker}/{vehicle}-{now}")
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("in time")
}

async fn joined(
    listener: &mut MqttListener,
    connector: &impl Connector,
) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let accept = async { listener.accept().await.unwrap().await.unwrap() };
    let (near, far) = soon(async { tokio::join!(connector.connect(), accept) }).await;
    (near.unwrap(), far)
}

#[tokio::test]
async fn messages_travel_encrypted_and_certificates_change_without_a_restart() {
    let (Some(open), Some(closed)) = (told("COACHWORK_MQTT_TLS"), told("COACHWORK_MQTT_TLS_CLIENTS")) else {
        return;
    };
    let limits = Limits::default();
    let roots = Roots::from_pem(pem("roots.pem")).unwrap();
    let tls = ClientTls::trusting(&roots).unwrap();
    let url = at(&open, "tls");
    let mut listener = listen(&url, &limits).unwrap().secured(&tls);
    listener.online().await.unwrap();
    let (mut near, mut far) = joined(&mut listener, &connector(&url, &limits).unwrap().secured(&tls)).await;
    for info in [near.info(), far.info()] {
        assert_eq!((info.security, info.credential()), (Security::Encrypted, Credential::None), "{info:?}");
        assert!(!info.peer.contains("tls-"), "the vehicle's name is shown: {info:?}");
    }
    near.send(&Message::text("hello")).await.unwrap();
    assert_eq!(soon(far.recv()).await.unwrap(), Message::text("hello"));

    // A broker that is not believed; one of another name.
    let other = ClientTls::trusting(&Roots::from_pem(pem("app.pem")).unwrap()).unwrap();
    assert!(connector(&url, &limits).unwrap().secured(&other).connect().await.is_err());
    let renamed = url.replace("localhost", "127.0.0.1");
    assert!(connector(&renamed, &limits).unwrap().secured(&tls).connect().await.is_err());

    // A broker that asks for a certificate.
    let url = at(&closed, "clients");
    let mut listener = listen(&url, &limits).unwrap().secured(&tls);
    let refused = listener.online().await.unwrap_err();
    assert!(!matches!(refused, TransportError::Closed { .. }), "{refused:?}");
    let connector = connector(&url, &limits).unwrap().secured(&tls);
    assert!(connector.connect().await.is_err());
    tls.present(&identity("app")).unwrap();
    // The car comes by itself.
    soon(async { while listener.online().await.is_err() {} }).await;
    joined(&mut listener, &connector).await;
    tls.present(&identity("stranger")).unwrap();
    assert!(connector.connect().await.is_err(), "a certificate of another authority");
    tls.present(&identity("renewed")).unwrap();
    joined(&mut listener, &connector).await;
}

#[tokio::test]
async fn a_password_is_said_and_changes_without_a_restart() {
    let Some(broker) = told("COACHWORK_MQTT_PASSWORD") else { return };
    let (url, limits) = (at(&broker, "password"), Limits::default());
    let refused = connector(&url, &limits).unwrap().connect().await.unwrap_err();
    assert!(matches!(refused, TransportError::Refused { .. }), "{refused:?}");
    let sign_in = SignIn::new("car", "wrong").unwrap();
    let connector = connector(&url, &limits).unwrap().signed_in(&sign_in);
    let refused = connector.connect().await.unwrap_err();
    assert!(matches!(refused, TransportError::Refused { .. }), "{refused:?}");
    sign_in.renew("car", "swordfish").unwrap();
    let mut listener = listen(&url, &limits).unwrap().signed_in(&sign_in).named("the-car");
    listener.online().await.unwrap();
    joined(&mut listener, &connector.answered_under("apps/7/").unwrap()).await;
}

/// What is lost takes its socket with it, and says nothing: only the broker can tell.
#[test]
fn either_end_learns_from_the_broker_that_the_other_is_lost() {
    let Some(broker) = told("COACHWORK_MQTT_BROKER") else { return };
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for car_is_lost in [false, true] {
        let (url, limits) = (at(&broker, "lost"), Limits::default());
        let (car, app) = (runtime(), runtime());
        let mut listener = listen(&url, &limits).unwrap();
        car.block_on(listener.online()).unwrap();
        let near = app.block_on(connector(&url, &limits).unwrap().connect()).unwrap();
        let far = car.block_on(async { soon(listener.accept()).await.unwrap().await.unwrap() });
        let (lost, kept, mut connection, other) =
            if car_is_lost { (car, app, near, far) } else { (app, car, far, near) };
        lost.shutdown_background();
        let error = kept.block_on(async { soon(connection.recv()).await }).unwrap_err();
        assert!(matches!(error, TransportError::Io { .. }), "{error:?}");
        // The end that was lost itself is of no more use, and does not hang.
        drop((other, listener));
    }
}

#[tokio::test]
async fn a_listener_that_is_dropped_keeps_its_connections_and_takes_nobody_in() {
    let Some(broker) = told("COACHWORK_MQTT_BROKER") else { return };
    let (url, limits) = (at(&broker, "drained"), Limits::default());
    let connector = connector(&url, &limits).unwrap();
    let mut listener = listen(&url, &limits).unwrap();
    listener.online().await.unwrap();
    let (mut near, mut far) = joined(&mut listener, &connector).await;
    drop(listener);
    let refused = connector.connect().await;
    assert!(refused.is_err() || soon(refused.unwrap().recv()).await.is_err());
    near.send(&Message::text("still here")).await.unwrap();
    assert_eq!(soon(far.recv()).await.unwrap(), Message::text("still here"));
    soon(far.close(CloseReason::new(CloseCode::GoingAway, "done"))).await.unwrap();
    let Err(TransportError::Closed { reason, .. }) = soon(near.recv()).await else { panic!("no end") };
    assert_eq!((reason.code(), reason.text()), (CloseCode::GoingAway, "done"));
}

#[tokio::test]
async fn many_apps_at_one_car_hear_each_their_own() {
    let Some(broker) = told("COACHWORK_MQTT_BROKER") else { return };
    let (url, limits) = (at(&broker, "many"), Limits::default());
    let mut listener = listen(&url, &limits).unwrap();
    listener.online().await.unwrap();
    let car = tokio::spawn(async move {
        loop {
            let mut connection = listener.accept().await.unwrap().await.unwrap();
            tokio::spawn(async move {
                while let Ok(message) = connection.recv().await {
                    connection.send(&message).await.unwrap();
                }
            });
        }
    });
    let app = |n: usize| {
        let connector = connector(&url, &limits).unwrap();
        async move {
            let mut app = connector.connect().await.unwrap();
            for round in 0..50 {
                let message = Message::text(format!("{n} {round}"));
                app.send(&message).await.unwrap();
                assert_eq!(app.recv().await.unwrap(), message);
            }
        }
    };
    soon(futures::future::join_all((0..30).map(app))).await;
    car.abort();
}

/// A broker that a test starts and ends itself.
struct Broker {
    process: Child,
    port: u16,
}

impl Broker {
    fn start(program: &str, port: u16) -> Self {
        let process = Command::new(program)
            .args(["-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, port }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_restarts_leaves_a_gap_that_is_marked_and_heals() {
    let Some(program) = told("COACHWORK_MOSQUITTO") else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let broker = Broker::start(&program, port);
    let (url, limits) = (format!("mqtt://127.0.0.1:{port}/car"), Limits::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().unwrap());
    let speed = Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h");
    let car = MemoryVehicle::new(Catalogue::new([speed], Facts::default()).unwrap(), clock.clone());
    let now = |value: f32| [("Vehicle.Speed", Datapoint::valid(value, clock.now()))];
    car.publish(&now(1.0)).unwrap();
    let mut listener = listen(&url, &limits).unwrap();
    // The broker may need a moment.
    soon(async { while listener.online().await.is_err() {} }).await;
    let gateway = Gateway::new(Arc::new(Everybody::sees(car.clone())), clock.clone(), gateway_options());
    spawn(gateway.serve(listener)).unwrap();
    let connector = connector(&url, &limits).unwrap();
    let (remote, driver) = soon(Client::connect(connector, clock.clone(), Options::default())).await.unwrap();
    spawn(driver).unwrap();
    let wish = Subscribe::to(remote.find("Vehicle.Speed").unwrap());
    let mut watch = soon(remote.subscribe(wish)).await.unwrap();
    let mut seen = Vec::new();
    let mut next = async |want: &dyn Fn(&State) -> bool| loop {
        match soon(watch.next()).await.unwrap() {
            Event::Changed(points) => {
                let state = points.iter().next().unwrap().1.state.clone();
                seen.push(state.to_string());
                if want(&state) {
                    return;
                }
            }
            other => panic!("{other:?}"),
        }
    };
    next(&|state| matches!(state, State::Valid(_))).await;
    drop(broker);
    next(&|state| matches!(state, State::NotAvailable(_))).await;
    car.publish(&now(2.0)).unwrap();
    let broker = Broker::start(&program, port);
    next(&|state| matches!(state, State::Valid(value) if value.to_string() == "2")).await;
    let again = soon(remote.read(vss::SPEED)).await.unwrap();
    assert_eq!(again.valid(), Ok(2.0), "{seen:?}");
    assert_eq!(broker.port, port);
}

fn gateway_options() -> coachwork_gateway::Options {
    coachwork_gateway::Options::default()
}
