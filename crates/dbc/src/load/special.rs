//! Labels, attributes and the rules of J1939 become the raw values that stand for no value: "not available" and "error".
//!
//! *Invariant:* only what was said counts: the rules of a bus family where the database says that the message belongs to it, a label only in the
//! wordings listed here. A state of a device (`DOOR_FAULT`, `No error`) is a value. Signals of one bit have no special values, and neither have floats.
//! *Next:* `resolve.rs` (who asks), `../model/signal.rs` (who keeps them).

use alloc::string::String;
use alloc::vec::Vec;

use super::resolve::written;
use crate::model::attribute::AttributeValue;
use crate::model::signal::{Signal, ValueType};
use crate::plan::mask;

/// What a bus family says of raw values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    None,
    /// SAE J1939-71: all ones (of 8, 12, 16 … 32 bits: a first byte of `FF`) are "not available", one less (a first byte of `FE`) is "error".
    J1939,
    /// NMEA 2000: the largest value is "not available", one less is "error".
    Nmea2000,
}

/// The attribute that holds the raw value for "signal not available".
const NOT_AVAILABLE: &str = "GenSigSNA";
/// Attributes that hold the raw value of an invalid signal.
const INVALID: [&str; 2] = ["GenSigInvalidValue", "SigInvalidValue"];

/// Fills in the special values of a signal.
pub(super) fn find(signal: &mut Signal, rule: Rule) {
    if signal.value_type.is_float() || !(2..=64).contains(&signal.length) {
        return;
    }
    let (mut absent, mut error) = (Vec::new(), Vec::new());
    if !signal.attributes.is_empty() {
        absent.extend(value(signal, NOT_AVAILABLE).map(one));
        error.extend(INVALID.iter().filter_map(|name| value(signal, name)).map(one));
    }
    let (low, high) = limits(signal);
    labelled(signal, high, &mut absent, &mut error);
    by_rule(signal, rule, high, &mut absent, &mut error);
    let known = |range: &(i128, i128)| low <= range.0 && range.1 <= high;
    absent.retain(known);
    dedup(&mut absent);
    // "Not available" goes first where both are said.
    error
        .retain(|range| known(range) && !absent.iter().any(|other| other.0 <= range.0 && range.1 <= other.1));
    dedup(&mut error);
    (signal.not_available, signal.error_values) = (absent, error);
}

fn one(value: i128) -> (i128, i128) {
    (value, value)
}

fn dedup(ranges: &mut Vec<(i128, i128)>) {
    ranges.sort_unstable();
    ranges.dedup();
}

/// The smallest and the largest raw value.
fn limits(signal: &Signal) -> (i128, i128) {
    let top = mask(signal.length);
    match signal.value_type {
        ValueType::Signed => (-i128::from(top >> 1) - 1, i128::from(top >> 1)),
        _ => (0, i128::from(top)),
    }
}

/// The raw value that an attribute of the signal holds, as a number or a text.
fn value(signal: &Signal, name: &str) -> Option<i128> {
    match signal.attributes.value(name)? {
        AttributeValue::Text(text) => written(text),
        number => number.integer().map(i128::from),
    }
}

