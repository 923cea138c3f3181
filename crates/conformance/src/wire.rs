//! The clauses of the contract that concern a transport, tried on the two ends of one connection.
//!
//! *Invariant:* each clause of `docs/contract.md` with a `T` is one function here and the other way round; a test compares them.
//! *Next:* one file for each part: what travels, what is bounded, how it ends.

mod bounds;
mod end;
pub mod network;
mod travel;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coachwork_transport::{Connection, ConnectionExt, Limits, Message, TransportError};
use futures_util::future::{Either, join, select};

use crate::stage::Stage;
use crate::suite::{Clause, Running};
use crate::verdict::Failure;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two ends of one connection under test.
#[derive(Debug)]
pub struct Ends {
    near: Box<dyn Connection>,
    far: Box<dyn Connection>,
    limits: Limits,
}

impl Ends {
    /// The end that connected, the end that accepted, and the limits that both were made with.
    ///
    /// Small limits make for a quick suite: messages of 64 KiB and a write buffer of 128 KiB are enough.
    pub fn new(near: impl Connection + 'static, far: impl Connection + 'static, limits: Limits) -> Self {
        Self { near: Box::new(near), far: Box::new(far), limits }
    }

    /// The same ends, the accepting one as if it had connected: for transports whose two sides differ.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { near: self.far, far: self.near, limits: self.limits }
    }

    /// The same limits, with each end wrapped.
    #[must_use]
    pub fn map<C: Connection + 'static>(self, wrap: impl Fn(Box<dyn Connection>) -> C) -> Self {
        Self { near: Box::new(wrap(self.near)), far: Box::new(wrap(self.far)), limits: self.limits }
    }
}

/// One clause at work on two ends.
pub struct Wire {
    ends: Mutex<Option<Ends>>,
    limits: Limits,
    stage: Stage,
}

impl Wire {
    /// Two ends on the stage that they were made on.
    pub fn new(ends: Ends, stage: Stage) -> Self {
        let limits = ends.limits.clone();
        Self { ends: Mutex::new(Some(ends)), limits, stage }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Awaits something for at most `time`.
    pub(crate) async fn within<T>(&self, time: Duration, what: impl Future<Output = T>) -> Option<T> {
        let what = pin!(what);
        let clock = self.stage.clock();
        let late = clock.sleep_until(clock.monotonic().saturating_add(time));
        match select(what, late).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// Awaits something that must come.
    pub(crate) async fn must<T>(&self, what: &str, wait: impl Future<Output = T>) -> Result<T, Failure> {
        let late = || Failure::new(format!("{what} did not come within {} s", PATIENCE.as_secs()));
        self.within(PATIENCE, wait).await.ok_or_else(late)
    }

    /// Long enough for what is written to arrive, where it must not.
    pub(crate) fn moment(&self) -> Duration {
        self.stage.slack().max(Duration::from_micros(1))
    }

    /// Sends messages from one end while the other receives as many.
    pub(crate) async fn pass(
        &self,
        from: &mut dyn Connection,
        to: &mut dyn Connection,
        messages: &[Message],
    ) -> Result<Vec<Message>, Failure> {
        let send = async {
            for message in messages {
                from.send(message).await?;
            }
            Ok(())
        };
        let (sent, received) = self.must("what was sent", join(send, receive(to, messages.len()))).await?;
        sent.map_err(|error: TransportError| Failure::new(format!("sending: {error}")))?;
        received.map_err(|error| Failure::new(format!("receiving: {error}")))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({:?})", self.stage)
    }
}

/// Receives a number of messages.
pub(crate) async fn receive(from: &mut dyn Connection, count: usize) -> Result<Vec<Message>, TransportError> {
    let mut received = Vec::with_capacity(count);
    while received.len() < count {
        received.push(from.recv().await?);
    }
    Ok(received)
}

/// A message of a length, different for each `seed`.
pub(crate) fn message(seed: usize, length: usize) -> Message {
    let byte = |at: usize| u8::try_from((at + seed * 31) % 251).unwrap_or(0);
    Message::Binary((0..length).map(byte).collect::<Vec<_>>().into())
}

/// The list of clauses, once: it makes the table here, and a test of each in the macro [`transport!`](crate::transport).
#[doc(hidden)]
#[macro_export]
macro_rules! __transport_clauses {
    (($($with:tt)*) $($args:tt)*) => {
        $($with)* ! { ($($args)*)
            travel T1 t1_messages_arrive_whole_and_in_order,
            travel T2 t2_parts_are_one_message,
            travel T3 t3_what_is_fed_waits_for_a_flush,
            travel T4 t4_both_ways_at_once,
            travel T5 t5_a_dropped_recv_loses_nothing,
            travel T6 t6_a_connection_names_its_peer,
            bounds T7 t7_a_message_above_the_limit_is_not_taken,
            bounds T8 t8_a_full_buffer_takes_nothing,
            bounds T9 t9_a_slow_reader_holds_the_sender_back,
            end T10 t10_a_close_brings_what_was_fed_and_the_reason,
            end T11 t11_after_the_end_every_call_fails,
            end T12 t12_a_peer_that_is_gone_is_noticed,
            end T13 t13_debug_shows_no_message,
        }
    };
}

macro_rules! table {
    (() $($part:ident $id:ident $name:ident,)*) => {
        /// All clauses that concern a transport.
        pub static TRANSPORT: &[Clause<Wire>] = &[$(Clause {
            id: stringify!($id),
            name: stringify!($name),
            run: {
                fn run(wire: Arc<Wire>) -> Running {
                    Box::pin(async move {
                        let ends = wire.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
                        let Some(ends) = ends else { return Err(Failure::new("its ends were used before")) };
                        $part::$name(ends.near, ends.far, &wire).await
                    })
                }
                run
            },
        },)*];
    };
}

crate::__transport_clauses! { (table) }

/// What a clause gets: both ends, to keep or to drop.
pub(crate) type End = Box<dyn Connection>;

/// A transport's error in a clause that expects none.
pub(crate) fn broken(what: &str) -> impl FnOnce(TransportError) -> Failure + '_ {
    move |error| Failure::new(format!("{what}: {error}"))
}
