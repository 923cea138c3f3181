//! The statements of a DBC file, section by section; here the head, and the messages with their signals.
//!
//! *Invariant:* sections come in the order that the format has.
//! *Next:* `describe.rs` and `attributes.rs` (the other sections), `names.rs` (spellings of names), `spell.rs` (of texts and numbers).

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::names::{is_word, spellings, word_of};
use super::spell::{labels, number, quoted};
use crate::model::attribute::{AttributeDefinition, AttributeValue};
use crate::model::signal::{ByteOrder, Signal};
use crate::{Database, Message};

/// The pseudo message that holds signals of no message.
const INDEPENDENT: u32 = 0xC000_0000;
const NOBODY: &str = "Vector__XXX";

/// Writes one database.
pub(super) struct Writer<'a> {
    pub(super) database: &'a Database,
    pub(super) out: String,
    pub(super) nodes: BTreeMap<&'a str, Cow<'a, str>>,
    pub(super) messages: Vec<Cow<'a, str>>,
    /// Spellings of the signals of each message, the signals without a message last.
    pub(super) signals: Vec<Vec<Cow<'a, str>>>,
    pub(super) definitions: Vec<AttributeDefinition>,
    /// Attribute values that only the file needs.
    pub(super) added: Vec<(String, String, AttributeValue)>,
}

/// One message, or the pseudo message.
pub(super) struct Block<'a> {
    pub(super) id: u32,
    pub(super) signals: &'a [Signal],
    pub(super) position: usize,
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

    pub(super) fn line(&mut self, text: core::fmt::Arguments<'_>) {
        // A `String` takes whatever is written.
        let _ = writeln!(self.out, "{text}");
    }

    pub(super) fn node(&self, name: &str) -> String {
        match self.nodes.get(name) {
            Some(spelling) => spelling.clone().into_owned(),
            None if is_word(name) => name.into(),
            None => word_of(name),
        }
    }

    pub(super) fn list(&self, nodes: &[String], between: &str) -> String {
        if nodes.is_empty() {
            return NOBODY.into();
        }
        nodes.iter().map(|node| self.node(node)).collect::<Vec<_>>().join(between)
    }

    /// The messages and then the pseudo message.
    pub(super) fn blocks(&self) -> Vec<Block<'a>> {
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
    pub(super) fn signals(&self, block: &Block<'a>) -> Vec<(Cow<'a, str>, &'a Signal)> {
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
pub(super) fn is_extended(signal: &Signal, plain: Option<&str>) -> bool {
    signal.multiplexed.as_ref().is_some_and(|multiplexed| {
        let one = matches!(multiplexed.values.as_slice(), [(from, to)] if from == to);
        !one || plain != Some(&multiplexed.multiplexer) || signal.name == multiplexed.multiplexer
    })
}