/// What the labels say.
fn labelled(signal: &Signal, high: i128, absent: &mut Vec<(i128, i128)>, error: &mut Vec<(i128, i128)>) {
    // A table that also knows "no error" tells of a device's state, whatever the value.
    let mut is_state = false;
    let first = error.len();
    for (value, label) in signal.choices.iter() {
        let Some(meaning) = meaning(label) else { continue };
        match meaning {
            Meaning::Absent => absent.push(one(value)),
            Meaning::Wrong => error.push(one(value)),
            Meaning::PerhapsAbsent if value >= high - 1 => absent.push(one(value)),
            Meaning::PerhapsWrong if value >= high - 1 => error.push(one(value)),
            Meaning::NotWrong => is_state = true,
            Meaning::PerhapsAbsent | Meaning::PerhapsWrong => {}
        }
    }
    if is_state {
        error.truncate(first);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Not available, wherever the value is.
    Absent,
    /// Not available where the value is one of the two largest: lower down it may stand for "not used".
    PerhapsAbsent,
    /// An error of the signal itself, wherever the value is.
    Wrong,
    /// An error where the value is one of the two largest: lower down it names a state.
    PerhapsWrong,
    /// The opposite of an error.
    NotWrong,
}

/// What a label says of the signal, if it is one of the wordings of special values.
fn meaning(label: &str) -> Option<Meaning> {
    // Quick: all wordings end like one of these, and most labels do not.
    let last = label.trim_end_matches(|c: char| !c.is_alphanumeric()).as_bytes();
    let end = [last.len().checked_sub(2), last.len().checked_sub(1)]
        .map(|at| last.get(at?).map(u8::to_ascii_lowercase));
    let sounds = matches!(
        end,
        [Some(b'n' | b'/' | b' '), Some(b'a')]
            | [Some(b'l' | b'e' | b'u'), Some(b'e')]
            | [Some(b'i' | b'a'), Some(b'l')]
            | [Some(b'o' | b'r'), Some(b'r')]
            | [Some(b'i'), Some(b'd')]
    );
    if !sounds || label.len() > 64 {
        return None;
    }
    let words = words(label);
    let words: Vec<&str> = words.split(' ').collect();
    Some(match words.as_slice() {
        [.., "not" | "no", "sna"] => return None,
        [.., "sna"]
        | [.., "signal", "not", "available"]
        | ["signal" | "data" | "value" | "information", "not", "available" | "avail"]
        | ["signal" | "data" | "value", "unavailable"]
        | ["not", "available" | "avail"]
        | ["unavailable" | "notavailable"] => Meaning::Absent,
        ["na"] | ["n", "a"] => Meaning::PerhapsAbsent,
        ["no" | "not", "error" | "invalid" | "err"] | ["error", "free"] => Meaning::NotWrong,
        ["signal", "error" | "invalid"]
        | ["value" | "data", "invalid"]
        | ["invalid", "signal" | "value"]
        | ["error", "indicator"] => Meaning::Wrong,
        ["error" | "err" | "invalid"] | [.., "signal", "invalid" | "error"] => Meaning::PerhapsWrong,
        _ => return None,
    })
}

/// The words of a label in small letters: apart by anything that is no letter or digit, and where a capital follows a small letter.
fn words(label: &str) -> String {
    let mut words = String::with_capacity(label.len() + 4);
    let mut small = false;
    for c in label.chars() {
        if !c.is_alphanumeric() {
            if !words.is_empty() && !words.ends_with(' ') {
                words.push(' ');
            }
            small = false;
            continue;
        }
        if small && c.is_ascii_uppercase() {
            words.push(' ');
        }
        small = c.is_lowercase();
        words.push(c.to_ascii_lowercase());
    }
    words.truncate(words.trim_end().len());
    words
}

/// What the bus family says, of values that no label names otherwise.
fn by_rule(
    signal: &Signal,
    rule: Rule,
    high: i128,
    absent: &mut Vec<(i128, i128)>,
    error: &mut Vec<(i128, i128)>,
) {
    let length = signal.length;
    let is_signed = signal.value_type == ValueType::Signed;
    // A multiplexer chooses, and what is longer than 32 bits is a text or a record.
    if rule == Rule::None || signal.is_multiplexer || length > 32 || rule == Rule::J1939 && is_signed {
        return;
    }
    let bytes = rule == Rule::J1939 && length >= 8 && length.is_multiple_of(4);
    let size = if bytes { 1_i128 << (length - 8) } else { 1 };
    let named =
        |range: (i128, i128)| signal.choices.iter().any(|(value, _)| (range.0..=range.1).contains(&value));
    let top = (high - size + 1, high);
    let below = (top.0 - size, top.0 - 1);
    if !named(top) {
        absent.push(top);
    }
    if !named(below) {
        error.push(below);
    }
}

#[cfg(test)]
mod tests;
