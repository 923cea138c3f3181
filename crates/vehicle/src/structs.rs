//! A struct type of VSS, and values of it.
//!
//! *Invariant:* a value has every property of its type, in the type's order, each of the property's own type; types nest at most `MAX_DEPTH`
//! deep and never in a circle, so that a value is walked to its end.
//! *Next:* `value.rs` (a value may be a struct), `catalogue/entry.rs` (an entry has its struct type), `vspec/types.rs` (where types are read).

use std::fmt;
use std::sync::Arc;

use crate::catalogue::Entry;
use crate::path::Path;
use crate::value::{TypeError, Value};

/// How deep struct types nest.
pub const MAX_STRUCT_DEPTH: usize = 8;

/// How many properties a struct type has, those of its parts included.
pub const MAX_STRUCT_PROPERTIES: usize = 4096;

/// A struct type: a path, and properties with types of their own.
///
/// ```
/// use coachwork_vehicle::{Catalogue, DataType, Entry, Facts, StructType, StructValue, Value};
/// let place = StructType::new("Types.Place", [
///     Entry::attribute("Latitude", DataType::DOUBLE).with_unit("degrees").with_range(Value::Int(-90), Value::Int(90)),
///     Entry::attribute("Name", DataType::STRING).with_default("nowhere"),
/// ])?;
/// let goal = Entry::actuator("Vehicle.Goal", DataType::STRUCT).with_struct(&place);
/// let car = Catalogue::new([goal], Facts::default())?;
/// let entry = car.entry(car.resolve("Vehicle.Goal")?)?;
/// assert_eq!(entry.type_name(), "Types.Place");
///
/// let here = StructValue::new(&place, [("Latitude", Value::Int(48))])?;
/// assert_eq!(here.to_string(), "{Latitude: 48, Name: nowhere}");
/// assert!(entry.settable(Value::from(here)).is_ok());
/// let pole = StructValue::new(&place, [("Latitude", Value::Int(91))])?;
/// assert!(entry.settable(Value::from(pole)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StructType {
    path: Path,
    properties: Vec<Entry>,
    depth: usize,
    size: usize,
}

/// A value of a struct type.
#[derive(Clone, PartialEq)]
pub struct StructValue {
    of: Arc<StructType>,
    fields: Vec<Value>,
}

/// What is wrong with a struct type or a value of one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StructError {
    /// The path or a property of the type is malformed.
    #[error("{0}")]
    Malformed(String),
    /// A property's name is no single name, or is there twice.
    #[error("the property {0} is there twice, or is no single name")]
    Name(String),
    /// It nests deeper than [`MAX_STRUCT_DEPTH`] or has more than [`MAX_STRUCT_PROPERTIES`].
    #[error(
        "a struct nests at most {MAX_STRUCT_DEPTH} deep and has at most {MAX_STRUCT_PROPERTIES} properties"
    )]
    TooLarge,
    /// The type has no such property.
    #[error("{of} has no property {name}")]
    Unknown {
        /// The type's path.
        of: String,
        /// The name that was given.
        name: String,
    },
    /// The value lacks a property that has no default.
    #[error("{of} needs its property {name}")]
    Missing {
        /// The type's path.
        of: String,
        /// The property that is missing.
        name: String,
    },
    /// A property's value is not of its type.
    #[error("{name}: {why}")]
    Type {
        /// The property.
        name: String,
        /// What does not fit.
        why: TypeError,
    },
}

impl StructType {
    /// A type with these properties: attributes, whose paths are single names.
    ///
    /// # Errors
    /// [`StructError`] where a name or a property is malformed or there twice, or the type is too large.
    pub fn new(path: &str, properties: impl IntoIterator<Item = Entry>) -> Result<Arc<Self>, StructError> {
        let path = Path::new(path).map_err(|why| StructError::Malformed(why.to_string()))?;
        let mut known: Vec<Entry> = Vec::new();
        let (mut depth, mut size) = (1, 0_usize);
        for property in properties {
            let property = property.checked().map_err(|why| StructError::Malformed(why.to_string()))?;
            let name = property.path();
            if name.names().count() != 1 || known.iter().any(|other| other.path() == name) {
                return Err(StructError::Name(name.to_string()));
            }
            if let Some(part) = property.struct_type() {
                depth = depth.max(part.depth + 1);
                size = size.saturating_add(part.size);
            }
            size = size.saturating_add(1);
            if depth > MAX_STRUCT_DEPTH || size > MAX_STRUCT_PROPERTIES {
                return Err(StructError::TooLarge);
            }
            known.push(property);
        }
        Ok(Arc::new(Self { path, properties: known, depth, size }))
    }

    /// Where it stands among the types.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its properties in their order; the path of each is its name.
    pub fn properties(&self) -> &[Entry] {
        &self.properties
    }
}

impl StructValue {
    /// A value with these properties, each brought into its type; one that is not given takes its default.
    ///
    /// # Errors
    /// [`StructError`] for a property that the type does not have, or lacks, or that does not fit.
    pub fn new<'a>(
        of: &Arc<StructType>,
        properties: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Self, StructError> {
        let mut given: Vec<Option<Value>> = vec![None; of.properties.len()];
        for (place, (name, value)) in properties.into_iter().enumerate() {
            let named = |property: &Entry| property.path().as_str() == name;
            // Most callers have the order of the type.
            let at = Some(place).filter(|place| of.properties.get(*place).is_some_and(named));
            let at = at.or_else(|| of.properties.iter().position(named));
            let Some((property, place)) =
                at.and_then(|at| Some((of.properties.get(at)?, given.get_mut(at)?)))
            else {
                return Err(StructError::Unknown { of: of.path.to_string(), name: name.to_owned() });
            };
            let fit = property.coerce(value);
            *place = Some(fit.map_err(|why| StructError::Type { name: name.to_owned(), why })?);
        }
        let fields = of.properties.iter().zip(given).map(|(property, given)| {
            let missing =
                || StructError::Missing { of: of.path.to_string(), name: property.path().to_string() };
            given.or_else(|| property.default_value().cloned()).ok_or_else(missing)
        });
        Ok(Self { fields: fields.collect::<Result<_, _>>()?, of: of.clone() })
    }

    /// Its type.
    pub fn struct_type(&self) -> &Arc<StructType> {
        &self.of
    }

    /// A property by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The properties with their values, in the order of the type.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.of.properties.iter().map(|property| property.path().as_str()).zip(&self.fields)
    }

    /// Whether it is one of `of`; types are the same where they say the same.
    pub(crate) fn is_of(&self, of: &Arc<StructType>) -> bool {
        Arc::ptr_eq(&self.of, of) || self.of == *of
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.is_of(&other.of) && self.fields.iter().zip(&other.fields).all(|(a, b)| a.same(b))
    }
}

impl fmt::Display for StructValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, (name, value)) in self.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{name}: {value}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for StructValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.of.path())?;
        f.debug_map().entries(self.iter()).finish()
    }
}

impl From<StructValue> for Value {
    fn from(value: StructValue) -> Self {
        Self::Struct(Arc::new(value))
    }
}

#[cfg(test)]
mod tests;
