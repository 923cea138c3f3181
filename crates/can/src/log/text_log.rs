//! Lines become frames: each line asks the form that the lines before it have shown.
//!
//! *Invariant:* a line is a frame, a flaw, or nothing (blank, comment, header, or an event that is no frame); a flaw changes nothing for the
//! lines after it.
//! *Next:* `candump.rs`, `console.rs`, `asc.rs`, `trc.rs`, `csv.rs`, `gvret.rs` (one line each); `mod.rs`, which has the iterator.

use super::asc::Asc;
use super::error::{Flaw, LogError, LogFault};
use super::lines::Lines;
use super::trc::Trc;
use super::{LogFormat, Position, asc, candump, console, csv, gvret, text};
use crate::{Channel, Frame};
use candump::LastChannel;
use coachwork_vehicle::{TimeBase, Timestamp};
use embedded_can::StandardId;
use std::io::BufRead;
use std::sync::Arc;

/// A text log.
#[derive(Debug)]
pub(super) struct TextLog<R> {
    lines: Lines<R>,
    name: Arc<str>,
    state: State,
    ended: bool,
}

/// What earlier lines said that later ones need.
#[derive(Debug)]
struct State {
    format: Option<LogFormat>,
    form: Form,
    /// Of a header line such as `interface = can0, …`; the lines below it name no channel.
    channel: Channel,
    /// Of the line before.
    last_channel: LastChannel,
    /// candump explains an error frame on lines that begin with a tab.
    after_error_frame: bool,
    /// Whether a time was seen that counts from 1970.
    utc: bool,
    /// The last frame.
    frame: Frame,
}

/// Which form a header has announced.
#[derive(Debug, Default)]
enum Form {
    /// None: candump's.
    #[default]
    Candump,
    Gvret(gvret::Columns),
    Csv,
    Asc(Asc),
    Trc(Trc),
}

/// 2000-01-01; no recorder runs for thirty years.
const YEAR_2000: Timestamp = Timestamp::from_seconds(946_684_800);

impl<R: BufRead> TextLog<R> {
    pub(super) fn new(name: Arc<str>, input: R) -> Self {
        Self { lines: Lines::new(input), name, state: State::new(), ended: false }
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Result<Frame, LogError>> {
        while !self.ended {
            let Self { lines, state, .. } = self;
            match lines.next(|line, number| state.line(line, number)) {
                Ok(Some(Ok(true))) => return Some(Ok(state.frame)),
                Ok(Some(Ok(false))) => {}
                Ok(Some(Err(flaw))) => return Some(Err(self.error(flaw))),
                Ok(None) => self.ended = true,
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(self.error(Flaw::at(0, LogFault::Io(cause)))));
                }
            }
        }
        None
    }

    #[cold]
    fn error(&self, flaw: Flaw) -> LogError {
        let position = match self.lines.number() {
            0 => Position::Start,
            line => Position::Line { line, column: flaw.offset + 1 },
        };
        LogError::new(&self.name, position, flaw.fault)
    }

    pub(super) fn format(&self) -> Option<LogFormat> {
        self.state.format
    }

    pub(super) fn time_base(&self) -> TimeBase {
        let dated = match &self.state.form {
            Form::Asc(log) => log.has_date(),
            Form::Trc(log) => log.has_date(),
            Form::Candump | Form::Gvret(_) | Form::Csv => true,
        };
        if self.state.utc && dated { TimeBase::Utc } else { TimeBase::Unknown }
    }

    pub(super) fn position(&self) -> Position {
        match self.lines.number() {
            0 => Position::Start,
            line => Position::Line { line, column: 1 },
        }
    }
}

impl State {
    fn new() -> Self {
        Self {
            format: None,
            form: Form::Candump,
            channel: Channel::NONE,
            last_channel: LastChannel::default(),
            after_error_frame: false,
            utc: false,
            frame: Frame::empty(StandardId::ZERO.into()),
        }
    }

    /// One line, without its end, becomes the frame and `true`, nothing (blank, comment, header), or a flaw.
    #[inline]
    fn line(&mut self, line: &[u8], number: u64) -> Result<bool, Flaw> {
        // The shape of nearly every line, before anything else is asked.
        if let Form::Candump = self.form
            && line.first() == Some(&b'(')
            && candump::whole_line(line, &mut self.last_channel, &mut self.frame).is_some()
        {
            self.format = Some(LogFormat::Candump);
            self.remember();
            return Ok(true);
        }
        self.other_line(line, number)
    }

    fn other_line(&mut self, line: &[u8], number: u64) -> Result<bool, Flaw> {
        let bom = if number == 1 && line.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let rest = text::Rest::new(line, bom);
        let first = rest.after_spaces();
        match first.first() {
            None | Some(b'#') => return Ok(false),
            Some(b'\t') if self.after_error_frame && matches!(self.form, Form::Candump) => return Ok(false),
            _ => {}
        }
        if self.header(first) {
            return Ok(false);
        }
        let frame = match &mut self.form {
            Form::Candump => {
                let (frame, format) = candump::any_line(first, self.channel)?;
                self.format = Some(format);
                Some(frame)
            }
            Form::Gvret(columns) => {
                self.frame = columns.line(line)?;
                return Ok(true);
            }
            Form::Csv => Some(csv::line(line)?),
            Form::Asc(log) => log.line(first)?,
            Form::Trc(log) if first.first() == Some(b';') => {
                log.comment(first)?;
                None
            }
            Form::Trc(log) => log.line(first)?,
        };
        let Some(frame) = frame else { return Ok(false) };
        self.frame = frame;
        self.remember();
        Ok(true)
    }

    /// Whether the line is a header that says which form the lines after it have, and nothing else.
    fn header(&mut self, line: text::Rest<'_>) -> bool {
        let trimmed = line.bytes().trim_ascii_end();
        if let Some(columns) = gvret::header(line.bytes()) {
            self.format = Some(LogFormat::Gvret);
            self.form = Form::Gvret(columns);
        } else if trimmed == csv::HEADER {
            self.format = Some(LogFormat::Csv);
            self.form = Form::Csv;
        } else if let Form::Candump = self.form
            && let Some(channel) = console::header(line.bytes())
        {
            self.channel = channel;
        } else {
            // Of these the line says more, and the first frame of another form decides against them.
            if let (Form::Candump, None) = (&self.form, self.format) {
                if line.first() == Some(b';') {
                    self.format = Some(LogFormat::Trc);
                    self.form = Form::Trc(Trc::default());
                } else if asc::is_header(line) {
                    self.format = Some(LogFormat::Asc);
                    self.form = Form::Asc(Asc::default());
                }
            }
            return false;
        }
        true
    }

    fn remember(&mut self) {
        self.after_error_frame = self.frame.is_error();
        self.utc |= self.frame.time().is_some_and(|time| time >= YEAR_2000);
    }
}
