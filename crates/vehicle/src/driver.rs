//! The part of a backend that must be polled: the caller spawns it where it likes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Error;

/// The running half of a backend: it reads the link and publishes to the board, until the link ends or the vehicle is dropped.
///
/// Spawn it on any executor. When it ends, the vehicle's signals are not available, with the reason; `Err` says why it failed.
///
/// The loop holds a clone of the board, so it ends by itself only where it is told that the vehicle is gone: by the end of its queue of
/// requests, or where there is none, by a channel whose other end the vehicle holds.
#[must_use = "a driver does nothing unless it is polled or spawned"]
pub struct Driver(Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>);

impl Driver {
    /// Wraps a backend's loop.
    pub fn new(run: impl Future<Output = Result<(), Error>> + Send + 'static) -> Self {
        Self(Box::pin(run))
    }
}

impl Future for Driver {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}
