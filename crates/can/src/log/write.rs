//! A frame becomes a line of a candump log, which `candump.rs` reads back as the same frame.
//!
//! *Invariant:* nothing is cut or made up: microseconds, or nanoseconds where the time has them; a frame without a time is refused.
//! *Next:* `candump.rs`, the way back; `frame.rs` shows frames with it.

use super::{LogFormat, WriteError};
use crate::{CanId, Direction, Frame};
use coachwork_vehicle::Timestamp;
use std::io::Write;

/// Writes frames as a candump log (`candump -L`), which can-utils, python-can and this crate read.
///
/// A frame whose channel is not known has `-` in its place; a direction is written where it is known (` R`, ` T`).
///
/// ```
/// use coachwork_can::{CanId, Frame, log::CandumpWriter};
/// use coachwork_vehicle::Timestamp;
/// let mut log = CandumpWriter::new(Vec::new());
/// let id = CanId::extended(0x18FE_F100).ok_or("not an id")?;
/// log.write(&Frame::new(id, &[1, 2])?.with_time(Timestamp::from_nanoseconds(1_500_000)).with_channel("can1".parse()?))?;
/// assert_eq!(log.into_inner(), b"(0000000000.001500) can1 18FEF100#0102\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CandumpWriter<W> {
    output: W,
}

impl<W: Write> CandumpWriter<W> {
    /// Writes to `output`, line by line: give it a buffered one.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// The frame has no time (then nothing was written), or the output failed.
    pub fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        if frame.time().is_none() {
            return Err(WriteError::NoTime(LogFormat::Candump));
        }
        let mut line = Line::new();
        write_line(&mut line, frame);
        line.push(b'\n');
        Ok(self.output.write_all(line.as_bytes())?)
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// The output failed.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        Ok(self.output.flush()?)
    }

    /// The output, not flushed.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// Room for the longest line: 24 (time), 24 (channel), 11 (identifier and flags), 128 (payload), 3 (direction, newline).
#[derive(Debug)]
pub(crate) struct Line {
    bytes: [u8; 192],
    len: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; 192], len: 0 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        if let Some(into) = self.bytes.get_mut(self.len) {
            *into = byte;
            self.len += 1;
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    #[inline]
    fn hex(&mut self, value: u32, digits: u32) {
        for place in (0..digits).rev() {
            let nibble = (value >> (place * 4)) & 0xF;
            self.push(char::from_digit(nibble, 16).map_or(b'0', |c| c.to_ascii_uppercase() as u8));
        }
    }

    fn decimal(&mut self, value: u64, digits: u32) {
        let mut buffer = [b'0'; 20];
        let mut left = value;
        let mut used = 0;
        for into in buffer.iter_mut().rev() {
            if left == 0 && used >= digits {
                break;
            }
            *into = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
            used += 1;
        }
        let start = buffer.len() - usize::try_from(used).unwrap_or(0);
        self.extend(buffer.get(start..).unwrap_or_default());
    }

    fn time(&mut self, time: Timestamp) {
        let time = time.nanoseconds();
        if time < 0 {
            self.push(b'-');
        }
        let (seconds, nanoseconds) =
            (time.unsigned_abs() / 1_000_000_000, time.unsigned_abs() % 1_000_000_000);
        self.decimal(seconds, 10);
        self.push(b'.');
        if nanoseconds % 1000 == 0 {
            self.decimal(nanoseconds / 1000, 6);
        } else {
            self.decimal(nanoseconds, 9);
        }
    }

    fn id(&mut self, id: CanId, error: bool) {
        if error {
            self.hex(id.raw() | 0x2000_0000, 8);
        } else {
            self.hex(id.raw(), if id.is_extended() { 8 } else { 3 });
        }
    }
}

/// The frame as a line of a log, without its end.
pub(crate) fn write_line(line: &mut Line, frame: &Frame) {
    line.push(b'(');
    match frame.time() {
        Some(time) => line.time(time),
        None => line.push(b'-'),
    }
    line.extend(b") ");
    line.extend(if frame.channel().is_none() { b"-" } else { frame.channel().as_bytes() });
    line.push(b' ');
    line.id(frame.id(), frame.is_error());
    line.push(b'#');
    if frame.is_remote() {
        line.push(b'R');
        if frame.dlc() > 0 {
            line.hex(u32::from(frame.dlc().min(8)), 1);
        }
    } else if frame.is_fd() {
        line.push(b'#');
        line.hex(u32::from(frame.bit_rate_switch()) | u32::from(frame.error_state()) << 1, 1);
    }
    for byte in frame.data() {
        line.hex(u32::from(*byte), 2);
    }
    if !frame.is_fd() && frame.dlc() > 8 {
        line.push(b'_');
        line.hex(u32::from(frame.dlc()), 1);
    }
    match frame.direction() {
        None => {}
        Some(Direction::Received) => line.extend(b" R"),
        Some(Direction::Transmitted) => line.extend(b" T"),
    }
}
