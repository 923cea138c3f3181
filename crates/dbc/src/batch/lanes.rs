//! Signals become lanes of eight: the same few steps for each, whatever its byte order, sign and width.
//!
//! *Invariant:* multiplication and addition stay apart, so that every processor gives the same bits; a lane without a signal gives zero.
//! *Next:* `layout.rs` (which signals are in which lanes), `rows.rs` (the loop over frames).

use core::array::from_fn;

use crate::model::signal::{ByteOrder, Signal, ValueType};

/// The number of lanes.
pub(crate) const LANES: usize = 8;
/// The bits of 2^52: an integer below it, put into its fraction, is a double of that much more.
const MAGIC: u64 = 0x4330_0000_0000_0000;
/// The widest integer that the fraction holds.
const MAX_LENGTH: u32 = 52;

/// Eight signals within one window of eight bytes.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct Chunk {
    left: [u64; LANES],
    right: [u64; LANES],
    big_endian: [u64; LANES],
    magic: [u64; LANES],
    factor: [f64; LANES],
    offset: [f64; LANES],
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            left: [0; LANES],
            right: [63; LANES],
            big_endian: [0; LANES],
            magic: [MAGIC; LANES],
            factor: [0.0; LANES],
            offset: [0.0; LANES],
        }
    }
}

/// What one lane does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lane {
    left: u64,
    right: u64,
    big_endian: u64,
    magic: u64,
    factor: f64,
    offset: f64,
}

impl Lane {
    /// The lane of a signal in the window that begins at this byte; `None` where the signal is too wide for it, or no integer.
    pub(crate) fn new(signal: &Signal, window: u32) -> Option<Self> {
        if signal.length > MAX_LENGTH || signal.value_type.is_float() {
            return None;
        }
        let start = signal.start.checked_sub(window * 8)?;
        let (left, big_endian) = match signal.byte_order {
            ByteOrder::LittleEndian => (64_u32.checked_sub(start + signal.length)?, 0),
            ByteOrder::BigEndian => {
                let from_top = start / 8 * 8 + 7 - start % 8;
                ((from_top + signal.length <= 64).then_some(from_top)?, u64::MAX)
            }
        };
        let sign = if signal.value_type == ValueType::Signed { 1 << (signal.length - 1) } else { 0 };
        Some(Self {
            left: left.into(),
            right: (64 - signal.length).into(),
            big_endian,
            magic: MAGIC | sign,
            factor: signal.factor,
            offset: signal.offset,
        })
    }

    /// The bits of the signal, right-aligned.
    #[inline]
    pub(crate) fn bits(&self, word: u64) -> u64 {
        let swapped = word ^ ((word ^ word.swap_bytes()) & self.big_endian);
        (swapped << (self.left & 63)) >> (self.right & 63)
    }

    /// The physical values of a column of windows.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(crate) fn column(&self, words: &[u64], out: &mut [f64]) {
        let Self { left, right, magic, factor, offset, .. } = *self;
        let base = f64::from_bits(magic);
        if self.big_endian == 0 {
            for (out, word) in out.iter_mut().zip(words) {
                let bits = (word << (left & 63)) >> (right & 63);
                *out = (f64::from_bits(bits ^ magic) - base) * factor + offset;
            }
        } else {
            for (out, word) in out.iter_mut().zip(words) {
                let bits = (word.swap_bytes() << (left & 63)) >> (right & 63);
                *out = (f64::from_bits(bits ^ magic) - base) * factor + offset;
            }
        }
    }
}

impl Chunk {
    /// Gives a lane its work.
    pub(crate) fn set(&mut self, at: usize, lane: &Lane) {
        fn put<T>(lanes: &mut [T; LANES], at: usize, value: T) {
            if let Some(slot) = lanes.get_mut(at) {
                *slot = value;
            }
        }
        put(&mut self.left, at, lane.left);
        put(&mut self.right, at, lane.right);
        put(&mut self.big_endian, at, lane.big_endian);
        put(&mut self.magic, at, lane.magic);
        put(&mut self.factor, at, lane.factor);
        put(&mut self.offset, at, lane.offset);
    }

    /// The physical values of eight signals.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
    pub(crate) fn decode(&self, word: u64, out: &mut [f64; LANES]) {
        let difference = word ^ word.swap_bytes();
        // One whole array after the other: written as one loop, it is not vectorised.
        let bits: [u64; LANES] = from_fn(|lane| {
            let word = word ^ (difference & self.big_endian[lane]);
            (word << (self.left[lane] & 63)) >> (self.right[lane] & 63)
        });
        let raw: [f64; LANES] =
            from_fn(|lane| f64::from_bits(bits[lane] ^ self.magic[lane]) - f64::from_bits(self.magic[lane]));
        *out = from_fn(|lane| raw[lane] * self.factor[lane] + self.offset[lane]);
    }
}
