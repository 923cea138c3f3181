//! Requests: what a client asks, decoded from the message of any dialect and encoded for one.
//!
//! *Invariant:* `decode(encode(request)) == request`; a message that is not decoded completely is an error, unknown members aside.
//! *Next:* `filter.rs` (the `filter` member), `session/server.rs` (which hands requests out), `session/client.rs` (which writes them).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coachwork_vehicle::{
    Catalogue, Credential, Error, ErrorKind, Filter, Key, Overflow, Set, SignalId, Subscribe,
};
use serde::Deserialize;

use super::dialect::Dialect;
use super::filter::{self, Filters};
use super::json::{Json, checked};
use super::target::Target;
use super::token;
use super::trigger::{Standard, Trigger, number};
use super::value::{RawValue, Text, WireValue};
use crate::limits::Limits;
use crate::message::Message;

/// The value of the member `coachwork`, by which a peer asks for additional members, and by which it is told that it gets them.
pub(crate) const ADDITIONS: &str = "1";
/// The longest request id and subscription id in bytes.
const MAX_ID: usize = 128;

/// The name of a subscription, chosen by the server, of meaning on its connection alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub(crate) Arc<str>);

/// One request.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The client's name for it, which the answer repeats.
    pub id: String,
    /// Whether the client asks for additional members.
    pub additions: bool,
    /// The token that it shows.
    pub authorization: Option<Credential>,
    /// What is asked.
    pub call: Call,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// The present datapoints.
    Get(Target),
    /// What is known of the signals at and below a place in the tree.
    Metadata {
        /// The place.
        target: Target,
        /// How many levels of the tree, that of the target included; zero for all.
        generations: u32,
    },
    /// Moving actuators: one, or with version 3.2 or additional members several.
    Set(Vec<SetItem>),
    /// Being told of signals.
    Subscribe(Wanted),
    /// Not being told any more.
    Unsubscribe(SubscriptionId),
}

/// One actuator to move.
#[derive(Clone, Debug, PartialEq)]
pub struct SetItem {
    /// The actuator.
    pub path: String,
    /// Where it should go, not yet read in its type.
    pub value: WireValue,
    /// How long the request may stay unconfirmed. Additional member.
    pub within: Option<Duration>,
    /// Under which key it may be asked again. Additional member.
    pub key: Option<Key>,
}

/// What a client wants to be told of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Wanted {
    /// In pure VISS: signals, all filtered alike.
    Standard {
        /// The signals.
        target: Target,
        /// Their filter.
        filter: Standard,
    },
    /// With additional members: groups of signals, each with a filter of its own.
    Groups {
        /// The groups.
        groups: Vec<Group>,
        /// What happens when the client is slower than the vehicle.
        overflow: Overflow,
        /// Whether one refused signal refuses the whole.
        strict: bool,
    },
}

/// Signals with one filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The signals.
    pub paths: Vec<String>,
    /// Their filter.
    pub filter: Filter,
}

/// A wish in the terms of a catalogue.
#[derive(Debug)]
pub struct Resolved {
    /// What to ask of the vehicle.
    pub subscribe: Subscribe,
    /// Through what to pass the updates, for the filters that a vehicle does not have.
    pub trigger: Option<Trigger>,
    /// The paths that the catalogue does not have.
    pub refused: Vec<(String, Error)>,
}

/// Why a message is no request, with what could be read of it for the answer.
#[derive(Clone, Debug)]
pub struct BadRequest {
    /// Its id.
    pub id: Option<String>,
    /// Its action.
    pub action: Option<String>,
    /// What is wrong.
    pub error: Error,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest<'a> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    request_id: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<RawValue<'a>>,
    filter: Option<serde_json::Value>,
    #[serde(borrow)]
    authorization: Option<Text<'a>>,
    #[serde(borrow)]
    subscription_id: Option<Text<'a>>,
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
}

#[derive(Deserialize)]
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
#[serde(rename_all = "camelCase")]
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

