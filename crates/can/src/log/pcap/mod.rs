//! pcap and pcapng, the captures of tcpdump and Wireshark, with CAN frames of SocketCAN in them.
//!
//! *Invariant:* memory does not grow with the log; a packet longer than any CAN frame is passed over; damage costs the records it touches, for
//! reading goes on at the next that is plausible.
//! *Next:* `classic.rs`, `ng.rs` (records), `socketcan.rs` (one packet, one frame), `write.rs` (the way back).

mod classic;
mod ng;
mod socketcan;
#[cfg(test)]
mod tests;
mod write;

pub use write::PcapngWriter;

use super::LogFault;
use super::record::{ByteFlaw, RecordFault};
use super::window::Window;
use crate::Frame;
use coachwork_vehicle::{TimeBase, Timestamp};
use std::io::BufRead;

/// A pcap log.
pub(super) type PcapReader<R> = PacketReader<R, classic::Classic>;

/// A pcapng log.
pub(super) type PcapngReader<R> = PacketReader<R, ng::Section>;

/// A log of packets; `F` is what its form has to know of what it read before.
#[derive(Debug)]
pub(super) struct PacketReader<R, F> {
    window: Window<R>,
    form: F,
    /// After damage, which was reported, a plausible record is searched for.
    lost: bool,
    ended: bool,
    /// Whether a time was seen that counts from 1970.
    utc: bool,
}

/// A form of log: its records, and what they look like where one has to be found again.
pub(super) trait Form: Default {
    /// The longest that is searched for.
    const FOUND: usize;

    /// Reads a record: a frame, or something else, or a fault, after which there is more unless `ended` says otherwise.
    fn step<R: BufRead>(log: &mut PacketReader<R, Self>) -> Result<Option<Frame>, LogFault>;

    /// Whether a record could begin here.
    fn plausible(&self, bytes: &[u8]) -> bool;
}

/// How much of a log is held at a time.
const WINDOW: usize = 64 * 1024;

/// No packet with a CAN frame is longer, whatever is before the frame.
const MAX_PACKET: usize = 1024;

/// No record or block is longer; one that says so is damaged.
const MAX_RECORD: u32 = 16 * 1024 * 1024;

/// 2000-01-01; smaller times count from an unknown start, as of a log without one that was converted.
const YEAR_2000: Timestamp = Timestamp::from_seconds(946_684_800);

impl<R: BufRead, F: Form> PacketReader<R, F> {
    pub(super) fn new(input: R) -> Self {
        Self { window: Window::new(input, WINDOW), form: F::default(), lost: false, ended: false, utc: false }
    }

    /// How far the log was read.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// What the times count from, as far as they have shown it.
    pub(super) fn time_base(&self) -> TimeBase {
        if self.utc { TimeBase::Utc } else { TimeBase::Unknown }
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Result<Frame, ByteFlaw>> {
        while !self.ended {
            let at = self.window.offset();
            let step = if self.lost { self.search() } else { F::step(self) };
            match step {
                Ok(Some(frame)) => {
                    self.utc |= frame.time().is_some_and(|time| time >= YEAR_2000);
                    return Some(Ok(frame));
                }
                Ok(None) => {}
                Err(fault) => {
                    self.ended |= matches!(fault, LogFault::Io(_));
                    return Some(Err(ByteFlaw { offset: at, fault }));
                }
            }
        }
        None
    }

    #[cold]
    fn damage(&mut self, fault: RecordFault) -> Result<Option<Frame>, LogFault> {
        self.window.consume(1);
        self.lost = true;
        Err(fault.into())
    }

    /// Goes to the next place where a record could begin.
    fn search(&mut self) -> Result<Option<Frame>, LogFault> {
        loop {
            let more = self.window.fill(WINDOW).map_err(LogFault::Io)?;
            let bytes = self.window.bytes();
            let to = if more { bytes.len().saturating_sub(F::FOUND) } else { bytes.len() };
            let found = (0..to).find(|at| self.form.plausible(bytes.get(*at..).unwrap_or_default()));
            self.window.consume(found.unwrap_or(to));
            if found.is_some() || !more {
                self.lost = false;
                return Ok(None);
            }
        }
    }
}

/// The byte order that a log states at its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *super::window::chunk(bytes, at)?;
        Some(if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    #[inline]
    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *super::window::chunk(bytes, at)?;
        Some(if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }
}
