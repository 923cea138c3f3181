#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod calls;
mod catalogue;
mod client;
mod connect;
mod driver;
mod history;
mod inbox;
mod link;
mod options;
mod outbox;
mod plain;
pub mod queue;
mod renewal;
mod shared;
mod slot;
mod subscription;
mod token;
mod watch;

pub use client::Client;
pub use coachwork_vehicle::Backoff;
pub use link::Link;
pub use options::Options;
pub use outbox::Outbox;
pub use token::{Token, TokenSource};
