//! A mapping says which signal of a database is which path of a vehicle: a VSS tree in JSON whose leaves carry `dbc2vss` and `vss2dbc`.
//!
//! The form is that of the KUKSA CAN provider, whose files load unchanged. A signal may be qualified by its message, `Message.Signal`.
//! *Invariant:* an entry that means nothing is an error that names file, path and entry; nothing is skipped but leaves without an entry.
//! *Next:* `json.rs` (text to nodes), `tree.rs` (nodes to entries), `plan` (entries and a database become what is done with each frame).

mod error;
mod json;
#[cfg(test)]
mod tests;
mod tree;

pub use error::{MappingError, MappingFault};

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
}

/// `vss2dbc`: a signal that carries what the path is asked to become. Only actuators have one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToBus {
    /// The signal.
    pub signal: SignalName,
    /// What becomes of the path's value.
    pub transform: Option<Transform>,
}

/// A signal by name, perhaps qualified by its message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignalName {
    /// The message, where the mapping names it.
    pub message: Option<String>,
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
        match &self.message {
            Some(message) => write!(f, "{message}.{}", self.signal),
            None => f.write_str(&self.signal),
        }
    }
}
