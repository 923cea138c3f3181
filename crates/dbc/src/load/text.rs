//! Bytes become text: UTF-8 where they are that, CP1252 (of which Latin-1's letters are a part) where they are not.
//!
//! *Invariant:* every byte sequence has a text; no byte is dropped but a byte-order mark; at most three bytes of text for one.
//! *Next:* `scan.rs`.

use alloc::borrow::Cow;
use alloc::string::String;

/// The characters of 0x80 to 0x9F; the five that CP1252 leaves open stay the control characters that they are in Latin-1.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// How the bytes of a file are a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark; ASCII is that.
    Utf8,
    /// CP1252: some byte is between 0x80 and 0x9F. The five that it leaves open stay control characters.
    Cp1252,
    /// Latin-1: no byte is between 0x80 and 0x9F, where alone CP1252 differs.
    Latin1,
}

/// The text of a file. A file whose lines end with CR alone gets LF instead.
pub(super) fn decode(bytes: &[u8]) -> (Cow<'_, str>, Encoding) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (text, encoding) = if let Ok(text) = core::str::from_utf8(bytes) {
        (Cow::Borrowed(text), Encoding::Utf8)
    } else {
        let mut text = String::with_capacity(bytes.iter().map(|byte| character(*byte).len_utf8()).sum());
        text.extend(bytes.iter().map(|byte| character(*byte)));
        let high = bytes.iter().any(|byte| (0x80..0xA0).contains(byte));
        (Cow::Owned(text), if high { Encoding::Cp1252 } else { Encoding::Latin1 })
    };
    if text.contains('\r') && !text.contains('\n') {
        return (Cow::Owned(text.replace('\r', "\n")), encoding);
    }
    (text, encoding)
}

fn character(byte: u8) -> char {
    byte.checked_sub(0x80).and_then(|high| HIGH.get(usize::from(high))).copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(decode("\u{FEFF}°C".as_bytes()), ("°C".into(), Encoding::Utf8));
        assert_eq!(decode(b"\xB0C \x80 \x9D"), ("°C € \u{9D}".into(), Encoding::Cp1252));
        assert_eq!(decode(b"\xB0C"), ("°C".into(), Encoding::Latin1));
        assert!(matches!(decode("°C".as_bytes()).0, Cow::Borrowed("°C")));
    }

    #[test]
    fn line_ends() {
        assert_eq!(decode(b"a\rb\r").0, "a\nb\n");
        assert!(matches!(decode(b"a\r\nb\r\n").0, Cow::Borrowed("a\r\nb\r\n")));
        assert!(matches!(decode(b"a\r\r\nb").0, Cow::Borrowed("a\r\r\nb")));
    }
}
