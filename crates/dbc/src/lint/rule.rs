//! The rules, their codes, and how much each one matters.
//!
//! *Invariant:* a code never changes its meaning; every rule is in [`Rule::ALL`] once, in the order in which findings about one thing come.
//! *Next:* `message.rs`, `signal.rs` and `names.rs` (who applies them).

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It is not reported.
    #[default]
    Allow,
    /// Worth knowing.
    Note,
    /// Probably a mistake.
    Warn,
    /// A mistake that changes what is decoded or encoded, or what another tool makes of the database.
    Deny,
}

impl Level {
    /// The level in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allowed",
            Self::Note => "note",
            Self::Warn => "warning",
            Self::Deny => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $level:ident;)+) => {
        /// What is looked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code in words, joined by hyphens: stable, for machines.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What it looks for, in a sentence.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// How much it matters unless the caller says otherwise.
            pub const fn default_level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)+
                }
            }
        }
    };
}

rules! {
    /// The loader left something of the file out.
    FileSkipped = "file-skipped", Deny;
    /// The loader read something as it must have been meant, not as it stands.
    FileRepaired = "file-repaired", Warn;
    /// The loader read something that is odd.
    FileOddity = "file-oddity", Note;
    /// Two messages have one identifier; a frame finds only the first.
    DuplicateId = "duplicate-id", Deny;
    /// Two J1939 messages have one parameter group number; a frame from another address finds only one of them.
    DuplicateGroup = "duplicate-group", Note;
    /// Two messages have one name; the name finds only the first.
    DuplicateMessage = "duplicate-message", Deny;
    /// Two signals of a message have one name; the name finds only the first.
    DuplicateSignal = "duplicate-signal", Deny;
    /// Two nodes have one name.
    DuplicateNode = "duplicate-node", Deny;
    /// A signal name stands in several messages: without its message it says nothing.
    SharedSignalName = "shared-signal-name", Allow;
    /// Two names differ only in case.
    CaseCollision = "case-collision", Warn;
    /// A name is not a C identifier; other tools refuse the file.
    OddName = "odd-name", Warn;
    /// A name is longer than the 32 characters that the format allows.
    LongName = "long-name", Note;
    /// A node neither sends nor receives anything.
    UnusedNode = "unused-node", Note;
    /// A sender or a receiver is not among the nodes.
    UnknownNode = "unknown-node", Warn;
    /// No node sends a message.
    NoSender = "no-sender", Note;
    /// A message has no signal.
    EmptyMessage = "empty-message", Note;
    /// A message has a length that no frame has.
    MessageLength = "message-length", Warn;
    /// Nothing says how often a message is sent.
    MissingCycleTime = "missing-cycle-time", Note;
    /// A message mixes both byte orders.
    MixedByteOrder = "mixed-byte-order", Note;
    /// A message has several multiplexers; tools that know only simple multiplexing read it wrongly.
    SeveralMultiplexers = "several-multiplexers", Note;
    /// Nothing depends on a multiplexer.
    IdleMultiplexer = "idle-multiplexer", Warn;
    /// A multiplexer is named like another signal of its message, so what depends on it is ambiguous.
    AmbiguousMultiplexer = "ambiguous-multiplexer", Deny;
    /// A multiplexed signal can never be present.
    UnreachableSignal = "unreachable-signal", Deny;
    /// A signal depends on values that its multiplexer cannot have.
    MultiplexerValue = "multiplexer-value", Warn;
    /// A signal names a multiplexer value twice.
    DuplicateMultiplexerValue = "duplicate-multiplexer-value", Warn;
    /// A signal has bits outside its message.
    OutsideMessage = "outside-message", Deny;
    /// Two signals that can be present together share bits.
    Overlap = "overlap", Deny;
    /// A signal's minimum is above its maximum.
    RangeInverted = "range-inverted", Deny;
    /// A signal's bits cannot hold its stated minimum or maximum.
    RangeTooWide = "range-too-wide", Warn;
    /// A signal's start value does not fit its bits or its range.
    StartValue = "start-value", Warn;
    /// A label names a raw value that the signal's bits cannot hold.
    LabelOutside = "label-outside", Warn;
    /// A signal has two labels for one raw value; the first is used.
    DuplicateLabelValue = "duplicate-label-value", Warn;
    /// A signal has one label for two raw values; encoding by label uses the first.
    DuplicateLabel = "duplicate-label", Note;
    /// A value that means "not available" or "error" lies inside the stated range.
    SpecialValueInRange = "special-value-in-range", Note;
    /// A unit is not spelled as SI and the Vehicle Signal Specification spell it.
    UnitSpelling = "unit-spelling", Note;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no rule's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRule(String);

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no rule {:?}", self.0)
    }
}

impl core::error::Error for UnknownRule {}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(code: &str) -> Result<Self, UnknownRule> {
        let found = Self::ALL.iter().copied().find(|rule| rule.as_str() == code);
        found.ok_or_else(|| UnknownRule(code.to_string()))
    }
}

/// How much each rule matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    levels: [Level; Rule::ALL.len()],
}

impl Rules {
    /// Every rule at its [default level](Rule::default_level).
    pub fn new() -> Self {
        Rule::ALL.iter().fold(Self::none(), |rules, rule| rules.set(*rule, rule.default_level()))
    }

    /// No rule.
    pub const fn none() -> Self {
        Self { levels: [Level::Allow; Rule::ALL.len()] }
    }

    /// Every rule at one level.
    pub const fn all(level: Level) -> Self {
        Self { levels: [level; Rule::ALL.len()] }
    }

    /// Sets how much a rule matters.
    #[must_use]
    pub fn set(mut self, rule: Rule, level: Level) -> Self {
        if let Some(slot) = self.levels.get_mut(rule as usize) {
            *slot = level;
        }
        self
    }

    /// How much a rule matters.
    pub fn level(&self, rule: Rule) -> Level {
        self.levels.get(rule as usize).copied().unwrap_or_default()
    }
}

/// As [`Rules::new`].
impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}
