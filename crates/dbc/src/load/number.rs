//! Spelled numbers become numbers, forms that the format does not have included.
//!
//! *Invariant:* no infinite value and no NaN comes out; nothing is rounded that was whole and fits.
//! *Next:* `parse.rs`.

use crate::number::whole;

/// Powers of ten that a double holds exactly.
const TENS: [f64; 16] =
    [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number of at most 15 digits with or without a fraction: both halves of the quotient are exact, so that it is rounded once, as by the standard library.
fn short(text: &str) -> Option<f64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.len() > 16 || !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mut value, mut count, mut point) = (0_u64, 0, None);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    let fraction = count - point.unwrap_or(count);
    if count > 15 || point.is_some() && fraction == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "15 digits fit a double exactly")]
    let value = value as f64 / TENS.get(fraction)?;
    Some(if negative { -value } else { value })
}

/// A number, and whether it is spelled as the format wants.
pub(super) fn float(text: &str) -> Option<(f64, bool)> {
    if let Some(value) = short(text) {
        return Some((value, true));
    }
    let value: f64 = text.parse().ok()?;
    let sound = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    value.is_finite().then_some((value, sound))
}

/// A bound of a range, and whether it is spelled as the format wants; what is too large for a double is infinite.
pub(super) fn bound(text: &str) -> Option<(f64, bool)> {
    if let Some(value) = short(text) {
        return Some((value, true));
    }
    let digits = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value: f64 = text.parse().ok().filter(|_| digits)?;
    float(text).or(Some((value, true)))
}

/// An integer, and whether it is spelled as the format wants.
pub(super) fn integer(text: &str) -> Option<(i128, bool)> {
    if let Ok(value) = text.parse::<i64>() {
        return Some((value.into(), true));
    }
    if let Ok(value) = text.parse::<i128>() {
        return Some((value, true));
    }
    let (value, _) = float(text)?;
    whole(value).map(|value| (value.into(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_the_standard_librarys() {
        let digits = [
            "0",
            "7",
            "10",
            "0.1",
            "0.01",
            "-0.0078125",
            "123456789012345",
            "0.00000000000001",
            "-273.15",
            "1.5259e-5",
        ];
        for text in digits.into_iter().chain([
            "1.",
            ".5",
            "-",
            "",
            "1.2.3",
            "1234567890123456",
            "0.1234567890123456",
            "+1",
        ]) {
            let want: Option<f64> = text.parse().ok();
            if let Some(value) = short(text) {
                assert_eq!(Some(value.to_bits()), want.map(f64::to_bits), "{text}");
            }
        }
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (whole, fraction) = ((seed >> 33) % 1_000_000, (seed >> 13) % 1_000_000);
            let text = std::format!("{}{whole}.{fraction}", if seed & 1 == 0 { "-" } else { "" });
            let value = short(&text).expect("it is short");
            assert_eq!(value.to_bits(), text.parse::<f64>().expect("a number").to_bits(), "{text}");
        }
        assert_eq!(short("1e5").or(short("1.")).or(short(".5")).or(short("12345678901234567")), None);
    }
}
