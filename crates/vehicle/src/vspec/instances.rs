//! The instances of a branch: `Row[1,2]`, `["Left", "Right"]`, or a list of dimensions become the names below it.
//!
//! *Invariant:* as many places as the product of the dimensions, at most `MAX_NODES`, each a relative path.
//! *Next:* `vspec.rs` (which repeats the children at each place).

use serde_json::Value as Json;

use super::{MAX_NODES, VspecFault};

/// The relative paths of all instances; empty where the branch has none.
pub(super) fn expand(instances: Option<&Json>) -> Result<Vec<String>, VspecFault> {
    let dimensions = match instances {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) if !items.iter().any(is_dimension) => vec![names(items)?],
        Some(Json::Array(items)) => items.iter().map(dimension).collect::<Result<_, _>>()?,
        Some(other) => vec![dimension(other)?],
    };
    let mut places = vec![String::new()];
    for dimension in dimensions {
        if places.len().saturating_mul(dimension.len()) > MAX_NODES {
            return Err(VspecFault::TooMany);
        }
        let at = |place: &String, name: &String| {
            if place.is_empty() { name.clone() } else { format!("{place}.{name}") }
        };
        places = places.iter().flat_map(|place| dimension.iter().map(move |name| at(place, name))).collect();
    }
    Ok(places)
}

/// Whether an item of a list stands for several names, so that the list is one of dimensions.
fn is_dimension(item: &Json) -> bool {
    matches!(item, Json::Array(_)) || item.as_str().is_some_and(|text| text.contains('['))
}

fn dimension(item: &Json) -> Result<Vec<String>, VspecFault> {
    match item {
        Json::Array(items) => names(items),
        Json::String(text) if text.contains('[') => range(text).ok_or_else(|| fault(item)),
        Json::String(name) => Ok(vec![name.clone()]),
        _ => Err(fault(item)),
    }
}

fn names(items: &[Json]) -> Result<Vec<String>, VspecFault> {
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| fault(item))).collect()
}

/// `Row[1,3]` is Row1, Row2, Row3.
fn range(text: &str) -> Option<Vec<String>> {
    let (name, ends) = text.strip_suffix(']')?.split_once('[')?;
    let (first, last) = ends.split_once(',')?;
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let count = usize::try_from(last.checked_sub(first)?).ok()?;
    (count < MAX_NODES).then(|| (first..=last).map(|number| format!("{name}{number}")).collect())
}

fn fault(item: &Json) -> VspecFault {
    let shown: String = item.to_string().chars().take(40).collect();
    VspecFault::Member {
        member: "instances",
        why: format!("{shown} is not a range, a list of names, or a list of both"),
    }
}
