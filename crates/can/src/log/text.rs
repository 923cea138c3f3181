//! Digits become numbers, without allocation and without panics.
//!
//! *Invariant:* nothing is rounded or cut: a number that does not fit, or has more decimals than a nanosecond, is `None` (but for
//! [`float_seconds`], whose decimals are a double's noise).
//! *Next:* the readers of lines.

use super::error::{Flaw, LogFault};
use crate::{CanId, Frame};
use coachwork_vehicle::Timestamp;

/// What is left of a line, and where in the line that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Rest<'a> {
    pub(super) fn new(line: &'a [u8], from: usize) -> Self {
        Self { bytes: line.get(from..).unwrap_or_default(), offset: from }
    }

    pub(super) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn offset(self) -> usize {
        self.offset
    }

    pub(super) fn first(self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(super) fn skip(self, count: usize) -> Self {
        Self { bytes: self.bytes.get(count..).unwrap_or_default(), offset: self.offset + count }
    }

    /// Without the spaces it begins with. A tab is not a space here: candump indents its explanations with one.
    pub(super) fn after_spaces(self) -> Self {
        self.skip(self.bytes.iter().take_while(|b| **b == b' ').count())
    }

    /// The text up to `end`, and what follows it.
    pub(super) fn until(self, end: u8) -> Option<(&'a [u8], Self)> {
        let at = memchr::memchr(end, self.bytes)?;
        Some((self.bytes.get(..at)?, self.skip(at + 1)))
    }

    /// The next word and what follows it; words are parted by spaces and tabs. Empty at the end.
    pub(super) fn next_word(self) -> (Word<'a>, Self) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = self.skip(self.bytes.iter().take_while(|byte| blank(byte)).count());
        let len = start.bytes.iter().position(blank).unwrap_or(start.bytes.len());
        let text = start.bytes.get(..len).unwrap_or_default();
        (Word { text, offset: start.offset }, start.skip(len))
    }

    /// The text up to the next space (or the end), and what follows, its spaces skipped.
    pub(super) fn word(self) -> (&'a [u8], Self) {
        let at = memchr::memchr(b' ', self.bytes).unwrap_or(self.bytes.len());
        (self.bytes.get(..at).unwrap_or_default(), self.skip(at).after_spaces())
    }
}

/// A word of a line, and where in the line it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a [u8],
    pub(super) offset: usize,
}

impl Word<'_> {
    pub(super) fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn flaw(self, fault: LogFault) -> Flaw {
        Flaw::at(self.offset, fault)
    }
}

/// The value of a hexadecimal digit; 0xFF for every other byte.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds does not compile")]
static HEX: [u8; 256] = {
    let mut table = [0xFF; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'F' => byte - b'A' + 10,
            b'a'..=b'f' => byte - b'a' + 10,
            _ => 0xFF,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

#[inline]
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    let value = digit(byte);
    if value == 0xFF { None } else { Some(value) }
}

#[inline]
fn digit(byte: u8) -> u8 {
    HEX.get(usize::from(byte)).copied().unwrap_or(0xFF)
}

/// The byte that two digits spell; above 0xFF when they do not.
#[inline]
pub(super) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (digit(high), digit(low));
    if (high | low) & 0xF0 == 0 { Some(high << 4 | low) } else { None }
}

/// Pairs of digits into the bytes they spell; `false` where there are more than `into` takes, or something else than digits.
#[inline]
pub(super) fn hex_bytes(text: &[u8], into: &mut [u8]) -> bool {
    let (eights, rest) = text.as_chunks::<8>();
    let (fours, _) = into.as_chunks_mut::<4>();
    for (into, text) in fours.iter_mut().zip(eights) {
        let Some(bytes) = four_bytes(*text) else { return false };
        *into = bytes;
    }
    let mut seen = 0;
    let (pairs, odd) = rest.as_chunks::<2>();
    for (into, [high, low]) in into.iter_mut().skip(4 * eights.len()).zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        seen |= high | low;
        *into = high << 4 | (low & 0xF);
    }
    seen & 0xF0 == 0 && odd.is_empty() && text.len() <= 2 * into.len()
}

/// The bytes that eight hexadecimal digits spell, all digits at a time.
#[inline]
fn four_bytes(digits: [u8; 8]) -> Option<[u8; 4]> {
    u32::try_from(word(u64::from_le_bytes(digits))?).ok().map(u32::to_le_bytes)
}

/// The bytes that sixteen hexadecimal digits spell.
#[inline]
pub(super) fn eight_bytes(digits: &[u8; 16]) -> Option<[u8; 8]> {
    let (halves, _) = digits.as_chunks::<8>();
    let [low, high] = halves else { return None };
    let (low, high) = (word(u64::from_le_bytes(*low))?, word(u64::from_le_bytes(*high))?);
    Some((low | high << 32).to_le_bytes())
}

