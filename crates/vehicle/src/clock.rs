//! Where the present comes from: a `Clock` is handed to whatever needs time, so that tests, replay and simulation can hold it still.
//!
//! *Invariant:* nothing in this crate reads the system's time. A dropped `Sleep` leaves nothing behind in its clock.
//! *Next:* `board` and `receipt.rs` (deadlines, staleness, intervals).

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::sync::lock;
use crate::time::{Monotonic, Timestamp};

/// The present time, and waiting for a later one.
///
/// `now` may jump (it is set by people and networks); `monotonic` never goes back. Implementations must be cheap to call.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// The reading to measure durations with.
    fn monotonic(&self) -> Monotonic;

    /// Completes when [`monotonic`](Self::monotonic) has reached `deadline`; at once when it has already.
    fn sleep_until(&self, deadline: Monotonic) -> Sleep;
}

/// The future of [`Clock::sleep_until`]. Dropping it ends the wait.
pub struct Sleep(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Sleep {
    /// Wraps a clock's own timer future.
    pub fn new(timer: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(timer))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleep")
    }
}

/// A clock that moves only when it is told to; clones share the same time.
///
/// ```
/// use coachwork_vehicle::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
/// clock.advance(Duration::from_millis(250));
/// assert_eq!(clock.now().to_string(), "2023-11-14T22:13:20.25Z");
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Default)]
struct Hands {
    start: Timestamp,
    elapsed: Monotonic,
    next_sleeper: u64,
    sleepers: BTreeMap<(Monotonic, u64), Waker>,
}

impl ManualClock {
    /// A clock that stands at `start`, with a monotonic reading of zero.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Hands { start, ..Hands::default() })))
    }

    /// Moves the clock on and wakes whoever waited for a time up to the new one, the earliest first.
    pub fn advance(&self, by: Duration) {
        let woken = {
            let mut hands = lock(&self.0);
            hands.elapsed = hands.elapsed.saturating_add(by);
            let later = (Monotonic::from_nanoseconds(hands.elapsed.nanoseconds().saturating_add(1)), 0);
            let waiting = hands.sleepers.split_off(&later);
            std::mem::replace(&mut hands.sleepers, waiting)
        };
        for waker in woken.into_values() {
            waker.wake();
        }
    }

    /// The earliest time that somebody waits for, to step from event to event.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        lock(&self.0).sleepers.keys().next().map(|(deadline, _)| *deadline)
    }

    /// How many waits are under way.
    pub fn sleepers(&self) -> usize {
        lock(&self.0).sleepers.len()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now())
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let hands = lock(&self.0);
        hands.start.saturating_add(Duration::from_nanos(hands.elapsed.nanoseconds()))
    }

    fn monotonic(&self) -> Monotonic {
        lock(&self.0).elapsed
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        Sleep::new(ManualSleep { clock: self.clone(), deadline, place: None })
    }
}

struct ManualSleep {
    clock: ManualClock,
    deadline: Monotonic,
    place: Option<u64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut hands = lock(&clock.0);
        if hands.elapsed >= self.deadline {
            return Poll::Ready(());
        }
        let place = *self.place.get_or_insert_with(|| {
            hands.next_sleeper += 1;
            hands.next_sleeper
        });
        let before = hands.sleepers.insert((self.deadline, place), cx.waker().clone());
        // A dropped waker may run anything: not under the lock.
        drop(hands);
        drop(before);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = lock(&self.clock.0).sleepers.remove(&(self.deadline, place));
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_sleep_ends_when_its_time_has_come_and_not_before() {
        let clock = ManualClock::new(Timestamp::EPOCH);
        let mut sleep = clock.sleep_until(Monotonic::from_nanoseconds(10)).fuse();
        assert_eq!((&mut sleep).now_or_never(), None);
        clock.advance(Duration::from_nanos(9));
        assert_eq!((&mut sleep).now_or_never(), None);
        assert_eq!(clock.next_deadline(), Some(Monotonic::from_nanoseconds(10)));
        clock.advance(Duration::from_nanos(1));
        assert_eq!((&mut sleep).now_or_never(), Some(()));
    }

    #[test]
    fn a_dropped_sleep_leaves_nothing_behind() {
        let clock = ManualClock::default();
        let mut sleep = clock.sleep_until(Monotonic::from_nanoseconds(10));
        assert_eq!((&mut sleep).now_or_never(), None);
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    }
}
