#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod close;
mod connection;
mod delivery;
mod error;
mod framed;
mod info;
mod limits;
pub mod memory;
mod message;
pub mod session;
mod subprotocol;
pub mod viss;

pub use close::{CloseCode, CloseReason};
pub use connection::{Arrival, Connection, ConnectionExt, Connector, Listener, ListenerExt};
pub use delivery::{Delivery, Lane, Note, Origin};
pub use error::TransportError;
pub use framed::{FRAME_HEADER, Framed};
pub use info::{Info, Security};
pub use limits::Limits;
pub use message::{Message, MessageKind};
pub use session::{Arrived, ClientSession, Moment, Received, Reply, ServerSession, Ticket};
pub use subprotocol::agree;
