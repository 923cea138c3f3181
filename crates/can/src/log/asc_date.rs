//! The date in an ASC header becomes a time, whatever language the recorder's machine spoke.
//!
//! `Sat Sep 30 15:06:13.191 2017`, `Don Okt 26 07:45:00 pm 2023`, `sam. févr. 4 …`, `月 4月 28 …`: a weekday, month and day in either order, the
//! time, `am` or `pm` or neither, the year. A date in one word (`30.09.2017`, `2017-09-30`) is read too.
//! *Invariant:* the zone is not in the file: the date is taken for UTC. What does not read as one date is none.
//! *Next:* `asc.rs`, which asks for a header's date; `asc_write.rs` writes the English form.

use super::text;
use coachwork_vehicle::Timestamp;

/// The months, by how their names begin without the letters that are not ASCII: English, German, French, Spanish, Italian, Portuguese,
/// Dutch, Swedish.
#[rustfmt::skip]
const MONTHS: [(&str, u8); 40] = [
    ("jan", 1), ("ene", 1), ("gen", 1), ("feb", 2), ("fev", 2), ("fvr", 2), ("mar", 3), ("mr", 3), ("maa", 3), ("mrt", 3),
    ("mrz", 3), ("apr", 4), ("avr", 4), ("abr", 4), ("may", 5), ("mai", 5), ("mag", 5), ("maj", 5), ("mei", 5), ("juin", 6),
    ("jun", 6), ("giu", 6), ("juil", 7), ("jul", 7), ("lug", 7), ("aug", 8), ("ago", 8), ("aot", 8), ("aou", 8), ("sep", 9),
    ("set", 9), ("oct", 10), ("okt", 10), ("ott", 10), ("out", 10), ("nov", 11), ("dec", 12), ("dez", 12), ("dic", 12), ("dc", 12),
];

/// Forenoon and afternoon in Japanese: UTF-8, then code page 932.
const FORENOON: [&[u8]; 2] = ["午前".as_bytes(), b"\x8C\xDF\x91\x4F"];
const AFTERNOON: [&[u8]; 2] = ["午後".as_bytes(), b"\x8C\xDF\x8C\xE3"];

/// The time that this text says.
pub(super) fn date(line: &[u8]) -> Option<Timestamp> {
    let mut half = None;
    let words: Vec<&[u8]> = line
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty() && !is_half(word, &mut half))
        .take(9)
        .collect();
    let at = words.iter().position(|word| word.contains(&b':'))?;
    let (before, rest) = words.split_at_checked(at)?;
    let (time, after) = rest.split_first()?;
    let (mut year, month, day) = match before {
        [.., one] if one.iter().filter(|byte| matches!(byte, b'.' | b'-' | b'/')).count() == 2 => {
            in_one_word(one)?
        }
        [.., one, two] => match (month(one), number(one), month(two), number(two)) {
            (Some(month), _, _, Some(day)) | (_, Some(day), Some(month), _) => (None, month, day),
            (_, Some(month), _, Some(day)) => (None, u8::try_from(month).ok()?, day),
            _ => return None,
        },
        _ => return None,
    };
    for word in before.iter().chain(after) {
        year = year.or(number(word).filter(|number| *number >= 1000));
    }
    let (clock, decimals) = match time.iter().position(|byte| matches!(byte, b'.' | b',')) {
        Some(at) => (time.get(..at)?, time.get(at + 1..)?),
        None => (*time, &b"0"[..]),
    };
    let parts: Vec<u32> = clock.split(|byte| *byte == b':').map(text::decimal).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute, second] => (*hour, *minute, *second),
        [hour, minute] => (*hour, *minute, 0),
        _ => return None,
    };
    // `15:06 PM` is in use, and means what it says.
    let hour = match half {
        Some(0) if hour == 12 => 0,
        Some(12) if hour < 12 => hour + 12,
        _ => hour,
    };
    let decimals = str::from_utf8(decimals).ok().filter(|text| text.len() <= 9)?;
    let year = year?;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{decimals}Z").parse().ok()
}

