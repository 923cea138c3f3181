//! Datapoints as they travel: a value and a time; with additional members also why there is no value, or that it is stale.
//!
//! *Invariant:* what is valid looks the same to every peer; what is not never looks like a value.
//! *Next:* `answer.rs`, `event.rs` (which hold lists of them).

use coachwork_vehicle::{Datapoint, Entry, Error, ErrorKind, Reason, ReasonKind, State, Timestamp};
use serde::Deserialize;

use super::dialect::Form;
use super::error::{RawError, write_error};
use super::json::Json;
use super::object::object;
use super::value::{RawValue, Text, write_value};

/// What stands in VISS in place of a value that there is not.
pub(crate) const NO_VALUE: &str = "viss-inline:Data-not-available";

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawItem<'a> {
    #[serde(borrow)]
    pub(crate) path: Text<'a>,
    #[serde(borrow)]
    pub(crate) dp: Option<OneOrMany<RawPoint<'a>>>,
    #[serde(borrow)]
    pub(crate) error: Option<RawError<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawPoint<'a> {
    #[serde(borrow)]
    value: Option<RawValue<'a>>,
    #[serde(borrow)]
    ts: Option<Text<'a>>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

object!(RawItem, RawPoint);

/// A member that is an object, or an array of such.
#[derive(Debug)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// Writes an item of `data`.
pub(crate) fn write_item(json: &mut Json, path: &str, point: Result<&Datapoint, &Error>, form: Form) {
    json.open(b'{').member("path", path);
    match point {
        Ok(point) => {
            json.key("dp");
            write_point(json, point, form);
        }
        Err(error) => {
            json.key("error");
            write_error(json, error, form);
        }
    }
    json.close(b'}');
}

/// Writes an item of `data` that has what was recorded of a signal.
pub(crate) fn write_recorded(json: &mut Json, path: &str, points: &[Datapoint], form: Form) {
    json.open(b'{').member("path", path).key("dp").open(b'[');
    for point in points {
        write_point(json, point, form);
    }
    json.close(b']').close(b'}');
}

fn write_point(json: &mut Json, point: &Datapoint, form: Form) {
    json.open(b'{');
    let state = match &point.state {
        State::Valid(value) => {
            write_value(json.key("value"), value);
            None
        }
        State::Stale(value) => {
            write_value(json.key("value"), value);
            Some(("stale", None))
        }
        State::NeverSet => Some(("never_set", None)),
        State::NotAvailable(reason) => Some(("not_available", Some(reason))),
        State::Error(reason) => Some(("error", Some(reason))),
    };
    if let Some((name, reason)) = state {
        if form.additions {
            json.member("state", name);
            if let Some(reason) = reason {
                write_reason(json, reason);
            }
        } else if name != "stale" {
            json.member("value", NO_VALUE);
        }
    }
    json.key("ts").time(point.source, form);
    json.close(b'}');
}

/// Writes the members `reason` and `text` of an open object.
pub(crate) fn write_reason(json: &mut Json, reason: &Reason) {
    json.member("reason", reason.kind().name());
    if let Some(text) = reason.text() {
        json.member("text", text);
    }
}

pub(crate) fn read_reason(kind: Option<&Text<'_>>, text: Option<Text<'_>>) -> Reason {
    let kind = kind.map_or(ReasonKind::Other, |kind| ReasonKind::from_name(&kind.0));
    match text {
        Some(text) => Reason::because(kind, text.0.as_ref()),
        None => Reason::new(kind),
    }
}

impl RawPoint<'_> {
    /// The datapoint of a signal. What cannot be read is an error in the datapoint, for it is the source that is wrong.
    pub(crate) fn into_datapoint(self, entry: &Entry, additions: bool, received: Timestamp) -> Datapoint {
        let malformed = |what: &str| State::Error(Reason::because(ReasonKind::Malformed, what));
        let source = self.ts.as_ref().map(|ts| ts.0.parse::<Timestamp>());
        let mut state = match (self.value, self.state) {
            (_, Some(state)) if state.0 == "never_set" => State::NeverSet,
            (_, Some(state)) if state.0 == "not_available" => {
                State::NotAvailable(read_reason(self.reason.as_ref(), self.text))
            }
            (_, Some(state)) if state.0 == "error" => {
                State::Error(read_reason(self.reason.as_ref(), self.text))
            }
            (Some(RawValue::Scalar(text)), _) if !additions && text.0 == NO_VALUE => {
                State::NotAvailable(Reason::new(ReasonKind::Source))
            }
            (None | Some(RawValue::Null), _) => State::NeverSet,
            (Some(value), state) => match value.parse(entry) {
                Ok(value) if state.is_some_and(|state| state.0 == "stale") => State::Stale(value),
                Ok(value) => State::Valid(value),
                Err(error) => malformed(error.message()),
            },
        };
        let source = match source {
            Some(Ok(source)) => source,
            None => received,
            Some(Err(error)) => {
                state = malformed(&format!("its time is {error}"));
                received
            }
        };
        Datapoint { state, source, received }
    }
}

impl<T> OneOrMany<T> {
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }

    /// The last: of a time series, the present one.
    pub(crate) fn into_last(self) -> Option<T> {
        match self {
            Self::One(one) => Some(one),
            Self::Many(mut many) => many.pop(),
        }
    }
}

impl RawItem<'_> {
    pub(crate) fn into_result(
        self,
        entry: &Entry,
        additions: bool,
        received: Timestamp,
    ) -> Result<Datapoint, Error> {
        if let Some(error) = self.error {
            return Err(error.into_error());
        }
        match self.dp.and_then(OneOrMany::into_last) {
            Some(point) => Ok(point.into_datapoint(entry, additions, received)),
            None => Err(Error::new(ErrorKind::Protocol, "the answer has no datapoint").on_path(&self.path.0)),
        }
    }
}

impl RawItem<'_> {
    /// What was recorded of a signal, the oldest first.
    pub(crate) fn into_history(
        self,
        entry: &Entry,
        additions: bool,
        received: Timestamp,
    ) -> Result<Vec<Datapoint>, Error> {
        if let Some(error) = self.error {
            return Err(error.into_error());
        }
        let missing =
            || Error::new(ErrorKind::Protocol, "the answer has no datapoints").on_path(&self.path.0);
        let raw = self.dp.ok_or_else(missing)?.into_vec();
        // In pure VISS one that stands for none.
        if let [RawPoint { value: Some(RawValue::Scalar(text)), .. }] = raw.as_slice()
            && !additions
            && text.0 == NO_VALUE
        {
            return Ok(Vec::new());
        }
        let mut points: Vec<_> =
            raw.into_iter().map(|point| point.into_datapoint(entry, additions, received)).collect();
        points.sort_by_key(|point| point.source);
        Ok(points)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object or an array of objects")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(OneOrMany::One)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = seq.next_element()? {
                    many.push(one);
                }
                Ok(OneOrMany::Many(many))
            }
        }
        deserializer.deserialize_any(Visitor(std::marker::PhantomData))
    }
}
