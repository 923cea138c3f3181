//! Where delivered notes are stored: the trait that an application implements, and two that need nothing else.
//!
//! *Invariant:* a note is acknowledged to its sender only when `store` has returned, and of one lane none is stored twice.
//! *Next:* `intake.rs` (which calls), `inbox/file.rs` (one that survives a restart).

mod file;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use coachwork_transport::{Lane, Note};
use coachwork_vehicle::{Error, ErrorKind};

pub(crate) use self::file::sync_directory;
pub use self::file::{FileInbox, Position};

/// How many lanes an inbox remembers. None is ever forgotten: one too many is refused.
const LANES: usize = 65_536;

/// Stores what the queues of clients deliver. The gateway acknowledges a note when it is stored, and then its sender forgets it.
///
/// What is stored and the lane's number MUST be kept together, both or neither, so that a note that is delivered again, because its
/// acknowledgement was lost, is known. Then each note is stored exactly once, as long as this memory lives.
#[async_trait]
pub trait Inbox: fmt::Debug + Send + Sync + 'static {
    /// The number of the last note of the lane that is stored; zero where none is.
    ///
    /// # Errors
    /// Where that cannot be told. A temporary one is tried again by the sender.
    async fn stored(&self, lane: Lane) -> Result<u64, Error>;

    /// Stores notes, in their order: all of them, or none. They are durable, as far as this inbox is, when it returns. A dropped call may
    /// or may not have stored them. The gateway asks for one lane one call at a time.
    ///
    /// # Errors
    /// Where they are not stored. With one of kind [`ErrorKind::Invalid`], the notes are handed in one by one, and the sender gives up the one that is
    /// refused so again; with [`ErrorKind::Unsupported`] it waits for another link; with any other it tries again later.
    async fn store(&self, lane: Lane, notes: Vec<Note>) -> Result<(), Error>;
}

/// Notes in memory, for an application in the same process that takes them out. It forgets everything when the process ends.
#[derive(Debug)]
pub struct MemoryInbox {
    bound: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    lanes: HashMap<Lane, u64>,
    notes: VecDeque<(Lane, Note)>,
}

impl MemoryInbox {
    /// An inbox that holds at most this many notes that have not been taken out.
    pub fn new(bound: usize) -> Self {
        Self { bound, held: Mutex::default() }
    }

    /// Takes out the notes that are there, in the order in which they came.
    pub fn take(&self) -> Vec<(Lane, Note)> {
        self.lock().notes.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Inbox for MemoryInbox {
    async fn stored(&self, lane: Lane) -> Result<u64, Error> {
        Ok(self.lock().lanes.get(&lane).copied().unwrap_or(0))
    }

    async fn store(&self, lane: Lane, notes: Vec<Note>) -> Result<(), Error> {
        let mut held = self.lock();
        if held.notes.len().saturating_add(notes.len()) > self.bound {
            return Err(Error::new(ErrorKind::Limit, "the inbox is full"));
        }
        remember(&mut held.lanes, lane, &notes)?;
        held.notes.extend(notes.into_iter().map(|note| (lane, note)));
        Ok(())
    }
}

/// Raises the number of a lane to that of the last note.
fn remember(lanes: &mut HashMap<Lane, u64>, lane: Lane, notes: &[Note]) -> Result<(), Error> {
    has_place(lanes, lane)?;
    let last = notes.last().map_or(0, |note| note.number);
    let number = lanes.entry(lane).or_default();
    *number = last.max(*number);
    Ok(())
}

fn has_place(lanes: &HashMap<Lane, u64>, lane: Lane) -> Result<(), Error> {
    if lanes.len() >= LANES && !lanes.contains_key(&lane) {
        return Err(Error::new(ErrorKind::Limit, format!("the inbox knows {LANES} lanes already")));
    }
    Ok(())
}
