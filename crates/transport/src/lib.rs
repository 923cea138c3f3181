#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod close;
mod connection;
mod error;
mod info;
mod limits;
mod message;

pub use close::{CloseCode, CloseReason};
pub use connection::{Arrival, Connection, ConnectionExt, Connector, Listener, ListenerExt};
pub use error::TransportError;
pub use info::{Info, Security};
pub use limits::Limits;
pub use message::{Message, MessageKind};
