//! What the driver, the source and the sink of a link share: two queues, the gaps, the state, the counts.
//!
//! *Invariant:* one lock, held for moments. Gaps stand between frames by the number of the frame after them; gaps without frames between them
//! are one.
//! *Next:* `driver.rs` and `ends.rs`, which use it.

use super::{LinkCounts, LinkOptions, LinkState, WhenFull};
use crate::Frame;
use crate::bus::port::{Carries, Intake};
use crate::bus::{Batch, BusError, Gap, IdFilters};
use coachwork_vehicle::Timestamp;
use event_listener::Event;
use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct Shared {
    pub(super) name: String,
    pub(super) carries: Carries,
    state: Mutex<State>,
    /// The one task that keeps the link.
    pub(super) driver: AtomicWaker,
    /// The one task that reads.
    pub(super) reader: AtomicWaker,
    /// There is room to send, or the link changed.
    pub(super) changed: Event,
}

#[expect(clippy::struct_excessive_bools, reason = "they change independently of each other")]
pub(super) struct State {
    capacity: usize,
    filters: IdFilters,
    when_full: WhenFull,
    pub(super) link: LinkState,
    pub(super) counts: LinkCounts,
    inbox: VecDeque<Frame>,
    /// The number of the first frame in the inbox.
    first: u64,
    /// Gaps that were not read, each with the number of the frame that it stands before; no two before the same frame.
    gaps: VecDeque<(u64, Gap)>,
    /// The gap that goes on.
    down: Option<Gap>,
    /// Counted and not told in a batch yet.
    lost: u64,
    bad: u64,
    outbox: VecDeque<Frame>,
    /// Taken by the driver and not by the port yet.
    in_hand: u64,
    /// Whether the port still writes what it took.
    writing: bool,
    /// Sent over this port, and of those confirmed.
    sent: u64,
    confirmed: u64,
    confirms: bool,
    failed: Option<io::Error>,
    pub(super) source_is_there: bool,
    pub(super) sink_is_there: bool,
}

