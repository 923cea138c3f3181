//! Where the bits of a message's signals are: inside it or not, shared or not.
//!
//! *Invariant:* two signals overlap only where some payload holds both; the comparison is bounded.
//! *Next:* `message.rs` (the signals), `../plan.rs` (their bits and multiplexers).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::message::{Message, SignalIndex};
use super::signal::{ByteOrder, Signal};

/// The most pairs of signals that are compared in one message.
const MAX_PAIRS: usize = 1_000_000;

impl Signal {
    /// The places of the signal's bits, least significant first: byte × 8 + bit, bit 0 the least significant of its byte.
    pub fn bit_positions(&self) -> impl Iterator<Item = u32> + use<> {
        let (start, length, order) = (self.start, self.length, self.byte_order);
        // Counted from the most significant bit of byte 0.
        let last = (start / 8 * 8).saturating_add(7 - start % 8).saturating_add(length.saturating_sub(1));
        (0..length).map(move |step| match order {
            ByteOrder::LittleEndian => start.saturating_add(step),
            ByteOrder::BigEndian => {
                let from_top = last - step;
                from_top / 8 * 8 + (7 - from_top % 8)
            }
        })
    }
}

impl Message {
    /// Whether all bits of a signal lie inside the message.
    pub fn holds(&self, index: SignalIndex) -> bool {
        self.plan.field(index.position()).is_some_and(|field| field.fits(self.length()))
    }

    /// Pairs of signals that share bits and can be present together, the earlier of each pair first; each signal is named at most once as the later.
    ///
    /// In a message with thousands of signals on the same bits, not every pair is compared.
    pub fn overlaps(&self) -> Vec<(SignalIndex, SignalIndex)> {
        let mut owners: BTreeMap<u32, Vec<SignalIndex>> = BTreeMap::new();
        let mut found = Vec::new();
        let mut pairs = 0;
        for (index, signal) in self.indexed_signals() {
            let mut other = None;
            for bit in signal.bit_positions() {
                let earlier = owners.entry(bit).or_default();
                if other.is_none() && pairs < MAX_PAIRS {
                    other = earlier
                        .iter()
                        .copied()
                        .inspect(|_| pairs += 1)
                        .find(|earlier| self.together(*earlier, index));
                }
                earlier.push(index);
            }
            found.extend(other.map(|other| (other, index)));
        }
        found
    }

    /// Whether some payload holds both signals.
    fn together(&self, a: SignalIndex, b: SignalIndex) -> bool {
        let mut at = a.position();
        while let Some((multiplexer, values)) = self.plan.selector(at) {
            let mut other = b.position();
            while let Some((same, others)) = self.plan.selector(other) {
                let apart = |a: &(u64, u64)| others.iter().all(|b| a.1 < b.0 || b.1 < a.0);
                if same == multiplexer && values.iter().all(apart) {
                    return false;
                }
                other = same;
            }
            at = multiplexer;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CanId, Multiplexed};

    #[test]
    fn bits_in_both_orders() {
        let little = Signal::new("a", 4, 6);
        assert_eq!(little.bit_positions().collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9]);
        let big = Signal::new("b", 2, 5).with_byte_order(ByteOrder::BigEndian);
        assert_eq!(big.bit_positions().collect::<Vec<_>>(), [14, 15, 0, 1, 2]);
    }

    #[test]
    fn only_signals_that_meet_overlap() {
        let message = Message::builder("M", CanId::standard(1).unwrap(), 2)
            .signal(Signal::new("mux", 0, 4).with_multiplexer())
            .signal(Signal::new("a", 8, 8).with_multiplexed(Multiplexed::new("mux", [(0, 1)])))
            .signal(Signal::new("b", 8, 8).with_multiplexed(Multiplexed::new("mux", [(2, 2)])))
            .signal(Signal::new("c", 15, 1).with_multiplexed(Multiplexed::new("mux", [(1, 2)])))
            .signal(Signal::new("d", 12, 8))
            .build()
            .unwrap();
        let names: Vec<_> = message
            .overlaps()
            .into_iter()
            .map(|(a, b)| (message.signal(a).unwrap().name(), message.signal(b).unwrap().name()))
            .collect();
        assert_eq!(names, [("a", "c"), ("a", "d")]);
        assert!(!message.holds(message.signal_index("d").unwrap()));
        assert!(message.holds(message.signal_index("c").unwrap()));
    }
}
