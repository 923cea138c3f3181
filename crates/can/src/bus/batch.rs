//! Frames that were read together become one batch, with what is missing before them.
//!
//! *Invariant:* a batch never holds more frames than it has room for; what is missing is always told with or before the frames after it.
//! *Next:* `mod.rs` (sources fill batches), `vehicle.rs` (which reads them).

use crate::Frame;
use coachwork_vehicle::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Frames that were read together, and what is missing before them.
#[derive(Clone, Debug)]
pub struct Batch {
    frames: Vec<Frame>,
    room: usize,
    lost: u64,
    bad: u64,
    gap: Option<Gap>,
}

/// A time in which a source heard nothing of its bus, because the link to it was down.
///
/// It is told twice: when it begins, in a batch of its own without an end, and when the bus is back, with its end and the frames after it. How
/// many frames the bus carried meanwhile is not known to anybody here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// When the link was lost, by the clock of the source.
    pub from: Timestamp,
    /// When it was back; `None` while it is down.
    pub until: Option<Timestamp>,
    /// Why it was lost.
    pub why: Arc<str>,
    /// Frames that the sink had accepted and that were not written when the link was lost. They are not sent later.
    pub unsent: u64,
    /// Frames that were written, and that the other side had not confirmed when the link was lost.
    pub in_doubt: u64,
}

impl Gap {
    /// A gap that begins.
    pub fn new(from: Timestamp, why: impl Into<Arc<str>>) -> Self {
        Self { from, until: None, why: why.into(), unsent: 0, in_doubt: 0 }
    }
}

/// `nothing was heard from … to …: why (3 frames not sent, 2 in doubt)`.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing was heard from {}", self.from)?;
        match self.until {
            Some(until) => write!(f, " to {until}")?,
            None => f.write_str(" on")?,
        }
        write!(f, ": {} ({} frames not sent, {} in doubt)", self.why, self.unsent, self.in_doubt)
    }
}

impl Batch {
    /// An empty batch for at most `room` frames (at least one).
    pub fn new(room: usize) -> Self {
        let room = room.max(1);
        Self { frames: Vec::with_capacity(room), room, lost: 0, bad: 0, gap: None }
    }

    /// The frames, in their order.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether no more frames fit.
    pub fn is_full(&self) -> bool {
        self.frames.len() >= self.room
    }

    /// Whether there is nothing in it: no frames, and no gap.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.gap.is_none()
    }

    /// The gap before the first frame, where there is one.
    pub fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
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

    /// Puts a gap before the frames; `false` where there are frames already, or another gap.
    #[must_use = "a gap that does not fit is not told"]
    pub fn begin_with(&mut self, gap: Gap) -> bool {
        let fits = self.is_empty();
        if fits {
            self.gap = Some(gap);
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
        self.gap = None;
    }
}
