//! The compact tree of VSS 6.0 becomes entries.
//!
//! A line of `tree.txt` is a name, or several with `|` that are equal below it, deeper by one space than its branch; a leaf has its
//! facts behind it. The example `vss_facts` writes the file.
//!
//! *Invariant:* the file is part of the crate and a test compares it with what VSS publishes, leaf by leaf.
//! *Next:* `catalogue.rs` (what entries make).

use crate::catalogue::{Entry, Kind};
use crate::value::{DataType, ScalarType, Value};

const TREE: &str = include_str!("tree.txt");

/// The leaves of VSS 6.0 as entries for a catalogue, 1,267 of them: path, kind, type, unit, range, allowed values, default, pattern
/// and deprecation. Descriptions are not built in.
///
/// Filter them to what a vehicle has, or give them all to [`Catalogue::new`](crate::Catalogue::new).
pub fn entries() -> impl Iterator<Item = Entry> {
    let mut entries = Vec::new();
    visit(&mut |path, facts| entries.extend(entry(path, facts)));
    entries.into_iter()
}

/// Every path, in the order of the entries.
pub(crate) fn visit_paths(mut visitor: impl FnMut(&str)) {
    visit(&mut |path, _| visitor(path));
}

/// Every leaf's path and facts.
fn visit(visitor: &mut dyn FnMut(&str, &str)) {
    let lines: Vec<Line> = TREE.lines().map(Line::of).collect();
    walk(&lines, &mut String::new(), visitor);
}

struct Line {
    depth: usize,
    names: &'static str,
    /// Empty for a branch.
    facts: &'static str,
}

impl Line {
    fn of(text: &'static str) -> Self {
        let line = text.trim_start_matches(' ');
        let (names, facts) = line.split_once(' ').unwrap_or((line, ""));
        Self { depth: text.len() - line.len(), names, facts }
    }
}

/// `lines` are siblings of one depth, each with what is below it.
fn walk(mut lines: &[Line], path: &mut String, visitor: &mut dyn FnMut(&str, &str)) {
    while let Some((first, rest)) = lines.split_first() {
        let below = rest.iter().position(|line| line.depth <= first.depth).unwrap_or(rest.len());
        let (children, siblings) = rest.split_at(below);
        let length = path.len();
        for name in first.names.split('|') {
            if length > 0 {
                path.push('.');
            }
            path.push_str(name);
            if !first.facts.is_empty() {
                visitor(path, first.facts);
            }
            walk(children, path, visitor);
            path.truncate(length);
        }
        lines = siblings;
    }
}

/// `None` for facts that are malformed, which the tests rule out.
fn entry(path: &str, facts: &str) -> Option<Entry> {
    let (kind, facts) = facts.split_once(' ')?;
    let (data_type, facts) = facts.split_once(' ').unwrap_or((facts, ""));
    let (kind, data_type): (Kind, DataType) = (kind.parse().ok()?, data_type.parse().ok()?);
    let mut entry = Entry::new(kind, path, data_type);
    let (mut min, mut max) = (None, None);
    let mut facts = facts;
    while !facts.is_empty() {
        let (member, after) = facts.split_once('=')?;
        // The last member alone may have spaces.
        let (text, after) = match member {
            "deprecation" => (after, ""),
            _ => after.split_once(' ').unwrap_or((after, "")),
        };
        facts = after;
        match member {
            "unit" => entry = entry.with_unit(text),
            "min" => min = Some(value(data_type.scalar(), text)?),
            "max" => max = Some(value(data_type.scalar(), text)?),
            "allowed" => entry = entry.with_allowed(list(data_type.scalar(), text)?),
            "default" => entry = entry.with_default(whole(data_type, text)?),
            "pattern" => entry = entry.with_pattern(text),
            "deprecation" => entry = entry.with_deprecation(text),
            _ => return None,
        }
    }
    Some(entry.with_range(min, max))
}

fn whole(data_type: DataType, text: &str) -> Option<Value> {
    match data_type {
        DataType::Scalar(scalar) => value(scalar, text),
        DataType::Array(scalar) => Some(Value::Array(list(scalar, text)?.into())),
    }
}

fn list(scalar: ScalarType, text: &str) -> Option<Vec<Value>> {
    text.split(',').map(|item| value(scalar, item)).collect()
}

fn value(scalar: ScalarType, text: &str) -> Option<Value> {
    let read = match scalar {
        ScalarType::Boolean => Value::Bool(text.parse().ok()?),
        ScalarType::String => Value::from(text),
        ScalarType::Float | ScalarType::Double => Value::Double(text.parse().ok()?),
        _ => Value::Int(text.parse().ok()?),
    };
    DataType::Scalar(scalar).coerce(read).ok()
}
