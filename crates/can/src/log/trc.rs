//! A line of PEAK's TRC becomes a frame: the five arrangements of version 1, the columns that a header of version 2 names.
//!
//! `1)  1059.9  Rx  0300  7  00 …` (number, milliseconds, kind, identifier, length, bytes; version 1.0 has no kind, 1.2 adds a bus, 1.3 a reserved
//! column), `1  1059.900 DT 1 0300 Rx -  7  00 …` (version 2). An identifier of more than four digits is extended.
//! *Invariant:* lines of status, warnings, counters and events are no frames and are skipped; a line of an unknown kind is a flaw.
//! *Next:* `text_log.rs`, which asks here; `trc_write.rs`, the way back.

use super::asc::fd_length;
use super::error::{Flaw, LogFault};
use super::text::{self, Rest, Word};
use crate::{CanId, Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;

/// What the header has said.
#[derive(Debug)]
pub(super) struct Trc {
    start: Option<Timestamp>,
    /// Where a line has what.
    columns: Vec<Column>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Time,
    Kind,
    Bus,
    Id,
    Direction,
    /// The length, in bytes.
    Length,
    /// The length code.
    Code,
    Data,
    Other,
}

use Column::{Bus, Code, Data, Id, Kind, Length, Other, Time};

impl Default for Trc {
    /// Version 1.0, which has no line that names it.
    fn default() -> Self {
        Self { start: None, columns: vec![Other, Time, Id, Code, Data] }
    }
}

/// The nanoseconds of a day, and the days from the start of the times in a TRC header (1899-12-30) to 1970.
pub(super) const DAY: i128 = 86_400_000_000_000;
pub(super) const DAYS_TO_1970: i128 = 25_569;

impl Trc {
    /// Whether the times count from 1970, and not from an unknown start.
    pub(super) fn has_date(&self) -> bool {
        self.start.is_some()
    }

    /// A line that begins with `;`: a comment, or something about the lines to come.
    pub(super) fn comment(&mut self, line: Rest<'_>) -> Result<(), Flaw> {
        let Some((key, value)) = line.until(b'=') else { return Ok(()) };
        let flaw = |fault| Flaw::at(value.offset(), fault);
        match key {
            b";$FILEVERSION" => {
                self.columns = version(value.bytes().trim_ascii()).ok_or_else(|| flaw(LogFault::Version))?;
            }
            b";$STARTTIME" => {
                self.start = None;
                self.start = Some(days(value.bytes().trim_ascii()).ok_or_else(|| flaw(LogFault::Time))?);
            }
            b";$COLUMNS" => {
                let columns: Vec<Column> = value
                    .bytes()
                    .trim_ascii()
                    .split(|byte| *byte == b',')
                    .map(|name| column(name.trim_ascii()))
                    .collect();
                let has = |wanted| columns.contains(&wanted);
                if ![Time, Kind, Id].into_iter().all(has) || !(has(Length) || has(Code)) || columns.len() > 32
                {
                    return Err(flaw(LogFault::NotAFrame));
                }
                self.columns = columns;
            }
            _ => {}
        }
        Ok(())
    }

    /// A line that is no comment; `None` where it is no frame.
    pub(super) fn line(&self, line: Rest<'_>) -> Result<Option<Frame>, Flaw> {
        let mut parts = Parts::default();
        let mut rest = line;
        for column in &self.columns {
            // A line of a status or an error may leave its identifier out: what follows is in another place.
            match parts.sort {
                Some(Sort::Event) => return Ok(None),
                Some(Sort::Error) if matches!(column, Id | Data) => break,
                _ if *column == Data => break,
                _ => {}
            }
            let (word, after) = rest.next_word();
            if word.text.is_empty() {
                return Err(word.flaw(LogFault::NotAFrame));
            }
            parts.take(*column, word)?;
            rest = after;
        }
        if let Some(Sort::Event) = parts.sort {
            return Ok(None);
        }
        let time = parts.time.ok_or(Flaw::at(line.offset(), LogFault::NotAFrame))?;
        let start = self.start.map_or(0, Timestamp::nanoseconds);
        let time = start.checked_add(time).ok_or(Flaw::at(line.offset(), LogFault::Time))?;
        let frame = parts.frame(rest)?;
        Ok(frame.map(|frame| frame.with_time(Timestamp::from_nanoseconds(time))))
    }
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    Data,
    Fd {
        brs: bool,
        esi: bool,
    },
    Remote,
    Error,
    /// A status, a warning, a counter or a note.
    Event,
}

#[derive(Default)]
struct Parts {
    time: Option<i64>,
    /// None in version 1.0, whose bytes say it.
    sort: Option<Sort>,
    channel: Channel,
    id: Option<CanId>,
    direction: Option<Direction>,
    /// The length or the length code, which of both, and where.
    length: Option<(usize, Column, usize)>,
}

impl Parts {
    fn take(&mut self, column: Column, word: Word<'_>) -> Result<(), Flaw> {
        match column {
            Time => self.time = Some(text::fixed(word.text, 6).ok_or(word.flaw(LogFault::Time))?),
            Kind => {
                let (sort, direction) = sort(word.text).ok_or(word.flaw(LogFault::Flags))?;
                self.sort = Some(sort);
                self.direction = self.direction.or(direction);
            }
            Bus => {
                let number = text::decimal(word.text).and_then(|_| Channel::new(word.text).ok());
                self.channel = number.ok_or(word.flaw(LogFault::Channel))?;
            }
            // Version 1.0 marks a status so.
            Id if word.text == b"FFFFFFFF" => self.sort = Some(Sort::Event),
            Id => {
                let id = text::hex_u32(word.text);
                let id = id.and_then(|raw| {
                    if word.text.len() > 4 { CanId::extended(raw) } else { CanId::standard(raw) }
                });
                self.id = Some(id.ok_or(word.flaw(LogFault::Identifier))?);
            }
            Column::Direction => {
                self.direction = Some(direction(word.text).ok_or(word.flaw(LogFault::Flags))?);
            }
            Length | Code => {
                let length = text::decimal(word.text).and_then(|length| usize::try_from(length).ok());
                self.length = Some((length.ok_or(word.flaw(LogFault::Flags))?, column, word.offset));
            }
            Data | Other => {}
        }
        Ok(())
    }

    /// The frame, from what stands in the place of its bytes.
    fn frame(self, rest: Rest<'_>) -> Result<Option<Frame>, Flaw> {
        let (first, _) = rest.next_word();
        let sort = match (self.sort, first.text) {
            (Some(Sort::Data) | None, b"RTR") => Sort::Remote,
            (None, b"ERROR") => Sort::Error,
            (sort, _) => sort.unwrap_or(Sort::Data),
        };
        let not_a_frame = Flaw::at(rest.offset(), LogFault::NotAFrame);
        let frame = if sort == Sort::Error {
            let direction = self.direction.or_else(|| any_direction(rest));
            Frame::error(0, &[]).map_err(|_| not_a_frame)?.with_direction(direction)
        } else {
            let (Some(id), Some((said, column, at))) = (self.id, self.length) else {
                return Err(not_a_frame);
            };
            let flaw = |_| Flaw::at(at, LogFault::Flags);
            let frame = match sort {
                Sort::Remote => Frame::remote(id, said).map_err(flaw)?,
                Sort::Fd { brs, esi } => {
                    let length = if column == Code { fd_length(said) } else { said };
                    if said > 15 && column == Code {
                        return Err(Flaw::at(at, LogFault::Flags));
                    }
                    let (data, length) = bytes(rest, length, Frame::MAX_FD, at)?;
                    let frame = Frame::fd(id, data.get(..length).unwrap_or_default()).map_err(flaw)?;
                    frame.with_bit_rate_switch(brs).with_error_state(esi)
                }
                _ => {
                    let length = if column == Code && said <= 15 { said.min(8) } else { said };
                    let (data, length) = bytes(rest, length, Frame::MAX_CLASSIC, at)?;
                    let frame = Frame::new(id, data.get(..length).unwrap_or_default()).map_err(flaw)?;
                    frame.with_dlc(said).map_err(flaw)?
                }
            };
            frame.with_direction(self.direction)
        };
        Ok(Some(frame.with_channel(self.channel)))
    }
}

/// As many bytes as are said, and nothing after them.
fn bytes(
    mut rest: Rest<'_>,
    said: usize,
    max: usize,
    at: usize,
) -> Result<([u8; Frame::MAX_FD], usize), Flaw> {
    let mut data = [0; Frame::MAX_FD];
    if said > max {
        return Err(Flaw::at(at, LogFault::PayloadTooLong { max }));
    }
    for (found, into) in data.iter_mut().take(said).enumerate() {
        let (word, after) = rest.next_word();
        *into = match word.text {
            [] => return Err(word.flaw(LogFault::Length { said, found })),
            [high, low] => text::hex_byte(*high, *low).ok_or(word.flaw(LogFault::Payload))?,
            _ => return Err(word.flaw(LogFault::Payload)),
        };
        rest = after;
    }
    let (word, _) = rest.next_word();
    if word.text.is_empty() { Ok((data, said)) } else { Err(word.flaw(LogFault::Trailing)) }
}

fn sort(word: &[u8]) -> Option<(Sort, Option<Direction>)> {
    let fd = |brs, esi| Sort::Fd { brs, esi };
    let sort = match word {
        b"Rx" | b"Tx" => return Some((Sort::Data, direction(word))),
        b"DT" => Sort::Data,
        b"FD" => fd(false, false),
        b"FB" => fd(true, false),
        b"FE" => fd(true, true),
        b"BI" => fd(false, true),
        b"RR" => Sort::Remote,
        b"ER" | b"Error" => Sort::Error,
        b"ST" | b"EC" | b"EV" | b"Warng" | b"Event" => Sort::Event,
        _ => return None,
    };
    Some((sort, None))
}

fn direction(word: &[u8]) -> Option<Direction> {
    match word {
        b"Rx" => Some(Direction::Received),
        b"Tx" => Some(Direction::Transmitted),
        _ => None,
    }
}

fn any_direction(mut rest: Rest<'_>) -> Option<Direction> {
    loop {
        let (word, after) = rest.next_word();
        if word.text.is_empty() {
            return None;
        }
        if let Some(direction) = direction(word.text) {
            return Some(direction);
        }
        rest = after;
    }
}

/// The columns of a version; those of version 2 where the header names none.
fn version(text: &[u8]) -> Option<Vec<Column>> {
    Some(match text {
        b"1.0" => vec![Other, Time, Id, Code, Data],
        b"1.1" => vec![Other, Time, Kind, Id, Code, Data],
        b"1.2" => vec![Other, Time, Bus, Kind, Id, Code, Data],
        b"1.3" => vec![Other, Time, Bus, Kind, Id, Other, Code, Data],
        b"2.0" => vec![Other, Time, Kind, Id, Column::Direction, Length, Data],
        b"2.1" => vec![Other, Time, Kind, Bus, Id, Column::Direction, Other, Code, Data],
        _ => return None,
    })
}

fn column(name: &[u8]) -> Column {
    match name {
        b"O" => Time,
        b"T" => Kind,
        b"B" => Bus,
        b"I" => Id,
        b"d" => Column::Direction,
        b"l" => Length,
        b"L" => Code,
        b"D" => Data,
        _ => Other,
    }
}

/// Days since the end of 1899, with decimals, to the nearest nanosecond.
fn days(text: &[u8]) -> Option<Timestamp> {
    let (whole, decimals) = match text.iter().position(|byte| matches!(byte, b'.' | b',')) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, &b""[..]),
    };
    let whole = i128::from(text::decimal(whole)?);
    let mut nanoseconds = 0;
    let mut unit = DAY * 1_000_000_000;
    // Beyond the twentieth decimal nothing is left of a nanosecond.
    for byte in decimals {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        unit /= 10;
        nanoseconds += i128::from(digit) * unit;
    }
    let nanoseconds = (nanoseconds + 500_000_000).div_euclid(1_000_000_000);
    let total = (whole - DAYS_TO_1970) * DAY + nanoseconds;
    i64::try_from(total).ok().map(Timestamp::from_nanoseconds)
}
