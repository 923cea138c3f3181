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

/// A message that a statement is about; `None` for the pseudo message that holds signals of no message.
pub(crate) type MessageRef = Option<CanId>;

/// A piece of the file and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// A value and its label.
pub(crate) type Label<'t> = (i128, Cow<'t, str>);

/// Where names or labels are in the list of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    from: usize,
    to: usize,
}

/// `BO_`
#[derive(Debug)]
pub(crate) struct MessageLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: MessageRef,
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
    /// Among the [`names`](Statements::names).
    pub(crate) receivers: Span,
}

/// What a comment or an attribute is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'t> {
    Database,
    Node(&'t str),
    Message(MessageRef),
    Signal(MessageRef, &'t str),
    EnvironmentVariable(&'t str),
    NodeToEnvironmentVariable(&'t str, &'t str),
    NodeToMessage(&'t str, MessageRef),
    NodeToSignal(&'t str, MessageRef, &'t str),
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
    pub(crate) labels: Span,
}

/// `SIG_VALTYPE_`
#[derive(Debug)]
pub(crate) struct FloatLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: MessageRef,
    pub(crate) signal: &'t str,
    pub(crate) kind: u32,
}

/// `SG_MUL_VAL_`
#[derive(Debug)]
pub(crate) struct MultiplexLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: MessageRef,
    pub(crate) signal: &'t str,
    pub(crate) multiplexer: &'t str,
    pub(crate) values: Vec<(u64, u64)>,
}

/// `BO_TX_BU_`
#[derive(Debug)]
pub(crate) struct SendersLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: MessageRef,
    pub(crate) nodes: Vec<&'t str>,
}

/// `SIG_GROUP_`
#[derive(Debug)]
pub(crate) struct GroupLine<'t> {
    pub(crate) place: Place,
    pub(crate) id: MessageRef,
    pub(crate) name: &'t str,
    pub(crate) repetitions: u32,
    pub(crate) signals: Vec<&'t str>,
}

/// `VAL_TABLE_`
#[derive(Debug)]
pub(crate) struct TableLine<'t> {
    pub(crate) name: &'t str,
    pub(crate) labels: Span,
}

/// `EV_`
#[derive(Debug)]
pub(crate) struct EnvironmentLine<'t> {
    pub(crate) place: Place,
    pub(crate) name: &'t str,
    pub(crate) kind: u32,
    pub(crate) range: (f64, f64),
    pub(crate) unit: Cow<'t, str>,
    pub(crate) initial: f64,
    pub(crate) id: i64,
    pub(crate) access: &'t str,
    pub(crate) nodes: Vec<&'t str>,
}

/// `ENVVAR_DATA_`
#[derive(Debug)]
pub(crate) struct EnvironmentDataLine<'t> {
    pub(crate) place: Place,
    pub(crate) name: &'t str,
    pub(crate) length: u32,
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
    pub(crate) groups: Vec<GroupLine<'t>>,
    pub(crate) tables: Vec<TableLine<'t>>,
    pub(crate) environment: Vec<EnvironmentLine<'t>>,
    pub(crate) environment_data: Vec<EnvironmentDataLine<'t>>,
    pub(crate) new_symbols: Vec<&'t str>,
    pub(crate) bit_timing: &'t str,
    pub(crate) has_bit_timing: bool,
    pub(crate) has_nodes: bool,
    /// Names of receivers, one signal's after another's.
    names: Vec<&'t str>,
    /// Values and labels, one statement's after another's.
    entries: Vec<Label<'t>>,
    /// Obsolete statements, as written, with their semicolon.
    pub(crate) others: Vec<&'t str>,
}

impl<'t> Statements<'t> {
    /// The names that a signal lists.
    pub(crate) fn names(&self, span: Span) -> &[&'t str] {
        self.names.get(span.from..span.to).unwrap_or_default()
    }

    /// The labels that a statement lists.
    pub(crate) fn entries(&self, span: Span) -> &[Label<'t>] {
        self.entries.get(span.from..span.to).unwrap_or_default()
    }

    /// How many names there are.
    pub(super) fn name_count(&self) -> usize {
        self.names.len()
    }

    /// How many labels there are.
    pub(super) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn add_name(&mut self, name: &'t str) {
        self.names.push(name);
    }

    pub(super) fn add_entry(&mut self, value: i128, label: Cow<'t, str>) {
        self.entries.push((value, label));
    }

    /// The names since there were so many.
    pub(super) fn names_from(&self, from: usize) -> Span {
        Span { from, to: self.names.len() }
    }

    /// The labels since there were so many.
    pub(super) fn entries_from(&self, from: usize) -> Span {
        Span { from, to: self.entries.len() }
    }

    /// Makes one pseudo message of all that the file has.
    pub(crate) fn gather_independent(&mut self) {
        let mut signals = Vec::new();
        let mut first = true;
        for message in self.messages.iter_mut().rev().filter(|message| message.id.is_none()) {
            message.signals.reverse();
            signals.append(&mut message.signals);
        }
        signals.reverse();
        self.messages.retain_mut(|message| {
            if message.id.is_some() {
                return true;
            }
            message.signals.append(&mut signals);
            core::mem::take(&mut first)
        });
    }
}
