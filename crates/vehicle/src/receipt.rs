//! A receipt says what became of a request to move something: accepted, then confirmed, refused, timed out, or left in doubt.
//!
//! *Invariant:* a receipt settles once; after its deadline it is timed out, whoever looks. Dropping it cancels nothing.
//! *Next:* `board/ledger.rs` (which keeps the open ones), `request.rs` (what is asked).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::bell::Bell;
use crate::clock::Clock;
use crate::sync::lock;
use crate::time::{Monotonic, Timestamp};

/// The answer to one request, as it develops. Clones follow the same request.
#[derive(Clone)]
pub struct Receipt(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    deadline: Monotonic,
    outcome: Mutex<Option<Outcome>>,
    /// Made by the first one that waits: most receipts are settled before anybody does.
    bell: OnceLock<Bell>,
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// The vehicle has taken it.
    Accepted,
    /// It is settled.
    Settled(Outcome),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// A later observation, made at this time, equals what was asked.
    Confirmed(Timestamp),
    /// The platform took it and will not say more; see [`Facts::receipts`](crate::Facts::receipts).
    Accepted,
    /// Somebody decided against it.
    Refused(Refusal),
    /// The deadline passed before it was confirmed.
    TimedOut,
    /// Whoever asked for it ended in between: it may have moved, or not, and is not asked again. Look at the actuator.
    InDoubt,
}

/// Who decided against a request, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    text: Arc<str>,
}

/// The kinds of [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The right is missing.
    Denied,
    /// The actuator is busy or locked.
    Busy,
    /// A later request for the same signal took its place.
    Superseded,
    /// The vehicle's state does not permit it now.
    NotNow,
    /// The link was lost, or the vehicle ended, before an answer came.
    Link,
    /// Something else; the text says what.
    Other,
}

impl Receipt {
    /// A receipt at stage accepted, timed out once `clock` has reached `deadline`.
    pub fn new(clock: Arc<dyn Clock>, deadline: Monotonic) -> Self {
        Self(Arc::new(Inner { clock, deadline, outcome: Mutex::new(None), bell: OnceLock::new() }))
    }

    /// A receipt that is settled from the start.
    pub fn settled(clock: Arc<dyn Clock>, outcome: Outcome) -> Self {
        let deadline = Monotonic::default();
        Self(Arc::new(Inner { clock, deadline, outcome: Mutex::new(Some(outcome)), bell: OnceLock::new() }))
    }

    /// How far the request has come.
    pub fn stage(&self) -> Stage {
        self.look().clone().map_or(Stage::Accepted, Stage::Settled)
    }

    /// Waits until the request is settled, at most until its deadline. Cancel-safe; it may be asked again.
    pub async fn outcome(&self) -> Outcome {
        loop {
            let changed = self.0.bell.get_or_init(Bell::default).listen();
            if let Stage::Settled(outcome) = self.stage() {
                return outcome;
            }
            Either(changed, self.0.clock.sleep_until(self.0.deadline)).await;
        }
    }

    /// The time after which it is timed out.
    pub fn deadline(&self) -> Monotonic {
        self.0.deadline
    }

    /// Settles it, unless it is settled or its deadline has passed; says whether it did.
    pub fn settle(&self, outcome: Outcome) -> bool {
        self.settle_at(outcome, self.0.clock.monotonic())
    }

    /// Settles it by a reading of its clock.
    pub(crate) fn settle_at(&self, outcome: Outcome, now: Monotonic) -> bool {
        {
            let mut settled = self.look_at(now);
            if settled.is_some() {
                return false;
            }
            *settled = Some(outcome);
        }
        // Whoever made the bell after this look sees the outcome before it waits.
        if let Some(bell) = self.0.bell.get() {
            bell.ring();
        }
        true
    }

    /// Whether it is not settled at a reading of its clock.
    pub(crate) fn is_open_at(&self, now: Monotonic) -> bool {
        self.look_at(now).is_none()
    }

    /// The outcome so far. Whoever looks after the deadline settles it as timed out, so that nobody sees another outcome later.
    fn look(&self) -> MutexGuard<'_, Option<Outcome>> {
        let settled = lock(&self.0.outcome);
        if settled.is_some() {
            return settled;
        }
        // A clock is foreign: it is read without the lock.
        drop(settled);
        self.look_at(self.0.clock.monotonic())
    }

    fn look_at(&self, now: Monotonic) -> MutexGuard<'_, Option<Outcome>> {
        let mut settled = lock(&self.0.outcome);
        if now >= self.0.deadline {
            settled.get_or_insert(Outcome::TimedOut);
        }
        settled
    }
}

/// Completes with the first of two futures.
struct Either<A, B>(A, B);

impl<A: Future + Unpin, B: Future + Unpin> Future for Either<A, B> {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let this = &mut *self;
        let first = std::pin::Pin::new(&mut this.0).poll(cx).is_ready();
        let second = std::pin::Pin::new(&mut this.1).poll(cx).is_ready();
        if first || second { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({:?})", self.stage())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed(at) => write!(f, "confirmed at {at}"),
            Self::Accepted => f.write_str("accepted, without confirmation"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::InDoubt => f.write_str("in doubt: whether it moved is not known"),
        }
    }
}

impl Refusal {
    /// A refusal with a text for people.
    pub fn new(kind: RefusalKind, text: impl Into<Arc<str>>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Its kind.
    pub const fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The text for people.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl RefusalKind {
    /// All kinds, in the order of the enum.
    pub const ALL: [Self; 6] =
        [Self::Denied, Self::Busy, Self::Superseded, Self::NotNow, Self::Link, Self::Other];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::NotNow => "not_now",
            Self::Link => "link",
            Self::Other => "other",
        }
    }

    /// The kind of that name; [`Other`](Self::Other) for a name of a later version.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or(Self::Other)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.kind, &*self.text)
    }
}
