//! Statements become a database: references are looked up, what belongs together is put together.
//!
//! *Invariant:* a reference that leads nowhere is left out with a diagnostic; a look-up is a binary search.
//! *Next:* `apply.rs` (statement by statement), `finish.rs` (long names, checks, and the database).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::diagnostic::{Code, Diagnostics, Place, Severity};
use super::statement::{MessageLine, MessageRef, SignalLine, Statements};
use crate::model::attribute::Attributes;
use crate::model::builder::{BuildErrorKind, DatabaseBuilder, check};
use crate::model::extra::EnvironmentVariable;
use crate::model::node::Node;
use crate::model::signal::{Signal, ValueType};
use crate::{Database, MAX_MESSAGE_LENGTH};

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
    /// Ids and positions in `messages`, sorted: of two messages with one id, the first comes first.
    by_id: Vec<(MessageRef, usize)>,
    /// Positions of nodes by name.
    nodes: BTreeMap<&'s str, usize>,
    /// Positions of environment variables by name.
    environment: BTreeMap<&'s str, usize>,
}

/// A message that is being put together.
pub(super) struct MessageParts<'s> {
    pub(super) line: &'s MessageLine<'s>,
    /// What the file says of each of `signals`.
    pub(super) lines: Vec<&'s SignalLine<'s>>,
    pub(super) senders: Vec<String>,
    pub(super) comment: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) signals: Vec<Signal>,
    /// Positions in `signals` by name in the file: of two with one name, the first comes first.
    by_name: Vec<usize>,
    /// Names, repetitions, and positions in `signals`.
    pub(super) groups: Vec<(String, u32, Vec<usize>)>,
    /// Which signals `SG_MUL_VAL_` speaks of.
    pub(super) extended: Vec<usize>,
}

impl MessageParts<'_> {
    /// The position of the first signal that the file calls by this name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let name_of = |at: &usize| self.lines.get(*at).map_or("", |line| line.name);
        let at = self.by_name.partition_point(|at| name_of(at) < name);
        self.by_name.get(at).filter(|at| name_of(at) == name).copied()
    }
}

