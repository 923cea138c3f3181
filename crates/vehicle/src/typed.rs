//! Typed access: a path that carries its Rust type and unit, and the reading that comes back.
//!
//! *Invariant:* a typed path never yields a number in another unit or a truncated one: it converts exactly, or it is an error.
//! *Next:* `vss.rs` (the constants), `ext.rs` (`read` and `write`).

use std::fmt;
use std::marker::PhantomData;

use crate::catalogue::{Catalogue, SignalId};
use crate::datapoint::{Datapoint, Reason, State};
use crate::error::{Error, ErrorKind, Operation};
use crate::time::Timestamp;
use crate::unit::Unit;
use crate::value::{DataType, Value, VssValue};

/// No row in the table of constants: resolved by its text.
const BY_TEXT: u16 = u16::MAX;

/// A path with the Rust type of its values and their unit.
///
/// The constants in [`vss`](crate::vss) resolve through a table; one of your own is looked up by its text.
///
/// ```
/// use coachwork_vehicle::TypedPath;
/// const BOOST: TypedPath<f32> = TypedPath::new("Vehicle.Powertrain.Private.Boost", Some("kPa"));
/// assert_eq!(BOOST.path(), "Vehicle.Powertrain.Private.Boost");
/// ```
///
/// A value of another type is an error of the compiler, and so is [a unit that does not fit](Self::in_unit):
///
/// ```compile_fail
/// # use coachwork_vehicle::{Error, Set, Vehicle, VehicleExt, vss};
/// async fn heat(car: &dyn Vehicle) -> Result<(), Error> {
///     car.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, "warm", Set::default()).await.map(drop)
/// }
/// ```
///
/// ```
/// # use coachwork_vehicle::{Error, Set, Vehicle, VehicleExt, vss};
/// async fn heat(car: &dyn Vehicle) -> Result<(), Error> {
///     car.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60, Set::default()).await.map(drop)
/// }
/// ```
///
/// Where the car's own catalogue has another type or unit than the constant, values are converted without loss, or the call is an error
/// that names both.
pub struct TypedPath<T> {
    path: &'static str,
    unit: Option<&'static str>,
    row: u16,
    value: PhantomData<fn() -> T>,
}

impl<T: VssValue> TypedPath<T> {
    /// A typed path of one's own; `unit` is the key of a VSS unit, `None` where the values have none.
    pub const fn new(path: &'static str, unit: Option<&'static str>) -> Self {
        Self { path, unit, row: BY_TEXT, value: PhantomData }
    }

    pub(crate) const fn constant(path: &'static str, unit: Option<&'static str>, row: u16) -> Self {
        Self { path, unit, row, value: PhantomData }
    }

    /// The same path in another unit: what is read is converted to it, and what is set from it.
    ///
    /// In a `const`, a unit that the values do not convert to is an error of the compiler:
    ///
    /// ```compile_fail
    /// # use coachwork_vehicle::{TypedPath, vss};
    /// const WEIGHT: TypedPath<f32> = vss::SPEED.in_unit("kg");
    /// # assert_eq!(WEIGHT.unit(), Some("kg"));
    /// ```
    ///
    /// ```
    /// use coachwork_vehicle::{TypedPath, vss};
    /// const SPEED: TypedPath<f32> = vss::SPEED.in_unit("m/s");
    /// assert_eq!(SPEED.unit(), Some("m/s"));
    /// ```
    ///
    /// # Panics
    /// Outside of a `const`, where the units do not convert.
    #[must_use]
    #[expect(clippy::panic, reason = "it is for constants, where it is an error of the compiler")]
    pub const fn in_unit(self, unit: &'static str) -> Self {
        match self.unit {
            Some(own) if Unit::are_related(own, unit) => {
                Self { path: self.path, unit: Some(unit), row: self.row, value: PhantomData }
            }
            _ => panic!("the values of this path do not convert to that unit"),
        }
    }

