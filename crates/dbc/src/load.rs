//! A DBC file becomes a database, and a list of what had to be repaired or left out.
//!
//! *Invariant:* loading never panics and takes time and memory in proportion to the text; nothing is dropped or changed without a diagnostic.
//! *Next:* `text.rs` (bytes to text), `scan.rs` (text to tokens), `statement.rs` and `parse.rs` (tokens to statements), `second.rs` (a second reading), `assemble.rs` (statements to the model).

#[cfg(feature = "std")]
mod agree;
mod apply;
pub(crate) mod assemble;
pub(crate) mod diagnostic;
mod finish;
mod number;
pub(crate) mod parse;
pub(crate) mod resolve;
mod scan;
#[cfg(feature = "std")]
mod second;
mod special;
pub(crate) mod statement;
mod text;

use alloc::vec::Vec;

use self::diagnostic::{Diagnostic, Diagnostics, LoadError};
pub use self::text::Encoding;
use crate::Database;

/// How a file is loaded.
///
/// ```
/// use coachwork_dbc::Options;
///
/// let text = "BS_:\nBU_: A\nBO_ 2500 Late: 8 A\n"; // above 11 bits, and not marked as extended
/// let loaded = Options::new().load(text.as_bytes()).unwrap();
/// assert!(loaded.database.messages()[0].id().is_extended());
/// assert_eq!(loaded.diagnostics[0].line(), 3);
/// assert!(Options::new().strict(true).load(text.as_bytes()).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    strict: bool,
}

/// A loaded database and what was repaired or left out on the way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The database.
    pub database: Database,
    /// What was repaired or left out, by line.
    pub diagnostics: Vec<Diagnostic>,
    /// How the bytes were a text.
    pub encoding: Encoding,
    /// How many statements the second reader (feature `std`) has read too, and alike; a message counts once, with its signals.
    pub read_twice: usize,
}

impl Options {
    /// Lenient: what is broken is repaired or left out, with a diagnostic each.
    pub const fn new() -> Self {
        Self { strict: false }
    }

    /// Whether anything that would be repaired or left out is an error instead.
    #[must_use]
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Loads the bytes of a DBC file: UTF-8 (with or without a byte-order mark), CP1252 or Latin-1; lines end with LF, CR LF or CR.
    ///
    /// # Errors
    /// [`LoadError`] where the bytes hold no DBC statement or end in the middle of one; in strict mode also for every diagnostic.
    pub fn load(self, bytes: &[u8]) -> Result<Loaded, LoadError> {
        let (text, encoding) = text::decode(bytes);
        let loaded = self.load_text(&text)?;
        Ok(Loaded { encoding, ..loaded })
    }

    /// Loads the text of a DBC file.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_text(self, text: &str) -> Result<Loaded, LoadError> {
        let mut diagnostics = Diagnostics::default();
        let (mut statements, read_twice) = parse::parse(text, &mut diagnostics)?;
        statements.gather_independent();
        let database = assemble::assemble(&statements, &mut diagnostics);
        let diagnostics = diagnostics.finish(text);
        if self.strict && !diagnostics.is_empty() {
            return Err(LoadError::refused(diagnostics));
        }
        Ok(Loaded { database, diagnostics, encoding: Encoding::Utf8, read_twice })
    }
}

impl Database {
    /// Loads the text of a DBC file leniently, and drops the diagnostics; [`Options`] keeps them.
    ///
    /// # Errors
    /// As for [`Options::load`].
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        Options::new().load_text(text).map(|loaded| loaded.database)
    }

    /// Loads the bytes of a DBC file leniently, and drops the diagnostics; [`Options`] keeps them.
    ///
    /// # Errors
    /// As for [`Options::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        Options::new().load(bytes).map(|loaded| loaded.database)
    }
}
