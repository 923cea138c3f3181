//! One line of a recording: a signal of its catalogue, a struct type that it needs, or a state; texts with their tabs and line ends escaped.
//!
//! *Invariant:* what is written reads back the same, floats to the bit (but for which NaN it is).
//! *Next:* `recorder.rs` and `recorded.rs`.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::catalogue::{Entry, Kind};
use crate::datapoint::{Reason, ReasonKind, State};
use crate::structs::{StructType, StructValue};
use crate::value::{DataType, ScalarType, Value};

/// Appends `signal<TAB>path<TAB>kind<TAB>type` and what else is known of it.
pub(super) fn write_entry(out: &mut String, entry: &Entry) {
    let _ = write!(out, "signal\t{}\t{}\t{}", entry.path(), entry.kind(), entry.type_name());
    write_rest(out, entry);
}

/// Appends the lines of a struct type: `struct<TAB>path`, and `property<TAB>name<TAB>type` with what else is known of each.
pub(super) fn write_struct(out: &mut String, of: &StructType) {
    let _ = writeln!(out, "struct\t{}", of.path());
    for property in of.properties() {
        let _ = write!(out, "property\t{}\t{}", property.path(), property.type_name());
        write_rest(out, property);
        if let Some(default) = property.default_value() {
            out.push_str("\tdefault=");
            write_value(out, default, false);
        }
        out.push('\n');
    }
}

fn write_rest(out: &mut String, entry: &Entry) {
    if let Some(unit) = entry.unit() {
        out.push_str("\tunit=");
        escape(out, unit.key());
    }
    let mut named = |name: &str, value: &Value| {
        let _ = write!(out, "\t{name}=");
        write_value(out, value, false);
    };
    if let Some(min) = entry.min() {
        named("min", min);
    }
    if let Some(max) = entry.max() {
        named("max", max);
    }
    // Nothing is checked against the allowed values of a struct: its properties have their own.
    for value in entry.allowed().iter().filter(|_| entry.struct_type().is_none()) {
        named("allowed", value);
    }
    if let Some(step) = entry.step() {
        let _ = write!(out, "\tstep={step:?}");
    }
}

/// The struct types that were read so far, by their paths.
pub(super) type Types = HashMap<String, Arc<StructType>>;

/// The entry of a signal's line; `None` where it makes no sense.
pub(super) fn entry(line: &str, types: &Types) -> Option<Entry> {
    let mut fields = line.split('\t');
    (fields.next()? == "signal").then_some(())?;
    let path = fields.next()?;
    let kind: Kind = fields.next()?.parse().ok()?;
    rest(kind, path, fields, types)
}

/// The property of a line after its struct's; `None` where it makes no sense.
pub(super) fn property(line: &str, types: &Types) -> Option<Entry> {
    let mut fields = line.split('\t');
    (fields.next()? == "property").then_some(())?;
    rest(Kind::Attribute, fields.next()?, fields, types)
}

fn rest<'l>(
    kind: Kind,
    path: &str,
    mut fields: impl Iterator<Item = &'l str>,
    types: &Types,
) -> Option<Entry> {
    let name = fields.next()?;
    let (one, is_array) = name.strip_suffix("[]").map_or((name, false), |one| (one, true));
    let entry = match (name.parse(), types.get(one)) {
        (Ok(data_type), _) => Entry::new(kind, path, data_type),
        (Err(_), Some(of)) if is_array => {
            Entry::new(kind, path, DataType::Array(ScalarType::Struct)).with_struct(of)
        }
        (Err(_), Some(of)) => Entry::new(kind, path, DataType::STRUCT).with_struct(of),
        (Err(_), None) => return None,
    };
    let element = entry.data_type().scalar();
    let (mut entry, mut min, mut max, mut allowed) = (entry, None, None, Vec::new());
    for field in fields {
        let (name, text) = field.split_once('=')?;
        match name {
            "unit" => entry = entry.with_unit(&unescape(text)?),
            "min" => min = Some(scalar_value(text, element)?),
            "max" => max = Some(scalar_value(text, element)?),
            "allowed" => allowed.push(scalar_value(text, element)?),
            "step" => entry = entry.with_step(text.parse().ok()?),
            "default" => {
                let default = value(text, &entry)?;
                entry = entry.with_default(default);
            }
            // What a later version adds.
            _ => {}
        }
    }
    Some(entry.with_range(min, max).with_allowed(allowed))
}

/// Appends a state: `=value`, `~value` (stale), `-` (never set), `?kind text` (not available), `!kind text` (error).
pub(super) fn write_state(out: &mut String, state: &State) {
    let mut because = |sign: char, reason: &Reason| {
        out.push(sign);
        out.push_str(reason.kind().name());
        if let Some(text) = reason.text() {
            out.push(' ');
            escape(out, text);
        }
    };
    match state {
        State::NotAvailable(reason) => because('?', reason),
        State::Error(reason) => because('!', reason),
        State::NeverSet => out.push('-'),
        State::Valid(value) | State::Stale(value) => {
            out.push(if matches!(state, State::Valid(_)) { '=' } else { '~' });
            write_value(out, value, false);
        }
    }
}

