//! One value becomes the bits of its signal: checked, scaled, rounded half to even.
//!
//! *Invariant:* bits come out only where the signal can hold the value; whole factors and offsets are exact for integers of any width, and
//! everything else is one subtraction, one division and one rounding of doubles.
//! *Next:* `lanes.rs` does the same for eight doubles at once, and leaves here what it does not accept.

use alloc::string::ToString;

use super::error::EncodeError;
use super::near::near;
use super::value::Value;
use crate::model::signal::{Signal, ValueType};
use crate::number::{round_ties_even, whole};
use crate::plan::{Field, mask};
use crate::{Number, Raw};

/// 1.5 × 2^52: a number added to it, below 2^51 in magnitude, is rounded half to even into the low bits, as two's complement.
pub(super) const MAGIC: f64 = 6_755_399_441_055_744.0;
/// The widest signal that goes this way.
pub(super) const MAGIC_LENGTH: u32 = 51;
/// How far from a step a value may lie and still be on it, in steps, beside what the doubles themselves round.
pub(super) const OFF_GRID: f64 = 1e-6;

/// What becomes of a physical value between two raw values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// It is rounded to the nearest, half to even.
    #[default]
    Round,
    /// It is refused; a millionth of a step is forgiven, and what doubles round.
    Refuse,
}

/// The bits of a value, right-aligned.
#[inline]
pub(super) fn of_value(
    signal: &Signal,
    field: &Field,
    value: Value<'_>,
    steps: Steps,
) -> Result<u64, EncodeError> {
    match value {
        Value::Physical(Number::Float(number)) => of_double(signal, field, number, steps),
        Value::Physical(number) => of_number(signal, field, number, steps),
        Value::Raw(raw) => of_raw(signal, field, raw),
        Value::Label(label) => of_label(signal, field, label),
    }
}

/// The bits of a physical value that is a double.
#[inline]
pub(super) fn of_double(
    signal: &Signal,
    field: &Field,
    value: f64,
    steps: Steps,
) -> Result<u64, EncodeError> {
    if steps == Steps::Round
        && let Some(bits) = quick(signal, value)
    {
        return Ok(bits);
    }
    of_number(signal, field, Number::Float(value), steps)
}

/// The bits of a double that is plainly in range of a signal that is plainly narrow enough. What it returns, the long way returns too.
#[inline]
fn quick(signal: &Signal, value: f64) -> Option<u64> {
    if signal.length > MAGIC_LENGTH || signal.value_type.is_float() {
        return None;
    }
    // NaN is in no range.
    if let Some((min, max)) = signal.range
        && !(min <= value && value <= max)
    {
        return None;
    }
    let low_bits = mask(signal.length);
    #[expect(clippy::cast_precision_loss, reason = "at most 51 bits")]
    let (low, high) = match signal.value_type {
        ValueType::Signed => (-((low_bits >> 1) as f64) - 1.0, (low_bits >> 1) as f64),
        _ => (0.0, low_bits as f64),
    };
    let magic = (value - signal.offset) / signal.factor + MAGIC;
    let raw = magic - MAGIC;
    (low <= raw && raw <= high).then_some(magic.to_bits() & low_bits)
}

fn of_label(signal: &Signal, field: &Field, label: &str) -> Result<u64, EncodeError> {
    let unknown = || EncodeError::UnknownLabel {
        signal: signal.name.clone(),
        label: label.to_string(),
        near: near(&signal.choices, label),
    };
    let value = signal.choices.value(label).ok_or_else(unknown)?;
    if signal.value_type.is_float() {
        #[expect(clippy::cast_precision_loss, reason = "a float signal holds a rounded value")]
        return of_float(signal, value as f64).ok_or_else(unknown);
    }
    of_integer(signal, field, value)
}

