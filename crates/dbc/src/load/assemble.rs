//! Statements become a database: references are looked up, what belongs together is put together.
//!
//! *Invariant:* a reference that leads nowhere is left out with a diagnostic; a signal that cannot be compiled leaves its message standing.
//! *Next:* `apply.rs` (statement by statement), `resolve.rs` (what the usual attributes mean), `../model/builder.rs` (checks and compiles).

use alloc::borrow::ToOwned;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::diagnostic::{Code, Diagnostics, Place, Severity};
use super::resolve;
use super::statement::{MessageLine, MessageRef, SignalLine, Statements};
use crate::model::attribute::{AttributeValue, Attributes};
use crate::model::builder::{DatabaseBuilder, check};
use crate::model::extra::{EnvironmentVariable, RelationTarget, SignalGroup};
use crate::model::message::SignalIndex;
use crate::model::node::Node;
use crate::model::signal::{Signal, ValueType};
use crate::plan::selectors;
use crate::{Database, Message};

/// Puts a whole file together.
pub(super) fn assemble(statements: &Statements<'_>, diagnostics: &mut Diagnostics) -> Database {
    let mut parts = Parts::new(statements, diagnostics);
    parts.apply();
    parts.build()
}

/// A database that is being put together.
pub(super) struct Parts<'s, 'd> {
    pub(super) statements: &'s Statements<'s>,
    pub(super) diagnostics: &'d mut Diagnostics,
    pub(super) builder: DatabaseBuilder,
    pub(super) messages: Vec<MessageParts<'s>>,
    /// Positions in `messages` of every message with an id.
    by_id: BTreeMap<MessageRef, Vec<usize>>,
    /// Positions of signals by message position and name; the first of two.
    pub(super) by_name: BTreeMap<(usize, &'s str), usize>,
    /// Positions of nodes by name.
    nodes: BTreeMap<&'s str, usize>,
    /// Positions of environment variables by name.
    environment: BTreeMap<&'s str, usize>,
}

/// A message that is being put together.
pub(super) struct MessageParts<'s> {
    pub(super) line: &'s MessageLine<'s>,
    pub(super) senders: Vec<String>,
    pub(super) comment: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) signals: Vec<Signal>,
    /// Names, repetitions, and positions in `signals`.
    pub(super) groups: Vec<(String, u32, Vec<usize>)>,
    /// Which signals `SG_MUL_VAL_` speaks of.
    pub(super) extended: Vec<bool>,
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
            nodes: BTreeMap::new(),
            environment: BTreeMap::new(),
        };
        parts.header();
        parts.take_messages();
        parts
    }

    fn header(&mut self) {
        let statements = self.statements;
        for (seen, keyword) in [(statements.has_bit_timing, "BS_:"), (statements.has_nodes, "BU_:")] {
            if !seen {
                self.diagnostics.report(
                    Code::MissingSection,
                    Severity::Repaired,
                    Place::default(),
                    keyword,
                    "read the file as if it had this section",
                );
            }
        }
        self.builder.version = statements.version.as_deref().unwrap_or_default().to_owned();
        self.builder.new_symbols = statements.new_symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        statements.bit_timing.clone_into(&mut self.builder.bit_timing);
        self.builder.other_statements = statements.others.iter().map(|text| (*text).to_owned()).collect();
        for node in &statements.nodes {
            if self.nodes.contains_key(node.value) {
                self.diagnostics.report(
                    Code::DuplicateStatement,
                    Severity::Skipped,
                    node.place,
                    node.value,
                    "left out a second node with this name",
                );
                continue;
            }
            self.nodes.insert(node.value, self.builder.nodes.len());
            self.builder.nodes.push(Node::new(node.value));
        }
        for line in &statements.environment {
            if self.environment.contains_key(line.name) {
                self.diagnostics.report(
                    Code::DuplicateStatement,
                    Severity::Skipped,
                    line.place,
                    line.name,
                    "left out a second environment variable with this name",
                );
                continue;
            }
            self.environment.insert(line.name, self.builder.environment_variables.len());
            self.builder.environment_variables.push(EnvironmentVariable {
                name: line.name.to_owned(),
                kind: line.kind,
                range: line.range,
                unit: line.unit.as_ref().to_owned(),
                initial: line.initial,
                id: line.id,
                access: line.access.to_owned(),
                nodes: line.nodes.iter().map(|node| (*node).to_owned()).collect(),
                data_length: None,
                choices: crate::Choices::default(),
                comment: None,
                attributes: Attributes::default(),
            });
        }
    }

    fn take_messages(&mut self) {
        let mut names = BTreeSet::new();
        for line in &self.statements.messages {
            let position = self.messages.len();
            let same = self.by_id.entry(line.id).or_default();
            if let Some(id) = line.id.filter(|_| !same.is_empty()) {
                let action = format!("kept a second message with the id {id}; the id finds the first");
                self.diagnostics.report(Code::DuplicateId, Severity::Notice, line.place, line.name, action);
            }
            same.push(position);
            if !names.insert(line.name) {
                let action = "kept a second message with this name; the name finds the first";
                self.diagnostics.report(
                    Code::DuplicateMessage,
                    Severity::Notice,
                    line.place,
                    line.name,
                    action,
                );
            }
            for (index, signal) in line.signals.iter().enumerate() {
                match self.by_name.entry((position, signal.name)) {
                    Entry::Vacant(entry) => {
                        entry.insert(index);
                    }
                    Entry::Occupied(_) => {
                        let action = "kept a second signal with this name; the name finds the first";
                        self.diagnostics.report(
                            Code::DuplicateSignal,
                            Severity::Notice,
                            signal.place,
                            signal.name,
                            action,
                        );
                    }
                }
            }
            self.messages.push(MessageParts {
                line,
                senders: line.sender.iter().map(|name| (*name).to_owned()).collect(),
                comment: None,
                attributes: Attributes::default(),
                signals: line.signals.iter().map(signal_of).collect(),
                groups: Vec::new(),
                extended: line.signals.iter().map(|_| false).collect(),
            });
        }
    }

    /// The first message with this id.
    pub(super) fn message(
        &mut self,
        id: MessageRef,
        place: Place,
        what: &str,
    ) -> Option<&mut MessageParts<'s>> {
        let position = self.by_id.get(&id).and_then(|positions| positions.first().copied());
        if position.is_none() {
            self.unknown_message(id, place, what);
        }
        self.messages.get_mut(position?)
    }

    fn unknown_message(&mut self, id: MessageRef, place: Place, what: &str) {
        let action = match id {
            Some(id) => format!("left out: there is no message with the id {id}"),
            None => "left out: there are no signals without a message".to_owned(),
        };
        self.diagnostics.report(Code::UnknownMessage, Severity::Skipped, place, what, action);
    }

    /// The position of the first message with this id that has this signal, and the signal's.
    pub(super) fn signal_position(
        &mut self,
        id: MessageRef,
        name: &str,
        place: Place,
        what: &str,
    ) -> Option<(usize, usize)> {
        let Some(positions) = self.by_id.get(&id) else {
            self.unknown_message(id, place, what);
            return None;
        };
        let found =
            positions.iter().find_map(|message| Some((*message, *self.by_name.get(&(*message, name))?)));
        if found.is_none() {
            let message = positions
                .first()
                .and_then(|position| self.messages.get(*position))
                .map_or("", |message| message.line.name);
            self.diagnostics.report(
                Code::UnknownSignal,
                Severity::Skipped,
                place,
                what,
                format!("left out: {message} has no signal {name}"),
            );
        }
        found
    }

    pub(super) fn signal(
        &mut self,
        id: MessageRef,
        name: &str,
        place: Place,
        what: &str,
    ) -> Option<&mut Signal> {
        let (message, signal) = self.signal_position(id, name, place, what)?;
        self.messages.get_mut(message)?.signals.get_mut(signal)
    }

    pub(super) fn node(&mut self, name: &str, place: Place, what: &str) -> Option<&mut Node> {
        let position = self.nodes.get(name).copied();
        if position.is_none() {
            self.diagnostics.report(
                Code::UnknownNode,
                Severity::Skipped,
                place,
                what,
                format!("left out: there is no node {name}"),
            );
        }
        self.builder.nodes.get_mut(position?)
    }

    pub(super) fn variable(
        &mut self,
        name: &str,
        place: Place,
        what: &str,
    ) -> Option<&mut EnvironmentVariable> {
        let position = self.environment.get(name).copied();
        if position.is_none() {
            let action = format!("left out: there is no environment variable {name}");
            self.diagnostics.report(Code::UnknownEnvironmentVariable, Severity::Skipped, place, what, action);
        }
        self.builder.environment_variables.get_mut(position?)
    }

    /// Names longer than 32 characters stand in attributes; they are what the names in the statements are short for.
    fn long_names(&mut self) {
        let mut nodes = BTreeMap::new();
        for node in &mut self.builder.nodes {
            if let Some(long) = long_name(&node.attributes, "SystemNodeLongSymbol") {
                let short = core::mem::replace(&mut node.name, long.clone());
                nodes.insert(short.clone(), long);
                node.symbol = Some(short);
            }
        }
        let rename = |names: &mut [String]| {
            for name in names {
                if let Some(long) = nodes.get(name) {
                    name.clone_from(long);
                }
            }
        };
        for message in &mut self.messages {
            rename(&mut message.senders);
            let mut renamed = BTreeMap::new();
            for signal in &mut message.signals {
                rename(&mut signal.receivers);
                if let Some(long) = long_name(&signal.attributes, "SystemSignalLongSymbol") {
                    let short = core::mem::replace(&mut signal.name, long.clone());
                    renamed.insert(short.clone(), long);
                    signal.symbol = Some(short);
                }
            }
            for multiplexed in message.signals.iter_mut().filter_map(|signal| signal.multiplexed.as_mut()) {
                if let Some(long) = renamed.get(&multiplexed.multiplexer) {
                    multiplexed.multiplexer.clone_from(long);
                }
            }
            for relation in self.builder.relations.iter_mut().filter(|_| !renamed.is_empty()) {
                if let RelationTarget::Signal(id, name) = &mut relation.target
                    && message.line.id == Some(*id)
                    && let Some(long) = renamed.get(name)
                {
                    name.clone_from(long);
                }
            }
        }
        for variable in &mut self.builder.environment_variables {
            rename(&mut variable.nodes);
        }
        for relation in &mut self.builder.relations {
            rename(core::slice::from_mut(&mut relation.node));
        }
    }

    fn build(mut self) -> Database {
        self.long_names();
        self.builder.is_j1939 = resolve::is_j1939(&self.builder);
        for parts in core::mem::take(&mut self.messages) {
            let (mut signals, positions) = sound_signals(parts.signals, parts.line, self.diagnostics);
            for signal in &mut signals {
                resolve::signal(signal, &self.builder);
            }
            let Some(id) = parts.line.id else {
                self.builder.independent_signals.append(&mut signals);
                continue;
            };
            let name = long_name(&parts.attributes, "SystemMessageLongSymbol");
            let mut message =
                Message::builder(name.as_deref().unwrap_or(parts.line.name), id, parts.line.length as usize);
            message.symbol = name.map(|_| parts.line.name.to_owned());
            message.senders = parts.senders;
            message.comment = parts.comment;
            message.cycle_time = resolve::cycle_time(&parts.attributes, &self.builder);
            message.is_j1939 = resolve::is_j1939_message(&parts.attributes, &self.builder);
            message.attributes = parts.attributes;
            message.signals = signals;
            message.groups = parts
                .groups
                .into_iter()
                .map(|(name, repetitions, signals)| {
                    let signals = signals
                        .into_iter()
                        .filter_map(|position| positions.get(position).copied().flatten())
                        .collect();
                    SignalGroup { name, repetitions, signals }
                })
                .collect();
            match message.build() {
                Ok(message) => {
                    self.check_layout(&message, parts.line, &positions);
                    self.builder.messages.push(message);
                }
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

    /// Signals that leave the message or share bits: kept, and said.
    fn check_layout(&mut self, message: &Message, line: &MessageLine<'_>, positions: &[Option<SignalIndex>]) {
        let place = |index: SignalIndex| {
            let at = positions.iter().position(|position| *position == Some(index));
            at.and_then(|at| line.signals.get(at)).map_or(line.place, |signal| signal.place)
        };
        for (index, signal) in message.indexed_signals().filter(|(index, _)| !message.holds(*index)) {
            if signal.length > 64 {
                let action = format!("kept, and not decoded: {} bits are no number", signal.length);
                self.diagnostics.report(
                    Code::WideSignal,
                    Severity::Notice,
                    place(index),
                    &signal.name,
                    action,
                );
                continue;
            }
            let action = format!(
                "kept: it has bits beyond the {} bytes of {}, and is decoded where a frame holds them",
                message.length(),
                message.name()
            );
            self.diagnostics.report(
                Code::OutsideMessage,
                Severity::Notice,
                place(index),
                &signal.name,
                action,
            );
        }
        for (first, second) in message.overlaps() {
            let names = (
                message.signal(first).map_or("", Signal::name),
                message.signal(second).map_or("", Signal::name),
            );
            self.diagnostics.report(
                Code::Overlap,
                Severity::Notice,
                place(second),
                names.1,
                format!("kept: it shares bits with {}", names.0),
            );
        }
    }
}

/// The signals that can be compiled, and where each signal of the file went; what stands in the way is repaired or left out.
fn sound_signals(
    signals: Vec<Signal>,
    line: &MessageLine<'_>,
    diagnostics: &mut Diagnostics,
) -> (Vec<Signal>, Vec<Option<SignalIndex>>) {
    let mut places = Vec::with_capacity(signals.len());
    let mut positions = Vec::with_capacity(signals.len());
    let mut sound = Vec::with_capacity(signals.len());
    for (signal, line) in signals.into_iter().zip(&line.signals) {
        match check(&signal) {
            Ok(()) => {
                positions.push(u32::try_from(sound.len()).ok().map(SignalIndex));
                places.push(line.place);
                sound.push(signal);
            }
            Err(kind) => {
                positions.push(None);
                diagnostics.report(
                    Code::BadSignal,
                    Severity::Skipped,
                    line.place,
                    line.name,
                    format!("left out: {kind}"),
                );
            }
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
    (sound, positions)
}

fn long_name(attributes: &Attributes, attribute: &str) -> Option<String> {
    attributes
        .value(attribute)
        .and_then(AttributeValue::text)
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
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