/// The bytes that eight hexadecimal digits spell, the first of both in the lowest byte; all digits at a time.
#[inline]
fn word(text: u64) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Letters have bit 6, and 9 more than their low half says.
    let letters = (text >> 6) & EACH;
    let values = (text & (0x0F * EACH)) + 9 * letters;
    // What these values are written as must be the text, but for capitals; the letters begin 7 after the digits.
    let above_9 = ((values + 0x76 * EACH) >> 7) & EACH;
    let again = values + 0x30 * EACH + 7 * above_9;
    if again != text & !(letters << 5) || values & (0xF0 * EACH) != 0 {
        return None;
    }
    let pairs = (values << 4 | values >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    Some((fours | fours >> 16) & 0xFFFF_FFFF)
}

/// A hexadecimal number of 1 to 8 digits.
#[inline]
pub(super) fn hex_u32(text: &[u8]) -> Option<u32> {
    if let Ok(digits) = <[u8; 8]>::try_from(text) {
        return four_bytes(digits).map(u32::from_be_bytes);
    }
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    let mut value = 0;
    let mut bad = 0;
    for byte in text {
        let digit = digit(*byte);
        bad |= digit;
        value = value << 4 | u32::from(digit & 0xF);
    }
    if bad & 0xF0 == 0 { Some(value) } else { None }
}

/// An identifier as candump writes it: three digits, or eight; the bit 0x2000_0000 makes it an error class.
#[inline]
pub(super) fn identifier(text: &[u8]) -> Option<Identifier> {
    const ERROR: u32 = 0x2000_0000;
    let raw = hex_u32(text)?;
    match text.len() {
        3 => CanId::standard(raw).map(Identifier::Frame),
        8 if raw & ERROR != 0 && raw >> 30 == 0 => Some(Identifier::Error(raw & !ERROR)),
        8 => CanId::extended(raw).map(Identifier::Frame),
        _ => None,
    }
}

/// What an identifier's digits say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Identifier {
    Frame(CanId),
    Error(u32),
}

/// A decimal number of at most 9 digits.
pub(super) fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { Some(value * 10 + u32::from(digit)) } else { None }
    })
}

/// A decimal number with at most `decimals` (up to 18) digits after the point, in units of the last; more must be zeros.
#[inline]
pub(super) fn fixed(text: &[u8], decimals: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut value: u64 = 0;
    let mut rest = digits.iter();
    let mut missing = decimals;
    let mut seen = false;
    for byte in rest.by_ref() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            if *byte == b'.' {
                seen = seen && !rest.as_slice().is_empty();
                break;
            }
            return None;
        }
        seen = true;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || (missing == 0 && digit != 0) {
            return None;
        }
        if missing > 0 {
            missing -= 1;
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
    }
    let value = i64::try_from(value.checked_mul(10u64.checked_pow(missing)?)?).ok()?;
    if seen { Some(if negative { -value } else { value }) } else { None }
}

/// Seconds with decimals.
#[inline]
pub(super) fn seconds(text: &[u8]) -> Option<Timestamp> {
    let nanoseconds = match <&[u8; 17]>::try_from(text) {
        // As nearly every log has it; what is no digit is looked at again below.
        Ok(text) => microseconds(text),
        Err(_) => None,
    };
    nanoseconds.or_else(|| fixed(text, 9)).map(Timestamp::from_nanoseconds)
}

/// Ten digits of seconds and six of their decimals, in nanoseconds; `None` where one is no digit, or the sum does not fit.
#[inline]
fn microseconds(text: &[u8; 17]) -> Option<i64> {
    let [high @ .., d9, d10, b'.', m1, m2, m3, m4, m5, m6] = *text else { return None };
    let (high, low) = (eight_digits(high)?, eight_digits([d9, d10, m1, m2, m3, m4, m5, m6])?);
    // Sixteen digits do not overflow.
    i64::try_from(high * 100_000_000 + low).ok()?.checked_mul(1000)
}

