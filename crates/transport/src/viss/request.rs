//! Requests: what a client asks, decoded from the message of any dialect and encoded for one.
//!
//! *Invariant:* `decode(encode(request)) == request`; a message that is not decoded completely is an error, unknown members aside.
//! *Next:* `filter.rs` (the `filter` member), `session/server.rs` (which hands requests out), `session/client.rs` (which writes them).

mod read;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coachwork_vehicle::{
    Catalogue, Credential, Error, ErrorKind, Filter, Key, Overflow, Set, SignalId, Subscribe,
};

use self::read::RawRequest;
use super::dialect::Dialect;
use super::filter::{self, Filters};
use super::json::{Json, checked};
use super::outline::Outline;
use super::target::Target;
use super::token;
use super::trigger::{Standard, Trigger};
use super::value::WireValue;
use crate::delivery::Delivery;
use crate::limits::Limits;
use crate::message::{Message, MessageKind};

/// The value of the member `coachwork`, by which a peer asks for additional members, and by which it is told that it gets them.
pub(crate) const ADDITIONS: &str = "1";
/// What a request may ask.
const ACTIONS: [&str; 5] = ["get", "set", "subscribe", "unsubscribe", "deliver"];
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
    /// Whether that is a whole number to the client, and is to be again in the answer.
    pub id_is_number: bool,
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
    /// What was recorded, from now back through a period.
    History {
        /// The signals.
        target: Target,
        /// How far back; whole seconds.
        period: Duration,
    },
    /// What the server can do, as version 2 asks for it; version 3 reads the tree `Server`.
    Capabilities,
    /// Moving actuators: one, or with version 3.2 or additional members several.
    Set(Vec<SetItem>),
    /// Being told of signals.
    Subscribe(Wanted),
    /// Not being told any more.
    Unsubscribe(SubscriptionId),
    /// Storing notes of a queue. Additional action.
    Deliver(Delivery),
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

/// Why a message is no request, with what could be read of it for the answer: of a message of JSON that is an object, whatever stands before
/// its fault and what follows a fault that is none of JSON.
#[derive(Clone, Debug)]
pub struct BadRequest {
    /// Its id.
    pub id: Option<String>,
    /// Whether that is a whole number.
    pub id_is_number: bool,
    /// Its action, where it is one of VISS.
    pub action: Option<&'static str>,
    /// Whether it asks for additional members.
    pub additions: bool,
    /// What is wrong.
    pub error: Error,
}

/// Which version of VISS a peer speaks, and whether that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tongue {
    pub(crate) dialect: Dialect,
    pub(crate) is_settled: bool,
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// [`BadRequest`] where it is too deep, no JSON object of UTF-8 text, lacks or repeats a member, or a member says what it cannot.
    pub fn decode(message: &Message, dialect: Dialect, limits: &Limits) -> Result<Self, BadRequest> {
        Self::decode_in(message, &mut Tongue { dialect, is_settled: true }, limits)
    }

    /// The same where it may be left to the peer's words which version it speaks.
    pub(crate) fn decode_in(
        message: &Message,
        tongue: &mut Tongue,
        limits: &Limits,
    ) -> Result<Self, BadRequest> {
        let data = message.data();
        // Some clients send their JSON as bytes.
        let is_json = |data: &[u8]| data.trim_ascii_start().first() == Some(&b'{');
        if message.kind() == MessageKind::Binary && !is_json(data) {
            let error = Error::new(ErrorKind::Unsupported, "a binary message that is no JSON");
            return Err(BadRequest { id: None, id_is_number: false, action: None, additions: false, error });
        }
        let raw = checked(data, limits.depth).and_then(|text| {
            serde_json::from_str::<RawRequest<'_>>(text)
                .map_err(|why| invalid(format!("not a request: {why}")))
        });
        if let (false, Ok(raw)) = (tongue.is_settled, &raw)
            && let Some(dialect) = raw.speaks()
        {
            *tongue = Tongue { dialect, is_settled: true };
        }
        raw.and_then(|raw| raw.read(tongue.dialect, limits)).map_err(|error| {
            let outline = Outline::of(data);
            let id = outline.id.filter(|id| !id.0.is_empty() && id.0.len() <= MAX_ID);
            let (id, id_is_number) = id.map_or((None, false), |id| (Some(id.0.into_owned()), id.1));
            let known = |name: Cow<'_, str>| ACTIONS.into_iter().find(|known| **known == name);
            let additions = outline.additions.is_some_and(|version| version == ADDITIONS);
            BadRequest { id, id_is_number, action: outline.action.and_then(known), additions, error }
        })
    }

    /// Writes it. Additional members are written where the call has them: a client asks so only a server that gave its word.
    pub fn encode(&self, dialect: Dialect) -> Bytes {
        let mut json = Json::new();
        json.open(b'{').member("action", self.call.action()).id("requestId", &self.id, self.id_is_number);
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
            Call::History { target, period } => {
                let filters = Filters { history: Some(*period), ..Filters::default() };
                write_target(&mut json, target, dialect, &filters);
            }
            Call::Capabilities => {
                let filters = Filters { capabilities: true, ..Filters::default() };
                json.member("path", "Vehicle");
                filter::write(&mut json, None, &filters, dialect);
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
            Call::Deliver(delivery) => delivery.write(&mut json),
        }
        json.close(b'}');
        json.finish()
    }
}

impl Call {
    /// Its name in VISS.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Get(_) | Self::Metadata { .. } | Self::History { .. } | Self::Capabilities => "get",
            Self::Set(_) => "set",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Deliver(_) => "deliver",
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
        let signal = super::target::signal(catalogue, &self.path)?;
        let value = self.value.parse(catalogue.entry(signal)?).map_err(|error| error.on_path(&self.path))?;
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
    /// In pure VISS, and where it is strict: the error of the first path that means nothing. Otherwise as [`Target::resolve`]; and
    /// [`ErrorKind::WrongType`] where a filter of pure VISS is not one for values of that type.
    pub fn resolve(&self, catalogue: &Catalogue) -> Result<Resolved, Error> {
        match self {
            Self::Standard { target, filter } => {
                let found = target.resolve(catalogue)?;
                let signals =
                    found.into_iter().map(|one| one.signal).collect::<Result<Vec<SignalId>, _>>()?;
                if let Some(&first) = signals.first() {
                    filter.fits(catalogue.entry(first)?)?;
                }
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

pub(crate) fn at_most(count: usize, limit: usize, what: &str) -> Result<(), Error> {
    if count > limit {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("{count} {what} in a request are above the limit of {limit}"),
        ));
    }
    Ok(())
}

pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
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
            .field("id_is_number", &self.id_is_number)
            .field("additions", &self.additions)
            .field("authorization", &self.authorization)
            .field("call", &self.call)
            .finish()
    }
}

#[cfg(test)]
mod strict_tests;
#[cfg(test)]
mod tests;
