//! CAN buses and logs as frames; with a database and a mapping, a bus or a log is a Vehicle.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod channel;
mod frame;
mod id;
pub mod log;
mod math;

pub use channel::{Channel, ChannelError};
pub use frame::{Direction, Frame, FrameError};
pub use id::CanId;
pub use math::{Math, MathError, MathFault};
