//! The messages of COVESA VISS, version 2 and 3.0 in JSON, and what Coachwork adds for a peer that asks for it.
//!
//! *Invariant:* pure: bytes in, typed messages out, and back. Nothing is read deeper or in greater number than the limits say.
//! *Next:* `crate::session` (which keeps track of a conversation).

mod answer;
mod capabilities;
mod deliver;
mod dialect;
mod error;
mod event;
mod filter;
mod json;
mod metadata;
mod object;
mod outline;
mod period;
mod point;
mod reply;
mod request;
mod target;
mod token;
mod trigger;
mod value;

pub use answer::Answer;
pub use capabilities::Capabilities;
pub use dialect::{Dialect, Form};
pub use event::{EncodedEvent, EventHead};
pub use metadata::{EncodedMetadata, Metadata};
pub use period::read as period_of;
pub use request::{BadRequest, Call, Group, Request, Resolved, SetItem, SubscriptionId, Wanted};
pub use target::{Found, MAX_SCANS, Target};
pub use trigger::{Operator, Standard, Trigger};
pub use value::WireValue;

pub(crate) use answer::Envelope;
pub(crate) use outline::Outline;
pub(crate) use period::whole as whole_period;
pub(crate) use point::{OneOrMany, RawItem};
pub(crate) use reply::{RawReceipt, RawReply, protocol};
pub(crate) use request::Tongue;
pub(crate) use request::at_most;
pub(crate) use value::Text;
