//! The task that keeps a link: it dials, moves frames both ways, notices the loss, waits, and dials again.
//!
//! *Invariant:* it ends when both directions of the bus are dropped, when the attempts are used up, or when it is dropped itself; in each case
//! those who wait are told.
//! *Next:* `shared.rs`, what it moves frames in and out of.

use super::LinkOptions;
use super::shared::Shared;
use crate::Frame;
use crate::bus::BusError;
use crate::bus::port::{Dial, Intake, Port};
use crate::error::bus_error;
use coachwork_vehicle::{Clock, Error, Sleep, Waits};
use futures_util::future::{Either, select};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// One attempt to dial, within a time.
pub(super) async fn attempt(
    dial: &mut dyn Dial,
    clock: &Arc<dyn Clock>,
    within: Duration,
) -> io::Result<Box<dyn Port>> {
    let deadline = clock.sleep_until(clock.monotonic().saturating_add(within));
    match select(pin!(dial.dial(clock)), pin!(deadline)).await {
        Either::Left((port, _)) => port,
        Either::Right(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}")))
        }
    }
}

/// How long a link must stand for the waits to begin anew.
const STOOD: Duration = Duration::from_secs(1);
/// How often frames are moved before other tasks get their turn.
const TURNS: usize = 16;

/// Keeps one link.
pub(super) struct Keeper {
    dial: Box<dyn Dial>,
    clock: Arc<dyn Clock>,
    options: LinkOptions,
    shared: Arc<Shared>,
    waits: Waits,
    outgoing: VecDeque<Frame>,
    intake: Intake,
}

/// How a port was left.
enum Left {
    /// Nobody needs it any more, and everything is written.
    Done,
    Lost(io::Error),
}

impl Keeper {
    pub(super) fn new(
        dial: Box<dyn Dial>,
        clock: Arc<dyn Clock>,
        options: LinkOptions,
        shared: Arc<Shared>,
    ) -> Self {
        let waits = options.backoff.waits(options.seed);
        Self { dial, clock, options, shared, waits, outgoing: VecDeque::new(), intake: Intake::default() }
    }

    /// Keeps the link, beginning with a port that stands or by dialling.
    pub(super) async fn run(mut self, mut first: Option<Box<dyn Port>>) -> Result<(), Error> {
        loop {
            let mut port = match first.take() {
                Some(port) => port,
                None => match self.dial_on().await {
                    Some(Ok(port)) => port,
                    Some(Err(error)) => {
                        let why = io::Error::new(error.kind(), error.to_string());
                        self.shared.ended(Some(error));
                        return Err(bus_error(BusError::Io(why), &self.shared.name));
                    }
                    None => return Ok(()),
                },
            };
            let since = self.clock.monotonic();
            match self.serve(&mut *port).await {
                Left::Done => {
                    // That the other side is gone already changes nothing.
                    let deadline = self.clock.sleep_until(self.clock.monotonic().saturating_add(STOOD));
                    let _ = select(pin!(poll_fn(|cx| port.poll_close(cx))), pin!(deadline)).await;
                    return Ok(());
                }
                Left::Lost(error) => {
                    self.shared.went_down(self.clock.now(), &error.to_string(), self.outgoing.len());
                    self.outgoing.clear();
                }
            }
            if self.clock.monotonic().saturating_since(since) >= STOOD {
                self.waits.succeeded();
            }
            if !self.pause().await {
                return Ok(());
            }
        }
    }

    /// Dials until there is a port; `None` where nobody needs it any more.
    async fn dial_on(&mut self) -> Option<io::Result<Box<dyn Port>>> {
        let mut failures = 0;
        loop {
            let dialled = {
                let dialling = attempt(&mut *self.dial, &self.clock, self.options.within);
                unless_abandoned(&self.shared, dialling).await?
            };
            match dialled {
                Ok(port) => {
                    self.shared.came_up(self.clock.now());
                    return Some(Ok(port));
                }
                Err(error) => {
                    self.shared.failed(&error.to_string());
                    failures += 1;
                    if self.options.attempts.is_some_and(|most| failures >= most) {
                        return Some(Err(error));
                    }
                }
            }
            if !self.pause().await {
                return None;
            }
        }
    }

    /// The wait before the next attempt; whether there shall be one.
    async fn pause(&mut self) -> bool {
        let wait = self.clock.sleep_until(self.clock.monotonic().saturating_add(self.waits.draw()));
        unless_abandoned(&self.shared, wait).await.is_some()
    }

    /// Moves frames until the link is lost or nobody needs it.
    async fn serve(&mut self, port: &mut dyn Port) -> Left {
        let mut alarm = self.alarm();
        // Whether something was heard since the last alarm, and whether an answer is due.
        let (mut heard, mut due, mut writing) = (true, false, false);
        poll_fn(|cx| {
            self.shared.driver.register(cx.waker());
            for _ in 0..TURNS {
                let mut moved = false;
                let (has_room, is_abandoned) = {
                    let state = self.shared.lock();
                    (state.has_room(), !state.source_is_there && !state.sink_is_there)
                };
                if has_room {
                    let received = port.poll_receive(cx, self.clock.now(), &mut self.intake);
                    if let Poll::Ready(received) = received {
                        self.shared.take_in(&mut self.intake, self.outgoing.len(), writing);
                        if let Err(error) = received {
                            return Poll::Ready(Left::Lost(error));
                        }
                        (heard, moved) = (true, true);
                    }
                } else {
                    // Whoever is not listened to cannot be said to be silent.
                    heard = true;
                }
                self.shared.take_out(&mut self.outgoing);
                let waiting = self.outgoing.len();
                let sent = port.poll_send(cx, &mut self.outgoing, &mut self.intake);
                let was_writing = std::mem::replace(&mut writing, sent.is_pending());
                if self.outgoing.len() < waiting || was_writing != writing {
                    self.shared.take_in(&mut self.intake, self.outgoing.len(), writing);
                    moved |= self.outgoing.len() < waiting;
                }
                match sent {
                    Poll::Ready(Err(error)) => return Poll::Ready(Left::Lost(error)),
                    Poll::Ready(Ok(())) if is_abandoned && !self.shared.lock().has_unsent() => {
                        return Poll::Ready(Left::Done);
                    }
                    _ => {}
                }
                if moved {
                    continue;
                }
                match alarm.as_mut().map(|alarm| Pin::new(alarm).poll(cx)) {
                    Some(Poll::Ready(())) => {}
                    _ => return Poll::Pending,
                }
                if !heard && due {
                    let silence = self.options.keep_alive.unwrap_or_default() * 2;
                    let why = format!("nothing was heard for {silence:?}");
                    return Poll::Ready(Left::Lost(io::Error::new(io::ErrorKind::TimedOut, why)));
                }
                due = !heard && port.probe();
                heard = false;
                alarm = self.alarm();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    fn alarm(&self) -> Option<Sleep> {
        let after = self.options.keep_alive?;
        Some(self.clock.sleep_until(self.clock.monotonic().saturating_add(after)))
    }
}

/// Whoever drops a driver ends its link.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.ended(None);
    }
}

/// What a future gives, or `None` as soon as both directions of the bus are dropped.
async fn unless_abandoned<T>(shared: &Shared, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        shared.driver.register(cx.waker());
        let is_abandoned = {
            let state = shared.lock();
            !state.source_is_there && !state.sink_is_there
        };
        if is_abandoned { Poll::Ready(None) } else { future.as_mut().poll(cx).map(Some) }
    })
    .await
}
