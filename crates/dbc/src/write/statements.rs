//! The statements of a DBC file, section by section.
//!
//! *Invariant:* numbers are written so that they read back the same; texts escape their quotes.
//! *Next:* `../write.rs` (the call), `names.rs` (spellings).

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::names::{is_word, spellings, word_of};
use crate::model::attribute::{
    AttributeDefinition, AttributeObject, AttributeType, AttributeValue, Attributes,
};
use crate::model::choices::Choices;
use crate::model::extra::RelationTarget;
use crate::model::signal::{ByteOrder, Signal, ValueType};
use crate::{CanId, Database, Message, Raw};

/// The pseudo message that holds signals of no message.
const INDEPENDENT: u32 = 0xC000_0000;
const NOBODY: &str = "Vector__XXX";
/// Strings end where a quote follows, so a text cannot end with the character that escapes one.
const ESCAPE: char = '\\';

/// Writes one database.
pub(super) struct Writer<'a> {
    database: &'a Database,
    out: String,
    nodes: BTreeMap<&'a str, Cow<'a, str>>,
    messages: Vec<Cow<'a, str>>,
    /// Spellings of the signals of each message, the signals without a message last.
    signals: Vec<Vec<Cow<'a, str>>>,
    definitions: Vec<AttributeDefinition>,
    /// Attribute values that only the file needs.
    added: Vec<(String, String, AttributeValue)>,
}

