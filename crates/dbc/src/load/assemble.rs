//! Statements become a database: references are looked up, what belongs together is put together.
//!
//! *Invariant:* a reference that leads nowhere is left out with a diagnostic; a signal that cannot be compiled leaves its message standing.
//! *Next:* `resolve.rs` (what the usual attributes and labels mean), `../model/builder.rs` (checks and compiles).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::diagnostic::{Code, Diagnostics, Place, Severity};
use super::resolve;
use super::statement::{MessageLine, SignalLine, Statements, Target};
use crate::model::attribute::{AttributeDefinition, AttributeObject, AttributeValue, Attributes};
use crate::model::builder::{DatabaseBuilder, check};
use crate::model::choices::Choices;
use crate::model::signal::{Multiplexed, Signal, ValueType};
use crate::plan::selectors;
use crate::{CanId, Database, Message};

/// Puts a whole file together.
pub(super) fn assemble(statements: &Statements<'_>, diagnostics: &mut Diagnostics) -> Database {
    let mut parts = Parts::new(statements, diagnostics);
    parts.senders();
    parts.comments();
    parts.definitions();
    parts.attributes();
    parts.labels();
    parts.floats();
    parts.multiplexers();
    parts.build()
}

struct Parts<'s, 'd> {
    statements: &'s Statements<'s>,
    diagnostics: &'d mut Diagnostics,
    builder: DatabaseBuilder,
    messages: Vec<MessageParts<'s>>,
    /// Positions in `messages` of every message with an id.
    by_id: BTreeMap<CanId, Vec<usize>>,
    /// Positions of signals by message position and name; the first of two.
    by_name: BTreeMap<(usize, &'s str), usize>,
}

struct MessageParts<'s> {
    line: &'s MessageLine<'s>,
    id: CanId,
    senders: Vec<String>,
    comment: Option<String>,
    attributes: Attributes,
    signals: Vec<Signal>,
    /// The message has `SG_MUL_VAL_` for these signals.
    extended: Vec<bool>,
}

impl<'s, 'd> Parts<'s, 'd> {
    fn new(statements: &'s Statements<'s>, diagnostics: &'d mut Diagnostics) -> Self {
        let mut parts = Self {
            statements,
            diagnostics,
            builder: Database::builder(),
            messages: Vec::new(),
            by_id: BTreeMap::new(),
            by_name: BTreeMap::new(),
        };
        parts.builder.version = statements.version.as_deref().unwrap_or_default().to_owned();
        parts.builder.nodes = statements.nodes.iter().map(|node| node.value.to_owned()).collect();
        let mut names = BTreeMap::new();
        for line in &statements.messages {
            let Some(id) = line.id else { continue };
            let position = parts.messages.len();
            let same = parts.by_id.entry(id).or_default();
            if !same.is_empty() {
                parts.diagnostics.report(
                    Code::DuplicateId,
                    Severity::Notice,
                    line.place,
                    line.name,
                    format!("kept a second message with the id {id}; the id finds the first"),
                );
            }
            same.push(position);
            if names.insert(line.name, ()).is_some() {
                parts.diagnostics.report(
                    Code::DuplicateMessage,
                    Severity::Notice,
                    line.place,
                    line.name,
                    "kept a second message with this name; the name finds the first",
                );
            }
            for (index, signal) in line.signals.iter().enumerate() {
                if parts.by_name.contains_key(&(position, signal.name)) {
                    parts.diagnostics.report(
                        Code::DuplicateSignal,
                        Severity::Notice,
                        signal.place,
                        signal.name,
                        "kept a second signal with this name; the name finds the first",
                    );
                } else {
                    parts.by_name.insert((position, signal.name), index);
                }
            }
            parts.messages.push(MessageParts {
                line,
                id,
                senders: line.sender.iter().map(|name| (*name).to_owned()).collect(),
                comment: None,
                attributes: Attributes::default(),
                signals: line.signals.iter().map(signal_of).collect(),
                extended: line.signals.iter().map(|_| false).collect(),
            });
        }
        parts
    }

