//! Text becomes tokens: words, numbers, quoted texts and single characters, with their places.
//!
//! *Invariant:* the position only grows within a statement; every step is a character boundary.
//! *Next:* `parse.rs` asks for tokens.

use alloc::borrow::Cow;
use alloc::string::String;

use super::diagnostic::Place;

/// Every keyword that begins a statement, obsolete ones included.
pub(super) const KEYWORDS: [&str; 31] = [
    "VERSION",
    "NS_",
    "BS_",
    "BU_",
    "VAL_TABLE_",
    "BO_",
    "SG_",
    "BO_TX_BU_",
    "EV_",
    "ENVVAR_DATA_",
    "EV_DATA_",
    "SGTYPE_",
    "SGTYPE_VAL_",
    "BA_DEF_SGTYPE_",
    "BA_SGTYPE_",
    "SIG_TYPE_REF_",
    "CM_",
    "BA_DEF_",
    "BA_DEF_REL_",
    "BA_DEF_DEF_",
    "BA_DEF_DEF_REL_",
    "BA_",
    "BA_REL_",
    "VAL_",
    "SIG_GROUP_",
    "SIG_VALTYPE_",
    "SIGTYPE_VALTYPE_",
    "SG_MUL_VAL_",
    "CAT_DEF_",
    "CAT_",
    "FILTER",
];

/// The most bytes of a line that are looked at for a diagnostic.
const MAX_LINE: usize = 512;

/// Why a statement cannot be read.
#[derive(Debug)]
pub(super) struct Fail {
    pub(super) place: Place,
    pub(super) what: &'static str,
    /// The text ended where more was needed.
    pub(super) at_end: bool,
}

/// A position in the text.
#[derive(Clone, Debug)]
pub(super) struct Scan<'t> {
    text: &'t str,
    at: usize,
    /// Where the last token ended.
    last: usize,
}

/// Space, and control characters that some editors leave behind.
const SPACE: u8 = 1;
const DELIMITER: u8 = 2;
/// A letter, a digit or an underscore.
const IDENTIFIER: u8 = 4;
const DIGIT: u8 = 8;

/// What each byte is.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(
            clippy::indexing_slicing,
            reason = "a byte is an index of 256, and this runs when the crate is compiled"
        )]
        let class = &mut classes[byte as usize];
        *class = match byte {
            0..=b' ' | 0x7F => SPACE,
            b':' | b';' | b',' | b'|' | b'@' | b'(' | b')' | b'[' | b']' | b'"' => DELIMITER,
            b'0'..=b'9' => IDENTIFIER | DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => IDENTIFIER,
            _ => 0,
        };
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

fn is_delimiter(byte: u8) -> bool {
    class(byte) == DELIMITER
}

pub(super) fn is_space(byte: u8) -> bool {
    class(byte) == SPACE
}

