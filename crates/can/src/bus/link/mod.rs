//! A bus that is dialled, kept, and dialled again: ports come and go, and the source and the sink stay the same.
//!
//! *Invariant:* one task (the driver) touches the port. Both queues are bounded; what is lost, refused or in doubt is counted, and a time without a
//! link is a gap in what the source gives. What was accepted and not sent when the link was lost is never sent later: by then it may be wrong.
//! *Next:* `shared.rs` (the queues), `driver.rs` (the task), `ends.rs` (source and sink), `../port.rs` (what is dialled).

mod driver;
mod ends;
mod shared;

use super::port::{Dial, Port};
use super::{Bus, FrameSink, IdFilters};
use coachwork_vehicle::{Backoff, Clock, Driver, Timestamp};
use driver::Keeper;
use ends::{LinkSink, LinkSource};
use shared::Shared;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How a link behaves. Start from `LinkOptions::default()` and change what should differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkOptions {
    /// The waits between attempts to dial. Default: from a quarter of a second to 30 seconds, with full jitter.
    pub backoff: Backoff,
    /// What the jitter is drawn from. Those who share a bus SHOULD have different seeds. Default 0.
    pub seed: u64,
    /// After how many attempts in a row that failed the link is given up: then the source fails. Default: never.
    pub attempts: Option<u32>,
    /// How long one attempt may take. Default 10 seconds.
    pub within: Duration,
    /// How many frames wait in each direction: received and not read, accepted and not sent. At least one. What one read of the link brings
    /// may come on top: at most 16 KiB of text. Default 1024.
    pub queue: usize,
    /// Which received frames are kept; the others are not counted. Default: all.
    pub filters: IdFilters,
    /// What happens to received frames when that many wait. Default [`WhenFull::Wait`].
    pub when_full: WhenFull,
    /// After how long a silence the other side is asked for a sign of life; where it must answer and does not within the same time, the link is
    /// lost. `None` never asks. Default 5 seconds.
    pub keep_alive: Option<Duration>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            seed: 0,
            attempts: None,
            within: Duration::from_secs(10),
            queue: 1024,
            filters: IdFilters::default(),
            when_full: WhenFull::default(),
            keep_alive: Some(Duration::from_secs(5)),
        }
    }
}

/// What happens to received frames when nobody reads them in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The link is not read until there is room: the other side is held back, and loses or keeps the frames as it can.
    #[default]
    Wait,
    /// The oldest frame gives way, and is counted as lost.
    DropOldest,
}

/// Where a link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// Frames come and go.
    Up {
        /// Since when.
        since: Timestamp,
    },
    /// It is being dialled.
    Down {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: Arc<str>,
    },
    /// Nobody keeps it any more: both its directions were dropped, or its driver, or it was given up.
    Ended,
}

/// What a link has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkCounts {
    /// Frames received.
    pub received: u64,
    /// Frames received and given up because nobody read them in time, or that the other side says it lost (then perhaps more).
    pub lost: u64,
    /// Things received that are no frames.
    pub bad: u64,
    /// Frames written to the link.
    pub sent: u64,
    /// Of those, frames that the other side took, as far as it says so.
    pub confirmed: u64,
    /// Frames and commands that the other side refused.
    pub refused: u64,
    /// Frames that were accepted and not written when the link was lost.
    pub unsent: u64,
    /// Frames that were written and not confirmed when the link was lost. All of them, where the other side confirms nothing.
    pub in_doubt: u64,
    /// How often the link was lost.
    pub losses: u64,
    /// Attempts to dial that failed.
    pub failures: u64,
}

/// A look at a link: where it stands, and what it counted. Clones look at the same link, and do not keep it.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

impl Link {
    /// Dials a bus once, and from then on keeps its link. The driver is to be spawned; it ends when both directions of the bus are dropped,
    /// after what was accepted is sent.
    ///
    /// A dropped call leaves nothing open.
    ///
    /// # Errors
    /// The first attempt failed, or took longer than [`LinkOptions::within`].
    pub async fn dial(
        mut dial: impl Dial,
        clock: Arc<dyn Clock>,
        options: LinkOptions,
    ) -> io::Result<(Bus, Driver)> {
        let port = driver::attempt(&mut dial, &clock, options.within).await?;
        Ok(Self::kept(Box::new(dial), clock, options, Some(port)))
    }

    /// Keeps the link of a bus that may be out of reach yet: the driver dials as soon as it runs.
    pub fn keep(dial: impl Dial, clock: Arc<dyn Clock>, options: LinkOptions) -> (Bus, Driver) {
        Self::kept(Box::new(dial), clock, options, None)
    }

    fn kept(
        dial: Box<dyn Dial>,
        clock: Arc<dyn Clock>,
        options: LinkOptions,
        port: Option<Box<dyn Port>>,
    ) -> (Bus, Driver) {
        let shared = Arc::new(Shared::new(dial.name(), dial.carries(), clock.now(), &options));
        if port.is_some() {
            shared.came_up(clock.now());
        }
        let sink: Arc<dyn FrameSink> = Arc::new(LinkSink(Arc::clone(&shared)));
        let source = Box::new(LinkSource(Arc::clone(&shared)));
        let bus = Bus { source, sink: Some(sink), link: Some(Self(Arc::clone(&shared))) };
        (bus, Driver::new(Keeper::new(dial, clock, options, shared).run(port)))
    }

    /// What the bus is called.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it stands.
    pub fn state(&self) -> LinkState {
        self.0.lock().link.clone()
    }

    /// What it counted.
    pub fn counts(&self) -> LinkCounts {
        self.0.lock().counts
    }

    /// Waits for the link to stand; whether it does, which it never will where it has ended.
    ///
    /// Cancel-safe.
    pub async fn up(&self) -> bool {
        loop {
            let changed = self.0.changed.listen();
            match self.state() {
                LinkState::Up { .. } => return true,
                LinkState::Ended => return false,
                LinkState::Down { .. } => changed.await,
            }
        }
    }

    /// Waits until everything that was accepted is written, and confirmed as far as the other side confirms; or the link is down. Meanwhile
    /// the source must be read, or dropped: confirmations come in on the same link.
    ///
    /// Cancel-safe.
    pub async fn flushed(&self) {
        loop {
            let changed = self.0.changed.listen();
            if self.0.lock().is_flushed() {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        write!(f, "Link({:?}, {:?}, {:?})", self.0.name, state.link, state.counts)
    }
}

#[cfg(test)]
mod tests;
