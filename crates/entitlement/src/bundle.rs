//! Grants in the text form that VISS's `authorization` and a command line need become tokens again.
//!
//! *Invariant:* a text has one reading and a bundle one text: base64url (RFC 4648 §5) without padding and without spare
//! bits, tokens separated by `.`. At most [`MAX_BUNDLE`] tokens, each within the length of a token.
//! *Next:* `verify.rs` looks into the tokens; `admission.rs` shows a bundle at the door.

use std::fmt;

use crate::token::MAX_TOKEN;

/// The most tokens of a bundle.
pub const MAX_BUNDLE: usize = 16;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Tokens that are shown together. `Display` would show what opens the car, so there is none: [`to_text`](Self::to_text)
/// says it in so many words.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle(Vec<Vec<u8>>);

impl Bundle {
    /// These tokens.
    ///
    /// # Errors
    /// [`BundleError`] for none, more than [`MAX_BUNDLE`], or one that is empty or too long.
    pub fn new(tokens: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, BundleError> {
        let tokens: Vec<_> = tokens.into_iter().take(MAX_BUNDLE + 1).collect();
        let sound = |token: &Vec<u8>| (1..=MAX_TOKEN).contains(&token.len());
        if tokens.is_empty() || tokens.len() > MAX_BUNDLE || !tokens.iter().all(sound) {
            return Err(BundleError);
        }
        Ok(Self(tokens))
    }

    /// A token as it is, or the text form of one or more.
    ///
    /// # Errors
    /// [`BundleError`] if it is neither, or too long.
    pub fn read(credential: &[u8]) -> Result<Self, BundleError> {
        // No text form begins like a token.
        if credential.first() == Some(&0xd2) {
            return Self::new([credential.to_vec()]);
        }
        if credential.len() > MAX_BUNDLE * (MAX_TOKEN * 4 / 3 + 2) {
            return Err(BundleError);
        }
        let parts = credential.split(|byte| *byte == b'.').take(MAX_BUNDLE + 1);
        Self::new(parts.map(|part| decode(part).ok_or(BundleError)).collect::<Result<Vec<_>, _>>()?)
    }

    /// The text form. Whoever has it can show it, so it belongs in no log.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|token| encode(token)).collect::<Vec<_>>().join(".")
    }

    /// The tokens.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            let six = usize::try_from(group >> (18 - 6 * at) & 63).unwrap_or(0);
            out.extend(ALPHABET.get(six).map(|byte| char::from(*byte)));
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len().min(MAX_TOKEN * 4 / 3 + 2) * 3 / 4);
    for chunk in text.chunks(4) {
        let mut group = 0u32;
        for byte in chunk {
            let six = ALPHABET.iter().position(|letter| letter == byte)?;
            group = group << 6 | u32::try_from(six).ok()?;
        }
        group <<= 6 * (4 - chunk.len());
        let whole = chunk.len().checked_sub(1).filter(|whole| *whole > 0)?;
        let bytes = group.to_be_bytes();
        let (used, spare) = bytes.get(1..)?.split_at(whole);
        if spare.iter().any(|byte| *byte != 0) {
            return None;
        }
        out.extend(used);
    }
    Some(out)
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle({} tokens)", self.0.len())
    }
}

/// The bytes are neither a token nor the text form of some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a token nor up to 16 of them in base64url, separated by dots")]
pub struct BundleError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_tokens_are_inverse(tokens in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..16)) {
            let bundle = Bundle::new(tokens.clone()).unwrap();
            let text = bundle.to_text();
            prop_assert!(Bundle::read(text.as_bytes()).unwrap() == bundle);
            prop_assert_eq!(bundle.tokens().collect::<Vec<_>>(), tokens);
        }

        #[test]
        fn what_reads_prints_alike(text in "[A-Za-z0-9_.=-]{0,40}") {
            if let Ok(bundle) = Bundle::read(text.as_bytes()) {
                prop_assert_eq!(bundle.to_text(), text);
            }
        }
    }

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in
            [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        for bad in ["", ".", "Zg==", "Zh", "Z", "Zg.", "Zm9v Yg", &"A".repeat(MAX_TOKEN * 2)] {
            assert!(Bundle::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Bundle::read("Zg.".repeat(16).trim_end_matches('.').as_bytes()).is_ok());
        assert!(Bundle::read("Zg.".repeat(17).trim_end_matches('.').as_bytes()).is_err());
    }
}
