//! The system's time as a vehicle's `Clock`, with tokio's timers to wait on.
//!
//! *Invariant:* it belongs to one runtime, whose timers wake its sleeps from any thread and under any executor.
//! A paused tokio time holds `monotonic` and the sleeps, and leaves `now` alone.
//! *Next:* whatever takes an `Arc<dyn Clock>`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coachwork_vehicle::{Clock, Error, ErrorKind, Monotonic, Sleep, Timestamp};
use tokio::runtime::Handle;
use tokio::time::Instant;

/// The system's clock, on a tokio runtime. Clones share the same start.
///
/// Timers have tokio's granularity of one millisecond, rounded up. The runtime must have its timers enabled (`enable_time` or `enable_all`) and
/// outlive the waits; tokio panics where it does not.
#[derive(Clone, Debug)]
pub struct SystemClock {
    runtime: Handle,
    start: Instant,
}

impl SystemClock {
    /// A clock on the runtime that this is called in; its monotonic reading begins at zero.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] outside of a tokio runtime.
    pub fn new() -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(|why| {
            Error::new(ErrorKind::Unsupported, "the system clock needs a tokio runtime").caused_by(why)
        })?;
        Ok(Self::on(runtime))
    }

    /// A clock on this runtime; its monotonic reading begins at zero.
    pub fn on(runtime: Handle) -> Self {
        Self { runtime, start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are handed")]
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp::EPOCH.saturating_add(after),
            Err(before) => {
                let nanoseconds = i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX);
                Timestamp::from_nanoseconds(nanoseconds.saturating_neg())
            }
        }
    }

    fn monotonic(&self) -> Monotonic {
        let elapsed = Instant::now().saturating_duration_since(self.start);
        Monotonic::from_nanoseconds(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        let Some(deadline) = self.start.checked_add(Duration::from_nanos(deadline.nanoseconds())) else {
            // Later than the system can say.
            return Sleep::new(std::future::pending());
        };
        let _runtime = self.runtime.enter();
        Sleep::new(tokio::time::sleep_until(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_runtime_it_says_so() {
        assert_eq!(SystemClock::new().unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_ends_at_its_time_and_not_before() {
        let clock = SystemClock::new().unwrap();
        let begin = clock.monotonic();
        clock.sleep_until(begin.saturating_add(Duration::from_millis(250))).await;
        let slept = clock.monotonic().saturating_since(begin);
        assert!((250..=252).contains(&slept.as_millis()), "{slept:?}");
        // A time that has passed does not wait.
        clock.sleep_until(begin).await;
        assert_eq!(clock.monotonic().saturating_since(begin), slept);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_without_end_does_not_end() {
        let clock = SystemClock::new().unwrap();
        let forever = clock.sleep_until(Monotonic::from_nanoseconds(u64::MAX));
        assert!(tokio::time::timeout(Duration::from_secs(1 << 30), forever).await.is_err());
    }

    #[test]
    fn a_sleep_is_woken_under_a_foreign_executor() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let clock = SystemClock::on(runtime.handle().clone());
        let deadline = clock.monotonic().saturating_add(Duration::from_millis(5));
        futures::executor::block_on(clock.sleep_until(deadline));
        assert!(clock.monotonic() >= deadline);
    }

    #[tokio::test]
    async fn it_tells_the_time_of_day() {
        // Between 2020 and 2100: it counts from 1970 and in nanoseconds.
        let seconds = SystemClock::new().unwrap().now().seconds();
        assert!((1_577_836_800..4_102_444_800).contains(&seconds), "{seconds}");
    }
}
