#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod clock;
mod spawn;

pub use clock::SystemClock;
pub use spawn::{Running, spawn};
