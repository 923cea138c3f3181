//! Writes the facts of a JSON export of VSS in the compact form that this crate builds in: `tree.txt`, and `constants.rs` with one typed
//! path for each leaf.
//!
//! `cargo run -p coachwork-vehicle --features vspec --example vss_facts -- vss.json crates/vehicle/src/vss`
//!
//! Sibling branches that are equal below their names (the instances of VSS) are written once: `Row1|Row2`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a tool for one file, which a test checks"
)]

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;

use coachwork_vehicle::{DataType, Entry, ScalarType, Value, Vspec};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(export), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: vss_facts EXPORT.json FOLDER".into());
    };
    let vspec = Vspec::from_json(&std::fs::read(export)?)?;
    let mut tree = String::new();
    let root = Node::of(vspec.entries());
    for group in root.groups() {
        write_node(&mut tree, 0, &group.0, group.1);
    }
    std::fs::write(format!("{folder}/tree.txt"), tree)?;
    std::fs::write(format!("{folder}/constants.rs"), constants(vspec.entries())?)?;
    Ok(())
}

/// A name's facts, or what is below it, in the order of the export.
#[derive(Default, PartialEq)]
struct Node {
    facts: Option<String>,
    children: Vec<(String, Node)>,
}

impl Node {
    fn of(entries: &[Entry]) -> Self {
        let mut root = Self::default();
        for entry in entries {
            let node = entry.path().names().fold(&mut root, |node, name| node.child(name));
            node.facts = Some(facts(entry));
        }
        root
    }

    fn child(&mut self, name: &str) -> &mut Self {
        let at = self.children.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.children.push((name.to_owned(), Self::default()));
            self.children.len() - 1
        });
        &mut self.children[at].1
    }

    /// The children, neighbours that are equal below their names together.
    fn groups(&self) -> Vec<(String, &Self)> {
        let mut groups: Vec<(String, &Self)> = Vec::new();
        for (name, node) in &self.children {
            match groups.last_mut().filter(|(_, last)| *last == node) {
                Some((names, _)) => {
                    names.push('|');
                    names.push_str(name);
                }
                None => groups.push((name.clone(), node)),
            }
        }
        groups
    }
}

fn write_node(tree: &mut String, depth: usize, names: &str, node: &Node) {
    let facts = node.facts.as_ref().map_or_else(String::new, |facts| format!(" {facts}"));
    writeln!(tree, "{:depth$}{names}{facts}", "").unwrap();
    for (names, child) in node.groups() {
        write_node(tree, depth + 1, &names, child);
    }
}

fn facts(entry: &Entry) -> String {
    let mut facts = format!("{} {}", entry.kind(), entry.data_type());
    let mut member = |name: &str, value: &str| write!(facts, " {name}={value}").unwrap();
    if let Some(unit) = entry.unit() {
        member("unit", unit.key());
    }
    for (name, limit) in [("min", entry.min()), ("max", entry.max())] {
        if let Some(limit) = limit {
            member(name, &limit.to_string());
        }
    }
    let list = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(",");
    if !entry.allowed().is_empty() {
        member("allowed", &list(entry.allowed()));
    }
    match entry.default_value() {
        Some(Value::Array(items)) => member("default", &list(items)),
        Some(value) => member("default", &value.to_string()),
        None => {}
    }
    if let Some(size) = entry.array_size() {
        member("arraysize", &size.to_string());
    }
    if let Some(expression) = entry.pattern() {
        member("pattern", expression);
    }
    if let Some(advice) = entry.deprecation() {
        member("deprecation", advice);
    }
    facts
}

fn constants(entries: &[Entry]) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "//! A typed path for each leaf of VSS 6.0; written by the example `vss_facts`, not by hand.\n\nconstants! {\n",
    );
    let mut names = HashSet::new();
    for entry in entries {
        let path = entry.path().as_str();
        let name = name(path.split_once('.').map_or(path, |(_, below)| below));
        if !names.insert(name.clone()) {
            return Err(format!("{path}: two leaves make the constant {name}").into());
        }
        let unit = entry.unit().map_or_else(|| "None".to_owned(), |unit| format!("Some({:?})", unit.key()));
        writeln!(text, "    {name}: {}, {path:?}, {unit};", rust_type(entry.data_type()))?;
    }
    text.push_str("}\n");
    Ok(text)
}

/// `Cabin.Seat.Row1.DriverSide.IsOccupied` is `CABIN_SEAT_ROW1_DRIVER_SIDE_IS_OCCUPIED`; an acronym stays one word.
fn name(path: &str) -> String {
    let letters: Vec<char> = path.chars().collect();
    let mut name = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase)
            });
        if begins {
            name.push('_');
        }
        name.push(if letter == '.' { '_' } else { letter.to_ascii_uppercase() });
    }
    name
}

fn rust_type(data_type: DataType) -> String {
    let scalar = match data_type.scalar() {
        ScalarType::Boolean => "bool",
        ScalarType::Int8 => "i8",
        ScalarType::Int16 => "i16",
        ScalarType::Int32 => "i32",
        ScalarType::Int64 => "i64",
        ScalarType::Uint8 => "u8",
        ScalarType::Uint16 => "u16",
        ScalarType::Uint32 => "u32",
        ScalarType::Uint64 => "u64",
        ScalarType::Float => "f32",
        ScalarType::Double => "f64",
        ScalarType::String => "String",
        ScalarType::Struct => unreachable!("VSS 6.0 has no values of structs"),
    };
    match data_type {
        DataType::Array(_) => format!("Vec<{scalar}>"),
        _ => scalar.to_owned(),
    }
}
