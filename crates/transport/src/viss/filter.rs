//! The member `filter`: an object with a variant (in version 2 a type) and a parameter, or an array of at most two.
//!
//! *Invariant:* at most one filter of each sort; a variant that this crate does not have is an error, never no filter.
//! *Next:* `request.rs` (which holds it), `trigger.rs` (which applies it).

use std::time::Duration;

use coachwork_vehicle::{Error, ErrorKind};

use super::dialect::Dialect;
use super::json::{Json, checked};
use super::period;
use super::request::{at_most, invalid};
use super::trigger::{Operator, Standard, number};
use super::value::{RawValue, scalar_text};
use crate::limits::Limits;

/// What version 2 calls the dynamic metadata that says what a server can do.
const CAPABILITIES: &str = "server_capabilities";

/// What a filter says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filters {
    pub(crate) paths: Option<Vec<String>>,
    pub(crate) metadata: Option<u32>,
    pub(crate) history: Option<Duration>,
    /// The dynamic metadata of version 2 that says what a server can do.
    pub(crate) capabilities: bool,
    pub(crate) standard: Standard,
}

impl Default for Filters {
    fn default() -> Self {
        Self { paths: None, metadata: None, history: None, capabilities: false, standard: Standard::None }
    }
}

impl Filters {
    /// How many filters there are besides that of paths.
    fn others(&self) -> usize {
        [self.metadata.is_some(), self.history.is_some(), self.capabilities, self.standard != Standard::None]
            .map(usize::from)
            .into_iter()
            .sum()
    }
}

/// Which version a filter is written in, where its words tell.
pub(crate) fn speaks(filter: &RawValue<'_>) -> Option<Dialect> {
    let one = match filter {
        RawValue::Array(list) => list.first()?,
        one => one,
    };
    let RawValue::Struct(members) = one else { return None };
    members.iter().find_map(|(name, _)| match name.0.as_ref() {
        "variant" => Some(Dialect::V3),
        "type" => Some(Dialect::V2),
        _ => None,
    })
}

pub(crate) fn read(filter: &RawValue<'_>, limits: &Limits) -> Result<Filters, Error> {
    if let RawValue::Scalar(text) = filter {
        // The standard's tables call a filter a string, and some clients send one.
        let text = checked(text.0.as_bytes(), limits.depth)?;
        let inner: RawValue<'_> = serde_json::from_str(text)
            .map_err(|_| invalid("a filter is an object, or an array of one or two"))?;
        return match inner {
            RawValue::Struct(_) | RawValue::Array(_) => read(&inner, limits),
            _ => Err(invalid("a filter is an object, or an array of one or two")),
        };
    }
    let list = match filter {
        RawValue::Array(list) if (1..=2).contains(&list.len()) => list.as_slice(),
        RawValue::Array(_) => return Err(invalid("a filter is an object, or an array of one or two")),
        one => std::slice::from_ref(one),
    };
    let mut filters = Filters::default();
    for filter in list {
        let variant = member(filter, &["variant", "type"])?.and_then(as_text);
        let variant = variant.ok_or_else(|| invalid("a filter without a variant"))?;
        let parameter = member(filter, &["parameter"])?.unwrap_or(&RawValue::Null);
        let twice = match variant {
            "paths" => filters.paths.replace(paths(parameter, limits)?).is_some(),
            "metadata" => filters.metadata.replace(generations(parameter)?).is_some(),
            "static-metadata" => filters.metadata.replace(chosen(parameter)?).is_some(),
            "history" => filters.history.replace(history(parameter)?).is_some(),
            "dynamic-metadata" => std::mem::replace(&mut filters.capabilities, capabilities(parameter)?),
            "timebased" => only(&mut filters.standard, timebased(parameter)?),
            "change" => only(&mut filters.standard, change(parameter)?),
            "range" => only(&mut filters.standard, range(parameter)?),
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("no filter of variant {shown:?} here"),
                ));
            }
        };
        if twice {
            return Err(invalid("two filters that exclude each other"));
        }
    }
    if filters.others() > 1 {
        return Err(invalid("two filters that exclude each other"));
    }
    Ok(filters)
}

