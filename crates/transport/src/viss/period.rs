//! The period of a history filter: an ISO 8601 duration of days, hours, minutes and seconds, as in `P2DT12H`.
//!
//! *Invariant:* what is read is whole seconds, longer than zero and below 999 days; what is written is read back the same.
//! *Next:* `filter.rs` (which holds it).

use std::time::Duration;

use coachwork_vehicle::Error;

use super::request::invalid;

const DAY: u64 = 86_400;
/// The standard's bound: the number of days is below this.
const DAYS: u64 = 999;

/// The period of a history filter: an ISO 8601 duration of days, hours, minutes and seconds, as in `P2DT12H`, longer than zero and below
/// 999 days.
///
/// # Errors
/// [`ErrorKind::Invalid`](coachwork_vehicle::ErrorKind::Invalid) where the text is no such duration; fractions, weeks, months and years are none.
pub fn read(text: &str) -> Result<Duration, Error> {
    let wrong =
        || invalid("a period is an ISO 8601 duration of days, hours, minutes and seconds, as in P2DT12H");
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(wrong()),
        Some((days, time)) => (days, time),
        None if rest.is_empty() => return Err(wrong()),
        None => (rest, ""),
    };
    let mut seconds = 0_u64;
    for (part, units) in
        [(days, [('D', DAY)].as_slice()), (time, [('H', 3600), ('M', 60), ('S', 1)].as_slice())]
    {
        let (mut rest, mut units) = (part, units.iter());
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (digits, after) = rest.split_at(end);
            let mut after = after.chars();
            let name = after.next().ok_or_else(wrong)?;
            // Each unit at most once, the larger ones first.
            let (_, unit) = units.find(|(known, _)| *known == name).ok_or_else(wrong)?;
            if digits.is_empty() || digits.len() > 9 {
                return Err(wrong());
            }
            let count: u64 = digits.parse().map_err(|_| wrong())?;
            seconds = seconds.saturating_add(count.saturating_mul(*unit));
            rest = after.as_str();
        }
    }
    if seconds == 0 {
        return Err(invalid("a period is longer than zero"));
    }
    if seconds >= DAYS * DAY {
        return Err(invalid("a period is below 999 days"));
    }
    Ok(Duration::from_secs(seconds))
}

/// A period that can be written: whole seconds, a part of one counted as one.
///
/// # Errors
/// Where it is none, or too long.
pub(crate) fn whole(period: Duration) -> Result<Duration, Error> {
    let seconds = period.as_secs().saturating_add(u64::from(period.subsec_nanos() > 0));
    if seconds == 0 || seconds >= DAYS * DAY {
        return Err(invalid("a period is longer than zero and below 999 days"));
    }
    Ok(Duration::from_secs(seconds))
}

/// The shortest text for a period; what is no whole second is left out.
pub(crate) fn write(period: Duration) -> String {
    let seconds = period.as_secs();
    let mut out = String::from("P");
    let mut put = |count: u64, unit: &str, before: &str| {
        if count > 0 {
            out.push_str(before);
            out.push_str(&count.to_string());
            out.push_str(unit);
        }
        count > 0
    };
    let (days, rest) = (seconds / DAY, seconds % DAY);
    put(days, "D", "");
    let mut before = "T";
    for (count, unit) in [(rest / 3600, "H"), (rest / 60 % 60, "M"), (rest % 60, "S")] {
        if put(count, unit, before) {
            before = "";
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms_of_the_standard_are_read() {
        for (text, seconds) in [
            ("P2DT12H", 2 * DAY + 12 * 3600),
            ("P998DT23H59M59S", 998 * DAY + 86_399),
            ("PT1S", 1),
            ("P001D", DAY),
            ("PT05M", 300),
            ("PT90M", 5400),
            ("P0DT0H0M7S", 7),
        ] {
            assert_eq!(read(text).unwrap().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "T1H",
            "P1",
            "1D",
            "P1DT",
            "P1H",
            "PT1D",
            "PT1S1H",
            "PT1H1H",
            "P1D1D",
            "P-1D",
            "P1.5D",
            "PT0.5S",
            "P1Y",
            "P1M",
            "P1W",
            "p1d",
            " P1D",
            "P1D ",
            "P999D",
            "P998DT24H",
            "PT0S",
            "P0D",
            "P9999999999D",
            "PT1H M",
            "P٣D",
            "P1DT12H/P1D",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_part_of_a_second_counts_as_one() {
        assert_eq!(whole(Duration::from_nanos(1)).unwrap(), Duration::from_secs(1));
        assert_eq!(whole(Duration::from_millis(2001)).unwrap(), Duration::from_secs(3));
        for none in [Duration::ZERO, Duration::from_secs(DAYS * DAY), Duration::MAX] {
            assert!(whole(none).is_err(), "{none:?}");
        }
        assert!(whole(Duration::from_secs(DAYS * DAY - 1)).is_ok());
    }

    proptest! {
        #[test]
        fn a_period_survives_its_text(seconds in 1..DAYS * DAY) {
            let period = Duration::from_secs(seconds);
            prop_assert_eq!(read(&write(period)).unwrap(), period);
        }

        #[test]
        fn no_text_panics(text in "[P0-9TDHMS.\\-]{0,20}") {
            if let Ok(period) = read(&text) {
                prop_assert_eq!(read(&write(period)).unwrap(), period);
            }
        }
    }
}
