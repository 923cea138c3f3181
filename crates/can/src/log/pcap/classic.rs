//! A pcap file becomes frames: a header, then records of time, lengths and packet.
//!
//! *Invariant:* a length that no record has is damage; the search then goes on byte by byte to two records in a row that could be.
//! *Next:* `socketcan.rs`, which reads the packets.

use super::{Form, MAX_PACKET, MAX_RECORD, Order, PacketReader, socketcan};
use crate::Frame;
use crate::log::LogFault;
use crate::log::record::RecordFault;
use coachwork_vehicle::Timestamp;
use std::io::BufRead;

const HEADER: usize = 24;
const RECORD: usize = 16;

/// What is known of a pcap log: nothing before its header.
#[derive(Debug, Default)]
pub(in crate::log) struct Classic(Option<Capture>);

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

impl Form for Classic {
    /// Two records.
    const FOUND: usize = 2 * (RECORD + MAX_PACKET);

    #[inline]
    fn step<R: BufRead>(log: &mut PacketReader<R, Self>) -> Result<Option<Frame>, LogFault> {
        let Some(capture) = log.form.0 else {
            log.form.0 = Some(log.open()?);
            return Ok(None);
        };
        log.record(capture)
    }

    /// Two records in a row that could be, or one at the end.
    fn plausible(&self, bytes: &[u8]) -> bool {
        let follows = |bytes: &[u8]| self.0.and_then(|capture| capture.follows(bytes));
        follows(bytes).is_some_and(|next| {
            let after = bytes.get(next..).unwrap_or_default();
            after.is_empty() || follows(after).is_some()
        })
    }
}

impl<R: BufRead> PacketReader<R, Classic> {
    #[inline]
    fn record(&mut self, capture: Capture) -> Result<Option<Frame>, LogFault> {
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
        self.form.0 = Some(Capture { seconds: Some(record.seconds), ..capture });
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