/// Writes the member, if there is something to filter.
pub(crate) fn write(json: &mut Json, paths: Option<&[String]>, filters: &Filters, dialect: Dialect) {
    let others = filters.others() > 0;
    if paths.is_none() && !others {
        return;
    }
    json.key("filter");
    let both = paths.is_some() && others;
    if both {
        json.open(b'[');
    }
    if let Some(paths) = paths {
        open(json, "paths", dialect).open(b'[');
        for path in paths {
            json.text(path);
        }
        json.close(b']').close(b'}');
    }
    if let Some(generations) = filters.metadata {
        match dialect {
            Dialect::V2 => open(json, "static-metadata", dialect),
            Dialect::V3 => open(json, "metadata", dialect),
        }
        .plain(generations)
        .close(b'}');
    }
    if let Some(period) = filters.history {
        open(json, "history", dialect).text(&period::write(period)).close(b'}');
    }
    if filters.capabilities {
        open(json, "dynamic-metadata", dialect).text(CAPABILITIES).close(b'}');
    }
    match &filters.standard {
        Standard::None => {}
        Standard::Timebased(period) => {
            open(json, "timebased", dialect)
                .open(b'{')
                .key("period")
                .plain(period.as_millis())
                .close(b'}')
                .close(b'}');
        }
        Standard::Change { operator, diff } => {
            open(json, "change", dialect).open(b'{').member("logic-op", operator.name());
            json.member("diff", &scalar_text(&(*diff).into())).close(b'}').close(b'}');
        }
        Standard::Range { bounds, any } => {
            open(json, "range", dialect);
            if bounds.len() > 1 {
                json.open(b'[');
            }
            for (place, (operator, bound)) in bounds.iter().enumerate() {
                let key = match dialect {
                    Dialect::V2 => "boundary-op",
                    Dialect::V3 => "logic-op",
                };
                json.open(b'{').member(key, operator.name());
                json.member("boundary", &scalar_text(&(*bound).into()));
                if *any && place == 0 && bounds.len() > 1 {
                    json.member("combination-op", "OR");
                }
                json.close(b'}');
            }
            if bounds.len() > 1 {
                json.close(b']');
            }
            json.close(b'}');
        }
    }
    if both {
        json.close(b']');
    }
}

fn open<'j>(json: &'j mut Json, variant: &str, dialect: Dialect) -> &'j mut Json {
    let key = match dialect {
        Dialect::V2 => "type",
        Dialect::V3 => "variant",
    };
    json.open(b'{').member(key, variant).key("parameter")
}

fn only(place: &mut Standard, filter: Standard) -> bool {
    std::mem::replace(place, filter) != Standard::None
}

fn paths(parameter: &RawValue<'_>, limits: &Limits) -> Result<Vec<String>, Error> {
    let wrong = || invalid("the parameter of a paths filter is an array of paths");
    let list = match parameter {
        RawValue::Array(list) => list.as_slice(),
        one @ RawValue::Scalar(_) => std::slice::from_ref(one),
        _ => return Err(wrong()),
    };
    at_most(list.len(), limits.paths, "paths")?;
    list.iter().map(|path| as_text(path).map(str::to_owned).ok_or_else(wrong)).collect()
}

/// Version 2 has an empty parameter here, and other clients write none or `static`.
fn generations(parameter: &RawValue<'_>) -> Result<u32, Error> {
    let generations = match parameter {
        RawValue::Null => Some(0),
        RawValue::Scalar(text) if text.0.is_empty() || text.0 == "static" => Some(0),
        RawValue::Scalar(text) => text.0.parse().ok(),
        _ => None,
    };
    generations.ok_or_else(|| invalid("the parameter of a metadata filter is a number of generations"))
}

/// Version 2 may name what is wanted of each signal; all is answered.
fn chosen(parameter: &RawValue<'_>) -> Result<u32, Error> {
    let is_name = |one: &RawValue<'_>| {
        as_text(one)
            .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    match parameter {
        one if is_name(one) => Ok(0),
        RawValue::Array(names) if !names.is_empty() && names.iter().all(is_name) => Ok(0),
        other => generations(other),
    }
}

