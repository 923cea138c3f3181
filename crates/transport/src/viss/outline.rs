//! What can be told of a message that cannot be read: its id and its action, so that the answer says what it is one to, or whose answer it was.
//!
//! *Invariant:* never an error: a message is read as far as it is JSON, from an object alone. A member that is there twice says nothing, and so does
//! a message that is cut short.
//! *Next:* `request.rs` (whose errors hold it), `../session/client.rs` (which settles a request by it).

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::value::{Id, Text};

/// What is read of it. Reading does not recurse, however deep the message nests.
#[derive(Debug, Default)]
pub(crate) struct Outline<'a> {
    pub(crate) action: Option<Cow<'a, str>>,
    pub(crate) id: Option<Id<'a>>,
    /// The member `coachwork`.
    pub(crate) additions: Option<Cow<'a, str>>,
}

impl<'a> Outline<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        let mut members = Members::default();
        match serde_json::Deserializer::from_slice(message).deserialize_map(&mut members) {
            // What is cut short may be anything, and comes over a link that is not what it should be.
            Err(cut) if cut.is_eof() => return Self::default(),
            // Whatever else stops it, what was read before stands.
            Ok(()) | Err(_) => {}
        }
        let text = |member: Member<'a>| match member {
            Member::Once(text) => Some(text),
            Member::None | Member::Unclear => None,
        };
        let said = |member: Member<'a>| text(member).map(|id| id.0);
        Self { action: said(members.action), id: text(members.id), additions: said(members.additions) }
    }
}

#[derive(Default)]
struct Members<'a> {
    action: Member<'a>,
    id: Member<'a>,
    additions: Member<'a>,
}

#[derive(Default)]
enum Member<'a> {
    #[default]
    None,
    Once(Id<'a>),
    /// It is there twice, or says nothing that could be said again.
    Unclear,
}

impl<'a> Member<'a> {
    fn set(&mut self, text: Option<Id<'a>>) {
        *self = match (&self, text) {
            (Self::None, Some(text)) => Self::Once(text),
            _ => Self::Unclear,
        };
    }
}

impl<'de> Visitor<'de> for &mut Members<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'_>>()? {
            let member = match name.0.as_ref() {
                "action" => &mut self.action,
                "requestId" => &mut self.id,
                "coachwork" => &mut self.additions,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value: &'de serde_json::value::RawValue = map.next_value()?;
            member.set(serde_json::from_str::<Id<'de>>(value.get()).ok());
        }
        Ok(())
    }
}
