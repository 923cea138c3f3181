//! Deliveries as messages: notes of a queue become the member `notes` of a request, and back.
//!
//! *Invariant:* the numbers of a delivery rise, and nothing in it is longer than a note may be.
//! *Next:* `request.rs` (the request around it), `../delivery.rs` (what it is).

use coachwork_vehicle::Error;
use serde::Deserialize;

use super::json::Json;
use super::object::object;
use super::request::{at_most, invalid};
use super::token;
use super::value::Text;
use crate::delivery::{Delivery, Lane, Note, Origin};
use crate::limits::Limits;

#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
pub(super) struct RawNote<'a> {
    #[serde(borrow)]
    number: Text<'a>,
    #[serde(borrow)]
    ts: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    payload: Text<'a>,
}

object!(RawNote);

impl Delivery {
    pub(super) fn write(&self, json: &mut Json) {
        json.member("origin", &self.lane.origin.to_hex()).key("lane").plain(self.lane.number);
        json.key("notes").open(b'[');
        for note in &self.notes {
            json.open(b'{').key("number").plain(note.number).key("ts").plain(note.written);
            json.member("name", &note.name).member("payload", &token::to_text(&note.payload)).close(b'}');
        }
        json.close(b']');
    }

    pub(super) fn read(
        origin: Option<&Text<'_>>,
        lane: Option<&Text<'_>>,
        notes: Option<Vec<RawNote<'_>>>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let origin = origin.and_then(|origin| Origin::from_hex(&origin.0));
        let origin = origin.ok_or_else(|| invalid("an origin has 32 hexadecimal digits"))?;
        let number = lane.and_then(|lane| lane.0.parse().ok());
        let number = number.ok_or_else(|| invalid("a lane is a number up to 255"))?;
        let raw =
            notes.filter(|notes| !notes.is_empty()).ok_or_else(|| invalid("a delivery without notes"))?;
        at_most(raw.len(), limits.paths, "notes")?;
        let notes = raw.into_iter().map(RawNote::read).collect::<Result<Vec<_>, _>>()?;
        if !notes.is_sorted_by(|one, next| one.number < next.number) {
            return Err(invalid("the numbers of a delivery rise"));
        }
        Ok(Self { lane: Lane { origin, number }, notes })
    }
}

impl RawNote<'_> {
    fn read(self) -> Result<Note, Error> {
        let number = self.number.0.parse().ok().filter(|number| *number > 0);
        let payload = token::from_text(&self.payload.0)
            .map_err(|_| invalid("the payload of a note is no base64url"))?;
        let note = Note {
            number: number.ok_or_else(|| invalid("a note has a number from 1 on"))?,
            written: self.ts.0.parse().map_err(|_| invalid("a note has a time"))?,
            name: self.name.0.as_ref().into(),
            payload: payload.into(),
        };
        if note.name.len() > Note::MAX_NAME || note.payload.len() > Note::MAX_PAYLOAD {
            return Err(invalid("a note has a name of up to 512 bytes and a payload of up to 64 KiB"));
        }
        Ok(note)
    }
}
