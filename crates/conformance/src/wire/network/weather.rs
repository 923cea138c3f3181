//! How bad a network is, and the chances by which it is.
//!
//! *Invariant:* the same seed gives the same numbers, on every machine.
//! *Next:* `end.rs` (what becomes of a message in this weather).

use std::time::Duration;

/// How bad it is. Chances are in a thousand, for each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weather {
    /// The least and the most time that a message travels; also when one overtakes another below, for the later waits.
    pub delay: (Duration, Duration),
    /// A packet is lost: its message, and what follows it, comes a fifth of a second later, twice that when lost again, and so on.
    pub loss: u16,
    /// The connection stalls for up to two seconds.
    pub stall: u16,
    /// The connection is cut, with what is under way.
    pub cut: u16,
    /// The connection goes silent: nothing arrives any more, in either direction, and nobody is told.
    pub silent: u16,
    /// An attempt to connect fails.
    pub refused: u16,
    /// How many bytes may be under way in one direction before the writer waits; zero: as the limits have it.
    pub window: usize,
    /// Of what no transport does: each message is lost, doubled, swapped with the next, or cut short, with this chance each.
    pub broken: u16,
}

impl Weather {
    /// Nothing goes wrong, and everything arrives at once.
    pub fn fine() -> Self {
        Self::default()
    }

    /// Any weather that keeps a transport's clauses, by chance.
    pub fn any(chance: &mut Chance) -> Self {
        let mut weather = Self::default();
        let least = Duration::from_millis(chance.below(50));
        weather.delay = (least, least + Duration::from_millis(chance.below(400)));
        let mut sometimes = |most: u64| if chance.below(2) == 0 { 0 } else { chance.small(most) };
        weather.loss = sometimes(200);
        weather.stall = sometimes(40);
        weather.cut = sometimes(40);
        weather.silent = sometimes(25);
        weather.refused = sometimes(600);
        weather.window = if chance.below(3) == 0 { 200 + usize::from(chance.small(4000)) } else { 0 };
        weather
    }
}

/// Numbers that look random and are the same each time.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// The next number (SplitMix64).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next one below a bound; zero where the bound is.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    pub(super) fn small(&mut self, bound: u64) -> u16 {
        u16::try_from(self.below(bound)).unwrap_or(u16::MAX)
    }

    pub(super) fn hits(&mut self, in_a_thousand: u16) -> bool {
        in_a_thousand > 0 && self.below(1000) < u64::from(in_a_thousand)
    }

    pub(super) fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX);
        least + Duration::from_nanos(self.below(span.saturating_add(1)))
    }
}
