//! Buses: where frames come from and where they go, whatever the hardware.
//!
//! *Invariant:* everything is bounded and nothing is lost silently: a batch counts what its source lost, a full sink says so or makes its
//! caller wait.
//! *Next:* `link.rs` (a bus that is dialled, and dialled again), `virtual_bus.rs` (in process), `replay.rs` (a log as a source), `vehicle.rs` and `emit.rs` (who uses them).

mod batch;
mod filter;
mod gateway;
mod link;
mod name;
mod port;
mod replay;
pub mod slcan;
pub mod socketcand;
mod virtual_bus;

pub use batch::{Batch, Gap};
pub use filter::{IdFilter, IdFilterError, IdFilters};
pub use gateway::{BusGateway, GatewayCounts, Passage};
pub use link::{Link, LinkCounts, LinkOptions, LinkState, WhenFull};
pub use name::{BusName, BusNameError, SlcanName, SlcanPort, SocketCanName, SocketcandName};
pub use port::{ByteStream, Carries, Dial, DialStream, Intake, NotCarried, Port};
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
    /// Appends at least one frame to `batch`, waiting for it, and as many more as are there without waiting and fit; or tells of a
    /// [`Gap`]. A batch that is left empty says that the source has ended.
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
    /// What keeps the frame from the bus; [`BusError::Down`] at once where the link to it is down.
    async fn send(&self, frame: &Frame) -> Result<(), BusError>;
}

/// Why frames do not come or go any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// There is no room for a frame now.
    #[error("the bus has no room for another frame now")]
    Full,
    /// The link to the bus is down, and is being made again. The frame was not sent, and is not sent later.
    #[error("the link to the bus is down: {0}")]
    Down(Arc<str>),
    /// A bus of this kind does not carry frames of this kind.
    #[error(transparent)]
    NotCarried(#[from] NotCarried),
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
    link: Option<Link>,
    pub(crate) source: Box<dyn FrameSource>,
    pub(crate) sink: Option<Arc<dyn FrameSink>>,
}

impl Bus {
    /// A bus that is read and written.
    pub fn new(source: impl FrameSource, sink: impl FrameSink) -> Self {
        Self { source: Box::new(source), sink: Some(Arc::new(sink)), link: None }
    }

    /// A bus, or a log, that is only read: nothing can be sent.
    pub fn read_only(source: impl FrameSource) -> Self {
        Self { source: Box::new(source), sink: None, link: None }
    }

    /// The same bus without its sending side.
    #[must_use]
    pub fn listening(mut self) -> Self {
        self.sink = None;
        self
    }

    /// Where the link to the bus stands and what it counted, for a bus that has one.
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// What the source is called, for people.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// The two directions apart.
    pub fn into_parts(self) -> (Box<dyn FrameSource>, Option<Arc<dyn FrameSink>>) {
        (self.source, self.sink)
    }
}
