//! The suite on the far ends of the family's vehicles, behind a gateway and a client, by WebSocket, on tokio and the system's clock; and the
//! transport's own suite.
#![allow(clippy::unwrap_used, reason = "tests")]

mod live;
mod stand;

use coachwork_conformance::{Ends, Stage, Subject, transport, vehicle};
use coachwork_transport::{Connector, Limits, ListenerExt};
use coachwork_websocket::{connector, listen};
use live::Tokio;
use stand::{behind_switch, in_memory, simulator};

async fn far(stage: Stage, subject: Subject) -> Subject {
    let limits = Limits::default();
    let listener = listen("127.0.0.1:0", &limits).await.unwrap();
    let connector = connector(&format!("ws://{}", listener.address()), &limits).unwrap();
    behind_switch(&stage, subject, listener, connector).await
}

async fn far_memory(stage: Stage) -> Subject {
    far(stage.clone(), in_memory(stage).await).await
}

async fn far_simulator(stage: Stage) -> Subject {
    far(stage.clone(), simulator(stage).await).await
}

vehicle!(far_memory, mod memory, on Tokio);
vehicle!(far_simulator, mod simulated, on Tokio);

async fn ends(_: Stage) -> Ends {
    let mut limits = Limits::default();
    limits.message = 64 * 1024;
    limits.write_buffer = 128 * 1024;
    let mut listener = listen("127.0.0.1:0", &limits).await.unwrap();
    let connector = connector(&format!("ws://{}", listener.address()), &limits).unwrap();
    let accept = async { listener.accept().await.unwrap().await.unwrap() };
    let (near, far) = futures_util::future::join(connector.connect(), accept).await;
    Ends::new(near.unwrap(), far, limits)
}

transport!(ends, mod link, on Tokio);

/// The server's end is the near one.
async fn turned(stage: Stage) -> Ends {
    ends(stage).await.turned()
}

transport!(turned, mod turned_link, on Tokio);
