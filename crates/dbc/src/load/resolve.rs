//! The usual attributes become what they mean: cycle times, start values, suspect parameters, J1939.
//!
//! *Invariant:* nothing is guessed from a name of a signal or a message. An attribute's default counts as if it were set, but for special values, where a
//! default would speak of every signal.
//! *Next:* `special.rs` (values that stand for none), `finish.rs` (who asks).

use core::time::Duration;

use super::special;
use crate::model::attribute::{AttributeObject, AttributeValue, Attributes};
use crate::model::signal::{Signal, ValueType};
use crate::{CanId, Raw};

/// What the definitions of a database say of the usual attributes.
#[derive(Debug)]
pub(super) struct Usual<'a> {
    cycle_time: Option<&'a AttributeValue>,
    frame_format: Option<&'a AttributeValue>,
    spn: Option<&'a AttributeValue>,
    start_value: Option<&'a AttributeValue>,
    is_j1939: bool,
    is_nmea: bool,
}

impl<'a> Usual<'a> {
    pub(super) fn new(definitions: &'a [crate::AttributeDefinition], attributes: &Attributes) -> Self {
        let default = |name: &str, object| {
            let definition =
                definitions.iter().find(|definition| definition.object == object && definition.name == name);
            definition.and_then(|definition| definition.default.as_ref())
        };
        let protocol =
            attributes.value("ProtocolType").or_else(|| default("ProtocolType", AttributeObject::Database));
        let protocol = protocol.and_then(AttributeValue::text).unwrap_or_default();
        Self {
            cycle_time: default("GenMsgCycleTime", AttributeObject::Message),
            frame_format: default("VFrameFormat", AttributeObject::Message),
            spn: default("SPN", AttributeObject::Signal),
            start_value: default("GenSigStartValue", AttributeObject::Signal),
            is_j1939: is_j1939_text(protocol),
            is_nmea: is_nmea_text(protocol),
        }
    }

    /// `ProtocolType` says J1939 or NMEA 2000.
    pub(super) fn is_j1939(&self) -> bool {
        self.is_j1939
    }

    /// `GenMsgCycleTime`, in milliseconds; 0 says nothing.
    pub(super) fn cycle_time(&self, attributes: &Attributes) -> Option<Duration> {
        let milliseconds = attributes.value("GenMsgCycleTime").or(self.cycle_time)?.number()?;
        Duration::try_from_secs_f64(milliseconds / 1000.0).ok().filter(|time| !time.is_zero())
    }

    /// `VFrameFormat` says that the message is a J1939 parameter group; where no message says anything, the database speaks for all.
    pub(super) fn is_j1939_message(&self, attributes: &Attributes) -> bool {
        match attributes.value("VFrameFormat").or(self.frame_format) {
            Some(AttributeValue::Text(text)) => text.starts_with("J1939"),
            Some(AttributeValue::Integer(3)) => true,
            _ => self.is_j1939,
        }
    }

    /// The rule by which the signals of a message say that they have no value.
    pub(super) fn rule(&self, id: CanId, is_j1939: bool) -> special::Rule {
        match is_j1939 && id.is_extended() {
            false => special::Rule::None,
            true if self.is_nmea => special::Rule::Nmea2000,
            true => special::Rule::J1939,
        }
    }

    /// What a signal's attributes and labels say: `SPN`, `GenSigStartValue`, special values.
    pub(super) fn signal(&self, signal: &mut Signal, rule: special::Rule) {
        let spn = signal.attributes.value("SPN").or(self.spn).and_then(AttributeValue::integer);
        signal.spn = spn.and_then(|spn| u32::try_from(spn).ok()).filter(|spn| *spn != 0);
        let start = signal.attributes.value("GenSigStartValue").or(self.start_value);
        signal.start_value = start.and_then(number).and_then(|start| raw(signal.value_type, start));
        special::find(signal, rule);
    }
}

/// Whether a protocol's name means J1939 or what is built on it.
pub(crate) fn is_j1939_text(text: &str) -> bool {
    ["J1939", "J1939PG"].iter().any(|known| text.eq_ignore_ascii_case(known)) || is_nmea_text(text)
}

fn is_nmea_text(text: &str) -> bool {
    ["N2K", "NMEA2000"].iter().any(|known| text.eq_ignore_ascii_case(known))
}

/// The number of an attribute, which some files write as a text.
fn number(value: &AttributeValue) -> Option<Number> {
    match value {
        AttributeValue::Integer(value) => Some(Number::Whole((*value).into())),
        AttributeValue::Float(value) => Some(Number::Float(*value)),
        AttributeValue::Text(text) => written(text).map(Number::Whole),
    }
}

/// A whole number as a text: decimal, or hexadecimal as `0xFF` or `FFh`.
pub(super) fn written(text: &str) -> Option<i128> {
    let text = text.trim();
    let hexadecimal =
        text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).or_else(|| text.strip_suffix(['h', 'H']));
    match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(i128::from),
        None => text.parse::<i64>().map(i128::from).or_else(|_| text.parse::<u64>().map(i128::from)).ok(),
    }
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Float(f64),
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a float holds a rounded value"
)]
fn raw(value_type: ValueType, value: Number) -> Option<Raw> {
    let whole = match value {
        Number::Whole(value) => Some(value),
        Number::Float(value) => crate::number::whole(value).map(i128::from),
    };
    let float = match value {
        Number::Whole(value) => value as f64,
        Number::Float(value) => value,
    };
    match value_type {
        ValueType::F32 => Some(Raw::F32(float as f32)),
        ValueType::F64 => Some(Raw::F64(float)),
        ValueType::Signed => whole.and_then(|value| i64::try_from(value).ok()).map(Raw::Signed),
        ValueType::Unsigned => whole.and_then(|value| u64::try_from(value).ok()).map(Raw::Unsigned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_numbers() {
        let all = ["255", " 0xFF ", "FFh", "0Xff", "-1", "FFFFFFFFFFFFFFFFh", "h", "", "FF", "1.5", "0x"]
            .map(written);
        let top = Some(i128::from(u64::MAX));
        assert_eq!(
            all,
            [Some(255), Some(255), Some(255), Some(255), Some(-1), top, None, None, None, None, None]
        );
    }
}
