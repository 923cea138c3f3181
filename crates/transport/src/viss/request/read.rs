//! A request as it stands in a message: its members as they stand, and how a request is read from them.
//!
//! *Invariant:* a member that contradicts another, or its own form, is an error; one that is unknown is skipped.
//! *Next:* `filter.rs` (which reads the member `filter`).

use std::time::Duration;

use coachwork_vehicle::{Credential, Error, ErrorKind, Filter, Key, Overflow};
use serde::Deserialize;

use super::{ADDITIONS, Call, Group, MAX_ID, Request, SetItem, SubscriptionId, Wanted, at_most, invalid};
use crate::delivery::Delivery;
use crate::limits::Limits;
use crate::viss::deliver::RawNote;
use crate::viss::dialect::Dialect;
use crate::viss::filter::{self, Filters};
use crate::viss::object::object;
use crate::viss::target::Target;
use crate::viss::token;
use crate::viss::trigger::{Standard, number};
use crate::viss::value::{Id, RawValue, Text};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self", expecting = "an object")]
pub(super) struct RawRequest<'a> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    request_id: Option<Id<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<RawValue<'a>>,
    #[serde(borrow)]
    filter: Option<RawValue<'a>>,
    #[serde(borrow)]
    authorization: Option<Text<'a>>,
    #[serde(borrow)]
    subscription_id: Option<Id<'a>>,
    #[serde(borrow)]
    data: Option<Vec<RawSetItem<'a>>>,
    #[serde(borrow)]
    within: Option<Text<'a>>,
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    coachwork: Option<Text<'a>>,
    #[serde(borrow)]
    signals: Option<Vec<RawGroup<'a>>>,
    #[serde(borrow)]
    overflow: Option<Text<'a>>,
    #[serde(borrow)]
    strict: Option<Text<'a>>,
    #[serde(borrow)]
    origin: Option<Text<'a>>,
    #[serde(borrow)]
    lane: Option<Text<'a>>,
    #[serde(borrow)]
    notes: Option<Vec<RawNote<'a>>>,
    dc: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
struct RawSetItem<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow)]
    value: RawValue<'a>,
    #[serde(borrow)]
    within: Option<Text<'a>>,
    #[serde(borrow)]
    key: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self", expecting = "an object")]
struct RawGroup<'a> {
    #[serde(borrow)]
    paths: Vec<Text<'a>>,
    #[serde(borrow)]
    change: Option<Text<'a>>,
    #[serde(borrow)]
    at_most_every: Option<Text<'a>>,
    #[serde(borrow)]
    every: Option<Text<'a>>,
    #[serde(borrow)]
    range: Option<(Text<'a>, Text<'a>)>,
}

object!(RawRequest, RawSetItem, RawGroup);

impl RawRequest<'_> {
    /// Which version of VISS it is written in, where its words tell.
    pub(super) fn speaks(&self) -> Option<Dialect> {
        match &self.filter {
            Some(filter) => filter::speaks(filter),
            None if self.coachwork.is_some() => Some(Dialect::V3),
            None if self.action.0 == "subscribe" && self.signals.is_none() => Some(Dialect::V2),
            None => None,
        }
    }

    pub(super) fn read(self, dialect: Dialect, limits: &Limits) -> Result<Request, Error> {
        let id_is_number = self.request_id.as_ref().is_some_and(|id| id.1);
        let id = required(self.request_id, "requestId")?;
        // Of a later version this side knows nothing: then the request is one of pure VISS.
        let additions = self.coachwork.as_ref().is_some_and(|version| version.0 == ADDITIONS);
        let authorization = self
            .authorization
            .map(|text| token::from_text(&text.0))
            .transpose()?
            .map(|token| Credential::Token(token.into()));
        let mut filters = match &self.filter {
            Some(filter) => filter::read(filter, limits)?,
            None => Filters::default(),
        };
        if self.dc.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "no data compression here"));
        }
        let has_filter = self.filter.is_some();
        let target = |path: Option<Text<'_>>, paths: Option<Vec<String>>| {
            let path = path.ok_or_else(|| invalid("a request without a path"))?;
            match paths {
                Some(paths) => Target::below(&path.0, paths),
                None if path.0.is_empty() => Ok(Target::everything()),
                None => Target::path(&path.0),
            }
        };
        let call = match self.action.0.as_ref() {
            "get" => {
                if filters.standard != Standard::None {
                    return Err(invalid("a get takes the filters paths, metadata and history"));
                }
                let above_all = filters.metadata.is_some();
                let target = target(self.path, filters.paths.take())?;
                if target == Target::everything() && !above_all {
                    return Err(invalid("a path is empty"));
                }
                getting(target, &filters)?
            }
            "set" => {
                if has_filter {
                    return Err(invalid("a set takes no filter"));
                }
                let items = match (self.path, self.value, self.data) {
                    (Some(path), Some(value), None) => {
                        let item = RawSetItem { path, value, within: self.within, key: self.key };
                        at_most(1, limits.paths, "paths")?;
                        vec![item.read()?]
                    }
                    (None, None, Some(items)) if !items.is_empty() => {
                        at_most(items.len(), limits.paths, "paths")?;
                        items.into_iter().map(RawSetItem::read).collect::<Result<_, _>>()?
                    }
                    _ => return Err(invalid("a set has a path and a value, or data with some")),
                };
                Call::Set(items)
            }
            "subscribe" => match self.signals {
                Some(groups) if self.path.is_none() && !has_filter => {
                    let wanted = groups_of(groups, self.overflow.as_ref(), self.strict.as_ref())?;
                    at_most(wanted.count(), limits.paths, "paths")?;
                    Call::Subscribe(wanted)
                }
                Some(_) => return Err(invalid("a subscription has signals, or a path and a filter")),
                None if !has_filter && dialect == Dialect::V3 => {
                    return Err(invalid("a subscription without a filter"));
                }
                None if filters.metadata.is_some() || filters.history.is_some() || filters.capabilities => {
                    return Err(invalid(
                        "a subscription takes the filters paths, timebased, change and range",
                    ));
                }
                None => {
                    let target = target(self.path, filters.paths)?;
                    if target == Target::everything() {
                        return Err(invalid("a path is empty"));
                    }
                    let first_decides =
                        matches!(filters.standard, Standard::Change { .. } | Standard::Range { .. });
                    if first_decides && target.relative().first().is_some_and(|path| path.contains('*')) {
                        return Err(invalid(
                            "of several signals the first decides: its path has no wildcard",
                        ));
                    }
                    Call::Subscribe(Wanted::Standard { target, filter: filters.standard })
                }
            },
            "unsubscribe" => {
                Call::Unsubscribe(SubscriptionId(required(self.subscription_id, "subscriptionId")?.into()))
            }
            "deliver" => {
                let (origin, lane) = (self.origin.as_ref(), self.lane.as_ref());
                Call::Deliver(Delivery::read(origin, lane, self.notes, limits)?)
            }
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(invalid(format!("{shown:?} is no action")));
            }
        };
        Ok(Request { id, id_is_number, additions, authorization, call })
    }
}

