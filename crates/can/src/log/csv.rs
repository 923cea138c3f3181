//! A line of python-can's CSV becomes a frame, and back.
//!
//! `timestamp,arbitration_id,extended,remote,error,dlc,data`: seconds, hexadecimal identifier with `0x`, three times 0 or 1, the length (of
//! a remote frame the one asked for), base64.
//! *Invariant:* the stated length and the data agree, or the line is a flaw; more than 8 bytes make a CAN FD frame.
//! *Next:* `text_log.rs` (which knows the header), `writer.rs`.

use super::error::{Flaw, LogFault};
use super::row::Row;
use super::writer::WriteError;
use super::{LogFormat, text};
use crate::{CanId, Frame};
use std::io::Write;

/// The header, and the only one.
pub(super) const HEADER: &[u8] = b"timestamp,arbitration_id,extended,remote,error,dlc,data";

/// One line after the header.
pub(super) fn line(line: &[u8]) -> Result<Frame, Flaw> {
    let mut fields = [(0, &b""[..]); 7];
    let mut offset = 0;
    let mut count = 0;
    for field in line.split(|byte| *byte == b',') {
        let Some(into) = fields.get_mut(count) else { return Err(Flaw::at(offset, LogFault::Trailing)) };
        *into = (offset, field.trim_ascii());
        offset += field.len() + 1;
        count += 1;
    }
    if count != fields.len() {
        return Err(Flaw::at(0, LogFault::NotAFrame));
    }
    let [time, id, extended, remote, error, dlc, data] = fields;
    let (time_at, time) = time;
    let time = text::float_seconds(time).ok_or(Flaw::at(time_at, LogFault::Time))?;
    let (extended, remote, error) = (truth(extended)?, truth(remote)?, truth(error)?);
    let (id_at, id) = id;
    let not_an_id = || Flaw::at(id_at, LogFault::Identifier);
    let raw = id.strip_prefix(b"0x").and_then(text::hex_u32).ok_or_else(not_an_id)?;
    let id =
        if extended || error { CanId::extended(raw) } else { CanId::standard(raw) }.ok_or_else(not_an_id)?;
    let (dlc_at, dlc) = dlc;
    let not_a_length = || Flaw::at(dlc_at, LogFault::Flags);
    let said = text::decimal(dlc).and_then(|n| usize::try_from(n).ok()).ok_or_else(not_a_length)?;
    let (data_at, data) = data;
    let mut bytes = [0; Frame::MAX_FD];
    let found = base64(data, &mut bytes).map_err(|fault| Flaw::at(data_at, fault))?;
    let data = bytes.get(..found).unwrap_or_default();
    let frame = if remote {
        if found > 0 {
            return Err(Flaw::at(data_at, LogFault::Length { said: 0, found }));
        }
        Frame::remote(id, said).map_err(|_| not_a_length())?
    } else {
        // A length code above 8 on a classic frame of 8 bytes is its own.
        let raw_code = found == Frame::MAX_CLASSIC && (9..=15).contains(&said);
        // python-can's error frames say a length and have no data.
        let without = error && found == 0 && said <= Frame::MAX_CLASSIC;
        if found != said && !raw_code && !without {
            return Err(Flaw::at(dlc_at, LogFault::Length { said, found }));
        }
        let frame = match (error, found > Frame::MAX_CLASSIC) {
            (true, _) => Frame::error(raw, data),
            (false, true) => Frame::fd(id, data),
            (false, false) => Frame::new(id, data),
        };
        let frame =
            frame.map_err(|_| Flaw::at(data_at, LogFault::PayloadTooLong { max: Frame::MAX_CLASSIC }))?;
        frame.with_dlc(said.min(15)).map_err(|_| not_a_length())?
    };
    Ok(frame.with_time(time))
}

fn truth((at, text): (usize, &[u8])) -> Result<bool, Flaw> {
    match text {
        b"1" => Ok(true),
        b"0" => Ok(false),
        _ => Err(Flaw::at(at, LogFault::Flags)),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, padded, with zeros in the bits that are over.
fn base64(text: &[u8], into: &mut [u8]) -> Result<usize, LogFault> {
    let mut len = 0;
    let mut groups = text.chunks(4).peekable();
    while let Some(group) = groups.next() {
        let is_last = groups.peek().is_none();
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if group.len() != 4 || padding > 2 || (padding > 0 && !is_last) {
            return Err(LogFault::Payload);
        }
        let mut bits = 0u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => 0,
                _ => return Err(LogFault::Payload),
            };
            bits = bits << 6 | u32::from(value);
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (kept, over) = bytes.split_at_checked(3 - padding).unwrap_or((&bytes, &[]));
        if group.iter().take(4 - padding).any(|byte| *byte == b'=') || over.iter().any(|byte| *byte != 0) {
            return Err(LogFault::Payload);
        }
        let room =
            into.get_mut(len..len + kept.len()).ok_or(LogFault::PayloadTooLong { max: Frame::MAX_FD })?;
        room.copy_from_slice(kept);
        len += kept.len();
    }
    Ok(len)
}

/// Writes python-can's CSV.
#[derive(Debug)]
pub(super) struct CsvWriter<W> {
    output: W,
    row: Row,
    begun: bool,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, row: Row::default(), begun: false }
    }

    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let time = frame.time().ok_or(WriteError::NoTime(LogFormat::Csv))?;
        self.row.clear();
        self.row.fixed(time.nanoseconds(), 9, 6);
        self.row.push(b",0x");
        self.row.hex(frame.id().raw(), 1);
        for flag in [frame.id().is_extended(), frame.is_remote(), frame.is_error()] {
            self.row.push(if flag { b",1" } else { b",0" });
        }
        self.row.push(b",");
        let length = if frame.is_fd() { frame.len() } else { usize::from(frame.dlc()) };
        self.row.decimal(u64::try_from(length).unwrap_or(0), 1);
        self.row.push(b",");
        for group in frame.data().chunks(3) {
            let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for place in 0..4 {
                let value = usize::try_from(bits >> (18 - 6 * place) & 0x3F).unwrap_or(0);
                let digit =
                    if place > group.len() { b'=' } else { ALPHABET.get(value).copied().unwrap_or(b'=') };
                self.row.push(&[digit]);
            }
        }
        self.row.push(b"\n");
        self.begin()?;
        Ok(self.output.write_all(self.row.bytes())?)
    }

    fn begin(&mut self) -> Result<(), WriteError> {
        if !std::mem::replace(&mut self.begun, true) {
            self.output.write_all(HEADER)?;
            self.output.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, WriteError> {
        self.begin()?;
        Ok(self.output)
    }
}
