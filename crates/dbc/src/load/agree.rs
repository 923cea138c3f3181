//! One statement as two readers have it, field by field.
//!
//! *Invariant:* nothing is allocated where they agree. Spellings that mean the same are alike: `-0` and `0`, a text with and without its
//! escapes, a node and the names that stand for none.
//! *Next:* `second.rs` (who asks).

use std::format;
use std::string::{String, ToString};

use can_dbc::{
    AttributeDefault, AttributeDefinition, AttributeValue, AttributeValueForRelation,
    AttributeValueForRelationType, AttributeValueType, ByteOrder, Comment, Dbc, EnvironmentVariableData,
    ExtendedMultiplex, Message, MessageId, MessageTransmitter, MultiplexIndicator, NumericValue, Signal,
    SignalExtendedValueType, SignalExtendedValueTypeList, SignalGroups, ValDescription, ValueDescription,
    ValueTable, ValueType,
};

use super::parse::is_nobody;
use super::statement::{
    AttributeLine, CommentLine, DefaultLine, DefinitionLine, EnvironmentDataLine, FloatLine, GroupLine,
    Label, MessageRef, MultiplexLine, SendersLine, SignalLine, Statements, Target,
};
use crate::CanId;
use crate::model::attribute::{AttributeObject, AttributeType, AttributeValue as Value};
use crate::model::signal::ByteOrder as Order;

/// Whether both readers say the same.
pub(super) type Said = Result<(), Unlike>;

