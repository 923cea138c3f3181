//! Every sound statement is read a second time, by `can-dbc`, and the two readings must say the same.
//!
//! *Invariant:* the one file that names `can-dbc`. A statement that needed repair, or that `can-dbc` refuses or does not keep,
//! counts as read once; where both read it and differ, the text's own reading stands and a diagnostic says so.
//! *Next:* `parse.rs` (the first reading), `assemble.rs` (what is made of it).

use std::fmt::Write as _;

use can_dbc::{
    AttributeDefinition, AttributeValue, AttributeValueType, ByteOrder, Comment, Dbc, Message, MessageId,
    MultiplexIndicator, NumericValue, Signal, SignalExtendedValueType, ValDescription, ValueDescription,
    ValueType,
};

use super::diagnostic::{Code, Diagnostics, Place, Severity};
use super::statement::{Labels, MessageLine, MessageRef, SignalLine, Statements, Target};
use crate::CanId;
use crate::model::attribute::{AttributeObject, AttributeType, AttributeValue as Value};
use crate::model::signal::ByteOrder as Order;

/// A longer statement is read once: a second reader's tree must not make memory a multiple of a hostile file.
const MAX_STATEMENT: usize = 1 << 20;

/// The second reader, which follows the first from statement to statement.
#[derive(Debug, Default)]
pub(super) struct SecondReader {
    /// The message that is being read: where it begins, and whether it is sound so far.
    message: Option<(Place, bool)>,
    first: String,
    second: String,
    agreed: usize,
}

impl SecondReader {
    /// Follows one statement: `text` from its keyword to its end, which the first reader has put into `read`.
    pub(super) fn statement(
        &mut self,
        (word, place): (&str, Place),
        sound: bool,
        text: &str,
        read: &Statements<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        match word {
            "SG_" => {
                if let Some((_, all)) = &mut self.message {
                    *all &= sound;
                }
            }
            // A message is compared with its signals, when the statement after them has begun.
            "BO_" => self.message = Some((place, sound)),
            _ if sound => self.compare(word, place, text, read, diagnostics),
            _ => {}
        }
    }

    /// Compares the message that is being read, now that `text` holds all of it.
    pub(super) fn message_ends(
        &mut self,
        text: &str,
        end: Place,
        read: &Statements<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        if let Some((begin, true)) = self.message.take()
            && let Some(message) = text.get(begin.0..end.0)
        {
            self.compare("BO_", begin, message, read, diagnostics);
        }
    }

    /// How many statements both readers have read alike.
    pub(super) fn agreed(&self) -> usize {
        self.agreed
    }

    /// Whether a message is being read.
    pub(super) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    fn compare(
        &mut self,
        word: &str,
        place: Place,
        text: &str,
        read: &Statements<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        self.first.clear();
        self.second.clear();
        if text.len() > MAX_STATEMENT || first(word, read, &mut self.first).is_none() {
            return;
        }
        let Ok(dbc) = Dbc::try_from(text) else { return };
        if second(word, &dbc, &mut self.second).is_none() {
            return;
        }
        if self.first == self.second {
            self.agreed += 1;
            return;
        }
        let line = text.lines().next().unwrap_or_default();
        let action =
            format!("kept as the text says it: a second reader takes it for `{}`", self.second.trim());
        diagnostics.report(Code::ReadersDisagree, Severity::Notice, place, line, action);
    }
}

