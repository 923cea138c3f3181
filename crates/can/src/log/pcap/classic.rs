//! A pcap file becomes frames: a header, then records of time, lengths and packet.
//!
//! *Invariant:* a length that no record has is damage; the search then goes on byte by byte to two records in a row that could be.
//! *Next:* `socketcan.rs`, which reads the packets.

use super::{MAX_PACKET, MAX_RECORD, Order, WINDOW, YEAR_2000, socketcan};
use crate::Frame;
use crate::log::LogFault;
use crate::log::record::{ByteFlaw, RecordFault};
use crate::log::window::Window;
use coachwork_vehicle::{TimeBase, Timestamp};
use std::io::BufRead;

const HEADER: usize = 24;
const RECORD: usize = 16;

/// A pcap log.
#[derive(Debug)]
pub(in crate::log) struct PcapReader<R> {
    window: Window<R>,
    capture: Option<Capture>,
    /// After damage, which was reported, a plausible record is searched for.
    lost: bool,
    ended: bool,
    /// Whether a time was seen that counts from 1970.
    utc: bool,
}

/// What the header says, and the time last seen.
#[derive(Clone, Copy, Debug)]
struct Capture {
    order: Order,
    /// Nanoseconds in a unit of the fraction.
    unit: u32,
    link: u32,
    seconds: Option<u32>,
}

/// How far apart in time records in a row are, when one has to be found again: a day.
const PLAUSIBLE: u32 = 86_400;

impl<R: BufRead> PcapReader<R> {
    pub(in crate::log) fn new(input: R) -> Self {
        Self { window: Window::new(input, WINDOW), capture: None, lost: false, ended: false, utc: false }
    }

    /// How far the log was read.
    pub(in crate::log) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// What the times count from, as far as they have shown it.
    pub(in crate::log) fn time_base(&self) -> TimeBase {
        if self.utc { TimeBase::Utc } else { TimeBase::Unknown }
    }

