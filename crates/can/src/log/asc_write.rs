//! A frame becomes a line of Vector's ASC, hexadecimal, with times that count from the date in the header.
//!
//! *Invariant:* the date is the first frame's, cut to a whole second, in UTC; a frame before it is refused, because other readers pass over
//! a negative time. A frame without a direction is written as received, since a line has no other way.
//! *Next:* `asc.rs`, the way back.

use super::LogFormat;
use super::numbers::ChannelNumbers;
use super::row::Row;
use super::writer::{Unheld, WriteError};
use crate::{Direction, Frame};
use coachwork_vehicle::Timestamp;
use std::io::Write;

#[derive(Debug)]
pub(super) struct AscWriter<W> {
    output: W,
    row: Row,
    channels: ChannelNumbers,
    start: Option<Timestamp>,
}

impl<W: Write> AscWriter<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, row: Row::default(), channels: ChannelNumbers::default(), start: None }
    }

    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let unheld = |what| WriteError::Unheld { format: LogFormat::Asc, what };
        let time = frame.time().ok_or(WriteError::NoTime(LogFormat::Asc))?;
        let second = time.seconds().checked_mul(1_000_000_000).map(Timestamp::from_nanoseconds);
        let start = self.start.or(second).ok_or(unheld(Unheld::Time))?;
        let offset = time.nanoseconds().checked_sub(start.nanoseconds()).filter(|offset| *offset >= 0);
        let offset = offset.ok_or(unheld(Unheld::Time))?;
        let channel = self.channels.of(frame.channel()).ok_or(unheld(Unheld::Channel))?;
        if self.start.is_none() {
            self.begin(start)?;
        }
        self.row.clear();
        self.row.right(12, |row| row.fixed(offset, 9, 6));
        self.row.push(if frame.is_fd() { b" CANFD " } else { b" " });
        let at = self.row.bytes().len() + 3;
        self.row.right(if frame.is_fd() { at } else { 0 }, |row| row.decimal(u64::from(channel), 1));
        self.row.push(b" ");
        if frame.is_error() {
            self.row.push(b" ErrorFrame");
        } else if frame.is_fd() {
            self.fd(frame);
        } else {
            self.classic(frame);
        }
        self.row.push(b"\r\n");
        Ok(self.output.write_all(self.row.bytes())?)
    }

    fn classic(&mut self, frame: &Frame) {
        self.row.push(b" ");
        self.id(frame);
        self.row.pad_to(31);
        self.row.push(direction(frame));
        self.row.push(if frame.is_remote() { b"   r " } else { b"   d " });
        self.row.hex(u32::from(frame.dlc()), 1);
        self.row.spaced(frame.data());
    }

    fn fd(&mut self, frame: &Frame) {
        self.row.push(direction(frame));
        let at = self.row.bytes().len() + 11;
        self.row.right(at, |row| {
            row.hex(frame.id().raw(), 1);
            row.push(if frame.id().is_extended() { b"x" } else { b"" });
        });
        self.row.push(b"                                   ");
        let (brs, esi) = (frame.bit_rate_switch(), frame.error_state());
        self.row.push(if brs { b"1 " } else { b"0 " });
        self.row.push(if esi { b"1 " } else { b"0 " });
        self.row.push(&[b"0123456789abcdef".get(usize::from(frame.dlc())).copied().unwrap_or(b'0'), b' ']);
        let at = self.row.bytes().len() + 2;
        self.row.right(at, |row| row.decimal(u64::try_from(frame.len()).unwrap_or(0), 1));
        self.row.spaced(frame.data());
        let flags = 0x1000 | u32::from(brs) << 13 | u32::from(esi) << 14;
        // Duration and length of the message are not known; then flags, checksum and the timings of both bit rates.
        self.row.push(b"        0    0     ");
        self.row.hex(flags, 4);
        self.row.push(b"        0        0        0        0        0");
    }

    fn id(&mut self, frame: &Frame) {
        self.row.hex(frame.id().raw(), 1);
        self.row.push(if frame.id().is_extended() { b"x" } else { b"" });
    }

    fn begin(&mut self, start: Timestamp) -> Result<(), WriteError> {
        let date = english(start);
        write!(
            self.output,
            "date {date}\r\nbase hex  timestamps absolute\r\ninternal events logged\r\nBegin Triggerblock {date}\r\n   0.000000 Start of measurement\r\n"
        )?;
        self.start = Some(start);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, WriteError> {
        if self.start.is_none() {
            self.begin(Timestamp::EPOCH)?;
        }
        self.output.write_all(b"End TriggerBlock\r\n")?;
        Ok(self.output)
    }
}

fn direction(frame: &Frame) -> &'static [u8] {
    if frame.direction() == Some(Direction::Transmitted) { b"Tx" } else { b"Rx" }
}

/// `Sat Sep 30 15:06:13.000 2017`
fn english(time: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = time.to_string();
    let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let day =
        usize::try_from(time.seconds().div_euclid(86_400).rem_euclid(7)).ok().and_then(|day| DAYS.get(day));
    let (day, month) = (day.unwrap_or(&"Thu"), month.unwrap_or(&"Jan"));
    let of_month = part(8, 10).trim_start_matches('0');
    format!("{day} {month} {of_month} {}.000 {}", part(11, 19), part(0, 4))
}
