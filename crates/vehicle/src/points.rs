//! The datapoints of one event: a list of its own, or a reader's share of batches that all readers hold in common.
//!
//! *Invariant:* a shared batch has at most 64 datapoints, so that a word says which of them are meant.
//! *Next:* `board/inbox.rs` (which queues shares), `subscription.rs` (whose events they are).

use std::fmt;
use std::sync::Arc;

use crate::catalogue::SignalId;
use crate::datapoint::Datapoint;

/// A datapoint with its signal.
pub(crate) type Point = (SignalId, Datapoint);

/// Datapoints with their signals.
#[derive(Clone)]
pub struct Points(Held);

#[derive(Clone)]
enum Held {
    Own(Vec<Point>),
    One(Share),
    Many(Vec<Share>),
}

/// Some datapoints of a batch.
#[derive(Clone)]
pub(crate) struct Share {
    batch: Arc<[Point]>,
    mask: u64,
}

impl Share {
    /// How many datapoints a batch that is shared may have.
    pub(crate) const MOST: usize = 64;

    /// Those of a batch whose bits are set.
    pub(crate) fn new(batch: Arc<[Point]>, mask: u64) -> Self {
        Self { batch, mask }
    }

    /// How many datapoints it has.
    pub(crate) fn len(&self) -> usize {
        // At most 64.
        usize::try_from(self.mask.count_ones()).unwrap_or(0)
    }

    /// Takes the first `count` datapoints away.
    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.mask &= self.mask.wrapping_sub(1);
        }
    }

    /// The same datapoints in a batch of their own where they are few of the batch, so that they do not keep the others in memory.
    pub(crate) fn of_its_own_where_sparse(self) -> Self {
        let few = self.len() * 4 < self.batch.len();
        if !few {
            return self;
        }
        let wanted = self.batch.iter().enumerate().filter(|(at, _)| self.mask & (1 << at) != 0);
        let batch: Arc<[Point]> = wanted.map(|(_, point)| point.clone()).collect();
        let mask = u64::MAX.unbounded_shr(64 - self.mask.count_ones());
        Self { batch, mask }
    }

    /// Keeps the datapoints of some signals.
    pub(crate) fn retain(&mut self, keep: impl Fn(SignalId) -> bool) {
        for (at, (signal, _)) in self.batch.iter().enumerate() {
            if !keep(*signal) {
                self.mask &= !(1 << at);
            }
        }
    }
}

impl Points {
    /// Points from a list.
    pub fn new(points: Vec<(SignalId, Datapoint)>) -> Self {
        Self(Held::Own(points))
    }

    /// Shares one after the other, then points of one's own.
    pub(crate) fn gathered(first: Option<Share>, mut shares: Vec<Share>, own: Vec<Point>) -> Self {
        match first {
            None if shares.is_empty() => return Self::new(own),
            Some(first) if shares.is_empty() && own.is_empty() => return Self(Held::One(first)),
            Some(first) => shares.insert(0, first),
            None => {}
        }
        for chunk in own.chunks(Share::MOST) {
            shares.push(Share::new(chunk.into(), u64::MAX >> (Share::MOST - chunk.len())));
        }
        Self(Held::Many(shares))
    }

    /// The datapoints in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (SignalId, &Datapoint)> {
        let (own, shares) = match &self.0 {
            Held::Own(points) => (points.as_slice(), &[][..]),
            Held::One(share) => (&[][..], std::slice::from_ref(share)),
            Held::Many(shares) => (&[][..], shares.as_slice()),
        };
        Iter { own: own.iter(), shares: shares.iter(), batch: &[], mask: 0, left: self.len() }
    }

    /// The list; what is shared is copied.
    pub(crate) fn into_points(self) -> Vec<Point> {
        match self.0 {
            Held::Own(points) => points,
            _ => self.iter().map(|(signal, point)| (signal, point.clone())).collect(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Own(points) => points.len(),
            Held::One(share) => share.len(),
            Held::Many(shares) => shares.iter().map(Share::len).sum(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Iter<'a> {
    own: std::slice::Iter<'a, Point>,
    shares: std::slice::Iter<'a, Share>,
    batch: &'a [Point],
    mask: u64,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (SignalId, &'a Datapoint);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((signal, point)) = self.own.next() {
            self.left -= 1;
            return Some((*signal, point));
        }
        while self.mask == 0 {
            let share = self.shares.next()?;
            (self.batch, self.mask) = (&share.batch, share.mask);
        }
        let at = usize::try_from(self.mask.trailing_zeros()).ok()?;
        self.mask &= self.mask - 1;
        self.left = self.left.saturating_sub(1);
        self.batch.get(at).map(|(signal, point)| (*signal, point))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl PartialEq for Points {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Points")?;
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, Entry, Facts};
    use crate::time::Timestamp;
    use crate::value::DataType;
    use proptest::prelude::*;

    proptest! {
        /// However points are held, they are the same points.
        #[test]
        fn shares_and_lists_are_equal(masks in prop::collection::vec(any::<u64>(), 0..5), own in 0_usize..150, skipped in 0_usize..70, first: bool) {
            let entries = [Entry::sensor("A", DataType::UINT16), Entry::sensor("B", DataType::UINT16)];
            let catalogue = Catalogue::new(entries, Facts::default()).unwrap();
            let ids: Vec<_> = catalogue.ids().collect();
            let point = |n: usize| (ids[n % 2], Datapoint::valid(n as u64, Timestamp::EPOCH));
            let batch: Arc<[Point]> = (0..64).map(point).collect();
            let mut plain = Vec::new();
            let mut shares = Vec::new();
            for (n, mask) in masks.iter().enumerate() {
                let mut share = Share::new(batch.clone(), *mask);
                let mut bits: Vec<_> = (0..64).filter(|bit| mask & (1 << bit) != 0).collect();
                if n % 2 == 0 {
                    share.skip(skipped);
                    bits = bits.split_off(skipped.min(bits.len()));
                } else {
                    share.retain(|signal| signal == ids[1]);
                    bits.retain(|bit| bit % 2 == 1);
                }
                prop_assert_eq!(share.len(), bits.len());
                let share = share.of_its_own_where_sparse();
                prop_assert_eq!(share.len(), bits.len());
                prop_assert!(share.batch.len() <= 4 * bits.len());
                plain.extend(bits.into_iter().map(point));
                shares.push(share);
            }
            let own: Vec<_> = (0..own).map(point).collect();
            plain.extend(own.iter().cloned());
            let first = (first && !shares.is_empty()).then(|| shares.remove(0));
            let points = Points::gathered(first, shares, own);
            prop_assert_eq!(points.len(), plain.len());
            prop_assert_eq!(points.is_empty(), plain.is_empty());
            prop_assert_eq!(points.iter().len(), plain.len());
            prop_assert_eq!(points.iter().count(), plain.len());
            prop_assert_eq!(points, Points::new(plain));
        }
    }
}
