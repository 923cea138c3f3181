#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod actuator;
mod body;
mod car;
mod energy;
mod motion;
mod random;
mod scenario;
mod signals;
mod trip;
mod vehicle;

pub use scenario::Scenario;
pub use vehicle::SimulatedVehicle;
