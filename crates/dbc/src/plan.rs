//! The signals of a message become a plan: where each one's bits are, and when it is present.
//!
//! *Invariant:* a plan is flat and read-only; parents come before children when presence is asked, and the depth is bounded by the number of multiplexers.
//! *Next:* `decode.rs` and `encode.rs` run it.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::model::builder::BuildErrorKind;
use crate::model::signal::{ByteOrder, Signal, ValueType};
use crate::number::whole;
use crate::{Number, Raw};

/// The bits of 2^52 as a double, and the widest integer that its fraction holds.
pub(crate) const MAGIC: u64 = 0x4330_0000_0000_0000;
pub(crate) const MAGIC_LENGTH: u32 = 52;

/// Where a signal's bits are and how they are read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// The first byte that holds a bit of the signal.
    first: u32,
    /// The number of bytes that do: 1 to 9 of a signal that has a value.
    bytes: u32,
    /// How far the value is shifted up within those bytes, taken as one number of this byte order.
    shift: u32,
    length: u32,
    mask: u64,
    byte_order: ByteOrder,
    /// All ones in big-endian order.
    swapped: u64,
    value_type: ValueType,
    /// 2^52 as a double's bits, with the sign bit of the raw value: see [`double`](Self::double). Zero where the value is no integer of at most 52 bits.
    magic: u64,
    factor: f64,
    offset: f64,
    /// Whole factor and offset of an integer.
    whole: Option<(i64, i64)>,
    selector: Option<Selector>,
}

/// When a field is present.
#[derive(Clone, Debug, PartialEq)]
struct Selector {
    multiplexer: u32,
    /// Bit patterns, as ranges with both ends included, sorted.
    values: Vec<(u64, u64)>,
}

/// A multiplexer and the values for which something is defined.
#[derive(Clone, Debug, PartialEq)]
struct Multiplexer {
    field: u32,
    /// Bit patterns, as ranges with both ends included, sorted; empty: everything is defined.
    defined: Vec<(u64, u64)>,
}

/// The plan of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    fields: Vec<Field>,
    multiplexers: Vec<Multiplexer>,
}

impl Plan {
    /// Compiles checked signals; fails with the position of a signal that cannot be.
    pub(crate) fn compile(signals: &[Signal]) -> Result<Self, (usize, BuildErrorKind)> {
        let (parents, broken) = selectors(signals);
        if let Some(first) = broken.first() {
            return Err(*first);
        }
        let fields: Vec<Field> = signals
            .iter()
            .zip(parents)
            .map(|(signal, parent)| {
                let selector = parent.zip(signal.multiplexed.as_ref()).map(|(multiplexer, multiplexed)| {
                    Selector { multiplexer, values: merged(multiplexed.values.clone()) }
                });
                Field::new(signal, selector)
            })
            .collect();
        let multiplexers = multiplexers(signals, &fields);
        Ok(Self { fields, multiplexers })
    }

    #[inline]
    pub(crate) fn field(&self, position: usize) -> Option<&Field> {
        self.fields.get(position)
    }

    /// The bits of a field; `None` where it is not in this payload (multiplexed out, or beyond its end).
    #[inline]
    pub(crate) fn present_bits(&self, field: &Field, payload: &[u8]) -> Option<u64> {
        // Most signals are always present: then the payload's length decides alone.
        if field.selector.is_some() && !self.is_present(field, payload) {
            return None;
        }
        field.bits(payload)
    }

    /// Whether a field is present under the payload's multiplexers, and inside the payload.
    pub(crate) fn is_present(&self, field: &Field, payload: &[u8]) -> bool {
        let mut field = field;
        loop {
            if !field.fits(payload.len()) {
                return false;
            }
            let Some(selector) = &field.selector else { return true };
            let Some(multiplexer) = self.fields.get(selector.multiplexer as usize) else { return false };
            let Some(bits) = multiplexer.bits(payload) else { return false };
            if !contains(&selector.values, bits) {
                return false;
            }
            field = multiplexer;
        }
    }

    /// The first multiplexer that is present with a value for which nothing is defined, and that value's bits.
    pub(crate) fn undefined_multiplexer(&self, payload: &[u8]) -> Option<(u32, u64)> {
        self.multiplexers.iter().find_map(|multiplexer| {
            let field = self.fields.get(multiplexer.field as usize)?;
            if multiplexer.defined.is_empty() || !self.is_present(field, payload) {
                return None;
            }
            let bits = field.bits(payload)?;
            (!contains(&multiplexer.defined, bits)).then_some((multiplexer.field, bits))
        })
    }

