#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod calls;
mod counters;
mod door;
mod drain;
mod encoded;
mod feeds;
mod gateway;
mod keys;
mod options;
mod peer;
mod serve;

pub use counters::Counters;
pub use gateway::Gateway;
pub use options::Options;
