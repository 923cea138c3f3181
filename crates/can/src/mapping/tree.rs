//! The nodes of a VSS tree become the entries of a mapping.
//!
//! *Invariant:* every `dbc2vss`, `dbc` and `vss2dbc` of the file is an entry or an error; leaves without one are not looked at.
//! *Next:* `mod.rs`, whose types these fill.

use super::json::Node;
use super::{Constant, FromBus, MappingEntry, MappingError, MappingFault, SignalName, ToBus, Transform};
use crate::Math;
use coachwork_vehicle::{DataType, Kind, Path, Value};
use std::time::Duration;

/// The interval where an entry gives neither one nor `on_change`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

const FROM_BUS: [&str; 2] = ["dbc2vss", "dbc"];
const TO_BUS: &str = "vss2dbc";

/// The largest parameter group number: 18 bits.
const MAX_PGN: i64 = 0x3_FFFF;

pub(super) fn entries(file: &str, root: &Node) -> Result<Vec<MappingEntry>, MappingError> {
    let tops = members(root, "the file").map_err(|fault| MappingError::whole(file, fault))?;
    let mut entries = Vec::new();
    for (name, node) in tops {
        walk(file, name, node, &mut entries)?;
    }
    Ok(entries)
}

fn walk(file: &str, path: &str, node: &Node, entries: &mut Vec<MappingEntry>) -> Result<(), MappingError> {
    let at = |entry| move |fault| MappingError::at(file, path, entry, fault);
    members(node, path).map_err(at(None))?;
    let found: Vec<&str> = FROM_BUS.into_iter().filter(|name| node.member(name).is_some()).collect();
    let from = found.first().copied();
    if let Some(children) = node.member("children") {
        if let Some(entry) = from.map(|_| "dbc2vss").or(node.member(TO_BUS).map(|_| TO_BUS)) {
            return Err(at(Some(entry))(MappingFault::OnBranch));
        }
        for (name, child) in members(children, "children").map_err(at(None))? {
            walk(file, &format!("{path}.{name}"), child, entries)?;
        }
        return Ok(());
    }
    if found.len() > 1 {
        return Err(at(Some("dbc2vss"))(MappingFault::Twice));
    }
    if from.is_none() && node.member(TO_BUS).is_none() {
        return Ok(());
    }
    let mut entry = leaf(path, node).map_err(at(None))?;
    if let Some(from) = from.and_then(|name| node.member(name)) {
        entry.from_bus = Some(from_bus(from).map_err(at(Some("dbc2vss")))?);
    }
    if let Some(to) = node.member(TO_BUS) {
        if entry.kind != Kind::Actuator {
            return Err(at(Some(TO_BUS))(MappingFault::NotActuator));
        }
        entry.to_bus = Some(to_bus(to).map_err(at(Some(TO_BUS)))?);
    }
    entries.push(entry);
    Ok(())
}

fn members<'a>(node: &'a Node, name: &str) -> Result<&'a [(String, Node)], MappingFault> {
    node.members().ok_or_else(|| not_a(name, "an object"))
}

fn not_a(member: &str, wanted: &'static str) -> MappingFault {
    MappingFault::NotA { member: member.into(), wanted }
}

fn text<'a>(node: &'a Node, name: &'static str) -> Result<&'a str, MappingFault> {
    node.member(name).ok_or(MappingFault::Missing(name))?.text().ok_or_else(|| not_a(name, "a text"))
}