impl RawSetItem<'_> {
    fn read(self) -> Result<SetItem, Error> {
        let path = Target::path(&self.path.0)?.into_root();
        let value = self.value.into_wire().ok_or_else(|| {
            Error::new(ErrorKind::WrongType, "a value is a string, or an array or an object of such")
                .on_path(&path)
        })?;
        let within = self.within.as_ref().map(duration).transpose()?;
        let key = self.key.map(|key| Key::new(&key.0)).transpose().map_err(|why| invalid(why.to_string()))?;
        Ok(SetItem { path, value, within, key })
    }
}

/// What a get asks, by the filter beside that of paths.
fn getting(target: Target, filters: &Filters) -> Result<Call, Error> {
    Ok(match (filters.metadata, filters.history) {
        (Some(generations), _) => Call::Metadata { target, generations },
        (None, Some(period)) => Call::History { target, period },
        (None, None) if !filters.capabilities => Call::Get(target),
        (None, None) if target.root() == "Vehicle" && target.is_single() => Call::Capabilities,
        (None, None) => {
            return Err(invalid("the capabilities of a server are asked for at the path Vehicle alone"));
        }
    })
}

fn groups_of(
    groups: Vec<RawGroup<'_>>,
    overflow: Option<&Text<'_>>,
    strict: Option<&Text<'_>>,
) -> Result<Wanted, Error> {
    let mut out = Vec::with_capacity(groups.len());
    for group in groups {
        let paths = group.paths.into_iter().map(|path| Target::path(&path.0).map(Target::into_root));
        let bound = |text: &Text<'_>| match text.0.as_ref() {
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text => number(text).ok_or_else(|| invalid("a bound is a number")),
        };
        let mut filter = Filter::new();
        filter.change = group.change.as_ref().map(bound).transpose()?;
        filter.at_most_every = group.at_most_every.as_ref().map(duration).transpose()?;
        filter.every = group.every.as_ref().map(duration).transpose()?;
        filter.range =
            group.range.map(|(low, high)| Ok::<_, Error>((bound(&low)?, bound(&high)?))).transpose()?;
        out.push(Group { paths: paths.collect::<Result<_, _>>()?, filter });
    }
    let overflow = match overflow.map(|text| text.0.as_ref()) {
        None | Some("latest") => Overflow::Latest,
        Some(text) => {
            let bound = |text: &str| text.parse().map_err(|_| invalid("the bound of a queue is a number"));
            match text.split_once(':') {
                Some(("queue", count)) => Overflow::Queue(bound(count)?),
                Some(("block", count)) => Overflow::Block(bound(count)?),
                _ => return Err(invalid("an overflow is latest, queue:n or block:n")),
            }
        }
    };
    let strict = match strict.map(|text| text.0.as_ref()) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("strict is true or false")),
    };
    Ok(Wanted::Groups { groups: out, overflow, strict })
}

fn duration(text: &Text<'_>) -> Result<Duration, Error> {
    let nanoseconds = text.0.parse().map_err(|_| invalid("a duration is a whole number of nanoseconds"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn required(text: Option<Id<'_>>, member: &str) -> Result<String, Error> {
    match text {
        Some(text) if text.0.len() > MAX_ID => {
            Err(invalid(format!("{member} is longer than {MAX_ID} bytes")))
        }
        Some(text) if !text.0.is_empty() => Ok(text.0.into_owned()),
        _ => Err(invalid(format!("a request without {member}"))),
    }
}
