//! What may happen to a board, decoded from bytes.
//!
//! *Invariant:* every string of bytes is a list of actions, at most one for each byte; each byte that is used changes what happens.

use std::time::Duration;

use coachwork_vehicle::{Filter, Overflow, State};

use super::{PLACES, state};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say what happens")]
#[non_exhaustive]
pub enum Action {
    Publish(Vec<(usize, State)>),
    Subscribe {
        place: usize,
        signals: Vec<usize>,
        filter: Filter,
        overflow: Overflow,
    },
    Read(usize),
    Drop(usize),
    Advance(Duration),
    Govern {
        signal: usize,
        allowed: bool,
    },
    Ask {
        value: i8,
        within: Duration,
        key: Option<u8>,
        fails: bool,
    },
    /// The platform refuses a request: so many before the last that was sent.
    Settle(usize),
    Lose,
    End,
}

/// The actions in some bytes.
pub(crate) struct Actions<'a>(std::slice::Iter<'a, u8>);

impl<'a> Actions<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn filter(&mut self) -> Filter {
        let (choice, mut filter) = (self.byte(), Filter::new());
        let number = u64::from(choice % 4 + 1);
        match choice / 4 % 8 {
            0 => {}
            1 | 2 => filter.change = Some(0.0),
            3 => filter.change = Some(1.5),
            4 => filter.at_most_every = Some(Duration::from_millis(number * 20)),
            5 => filter.every = Some(Duration::from_millis(number * 20)),
            6 => filter.range = Some((1.0, 3.0)),
            _ => {
                filter.change = Some(0.0);
                filter.at_most_every = Some(Duration::from_millis(number * 20));
            }
        }
        if choice >= 224 {
            filter.range = Some((0.0, 4.0));
        }
        filter
    }
}

impl Iterator for Actions<'_> {
    type Item = Action;

    fn next(&mut self) -> Option<Action> {
        let choice = *self.0.next()?;
        Some(match choice % 16 {
            0..=4 => {
                let count = usize::from(choice) / 16 % 3 + 1;
                let one = |_| {
                    let signal = self.below(3);
                    (signal, state(signal, self.byte()))
                };
                Action::Publish((0..count).map(one).collect())
            }
            5 | 6 => {
                let place = usize::from(choice) / 16 % PLACES;
                let mask = self.byte();
                let signals: Vec<_> = (0..3).filter(|signal| (mask % 7 + 1) & (1 << signal) != 0).collect();
                let bound = usize::from(mask) / 7 % 5 + 1;
                let overflow = if mask >= 105 { Overflow::Queue(bound) } else { Overflow::Latest };
                Action::Subscribe { place, signals, filter: self.filter(), overflow }
            }
            7..=9 => Action::Read(usize::from(choice) / 16 % PLACES),
            10 => Action::Drop(usize::from(choice) / 16 % PLACES),
            11 | 12 => Action::Advance(Duration::from_millis(u64::from(self.byte() % 64))),
            13 => Action::Govern { signal: usize::from(choice) / 16 % 3, allowed: choice >= 96 },
            14 => {
                let how = self.byte();
                Action::Ask {
                    value: i8::try_from(how % 13).unwrap_or(0) - 6,
                    within: Duration::from_millis(u64::from(choice / 16) * 10),
                    key: (how >= 128).then_some(how % 3),
                    fails: how % 16 == 15,
                }
            }
            _ => match choice / 16 {
                0 => Action::End,
                1..=4 => Action::Lose,
                how => Action::Settle(usize::from(how) % 3),
            },
        })
    }
}
