#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

pub mod bus;
mod channel;
mod databases;
mod emit;
mod error;
mod frame;
mod lines;
pub mod log;
mod mapping;
mod math;
mod network;
mod plan;
mod vehicle;
mod wiring;

pub use coachwork_dbc::CanId;

pub use channel::{Channel, ChannelError};
pub use databases::Databases;
pub use emit::Emit;
pub use frame::{Direction, Frame, FrameError};
pub use mapping::{
    Constant, FromBus, Mapping, MappingEntry, MappingError, MappingFault, SignalName, StartValues, ToBus,
    Transform,
};
pub use math::{Math, MathError, MathFault};
pub use network::Segment;
pub use plan::Stamps;
pub use vehicle::{CanVehicle, Counts};
pub use wiring::Wiring;