/// The state of a text; `None` where it makes no sense for the signal.
pub(super) fn state(text: &str, entry: &Entry) -> Option<State> {
    let mut rest = text.chars();
    let sign = rest.next()?;
    let rest = rest.as_str();
    let reason = || {
        let (kind, why) = rest.split_once(' ').map_or((rest, None), |(kind, why)| (kind, Some(why)));
        let kind = ReasonKind::from_name(kind);
        Some(match why {
            Some(why) => Reason::because(kind, unescape(why)?),
            None => Reason::new(kind),
        })
    };
    Some(match sign {
        '=' => State::Valid(value(rest, entry)?),
        '~' => State::Stale(value(rest, entry)?),
        '-' if rest.is_empty() => State::NeverSet,
        '?' => State::NotAvailable(reason()?),
        '!' => State::Error(reason()?),
        _ => return None,
    })
}

/// Appends a value: each element of an array ends with a comma, each property of a struct with a semicolon.
fn write_value(out: &mut String, value: &Value, in_struct: bool) {
    let _ = match value {
        Value::Bool(v) => write!(out, "{v}"),
        Value::Int(v) => write!(out, "{v}"),
        Value::Uint(v) => write!(out, "{v}"),
        Value::Float(v) => write!(out, "{v:?}"),
        Value::Double(v) => write!(out, "{v:?}"),
        Value::Text(text) if in_struct => {
            text.split(';').enumerate().for_each(|(n, part)| {
                out.push_str(if n > 0 { "\\s" } else { "" });
                escape(out, part);
            });
            Ok(())
        }
        Value::Text(text) => {
            escape(out, text);
            Ok(())
        }
        Value::Struct(of) => {
            out.push('{');
            for (_, value) in of.iter() {
                write_value(out, value, true);
                out.push(';');
            }
            out.push('}');
            Ok(())
        }
        Value::Array(items) => {
            for item in items.iter() {
                write_value(out, item, in_struct);
                out.push(',');
            }
            Ok(())
        }
    };
}

/// The value of a whole text.
fn value(text: &str, entry: &Entry) -> Option<Value> {
    match (entry.struct_type(), entry.data_type()) {
        (None, DataType::Scalar(scalar)) => scalar_value(text, scalar),
        // Those of a text are escaped.
        (None, DataType::Array(_)) if text.is_empty() => Some(Value::Array([].into())),
        (None, DataType::Array(scalar)) => {
            let items = text.strip_suffix(',')?.split(',');
            Some(Value::Array(items.map(|item| scalar_value(item, scalar)).collect::<Option<_>>()?))
        }
        (Some(of), DataType::Scalar(_)) => {
            let (value, rest) = structure(text, of)?;
            rest.is_empty().then_some(value)
        }
        (Some(of), DataType::Array(_)) => {
            let (value, rest) = structures(text, of)?;
            rest.is_empty().then_some(value)
        }
    }
}

/// The struct that a text begins with, and what follows it. How deep it nests, its type bounds.
fn structure<'t>(text: &'t str, of: &Arc<StructType>) -> Option<(Value, &'t str)> {
    let mut text = text.strip_prefix('{')?;
    let mut fields = Vec::with_capacity(of.properties().len());
    for property in of.properties() {
        let (field, rest) = match (property.struct_type(), property.data_type()) {
            (Some(of), DataType::Scalar(_)) => structure(text, of)?,
            (Some(of), DataType::Array(_)) => structures(text, of)?,
            (None, _) => {
                let (one, _) = text.split_once(';')?;
                (value(one, property)?, text.get(one.len()..)?)
            }
        };
        fields.push((property.path().as_str(), field));
        text = rest.strip_prefix(';')?;
    }
    let value = StructValue::new(of, fields).ok()?;
    Some((value.into(), text.strip_prefix('}')?))
}

/// The structs that a text begins with, each with its comma, and what follows them.
fn structures<'t>(mut text: &'t str, of: &Arc<StructType>) -> Option<(Value, &'t str)> {
    let mut items = Vec::new();
    while text.starts_with('{') {
        let (item, rest) = structure(text, of)?;
        items.push(item);
        text = rest.strip_prefix(',')?;
    }
    Some((Value::Array(items.into()), text))
}

fn scalar_value(text: &str, scalar: ScalarType) -> Option<Value> {
    let value = match scalar {
        ScalarType::Boolean => Value::Bool(text.parse().ok()?),
        ScalarType::Float => Value::Float(text.parse().ok()?),
        ScalarType::Double => Value::Double(text.parse().ok()?),
        ScalarType::String => Value::Text(unescape(text)?.into()),
        ScalarType::Struct => return None,
        ScalarType::Int8 | ScalarType::Int16 | ScalarType::Int32 | ScalarType::Int64 => {
            Value::Int(text.parse().ok()?)
        }
        ScalarType::Uint8 | ScalarType::Uint16 | ScalarType::Uint32 | ScalarType::Uint64 => {
            Value::Uint(text.parse().ok()?)
        }
    };
    value.is(DataType::Scalar(scalar)).then_some(value)
}

/// Appends a text without tabs, line ends and commas.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            ',' => out.push_str("\\c"),
            c => out.push(c),
        }
    }
}

/// The text that was escaped; `None` where it was not.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'c' => ',',
                's' => ';',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}
