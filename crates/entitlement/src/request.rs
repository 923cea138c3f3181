//! A request that is denied is still told apart from one that makes no sense, as the vehicle itself would do.
//!
//! *Invariant:* nothing here lets a request through; it only decides between an error and a refusal.
//! *Next:* `entitled.rs` refuses what makes sense.

use coachwork_vehicle::{Entry, Error, ErrorKind, Kind, Operation, Request, Value};

/// Checks kind, type and range.
pub(crate) fn sensible(entry: &Entry, request: Request) -> Result<(), Error> {
    let fault = |kind, message: String| {
        Err(Error::new(kind, message).during(Operation::Set).on_path(entry.path().as_str()))
    };
    if entry.kind() != Kind::Actuator {
        return fault(ErrorKind::NotActuator, format!("the signal is a {} and cannot be set", entry.kind()));
    }
    match entry.data_type().coerce(request.value) {
        Err(why) => fault(ErrorKind::WrongType, why.to_string()),
        Ok(value) if !is_inside(entry, &value) => {
            fault(ErrorKind::OutOfRange, format!("{value} is outside the signal's range"))
        }
        Ok(_) => Ok(()),
    }
}

fn is_inside(entry: &Entry, value: &Value) -> bool {
    if let Value::Array(items) = value {
        return items.iter().all(|item| is_inside(entry, item));
    }
    let allowed = entry.allowed();
    (allowed.is_empty() || allowed.iter().any(|allowed| allowed.same(value)))
        && entry.min().is_none_or(|min| value.compare(min).is_some_and(std::cmp::Ordering::is_ge))
        && entry.max().is_none_or(|max| value.compare(max).is_some_and(std::cmp::Ordering::is_le))
}
