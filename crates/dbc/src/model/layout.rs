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

/// The bits of a payload of up to 64 bytes that a signal has, the top bit of byte 0 first.
#[derive(Clone, Copy, Debug, Default)]
struct Mask([u64; 8]);

impl Mask {
    /// `None` where the signal goes beyond 64 bytes.
    fn new(signal: &Signal) -> Option<Self> {
        let mut mask = Self::default();
        if signal.length == 0 || signal.start >= 512 || signal.length > 512 {
            return None;
        }
        match signal.byte_order {
            ByteOrder::BigEndian => {
                let first = signal.start / 8 * 8 + 7 - signal.start % 8;
                mask.run(first, signal.length)?;
            }
            ByteOrder::LittleEndian => {
                let (start, end) = (signal.start, signal.start + signal.length);
                let mut at = start;
                while at < end {
                    // The part of one byte, whose bits are counted from its top.
                    let stop = end.min(at / 8 * 8 + 8);
                    mask.run(at / 8 * 8 + 8 - (stop - at / 8 * 8), stop - at)?;
                    at = stop;
                }
            }
        }
        Some(mask)
    }

    /// Adds so many bits from one on.
    fn run(&mut self, mut from: u32, mut length: u32) -> Option<()> {
        while length > 0 {
            let (at, count) = (from % 64, length.min(64 - from % 64));
            let word = self.0.get_mut((from / 64) as usize)?;
            *word |= (u64::MAX << (64 - count)) >> at;
            (from, length) = (from + count, length - count);
        }
        Some(())
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}

/// The bytes that a signal has bits in: whole ones, but for the first and the last.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u32,
    last: u32,
    in_first: u8,
    in_last: u8,
}

impl Span {
    fn new(signal: &Signal) -> Self {
        let (first, bit, more) = (signal.start / 8, signal.start % 8, signal.length.saturating_sub(1));
        match signal.byte_order {
            ByteOrder::LittleEndian => {
                let end = signal.start.saturating_add(more);
                Self { first, last: end / 8, in_first: u8::MAX << bit, in_last: u8::MAX >> (7 - end % 8) }
            }
            ByteOrder::BigEndian => {
                let end = (first * 8 + 7 - bit).saturating_add(more);
                Self {
                    first,
                    last: end / 8,
                    in_first: u8::MAX >> (7 - bit),
                    in_last: u8::MAX << (7 - end % 8),
                }
            }
        }
    }

    /// The bits that it has in a byte from its first to its last.
    fn bits(&self, byte: u32) -> u8 {
        let from = if byte == self.first { self.in_first } else { u8::MAX };
        let to = if byte == self.last { self.in_last } else { u8::MAX };
        from & to
    }

    fn meets(&self, other: &Self) -> bool {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        if first > last {
            return false;
        }
        // A byte between those two is whole in both.
        last - first > 1 || [first, last].iter().any(|byte| self.bits(*byte) & other.bits(*byte) != 0)
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
        let masks: Option<Vec<Mask>> = self.signals.iter().map(Mask::new).collect();
        match masks {
            Some(masks) => self.overlaps_by_mask(&masks),
            None => self.overlaps_by_span(),
        }
    }

    /// Compares whole payloads: no bit is looked at alone, and most messages end after one pass.
    fn overlaps_by_mask(&self, masks: &[Mask]) -> Vec<(SignalIndex, SignalIndex)> {
        let mut seen = Mask::default();
        let mut found = Vec::new();
        let mut pairs = 0;
        for ((index, _), mask) in self.indexed_signals().zip(masks) {
            if seen.meets(mask) && pairs < MAX_PAIRS {
                let earlier = (0..).map(SignalIndex).zip(masks.iter().take(index.position()));
                let other = earlier
                    .inspect(|_| pairs += 1)
                    .find(|(earlier, other)| other.meets(mask) && self.together(*earlier, index));
                found.extend(other.map(|(other, _)| (other, index)));
            }
            seen.add(mask);
        }
        found
    }

    /// Compares neighbours: a signal of any length is a run of bytes, of which the first and the last may be parts.
    fn overlaps_by_span(&self) -> Vec<(SignalIndex, SignalIndex)> {
        let mut spans: Vec<(Span, SignalIndex)> =
            self.indexed_signals().map(|(index, signal)| (Span::new(signal), index)).collect();
        spans.sort_by_key(|(span, index)| (span.first, *index));
        let mut open: Vec<(Span, SignalIndex)> = Vec::new();
        let mut earliest: BTreeMap<SignalIndex, SignalIndex> = BTreeMap::new();
        let mut pairs = 0;
        for (span, index) in spans {
            open.retain(|(other, _)| other.last >= span.first);
            pairs += open.len();
            if pairs > MAX_PAIRS {
                break;
            }
            for (other, with) in &open {
                let (earlier, later) = (index.min(*with), index.max(*with));
                if other.meets(&span) && self.together(earlier, later) {
                    let found = earliest.entry(later).or_insert(earlier);
                    *found = earlier.min(*found);
                }
            }
            open.push((span, index));
        }
        earliest.into_iter().map(|(later, earlier)| (earlier, later)).collect()
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
    fn masks_are_bits() {
        for (start, length, order) in (0..520).step_by(3).flat_map(|start| {
            [1_u32, 7, 8, 9, 16, 31, 64, 65, 500].into_iter().flat_map(move |length| {
                [(start, length, ByteOrder::LittleEndian), (start, length, ByteOrder::BigEndian)]
            })
        }) {
            let signal = Signal::new("S", start, length).with_byte_order(order);
            let bits: Vec<u32> = signal.bit_positions().collect();
            let mask = Mask::new(&signal);
            assert_eq!(mask.is_some(), bits.iter().all(|bit| *bit < 512), "{start} {length} {order:?}");
            let Some(mask) = mask else { continue };
            for bit in 0..512 {
                let at = bit / 8 * 8 + 7 - bit % 8;
                let set = mask.0[at as usize / 64] >> (63 - at % 64) & 1 == 1;
                assert_eq!(set, bits.contains(&bit), "{start} {length} {order:?} {bit}");
            }
        }
    }

    #[test]
    fn spans_meet_where_bits_do() {
        let lengths = [1_u32, 2, 7, 8, 9, 15, 16, 17, 24, 40];
        let signals: Vec<Signal> = (0..40)
            .flat_map(|start| lengths.into_iter().map(move |length| (start, length)))
            .flat_map(|(start, length)| {
                [ByteOrder::LittleEndian, ByteOrder::BigEndian]
                    .map(|order| Signal::new("S", start, length).with_byte_order(order))
            })
            .collect();
        let masks: Vec<Mask> = signals.iter().map(|signal| Mask::new(signal).unwrap()).collect();
        for (a, mask) in signals.iter().zip(&masks) {
            for (b, other) in signals.iter().zip(&masks) {
                let (one, two) = (Span::new(a), Span::new(b));
                assert_eq!(one.meets(&two), mask.meets(other), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn both_ways_find_the_same() {
        let mut message = Message::builder("M", CanId::standard(1).unwrap(), 64);
        for n in 0..60_u32 {
            let order = if n % 3 == 0 { ByteOrder::BigEndian } else { ByteOrder::LittleEndian };
            message = message.signal(Signal::new("S", n * 37 % 400, n * 11 % 29 + 1).with_byte_order(order));
        }
        let message = message.build().unwrap();
        assert!(message.overlaps().len() > 30);
        assert_eq!(message.overlaps(), message.overlaps_by_span());
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
