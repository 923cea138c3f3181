//! A span of a config's text becomes a line, a column and the key that stands there; a key becomes the place of its value.
//!
//! *Invariant:* every error of a text that is not too long has a line and a column.
//! *Next:* `mod.rs`, whose errors these are.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::check::Fault;

/// What the reader of TOML or a value's type says.
pub(super) fn of_error(text: &str, span: Option<Range<usize>>, why: &str) -> ConfigError {
    let at = span.map_or(0, |span| span.start);
    let key = DeTable::parse(text).ok().and_then(|table| key_at(table.get_ref(), at)).unwrap_or_default();
    at_offset(text, at, key, why.trim_end().to_owned())
}

/// What does not fit together: the place of its key, or of the deepest part of it that is in the text.
pub(super) fn of_fault(text: &str, fault: &Fault) -> ConfigError {
    let at = DeTable::parse(text).ok().map_or(0, |table| place_of(table.get_ref(), &fault.key));
    at_offset(text, at, fault.key.clone(), fault.why.clone())
}

fn at_offset(text: &str, at: usize, key: String, why: String) -> ConfigError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ConfigError { line, column, key, why }
}

/// The key or value that this place belongs to; of several that have it, the deepest.
fn key_at(table: &DeTable<'_>, at: usize) -> Option<String> {
    let mut found: Option<String> = None;
    for (name, value) in table {
        let below = key_in(value.get_ref(), at);
        let here = name.span().contains(&at) || value.span().contains(&at);
        let key = match below {
            Some(below) => format!("{}{below}", name.get_ref()),
            None if here => name.get_ref().to_string(),
            None => continue,
        };
        if found.as_ref().is_none_or(|found| found.len() < key.len()) {
            found = Some(key);
        }
    }
    found
}

/// The same within a value, with what joins it to its key.
fn key_in(value: &DeValue<'_>, at: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => key_at(table, at).map(|key| format!(".{key}")),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let below = key_in(item.get_ref(), at);
            let below = below.or_else(|| item.span().contains(&at).then(String::new));
            below.map(|below| format!("[{index}]{below}"))
        }),
        _ => None,
    }
}

/// Where the value of a key stands.
fn place_of(table: &DeTable<'_>, key: &str) -> usize {
    let mut at = 0;
    let mut here: Option<&DeValue<'_>> = None;
    for part in key.split('.') {
        let (name, indices) = part.split_once('[').unwrap_or((part, ""));
        let within = match here {
            None => Some(table),
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => None,
        };
        let Some((_, value)) = within.and_then(|table| table.get_key_value(name)) else { break };
        at = value.span().start;
        let mut value = value.get_ref();
        for index in indices.split('[').filter_map(|index| index.trim_end_matches(']').parse::<usize>().ok())
        {
            let DeValue::Array(items) = value else { break };
            let Some(item) = items.get(index) else { break };
            at = item.span().start;
            value = item.get_ref();
        }
        here = Some(value);
    }
    at
}