/// `30.09.2017`, `30/09/2017` or `2017-09-30`.
fn in_one_word(word: &[u8]) -> Option<(Option<u32>, u8, u32)> {
    let parts: Vec<u32> =
        word.split(|byte| matches!(byte, b'.' | b'-' | b'/')).map(text::decimal).collect::<Option<_>>()?;
    match parts.as_slice() {
        [year @ 1000..=9999, month, day] | [day, month, year @ 1000..=9999] => {
            Some((Some(*year), u8::try_from(*month).ok()?, *day))
        }
        _ => None,
    }
}

/// A number, and letters that are not ASCII after it (`4月`, `28日`) or a point.
fn number(word: &[u8]) -> Option<u32> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = word.get(digits..)?;
    let is_unit = rest.first().is_none_or(|byte| !byte.is_ascii() || (*byte == b'.' && rest.len() == 1));
    text::decimal(word.get(..digits)?).filter(|_| is_unit)
}

fn month(word: &[u8]) -> Option<u8> {
    let name: String = word
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    MONTHS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, month)| *month)
}

/// `am`, `AM`, `a.m.` and the like; `half` takes the hour that its half of the day begins with.
fn is_half(word: &[u8], half: &mut Option<u32>) -> bool {
    let mut letters = word.iter().filter(|byte| **byte != b'.').map(u8::to_ascii_lowercase);
    let letters = (letters.next(), letters.next(), letters.next());
    if FORENOON.contains(&word) || letters == (Some(b'a'), Some(b'm'), None) {
        *half = Some(0);
    } else if AFTERNOON.contains(&word) || letters == (Some(b'p'), Some(b'm'), None) {
        *half = Some(12);
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_many_tongues() {
        let same = "2017-09-30T15:06:13.191Z";
        for (line, expected) in [
            ("Sam Sep 30 15:06:13.191 2017", same),
            ("Sat Sep 30 03:06:13.191 PM 2017", same),
            ("Sat Sep 30 15:06:13.191 pm 2017", same),
            ("Sat 30 Sep 15:06:13,191 2017", same),
            ("30.09.2017 15:06:13.191", same),
            ("2017/09/30 15:06:13.191", same),
            ("土 9 30 15:06:13.191 2017", same),
            ("土 9月 30日 午後 03:06:13.191 2017", same),
            ("Sat Sep 30 12:00:00 am 2017", "2017-09-30T00:00:00Z"),
            ("Sat Sep 30 12:00:00 p.m. 2017", "2017-09-30T12:00:00Z"),
            ("Mit Mär 1 08:51 2017", "2017-03-01T08:51:00Z"),
            ("Don Okt 26 07:45:00 2023", "2023-10-26T07:45:00Z"),
            ("Fre Dez 1 07:45:00 2023", "2023-12-01T07:45:00Z"),
            ("Mon Mai 1 07:45:00 2023", "2023-05-01T07:45:00Z"),
            ("mer. févr. 1 07:45:00 2023", "2023-02-01T07:45:00Z"),
            ("mar. août 1 07:45:00 2023", "2023-08-01T07:45:00Z"),
            ("jeu. juin 1 07:45:00 2023", "2023-06-01T07:45:00Z"),
            ("sam. juil. 1 07:45:00 2023", "2023-07-01T07:45:00Z"),
            ("ven. déc. 1 07:45:00 2023", "2023-12-01T07:45:00Z"),
            ("dom gen 1 07:45:00 2023", "2023-01-01T07:45:00Z"),
        ] {
            assert_eq!(
                date(line.as_bytes()).map(|time| time.to_string()).as_deref(),
                Some(expected),
                "{line}"
            );
        }
        let latin: &[u8] = b"Mit M\xE4r 1 08:51:00 2017";
        assert_eq!(date(latin), date(b"Wed Mar 1 08:51:00 2017"));
        for bad in [
            "",
            "Sat",
            "Sat Sep 30 15:06:13",
            "Sat Feb 30 15:06:13 2017",
            "Sat Foo 3 15:06:13 2017",
            "Sat Sep 30 25:06:13 2017",
            "Sat Sep 30 15:06:13.1x 2017",
        ] {
            assert_eq!(date(bad.as_bytes()), None, "{bad}");
        }
    }
}
