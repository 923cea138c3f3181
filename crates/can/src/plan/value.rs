//! One value's way: a signal's value becomes a path's value, or the other way round, through the mapping's transform or its inverse.
//!
//! Without a transform, a number is converted from the signal's unit to the path's; a transform gives the path's unit by itself.
//! *Invariant:* numbers are rounded only where the path's type is an integer (half to even) or the signal's bits need it; a label is text
//! only for paths of type string; what fits neither is a state with its reason, never another value.
//! *Next:* `inward.rs` and `outward.rs`, which run these for each frame and request.

use super::units::conversion;
use crate::mapping::{Constant, FromBus, ToBus, Transform};
use crate::{MappingFault, Math};
use coachwork_dbc::{Availability, Number, Raw, Signal, SignalValue, Value as DbcValue, ValueType};
use coachwork_vehicle::{Conversion, DataType, Reason, ReasonKind, ScalarType, State, Value};
use std::sync::Arc;

/// What a transform does, compiled.
#[derive(Clone, Debug)]
enum Through<K, T> {
    /// As it is, or in another unit.
    Plain(Option<Conversion>),
    Math(Math),
    /// What the inverse of the straight line `slope * x + offset` does.
    Line {
        slope: f64,
        offset: f64,
    },
    Table(Vec<(K, T)>),
}

/// A signal's value becomes a path's.
#[derive(Clone, Debug)]
pub(crate) struct ToVehicle {
    through: Through<Matcher, Value>,
    data_type: DataType,
    /// The labels of a signal whose path is a text.
    labels: Vec<(i128, Value)>,
    /// What says, besides the database's special values, that there is none, and that it is wrong.
    special: [Vec<Matcher>; 2],
    not_available: Reason,
    error: Reason,
    malformed: Reason,
}

/// How a signal says that it has no value: by the database, or by the mapping in its stead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Special {
    pub(crate) not_available: Option<Raw>,
    pub(crate) error: Option<Raw>,
}

impl Special {
    /// Of a signal; what a mapping says comes first.
    pub(crate) fn of(signal: &Signal, from: Option<&FromBus>) -> Self {
        let said =
            |constants: Option<&Vec<Constant>>| constants.and_then(|all| raw_constant(signal, all.first()?));
        let listed = |ranges: &[(i128, i128)]| raw_integer(signal, ranges.last()?.1);
        Self {
            not_available: said(from.map(|from| &from.not_available))
                .or_else(|| listed(signal.not_available())),
            error: said(from.map(|from| &from.error)).or_else(|| listed(signal.error_values())),
        }
    }
}

/// The raw value of a constant of a mapping.
pub(super) fn raw_constant(signal: &Signal, constant: &Constant) -> Option<Raw> {
    let physical = match constant {
        Constant::Text(label) => return raw_integer(signal, signal.choices().value(label)?),
        Constant::Bool(value) => f64::from(u8::from(*value)),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a physical value of more than 53 bits has no exact raw value anyway"
        )]
        Constant::Integer(value) => *value as f64,
        Constant::Number(value) => *value,
    };
    let raw = (physical - signal.offset()) / signal.factor();
    match signal.value_type() {
        #[expect(clippy::cast_possible_truncation, reason = "the nearest float is what the signal holds")]
        ValueType::F32 => Some(Raw::F32(raw as f32)),
        ValueType::F64 => Some(Raw::F64(raw)),
        ValueType::Signed | ValueType::Unsigned => raw_integer(signal, whole(raw.round_ties_even())?),
    }
}

fn raw_integer(signal: &Signal, value: i128) -> Option<Raw> {
    match signal.value_type() {
        ValueType::Signed => i64::try_from(value).ok().map(Raw::Signed),
        ValueType::Unsigned => u64::try_from(value).ok().map(Raw::Unsigned),
        ValueType::F32 | ValueType::F64 => None,
    }
}