/// What the first reading says of the last statement; `None` where the second reader cannot say it.
fn first(word: &str, read: &Statements<'_>, out: &mut String) -> Option<()> {
    match word {
        "BO_" => first_message(read.messages.last()?, out),
        "BO_TX_BU_" => {
            let line = read.senders.last()?;
            id(line.id, out)?;
            line.nodes.iter().for_each(|node| say(out, node));
            Some(())
        }
        "CM_" => {
            let line = read.comments.last()?;
            first_target(line.target, out)?;
            text(&line.text, out)
        }
        "BA_DEF_" => {
            let line = read.definitions.last()?;
            say(out, first_object(line.object)?);
            text(&line.name, out)?;
            first_type(&line.kind, out)
        }
        "BA_DEF_DEF_" => {
            let line = read.defaults.last()?;
            text(&line.name, out)?;
            first_value(&line.value, out)
        }
        "BA_" => {
            let line = read.attributes.last()?;
            text(&line.name, out)?;
            first_target(line.target, out)?;
            first_value(&line.value, out)
        }
        "VAL_" => {
            let line = read.labels.last()?;
            first_target(line.target, out)?;
            first_labels(&line.labels, out)
        }
        "VAL_TABLE_" => {
            let line = read.tables.last()?;
            say(out, line.name);
            first_labels(&line.labels, out)
        }
        "SIG_VALTYPE_" => {
            let line = read.floats.last()?;
            id(line.id, out)?;
            say(out, line.signal);
            number(f64::from(line.kind), out)
        }
        "SG_MUL_VAL_" => {
            let line = read.multiplexed.last()?;
            id(line.id, out)?;
            say(out, line.signal);
            say(out, line.multiplexer);
            line.values.iter().for_each(|(low, high)| say(out, &format!("{low}-{high}")));
            Some(())
        }
        "SIG_GROUP_" => {
            let line = read.groups.last()?;
            id(line.id, out)?;
            say(out, line.name);
            number(f64::from(line.repetitions), out)?;
            line.signals.iter().for_each(|signal| say(out, signal));
            Some(())
        }
        _ => None,
    }
}

fn first_message(line: &MessageLine<'_>, out: &mut String) -> Option<()> {
    id(line.id, out)?;
    say(out, line.name);
    number(f64::from(line.length), out)?;
    say(out, line.sender.unwrap_or("-"));
    line.signals.iter().try_for_each(|signal| first_signal(signal, out))
}

fn first_signal(line: &SignalLine<'_>, out: &mut String) -> Option<()> {
    say(out, "SG_");
    say(out, line.name);
    say(out, if line.is_multiplexer { "M" } else { "-" });
    say(out, &line.selector.map_or_else(|| "-".to_owned(), |selector| selector.to_string()));
    number(f64::from(line.start), out)?;
    number(f64::from(line.length), out)?;
    say(out, if line.byte_order == Order::LittleEndian { "1" } else { "0" });
    say(out, if line.signed { "-" } else { "+" });
    let (min, max) = line.range.unwrap_or((0.0, 0.0));
    [line.factor, line.offset, min, max].into_iter().try_for_each(|value| number(value, out))?;
    text(&line.unit, out)?;
    line.receivers.iter().for_each(|receiver| say(out, receiver));
    Some(())
}

fn first_target(target: Target<'_>, out: &mut String) -> Option<()> {
    match target {
        Target::Database => Some(()),
        Target::Node(name) => {
            say(out, "BU_");
            say(out, name);
            Some(())
        }
        Target::Message(message) => id(message, out),
        Target::Signal(message, name) => {
            id(message, out)?;
            say(out, name);
            Some(())
        }
        Target::EnvironmentVariable(name) => {
            say(out, "EV_");
            say(out, name);
            Some(())
        }
        Target::NodeToEnvironmentVariable(..) | Target::NodeToMessage(..) | Target::NodeToSignal(..) => None,
    }
}

fn first_object(object: AttributeObject) -> Option<&'static str> {
    match object {
        AttributeObject::Database => Some("-"),
        AttributeObject::Node => Some("BU_"),
        AttributeObject::Message => Some("BO_"),
        AttributeObject::Signal => Some("SG_"),
        AttributeObject::EnvironmentVariable => Some("EV_"),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "both readings are compared as doubles")]
fn first_type(kind: &AttributeType, out: &mut String) -> Option<()> {
    let (name, bounds) = match kind {
        AttributeType::Integer { min, max } => ("INT", [*min as f64, *max as f64]),
        AttributeType::Hex { min, max } => ("HEX", [*min as f64, *max as f64]),
        AttributeType::Float { min, max } => ("FLOAT", [*min, *max]),
        AttributeType::Text => {
            say(out, "STRING");
            return Some(());
        }
        AttributeType::Enumeration(texts) => {
            say(out, "ENUM");
            return texts.iter().try_for_each(|label| text(label, out));
        }
    };
    say(out, name);
    bounds.into_iter().try_for_each(|bound| number(bound, out))
}

#[expect(clippy::cast_precision_loss, reason = "both readings are compared as doubles")]
fn first_value(value: &Value, out: &mut String) -> Option<()> {
    match value {
        Value::Integer(value) => number(*value as f64, out),
        Value::Float(value) => number(*value, out),
        Value::Text(value) => text(value, out),
    }
}

