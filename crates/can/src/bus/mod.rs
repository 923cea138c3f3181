//! Buses: where frames come from and where they go, whatever the hardware.
//!
//! *Invariant:* everything is bounded and nothing is lost silently: a batch counts what its source lost, a full sink says so or makes its
//! caller wait.
//! *Next:* `virtual_bus.rs` (in process), `replay.rs` (a log as a source), `vehicle.rs` and `emit.rs` (who uses them).

mod name;
mod replay;
mod virtual_bus;

pub use name::{BusName, BusNameError, SlcanName, SlcanPort, SocketCanName, SocketcandName};
pub use replay::LogSource;
pub use virtual_bus::VirtualBus;

use crate::Frame;
use crate::log::LogError;
use async_trait::async_trait;
use coachwork_vehicle::TimeBase;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// Where frames come from: a bus, or a log. Object-safe.
#[async_trait]
pub trait FrameSource: Debug + Send + 'static {
    /// Appends at least one frame to `batch`, waiting for it, and as many more as are there without waiting and fit.
    /// A batch that is left empty says that the source has ended.
    ///
    /// Cancel-safe: a dropped call has lost no frame; what it appended is in the batch.
    ///
    /// # Errors
    /// The source failed, and will give no more frames.
    async fn read(&mut self, batch: &mut Batch) -> Result<(), BusError>;

    /// What the source is called, for people: `can0`, `drive.log`.
    fn name(&self) -> &str;

    /// What the times of its frames count from.
    fn time_base(&self) -> TimeBase;

    /// Whether the source waits for its reader, as a log does. A live bus does not.
    fn waits(&self) -> bool;
}

/// Where frames go. Object-safe; clones of the `Arc` around it send to the same bus.
#[async_trait]
pub trait FrameSink: Debug + Send + Sync + 'static {
    /// Sends a frame if there is room for it now.
    ///
    /// # Errors
    /// [`BusError::Full`] where there is none, and whatever else keeps the frame from the bus: then it was not sent.
    fn try_send(&self, frame: &Frame) -> Result<(), BusError>;

    /// Sends a frame, waiting for room. A dropped call has sent it or not.
    ///
    /// # Errors
    /// What keeps the frame from the bus.
    async fn send(&self, frame: &Frame) -> Result<(), BusError>;
}

/// Why frames do not come or go any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// There is no room for a frame now.
    #[error("the bus has no room for another frame now")]
    Full,
    /// Nobody is at the other side any more.
    #[error("nobody is on the bus any more")]
    Closed,
    /// The hardware or the operating system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The log cannot be read any further.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Both directions of a bus, or one: frames are read, and perhaps sent.
#[derive(Debug)]
pub struct Bus {
    pub(crate) source: Box<dyn FrameSource>,
    pub(crate) sink: Option<Arc<dyn FrameSink>>,
}

impl Bus {
    /// A bus that is read and written.
    pub fn new(source: impl FrameSource, sink: impl FrameSink) -> Self {
        Self { source: Box::new(source), sink: Some(Arc::new(sink)) }
    }

    /// A bus, or a log, that is only read: nothing can be sent.
    pub fn read_only(source: impl FrameSource) -> Self {
        Self { source: Box::new(source), sink: None }
    }

    /// The two directions apart.
    pub fn into_parts(self) -> (Box<dyn FrameSource>, Option<Arc<dyn FrameSink>>) {
        (self.source, self.sink)
    }
}

/// Frames that were read together, and how many are missing before them.
#[derive(Clone, Debug)]
pub struct Batch {
    frames: Vec<Frame>,
    room: usize,
    lost: u64,
    bad: u64,
}

impl Batch {
    /// An empty batch for at most `room` frames (at least one).
    pub fn new(room: usize) -> Self {
        let room = room.max(1);
        Self { frames: Vec::with_capacity(room), room, lost: 0, bad: 0 }
    }

    /// The frames, in their order.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether no more frames fit.
    pub fn is_full(&self) -> bool {
        self.frames.len() >= self.room
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many frames the source lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many records the source could not read as a frame.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// Appends a frame; `false` where it does not fit.
    #[must_use = "a frame that does not fit is lost"]
    pub fn push(&mut self, frame: Frame) -> bool {
        let fits = !self.is_full();
        if fits {
            self.frames.push(frame);
        }
        fits
    }

    /// Counts frames that were lost.
    pub fn count_lost(&mut self, frames: u64) {
        self.lost = self.lost.saturating_add(frames);
    }

    /// Counts records that are no frames.
    pub fn count_bad(&mut self, records: u64) {
        self.bad = self.bad.saturating_add(records);
    }

    /// Empties the batch for the next read.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.lost = 0;
        self.bad = 0;
    }
}
