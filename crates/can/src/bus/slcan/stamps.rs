//! The adapter's time, which begins again every minute, becomes the time of day.
//!
//! *Invariant:* no frame is later than it was heard, and none earlier than a minute before. The least delay seen so far counts as none, so that
//! the spacing of the frames is the adapter's and not the line's.
//! *Next:* `session.rs`, which stamps its frames so.

use super::decode::MINUTE;
use coachwork_vehicle::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Stamps {
    /// Since 1970, in milliseconds of the adapter's clock plus this, it is the time of day.
    offset: Option<i64>,
    /// When the offset was last looked at, in milliseconds.
    seen: i64,
}

/// How far clocks may drift apart, in parts of a million: within that, a delay that grows is drift.
const DRIFT: i64 = 500;

impl Stamps {
    /// The time of day of a stamp that was heard at `now`.
    pub(super) fn time(&mut self, stamp: u16, now: Timestamp) -> Timestamp {
        let minute = i64::from(MINUTE);
        let heard = now.nanoseconds().div_euclid(1_000_000);
        // Within the minute before now, give or take: the offset itself matters only modulo a minute.
        let at = |offset: i64| heard - (heard - offset - i64::from(stamp)).rem_euclid(minute);
        let drifted = self.offset.map(|offset| offset + (heard - self.seen).max(0) * DRIFT / 1_000_000);
        let least = heard - i64::from(stamp);
        let offset = match drifted {
            // A "delay" of almost a minute is a frame from the future: the delay was less than ever before.
            Some(offset) if heard - at(offset) <= minute / 2 => offset,
            _ => least,
        };
        if self.offset.is_none() || heard > self.seen {
            self.seen = heard;
        }
        self.offset = Some(offset);
        Timestamp::from_nanoseconds(at(offset).saturating_mul(1_000_000))
    }
}
