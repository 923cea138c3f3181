//! What a server sends: one shape with every member that an answer or an event may have, read without copying where possible.
//!
//! *Invariant:* unknown members are skipped; a repeated one is an error.
//! *Next:* `session/client.rs` (which knows what was asked, and so what is meant).

use coachwork_vehicle::{Error, ErrorKind, Outcome, Refusal, RefusalKind, Stage};
use serde::Deserialize;

use super::error::RawError;
use super::json::checked;
use super::metadata::{METADATA_DEPTH, RawFacts, RawPermission, RawTree};
use super::object::object;
use super::point::{OneOrMany, RawItem, read_reason};
use super::value::{Id, Text};
use crate::message::Message;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self", expecting = "an object")]
pub(crate) struct RawReply<'a> {
    #[serde(borrow)]
    pub(crate) action: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) request_id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(crate) subscription_id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(crate) data: Option<OneOrMany<RawItem<'a>>>,
    #[serde(borrow)]
    pub(crate) error: Option<RawError<'a>>,
    #[serde(borrow)]
    pub(crate) metadata: Option<RawTree<'a>>,
    #[serde(borrow)]
    pub(crate) types: Option<RawTree<'a>>,
    #[serde(borrow)]
    pub(crate) facts: Option<RawFacts<'a>>,
    #[serde(borrow)]
    pub(crate) revision: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) receipts: Option<Vec<RawReceipt<'a>>>,
    #[serde(borrow)]
    pub(crate) receipt: Option<RawReceipt<'a>>,
    #[serde(borrow)]
    pub(crate) index: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) refused: Option<Vec<RawRefused<'a>>>,
    #[serde(borrow)]
    pub(crate) lagged: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) access: Option<Vec<RawAccess<'a>>>,
    #[serde(borrow)]
    pub(crate) ended: Option<RawEnded<'a>>,
    #[serde(borrow)]
    pub(crate) stored: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) refused_note: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) coachwork: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawReceipt<'a> {
    #[serde(borrow)]
    stage: Text<'a>,
    #[serde(borrow)]
    ts: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<RawError<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawRefused<'a> {
    #[serde(borrow)]
    pub(crate) path: Text<'a>,
    #[serde(borrow)]
    pub(crate) error: RawError<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawAccess<'a> {
    #[serde(borrow)]
    pub(crate) path: Text<'a>,
    #[serde(borrow)]
    pub(crate) read: RawPermission<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(crate) struct RawEnded<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

object!(RawReply, RawReceipt, RawRefused, RawAccess, RawEnded);

impl<'a> RawReply<'a> {
    pub(crate) fn read(message: &'a Message, depth: usize) -> Result<Self, Error> {
        let Message::Text(data) = message else {
            return Err(protocol("a binary message, where JSON in text is spoken"));
        };
        let text = checked(data, depth.max(METADATA_DEPTH))?;
        serde_json::from_str(text).map_err(|why| protocol(format!("not an answer: {why}")))
    }
}

impl RawEnded<'_> {
    pub(crate) fn reason(self) -> coachwork_vehicle::Reason {
        read_reason(self.reason.as_ref(), self.text)
    }
}

impl RawReceipt<'_> {
    pub(crate) fn stage(self) -> Result<Stage, Error> {
        let text = || self.text.as_ref().map_or("", |text| text.0.as_ref());
        match self.stage.0.as_ref() {
            "accepted" => Ok(Stage::Accepted),
            "taken" => Ok(Stage::Settled(Outcome::Accepted)),
            "timed_out" => Ok(Stage::Settled(Outcome::TimedOut)),
            "in_doubt" => Ok(Stage::Settled(Outcome::InDoubt)),
            "confirmed" => {
                let at = self.ts.as_ref().and_then(|ts| ts.0.parse().ok());
                let at = at.ok_or_else(|| protocol("a receipt is confirmed without a time"))?;
                Ok(Stage::Settled(Outcome::Confirmed(at)))
            }
            "refused" => {
                let kind =
                    self.reason.as_ref().map_or(RefusalKind::Other, |kind| RefusalKind::from_name(&kind.0));
                Ok(Stage::Settled(Outcome::Refused(Refusal::new(kind, text()))))
            }
            _ => Err(self
                .error
                .map_or_else(|| protocol("a receipt of an unknown stage"), RawError::into_error)),
        }
    }
}

pub(crate) fn protocol(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Protocol, message)
}
