//! Identifiers find their place: a direct table for 11 bits, a perfect hash for 29.
//!
//! *Invariant:* a look-up reads one slot, whatever the number of entries; of equal identifiers the first wins.
//! *Next:* `model/database.rs` and `batch.rs` look up here.

use alloc::vec;
use alloc::vec::Vec;

use crate::CanId;

/// No place.
pub(crate) const NONE: u32 = u32::MAX;
const STANDARD: usize = 2048;
/// An identifier that no frame has.
const EMPTY: u32 = u32::MAX;
/// The most slots of the hash, as a power of two.
const MAX_BITS: u32 = 24;
/// How many multipliers are tried before the table grows.
const ATTEMPTS: u32 = 256;

/// Identifiers and their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct IdTable {
    /// Places by 11-bit identifier; empty where there is none.
    standard: Vec<u32>,
    extended: KeyTable,
}

impl IdTable {
    pub(crate) fn new(ids: impl Iterator<Item = (CanId, u32)>) -> Self {
        let mut standard = Vec::new();
        let mut extended = Vec::new();
        for (id, place) in ids {
            if id.is_extended() {
                extended.push((id.raw(), place));
                continue;
            }
            if standard.is_empty() {
                standard = vec![NONE; STANDARD];
            }
            if let Some(slot) = standard.get_mut(id.raw() as usize).filter(|slot| **slot == NONE) {
                *slot = place;
            }
        }
        Self { standard, extended: KeyTable::new(extended) }
    }

    /// The place of an identifier, or [`NONE`].
    #[inline]
    pub(crate) fn place(&self, id: CanId) -> u32 {
        if id.is_extended() {
            return self.extended.place(id.raw());
        }
        self.standard.get(id.raw() as usize).copied().unwrap_or(NONE)
    }
}

/// Keys of at most 29 bits and their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KeyTable {
    /// Keys and places; at the hash of the key, or sorted where no hash is perfect.
    slots: Vec<(u32, u32)>,
    multiplier: u32,
    /// How far a product is shifted down; 0 where the slots are sorted instead.
    shift: u32,
}

impl KeyTable {
    pub(crate) fn new(mut keys: Vec<(u32, u32)>) -> Self {
        keys.sort_unstable();
        keys.dedup_by_key(|entry| entry.0);
        if keys.is_empty() {
            return Self::default();
        }
        let least = (keys.len() * 4).next_power_of_two().trailing_zeros();
        // Two keys out of many collide more often than not; beyond a few thousand, look-ups are binary searches.
        for bits in least..=(least + 3).min(MAX_BITS) {
            let shift = 32 - bits;
            let mut seed = 0x9E37_79B9_u32;
            for _ in 0..ATTEMPTS {
                if let Some(slots) = place_all(&keys, seed, shift) {
                    return Self { slots, multiplier: seed, shift };
                }
                seed = seed.wrapping_mul(0x2C9B_3C6D).wrapping_add(0x5851_F42E) | 1;
            }
            if keys.len() > 4096 {
                break;
            }
        }
        Self { slots: keys, multiplier: 0, shift: 0 }
    }

    /// The place of a key, or [`NONE`].
    #[inline]
    pub(crate) fn place(&self, key: u32) -> u32 {
        if self.shift == 0 {
            return self.search(key);
        }
        let at = (key.wrapping_mul(self.multiplier) >> (self.shift & 31)) as usize;
        match self.slots.get(at) {
            Some((found, place)) if *found == key => *place,
            _ => NONE,
        }
    }

    #[cold]
    fn search(&self, key: u32) -> u32 {
        let at = self.slots.binary_search_by_key(&key, |entry| entry.0);
        at.ok().and_then(|at| self.slots.get(at)).map_or(NONE, |entry| entry.1)
    }
}

/// Every key at its hash; `None` where two meet.
fn place_all(keys: &[(u32, u32)], multiplier: u32, shift: u32) -> Option<Vec<(u32, u32)>> {
    let mut slots = vec![(EMPTY, NONE); 1 << (32 - shift)];
    for entry in keys {
        let slot = slots.get_mut((entry.0.wrapping_mul(multiplier) >> shift) as usize)?;
        if slot.0 != EMPTY {
            return None;
        }
        *slot = *entry;
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_is_found_and_no_other() {
        for count in [0_u32, 1, 7, 400, 9_000] {
            let ids: Vec<CanId> = (0..count)
                .map(|n| CanId::extended(n.wrapping_mul(0x0153_A2B7) & 0x1FFF_FFFF).unwrap())
                .collect();
            let table = IdTable::new(ids.iter().copied().zip(0..));
            for (id, place) in ids.iter().zip(0..) {
                assert_eq!(table.place(*id), place, "{count}: {id}");
                assert_eq!(table.place(CanId::standard(id.raw() & 0x7FF).unwrap()), NONE);
            }
            let strange = CanId::extended(0x1ABC_DEF1).unwrap();
            assert_eq!(
                table.place(strange),
                ids.iter().position(|id| *id == strange).map_or(NONE, |at| u32::try_from(at).unwrap())
            );
        }
    }

    #[test]
    fn the_first_of_two_wins() {
        let ids = [CanId::standard(5), CanId::standard(5), CanId::extended(5), CanId::extended(5)]
            .map(Option::unwrap);
        let table = IdTable::new(ids.into_iter().zip(0..));
        assert_eq!((table.place(ids[0]), table.place(ids[2])), (0, 2));
    }
}
