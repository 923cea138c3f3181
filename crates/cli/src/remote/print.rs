//! Datapoints, errors and receipts become lines: columns for people, or a JSON object each.
//!
//! *Invariant:* what a JSON object has depends on its kind alone, and its numbers read back the same; `docs/serve.md` names its members.
//! *Next:* `get.rs`, `set.rs`, `subscribe.rs`.

use coachwork_transport::viss::WireValue;
use coachwork_vehicle::{Catalogue, Datapoint, Error, ErrorKind, SignalId, State, Unit, Value};
use serde_json::{Map, Value as Json, json};

/// A datapoint for people, without its path.
pub(super) fn state_text(catalogue: &Catalogue, signal: SignalId, point: &Datapoint) -> String {
    let unit = catalogue.entry(signal).ok().and_then(|entry| entry.unit()).map(Unit::key);
    let unit = unit.filter(|_| point.value().is_some()).map_or_else(String::new, |unit| format!(" {unit}"));
    match &point.state {
        State::Stale(value) => format!("{value}{unit} (stale)"),
        state => format!("{state}{unit}"),
    }
}

/// A datapoint as an object.
pub(super) fn point_json(catalogue: &Catalogue, signal: SignalId, point: &Datapoint) -> Json {
    let mut object = Map::new();
    let path = catalogue.path(signal).map_or("", coachwork_vehicle::Path::as_str);
    object.insert("path".into(), path.into());
    object.insert("ts".into(), point.source.to_string().into());
    let (state, reason) = match &point.state {
        State::Valid(_) => ("valid", None),
        State::Stale(_) => ("stale", None),
        State::NeverSet => ("never_set", None),
        State::NotAvailable(reason) => ("not_available", Some(reason)),
        State::Error(reason) => ("error", Some(reason)),
    };
    object.insert("state".into(), state.into());
    if let Some(reason) = reason {
        object.insert("reason".into(), reason.to_string().into());
    }
    if let Some(value) = point.value() {
        object.insert("value".into(), value_json(value));
    }
    Json::Object(object)
}

/// A value as JSON; what JSON has no number for is a text.
pub(super) fn value_json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Array(items) => items.iter().map(value_json).collect(),
        Value::Struct(of) => of.iter().map(|(name, value)| (name.to_owned(), value_json(value))).collect(),
        Value::Text(_) => value.to_string().into(),
        number => match WireValue::of(number) {
            // The text of a float has the digits that are needed, and no more.
            WireValue::Scalar(text) => {
                let number = text.parse().ok().and_then(serde_json::Number::from_f64);
                number.map_or(Json::String(text), Json::Number)
            }
            _ => number.to_string().into(),
        },
    }
}

/// An error as an object.
pub(super) fn error_json(path: &str, error: &Error) -> Json {
    json!({ "path": path, "error": { "kind": kind_name(error.kind()), "message": error.message() } })
}

/// The kind of an error, as `docs/wire.md` names it.
fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "invalid",
        ErrorKind::UnknownSignal => "unknown_signal",
        ErrorKind::WrongCatalogue => "wrong_catalogue",
        ErrorKind::WrongType => "wrong_type",
        ErrorKind::OutOfRange => "out_of_range",
        ErrorKind::NotActuator => "not_actuator",
        ErrorKind::Denied => "denied",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Limit => "limit",
        ErrorKind::Protocol => "protocol",
        _ => "other",
    }
}
