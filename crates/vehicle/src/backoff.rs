//! How long to wait before the next attempt to connect: full jitter over a doubling bound.
//!
//! *Invariant:* the same seed gives the same waits; no wait is longer than the bound.
//! *Next:* whoever keeps a link: the client, the buses.

use std::time::Duration;

/// The waits between attempts to connect: each is drawn evenly from zero to a bound that begins at `first`, doubles with each failure and
/// stops at `most`; a link that came to stand begins anew. So those who use a peer that restarts do not come back all at once.
///
/// ```
/// use coachwork_vehicle::Backoff;
///
/// let mut waits = Backoff::default().waits(0x5EED); // from a random source, where there is one
/// assert!(waits.draw() <= Backoff::default().first);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first wait.
    pub first: Duration,
    /// The bound that no wait exceeds.
    pub most: Duration,
}

impl Default for Backoff {
    /// From a quarter of a second to 30 seconds.
    fn default() -> Self {
        Self { first: Duration::from_millis(250), most: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The waits as they are drawn. The same seed gives the same ones.
    pub fn waits(self, seed: u64) -> Waits {
        Waits { backoff: self, state: seed, failures: 0 }
    }
}

/// The waits of a [`Backoff`], drawn one after the other.
#[derive(Clone, Debug)]
pub struct Waits {
    backoff: Backoff,
    state: u64,
    failures: u32,
}

impl Waits {
    /// The wait after one more failure.
    pub fn draw(&mut self) -> Duration {
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let bound = self.backoff.first.saturating_mul(doubled).min(self.backoff.most);
        self.failures = self.failures.saturating_add(1);
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of a product with a 64-bit fraction: even over 0..=bound.
        let wait = (u128::from(self.random()) * (u128::from(bound) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(wait).unwrap_or(bound))
    }

    /// The link stood: the next wait begins anew.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): jitter needs to be spread, not secret.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(seed in any::<u64>(), first in 0..10_000_u64, most in 0..100_000_u64) {
            let backoff = Backoff { first: Duration::from_millis(first), most: Duration::from_millis(most) };
            let mut waits = backoff.waits(seed);
            for failure in 0..70_u32 {
                let bound = u128::from(first).saturating_mul(1_u128 << failure.min(60)).min(u128::from(most));
                prop_assert!(waits.draw().as_millis() <= bound);
            }
        }
    }

    #[test]
    fn the_first_wait_comes_again_after_a_success_and_seeds_differ() {
        let drawn = |seed: u64| -> Vec<_> {
            let mut waits = Backoff::default().waits(seed);
            (0..8).map(|_| waits.draw()).collect()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let mut waits = Backoff::default().waits(7);
        let longest = (0..20).map(|_| waits.draw()).max().unwrap();
        assert!(longest > Duration::from_secs(1), "the bound grows: {longest:?}");
        waits.succeeded();
        assert!(waits.draw() <= Duration::from_millis(250));
    }
}
