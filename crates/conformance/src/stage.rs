//! Where a clause runs: a clock, a place for tasks, and whoever polls them.
//!
//! *Invariant:* on the simulated stage nothing waits for real time: when every task waits, the clock goes to the next deadline. So a clause
//! sees the same in every run, and an hour of the vehicle costs what it computes.
//! *Next:* `subject.rs` (what is put on it), `suite.rs` (which runs the clauses).

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use coachwork_vehicle::{Clock, ManualClock, Timestamp};

/// A future that a stage runs beside the clauses.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a subject is built on: a clock to hand to the vehicle, and a place for its drivers.
#[derive(Clone)]
pub struct Stage {
    clock: Arc<dyn Clock>,
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
    slack: Duration,
}

impl Stage {
    /// A stage on live time. `spawn` starts a task; `slack` is by how much a moment may be missed, for instance 150 ms where other
    /// tests share the machine.
    pub fn live(
        clock: Arc<dyn Clock>,
        spawn: impl Fn(Task) + Send + Sync + 'static,
        slack: Duration,
    ) -> Self {
        Self { clock, spawn: Arc::new(spawn), slack }
    }

    /// The clock that the vehicle and the clauses measure with.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Runs a driver beside the clauses, until the stage is taken down. What it returns does not matter.
    pub fn spawn<T>(&self, task: impl Future<Output = T> + Send + 'static) {
        (self.spawn)(Box::pin(async move {
            task.await;
        }));
    }

    /// By how much a moment may be missed: zero on simulated time.
    pub fn slack(&self) -> Duration {
        self.slack
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage({:?})", self.clock)
    }
}

/// Puts up a stage and runs one thing on it to its end. [`Simulated`] is built in; on an executor of your own, use its clock, its spawning
/// and its `block_on`. On tokio (`SystemClock` is `coachwork::system::SystemClock`, of the facade's feature `system`):
///
/// ```
/// use coachwork_conformance::{Play, Runner, Stage};
/// # use coachwork_tokio as system;
/// use std::{sync::Arc, time::Duration};
/// use system::SystemClock;
///
/// struct Tokio;
///
/// impl Runner for Tokio {
///     fn run(&self, play: Box<dyn FnOnce(Stage) -> Play>) {
///         let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
///         runtime.block_on(async {
///             let clock = Arc::new(SystemClock::new().unwrap());
///             let spawn = |task| drop(tokio::spawn(task));
///             play(Stage::live(clock, spawn, Duration::from_millis(150))).await;
///         });
///     }
/// }
/// # Tokio.run(Box::new(|stage| Box::pin(async move { assert!(!stage.slack().is_zero()) })));
/// ```
pub trait Runner {
    /// Calls `play` with a stage, and polls what it returns until it is done.
    fn run(&self, play: Box<dyn FnOnce(Stage) -> Play>);

    /// Why nothing can be run here, where that is so: a broker, say, that this machine does not have. Then each test of the suite says it and
    /// passes, for nothing was tried; let a variable of the environment make it a failure where the thing must be there. Default: nothing is
    /// left out.
    fn left_out(&self) -> Option<String> {
        None
    }
}

/// One thing that a [`Runner`] runs to its end.
pub type Play = Pin<Box<dyn Future<Output = ()>>>;

/// How many rounds the simulated stage gives its tasks at one moment before it takes them to run in a circle.
const ROUNDS: u32 = 2_000_000;

/// The built-in runner: one thread and a clock that jumps to the next deadline when everybody waits. For vehicles whose drivers are all
/// spawned on the stage; one that has threads or sockets of its own needs a live stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulated;

