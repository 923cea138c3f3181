//! The suite on the far ends of the family's vehicles, behind a gateway and a client, over MQTT, on tokio and the system's clock; and the transport's own
//! suite. It needs a broker: `crates/mqtt/scripts/broker` starts one.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod live;
mod stand;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use coachwork_conformance::{Ends, Play, Runner, Stage, Subject, transport, vehicle};
use coachwork_mqtt::{MqttConnector, MqttListener, connector, listen};
use coachwork_transport::{Connector, Limits, ListenerExt};
use live::Tokio;
use stand::{behind_switch, in_memory, simulator};

/// Runs a play where there is a broker, and otherwise says that it was left out.
struct WithBroker;

impl Runner for WithBroker {
    fn run(&self, play: Box<dyn FnOnce(Stage) -> Play>) {
        Tokio.run(play);
    }

    fn left_out(&self) -> Option<String> {
        broker().is_none().then(|| "COACHWORK_MQTT_BROKER names no broker".to_owned())
    }
}

fn broker() -> Option<String> {
    let broker = std::env::var("COACHWORK_MQTT_BROKER").ok();
    let is_required = std::env::var("COACHWORK_REQUIRE_BROKER").is_ok_and(|it| it == "1");
    assert!(broker.is_some() || !is_required, "COACHWORK_MQTT_BROKER names no broker");
    broker
}

/// A car that no other test has, and the way to it.
async fn car(limits: &Limits) -> (MqttListener, MqttConnector) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let url = format!("{}/conformance-{now}-{}", broker().unwrap(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut listener = listen(&url, limits).unwrap();
    listener.online().await.unwrap();
    (listener, connector(&url, limits).unwrap())
}

async fn far(stage: Stage, subject: Subject) -> Subject {
    let (listener, connector) = car(&Limits::default()).await;
    behind_switch(&stage, subject, listener, connector).await
}

async fn far_memory(stage: Stage) -> Subject {
    far(stage.clone(), in_memory(stage).await).await
}

async fn far_simulator(stage: Stage) -> Subject {
    far(stage.clone(), simulator(stage).await).await
}

vehicle!(far_memory, mod memory, on WithBroker);
vehicle!(far_simulator, mod simulated, on WithBroker);

async fn ends(_: Stage) -> Ends {
    let mut limits = Limits::default();
    limits.message = 64 * 1024;
    limits.write_buffer = 128 * 1024;
    let (mut listener, connector) = car(&limits).await;
    let accept = async { listener.accept().await.unwrap().await.unwrap() };
    let (near, far) = futures_util::future::join(connector.connect(), accept).await;
    Ends::new(near.unwrap(), far, limits)
}

transport!(ends, mod link, on WithBroker);

/// The car's end is the near one.
async fn turned(stage: Stage) -> Ends {
    ends(stage).await.turned()
}

transport!(turned, mod turned_link, on WithBroker);