/// What a signal's value is compared with.
#[derive(Clone, Debug)]
enum Matcher {
    /// The raw values that have this label.
    Label(Vec<i128>),
    Integer(i128),
    Number(f64),
}

impl ToVehicle {
    /// By a `dbc2vss`.
    pub(crate) fn compile(
        from: &FromBus,
        signal: &Signal,
        data_type: DataType,
        unit: Option<&str>,
    ) -> Result<Self, MappingFault> {
        let through = match &from.transform {
            None => plain(from.unit.as_deref(), signal, data_type, unit, false)?,
            Some(Transform::Math(math)) => Through::Math(math.clone()),
            Some(Transform::Table(pairs)) => Through::Table(table(pairs.iter(), signal, data_type)?),
        };
        let matchers = |constants: &[Constant]| -> Result<Vec<Matcher>, MappingFault> {
            constants.iter().map(|constant| special_matcher(constant, signal)).collect()
        };
        let special = [matchers(&from.not_available)?, matchers(&from.error)?];
        Ok(Self { special, ..Self::new(through, signal, data_type) })
    }

    /// By the inverse of a `vss2dbc`.
    pub(crate) fn inverse(
        to: &ToBus,
        signal: &Signal,
        data_type: DataType,
        unit: Option<&str>,
    ) -> Result<Self, MappingFault> {
        let through = match &to.transform {
            None => plain(to.unit.as_deref(), signal, data_type, unit, false)?,
            Some(Transform::Math(math)) => inverse_line(math)?,
            Some(Transform::Table(pairs)) => {
                let turned: Vec<_> = pairs.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
                Through::Table(table(turned.iter(), signal, data_type)?)
            }
        };
        Ok(Self::new(through, signal, data_type))
    }

    fn new(through: Through<Matcher, Value>, signal: &Signal, data_type: DataType) -> Self {
        let because =
            |what: &str| Reason::because(ReasonKind::Source, format!("{} is sent as {what}", signal.name()));
        let labels = if data_type == DataType::STRING {
            signal.choices().iter().map(|(raw, label)| (raw, Value::Text(label.into()))).collect()
        } else {
            Vec::new()
        };
        let malformed = format!("the value of {} does not fit {data_type}", signal.name());
        Self {
            through,
            data_type,
            labels,
            special: Default::default(),
            not_available: because("not available"),
            error: because("an error"),
            malformed: Reason::because(ReasonKind::Malformed, malformed),
        }
    }

    /// The path's state, or `None` where the sample is dropped (an expression that fails, a table without the value).
    pub(crate) fn convert(&self, sample: &SignalValue<'_>) -> Option<State> {
        if let Through::Table(pairs) = &self.through {
            // A table that names a special value on purpose has the say.
            let found = pairs
                .iter()
                .find(|(matcher, _)| matcher.matches(sample))
                .map(|(_, value)| State::Valid(value.clone()));
            return found.or_else(|| self.special(sample));
        }
        if let Some(special) = self.special(sample) {
            return Some(special);
        }
        if let Some((_, text)) =
            sample.raw().integer().and_then(|raw| self.labels.iter().find(|(value, _)| *value == raw))
        {
            return Some(State::Valid(text.clone()));
        }
        let physical = sample.physical();
        let number = match &self.through {
            Through::Plain(None) | Through::Table(_) => physical,
            Through::Plain(Some(unit)) => Number::Float(unit.apply(physical.to_f64())),
            Through::Math(math) => Number::Float(math.eval(physical.to_f64())?),
            Through::Line { slope, offset } => Number::Float((physical.to_f64() - offset) / slope),
        };
        Some(match fit(number, self.data_type) {
            Some(value) => State::Valid(value),
            None => State::Error(self.malformed.clone()),
        })
    }

