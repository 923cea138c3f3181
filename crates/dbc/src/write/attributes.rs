//! Attributes of objects and relations, and what the model knows that only an attribute can hold.
//!
//! *Invariant:* an attribute that is added has a definition; what an attribute says already is not said again.
//! *Next:* `statements.rs` (the order), `spell.rs` (texts and numbers).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::names::word_of;
use super::spell::{kind, plain, quoted, value_of};
use super::statements::{Block, Writer};
use crate::model::attribute::{
    AttributeDefinition, AttributeObject, AttributeType, AttributeValue, Attributes,
};
use crate::model::extra::RelationTarget;
use crate::{CanId, Message, Raw};

impl<'a> Writer<'a> {
    pub(super) fn attributes(&mut self) {
        let definitions = core::mem::take(&mut self.definitions);
        for definition in &definitions {
            let (statement, object) = object(definition.object);
            self.line(format_args!(
                "BA_DEF_{statement} {object}{} {};",
                quoted(&definition.name),
                kind(&definition.kind)
            ));
        }
        for line in defaults(&definitions) {
            self.line(format_args!("{line}"));
        }
        let definition = |name: &str, object| {
            definitions.iter().find(|definition| definition.name == name && definition.object == object)
        };
        let mut lines = Vec::new();
        let mut set = |attributes: &Attributes, object: AttributeObject, target: &str| {
            for (name, value) in attributes.iter() {
                lines.push(alloc::format!(
                    "BA_ {} {target}{};",
                    quoted(name),
                    value_of(definition(name, object), value)
                ));
            }
        };
        set(self.database.attributes(), AttributeObject::Database, "");
        for node in self.database.nodes() {
            set(&node.attributes, AttributeObject::Node, &alloc::format!("BU_ {} ", self.node(&node.name)));
        }
        for block in self.blocks() {
            if let Some(message) = self.database.messages().get(block.position) {
                set(&message.attributes, AttributeObject::Message, &alloc::format!("BO_ {} ", block.id));
            }
            for (spelling, signal) in self.signals(&block) {
                set(
                    &signal.attributes,
                    AttributeObject::Signal,
                    &alloc::format!("SG_ {} {spelling} ", block.id),
                );
            }
        }
        for variable in self.database.environment_variables() {
            set(
                &variable.attributes,
                AttributeObject::EnvironmentVariable,
                &alloc::format!("EV_ {} ", variable.name),
            );
        }
        for (name, target, value) in &self.added {
            lines.push(alloc::format!("BA_ {} {target}{};", quoted(name), plain(value)));
        }
        for relation in self.database.relations() {
            let node = self.node(&relation.node);
            let (object, target) = match &relation.target {
                RelationTarget::EnvironmentVariable(variable) => (
                    AttributeObject::NodeToEnvironmentVariable,
                    alloc::format!("BU_EV_REL_ {node} {variable}"),
                ),
                RelationTarget::Message(id) => {
                    (AttributeObject::NodeToMessage, alloc::format!("BU_BO_REL_ {node} {}", id.to_dbc()))
                }
                RelationTarget::Signal(id, signal) => (
                    AttributeObject::NodeToSignal,
                    alloc::format!("BU_SG_REL_ {node} SG_ {} {}", id.to_dbc(), self.signal_of(*id, signal)),
                ),
            };
            let value = value_of(definition(&relation.attribute, object), &relation.value);
            lines.push(alloc::format!("BA_REL_ {} {target} {value};", quoted(&relation.attribute)));
        }
        for line in lines {
            self.line(format_args!("{line}"));
        }
    }

    /// The spelling of a signal that a relation names.
    pub(super) fn signal_of(&self, id: CanId, name: &str) -> String {
        let found =
            self.database.messages().iter().zip(&self.signals).filter(|(message, _)| message.id == id);
        let mut spellings =
            found.filter_map(|(message, spellings)| spellings.get(message.signal_index(name)?.position()));
        spellings.next().map_or_else(|| word_of(name), |spelling| spelling.clone().into_owned())
    }

