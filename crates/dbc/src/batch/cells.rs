//! Signals become cells: where a column finds its bits, and what they become.
//!
//! *Invariant:* every signal that has a value is a cell; what lies in nine bytes has no window, and its bits come right-aligned.
//! *Next:* `columns.rs` (gathers windows), `block.rs` and `narrow.rs` (decode them).

use alloc::vec::Vec;

use super::BatchFrame;
use super::lanes::{Bits, Lane};
use super::narrow::{ColumnType, Content};
use crate::model::signal::{ByteOrder, ValueType};
use crate::plan::Field;
use crate::{Database, Message, SignalIndex};

/// How a column of a signal is decoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// The byte that the window begins at; `None` where the bits come alone.
    pub(super) window: Option<u32>,
    pub(super) bits: Bits,
    /// The sign bit of a raw value; zero where it has none.
    pub(super) sign: u64,
    pub(super) lane: Option<Lane>,
    pub(super) value_type: ValueType,
    pub(super) scaling: (f64, f64),
    pub(super) whole: Option<(i64, i64)>,
    pub(super) raw: ColumnType,
    pub(super) physical: ColumnType,
}

/// The cells of all messages.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// By message: the place of its first signal.
    firsts: Vec<usize>,
    list: Vec<Option<Cell>>,
}

impl Cells {
    pub(super) fn new(database: &Database) -> Self {
        let (mut firsts, mut list) = (Vec::new(), Vec::new());
        for message in database.messages() {
            firsts.push(list.len());
            // Neighbours share a window where they can: it is loaded once for all of them.
            let mut window = 0;
            list.extend(message.indexed_signals().map(|(index, signal)| {
                if Bits::new(signal, window, signal.byte_order()).is_none() {
                    window = super::layout::window(signal.start() / 8, message.length());
                }
                Cell::new(message, index, window)
            }));
        }
        Self { firsts, list }
    }

    /// The cell of a signal of the message at this place.
    pub(super) fn of(&self, message: u32, index: SignalIndex) -> Option<&Cell> {
        let first = self.firsts.get(message as usize)?;
        self.list.get(first + index.position())?.as_ref()
    }
}

impl Cell {
    fn new(message: &Message, index: SignalIndex, window: u32) -> Option<Self> {
        let (signal, field) = (message.signal(index)?, message.plan.field(index.position())?);
        let bits = Bits::new(signal, window, signal.byte_order());
        Some(Self {
            window: bits.map(|_| window),
            bits: bits.unwrap_or(Bits { shift: 0, mask: u64::MAX, big_endian: 0 }),
            sign: if signal.value_type() == ValueType::Signed {
                1 << ((signal.length() - 1) & 63)
            } else {
                0
            },
            lane: bits.and_then(|_| Lane::new(signal, field, window, signal.byte_order())),
            value_type: signal.value_type(),
            scaling: field.scaling(),
            whole: field.integer_scaling(),
            raw: ColumnType::of(signal, Content::Raw)?,
            physical: ColumnType::of(signal, Content::Physical)?,
        })
    }

    /// What the column needs of a frame.
    #[inline]
    pub(super) fn load<F: BatchFrame>(&self, message: &Message, index: SignalIndex, frame: &F) -> u64 {
        if let Some(window) = self.window {
            return frame.window(window as usize);
        }
        let field: Option<&Field> = message.plan.field(index.position());
        field.and_then(|field| field.bits(frame.payload())).unwrap_or(0)
    }

    /// The raw integer of a window, modulo 2^64.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn integer(&self, window: u64) -> u64 {
        (self.bits.of(window) ^ self.sign).wrapping_sub(self.sign)
    }

    /// The raw value as a double.
    #[expect(clippy::cast_possible_truncation, reason = "a single has 32 bits")]
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest double is what this returns")]
    pub(super) fn raw_double(&self, window: u64) -> f64 {
        match self.value_type {
            ValueType::Unsigned => self.integer(window) as f64,
            ValueType::Signed => self.integer(window).cast_signed() as f64,
            ValueType::F32 => f32::from_bits(self.bits.of(window) as u32).into(),
            ValueType::F64 => f64::from_bits(self.bits.of(window)),
        }
    }

    /// A column of physical values as doubles.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn doubles(&self, windows: &[u64], out: &mut [f64]) {
        if let Some(lane) = &self.lane {
            return lane.column(windows, out);
        }
        let (factor, offset) = self.scaling;
        for (out, window) in out.iter_mut().zip(windows) {
            *out = self.raw_double(*window) * factor + offset;
        }
    }

    /// Whether the window is read with its first byte on top.
    pub(super) fn order(&self) -> ByteOrder {
        if self.bits.big_endian == 0 { ByteOrder::LittleEndian } else { ByteOrder::BigEndian }
    }
}