/// A decimal number of eight digits, two, four and eight of them at a time.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let text = u64::from_le_bytes(text);
    // Above 9, adding 6 changes the high half, to one that has no bits of this one's.
    if text & text.wrapping_add(6 * EACH) & (0xF0 * EACH) != 0x30 * EACH {
        return None;
    }
    let twos = (text & (0x0F * EACH)).wrapping_mul(10 << 8 | 1) >> 8;
    let fours = (twos & 0x00FF_00FF_00FF_00FF).wrapping_mul(100 << 16 | 1) >> 16;
    Some((fours & 0x0000_FFFF_0000_FFFF).wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// Seconds as programs print a double: also with an exponent, or with more decimals than a nanosecond has, which are rounded.
pub(super) fn float_seconds(text: &[u8]) -> Option<Timestamp> {
    seconds(text).or_else(|| {
        let nanoseconds = (str::from_utf8(text).ok()?.parse::<f64>().ok()? * 1e9).round();
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below the largest i64")]
        (nanoseconds.abs() < 9.2e18).then_some(Timestamp::from_nanoseconds(nanoseconds as i64))
    })
}

/// `2009-03-20 15:24:11.123456`, read as UTC.
pub(super) fn date(text: &[u8]) -> Option<Timestamp> {
    let (day, time) = str::from_utf8(text).ok()?.split_once(' ')?;
    format!("{day}T{time}Z").parse().ok()
}

/// Puts an optional time on a frame.
pub(super) fn timed(frame: Frame, time: Option<Timestamp>) -> Frame {
    match time {
        Some(time) => frame.with_time(time),
        None => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_are_exact_or_refused() {
        let seconds = |text: &[u8]| seconds(text).map(Timestamp::nanoseconds);
        assert_eq!(seconds(b"1436509052.249713"), Some(1_436_509_052_249_713_000));
        assert_eq!(seconds(b"0000000000.352000"), Some(352_000_000));
        assert_eq!(seconds(b"-1.5"), Some(-1_500_000_000));
        assert_eq!(seconds(b"0.1234567890"), Some(123_456_789));
        assert_eq!(seconds(b"0.1234567891"), None);
        assert_eq!(seconds(b"9223372036.854775807"), Some(i64::MAX));
        assert_eq!(seconds(b"9223372036.854775808"), None);
        for bad in [&b""[..], b".", b"1.", b".5", b"-", b"1.2.3", b"1e3", b"+1"] {
            assert_eq!(seconds(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    proptest! {
        #[test]
        fn digits_taken_together_say_what_each_says(text in proptest::collection::vec(any::<u8>(), 8), places in any::<u8>(), hex in any::<bool>()) {
            // Most bytes are digits, some anything.
            let from = if hex { &b"0123456789abcdefABCDEF"[..] } else { b"0123456789" };
            let text: Vec<u8> =
                text.iter().enumerate().map(|(at, byte)| if places >> at & 1 == 0 { from[usize::from(*byte) % from.len()] } else { *byte }).collect();
            let eight: [u8; 8] = text.clone().try_into().unwrap();
            let known = text.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(&text).unwrap().parse().unwrap());
            prop_assert_eq!(eight_digits(eight), known);
            let known = text.iter().all(u8::is_ascii_hexdigit).then(|| u32::from_str_radix(str::from_utf8(&text).unwrap(), 16).unwrap());
            prop_assert_eq!(four_bytes(eight).map(u32::from_be_bytes), known);
        }
    }

    #[test]
    fn bytes_fit_or_are_refused() {
        let mut into = [0; 8];
        assert!(
            hex_bytes(b"00aA10fF01234567", &mut into) && into == [0, 0xAA, 0x10, 0xFF, 1, 0x23, 0x45, 0x67]
        );
        assert!(hex_bytes(b"010203040506", &mut into) && into[..6] == [1, 2, 3, 4, 5, 6]);
        assert_eq!(eight_bytes(b"00aA10fF01234567"), Some([0, 0xAA, 0x10, 0xFF, 1, 0x23, 0x45, 0x67]));
        assert_eq!(eight_bytes(b"00aA10fF0123456G"), None);
        assert!(hex_bytes(b"", &mut into) && hex_bytes(b"00", &mut into));
        for bad in [&b"0"[..], b"0x", b"010203040506070809", b"01020304050", b"0102030g", b"01020304 5"] {
            assert!(!hex_bytes(bad, &mut into), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn dates_are_utc() {
        assert_eq!(date(b"1970-01-01 00:00:00.000000"), Some(Timestamp::EPOCH));
        assert_eq!(
            date(b"2009-03-20 15:24:11.5").map(Timestamp::nanoseconds),
            Some(1_237_562_651_500_000_000)
        );
        assert_eq!(date(b"2023-02-29 00:00:00"), None);
        assert_eq!(date(b"2023-02-01"), None);
    }

    #[test]
    fn identifiers_are_three_or_eight_digits() {
        assert!(matches!(identifier(b"7FF"), Some(Identifier::Frame(id)) if !id.is_extended()));
        assert!(matches!(identifier(b"000007FF"), Some(Identifier::Frame(id)) if id.is_extended()));
        assert!(matches!(identifier(b"20000080"), Some(Identifier::Error(0x80))));
        for bad in [&b"800"[..], b"40000000", b"C0000000", b"12", b"1234", b"00G", b""] {
            assert!(identifier(bad).is_none());
        }
    }
}
