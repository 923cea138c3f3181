//! Frames become a BLF file, which python-can and the tools of the format's maker read.
//!
//! Objects 1 (classic), 100 (FD) and 73 (error) in compressed containers, none of which an object leaves.
//! *Invariant:* nothing is cut or made up: a frame that has no place in the format is refused; what the header says is written at the end, when
//! it is known.
//! *Next:* `object.rs`, the way back; `header.rs`.

use super::containers::{CONTAINER, CONTAINER_HEADER, MAGIC};
use super::header::{self, Header};
use super::object::{BRS, CAN_ERROR_EXT, CAN_FD_MESSAGE, CAN_MESSAGE, ESI, EXTENDED, FD, HEADER_1, REMOTE};
use crate::log::numbers::ChannelNumbers;
use crate::log::{LogFormat, Unheld, WriteError};
use crate::{Direction, Frame};
use coachwork_vehicle::Timestamp;
use flate2::{Compress, Compression, FlushCompress, Status};
use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};

/// A container is closed when it holds this much.
const CONTAINER_CONTENT: usize = 128 * 1024;

/// Times count nanoseconds.
const NANOSECONDS: u32 = 2;

/// Writes frames as a BLF file (Vector's binary log).
///
/// Call [`finish`](Self::finish) at the end: only then is the header complete. What a frame has and the format has no place for is lost:
/// the name of a channel (it becomes a number: a name that is one stays, `can0` becomes 1, as does no name at all, and who finds the number taken gets
/// the lowest that is free), that a direction is not known (it is then *received*), and the direction of an error frame.
/// The file counts from its first millisecond, so frames may come out of order only within the first container (some 2,700 frames).
///
/// ```
/// use coachwork_can::{CanId, Frame, log::{BlfWriter, LogReader}};
/// use coachwork_vehicle::Timestamp;
/// let mut log = BlfWriter::new(std::io::Cursor::new(Vec::new()))?;
/// let id = CanId::standard(0x123).ok_or("not an id")?;
/// let frame = Frame::new(id, &[1, 2])?.with_time(Timestamp::from_nanoseconds(1_700_000_000_000_000_001)).with_channel("1".parse()?);
/// log.write(&frame)?;
/// let file = log.finish()?.into_inner();
/// assert_eq!(LogReader::new("log.blf", &file[..]).next().ok_or("empty")??.to_string(), "(1700000000.000000001) 1 123#0102 R");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BlfWriter<W> {
    output: W,
    /// Where in the output the file begins, and how to get there.
    seek: Option<(u64, SeekTo<W>)>,
    /// The objects of the container that is being filled; times are absolute as long as there is no base.
    content: Vec<u8>,
    packed: Vec<u8>,
    deflate: Compress,
    /// What times count from, once the first container is written: nanoseconds.
    base: Option<i64>,
    earliest: i64,
    latest: i64,
    numbers: ChannelNumbers,
    /// Bytes of the file so far.
    written: u64,
    header: Header,
}

/// How to go to a byte of an output.
type SeekTo<W> = fn(&mut W, u64) -> io::Result<u64>;

