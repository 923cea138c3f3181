//! CAN buses by their names: `interface:channel` becomes a bus that is read and written.
//!
//! *Invariant:* one registry opens every bus of a program; virtual buses of the same name are the same bus within it, and nowhere else.
//! *Next:* coachwork-can's `bus` (the names, the protocols).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use coachwork_can::bus::{Bus, BusName, VirtualBus};
use coachwork_vehicle::Error;

use crate::SystemClock;

/// Opens buses by their names. Clones share the virtual buses.
///
/// ```
/// use coachwork_can::bus::Batch;
/// use coachwork_can::{CanId, Frame};
/// use coachwork_tokio::can::Buses;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let buses = Buses::new()?;
/// let (_, seat) = buses.open(&"virtual:body".parse()?).await?.into_parts();
/// let (mut cluster, _) = buses.open(&"virtual:body".parse()?).await?.into_parts();
/// seat.ok_or("a bus that is written")?.send(&Frame::new(CanId::standard(0x123).ok_or("not an id")?, &[1])?).await?;
/// let mut batch = Batch::new(16);
/// cluster.read(&mut batch).await?;
/// assert_eq!(batch.frames()[0].data(), [1]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Buses {
    virtuals: Arc<Mutex<HashMap<String, VirtualBus>>>,
}

/// How many frames a connection to a virtual bus holds that were not read.
const VIRTUAL_CAPACITY: usize = 1024;

impl Buses {
    /// A registry on the tokio runtime that this is called in.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](coachwork_vehicle::ErrorKind::Unsupported) outside of a tokio runtime.
    pub fn new() -> Result<Self, Error> {
        SystemClock::new()?;
        Ok(Self { virtuals: Arc::default() })
    }

    /// Opens a bus. What keeps its link runs as a task of the runtime, and ends when both directions of the bus are dropped.
    ///
    /// A dropped call has opened nothing.
    ///
    /// # Errors
    /// The bus cannot be reached, or this build has no such interface.
    #[expect(clippy::unused_async, reason = "the interfaces that dial come next")]
    pub async fn open(&self, name: &BusName) -> Result<Bus, OpenError> {
        match name {
            BusName::Virtual(channel) => Ok(self.virtual_bus(channel).connect()),
            other => Err(OpenError::NotBuilt { interface: other.interface(), feature: "none" }),
        }
    }

    fn virtual_bus(&self, channel: &str) -> VirtualBus {
        // Nothing here panics while it holds the lock.
        let mut virtuals = self.virtuals.lock().unwrap_or_else(PoisonError::into_inner);
        virtuals
            .entry(channel.to_owned())
            .or_insert_with(|| VirtualBus::new(channel, VIRTUAL_CAPACITY))
            .clone()
    }
}

/// Why a bus is not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This build has no such interface.
    #[error("this build has no {interface}: it needs the feature `{feature}` of coachwork-tokio")]
    NotBuilt {
        /// The interface's word.
        interface: &'static str,
        /// The feature that has it.
        feature: &'static str,
    },
}
