//! What no byte depends on, compared: version, comments, nodes, attributes, tables, variables.
//!
//! *Invariant:* everything here is compatible.
//! *Next:* `message.rs`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use super::{Kind, Log, Verdict};
use crate::{AttributeDefinition, AttributeObject, Attributes, Choices, Database, EnvironmentVariable, Node};

/// Attributes that are compared as what they mean.
const RESOLVED: [&str; 3] = ["GenMsgCycleTime", "GenSigStartValue", "SPN"];

pub(super) fn compare(older: &Database, newer: &Database, log: &mut Log<'_>) {
    log.text(Kind::Version, Some(older.version()), Some(newer.version()));
    log.text(Kind::Comment, older.comment(), newer.comment());
    nodes(older, newer, log);
    let name = |definition: &AttributeDefinition| (definition.object(), definition.name().to_string());
    let definitions = |database: &Database| -> BTreeMap<(AttributeObject, String), AttributeDefinition> {
        database
            .attribute_definitions()
            .iter()
            .map(|definition| (name(definition), definition.clone()))
            .collect()
    };
    let show = |definition: &AttributeDefinition| {
        let default = definition.default().map_or_else(String::new, |default| format!(", default {default}"));
        format!("{} of {:?}: {:?}{default}", definition.name(), definition.object(), definition.kind())
    };
    maps(Kind::AttributeDefinition, &definitions(older), &definitions(newer), show, log);
    attributes(older.attributes(), newer.attributes(), log);
    let tables = |database: &Database| -> BTreeMap<String, Choices> {
        database
            .value_tables()
            .iter()
            .map(|table| (table.name().to_string(), table.choices().clone()))
            .collect()
    };
    maps(Kind::ValueTable, &tables(older), &tables(newer), |table| format!("{} labels", table.len()), log);
    let variables = |database: &Database| -> BTreeMap<String, EnvironmentVariable> {
        let variables = database.environment_variables().iter();
        variables.map(|variable| (variable.name().to_string(), variable.clone())).collect()
    };
    let show = |variable: &EnvironmentVariable| variable.name().to_string();
    maps(Kind::EnvironmentVariable, &variables(older), &variables(newer), show, log);
    let relations = |database: &Database| -> BTreeMap<String, String> {
        let relations = database.relations().iter().map(|relation| {
            let key = format!("{} of {} with {:?}", relation.attribute(), relation.node(), relation.target());
            (key, relation.value().to_string())
        });
        relations.collect()
    };
    maps(Kind::Relation, &relations(older), &relations(newer), Clone::clone, log);
    if older.independent_signals() != newer.independent_signals() {
        let count = |database: &Database| Some(format!("{} signals", database.independent_signals().len()));
        log.add(Kind::IndependentSignal, Verdict::Compatible, count(older), count(newer));
    }
}

fn nodes(older: &Database, newer: &Database, log: &mut Log<'_>) {
    let by_name = |database: &Database| -> BTreeMap<String, Node> {
        database.nodes().iter().map(|node| (node.name().to_string(), node.clone())).collect()
    };
    let (before, after) = (by_name(older), by_name(newer));
    for (name, node) in &before {
        match after.get(name) {
            None => log.add(Kind::NodeRemoved, Verdict::Compatible, Some(name.clone()), None),
            Some(other) => {
                log.text(Kind::Comment, node.comment(), other.comment());
                attributes(node.attributes(), other.attributes(), log);
            }
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        log.add(Kind::NodeAdded, Verdict::Compatible, None, Some(name.clone()));
    }
}

/// Attributes set on one object. Those that mean something here are compared as that.
pub(super) fn attributes(before: &Attributes, after: &Attributes, log: &mut Log<'_>) {
    for (name, value) in before.iter().filter(|(name, _)| !RESOLVED.contains(name)) {
        let other = after.value(name);
        if other != Some(value) {
            let after = other.map(|value| format!("{name} = {value}"));
            log.add(Kind::Attribute, Verdict::Compatible, Some(format!("{name} = {value}")), after);
        }
    }
    let new = after.iter().filter(|(name, _)| !RESOLVED.contains(name) && before.value(name).is_none());
    for (name, value) in new {
        log.add(Kind::Attribute, Verdict::Compatible, None, Some(format!("{name} = {value}")));
    }
}

fn maps<K: Ord, V: PartialEq>(
    kind: Kind,
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    show: impl Fn(&V) -> String,
    log: &mut Log<'_>,
) {
    for (key, value) in before {
        let other = after.get(key);
        if other != Some(value) {
            log.add(kind, Verdict::Compatible, Some(show(value)), other.map(&show));
        }
    }
    for value in after.iter().filter(|(key, _)| !before.contains_key(*key)).map(|(_, value)| value) {
        log.add(kind, Verdict::Compatible, None, Some(show(value)));
    }
}