impl Runner for Simulated {
    fn run(&self, play: Box<dyn FnOnce(Stage) -> Play>) {
        let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
        let arrivals: Arc<Mutex<Vec<Task>>> = Arc::default();
        let spawn = {
            let arrivals = arrivals.clone();
            move |task| arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(task)
        };
        let stage = Stage { clock: Arc::new(clock.clone()), spawn: Arc::new(spawn), slack: Duration::ZERO };
        let mut play = Polled::new(play(stage));
        let mut tasks: Vec<Polled<Task>> = Vec::new();
        let mut rounds = 0;
        loop {
            if play.poll() {
                return;
            }
            tasks.retain_mut(|task| !task.poll());
            let new = std::mem::take(&mut *arrivals.lock().unwrap_or_else(PoisonError::into_inner));
            let arrived = !new.is_empty();
            tasks.extend(new.into_iter().map(Polled::new));
            if arrived || play.is_woken() || tasks.iter().any(Polled::is_woken) {
                rounds += 1;
                if rounds > ROUNDS {
                    give_up("tasks wake each other for ever, and no time passes");
                }
                continue;
            }
            rounds = 0;
            match clock.next_deadline() {
                Some(deadline) => clock.advance(deadline.saturating_since(clock.monotonic())),
                // A thread of the vehicle may still wake somebody.
                None => std::thread::park_timeout(Duration::from_millis(200)),
            }
            if clock.next_deadline().is_none() && !play.is_woken() && !tasks.iter().any(Polled::is_woken) {
                give_up("everybody waits, for nothing that will ever happen");
            }
        }
    }
}

#[expect(clippy::panic, reason = "this is a test's way to fail")]
fn give_up(why: &str) -> ! {
    panic!("{why}");
}

/// A future with its own waker, so that only what was woken is polled.
struct Polled<F> {
    future: F,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool, Thread);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
        self.1.unpark();
    }
}

impl<F: Future<Output = ()> + Unpin> Polled<F> {
    fn new(future: F) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true), std::thread::current()));
        Self { future, waker: woken.clone().into(), woken }
    }

    /// Polls it if it was woken; says whether it is done.
    fn poll(&mut self) -> bool {
        if !self.woken.0.swap(false, Ordering::Acquire) {
            return false;
        }
        let mut cx = Context::from_waker(&self.waker);
        matches!(Pin::new(&mut self.future).poll(&mut cx), Poll::Ready(()))
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Acquire)
    }
}

/// Runs `play` on `runner` and hands out what it returns.
pub(crate) fn run<T: Send + 'static>(
    runner: &dyn Runner,
    play: impl FnOnce(Stage) -> Pin<Box<dyn Future<Output = T>>> + 'static,
) -> T {
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    runner.run(Box::new(move |stage| {
        let play = play(stage);
        Box::pin(async move {
            let value = play.await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        })
    }));
    let value = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.unwrap_or_else(|| give_up("the runner returned before its play was done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_stage<P: Future<Output = ()> + 'static>(play: impl FnOnce(Stage) -> P + 'static) {
        Simulated.run(Box::new(|stage| Box::pin(play(stage))));
    }

    #[test]
    fn an_hour_passes_when_everybody_waits() {
        on_stage(|stage| async move {
            let clock = stage.clock();
            let ticks = Arc::new(Mutex::new(0));
            let (counted, ticking) = (ticks.clone(), clock.clone());
            stage.spawn(async move {
                loop {
                    ticking.sleep_until(ticking.monotonic().saturating_add(Duration::from_secs(1))).await;
                    *counted.lock().unwrap() += 1;
                }
            });
            clock.sleep_until(clock.monotonic().saturating_add(Duration::from_millis(3_600_500))).await;
            assert_eq!(*ticks.lock().unwrap(), 3_600);
        });
    }

    #[test]
    #[should_panic(expected = "for nothing that will ever happen")]
    fn waiting_for_nothing_is_noticed() {
        on_stage(|_| std::future::pending());
    }

    #[test]
    #[should_panic(expected = "no time passes")]
    fn running_in_a_circle_is_noticed() {
        on_stage(|stage| async move {
            stage.spawn(std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            std::future::pending::<()>().await;
        });
    }
}
