#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod actuator;
mod body;
mod car;
mod climate;
mod corner;
mod desk;
mod energy;
mod fault;
mod geo;
mod lamps;
mod motion;
mod random;
mod requests;
mod route;
mod scenario;
mod seat;
mod signals;
mod simulation;
mod trip;
mod troubles;
mod tyres;
mod vehicle;

pub use corner::Corner;
pub use fault::{Fault, Incident};
pub use route::{Route, RouteBuilder};
pub use scenario::Scenario;
pub use vehicle::SimulatedVehicle;
