//! The conversation of a client with the daemon: greeting, bus, raw mode, then frames; an echo behind what was sent confirms it.
//!
//! *Invariant:* commands are answered in order, so an `< echo >` that comes back says that everything before it was taken; at most one is under
//! way. A daemon that does not know the echo is not asked again.
//! *Next:* `../port.rs`, which runs it over a stream.

use super::{Decoder, Element, encode_send};
use crate::bus::NotCarried;
use crate::bus::port::{Intake, Protocol};
use crate::{Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;
use std::io;

#[derive(Debug)]
pub(super) struct Session {
    channel: String,
    decoder: Decoder,
    stage: Stage,
    /// Frames sent since the last echo was asked for.
    sent: u64,
    /// The echo under way, and how many frames it confirms.
    echo: Option<u64>,
    knows_echo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Opening,
    Switching,
    Raw,
}

impl Session {
    pub(super) fn new(channel: &str) -> Self {
        // A name that is too long for a frame's channel was let through by the caller; then frames have none.
        let decoder = Decoder::new(channel.parse().unwrap_or(Channel::NONE));
        Self {
            channel: channel.to_owned(),
            decoder,
            stage: Stage::Greeting,
            sent: 0,
            echo: None,
            knows_echo: true,
        }
    }

    /// What an element means at this stage.
    fn hear(&mut self, element: Element, intake: &mut Intake, out: &mut Vec<u8>) -> io::Result<()> {
        match (self.stage, element) {
            (Stage::Greeting, Element::Hi) => {
                out.extend_from_slice(format!("< open {} >", self.channel).as_bytes());
                self.stage = Stage::Opening;
            }
            (Stage::Opening, Element::Ok) => {
                out.extend_from_slice(b"< rawmode >");
                self.stage = Stage::Switching;
            }
            (Stage::Switching, Element::Ok) => self.stage = Stage::Raw,
            (Stage::Raw, Element::Frame(frame)) => {
                intake.frame(frame.with_direction(Some(Direction::Received)));
            }
            (Stage::Raw, Element::Echo) => {
                intake.confirmed(self.echo.take().unwrap_or_default());
                self.after_sending(out);
            }
            (Stage::Raw, Element::Refused(why)) => {
                if self.echo.take().is_some() && why == "unknown command" {
                    self.knows_echo = false;
                } else {
                    intake.refused();
                }
            }
            (_, Element::Refused(why)) => {
                return Err(io::Error::other(format!("the daemon refused `{}`: {why}", self.channel)));
            }
            _ => {}
        }
        Ok(())
    }

    fn ask_echo(&mut self, out: &mut Vec<u8>) {
        if self.knows_echo && self.echo.is_none() {
            out.extend_from_slice(b"< echo >");
            self.echo = Some(std::mem::take(&mut self.sent));
        }
    }
}

impl Protocol for Session {
    /// The daemon speaks first.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn is_up(&self) -> bool {
        self.stage == Stage::Raw
    }

    fn receive(
        &mut self,
        bytes: &[u8],
        _now: Timestamp,
        intake: &mut Intake,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        // Most elements are frames, which go straight to the intake.
        let (mut decoder, mut failed) = (std::mem::replace(&mut self.decoder, Decoder::empty()), Ok(()));
        decoder.decode(bytes, |element| match element {
            Ok(element) if failed.is_ok() => failed = self.hear(element, intake, out),
            Ok(_) => {}
            Err(_) => intake.bad(),
        });
        self.decoder = decoder;
        failed
    }

    fn send(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried> {
        encode_send(frame, out)?;
        self.sent += 1;
        Ok(())
    }

    fn after_sending(&mut self, out: &mut Vec<u8>) {
        if self.sent > 0 {
            self.ask_echo(out);
        }
    }

    fn probe(&mut self, out: &mut Vec<u8>) -> bool {
        self.ask_echo(out);
        self.knows_echo
    }

    /// The daemon ends when the stream does.
    fn end(&mut self, _out: &mut Vec<u8>) {}
}
