//! What was put together becomes messages: long names, selectors, special values, and a look at where the bits are.
//!
//! *Invariant:* nothing is left out without a diagnostic.
//! *Next:* `resolve.rs` (what the usual attributes mean), `../model/builder.rs` (checks and compiles).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::assemble::Parts;
use super::diagnostic::{Code, Diagnostics, Place, Severity};
use super::resolve::Usual;
use super::special::Rule;
use super::statement::SignalLine;
use crate::model::attribute::{AttributeValue, Attributes};
use crate::model::extra::{RelationTarget, SignalGroup};
use crate::model::message::SignalIndex;
use crate::model::signal::Signal;
use crate::plan::selectors;
use crate::{Database, Message};

impl Parts<'_, '_> {
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
        let mut signals = BTreeMap::new();
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
            if let Some(id) = message.line.id {
                for (short, long) in renamed {
                    signals.entry((id, short)).or_insert(long);
                }
            }
        }
        for variable in &mut self.builder.environment_variables {
            rename(&mut variable.nodes);
        }
        for relation in &mut self.builder.relations {
            rename(core::slice::from_mut(&mut relation.node));
            if let RelationTarget::Signal(id, name) = &mut relation.target
                && let Some(long) = signals.get(&(*id, name.clone()))
            {
                name.clone_from(long);
            }
        }
    }

    pub(super) fn build(mut self) -> Database {
        self.long_names();
        let definitions = core::mem::take(&mut self.builder.definitions);
        let usual = Usual::new(&definitions, &self.builder.attributes);
        self.builder.is_j1939 = usual.is_j1939();
        for parts in core::mem::take(&mut self.messages) {
            let mut signals = parts.signals;
            keep_founded_selectors(&mut signals, &parts.lines, self.diagnostics);
            let is_j1939 = usual.is_j1939_message(&parts.attributes);
            let rule = parts.line.id.map_or(Rule::None, |id| usual.rule(id, is_j1939));
            for signal in &mut signals {
                usual.signal(signal, rule);
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
            message.cycle_time = usual.cycle_time(&parts.attributes);
            message.is_j1939 = is_j1939;
            message.attributes = parts.attributes;
            message.signals = signals;
            message.groups = parts
                .groups
                .into_iter()
                .map(|(name, repetitions, signals)| {
                    let index = |position| u32::try_from(position).ok().map(SignalIndex);
                    let signals = signals.into_iter().filter_map(index).collect();
                    SignalGroup { name, repetitions, signals }
                })
                .collect();
            match message.build() {
                Ok(message) => {
                    self.check_layout(&message, parts.line.place, &parts.lines);
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
        self.builder.definitions = definitions;
        self.builder.build()
    }

    /// Signals that leave the message or share bits: kept, and said.
    fn check_layout(&mut self, message: &Message, at: Place, lines: &[&SignalLine<'_>]) {
        let place = |index: SignalIndex| lines.get(index.position()).map_or(at, |line| line.place);
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

/// A signal that depends on what is no multiplexer is taken as always present.
fn keep_founded_selectors(signals: &mut [Signal], lines: &[&SignalLine<'_>], diagnostics: &mut Diagnostics) {
    if signals.iter().all(|signal| signal.multiplexed.is_none()) {
        return;
    }
    for (position, kind) in selectors(signals).1 {
        let (Some(signal), Some(line)) = (signals.get_mut(position), lines.get(position)) else { continue };
        let action = format!("taken as always present: {kind}");
        diagnostics.report(Code::NoMultiplexer, Severity::Skipped, line.place, &signal.name, action);
        signal.multiplexed = None;
    }
}

fn long_name(attributes: &Attributes, attribute: &str) -> Option<String> {
    attributes
        .value(attribute)
        .and_then(AttributeValue::text)
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
}
