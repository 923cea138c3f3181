//! The two directions of a link, as a bus has them.
//!
//! *Invariant:* neither touches the port; a dropped end tells the driver.
//! *Next:* `shared.rs`, whose queues they fill and empty.

use super::LinkState;
use super::shared::Shared;
use crate::Frame;
use crate::bus::{Batch, BusError, FrameSink, FrameSource};
use async_trait::async_trait;
use coachwork_vehicle::TimeBase;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

pub(super) struct LinkSource(pub(super) Arc<Shared>);

#[async_trait]
impl FrameSource for LinkSource {
    async fn read(&mut self, batch: &mut Batch) -> Result<(), BusError> {
        poll_fn(|cx| {
            self.0.reader.register(cx.waker());
            let (given, was_full) = self.0.lock().give(batch);
            if was_full {
                self.0.driver.wake();
            }
            match given {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn time_base(&self) -> TimeBase {
        TimeBase::Utc
    }

    fn waits(&self) -> bool {
        false
    }
}

impl Drop for LinkSource {
    fn drop(&mut self) {
        self.0.lock().source_is_there = false;
        self.0.driver.wake();
    }
}

pub(super) struct LinkSink(pub(super) Arc<Shared>);

#[async_trait]
impl FrameSink for LinkSink {
    fn try_send(&self, frame: &Frame) -> Result<(), BusError> {
        self.0.carries.check(frame)?;
        self.0.lock().accept(frame)?;
        self.0.driver.wake();
        Ok(())
    }

    async fn send(&self, frame: &Frame) -> Result<(), BusError> {
        loop {
            let changed = self.0.changed.listen();
            match self.try_send(frame) {
                Err(BusError::Full) => changed.await,
                sent => return sent,
            }
        }
    }
}

impl Drop for LinkSink {
    fn drop(&mut self) {
        self.0.lock().sink_is_there = false;
        self.0.driver.wake();
    }
}

impl fmt::Debug for LinkSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkSource({:?})", self.0.name)
    }
}

impl fmt::Debug for LinkSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_up = matches!(self.0.lock().link, LinkState::Up { .. });
        write!(f, "LinkSink({:?}, {})", self.0.name, if is_up { "up" } else { "down" })
    }
}
