//! A path becomes a hash, quickly: sixteen bytes at a time, multiplied and folded.
//!
//! *Invariant:* the seeds are drawn anew for each tree, so that a tree from elsewhere cannot be made of paths that collide.
//! *Next:* `catalogue.rs` (the rows of a tree by their paths).

use std::hash::{BuildHasher, Hasher, RandomState};

/// The seeds of one tree.
#[derive(Clone)]
pub(crate) struct Quick(u64, u64);

pub(crate) struct Folded {
    state: u64,
    seed: u64,
}

impl Default for Quick {
    fn default() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(1), random.hash_one(2))
    }
}

impl BuildHasher for Quick {
    type Hasher = Folded;

    #[inline]
    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, seed: self.1 }
    }
}

impl Folded {
    #[inline]
    fn fold(&mut self, a: u64, b: u64) {
        let wide = u128::from(a ^ self.state) * u128::from(b ^ self.seed);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let (low, high) = (wide as u64, (wide >> 64) as u64);
        self.state = (low ^ high).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Folded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (pieces, rest) = bytes.as_chunks::<16>();
        for piece in pieces {
            let both = u128::from_le_bytes(*piece);
            #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
            self.fold(both as u64, (both >> 64) as u64);
        }
        let mut last = [0; 16];
        if let Some(place) = last.get_mut(..rest.len()) {
            place.copy_from_slice(rest);
        }
        let both = u128::from_le_bytes(last);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        self.fold(both as u64, (both >> 64) as u64 ^ u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    #[inline]
    fn write_u8(&mut self, _: u8) {
        // What ends a text: its length is in it already.
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}