    /// The first message with this id.
    fn message(&mut self, id: CanId, place: Place, what: &str) -> Option<&mut MessageParts<'s>> {
        let position = self.by_id.get(&id).and_then(|positions| positions.first().copied());
        if position.is_none() {
            self.diagnostics.report(
                Code::UnknownMessage,
                Severity::Skipped,
                place,
                what,
                format!("left out: there is no message with the id {id}"),
            );
        }
        self.messages.get_mut(position?)
    }

    /// The position of the first message with this id that has this signal, and the signal's.
    fn signal_position(&mut self, id: CanId, name: &str, place: Place, what: &str) -> Option<(usize, usize)> {
        let Some(positions) = self.by_id.get(&id) else {
            self.diagnostics.report(
                Code::UnknownMessage,
                Severity::Skipped,
                place,
                what,
                format!("left out: there is no message with the id {id}"),
            );
            return None;
        };
        let found =
            positions.iter().find_map(|message| Some((*message, *self.by_name.get(&(*message, name))?)));
        if found.is_none() {
            self.diagnostics.report(
                Code::UnknownSignal,
                Severity::Skipped,
                place,
                what,
                format!("left out: the message {id} has no signal {name}"),
            );
        }
        found
    }

    fn signal(&mut self, id: CanId, name: &str, place: Place, what: &str) -> Option<&mut Signal> {
        let (message, signal) = self.signal_position(id, name, place, what)?;
        self.messages.get_mut(message)?.signals.get_mut(signal)
    }

    fn has_node(&mut self, name: &str, place: Place, what: &str) -> bool {
        let known = self.builder.nodes.iter().any(|node| node == name);
        if !known {
            self.diagnostics.report(
                Code::UnknownNode,
                Severity::Skipped,
                place,
                what,
                format!("left out: there is no node {name}"),
            );
        }
        known
    }

    fn senders(&mut self) {
        for line in &self.statements.senders {
            if let Some(message) = self.message(line.id, line.place, "BO_TX_BU_") {
                for node in &line.nodes {
                    if !message.senders.iter().any(|sender| sender == node) {
                        message.senders.push((*node).to_owned());
                    }
                }
            }
        }
    }

    fn comments(&mut self) {
        for line in &self.statements.comments {
            let text = line.text.as_ref().to_owned();
            let replaced = match line.target {
                Target::Database => self.builder.comment.replace(text),
                Target::Message(id) => match self.message(id, line.place, "CM_ BO_") {
                    Some(message) => message.comment.replace(text),
                    None => continue,
                },
                Target::Signal(id, name) => match self.signal(id, name, line.place, "CM_ SG_") {
                    Some(signal) => signal.comment.replace(text),
                    None => continue,
                },
                _ => continue,
            };
            if replaced.is_some() {
                self.diagnostics.report(
                    Code::DuplicateStatement,
                    Severity::Skipped,
                    line.place,
                    "CM_",
                    "a later comment replaced an earlier one",
                );
            }
        }
    }

    fn definitions(&mut self) {
        for line in &self.statements.definitions {
            let definition = AttributeDefinition::new(line.name.as_ref(), line.object, line.kind.clone());
            match self
                .builder
                .definitions
                .iter_mut()
                .find(|known| known.name == definition.name && known.object == definition.object)
            {
                Some(known) => {
                    *known = definition;
                    self.diagnostics.report(
                        Code::DuplicateStatement,
                        Severity::Skipped,
                        line.place,
                        &line.name,
                        "a later definition of the attribute replaced an earlier one",
                    );
                }
                None => self.builder.definitions.push(definition),
            }
        }
        for line in &self.statements.defaults {
            let mut found = false;
            for definition in
                self.builder.definitions.iter_mut().filter(|definition| definition.name == line.name)
            {
                let relation = matches!(
                    definition.object,
                    AttributeObject::NodeToEnvironmentVariable
                        | AttributeObject::NodeToMessage
                        | AttributeObject::NodeToSignal
                );
                if relation == line.relation {
                    definition.default = Some(definition.interpret(line.value.clone()));
                    found = true;
                }
            }
            if !found {
                self.diagnostics.report(
                    Code::UnknownAttribute,
                    Severity::Skipped,
                    line.place,
                    &line.name,
                    "left out: the attribute is not defined",
                );
            }
        }
    }

    /// A value as its definition means it.
    fn interpret(
        &mut self,
        name: &str,
        object: AttributeObject,
        value: &AttributeValue,
        place: Place,
    ) -> AttributeValue {
        match self
            .builder
            .definitions
            .iter()
            .find(|definition| definition.name == name && definition.object == object)
        {
            Some(definition) => definition.interpret(value.clone()),
            None => {
                self.diagnostics.report(
                    Code::UnknownAttribute,
                    Severity::Notice,
                    place,
                    name,
                    "kept the value of an attribute that is not defined",
                );
                value.clone()
            }
        }
    }

    fn attributes(&mut self) {
        for line in &self.statements.attributes {
            let name = line.name.as_ref();
            let replaced = match line.target {
                Target::Database => {
                    let value = self.interpret(name, AttributeObject::Database, &line.value, line.place);
                    self.builder.attributes.set(name, value)
                }
                Target::Message(id) => {
                    let value = self.interpret(name, AttributeObject::Message, &line.value, line.place);
                    match self.message(id, line.place, name) {
                        Some(message) => message.attributes.set(name, value),
                        None => continue,
                    }
                }
                Target::Signal(id, signal) => {
                    let value = self.interpret(name, AttributeObject::Signal, &line.value, line.place);
                    match self.signal(id, signal, line.place, name) {
                        Some(signal) => signal.attributes.set(name, value),
                        None => continue,
                    }
                }
                _ => continue,
            };
            if replaced.is_some() {
                self.diagnostics.report(
                    Code::DuplicateStatement,
                    Severity::Skipped,
                    line.place,
                    name,
                    "a later value of the attribute replaced an earlier one",
                );
            }
        }
    }

    fn labels(&mut self) {
        for line in &self.statements.labels {
            let Target::Signal(id, name) = line.target else { continue };
            let choices: Choices =
                line.labels.iter().map(|(value, label)| (*value, label.as_ref())).collect();
            let Some(signal) = self.signal(id, name, line.place, "VAL_") else { continue };
            if !core::mem::replace(&mut signal.choices, choices).is_empty() {
                self.diagnostics.report(
                    Code::DuplicateStatement,
                    Severity::Skipped,
                    line.place,
                    name,
                    "later labels replaced earlier ones",
                );
            }
        }
    }

    fn floats(&mut self) {
        for line in &self.statements.floats {
            let Some(signal) = self.signal(line.id, line.signal, line.place, "SIG_VALTYPE_") else {
                continue;
            };
            let (value_type, length) = match line.kind {
                1 => (ValueType::F32, 32),
                2 => (ValueType::F64, 64),
                _ => continue,
            };
            if signal.length == length {
                signal.value_type = value_type;
            } else {
                let action = format!(
                    "left out: a float of type {} has {length} bits, {} has {}",
                    line.kind, line.signal, signal.length
                );
                self.diagnostics.report(
                    Code::FloatLength,
                    Severity::Skipped,
                    line.place,
                    "SIG_VALTYPE_",
                    action,
                );
            }
        }
    }

    fn multiplexers(&mut self) {
        for line in &self.statements.multiplexed {
            let Some((message, signal)) =
                self.signal_position(line.id, line.signal, line.place, "SG_MUL_VAL_")
            else {
                continue;
            };
            if !self.by_name.contains_key(&(message, line.multiplexer)) {
                let action = format!("left out: the message has no signal {}", line.multiplexer);
                self.diagnostics.report(
                    Code::UnknownSignal,
                    Severity::Skipped,
                    line.place,
                    "SG_MUL_VAL_",
                    action,
                );
                continue;
            }
            let Some(parts) = self.messages.get_mut(message) else { continue };
            if let Some(extended) = parts.extended.get_mut(signal) {
                *extended = true;
            }
            if let Some(signal) = parts.signals.get_mut(signal) {
                signal.multiplexed = Some(Multiplexed::new(line.multiplexer, line.values.iter().copied()));
            }
        }
        for parts in &mut self.messages {
            // Signals with a plain mark belong to the first signal that is a multiplexer and nothing else; failing that, to the first multiplexer.
            let multiplexer =
                parts.line.signals.iter().find(|signal| signal.is_multiplexer && signal.selector.is_none());
            let multiplexer = multiplexer
                .or_else(|| parts.line.signals.iter().find(|signal| signal.is_multiplexer))
                .map(|signal| signal.name);
            for ((signal, line), extended) in
                parts.signals.iter_mut().zip(&parts.line.signals).zip(&parts.extended)
            {
                let Some(value) = line.selector.filter(|_| !extended) else { continue };
                match multiplexer.filter(|name| *name != signal.name) {
                    Some(name) => signal.multiplexed = Some(Multiplexed::new(name, [(value, value)])),
                    None => {
                        self.diagnostics.report(
                            Code::NoMultiplexer,
                            Severity::Skipped,
                            line.place,
                            line.name,
                            "taken as always present: the message has no multiplexer for it",
                        );
                    }
                }
            }
        }
    }

    fn build(mut self) -> Database {
        let j1939 = resolve::is_j1939(&self.builder);
        self.builder.is_j1939 = j1939;
        for parts in core::mem::take(&mut self.messages) {
            let mut signals = sound_signals(parts.signals, parts.line, self.diagnostics);
            for signal in &mut signals {
                resolve::signal(signal, &self.builder);
            }
            let mut message = Message::builder(parts.line.name, parts.id, parts.line.length as usize);
            message.senders = parts.senders;
            message.comment = parts.comment;
            message.cycle_time = resolve::cycle_time(&parts.attributes, &self.builder);
            message.is_j1939 = resolve::is_j1939_message(&parts.attributes, &self.builder, j1939);
            message.attributes = parts.attributes;
            message.signals = signals;
            match message.build() {
                Ok(message) => self.builder.messages.push(message),
                Err(error) => self.diagnostics.report(
                    Code::BadSignal,
                    Severity::Skipped,
                    parts.line.place,
                    parts.line.name,
                    format!("left out: {error}"),
                ),
            }
        }
        self.builder.build()
    }
}

