//! The header of a BLF file, and the calendar time in it.
//!
//! *Invariant:* times are taken as UTC, as every writer known to state its zone does; a date that is none counts as no date.
//! *Next:* `mod.rs`, which reads one; `write.rs`, which writes one.

use crate::log::window::{le16, le32, le64};
use coachwork_vehicle::Timestamp;

/// The size of the header that everybody writes.
pub(super) const SIZE: usize = 144;

/// No header is longer.
pub(super) const MAX_SIZE: usize = 16 * 1024;

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Header {
    /// Of the header itself.
    pub(super) size: usize,
    pub(super) file_size: u64,
    pub(super) uncompressed_size: u64,
    pub(super) objects: u32,
    pub(super) start: Option<Timestamp>,
    pub(super) stop: Option<Timestamp>,
}

impl Header {
    /// The header at the beginning of `bytes`, which hold [`SIZE`] bytes of it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"LOGG") {
            return None;
        }
        Some(Self {
            size: usize::try_from(le32(bytes, 4)?).ok()?,
            file_size: le64(bytes, 16)?,
            uncompressed_size: le64(bytes, 24)?,
            objects: le32(bytes, 32)?,
            start: parse_date(bytes, 40),
            stop: parse_date(bytes, 56),
        })
    }

    pub(super) fn bytes(&self) -> [u8; SIZE] {
        // Application 5 of unknown version, as other writers that are no product of the format's maker; library version 2.6.8.1.
        let mut bytes = [0; SIZE];
        let mut put = |at: usize, what: &[u8]| {
            if let Some(into) = bytes.get_mut(at..at + what.len()) {
                into.copy_from_slice(what);
            }
        };
        put(0, b"LOGG");
        put(4, &u32::try_from(SIZE).unwrap_or(0).to_le_bytes());
        put(8, &[5, 0, 0, 0, 2, 6, 8, 1]);
        put(16, &self.file_size.to_le_bytes());
        put(24, &self.uncompressed_size.to_le_bytes());
        put(32, &self.objects.to_le_bytes());
        for (at, time) in [(40, self.start), (56, self.stop)] {
            let fields = time.and_then(date).unwrap_or_default();
            for (n, field) in fields.iter().enumerate() {
                put(at + 2 * n, &field.to_le_bytes());
            }
        }
        bytes
    }
}

/// The first second of 1990; smaller times count from an unknown start.
pub(super) const YEAR_1990: Timestamp = Timestamp::from_seconds(631_152_000);

/// Year, month, day of the week, day, hour, minute, second, millisecond, as 16 bits each, at `at`.
fn parse_date(bytes: &[u8], at: usize) -> Option<Timestamp> {
    let field = |n: usize| le16(bytes, at + 2 * n).map(i64::from);
    let (year, month, day) = (field(0)?, field(1)?, field(3)?);
    let (hour, minute, second, millisecond) = (field(4)?, field(5)?, field(6)?, field(7)?);
    let valid = (1678..=2262).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && millisecond < 1000;
    if !valid {
        return None;
    }
    // Days since 1970, by the calendar that begins its years in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let days = era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let milliseconds = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millisecond;
    Some(Timestamp::from_nanoseconds(milliseconds.checked_mul(1_000_000)?))
}

/// The fields of a time, cut to milliseconds.
fn date(time: Timestamp) -> Option<[u16; 8]> {
    let milliseconds = time.nanoseconds().div_euclid(1_000_000);
    let (seconds, millisecond) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let week = (days + 4).rem_euclid(7);
    let fields =
        [year + era * 400, month, week, day, second / 3600, second / 60 % 60, second % 60, millisecond];
    let mut out = [0; 8];
    for (into, field) in out.iter_mut().zip(fields) {
        *into = u16::try_from(field).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header {
            size: SIZE,
            file_size: 1 << 40,
            uncompressed_size: 3,
            objects: 4,
            start: Some(Timestamp::from_nanoseconds(1_700_000_000_100_000_000)),
            stop: Some(Timestamp::from_nanoseconds(951_782_399_999_000_000)),
        };
        assert_eq!(Header::parse(&header.bytes()), Some(header));
        let without = Header { start: None, stop: None, ..header };
        assert_eq!(Header::parse(&without.bytes()), Some(without));
    }

    #[test]
    fn dates_have_their_day_of_the_week() {
        // Tuesday, 14 November 2023, 22:13:20.100, and the last of February 2000.
        let at = |milliseconds: i64| date(Timestamp::from_nanoseconds(milliseconds * 1_000_000)).unwrap();
        assert_eq!(at(1_700_000_000_100), [2023, 11, 2, 14, 22, 13, 20, 100]);
        assert_eq!(at(951_782_399_999), [2000, 2, 1, 28, 23, 59, 59, 999]);
        assert_eq!(at(951_782_400_000), [2000, 2, 2, 29, 0, 0, 0, 0]);
    }
}