/// What the tree says of a leaf, without its entries.
fn leaf(path: &str, node: &Node) -> Result<MappingEntry, MappingFault> {
    Path::new(path).map_err(|error| MappingFault::Entry(error.to_string()))?;
    let kind: Kind =
        text(node, "type")?.parse().map_err(|_| not_a("type", "one of sensor, actuator, attribute"))?;
    let data_type: DataType =
        text(node, "datatype")?.parse().map_err(|_| not_a("datatype", "a data type of VSS"))?;
    if matches!(data_type, DataType::Array(_)) {
        return Err(MappingFault::Array);
    }
    let unit = node.member("unit").map(|_| text(node, "unit").map(str::to_owned)).transpose()?;
    let allowed = match node.member("allowed") {
        None => Vec::new(),
        Some(Node::List(values)) => {
            values.iter().map(|value| limit(value, "allowed", data_type)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(not_a("allowed", "a list")),
    };
    let bound = |name: &'static str| node.member(name).map(|value| limit(value, name, data_type)).transpose();
    Ok(MappingEntry {
        path: path.into(),
        kind,
        data_type,
        unit,
        min: bound("min")?,
        max: bound("max")?,
        allowed,
        from_bus: None,
        to_bus: None,
    })
}

/// A limit or allowed value, in the leaf's type.
fn limit(node: &Node, name: &str, data_type: DataType) -> Result<Value, MappingFault> {
    let value = match node {
        Node::Bool(value) => Value::Bool(*value),
        Node::Integer(value) => Value::Int(*value),
        Node::Number(value) => Value::Double(*value),
        Node::Text(text) => Value::Text(text.as_str().into()),
        Node::Null | Node::List(_) | Node::Object(_) => return Err(not_a(name, "a value of the data type")),
    };
    data_type.coerce(value).map_err(|error| MappingFault::Constant {
        constant: error.value.to_string(),
        what: format!("{data_type}"),
    })
}

fn from_bus(node: &Node) -> Result<FromBus, MappingFault> {
    known_members(node, &["interval_ms", "on_change", "stale_ms", "not_available", "error"])?;
    let on_change = match node.member("on_change") {
        None => None,
        Some(Node::Bool(on_change)) => Some(*on_change),
        Some(_) => return Err(not_a("on_change", "true or false")),
    };
    // Where nothing limits the samples, one a second; `on_change` alone limits them enough.
    let default = if on_change == Some(true) { Duration::ZERO } else { DEFAULT_INTERVAL };
    let transform = transform(node)?;
    Ok(FromBus {
        signal: signal(node)?,
        interval: milliseconds(node, "interval_ms")?.unwrap_or(default),
        on_change: on_change.unwrap_or(false),
        unit: unit(node, transform.as_ref())?,
        transform,
        stale_after: milliseconds(node, "stale_ms")?,
        not_available: constants(node, "not_available")?,
        error: constants(node, "error")?,
    })
}

/// In the format, `interval_ms` and `on_change` may stand here and mean nothing.
fn to_bus(node: &Node) -> Result<ToBus, MappingFault> {
    known_members(node, &["interval_ms", "on_change", "cycle_ms"])?;
    let transform = transform(node)?;
    Ok(ToBus {
        signal: signal(node)?,
        unit: unit(node, transform.as_ref())?,
        transform,
        cycle: milliseconds(node, "cycle_ms")?,
    })
}

/// A misspelt member would silently mean its default.
fn known_members(node: &Node, also: &[&str]) -> Result<(), MappingFault> {
    const KNOWN: [&str; 8] =
        ["signal", "transform", "comment", "description", "bus", "pgn", "source", "unit"];
    let unknown = |name: &str| !KNOWN.contains(&name) && !also.contains(&name);
    match members(node, "the entry")?.iter().find(|(name, _)| unknown(name)) {
        Some((name, _)) => Err(MappingFault::UnknownMember(name.clone())),
        None => Ok(()),
    }
}

fn milliseconds(node: &Node, name: &'static str) -> Result<Option<Duration>, MappingFault> {
    match node.member(name) {
        None => Ok(None),
        Some(Node::Integer(milliseconds)) => u64::try_from(*milliseconds)
            .map(|milliseconds| Some(Duration::from_millis(milliseconds)))
            .map_err(|_| not_a(name, "a number of milliseconds from 0")),
        Some(_) => Err(not_a(name, "a whole number of milliseconds")),
    }
}

/// A transform gives the path's unit by itself: a unit beside one would mean nothing.
fn unit(node: &Node, transform: Option<&Transform>) -> Result<Option<String>, MappingFault> {
    match (node.member("unit"), transform) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(MappingFault::UnitAndTransform),
        (Some(_), None) => text(node, "unit").map(|unit| Some(unit.to_owned())),
    }
}

/// Names in a database have no points, so that a point parts message and signal.
fn signal(node: &Node) -> Result<SignalName, MappingFault> {
    let name = text(node, "signal")?;
    let (message, signal) = match name.split_once('.') {
        Some((message, signal)) => (Some(message), signal),
        None => (None, name),
    };
    if signal.is_empty() || message == Some("") {
        return Err(not_a("signal", "a name"));
    }
    let bus = node.member("bus").map(|_| text(node, "bus").map(str::to_owned)).transpose()?;
    let whole = |name: &'static str, most: i64, wanted| match node.member(name) {
        None => Ok(None),
        Some(Node::Integer(value)) if (0..=most).contains(value) => Ok(u32::try_from(*value).ok()),
        Some(_) => Err(not_a(name, wanted)),
    };
    let pgn = whole("pgn", MAX_PGN, "a parameter group number from 0 to 262143")?;
    let source = whole("source", 255, "a source address from 0 to 255")?;
    Ok(SignalName {
        bus,
        message: message.map(str::to_owned),
        pgn,
        source: source.and_then(|source| u8::try_from(source).ok()),
        signal: signal.to_owned(),
    })
}

