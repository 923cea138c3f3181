//! A signal: some bits of a message and what they mean.
//!
//! *Invariant:* a description only; the message that holds it checks it and compiles it.
//! *Next:* `message.rs` (its owner), `../plan.rs` (what it is compiled to).

use alloc::string::String;
use alloc::vec::Vec;

use super::attribute::{AttributeValue, Attributes};
use super::choices::Choices;
use crate::Raw;

/// In which direction a signal runs through the bytes of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ByteOrder {
    /// Intel: the start bit is the least significant.
    #[default]
    LittleEndian,
    /// Motorola: the start bit is the most significant, in DBC numbering (bit 7 is the top of byte 0).
    BigEndian,
}

/// How a signal's bits are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ValueType {
    /// An unsigned integer.
    #[default]
    Unsigned,
    /// A two's complement integer.
    Signed,
    /// An IEEE 754 single; 32 bits.
    F32,
    /// An IEEE 754 double; 64 bits.
    F64,
}

impl ValueType {
    /// Whether the bits are an IEEE 754 float.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

/// When a multiplexed signal is in the payload: while its multiplexer has one of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Multiplexed {
    pub(crate) multiplexer: String,
    pub(crate) values: Vec<(u64, u64)>,
}

impl Multiplexed {
    /// Present while the signal `multiplexer` of the same message has a raw value in one of these ranges, both ends included.
    pub fn new(multiplexer: impl Into<String>, values: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self { multiplexer: multiplexer.into(), values: values.into_iter().collect() }
    }

    /// The name of the multiplexer signal.
    pub fn multiplexer(&self) -> &str {
        &self.multiplexer
    }

    /// The raw values, as ranges with both ends included; of a signed multiplexer, the bit patterns.
    pub fn values(&self) -> &[(u64, u64)] {
        &self.values
    }
}

/// Special raw values of a signal that stand for no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Availability {
    /// The value is a value.
    Available,
    /// The sender has no value ("SNA", "not available").
    NotAvailable,
    /// The sender knows that the value is wrong ("error").
    Error,
}

/// A signal of a message.
///
/// ```
/// use coachwork_dbc::{ByteOrder, Signal};
///
/// let speed = Signal::new("Speed", 7, 16).with_byte_order(ByteOrder::BigEndian).with_scaling(0.01, 0.0).with_range(0.0, 300.0).with_unit("km/h");
/// assert_eq!(speed.unit(), "km/h");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Signal {
    pub(crate) name: String,
    /// The name in the file, where an attribute holds a longer one.
    pub(crate) symbol: Option<String>,
    pub(crate) start: u32,
    pub(crate) length: u32,
    pub(crate) byte_order: ByteOrder,
    pub(crate) value_type: ValueType,
    pub(crate) marked_signed: bool,
    pub(crate) factor: f64,
    pub(crate) offset: f64,
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) unit: String,
    pub(crate) choices: Choices,
    pub(crate) is_multiplexer: bool,
    pub(crate) multiplexed: Option<Multiplexed>,
    pub(crate) receivers: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: Attributes,
    pub(crate) spn: Option<u32>,
    pub(crate) start_value: Option<Raw>,
    pub(crate) not_available: Vec<(i128, i128)>,
    pub(crate) error_values: Vec<(i128, i128)>,
}

impl Signal {
    /// An unsigned little-endian signal of `length` bits from bit `start` (DBC numbering), with factor 1 and offset 0.
    pub fn new(name: impl Into<String>, start: u32, length: u32) -> Self {
        Self {
            name: name.into(),
            symbol: None,
            start,
            length,
            byte_order: ByteOrder::LittleEndian,
            value_type: ValueType::Unsigned,
            marked_signed: false,
            factor: 1.0,
            offset: 0.0,
            range: None,
            unit: String::new(),
            choices: Choices::default(),
            is_multiplexer: false,
            multiplexed: None,
            receivers: Vec::new(),
            comment: None,
            attributes: Attributes::default(),
            spn: None,
            start_value: None,
            not_available: Vec::new(),
            error_values: Vec::new(),
        }
    }

    /// Sets the byte order.
    #[must_use]
    pub fn with_byte_order(mut self, byte_order: ByteOrder) -> Self {
        self.byte_order = byte_order;
        self
    }

    /// Sets how the bits are read.
    #[must_use]
    pub fn with_value_type(mut self, value_type: ValueType) -> Self {
        self.value_type = value_type;
        self.marked_signed = value_type != ValueType::Unsigned;
        self
    }

    /// Sets physical = raw × `factor` + `offset`.
    #[must_use]
    pub fn with_scaling(mut self, factor: f64, offset: f64) -> Self {
        (self.factor, self.offset) = (factor, offset);
        self
    }

    /// Sets the smallest and the largest physical value, both included.
    #[must_use]
    pub fn with_range(mut self, min: f64, max: f64) -> Self {
        self.range = Some((min, max));
        self
    }

    /// Sets the unit.
    #[must_use]
    pub fn with_unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Sets the labels of raw values.
    #[must_use]
    pub fn with_choices(mut self, choices: Choices) -> Self {
        self.choices = choices;
        self
    }

    /// Makes the signal a multiplexer.
    #[must_use]
    pub fn with_multiplexer(mut self) -> Self {
        self.is_multiplexer = true;
        self
    }

    /// Makes the signal present only for some values of a multiplexer.
    #[must_use]
    pub fn with_multiplexed(mut self, multiplexed: Multiplexed) -> Self {
        self.multiplexed = Some(multiplexed);
        self
    }