/// Why two readings are not known to be alike.
#[derive(Debug)]
pub(super) enum Unlike {
    /// The second reader refuses the statement, or does not keep it.
    Once,
    /// The second reader takes this field for that.
    Other(&'static str, String),
}

/// The statement that was read last.
pub(super) fn last<T>(list: &[T]) -> Result<&T, Unlike> {
    list.last().ok_or(Unlike::Once)
}

pub(super) fn message(read: &Statements<'_>, theirs: &Message) -> Said {
    let ours = last(&read.messages)?;
    id(ours.id, theirs.id)?;
    same("name", ours.name, &theirs.name)?;
    whole("length", ours.length, theirs.size)?;
    same("sender", ours.sender.unwrap_or_default(), theirs.transmitter.as_deref().unwrap_or_default())?;
    holds("number of signals", ours.signals.len() == theirs.signals.len(), || theirs.signals.len())?;
    ours.signals.iter().zip(&theirs.signals).try_for_each(|(ours, theirs)| signal(read, ours, theirs))
}

fn signal(read: &Statements<'_>, ours: &SignalLine<'_>, theirs: &Signal) -> Said {
    same("signal", ours.name, &theirs.name)?;
    let mark = match theirs.multiplexer_indicator {
        MultiplexIndicator::Plain => (false, None),
        MultiplexIndicator::Multiplexor => (true, None),
        MultiplexIndicator::MultiplexedSignal(selector) => (false, Some(selector)),
        MultiplexIndicator::MultiplexorAndMultiplexedSignal(selector) => (true, Some(selector)),
    };
    holds("multiplexer mark", (ours.is_multiplexer, ours.selector) == mark, || {
        format!("{:?}", theirs.multiplexer_indicator)
    })?;
    whole("start bit", ours.start, theirs.start_bit)?;
    whole("length in bits", ours.length, theirs.size)?;
    let little = theirs.byte_order == ByteOrder::LittleEndian;
    holds("byte order", (ours.byte_order == Order::LittleEndian) == little, || {
        format!("{:?}", theirs.byte_order)
    })?;
    let signed = theirs.value_type == ValueType::Signed;
    holds("sign", ours.signed == signed, || format!("{:?}", theirs.value_type))?;
    number("factor", ours.factor, theirs.factor)?;
    number("offset", ours.offset, theirs.offset)?;
    let (min, max) = ours.range.unwrap_or((0.0, 0.0));
    number("smallest value", min, double(&theirs.min))?;
    number("largest value", max, double(&theirs.max))?;
    text("unit", &ours.unit, &theirs.unit)?;
    names("receivers", read.names(ours.receivers), &theirs.receivers)
}

pub(super) fn senders(ours: &SendersLine<'_>, theirs: &MessageTransmitter) -> Said {
    id(ours.id, theirs.message_id)?;
    names("senders", &ours.nodes, &theirs.transmitter)
}

pub(super) fn comment(ours: &CommentLine<'_>, theirs: &Comment) -> Said {
    let said = match (ours.target, theirs) {
        (Target::Database, Comment::Plain { comment }) => comment,
        (Target::Node(ours), Comment::Node { name, comment }) => {
            same("node", ours, name)?;
            comment
        }
        (Target::Message(ours), Comment::Message { id: theirs, comment }) => {
            id(ours, *theirs)?;
            comment
        }
        (Target::Signal(message, ours), Comment::Signal { message_id, name, comment }) => {
            id(message, *message_id)?;
            same("signal", ours, name)?;
            comment
        }
        (Target::EnvironmentVariable(ours), Comment::EnvVar { name, comment }) => {
            same("environment variable", ours, name)?;
            comment
        }
        _ => return other("object", format!("{theirs:?}")),
    };
    text("text", &ours.text, said)
}

pub(super) fn definition(ours: &DefinitionLine<'_>, theirs: &AttributeDefinition) -> Said {
    let (name, kind, same_object) = match theirs {
        AttributeDefinition::Plain(name, kind) => (name, kind, ours.object == AttributeObject::Database),
        AttributeDefinition::Node(name, kind) => (name, kind, ours.object == AttributeObject::Node),
        AttributeDefinition::Message(name, kind) => {
            (name, kind, matches!(ours.object, AttributeObject::Message | AttributeObject::NodeToMessage))
        }
        AttributeDefinition::Signal(name, kind) => {
            (name, kind, matches!(ours.object, AttributeObject::Signal | AttributeObject::NodeToSignal))
        }
        AttributeDefinition::EnvironmentVariable(name, kind) => {
            let object = ours.object;
            (
                name,
                kind,
                object == AttributeObject::EnvironmentVariable
                    || object == AttributeObject::NodeToEnvironmentVariable,
            )
        }
    };
    holds("object", same_object, || format!("{theirs:?}"))?;
    text("attribute", &ours.name, name)?;
    let alike = match (&ours.kind, kind) {
        (AttributeType::Integer { min, max }, AttributeValueType::Int(low, high))
        | (AttributeType::Hex { min, max }, AttributeValueType::Hex(low, high)) => {
            // A bound that is a fraction, or has more than 64 bits, is not a whole number there.
            integer(low).ok_or(Unlike::Once)? == i128::from(*min)
                && integer(high).ok_or(Unlike::Once)? == i128::from(*max)
        }
        (AttributeType::Float { min, max }, AttributeValueType::Float(low, high)) => {
            (*min, *max) == (double(low), double(high))
        }
        (AttributeType::Text, AttributeValueType::String) => true,
        (AttributeType::Enumeration(ours), AttributeValueType::Enum(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_text(ours, theirs))
        }
        _ => false,
    };
    holds("type", alike, || format!("{kind:?}"))
}

pub(super) fn default(ours: &DefaultLine<'_>, theirs: &AttributeDefault) -> Said {
    text("attribute", &ours.name, &theirs.name)?;
    value(&ours.value, &theirs.value)
}

/// One statement of five kinds, which the second reader keeps apart.
pub(super) fn attribute(ours: &AttributeLine<'_>, theirs: &Dbc) -> Said {
    let (name, said) = match ours.target {
        Target::Database => {
            let said = only(&theirs.attribute_values_database)?;
            (&said.name, &said.value)
        }
        Target::Node(node) => {
            let said = only(&theirs.attribute_values_node)?;
            same("node", node, &said.node_name)?;
            (&said.name, &said.value)
        }
        Target::Message(message) => {
            let said = only(&theirs.attribute_values_message)?;
            id(message, said.message_id)?;
            (&said.name, &said.value)
        }
        Target::Signal(message, signal) => {
            let said = only(&theirs.attribute_values_signal)?;
            id(message, said.message_id)?;
            same("signal", signal, &said.signal_name)?;
            (&said.name, &said.value)
        }
        Target::EnvironmentVariable(variable) => {
            let said = only(&theirs.attribute_values_env)?;
            same("environment variable", variable, &said.variable_name)?;
            (&said.name, &said.value)
        }
        _ => return Err(Unlike::Once),
    };
    text("attribute", &ours.name, name)?;
    value(&ours.value, said)
}

pub(super) fn relation(ours: &AttributeLine<'_>, theirs: &AttributeValueForRelation) -> Said {
    text("attribute", &ours.name, &theirs.name)?;
    match (ours.target, &theirs.details) {
        (
            Target::NodeToSignal(node, message, signal),
            AttributeValueForRelationType::NodeToSignal { node_name, message_id, signal_name, value: said },
        ) => {
            same("node", node, node_name)?;
            id(message, *message_id)?;
            same("signal", signal, signal_name)?;
            value(&ours.value, said)
        }
        (
            Target::NodeToMessage(node, message),
            AttributeValueForRelationType::NodeToMessage { node_name, message_id, value: said },
        ) => {
            same("node", node, node_name)?;
            id(message, *message_id)?;
            value(&ours.value, said)
        }
        _ => other("relation", format!("{:?}", theirs.details)),
    }
}

pub(super) fn labels_of(read: &Statements<'_>, theirs: &ValueDescription) -> Said {
    let ours = last(&read.labels)?;
    match (ours.target, theirs) {
        (
            Target::Signal(message, signal),
            ValueDescription::Signal { message_id, name, value_descriptions },
        ) => {
            id(message, *message_id)?;
            same("signal", signal, name)?;
            labels(read.entries(ours.labels), value_descriptions)
        }
        (
            Target::EnvironmentVariable(variable),
            ValueDescription::EnvironmentVariable { name, value_descriptions },
        ) => {
            same("environment variable", variable, name)?;
            labels(read.entries(ours.labels), value_descriptions)
        }
        _ => other("object", format!("{theirs:?}")),
    }
}

pub(super) fn table(read: &Statements<'_>, theirs: &ValueTable) -> Said {
    let ours = last(&read.tables)?;
    same("name", ours.name, &theirs.name)?;
    labels(read.entries(ours.labels), &theirs.descriptions)
}

pub(super) fn float(ours: &FloatLine<'_>, theirs: &SignalExtendedValueTypeList) -> Said {
    id(ours.id, theirs.message_id)?;
    same("signal", ours.signal, &theirs.signal_name)?;
    let kind: u32 = match theirs.signal_extended_value_type {
        SignalExtendedValueType::SignedOrUnsignedInteger => 0,
        SignalExtendedValueType::IEEEfloat32Bit => 1,
        SignalExtendedValueType::IEEEdouble64bit => 2,
    };
    whole("value type", ours.kind, kind.into())
}

pub(super) fn multiplexed(ours: &MultiplexLine<'_>, theirs: &ExtendedMultiplex) -> Said {
    id(ours.id, theirs.message_id)?;
    same("signal", ours.signal, &theirs.signal_name)?;
    same("multiplexer", ours.multiplexer, &theirs.multiplexor_signal_name)?;
    let ranges = theirs.mappings.iter().map(|range| (range.min_value, range.max_value));
    holds("multiplexer values", ranges.eq(ours.values.iter().copied()), || format!("{:?}", theirs.mappings))
}

pub(super) fn group(ours: &GroupLine<'_>, theirs: &SignalGroups) -> Said {
    id(ours.id, theirs.message_id)?;
    same("name", ours.name, &theirs.name)?;
    whole("repetitions", ours.repetitions, theirs.repetitions)?;
    names("signals", &ours.signals, &theirs.signal_names)
}

pub(super) fn environment_data(ours: &EnvironmentDataLine<'_>, theirs: &EnvironmentVariableData) -> Said {
    same("environment variable", ours.name, &theirs.env_var_name)?;
    whole("number of bytes", ours.length, theirs.data_size)
}

fn labels(ours: &[Label<'_>], theirs: &[ValDescription]) -> Said {
    let alike = ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(ours, theirs)| ours.0 == i128::from(theirs.id) && is_text(&ours.1, &theirs.description));
    holds("labels", alike, || format!("{theirs:?}"))
}

fn value(ours: &Value, theirs: &AttributeValue) -> Said {
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "a whole number may be written as a double"
    )]
    let alike = match (ours, theirs) {
        (Value::Integer(ours), AttributeValue::Uint(theirs)) => i128::from(*ours) == i128::from(*theirs),
        (Value::Integer(ours), AttributeValue::Int(theirs)) => ours == theirs,
        (Value::Integer(ours), AttributeValue::Double(theirs)) => *ours as f64 == *theirs,
        (Value::Float(ours), AttributeValue::Double(theirs)) => ours == theirs,
        (Value::Float(ours), AttributeValue::Uint(theirs)) => *ours == *theirs as f64,
        (Value::Float(ours), AttributeValue::Int(theirs)) => *ours == *theirs as f64,
        (Value::Text(ours), AttributeValue::String(theirs)) => is_text(ours, theirs),
        _ => false,
    };
    holds("value", alike, || format!("{theirs:?}"))
}

