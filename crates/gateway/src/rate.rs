//! How many bytes may pass in a second: a budget that is spent by messages and filled by time.
//!
//! *Invariant:* it never holds more than one second's worth. Without a limit it is never spent, and costs a comparison.
//! *Next:* `peer.rs` (which stops reading, or telling, while a budget is spent).

use std::time::Duration;

use coachwork_vehicle::Monotonic;

const SECOND: u128 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Rate {
    /// Bytes in a second; zero for no limit.
    limit: u64,
    /// What is left. A message may take more than there is: then nothing passes until the debt is paid.
    left: i64,
    /// Up to when time was counted.
    at: Monotonic,
}

impl Rate {
    pub(crate) fn new(limit: Option<u64>, now: Monotonic) -> Self {
        let limit = limit.map_or(0, |limit| limit.max(1));
        Self { limit, left: i64::try_from(limit).unwrap_or(i64::MAX), at: now }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left <= 0 && self.limit != 0
    }

    pub(crate) fn spend(&mut self, bytes: usize) {
        if self.limit != 0 {
            self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Counts the time up to `now`; worth it only for a budget that is spent.
    pub(crate) fn fill(&mut self, now: Monotonic) {
        if !self.is_spent() {
            return;
        }
        let passed = now.saturating_since(self.at).as_nanos();
        let more = passed.saturating_mul(self.limit.into()) / SECOND;
        let full = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let filled = self.left.saturating_add(i64::try_from(more).unwrap_or(i64::MAX));
        if more == 0 {
            return;
        }
        // What is left of the time counts for the next byte.
        let took = more.saturating_mul(SECOND).div_ceil(self.limit.into());
        let took = Duration::from_nanos(u64::try_from(took).unwrap_or(u64::MAX));
        (self.left, self.at) = (filled.min(full), self.at.saturating_add(took));
    }

    /// When a spent budget has something to give again.
    pub(crate) fn free_at(&self) -> Option<Monotonic> {
        if !self.is_spent() {
            return None;
        }
        let owed = u128::from(self.left.unsigned_abs()) + 1;
        let nanoseconds = (owed * SECOND).div_ceil(self.limit.into());
        let wait = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        Some(self.at.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_debt_is_paid_by_time_and_no_more_is_saved_than_a_second_is_worth() {
        let at = Monotonic::from_nanoseconds;
        let mut rate = Rate::new(Some(1000), at(0));
        assert!(!rate.is_spent() && rate.free_at().is_none());
        rate.spend(3500);
        assert!(rate.is_spent());
        assert_eq!(rate.free_at(), Some(at(2_501_000_000)));
        rate.fill(at(2_500_000_000));
        assert!(rate.is_spent());
        rate.fill(at(2_501_000_000));
        assert!(!rate.is_spent());
        rate.spend(1);
        rate.fill(at(1_000_000_000_000));
        rate.spend(1000);
        assert!(rate.is_spent(), "an hour of silence is worth one second");
        let mut free = Rate::new(None, at(0));
        free.spend(usize::MAX);
        assert!(!free.is_spent());
    }

    proptest! {
        /// Whoever looks as often as it likes gets no more than the limit, and a second in advance.
        #[test]
        fn no_more_passes_than_the_limit(limit in 1_u64..10_000, steps in prop::collection::vec((0_u64..400_000_000, 1_usize..500), 1..200)) {
            let (mut now, mut passed) = (0, 0_u64);
            let mut rate = Rate::new(Some(limit), Monotonic::from_nanoseconds(0));
            let mut largest = 0;
            for (wait, bytes) in steps {
                now += wait;
                rate.fill(Monotonic::from_nanoseconds(now));
                if !rate.is_spent() {
                    rate.spend(bytes);
                    passed += bytes as u64;
                    largest = largest.max(bytes as u64);
                }
            }
            let most = u128::from(limit) * (u128::from(now) + SECOND) / SECOND + u128::from(largest);
            prop_assert!(u128::from(passed) <= most, "{passed} > {most}");
        }

        /// A budget that is spent is free when it says so, and not a byte's time earlier.
        #[test]
        fn it_is_free_when_it_says_so(limit in 1_u64..1_000_000, bytes in 1_usize..10_000_000) {
            let spent = || {
                let mut rate = Rate::new(Some(limit), Monotonic::from_nanoseconds(0));
                rate.spend(bytes);
                rate
            };
            if let Some(at) = spent().free_at() {
                let (mut early, mut then) = (spent(), spent());
                early.fill(Monotonic::from_nanoseconds(at.nanoseconds() - 1));
                prop_assert!(early.is_spent());
                then.fill(at);
                prop_assert!(!then.is_spent());
            }
        }
    }
}