/// The signals that can be compiled; what stands in the way is repaired or left out.
fn sound_signals(signals: Vec<Signal>, line: &MessageLine<'_>, diagnostics: &mut Diagnostics) -> Vec<Signal> {
    let mut places = Vec::with_capacity(signals.len());
    let mut sound = Vec::with_capacity(signals.len());
    for (signal, line) in signals.into_iter().zip(&line.signals) {
        match check(&signal) {
            Ok(()) => {
                places.push(line.place);
                sound.push(signal);
            }
            Err(kind) => diagnostics.report(
                Code::BadSignal,
                Severity::Skipped,
                line.place,
                line.name,
                format!("left out: {kind}"),
            ),
        }
    }
    for (position, kind) in selectors(&sound).1 {
        if let Some((signal, place)) = sound.get_mut(position).zip(places.get(position)) {
            diagnostics.report(
                Code::NoMultiplexer,
                Severity::Skipped,
                *place,
                &signal.name,
                format!("taken as always present: {kind}"),
            );
            signal.multiplexed = None;
        }
    }
    sound
}

fn signal_of(line: &SignalLine<'_>) -> Signal {
    let mut signal = Signal::new(line.name, line.start, line.length)
        .with_byte_order(line.byte_order)
        .with_value_type(if line.signed { ValueType::Signed } else { ValueType::Unsigned })
        .with_scaling(line.factor, line.offset)
        .with_unit(line.unit.as_ref())
        .with_receivers(line.receivers.iter().copied());
    signal.range = line.range;
    signal.is_multiplexer = line.is_multiplexer;
    signal
}