/// What is read of a message that is no request.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outline<'a> {
    #[serde(borrow)]
    action: Option<Text<'a>>,
    #[serde(borrow)]
    request_id: Option<Text<'a>>,
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// [`BadRequest`] where it is too deep, no JSON object of UTF-8 text, lacks or repeats a member, or a member says what it cannot.
    pub fn decode(message: &Message, dialect: Dialect, limits: &Limits) -> Result<Self, BadRequest> {
        let unread = |error| BadRequest { id: None, action: None, error };
        let Message::Text(data) = message else {
            return Err(unread(Error::new(
                ErrorKind::Unsupported,
                "a binary message, where JSON in text is spoken",
            )));
        };
        let text = checked(data, limits.depth).map_err(unread)?;
        let raw = serde_json::from_str::<RawRequest<'_>>(text);
        let parsed = raw
            .map_err(|why| invalid(format!("not a request: {why}")))
            .and_then(|raw| raw.read(dialect, limits));
        parsed.map_err(|error| {
            let outline = serde_json::from_str::<Outline<'_>>(text).unwrap_or_default();
            let short = |text: Option<Text<'_>>| {
                text.map(|text| text.0.into_owned()).filter(|text| text.len() <= MAX_ID)
            };
            let known =
                |action: &String| ["get", "set", "subscribe", "unsubscribe"].contains(&action.as_str());
            BadRequest { id: short(outline.request_id), action: short(outline.action).filter(known), error }
        })
    }

    /// Writes it. Additional members are written where the call has them: a client asks so only a server that gave its word.
    pub fn encode(&self, dialect: Dialect) -> Bytes {
        let mut json = Json::new();
        json.open(b'{').member("action", self.call.action()).member("requestId", &self.id);
        if self.additions {
            json.member("coachwork", ADDITIONS);
        }
        if let Some(Credential::Token(token)) = &self.authorization {
            json.member("authorization", &token::to_text(token));
        }
        match &self.call {
            Call::Get(target) => write_target(&mut json, target, dialect, &Filters::default()),
            Call::Metadata { target, generations } => {
                let filters = Filters { metadata: Some(*generations), ..Filters::default() };
                write_target(&mut json, target, dialect, &filters);
            }
            Call::Set(items) => match items.as_slice() {
                [item] => item.write(&mut json),
                items => {
                    json.key("data").open(b'[');
                    for item in items {
                        json.open(b'{');
                        item.write(&mut json);
                        json.close(b'}');
                    }
                    json.close(b']');
                }
            },
            Call::Subscribe(Wanted::Standard { target, filter }) => {
                let filters = Filters { standard: filter.clone(), ..Filters::default() };
                write_target(&mut json, target, dialect, &filters);
            }
            Call::Subscribe(Wanted::Groups { groups, overflow, strict }) => {
                json.key("signals").open(b'[');
                for group in groups {
                    group.write(&mut json);
                }
                json.close(b']');
                match overflow {
                    Overflow::Latest => {}
                    Overflow::Queue(bound) => {
                        json_plain(&mut json, "overflow", format_args!("queue:{bound}"));
                    }
                    Overflow::Block(bound) => {
                        json_plain(&mut json, "overflow", format_args!("block:{bound}"));
                    }
                }
                if *strict {
                    json.member("strict", "true");
                }
            }
            Call::Unsubscribe(subscription) => {
                json.member("subscriptionId", subscription.as_str());
            }
        }
        json.close(b'}');
        json.finish()
    }
}

impl Call {
    /// Its name in VISS.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Get(_) | Self::Metadata { .. } => "get",
            Self::Set(_) => "set",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
        }
    }
}

impl SubscriptionId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SetItem {
    /// The request in the terms of a catalogue, its value read in the actuator's type.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownSignal`], and as [`WireValue::parse`].
    pub fn resolve(&self, catalogue: &Catalogue) -> Result<coachwork_vehicle::Request, Error> {
        let signal = catalogue.resolve(&self.path)?;
        let data_type = catalogue.entry(signal)?.data_type();
        let value = self.value.parse(data_type).map_err(|error| error.on_path(&self.path))?;
        let set = Set { within: self.within.unwrap_or(Set::default().within), key: self.key.clone() };
        Ok(coachwork_vehicle::Request { signal, value, set })
    }

    fn write(&self, json: &mut Json) {
        json.member("path", &self.path).key("value");
        self.value.write(json);
        if let Some(within) = self.within {
            json_plain(json, "within", within.as_nanos());
        }
        if let Some(key) = &self.key {
            json.member("key", key.as_str());
        }
    }
}

impl Wanted {
    /// How many paths it names.
    pub fn count(&self) -> usize {
        match self {
            Self::Standard { target, .. } => target.count(),
            Self::Groups { groups, .. } => groups.iter().map(|group| group.paths.len()).sum(),
        }
    }

    /// The wish in the terms of a catalogue.
    ///
    /// # Errors
    /// In pure VISS, and where it is strict: the error of the first path that means nothing. Otherwise as [`Target::resolve`].
    pub fn resolve(&self, catalogue: &Catalogue) -> Result<Resolved, Error> {
        match self {
            Self::Standard { target, filter } => {
                let found = target.resolve(catalogue)?;
                let signals =
                    found.into_iter().map(|one| one.signal).collect::<Result<Vec<SignalId>, _>>()?;
                let subscribe = filter.subscribe(&signals);
                let trigger = match filter {
                    Standard::None | Standard::Timebased(_) => None,
                    filter => Some(Trigger::new(filter.clone(), signals)),
                };
                Ok(Resolved { subscribe, trigger, refused: Vec::new() })
            }
            Self::Groups { groups, overflow, strict } => {
                let mut subscribe = Subscribe { signals: Vec::new(), overflow: *overflow, strict: *strict };
                let mut refused = Vec::new();
                for group in groups {
                    for path in &group.paths {
                        match catalogue.resolve(path) {
                            Ok(signal) => subscribe.signals.push((signal, group.filter)),
                            Err(error) if *strict => return Err(error),
                            Err(error) => refused.push((path.clone(), error)),
                        }
                    }
                }
                Ok(Resolved { subscribe, trigger: None, refused })
            }
        }
    }
}

