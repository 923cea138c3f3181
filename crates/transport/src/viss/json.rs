//! The smallest JSON writer that the messages need, and the check that a text is not nested too deep to be read.
//!
//! *Invariant:* what is written is valid JSON, whatever the strings hold.
//! *Next:* every file that encodes; `raw.rs` (which decodes with serde_json after the check).

use std::fmt::Display;
use std::io::Write as _;

use bytes::Bytes;
use coachwork_vehicle::{Error, ErrorKind, Timestamp};

use super::dialect::Form;

/// Writes JSON; commas come by themselves.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    comma: bool,
}

impl Json {
    pub(crate) fn new() -> Self {
        Self { out: Vec::with_capacity(256), comma: false }
    }

    /// Continues an object that another text opened and left with a member.
    pub(crate) fn continued() -> Self {
        Self { comma: true, ..Self::new() }
    }

    pub(crate) fn open(&mut self, bracket: u8) -> &mut Self {
        self.separate();
        self.out.push(bracket);
        self.comma = false;
        self
    }

    pub(crate) fn close(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self.comma = true;
        self
    }

    /// The name of a member, which must need no escapes.
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.comma = false;
        self
    }

    /// The name of a member, whatever it holds.
    pub(crate) fn any_key(&mut self, key: &str) -> &mut Self {
        self.text(key);
        self.out.push(b':');
        self.comma = false;
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        escape(&mut self.out, text);
        self.out.push(b'"');
        self.comma = true;
        self
    }

    /// A value in quotation marks; its text must need no escapes.
    pub(crate) fn plain(&mut self, value: impl Display) -> &mut Self {
        self.separate();
        // Writing to a vector does not fail.
        let _ = write!(self.out, "\"{value}\"");
        self.comma = true;
        self
    }

    /// A time: as it is to a peer with additional members, to others with no more digits than the standard shows, six.
    pub(crate) fn time(&mut self, time: Timestamp, form: Form) -> &mut Self {
        let finer = if form.additions { 0 } else { time.nanoseconds().rem_euclid(1_000) };
        let time = Timestamp::from_nanoseconds(time.nanoseconds().saturating_sub(finer));
        self.bare(time.encode(&mut [0; Timestamp::LONGEST]))
    }

    /// A text that needs no escapes.
    pub(crate) fn bare(&mut self, text: &str) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        self.comma = true;
        self
    }

    /// The name of a request: a text, or a whole number.
    pub(crate) fn id(&mut self, key: &str, id: &str, is_number: bool) -> &mut Self {
        if !is_number {
            return self.member(key, id);
        }
        self.key(key).out.extend_from_slice(id.as_bytes());
        self.comma = true;
        self
    }

    /// A JSON number.
    pub(crate) fn number(&mut self, value: u16) -> &mut Self {
        self.separate();
        let _ = write!(self.out, "{value}");
        self.comma = true;
        self
    }

    /// A member whose value is a text.
    pub(crate) fn member(&mut self, key: &str, text: &str) -> &mut Self {
        self.key(key).text(text)
    }

    /// A text that is JSON already and continues this one.
    pub(crate) fn splice(&mut self, json: &[u8]) -> &mut Self {
        self.out.extend_from_slice(json);
        self.comma = true;
        self
    }

    pub(crate) fn finish(self) -> Bytes {
        self.out.into()
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
    }
}

fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        let Some((&byte, tail)) = tail.split_first() else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                let _ = write!(out, "\\u{other:04x}");
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// The lowest byte that is zero sets its high bit; those above it may be wrong.
const fn zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// The position of the first byte that needs an escape. Eight bytes are looked at together, for most texts have none.
fn first_special(text: &[u8]) -> Option<usize> {
    let (words, _) = text.as_chunks::<8>();
    let clean = words.iter().position(|word| {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        control | quote | zero(word ^ (ONES * u64::from(b'\\'))) != 0
    });
    let from = clean.unwrap_or(words.len()) * 8;
    let special = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let rest = text.get(from..)?;
    Some(from + rest.iter().position(special)?)
}

/// Checks, without recursion, that arrays and objects nest at most `limit` deep, and that the text is UTF-8.
pub(crate) fn checked(data: &[u8], limit: usize) -> Result<&str, Error> {
    let (mut depth, mut rest) = (0_usize, data);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'"' => after_string(tail),
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    let message = format!("the message nests deeper than {limit}");
                    return Err(Error::new(ErrorKind::Limit, message));
                }
                tail
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                tail
            }
            _ => tail,
        };
    }
    std::str::from_utf8(data).map_err(|_| Error::new(ErrorKind::Invalid, "the message is not UTF-8"))
}

/// What follows a string's end; nothing where it has none.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = first_mark(rest) {
        let is_escape = rest.get(at) == Some(&b'\\');
        rest = rest.get(at + 1 + usize::from(is_escape)..).unwrap_or_default();
        if !is_escape {
            return rest;
        }
    }
    &[]
}

/// The position of the first quotation mark or backslash. Most strings are short: eight bytes are looked at together first, for a search
/// takes as long to get going.
fn first_mark(text: &[u8]) -> Option<usize> {
    const WORDS: usize = 4;
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let marks = zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if marks != 0 {
            // The lowest bit that is set is that of the first mark.
            return Some(at * 8 + usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0));
        }
    }
    let from = words.len().min(WORDS) * 8;
    Some(from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_string_survives(text in "[a\"\\\\\\x00-\\x1f\\x7fäß]{0,40}", other in any::<String>()) {
            let mut json = Json::new();
            json.open(b'{').member("text", &text).member("other", &other);
            json.key("list").open(b'[').plain(5).plain(6).close(b']').close(b'}');
            let back: serde_json::Value = serde_json::from_slice(&json.finish()).unwrap();
            prop_assert_eq!(back, serde_json::json!({"text": text, "other": other, "list": ["5", "6"]}));
        }

        /// The same depth as a look at every byte finds.
        #[test]
        fn depth_is_that_of_a_plain_look(data in "[\\[\\]{}\"\\\\a]{0,40}", limit in 0_usize..4) {
            let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
            for byte in data.bytes() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_string => escaped = true,
                    b'"' => in_string = !in_string,
                    b'{' | b'[' if !in_string => depth += 1,
                    b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
                    _ => {}
                }
                deepest = deepest.max(depth);
            }
            prop_assert_eq!(checked(data.as_bytes(), limit).is_ok(), deepest <= limit);
        }
    }

    #[test]
    fn depth_is_checked_without_recursion_and_strings_do_not_count() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(checked(deep.as_bytes(), 16).unwrap_err().kind(), ErrorKind::Limit);
        let text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(100));
        assert!(checked(text.as_bytes(), 1).is_ok());
        assert!(checked(b"[[]]", 1).is_err());
        assert!(checked(b"[[]]", 2).is_ok());
        assert_eq!(checked(b"\"\xff\"", 2).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