/// One message, or the pseudo message.
struct Block<'a> {
    id: u32,
    signals: &'a [Signal],
    position: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(database: &'a Database) -> Self {
        let nodes = database.nodes();
        let spelled = spellings(nodes.iter().map(|node| (node.name.as_str(), node.symbol.as_deref(), false)));
        let messages = database.messages();
        let mut signals: Vec<_> = messages.iter().map(|message| spellings_of(&message.signals)).collect();
        signals.push(spellings_of(database.independent_signals()));
        Self {
            database,
            out: String::new(),
            nodes: nodes.iter().map(|node| node.name.as_str()).zip(spelled).collect(),
            messages: spellings(
                messages.iter().map(|message| (message.name.as_str(), message.symbol.as_deref(), false)),
            ),
            signals,
            definitions: database.attribute_definitions().to_vec(),
            added: Vec::new(),
        }
    }

    pub(super) fn write(mut self) -> String {
        self.add_attributes();
        self.header();
        self.messages();
        self.environment();
        self.comments();
        self.attributes();
        self.labels();
        self.signal_details();
        for statement in self.database.other_statements() {
            self.line(format_args!("{statement}"));
        }
        self.out
    }

    fn line(&mut self, text: core::fmt::Arguments<'_>) {
        // A `String` takes whatever is written.
        let _ = writeln!(self.out, "{text}");
    }

    fn node(&self, name: &str) -> String {
        match self.nodes.get(name) {
            Some(spelling) => spelling.clone().into_owned(),
            None if is_word(name) => name.into(),
            None => word_of(name),
        }
    }

    fn list(&self, nodes: &[String], between: &str) -> String {
        if nodes.is_empty() {
            return NOBODY.into();
        }
        nodes.iter().map(|node| self.node(node)).collect::<Vec<_>>().join(between)
    }

    /// The messages and then the pseudo message.
    fn blocks(&self) -> Vec<Block<'a>> {
        let messages = self.database.messages();
        let blocks = messages.iter().enumerate().map(|(position, message)| Block {
            id: message.id.to_dbc(),
            signals: &message.signals,
            position,
        });
        let independent =
            Block { id: INDEPENDENT, signals: self.database.independent_signals(), position: messages.len() };
        blocks.chain((!independent.signals.is_empty()).then_some(independent)).collect()
    }

    /// Signals with their spelling.
    fn signals(&self, block: &Block<'a>) -> Vec<(Cow<'a, str>, &'a Signal)> {
        let spellings = self.signals.get(block.position).into_iter().flatten().cloned();
        spellings.zip(block.signals).collect()
    }

    fn header(&mut self) {
        let database = self.database;
        self.line(format_args!("VERSION {}\n", quoted(database.version())));
        self.line(format_args!("NS_ :"));
        for symbol in database.new_symbols() {
            self.line(format_args!("\t{symbol}"));
        }
        self.line(format_args!(
            "\nBS_:{}{}\n",
            if database.bit_timing().is_empty() { "" } else { " " },
            database.bit_timing()
        ));
        let nodes: Vec<String> = database.nodes().iter().map(|node| self.node(&node.name)).collect();
        self.line(format_args!("BU_: {}\n", nodes.join(" ")));
        for table in database.value_tables() {
            self.line(format_args!("VAL_TABLE_ {} {};", table.name(), labels(table.choices())));
        }
    }

    fn messages(&mut self) {
        for block in self.blocks() {
            let message = self.database.messages().get(block.position);
            let name = self
                .messages
                .get(block.position)
                .cloned()
                .unwrap_or(Cow::Borrowed("VECTOR__INDEPENDENT_SIG_MSG"));
            let sender = message
                .and_then(|message| message.senders.first())
                .map_or_else(|| NOBODY.into(), |sender| self.node(sender));
            self.line(format_args!(
                "BO_ {} {name}: {} {sender}",
                block.id,
                message.map_or(0, Message::length)
            ));
            for (spelling, signal) in self.signals(&block) {
                let text = self.signal(&spelling, signal);
                self.line(format_args!("{text}"));
            }
            self.out.push('\n');
        }
        for message in self.database.messages().iter().filter(|message| message.senders.len() > 1) {
            let senders = self.list(&message.senders, ",");
            self.line(format_args!("BO_TX_BU_ {} : {senders};", message.id.to_dbc()));
        }
    }

    fn signal(&self, spelling: &str, signal: &Signal) -> String {
        let mark = match &signal.multiplexed {
            Some(multiplexed) => {
                let value = multiplexed.values.first().map_or(0, |range| range.0);
                alloc::format!("m{value}{} ", if signal.is_multiplexer { "M" } else { "" })
            }
            None if signal.is_multiplexer => "M ".into(),
            None => String::new(),
        };
        let order = i32::from(signal.byte_order == ByteOrder::LittleEndian);
        let sign = if signal.marked_signed { '-' } else { '+' };
        let (min, max) = signal.range.unwrap_or((0.0, 0.0));
        alloc::format!(
            " SG_ {spelling} {mark}: {}|{}@{order}{sign} ({},{}) [{}|{}] {} {}",
            signal.start,
            signal.length,
            number(signal.factor),
            number(signal.offset),
            number(min),
            number(max),
            quoted(&signal.unit),
            self.list(&signal.receivers, ",")
        )
    }

    fn environment(&mut self) {
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

    fn comments(&mut self) {
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

    fn attributes(&mut self) {
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
    fn signal_of(&self, id: CanId, name: &str) -> String {
        let found =
            self.database.messages().iter().zip(&self.signals).filter(|(message, _)| message.id == id);
        let mut spellings =
            found.filter_map(|(message, spellings)| spellings.get(message.signal_index(name)?.position()));
        spellings.next().map_or_else(|| word_of(name), |spelling| spelling.clone().into_owned())
    }

    fn labels(&mut self) {
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

    fn signal_details(&mut self) {
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

    /// What the model knows and no attribute says: long names, cycle times, start values, J1939.
    fn add_attributes(&mut self) {
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

    fn add_to_message(&mut self, message: &Message, block: &Block<'a>) {
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

    fn add(
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

/// The spellings of a message's signals. Statements find the first signal of a name, so another one that needs some gets a spelling of its own.
fn spellings_of(signals: &[Signal]) -> Vec<Cow<'_, str>> {
    let mut seen = BTreeSet::new();
    let plain = plain_multiplexer(signals);
    let names = signals.iter().map(|signal| {
        let spelling = signal.symbol.as_deref().unwrap_or(&signal.name);
        let described =
            signal.comment.is_some() || !signal.attributes.is_empty() || !signal.choices.is_empty();
        let needs = described || signal.value_type.is_float() || is_extended(signal, plain);
        (signal.name.as_str(), signal.symbol.as_deref(), !seen.insert(spelling) && needs)
    });
    spellings(names)
}

/// The multiplexer that a plain mark means.
fn plain_multiplexer(signals: &[Signal]) -> Option<&str> {
    let plain = signals.iter().find(|signal| signal.is_multiplexer && signal.multiplexed.is_none());
    plain.or_else(|| signals.iter().find(|signal| signal.is_multiplexer)).map(|signal| signal.name.as_str())
}

/// Whether a plain mark does not say when the signal is present.
fn is_extended(signal: &Signal, plain: Option<&str>) -> bool {
    signal.multiplexed.as_ref().is_some_and(|multiplexed| {
        let one = matches!(multiplexed.values.as_slice(), [(from, to)] if from == to);
        !one || plain != Some(&multiplexed.multiplexer) || signal.name == multiplexed.multiplexer
    })
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

fn kind(kind: &AttributeType) -> String {
    match kind {
        AttributeType::Integer { min, max } => alloc::format!("INT {min} {max}"),
        AttributeType::Hex { min, max } => alloc::format!("HEX {min} {max}"),
        AttributeType::Float { min, max } => alloc::format!("FLOAT {} {}", number(*min), number(*max)),
        AttributeType::Text => "STRING".into(),
        AttributeType::Enumeration(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            alloc::format!("ENUM {}", texts.join(","))
        }
    }
}

/// A value as `BA_` writes it: an enumeration by its index.
fn value_of(definition: Option<&AttributeDefinition>, value: &AttributeValue) -> String {
    if let (Some(AttributeType::Enumeration(texts)), AttributeValue::Text(text)) =
        (definition.map(AttributeDefinition::kind), value)
        && let Some(index) = texts.iter().position(|known| known == text)
    {
        return alloc::format!("{index}");
    }
    plain(value)
}

fn plain(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Integer(value) => alloc::format!("{value}"),
        AttributeValue::Float(value) => {
            let text = number(*value);
            if text.contains(['.', 'e']) { text } else { text + ".0" }
        }
        AttributeValue::Text(text) => quoted(text),
    }
}

fn labels(choices: &Choices) -> String {
    let entries: Vec<String> =
        choices.iter().map(|(value, label)| alloc::format!("{value} {}", quoted(label))).collect();
    entries.join(" ")
}

fn quoted(text: &str) -> String {
    let space = if text.ends_with(ESCAPE) { " " } else { "" };
    alloc::format!("\"{}{space}\"", text.replace('"', "\\\""))
}

/// A number that reads back the same; what is infinite is written too large.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "1e999" } else { "-1e999" }.into();
    }
    let plain = alloc::format!("{value}");
    if plain.len() > 24 { alloc::format!("{value:e}") } else { plain }
}