    /// What a sample says where it is a special value.
    pub(crate) fn special(&self, sample: &SignalValue<'_>) -> Option<State> {
        let [not_available, error] = &self.special;
        let named = |matchers: &[Matcher]| matchers.iter().any(|matcher| matcher.matches(sample));
        match sample.availability() {
            Availability::Error => Some(State::Error(self.error.clone())),
            Availability::Available if named(not_available) => {
                Some(State::NotAvailable(self.not_available.clone()))
            }
            Availability::Available if named(error) => Some(State::Error(self.error.clone())),
            Availability::Available => None,
            // What a later version of the database knows as special is no value either.
            _ => Some(State::NotAvailable(self.not_available.clone())),
        }
    }

    /// By how much the path's value moves for one unit of the signal's, where that is the same everywhere.
    pub(crate) fn slope(&self) -> Option<f64> {
        self.through.slope()
    }
}

impl<K, T> Through<K, T> {
    fn slope(&self) -> Option<f64> {
        match self {
            Self::Plain(unit) => Some(unit.map_or(1.0, Conversion::slope)),
            Self::Math(math) => line(math).map(|(slope, _)| slope),
            Self::Line { slope, .. } => Some(1.0 / slope),
            Self::Table(_) => None,
        }
    }
}

impl Matcher {
    fn matches(&self, sample: &SignalValue<'_>) -> bool {
        match (self, sample.physical()) {
            (Self::Label(values), _) => sample.raw().integer().is_some_and(|raw| values.contains(&raw)),
            (Self::Integer(wanted), Number::Integer(value)) => *wanted == value,
            #[expect(
                clippy::cast_precision_loss,
                clippy::float_cmp,
                reason = "equal as numbers, as the format compares them"
            )]
            (Self::Integer(wanted), Number::Float(value)) => *wanted as f64 == value,
            #[expect(clippy::float_cmp, reason = "equal as numbers, as the format compares them")]
            (Self::Number(wanted), value) => *wanted == value.to_f64(),
        }
    }
}

fn table<'a>(
    pairs: impl Iterator<Item = &'a (Constant, Constant)>,
    signal: &Signal,
    data_type: DataType,
) -> Result<Vec<(Matcher, Value)>, MappingFault> {
    pairs.map(|(bus, path)| Ok((matcher(bus, signal), constant_value(path, data_type)?))).collect()
}

fn matcher(constant: &Constant, signal: &Signal) -> Matcher {
    match constant {
        Constant::Bool(value) => Matcher::Integer(i128::from(*value)),
        Constant::Integer(value) => Matcher::Integer(i128::from(*value)),
        Constant::Number(value) => Matcher::Number(*value),
        // A label that the database does not have never comes; mappings name those of other years' databases.
        Constant::Text(text) => Matcher::Label(
            signal.choices().iter().filter(|(_, label)| *label == &**text).map(|(raw, _)| raw).collect(),
        ),
    }
}

/// A special value that the database does not have is a mistake: values would be taken for what they are not.
fn special_matcher(constant: &Constant, signal: &Signal) -> Result<Matcher, MappingFault> {
    match (constant, matcher(constant, signal)) {
        (Constant::Text(label), Matcher::Label(values)) if values.is_empty() => Err(MappingFault::Constant {
            constant: format!("{label:?}"),
            what: format!("the labels of {}", signal.name()),
        }),
        // As bits: a physical value with a fraction is seldom exact.
        (Constant::Integer(_) | Constant::Number(_), matcher) => {
            let raw = raw_constant(signal, constant).and_then(Raw::integer);
            Ok(raw.map_or(matcher, |raw| Matcher::Label(vec![raw])))
        }
        (_, matcher) => Ok(matcher),
    }
}

/// Without a transform: the number in the path's unit, or with `back` the path's number in the signal's. Texts and booleans have no unit.
fn plain<K, T>(
    said: Option<&str>,
    signal: &Signal,
    data_type: DataType,
    wanted: Option<&str>,
    back: bool,
) -> Result<Through<K, T>, MappingFault> {
    if !data_type.scalar().is_number() {
        return Ok(Through::Plain(None));
    }
    let unit = conversion(signal.name(), said.unwrap_or(signal.unit()), wanted)?;
    let unit = if back { unit.inverse() } else { unit };
    Ok(Through::Plain(Some(unit).filter(|unit| !unit.is_none())))
}

