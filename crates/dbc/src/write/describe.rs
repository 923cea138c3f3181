//! What is said about messages and signals: variables, comments, labels, groups, value types, multiplexers.
//!
//! *Invariant:* a statement calls a signal by the spelling that its own line has.
//! *Next:* `statements.rs` (the order), `spell.rs` (texts and numbers).

use alloc::string::String;
use alloc::vec::Vec;

use super::spell::{labels, number, quoted};
use super::statements::{Writer, is_extended};
use crate::Message;
use crate::model::signal::ValueType;

impl Writer<'_> {
    pub(super) fn environment(&mut self) {
        for variable in self.database.environment_variables() {
            let nodes = self.list(&variable.nodes, ",");
            let (min, max) = variable.range;
            self.line(format_args!(
                "EV_ {}: {} [{}|{}] {} {} {} {} {nodes};",
                variable.name,
                variable.kind,
                number(min),
                number(max),
                quoted(&variable.unit),
                number(variable.initial),
                variable.id,
                variable.access
            ));
        }
        for variable in self.database.environment_variables() {
            if let Some(length) = variable.data_length {
                self.line(format_args!("ENVVAR_DATA_ {}: {length};", variable.name));
            }
        }
    }

    pub(super) fn comments(&mut self) {
        if let Some(comment) = self.database.comment() {
            self.line(format_args!("CM_ {};", quoted(comment)));
        }
        for node in self.database.nodes() {
            if let Some(comment) = &node.comment {
                self.line(format_args!("CM_ BU_ {} {};", self.node(&node.name), quoted(comment)));
            }
        }
        for block in self.blocks() {
            if let Some(comment) = self.database.messages().get(block.position).and_then(Message::comment) {
                self.line(format_args!("CM_ BO_ {} {};", block.id, quoted(comment)));
            }
            for (spelling, signal) in self.signals(&block) {
                if let Some(comment) = &signal.comment {
                    self.line(format_args!("CM_ SG_ {} {spelling} {};", block.id, quoted(comment)));
                }
            }
        }
        for variable in self.database.environment_variables() {
            if let Some(comment) = &variable.comment {
                self.line(format_args!("CM_ EV_ {} {};", variable.name, quoted(comment)));
            }
        }
    }

    pub(super) fn labels(&mut self) {
        for block in self.blocks() {
            for (spelling, signal) in
                self.signals(&block).into_iter().filter(|(_, signal)| !signal.choices.is_empty())
            {
                self.line(format_args!("VAL_ {} {spelling} {};", block.id, labels(&signal.choices)));
            }
        }
        for variable in
            self.database.environment_variables().iter().filter(|variable| !variable.choices.is_empty())
        {
            self.line(format_args!("VAL_ {} {};", variable.name, labels(&variable.choices)));
        }
    }

    pub(super) fn signal_details(&mut self) {
        for (message, spellings) in self.database.messages().iter().zip(self.signals.clone()) {
            for group in &message.groups {
                let signals: Vec<&str> = group
                    .signals
                    .iter()
                    .filter_map(|index| spellings.get(index.position()))
                    .map(AsRef::as_ref)
                    .collect();
                self.line(format_args!(
                    "SIG_GROUP_ {} {} {} : {};",
                    message.id.to_dbc(),
                    group.name,
                    group.repetitions,
                    signals.join(" ")
                ));
            }
        }
        for block in self.blocks() {
            for (spelling, signal) in self.signals(&block) {
                let kind = match signal.value_type {
                    ValueType::F32 => 1,
                    ValueType::F64 => 2,
                    ValueType::Unsigned | ValueType::Signed => continue,
                };
                self.line(format_args!("SIG_VALTYPE_ {} {spelling} : {kind};", block.id));
            }
        }
        for block in self.blocks() {
            let signals = self.signals(&block);
            let plain =
                block.signals.iter().find(|signal| signal.is_multiplexer && signal.multiplexed.is_none());
            let plain = plain
                .or_else(|| block.signals.iter().find(|signal| signal.is_multiplexer))
                .map(|signal| signal.name.as_str());
            for (spelling, signal) in &signals {
                let Some(multiplexed) = &signal.multiplexed else { continue };
                if !is_extended(signal, plain) {
                    continue;
                }
                let multiplexer = signals
                    .iter()
                    .find(|(_, other)| other.name == multiplexed.multiplexer)
                    .map_or("", |found| found.0.as_ref());
                let values: Vec<String> =
                    multiplexed.values.iter().map(|(from, to)| alloc::format!("{from}-{to}")).collect();
                self.line(format_args!(
                    "SG_MUL_VAL_ {} {spelling} {multiplexer} {};",
                    block.id,
                    values.join(", ")
                ));
            }
        }
    }
}