    /// The multiplexer that decides on a field, and the bit patterns for which it is present.
    pub(crate) fn selector(&self, position: usize) -> Option<(usize, &[(u64, u64)])> {
        let selector = self.fields.get(position)?.selector.as_ref()?;
        Some((selector.multiplexer as usize, &selector.values))
    }

    /// Whether a field is present while the message's one multiplexer has this value.
    pub(crate) fn is_selected(&self, position: usize, multiplexer: usize, value: u64) -> bool {
        self.selector(position)
            .is_none_or(|(parent, values)| parent == multiplexer && contains(values, value))
    }

    /// The bit patterns for which a multiplexer defines something.
    pub(crate) fn defined(&self, position: usize) -> &[(u64, u64)] {
        self.multiplexers
            .iter()
            .find(|multiplexer| multiplexer.field as usize == position)
            .map_or(&[], |multiplexer| &multiplexer.defined)
    }

    /// Positions of multiplexers.
    pub(crate) fn multiplexers(&self) -> impl Iterator<Item = usize> {
        self.multiplexers.iter().map(|multiplexer| multiplexer.field as usize)
    }
}

/// The position of each signal's multiplexer, and every signal whose multiplexer cannot be used.
pub(crate) fn selectors(signals: &[Signal]) -> (Vec<Option<u32>>, Vec<(usize, BuildErrorKind)>) {
    let mut by_name: BTreeMap<&str, (u32, &Signal)> = BTreeMap::new();
    for (position, signal) in (0..).zip(signals).filter(|(_, signal)| signal.is_multiplexer) {
        by_name.entry(&signal.name).or_insert((position, signal));
    }
    let mut broken = Vec::new();
    let mut parents: Vec<Option<u32>> = Vec::with_capacity(signals.len());
    for (position, signal) in signals.iter().enumerate() {
        let found = signal.multiplexed.as_ref().map(|multiplexed| {
            match by_name.get(multiplexed.multiplexer.as_str()) {
                None => Err(BuildErrorKind::UnknownMultiplexer),
                Some((_, multiplexer)) if multiplexer.value_type.is_float() || multiplexer.length > 64 => {
                    Err(BuildErrorKind::FloatMultiplexer)
                }
                Some((parent, _)) => Ok(*parent),
            }
        });
        parents.push(found.and_then(Result::ok));
        if let Some(Err(kind)) = found {
            broken.push((position, kind));
        }
    }
    cut_cycles(&mut parents, &mut broken);
    (parents, broken)
}

/// Cuts every cycle of multiplexers at one place.
fn cut_cycles(parents: &mut [Option<u32>], broken: &mut Vec<(usize, BuildErrorKind)>) {
    // 0: not seen, 1: on the way that is being followed, 2: known to end.
    let mut state = vec![0_u8; parents.len()];
    let mut way = Vec::new();
    for start in 0..parents.len() {
        let mut at = start;
        loop {
            match state.get_mut(at) {
                Some(seen) if *seen == 0 => *seen = 1,
                Some(1) => {
                    broken.push((at, BuildErrorKind::MultiplexerCycle));
                    if let Some(parent) = parents.get_mut(at) {
                        *parent = None;
                    }
                    break;
                }
                _ => break,
            }
            way.push(at);
            let Some(parent) = parents.get(at).copied().flatten() else { break };
            at = parent as usize;
        }
        for at in way.drain(..) {
            if let Some(seen) = state.get_mut(at) {
                *seen = 2;
            }
        }
    }
}

/// Every multiplexer with the values for which something is defined.
fn multiplexers(signals: &[Signal], fields: &[Field]) -> Vec<Multiplexer> {
    let mut children: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for selector in fields.iter().filter_map(|field| field.selector.as_ref()) {
        children.entry(selector.multiplexer).or_default().extend(&selector.values);
    }
    let is_multiplexer =
        |signal: &Signal| signal.is_multiplexer && !signal.value_type.is_float() && signal.length <= 64;
    let found = (0..).zip(signals).filter(|(_, signal)| is_multiplexer(signal)).map(|(field, signal)| {
        let mut defined = children.remove(&field).unwrap_or_default();
        // A value with a label is defined, even where no signal depends on it.
        let mask = mask(signal.length);
        defined.extend(
            signal.choices.iter().filter_map(|(value, _)| pattern(value, mask)).map(|bits| (bits, bits)),
        );
        Multiplexer { field, defined: merged(defined) }
    });
    found.collect()
}

