//! The statements about messages, signals, nodes and variables are applied, one kind after the other.
//!
//! *Invariant:* of two statements about one thing the later counts, and the earlier is reported; order between kinds does not matter.
//! *Next:* `assemble.rs` (before and after).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::assemble::Parts;
use super::diagnostic::{Code, Place, Severity};
use super::statement::{AttributeLine, Label, Target};
use crate::model::attribute::{AttributeDefinition, AttributeObject, AttributeType, AttributeValue};
use crate::model::choices::Choices;
use crate::model::extra::{Relation, RelationTarget, ValueTable};
use crate::model::signal::{Multiplexed, ValueType};

/// Where each definition is by name and object.
type Definitions<'s> = BTreeMap<(&'s str, AttributeObject), usize>;

impl<'s> Parts<'s, '_> {
    pub(super) fn apply(&mut self) {
        self.senders();
        self.environment_data();
        self.comments();
        let by_name = self.definitions();
        self.attributes(&by_name);
        self.labels();
        self.floats();
        self.multiplexers();
        self.groups();
    }

    fn replaced(&mut self, place: Place, what: &str, action: &str) {
        self.diagnostics.report(Code::DuplicateStatement, Severity::Skipped, place, what, action);
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

    fn environment_data(&mut self) {
        for line in &self.statements.environment_data {
            let Some(variable) = self.variable(line.name, line.place, "ENVVAR_DATA_") else { continue };
            if variable.data_length.replace(line.length).is_some() {
                self.replaced(line.place, line.name, "a later number of bytes replaced an earlier one");
            }
        }
    }

    fn comments(&mut self) {
        for line in &self.statements.comments {
            let text = line.text.as_ref().to_owned();
            let slot = match line.target {
                Target::Message(None) => {
                    let action = "left out: signals without a message have no message to comment on";
                    self.diagnostics.report(
                        Code::UnknownMessage,
                        Severity::Skipped,
                        line.place,
                        "CM_ BO_",
                        action,
                    );
                    continue;
                }
                Target::Message(id) => {
                    self.message(id, line.place, "CM_ BO_").map(|message| &mut message.comment)
                }
                Target::Signal(id, name) => {
                    self.signal(id, name, line.place, "CM_ SG_").map(|signal| &mut signal.comment)
                }
                Target::Node(name) => self.node(name, line.place, "CM_ BU_").map(|node| &mut node.comment),
                Target::EnvironmentVariable(name) => {
                    self.variable(name, line.place, "CM_ EV_").map(|variable| &mut variable.comment)
                }
                // A file may have several on itself, as when it was made of several.
                _ => {
                    match &mut self.builder.comment {
                        Some(comment) => {
                            comment.push('\n');
                            comment.push_str(&text);
                        }
                        none => *none = Some(text),
                    }
                    continue;
                }
            };
            if slot.is_some_and(|slot| slot.replace(text).is_some()) {
                self.replaced(line.place, "CM_", "a later comment replaced an earlier one");
            }
        }
    }

    /// The definitions, and where each is by name and object.
    fn definitions(&mut self) -> Definitions<'s> {
        let mut by_name = BTreeMap::new();
        let mut objects: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let statements = self.statements;
        for line in &statements.definitions {
            let definition = AttributeDefinition::new(line.name.as_ref(), line.object, line.kind.clone());
            let key = (line.name.as_ref(), line.object);
            if let Some(known) =
                by_name.get(&key).and_then(|position: &usize| self.builder.definitions.get_mut(*position))
            {
                *known = definition;
                self.replaced(
                    line.place,
                    &line.name,
                    "a later definition of the attribute replaced an earlier one",
                );
            } else {
                objects.entry(line.name.as_ref()).or_default().push(self.builder.definitions.len());
                by_name.insert(key, self.builder.definitions.len());
                self.builder.definitions.push(definition);
            }
        }
        for line in &self.statements.defaults {
            let (mut found, mut twice) = (false, false);
            for position in objects.get(line.name.as_ref()).into_iter().flatten() {
                let Some(definition) = self.builder.definitions.get_mut(*position) else { continue };
                let relation = matches!(
                    definition.object,
                    AttributeObject::NodeToEnvironmentVariable
                        | AttributeObject::NodeToMessage
                        | AttributeObject::NodeToSignal
                );
                if relation == line.relation {
                    twice |= definition.default.replace(definition.interpret(line.value.clone())).is_some();
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
            } else if twice {
                self.replaced(line.place, &line.name, "a later default replaced an earlier one");
            }
        }
        by_name
    }

    /// A value as its definition means it.
    fn interpret(
        &mut self,
        line: &AttributeLine<'_>,
        object: AttributeObject,
        by_name: &Definitions<'s>,
    ) -> AttributeValue {
        let position = by_name.get(&(line.name.as_ref(), object));
        let Some(definition) = position.and_then(|position| self.builder.definitions.get(*position)) else {
            let action = "kept the value of an attribute that is not defined for this kind of object";
            self.diagnostics.report(Code::UnknownAttribute, Severity::Notice, line.place, &line.name, action);
            return line.value.clone();
        };
        let value = definition.interpret(line.value.clone());
        if !allows(&definition.kind, &value) {
            let action = format!("kept {value}, which the attribute's definition does not allow");
            self.diagnostics.report(Code::AttributeValue, Severity::Notice, line.place, &line.name, action);
        }
        value
    }

    fn attributes(&mut self, by_name: &Definitions<'s>) {
        for line in &self.statements.attributes {
            let (name, place) = (line.name.as_ref(), line.place);
            let object = match line.target {
                Target::Database => AttributeObject::Database,
                Target::Node(_) => AttributeObject::Node,
                Target::Message(_) => AttributeObject::Message,
                Target::Signal(..) => AttributeObject::Signal,
                Target::EnvironmentVariable(_) => AttributeObject::EnvironmentVariable,
                Target::NodeToEnvironmentVariable(..) => AttributeObject::NodeToEnvironmentVariable,
                Target::NodeToMessage(..) => AttributeObject::NodeToMessage,
                Target::NodeToSignal(..) => AttributeObject::NodeToSignal,
            };
            let value = self.interpret(line, object, by_name);
            let slot = match line.target {
                Target::Database => Some(&mut self.builder.attributes),
                Target::Node(node) => self.node(node, place, name).map(|node| &mut node.attributes),
                Target::Message(None) => {
                    let action = "left out: signals without a message have no message to describe";
                    self.diagnostics.report(Code::UnknownMessage, Severity::Skipped, place, name, action);
                    None
                }
                Target::Message(id) => self.message(id, place, name).map(|message| &mut message.attributes),
                Target::Signal(id, signal) => {
                    self.signal(id, signal, place, name).map(|signal| &mut signal.attributes)
                }
                Target::EnvironmentVariable(variable) => {
                    self.variable(variable, place, name).map(|variable| &mut variable.attributes)
                }
                Target::NodeToEnvironmentVariable(..)
                | Target::NodeToMessage(..)
                | Target::NodeToSignal(..) => {
                    self.relation(line, value);
                    continue;
                }
            };
            if slot.is_some_and(|attributes| attributes.set(name, value).is_some()) {
                self.replaced(place, name, "a later value of the attribute replaced an earlier one");
            }
        }
    }

    fn relation(&mut self, line: &AttributeLine<'_>, value: AttributeValue) {
        let (name, place) = (line.name.as_ref(), line.place);
        let (node, target) = match line.target {
            Target::NodeToEnvironmentVariable(node, variable) => {
                let known = self.variable(variable, place, name).is_some();
                (node, known.then(|| RelationTarget::EnvironmentVariable(variable.to_owned())))
            }
            Target::NodeToMessage(node, Some(id)) => {
                let known = self.message(Some(id), place, name).is_some();
                (node, known.then_some(RelationTarget::Message(id)))
            }
            Target::NodeToSignal(node, Some(id), signal) => {
                let known = self.signal(Some(id), signal, place, name).is_some();
                (node, known.then(|| RelationTarget::Signal(id, signal.to_owned())))
            }
            _ => {
                let action = "left out: nothing relates to signals without a message";
                self.diagnostics.report(Code::UnknownMessage, Severity::Skipped, place, name, action);
                return;
            }
        };
        if let Some(target) = target.filter(|_| self.node(node, place, name).is_some()) {
            self.builder.relations.push(Relation {
                attribute: name.to_owned(),
                node: node.to_owned(),
                target,
                value,
            });
        }
    }

    fn labels(&mut self) {
        for line in &self.statements.tables {
            self.builder
                .value_tables
                .push(ValueTable::new(line.name, choices(self.statements.entries(line.labels))));
        }
        let statements = self.statements;
        for line in &statements.labels {
            let slot = match line.target {
                Target::Signal(id, name) => {
                    self.signal(id, name, line.place, "VAL_").map(|signal| &mut signal.choices)
                }
                Target::EnvironmentVariable(name) => {
                    self.variable(name, line.place, "VAL_").map(|variable| &mut variable.choices)
                }
                _ => None,
            };
            let labels = choices(statements.entries(line.labels));
            if slot.is_some_and(|slot| !core::mem::replace(slot, labels).is_empty()) {
                self.replaced(line.place, "VAL_", "later labels replaced earlier ones");
            }
        }
    }

    fn floats(&mut self) {
        for line in &self.statements.floats {
            let Some(signal) = self.signal(line.id, line.signal, line.place, "SIG_VALTYPE_") else {
                continue;
            };
            let (value_type, length) = match line.kind {
                0 => continue,
                1 => (ValueType::F32, 32),
                2 => (ValueType::F64, 64),
                kind => {
                    let action = format!("left out: there is no value type {kind}");
                    self.diagnostics.report(
                        Code::FloatLength,
                        Severity::Skipped,
                        line.place,
                        line.signal,
                        action,
                    );
                    continue;
                }
            };
            if signal.length == length {
                signal.value_type = value_type;
            } else {
                let action = format!(
                    "left out: a float of type {} has {length} bits, this signal has {}",
                    line.kind, signal.length
                );
                self.diagnostics.report(
                    Code::FloatLength,
                    Severity::Skipped,
                    line.place,
                    line.signal,
                    action,
                );
            }
        }
    }

    fn multiplexers(&mut self) {
        for line in &self.statements.multiplexed {
            let found = self
                .with_both(line.id, line.signal, line.multiplexer)
                .or_else(|| self.signal_position(line.id, line.signal, line.place, "SG_MUL_VAL_"));
            let Some((message, signal)) = found else { continue };
            let Some(parts) = self.messages.get_mut(message) else { continue };
            let Some(multiplexer) = parts.position(line.multiplexer) else {
                let action = format!("left out: the message has no signal {}", line.multiplexer);
                let what = "SG_MUL_VAL_";
                self.diagnostics.report(Code::UnknownSignal, Severity::Skipped, line.place, what, action);
                continue;
            };
            if let Some(unmarked) = parts.signals.get_mut(multiplexer).filter(|found| !found.is_multiplexer) {
                unmarked.is_multiplexer = true;
                let action = "taken as a multiplexer, as this statement says: it is not marked as one";
                let (code, severity) = (Code::NoMultiplexer, Severity::Repaired);
                self.diagnostics.report(code, severity, line.place, line.multiplexer, action);
            }
            parts.extended.push(signal);
            if let Some(signal) = parts.signals.get_mut(signal) {
                signal.multiplexed = Some(Multiplexed::new(line.multiplexer, line.values.iter().copied()));
            }
        }
        for parts in &mut self.messages {
            if parts.lines.iter().all(|line| line.selector.is_none()) {
                continue;
            }
            parts.extended.sort_unstable();
            // A plain mark means the first signal that is a multiplexer and nothing else; failing that, the first multiplexer.
            let multiplexer =
                parts.lines.iter().find(|signal| signal.is_multiplexer && signal.selector.is_none());
            let multiplexer = multiplexer
                .or_else(|| parts.lines.iter().find(|signal| signal.is_multiplexer))
                .map(|signal| signal.name);
            for (position, (signal, line)) in parts.signals.iter_mut().zip(&parts.lines).enumerate() {
                let extended = || parts.extended.binary_search(&position).is_ok();
                let Some(value) = line.selector.filter(|_| !extended()) else { continue };
                if let Some(name) = multiplexer.filter(|name| *name != signal.name) {
                    signal.multiplexed = Some(Multiplexed::new(name, [(value, value)]));
                } else {
                    let action = "taken as always present: the message has no multiplexer for it";
                    self.diagnostics.report(
                        Code::NoMultiplexer,
                        Severity::Skipped,
                        line.place,
                        line.name,
                        action,
                    );
                }
            }
        }
    }

    fn groups(&mut self) {
        for line in &self.statements.groups {
            let mut signals = Vec::with_capacity(line.signals.len());
            let mut message = None;
            for name in &line.signals {
                if let Some((at, signal)) = self.signal_position(line.id, name, line.place, line.name) {
                    message = message.or(Some(at));
                    if message == Some(at) {
                        signals.push(signal);
                    }
                }
            }
            let parts = match message {
                Some(at) => self.messages.get_mut(at),
                None => self.message(line.id, line.place, line.name),
            };
            if let Some(parts) = parts {
                parts.groups.push((line.name.to_owned(), line.repetitions, signals));
            }
        }
    }
}

fn choices(labels: &[Label<'_>]) -> Choices {
    labels.iter().map(|(value, label)| (*value, label.as_ref())).collect()
}

/// Whether a definition allows a value; bounds that are both zero bound nothing.
fn allows(kind: &AttributeType, value: &AttributeValue) -> bool {
    match kind {
        AttributeType::Integer { min, max } | AttributeType::Hex { min, max } => {
            value.integer().is_some_and(|value| (*min == 0 && *max == 0) || (*min..=*max).contains(&value))
        }
        AttributeType::Float { min, max } => {
            value.number().is_some_and(|value| (*min == 0.0 && *max == 0.0) || (*min..=*max).contains(&value))
        }
        AttributeType::Text => value.text().is_some(),
        AttributeType::Enumeration(texts) => {
            value.text().is_some_and(|value| texts.iter().any(|text| text == value))
        }
    }
}