impl Group {
    fn write(&self, json: &mut Json) {
        json.open(b'{').key("paths").open(b'[');
        for path in &self.paths {
            json.text(path);
        }
        json.close(b']');
        if let Some(band) = self.filter.change {
            json.member("change", &float(band));
        }
        if let Some(interval) = self.filter.at_most_every {
            json_plain(json, "atMostEvery", interval.as_nanos());
        }
        if let Some(period) = self.filter.every {
            json_plain(json, "every", period.as_nanos());
        }
        if let Some((low, high)) = self.filter.range {
            json.key("range").open(b'[').text(&float(low)).text(&float(high)).close(b']');
        }
        json.close(b'}');
    }
}

impl RawRequest<'_> {
    fn read(self, dialect: Dialect, limits: &Limits) -> Result<Request, Error> {
        let id = required(self.request_id, "requestId")?;
        // Of a later version this side knows nothing: then the request is one of pure VISS.
        let additions = self.coachwork.as_ref().is_some_and(|version| version.0 == ADDITIONS);
        let authorization = self
            .authorization
            .map(|text| token::from_text(&text.0))
            .transpose()?
            .map(|token| Credential::Token(token.into()));
        let filters = match &self.filter {
            Some(filter) => filter::read(filter, limits)?,
            None => Filters::default(),
        };
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
                    return Err(invalid("a get takes the filters paths and metadata"));
                }
                let target = target(self.path, filters.paths)?;
                match filters.metadata {
                    Some(generations) => Call::Metadata { target, generations },
                    None if target == Target::everything() => return Err(invalid("a path is empty")),
                    None => Call::Get(target),
                }
            }
            "set" => {
                if has_filter {
                    return Err(invalid("a set takes no filter"));
                }
                let items = match (self.path, self.value, self.data) {
                    (Some(path), Some(value), None) => {
                        vec![RawSetItem { path, value, within: self.within, key: self.key }]
                    }
                    (None, None, Some(items)) if !items.is_empty() => items,
                    _ => return Err(invalid("a set has a path and a value, or data with some")),
                };
                at_most(items.len(), limits.paths, "paths")?;
                Call::Set(items.into_iter().map(RawSetItem::read).collect::<Result<_, _>>()?)
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
                None if filters.metadata.is_some() => {
                    return Err(invalid("a subscription takes no metadata filter"));
                }
                None => {
                    let target = target(self.path, filters.paths)?;
                    if target == Target::everything() {
                        return Err(invalid("a path is empty"));
                    }
                    Call::Subscribe(Wanted::Standard { target, filter: filters.standard })
                }
            },
            "unsubscribe" => {
                Call::Unsubscribe(SubscriptionId(required(self.subscription_id, "subscriptionId")?.into()))
            }
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(invalid(format!("{shown:?} is no action")));
            }
        };
        Ok(Request { id, additions, authorization, call })
    }
}

impl RawSetItem<'_> {
    fn read(self) -> Result<SetItem, Error> {
        let path = Target::path(&self.path.0)?.root().to_owned();
        let value = self.value.into_wire().ok_or_else(|| {
            Error::new(ErrorKind::WrongType, "a value is a string, or an array of such").on_path(&path)
        })?;
        let within = self.within.as_ref().map(duration).transpose()?;
        let key = self.key.map(|key| Key::new(&key.0)).transpose().map_err(|why| invalid(why.to_string()))?;
        Ok(SetItem { path, value, within, key })
    }
}

fn groups_of(
    groups: Vec<RawGroup<'_>>,
    overflow: Option<&Text<'_>>,
    strict: Option<&Text<'_>>,
) -> Result<Wanted, Error> {
    let mut out = Vec::with_capacity(groups.len());
    for group in groups {
        let paths =
            group.paths.into_iter().map(|path| Target::path(&path.0).map(|target| target.root().to_owned()));
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

fn write_target(json: &mut Json, target: &Target, dialect: Dialect, filters: &Filters) {
    json.member("path", target.root());
    let paths = (!target.is_single()).then(|| target.relative());
    filter::write(json, paths, filters, dialect);
}

fn json_plain(json: &mut Json, key: &str, value: impl fmt::Display) {
    json.key(key).plain(value);
}

fn float(value: f64) -> String {
    super::value::scalar_text(&value.into()).into_owned()
}

fn duration(text: &Text<'_>) -> Result<Duration, Error> {
    let nanoseconds = text.0.parse().map_err(|_| invalid("a duration is a whole number of nanoseconds"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn required(text: Option<Text<'_>>, member: &str) -> Result<String, Error> {
    match text {
        Some(text) if text.0.len() > MAX_ID => {
            Err(invalid(format!("{member} is longer than {MAX_ID} bytes")))
        }
        Some(text) if !text.0.is_empty() => Ok(text.0.into_owned()),
        _ => Err(invalid(format!("a request without {member}"))),
    }
}

pub(crate) fn at_most(count: usize, limit: usize, what: &str) -> Result<(), Error> {
    if count > limit {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("{count} {what} in a request are above the limit of {limit}"),
        ));
    }
    Ok(())
}

pub(crate) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("additions", &self.additions)
            .field("authorization", &self.authorization)
            .field("call", &self.call)
            .finish()
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
