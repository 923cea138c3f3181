//! Values that a signal may have, chosen from its entry.
//!
//! *Invariant:* each is of the entry's type, within its limits, and differs from the others by more than half a step.

use std::sync::Arc;

use coachwork_vehicle::{DataType, Entry, ScalarType, StructType, StructValue, Value};

/// How many values are chosen at most.
const MANY: u32 = 64;

/// Values to try on a signal, the smallest first; fewer where it cannot have so many.
pub(crate) fn samples(entry: &Entry) -> Vec<Value> {
    match entry.data_type() {
        DataType::Array(_) => {
            let one = scalars(entry);
            (0..one.len()).map(|n| Value::Array(one.iter().take(n + 1).cloned().collect())).collect()
        }
        _ => scalars(entry),
    }
}

/// A value of another type than the entry's.
pub(crate) fn of_wrong_type(entry: &Entry) -> Value {
    match entry.data_type() {
        DataType::Scalar(ScalarType::String) => Value::Bool(true),
        _ => Value::from("no value of this type"),
    }
}

/// A value of the entry's type outside its limits, where it has limits that its type exceeds.
pub(crate) fn out_of_range(entry: &Entry) -> Option<Value> {
    let element = DataType::Scalar(entry.data_type().scalar());
    let above = entry.max().and_then(Value::as_f64).map(|max| max + 1.0);
    let below = entry.min().and_then(Value::as_f64).map(|min| min - 1.0);
    let outside = [above, below].into_iter().flatten();
    let mut outside = outside.filter_map(|number| element.coerce(Value::Double(number)).ok());
    let unlisted = (!entry.allowed().is_empty() && element == DataType::STRING)
        .then(|| Value::from("none of the allowed values"));
    let value = outside.next().or(unlisted)?;
    Some(if matches!(entry.data_type(), DataType::Array(_)) { Value::Array([value].into()) } else { value })
}

fn scalars(entry: &Entry) -> Vec<Value> {
    if !entry.allowed().is_empty() {
        return entry.allowed().to_vec();
    }
    if let Some(of) = entry.struct_type() {
        return structs(of);
    }
    match entry.data_type().scalar() {
        ScalarType::Boolean => vec![Value::Bool(false), Value::Bool(true)],
        ScalarType::String => (0..MANY).map(|n| Value::from(format!("text {n}"))).collect(),
        scalar => numbers(entry, DataType::Scalar(scalar)),
    }
}

/// The properties go through their own values together; how deep they nest, their types bound.
fn structs(of: &Arc<StructType>) -> Vec<Value> {
    let properties: Vec<_> = of.properties().iter().map(|p| (p.path().as_str(), samples(p))).collect();
    let many = properties.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
    let value = |n: usize| {
        let fields = properties
            .iter()
            .filter_map(|(name, values)| Some((*name, values.get(n.checked_rem(values.len())?)?.clone())));
        StructValue::new(of, fields).ok().map(Value::from)
    };
    (0..many).map_while(value).collect()
}

fn numbers(entry: &Entry, data_type: DataType) -> Vec<Value> {
    let step = entry.step().unwrap_or(1.0).max(1.0);
    let limit = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|limit| limit.is_finite());
    let (min, max) = (limit(entry.min()), limit(entry.max()));
    let most = f64::from(MANY);
    let low = match (min, max) {
        (Some(min), _) => min.ceil(),
        (None, Some(max)) if max < most * step => (max - most * step).ceil(),
        (None, _) => 0.0,
    };
    // The smallest value of the type may be nearer to the maximum than that.
    let low = match data_type.scalar().integer_range() {
        Some((smallest, _)) => {
            low.max(Value::Int(i64::try_from(smallest).unwrap_or(i64::MIN)).as_f64().unwrap_or(low))
        }
        None => low,
    };
    let value = |n: u32| data_type.coerce(Value::Double(low + f64::from(n) * step)).ok();
    let inside = |value: &Value| max.is_none_or(|max| value.as_f64().is_some_and(|number| number <= max));
    (0..MANY).map_while(value).take_while(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::{Catalogue, Facts};

    fn checked(entry: Entry) -> Entry {
        let catalogue = Catalogue::new([entry], Facts::default()).unwrap();
        catalogue.iter().next().unwrap().1.clone()
    }

    #[test]
    fn samples_are_settable_and_differ() {
        for scalar in ScalarType::ALL {
            for data_type in [DataType::Scalar(scalar), DataType::Array(scalar)] {
                let entry = checked(Entry::actuator("Vehicle.A", data_type));
                let found = samples(&entry);
                assert!(found.len() >= 2, "{data_type}");
                for (n, value) in found.iter().enumerate() {
                    assert!(entry.settable(value.clone()).is_ok_and(|set| set.same(value)), "{data_type}");
                    assert!(found.iter().skip(n + 1).all(|other| !other.same(value)), "{data_type}");
                }
                assert!(entry.settable(of_wrong_type(&entry)).is_err());
            }
        }
    }

    #[test]
    fn limits_are_kept_and_can_be_left() {
        for (min, max) in [(Some(-5), Some(-3)), (None, Some(-100)), (Some(120), None), (Some(0), Some(100))]
        {
            let limits = (min.map(Value::Int), max.map(Value::Int));
            let entry = checked(Entry::actuator("Vehicle.A", DataType::INT8).with_range(limits.0, limits.1));
            let found = samples(&entry);
            assert!(found.len() >= 3, "{min:?} {max:?}");
            assert!(
                found.iter().all(|value| entry.settable(value.clone()).is_ok()),
                "{min:?} {max:?}: {found:?}"
            );
            assert!(entry.settable(out_of_range(&entry).unwrap()).is_err());
        }
        assert_eq!(out_of_range(&checked(Entry::actuator("Vehicle.A", DataType::INT8))), None);
    }
}
