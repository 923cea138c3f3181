//! What was wrong with a file, where, and what was done about it.
//!
//! *Invariant:* line and column are those of the file, from 1; the list is bounded, and says how many more there were.
//! *Next:* `parse.rs` and `assemble.rs` report here; `../load.rs` hands it out.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The most diagnostics that are kept; a last one says how many more there were.
pub const MAX_DIAGNOSTICS: usize = 10_000;
/// The most bytes of a file's text that a diagnostic quotes.
const MAX_TEXT: usize = 80;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The database is what the file says, but the file says something odd.
    Notice,
    /// The file was read as it must have been meant; nothing is lost.
    Repaired,
    /// Something in the file is not in the database.
    Skipped,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// An identifier above 11 bits without bit 31; taken as extended.
    ExtendedWithoutBit31,
    /// An identifier with bits that no identifier has; they are ignored.
    IdTooWide,
    /// A statement without its semicolon.
    MissingSemicolon,
    /// A name that is not a C identifier.
    OddName,
    /// A number in a form that the format does not have (`.25`, `1,5`).
    OddNumber,
    /// A statement that does not follow the format.
    Syntax,
    /// A text without its closing quote.
    UnterminatedText,
    /// Lines that are no statement.
    UnknownStatement,
    /// A statement about a message that is not in the file.
    UnknownMessage,
    /// A statement about a signal that is not in its message.
    UnknownSignal,
    /// A statement about a node that is not in the file.
    UnknownNode,
    /// A statement about an environment variable that is not in the file.
    UnknownEnvironmentVariable,
    /// An attribute that is not defined.
    UnknownAttribute,
    /// A value that its attribute's definition does not allow.
    AttributeValue,
    /// A comment on a signal that names no signal; taken as the message's.
    CommentWithoutSignal,
    /// Two messages with one identifier.
    DuplicateId,
    /// Two messages with one name.
    DuplicateMessage,
    /// Two signals of a message with one name.
    DuplicateSignal,
    /// A value, comment or attribute that is given twice.
    DuplicateStatement,
    /// A signal with bits outside its message.
    OutsideMessage,
    /// Two signals that can be present together share bits.
    Overlap,
    /// A signal of more than 64 bits: kept, and not decoded.
    WideSignal,
    /// A signal whose length, type or scaling cannot be decoded.
    BadSignal,
    /// A multiplexed signal without a usable multiplexer; taken as always present.
    NoMultiplexer,
    /// A float type on a signal that does not have its length.
    FloatLength,
    /// A section that every file should have is missing (`BS_:`, `BU_:`).
    MissingSection,
    /// The second reader takes a sound statement for something else. The text's own reading stands.
    ReadersDisagree,
    /// There were more diagnostics than are kept.
    TooMany,
}

impl Code {
    /// The code in words, joined by hyphens: stable, for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtendedWithoutBit31 => "extended-without-bit-31",
            Self::IdTooWide => "id-too-wide",
            Self::MissingSemicolon => "missing-semicolon",
            Self::OddName => "odd-name",
            Self::OddNumber => "odd-number",
            Self::Syntax => "syntax",
            Self::UnterminatedText => "unterminated-text",
            Self::UnknownStatement => "unknown-statement",
            Self::UnknownMessage => "unknown-message",
            Self::UnknownSignal => "unknown-signal",
            Self::UnknownNode => "unknown-node",
            Self::UnknownEnvironmentVariable => "unknown-environment-variable",
            Self::UnknownAttribute => "unknown-attribute",
            Self::AttributeValue => "attribute-value",
            Self::CommentWithoutSignal => "comment-without-signal",
            Self::DuplicateId => "duplicate-id",
            Self::DuplicateMessage => "duplicate-message",
            Self::DuplicateSignal => "duplicate-signal",
            Self::DuplicateStatement => "duplicate-statement",
            Self::OutsideMessage => "outside-message",
            Self::Overlap => "overlap",
            Self::WideSignal => "wide-signal",
            Self::BadSignal => "bad-signal",
            Self::NoMultiplexer => "no-multiplexer",
            Self::FloatLength => "float-length",
            Self::MissingSection => "missing-section",
            Self::ReadersDisagree => "readers-disagree",
            Self::TooMany => "too-many",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    code: Code,
    severity: Severity,
    line: u32,
    column: u32,
    text: String,
    action: String,
}

impl Diagnostic {
    /// What was wrong.
    pub fn code(&self) -> Code {
        self.code
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> u32 {
        self.column
    }

    /// The text concerned, shortened.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it and what was done, in a sentence's words.
    pub fn action(&self) -> &str {
        &self.action
    }
}

/// `line:column: code: what was done: text`
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.code, self.action)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

/// A place in the text, as a byte offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(super) usize);

