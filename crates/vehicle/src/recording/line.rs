//! One line of a recording: a signal of its catalogue, or a state; texts with their tabs and line ends escaped.
//!
//! *Invariant:* what is written reads back the same, floats to the bit (but for which NaN it is).
//! *Next:* `recorder.rs` and `recorded.rs`.

use std::fmt::Write;

use crate::catalogue::{Entry, Kind};
use crate::datapoint::{Reason, ReasonKind, State};
use crate::value::{DataType, ScalarType, Value};

/// Appends `signal<TAB>path<TAB>kind<TAB>type` and what else is known of it.
pub(super) fn write_entry(out: &mut String, entry: &Entry) {
    let element = DataType::Scalar(entry.data_type().scalar());
    let _ = write!(out, "signal\t{}\t{}\t{}", entry.path(), entry.kind(), entry.data_type());
    if let Some(unit) = entry.unit() {
        out.push_str("\tunit=");
        escape(out, unit.key());
    }
    let mut named = |name: &str, value: &Value| {
        let _ = write!(out, "\t{name}=");
        write_value(out, value, element);
    };
    if let Some(min) = entry.min() {
        named("min", min);
    }
    if let Some(max) = entry.max() {
        named("max", max);
    }
    for value in entry.allowed() {
        named("allowed", value);
    }
    if let Some(step) = entry.step() {
        let _ = write!(out, "\tstep={step:?}");
    }
}

/// The entry of a line; `None` where it makes no sense.
pub(super) fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split('\t');
    (fields.next()? == "signal").then_some(())?;
    let path = fields.next()?;
    let kind: Kind = fields.next()?.parse().ok()?;
    let data_type: DataType = fields.next()?.parse().ok()?;
    let element = DataType::Scalar(data_type.scalar());
    let (mut entry, mut min, mut max, mut allowed) =
        (Entry::new(kind, path, data_type), None, None, Vec::new());
    for field in fields {
        let (name, text) = field.split_once('=')?;
        match name {
            "unit" => entry = entry.with_unit(&unescape(text)?),
            "min" => min = Some(value(text, element)?),
            "max" => max = Some(value(text, element)?),
            "allowed" => allowed.push(value(text, element)?),
            "step" => entry = entry.with_step(text.parse().ok()?),
            // What a later version adds.
            _ => {}
        }
    }
    Some(entry.with_range(min, max).with_allowed(allowed))
}

/// Appends a state: `=value`, `~value` (stale), `-` (never set), `?kind text` (not available), `!kind text` (error).
pub(super) fn write_state(out: &mut String, state: &State, data_type: DataType) {
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
            write_value(out, value, data_type);
        }
    }
}

/// The state of a text; `None` where it makes no sense for the type.
pub(super) fn state(text: &str, data_type: DataType) -> Option<State> {
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
        '=' => State::Valid(value(rest, data_type)?),
        '~' => State::Stale(value(rest, data_type)?),
        '-' if rest.is_empty() => State::NeverSet,
        '?' => State::NotAvailable(reason()?),
        '!' => State::Error(reason()?),
        _ => return None,
    })
}

fn write_value(out: &mut String, value: &Value, data_type: DataType) {
    let _ = match value {
        Value::Bool(v) => write!(out, "{v}"),
        Value::Int(v) => write!(out, "{v}"),
        Value::Uint(v) => write!(out, "{v}"),
        Value::Float(v) => write!(out, "{v:?}"),
        Value::Double(v) => write!(out, "{v:?}"),
        Value::Text(text) => {
            escape(out, text);
            Ok(())
        }
        // The recorder takes no such signal.
        Value::Struct(_) => Ok(()),
        Value::Array(items) => {
            let element = DataType::Scalar(data_type.scalar());
            for item in items.iter() {
                write_value(out, item, element);
                out.push(',');
            }
            Ok(())
        }
    };
}

fn value(text: &str, data_type: DataType) -> Option<Value> {
    match data_type {
        DataType::Scalar(scalar) => scalar_value(text, scalar),
        // Each element ends with a comma; those of a text are escaped.
        DataType::Array(_) if text.is_empty() => Some(Value::Array([].into())),
        DataType::Array(scalar) => {
            let items = text.strip_suffix(',')?.split(',');
            Some(Value::Array(items.map(|item| scalar_value(item, scalar)).collect::<Option<_>>()?))
        }
    }
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
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}
