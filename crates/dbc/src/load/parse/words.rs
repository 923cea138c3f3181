//! What statements are made of: names, ids, numbers, ranges, and the semicolon at the end.
//!
//! *Invariant:* an odd spelling that has one meaning is read and reported; one that has none fails, with its place.
//! *Next:* `layout.rs`, `describe.rs` and `attributes.rs` (statements of them).

use super::Parser;
use crate::CanId;
use crate::load::diagnostic::{Code, Place, Severity};
use crate::load::number;
use crate::load::scan::{Fail, is_identifier};
use crate::load::statement::MessageRef;

/// The id of the pseudo message that holds signals without a message.
const INDEPENDENT: u32 = 0xC000_0000;

impl<'t> Parser<'t, '_> {
    /// The semicolon; where it is missing, the next statement or the end of the file shows that.
    pub(super) fn end(&mut self, place: Place) -> Result<(), Fail> {
        if self.scan.eat(b';') {
            return Ok(());
        }
        let behind = self.scan.behind();
        if self.scan.at_end() || self.scan.at_keyword_line() {
            self.diagnostics.report(
                Code::MissingSemicolon,
                Severity::Repaired,
                behind,
                self.scan.line(place),
                "added the missing semicolon",
            );
            return Ok(());
        }
        Err(self.scan.fail("`;` is missing"))
    }

    pub(super) fn name(&mut self, what: &'static str) -> Result<&'t str, Fail> {
        let (place, name) = self.scan.word(what)?;
        self.check_name(place, name);
        Ok(name)
    }

    pub(super) fn check_name(&mut self, place: Place, name: &str) {
        if !is_identifier(name) {
            self.diagnostics.report(
                Code::OddName,
                Severity::Repaired,
                place,
                name,
                "kept a name that is not a C identifier",
            );
        }
    }

    pub(super) fn id(&mut self) -> Result<MessageRef, Fail> {
        let (place, word) = self.scan.word("a message id is missing")?;
        let Ok(number) = word.parse::<u32>() else {
            return Err(Fail { place, what: "a message id is a number of 32 bits", at_end: false });
        };
        Ok(self.id_of(place, word, number))
    }

    /// The id of a message that a name follows. Some files have the pseudo message under another id.
    pub(super) fn id_of_message(&mut self) -> Result<MessageRef, Fail> {
        let mut ahead = self.scan.clone();
        let number =
            ahead.word_or_none().and_then(|(place, word)| Some((place, word, word.parse::<u32>().ok()?)));
        if let Some((place, word, number)) = number
            && number != INDEPENDENT
            && ahead.peek_word() == Some("VECTOR__INDEPENDENT_SIG_MSG")
        {
            self.independent = Some(number);
            self.scan = ahead;
            let action = "read as the pseudo message for signals without one, as its name says";
            self.diagnostics.report(Code::IdTooWide, Severity::Repaired, place, word, action);
            return Ok(None);
        }
        self.id()
    }

    /// The identifier that a number stands for; every number stands for one, and the same everywhere in the file.
    pub(super) fn id_of(&mut self, place: Place, word: &str, number: u32) -> MessageRef {
        if number == INDEPENDENT || self.independent == Some(number) {
            return None;
        }
        if let Some(id) = CanId::from_dbc(number) {
            return Some(id);
        }
        let masked = number & 0x1FFF_FFFF;
        let (code, action) = if number == masked {
            (Code::ExtendedWithoutBit31, "read as an extended id: it is above 11 bits without bit 31")
        } else {
            (Code::IdTooWide, "ignored the bits above the 29th")
        };
        self.diagnostics.report(code, Severity::Repaired, place, word, action);
        CanId::extended(masked)
    }

    pub(super) fn float_number(&mut self, what: &'static str) -> Result<f64, Fail> {
        let (place, word) = self.scan.word(what)?;
        let (value, sound) = number::float(word).ok_or(Fail { place, what, at_end: false })?;
        self.check_number(place, word, sound);
        Ok(value)
    }

    /// `[min|max]`
    pub(super) fn range(&mut self) -> Result<(f64, f64), Fail> {
        self.scan.expect(b'[', "`[` is missing before the smallest value")?;
        let min = self.range_bound("a smallest value is missing")?;
        self.scan.expect(b'|', "`|` is missing after the smallest value")?;
        let max = self.range_bound("a largest value is missing")?;
        self.scan.expect(b']', "`]` is missing after the largest value")?;
        Ok((min, max))
    }

    pub(super) fn range_bound(&mut self, what: &'static str) -> Result<f64, Fail> {
        let (place, word) = self.scan.word(what)?;
        let (value, sound) = number::bound(word).ok_or(Fail { place, what, at_end: false })?;
        self.check_number(place, word, sound);
        Ok(value)
    }

    pub(super) fn integer_number(&mut self, what: &'static str) -> Result<i128, Fail> {
        let (place, word) = self.scan.word(what)?;
        let (value, sound) = number::integer(word).ok_or(Fail { place, what, at_end: false })?;
        self.check_number(place, word, sound);
        Ok(value)
    }

    pub(super) fn unsigned(&mut self, what: &'static str) -> Result<u32, Fail> {
        let place = self.scan.place();
        u32::try_from(self.integer_number(what)?).map_err(|_| Fail { place, what, at_end: false })
    }

    pub(super) fn check_number(&mut self, place: Place, word: &str, sound: bool) {
        if !sound {
            self.diagnostics.report(
                Code::OddNumber,
                Severity::Repaired,
                place,
                word,
                "read a number in a form that the format does not have",
            );
        }
    }
}