/// A constant as a value of the path's type.
fn constant_value(constant: &Constant, data_type: DataType) -> Result<Value, MappingFault> {
    let value = match (constant, data_type.scalar()) {
        (Constant::Text(text), _) => Value::Text(text.clone()),
        (Constant::Bool(value), ScalarType::Boolean) => Value::Bool(*value),
        (Constant::Integer(value @ (0 | 1)), ScalarType::Boolean) => Value::Bool(*value == 1),
        (Constant::Bool(value), ScalarType::String) => Value::Text(value.to_string().into()),
        (Constant::Integer(value), ScalarType::String) => Value::Text(value.to_string().into()),
        (Constant::Number(value), ScalarType::String) => Value::Text(value.to_string().into()),
        (Constant::Bool(value), _) => Value::Int(i64::from(*value)),
        (Constant::Integer(value), _) => Value::Int(*value),
        (Constant::Number(value), _) => Value::Double(*value),
    };
    data_type.coerce(value).map_err(|error| MappingFault::Constant {
        constant: error.value.to_string(),
        what: format!("the type {data_type}"),
    })
}

/// A number as a value of the path's type; integers are rounded half to even, a boolean is whether it is not 0.
fn fit(number: Number, data_type: DataType) -> Option<Value> {
    let scalar = data_type.scalar();
    match scalar {
        ScalarType::Boolean => Some(Value::Bool(number.to_f64() != 0.0)),
        #[expect(clippy::cast_possible_truncation, reason = "the nearest float is what the type holds")]
        ScalarType::Float => Some(Value::Float(number.to_f64() as f32))
            .filter(|value| matches!(value, Value::Float(v) if v.is_finite())),
        ScalarType::Double => Some(Value::Double(number.to_f64())).filter(|_| number.to_f64().is_finite()),
        ScalarType::String => Some(Value::Text(number.to_string().into())),
        _ => {
            let whole = match number {
                Number::Integer(value) => value,
                Number::Float(value) => whole(value.round_ties_even())?,
            };
            let (min, max) = scalar.integer_range()?;
            if !(min..=max).contains(&whole) {
                return None;
            }
            if min < 0 {
                i64::try_from(whole).ok().map(Value::Int)
            } else {
                u64::try_from(whole).ok().map(Value::Uint)
            }
        }
    }
}

/// A whole double below 2^64 in size, exactly.
fn whole(value: f64) -> Option<i128> {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 65 bits")]
    let whole = value as i128;
    if value.abs() <= LIMIT { Some(whole) } else { None }
}

/// A path's value becomes a signal's.
#[derive(Clone, Debug)]
pub(crate) struct ToWire {
    through: Through<Value, Wire>,
}

/// What is encoded: a physical value, or the label of one.
#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Number(Number),
    Label(Arc<str>),
    Raw(Raw),
}

impl ToWire {
    /// By a `vss2dbc`.
    pub(crate) fn compile(
        to: &ToBus,
        signal: &Signal,
        data_type: DataType,
        unit: Option<&str>,
    ) -> Result<Self, MappingFault> {
        let through = match &to.transform {
            None => plain(to.unit.as_deref(), signal, data_type, unit, true)?,
            Some(Transform::Math(math)) => Through::Math(math.clone()),
            Some(Transform::Table(pairs)) => {
                Through::Table(wires(pairs.iter().map(|(from, to)| (from, to)), signal, data_type)?)
            }
        };
        Ok(Self { through })
    }

