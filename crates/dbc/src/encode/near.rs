//! A label that nobody knows becomes the few known ones that look like it.
//!
//! *Invariant:* bounded: so many entries are looked at, so many characters of each compared, so many labels returned, each cut to a length.
//! *Next:* `error.rs` (who shows them).

use alloc::string::String;
use alloc::vec::Vec;

use crate::Choices;

/// The most labels that an error lists.
const MOST: usize = 3;
/// The most entries of a value table that are looked at.
const LOOKED_AT: usize = 4096;
/// The most characters of a label that are compared and shown.
const CHARACTERS: usize = 48;

/// The labels nearest to this one, nearest first.
pub(super) fn near(choices: &Choices, label: &str) -> Vec<String> {
    let wanted = characters(label);
    let mut found: Vec<(usize, usize, &str)> = Vec::new();
    for (place, (_, known)) in choices.iter().take(LOOKED_AT).enumerate() {
        let candidate = characters(known);
        let part = !wanted.is_empty() && (contains(&candidate, &wanted) || contains(&wanted, &candidate));
        let far = distance(&wanted, &candidate);
        if part || far * 3 <= wanted.len().max(candidate.len()) + 2 {
            found.push((far, place, known));
        }
    }
    found.sort_unstable();
    found.truncate(MOST);
    found.into_iter().map(|(_, _, known)| known.chars().take(CHARACTERS).collect()).collect()
}

/// What is compared: lower case, words apart by nothing.
fn characters(text: &str) -> Vec<char> {
    let plain = text.chars().take(CHARACTERS).filter(|c| !matches!(c, ' ' | '_' | '-'));
    plain.map(|c| c.to_ascii_lowercase()).collect()
}

fn contains(text: &[char], part: &[char]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The number of insertions, deletions and replacements.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_nearest_come_first() {
        let gears: Choices = [(0, "neutral"), (1, "first"), (2, "reverse gear"), (3, "Third"), (15, "SNA")]
            .into_iter()
            .collect();
        assert_eq!(near(&gears, "First"), ["first"]);
        assert_eq!(near(&gears, "reverse"), ["reverse gear"]);
        assert_eq!(near(&gears, "REVERSE_GEAR"), ["reverse gear"]);
        assert_eq!(near(&gears, "thrid"), ["Third"]);
        assert!(near(&gears, "completely else").is_empty());
        assert_eq!(distance(&['a', 'b', 'c'], &['a', 'c', 'd']), 2);
    }

    #[test]
    fn bounded() {
        let many: Choices = (0..10_000).map(|value| (value, format!("label {value}"))).collect();
        assert_eq!(near(&many, "label 1").len(), MOST);
        let long: Choices = [(0, "x".repeat(100_000))].into_iter().collect();
        assert_eq!(near(&long, "xx").first().map(String::len), Some(CHARACTERS));
    }
}
