//! Logs: text becomes frames, line by line, and frames become text.
//!
//! *Invariant:* memory does not grow with the log; a bad line is an error item that names file, line, column and cause, and reading goes on
//! after it; nothing is dropped without an item, except blank lines, comments and headers.
//! *Next:* `lines.rs` (bounded lines), `candump.rs`, `console.rs`, `gvret.rs` (one line each), `write.rs` (back to text), `text.rs` (digits).

mod candump;
mod console;
mod error;
mod gvret;
mod lines;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use error::{LogError, LogFault};
pub use lines::MAX_LINE;
pub use write::{CandumpWriter, WriteError};

pub(crate) use write::{Line, write_line};

use crate::{Channel, Frame};
use coachwork_vehicle::{TimeBase, Timestamp};
use error::Flaw;
use lines::Lines;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

/// The format of a log, as its content shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LogFormat {
    /// candump's log form (`candump -L`): `(1436509052.249713) can0 123#DEADBEEF`.
    Candump,
    /// candump's screen form, with or without time stamps: `can0  123   [4]  DE AD BE EF`.
    Console,
    /// The CSV of GVRET and SavvyCAN, known by its header: `Time Stamp,ID,Extended,Bus,LEN,D1,…`.
    Gvret,
}

/// A log as an iterator of frames, recognised by content, read as a stream.
///
/// Each item is a frame, or the error of one line; after an error the next line is read as if nothing had happened. Only an error of
/// the reader itself and a file of another kind ([`LogFault::OtherFormat`]) end the iteration.
///
/// A screen log and a log can be mixed; a CSV begins with its header.
///
/// ```
/// use coachwork_can::log::LogReader;
/// let text = "(0.000100) can0 123#DEAD\nnoise\n(0.000200) can0 124#R\n";
/// let items: Vec<_> = LogReader::new("example.log", text.as_bytes()).collect();
/// assert_eq!(items[0].as_ref().map(|frame| frame.data().to_vec()).ok(), Some(vec![0xDE, 0xAD]));
/// assert_eq!(items[1].as_ref().unwrap_err().to_string(), "example.log:2:1: not a frame in any form this reads");
/// assert!(items[2].as_ref().is_ok_and(|frame| frame.is_remote()));
/// ```
#[derive(Debug)]
pub struct LogReader<R> {
    lines: Lines<R>,
    name: Arc<str>,
    state: State,
    ended: bool,
}

/// What earlier lines said that later ones need.
#[derive(Debug, Default)]
struct State {
    format: Option<LogFormat>,
    columns: Option<gvret::Columns>,
    /// Of a header line such as `interface = can0, …`; the lines below it name no channel.
    channel: Channel,
    /// candump explains an error frame on lines that begin with a tab.
    after_error_frame: bool,
    /// Whether a time was seen that counts from 1970.
    utc: bool,
}

/// 2000-01-01; no recorder runs for thirty years.
const YEAR_2000: Timestamp = Timestamp::from_seconds(946_684_800);

impl LogReader<BufReader<File>> {
    /// Opens the log at `path`.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        match File::open(path) {
            Ok(file) => Ok(Self::new(&name, BufReader::with_capacity(1 << 16, file))),
            Err(cause) => Err(LogError::new(&Arc::from(&*name), 0, Flaw::at(0, LogFault::Io(cause)))),
        }
    }
}

impl<R: BufRead> LogReader<R> {
    /// Reads a log from `input`; `name` (of the file, or where it comes from) is for error messages.
    pub fn new(name: &str, input: R) -> Self {
        Self { lines: Lines::new(input), name: Arc::from(name), state: State::default(), ended: false }
    }

    /// The format, once a line has shown it.
    pub fn format(&self) -> Option<LogFormat> {
        self.state.format
    }

    /// What the times of the frames count from, as far as lines have shown it: 1970 for a date and for seconds after the year 2000,
    /// an unknown start for smaller numbers and for CSV, whose recorders count from their own start.
    pub fn time_base(&self) -> TimeBase {
        if self.state.utc { TimeBase::Utc } else { TimeBase::Unknown }
    }

    /// How many lines were read so far; after an item, the number of its line, from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// The name given for error messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn error(&self, flaw: Flaw) -> LogError {
        LogError::new(&self.name, self.lines.number(), flaw)
    }
}

impl<R: BufRead> Iterator for LogReader<R> {
    type Item = Result<Frame, LogError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let Self { lines, state, .. } = self;
            match lines.next(|line, number| state.line(line, number)) {
                Ok(Some(Ok(Some(frame)))) => return Some(Ok(frame)),
                Ok(Some(Ok(None))) => {}
                Ok(Some(Err(flaw))) => {
                    self.ended = matches!(flaw.fault, LogFault::OtherFormat(_));
                    return Some(Err(self.error(flaw)));
                }
                Ok(None) => self.ended = true,
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(self.error(Flaw::at(0, LogFault::Io(cause)))));
                }
            }
        }
        None
    }
}

impl<R: BufRead> std::iter::FusedIterator for LogReader<R> {}

/// How files of other kinds begin.
const OTHERS: [(&[u8], &str); 12] = [
    (b"\x1F\x8B", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\x28\xB5\x2F\xFD", "zstd"),
    (b"LOGG", "BLF"),
    (b"MDF     ", "MDF"),
    (b"UnFinMF ", "MDF"),
    (b"\x0A\x0D\x0D\x0A", "pcapng"),
    (b"\xA1\xB2\xC3\xD4", "pcap"),
    (b"\xD4\xC3\xB2\xA1", "pcap"),
    (b"\xA1\xB2\x3C\x4D", "pcap"),
    (b"\x4D\x3C\xB2\xA1", "pcap"),
    (b"SQLite format 3", "SQLite"),
];

impl State {
    /// One line, without its end, becomes a frame, nothing (blank, comment, header), or a flaw.
    #[inline]
    fn line(&mut self, line: &[u8], number: u64) -> Result<Option<Frame>, Flaw> {
        // The shape of nearly every line, before anything else is asked.
        if self.columns.is_none()
            && line.first() == Some(&b'(')
            && let Some(frame) = candump::whole_line(line)
        {
            self.format = Some(LogFormat::Candump);
            self.remember(&frame);
            return Ok(Some(frame));
        }
        self.other_line(line, number)
    }

    fn other_line(&mut self, line: &[u8], number: u64) -> Result<Option<Frame>, Flaw> {
        if number == 1
            && let Some((_, name)) = OTHERS.iter().find(|(magic, _)| line.starts_with(magic))
        {
            return Err(Flaw::at(0, LogFault::OtherFormat(name)));
        }
        let bom = if number == 1 && line.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let rest = text::Rest::new(line, bom);
        let first = rest.after_spaces();
        match first.first() {
            None | Some(b'#') => return Ok(None),
            Some(b'\t') if self.after_error_frame => return Ok(None),
            _ => {}
        }
        if let Some(columns) = gvret::header(first.bytes()) {
            self.format = Some(LogFormat::Gvret);
            self.columns = Some(columns);
            return Ok(None);
        }
        if let Some(columns) = &self.columns {
            return columns.line(line).map(Some);
        }
        if let Some(channel) = console::header(first.bytes()) {
            self.channel = channel;
            return Ok(None);
        }
        let (frame, format) = candump::any_line(first, self.channel)?;
        self.format = Some(format);
        self.remember(&frame);
        Ok(Some(frame))
    }

    fn remember(&mut self, frame: &Frame) {
        self.after_error_frame = frame.is_error();
        self.utc |= frame.time().is_some_and(|time| time >= YEAR_2000);
    }
}
