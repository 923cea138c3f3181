//! How much is under way between two ends of Coachwork: messages are numbered, and what was taken in is told back.
//!
//! A broker stores what a slow reader has not fetched, and drops what is too much for it, without a word to anybody. So neither end sends more
//! than the other one has said it would take, and a number that is missing shows what a broker dropped.
//!
//! *Invariant:* what an end holds is at most its window and one message. Pure: no clock, no I/O.
//! *Next:* `peers.rs` (the car's side of it), `app.rs` (the app's).

use coachwork_transport::TransportError;
use std::io;
use std::sync::Arc;

/// No end is asked to hold more.
const MAX_WINDOW: u64 = 64 * 1024 * 1024;

/// How many messages may be under way: brokers bound what they store by number.
const MAX_MESSAGES: u64 = 128;

/// One end's account.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// How much the other end takes.
    theirs: u64,
    /// How much this end takes.
    ours: u64,
    sent: u64,
    /// How much of it the other end has taken in.
    taken_there: u64,
    next_out: u64,
    next_in: u64,
    received: u64,
    /// How much of it was taken in here, as the other end knows.
    told: u64,
}

/// What a numbered message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Next,
    /// It was here before: a broker may deliver twice.
    Again,
}

/// What the other end, or the broker, did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowFault {
    Missing,
    Flood,
    Window,
}

impl Flow {
    /// An account between two windows.
    ///
    /// # Errors
    /// [`FlowFault::Window`] where the other end takes nothing.
    pub(crate) fn new(ours: usize, theirs: u64) -> Result<Self, FlowFault> {
        if theirs == 0 {
            return Err(FlowFault::Window);
        }
        let ours = window(ours);
        let theirs = theirs.min(MAX_WINDOW);
        Ok(Self { theirs, ours, sent: 0, taken_there: 0, next_out: 0, next_in: 0, received: 0, told: 0 })
    }

    /// Whether a message may be sent, of whatever length.
    pub(crate) fn is_open(&self) -> bool {
        self.sent.saturating_sub(self.taken_there) < self.theirs
    }

    /// Counts a message of so many bytes as sent; its number.
    pub(crate) fn sent(&mut self, bytes: usize) -> u64 {
        self.sent = self.sent.saturating_add(cost(bytes, self.theirs));
        let number = self.next_out;
        self.next_out += 1;
        number
    }

    /// The other end has taken in so much since the beginning. What is told late, again or too much changes nothing.
    pub(crate) fn taken_there(&mut self, total: u64) {
        if total <= self.sent {
            self.taken_there = self.taken_there.max(total);
        }
    }

    /// A message of this number and length has come, after this end had taken in `taken` in all.
    pub(crate) fn received(&mut self, number: u64, bytes: usize, taken: u64) -> Result<Arrival, FlowFault> {
        if number < self.next_in {
            return Ok(Arrival::Again);
        }
        if number > self.next_in {
            return Err(FlowFault::Missing);
        }
        // The other end sends where less than the window is under way, so that one message more may be.
        if self.received.saturating_sub(taken) >= self.ours {
            return Err(FlowFault::Flood);
        }
        self.next_in += 1;
        self.received = self.received.saturating_add(cost(bytes, self.ours));
        Ok(Arrival::Next)
    }

    /// What a message of so many bytes counts once it is taken in here.
    pub(crate) fn cost_here(&self, bytes: usize) -> u64 {
        cost(bytes, self.ours)
    }

    /// What the other end should be told, where this end has taken in `taken` in all; `None` where it need not know yet.
    pub(crate) fn tell(&mut self, taken: u64) -> Option<u64> {
        if taken.saturating_sub(self.told) < self.ours.div_ceil(4) {
            return None;
        }
        self.told = taken;
        Some(taken)
    }
}

/// The window that an end with so much room names.
pub(crate) fn window(room: usize) -> u64 {
    u64::try_from(room).unwrap_or(MAX_WINDOW).clamp(1, MAX_WINDOW)
}

/// What a message counts: an empty one is not free.
fn cost(bytes: usize, window: u64) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).max(window.div_ceil(MAX_MESSAGES))
}

impl FlowFault {
    pub(crate) fn error(self, peer: &Arc<str>) -> TransportError {
        let peer = peer.clone();
        match self {
            Self::Missing => {
                TransportError::io(peer, io::Error::other("the broker dropped messages on the way"))
            }
            Self::Flood => {
                TransportError::Malformed { peer, what: "more was sent than was agreed".to_owned() }
            }
            Self::Window => TransportError::Malformed { peer, what: "a window of nothing".to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Two ends over a link that may repeat: all arrives once and in order, never more than the window and a message is held, and
        /// nobody waits for ever.
        #[test]
        fn what_is_under_way_is_bounded_and_moves_on(
            lengths in prop::collection::vec(0_usize..2000, 1..300),
            window in 1_usize..3000,
            choices in prop::collection::vec(0_u8..4, 0..2000),
        ) {
            let mut from = Flow::new(1, u64::try_from(window).unwrap()).unwrap();
            let mut to = Flow::new(window, 1).unwrap();
            let (mut way, mut back) = (VecDeque::new(), VecDeque::new());
            let (mut inbox, mut taken, mut sent, mut got) = (VecDeque::new(), 0, 0, 0);
            let mut last = None;
            let mut choices = choices.into_iter();
            let mut idle = 0;
            while got < lengths.len() {
                let choice = choices.next().unwrap_or_else(|| { idle += 1; u8::try_from(idle % 3).unwrap() });
                prop_assert!(idle < 10 * lengths.len() + 100, "nothing moves");
                match choice {
                    0 if sent < lengths.len() && from.is_open() => {
                        way.push_back((from.sent(lengths[sent]), lengths[sent]));
                        sent += 1;
                    }
                    1 => if let Some((number, length)) = way.pop_front() {
                        last = Some((number, length));
                        prop_assert_eq!(to.received(number, length, taken), Ok(Arrival::Next));
                        inbox.push_back(length);
                        let held: usize = inbox.iter().sum();
                        prop_assert!(held < window + 2000, "{held} bytes are held");
                        prop_assert!(inbox.len() <= 129);
                    },
                    2 => {
                        if let Some(length) = inbox.pop_front() {
                            got += 1;
                            taken += to.cost_here(length);
                            back.extend(to.tell(taken));
                        }
                        if let Some(total) = back.pop_front() {
                            from.taken_there(total);
                        }
                    }
                    _ => if let Some((number, length)) = last {
                        prop_assert_eq!(to.received(number, length, taken), Ok(Arrival::Again));
                    },
                }
            }
        }
    }

    #[test]
    fn gaps_and_floods_are_faults() {
        let mut flow = Flow::new(100, 100).unwrap();
        assert_eq!(flow.received(1, 1, 0), Err(FlowFault::Missing));
        assert_eq!(flow.received(0, 150, 0), Ok(Arrival::Next));
        assert_eq!(flow.received(1, 1, 0), Err(FlowFault::Flood));
        assert_eq!(flow.received(1, 1, 150), Ok(Arrival::Next));
        // Nobody makes room by telling of more than was sent.
        flow.sent(100);
        assert!(!flow.is_open());
        flow.taken_there(1000);
        assert!(!flow.is_open());
        flow.taken_there(50);
        assert!(flow.is_open());
        assert_eq!(Flow::new(1, 0).unwrap_err(), FlowFault::Window);
    }
}
