//! The time that this thread spent on a processor: what others do meanwhile does not count.
//!
//! *Next:* `rounds.rs`.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of processor time of this thread.
pub fn thread_nanoseconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds of processor time that a call takes.
pub fn time(call: impl FnOnce()) -> f64 {
    let from = thread_nanoseconds();
    call();
    thread_nanoseconds() - from
}
