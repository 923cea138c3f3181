//! A line of GVRET's (SavvyCAN's) CSV becomes a frame.
//!
//! `Time Stamp,ID,Extended,Dir,Bus,LEN,D1,…`: microseconds, hexadecimal identifier and bytes, decimal length; the header says which columns
//! there are (`Dir` is not in older files). A length above 8 makes it a CAN FD frame.
//! *Invariant:* the stated length and the bytes agree (zeros may fill up the columns), or the line is a flaw; columns the header names otherwise are not read.
//! *Next:* `mod.rs`, which recognises the header and asks here for every line after it.

use super::error::{Flaw, LogFault};
use super::text;
use crate::{CanId, Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;

/// Where the header puts what.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Time,
    Id,
    Extended,
    Direction,
    Bus,
    Length,
    /// Every payload byte, in order.
    Data,
    Other,
}

/// The columns, if this is the header of a GVRET file.
pub(super) fn header(line: &[u8]) -> Option<Columns> {
    if !line.get(..11)?.eq_ignore_ascii_case(b"Time Stamp,") {
        return None;
    }
    let columns: Vec<Column> = line
        .split(|byte| *byte == b',')
        .map(|name| match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"time stamp" => Column::Time,
            b"id" => Column::Id,
            b"extended" => Column::Extended,
            b"dir" => Column::Direction,
            b"bus" => Column::Bus,
            b"len" => Column::Length,
            [b'd', digits @ ..] if text::decimal(digits).is_some() => Column::Data,
            _ => Column::Other,
        })
        .collect();
    let once = |column| columns.iter().filter(|c| **c == column).count() == 1;
    // The first data column is the first of all; the bytes may run on beyond the header's last.
    if [Column::Time, Column::Id, Column::Extended, Column::Length].into_iter().all(once) {
        Some(Columns(columns))
    } else {
        None
    }
}

#[derive(Default)]
struct Parts {
    time: Option<Timestamp>,
    id: Option<(u32, usize)>,
    extended: bool,
    direction: Option<Direction>,
    channel: Channel,
    length: Option<(usize, usize)>,
}

impl Columns {
    /// One line after the header.
    pub(super) fn line(&self, line: &[u8]) -> Result<Frame, Flaw> {
        let mut parts = Parts::default();
        let mut data = [0; Frame::MAX_FD];
        let mut found = 0;
        let mut columns = self.0.iter();
        let mut offset = 0;
        for field in line.split(|byte| *byte == b',') {
            // Bytes run on where the header ends.
            let column = columns.next().copied().unwrap_or(Column::Data);
            let start = offset;
            offset += field.len() + 1;
            let text = field.trim_ascii();
            if column == Column::Data {
                if text.is_empty() {
                    continue;
                }
                let byte = byte(text).ok_or(Flaw::at(start, LogFault::Payload))?;
                let into = data.get_mut(found);
                *into.ok_or(Flaw::at(start, LogFault::PayloadTooLong { max: Frame::MAX_FD }))? = byte;
                found += 1;
            } else {
                parts.take(column, text, start)?;
            }
        }
        parts.frame(data.get(..found).unwrap_or_default())
    }
}

impl Parts {
    fn take(&mut self, column: Column, text: &[u8], start: usize) -> Result<(), Flaw> {
        match column {
            Column::Time => {
                let nanoseconds = text::fixed(text, 3).ok_or(Flaw::at(start, LogFault::Time))?;
                self.time = Some(Timestamp::from_nanoseconds(nanoseconds));
            }
            Column::Id => {
                let digits = text.strip_prefix(b"0x").unwrap_or(text);
                let id = text::hex_u32(digits).ok_or(Flaw::at(start, LogFault::Identifier))?;
                self.id = Some((id, start));
            }
            Column::Extended => self.extended = truth(text).ok_or(Flaw::at(start, LogFault::Flags))?,
            Column::Direction => {
                self.direction = match text.to_ascii_lowercase().as_slice() {
                    b"rx" => Some(Direction::Received),
                    b"tx" => Some(Direction::Transmitted),
                    _ => return Err(Flaw::at(start, LogFault::Flags)),
                };
            }
            Column::Bus => {
                self.channel = Channel::new(text).map_err(|_| Flaw::at(start, LogFault::Channel))?;
            }
            Column::Length => {
                let length = text::decimal(text).and_then(|n| usize::try_from(n).ok());
                self.length = Some((length.ok_or(Flaw::at(start, LogFault::Flags))?, start));
            }
            Column::Data | Column::Other => {}
        }
        Ok(())
    }

    fn frame(self, data: &[u8]) -> Result<Frame, Flaw> {
        let not_a_frame = || Flaw::at(0, LogFault::NotAFrame);
        let (time, (raw, id_at)) = (self.time.ok_or_else(not_a_frame)?, self.id.ok_or_else(not_a_frame)?);
        let (said, length_at) = self.length.ok_or_else(not_a_frame)?;
        let id = if self.extended { CanId::extended(raw) } else { CanId::standard(raw) };
        let id = id.ok_or(Flaw::at(id_at, LogFault::Identifier))?;
        // Some writers fill the columns up to the eighth with zeros.
        let (data, padding) = data.split_at_checked(said).unwrap_or((data, &[]));
        if data.len() != said || padding.iter().any(|byte| *byte != 0) {
            let found = data.len() + padding.len();
            return Err(Flaw::at(length_at, LogFault::Length { said, found }));
        }
        let frame = if said > Frame::MAX_CLASSIC { Frame::fd(id, data) } else { Frame::new(id, data) };
        let frame =
            frame.map_err(|_| Flaw::at(length_at, LogFault::PayloadTooLong { max: Frame::MAX_FD }))?;
        Ok(frame.with_time(time).with_channel(self.channel).with_direction(self.direction))
    }
}

/// One or two hexadecimal digits, `0x` before them or not.
fn byte(text: &[u8]) -> Option<u8> {
    match text.strip_prefix(b"0x").unwrap_or(text) {
        [low] => text::hex_digit(*low),
        [high, low] => text::hex_byte(*high, *low),
        _ => None,
    }
}

fn truth(text: &[u8]) -> Option<bool> {
    match text.to_ascii_lowercase().as_slice() {
        b"true" | b"1" => Some(true),
        b"false" | b"0" => Some(false),
        _ => None,
    }
}
