#![cfg_attr(docsrs, feature(doc_cfg))]
// The guide's code needs what the default features give.
#![cfg_attr(
    all(feature = "can", feature = "entitlement", feature = "remote", feature = "simulator", feature = "system"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "can",
        feature = "entitlement",
        feature = "remote",
        feature = "simulator",
        feature = "system"
    )),
    doc = "App code against one small trait, [`Vehicle`]; the platform under it is replaceable in one line."
)]

#[doc(inline)]
pub use coachwork_vehicle::*;

/// CAN buses and logs: frames, readers, mappings, and the vehicle that they make.
#[cfg(feature = "can")]
#[cfg_attr(docsrs, doc(cfg(feature = "can")))]
pub use coachwork_can as can;
/// A remote car as a local vehicle.
#[cfg(feature = "remote")]
#[cfg_attr(docsrs, doc(cfg(feature = "remote")))]
pub use coachwork_client as client;
/// DBC databases: frames to signals and back.
#[cfg(feature = "can")]
#[cfg_attr(docsrs, doc(cfg(feature = "can")))]
pub use coachwork_dbc as dbc;
/// Signed grants, and the wrapper that gates a vehicle by them.
#[cfg(feature = "entitlement")]
#[cfg_attr(docsrs, doc(cfg(feature = "entitlement")))]
pub use coachwork_entitlement as entitlement;
/// Serving a vehicle to others.
#[cfg(feature = "remote")]
#[cfg_attr(docsrs, doc(cfg(feature = "remote")))]
pub use coachwork_gateway as gateway;
/// VISS over MQTT: a car that is reached through a broker, with TLS.
#[cfg(feature = "mqtt")]
#[cfg_attr(docsrs, doc(cfg(feature = "mqtt")))]
pub use coachwork_mqtt as mqtt;
/// A deterministic car.
#[cfg(feature = "simulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "simulator")))]
pub use coachwork_simulator as simulator;
/// The system's clock, tasks and sockets, on tokio.
#[cfg(feature = "system")]
#[cfg_attr(docsrs, doc(cfg(feature = "system")))]
pub use coachwork_tokio as system;
/// How a vehicle travels: transport traits, messages, sessions.
#[cfg(feature = "remote")]
#[cfg_attr(docsrs, doc(cfg(feature = "remote")))]
pub use coachwork_transport as transport;
/// VISS over WebSocket, with TLS.
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub use coachwork_websocket as websocket;