    /// What the model knows and no attribute says: long names, cycle times, start values, J1939.
    pub(super) fn add_attributes(&mut self) {
        let database = self.database;
        let long: Vec<_> = database
            .nodes()
            .iter()
            .map(|node| {
                (
                    AttributeObject::Node,
                    alloc::format!("BU_ {} ", self.node(&node.name)),
                    node.name.as_str(),
                    self.node(&node.name),
                    node.symbol.is_some(),
                )
            })
            .collect();
        for (object, target, name, spelling, known) in long {
            if name != spelling && !known {
                self.add(
                    "SystemNodeLongSymbol",
                    object,
                    AttributeType::Text,
                    target,
                    AttributeValue::Text(name.into()),
                );
            }
        }
        if database.is_j1939_as_a_whole()
            && !database
                .attribute("ProtocolType")
                .and_then(AttributeValue::text)
                .is_some_and(crate::load::resolve::is_j1939_text)
        {
            self.add(
                "ProtocolType",
                AttributeObject::Database,
                AttributeType::Text,
                String::new(),
                AttributeValue::Text("J1939".into()),
            );
        }
        for block in self.blocks() {
            if let Some(message) = database.messages().get(block.position) {
                self.add_to_message(message, &block);
            }
            for (spelling, signal) in self.signals(&block) {
                let target = alloc::format!("SG_ {} {spelling} ", block.id);
                if spelling != signal.name && signal.symbol.is_none() {
                    let name = AttributeValue::Text(signal.name.clone());
                    self.add(
                        "SystemSignalLongSymbol",
                        AttributeObject::Signal,
                        AttributeType::Text,
                        target.clone(),
                        name,
                    );
                }
                let spn = database
                    .signal_attribute(signal, "SPN")
                    .and_then(AttributeValue::integer)
                    .filter(|spn| *spn != 0);
                if let Some(number) = signal.spn.filter(|number| spn != Some((*number).into())) {
                    let kind = AttributeType::Integer { min: 0, max: 524_287 };
                    self.add(
                        "SPN",
                        AttributeObject::Signal,
                        kind,
                        target.clone(),
                        AttributeValue::Integer(number.into()),
                    );
                }
                if let Some(start) = signal.start_value
                    && database.signal_attribute(signal, "GenSigStartValue").is_none()
                {
                    let value = match start {
                        Raw::Unsigned(value) => i64::try_from(value)
                            .map_or_else(|_| AttributeValue::Float(start.to_f64()), AttributeValue::Integer),
                        Raw::Signed(value) => AttributeValue::Integer(value),
                        Raw::F32(_) | Raw::F64(_) => AttributeValue::Float(start.to_f64()),
                    };
                    self.add(
                        "GenSigStartValue",
                        AttributeObject::Signal,
                        AttributeType::Float { min: 0.0, max: 0.0 },
                        target,
                        value,
                    );
                }
            }
        }
    }

    pub(super) fn add_to_message(&mut self, message: &Message, block: &Block<'a>) {
        let target = alloc::format!("BO_ {} ", block.id);
        if self.messages.get(block.position).is_some_and(|spelling| *spelling != message.name)
            && message.symbol.is_none()
        {
            let name = AttributeValue::Text(message.name.clone());
            self.add(
                "SystemMessageLongSymbol",
                AttributeObject::Message,
                AttributeType::Text,
                target.clone(),
                name,
            );
        }
        if let Some(time) = message.cycle_time
            && self.database.message_attribute(message, "GenMsgCycleTime").is_none()
        {
            let milliseconds = time.as_secs_f64() * 1000.0;
            let value = crate::number::whole(milliseconds)
                .map_or(AttributeValue::Float(milliseconds), AttributeValue::Integer);
            self.add(
                "GenMsgCycleTime",
                AttributeObject::Message,
                AttributeType::Float { min: 0.0, max: 0.0 },
                target.clone(),
                value,
            );
        }
        let says = self.database.message_attribute(message, "VFrameFormat").is_some();
        if message.is_j1939 != self.database.is_j1939_as_a_whole() && !says && message.id.is_extended() {
            let format = if message.is_j1939 { "J1939PG" } else { "ExtendedCAN" };
            self.add(
                "VFrameFormat",
                AttributeObject::Message,
                AttributeType::Text,
                target,
                AttributeValue::Text(format.into()),
            );
        }
    }

    pub(super) fn add(
        &mut self,
        name: &str,
        object: AttributeObject,
        kind: AttributeType,
        target: String,
        value: AttributeValue,
    ) {
        if !self.definitions.iter().any(|definition| definition.name == name && definition.object == object) {
            self.definitions.push(AttributeDefinition::new(name, object, kind));
        }
        self.added.push((name.into(), target, value));
    }
}

/// Defaults go by name alone, for all objects that have the attribute.
fn defaults(definitions: &[AttributeDefinition]) -> Vec<String> {
    let mut chosen: BTreeMap<(&str, &str), &AttributeDefinition> = BTreeMap::new();
    for definition in definitions.iter().filter(|definition| definition.default.is_some()) {
        let known = chosen.entry((object(definition.object).0, &definition.name)).or_insert(definition);
        // An index says more than the text that an enumeration makes of it.
        if matches!(known.kind, AttributeType::Enumeration(_)) {
            *known = definition;
        }
    }
    let is_chosen = |definition: &&AttributeDefinition| {
        chosen
            .get(&(object(definition.object).0, definition.name.as_str()))
            .is_some_and(|known| core::ptr::eq(*known, *definition))
    };
    let chosen = definitions.iter().filter(is_chosen);
    let lines = chosen.filter_map(|definition| {
        let statement = object(definition.object).0;
        Some(alloc::format!(
            "BA_DEF_DEF_{statement} {} {};",
            quoted(&definition.name),
            plain(definition.default.as_ref()?)
        ))
    });
    lines.collect()
}

/// The end of the keyword, and the object's own.
fn object(object: AttributeObject) -> (&'static str, &'static str) {
    match object {
        AttributeObject::Database => ("", ""),
        AttributeObject::Node => ("", "BU_ "),
        AttributeObject::Message => ("", "BO_ "),
        AttributeObject::Signal => ("", "SG_ "),
        AttributeObject::EnvironmentVariable => ("", "EV_ "),
        AttributeObject::NodeToEnvironmentVariable => ("REL_", "BU_EV_REL_ "),
        AttributeObject::NodeToMessage => ("REL_", "BU_BO_REL_ "),
        AttributeObject::NodeToSignal => ("REL_", "BU_SG_REL_ "),
    }
}