impl Shared {
    pub(super) fn new(name: &str, carries: Carries, now: Timestamp, options: &LinkOptions) -> Self {
        let state = State {
            capacity: options.queue.max(1),
            filters: options.filters.clone(),
            when_full: options.when_full,
            link: LinkState::Down { since: now, why: "it is being dialled".into() },
            counts: LinkCounts::default(),
            inbox: VecDeque::new(),
            first: 0,
            gaps: VecDeque::new(),
            down: None,
            lost: 0,
            bad: 0,
            outbox: VecDeque::new(),
            in_hand: 0,
            writing: false,
            sent: 0,
            confirmed: 0,
            confirms: false,
            failed: None,
            source_is_there: true,
            sink_is_there: true,
        };
        Self {
            name: name.to_owned(),
            carries,
            state: Mutex::new(state),
            driver: AtomicWaker::new(),
            reader: AtomicWaker::new(),
            changed: Event::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link stands.
    pub(super) fn came_up(&self, now: Timestamp) {
        let mut state = self.lock();
        state.link = LinkState::Up { since: now };
        (state.sent, state.confirmed, state.confirms, state.writing) = (0, 0, false, false);
        if let Some(mut gap) = state.down.take() {
            gap.until = Some(now);
            state.put_gap(gap);
        }
        drop(state);
        self.tell();
    }

    /// The link is lost: what was on its way is counted, and the gap begins.
    pub(super) fn went_down(&self, now: Timestamp, why: &str, in_hand: usize) {
        let mut state = self.lock();
        let unsent = count(state.outbox.len()).saturating_add(count(in_hand));
        let in_doubt = state.sent.saturating_sub(state.confirmed);
        state.outbox.clear();
        state.in_hand = 0;
        state.counts.unsent += unsent;
        state.counts.in_doubt += in_doubt;
        state.counts.losses += 1;
        let why: Arc<str> = why.into();
        state.link = LinkState::Down { since: now, why: Arc::clone(&why) };
        // Where nothing came since the last gap, and nobody was told of its end, it goes on.
        let mut gap = state.take_gap().unwrap_or_else(|| Gap::new(now, ""));
        (gap.until, gap.why) = (None, why);
        gap.unsent += unsent;
        gap.in_doubt += in_doubt;
        state.down = Some(gap.clone());
        state.put_gap(gap);
        drop(state);
        self.tell();
    }

    /// One more attempt failed.
    pub(super) fn failed(&self, why: &str) {
        let mut state = self.lock();
        state.counts.failures += 1;
        if let LinkState::Down { why: known, .. } = &mut state.link {
            *known = why.into();
        }
    }

    /// Nobody keeps the link any more, perhaps because it was given up.
    pub(super) fn ended(&self, failed: Option<io::Error>) {
        let mut state = self.lock();
        state.link = LinkState::Ended;
        state.counts.unsent += count(state.outbox.len());
        state.outbox.clear();
        state.failed = failed.or(state.failed.take());
        drop(state);
        self.tell();
    }

    fn tell(&self) {
        self.reader.wake();
        self.changed.notify(usize::MAX);
    }

    /// Takes in what the port had to say, how many frames the driver still holds, and whether the port still writes.
    pub(super) fn take_in(&self, intake: &mut Intake, in_hand: usize, writing: bool) {
        let mut state = self.lock();
        let wrote = state.in_hand > count(in_hand) || (state.writing && !writing);
        state.writing = writing;
        state.in_hand = count(in_hand);
        if !state.filters.is_empty() {
            intake.frames.retain(|frame| state.filters.passes(frame));
        }
        let received = count(intake.frames.len());
        state.counts.received += received;
        state.counts.sent += intake.sent;
        state.counts.refused += intake.refused;
        state.counts.bad += intake.bad;
        state.counts.lost += intake.lost;
        state.bad += intake.bad;
        state.lost += intake.lost;
        state.sent += intake.sent;
        let confirmed = intake.confirmed.min(state.sent.saturating_sub(state.confirmed));
        state.confirmed += confirmed;
        state.counts.confirmed += confirmed;
        state.confirms |= confirmed > 0;
        if state.source_is_there {
            let room = state.capacity.saturating_sub(state.inbox.len());
            if state.when_full == WhenFull::DropOldest && intake.frames.len() > room {
                state.drop_oldest(intake.frames.len() - room);
            }
            state.inbox.extend(intake.frames.drain(..));
        }
        intake.frames.clear();
        let told = wrote || (confirmed > 0 && state.is_flushed());
        drop(state);
        (intake.bad, intake.lost, intake.sent, intake.confirmed, intake.refused) = (0, 0, 0, 0, 0);
        if received > 0 {
            self.reader.wake();
        }
        if told {
            self.changed.notify(usize::MAX);
        }
    }

    /// Hands frames to send to the driver.
    pub(super) fn take_out(&self, frames: &mut VecDeque<Frame>) {
        let mut state = self.lock();
        if frames.is_empty() {
            std::mem::swap(frames, &mut state.outbox);
        }
        state.in_hand = count(frames.len());
    }
}

impl State {
    /// Whether the link is to be read.
    pub(super) fn has_room(&self) -> bool {
        !self.source_is_there || self.when_full == WhenFull::DropOldest || self.inbox.len() < self.capacity
    }

    /// Whether nothing waits to be sent, or nothing will be.
    pub(super) fn is_flushed(&self) -> bool {
        let is_written = self.outbox.is_empty() && self.in_hand == 0 && !self.writing;
        let is_confirmed = !self.confirms || self.confirmed >= self.sent;
        !matches!(self.link, LinkState::Up { .. }) || (is_written && is_confirmed)
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Accepts a frame to send.
    pub(super) fn accept(&mut self, frame: &Frame) -> Result<(), BusError> {
        match &self.link {
            LinkState::Ended => Err(BusError::Closed),
            LinkState::Down { why, .. } => Err(BusError::Down(Arc::clone(why))),
            LinkState::Up { .. } if count(self.outbox.len()) + self.in_hand >= count(self.capacity) => {
                Err(BusError::Full)
            }
            LinkState::Up { .. } => {
                self.outbox.push_back(*frame);
                Ok(())
            }
        }
    }

    /// Moves what is there into a batch; whether the call is done, and whether there was no room before it.
    pub(super) fn give(&mut self, batch: &mut Batch) -> (Result<bool, BusError>, bool) {
        let was_full = self.inbox.len() >= self.capacity;
        batch.count_lost(std::mem::take(&mut self.lost));
        batch.count_bad(std::mem::take(&mut self.bad));
        while let Some((at, gap)) = self.gaps.front() {
            if *at > self.first {
                break;
            }
            // What is in the batch came before the gap, or the gap fits; and it goes on alone where it has no end yet.
            let (is_open, told) = (gap.until.is_none(), batch.begin_with(gap.clone()));
            if !told {
                return (Ok(true), was_full);
            }
            self.gaps.pop_front();
            if is_open {
                return (Ok(true), was_full);
            }
        }
        let until = self.gaps.front().map_or(u64::MAX, |(at, _)| *at);
        while self.first < until
            && !batch.is_full()
            && let Some(frame) = self.inbox.pop_front()
        {
            self.first += 1;
            let _ = batch.push(frame);
        }
        let is_done = if batch.is_empty() && matches!(self.link, LinkState::Ended) {
            match self.failed.take() {
                Some(error) => Err(error.into()),
                None => Ok(true),
            }
        } else {
            Ok(!batch.is_empty())
        };
        (is_done, was_full)
    }

    /// The gap at the end of the inbox, where there is one.
    fn take_gap(&mut self) -> Option<Gap> {
        let next = self.first + count(self.inbox.len());
        self.gaps.back().filter(|(at, _)| *at == next)?;
        self.gaps.pop_back().map(|(_, gap)| gap)
    }

    /// Puts a gap at the end of the inbox, in the place of one that is there.
    fn put_gap(&mut self, gap: Gap) {
        if self.source_is_there {
            self.take_gap();
            self.gaps.push_back((self.first + count(self.inbox.len()), gap));
        }
    }

    fn drop_oldest(&mut self, frames: usize) {
        let dropped = frames.min(self.inbox.len());
        self.inbox.drain(..dropped);
        self.first += count(dropped);
        self.lost += count(dropped);
        self.counts.lost += count(dropped);
        // Gaps with no frame between them any more are one.
        while let Some((at, _)) = self.gaps.get(1)
            && *at <= self.first
            && let Some((_, earlier)) = self.gaps.pop_front()
            && let Some((_, gap)) = self.gaps.front_mut()
        {
            gap.from = earlier.from;
            gap.unsent += earlier.unsent;
            gap.in_doubt += earlier.in_doubt;
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
