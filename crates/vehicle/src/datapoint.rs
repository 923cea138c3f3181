//! A datapoint is the state of a signal with its times: the value, or why there is none.
//!
//! *Invariant:* a value is present exactly in the states `Valid` and `Stale`.
//! *Next:* `board` (which keeps the latest of each signal), `subscription.rs` (which delivers them).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;
use crate::value::Value;

/// The state of a signal at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Datapoint {
    /// What is known of it.
    pub state: State,
    /// When the source saw it so, on the source's time, which may be that of a log ([`Facts::time`](crate::Facts::time)). For a signal that
    /// was never set: when its board began.
    pub source: Timestamp,
    /// When this side of the last link received it, on the clock of the vehicle.
    pub received: Timestamp,
}

/// What is known of a signal: its value, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The present value.
    Valid(Value),
    /// The last value, which should have been renewed by now.
    Stale(Value),
    /// No source has said anything of it yet.
    NeverSet,
    /// The source says that it has no value at present, or the source is gone.
    NotAvailable(Reason),
    /// The source says that the value is wrong.
    Error(Reason),
}

/// The kind of a [`State`], without value and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are those of State")]
pub enum Availability {
    Valid,
    Stale,
    NeverSet,
    NotAvailable,
    Error,
}

/// Why a signal has no value, or why something ended: a short kind for programs and a text for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason {
    kind: ReasonKind,
    text: Option<Arc<str>>,
}

/// The kinds of [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasonKind {
    /// The source itself reports it, as with the special values of a bus.
    Source,
    /// The link to the source is lost; it may come back.
    Link,
    /// The source has ended: a log at its end, a vehicle that was dropped.
    Ended,
    /// A right to it was withdrawn.
    Denied,
    /// What the source says cannot be understood.
    Malformed,
    /// Something else; the text says what.
    Other,
}

impl Datapoint {
    /// A valid value, seen and received at `at`.
    pub fn valid(value: impl Into<Value>, at: Timestamp) -> Self {
        Self::new(State::Valid(value.into()), at)
    }

    /// No value for `reason`, since `at`.
    pub fn not_available(reason: Reason, at: Timestamp) -> Self {
        Self::new(State::NotAvailable(reason), at)
    }

    /// A state, seen and received at `at`.
    pub fn new(state: State, at: Timestamp) -> Self {
        Self { state, source: at, received: at }
    }

    /// The value, if it is valid.
    pub fn value(&self) -> Option<&Value> {
        match &self.state {
            State::Valid(value) => Some(value),
            _ => None,
        }
    }

    /// Whether there is a valid value.
    pub fn is_valid(&self) -> bool {
        matches!(self.state, State::Valid(_))
    }
}

impl State {
    /// The kind of the state.
    pub fn availability(&self) -> Availability {
        match self {
            Self::Valid(_) => Availability::Valid,
            Self::Stale(_) => Availability::Stale,
            Self::NeverSet => Availability::NeverSet,
            Self::NotAvailable(_) => Availability::NotAvailable,
            Self::Error(_) => Availability::Error,
        }
    }

    /// Whether both say the same; a NaN says the same as a NaN.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Valid(a), Self::Valid(b)) | (Self::Stale(a), Self::Stale(b)) => a.same(b),
            (a, b) => a == b,
        }
    }

    /// What a valid value becomes when it was not renewed in time; other states stay as they are.
    pub(crate) fn aged(&self, age: Duration, stale_after: Option<Duration>) -> Self {
        match (self, stale_after) {
            (Self::Valid(value), Some(limit)) if age >= limit => Self::Stale(value.clone()),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(value) => value.fmt(f),
            Self::Stale(value) => write!(f, "stale (last {value})"),
            Self::NeverSet => f.write_str("never set"),
            Self::NotAvailable(reason) => write!(f, "not available: {reason}"),
            Self::Error(reason) => write!(f, "error: {reason}"),
        }
    }
}

impl Reason {
    /// A reason that its kind says fully.
    pub const fn new(kind: ReasonKind) -> Self {
        Self { kind, text: None }
    }

    /// A reason with a text for people.
    pub fn because(kind: ReasonKind, text: impl Into<Arc<str>>) -> Self {
        Self { kind, text: Some(text.into()) }
    }

    /// Its kind.
    pub const fn kind(&self) -> ReasonKind {
        self.kind
    }

    /// The text that was given for it, if any.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl ReasonKind {
    /// All kinds, in the order of the enum.
    pub const ALL: [Self; 6] =
        [Self::Source, Self::Link, Self::Ended, Self::Denied, Self::Malformed, Self::Other];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Link => "link",
            Self::Ended => "ended",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }

    /// The kind of that name; [`Other`](Self::Other) for a name of a later version.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or(Self::Other)
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Source => "the source has no value",
            Self::Link => "the link to the source is lost",
            Self::Ended => "the source has ended",
            Self::Denied => "the right to it was withdrawn",
            Self::Malformed => "what the source says cannot be understood",
            Self::Other => "unknown reason",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().unwrap_or_else(|| self.kind.sentence()))
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind)
    }
}