    #[inline]
    pub(in crate::log) fn next(&mut self) -> Option<Result<Frame, ByteFlaw>> {
        while !self.ended {
            let at = self.window.offset();
            match self.step() {
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

    #[inline]
    fn step(&mut self) -> Result<Option<Frame>, LogFault> {
        let Some(capture) = self.capture else {
            self.capture = Some(self.open()?);
            return Ok(None);
        };
        if self.lost {
            self.search(capture)?;
            return Ok(None);
        }
        if !self.window.fill(RECORD).map_err(LogFault::Io)? {
            return self.end("a record's header");
        }
        let Some(record) = Record::parse(self.window.bytes(), capture.order) else { return Ok(None) };
        let len = usize::try_from(record.captured).unwrap_or(usize::MAX);
        if let Some(fault) = record.damage(capture) {
            return self.damage(fault);
        }
        if len > MAX_PACKET {
            self.window.consume(RECORD);
            let there = self.window.skip(record.captured.into()).map_err(LogFault::Io)?;
            return if there { Ok(None) } else { self.end_within_a_record() };
        }
        if !self.window.fill(RECORD + len).map_err(LogFault::Io)? {
            return self.end("a record");
        }
        let packet = self.window.bytes().get(RECORD..RECORD + len).unwrap_or_default();
        let frame = socketcan::frame(capture.link, packet);
        self.window.consume(RECORD + len);
        self.capture = Some(Capture { seconds: Some(record.seconds), ..capture });
        let time =
            i64::from(record.seconds) * 1_000_000_000 + i64::from(record.fraction) * i64::from(capture.unit);
        Ok(frame?.map(|frame| frame.with_time(Timestamp::from_nanoseconds(time))))
    }

    fn open(&mut self) -> Result<Capture, LogFault> {
        let whole = self.window.fill(HEADER).map_err(LogFault::Io)?;
        let bytes = self.window.bytes();
        let (order, unit) = match bytes {
            [0xA1, 0xB2, 0xC3, 0xD4, ..] => (Order::Big, 1000),
            [0xD4, 0xC3, 0xB2, 0xA1, ..] => (Order::Little, 1000),
            [0xA1, 0xB2, 0x3C, 0x4D, ..] => (Order::Big, 1),
            [0x4D, 0x3C, 0xB2, 0xA1, ..] => (Order::Little, 1),
            _ => {
                self.ended = true;
                return Err(RecordFault::Damaged("no pcap file begins so").into());
            }
        };
        let Some(link) = order.u32(bytes, 20).filter(|_| whole) else {
            self.ended = true;
            return Err(RecordFault::Truncated("the header").into());
        };
        // The bits above tell of checksums behind Ethernet frames.
        let link = link & 0x03FF_FFFF;
        if !socketcan::is_read(link) {
            self.ended = true;
            return Err(LogFault::OtherFormat("pcap (of another link type than CAN's)"));
        }
        self.window.consume(HEADER);
        Ok(Capture { order, unit, link, seconds: None })
    }

    /// What is left is not a whole record: none, a cut one, or one whose length is damaged.
    fn end(&mut self, within: &'static str) -> Result<Option<Frame>, LogFault> {
        if self.window.bytes().is_empty() {
            self.ended = true;
            return Ok(None);
        }
        self.damage(RecordFault::Truncated(within))
    }

    fn end_within_a_record(&mut self) -> Result<Option<Frame>, LogFault> {
        self.ended = true;
        Err(RecordFault::Truncated("a record").into())
    }

    #[cold]
    fn damage(&mut self, fault: RecordFault) -> Result<Option<Frame>, LogFault> {
        self.window.consume(1);
        self.lost = true;
        Err(fault.into())
    }

    /// Goes to the next two records in a row that could be, or one at the end.
    fn search(&mut self, capture: Capture) -> Result<(), LogFault> {
        loop {
            let more = self.window.fill(WINDOW).map_err(LogFault::Io)?;
            let bytes = self.window.bytes();
            let last = bytes.len().saturating_sub(2 * (RECORD + MAX_PACKET));
            let to = if more { last } else { bytes.len() };
            let found = (0..to).find(|at| {
                let next = capture.follows(bytes.get(*at..).unwrap_or_default());
                next.is_some_and(|next| {
                    let after = bytes.get(at + next..).unwrap_or_default();
                    after.is_empty() || capture.follows(after).is_some()
                })
            });
            self.window.consume(found.unwrap_or(to));
            if found.is_some() || !more {
                self.lost = false;
                return Ok(());
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Record {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl Record {
    #[inline]
    fn parse(bytes: &[u8], order: Order) -> Option<Self> {
        Some(Self {
            seconds: order.u32(bytes, 0)?,
            fraction: order.u32(bytes, 4)?,
            captured: order.u32(bytes, 8)?,
            original: order.u32(bytes, 12)?,
        })
    }
}

impl Record {
    /// Why this is no record of a capture.
    #[inline]
    fn damage(&self, capture: Capture) -> Option<RecordFault> {
        // A capture of CAN frames alone has no long packets.
        let max = if capture.link == socketcan::SOCKETCAN {
            u32::try_from(MAX_PACKET).unwrap_or(MAX_RECORD)
        } else {
            MAX_RECORD
        };
        if self.captured > max {
            return Some(RecordFault::Size { what: "a record", size: self.captured.into() });
        }
        if self.fraction >= 1_000_000_000 / capture.unit {
            return Some(RecordFault::Damaged("a record's time"));
        }
        let lengths = self.captured <= self.original || self.original == 0;
        (!lengths).then_some(RecordFault::Damaged("a record's lengths"))
    }
}

impl Capture {
    /// The size of the whole record at the beginning of `bytes`, if it could be one.
    fn follows(&self, bytes: &[u8]) -> Option<usize> {
        let record = Record::parse(bytes, self.order)?;
        let len = usize::try_from(record.captured).ok()?;
        let plausible = (8..=MAX_PACKET).contains(&len)
            && record.damage(*self).is_none()
            && self.seconds.is_none_or(|last| record.seconds.abs_diff(last) <= PLAUSIBLE)
            && bytes.len() >= RECORD + len
            && socketcan::frame(self.link, bytes.get(RECORD..RECORD + len)?).is_ok();
        plausible.then_some(RECORD + len)
    }
}
