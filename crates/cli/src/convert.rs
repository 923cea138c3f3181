//! `coachwork convert`: a log becomes a log of another format.
//!
//! *Invariant:* the output appears whole under its name or not at all, and never in the place of the input; every frame that is read is
//! written or counted as lost, with the reason; what the written ones lose is counted too.
//! *Next:* `input.rs`, `sink.rs` (where the frames go).

pub(crate) mod sink;

use crate::{Failure, input, tell};
use clap::Args;
use clap::builder::PossibleValuesParser;
use coachwork_can::Frame;
use coachwork_can::log::{LogFormat, LogReader, LogWriter, WriteError};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use sink::Sink;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Convert a log to another format.
///
/// The input may be of any format that is read, known by its content, in gzip or not. The output's format follows from its name (.log,
/// .asc, .trc, .csv and so on; with .gz after it, it is packed) or from --to. What is lost, and why, is counted on standard error; records
/// of the input that are no frames are named there, and make the exit status 1.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork convert drive.asc drive.log\n  coachwork convert drive.log.gz drive.trc --strict\n  candump -L can0 | coachwork convert - - --to csv"
)]
pub(crate) struct Convert {
    /// The log to read; `-` is standard input.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The log to write; `-` is standard output. A file of this name is replaced when all is written.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The format to write.
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    to: Option<String>,
    /// Fail, and leave no output, where a record is no frame or anything of a frame would be lost.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(LogFormat::WRITTEN.iter().map(|format| format.name()))
}

/// What happened to the records.
#[derive(Debug, Default)]
struct Tally {
    frames: u64,
    written: u64,
    /// Why frames were not written, and how many.
    lost: BTreeMap<String, u64>,
    bad: u64,
}

