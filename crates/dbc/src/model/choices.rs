//! A value table: raw values and their labels, found either way.
//!
//! *Invariant:* entries keep the order of the file; of two entries with one value, the first names it.
//! *Next:* `signal.rs` (who owns one), `../load.rs` (where they come from).

use alloc::string::String;
use alloc::vec::Vec;

/// The labels of a signal's raw values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Vec<(i128, String)>", into = "Vec<(i128, String)>"))]
pub struct Choices {
    entries: Vec<(i128, String)>,
    /// Indexes into `entries`, by value, the earlier entry first.
    by_value: Vec<u32>,
}

impl Choices {
    /// A table of raw values and labels, in this order.
    pub fn new(entries: impl IntoIterator<Item = (i128, String)>) -> Self {
        let entries: Vec<_> = entries.into_iter().take(u32::MAX as usize).collect();
        let mut by_value: Vec<u32> = (0..).take(entries.len()).collect();
        by_value.sort_by_key(|&index| entries.get(index as usize).map(|entry| entry.0));
        Self { entries, by_value }
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Raw values and labels in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (i128, &str)> {
        self.entries.iter().map(|(value, label)| (*value, label.as_str()))
    }

    /// The label of a raw value.
    pub fn label(&self, value: i128) -> Option<&str> {
        let at =
            self.by_value.partition_point(|&index| self.entry(index).is_some_and(|entry| entry.0 < value));
        let entry = self.entry(*self.by_value.get(at)?)?;
        (entry.0 == value).then_some(entry.1.as_str())
    }

    /// The raw value of a label, compared exactly; the first where several values have it.
    pub fn value(&self, label: &str) -> Option<i128> {
        self.entries.iter().find(|entry| entry.1 == label).map(|entry| entry.0)
    }

    fn entry(&self, index: u32) -> Option<&(i128, String)> {
        self.entries.get(index as usize)
    }
}

impl From<Vec<(i128, String)>> for Choices {
    fn from(entries: Vec<(i128, String)>) -> Self {
        Self::new(entries)
    }
}

impl From<Choices> for Vec<(i128, String)> {
    fn from(choices: Choices) -> Self {
        choices.entries
    }
}

impl<S: Into<String>> FromIterator<(i128, S)> for Choices {
    fn from_iter<I: IntoIterator<Item = (i128, S)>>(entries: I) -> Self {
        Self::new(entries.into_iter().map(|(value, label)| (value, label.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_both_ways() {
        let table: Choices = [(3, "c"), (-1, "low"), (3, "again"), (1, "a")].into_iter().collect();
        assert_eq!(table.label(3), Some("c"));
        assert_eq!(table.label(-1), Some("low"));
        assert_eq!(table.label(2), None);
        assert_eq!(table.label(4), None);
        assert_eq!(table.value("again"), Some(3));
        assert_eq!(table.iter().map(|entry| entry.0).collect::<Vec<_>>(), [3, -1, 3, 1]);
    }
}
