//! Deliveries go to the inbox, once each, and are acknowledged when they are stored.
//!
//! *Invariant:* for one queue there is one delivery at a time, over all connections: so what the inbox says is stored stays true until
//! the notes behind it are.
//! *Next:* `inbox.rs` (where they go), `calls.rs` (where they come from).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use coachwork_transport::viss::Answer;
use coachwork_transport::{Delivery, Origin};
use coachwork_vehicle::{Error, ErrorKind};

use crate::gateway::Shared;
use crate::inbox::Inbox;

#[derive(Debug)]
pub(crate) struct Intake {
    inbox: Arc<dyn Inbox>,
    busy: Mutex<HashSet<Origin>>,
}

/// The turn of one queue.
struct Turn<'i>(&'i Intake, Origin);

impl Intake {
    pub(crate) fn new(inbox: Arc<dyn Inbox>) -> Self {
        Self { inbox, busy: Mutex::default() }
    }

    fn turn(&self, origin: Origin) -> Result<Turn<'_>, Error> {
        if self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(origin) {
            return Ok(Turn(self, origin));
        }
        Err(Error::new(ErrorKind::Unavailable, "a delivery of this queue is under way"))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Stores what is new of a delivery, and says how far its lane is stored.
pub(crate) async fn deliver(shared: &Shared, delivery: Delivery) -> Result<Answer, Error> {
    let Some(intake) = shared.intake.get() else {
        return Err(Error::new(ErrorKind::Unsupported, "this gateway has no inbox"));
    };
    let Delivery { lane, mut notes } = delivery;
    let _turn = intake.turn(lane.origin)?;
    let stored = intake.inbox.stored(lane).await?;
    let all = notes.len();
    notes.retain(|note| note.number > stored);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    shared.counted.notes_again.add(count(all - notes.len()));
    let Some(last) = notes.last().map(|note| note.number) else {
        return Ok(Answer::Delivered { stored, refused: None });
    };
    match intake.inbox.store(lane, notes.clone()).await {
        Ok(()) => {
            shared.counted.notes.add(count(notes.len()));
            return Ok(Answer::Delivered { stored: last, refused: None });
        }
        Err(error) if error.kind() != ErrorKind::Invalid => return Err(error),
        // One of them is refused: those before it are stored, those behind it come again.
        Err(_) => {}
    }
    let mut stored = stored;
    for note in notes {
        let number = note.number;
        match intake.inbox.store(lane, vec![note]).await {
            Ok(()) => stored = number,
            Err(error) if error.kind() == ErrorKind::Invalid => {
                return Ok(Answer::Delivered { stored, refused: Some(number) });
            }
            Err(error) => return Err(error),
        }
        shared.counted.notes.add(1);
    }
    Ok(Answer::Delivered { stored, refused: None })
}