fn timebased(parameter: &RawValue<'_>) -> Result<Standard, Error> {
    let period = text(parameter, "period")?;
    let period: u64 = period.parse().map_err(|_| invalid("a period is a whole number of milliseconds"))?;
    if period == 0 {
        return Err(invalid("a period is longer than zero"));
    }
    Ok(Standard::Timebased(Duration::from_millis(period)))
}

fn change(parameter: &RawValue<'_>) -> Result<Standard, Error> {
    let diff = text(parameter, "diff")?;
    let diff = number(diff).ok_or_else(|| invalid("a diff is a number"))?;
    Ok(Standard::Change { operator: operator(parameter, &["logic-op"])?, diff })
}

fn range(parameter: &RawValue<'_>) -> Result<Standard, Error> {
    let list = match parameter {
        RawValue::Array(list) if (1..=2).contains(&list.len()) => list.as_slice(),
        RawValue::Array(_) => return Err(invalid("a range has one or two bounds")),
        one => std::slice::from_ref(one),
    };
    let (mut bounds, mut any) = (Vec::new(), false);
    for bound in list {
        let boundary = number(text(bound, "boundary")?).ok_or_else(|| invalid("a boundary is a number"))?;
        bounds.push((operator(bound, &["logic-op", "boundary-op"])?, boundary));
        match member(bound, &["combination-op"])?.map(as_text) {
            None | Some(Some("AND")) => {}
            Some(Some("OR")) => any = true,
            Some(_) => return Err(invalid("a combination is AND or OR")),
        }
    }
    Ok(Standard::Range { any: any && bounds.len() > 1, bounds })
}

fn history(parameter: &RawValue<'_>) -> Result<Duration, Error> {
    period::read(as_text(parameter).ok_or_else(|| invalid("the parameter of a history filter is a text"))?)
}

fn capabilities(parameter: &RawValue<'_>) -> Result<bool, Error> {
    let one = match parameter {
        RawValue::Array(list) if list.len() == 1 => list.first().unwrap_or(parameter),
        one => one,
    };
    match as_text(one) {
        Some(CAPABILITIES) => Ok(true),
        Some(_) => {
            Err(Error::new(ErrorKind::Unsupported, "no dynamic metadata here but server_capabilities"))
        }
        None => Err(invalid("the parameter of dynamic metadata is a text")),
    }
}

/// The comparison under the first of the keys that is there: version 2 has a word of its own for a range.
fn operator(parameter: &RawValue<'_>, keys: &[&str]) -> Result<Operator, Error> {
    let name = member(parameter, keys)?.and_then(as_text);
    Operator::of_name(name.ok_or_else(|| invalid("a filter without logic-op"))?)
        .ok_or_else(|| invalid("a logic-op is eq, ne, gt, gte, lt or lte"))
}

fn text<'t>(parameter: &'t RawValue<'_>, key: &str) -> Result<&'t str, Error> {
    let text = member(parameter, &[key])?.and_then(as_text);
    text.ok_or_else(|| invalid(format!("a filter without {key}")))
}

/// The member under the first of these keys that is there; one that is null is as good as none. Nothing is a member of what is no object.
///
/// # Errors
/// Where it is there twice.
fn member<'t, 'a>(of: &'t RawValue<'a>, keys: &[&str]) -> Result<Option<&'t RawValue<'a>>, Error> {
    let RawValue::Struct(members) = of else { return Ok(None) };
    for &key in keys {
        let mut named = members.iter().filter(|(name, value)| name.0 == key && *value != RawValue::Null);
        match (named.next(), named.next()) {
            (None, _) => {}
            (Some((_, value)), None) => return Ok(Some(value)),
            (Some(_), Some(_)) => return Err(invalid(format!("a filter with two members {key}"))),
        }
    }
    Ok(None)
}

fn as_text<'t>(value: &'t RawValue<'_>) -> Option<&'t str> {
    match value {
        RawValue::Scalar(text) | RawValue::Number(text) => Some(&text.0),
        _ => None,
    }
}
