//! A mapping says which signal of a database is which path of a vehicle: a VSS tree in JSON whose leaves carry `dbc2vss` and `vss2dbc`.
//!
//! The form is that of the KUKSA CAN provider, whose files load unchanged; what it lacks is in additional members (`docs/can-mapping.md`).
//! *Invariant:* an entry that means nothing is an error that names file, path and entry; nothing is skipped but leaves without an entry.
//! *Next:* `json.rs` (text to nodes), `tree.rs` (nodes to entries), `plan` (entries and a database become what is done with each frame).

mod error;
mod json;
mod start;
#[cfg(test)]
mod tests;
mod tree;

pub use error::{MappingError, MappingFault};
pub use start::StartValues;

use crate::Math;
use coachwork_vehicle::{DataType, Entry, Kind, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs};

/// Which signal of a database is which path of a vehicle.
///
/// ```
/// use coachwork_can::Mapping;
/// let text = r#"{"Vehicle": {"type": "branch", "children": {"Speed": {
///     "type": "sensor", "datatype": "float", "unit": "km/h",
///     "dbc2vss": {"signal": "ESP.WheelSpeed", "interval_ms": 100, "transform": {"math": "x * 3.6"}}}}}}"#;
/// let mapping = Mapping::parse("speed.json", text)?;
/// assert_eq!(mapping.entries()[0].path(), "Vehicle.Speed");
///
/// let error = Mapping::parse("speed.json", &text.replace("math", "maths")).unwrap_err();
/// assert_eq!(error.to_string(), "speed.json: Vehicle.Speed: dbc2vss: unknown transform \"maths\"; there are `math` and `mapping`");
/// # Ok::<(), coachwork_can::MappingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mapping {
    name: Arc<str>,
    entries: Vec<MappingEntry>,
}

/// One path of the mapping: what the vehicle says of it, and where on the bus it comes from and goes to.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingEntry {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) data_type: DataType,
    pub(crate) unit: Option<String>,
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) from_bus: Option<FromBus>,
    pub(crate) to_bus: Option<ToBus>,
}

/// `dbc2vss`: a signal that is read as the path's value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FromBus {
    /// The signal.
    pub signal: SignalName,
    /// The shortest time between two samples; others are dropped. 1 s where the file gives neither this nor `on_change`.
    pub interval: Duration,
    /// Whether a value that equals the last is dropped.
    pub on_change: bool,
    /// What becomes of the signal's value.
    pub transform: Option<Transform>,
    /// The unit of the signal, where the file says it in the database's stead (`unit`).
    pub unit: Option<String>,
    /// After how long without a frame the value is stale, where the file says it in the database's stead (`stale_ms`); zero is never.
    pub stale_after: Option<Duration>,
    /// Values of the signal that say that there is none, besides those of the database (`not_available`).
    pub not_available: Vec<Constant>,
    /// Values of the signal that say that it is wrong, besides those of the database (`error`).
    pub error: Vec<Constant>,
}

/// `vss2dbc`: a signal that carries what the path is asked to become. Only actuators have one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToBus {
    /// The signal.
    pub signal: SignalName,
    /// What becomes of the path's value.
    pub transform: Option<Transform>,
    /// The unit of the signal, where the file says it in the database's stead (`unit`).
    pub unit: Option<String>,
    /// How often the message is repeated once it was sent, where the file says it in the database's stead (`cycle_ms`); zero is never.
    pub cycle: Option<Duration>,
}

/// A signal by name, perhaps qualified by its bus, its message, and for J1939 by parameter group and sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SignalName {
    /// The bus, where the mapping names it (`bus`).
    pub bus: Option<String>,
    /// The message, where the mapping names it (`Message.Signal`).
    pub message: Option<String>,
    /// The J1939 parameter group number, where the mapping names it (`pgn`): frames are matched by it, whatever their sender.
    pub pgn: Option<u32>,
    /// The J1939 source address, where the mapping names it (`source`): only frames from it are read, and it is the sender of what is sent.
    pub source: Option<u8>,
    /// The signal.
    pub signal: String,
}

/// What becomes of a value on its way.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transform {
    /// An expression in `x`. Where it fails, the sample is dropped.
    Math(Math),
    /// Pairs of what comes and what becomes of it; the first that equals counts. Where none does, the sample is dropped.
    Table(Vec<(Constant, Constant)>),
}

/// A constant of a `mapping` transform: a number, a boolean, or a text, which may be a label of the database's value table.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants say what they hold")]
pub enum Constant {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(Arc<str>),
}

impl Mapping {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or is not a mapping.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, MappingError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(cause) => Err(MappingError::whole(&name, MappingFault::Io(Arc::new(cause)))),
        }
    }

    /// Reads a mapping from its text; `name` is for error messages.
    ///
    /// # Errors
    /// The text is not JSON, or an entry in it means nothing.
    pub fn parse(name: &str, text: &str) -> Result<Self, MappingError> {
        let name: Arc<str> = name.into();
        let root = json::parse(text).map_err(|fault| MappingError::whole(&name, fault))?;
        Ok(Self { entries: tree::entries(&name, &root)?, name })
    }

    /// The paths that have an entry, in the order of the file.
    pub fn entries(&self) -> &[MappingEntry] {
        &self.entries
    }

    /// The name it was given, for error messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl MappingEntry {
    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where its value comes from.
    pub fn from_bus(&self) -> Option<&FromBus> {
        self.from_bus.as_ref()
    }

    /// Where a request to move it goes.
    pub fn to_bus(&self) -> Option<&ToBus> {
        self.to_bus.as_ref()
    }

    /// The entry of a catalogue that the mapping describes. Its kind is the file's; what is not on the bus in a direction is
    /// taken away by whoever knows the database.
    pub fn catalogue_entry(&self) -> Entry {
        let entry =
            Entry::new(self.kind, &self.path, self.data_type).with_range(self.min.clone(), self.max.clone());
        let entry = entry.with_allowed(self.allowed.iter().cloned());
        match &self.unit {
            Some(unit) => entry.with_unit(unit),
            None => entry,
        }
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(bus) = &self.bus {
            write!(f, "{bus}:")?;
        }
        if let Some(pgn) = self.pgn {
            write!(f, "pgn {pgn}:")?;
        }
        match &self.message {
            Some(message) => write!(f, "{message}.{}", self.signal),
            None => f.write_str(&self.signal),
        }
    }
}
