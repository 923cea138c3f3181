//! Answers: what the vehicle said to a request, in the form that the peer speaks.
//!
//! *Invariant:* to a peer of pure VISS an answer is all or nothing, as the standard has it: the first error of an item is the answer.
//! *Next:* `session/server.rs` (which knows what is being answered), `reply.rs` (which reads them).

use bytes::Bytes;
use coachwork_vehicle::{
    Datapoint, Error, ErrorKind, Outcome, Refusal, RefusalKind, Stage, State, Timestamp,
};

use super::capabilities::Capabilities;
use super::dialect::Form;
use super::error::{status, write_error, write_error_as};
use super::json::Json;
use super::metadata::EncodedMetadata;
use super::point::{write_item, write_recorded};
use super::request::ADDITIONS;

/// What is answered to a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// To a get: each path with its datapoint, in the order of the request.
    Points(Vec<(String, Result<Datapoint, Error>)>),
    /// To a request for metadata.
    Metadata(EncodedMetadata),
    /// To a request for history: each path with what was recorded, the oldest first.
    History(Vec<(String, Vec<Datapoint>)>),
    /// To a request of version 2 for what the server can do.
    Capabilities(Capabilities),
    /// To a set: how far each item has come, in the order of the request.
    Set(Vec<Result<Stage, Error>>),
    /// To a subscribe: the subscription stands. The paths that it does not cover at present, with the reason; with an error of
    /// kind denied, it covers them once the right returns.
    Subscribed {
        /// Those paths.
        refused: Vec<(String, Error)>,
    },
    /// To an unsubscribe: the subscription is gone.
    Unsubscribed,
    /// To a delivery.
    Delivered {
        /// The highest number of its lane that is stored.
        stored: u64,
        /// The note behind it, where that one will never be.
        refused: Option<u64>,
    },
    /// To any request: it failed as a whole.
    Failed(Error),
}

/// What an answer says besides its content.
pub(crate) struct Envelope<'a> {
    pub(crate) action: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    /// Whether the id is a whole number to the peer.
    pub(crate) id_is_number: bool,
    pub(crate) form: Form,
    /// Whether this answer tells the peer that it gets additional members.
    pub(crate) welcome: bool,
    pub(crate) ts: Timestamp,
}

impl Envelope<'_> {
    fn open(&self) -> Json {
        let mut json = Json::new();
        json.open(b'{');
        if let Some(action) = self.action {
            json.member("action", action);
        }
        if let Some(id) = self.id {
            json.id("requestId", id, self.id_is_number);
        }
        if self.welcome {
            json.member("coachwork", ADDITIONS);
        }
        json
    }

    fn close(&self, mut json: Json) -> Bytes {
        json.key("ts").time(self.ts, self.form).close(b'}');
        json.finish()
    }

    pub(crate) fn error(&self, error: &Error) -> Bytes {
        let mut json = self.open();
        write_error(json.key("error"), error, self.form);
        self.close(json)
    }

    /// An error in the words of a row of the table that it alone does not tell.
    pub(crate) fn error_as(&self, error: &Error, row: (u16, &'static str)) -> Bytes {
        let mut json = self.open();
        write_error_as(json.key("error"), error, self.form, row);
        self.close(json)
    }

    /// What was recorded; `single` as below.
    pub(crate) fn history(&self, recorded: &[(String, Vec<Datapoint>)], single: bool) -> Bytes {
        let mut json = self.open();
        json.key("data");
        if !single {
            json.open(b'[');
        }
        for (path, points) in recorded {
            write_recorded(&mut json, path, points, self.form);
        }
        if !single {
            json.close(b']');
        }
        self.close(json)
    }

    pub(crate) fn capabilities(&self, capabilities: &Capabilities) -> Bytes {
        let mut json = self.open();
        capabilities.write(json.key("metadata"));
        self.close(json)
    }

    /// `single`: the request named one path, so that its data is an object.
    pub(crate) fn points(&self, points: &[(String, Result<Datapoint, Error>)], single: bool) -> Bytes {
        if !self.form.additions
            && let Some(error) = points.iter().find_map(|(path, point)| pure_error(path, point, single))
        {
            return self.error(&error);
        }
        let mut json = self.open();
        json.key("data");
        match points {
            [(path, point)] if single => write_item(&mut json, path, point.as_ref(), self.form),
            points => {
                json.open(b'[');
                for (path, point) in points {
                    write_item(&mut json, path, point.as_ref(), self.form);
                }
                json.close(b']');
            }
        }
        self.close(json)
    }

    pub(crate) fn metadata(&self, metadata: &EncodedMetadata) -> Bytes {
        let mut json = self.open();
        json.splice(&metadata.members);
        self.close(json)
    }

    pub(crate) fn set(&self, receipts: &[Result<Stage, Error>]) -> Bytes {
        if self.form.additions {
            let mut json = self.open();
            json.key("receipts").open(b'[');
            for receipt in receipts {
                match receipt {
                    Ok(stage) => write_stage(&mut json, stage),
                    Err(error) => {
                        json.open(b'{').member("stage", "invalid").key("error");
                        write_error(&mut json, error, self.form);
                        json.close(b'}');
                    }
                }
            }
            json.close(b']');
            return self.close(json);
        }
        match receipts.iter().find_map(|receipt| refused(receipt.as_ref())) {
            Some(error) => self.error(&error),
            None => self.close(self.open()),
        }
    }

    pub(crate) fn subscribed(&self, subscription: &str, refused: &[(String, Error)]) -> Bytes {
        let mut json = self.open();
        json.member("subscriptionId", subscription);
        if self.form.additions && !refused.is_empty() {
            json.key("refused").open(b'[');
            for (path, error) in refused {
                json.open(b'{').member("path", path).key("error");
                write_error(&mut json, error, self.form);
                json.close(b'}');
            }
            json.close(b']');
        }
        self.close(json)
    }

    /// `subscription`: version 2 repeats it.
    pub(crate) fn unsubscribed(&self, subscription: Option<&str>) -> Bytes {
        let mut json = self.open();
        if let Some(subscription) = subscription {
            json.member("subscriptionId", subscription);
        }
        self.close(json)
    }

    /// Version 2 repeats the subscription in an error, too, and has a row of its own for one that there is not.
    pub(crate) fn not_unsubscribed(&self, subscription: &str, error: &Error) -> Bytes {
        let row = match error.kind() {
            ErrorKind::UnknownSignal => (400, "invalid_data"),
            _ => status(error, self.form),
        };
        let mut json = self.open();
        json.member("subscriptionId", subscription);
        write_error_as(json.key("error"), error, self.form, row);
        self.close(json)
    }

    pub(crate) fn delivered(&self, stored: u64, refused: Option<u64>) -> Bytes {
        let mut json = self.open();
        json.key("stored").plain(stored);
        if let Some(refused) = refused {
            json.key("refusedNote").plain(refused);
        }
        self.close(json)
    }

    pub(crate) fn receipt(&self, index: usize, outcome: &Outcome) -> Bytes {
        let mut json = self.open();
        json.key("index").plain(index).key("receipt");
        write_stage(&mut json, &Stage::Settled(outcome.clone()));
        self.close(json)
    }

    pub(crate) fn catalogue(&self, revision: u64) -> Bytes {
        let mut json = self.open();
        json.key("revision").plain(revision);
        self.close(json)
    }
}