impl<'s, 'd> Parts<'s, 'd> {
    fn new(statements: &'s Statements<'s>, diagnostics: &'d mut Diagnostics) -> Self {
        let mut parts = Self {
            statements,
            diagnostics,
            builder: Database::builder(),
            messages: Vec::new(),
            by_id: Vec::new(),
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
        let statements = self.statements;
        self.messages.reserve_exact(statements.messages.len());
        for line in &statements.messages {
            if line.length as usize > MAX_MESSAGE_LENGTH {
                let action = format!("left out: {}", BuildErrorKind::MessageLength);
                self.diagnostics.report(Code::BadSignal, Severity::Skipped, line.place, line.name, action);
                continue;
            }
            let (lines, signals) = self.sound_signals(line);
            let by_name = self.names_of(&lines);
            self.messages.push(MessageParts {
                line,
                lines,
                senders: line.sender.iter().map(|name| (*name).to_owned()).collect(),
                comment: None,
                attributes: Attributes::default(),
                signals,
                by_name,
                groups: Vec::new(),
                extended: Vec::new(),
            });
        }
        self.by_id = self.messages.iter().enumerate().map(|(at, message)| (message.line.id, at)).collect();
        self.by_id.sort_unstable();
        for ((id, _), (same, second)) in pairs(&self.by_id) {
            let (Some(id), true, Some(second)) = (id, id == same, self.messages.get(*second)) else {
                continue;
            };
            let action = format!("kept a second message with the id {id}; the id finds the first");
            let line = second.line;
            self.diagnostics.report(Code::DuplicateId, Severity::Notice, line.place, line.name, action);
        }
        let mut names: Vec<(&str, Place)> =
            self.messages.iter().map(|message| (message.line.name, message.line.place)).collect();
        names.sort_unstable();
        for (_, (name, place)) in pairs(&names).filter(|(first, second)| first.0 == second.0) {
            let action = "kept a second message with this name; the name finds the first";
            self.diagnostics.report(Code::DuplicateMessage, Severity::Notice, *place, name, action);
        }
    }

    /// The signals that can be compiled, and their lines. What speaks of another one later speaks of a signal that there is not.
    fn sound_signals(&mut self, line: &'s MessageLine<'s>) -> (Vec<&'s SignalLine<'s>>, Vec<Signal>) {
        let mut lines = Vec::with_capacity(line.signals.len());
        let mut signals = Vec::with_capacity(line.signals.len());
        for line in &line.signals {
            let signal = signal_of(self.statements, line);
            if let Err(kind) = check(&signal) {
                let action = format!("left out: {kind}");
                self.diagnostics.report(Code::BadSignal, Severity::Skipped, line.place, line.name, action);
                continue;
            }
            lines.push(line);
            signals.push(signal);
        }
        (lines, signals)
    }

    /// The positions of a message's signals by name.
    fn names_of(&mut self, lines: &[&SignalLine<'_>]) -> Vec<usize> {
        let name = |at: &usize| lines.get(*at).map_or("", |line| line.name);
        let mut by_name: Vec<usize> = (0..lines.len()).collect();
        by_name.sort_unstable_by(|a, b| name(a).cmp(name(b)).then(a.cmp(b)));
        for (_, second) in pairs(&by_name).filter(|(first, second)| name(first) == name(second)) {
            let Some(line) = lines.get(*second) else { continue };
            let action = "kept a second signal with this name; the name finds the first";
            self.diagnostics.report(Code::DuplicateSignal, Severity::Notice, line.place, line.name, action);
        }
        by_name
    }

    /// Ids and positions of all messages with this id, in the order of the file.
    fn with_id(&self, id: MessageRef) -> &[(MessageRef, usize)] {
        let from = self.by_id.partition_point(|entry| entry.0 < id);
        let rest = self.by_id.get(from..).unwrap_or_default();
        rest.get(..rest.iter().take_while(|entry| entry.0 == id).count()).unwrap_or_default()
    }

    /// The first message with this id.
    pub(super) fn message(
        &mut self,
        id: MessageRef,
        place: Place,
        what: &str,
    ) -> Option<&mut MessageParts<'s>> {
        let position = self.with_id(id).first().map(|entry| entry.1);
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
        let positions = self.with_id(id);
        let Some((_, first)) = positions.first().copied() else {
            self.unknown_message(id, place, what);
            return None;
        };
        let found = positions.iter().find_map(|(_, at)| Some((*at, self.messages.get(*at)?.position(name)?)));
        if found.is_none() {
            let message = self.messages.get(first).map_or("", |message| message.line.name);
            let action = format!("left out: {message} has no signal {name}");
            self.diagnostics.report(Code::UnknownSignal, Severity::Skipped, place, what, action);
        }
        found
    }

    /// The position of the first message with this id that has both signals, and the first signal's.
    pub(super) fn with_both(&self, id: MessageRef, name: &str, other: &str) -> Option<(usize, usize)> {
        let both =
            |message: &MessageParts<'_>| message.position(name).filter(|_| message.position(other).is_some());
        self.with_id(id).iter().find_map(|(_, at)| Some((*at, both(self.messages.get(*at)?)?)))
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
}

/// Neighbours in a list.
fn pairs<T>(list: &[T]) -> impl Iterator<Item = (&T, &T)> {
    list.iter().zip(list.iter().skip(1))
}

fn signal_of(statements: &Statements<'_>, line: &SignalLine<'_>) -> Signal {
    Signal {
        byte_order: line.byte_order,
        value_type: if line.signed { ValueType::Signed } else { ValueType::Unsigned },
        marked_signed: line.signed,
        factor: line.factor,
        offset: line.offset,
        range: line.range,
        unit: line.unit.as_ref().to_owned(),
        is_multiplexer: line.is_multiplexer,
        receivers: statements.names(line.receivers).iter().map(|name| (*name).to_owned()).collect(),
        ..Signal::new(line.name, line.start, line.length)
    }
}
