//! Tokens as text: a token that is visible ASCII travels as it is, any other as `b64:` and base64url (RFC 4648, section 5, no padding).
//!
//! *Invariant:* each token has one text, and each text stands for one token.
//! *Next:* `request.rs` (the member `authorization`).

use coachwork_vehicle::Error;

use super::request::invalid;

const PREFIX: &str = "b64:";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(crate) fn to_text(token: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(token)
        && token.iter().all(u8::is_ascii_graphic)
        && !text.starts_with(PREFIX)
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(PREFIX.len() + token.len().div_ceil(3) * 4);
    out.push_str(PREFIX);
    for chunk in token.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            out.push(ALPHABET.get(digit).map_or('A', |&digit| char::from(digit)));
        }
    }
    out
}

/// # Errors
/// Where the text after `b64:` is no base64url, or not the shortest for its bytes. The message does not show it.
pub(crate) fn from_text(text: &str) -> Result<Vec<u8>, Error> {
    let Some(digits) = text.strip_prefix(PREFIX) else { return Ok(text.as_bytes().to_vec()) };
    let bad = || invalid("the authorization is not base64url");
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in chunk {
            let digit = ALPHABET.iter().position(|known| known == byte).ok_or_else(bad)?;
            bits = bits << 6 | u32::try_from(digit).map_err(|_| bad())?;
        }
        bits <<= 6 * (4 - chunk.len());
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (whole, rest) = bytes.split_at_checked(chunk.len() - 1).ok_or_else(bad)?;
        if whole.is_empty() || rest.iter().any(|&byte| byte != 0) {
            return Err(bad());
        }
        out.extend_from_slice(whole);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_survives(token in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_text(&to_text(&token)).unwrap(), token);
        }

        #[test]
        fn a_text_that_is_read_is_the_one_that_is_written(digits in "[A-Za-z0-9_-]{0,12}") {
            let text = format!("b64:{digits}");
            if let Ok(token) = from_text(&text) && to_text(&token).starts_with(PREFIX) {
                prop_assert_eq!(to_text(&token), text);
            }
        }
    }

    #[test]
    fn known_texts() {
        assert_eq!(to_text(b"eyJ.x.y"), "eyJ.x.y");
        assert_eq!(to_text(&[0xfb, 0xff]), "b64:-_8");
        assert_eq!(to_text(b"b64:"), "b64:YjY0Og");
        assert!(from_text("b64:A").is_err());
        assert!(from_text("b64:AB").is_err());
        assert!(from_text("b64:A===").is_err());
    }
}
