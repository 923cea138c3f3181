//! Bytes become text: UTF-8 where they are that, CP1252 (of which Latin-1's letters are a part) where they are not.
//!
//! *Invariant:* every byte sequence has a text; no byte is dropped but a byte-order mark.
//! *Next:* `scan.rs`.

use alloc::borrow::Cow;

/// The characters of 0x80 to 0x9F; the five that CP1252 leaves open stay the control characters that they are in Latin-1.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// The text of a file.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match core::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(
            bytes
                .iter()
                .map(|byte| {
                    byte.checked_sub(0x80)
                        .and_then(|high| HIGH.get(usize::from(high)))
                        .copied()
                        .unwrap_or(char::from(*byte))
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(decode("\u{FEFF}°C".as_bytes()), "°C");
        assert_eq!(decode(b"\xB0C \x80 \x9D"), "°C € \u{9D}");
        assert!(matches!(decode("°C".as_bytes()), Cow::Borrowed("°C")));
    }
}