fn first_labels(labels: &Labels<'_>, out: &mut String) -> Option<()> {
    labels.iter().try_for_each(|(value, label)| {
        say(out, &value.to_string());
        text(label, out)
    })
}

/// What the second reading says of the one statement that it was given; `None` where it does not keep it.
fn second(word: &str, dbc: &Dbc, out: &mut String) -> Option<()> {
    match word {
        "BO_" => second_message(only(&dbc.messages)?, out),
        "BO_TX_BU_" => {
            let line = only(&dbc.message_transmitters)?;
            second_id(line.message_id, out)?;
            let nodes = line.transmitter.iter().filter(|node| !super::parse::is_nobody(node));
            nodes.for_each(|node| say(out, node));
            Some(())
        }
        "CM_" => second_comment(only(&dbc.comments)?, out),
        "BA_DEF_" => second_definition(only(&dbc.attribute_definitions)?, out),
        "BA_DEF_DEF_" => {
            let line = only(&dbc.attribute_defaults)?;
            text(&line.name, out)?;
            second_value(&line.value, out)
        }
        "BA_" => second_attribute(dbc, out),
        "VAL_" => match only(&dbc.value_descriptions)? {
            ValueDescription::Signal { message_id, name, value_descriptions } => {
                second_id(*message_id, out)?;
                say(out, name);
                second_labels(value_descriptions, out)
            }
            ValueDescription::EnvironmentVariable { name, value_descriptions } => {
                say(out, "EV_");
                say(out, name);
                second_labels(value_descriptions, out)
            }
        },
        "VAL_TABLE_" => {
            let line = only(&dbc.value_tables)?;
            say(out, &line.name);
            second_labels(&line.descriptions, out)
        }
        "SIG_VALTYPE_" => {
            let line = only(&dbc.signal_extended_value_type_list)?;
            second_id(line.message_id, out)?;
            say(out, &line.signal_name);
            say(
                out,
                match line.signal_extended_value_type {
                    SignalExtendedValueType::SignedOrUnsignedInteger => "0",
                    SignalExtendedValueType::IEEEfloat32Bit => "1",
                    SignalExtendedValueType::IEEEdouble64bit => "2",
                },
            );
            Some(())
        }
        "SG_MUL_VAL_" => {
            let line = only(&dbc.extended_multiplex)?;
            second_id(line.message_id, out)?;
            say(out, &line.signal_name);
            say(out, &line.multiplexor_signal_name);
            let ranges = line.mappings.iter();
            ranges.for_each(|range| say(out, &format!("{}-{}", range.min_value, range.max_value)));
            Some(())
        }
        "SIG_GROUP_" => {
            let line = only(&dbc.signal_groups)?;
            second_id(line.message_id, out)?;
            say(out, &line.name);
            say(out, &line.repetitions.to_string());
            line.signal_names.iter().for_each(|signal| say(out, signal));
            Some(())
        }
        _ => None,
    }
}

fn only<T>(list: &[T]) -> Option<&T> {
    match list {
        [one] => Some(one),
        _ => None,
    }
}

fn second_message(message: &Message, out: &mut String) -> Option<()> {
    second_id(message.id, out)?;
    say(out, &message.name);
    say(out, &message.size.to_string());
    say(out, message.transmitter.as_deref().unwrap_or("-"));
    message.signals.iter().try_for_each(|signal| second_signal(signal, out))
}

fn second_signal(signal: &Signal, out: &mut String) -> Option<()> {
    say(out, "SG_");
    say(out, &signal.name);
    let (multiplexer, selector) = match signal.multiplexer_indicator {
        MultiplexIndicator::Plain => ("-", None),
        MultiplexIndicator::Multiplexor => ("M", None),
        MultiplexIndicator::MultiplexedSignal(selector) => ("-", Some(selector)),
        MultiplexIndicator::MultiplexorAndMultiplexedSignal(selector) => ("M", Some(selector)),
    };
    say(out, multiplexer);
    say(out, &selector.map_or_else(|| "-".to_owned(), |selector| selector.to_string()));
    say(out, &signal.start_bit.to_string());
    say(out, &signal.size.to_string());
    say(out, if signal.byte_order == ByteOrder::LittleEndian { "1" } else { "0" });
    say(out, if signal.value_type == ValueType::Signed { "-" } else { "+" });
    let (min, max) = (double(&signal.min), double(&signal.max));
    [signal.factor, signal.offset, min, max].into_iter().try_for_each(|value| number(value, out))?;
    text(&signal.unit, out)?;
    signal.receivers.iter().for_each(|receiver| say(out, receiver));
    Some(())
}

