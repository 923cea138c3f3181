//! Frames become a log of a format chosen at run time.
//!
//! *Invariant:* a frame that the format cannot hold is refused before anything of it is written; what a frame loses is counted.
//! *Next:* `write.rs` (candump), and one file for each other format; `losses.rs`.

use super::asc_write::AscWriter;
use super::csv::CsvWriter;
use super::losses::{Losses, Places};
use super::trc_write::TrcWriter;
use super::{BlfWriter, CandumpWriter, LogFormat, PcapngWriter};
use crate::Frame;
use std::fmt;
use std::io::{self, Seek, Write};

/// Writes frames as a log of any format that can be written.
///
/// Call [`finish`](Self::finish) at the end: some formats end with something.
///
/// ```
/// use coachwork_can::{CanId, Frame, log::{LogFormat, LogWriter}};
/// use coachwork_vehicle::Timestamp;
/// let id = CanId::standard(0x123).ok_or("not an id")?;
/// let mut log = LogWriter::new(LogFormat::Candump, Vec::new())?;
/// log.write(&Frame::new(id, &[1, 2])?.with_time(Timestamp::from_seconds(5)).with_channel("can0".parse()?))?;
/// assert_eq!(log.finish()?, b"(0000000005.000000) can0 123#0102\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LogWriter<W: Write> {
    form: Form<W>,
    places: Places,
    losses: Losses,
}

#[derive(Debug)]
enum Form<W: Write> {
    Candump(CandumpWriter<W>),
    Asc(AscWriter<W>),
    Trc(TrcWriter<W>),
    Csv(CsvWriter<W>),
    Blf(Box<BlfWriter<W>>),
    Pcapng(PcapngWriter<W>),
}

/// Why a frame was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Logs of this format are read, not written.
    #[error("{0} logs are read, not written")]
    ReadOnly(LogFormat),
    /// The frame has no time, and the format has no place for a frame without one.
    #[error("{0} logs hold no frame without a time")]
    NoTime(LogFormat),
    /// The format has no place for something of the frame without which it would be another frame.
    #[error("{format} cannot hold {what}")]
    Unheld {
        /// The format.
        format: LogFormat,
        /// What it cannot hold.
        what: Unheld,
    },
    /// The output failed.
    #[error("cannot write the log: {0}")]
    Io(#[from] io::Error),
}

/// What a format cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unheld {
    /// A time before that of the log's first frame by so much that it lies before the start in the header, or out of the header's range.
    Time,
    /// One more channel: there are numbers for 255.
    Channel,
    /// A CAN FD frame of a length that no length code stands for.
    Length,
}

impl fmt::Display for Unheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "a frame from before its start",
            Self::Channel => "more than 255 channels",
            Self::Length => "a CAN FD frame of a length that has no code",
        })
    }
}

impl<W: Write> LogWriter<W> {
    /// Writes a log of this format to `output`, in small pieces: give it a buffered one.
    ///
    /// # Errors
    /// The format is only read, or the output failed.
    pub fn new(format: LogFormat, output: W) -> Result<Self, WriteError> {
        let form = match format {
            LogFormat::Candump => Form::Candump(CandumpWriter::new(output)),
            LogFormat::Asc => Form::Asc(AscWriter::new(output)),
            LogFormat::Trc => Form::Trc(TrcWriter::new(output)),
            LogFormat::Csv => Form::Csv(CsvWriter::new(output)),
            LogFormat::Blf => Form::Blf(Box::new(BlfWriter::streamed(output))),
            LogFormat::Pcapng => Form::Pcapng(PcapngWriter::new(output)?),
            LogFormat::Console | LogFormat::Gvret | LogFormat::Pcap | LogFormat::Mf4 => {
                return Err(WriteError::ReadOnly(format));
            }
        };
        Ok(Self { form, places: Places::of(format), losses: Losses::default() })
    }

    /// As [`new`](Self::new), of an output that can seek: a format whose header counts what follows (BLF) then says it.
    ///
    /// # Errors
    /// The format is only read, or the output failed.
    pub fn seekable(format: LogFormat, output: W) -> Result<Self, WriteError>
    where
        W: Seek,
    {
        match format {
            LogFormat::Blf => {
                let form = Form::Blf(Box::new(BlfWriter::new(output)?));
                Ok(Self { form, places: Places::of(format), losses: Losses::default() })
            }
            format => Self::new(format, output),
        }
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// The format cannot hold the frame (then nothing was written, and other frames can be), or the output failed.
    pub fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        match &mut self.form {
            Form::Candump(log) => log.write(frame),
            Form::Asc(log) => log.write(frame),
            Form::Trc(log) => log.write(frame),
            Form::Csv(log) => log.write(frame),
            Form::Blf(log) => log.write(frame),
            Form::Pcapng(log) => log.write(frame),
        }?;
        self.losses.count(self.places, frame);
        Ok(())
    }

    /// What the frames written so far have lost, because the format has no place for it.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Writes what the format ends with, flushes the output and gives it back.
    ///
    /// # Errors
    /// The output failed.
    pub fn finish(self) -> Result<W, WriteError> {
        let mut output = match self.form {
            Form::Candump(log) => log.into_inner(),
            Form::Asc(log) => log.finish()?,
            Form::Trc(log) => log.finish()?,
            Form::Csv(log) => log.finish()?,
            Form::Blf(log) => return log.finish(),
            Form::Pcapng(log) => return log.finish(),
        };
        output.flush()?;
        Ok(output)
    }
}
