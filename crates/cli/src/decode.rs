//! `coachwork decode`: a log becomes decoded frames, one at a time.
//!
//! *Invariant:* memory does not grow with the log, and nothing waits in a buffer while the tool waits for input; what is not printed is counted.
//! *Next:* `render.rs` (what a frame looks like), `output.rs` (where it goes).

mod bodies;
mod line;
mod render;
mod texts;

use crate::output::{FlushFirst, Output};
use crate::{Failure, Format, database, input, tell};
use clap::{Args, ValueEnum};
use coachwork_can::Frame;
use coachwork_can::log::{LogError, LogReader};
use coachwork_dbc::{Database, DecodeError, Match};
use render::Render;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use texts::Style;

/// Decode a log, or a pipe from candump, to named values.
///
/// The log may be of any format that is read, known by its content, in gzip or not. Frames that do not decode are skipped and counted on
/// standard error; records that are no frames are named there, and make the exit status 1.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_help = "Examples:\n  candump can0 | coachwork decode car.dbc\n  coachwork decode car.dbc drive.log --format jsonl\n  coachwork decode -s j1939.dbc truck.log --match pgn"
)]
pub(crate) struct Decode {
    /// The database, a DBC file.
    #[arg(value_name = "DBC")]
    database: PathBuf,
    /// The log; `-` is standard input.
    #[arg(value_name = "LOG", default_value = "-")]
    log: PathBuf,
    /// How frames are printed.
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
    /// Print raw values instead of physical ones.
    #[arg(short, long)]
    raw: bool,
    /// Print what they hold of frames that are shorter than their message or have an undefined multiplexer value.
    #[arg(short, long)]
    partial: bool,
    /// How identifiers find their message.
    #[arg(short, long = "match", value_enum, default_value_t)]
    matching: Matching,
    /// Text: one line per frame.
    #[arg(short, long)]
    single_line: bool,
    /// Text: print numbers where the database has labels.
    #[arg(short = 'c', long)]
    no_decode_choices: bool,
    /// Refuse a database that has to be repaired.
    #[arg(long)]
    strict: bool,
}

/// How identifiers find their message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Matching {
    /// By the whole identifier.
    Exact,
    /// By J1939 parameter group: priority and addresses are ignored.
    Pgn,
    /// Exactly, then by parameter group where the database says that it is J1939.
    #[default]
    Auto,
}

/// What happened to the frames.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    frames: u64,
    no_data: u64,
    unknown: u64,
    short: u64,
    multiplexer: u64,
    bad_lines: u64,
}

impl Decode {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let database = database::load(&self.database, self.strict)?;
        let output = Output::new();
        let name = self.log.display().to_string();
        if self.log == Path::new("-") {
            let input = FlushFirst { input: std::io::stdin().lock(), output: output.clone() };
            let input = BufReader::with_capacity(1 << 16, input);
            return self.decode(&database, LogReader::new("standard input", input), &output);
        }
        if input::is_regular(&self.log)? {
            let log = LogReader::open(&self.log).map_err(|error| Failure::Message(error.to_string()))?;
            return self.decode(&database, log, &output);
        }
        let input = FlushFirst { input: input::open(&self.log)?, output: output.clone() };
        self.decode(&database, LogReader::new(&name, BufReader::with_capacity(1 << 16, input)), &output)
    }

    fn decode<R: BufRead>(
        &self,
        database: &Database,
        mut log: LogReader<R>,
        output: &Output,
    ) -> Result<(), Failure> {
        let style = Style {
            format: self.format,
            raw: self.raw,
            single_line: self.single_line,
            labels: !self.no_decode_choices,
        };
        let mut render = Render::new(database, style);
        let by = match self.matching {
            Matching::Exact => Match::Exact,
            Matching::Pgn => Match::Pgn,
            Matching::Auto => Match::Auto,
        };
        let mut tally = Tally::default();
        for item in &mut log {
            match item {
                Ok(frame) => {
                    tally.frames += 1;
                    if let Some(message) = self.printed(database, &frame, by, &mut tally) {
                        output.put(|room| render.frame(room, &frame, message))?;
                    }
                }
                Err(error) => bad_line(&error, &mut tally, output)?,
            }
        }
        output.flush()?;
        tally.report(log.name(), self.partial)
    }

    /// The position of the message whose frame is printed; where it is not, it is counted.
    #[inline]
    fn printed(&self, database: &Database, frame: &Frame, by: Match, tally: &mut Tally) -> Option<usize> {
        if !frame.is_data() {
            tally.no_data += 1;
            return None;
        }
        let found = database.find_position(frame.id(), by);
        let Some((position, message)) = found.and_then(|at| Some((at, database.messages().get(at)?))) else {
            tally.unknown += 1;
            return None;
        };
        match message.problem(frame.data()) {
            None => return Some(position),
            Some(DecodeError::TooShort { .. }) => tally.short += 1,
            Some(_) => tally.multiplexer += 1,
        }
        self.partial.then_some(position)
    }
}

/// Names a bad line on standard error, after what was decoded before it.
#[cold]
fn bad_line(error: &LogError, tally: &mut Tally, output: &Output) -> Result<(), Failure> {
    output.flush()?;
    if error.is_final() {
        return Err(Failure::Message(error.to_string()));
    }
    tally.bad_lines += 1;
    if tally.bad_lines <= input::NAMED {
        tell(error);
    }
    Ok(())
}

impl Tally {
    /// Says what was skipped, if anything was.
    fn report(&self, name: &str, partial: bool) -> Result<(), Failure> {
        let mut parts = Vec::new();
        let mut part = |count: u64, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        let (short, multiplexer) = if partial { (0, 0) } else { (self.short, self.multiplexer) };
        part(self.unknown, "of an unknown id");
        part(short, "shorter than their message");
        part(multiplexer, "with an undefined multiplexer value");
        part(self.no_data, "remote or error frames");
        if !parts.is_empty() {
            let skipped = self.unknown + short + multiplexer + self.no_data;
            tell(format_args!("{name}: {} frames, {skipped} skipped: {}", self.frames, parts.join(", ")));
        }
        input::tell_bad(name, self.bad_lines)
    }
}