    /// The path as text.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The unit of the values, by its VSS key.
    pub const fn unit(&self) -> Option<&'static str> {
        self.unit
    }

    /// The id in a catalogue.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownSignal`] where the catalogue does not have the path.
    pub fn resolve(&self, catalogue: &Catalogue) -> Result<SignalId, Error> {
        if self.row == BY_TEXT {
            return catalogue.resolve(self.path);
        }
        catalogue.constant(self.row).map_or_else(|| catalogue.resolve(self.path), Ok)
    }

    /// A datapoint of `signal` in this type and unit.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where the catalogue's type or unit does not convert to this one without loss.
    pub fn read(
        &self,
        catalogue: &Catalogue,
        signal: SignalId,
        point: &Datapoint,
    ) -> Result<Reading<T>, Error> {
        let unit = catalogue.entry(signal)?.unit();
        let typed = |value: &Value| self.typed(value, unit).map_err(|e| e.during(Operation::Get));
        let state = match &point.state {
            State::Valid(value) => Ok(typed(value)?),
            State::Stale(value) => Err(Unavailable::Stale(typed(value)?)),
            State::NeverSet => Err(Unavailable::NeverSet),
            State::NotAvailable(reason) => Err(Unavailable::NotAvailable(reason.clone())),
            State::Error(reason) => Err(Unavailable::Error(reason.clone())),
        };
        Ok(Reading { state, source: point.source, received: point.received })
    }

    /// `value` in the type and unit of the catalogue's entry.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] as for [`read`](Self::read).
    pub fn write(&self, catalogue: &Catalogue, signal: SignalId, value: T) -> Result<Value, Error> {
        let entry = catalogue.entry(signal)?;
        let value = match self.conversion(entry.unit())? {
            None => value.into_value(),
            Some((ours, theirs)) => Value::Double(self.convert(&value.into_value(), &ours, theirs)?),
        };
        entry.data_type().coerce(value).map_err(|e| self.mismatch(e.to_string()).during(Operation::Set))
    }

    /// Whether values of the catalogue's type and unit can be of this type and unit at all.
    pub(crate) fn check(&self, catalogue: &Catalogue, signal: SignalId) -> Result<(), Error> {
        let entry = catalogue.entry(signal)?;
        let fits = |a: DataType, b: DataType| {
            let (a, b) = ((a, a.scalar()), (b, b.scalar()));
            let arrays = |t: DataType| matches!(t, DataType::Array(_));
            arrays(a.0) == arrays(b.0) && (a.1 == b.1 || a.1.is_number() && b.1.is_number())
        };
        if !fits(entry.data_type(), T::DATA_TYPE) {
            let message = format!("the catalogue has {}, the typed path {}", entry.data_type(), T::DATA_TYPE);
            return Err(self.mismatch(message));
        }
        match self.conversion(entry.unit())? {
            Some((ours, theirs)) => {
                theirs.convert(0.0, &ours).map(|_| ()).map_err(|e| self.mismatch(e.to_string()))
            }
            None => Ok(()),
        }
    }

    fn typed(&self, value: &Value, unit: Option<&Unit>) -> Result<T, Error> {
        let value = match self.conversion(unit)? {
            None => value.clone(),
            Some((ours, theirs)) => Value::Double(self.convert(value, theirs, &ours)?),
        };
        let typed = T::DATA_TYPE.coerce(value).map_err(|e| self.mismatch(e.to_string()))?;
        T::from_value(&typed).ok_or_else(|| self.mismatch(format!("{typed} is not of type {}", T::DATA_TYPE)))
    }

    /// The two units, where they differ.
    fn conversion<'a>(&self, theirs: Option<&'a Unit>) -> Result<Option<(Unit, &'a Unit)>, Error> {
        match (self.unit, theirs) {
            (None, None) => Ok(None),
            (Some(ours), Some(theirs)) if ours == theirs.key() => Ok(None),
            (Some(ours), Some(theirs)) => Ok(Some((Unit::new(ours), theirs))),
            (ours, theirs) => {
                let name = |unit: Option<&str>| unit.unwrap_or("no unit").to_owned();
                Err(self.mismatch(format!(
                    "the catalogue has {}, the typed path {}",
                    name(theirs.map(Unit::key)),
                    name(ours)
                )))
            }
        }
    }

    fn convert(&self, value: &Value, from: &Unit, to: &Unit) -> Result<f64, Error> {
        let number =
            value.as_f64().ok_or_else(|| self.mismatch(format!("{value} is no number to convert")))?;
        from.convert(number, to).map_err(|e| self.mismatch(e.to_string()))
    }

    fn mismatch(&self, message: String) -> Error {
        Error::new(ErrorKind::WrongType, message).on_path(self.path)
    }
}

impl<T> Clone for TypedPath<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TypedPath<T> {}

impl<T> fmt::Debug for TypedPath<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedPath({:?})", self.path)
    }
}

impl<T> fmt::Display for TypedPath<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

/// A datapoint in a Rust type: the value, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<T> {
    state: Result<T, Unavailable<T>>,
    /// When the source saw it so.
    pub source: Timestamp,
    /// When this side of the last link received it.
    pub received: Timestamp,
}

/// Why a reading has no valid value.
#[derive(Clone, Debug, PartialEq)]
pub enum Unavailable<T> {
    /// It should have been renewed by now; this was the last value.
    Stale(T),
    /// No source has said anything of it yet.
    NeverSet,
    /// The source has no value at present, or is gone.
    NotAvailable(Reason),
    /// The source says that the value is wrong.
    Error(Reason),
}

impl<T> Reading<T> {
    /// The valid value.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn valid(self) -> Result<T, Unavailable<T>> {
        self.state
    }

    /// The last known value, valid or stale.
    pub fn last(self) -> Option<T> {
        match self.state {
            Ok(value) | Err(Unavailable::Stale(value)) => Some(value),
            Err(_) => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Unavailable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(value) => write!(f, "stale (last {value})"),
            Self::NeverSet => f.write_str("never set"),
            Self::NotAvailable(reason) => write!(f, "not available: {reason}"),
            Self::Error(reason) => write!(f, "error: {reason}"),
        }
    }
}

impl<T: fmt::Debug + fmt::Display> std::error::Error for Unavailable<T> {}
