//! What the examples share: the project's own databases, mapping and drive, and how a drive is recorded.

mod own;
mod power;
mod record;

pub use own::{Fault, START, crc, databases, drive_log, load_databases, mapping_file, scenario, stamps};
pub use power::with_power;
pub use record::record;

/// The code of the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The code of the page on logs, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/logs.md")]
pub struct Logs;

/// The code of the page on the simulated car, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulator.md")]
pub struct Simulator;

/// The code of the page on buses, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/buses.md")]
pub struct Buses;