    /// Sets the nodes that read the signal.
    #[must_use]
    pub fn with_receivers<S: Into<String>>(mut self, receivers: impl IntoIterator<Item = S>) -> Self {
        self.receivers = receivers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the comment.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Sets an attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Sets the J1939 suspect parameter number.
    #[must_use]
    pub fn with_spn(mut self, spn: u32) -> Self {
        self.spn = Some(spn);
        self
    }

    /// Sets the raw value that is sent where nothing else is given.
    #[must_use]
    pub fn with_start_value(mut self, raw: Raw) -> Self {
        self.start_value = Some(raw);
        self
    }

    /// Sets the raw values that mean "not available".
    #[must_use]
    pub fn with_not_available(mut self, raw: impl IntoIterator<Item = i128>) -> Self {
        self.not_available = raw.into_iter().map(|value| (value, value)).collect();
        self
    }

    /// Sets the raw values that mean "error".
    #[must_use]
    pub fn with_error_values(mut self, raw: impl IntoIterator<Item = i128>) -> Self {
        self.error_values = raw.into_iter().map(|value| (value, value)).collect();
        self
    }

    /// Adds a range of raw values that mean "not available", both ends included.
    #[must_use]
    pub fn with_not_available_range(mut self, from: i128, to: i128) -> Self {
        self.not_available.push((from, to));
        self
    }

    /// Adds a range of raw values that mean "error", both ends included.
    #[must_use]
    pub fn with_error_range(mut self, from: i128, to: i128) -> Self {
        self.error_values.push((from, to));
        self
    }

    /// The name; unique within a message in a sound database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The start bit in DBC numbering: bit 0 is the least significant of byte 0, bit 8 that of byte 1. It is the least significant bit of a
    /// little-endian signal and the most significant of a big-endian one.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// The number of bits. A signal of more than 64 bits is a text or a record; it has no value that is a number, and is not decoded.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// The byte order.
    pub fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// How the bits are read.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Whether the file marks it as signed. For an integer the value type says the same; a float has a sign whatever its mark.
    pub fn is_marked_signed(&self) -> bool {
        self.marked_signed
    }

    /// Physical = raw × factor + offset.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Physical = raw × factor + offset.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// The smallest and the largest physical value, both included; `None` where the database states none (`[0|0]`).
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// The smallest physical value.
    pub fn min(&self) -> Option<f64> {
        self.range.map(|range| range.0)
    }

    /// The largest physical value.
    pub fn max(&self) -> Option<f64> {
        self.range.map(|range| range.1)
    }

    /// The unit as the database spells it; empty where there is none.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The labels of raw values; empty where there are none.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// Whether other signals depend on this one's value.
    pub fn is_multiplexer(&self) -> bool {
        self.is_multiplexer
    }

    /// When the signal is present; `None` for always.
    pub fn multiplexed(&self) -> Option<&Multiplexed> {
        self.multiplexed.as_ref()
    }

    /// The nodes that read the signal.
    pub fn receivers(&self) -> &[String] {
        &self.receivers
    }

    /// The comment.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The attributes set on this signal, without defaults.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The J1939 suspect parameter number.
    pub fn spn(&self) -> Option<u32> {
        self.spn
    }

    /// The raw value that is sent where nothing else is given (`GenSigStartValue`).
    pub fn start_value(&self) -> Option<Raw> {
        self.start_value
    }

    /// The raw values that mean "not available", as ranges with both ends included.
    ///
    /// A loaded database takes them from
    /// - the attribute `GenSigSNA`, as a number or a text (`255`, `0xFF`, `FFh`);
    /// - labels: `SNA` alone or as the last word (`LIGHT_SNA`), `not available` and `unavailable` alone or of the signal, the data or the value; `N/A`
    ///   where it labels one of the two largest values. Words may be apart by space, `_`, `-` or a capital, and letters small or capital;
    /// - SAE J1939-71, in messages that the attributes `VFrameFormat` or `ProtocolType` call J1939, for unsigned signals of 2 to 32 bits: all ones, and of
    ///   8, 12, 16 … 32 bits everything that begins with `FF`. For NMEA 2000 it is the largest value alone, signed or not. A label on such a value
    ///   that says something else goes first, and multiplexers have none.
    ///
    /// Signals of one bit and floats have no special values, and a device's state (`DOOR_FAULT`, `Radar unavailable`) is a value.
    pub fn not_available(&self) -> &[(i128, i128)] {
        &self.not_available
    }

    /// The raw values that mean "error", as ranges with both ends included.
    ///
    /// A loaded database takes them from
    /// - the attributes `GenSigInvalidValue` and `SigInvalidValue`, where they are set for the signal (a default would speak of every signal);
    /// - labels: `Error indicator`, `Signal error`, `Signal invalid`, `Invalid value`; `Error` and `Invalid` where they label one of the two largest
    ///   values and no label of the table says `No error`;
    /// - SAE J1939-71, as for [`not_available`](Self::not_available): one less than all ones, or what begins with `FE`.
    pub fn error_values(&self) -> &[(i128, i128)] {
        &self.error_values
    }

    /// What a raw value says about itself.
    pub fn availability(&self, raw: Raw) -> Availability {
        if self.not_available.is_empty() && self.error_values.is_empty() {
            return Availability::Available;
        }
        match raw.integer() {
            Some(value) if holds(&self.not_available, value) => Availability::NotAvailable,
            Some(value) if holds(&self.error_values, value) => Availability::Error,
            _ => Availability::Available,
        }
    }

    /// The label of a raw value.
    pub fn label(&self, raw: Raw) -> Option<&str> {
        if self.choices.is_empty() {
            return None;
        }
        let value = match raw {
            Raw::F32(value) => crate::number::whole(value.into())?.into(),
            Raw::F64(value) => crate::number::whole(value)?.into(),
            integer => integer.integer()?,
        };
        self.choices.label(value)
    }
}

fn holds(ranges: &[(i128, i128)], value: i128) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&value))
}
