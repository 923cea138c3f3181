#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod frame;
mod handshake;
mod reader;
mod socket;
mod tcp;
mod url;
mod writer;

pub use coachwork_tokio::tls::{ClientTls, Identity, Roots, ServerTls, TlsError};
pub use socket::{Accept, WebSocket};
pub use tcp::{WebSocketConnector, WebSocketListener, connector, listen};
pub use url::UrlError;
