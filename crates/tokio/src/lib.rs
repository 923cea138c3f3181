#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(feature = "can")]
#[cfg_attr(docsrs, doc(cfg(feature = "can")))]
pub mod can;
mod clock;
mod compat;
mod dial;
mod spawn;
pub mod stream;
pub mod tcp;
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub mod tls;
#[cfg(unix)]
pub mod unix;

pub use clock::SystemClock;
pub use spawn::{Running, spawn};
