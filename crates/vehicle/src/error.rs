//! The one error of the vehicle boundary: every backend maps its own errors into it.
//!
//! *Invariant:* one `Arc` wide and `Clone`; it never holds a credential or a value that was meant to be secret.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong at a vehicle: a [`kind`](Self::kind) for programs, and operation, path, backend and cause for people.
///
/// ```
/// use coachwork_vehicle::{Error, ErrorKind, Operation};
/// let error = Error::new(ErrorKind::OutOfRange, "120 is above 100")
///     .during(Operation::Set)
///     .on_path("Vehicle.Cabin.Seat.Row1.DriverSide.Heating");
/// assert_eq!(error.to_string(), "set Vehicle.Cabin.Seat.Row1.DriverSide.Heating: 120 is above 100");
/// assert!(!error.is_temporary());
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<Operation>,
    path: Option<Arc<str>>,
    backend: Option<Cow<'static, str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call itself makes no sense: a malformed path or filter, an empty batch where one is needed.
    Invalid,
    /// No signal of that path or id.
    UnknownSignal,
    /// The id belongs to another catalogue.
    WrongCatalogue,
    /// The value is not of the signal's type, or the unit does not fit.
    WrongType,
    /// The value is outside the signal's range, or not among its allowed values.
    OutOfRange,
    /// The signal is no actuator, so it cannot be set.
    NotActuator,
    /// The rights of this view do not include it.
    Denied,
    /// This vehicle cannot do that at all.
    Unsupported,
    /// The link to the vehicle is down; it may come back.
    Unavailable,
    /// No answer came in time.
    Timeout,
    /// An idempotency key was used again for another request.
    Conflict,
    /// A bound was reached: too many subscriptions, requests or bytes.
    Limit,
    /// The other side broke the protocol.
    Protocol,
    /// Something else; message and source say what.
    Other,
}

/// The operation during which an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the operations of Vehicle and Board")]
#[non_exhaustive]
pub enum Operation {
    Connect,
    Resolve,
    Get,
    Set,
    Subscribe,
    Publish,
    Admit,
}

impl Error {
    /// An error of `kind`; `message` says what is wrong, without operation and path.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Arc::new(Inner { kind, message, operation: None, path: None, backend: None, source: None }))
    }

    /// Names the operation.
    #[must_use]
    pub fn during(self, operation: Operation) -> Self {
        self.with(|inner| inner.operation = Some(operation))
    }

    /// Names the path that it is about.
    #[must_use]
    pub fn on_path(self, path: &str) -> Self {
        self.with(|inner| inner.path = Some(path.into()))
    }

    /// Names the backend that reports it.
    #[must_use]
    pub fn reported_by(self, backend: impl Into<Cow<'static, str>>) -> Self {
        let backend = backend.into();
        self.with(|inner| inner.backend = Some(backend))
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without operation and path.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operation, where it is known.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The path that it is about, where there is one.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The backend that reported it, where it gave its name.
    pub fn backend(&self) -> Option<&str> {
        self.0.backend.as_deref()
    }

    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_temporary(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Limit)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(backend) = &self.0.backend {
            write!(f, "{backend}: ")?;
        }
        match (self.0.operation, &self.0.path) {
            (Some(operation), Some(path)) => write!(f, "{operation} {path}: ")?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(path)) => write!(f, "{path}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self}", self.0.kind)?;
        if let Some(source) = &self.0.source {
            write!(f, "; caused by {source}")?;
        }
        f.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Resolve => "resolve",
            Self::Get => "get",
            Self::Set => "set",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Admit => "admit",
        })
    }
}
