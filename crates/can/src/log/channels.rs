//! Names of channels become numbers, for formats that number them from 1.
//!
//! *Invariant:* two names never get one number, and a name keeps its number; no channel is 0.
//! *Next:* `blf/write.rs`.

use crate::Channel;
use std::collections::{HashMap, HashSet};

/// The numbers given so far.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    of: HashMap<Channel, u16>,
    taken: HashSet<u16>,
    last: (Channel, u16),
}

impl Numbers {
    /// The number of a channel: of a name that is one, that; of a name that ends with one, one more; else the next that is free.
    /// `None` when all are taken.
    pub(super) fn of(&mut self, channel: Channel) -> Option<u16> {
        if self.last.0 == channel {
            return Some(self.last.1);
        }
        let number = match self.of.get(&channel) {
            Some(number) => *number,
            None => self.give(channel)?,
        };
        self.last = (channel, number);
        Some(number)
    }

    fn give(&mut self, channel: Channel) -> Option<u16> {
        let wish = wish(channel.as_str()).unwrap_or(1);
        let number = (wish..=u16::MAX).chain(1..wish).find(|number| !self.taken.contains(number))?;
        self.taken.insert(number);
        self.of.insert(channel, number);
        Some(number)
    }
}

fn wish(name: &str) -> Option<u16> {
    if let Ok(number) = name.parse::<u16>()
        && number > 0
    {
        return Some(number);
    }
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name.get(name.len() - digits..)?.parse::<u16>().ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_wishes_its_number_and_gets_one_of_its_own() {
        let mut numbers = Numbers::default();
        let mut of = |name: &str| numbers.of(name.parse().unwrap()).unwrap();
        assert_eq!([of(""), of("1"), of("can0"), of("can1"), of("7"), of("vcan"), of("can0")], [0, 1, 2, 3, 7, 4, 2]);
        assert_eq!([of("65535"), of("can65534"), of("0")], [65535, 5, 6]);
    }

    #[test]
    fn there_are_only_so_many() {
        let mut numbers = Numbers::default();
        for n in 0..u16::MAX {
            assert!(numbers.of(format!("bus{n}").parse().unwrap()).is_some());
        }
        assert_eq!(numbers.of("one.more".parse().unwrap()), None);
        assert_eq!(numbers.of("bus9".parse().unwrap()), Some(10));
    }
}
