//! Spelled numbers become numbers, forms that the format does not have included.
//!
//! *Invariant:* no infinite value and no NaN comes out; nothing is rounded that was whole and fits.
//! *Next:* `parse.rs`.

use crate::number::whole;

/// A number, and whether it is spelled as the format wants.
pub(super) fn float(text: &str) -> Option<(f64, bool)> {
    let value: f64 = text.parse().ok()?;
    let sound = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    value.is_finite().then_some((value, sound))
}

/// A bound of a range, and whether it is spelled as the format wants; what is too large for a double is infinite.
pub(super) fn bound(text: &str) -> Option<(f64, bool)> {
    let digits = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value: f64 = text.parse().ok().filter(|_| digits)?;
    float(text).or(Some((value, true)))
}

/// An integer, and whether it is spelled as the format wants.
pub(super) fn integer(text: &str) -> Option<(i128, bool)> {
    if let Ok(value) = text.parse::<i128>() {
        return Some((value, true));
    }
    let (value, _) = float(text)?;
    whole(value).map(|value| (value.into(), false))
}
