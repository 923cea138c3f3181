//! socketcand: a bus behind a daemon, in elements of text (`< frame 123 1700000000.123456 0102 >`) over a byte stream.
//!
//! The protocol carries classic data frames in both directions, and the classes of error frames from the daemon. It has no remote frames and no
//! CAN FD.
//! *Invariant:* no I/O, no clock; what is not understood is counted and passed over, and what follows is read.
//! *Next:* `decode.rs`, `encode.rs` (elements), `session.rs` (the conversation), `../link.rs` (which keeps it up).

mod decode;
mod encode;
mod session;

pub use decode::{Decoder, Element, MAX_ELEMENT, Malformed};
pub use encode::{encode_frame, encode_send};

use super::port::{Carries, Dial, DialStream, Port, StreamPort};
use async_trait::async_trait;
use coachwork_vehicle::Clock;
use session::Session;
use std::io;
use std::sync::Arc;

/// Which frames socketcand carries.
pub(super) const CARRIES: Carries = Carries { bus: "socketcand", fd: false, remote: false };

/// A bus that a socketcand daemon offers, to be dialled by a [`Link`](super::Link).
#[derive(Debug)]
pub struct Socketcand<D> {
    stream: D,
    name: String,
    channel: String,
}

impl<D: DialStream> Socketcand<D> {
    /// The bus that the daemon at the other end of `stream` calls `channel`. `name` is for people.
    pub fn new(stream: D, channel: &str, name: &str) -> Self {
        Self { stream, name: name.to_owned(), channel: channel.to_owned() }
    }
}

#[async_trait]
impl<D: DialStream> Dial for Socketcand<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn carries(&self) -> Carries {
        CARRIES
    }

    async fn dial(&mut self, clock: &Arc<dyn Clock>) -> io::Result<Box<dyn Port>> {
        let stream = self.stream.dial().await?;
        Ok(Box::new(StreamPort::open(stream, Session::new(&self.channel), clock).await?))
    }
}

#[cfg(test)]
mod tests;
