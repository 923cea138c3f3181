//! A frame becomes a line of PEAK's TRC 2.1.
//!
//! *Invariant:* the start time in the header is the first frame's, cut to a whole second, in UTC, and exact when it is read back; a frame
//! before it is refused. A frame without a direction is written as received, since a line has no other way.
//! *Next:* `trc.rs`, the way back.

use super::LogFormat;
use super::asc::fd_length;
use super::numbers::ChannelNumbers;
use super::row::Row;
use super::trc::{DAY, DAYS_TO_1970};
use super::writer::{Unheld, WriteError};
use crate::{Direction, Frame};
use coachwork_vehicle::Timestamp;
use std::io::Write;

#[derive(Debug)]
pub(super) struct TrcWriter<W> {
    output: W,
    row: Row,
    channels: ChannelNumbers,
    start: Option<Timestamp>,
    count: u64,
}

impl<W: Write> TrcWriter<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, row: Row::default(), channels: ChannelNumbers::default(), start: None, count: 0 }
    }

    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let unheld = |what| WriteError::Unheld { format: LogFormat::Trc, what };
        let time = frame.time().ok_or(WriteError::NoTime(LogFormat::Trc))?;
        let second = time.seconds().checked_mul(1_000_000_000).map(Timestamp::from_nanoseconds);
        let start = self.start.or(second).ok_or(unheld(Unheld::Time))?;
        let offset = time.nanoseconds().checked_sub(start.nanoseconds()).filter(|offset| *offset >= 0);
        let offset = offset.ok_or(unheld(Unheld::Time))?;
        if frame.is_fd() && fd_length(usize::from(frame.dlc())) != frame.len() {
            return Err(unheld(Unheld::Length));
        }
        // The days in the header begin with the year 1900.
        if i128::from(start.nanoseconds()) < -DAYS_TO_1970 * DAY {
            return Err(unheld(Unheld::Time));
        }
        let channel = self.channels.of(frame.channel()).ok_or(unheld(Unheld::Channel))?;
        if self.start.is_none() {
            self.begin(start)?;
        }
        self.count += 1;
        self.row.clear();
        self.row.right(7, |row| row.decimal(self.count, 1));
        self.row.push(b" ");
        self.row.right(21, |row| row.fixed(offset, 6, 3));
        self.row.push(match (frame.is_error(), frame.is_remote(), frame.is_fd()) {
            (true, ..) => b" ER ",
            (_, true, _) => b" RR ",
            (_, _, false) => b" DT ",
            _ => match (frame.bit_rate_switch(), frame.error_state()) {
                (false, false) => b" FD ",
                (true, false) => b" FB ",
                (true, true) => b" FE ",
                (false, true) => b" BI ",
            },
        });
        self.row.decimal(u64::from(channel), 1);
        let at = self.row.bytes().len().max(26) + 9;
        self.row.right(at, |row| {
            row.push(b" ");
            if frame.is_error() {
                row.push(b"-");
            } else {
                row.hex(frame.id().raw(), if frame.id().is_extended() { 8 } else { 4 });
            }
        });
        self.row.push(if frame.direction() == Some(Direction::Transmitted) {
            b" Tx -  "
        } else {
            b" Rx -  "
        });
        self.row.decimal(if frame.is_error() { 5 } else { u64::from(frame.dlc()) }, 1);
        if frame.is_error() {
            self.row.push(b"    00 00 00 00 00");
        } else if !frame.is_empty() {
            let column = self.row.bytes().len().max(44) + 2;
            self.row.pad_to(column);
            self.row.spaced(frame.data());
        }
        self.row.push(b"\r\n");
        Ok(self.output.write_all(self.row.bytes())?)
    }

    fn begin(&mut self, start: Timestamp) -> Result<(), WriteError> {
        let since = i128::from(start.nanoseconds()) + DAYS_TO_1970 * DAY;
        // Fourteen decimals of a day are finer than a nanosecond.
        let fraction = (since.rem_euclid(DAY) * 100_000_000_000_000 + DAY / 2) / DAY;
        let days = since.div_euclid(DAY);
        write!(
            self.output,
            ";$FILEVERSION=2.1\r\n;$STARTTIME={days}.{fraction:014}\r\n;$COLUMNS=N,O,T,B,I,d,R,L,D\r\n;\r\n;   Start time: {start}\r\n"
        )?;
        for line in [
            ";-------------------------------------------------------------------------------",
            ";   Message   Time    Type    ID     Rx/Tx",
            ";   Number    Offset  |  Bus  [hex]  |  Reserved",
            ";   |         [ms]    |  |    |      |  |  Data Length Code",
            ";   |         |       |  |    |      |  |  |    Data [hex] ...",
            ";   |         |       |  |    |      |  |  |    |",
            ";---+-- ------+------ +- +- --+----- +- +- +--- +- -- -- -- -- -- -- --",
        ] {
            write!(self.output, "{line}\r\n")?;
        }
        self.start = Some(start);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, WriteError> {
        if self.start.is_none() {
            self.begin(Timestamp::EPOCH)?;
        }
        Ok(self.output)
    }
}
