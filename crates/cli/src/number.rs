//! Numbers and text become JSON, as fast as their digits can be found.
//!
//! *Invariant:* numbers are the shortest that read back the same; what JSON has no number for is the text `NaN`, `Infinity` or `-Infinity`.
//! *Next:* `decode.rs`, which writes millions of them.

use coachwork_dbc::{Number, Raw};

/// A physical value.
#[inline]
pub(crate) fn physical(out: &mut Vec<u8>, number: Number) {
    match number {
        Number::Integer(value) => integer(out, value),
        Number::Float(value) => float(out, value),
    }
}

/// A raw value.
#[inline]
pub(crate) fn raw(out: &mut Vec<u8>, raw: Raw) {
    match raw {
        Raw::Unsigned(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Raw::Signed(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Raw::F32(value) => float(out, value.into()),
        Raw::F64(value) => float(out, value),
    }
}

#[inline]
pub(crate) fn integer(out: &mut Vec<u8>, value: i128) {
    match i64::try_from(value) {
        Ok(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Err(_) => large(out, value),
    }
}

#[cold]
fn large(out: &mut Vec<u8>, value: i128) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A double; whole ones keep their `.0`, as a sign that they are doubles.
#[inline]
pub(crate) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value > 0.0 {
        out.extend_from_slice(b"\"Infinity\"");
    } else {
        out.extend_from_slice(b"\"-Infinity\"");
    }
}

/// A double for people: without the quotes and the needless `.0`.
pub(crate) fn plain(out: &mut Vec<u8>, number: Number) {
    let start = out.len();
    physical(out, number);
    if out.get(start) == Some(&b'"') {
        out.remove(start);
        out.pop();
    } else if out.ends_with(b".0") {
        out.truncate(out.len() - 2);
    }
}

/// A JSON string.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    // A string always serializes, and a vector always takes it.
    let _ = serde_json::to_writer(out, text);
}

/// The two digits of a number below 100.
#[inline]
pub(crate) fn two_digits(number: u32) -> [u8; 2] {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    DIGITS.get(number).copied().unwrap_or_default()
}

#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds does not compile")]
static DIGITS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut number = 0u8;
    while number < 100 {
        table[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    table
};

/// A time as seconds: microseconds, or nanoseconds where there are any.
#[inline]
pub(crate) fn seconds(out: &mut Vec<u8>, nanoseconds: i64) {
    if nanoseconds < 0 {
        out.push(b'-');
    }
    let (whole, rest) =
        (nanoseconds.unsigned_abs() / 1_000_000_000, nanoseconds.unsigned_abs() % 1_000_000_000);
    let (left, digits) = if rest % 1000 == 0 { (rest / 1000, 6) } else { (rest, 9) };
    let mut text = itoa::Buffer::new();
    // A digit before the decimals keeps the zeros they begin with.
    let decimals = text.format(left + if digits == 6 { 1_000_000 } else { 1_000_000_000 });
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    out.push(b'.');
    out.extend_from_slice(decimals.as_bytes().get(1..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_json_has_no_number_for_is_a_text() {
        assert_eq!(written(|out| float(out, f64::NAN)), "\"NaN\"");
        assert_eq!(written(|out| float(out, f64::NEG_INFINITY)), "\"-Infinity\"");
        assert_eq!(written(|out| plain(out, Number::Float(f64::INFINITY))), "Infinity");
        assert_eq!(written(|out| plain(out, Number::Float(5.0))), "5");
        assert_eq!(written(|out| integer(out, i128::from(u64::MAX))), "18446744073709551615");
    }

    #[test]
    fn times_have_micro_or_nanoseconds() {
        assert_eq!(written(|out| seconds(out, 1_700_000_000_123_456_000)), "1700000000.123456");
        assert_eq!(written(|out| seconds(out, -1_500_000_001)), "-1.500000001");
        assert_eq!(written(|out| seconds(out, 0)), "0.000000");
    }

    proptest! {
        #[test]
        fn numbers_read_back_the_same(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            prop_assert_eq!(written(|out| float(out, value)).parse::<f64>().unwrap().to_bits(), value.to_bits());
            prop_assert!(serde_json::from_str::<serde_json::Number>(&written(|out| float(out, value))).is_ok());
        }
    }
}
