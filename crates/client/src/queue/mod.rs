//! What must not be lost while the link is down: it is kept in a storage until the gateway has it.
//!
//! [`Queue`] is the log alone: no clock, no task, no link.
//!
//! ```
//! use coachwork_client::queue::{End, Files, NewItem, Origin, Priority, Queue, QueueOptions};
//! use coachwork_transport::Moment;
//! use coachwork_vehicle::{ManualClock, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = std::env::temp_dir().join(format!("coachwork-queue-doc-{}", std::process::id()));
//! let now = Moment::of(&ManualClock::new(Timestamp::from_seconds(1_700_000_000)));
//! let fresh = Origin::from_bytes(*b"sixteen random b");
//! let mut queue = Queue::open(Files::open(&directory)?, QueueOptions::default(), fresh, now)?;
//! let first = queue.put(NewItem::note("usage/seat", "2 h"), now)?;
//! queue.put(NewItem::note("crash", "now").with_priority(Priority::High), now)?;
//! assert_eq!(queue.next_notes(10, 1000)[0].name.as_ref(), "crash");
//! drop(queue); // or the process is killed
//!
//! let mut queue = Queue::open(Files::open(&directory)?, QueueOptions::default(), fresh, now)?;
//! assert_eq!(queue.opened().waiting, 2);
//! queue.end([first], End::Delivered);
//! assert_eq!(queue.items().count(), 1);
//! # std::fs::remove_dir_all(directory)?;
//! # Ok(())
//! # }
//! ```

mod error;
mod files;
mod item;
mod kept;
mod log;
mod memory;
mod record;
mod storage;

pub use coachwork_transport::Origin;
pub use error::QueueError;
pub use files::Files;
pub use item::{Content, Item, Priority};
pub use kept::{End, Full, NewItem, Queue, QueueCounters, QueueOptions, Sync};
pub use log::Opened;
pub use memory::{Faults, Memory};
pub use storage::Storage;

#[cfg(test)]
mod tests;
