//! Two kinds of time: a `Timestamp` says when something was, a `Monotonic` measures how long.
//!
//! *Invariant:* arithmetic saturates; neither type reads a clock.
//! *Next:* `clock.rs` (where the present comes from), `datapoint.rs` (which carries timestamps).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds (1677 to 2262).
///
/// It displays as ISO 8601 in UTC with as many of nine fractional digits as are needed, and parses from the same form.
///
/// ```
/// use coachwork_vehicle::Timestamp;
/// let at: Timestamp = "2026-03-01T12:30:00.25Z".parse()?;
/// assert_eq!(at.to_string(), "2026-03-01T12:30:00.25Z");
/// assert_eq!(at.nanoseconds(), 1_772_368_200_250_000_000);
/// # Ok::<(), coachwork_vehicle::TimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an ISO 8601 UTC time between 1677 and 2262.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 time in UTC, as in 2026-03-01T12:30:00.25Z")]
pub struct TimestampError;

impl Timestamp {
    /// The time of 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The time `nanoseconds` after the epoch; negative is before it.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// The time `seconds` after the epoch, saturating at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS)
    }

    /// This time and `later`, saturating at the end of the range.
    #[must_use]
    pub fn saturating_add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How many bytes its text has at most.
    pub const LONGEST: usize = 30;

    /// Its text, as it displays, written into `buffer`: without the machinery of formatting, which costs more than the text.
    ///
    /// ```
    /// use coachwork_vehicle::Timestamp;
    /// assert_eq!(Timestamp::EPOCH.encode(&mut [0; Timestamp::LONGEST]), "1970-01-01T00:00:00Z");
    /// ```
    pub fn encode(self, buffer: &mut [u8; Self::LONGEST]) -> &str {
        let (seconds, nanos) = (self.0.div_euclid(NANOS), self.0.rem_euclid(NANOS));
        let (days, of_day) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        let number = |part: i64| u32::try_from(part).unwrap_or(0);
        let of_day = number(of_day);
        *buffer = *b"0000-00-00T00:00:00.000000000Z";
        put(&mut buffer[..4], number(year));
        put(&mut buffer[5..7], number(month));
        put(&mut buffer[8..10], number(day));
        put(&mut buffer[11..13], of_day / 3600);
        put(&mut buffer[14..16], of_day / 60 % 60);
        put(&mut buffer[17..19], of_day % 60);
        put(&mut buffer[20..29], number(nanos));
        // Zeros at the end of a fraction are left out, and the point where nothing follows it.
        let fraction = buffer[20..29].iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 2);
        let end = buffer.get_mut(19 + fraction).map_or(0, |byte| {
            *byte = b'Z';
            20 + fraction
        });
        buffer.get(..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; Self::LONGEST]))
    }
}

/// Writes the last digits of a number.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or(TimestampError)
    }
}

/// A reading of a clock that never goes back: nanoseconds since some start that only its clock knows.
///
/// Readings of different clocks are not comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(u64);

impl Monotonic {
    /// The reading `nanoseconds` after the clock's start.
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the clock's start.
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }

    /// This reading and `later`, saturating at the end of the range (584 years).
    #[must_use]
    pub fn saturating_add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Year, month and day of a day number (0 is 1970-01-01) in the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let (clock, fraction) = time.split_once('.').map_or((time, None), |(c, f)| (c, Some(f)));
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let days = days_from_civil(year, month, day);
    // A day that does not exist comes back as another one.
    if civil_from_days(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = fraction.map_or(Some(0), fraction_nanoseconds)?;
    let seconds = i128::from(days * DAY + hour * 3600 + minute * 60 + second);
    // Wider than the result: whole seconds may lie before the range where their fraction brings them into it.
    i64::try_from(seconds * i128::from(NANOS) + i128::from(nanos)).ok().map(Timestamp)
}

fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (slot, width) in out.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *slot = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

fn fraction_nanoseconds(digits: &str) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10_i64.pow(u32::try_from(9 - digits.len()).ok()?);
    digits.parse::<i64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_timestamp_survives_its_text(nanoseconds in any::<i64>()) {
            let at = Timestamp::from_nanoseconds(nanoseconds);
            // The first instants of 1677 and the last of 2262 are in range too.
            prop_assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
        }
    }

    #[test]
    fn the_ends_of_the_range_survive_their_text() {
        for nanoseconds in [i64::MIN, i64::MIN + 1, i64::MAX] {
            let at = Timestamp::from_nanoseconds(nanoseconds);
            assert_eq!(at.to_string().parse(), Ok(at));
        }
    }

    #[test]
    fn known_dates() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("1969-12-31T23:59:59Z", -1),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp::from_seconds(seconds)), "{text}");
            assert_eq!(Timestamp::from_seconds(seconds).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "2026-02-30T00:00:00Z",
            "2026-2-03T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+01:00",
            "9999-01-01T00:00:00Z",
            "2026-01-01T+1:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }
}
