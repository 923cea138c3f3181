//! One finding: which rule, about what, in words.
//!
//! *Invariant:* the text is one line; the code is stable, the words are not.
//! *Next:* `rule.rs`.

use alloc::string::String;
use core::fmt;

use super::rule::{Level, Rule};
use crate::CanId;

/// One thing that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(super) rule: Rule,
    pub(super) level: Level,
    pub(super) message: Option<(String, CanId)>,
    pub(super) signal: Option<String>,
    pub(super) text: String,
    pub(super) place: Option<(u32, u32)>,
}

impl Finding {
    /// The rule that found it.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// How bad it is, by the rules that were asked.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The message concerned; `None` where it is the database or the file.
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|message| message.0.as_str())
    }

    /// The identifier of the message concerned.
    pub fn id(&self) -> Option<CanId> {
        self.message.as_ref().map(|message| message.1)
    }

    /// The signal concerned.
    pub fn signal(&self) -> Option<&str> {
        self.signal.as_deref()
    }

    /// What was found, in a sentence's words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line in the file, from 1, where the loader knows it.
    pub fn line(&self) -> Option<u32> {
        self.place.map(|place| place.0)
    }

    /// The column in the file in characters, from 1, where the loader knows it.
    pub fn column(&self) -> Option<u32> {
        self.place.map(|place| place.1)
    }
}

/// `line:column: level: message.signal: text [code]`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{}: ", self.level)?;
        match (self.message(), self.signal()) {
            (Some(message), Some(signal)) => write!(f, "{message}.{signal}: ")?,
            (Some(message), None) => write!(f, "{message}: ")?,
            (None, Some(signal)) => write!(f, "{signal}: ")?,
            (None, None) => {}
        }
        write!(f, "{} [{}]", self.text, self.rule)
    }
}
