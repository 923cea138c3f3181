//! One signal of a catalogue: its path, kind, type, unit and limits, and who may do what with it.
//!
//! *Invariant:* the limits and the default of a checked entry are of its type.
//! *Next:* `details.rs` (what few entries have), `catalogue.rs` (where entries are checked and numbered).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::CatalogueError;
use super::details::Details;
use crate::datapoint::Reason;
use crate::error::{Error, ErrorKind, Operation};
use crate::path::Path;
use crate::structs::StructType;
use crate::unit::Unit;
use crate::value::{DataType, ScalarType, TypeError, Value};

/// What kind of signal it is, in the words of VSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is measured.
    Sensor,
    /// It is measured, and can be asked to move.
    Actuator,
    /// It does not change while the vehicle runs.
    Attribute,
}

/// Whether something may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Yes,
    /// It makes no sense: a sensor cannot be written.
    No,
    /// It would, but the right is missing, for the reason given.
    Denied(Reason),
}

/// What may be done with a signal here and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Get and subscribe.
    pub read: Permission,
    /// Set.
    pub write: Permission,
}

/// What a catalogue knows of one signal. Built with [`sensor`](Self::sensor), [`actuator`](Self::actuator) or
/// [`attribute`](Self::attribute) and the methods after them; checked when it enters a catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    path: Path,
    kind: Kind,
    data_type: DataType,
    unit: Option<Unit>,
    min: Option<Value>,
    max: Option<Value>,
    step: Option<f64>,
    allowed: Arc<[Value]>,
    stale_after: Option<Duration>,
    details: Option<Arc<Details>>,
}

/// How an entry contradicts itself.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A limit or allowed value is not of the entry's type.
    #[error("limit or allowed value: {0}")]
    Type(#[from] TypeError),
    /// The minimum is above the maximum, or they cannot be compared.
    #[error("the range from {min} to {max} is empty")]
    EmptyRange {
        /// The minimum.
        min: Value,
        /// The maximum.
        max: Value,
    },
    /// The step is not a positive number.
    #[error("a step of {0} is not a positive number")]
    Step(f64),
    /// The default is outside the range, not among the allowed values, or an array of another size.
    #[error("default: {0}")]
    Default(String),
    /// It has an array size, but its values are no arrays.
    #[error("an array size of {0} for a type that is no array")]
    ArraySize(u32),
    /// It is of a struct type that is not defined, or has a definition and is of another type.
    #[error("a struct type is defined exactly where the values are structs")]
    Struct,
}

impl Entry {
    /// A signal that is measured.
    pub fn sensor(path: &str, data_type: DataType) -> Self {
        Self::new(Kind::Sensor, path, data_type)
    }

    /// A signal that is measured and can be asked to move.
    pub fn actuator(path: &str, data_type: DataType) -> Self {
        Self::new(Kind::Actuator, path, data_type)
    }

    /// A signal that does not change while the vehicle runs.
    pub fn attribute(path: &str, data_type: DataType) -> Self {
        Self::new(Kind::Attribute, path, data_type)
    }

    /// A signal of a kind. A malformed path is reported when the entry enters a catalogue.
    pub fn new(kind: Kind, path: &str, data_type: DataType) -> Self {
        Self {
            path: Path::unchecked(path),
            kind,
            data_type,
            unit: None,
            min: None,
            max: None,
            step: None,
            allowed: Arc::new([]),
            stale_after: None,
            details: None,
        }
    }

    /// Gives it a unit, by its VSS key (`km/h`, `percent`, `Celsius`). A key that VSS does not list is a unit of its own, which converts to no
    /// other: to read or write the signal by a typed path of another unit is then an error.
    #[must_use]
    pub fn with_unit(self, key: &str) -> Self {
        Self { unit: Some(Unit::new(key)), ..self }
    }

    /// Gives it a smallest and a largest value. For an array they bound each element.
    #[must_use]
    pub fn with_range(self, min: impl Into<Option<Value>>, max: impl Into<Option<Value>>) -> Self {
        Self { min: min.into(), max: max.into(), ..self }
    }

    /// Gives it a step: values closer than half of it are the same to a receipt.
    #[must_use]
    pub fn with_step(self, step: f64) -> Self {
        Self { step: Some(step), ..self }
    }

    /// Names the only values that it may have.
    #[must_use]
    pub fn with_allowed(self, allowed: impl IntoIterator<Item = Value>) -> Self {
        Self { allowed: allowed.into_iter().collect(), ..self }
    }

    /// Says after how long without a report a value is stale. Without it, a value never is.
    #[must_use]
    pub fn with_stale_after(self, limit: Duration) -> Self {
        Self { stale_after: Some(limit), ..self }
    }

    /// Gives it the value that VSS states for want of a better one. A default is a fact of the tree, not a datapoint.
    #[must_use]
    pub fn with_default(self, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.detailed(|details| details.default = Some(value))
    }

    /// Says which struct its values are, or the elements of its arrays.
    #[must_use]
    pub fn with_struct(self, of: &Arc<StructType>) -> Self {
        let of = of.clone();
        self.detailed(|details| details.structure = Some(of))
    }

