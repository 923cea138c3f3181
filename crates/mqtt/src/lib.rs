#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod app;
mod car;
mod connection;
mod envelope;
mod flow;
mod lately;
mod link;
mod mailbox;
#[doc(hidden)]
pub mod packet;
mod peers;
mod tls;
mod topic;
mod url;

pub use app::{MqttConnector, connector};
pub use car::{MqttListener, listen};
pub use connection::MqttConnection;
pub use envelope::{Envelope, EnvelopeError, Head};
pub use peers::{Happening, Ignored, PeerBounds, PeerEnd, Peers};
pub use tls::{ClientTls, Identity, Roots, SignIn, TlsError};
pub use topic::{TopicFault, check_answer_topic};
pub use url::UrlError;
