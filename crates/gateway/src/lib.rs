#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod calls;
mod capabilities;
mod counters;
mod door;
mod drain;
mod encoded;
mod feeds;
mod gateway;
mod history;
mod inbox;
mod intake;
mod keys;
mod observer;
mod options;
mod peer;
mod rate;
mod serve;

pub use capabilities::Protocol;
pub use counters::Counters;
pub use gateway::Gateway;
pub use history::{History, Recent};
pub use inbox::{FileInbox, Inbox, MemoryInbox, Position};
pub use keys::{KeySync, KeysOpened, RequestKeys};
pub use observer::{Happened, Observer, Tally};
pub use options::{Options, SlowPeers};
