//! The conversation of a host with an adapter: closed, set up, opened; then frames, which a careful adapter confirms or refuses one by one.
//!
//! *Invariant:* nothing waits for an answer, because many adapters give none; those that come are counted, first for the commands and then for
//! the frames. An adapter that says that it overran is counted as having lost a frame at least.
//! *Next:* `../port.rs`, which runs it over a stream.

use super::stamps::Stamps;
use super::{Decoder, Line, encode};
use crate::bus::NotCarried;
use crate::bus::name::SlcanName;
use crate::bus::port::{Intake, Protocol};
use crate::{Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;
use std::io;

/// What an adapter is told before it is opened.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    commands: Vec<String>,
    stamped: bool,
}

impl Setup {
    pub(super) fn of(adapter: &SlcanName) -> Self {
        // Empty lines end whatever the adapter was in the middle of; then it is closed, as settings ask for.
        let mut commands: Vec<String> = ["", "", "C"].map(str::to_owned).into();
        let code = |bitrate| SlcanName::BITRATES.iter().position(|known| *known == bitrate);
        if let Some(code) = adapter.bitrate.and_then(code) {
            commands.push(format!("S{code}"));
        }
        if let Some(btr) = adapter.btr {
            commands.push(format!("s{btr:04X}"));
        }
        if let Some(bitrate) = adapter.data_bitrate {
            commands.push(format!("Y{}", bitrate / 1_000_000));
        }
        if adapter.timestamps {
            commands.push("Z1".to_owned());
        }
        commands.push(if adapter.listen_only { "L" } else { "O" }.to_owned());
        Self { commands, stamped: adapter.timestamps }
    }
}

#[derive(Debug)]
pub(super) struct Session {
    setup: Setup,
    decoder: Decoder,
    stamps: Stamps,
    /// Commands that may still be answered.
    commands: usize,
    /// Frames that may still be answered.
    frames: u64,
}

/// Status flags that say that frames were lost: the receive queue was full, or overrun.
const OVERRUN: u8 = 1 | 1 << 3;

impl Session {
    pub(super) fn new(setup: Setup, channel: Channel) -> Self {
        let (decoder, stamps) = (Decoder::new(channel), Stamps::default());
        Self { setup, decoder, stamps, commands: 0, frames: 0 }
    }

    fn hear(&mut self, line: &Line, now: Timestamp, intake: &mut Intake) {
        match line {
            Line::Frame(frame, stamp) => {
                let time = match stamp {
                    Some(stamp) if self.setup.stamped => self.stamps.time(*stamp, now),
                    _ => now,
                };
                intake.frame(frame.with_time(time).with_direction(Some(Direction::Received)));
            }
            Line::Done | Line::Refused if self.commands > 0 => self.commands -= 1,
            Line::Done | Line::Sent if self.frames > 0 => {
                self.frames -= 1;
                intake.confirmed(1);
            }
            Line::Refused => {
                intake.refused();
                // It was an answer too: the frame is not in doubt.
                if self.frames > 0 {
                    self.frames -= 1;
                    intake.confirmed(1);
                }
            }
            Line::Status(flags) => {
                self.commands = self.commands.saturating_sub(1);
                if flags & OVERRUN != 0 {
                    intake.lost(1);
                }
            }
            Line::Done | Line::Sent | Line::Information(_) | Line::Command(_) => {}
        }
    }
}

impl Protocol for Session {
    fn begin(&mut self, out: &mut Vec<u8>) {
        for command in &self.setup.commands {
            out.extend_from_slice(command.as_bytes());
            out.push(b'\r');
        }
        self.commands = self.setup.commands.len();
    }

    fn is_up(&self) -> bool {
        true
    }

    fn receive(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
        intake: &mut Intake,
        _out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::empty());
        decoder.decode(bytes, |line| match line {
            Ok(line) => self.hear(&line, now, intake),
            Err(_) => intake.bad(),
        });
        self.decoder = decoder;
        Ok(())
    }

    fn send(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried> {
        encode(frame, out)?;
        self.frames += 1;
        Ok(())
    }

    fn after_sending(&mut self, _out: &mut Vec<u8>) {}

    /// Asks for the status flags, which tell of frames that the adapter lost. Only an adapter that has answered everything so far is asked.
    fn probe(&mut self, out: &mut Vec<u8>) -> bool {
        if self.commands == 0 && self.frames == 0 {
            out.extend_from_slice(b"F\r");
            self.commands += 1;
        }
        false
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"C\r");
    }
}
