//! Logs: bytes become frames, one at a time, and frames become bytes.
//!
//! A log's first bytes say which reader it gets: `input.rs` knows them (and unpacks gzip), a text log shows the rest in its lines.
//! *Invariant:* memory does not grow with the log; a bad record is an error item that names file, place and cause, and reading goes on
//! after it; nothing is dropped without an item, except blank lines, comments, headers, and records that are no frames.
//! *Next:* `text_log.rs` (lines, and what each form makes of one), `writer.rs` (the way back), `error.rs`.

mod asc;
mod asc_date;
mod asc_write;
mod blf;
mod candump;
mod console;
mod csv;
mod error;
#[cfg(test)]
mod form_tests;
mod format;
mod gvret;
mod input;
mod lines;
mod losses;
#[cfg(feature = "mf4")]
mod mf4;
mod numbers;
mod pcap;
mod position;
mod record;
mod row;
#[cfg(feature = "mf4")]
mod spool;
#[cfg(test)]
mod tests;
mod text;
mod text_log;
mod trc;
mod trc_write;
mod window;
mod write;
mod writer;

pub use blf::BlfWriter;
pub use error::{LogError, LogFault};
pub use format::LogFormat;
pub use lines::MAX_LINE;
pub use losses::Losses;
pub use pcap::PcapngWriter;
pub use position::Position;
pub use record::RecordFault;
pub use write::CandumpWriter;
pub use writer::{LogWriter, Unheld, WriteError};

pub(crate) use write::{Line, write_line};

use crate::Frame;
use blf::BlfReader;
use coachwork_vehicle::TimeBase;
use input::{Input, Kind};
#[cfg(feature = "mf4")]
use mf4::{Anywhere, Mf4Reader};
use pcap::{PcapReader, PcapngReader};
use record::ByteFlaw;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use text_log::TextLog;

/// A log as an iterator of frames, recognised by content, read as a stream.
///
/// Each item is a frame, or the error of one record; after an error the next record is read as if nothing had happened. Only an error of
/// the reader itself and a file of another kind end the iteration ([`LogError::is_final`]).
///
/// A log in gzip is unpacked as it is read, several members one after the other too. MF4 (feature `mf4`) keeps its parts anywhere in the
/// file: one that cannot seek, in gzip or from a pipe, is first copied to a temporary file without a name.
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
    name: Arc<str>,
    source: Source<R>,
}

/// What reads the log: none yet, or the reader of its kind.
#[derive(Debug)]
enum Source<R> {
    Text(Box<TextLog<Input<R>>>),
    Blf(Box<BlfReader<Input<R>>>),
    Pcap(Box<PcapReader<Input<R>>>),
    Pcapng(Box<PcapngReader<Input<R>>>),
    #[cfg(feature = "mf4")]
    Mf4(Box<dyn Anywhere>),
    /// Nothing was read yet.
    New(R),
    Ended,
}

impl LogReader<BufReader<File>> {
    /// Opens the log at `path`.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        match File::open(path) {
            #[cfg(feature = "mf4")]
            Ok(file) => Self::seekable(&name, BufReader::with_capacity(1 << 16, file)),
            #[cfg(not(feature = "mf4"))]
            Ok(file) => Ok(Self::new(&name, BufReader::with_capacity(1 << 16, file))),
            Err(cause) => Err(LogError::new(&Arc::from(&*name), Position::Start, LogFault::Io(cause))),
        }
    }
}

impl<R: BufRead> LogReader<R> {
    /// Reads a log from `input`; `name` (of the file, or where it comes from) is for error messages.
    ///
    /// Nothing is read until the first item is asked for.
    pub fn new(name: &str, input: R) -> Self {
        Self { name: Arc::from(name), source: Source::New(input) }
    }

    /// As [`new`](Self::new), of an input that can seek: so an MF4 log, whose parts are anywhere in the file, is read where it is.
    ///
    /// # Errors
    /// The first bytes cannot be read.
    #[cfg(feature = "mf4")]
    #[cfg_attr(docsrs, doc(cfg(feature = "mf4")))]
    pub fn seekable(name: &str, mut input: R) -> Result<Self, LogError>
    where
        R: std::io::Seek + std::fmt::Debug + Send + 'static,
    {
        let head = input
            .fill_buf()
            .map(|bytes| [&b"MDF     "[..], b"UnFinMF "].iter().any(|magic| bytes.starts_with(magic)));
        match head {
            Ok(true) => {
                let log: Box<dyn Anywhere> = Box::new(Mf4Reader::new(input));
                Ok(Self { name: Arc::from(name), source: Source::Mf4(log) })
            }
            Ok(false) => Ok(Self::new(name, input)),
            Err(cause) => Err(LogError::new(&Arc::from(name), Position::Start, LogFault::Io(cause))),
        }
    }