/// The bits of a raw value; of floats every bit, also of what is no number.
pub(super) fn of_raw(signal: &Signal, field: &Field, raw: Raw) -> Result<u64, EncodeError> {
    let kind = || EncodeError::RawKind { signal: signal.name.clone(), value: raw };
    if signal.value_type.is_float() {
        return match raw {
            Raw::F32(value) if signal.length == 32 => Ok(value.to_bits().into()),
            Raw::F32(_) | Raw::F64(_) => of_float(signal, raw.to_f64()).ok_or_else(kind),
            Raw::Unsigned(_) | Raw::Signed(_) => Err(kind()),
        };
    }
    of_integer(signal, field, raw.integer().ok_or_else(kind)?)
}

fn of_integer(signal: &Signal, field: &Field, value: i128) -> Result<u64, EncodeError> {
    field.pattern(value).ok_or_else(|| {
        let (min, max) = field.integer_limits();
        let raw = u64::try_from(value).map(Raw::Unsigned).or_else(|_| i64::try_from(value).map(Raw::Signed));
        #[expect(clippy::cast_precision_loss, reason = "only shown")]
        EncodeError::RawOutOfRange {
            signal: signal.name.clone(),
            value: raw.unwrap_or(Raw::F64(value as f64)),
            min,
            max,
        }
    })
}

/// The bits of a physical value, the long way.
pub(super) fn of_number(
    signal: &Signal,
    field: &Field,
    number: Number,
    steps: Steps,
) -> Result<u64, EncodeError> {
    let value = number.to_f64();
    let refuse = || {
        let (min, max) = possible(signal, field);
        EncodeError::OutOfRange {
            signal: signal.name.clone(),
            value: number,
            min,
            max,
            unit: signal.unit.clone(),
        }
    };
    if value.is_nan() && !signal.value_type.is_float() {
        return Err(refuse());
    }
    // A bound that was decoded comes back with the rounding of its scaling.
    let in_range = signal
        .range
        .is_none_or(|(min, max)| (min - slack(signal, min)..=max + slack(signal, max)).contains(&value));
    if signal.value_type.is_float() {
        return of_float(signal, (value - signal.offset) / signal.factor)
            .filter(|_| in_range)
            .ok_or_else(refuse);
    }
    let raw = nearest(signal, field, number).ok_or_else(refuse)?;
    // Labelled values ("not available" and the like) lie outside the range on purpose.
    if !in_range && signal.choices.label(raw).is_none() {
        return Err(refuse());
    }
    let bits = field.pattern(raw).ok_or_else(refuse)?;
    if steps == Steps::Refuse && !on_grid(signal, field, number, raw) {
        return Err(off_grid(signal, field, number, raw));
    }
    Ok(bits)
}

/// What a stated bound forgives.
pub(super) fn slack(signal: &Signal, bound: f64) -> f64 {
    if signal.value_type.is_float() { bound.abs() * 1e-12 } else { signal.factor.abs() * 1e-6 }
}

/// The raw integer nearest to a physical value, half to even; `None` where it is beyond all integers here.
fn nearest(signal: &Signal, field: &Field, number: Number) -> Option<i128> {
    let value = number.to_f64();
    // Integers go the exact way, and doubles that are whole where they divide.
    if let Some((factor, offset)) = field.integer_scaling() {
        let factor = i128::from(factor);
        let scaled = |value: i128| value.checked_sub(offset.into());
        if let Some(scaled) = number.integer().and_then(scaled) {
            return divide(scaled, factor);
        }
        if let Some(scaled) = whole(value).map(i128::from).and_then(scaled)
            && scaled % factor == 0
        {
            return Some(scaled / factor);
        }
    }
    let raw = round_ties_even((value - signal.offset) / signal.factor);
    // Doubles from 2^63 on are whole but not in `whole`'s reach.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bounds are checked first, and the value is whole"
    )]
    whole(raw).map(i128::from).or_else(|| (9.2e18..1.85e19).contains(&raw).then_some(raw as i128))
}