/// The same values in as few ranges as possible, sorted.
fn merged(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges.into_iter().filter(|range| range.0 <= range.1) {
        match out.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

impl Field {
    fn new(signal: &Signal, selector: Option<Selector>) -> Self {
        let (first, bytes, shift) = match signal.byte_order {
            ByteOrder::LittleEndian => {
                let first = signal.start / 8;
                let last = signal.start.saturating_add(signal.length - 1) / 8;
                (first, last - first + 1, signal.start % 8)
            }
            ByteOrder::BigEndian => {
                // The position counted from the most significant bit of byte 0.
                let from = (signal.start / 8 * 8).saturating_add(7 - signal.start % 8);
                let to = from.saturating_add(signal.length - 1);
                (from / 8, to / 8 - from / 8 + 1, 7 - to % 8)
            }
        };
        let float = signal.value_type.is_float();
        let whole = if float { None } else { whole(signal.factor).zip(whole(signal.offset)) };
        #[expect(clippy::cast_precision_loss, reason = "what was a double converts back exactly")]
        let (factor, offset) =
            whole.map_or((signal.factor, signal.offset), |(factor, offset)| (factor as f64, offset as f64));
        let sign = if signal.value_type == ValueType::Signed { 1 << ((signal.length - 1) & 63) } else { 0 };
        Self {
            first,
            bytes,
            shift,
            length: signal.length,
            mask: mask(signal.length),
            byte_order: signal.byte_order,
            swapped: if signal.byte_order == ByteOrder::BigEndian { u64::MAX } else { 0 },
            value_type: signal.value_type,
            magic: if float || signal.length > MAGIC_LENGTH { 0 } else { MAGIC | sign },
            factor,
            offset,
            whole,
            selector,
        }
    }

    /// Whether all bits lie inside a payload of this many bytes, and make a number.
    pub(crate) fn fits(&self, length: usize) -> bool {
        self.length <= 64 && self.first as usize + self.bytes as usize <= length
    }

    fn range(&self) -> core::ops::Range<usize> {
        let first = self.first as usize;
        first..first + self.bytes as usize
    }

    /// The signal's bits, right-aligned; `None` where the payload is too short.
    #[inline]
    pub(crate) fn bits(&self, payload: &[u8]) -> Option<u64> {
        let (first, bytes) = (self.first as usize, self.bytes as usize);
        if first + bytes > payload.len() {
            return None;
        }
        if bytes > 8 {
            return self.wide_bits(payload);
        }
        // Eight bytes that hold the signal's, and lie in the payload where that has as many.
        let from = first.min(payload.len().saturating_sub(8));
        let window = match payload.get(from..).and_then(|bytes| bytes.first_chunk()) {
            Some(window) => u64::from_le_bytes(*window),
            None => short_window(payload),
        };
        // Both byte orders take the same steps: which one comes is not to be guessed.
        let (below, above) = ((first - from) as u64, (from + 8 - first - bytes) as u64);
        let window = window ^ ((window ^ window.swap_bytes()) & self.swapped);
        let shift = u64::from(self.shift) + 8 * (below ^ ((below ^ above) & self.swapped));
        Some((window >> (shift & 63)) & self.mask)
    }

    /// The same for a signal that lies in nine bytes.
    #[cold]
    fn wide_bits(&self, payload: &[u8]) -> Option<u64> {
        let bytes = payload.get(self.range()).filter(|bytes| bytes.len() <= 9)?;
        let mut word = [0_u8; 16];
        let value = match self.byte_order {
            ByteOrder::LittleEndian => {
                word.get_mut(..bytes.len())?.copy_from_slice(bytes);
                u128::from_le_bytes(word)
            }
            ByteOrder::BigEndian => {
                word.get_mut(16 - bytes.len()..)?.copy_from_slice(bytes);
                u128::from_be_bytes(word)
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps at most 64 bits")]
        let bits = (value >> self.shift) as u64;
        Some(bits & self.mask)
    }

    /// Writes right-aligned bits; other bits stay. `None` where the payload is too short.
    pub(crate) fn write(&self, payload: &mut [u8], bits: u64) -> Option<()> {
        let bytes = payload.get_mut(self.range()).filter(|bytes| bytes.len() <= 9)?;
        let keep = !(u128::from(mask(self.length)) << self.shift);
        let put = u128::from(bits & mask(self.length)) << self.shift;
        let count = bytes.len();
        let mut word = [0_u8; 16];
        match self.byte_order {
            ByteOrder::LittleEndian => {
                word.get_mut(..count)?.copy_from_slice(bytes);
                let word = (u128::from_le_bytes(word) & keep | put).to_le_bytes();
                bytes.copy_from_slice(word.get(..count)?);
            }
            ByteOrder::BigEndian => {
                word.get_mut(16 - count..)?.copy_from_slice(bytes);
                let word = (u128::from_be_bytes(word) & keep | put).to_be_bytes();
                bytes.copy_from_slice(word.get(16 - count..)?);
            }
        }
        Some(())
    }

    /// The raw value of right-aligned bits.
    #[inline]
    pub(crate) fn raw(&self, bits: u64) -> Raw {
        match self.value_type {
            ValueType::Unsigned => Raw::Unsigned(bits),
            ValueType::Signed => {
                let unused = 64 - self.length;
                Raw::Signed((bits << unused).cast_signed() >> unused)
            }
            #[expect(clippy::cast_possible_truncation, reason = "a single has 32 bits")]
            ValueType::F32 => Raw::F32(f32::from_bits(bits as u32)),
            ValueType::F64 => Raw::F64(f64::from_bits(bits)),
        }
    }

    /// The physical value of a raw value.
    pub(crate) fn physical(&self, raw: Raw) -> Number {
        match (self.whole, raw.integer()) {
            (Some((factor, offset)), Some(value)) => {
                Number::Integer(value * i128::from(factor) + i128::from(offset))
            }
            _ => Number::Float(raw.to_f64() * self.factor + self.offset),
        }
    }

    /// The physical value of right-aligned bits as a double: one multiplication and one addition.
    #[inline]
    pub(crate) fn double(&self, bits: u64) -> f64 {
        // An integer below 2^52, put into the fraction of 2^52, is a double of that much more; and with its sign bit turned in both, signed.
        let raw = if self.magic == 0 {
            self.raw(bits).to_f64()
        } else {
            f64::from_bits(bits ^ self.magic) - f64::from_bits(self.magic)
        };
        raw * self.factor + self.offset
    }

    /// Factor and offset as doubles.
    pub(crate) fn scaling(&self) -> (f64, f64) {
        (self.factor, self.offset)
    }

    /// Whole factor and offset of an integer signal.
    pub(crate) fn integer_scaling(&self) -> Option<(i64, i64)> {
        self.whole
    }

    /// The smallest and the largest raw integer that the bits can hold.
    pub(crate) fn integer_limits(&self) -> (i128, i128) {
        match self.value_type {
            ValueType::Signed => (-(1_i128 << (self.length - 1)), (1_i128 << (self.length - 1)) - 1),
            _ => (0, mask(self.length).into()),
        }
    }

    /// The bits of a raw integer that is within the limits.
    pub(crate) fn pattern(&self, value: i128) -> Option<u64> {
        let (low, high) = self.integer_limits();
        if (low..=high).contains(&value) { pattern(value, mask(self.length)) } else { None }
    }
}

/// A payload of fewer than eight bytes as a little-endian number.
#[inline]
fn short_window(payload: &[u8]) -> u64 {
    match (payload.first_chunk(), payload.last_chunk()) {
        (Some(low), Some(high)) => {
            let above = 8 * payload.len().saturating_sub(4);
            u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << (above & 63)
        }
        _ => payload.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// The low `length` bits, 1 to 64.
pub(crate) fn mask(length: u32) -> u64 {
    u64::MAX >> (64 - length.clamp(1, 64))
}

/// The low bits of a two's complement integer; `None` where they do not tell its value.
fn pattern(value: i128, mask: u64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low bits are wanted; the range is checked"
    )]
    let bits = value as u64 & mask;
    (-(i128::from(mask >> 1) + 1)..=i128::from(mask)).contains(&value).then_some(bits)
}

/// Whether a value lies in one of these ranges, which are sorted and apart.
pub(crate) fn contains(ranges: &[(u64, u64)], value: u64) -> bool {
    let after = ranges.partition_point(|range| range.0 <= value);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| value <= range.1)
}
