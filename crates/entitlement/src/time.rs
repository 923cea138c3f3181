//! Readings of clocks that may be wrong become a time with a trust level, over a floor that only rises.
//!
//! *Invariant:* the floor is time that has certainly passed: what a secure source or a signed date proved, and what the
//! car ran since. No reading takes the time below it. A contradiction makes the time unknown instead of choosing a side,
//! and the patience for that is counted in running time, so that turning a clock back gains nothing.
//! *Next:* `wallet.rs` keeps one and persists it; `license.rs` judges by what comes out.

use std::fmt;
use std::time::Duration;

use coachwork_vehicle::{Monotonic, Timestamp};

/// How long what has an end works on, in running time, where the car does not know the time.
pub const TIME_PATIENCE: Duration = Duration::from_secs(72 * 3600);

/// By how much sources may differ without anything being wrong.
pub const TIME_TOLERANCE: Duration = Duration::from_secs(300);

/// How far a real-time clock may be ahead of what was last known: a car may stand for a year.
pub const LONGEST_REST: Duration = Duration::from_secs(400 * 86_400);

/// Where a time comes from, in ascending order of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trust {
    /// Nowhere: what was last known, and the running time since.
    Unknown,
    /// The car's real-time clock, whose battery may be flat.
    Rtc,
    /// A network, unauthenticated.
    Network,
    /// An authenticated source.
    Secure,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "not known",
            Self::Rtc => "from the car's clock",
            Self::Network => "from the network",
            Self::Secure => "from a secure source",
        })
    }
}

/// A time, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrustedTime {
    /// The time.
    pub at: Timestamp,
    /// How far.
    pub trust: Trust,
}

impl fmt::Display for TrustedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.at, self.trust)
    }
}

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reading {
    /// It is the time now.
    Taken,
    /// It is the time now, although that sets it back: a better source corrected a worse one.
    Corrected {
        /// By how much.
        by: Duration,
    },
    /// It is earlier than what a source no worse had said, so the time is unknown until a better one speaks.
    Disputed {
        /// By how much it is earlier.
        by: Duration,
    },
    /// It is earlier than time that has certainly passed, and is ignored.
    RolledBack {
        /// By how much.
        by: Duration,
    },
    /// It is too far ahead for its source, and is ignored.
    Implausible {
        /// By how much it is ahead.
        by: Duration,
    },
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the time was set"),
            Self::Corrected { by } => write!(f, "the time was corrected, back by {} s", by.as_secs()),
            Self::Disputed { by } => {
                write!(f, "a clock went back by {} s: the time is not known any more", by.as_secs())
            }
            Self::RolledBack { by } => {
                write!(f, "a clock was {} s before time that has certainly passed: ignored", by.as_secs())
            }
            Self::Implausible { by } => write!(f, "a clock jumped ahead by {} s: ignored", by.as_secs()),
        }
    }
}

/// What a [`Timekeeper`] remembers while the car is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedTime {
    pub(crate) floor: Timestamp,
    pub(crate) seen: Timestamp,
    pub(crate) seen_trust: Trust,
    /// Since a dispute, the time that a source no better than that one must reach.
    pub(crate) disputed: Option<Timestamp>,
    /// Running time without a known time.
    pub(crate) lost: Duration,
}

impl SavedTime {
    /// Of a car that has never known the time; `built` is a date that has certainly passed, of the software, say.
    pub fn first(built: Timestamp) -> Self {
        Self { floor: built, seen: built, seen_trust: Trust::Unknown, disputed: None, lost: Duration::ZERO }
    }
}

/// Keeps the time by what sources say and by the running time between. It reads no clock: each call brings the monotonic
/// reading.
#[derive(Debug, Clone)]
pub struct Timekeeper {
    saved: SavedTime,
    trust: Trust,
    /// When `saved` was true.
    mono: Monotonic,
}

impl Timekeeper {
    /// Goes on from what was saved: the time is that, and unknown until a source speaks.
    pub fn resume(saved: SavedTime, mono: Monotonic) -> Self {
        Self { saved, trust: Trust::Unknown, mono }
    }

    /// The time.
    pub fn now(&self, mono: Monotonic) -> TrustedTime {
        let elapsed = mono.saturating_since(self.mono);
        let at = self.saved.seen.saturating_add(elapsed).max(self.floor(mono));
        TrustedTime { at, trust: self.trust }
    }

    /// Time that has certainly passed.
    pub fn floor(&self, mono: Monotonic) -> Timestamp {
        self.saved.floor.saturating_add(mono.saturating_since(self.mono))
    }

    /// When the patience with an unknown time ends; `None` while it is known.
    pub fn lost_at(&self, mono: Monotonic) -> Option<Timestamp> {
        let now = self.now(mono);
        let used = self.saved.lost.saturating_add(mono.saturating_since(self.mono));
        (now.trust == Trust::Unknown).then(|| now.at.saturating_add(TIME_PATIENCE.saturating_sub(used)))
    }

    /// A source says that it is `at`.
    pub fn tell(&mut self, at: Timestamp, source: Trust, mono: Monotonic) -> Reading {
        self.advance(mono);
        let SavedTime { floor, seen, .. } = self.saved;
        if source == Trust::Unknown {
            return Reading::Implausible { by: Duration::ZERO };
        }
        if at.saturating_add(TIME_TOLERANCE) < floor {
            return Reading::RolledBack { by: floor.saturating_since(at) };
        }
        let better = source > self.saved.seen_trust || source == Trust::Secure;
        let high = self.saved.disputed.map_or(seen, |disputed| disputed.max(seen));
        if at.saturating_add(TIME_TOLERANCE) < high && !better {
            // In the owner's favour, the earlier of the two: for a time, and shown.
            self.saved.disputed = Some(high);
            self.saved.seen = at.max(floor).min(seen);
            self.trust = Trust::Unknown;
            return Reading::Disputed { by: high.saturating_since(at) };
        }
        let ahead = at.saturating_since(seen);
        if source == Trust::Rtc && self.saved.seen_trust != Trust::Unknown && ahead > LONGEST_REST {
            return Reading::Implausible { by: ahead };
        }
        self.saved.seen = at.max(floor);
        self.saved.seen_trust = source;
        self.saved.disputed = None;
        self.trust = source;
        if source >= Trust::Network {
            self.saved.lost = Duration::ZERO;
        }
        if source == Trust::Secure {
            self.saved.floor = self.saved.seen;
        }
        let back = high.saturating_since(at);
        if back > TIME_TOLERANCE { Reading::Corrected { by: back } } else { Reading::Taken }
    }

    /// Something was signed at `at`, by a key that is trusted: so it is not earlier than that.
    pub fn prove(&mut self, at: Timestamp, mono: Monotonic) {
        self.advance(mono);
        if at > self.saved.floor {
            self.saved.floor = at;
            self.saved.lost = Duration::ZERO;
            self.saved.seen = self.saved.seen.max(at);
        }
    }

    /// What to remember while the car is off.
    pub fn save(&self, mono: Monotonic) -> SavedTime {
        let mut now = self.clone();
        now.advance(mono);
        now.saved
    }

    fn advance(&mut self, mono: Monotonic) {
        let elapsed = mono.saturating_since(self.mono);
        let saved = &mut self.saved;
        saved.floor = saved.floor.saturating_add(elapsed);
        saved.seen = saved.seen.saturating_add(elapsed).max(saved.floor);
        saved.disputed = saved.disputed.map(|disputed| disputed.saturating_add(elapsed));
        if self.trust == Trust::Unknown {
            saved.lost = saved.lost.saturating_add(elapsed);
        }
        self.mono = self.mono.max(mono);
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