    /// The format, once a record has shown it.
    pub fn format(&self) -> Option<LogFormat> {
        match &self.source {
            Source::Text(log) => log.format(),
            Source::Blf(_) => Some(LogFormat::Blf),
            Source::Pcap(_) => Some(LogFormat::Pcap),
            Source::Pcapng(_) => Some(LogFormat::Pcapng),
            #[cfg(feature = "mf4")]
            Source::Mf4(_) => Some(LogFormat::Mf4),
            Source::New(_) | Source::Ended => None,
        }
    }

    /// What the times of the frames count from, as far as records have shown it: 1970 for a date and for seconds after the year 2000,
    /// an unknown start for smaller numbers and for GVRET's CSV, whose recorders count from their own start.
    pub fn time_base(&self) -> TimeBase {
        match &self.source {
            Source::Text(log) => log.time_base(),
            Source::Blf(log) => log.time_base(),
            Source::Pcap(log) => log.time_base(),
            Source::Pcapng(log) => log.time_base(),
            #[cfg(feature = "mf4")]
            Source::Mf4(log) => log.time_base(),
            Source::New(_) | Source::Ended => TimeBase::Unknown,
        }
    }

    /// Up to where the log was read; after an item, where its record is.
    pub fn position(&self) -> Position {
        match &self.source {
            Source::Text(log) => log.position(),
            Source::Blf(log) => Position::Byte(log.offset()),
            Source::Pcap(log) => Position::Byte(log.offset()),
            Source::Pcapng(log) => Position::Byte(log.offset()),
            // Its groups are read in turn.
            #[cfg(feature = "mf4")]
            Source::Mf4(_) => Position::Start,
            Source::New(_) | Source::Ended => Position::Start,
        }
    }

    /// The name given for error messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the first bytes and makes the reader of their kind.
    #[cold]
    fn begin(&mut self) -> Result<(), LogError> {
        let Source::New(input) = std::mem::replace(&mut self.source, Source::Ended) else { return Ok(()) };
        let fault = match Input::open(input) {
            Ok((input, Kind::Text)) => {
                self.source = Source::Text(Box::new(TextLog::new(Arc::clone(&self.name), input)));
                return Ok(());
            }
            Ok((input, Kind::Blf)) => {
                self.source = Source::Blf(Box::new(BlfReader::new(input)));
                return Ok(());
            }
            Ok((input, Kind::Pcap)) => {
                self.source = Source::Pcap(Box::new(PcapReader::new(input)));
                return Ok(());
            }
            Ok((input, Kind::Pcapng)) => {
                self.source = Source::Pcapng(Box::new(PcapngReader::new(input)));
                return Ok(());
            }
            #[cfg(feature = "mf4")]
            Ok((input, Kind::Mf4)) => match spool::spooled(input) {
                Ok(file) => {
                    self.source = Source::Mf4(Box::new(Mf4Reader::new(file)));
                    return Ok(());
                }
                Err(fault) => fault,
            },
            #[cfg(not(feature = "mf4"))]
            Ok((_, Kind::Mf4)) => LogFault::OtherFormat("MDF"),
            Ok((_, Kind::Gzip)) => LogFault::OtherFormat("gzip"),
            Ok((_, Kind::Other(name))) => LogFault::OtherFormat(name),
            Err(cause) => LogFault::Io(cause),
        };
        Err(LogError::new(&self.name, Position::Start, fault))
    }
}

impl<R: BufRead> Iterator for LogReader<R> {
    type Item = Result<Frame, LogError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match &mut self.source {
                Source::Text(log) => return log.next(),
                Source::Blf(log) => return at_byte(&self.name, log.next()),
                Source::Pcap(log) => return at_byte(&self.name, log.next()),
                Source::Pcapng(log) => return at_byte(&self.name, log.next()),
                #[cfg(feature = "mf4")]
                Source::Mf4(log) => return at_byte(&self.name, log.next()),
                Source::New(_) => {
                    if let Err(error) = self.begin() {
                        return Some(Err(error));
                    }
                }
                Source::Ended => return None,
            }
        }
    }
}

impl<R: BufRead> std::iter::FusedIterator for LogReader<R> {}

/// The item of a binary log, whose reader knows the byte but not the log's name.
#[inline]
fn at_byte(name: &Arc<str>, item: Option<Result<Frame, ByteFlaw>>) -> Option<Result<Frame, LogError>> {
    match item {
        Some(Ok(frame)) => Some(Ok(frame)),
        Some(Err(flaw)) => Some(Err(LogError::new(name, Position::Byte(flaw.offset), flaw.fault))),
        None => None,
    }
}