/// One constant or a list of them; none where the member is not there.
fn constants(node: &Node, name: &'static str) -> Result<Vec<Constant>, MappingFault> {
    match node.member(name) {
        None => Ok(Vec::new()),
        Some(Node::List(values)) => values.iter().map(|value| constant_of(value, name)).collect(),
        Some(value) => constant_of(value, name).map(|constant| vec![constant]),
    }
}

fn transform(node: &Node) -> Result<Option<Transform>, MappingFault> {
    let Some(transform) = node.member("transform") else { return Ok(None) };
    let members = members(transform, "transform")?;
    if let Some((unknown, _)) = members.iter().find(|(name, _)| name != "math" && name != "mapping") {
        return Err(MappingFault::UnknownTransform(unknown.clone()));
    }
    match members {
        [(name, Node::Text(text))] if name == "math" => Ok(Some(Transform::Math(Math::parse(text)?))),
        [(name, Node::List(pairs))] if name == "mapping" => {
            Ok(Some(Transform::Table(pairs.iter().map(pair).collect::<Result<_, _>>()?)))
        }
        [(name, _)] if name == "math" => Err(not_a("math", "a text")),
        [_] => Err(not_a("mapping", "a list")),
        _ => Err(MappingFault::NotOneTransform),
    }
}

fn pair(node: &Node) -> Result<(Constant, Constant), MappingFault> {
    if let Some((unknown, _)) =
        members(node, "mapping")?.iter().find(|(name, _)| name != "from" && name != "to")
    {
        return Err(MappingFault::UnknownMember(unknown.clone()));
    }
    Ok((constant(node, "from")?, constant(node, "to")?))
}

fn constant(node: &Node, name: &'static str) -> Result<Constant, MappingFault> {
    constant_of(node.member(name).ok_or(MappingFault::Missing(name))?, name)
}

fn constant_of(node: &Node, name: &str) -> Result<Constant, MappingFault> {
    match node {
        Node::Bool(value) => Ok(Constant::Bool(*value)),
        Node::Integer(value) => Ok(Constant::Integer(*value)),
        Node::Number(value) => Ok(Constant::Number(*value)),
        Node::Text(text) => Ok(Constant::Text(text.as_str().into())),
        Node::Null | Node::List(_) | Node::Object(_) => Err(not_a(name, "a number, a boolean or a text")),
    }
}
