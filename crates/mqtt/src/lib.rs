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
mod sign_in;
mod topic;
mod url;

pub use coachwork_tokio::tls::{ClientTls, Identity, Roots, TlsError};

pub use app::{MqttConnector, connector};
pub use car::{MqttListener, listen};
pub use connection::MqttConnection;
pub use envelope::{Envelope, EnvelopeError, Head};
pub use peers::{Happening, Ignored, PeerBounds, PeerEnd, Peers};
pub use sign_in::{SignIn, SignInError};
pub use topic::{TopicFault, check_answer_topic};
pub use url::UrlError;