    /// By the inverse of a `dbc2vss`.
    pub(crate) fn inverse(
        from: &FromBus,
        signal: &Signal,
        data_type: DataType,
        unit: Option<&str>,
    ) -> Result<Self, MappingFault> {
        let through = match &from.transform {
            None => plain(from.unit.as_deref(), signal, data_type, unit, true)?,
            Some(Transform::Math(math)) => inverse_line(math)?,
            Some(Transform::Table(pairs)) => {
                Through::Table(wires(pairs.iter().map(|(from, to)| (to, from)), signal, data_type)?)
            }
        };
        Ok(Self { through })
    }

    /// What is encoded for a value, or `None` where the transform has nothing for it.
    pub(crate) fn convert(&self, value: &Value) -> Option<Wire> {
        if let Through::Table(pairs) = &self.through {
            return pairs.iter().find(|(from, _)| from.same(value)).map(|(_, to)| to.clone());
        }
        let number = match value {
            Value::Bool(value) => Number::Integer(i128::from(*value)),
            Value::Int(value) => Number::Integer(i128::from(*value)),
            Value::Uint(value) => Number::Integer(i128::from(*value)),
            // The shortest text of a float is what was meant; its double is not the double of that text.
            Value::Float(value) => Number::Float(value.to_string().parse().ok()?),
            Value::Double(value) => Number::Float(*value),
            Value::Text(text) => {
                return matches!(self.through, Through::Plain(_)).then(|| Wire::Label(text.clone()));
            }
            _ => return None,
        };
        Some(Wire::Number(match &self.through {
            Through::Plain(None) | Through::Table(_) => number,
            Through::Plain(Some(unit)) => Number::Float(unit.apply(number.to_f64())),
            Through::Math(math) => Number::Float(math.eval(number.to_f64())?),
            Through::Line { slope, offset } => Number::Float((number.to_f64() - offset) / slope),
        }))
    }

    /// By how much the signal's value moves for one unit of the path's, where that is the same everywhere.
    pub(crate) fn slope(&self) -> Option<f64> {
        self.through.slope()
    }
}

impl Wire {
    pub(crate) fn as_value(&self) -> DbcValue<'_> {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Label(label) => DbcValue::from(&**label),
            Self::Raw(raw) => (*raw).into(),
        }
    }
}

fn wires<'a>(
    pairs: impl Iterator<Item = (&'a Constant, &'a Constant)>,
    signal: &Signal,
    data_type: DataType,
) -> Result<Vec<(Value, Wire)>, MappingFault> {
    pairs
        .map(|(path, bus)| {
            let wire = match bus {
                Constant::Bool(value) => Wire::Number(Number::Integer(i128::from(*value))),
                Constant::Integer(value) => Wire::Number(Number::Integer(i128::from(*value))),
                Constant::Number(value) => Wire::Number(Number::Float(*value)),
                Constant::Text(label) if signal.choices().value(label).is_some() => {
                    Wire::Label(label.clone())
                }
                Constant::Text(label) => {
                    let what = format!("the labels of {}", signal.name());
                    return Err(MappingFault::Constant { constant: format!("{label:?}"), what });
                }
            };
            Ok((constant_value(path, data_type)?, wire))
        })
        .collect()
}

/// Slope and offset, where the expression is a straight line.
fn line(math: &Math) -> Option<(f64, f64)> {
    let offset = math.eval(0.0)?;
    let slope = math.eval(1.0)? - offset;
    let straight = [-1000.0, -3.0, -0.5, 0.25, 2.0, 7.5, 99.0, 12_345.0].into_iter().all(|x| {
        let wanted = slope.mul_add(x, offset);
        math.eval(x).is_some_and(|value| (value - wanted).abs() <= 1e-9 * wanted.abs().max(1.0))
    });
    if straight && slope != 0.0 { Some((slope, offset)) } else { None }
}

fn inverse_line<K, T>(math: &Math) -> Result<Through<K, T>, MappingFault> {
    let (slope, offset) = line(math).ok_or(MappingFault::NotInvertible)?;
    Ok(Through::Line { slope, offset })
}
