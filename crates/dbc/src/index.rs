//! Identifiers find their place: a direct table for 11 bits, a perfect hash of two levels for 29.
//!
//! *Invariant:* a look-up reads one displacement and one slot, whatever the number of entries; of equal identifiers the first wins; a table is
//! built in a bounded number of steps, whatever the identifiers.
//! *Next:* `model/database.rs` and `batch.rs` look up here.

use alloc::vec;
use alloc::vec::Vec;

use crate::CanId;

/// No place.
pub(crate) const NONE: u32 = u32::MAX;
const STANDARD: usize = 2048;
/// An identifier that no frame has.
const EMPTY: u32 = u32::MAX;
/// How many multipliers are tried before look-ups are binary searches.
const ATTEMPTS: u32 = 16;
/// How many slots are looked at for each key, at most, before the next multiplier is tried.
const STEPS: usize = 64;
/// The most keys that are hashed.
const MAX_KEYS: usize = 1 << 24;

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

/// The bucket of a key, its slot before it is displaced, and the key with its place.
type Member = (usize, usize, (u32, u32));

/// Keys of at most 29 bits and their places.
///
/// The upper bits of a product choose a bucket, whose displacement moves the bits below to slots that its keys have for themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KeyTable {
    /// Keys and places, a power of two; sorted where there are no displacements.
    slots: Vec<(u32, u32)>,
    /// By bucket; a power of two, or none where no multiplier was found.
    displacements: Vec<u32>,
    multiplier: u64,
    /// How far a product is shifted down to the number of its bucket.
    shift: u32,
}

impl KeyTable {
    pub(crate) fn new(mut keys: Vec<(u32, u32)>) -> Self {
        keys.sort_unstable();
        keys.dedup_by_key(|entry| entry.0);
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Self { slots: keys, ..Self::default() };
        }
        let mut multiplier = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..ATTEMPTS {
            if let Some(table) = Self::hashed(&keys, multiplier) {
                return table;
            }
            multiplier =
                multiplier.wrapping_mul(0xD129_0D3F_4C95_7F2D).wrapping_add(0x5851_F42D_4C95_7F2E) | 1;
        }
        Self { slots: keys, ..Self::default() }
    }

    /// The place of a key, or [`NONE`].
    #[inline]
    pub(crate) fn place(&self, key: u32) -> u32 {
        let (bucket, slot) = hash(key, self.multiplier, self.shift);
        let Some(displacement) = self.displacements.get(bucket) else { return self.search(key) };
        let at = (slot ^ displacement) as usize & self.slots.len().wrapping_sub(1);
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

    /// Every key in a slot of its own, the fullest buckets first; `None` where that takes too many steps.
    fn hashed(keys: &[(u32, u32)], multiplier: u64) -> Option<Self> {
        let buckets = (keys.len() / 4).next_power_of_two().max(2);
        let shift = 64 - buckets.trailing_zeros();
        let count = (keys.len() * 2).next_power_of_two();
        let mut members: Vec<Member> = keys
            .iter()
            .map(|entry| {
                let (bucket, slot) = hash(entry.0, multiplier, shift);
                (bucket, slot as usize & (count - 1), *entry)
            })
            .collect();
        members.sort_unstable();
        let mut groups: Vec<&[Member]> = members.chunk_by(|a, b| a.0 == b.0).collect();
        groups.sort_by_key(|group| core::cmp::Reverse(group.len()));
        let (mut slots, mut displacements) = (vec![(EMPTY, NONE); count], vec![0_u32; buckets]);
        let mut steps = keys.len() * STEPS;
        for group in groups {
            // Sorted by slot, so that equals are neighbours: no displacement parts them.
            if group.windows(2).any(|pair| matches!(pair, [a, b] if a.1 == b.1)) {
                return None;
            }
            let free = |slots: &[(u32, u32)], displacement: usize| {
                group
                    .iter()
                    .all(|(_, slot, _)| slots.get(slot ^ displacement).is_some_and(|entry| entry.0 == EMPTY))
            };
            let mut displacement = 0;
            while !free(&slots, displacement) {
                displacement += 1;
                steps = steps.checked_sub(group.len())?;
                if displacement >= count {
                    return None;
                }
            }
            for (bucket, slot, entry) in group {
                *slots.get_mut(slot ^ displacement)? = *entry;
                *displacements.get_mut(*bucket)? = u32::try_from(displacement).ok()?;
            }
        }
        Some(Self { slots, displacements, multiplier, shift })
    }
}

/// The bucket of a key, and its slot before it is displaced.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are wanted, and a bucket's number is small"
)]
fn hash(key: u32, multiplier: u64, shift: u32) -> (usize, u32) {
    let product = u64::from(key).wrapping_mul(multiplier);
    ((product >> (shift & 63)) as usize, (product >> 32) as u32)
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

    /// Whether a look-up is two reads, and finds every key and no other.
    fn is_hashed(keys: &[u32]) -> bool {
        let table = KeyTable::new(keys.iter().copied().zip(0..).collect());
        for (key, place) in keys.iter().zip(0..) {
            assert_eq!(table.place(*key), place);
            let other = key ^ 0x1000_0000;
            assert_eq!(table.place(other) == NONE, !keys.contains(&other));
        }
        !table.displacements.is_empty()
    }

    #[test]
    fn identifiers_that_look_alike_are_hashed() {
        // Parameter groups of many senders, rows of numbers, single bits.
        assert!(is_hashed(&(0..2000).map(|n| 0x0CF0_0400 + n).collect::<Vec<_>>()));
        assert!(is_hashed(&(0..2000).map(|n| 0x18FF_0000 | n << 8 & 0xFF00 | n >> 8).collect::<Vec<_>>()));
        assert!(is_hashed(&(0..2000).map(|n| n << 18).collect::<Vec<_>>()));
        assert!(is_hashed(&(0..29).map(|n| 1 << n).collect::<Vec<_>>()));
        assert!(is_hashed(&[0]));
    }

    #[test]
    fn identifiers_that_collide_under_one_multiplier_are_hashed_with_another() {
        // All of one bucket, for the first multiplier and any number of buckets up to 4096.
        let keys: Vec<u32> =
            (0..1_u32 << 21).filter(|key| hash(*key, 0x9E37_79B9_7F4A_7C15, 52).0 == 0).collect();
        assert!(keys.len() > 400, "{}", keys.len());
        assert!(is_hashed(&keys));
    }

    #[test]
    fn what_is_not_hashed_is_searched() {
        let table = KeyTable { slots: vec![(3, 0), (9, 1), (11, 2)], ..KeyTable::default() };
        assert_eq!([3, 9, 11, 10].map(|key| table.place(key)), [0, 1, 2, NONE]);
        assert_eq!(KeyTable::default().place(0), NONE);
    }

    #[test]
    fn the_first_of_two_wins() {
        let ids = [CanId::standard(5), CanId::standard(5), CanId::extended(5), CanId::extended(5)]
            .map(Option::unwrap);
        let table = IdTable::new(ids.into_iter().zip(0..));
        assert_eq!((table.place(ids[0]), table.place(ids[2])), (0, 2));
    }
}