fn second_comment(comment: &Comment, out: &mut String) -> Option<()> {
    let comment = match comment {
        Comment::Plain { comment } => comment,
        Comment::Node { name, comment } => {
            say(out, "BU_");
            say(out, name);
            comment
        }
        Comment::Message { id, comment } => {
            second_id(*id, out)?;
            comment
        }
        Comment::Signal { message_id, name, comment } => {
            second_id(*message_id, out)?;
            say(out, name);
            comment
        }
        Comment::EnvVar { name, comment } => {
            say(out, "EV_");
            say(out, name);
            comment
        }
    };
    text(comment, out)
}

fn second_definition(definition: &AttributeDefinition, out: &mut String) -> Option<()> {
    let (object, name, kind) = match definition {
        AttributeDefinition::Plain(name, kind) => ("-", name, kind),
        AttributeDefinition::Node(name, kind) => ("BU_", name, kind),
        AttributeDefinition::Message(name, kind) => ("BO_", name, kind),
        AttributeDefinition::Signal(name, kind) => ("SG_", name, kind),
        AttributeDefinition::EnvironmentVariable(name, kind) => ("EV_", name, kind),
    };
    say(out, object);
    text(name, out)?;
    let (name, bounds) = match kind {
        AttributeValueType::Int(min, max) => ("INT", [whole(min)?, whole(max)?]),
        AttributeValueType::Hex(min, max) => ("HEX", [whole(min)?, whole(max)?]),
        AttributeValueType::Float(min, max) => ("FLOAT", [double(min), double(max)]),
        AttributeValueType::String => {
            say(out, "STRING");
            return Some(());
        }
        AttributeValueType::Enum(texts) => {
            say(out, "ENUM");
            return texts.iter().try_for_each(|label| text(label, out));
        }
    };
    say(out, name);
    bounds.into_iter().try_for_each(|bound| number(bound, out))
}

fn second_attribute(dbc: &Dbc, out: &mut String) -> Option<()> {
    if let Some(line) = only(&dbc.attribute_values_database) {
        text(&line.name, out)?;
        return second_value(&line.value, out);
    }
    if let Some(line) = only(&dbc.attribute_values_node) {
        text(&line.name, out)?;
        say(out, "BU_");
        say(out, &line.node_name);
        return second_value(&line.value, out);
    }
    if let Some(line) = only(&dbc.attribute_values_message) {
        text(&line.name, out)?;
        second_id(line.message_id, out)?;
        return second_value(&line.value, out);
    }
    if let Some(line) = only(&dbc.attribute_values_signal) {
        text(&line.name, out)?;
        second_id(line.message_id, out)?;
        say(out, &line.signal_name);
        return second_value(&line.value, out);
    }
    let line = only(&dbc.attribute_values_env)?;
    text(&line.name, out)?;
    say(out, "EV_");
    say(out, &line.variable_name);
    second_value(&line.value, out)
}

#[expect(clippy::cast_precision_loss, reason = "both readings are compared as doubles")]
fn second_value(value: &AttributeValue, out: &mut String) -> Option<()> {
    match value {
        AttributeValue::Uint(value) => number(*value as f64, out),
        AttributeValue::Int(value) => number(*value as f64, out),
        AttributeValue::Double(value) => number(*value, out),
        AttributeValue::String(value) => text(value, out),
    }
}

fn second_labels(labels: &[ValDescription], out: &mut String) -> Option<()> {
    labels.iter().try_for_each(|label| {
        say(out, &label.id.to_string());
        text(&label.description, out)
    })
}