    /// Fixes how many elements its arrays have.
    #[must_use]
    pub fn with_array_size(self, elements: u32) -> Self {
        self.detailed(|details| details.array_size = Some(elements))
    }

    /// Gives it the regular expression that its text follows. It is shown to whoever asks; values are not matched against it.
    #[must_use]
    pub fn with_pattern(self, expression: &str) -> Self {
        self.detailed(|details| details.pattern = Some(expression.into()))
    }

    /// Says that it will leave the tree, and what to use instead.
    #[must_use]
    pub fn with_deprecation(self, advice: &str) -> Self {
        self.detailed(|details| details.deprecation = Some(advice.into()))
    }

    /// Gives it an extended attribute: a name that VSS does not define, with its value as JSON. The same name again replaces it.
    #[must_use]
    pub fn with_extended(self, name: &str, json: &str) -> Self {
        self.detailed(|details| details.extend(name.into(), json.into()))
    }

    fn detailed(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(self.details.get_or_insert_default()));
        self
    }

    /// Where it stands in the tree. It is checked when the entry enters a catalogue.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of signal it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The type of its values.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The unit of its values.
    pub fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    /// Its smallest value.
    pub fn min(&self) -> Option<&Value> {
        self.min.as_ref()
    }

    /// Its largest value.
    pub fn max(&self) -> Option<&Value> {
        self.max.as_ref()
    }

    /// The distance between neighbouring values that can be told apart.
    pub fn step(&self) -> Option<f64> {
        self.step
    }

    /// The only values that it may have; empty where any value of its type and range will do.
    pub fn allowed(&self) -> &[Value] {
        &self.allowed
    }

    /// After how long without a report a value is stale.
    pub fn stale_after(&self) -> Option<Duration> {
        self.stale_after
    }

    /// The value that VSS states for want of a better one.
    pub fn default_value(&self) -> Option<&Value> {
        self.details.as_ref()?.default.as_ref()
    }

    /// Which struct its values are, or the elements of its arrays; `None` where they are none.
    pub fn struct_type(&self) -> Option<&Arc<StructType>> {
        self.details.as_ref()?.structure.as_ref()
    }

    /// The name of its type as VSS writes it: that of a struct is the path of its definition.
    pub fn type_name(&self) -> Cow<'_, str> {
        match (self.struct_type(), self.data_type) {
            (None, data_type) => data_type.to_string().into(),
            (Some(of), DataType::Scalar(_)) => of.path().as_str().into(),
            (Some(of), DataType::Array(_)) => format!("{}[]", of.path()).into(),
        }
    }

    /// Whether `value` is of its type in canonical form; of a struct, whether it is one of this struct.
    pub fn holds(&self, value: &Value) -> bool {
        value.is(self.data_type)
            && (self.data_type.scalar() != ScalarType::Struct || self.is_of_struct(value))
    }

    /// Brings `value` into the canonical form of its type, as [`DataType::coerce`] does; a struct has to be one of this struct.
    ///
    /// # Errors
    /// [`TypeError`] where it does not fit.
    pub fn coerce(&self, value: Value) -> Result<Value, TypeError> {
        let value = self.data_type.coerce(value)?;
        if self.holds(&value) { Ok(value) } else { Err(TypeError { value, wanted: self.data_type }) }
    }

    fn is_of_struct(&self, value: &Value) -> bool {
        match (value, self.struct_type()) {
            (Value::Struct(value), Some(of)) => value.is_of(of),
            (Value::Array(items), Some(_)) => items.iter().all(|item| self.is_of_struct(item)),
            _ => false,
        }
    }

    /// How many elements its arrays have; `None` where any number will do.
    pub fn array_size(&self) -> Option<u32> {
        self.details.as_ref()?.array_size
    }

    /// The regular expression that its text follows.
    pub fn pattern(&self) -> Option<&str> {
        self.details.as_ref()?.pattern.as_deref()
    }

    /// Why it will leave the tree, and what to use instead.
    pub fn deprecation(&self) -> Option<&str> {
        self.details.as_ref()?.deprecation.as_deref()
    }

    /// Its extended attributes: name and value as JSON, sorted by name.
    pub fn extended(&self) -> impl Iterator<Item = (&str, &str)> {
        self.details.iter().flat_map(|details| details.extended())
    }

    /// This entry with whatever `over` states put over it.
    #[cfg(feature = "vspec")]
    pub(crate) fn overlaid(self, over: Self) -> Self {
        let details = match (self.details, over.details) {
            (Some(under), Some(over)) => Some(Arc::new(under.overlaid(&over))),
            (under, over) => over.or(under),
        };
        let details = match details {
            // A leaf that becomes something else is no struct any more.
            Some(mut kept) if kept.structure.is_some() && over.data_type.scalar() != ScalarType::Struct => {
                Arc::make_mut(&mut kept).structure = None;
                Some(kept)
            }
            other => other,
        };
        Self {
            path: self.path,
            kind: over.kind,
            data_type: over.data_type,
            unit: over.unit.or(self.unit),
            min: over.min.or(self.min),
            max: over.max.or(self.max),
            step: over.step.or(self.step),
            allowed: if over.allowed.is_empty() { self.allowed } else { over.allowed },
            stale_after: over.stale_after.or(self.stale_after),
            details,
        }
    }

    /// Checks a value that somebody asks to set: the signal is an actuator, the value fits its type and is within its limits.
    /// Returns it in the catalogue's type. Rights are not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::NotActuator`], [`ErrorKind::WrongType`] or [`ErrorKind::OutOfRange`].
    pub fn settable(&self, value: Value) -> Result<Value, Error> {
        let fault = |kind, message: String| {
            Error::new(kind, message).during(Operation::Set).on_path(self.path.as_str())
        };
        if self.kind != Kind::Actuator {
            let message = format!("the signal is a {} and cannot be set", self.kind);
            return Err(fault(ErrorKind::NotActuator, message));
        }
        let value = self.coerce(value).map_err(|why| fault(ErrorKind::WrongType, why.to_string()))?;
        match self.out_of_range(&value) {
            Some(why) => Err(fault(ErrorKind::OutOfRange, why)),
            None => Ok(value),
        }
    }

    /// Why `value`, which is of the entry's type, is outside its range or not among its allowed values.
    fn out_of_range(&self, value: &Value) -> Option<String> {
        if let Value::Array(items) = value {
            if let Some(size) = self.array_size().filter(|size| usize::try_from(*size) != Ok(items.len())) {
                return Some(format!("an array of {} elements is not one of {size}", items.len()));
            }
            return items.iter().find_map(|item| self.out_of_range(item));
        }
        if let Value::Struct(value) = value {
            let properties = value.struct_type().properties().iter().zip(value.iter());
            return properties
                .filter_map(|(property, (name, field))| Some((name, property.out_of_range(field)?)))
                .map(|(name, why)| format!("{name}: {why}"))
                .next();
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed.same(value)) {
            let allowed: Vec<_> = self.allowed.iter().map(Value::to_string).collect();
            return Some(format!("{value} is not one of {}", allowed.join(", ")));
        }
        let inside = |limit: &Option<Value>, wanted: fn(std::cmp::Ordering) -> bool| {
            limit.as_ref().is_none_or(|limit| value.compare(limit).is_some_and(wanted))
        };
        if inside(&self.min, std::cmp::Ordering::is_ge) && inside(&self.max, std::cmp::Ordering::is_le) {
            return None;
        }
        let end = |limit: &Option<Value>| limit.as_ref().map_or_else(|| "any".to_owned(), Value::to_string);
        Some(format!("{value} is outside {} to {}", end(&self.min), end(&self.max)))
    }

    /// Whether an observation shows that what was asked has happened: equal in the type, within half a step.
    pub(crate) fn reached(&self, wanted: &Value, seen: &Value) -> bool {
        match (self.step, wanted.as_f64(), seen.as_f64()) {
            (Some(step), Some(near), Some(at)) => wanted.same(seen) || (near - at).abs() <= step / 2.0,
            _ => wanted.same(seen),
        }
    }

    pub(crate) fn checked(mut self) -> Result<Self, CatalogueError> {
        let path = Path::new(self.path.as_str())?;
        let fault = |why: EntryError| CatalogueError::Entry { path: path.clone(), why };
        let element = DataType::Scalar(self.data_type.scalar());
        if self.struct_type().is_some() != (element == DataType::STRUCT) {
            return Err(fault(EntryError::Struct));
        }
        let coerce = |value: Value| element.coerce(value).map_err(|why| fault(why.into()));
        self.min = self.min.map(coerce).transpose()?;
        self.max = self.max.map(coerce).transpose()?;
        self.allowed = self.allowed.iter().cloned().map(coerce).collect::<Result<_, _>>()?;
        if let (Some(min), Some(max)) = (&self.min, &self.max)
            && !min.compare(max).is_some_and(std::cmp::Ordering::is_le)
        {
            return Err(fault(EntryError::EmptyRange { min: min.clone(), max: max.clone() }));
        }
        if let Some(step) = self.step.filter(|step| !(*step > 0.0 && step.is_finite())) {
            return Err(fault(EntryError::Step(step)));
        }
        if let (Some(size), DataType::Scalar(_)) = (self.array_size(), self.data_type) {
            return Err(fault(EntryError::ArraySize(size)));
        }
        let Some(default) = self.default_value().cloned() else { return Ok(self) };
        let default = self.coerce(default).map_err(|why| fault(why.into()))?;
        match self.out_of_range(&default) {
            Some(why) => Err(fault(EntryError::Default(why))),
            None => Ok(self.with_default(default)),
        }
    }
}

impl Kind {
    /// Its name in VSS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::Actuator => "actuator",
            Self::Attribute => "attribute",
        }
    }

    /// What may be done with a signal of this kind where nobody takes a right away.
    pub const fn access(self) -> Access {
        let write = if matches!(self, Self::Actuator) { Permission::Yes } else { Permission::No };
        Access { read: Permission::Yes, write }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no kind of signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of sensor, actuator, attribute")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        [Self::Sensor, Self::Actuator, Self::Attribute]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(UnknownKind)
    }
}
