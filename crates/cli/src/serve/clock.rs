//! The system's time, faster or slower: what the simulated car lives by when it is to drive a day in an hour.
//!
//! *Invariant:* at its start it agrees with the system's clock; it never goes back.
//! *Next:* `car.rs`, which hands it to the simulator.

use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::{Clock, Monotonic, Sleep, Timestamp};

/// A clock that runs so many times as fast as another.
#[derive(Clone, Debug)]
pub(super) struct Faster {
    inner: Arc<dyn Clock>,
    times: f64,
    began: (Timestamp, Monotonic),
}

impl Faster {
    pub(super) fn new(inner: Arc<dyn Clock>, times: f64) -> Self {
        let began = (inner.now(), inner.monotonic());
        Self { inner, times, began }
    }

    fn elapsed(&self) -> Duration {
        let elapsed = self.inner.monotonic().saturating_since(self.began.1);
        Duration::try_from_secs_f64(elapsed.as_secs_f64() * self.times).unwrap_or(Duration::MAX)
    }
}

impl Clock for Faster {
    fn now(&self) -> Timestamp {
        self.began.0.saturating_add(self.elapsed())
    }

    fn monotonic(&self) -> Monotonic {
        self.began.1.saturating_add(self.elapsed())
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        let clock = self.clone();
        Sleep::new(async move {
            loop {
                let left = deadline.saturating_since(clock.monotonic());
                if left.is_zero() {
                    return;
                }
                let wait =
                    Duration::try_from_secs_f64(left.as_secs_f64() / clock.times).unwrap_or(Duration::MAX);
                let wait = wait.max(Duration::from_micros(1));
                clock.inner.sleep_until(clock.inner.monotonic().saturating_add(wait)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::ManualClock;
    use futures_util::FutureExt;

    #[test]
    fn an_hour_passes_in_a_minute() {
        let inner = ManualClock::new(Timestamp::from_seconds(1_000));
        let clock = Faster::new(Arc::new(inner.clone()), 60.0);
        assert_eq!(clock.now(), Timestamp::from_seconds(1_000));
        let mut sleep = clock.sleep_until(clock.monotonic().saturating_add(Duration::from_secs(3600)));
        assert!((&mut sleep).now_or_never().is_none());
        inner.advance(Duration::from_secs(59));
        assert!((&mut sleep).now_or_never().is_none());
        inner.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_some());
        assert_eq!(clock.now(), Timestamp::from_seconds(4_600));
    }
}
