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

/// Where bits of eight signals go in one word.
#[derive(Clone, Debug, Default, PartialEq)]
#[repr(align(64))]
pub(super) struct Places {
    pub(super) shift: [u64; LANES],
    /// Nothing for a lane that has no bits in this word.
    pub(super) mask: [u64; LANES],
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
    /// The raw values of eight physical ones, in the low bits of doubles with other bits above, and something other than 0 for each that is not
    /// accepted; where it is `EXACT`, that is also what lies further from a step than this.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
    pub(super) fn round<const EXACT: bool>(
        &self,
        values: &[f64; LANES],
        tolerance: f64,
    ) -> ([u64; LANES], [u64; LANES]) {
        // One whole array after the other: written as one loop, it is not vectorised.
        let raw: [f64; LANES] = from_fn(|lane| (values[lane] - self.offset[lane]) / self.factor[lane]);
        let magic: [f64; LANES] = from_fn(|lane| raw[lane] + MAGIC);
        // A value that is moved into the range is not the same any more; no number moves to the bound. Comparisons that give a mask are packed and
        // unpacked again between lanes of eight and of 64 bits; these are not.
        let above: [f64; LANES] =
            from_fn(|lane| if values[lane] > self.low[lane] { values[lane] } else { self.low[lane] });
        let within: [f64; LANES] =
            from_fn(|lane| if above[lane] < self.high[lane] { above[lane] } else { self.high[lane] });
        let mut refused: [u64; LANES] = from_fn(|lane| within[lane].to_bits() ^ values[lane].to_bits());
        if EXACT {
            let distance: [f64; LANES] = from_fn(|lane| (raw[lane] - (magic[lane] - MAGIC)).abs());
            let least: [f64; LANES] =
                from_fn(|lane| if distance[lane] < tolerance { tolerance } else { distance[lane] });
            refused = from_fn(|lane| refused[lane] | (least[lane].to_bits() ^ tolerance.to_bits()));
        }
        (from_fn(|lane| magic[lane].to_bits()), refused)
    }
}

impl Places {
    /// The bits in their places, one lane each.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
    pub(super) fn put(&self, bits: &[u64; LANES]) -> [u64; LANES] {
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

/// The eight values from a place on; where there are fewer, these and zeros, in `room`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
pub(super) fn eight<'a>(values: &'a [f64], from: usize, room: &'a mut [f64; LANES]) -> &'a [f64; LANES] {
    match values.get(from..).and_then(|values| values.first_chunk()) {
        Some(values) => values,
        None => ending(values, from, room),
    }
}

#[inline(never)]
fn ending<'a>(values: &[f64], from: usize, room: &'a mut [f64; LANES]) -> &'a [f64; LANES] {
    *room = [0.0; LANES];
    for (lane, value) in room.iter_mut().zip(values.get(from..).unwrap_or_default()) {
        *lane = *value;
    }
    room
}
