//! Tokens become statements. A statement that cannot be read is left out alone: reading goes on at the next line that begins with a keyword.
//!
//! *Invariant:* every statement of the text is either in the result or in a diagnostic; the loop moves forward at every turn.
//! *Next:* `parse/` (each kind of statement), `statement.rs` (what comes out), `assemble.rs` (what is made of it).

mod attributes;
mod describe;
mod layout;
mod words;

use alloc::format;

use super::diagnostic::{Code, Diagnostics, LoadError, LoadErrorKind, Place, Severity, position};
use super::scan::{Fail, Scan, is_keyword};
#[cfg(feature = "std")]
use super::second::SecondReader;
use super::statement::Statements;

/// Reads a whole file; says also how many statements a second reader has read alike.
pub(super) fn parse<'t>(
    text: &'t str,
    diagnostics: &mut Diagnostics,
) -> Result<(Statements<'t>, usize), LoadError> {
    let mut parser = Parser {
        scan: Scan::new(text),
        diagnostics,
        out: Statements::default(),
        known: 0,
        open: false,
        independent: None,
        #[cfg(feature = "std")]
        second: SecondReader::default(),
        #[cfg(feature = "std")]
        text,
    };
    let end = parser.file();
    #[cfg(feature = "std")]
    let read_twice = parser.second.agreed();
    #[cfg(not(feature = "std"))]
    let read_twice = 0;
    let Parser { out, known, .. } = parser;
    let (kind, place, what) = match end {
        Err(fail) => (LoadErrorKind::UnexpectedEnd, fail.place, fail.what),
        Ok(()) if known == 0 => (LoadErrorKind::NotADbc, Place(0), ""),
        Ok(()) => return Ok((out, read_twice)),
    };
    let (line, column) = position(text, place);
    Err(LoadError::new(kind, line, column, what))
}

struct Parser<'t, 'd> {
    scan: Scan<'t>,
    diagnostics: &'d mut Diagnostics,
    out: Statements<'t>,
    /// How many statements were recognised.
    known: usize,
    /// Whether the last message can take signals.
    open: bool,
    /// Another id that the pseudo message has in this file.
    independent: Option<u32>,
    #[cfg(feature = "std")]
    second: SecondReader,
    #[cfg(feature = "std")]
    text: &'t str,
}

impl<'t> Parser<'t, '_> {
    fn file(&mut self) -> Result<(), Fail> {
        while !self.scan.at_end() {
            let place = self.scan.place();
            let Some((_, word)) = self.scan.word_or_none() else {
                // A lone semicolon is nobody's loss.
                if !self.scan.eat(b';') {
                    self.unknown(place);
                }
                continue;
            };
            if !is_keyword(word) {
                self.unknown(place);
                continue;
            }
            self.known += 1;
            self.before(word, place);
            let reported = self.diagnostics.count();
            match self.statement(word, place) {
                Ok(()) => self.read_again(word, place, self.diagnostics.count() == reported),
                Err(fail) => {
                    self.read_again(word, place, false);
                    self.recover(word, place, &fail)?;
                }
            }
        }
        self.before("", Place(usize::MAX));
        Ok(())
    }

    /// A message ends where the next statement begins that is no signal.
    #[cfg(feature = "std")]
    fn before(&mut self, word: &str, place: Place) {
        if word != "SG_" && self.second.in_message() {
            let end = Place(place.0.min(self.text.len()));
            self.second.message_ends(self.text, end, &self.out, self.diagnostics);
        }
    }

    #[cfg(not(feature = "std"))]
    fn before(&mut self, _word: &str, _place: Place) {}

    /// Gives a statement to the second reader; `sound` says that the first had nothing to report.
    #[cfg(feature = "std")]
    fn read_again(&mut self, word: &str, place: Place, sound: bool) {
        let text = self.scan.since(place);
        self.second.statement((word, place), sound, text, &self.out, self.diagnostics);
    }

    #[cfg(not(feature = "std"))]
    fn read_again(&mut self, _word: &str, _place: Place, _sound: bool) {}

    /// Leaves out lines up to the next that begins with a keyword.
    fn unknown(&mut self, place: Place) {
        self.diagnostics.report(
            Code::UnknownStatement,
            Severity::Skipped,
            place,
            self.scan.line(place),
            "left out: this is no statement",
        );
        let next = self.scan.next_keyword_line(place);
        self.jump(next);
    }

    /// Leaves out a statement that cannot be read.
    fn recover(&mut self, word: &str, place: Place, fail: &Fail) -> Result<(), Fail> {
        let next = self.scan.next_statement_on_line(place).or_else(|| self.scan.next_keyword_line(place));
        if fail.at_end && next.is_none() {
            return Err(Fail { place: fail.place, what: fail.what, at_end: true });
        }
        if word == "BO_" {
            self.open = false;
        }
        // A text that swallowed the next statements has lost its closing quote.
        let swallowed = fail.at_end || next.is_some_and(|next| next <= fail.place);
        let (code, at, what) = if swallowed {
            (Code::UnterminatedText, place, "a text in it has no closing quote")
        } else {
            (Code::Syntax, fail.place, fail.what)
        };
        let action = format!("left out: {what}");
        self.diagnostics.report(code, Severity::Skipped, at, self.scan.line(place), action);
        self.jump(next);
        Ok(())
    }

    fn jump(&mut self, next: Option<Place>) {
        self.scan.jump(next.unwrap_or(Place(usize::MAX)));
    }

    fn statement(&mut self, word: &'t str, place: Place) -> Result<(), Fail> {
        match word {
            "VERSION" => {
                let text = self.scan.quoted("a version is a text in quotes")?;
                self.out.version = Some(text);
                self.scan.eat(b';');
            }
            "NS_" => self.new_symbols()?,
            "BS_" => {
                self.scan.expect(b':', "`:` is missing")?;
                self.out.has_bit_timing = true;
                self.out.bit_timing =
                    self.scan.rest_of_line().trim_end_matches(|c: char| c == ';' || c.is_whitespace());
            }
            "BU_" => self.nodes()?,
            "BO_" => self.message(place)?,
            "SG_" => self.signal(place)?,
            "BO_TX_BU_" => self.senders(place)?,
            "CM_" => self.comment(place)?,
            "BA_DEF_" => self.definition(place, false)?,
            "BA_DEF_REL_" => self.definition(place, true)?,
            "BA_DEF_DEF_" => self.default(place, false)?,
            "BA_DEF_DEF_REL_" => self.default(place, true)?,
            "BA_" => self.attribute(place)?,
            "BA_REL_" => self.relation(place)?,
            "VAL_" => self.labels_of(place)?,
            "SIG_VALTYPE_" => self.float(place)?,
            "SG_MUL_VAL_" => self.multiplexed(place)?,
            "VAL_TABLE_" => self.table(place)?,
            "SIG_GROUP_" => self.group(place)?,
            "EV_" => self.environment(place)?,
            "ENVVAR_DATA_" => self.environment_data(place)?,
            // Obsolete: kept as they are.
            _ => {
                while !self.scan.eat(b';') {
                    if self.scan.next_is(b'"') {
                        self.scan.quoted("a text is missing")?;
                    } else if self.scan.at_keyword_line() || !self.scan.step() {
                        return Err(self.scan.fail("`;` is missing"));
                    }
                }
                self.out.others.push(self.scan.since(place));
            }
        }
        Ok(())
    }
}

/// The names that stand for no node.
pub(super) fn is_nobody(name: &str) -> bool {
    matches!(name, "Vector__XXX" | "VectorXXX" | "VECTOR__XXX")
}
