//! A plan is executed: values become the words of a payload, or are left to the long way.
//!
//! *Invariant:* words are complete where the answer is `true`; where it is `false` they are worth nothing, and nobody else has seen them.
//! *Next:* `encoder.rs` (one frame), `batch.rs` (many).

use core::array::from_fn;

use super::bits::{self, Steps};
use super::lanes::{LANES, eight, together};
use super::piece::WORDS;
use super::plan::{Single, Step, Target};
use crate::model::message::Message;

/// Some steps whether they are wanted or not, then the rest, all in one word, and whether all values are accepted.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
pub(super) fn short<const EXACT: bool, const FLOOR: usize>(
    steps: &[Step],
    values: &[f64],
    tolerance: f64,
) -> (u64, bool) {
    let Some((always, more)) = steps.split_first_chunk::<FLOOR>() else { return (0, false) };
    let (mut lanes, mut refused) = ([0; LANES], [0; LANES]);
    let mut from = 0;
    for step in always {
        (lanes, refused) = one::<EXACT>(step, values, from, tolerance, lanes, refused);
        from += LANES;
    }
    for step in more {
        (lanes, refused) = one::<EXACT>(step, values, from, tolerance, lanes, refused);
        from += LANES;
    }
    (together(&lanes), together(&refused) == 0)
}

/// A step, added to the lanes and the refusals before it; by value, so that they stay in registers.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
#[expect(clippy::indexing_slicing, reason = "the lanes of arrays of that length")]
fn one<const EXACT: bool>(
    step: &Step,
    values: &[f64],
    from: usize,
    tolerance: f64,
    lanes: [u64; LANES],
    refused: [u64; LANES],
) -> ([u64; LANES], [u64; LANES]) {
    let mut room = [0.0; LANES];
    let (bits, outside) = step.chunk.round::<EXACT>(eight(values, from, &mut room), tolerance);
    let placed = step.places.put(&bits);
    (from_fn(|lane| lanes[lane] | placed[lane]), from_fn(|lane| refused[lane] | outside[lane]))
}

/// A plan of several words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long<'a> {
    pub(super) steps: &'a [Step],
    pub(super) targets: &'a [Target],
    pub(super) singles: &'a [Single],
    pub(super) message: &'a Message,
    pub(super) rounding: Steps,
}

impl Long<'_> {
    /// All steps, into words with their first byte below; whether all values are accepted.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn run<const EXACT: bool>(
        &self,
        values: &[f64],
        tolerance: f64,
        words: &mut [u64; WORDS],
    ) -> bool {
        let mut refused = [0; LANES];
        for (step, target) in self.steps.iter().zip(self.targets) {
            let from = usize::from(target.from);
            let lanes;
            (lanes, refused) = one::<EXACT>(step, values, from, tolerance, [0; LANES], refused);
            let all = together(&lanes);
            let all = if target.big { all.swap_bytes() } else { all };
            if let Some(word) = words.get_mut(usize::from(target.word)) {
                *word |= all;
            }
        }
        together(&refused) == 0 && (self.singles.is_empty() || self.fill(values, words))
    }

    /// What the lanes left out.
    #[inline(never)]
    fn fill(&self, values: &[f64], words: &mut [u64; WORDS]) -> bool {
        self.singles.iter().all(|single| {
            let message = self.message;
            let position = single.position as usize;
            let known = message.signals.get(position).zip(message.plan.field(position));
            let Some(((signal, field), value)) = known.zip(values.get(single.place as usize)) else {
                return false;
            };
            let Ok(bits) = bits::of_double(signal, field, *value, self.rounding) else { return false };
            for piece in single.pieces {
                if let Some(word) = words.get_mut(usize::from(piece.word)) {
                    *word |= piece.place(bits);
                }
            }
            true
        })
    }
}
