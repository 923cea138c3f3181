//! Texts, numbers, types and values as a DBC file spells them.
//!
//! *Invariant:* numbers read back the same; texts escape their quotes.
//! *Next:* `statements.rs`, `describe.rs` and `attributes.rs` (statements of them).

use alloc::string::String;
use alloc::vec::Vec;

use crate::model::attribute::{AttributeDefinition, AttributeType, AttributeValue};
use crate::model::choices::Choices;

/// Strings end where a quote follows, so a text cannot end with the character that escapes one.
const ESCAPE: char = '\\';

pub(super) fn kind(kind: &AttributeType) -> String {
    match kind {
        AttributeType::Integer { min, max } => alloc::format!("INT {min} {max}"),
        AttributeType::Hex { min, max } => alloc::format!("HEX {min} {max}"),
        AttributeType::Float { min, max } => alloc::format!("FLOAT {} {}", number(*min), number(*max)),
        AttributeType::Text => "STRING".into(),
        AttributeType::Enumeration(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            alloc::format!("ENUM {}", texts.join(","))
        }
    }
}

/// A value as `BA_` writes it: an enumeration by its index.
pub(super) fn value_of(definition: Option<&AttributeDefinition>, value: &AttributeValue) -> String {
    if let (Some(AttributeType::Enumeration(texts)), AttributeValue::Text(text)) =
        (definition.map(AttributeDefinition::kind), value)
        && let Some(index) = texts.iter().position(|known| known == text)
    {
        return alloc::format!("{index}");
    }
    plain(value)
}

pub(super) fn plain(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Integer(value) => alloc::format!("{value}"),
        AttributeValue::Float(value) => {
            let text = number(*value);
            if text.contains(['.', 'e']) { text } else { text + ".0" }
        }
        AttributeValue::Text(text) => quoted(text),
    }
}

pub(super) fn labels(choices: &Choices) -> String {
    let entries: Vec<String> =
        choices.iter().map(|(value, label)| alloc::format!("{value} {}", quoted(label))).collect();
    entries.join(" ")
}

pub(super) fn quoted(text: &str) -> String {
    let space = if text.ends_with(ESCAPE) { " " } else { "" };
    alloc::format!("\"{}{space}\"", text.replace('"', "\\\""))
}

/// A number that reads back the same; what is infinite is written too large.
pub(super) fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "1e999" } else { "-1e999" }.into();
    }
    let plain = alloc::format!("{value}");
    if plain.len() > 24 { alloc::format!("{value:e}") } else { plain }
}
