//! Names become what a DBC file can hold, one for one.
//!
//! *Invariant:* a name that is a word of the format stays as it is; any other gets a spelling that no other name of its kind has.
//! *Next:* `statements.rs`.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The spelling of each name, in order.
///
/// With each name comes the spelling that it had in a file, and whether it must have one of its own.
pub(super) fn spellings<'a>(
    names: impl Iterator<Item = (&'a str, Option<&'a str>, bool)>,
) -> Vec<Cow<'a, str>> {
    let names: Vec<(&str, Option<&str>, bool)> = names.collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for (name, symbol, _) in &names {
        taken.insert(symbol.unwrap_or(name).to_string());
    }
    let spelled = names.into_iter().map(|(name, symbol, own)| match symbol {
        Some(symbol) if is_word(symbol) && !own => Cow::Borrowed(symbol),
        _ if is_word(name) && !own => Cow::Borrowed(name),
        _ => {
            let plain = word_of(name);
            let mut spelling = plain.clone();
            let mut count = 2_u64;
            while !taken.insert(spelling.clone()) {
                spelling = format!("{plain}_{count}");
                count += 1;
            }
            Cow::Owned(spelling)
        }
    });
    spelled.collect()
}

/// Whether the loader reads a name back as one word.
pub(super) fn is_word(name: &str) -> bool {
    let delimiter = |c: char| {
        c <= ' ' || c == '\u{7F}' || matches!(c, ':' | ';' | ',' | '|' | '@' | '(' | ')' | '[' | ']' | '"')
    };
    !name.is_empty() && !name.starts_with("//") && !name.contains(delimiter)
}

/// A word that looks like a name.
pub(super) fn word_of(name: &str) -> String {
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(24).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) || word.is_empty() { format!("_{word}") } else { word }
}