impl Convert {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let format = format_of(&self.output, self.to.as_deref())?;
        let read = Arc::new(AtomicU64::new(0));
        if is_standard(&self.input) {
            let input = Counted { input: io::stdin(), read: Arc::clone(&read) };
            let log = LogReader::new("standard input", BufReader::with_capacity(1 << 16, input));
            return self.convert(log, format, Progress { bar: bar(None), read });
        }
        self.refuse_the_same_file()?;
        let is_regular = input::is_regular(&self.input)?;
        let file = input::open(&self.input)?;
        let size = file.metadata().ok().filter(|_| is_regular).map(|about| about.len());
        let input = BufReader::with_capacity(1 << 16, Counted { input: file, read: Arc::clone(&read) });
        let name = self.input.display().to_string();
        let log = if is_regular {
            // A log whose parts are anywhere in it (MF4) needs to seek.
            LogReader::seekable(&name, input).map_err(|error| Failure::Message(error.to_string()))?
        } else {
            LogReader::new(&name, input)
        };
        self.convert(log, format, Progress { bar: bar(size), read })
    }

    fn convert<R: BufRead>(
        &self,
        mut log: LogReader<R>,
        format: LogFormat,
        progress: Progress,
    ) -> Result<(), Failure> {
        let sink =
            Sink::create(&self.output, is_packed(&self.output)).map_err(|error| self.failed(&error))?;
        let writer =
            if sink.can_seek() { LogWriter::seekable(format, sink) } else { LogWriter::new(format, sink) };
        let mut writer = writer.map_err(|error| self.unwritten(error))?;
        let mut tally = Tally::default();
        self.copy(&mut log, &mut writer, &mut tally, &progress)?;
        if tally.frames == 0 && tally.bad > 0 {
            // Not a log at all, most likely: no output in its name.
            drop(progress);
            return input::tell_bad(log.name(), tally.bad);
        }
        let losses = *writer.losses();
        let sink = writer.finish().map_err(|error| self.unwritten(error))?;
        sink.finish().map_err(|error| self.failed(&error))?;
        drop(progress);
        let name = log.name();
        tell(format_args!(
            "{name}: {} frames, {} written to {}",
            tally.frames,
            tally.written,
            self.output.display()
        ));
        for (why, count) in &tally.lost {
            tell(format_args!("{name}: {count} lost: {why}"));
        }
        if !losses.is_none() {
            tell(format_args!("{name}: of the written, {losses}"));
        }
        input::tell_bad(name, tally.bad)
    }

    fn copy<R: BufRead>(
        &self,
        log: &mut LogReader<R>,
        writer: &mut LogWriter<Sink>,
        tally: &mut Tally,
        progress: &Progress,
    ) -> Result<(), Failure> {
        for item in log {
            match item {
                Ok(frame) => {
                    tally.frames += 1;
                    if tally.frames.is_multiple_of(1 << 14) {
                        progress.show(tally.frames);
                    }
                    self.write(writer, &frame, tally)?;
                }
                Err(error) if self.strict || error.is_final() => {
                    return Err(Failure::Message(error.to_string()));
                }
                Err(error) => {
                    tally.bad += 1;
                    if tally.bad <= input::NAMED {
                        progress.bar.suspend(|| tell(&error));
                    }
                }
            }
        }
        Ok(())
    }

    fn write(&self, writer: &mut LogWriter<Sink>, frame: &Frame, tally: &mut Tally) -> Result<(), Failure> {
        match writer.write(frame) {
            Ok(()) if self.strict && !writer.losses().is_none() => Err(Failure::Message(format!(
                "{}: frame {}: {}",
                self.output.display(),
                tally.frames,
                writer.losses()
            ))),
            Ok(()) => {
                tally.written += 1;
                Ok(())
            }
            Err(WriteError::Io(error)) => Err(self.failed(&error)),
            Err(error) if self.strict => {
                Err(Failure::Message(format!("{}: frame {}: {error}", self.output.display(), tally.frames)))
            }
            Err(error) => {
                *tally.lost.entry(error.to_string()).or_default() += 1;
                Ok(())
            }
        }
    }

    fn refuse_the_same_file(&self) -> Result<(), Failure> {
        let path = |path: &Path| fs::canonicalize(path).ok();
        match (path(&self.input), path(&self.output)) {
            (Some(input), Some(output)) if input == output => Err(Failure::Message(format!(
                "{}: the output would replace the input",
                self.output.display()
            ))),
            _ => Ok(()),
        }
    }

    fn unwritten(&self, error: WriteError) -> Failure {
        match error {
            WriteError::Io(error) => self.failed(&error),
            error => Failure::Message(format!("{}: {error}", self.output.display())),
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        if is_standard(&self.output) && error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::Unread;
        }
        Failure::Message(format!("{}: {error}", self.output.display()))
    }
}

/// The format that is written: as it was asked for, or as the name says.
pub(crate) fn format_of(output: &Path, asked: Option<&str>) -> Result<LogFormat, Failure> {
    if let Some(name) = asked {
        let known = LogFormat::WRITTEN.iter().find(|format| format.name() == name);
        return known.copied().ok_or_else(|| Failure::Message(format!("there is no format {name}")));
    }
    let name = if is_packed(output) { output.with_extension("") } else { output.to_owned() };
    let extension = name.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    LogFormat::of_extension(extension).ok_or_else(|| {
        Failure::Message(format!(
            "{}: no format is written under such a name: say which with --to",
            output.display()
        ))
    })
}

pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

pub(crate) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn bar(size: Option<u64>) -> ProgressBar {
    // Drawn on standard error, and by itself only where that is a terminal.
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:40} {percent}% {msg} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {msg}"),
    };
    let bar = bar.with_finish(ProgressFinish::AndClear);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

struct Progress {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
}

impl Progress {
    fn show(&self, frames: u64) {
        self.bar.set_position(self.read.load(Ordering::Relaxed));
        self.bar.set_message(format!("{frames} frames"));
    }
}

/// A reader whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    pub(crate) input: R,
    pub(crate) read: Arc<AtomicU64>,
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.read.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}
