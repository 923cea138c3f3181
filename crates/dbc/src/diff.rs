//! Two databases become the list of what changed between them, each change judged: compatible, additive or breaking, for receivers and for senders.
//!
//! *Invariant:* what decodes and encodes alike is no change; a database does not differ from itself; changes come in the order of the older
//! database, then of the newer one.
//! *Next:* `diff/kind.rs` (the kinds), `diff/message.rs` and `diff/signal.rs` (who compares), `lint.rs` (one database instead of two).

mod extra;
mod kind;
mod message;
mod signal;
#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

pub use self::kind::Kind;
use crate::{CanId, Database};

/// What a change means for a program that was built with the older database and meets the newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It notices nothing: texts, nodes, attributes that say nothing about bytes or names.
    #[default]
    Compatible,
    /// It misses something that is new, and what it knows still holds.
    Additive,
    /// Something it knows no longer holds: bytes mean something else, a name is gone, a value is no longer allowed.
    Breaking,
}

impl Verdict {
    /// The verdict in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Additive => "additive",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    kind: Kind,
    message: Option<(String, CanId)>,
    signal: Option<String>,
    before: Option<String>,
    after: Option<String>,
    receiver: Verdict,
    sender: Verdict,
}

impl Change {
    /// What changed.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message concerned, by its older name if it has one; `None` where it is the database.
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|message| message.0.as_str())
    }

    /// The identifier of the message concerned, the older one if it has one.
    pub fn id(&self) -> Option<CanId> {
        self.message.as_ref().map(|message| message.1)
    }

    /// The signal concerned, by its older name if it has one.
    pub fn signal(&self) -> Option<&str> {
        self.signal.as_deref()
    }

    /// What the older database says; `None` where it says nothing.
    pub fn before(&self) -> Option<&str> {
        self.before.as_deref()
    }

    /// What the newer database says; `None` where it says nothing.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// What it means for an older program that reads what newer programs send.
    pub fn receiver(&self) -> Verdict {
        self.receiver
    }

    /// What it means for an older program that sends to newer programs.
    pub fn sender(&self) -> Verdict {
        self.sender
    }

    /// The worse of both.
    pub fn verdict(&self) -> Verdict {
        self.receiver.max(self.sender)
    }
}

/// `verdict: message.signal: before -> after [kind]`; a breaking change says for whom.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict();
        f.write_str(verdict.as_str())?;
        if self.receiver != self.sender && verdict == Verdict::Breaking {
            let whom = if self.receiver == verdict { "receivers" } else { "senders" };
            write!(f, " for {whom}")?;
        }
        match (self.message(), self.signal()) {
            (Some(message), Some(signal)) => write!(f, ": {message}.{signal}")?,
            (Some(message), None) => write!(f, ": {message}")?,
            (None, Some(signal)) => write!(f, ": {signal}")?,
            (None, None) => {}
        }
        match (self.before(), self.after()) {
            (Some(before), Some(after)) => write!(f, ": {before} -> {after}")?,
            (Some(before), None) => write!(f, ": {before} -> (none)")?,
            (None, Some(after)) => write!(f, ": (none) -> {after}")?,
            (None, None) => {}
        }
        write!(f, " [{}]", self.kind)
    }
}

/// What changed between two databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    changes: Vec<Change>,
}

impl Diff {
    /// The changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The worst verdict of all changes; compatible where there are none.
    pub fn verdict(&self) -> Verdict {
        self.receiver().max(self.sender())
    }

    /// What the changes mean for older programs that read what newer programs send.
    pub fn receiver(&self) -> Verdict {
        self.changes.iter().map(Change::receiver).max().unwrap_or_default()
    }

    /// What the changes mean for older programs that send to newer programs.
    pub fn sender(&self) -> Verdict {
        self.changes.iter().map(Change::sender).max().unwrap_or_default()
    }
}

impl Database {
    /// Compares this database with a newer one.
    ///
    /// Messages are matched by identifier, then by name; signals by name, then by their bits. The order of messages and signals does not count.
    ///
    /// ```
    /// use coachwork_dbc::diff::{Kind, Verdict};
    /// use coachwork_dbc::{CanId, Database, Message, Signal};
    ///
    /// let database = |factor| {
    ///     let speed = Signal::new("Speed", 0, 16).with_scaling(factor, 0.0);
    ///     let message = Message::builder("Wheels", CanId::standard(0x100).unwrap(), 8).signal(speed).build()?;
    ///     Ok::<_, coachwork_dbc::BuildError>(Database::builder().message(message).build())
    /// };
    /// let diff = database(0.1)?.diff(&database(0.01)?);
    /// assert_eq!(diff.verdict(), Verdict::Breaking);
    /// assert_eq!(diff.changes()[0].kind(), Kind::Scaling);
    /// assert_eq!(diff.changes()[0].to_string(), "breaking: Wheels.Speed: raw * 0.1 + 0 -> raw * 0.01 + 0 [scaling]");
    /// # Ok::<(), coachwork_dbc::BuildError>(())
    /// ```
    pub fn diff(&self, newer: &Self) -> Diff {
        let mut log = Log::default();
        extra::compare(self, newer, &mut log);
        message::compare(self, newer, &mut log);
        Diff { changes: log.changes }
    }
}

/// What is collected, and about what.
#[derive(Default)]
struct Log<'a> {
    message: Option<(&'a str, CanId)>,
    signal: Option<&'a str>,
    changes: Vec<Change>,
}

impl<'a> Log<'a> {
    /// What follows is about this message and signal.
    fn about(&mut self, message: Option<(&'a str, CanId)>, signal: Option<&'a str>) {
        (self.message, self.signal) = (message, signal);
    }

    /// A change that means the same for receivers and senders.
    fn add(&mut self, kind: Kind, verdict: Verdict, before: Option<String>, after: Option<String>) {
        self.add_for(kind, verdict, verdict, before, after);
    }

    fn add_for(
        &mut self,
        kind: Kind,
        receiver: Verdict,
        sender: Verdict,
        before: Option<String>,
        after: Option<String>,
    ) {
        self.changes.push(Change {
            kind,
            message: self.message.map(|(name, id)| (name.to_string(), id)),
            signal: self.signal.map(ToString::to_string),
            before,
            after,
            receiver,
            sender,
        });
    }

    /// Two texts that nobody's bytes depend on.
    fn text(&mut self, kind: Kind, before: Option<&str>, after: Option<&str>) {
        if before.unwrap_or_default() != after.unwrap_or_default() {
            self.add(
                kind,
                Verdict::Compatible,
                before.map(ToString::to_string),
                after.map(ToString::to_string),
            );
        }
    }
}