/// A bound of a whole-number attribute; `None` where the second reader has a fraction or more than 64 bits.
fn whole(value: &NumericValue) -> Option<f64> {
    match value {
        NumericValue::Double(_) => None,
        NumericValue::Uint(value) => {
            i64::try_from(*value).is_ok().then(|| double(&NumericValue::Uint(*value)))
        }
        NumericValue::Int(_) => Some(double(value)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "both readings are compared as doubles")]
fn double(value: &NumericValue) -> f64 {
    match value {
        NumericValue::Uint(value) => *value as f64,
        NumericValue::Int(value) => *value as f64,
        NumericValue::Double(value) => *value,
    }
}

fn second_id(message: MessageId, out: &mut String) -> Option<()> {
    id(CanId::from_dbc(message.raw()), out)
}

/// The pseudo message of signals without a message has an id that the second reader cuts.
fn id(message: MessageRef, out: &mut String) -> Option<()> {
    say(out, &message?.to_dbc().to_string());
    Some(())
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in chains with those that can fail")]
fn number(value: f64, out: &mut String) -> Option<()> {
    // Zero has no sign here: `-0` is a spelling.
    say(out, &(value + 0.0).to_string());
    Some(())
}

/// A text without its escapes, which the second reader keeps.
#[expect(clippy::unnecessary_wraps, reason = "it stands in chains with those that can fail")]
fn text(value: &str, out: &mut String) -> Option<()> {
    let _ = write!(out, " {:?}", value.replace('\\', ""));
    Some(())
}

fn say(out: &mut String, word: &str) {
    out.push(' ');
    out.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// Gives the second reader another text than the first has read.
    fn compared(word: &str, read: &str, again: &str) -> (usize, usize) {
        let (mut first, mut diagnostics) = (Diagnostics::default(), Diagnostics::default());
        let (read, _) = parse::parse(read, &mut first).expect("a statement");
        assert_eq!(first.count(), 0);
        diagnostics.begin(again);
        let mut second = SecondReader::default();
        second.compare(word, Place(0), again, &read, &mut diagnostics);
        (second.agreed(), diagnostics.count())
    }

    #[test]
    fn each_kind_is_read_twice_and_a_difference_is_shown() {
        for (word, statement, other) in [
            (
                "BO_",
                "BO_ 1 X: 8 A\n SG_ S m2 : 0|8@1+ (1,0) [0|9] \"V\" A\n",
                "BO_ 1 X: 8 A\n SG_ S m3 : 0|8@1+ (1,0) [0|9] \"V\" A\n",
            ),
            (
                "BO_",
                "BO_ 1 X: 8 A\n SG_ S : 7|8@0- (1,0) [0|9] \"V\" A\n",
                "BO_ 1 X: 8 A\n SG_ S : 7|8@0+ (1,0) [0|9] \"V\" A\n",
            ),
            ("BO_TX_BU_", "BO_TX_BU_ 1 : A,B;\n", "BO_TX_BU_ 1 : A;\n"),
            ("CM_", "CM_ SG_ 1 S \"a\";\n", "CM_ SG_ 1 T \"a\";\n"),
            ("CM_", "CM_ BO_ 1 \"a\";\n", "CM_ BO_ 1 \"b\";\n"),
            ("BA_DEF_", "BA_DEF_ BO_ \"C\" INT 0 10;\n", "BA_DEF_ BO_ \"C\" INT 0 11;\n"),
            ("BA_DEF_DEF_", "BA_DEF_DEF_ \"C\" 5;\n", "BA_DEF_DEF_ \"C\" 6;\n"),
            ("BA_", "BA_ \"C\" BO_ 2147483650 5;\n", "BA_ \"C\" BO_ 2147483651 5;\n"),
            ("VAL_", "VAL_ 1 S 1 \"a\" 0 \"b\" ;\n", "VAL_ 1 S 1 \"a\" 2 \"b\" ;\n"),
            ("VAL_TABLE_", "VAL_TABLE_ T 1 \"a\" ;\n", "VAL_TABLE_ U 1 \"a\" ;\n"),
            ("SIG_VALTYPE_", "SIG_VALTYPE_ 1 S : 1;\n", "SIG_VALTYPE_ 1 S : 2;\n"),
            ("SG_MUL_VAL_", "SG_MUL_VAL_ 1 S M 1-2, 4-4;\n", "SG_MUL_VAL_ 1 S M 1-2, 5-5;\n"),
            ("SIG_GROUP_", "SIG_GROUP_ 1 G 1 : S T;\n", "SIG_GROUP_ 1 G 1 : S;\n"),
        ] {
            assert_eq!(compared(word, statement, statement), (1, 0), "{statement}");
            assert_eq!(compared(word, statement, other), (0, 1), "{other}");
        }
    }

    #[test]
    fn what_the_second_reader_refuses_counts_as_read_once() {
        assert_eq!(compared("VAL_", "VAL_ 1 S 1 \"a\" ;\n", "VAL_ 1 S one \"a\" ;\n"), (0, 0));
    }
}
