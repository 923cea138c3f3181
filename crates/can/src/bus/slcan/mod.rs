//! slcan: an adapter on a serial line (LAWICEL's protocol and what grew on it), in lines of text (`t1232AABB`, ended by a carriage return).
//!
//! The protocol carries classic, remote and CAN FD frames (`d`, `D`, and with the bit rate switched `b`, `B`) in both directions.
//! *Invariant:* no I/O, no clock; what is not understood is counted and passed over, and what follows is read.
//! *Next:* `decode.rs`, `encode.rs` (lines), `session.rs` (the conversation), `stamps.rs` (the adapter's time), `../link.rs` (which keeps it up).

mod decode;
mod encode;
mod session;
mod stamps;

pub use decode::{Decoder, Line, MAX_LINE, Malformed};
pub use encode::{encode, encode_stamped};

use super::name::SlcanName;
use super::port::{Carries, Dial, DialStream, Port, StreamPort};
use crate::Channel;
use async_trait::async_trait;
use coachwork_vehicle::Clock;
use session::{Session, Setup};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Which frames slcan carries. An adapter may carry fewer; then it refuses the others.
pub(super) const CARRIES: Carries = Carries { bus: "slcan", fd: true, remote: true };

/// An adapter that speaks slcan, to be dialled by a [`Link`](super::Link).
#[derive(Debug)]
pub struct Slcan<D> {
    stream: D,
    name: String,
    channel: Channel,
    setup: Setup,
    pause: Duration,
}

impl<D: DialStream> Slcan<D> {
    /// The adapter at the other end of `stream`, set up as `adapter` says. `name` is for people; its last part is the channel of the frames,
    /// where it can be one.
    pub fn new(stream: D, adapter: &SlcanName, name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
        Self {
            stream,
            name: name.to_owned(),
            channel: last.parse().unwrap_or(Channel::NONE),
            setup: Setup::of(adapter),
            pause: adapter.sleep_after_open,
        }
    }
}

#[async_trait]
impl<D: DialStream> Dial for Slcan<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn carries(&self) -> Carries {
        CARRIES
    }

    async fn dial(&mut self, clock: &Arc<dyn Clock>) -> io::Result<Box<dyn Port>> {
        let stream = self.stream.dial().await?;
        if !self.pause.is_zero() {
            clock.sleep_until(clock.monotonic().saturating_add(self.pause)).await;
        }
        let session = Session::new(self.setup.clone(), self.channel);
        Ok(Box::new(StreamPort::open(stream, session, clock).await?))
    }
}

#[cfg(test)]
mod tests;
