//! Names and nodes of a whole database: twins, strangers, and the unused.
//!
//! *Invariant:* time grows with the number of names, times its logarithm.
//! *Next:* `message.rs`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Report, Rule};
use crate::{Database, Message, Signal};

/// The longest name that the format allows.
const MAX_NAME: usize = 32;

pub(super) fn check_database<'a>(database: &'a Database, report: &mut Report<'a>) {
    nodes(database, report);
    shared_signals(database, report);
    let messages = database.messages().iter().map(Message::name);
    for (first, second) in case_twins(messages) {
        report.say(Rule::CaseCollision, || format!("the messages {first} and {second} differ only in case"));
    }
    let names = database.nodes().iter().map(|node| ("node", node.symbol.as_deref().unwrap_or(node.name())));
    for (kind, name) in names {
        name_itself(kind, name, |rule, text| report.say(rule, || text));
    }
}

/// What a name itself can do wrong.
pub(super) fn name_itself(kind: &str, name: &str, mut say: impl FnMut(Rule, String)) {
    let mut characters = name.chars();
    let starts = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !(starts && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        say(Rule::OddName, format!("the {kind}'s name {name:?} is not a C identifier"));
    }
    let length = name.chars().count();
    if length > MAX_NAME {
        say(
            Rule::LongName,
            format!("the {kind}'s name {name} has {length} characters, more than {MAX_NAME}"),
        );
    }
}

/// Pairs of different names that are one when case is ignored; each name is at most once the second.
pub(super) fn case_twins<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
    let mut first: BTreeMap<String, &'a str> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for name in names.filter(|name| seen.insert(*name)) {
        let folded = name.to_ascii_lowercase();
        match first.get(&folded) {
            Some(other) => found.push((*other, name)),
            None => {
                first.insert(folded, name);
            }
        }
    }
    found
}

/// Names that mean "nobody".
pub(super) fn is_nobody(name: &str) -> bool {
    matches!(name, "" | "Vector__XXX" | "VectorXXX" | "VECTOR__XXX")
}

fn nodes<'a>(database: &'a Database, report: &mut Report<'a>) {
    let mut known = BTreeSet::new();
    for node in database.nodes() {
        if !known.insert(node.name()) {
            report.say(Rule::DuplicateNode, || format!("there are two nodes {}", node.name()));
        }
    }
    let mut used = BTreeSet::new();
    for message in database.messages() {
        used.extend(message.senders().iter().map(String::as_str));
        used.extend(message.signals().iter().flat_map(Signal::receivers).map(String::as_str));
    }
    for variable in database.environment_variables() {
        used.extend(variable.nodes().iter().map(String::as_str));
    }
    for name in used.difference(&known).filter(|name| !is_nobody(name)) {
        report.say(Rule::UnknownNode, || format!("{name} sends or receives, but is not among the nodes"));
    }
    for name in known.difference(&used).filter(|name| !is_nobody(name)) {
        report.say(Rule::UnusedNode, || format!("the node {name} neither sends nor receives anything"));
    }
}

fn shared_signals<'a>(database: &'a Database, report: &mut Report<'a>) {
    if !report.wants(Rule::SharedSignalName) {
        return;
    }
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for message in database.messages() {
        for signal in message.signals() {
            owners.entry(signal.name()).or_default().insert(message.name());
        }
    }
    for (signal, messages) in owners.iter().filter(|(_, messages)| messages.len() > 1) {
        report.say(Rule::SharedSignalName, || format!("{} messages have a signal {signal}", messages.len()));
    }
}