/// What is collected while a file is loaded; lines and columns are counted at the end, for those that are kept.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    list: Vec<(Place, Diagnostic)>,
    more: usize,
}

impl Diagnostics {
    /// How many there are so far, those that are not kept included.
    pub(super) fn count(&self) -> usize {
        self.list.len() + self.more
    }

    /// Reports something about the text at a place.
    pub(super) fn report(
        &mut self,
        code: Code,
        severity: Severity,
        place: Place,
        text: &str,
        action: impl Into<String>,
    ) {
        if self.list.len() >= MAX_DIAGNOSTICS {
            self.more += 1;
            return;
        }
        let mut quoted: String =
            text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().nth(MAX_TEXT).is_some() {
            quoted.push('…');
        }
        self.list.push((
            place,
            Diagnostic { code, severity, line: 0, column: 0, text: quoted, action: action.into() },
        ));
    }

    /// Everything, by place, with lines and columns, which are counted on from one place to the next.
    pub(super) fn finish(mut self, text: &str) -> Vec<Diagnostic> {
        self.list.sort_by_key(|entry| entry.0);
        let mut at = Position::default();
        for (place, diagnostic) in &mut self.list {
            (diagnostic.line, diagnostic.column) = at.go(text, *place);
        }
        let mut list: Vec<Diagnostic> = self.list.into_iter().map(|entry| entry.1).collect();
        if self.more > 0 {
            let (line, column) = list.last().map_or((1, 1), |last| (last.line, last.column));
            let action = alloc::format!("{} more diagnostics are not kept", self.more);
            list.push(Diagnostic {
                code: Code::TooMany,
                severity: Severity::Skipped,
                line,
                column,
                text: String::new(),
                action,
            });
        }
        list
    }
}

/// A place whose line and column are known.
#[derive(Debug)]
struct Position {
    at: usize,
    line: u32,
    column: u32,
}

impl Default for Position {
    fn default() -> Self {
        Self { at: 0, line: 1, column: 1 }
    }
}

impl Position {
    /// Goes on to a place that does not come earlier; line and column of it.
    fn go(&mut self, text: &str, place: Place) -> (u32, u32) {
        let to = place.0.min(text.len());
        let between = text.as_bytes().get(self.at..to).unwrap_or_default();
        let mut last = between;
        for (count, part) in between.split(|byte| *byte == b'\n').enumerate() {
            if count > 0 {
                (self.line, self.column) = (add(self.line, 1), 1);
            }
            last = part;
        }
        // Every character has one byte that continues none.
        self.column = add(self.column, last.iter().filter(|byte| **byte & 0xC0 != 0x80).count());
        self.at = self.at.max(to);
        (self.line, self.column)
    }
}

/// Line and column of a place, both from 1.
pub(super) fn position(text: &str, place: Place) -> (u32, u32) {
    Position::default().go(text, place)
}

fn add(count: u32, more: usize) -> u32 {
    count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
}

/// Why a file cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    kind: LoadErrorKind,
    line: u32,
    column: u32,
    text: String,
    diagnostics: Vec<Diagnostic>,
}

/// What is wrong with the file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// There is no DBC statement in it.
    NotADbc,
    /// It ends in the middle of a statement.
    UnexpectedEnd,
    /// Strict mode: there is a diagnostic.
    Refused,
}

impl LoadError {
    pub(super) fn new(kind: LoadErrorKind, line: u32, column: u32, text: impl Into<String>) -> Self {
        Self { kind, line, column, text: text.into(), diagnostics: Vec::new() }
    }

    pub(super) fn refused(diagnostics: Vec<Diagnostic>) -> Self {
        let (line, column) = diagnostics.first().map_or((1, 1), |first| (first.line, first.column));
        Self { kind: LoadErrorKind::Refused, line, column, text: String::new(), diagnostics }
    }

    /// What is wrong with the file as a whole.
    pub fn kind(&self) -> LoadErrorKind {
        self.kind
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> u32 {
        self.column
    }

    /// What strict mode refuses; empty for other errors.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// `line:column: what is wrong`
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            LoadErrorKind::NotADbc => {
                write!(f, "{}:{}: not a DBC file: there is no statement in it", self.line, self.column)
            }
            LoadErrorKind::UnexpectedEnd => write!(
                f,
                "{}:{}: the file ends in the middle of a statement: {}",
                self.line, self.column, self.text
            ),
            LoadErrorKind::Refused => {
                if let Some(first) = self.diagnostics.first() {
                    first.fmt(f)?;
                }
                match self.diagnostics.len() {
                    0 | 1 => Ok(()),
                    count => write!(f, " (and {} more)", count - 1),
                }
            }
        }
    }
}

impl core::error::Error for LoadError {}
