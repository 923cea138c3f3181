//! The statements of a DBC file as they are written, each with its place.
//!
//! *Invariant:* names and texts are the file's own, borrowed; ids and numbers are read, and what they refer to is not looked up.
//! *Next:* `parse.rs` makes them, `assemble.rs` puts them together.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::diagnostic::Place;
use crate::CanId;
use crate::model::attribute::{AttributeObject, AttributeType, AttributeValue};
use crate::model::signal::ByteOrder;

/// A piece of the file and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// `VAL_`, `VAL_TABLE_`: values and labels.
pub(crate) type Labels<'t> = Vec<(i128, Cow<'t, str>)>;

/// `BO_`
#[derive(Debug)]
pub(crate) struct MessageLine<'t> {
    pub(crate) place: Place,
    /// `None` for the place of signals that belong to no message.
    pub(crate) id: Option<CanId>,
    pub(crate) name: &'t str,
    pub(crate) length: u32,
    pub(crate) sender: Option<&'t str>,
    pub(crate) signals: Vec<SignalLine<'t>>,
}

/// `SG_`
#[derive(Debug)]
pub(crate) struct SignalLine<'t> {
    pub(crate) place: Place,
    pub(crate) name: &'t str,
    pub(crate) is_multiplexer: bool,
    pub(crate) selector: Option<u64>,
    pub(crate) start: u32,
    pub(crate) length: u32,
    pub(crate) byte_order: ByteOrder,
    pub(crate) signed: bool,
    pub(crate) factor: f64,
    pub(crate) offset: f64,
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) unit: Cow<'t, str>,
    pub(crate) receivers: Vec<&'t str>,
}

/// What a comment or an attribute is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'t> {
    Database,
    Node(&'t str),
    Message(CanId),
    Signal(CanId, &'t str),
    EnvironmentVariable(&'t str),
    NodeToEnvironmentVariable(&'t str, &'t str),
    NodeToMessage(&'t str, CanId),
    NodeToSignal(&'t str, CanId, &'t str),
}

/// `CM_`
#[derive(Debug)]
pub(crate) struct CommentLine<'t> {
    pub(crate) place: Place,
    pub(crate) target: Target<'t>,
    pub(crate) text: Cow<'t, str>,
}

/// `BA_DEF_`, `BA_DEF_REL_`
#[derive(Debug)]
pub(crate) struct DefinitionLine<'t> {
    pub(crate) place: Place,
    pub(crate) object: AttributeObject,
    pub(crate) name: Cow<'t, str>,
    pub(crate) kind: AttributeType,
}

/// `BA_DEF_DEF_`, `BA_DEF_DEF_REL_`
#[derive(Debug)]
pub(crate) struct DefaultLine<'t> {
    pub(crate) place: Place,
    pub(crate) relation: bool,
    pub(crate) name: Cow<'t, str>,
    pub(crate) value: AttributeValue,
}

/// `BA_`, `BA_REL_`
#[derive(Debug)]
pub(crate) struct AttributeLine<'t> {
    pub(crate) place: Place,
    pub(crate) name: Cow<'t, str>,
    pub(crate) target: Target<'t>,
    pub(crate) value: AttributeValue,
}

/// `VAL_`
#[derive(Debug)]
pub(crate) struct LabelLine<'t> {
    pub(crate) place: Place,
    pub(crate) target: Target<'t>,
    pub(crate) labels: Labels<'t>,
}

/// `SIG_VALTYPE_`
#[derive(Debug)]
pub(crate) struct FloatLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: CanId,
    pub(crate) signal: &'t str,
    pub(crate) kind: u32,
}

/// `SG_MUL_VAL_`
#[derive(Debug)]
pub(crate) struct MultiplexLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: CanId,
    pub(crate) signal: &'t str,
    pub(crate) multiplexer: &'t str,
    pub(crate) values: Vec<(u64, u64)>,
}

/// `BO_TX_BU_`
#[derive(Debug)]
pub(crate) struct SendersLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: CanId,
    pub(crate) nodes: Vec<&'t str>,
}

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct Statements<'t> {
    pub(crate) version: Option<Cow<'t, str>>,
    pub(crate) nodes: Vec<At<&'t str>>,
    pub(crate) messages: Vec<MessageLine<'t>>,
    pub(crate) senders: Vec<SendersLine<'t>>,
    pub(crate) comments: Vec<CommentLine<'t>>,
    pub(crate) definitions: Vec<DefinitionLine<'t>>,
    pub(crate) defaults: Vec<DefaultLine<'t>>,
    pub(crate) attributes: Vec<AttributeLine<'t>>,
    pub(crate) labels: Vec<LabelLine<'t>>,
    pub(crate) floats: Vec<FloatLine<'t>>,
    pub(crate) multiplexed: Vec<MultiplexLine<'t>>,
}
