//! A signal's place in a payload becomes pieces: shifts and masks in the words of eight bytes that hold it.
//!
//! *Invariant:* a signal of up to 64 bits has one piece or two; a piece's mask names only bits that are the signal's.
//! *Next:* `plan.rs` (which signal owns which bits).

use crate::model::signal::{ByteOrder, Signal};
use crate::plan::mask;

/// The words of the longest payload that is compiled.
pub(super) const WORDS: usize = 8;
/// The bits of a word.
const BITS: u32 = 64;

/// Some bits of a signal in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) word: u8,
    /// The word is meant with its first byte on top.
    pub(super) big: bool,
    /// How far right-aligned bits are shifted up.
    pub(super) left: u8,
    /// How far they are shifted down: the upper bits of a signal that has a second piece.
    pub(super) right: u8,
    /// Which bits of the word they are, after swapping.
    pub(super) mask: u64,
}

impl Piece {
    /// The bits in the word, first byte below.
    #[inline]
    pub(super) fn place(self, bits: u64) -> u64 {
        let shifted = ((bits << (self.left & 63)) >> (self.right & 63)) & self.mask;
        if self.big { shifted.swap_bytes() } else { shifted }
    }

    /// The same piece with the word the other way round; `None` where it has bits of several bytes.
    pub(super) fn turned(self) -> Option<Self> {
        let byte = 0xFF << (self.left & !7);
        let within = self.right == 0 && self.mask & !byte == 0;
        within.then(|| Self { big: !self.big, left: self.left ^ 0x38, mask: self.mask.swap_bytes(), ..self })
    }

    /// The mask, first byte below.
    pub(super) fn own(self) -> u64 {
        if self.big { self.mask.swap_bytes() } else { self.mask }
    }

    /// The piece without bits that others have; these with the first byte below.
    pub(super) fn without(self, others: u64) -> Self {
        let others = if self.big { others.swap_bytes() } else { others };
        Self { mask: self.mask & !others, ..self }
    }
}

/// The pieces of a signal: its low bits, and its high bits where they are in another word. `None` where the words do not hold it.
pub(super) fn pieces(signal: &Signal) -> Option<(Piece, Option<Piece>)> {
    let length = Some(signal.length).filter(|length| (1..=BITS).contains(length))?;
    let big = signal.byte_order == ByteOrder::BigEndian;
    // Counted in the direction in which the signal's bits get more significant (little-endian) or less (big-endian).
    let from = if big { signal.start / 8 * 8 + 7 - signal.start % 8 } else { signal.start };
    let (first, last) = (from / BITS, (from.checked_add(length)? - 1) / BITS);
    let up = from % BITS;
    let (low, high, left) = if big {
        // The low bits end in the last word.
        (last, first, (BITS - (up + length) % BITS) % BITS)
    } else {
        (first, last, up)
    };
    if low.max(high) as usize >= WORDS {
        return None;
    }
    let word = |word: u32| u8::try_from(word).ok();
    let all = mask(length);
    let piece = Piece { word: word(low)?, big, left: u8::try_from(left).ok()?, right: 0, mask: all << left };
    if low == high {
        return Some((piece, None));
    }
    let right = BITS - left;
    Some((
        piece,
        Some(Piece { word: word(high)?, big, left: 0, right: u8::try_from(right).ok()?, mask: all >> right }),
    ))
}

/// Writes right-aligned bits of a signal into a payload that holds it; other bits stay. `None` where eight bytes do not hold it.
#[inline]
pub(super) fn write(signal: &Signal, payload: &mut [u8], bits: u64) -> Option<()> {
    let big = signal.byte_order == ByteOrder::BigEndian;
    let from = if big { signal.start / 8 * 8 + 7 - signal.start % 8 } else { signal.start };
    let window = (from as usize / 8).min(payload.len().checked_sub(8)?);
    let bytes = payload.get_mut(window..)?.first_chunk_mut::<8>()?;
    let up = from - u32::try_from(window * 8).ok()?;
    let left = if big { BITS.checked_sub(up + signal.length)? } else { up };
    let all = mask(signal.length);
    if left + signal.length > BITS || signal.length > BITS {
        return None;
    }
    let old = if big { u64::from_be_bytes(*bytes) } else { u64::from_le_bytes(*bytes) };
    let new = old & !(all << (left & 63)) | (bits & all) << (left & 63);
    *bytes = if big { new.to_be_bytes() } else { new.to_le_bytes() };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use alloc::vec::Vec;

    #[test]
    fn pieces_write_what_a_field_writes() {
        for big in [false, true] {
            for start in 0..512 {
                for length in 1..=64 {
                    let order = if big { ByteOrder::BigEndian } else { ByteOrder::LittleEndian };
                    let signal = Signal::new("s", start, length).with_byte_order(order);
                    let plan = Plan::compile(core::slice::from_ref(&signal)).expect("it compiles");
                    let field = plan.field(0).expect("its only field");
                    let bits = 0x5A5A_1234_9876_DCBA & mask(length);
                    let mut want = [0; 64];
                    let fits = field.write(&mut want, bits).is_some();
                    let found = pieces(&signal);
                    for room in [want.len(), 12, 8] {
                        let (mut ours, mut theirs) = ([0xA5; 64], [0xA5; 64]);
                        let reach = field.write(&mut theirs[..room], bits).is_some();
                        if reach && write(&signal, &mut ours[..room], bits).is_some() {
                            assert_eq!(ours, theirs, "{start} {length} {big} {room}");
                        }
                    }
                    assert_eq!(found.is_some(), fits, "{start} {length} {big}");
                    let Some((low, high)) = found else { continue };
                    let mut words = [0_u64; WORDS];
                    for piece in [Some(low), high].into_iter().flatten() {
                        // Bits above the signal's do not matter.
                        let junk = if length < 64 { bits | 1 << 63 | 1 << length } else { bits };
                        words[usize::from(piece.word)] |= piece.place(junk);
                        if let Some(turned) = piece.turned() {
                            assert_eq!(turned.place(junk), piece.place(junk), "{start} {length} {big}");
                        }
                    }
                    let ours: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                    assert_eq!(ours, want, "{start} {length} {big}");
                }
            }
        }
    }
}
