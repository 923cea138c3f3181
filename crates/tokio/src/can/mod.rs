//! CAN buses by their names: `interface:channel` becomes a bus that is read and written.
//!
//! *Invariant:* one registry opens every bus of a program; virtual buses of the same name are the same bus within it, and nowhere else. What this
//! build does not have is said by name.
//! *Next:* `dial.rs` (TCP, serial ports), `socketcan.rs` (the kernel's interfaces); coachwork-can's `bus` (names, protocols, links).

mod dial;
#[cfg(all(feature = "socketcan", target_os = "linux"))]
mod socketcan;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use coachwork_can::bus::slcan::Slcan;
use coachwork_can::bus::socketcand::Socketcand;
use coachwork_can::bus::{Bus, BusName, Dial, Link, LinkOptions, SlcanPort, VirtualBus};
use coachwork_vehicle::{Clock, Driver, Error};
use tokio::runtime::Handle;

use crate::SystemClock;

/// Opens buses by their names, and keeps their links: on tokio's tasks, by the system's clock. Clones share the virtual buses.
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
    runtime: Handle,
    clock: Arc<dyn Clock>,
    options: LinkOptions,
    virtuals: Arc<Mutex<HashMap<String, VirtualBus>>>,
}

impl Buses {
    /// A registry on the tokio runtime that this is called in. Links come back as [`LinkOptions::default`] says, with a random seed.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](coachwork_vehicle::ErrorKind::Unsupported) outside of a tokio runtime.
    pub fn new() -> Result<Self, Error> {
        let mut options = LinkOptions::default();
        // The standard library's hash keys are random; jitter needs to be spread, not secret.
        options.seed = RandomState::new().hash_one(());
        let clock = SystemClock::new()?;
        let runtime = Handle::current();
        Ok(Self { runtime, clock: Arc::new(clock), options, virtuals: Arc::default() })
    }

    /// How links behave: `change` gets the present options.
    #[must_use]
    pub fn with_options(mut self, change: impl FnOnce(&mut LinkOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Opens a bus: it is there when this returns. From then on its link is kept by a task of the runtime, which ends when both directions of the
    /// bus are dropped, after what was accepted is sent ([`Link::flushed`] waits for that).
    ///
    /// A dropped call has opened nothing.
    ///
    /// # Errors
    /// The bus cannot be reached now, or this build has no such interface.
    pub async fn open(&self, name: &BusName) -> Result<Bus, OpenError> {
        if let BusName::Virtual(channel) = name {
            return Ok(self.virtual_bus(channel).connect());
        }
        let dial = self.dial(name)?;
        let opened = Link::dial(dial, Arc::clone(&self.clock), self.options.clone()).await;
        let (bus, driver) = opened.map_err(|source| OpenError::Io { name: name.to_string(), source })?;
        self.spawn(driver);
        Ok(bus)
    }

    /// The same for a bus that may be out of reach yet: it is dialled until it is there, as after a loss.
    ///
    /// # Errors
    /// This build has no such interface.
    pub fn keep(&self, name: &BusName) -> Result<Bus, OpenError> {
        if let BusName::Virtual(channel) = name {
            return Ok(self.virtual_bus(channel).connect());
        }
        let dial = self.dial(name)?;
        let (bus, driver) = Link::keep(dial, Arc::clone(&self.clock), self.options.clone());
        self.spawn(driver);
        Ok(bus)
    }

    fn spawn(&self, driver: Driver) {
        // How it ended, the source of the bus says.
        drop(self.runtime.spawn(driver));
    }

    /// What dials a bus that is not in the process.
    #[cfg_attr(
        not(feature = "socketcan"),
        expect(clippy::unused_self, reason = "the kernel is told the filters")
    )]
    fn dial(&self, name: &BusName) -> Result<Box<dyn Dial>, OpenError> {
        let text = name.to_string();
        Ok(match name {
            BusName::Socketcand(daemon) => {
                let tcp = dial::Tcp::new(&daemon.host, daemon.port);
                Box::new(Socketcand::new(tcp, &daemon.channel, &text))
            }
            BusName::Slcan(adapter) => match &adapter.port {
                SlcanPort::Tcp { host, port } => {
                    Box::new(Slcan::new(dial::Tcp::new(host, *port), adapter, name.channel()))
                }
                #[cfg(feature = "serial")]
                SlcanPort::Serial { path, baud } => {
                    let port = dial::Serial::new(path, *baud, adapter.rtscts);
                    Box::new(Slcan::new(port, adapter, path))
                }
                _ => return Err(OpenError::NotBuilt { what: "serial ports", feature: "serial" }),
            },
            #[cfg(all(feature = "socketcan", target_os = "linux"))]
            BusName::SocketCan(interface) => {
                Box::new(socketcan::Interface::new(interface, &self.options.filters))
            }
            _ => return Err(OpenError::NotBuilt { what: "SocketCAN", feature: "socketcan" }),
        })
    }

    fn virtual_bus(&self, channel: &str) -> VirtualBus {
        // Nothing here panics while it holds the lock.
        let mut virtuals = self.virtuals.lock().unwrap_or_else(PoisonError::into_inner);
        let bus = virtuals
            .entry(channel.to_owned())
            .or_insert_with(|| VirtualBus::new(channel, self.options.queue));
        bus.clone()
    }
}

/// Why a bus is not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This build has no such interface.
    #[error(
        "this build has no {what}: that needs the feature `{feature}` of coachwork-tokio{}",
        linux_only(feature)
    )]
    NotBuilt {
        /// What it does not have.
        what: &'static str,
        /// The feature that has it.
        feature: &'static str,
    },
    /// The bus is out of reach.
    #[error("{name}: {source}")]
    Io {
        /// The name of the bus.
        name: String,
        /// Why.
        source: io::Error,
    },
}

fn linux_only(feature: &str) -> &'static str {
    if feature == "socketcan" { ", on Linux" } else { "" }
}
