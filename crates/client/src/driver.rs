//! The running half of a client: it writes what calls ask, reads what the gateway says, and makes a new link when one is lost.
//!
//! *Invariant:* one task polls it. When it goes, everything that waits is settled and signals are not available.
//! *Next:* `shared.rs` (what it moves), `connect.rs` (how a link comes to stand).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use coachwork_transport::{CloseReason, Connection, ConnectionExt, Connector, MessageKind, TransportError};
use coachwork_vehicle::{Error, ErrorKind, Monotonic, Reason, ReasonKind, Sleep, Timestamp, Waits};

use crate::connect::{Established, establish};
use crate::link::Link;
use crate::renewal::Renewal;
use crate::shared::{Expired, Mode, Shared};

/// How many messages are taken before others get their turn.
const TURN: usize = 256;
/// How long a link must stand for the waits to begin anew.
const STEADY: Duration = Duration::from_secs(5);
/// How long the gateway is given to hear a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

pub(crate) struct Running {
    shared: Arc<Shared>,
    connector: Arc<dyn Connector>,
    waits: Waits,
    phase: Phase,
    /// The timer may be early: then what is due is looked up again.
    timer: Option<(Monotonic, Sleep)>,
}

enum Phase {
    Up(Standing),
    Waiting(Sleep),
    Connecting(Pin<Box<dyn Future<Output = Result<Established, Error>> + Send>>),
}

struct Standing {
    connection: Box<dyn Connection>,
    since: Monotonic,
    heard: Monotonic,
    probed: bool,
    renewal: Renewal,
}

impl Running {
    pub(crate) fn new(
        shared: Arc<Shared>,
        connector: Arc<dyn Connector>,
        connection: Box<dyn Connection>,
        renew: Option<Timestamp>,
    ) -> Self {
        let waits = shared.options.backoff.waits(shared.options.seed);
        let phase = Phase::Up(Standing::new(&shared, connection, renew));
        Self { shared, connector, waits, phase, timer: None }
    }

    /// Runs until the last handle of the client has gone.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx)).await;
        if let Phase::Up(standing) = &mut self.phase {
            let clock = &self.shared.clock;
            let timer = clock.sleep_until(clock.monotonic().saturating_add(GOODBYE));
            let goodbye = std::pin::pin!(standing.connection.close(CloseReason::normal()));
            // Whether the gateway hears it is its affair.
            drop(futures_util::future::select(goodbye, timer).await);
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.drive(cx.waker());
        loop {
            if self.shared.is_closing() {
                return Poll::Ready(());
            }
            let next = match &mut self.phase {
                Phase::Up(standing) => match standing.poll(&self.shared, &mut self.timer, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(error) => {
                        if self.shared.clock.monotonic().saturating_since(standing.since) >= STEADY {
                            self.waits.succeeded();
                        }
                        self.lost(&error)
                    }
                },
                Phase::Waiting(sleep) => {
                    std::task::ready!(Pin::new(sleep).poll(cx));
                    let (shared, connector) = (self.shared.clone(), self.connector.clone());
                    Phase::Connecting(Box::pin(async move {
                        establish(connector.as_ref(), shared.clock.as_ref(), &shared.options).await
                    }))
                }
                Phase::Connecting(connecting) => match std::task::ready!(connecting.as_mut().poll(cx)) {
                    Ok(established) => self.stands(established),
                    Err(error) => self.lost(&error),
                },
            };
            self.phase = next;
        }
    }

    fn stands(&mut self, established: Established) -> Phase {
        let Established { connection, session, metadata, renew } = established;
        let native = matches!(self.shared.mode, Mode::Native(_));
        if native != session.has_additions() {
            let message = "the gateway does not speak as it did before; connect anew";
            return self.lost(&Error::new(ErrorKind::Protocol, message));
        }
        self.shared.link_stands(session, metadata);
        #[cfg(feature = "trace")]
        tracing::info!("the link stands again");
        Phase::Up(Standing::new(&self.shared, connection, renew))
    }

