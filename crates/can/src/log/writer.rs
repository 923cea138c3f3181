//! Frames become a log of a format chosen at run time.
//!
//! *Invariant:* a frame that the format cannot hold is refused before anything of it is written, and says what cannot be held.
//! *Next:* `write.rs` (candump), and one file for each other format.

use super::{CandumpWriter, LogFormat};
use crate::Frame;
use std::io::{self, Write};

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
pub struct LogWriter<W: Write>(Form<W>);

#[derive(Debug)]
enum Form<W: Write> {
    Candump(CandumpWriter<W>),
}

/// Why a frame was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Logs of this format are read, not written.
    #[error("a {0} log is read, not written")]
    ReadOnly(LogFormat),
    /// The frame has no time, and the format has no place for a frame without one.
    #[error("a {0} log holds no frame without a time")]
    NoTime(LogFormat),
    /// The output failed.
    #[error("cannot write the log: {0}")]
    Io(#[from] io::Error),
}

impl<W: Write> LogWriter<W> {
    /// Writes a log of this format to `output`, in small pieces: give it a buffered one.
    ///
    /// # Errors
    /// The format is only read, or the output failed.
    pub fn new(format: LogFormat, output: W) -> Result<Self, WriteError> {
        let form = match format {
            LogFormat::Candump => Form::Candump(CandumpWriter::new(output)),
            format => return Err(WriteError::ReadOnly(format)),
        };
        Ok(Self(form))
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// The format cannot hold the frame (then nothing was written, and other frames can be), or the output failed.
    pub fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        match &mut self.0 {
            Form::Candump(log) => log.write(frame),
        }
    }

    /// Writes what the format ends with, flushes the output and gives it back.
    ///
    /// # Errors
    /// The output failed.
    pub fn finish(self) -> Result<W, WriteError> {
        let mut output = match self.0 {
            Form::Candump(log) => log.into_inner(),
        };
        output.flush()?;
        Ok(output)
    }
}
