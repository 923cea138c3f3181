//! Numbers of a config with bounds: a number outside is an error where it stands.
//!
//! *Invariant:* what is held is within its bounds, finite, and written as it was read.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// As a number.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.0)
    }

    /// As a size.
    pub(crate) fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(from)?;
        let within = u32::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
        within.map(Self).ok_or_else(|| D::Error::custom(format!("{number} is not from {MIN} to {MAX}")))
    }
}

/// A time in seconds, from a millisecond to a year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Seconds(f64);

impl Seconds {
    /// As a duration.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(from)?;
        if (0.001..=31_536_000.0).contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(D::Error::custom(format!("{seconds} is not from 0.001 to 31536000 seconds")))
    }
}

/// How many times the pace of time, from a thousandth to a million.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Factor(f64);

impl Factor {
    /// As a number.
    pub(crate) fn times(self) -> f64 {
        self.0
    }
}

impl Default for Factor {
    fn default() -> Self {
        Self(1.0)
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let times = f64::deserialize(from)?;
        if (0.001..=1_000_000.0).contains(&times) {
            return Ok(Self(times));
        }
        Err(D::Error::custom(format!("{times} is not from 0.001 to 1000000 times")))
    }
}