impl<W> fmt::Debug for BlfWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlfWriter").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<W: Write> BlfWriter<W> {
    /// Begins a file at where `output` is. The writer writes a container at a time.
    ///
    /// # Errors
    /// The output cannot seek.
    pub fn new(mut output: W) -> Result<Self, WriteError>
    where
        W: Seek,
    {
        let origin = output.stream_position()?;
        let seek = |output: &mut W, to| output.seek(SeekFrom::Start(to));
        Ok(Self { seek: Some((origin, seek)), ..Self::streamed(output) })
    }

    /// Begins a file on an output that cannot seek: its header never says how much follows, nor when it ends. Readers known take it so.
    pub fn streamed(output: W) -> Self {
        let size = header::SIZE as u64;
        Self {
            output,
            seek: None,
            content: Vec::with_capacity(CONTAINER_CONTENT + 256),
            packed: Vec::new(),
            deflate: Compress::new(Compression::fast(), true),
            base: None,
            earliest: i64::MAX,
            latest: i64::MIN,
            numbers: ChannelNumbers::default(),
            written: 0,
            header: Header { size: header::SIZE, uncompressed_size: size, ..Header::default() },
        }
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// The frame has no time, or one that the file cannot count to (then nothing was written, and other frames can be); the output failed.
    pub fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let time = frame.time().ok_or(WriteError::NoTime(LogFormat::Blf))?.nanoseconds();
        let from = self.base.unwrap_or(0);
        let since = time.checked_sub(from).filter(|since| *since >= 0);
        let unheld = |what| WriteError::Unheld { format: LogFormat::Blf, what };
        let since = since.ok_or(unheld(Unheld::Time))?;
        let channel = self.numbers.of(frame.channel()).ok_or(unheld(Unheld::Channel))?;
        let channel = u16::from(channel);
        let id = frame.id().raw() | if frame.id().is_extended() { EXTENDED } else { 0 };
        let sent = u8::from(frame.direction() == Some(Direction::Transmitted));
        let flags = sent | if frame.is_remote() { REMOTE } else { 0 };
        let mut head = [0; 32];
        let (kind, body, room): (u32, &[u8], usize) = if frame.is_error() {
            put(&mut head, 0, &channel.to_le_bytes());
            put(&mut head, 10, &[frame.dlc()]);
            put(&mut head, 16, &id.to_le_bytes());
            put(&mut head, 24, frame.data());
            (CAN_ERROR_EXT, &head, 32)
        } else {
            put(&mut head, 0, &channel.to_le_bytes());
            put(&mut head, 2, &[flags, frame.dlc()]);
            put(&mut head, 4, &id.to_le_bytes());
            if frame.is_fd() {
                let rate = if frame.bit_rate_switch() { BRS } else { 0 };
                let state = if frame.error_state() { ESI } else { 0 };
                let len = u8::try_from(frame.len()).unwrap_or(64);
                put(&mut head, 13, &[FD | rate | state, len]);
                (CAN_FD_MESSAGE, head.get(..20).unwrap_or_default(), 20 + Frame::MAX_FD)
            } else {
                put(&mut head, 8, frame.data());
                (CAN_MESSAGE, head.get(..16).unwrap_or_default(), 16)
            }
        };
        let size = HEADER_1 + room;
        self.content.extend_from_slice(MAGIC);
        self.content.extend_from_slice(&[32, 0, 1, 0]);
        self.content.extend_from_slice(&u32::try_from(size).unwrap_or(0).to_le_bytes());
        self.content.extend_from_slice(&kind.to_le_bytes());
        self.content.extend_from_slice(&NANOSECONDS.to_le_bytes());
        self.content.extend_from_slice(&[0; 4]);
        self.content.extend_from_slice(&since.to_le_bytes());
        self.content.extend_from_slice(body);
        if kind == CAN_FD_MESSAGE {
            self.content.extend_from_slice(frame.padded());
        }
        self.earliest = self.earliest.min(time);
        self.latest = self.latest.max(time);
        self.header.objects = self.header.objects.saturating_add(1);
        if self.content.len() >= CONTAINER_CONTENT { self.close() } else { Ok(()) }
    }

    /// Writes what is left and the header, flushes the output and gives it back.
    ///
    /// # Errors
    /// The output failed.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.close()?;
        if self.base.is_none() {
            self.begin()?;
        }
        if let Some((origin, seek)) = self.seek {
            self.header.file_size = self.written;
            self.header.stop = self.header.start.map(|_| Timestamp::from_nanoseconds(self.latest));
            seek(&mut self.output, origin)?;
            self.output.write_all(&self.header.bytes())?;
            seek(&mut self.output, origin + self.written)?;
        }
        self.output.flush()?;
        Ok(self.output)
    }

    /// Writes the header, as far as it is known.
    fn begin(&mut self) -> Result<(), WriteError> {
        self.count_from_the_earliest();
        self.header.start = self.base.filter(|base| *base > 0).map(Timestamp::from_nanoseconds);
        let unfinished = Header { uncompressed_size: 0, objects: 0, ..self.header };
        self.output.write_all(&unfinished.bytes())?;
        self.written = header::SIZE as u64;
        Ok(())
    }

    /// Writes the container.
    fn close(&mut self) -> Result<(), WriteError> {
        if self.content.is_empty() {
            return Ok(());
        }
        if self.base.is_none() {
            self.begin()?;
        }
        self.pack()?;
        let size = CONTAINER_HEADER + self.packed.len();
        let mut head = [0; CONTAINER_HEADER];
        put(&mut head, 0, MAGIC);
        put(&mut head, 4, &[16, 0, 1, 0]);
        put(&mut head, 8, &u32::try_from(size).unwrap_or(0).to_le_bytes());
        put(&mut head, 12, &CONTAINER.to_le_bytes());
        put(&mut head, 16, &[2, 0]);
        put(&mut head, 24, &u32::try_from(self.content.len()).unwrap_or(0).to_le_bytes());
        self.output.write_all(&head)?;
        self.output.write_all(&self.packed)?;
        // As many as all readers expect.
        self.output.write_all([0; 3].get(..size % 4).unwrap_or_default())?;
        self.written += (size + size % 4) as u64;
        self.header.uncompressed_size += (CONTAINER_HEADER + self.content.len()) as u64;
        self.content.clear();
        Ok(())
    }

    /// The first container decides what times count from: its earliest millisecond, or nothing where times are not of a calendar.
    fn count_from_the_earliest(&mut self) {
        let calendar = self.earliest >= header::YEAR_1990.nanoseconds() && self.earliest < i64::MAX;
        let base = if calendar { self.earliest - self.earliest % 1_000_000 } else { 0 };
        self.base = Some(base);
        let mut rest = self.content.as_mut_slice();
        while base > 0 && rest.len() >= HEADER_1 {
            let size = super::le32(rest, 8).and_then(|size| usize::try_from(size).ok());
            let time = rest.get_mut(24..32);
            if let Some(time) = time
                && let Ok(bytes) = <[u8; 8]>::try_from(&*time)
            {
                time.copy_from_slice(&(i64::from_le_bytes(bytes) - base).to_le_bytes());
            }
            rest = rest.get_mut(size.unwrap_or(usize::MAX)..).unwrap_or_default();
        }
    }

    /// The content becomes `packed`.
    fn pack(&mut self) -> Result<(), WriteError> {
        self.deflate.reset();
        self.packed.clear();
        loop {
            let taken = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let left = self.content.get(taken..).unwrap_or_default();
            self.packed.reserve(32 * 1024);
            let status = self.deflate.compress_vec(left, &mut self.packed, FlushCompress::Finish);
            match status.map_err(io::Error::other)? {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

fn put(into: &mut [u8], at: usize, what: &[u8]) {
    if let Some(into) = into.get_mut(at..at + what.len()) {
        into.copy_from_slice(what);
    }
}