/// The quotient of integers, rounded half to even; `None` where it has no room. The factor is neither 0 nor wider than 64 bits.
fn divide(value: i128, factor: i128) -> Option<i128> {
    let (down, rest) = (value.checked_div_euclid(factor)?, value.checked_rem_euclid(factor)?);
    // With a negative factor the Euclidean quotient is the one above.
    let towards = if factor < 0 { -1 } else { 1 };
    match (rest * 2).cmp(&factor.abs()) {
        core::cmp::Ordering::Less => Some(down),
        core::cmp::Ordering::Greater => down.checked_add(towards),
        core::cmp::Ordering::Equal => down.checked_add((down & 1) * towards),
    }
}

/// Whether a physical value is that of a raw one, within what doubles round.
fn on_grid(signal: &Signal, field: &Field, number: Number, raw: i128) -> bool {
    if let (Some((factor, offset)), Some(value)) = (field.integer_scaling(), number.integer()) {
        return value.checked_sub(offset.into()) == raw.checked_mul(factor.into());
    }
    let value = number.to_f64();
    let exact = (value - signal.offset) / signal.factor;
    // Value and offset are known to half a unit of their last place each, and the difference is rounded once more.
    let rounding = (value.abs() + signal.offset.abs()) / signal.factor.abs() * f64::EPSILON;
    #[expect(clippy::cast_precision_loss, reason = "what is lost is within the rounding")]
    let distance = (exact - raw as f64).abs();
    distance <= OFF_GRID + rounding
}

/// The error for a value between two steps.
fn off_grid(signal: &Signal, field: &Field, number: Number, raw: i128) -> EncodeError {
    let value = number.to_f64();
    #[expect(clippy::cast_precision_loss, reason = "only shown")]
    let physical = |raw: i128| match field.pattern(raw) {
        Some(_) => raw as f64 * signal.factor + signal.offset,
        None => f64::NAN,
    };
    let here = physical(raw);
    // The raw value on the other side of what was asked.
    let up = (here < value) == (signal.factor > 0.0);
    let there = physical(if up { raw.saturating_add(1) } else { raw.saturating_sub(1) });
    let (below, above) = if here < value { (here, there) } else { (there, here) };
    EncodeError::OffGrid {
        signal: signal.name.clone(),
        value: number,
        below,
        above,
        unit: signal.unit.clone(),
    }
}

/// The bits of a float signal's raw value; `None` where a finite value becomes infinite.
fn of_float(signal: &Signal, raw: f64) -> Option<u64> {
    if signal.length == 64 {
        return Some(raw.to_bits());
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to the nearest single is what a float signal does"
    )]
    let single = raw as f32;
    (single.is_finite() || !raw.is_finite()).then(|| single.to_bits().into())
}

/// The physical values that a signal can take: its range, within what its bits can hold.
#[expect(clippy::cast_precision_loss, reason = "only shown")]
fn possible(signal: &Signal, field: &Field) -> (f64, f64) {
    if signal.value_type.is_float() {
        return signal.range.unwrap_or(if signal.length == 32 {
            (f32::MIN.into(), f32::MAX.into())
        } else {
            (f64::MIN, f64::MAX)
        });
    }
    let (low, high) = field.integer_limits();
    let (a, b) = (low as f64 * signal.factor + signal.offset, high as f64 * signal.factor + signal.offset);
    let (min, max) = signal.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    (min.max(a.min(b)), max.min(a.max(b)))
}

#[cfg(test)]
mod tests {
    use super::divide;

    #[test]
    fn integers_divide_half_to_even() {
        for value in -50_i128..=50 {
            for factor in [1, 2, 3, 4, 10, -1, -2, -3, -4, -10_i128] {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let want = (value as f64 / factor as f64).round_ties_even();
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let ours = divide(value, factor).unwrap_or(i128::MAX) as f64;
                assert!((ours - want).abs() < f64::EPSILON, "{value} / {factor} = {ours}, not {want}");
            }
        }
        let wide = 1_i128 << 60;
        assert_eq!(divide(2 * wide + 3, 2), Some(wide + 2));
        assert_eq!(divide(i128::MIN, 1), Some(i128::MIN));
        assert_eq!(divide(i128::MIN, -1), None);
    }
}