fn only<T>(list: &[T]) -> Result<&T, Unlike> {
    match list {
        [one] => Ok(one),
        _ => Err(Unlike::Once),
    }
}

/// The pseudo message of signals without a message has an id that the second reader cuts.
fn id(ours: MessageRef, theirs: MessageId) -> Said {
    let ours = ours.ok_or(Unlike::Once)?;
    holds("id", Some(ours) == CanId::from_dbc(theirs.raw()), || theirs.raw())
}

fn names(what: &'static str, ours: &[&str], theirs: &[String]) -> Said {
    let theirs = || theirs.iter().map(String::as_str).filter(|name| !is_nobody(name));
    holds(what, theirs().eq(ours.iter().copied()), || theirs().collect::<Vec<_>>().join(","))
}

fn whole(what: &'static str, ours: u32, theirs: u64) -> Said {
    holds(what, u64::from(ours) == theirs, || theirs)
}

#[expect(clippy::float_cmp, reason = "both have read the same digits")]
fn number(what: &'static str, ours: f64, theirs: f64) -> Said {
    holds(what, ours == theirs, || theirs)
}

fn same(what: &'static str, ours: &str, theirs: &str) -> Said {
    holds(what, ours == theirs, || theirs)
}

fn text(what: &'static str, ours: &str, theirs: &str) -> Said {
    holds(what, is_text(ours, theirs), || theirs)
}

/// Whether two texts differ in escapes alone, which the second reader keeps.
fn is_text(ours: &str, theirs: &str) -> bool {
    let plain = |byte: &u8| *byte != b'\\';
    ours == theirs || ours.bytes().filter(plain).eq(theirs.bytes().filter(plain))
}

fn integer(value: &NumericValue) -> Option<i128> {
    match value {
        NumericValue::Uint(value) => i64::try_from(*value).ok().map(i128::from),
        NumericValue::Int(value) => Some((*value).into()),
        NumericValue::Double(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "the first reader has doubles")]
fn double(value: &NumericValue) -> f64 {
    match value {
        NumericValue::Uint(value) => *value as f64,
        NumericValue::Int(value) => *value as f64,
        NumericValue::Double(value) => *value,
    }
}

fn holds<T: ToString>(what: &'static str, alike: bool, theirs: impl FnOnce() -> T) -> Said {
    if alike { Ok(()) } else { other(what, format!("`{}`", theirs().to_string())) }
}

#[cold]
fn other(what: &'static str, theirs: String) -> Said {
    Err(Unlike::Other(what, theirs))
}
