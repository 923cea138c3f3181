//! The words in which a sale is described: how it is paid, what happens when the car is sold, where it works, and why
//! something was taken back.
//!
//! *Invariant:* each has one number on the wire, which never changes its meaning.
//! *Next:* `offer.rs` puts them together for the shop, `grant.rs` for the car.

use std::fmt;
use std::str::FromStr;

/// How something was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Once, for good.
    Perpetual,
    /// For a period that renews until somebody cancels.
    Recurring,
    /// Not at all: free for a time.
    Trial,
    /// Ahead, for a fixed time.
    Prepaid,
    /// Once, for one short use: a weekend, a journey.
    OneOff,
}

impl Kind {
    /// Its number in a grant; the first two follow from whether there is an end.
    pub(crate) const WRITTEN: [Self; 3] = [Self::Trial, Self::Prepaid, Self::OneOff];

    #[cfg(feature = "issuer")]
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Perpetual | Self::Recurring => 0,
            Self::Trial => 1,
            Self::Prepaid => 2,
            Self::OneOff => 3,
        }
    }
}

/// Half a sentence: "bought once, for good".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Perpetual => "bought once, for good",
            Self::Recurring => "a subscription that renews",
            Self::Trial => "a free trial",
            Self::Prepaid => "paid ahead for a fixed time",
            Self::OneOff => "bought once, for one use",
        })
    }
}

/// What happens to a grant when the car is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// It stays with the car, for the next owner.
    StaysWithCar,
    /// It ends with the owner who bought it.
    EndsWithOwner,
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StaysWithCar => "stays with the car when it is sold",
            Self::EndsWithOwner => "ends when the car is sold",
        })
    }
}

/// A country, as the two capital letters of ISO 3166-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region([u8; 2]);

impl Region {
    /// Its two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        match *text.as_bytes() {
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Ok(Self([a, b])),
            _ => Err(RegionError),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a region is the two capital letters of ISO 3166-1")]
pub struct RegionError;

/// Why something that was bought is taken back. Whoever takes it signs one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Because {
    /// The money was given back.
    Refund,
    /// The bank took the money back.
    Chargeback,
    /// The owner asked for it.
    OwnerAsked,
    /// Something else was bought in its place.
    Exchanged,
    /// It was obtained by fraud.
    Fraud,
    /// A law or a court demands it.
    Law,
    /// It was issued by mistake.
    Mistake,
}

impl Because {
    const ALL: [Self; 7] = [
        Self::Refund,
        Self::Chargeback,
        Self::OwnerAsked,
        Self::Exchanged,
        Self::Fraud,
        Self::Law,
        Self::Mistake,
    ];

    /// Its number on the wire, from 1.
    pub fn number(self) -> u8 {
        match self {
            Self::Refund => 1,
            Self::Chargeback => 2,
            Self::OwnerAsked => 3,
            Self::Exchanged => 4,
            Self::Fraud => 5,
            Self::Law => 6,
            Self::Mistake => 7,
        }
    }

    /// The reason with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|because| u64::from(because.number()) == number)
    }
}

/// Half a sentence: "the money was given back".
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refund => "the money was given back",
            Self::Chargeback => "the bank took the payment back",
            Self::OwnerAsked => "the owner asked for it",
            Self::Exchanged => "something else was bought in its place",
            Self::Fraud => "it was obtained by fraud",
            Self::Law => "the law demands it",
            Self::Mistake => "it was issued by mistake",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_their_numbers_are_inverse() {
        for number in 0..=300 {
            let because = Because::from_number(number);
            assert_eq!(because.is_some(), (1..=7).contains(&number));
            assert!(because.is_none_or(|because| u64::from(because.number()) == number));
        }
    }

    #[test]
    fn a_region_is_two_capitals() {
        assert_eq!("DE".parse::<Region>().unwrap().to_string(), "DE");
        for bad in ["", "D", "de", "DEU", "D1", "ÄÖ", "Ä"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
