//! The usual attributes and labels become what they mean: cycle times, start values, special values, J1939.
//!
//! *Invariant:* nothing is guessed from a name of a signal or a message; an attribute's default counts as if it were set.
//! *Next:* `assemble.rs` asks; `../model/signal.rs` and `../model/message.rs` keep the answers.

use core::time::Duration;

use crate::Raw;
use crate::model::attribute::{AttributeObject, AttributeValue, Attributes};
use crate::model::builder::DatabaseBuilder;
use crate::model::signal::{Signal, ValueType};
use crate::plan::mask;

/// The value of an attribute: set, or its default.
fn value<'a>(
    name: &str,
    attributes: &'a Attributes,
    object: AttributeObject,
    database: &'a DatabaseBuilder,
) -> Option<&'a AttributeValue> {
    attributes.value(name).or_else(|| {
        let definition = database
            .definitions
            .iter()
            .find(|definition| definition.object == object && definition.name == name)?;
        definition.default.as_ref()
    })
}

/// `GenMsgCycleTime`, in milliseconds; 0 says nothing.
pub(super) fn cycle_time(attributes: &Attributes, database: &DatabaseBuilder) -> Option<Duration> {
    let milliseconds = value("GenMsgCycleTime", attributes, AttributeObject::Message, database)?.number()?;
    Duration::try_from_secs_f64(milliseconds / 1000.0).ok().filter(|time| !time.is_zero())
}

/// `ProtocolType` says J1939 or NMEA 2000.
pub(super) fn is_j1939(database: &DatabaseBuilder) -> bool {
    let protocol = value("ProtocolType", &database.attributes, AttributeObject::Database, database);
    protocol.and_then(AttributeValue::text).is_some_and(is_j1939_text)
}

/// Whether a protocol's name means J1939 or what is built on it.
pub(crate) fn is_j1939_text(text: &str) -> bool {
    ["J1939", "J1939PG", "N2K", "NMEA2000"].iter().any(|known| text.eq_ignore_ascii_case(known))
}

/// `VFrameFormat` says that the message is a J1939 parameter group; where no message says anything, the database speaks for all.
pub(super) fn is_j1939_message(attributes: &Attributes, database: &DatabaseBuilder) -> bool {
    match value("VFrameFormat", attributes, AttributeObject::Message, database) {
        Some(AttributeValue::Text(text)) => text.starts_with("J1939"),
        Some(AttributeValue::Integer(3)) => true,
        _ => database.is_j1939,
    }
}

/// What a signal's attributes and labels say: `SPN`, `GenSigStartValue`, special values.
pub(super) fn signal(signal: &mut Signal, database: &DatabaseBuilder) {
    let spn =
        value("SPN", &signal.attributes, AttributeObject::Signal, database).and_then(AttributeValue::integer);
    signal.spn = spn.and_then(|spn| u32::try_from(spn).ok()).filter(|spn| *spn != 0);
    let start = value("GenSigStartValue", &signal.attributes, AttributeObject::Signal, database)
        .and_then(AttributeValue::number);
    signal.start_value = start.and_then(|start| raw(signal.value_type, start));
    special_values(signal);
}

fn raw(value_type: ValueType, value: f64) -> Option<Raw> {
    match value_type {
        #[expect(clippy::cast_possible_truncation, reason = "a single holds a rounded value")]
        ValueType::F32 => Some(Raw::F32(value as f32)),
        ValueType::F64 => Some(Raw::F64(value)),
        ValueType::Signed => crate::number::whole(value).map(Raw::Signed),
        ValueType::Unsigned => {
            crate::number::whole(value).and_then(|value| u64::try_from(value).ok()).map(Raw::Unsigned)
        }
    }
}

/// Labels that say "not available" count wherever they stand; labels that say "error" only at the top two values, because lower down they name a state.
fn special_values(signal: &mut Signal) {
    if signal.value_type.is_float() {
        return;
    }
    let top = match signal.value_type {
        ValueType::Signed => i128::from(mask(signal.length) >> 1),
        _ => i128::from(mask(signal.length)),
    };
    for (value, label) in signal.choices.iter() {
        let label = label.trim().to_ascii_lowercase().replace(['_', '-'], " ");
        match label.as_str() {
            "sna"
            | "signal not available"
            | "not available"
            | "na"
            | "n/a"
            | "not avail"
            | "signal not avail"
            | "data not available"
            | "unavailable" => signal.not_available.push(value),
            "error" | "error indicator" | "err" | "signal error" | "fault"
                if value >= top - 1 && signal.length > 1 =>
            {
                signal.error_values.push(value);
            }
            _ => {}
        }
    }
}