    fn lost(&mut self, error: &Error) -> Phase {
        let clock = &self.shared.clock;
        let retry = clock.monotonic().saturating_add(self.waits.draw());
        let reason = Reason::because(ReasonKind::Link, error.message().to_owned());
        #[cfg(feature = "trace")]
        tracing::warn!(kind = ?error.kind(), "the link is lost");
        self.shared.link_lost(error, Link::Down { reason: reason.clone(), retry }, &reason);
        self.timer = None;
        Phase::Waiting(clock.sleep_until(retry))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let reason = if self.shared.is_closing() {
            Reason::because(ReasonKind::Ended, "the vehicle was dropped")
        } else {
            Reason::because(ReasonKind::Link, "the client's driver was stopped")
        };
        self.shared.ended(&reason);
    }
}

impl Standing {
    fn new(shared: &Shared, connection: Box<dyn Connection>, renew: Option<Timestamp>) -> Self {
        let now = shared.clock.monotonic();
        Self { connection, since: now, heard: now, probed: false, renewal: Renewal::new(shared, renew) }
    }

    /// Moves messages both ways; ready with what broke the link.
    fn poll(
        &mut self,
        shared: &Arc<Shared>,
        timer: &mut Option<(Monotonic, Sleep)>,
        cx: &mut Context<'_>,
    ) -> Poll<Error> {
        for _ in 0..TURN {
            let moved = match self.exchange(shared, cx) {
                Ok(moved) => moved,
                Err(error) => return Poll::Ready(error),
            };
            if let Some(error) = self.look_at_the_time(shared, timer, cx) {
                return Poll::Ready(error);
            }
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn exchange(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Result<bool, Error> {
        let mut moved = false;
        for _ in 0..TURN {
            let Poll::Ready(message) = self.connection.poll_recv(cx) else { break };
            let message = message?;
            moved = true;
            shared.take(&message)?;
        }
        if moved {
            (self.heard, self.probed) = (shared.clock.monotonic(), false);
        }
        shared.pump();
        while let Poll::Ready(ready) = self.connection.poll_ready(cx) {
            ready?;
            let Some(message) = shared.next_message() else { break };
            match self.connection.feed(MessageKind::Text, &[&message]) {
                // Its request is settled by its deadline.
                Err(TransportError::TooLargeToSend { .. }) => {}
                fed => fed?,
            }
            moved = true;
        }
        if let Poll::Ready(flushed) = self.connection.poll_flush(cx) {
            flushed?;
        }
        Ok(moved)
    }

    /// Settles what had its time, and asks a gateway that has not been heard for long for a word.
    fn look_at_the_time(
        &mut self,
        shared: &Arc<Shared>,
        timer: &mut Option<(Monotonic, Sleep)>,
        cx: &mut Context<'_>,
    ) -> Option<Error> {
        loop {
            self.renewal.poll(shared, cx);
            let quiet = self.heard.saturating_add(shared.options.keep_alive);
            let due = match shared.next_deadline() {
                // The word that was asked for has been given up: it is asked for again.
                None if self.probed => {
                    (self.heard, self.probed) = (shared.clock.monotonic(), false);
                    continue;
                }
                Some(next) if self.probed => next,
                Some(next) => next.min(quiet),
                None => quiet,
            };
            let due = shared.delivery_due().map_or(due, |delivery| due.min(delivery));
            let due = self.renewal.due().map_or(due, |renewal| due.min(renewal));
            if timer.as_ref().is_none_or(|(at, _)| *at > due) {
                *timer = Some((due, shared.clock.sleep_until(due)));
            }
            let (_, sleep) = timer.as_mut()?;
            if Pin::new(sleep).poll(cx).is_pending() {
                return None;
            }
            *timer = None;
            // What the outbox waited for may be due.
            cx.waker().wake_by_ref();
            // Where there was no room to ask for a word, the others that wait stand for it.
            let expired = shared.expire();
            if expired == Expired::Probe || (self.probed && expired == Expired::Requests) {
                return Some(Error::new(ErrorKind::Timeout, "nothing was heard from the gateway any more"));
            }
            let now = shared.clock.monotonic();
            if !self.probed && now >= self.heard.saturating_add(shared.options.keep_alive) {
                self.probed = true;
                shared.probe();
                cx.waker().wake_by_ref();
            }
        }
    }
}
