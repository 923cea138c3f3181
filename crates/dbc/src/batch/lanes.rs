//! Signals become lanes of eight: the same few steps for each, whatever its sign and width.
//!
//! *Invariant:* multiplication and addition stay apart, so that every processor gives the same bits; a lane without a signal gives zero.
//! *Next:* `layout.rs` (which signals are in which lanes), `rows.rs` (the loop over frames).

use core::array::from_fn;

use super::BatchFrame;
use crate::model::signal::{ByteOrder, Signal, ValueType};
use crate::plan::{Field, MAGIC, MAGIC_LENGTH};

/// The number of lanes.
pub(crate) const LANES: usize = 8;
/// Eight signals of one byte order within one window of eight bytes.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Chunk {
    shift: [u64; LANES],
    mask: [u64; LANES],
    magic: [u64; LANES],
    factor: [f64; LANES],
    offset: [f64; LANES],
    /// All ones where the window is read with its first byte on top.
    big_endian: u64,
    /// The byte that the window begins at.
    pub(crate) window: usize,
    /// The place of the first signal in its row.
    pub(crate) start: usize,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            shift: [0; LANES],
            mask: [0; LANES],
            magic: [MAGIC; LANES],
            factor: [0.0; LANES],
            offset: [0.0; LANES],
            big_endian: 0,
            window: 0,
            start: 0,
        }
    }
}

/// Where a signal's bits are in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bits {
    pub(crate) shift: u64,
    pub(crate) mask: u64,
    pub(crate) big_endian: u64,
}

impl Bits {
    /// The bits of a signal of at most 64 bits in the window that begins at this byte, read in this byte order; `None` where they do not lie in it.
    pub(crate) fn new(signal: &Signal, window: u32, order: ByteOrder) -> Option<Self> {
        let (first, last) = span(signal)?;
        if first < window || last - window > 7 {
            return None;
        }
        // A signal within one byte is the same in both orders.
        if order != signal.byte_order && first != last {
            return None;
        }
        let low = match signal.byte_order {
            ByteOrder::LittleEndian => signal.start % 8,
            ByteOrder::BigEndian => (signal.start % 8 + 8 * (last - first) + 1).checked_sub(signal.length)?,
        };
        let (shift, big_endian) = match order {
            ByteOrder::LittleEndian => ((first - window) * 8 + low, 0),
            ByteOrder::BigEndian => ((7 + window - last) * 8 + low, u64::MAX),
        };
        Some(Self { shift: shift.into(), mask: crate::plan::mask(signal.length), big_endian })
    }

    /// The bits, right-aligned.
    #[inline]
    pub(crate) fn of(&self, window: u64) -> u64 {
        let word = window ^ ((window ^ window.swap_bytes()) & self.big_endian);
        (word >> (self.shift & 63)) & self.mask
    }
}

/// The first and the last byte of a signal; `None` above 64 bits.
pub(crate) fn span(signal: &Signal) -> Option<(u32, u32)> {
    if !(1..=64).contains(&signal.length) {
        return None;
    }
    let first = signal.start / 8;
    let from = match signal.byte_order {
        ByteOrder::LittleEndian => signal.start % 8,
        ByteOrder::BigEndian => 7 - signal.start % 8,
    };
    Some((first, first.checked_add((from + signal.length - 1) / 8)?))
}

/// What one lane does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lane {
    pub(crate) bits: Bits,
    magic: u64,
    factor: f64,
    offset: f64,
}

impl Lane {
    /// The lane of a signal in the window that begins at this byte; `None` where the signal is too wide for it, or no integer.
    pub(crate) fn new(signal: &Signal, field: &Field, window: u32, order: ByteOrder) -> Option<Self> {
        if signal.length > MAGIC_LENGTH || signal.value_type.is_float() {
            return None;
        }
        let sign = if signal.value_type == ValueType::Signed { 1 << (signal.length - 1) } else { 0 };
        let (factor, offset) = field.scaling();
        Some(Self { bits: Bits::new(signal, window, order)?, magic: MAGIC | sign, factor, offset })
    }

    /// The physical values of a column of windows.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(crate) fn column(&self, words: &[u64], out: &mut [f64]) {
        let Self { bits: Bits { shift, mask, big_endian }, magic, factor, offset } = *self;
        let base = f64::from_bits(magic);
        if big_endian == 0 {
            for (out, word) in out.iter_mut().zip(words) {
                let bits = (word >> (shift & 63)) & mask;
                *out = (f64::from_bits(bits ^ magic) - base) * factor + offset;
            }
        } else {
            for (out, word) in out.iter_mut().zip(words) {
                let bits = (word.swap_bytes() >> (shift & 63)) & mask;
                *out = (f64::from_bits(bits ^ magic) - base) * factor + offset;
            }
        }
    }
}

impl Chunk {
    /// A chunk without signals, at a place of its row, for a window.
    pub(crate) fn new(start: usize, window: u32, order: ByteOrder) -> Self {
        let big_endian = if order == ByteOrder::BigEndian { u64::MAX } else { 0 };
        Self { start, window: window as usize, big_endian, ..Self::default() }
    }

    /// Decodes a frame into its row, from this place on.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(crate) fn row<F: BatchFrame, const REGULAR: bool>(&self, start: usize, frame: &F, row: &mut [f64]) {
        let Some(out) = row.get_mut(start..).and_then(|row| row.first_chunk_mut()) else { return };
        self.decode(frame.window(if REGULAR { 0 } else { self.window }), out);
    }

    /// Gives a lane its work.
    pub(crate) fn set(&mut self, at: usize, lane: &Lane) {
        fn put<T>(lanes: &mut [T; LANES], at: usize, value: T) {
            if let Some(slot) = lanes.get_mut(at) {
                *slot = value;
            }
        }
        put(&mut self.shift, at, lane.bits.shift);
        put(&mut self.mask, at, lane.bits.mask);
        put(&mut self.magic, at, lane.magic);
        put(&mut self.factor, at, lane.factor);
        put(&mut self.offset, at, lane.offset);
    }

    /// The physical values of eight signals.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
    pub(crate) fn decode(&self, window: u64, out: &mut [f64; LANES]) {
        let word = window ^ ((window ^ window.swap_bytes()) & self.big_endian);
        // One whole array after the other: written as one loop, it is not vectorised.
        let bits: [u64; LANES] = from_fn(|lane| (word >> (self.shift[lane] & 63)) & self.mask[lane]);
        let raw: [f64; LANES] =
            from_fn(|lane| f64::from_bits(bits[lane] ^ self.magic[lane]) - f64::from_bits(self.magic[lane]));
        *out = from_fn(|lane| raw[lane] * self.factor[lane] + self.offset[lane]);
    }
}
