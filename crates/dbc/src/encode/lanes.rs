//! Doubles become bits, eight at once: the same few steps for each, whatever its byte order, sign and width.
//!
//! *Invariant:* what is accepted here has the bits that `bits.rs` gives; what is not accepted is decided there. A lane without a signal gives
//! nothing and accepts every number. Division stays a division: a product with the reciprocal is another number.
//! *Next:* `plan.rs` (which signals are in which lanes), `batch.rs` (the loop over frames).

use core::array::from_fn;

use super::bits::MAGIC;

/// The number of lanes.
pub(super) const LANES: usize = 8;

/// What eight signals do to their values.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Chunk {
    pub(super) offset: [f64; LANES],
    pub(super) factor: [f64; LANES],
    /// The smallest value that is accepted.
    pub(super) low: [f64; LANES],
    /// The largest.
    pub(super) high: [f64; LANES],
}

/// Where bits of these eight signals go in one word.
#[derive(Clone, Debug, Default, PartialEq)]
#[repr(align(64))]
pub(super) struct Part {
    pub(super) shift: [u64; LANES],
    /// Nothing for a lane that has no bits in this word.
    pub(super) mask: [u64; LANES],
    pub(super) chunk: u8,
    pub(super) word: u8,
    /// The word is meant with its first byte on top.
    pub(super) big: bool,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            offset: [0.0; LANES],
            // Every number divided by it is 0.
            factor: [f64::INFINITY; LANES],
            low: [f64::NEG_INFINITY; LANES],
            high: [f64::INFINITY; LANES],
        }
    }
}

impl Chunk {
    /// The raw values of eight physical ones in the low bits of doubles, with other bits above, and whether all are accepted; where it is `EXACT`,
    /// only so far from a step.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
    pub(super) fn round<const EXACT: bool>(
        &self,
        values: &[f64; LANES],
        tolerance: f64,
    ) -> ([u64; LANES], bool) {
        // One whole array after the other: written as one loop, it is not vectorised.
        let raw: [f64; LANES] = from_fn(|lane| (values[lane] - self.offset[lane]) / self.factor[lane]);
        let magic: [f64; LANES] = from_fn(|lane| raw[lane] + MAGIC);
        let inside: [bool; LANES] =
            from_fn(|lane| (self.low[lane] <= values[lane]) & (values[lane] <= self.high[lane]));
        let mut accepted = inside.iter().fold(true, |all, one| all & one);
        if EXACT {
            let near: [bool; LANES] = from_fn(|lane| (raw[lane] - (magic[lane] - MAGIC)).abs() <= tolerance);
            accepted &= near.iter().fold(true, |all, one| all & one);
        }
        (from_fn(|lane| magic[lane].to_bits()), accepted)
    }
}

impl Part {
    /// The bits in their places, one lane each.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
    pub(super) fn place(&self, bits: &[u64; LANES]) -> [u64; LANES] {
        let shifted: [u64; LANES] = from_fn(|lane| bits[lane] << (self.shift[lane] & 63));
        from_fn(|lane| shifted[lane] & self.mask[lane])
    }
}

/// All lanes in one word.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
pub(super) fn together(lanes: &[u64; LANES]) -> u64 {
    lanes.iter().fold(0, |all, one| all | one)
}

/// The eight values from a place on, zeros where they end.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
pub(super) fn eight(values: &[f64], from: usize) -> [f64; LANES] {
    match values.get(from..).and_then(|values| values.first_chunk()) {
        Some(values) => *values,
        None => ending(values, from),
    }
}

#[inline(never)]
fn ending(values: &[f64], from: usize) -> [f64; LANES] {
    let mut lanes = [0.0; LANES];
    for (lane, value) in lanes.iter_mut().zip(values.get(from..).unwrap_or_default()) {
        *lane = *value;
    }
    lanes
}