/// Whether a name is a C identifier.
pub(super) fn is_identifier(name: &str) -> bool {
    name.bytes().all(|byte| class(byte) & IDENTIFIER != 0)
        && name.bytes().next().is_none_or(|first| class(first) & DIGIT == 0)
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, last: 0 }
    }

    pub(super) fn place(&self) -> Place {
        Place(self.at)
    }

    /// The place behind the last token.
    pub(super) fn behind(&self) -> Place {
        Place(self.last)
    }

    pub(super) fn jump(&mut self, place: Place) {
        self.at = place.0.min(self.text.len());
        self.last = self.at;
    }

    pub(super) fn fail(&self, what: &'static str) -> Fail {
        Fail { place: self.place(), what, at_end: self.at >= self.text.len() }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The bytes from a place on.
    fn rest(&self, from: usize) -> &'t [u8] {
        self.text.as_bytes().get(from..).unwrap_or_default()
    }

    /// How far an ASCII character is from a place: a short loop for short texts, and what the standard library has for long ones.
    fn find(&self, from: usize, wanted: u8) -> Option<usize> {
        const NEAR: usize = 24;
        let rest = self.rest(from);
        let near = rest.get(..NEAR).unwrap_or(rest);
        if let Some(at) = near.iter().position(|byte| *byte == wanted) {
            return Some(at);
        }
        // What is skipped up to the next character is the end of one that is not ASCII.
        let next = (NEAR..NEAR + 4).find(|at| self.text.is_char_boundary(from.saturating_add(*at)))?;
        let far = self.text.get(from.saturating_add(next)..)?.find(char::from(wanted))?;
        Some(next + far)
    }

    /// Skips space and line ends, and comments in the manner of C++.
    #[inline]
    pub(super) fn space(&mut self) {
        loop {
            let rest = self.rest(self.at);
            self.at += rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
            if self.byte(self.at) != Some(b'/') || self.byte(self.at + 1) != Some(b'/') {
                return;
            }
            self.at = self.line_end(self.at);
        }
    }

    /// Skips space on this line.
    fn blank(&mut self) {
        let rest = self.rest(self.at);
        self.at += rest.iter().position(|byte| !is_space(*byte) || *byte == b'\n').unwrap_or(rest.len());
    }

    /// Whether nothing is left on this line.
    pub(super) fn at_line_end(&mut self) -> bool {
        self.blank();
        self.byte(self.at).is_none_or(|byte| byte == b'\n')
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.space();
        self.at >= self.text.len()
    }

    /// The end of the line that holds this byte.
    fn line_end(&self, from: usize) -> usize {
        self.find(from, b'\n').map_or(self.text.len(), |length| from + length)
    }

    /// The rest of the line from a place, as far as a diagnostic quotes it.
    pub(super) fn line(&self, place: Place) -> &'t str {
        let rest = self.rest(place.0);
        let near = rest.get(..MAX_LINE).unwrap_or(rest);
        let end = near.iter().position(|byte| *byte == b'\n').unwrap_or(near.len());
        let end = (end..end + 4).find(|end| self.text.is_char_boundary(place.0.saturating_add(*end)));
        self.slice(place.0, place.0.saturating_add(end.unwrap_or_default())).trim()
    }

    /// The text between a place and the last token's end.
    pub(super) fn since(&self, place: Place) -> &'t str {
        self.slice(place.0, self.last)
    }

    /// Takes this character if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.byte(self.at) == Some(byte);
        if found {
            self.at += 1;
            self.last = self.at;
        }
        found
    }

    /// Whether this character comes next.
    pub(super) fn next_is(&mut self, byte: u8) -> bool {
        self.space();
        self.byte(self.at) == Some(byte)
    }

    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fail> {
        if self.eat(byte) { Ok(()) } else { Err(self.fail(what)) }
    }

    /// A run of characters that are neither space nor delimiters; may be empty.
    pub(super) fn word_or_none(&mut self) -> Option<(Place, &'t str)> {
        self.space();
        let from = self.at;
        let rest = self.rest(from);
        self.at += rest.iter().position(|byte| class(*byte) & (SPACE | DELIMITER) != 0).unwrap_or(rest.len());
        if self.at == from {
            return None;
        }
        self.last = self.at;
        Some((Place(from), self.slice(from, self.at)))
    }

    /// Takes a word or a delimiter; `false` at the end.
    pub(super) fn step(&mut self) -> bool {
        if self.word_or_none().is_some() {
            return true;
        }
        let more = self.at < self.text.len();
        self.at += usize::from(more);
        self.last = self.at;
        more
    }

    pub(super) fn word(&mut self, what: &'static str) -> Result<(Place, &'t str), Fail> {
        self.word_or_none().ok_or_else(|| self.fail(what))
    }

    /// The next word, not taken.
    pub(super) fn peek_word(&mut self) -> Option<&'t str> {
        let mut ahead = self.clone();
        ahead.word_or_none().map(|word| word.1)
    }

    /// Digits, for numbers that a sign follows.
    pub(super) fn digits(&mut self, what: &'static str) -> Result<&'t str, Fail> {
        self.space();
        let from = self.at;
        let rest = self.rest(from);
        self.at += rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if self.at == from {
            return Err(self.fail(what));
        }
        self.last = self.at;
        Ok(self.slice(from, self.at))
    }

    /// A text in quotes; `\"` is a quote within it.
    pub(super) fn quoted(&mut self, what: &'static str) -> Result<Cow<'t, str>, Fail> {
        self.expect(b'"', what)?;
        let from = self.at;
        let mut escaped = false;
        while let Some(length) = self.find(self.at, b'"') {
            let quote = self.at + length;
            self.at = quote + 1;
            if quote > from && self.byte(quote - 1) == Some(b'\\') {
                escaped = true;
                continue;
            }
            self.last = self.at;
            let text = self.slice(from, quote);
            return Ok(if escaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) });
        }
        self.at = self.text.len();
        Err(Fail { place: Place(from.saturating_sub(1)), what: "the text is not closed", at_end: true })
    }

    /// The next line after a place that begins with a keyword, if there is one.
    pub(super) fn next_keyword_line(&self, after: Place) -> Option<Place> {
        let mut at = self.line_end(after.0);
        while at < self.text.len() {
            let from = at + 1;
            at = self.line_end(from);
            let line = self.slice(from, at);
            let begin = line.bytes().position(|byte| !is_space(byte)).unwrap_or(line.len());
            let word =
                line.bytes().skip(begin).take_while(|byte| !is_space(*byte) && !is_delimiter(*byte)).count();
            if is_keyword(self.slice(from + begin, from + begin + word)) {
                return Some(Place(from + begin));
            }
        }
        None
    }

    /// The place behind the first semicolon outside quotes, on the line that holds this place, where something follows it.
    pub(super) fn next_statement_on_line(&self, after: Place) -> Option<Place> {
        let mut inside = false;
        let rest = self.rest(after.0);
        let on_line = |byte: &&u8| **byte != b'\n';
        let end = rest.iter().take_while(on_line).position(|byte| {
            inside ^= *byte == b'"';
            *byte == b';' && !inside
        })?;
        let more = rest.iter().skip(end + 1).take_while(on_line).any(|byte| !is_space(*byte));
        more.then_some(Place(after.0 + end + 1))
    }

    /// Whether a keyword comes next, as the first word of its line.
    pub(super) fn at_keyword_line(&mut self) -> bool {
        self.space();
        let begin = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let fresh = begin.iter().rev().take_while(|byte| **byte != b'\n').all(|byte| is_space(*byte));
        fresh && self.peek_word().is_some_and(is_keyword)
    }

    /// The words of the next line that has nothing but words of letters, digits and underscores.
    pub(super) fn symbol_line(&mut self) -> Option<&'t str> {
        let mut from = self.at;
        loop {
            let to = self.line_end(from);
            let line = self.slice(from, to).trim();
            if line.is_empty() && to < self.text.len() {
                from = to + 1;
                continue;
            }
            let symbols = !line.is_empty()
                && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || is_space(byte));
            if symbols {
                self.at = to;
                self.last = to;
            }
            return symbols.then_some(line);
        }
    }

    /// Takes the rest of the line.
    pub(super) fn rest_of_line(&mut self) -> &'t str {
        let from = self.at;
        self.at = self.line_end(from);
        self.last = self.at;
        self.slice(from, self.at).trim()
    }
}

pub(super) fn is_keyword(word: &str) -> bool {
    (word.ends_with('_') || matches!(word, "VERSION" | "FILTER")) && KEYWORDS.contains(&word)
}

fn unescape(text: &str) -> String {
    text.replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_near_and_far() {
        for before in 0..40 {
            for letter in ["a", "é", "€", "𝄞"] {
                let text = std::format!("{}{}\n", "x".repeat(before), letter.repeat(9));
                assert_eq!(Scan::new(&text).find(0, b'\n'), Some(text.len() - 1), "{text}");
                assert_eq!(Scan::new(&text).find(1, b'\n').is_some(), text.len() > 1);
                assert_eq!(Scan::new(&text).find(0, b';'), None);
            }
        }
        assert_eq!(Scan::new("abc").find(usize::MAX, b'c'), None);
    }
}
