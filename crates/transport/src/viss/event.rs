//! Events of subscriptions, encoded once for all peers of one form that see the same view, and completed for each by a small head.
//!
//! *Invariant:* the body names no subscription, so that its bytes are shared; head and body together are one JSON object.
//! *Next:* `session/server.rs` (which keeps the heads), `reply.rs` (which reads the whole).

use bytes::Bytes;
use coachwork_vehicle::{
    Catalogue, Datapoint, Error, ErrorKind, Event, Permission, Reason, ReasonKind, SignalId, Timestamp,
};

use super::dialect::{Dialect, Form};
use super::error::{write_error, write_error_as};
use super::json::Json;
use super::metadata::write_permission;
use super::point::{write_item, write_reason};
use super::request::SubscriptionId;

/// An event for every subscription of one form, without the name of any.
///
/// A message is the subscription's [`EventHead`] and then this body: two parts for [`Connection::feed`](crate::Connection::feed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEvent {
    form: Form,
    body: Bytes,
    ends: bool,
}

/// The beginning of every event of one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHead(Bytes);

impl EncodedEvent {
    /// An event of a vehicle. `None` where the form has no words for it: pure VISS knows no lag and no rights that change meanwhile.
    pub fn new(form: Form, event: &Event, catalogue: &Catalogue, ts: Timestamp) -> Option<Self> {
        match event {
            Event::Changed(points) => Some(Self::points(form, points.iter(), catalogue, ts)),
            Event::Lagged(count) if form.additions => {
                let mut json = Json::continued();
                json.key("lagged").plain(count);
                Some(Self::finish(form, json, ts, false))
            }
            Event::Access(changes) if form.additions => Some(Self::access(form, changes, catalogue, ts)),
            Event::Ended(reason) => Some(Self::ended(form, reason, ts)),
            _ => None,
        }
    }

    /// Datapoints of a vehicle.
    pub fn points<'p>(
        form: Form,
        points: impl ExactSizeIterator<Item = (SignalId, &'p Datapoint)>,
        catalogue: &Catalogue,
        ts: Timestamp,
    ) -> Self {
        let mut json = Json::continued();
        json.key("data");
        let single = points.len() == 1;
        if !single {
            json.open(b'[');
        }
        for (signal, point) in points {
            let path = catalogue.path(signal).map_or("", coachwork_vehicle::Path::as_str);
            write_item(&mut json, path, Ok(point), form);
        }
        if !single {
            json.close(b']');
        }
        Self::finish(form, json, ts, false)
    }

    /// The subscription ends: the vehicle ended it, or the right to it has gone.
    pub fn ended(form: Form, reason: &Reason, ts: Timestamp) -> Self {
        let kind = match reason.kind() {
            ReasonKind::Denied => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        };
        let mut json = Json::continued();
        write_error(json.key("error"), &Error::new(kind, reason.to_string()), form);
        if form.additions {
            json.key("ended").open(b'{');
            write_reason(&mut json, reason);
            json.close(b'}');
        }
        Self::finish(form, json, ts, true)
    }

    /// The subscription ends, for the token that it was made with has.
    pub fn expired(form: Form, ts: Timestamp) -> Self {
        let reason = Reason::because(ReasonKind::Denied, "the admission has ended");
        let row = match form.dialect {
            Dialect::V2 => (401, "expired_token"),
            Dialect::V3 => (401, "invalid_token"),
        };
        let mut json = Json::continued();
        write_error_as(json.key("error"), &Error::new(ErrorKind::Denied, reason.to_string()), form, row);
        if form.additions {
            json.key("ended").open(b'{');
            write_reason(&mut json, &reason);
            json.close(b'}');
        }
        Self::finish(form, json, ts, true)
    }

    fn access(form: Form, changes: &[(SignalId, Permission)], catalogue: &Catalogue, ts: Timestamp) -> Self {
        let mut json = Json::continued();
        json.key("access").open(b'[');
        for (signal, permission) in changes {
            let path = catalogue.path(*signal).map_or("", coachwork_vehicle::Path::as_str);
            json.open(b'{').member("path", path).key("read");
            write_permission(&mut json, permission);
            json.close(b'}');
        }
        json.close(b']');
        Self::finish(form, json, ts, false)
    }

    fn finish(form: Form, mut json: Json, ts: Timestamp, ends: bool) -> Self {
        json.key("ts").time(ts, form).close(b'}');
        Self { form, body: json.finish(), ends }
    }

    /// The form that it is encoded in.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What follows the head.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether the subscription ends with it.
    pub fn ends(&self) -> bool {
        self.ends
    }
}

impl EventHead {
    /// The head of a subscription's events.
    pub fn new(subscription: &SubscriptionId) -> Self {
        let mut json = Json::new();
        json.open(b'{').member("action", "subscription").member("subscriptionId", subscription.as_str());
        Self(json.finish())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}