fn write_stage(json: &mut Json, stage: &Stage) {
    json.open(b'{');
    match stage {
        Stage::Accepted => {
            json.member("stage", "accepted");
        }
        Stage::Settled(Outcome::Confirmed(at)) => {
            json.member("stage", "confirmed").key("ts").bare(at.encode(&mut [0; Timestamp::LONGEST]));
        }
        Stage::Settled(Outcome::Accepted) => {
            json.member("stage", "taken");
        }
        Stage::Settled(Outcome::Refused(why)) => {
            json.member("stage", "refused").member("reason", why.kind().name()).member("text", why.text());
        }
        Stage::Settled(Outcome::InDoubt) => {
            json.member("stage", "in_doubt");
        }
        // An outcome of a later version is one that this one cannot confirm.
        Stage::Settled(_) => {
            json.member("stage", "timed_out");
        }
    }
    json.close(b'}');
}

/// What in an item makes the whole answer an error in pure VISS.
fn pure_error(path: &str, point: &Result<Datapoint, Error>, single: bool) -> Option<Error> {
    match point {
        Err(error) if error.path().is_none() => Some(error.clone().on_path(path)),
        Err(error) => Some(error.clone()),
        // Among several signals an in-line error stands in place of the value.
        Ok(point) if single => match &point.state {
            State::Valid(_) | State::Stale(_) => None,
            state => Some(Error::new(ErrorKind::UnknownSignal, state.to_string()).on_path(path)),
        },
        Ok(_) => None,
    }
}

fn refused(receipt: Result<&Stage, &Error>) -> Option<Error> {
    match receipt {
        Err(error) => Some(error.clone()),
        Ok(Stage::Settled(Outcome::Refused(why))) => {
            Some(Error::new(refusal_kind(why), why.text().to_owned()))
        }
        Ok(Stage::Settled(Outcome::TimedOut)) => {
            Some(Error::new(ErrorKind::Timeout, "the request timed out"))
        }
        Ok(Stage::Settled(Outcome::InDoubt)) => {
            Some(Error::new(ErrorKind::Other, "whether it moved is not known"))
        }
        Ok(_) => None,
    }
}

fn refusal_kind(why: &Refusal) -> ErrorKind {
    match why.kind() {
        RefusalKind::Denied => ErrorKind::Denied,
        RefusalKind::Superseded => ErrorKind::Conflict,
        _ => ErrorKind::Unavailable,
    }
}
