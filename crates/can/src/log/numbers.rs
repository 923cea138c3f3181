//! Channel names become the numbers from 1 that many formats have in their place.
//!
//! *Invariant:* two names never share a number, and one name keeps its own; at most [`MAX`] channels.
//! *Next:* the writers of formats with numbers.

use crate::Channel;

/// The highest number.
const MAX: u8 = 255;

/// Which channel has which number.
///
/// A name that is a number from 1 to 255 keeps it, `can0` wants 1, `can1` wants 2, and no name at all wants 1; who finds the number taken
/// gets the lowest that is free.
#[derive(Debug, Default)]
pub(super) struct ChannelNumbers {
    given: Vec<(Channel, u8)>,
}

impl ChannelNumbers {
    /// The number of this channel, given now or before; `None` when all are taken.
    #[inline]
    pub(super) fn of(&mut self, channel: &Channel) -> Option<u8> {
        match self.given.iter().find(|(known, _)| known == channel) {
            Some((_, number)) => Some(*number),
            None => self.give(channel),
        }
    }

    #[cold]
    fn give(&mut self, channel: &Channel) -> Option<u8> {
        let is_free = |number: &u8| self.given.iter().all(|(_, taken)| taken != number);
        let number = wanted(channel.as_bytes()).filter(is_free).or_else(|| (1..=MAX).find(is_free))?;
        self.given.push((*channel, number));
        Some(number)
    }
}

fn wanted(name: &[u8]) -> Option<u8> {
    let start = name.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let digits = str::from_utf8(name.get(start..)?).ok()?;
    if digits.is_empty() {
        return Some(1);
    }
    let number: u8 = digits.parse().ok()?;
    if start == 0 && number > 0 { Some(number) } else { number.checked_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_numbers_they_suggest_and_never_the_same() {
        let mut numbers = ChannelNumbers::default();
        let mut of = |name: &str| numbers.of(&name.parse().unwrap());
        assert_eq!(
            ["can0", "can1", "can0", "1", "0", "7", "", "lin", "x300"].map(&mut of),
            [1, 2, 1, 3, 4, 7, 5, 6, 8].map(Some)
        );
        for n in 0..247 {
            assert!(of(&format!("bus_{n}_")).is_some());
        }
        assert_eq!((of("one-more"), of("can1")), (None, Some(2)));
    }
}
