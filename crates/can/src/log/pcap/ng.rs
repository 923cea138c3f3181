//! A pcapng file becomes frames: sections of blocks, which describe interfaces or hold packets.
//!
//! *Invariant:* a block is believed when its length stands at both of its ends; else the search goes on to one of which that is so.
//! *Next:* `socketcan.rs`, which reads the packets.

use super::{MAX_RECORD, Order, WINDOW, YEAR_2000, socketcan};
use crate::log::LogFault;
use crate::log::record::{ByteFlaw, RecordFault};
use crate::log::window::{Window, chunk};
use crate::{Channel, Direction, Frame};
use coachwork_vehicle::{TimeBase, Timestamp};
use std::io::BufRead;

pub(super) const SECTION: u32 = 0x0A0D_0D0A;
pub(super) const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
pub(super) const PACKET: u32 = 6;

/// Options of an interface: name, resolution and offset of its times. Of a packet: flags.
pub(super) const IF_NAME: u16 = 2;
pub(super) const IF_RESOLUTION: u16 = 9;
const IF_OFFSET: u16 = 14;
pub(super) const PACKET_FLAGS: u16 = 2;

/// Type, length, and the length again.
const BLOCK: usize = 12;

/// After damage no longer block is searched for.
const MAX_FOUND: usize = 8 * 1024;

/// No section describes more.
const MAX_INTERFACES: usize = 4096;

/// A pcapng log.
#[derive(Debug)]
pub(in crate::log) struct PcapngReader<R> {
    window: Window<R>,
    /// Of the section; `None` before the first.
    order: Option<Order>,
    interfaces: Vec<Interface>,
    /// After damage, which was reported, a plausible block is searched for.
    lost: bool,
    ended: bool,
    /// Whether a time was seen that counts from 1970.
    utc: bool,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    channel: Channel,
    resolution: u8,
    /// Seconds to add to its times.
    offset: i64,
}

impl<R: BufRead> PcapngReader<R> {
    pub(in crate::log) fn new(input: R) -> Self {
        Self {
            window: Window::new(input, WINDOW),
            order: None,
            interfaces: Vec::new(),
            lost: false,
            ended: false,
            utc: false,
        }
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
        if self.lost {
            self.search()?;
            return Ok(None);
        }
        if !self.window.fill(BLOCK).map_err(LogFault::Io)? {
            if !self.window.bytes().is_empty() {
                return self.damage(RecordFault::Truncated("a block"));
            }
            self.ended = true;
            return Ok(None);
        }
        let bytes = self.window.bytes();
        let (order, kind) = match order_of_section(bytes) {
            Some(order) => (order, SECTION),
            None => match self.order.and_then(|order| Some((order, order.u32(bytes, 0)?))) {
                Some((order, kind)) if kind != SECTION => (order, kind),
                _ => return self.damage(RecordFault::Damaged("no block begins here")),
            },
        };
        let size = order.u32(bytes, 4).unwrap_or(0);
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        let is_packet = matches!(kind, PACKET | SIMPLE_PACKET | OLD_PACKET);
        if len < BLOCK || len % 4 != 0 || size > MAX_RECORD {
            return self.damage(RecordFault::Size { what: "a block", size: size.into() });
        }
        if len > WINDOW {
            if is_packet && self.interfaces.iter().all(|interface| interface.link == socketcan::SOCKETCAN) {
                return self
                    .damage(RecordFault::Size { what: "a block with a CAN frame", size: size.into() });
            }
            if self.window.skip(size.into()).map_err(LogFault::Io)? {
                return Ok(None);
            }
            self.ended = true;
            return Err(RecordFault::Truncated("a block").into());
        }
        if !self.window.fill(len).map_err(LogFault::Io)? {
            return self.damage(RecordFault::Truncated("a block"));
        }
        let block = self.window.bytes().get(..len).unwrap_or_default();
        if order.u32(block, len - 4) != Some(size) {
            return self.damage(RecordFault::Damaged("a block's lengths differ"));
        }
        let body = block.get(8..len - 4).unwrap_or_default();
        let frame = match kind {
            SECTION => {
                self.order = Some(order);
                self.interfaces.clear();
                Ok(None)
            }
            INTERFACE if self.interfaces.len() < MAX_INTERFACES => {
                match Interface::parse(body, order, self.interfaces.len()) {
                    Some(interface) => {
                        self.interfaces.push(interface);
                        Ok(None)
                    }
                    None => Err(RecordFault::Damaged("the description of an interface").into()),
                }
            }
            INTERFACE => {
                Err(RecordFault::Size { what: "a section with more interfaces than", size: 4096 }.into())
            }
            PACKET | OLD_PACKET => packet(&self.interfaces, kind, body, order),
            SIMPLE_PACKET => simple_packet(self.interfaces.first(), body, order),
            _ => Ok(None),
        };
        self.window.consume(len);
        frame
    }

    #[cold]
    fn damage(&mut self, fault: RecordFault) -> Result<Option<Frame>, LogFault> {
        self.window.consume(1);
        self.lost = true;
        Err(fault.into())
    }

    /// Goes to the next block of a known type whose length stands at both ends.
    fn search(&mut self) -> Result<(), LogFault> {
        loop {
            let more = self.window.fill(WINDOW).map_err(LogFault::Io)?;
            let bytes = self.window.bytes();
            let to = if more { bytes.len().saturating_sub(MAX_FOUND) } else { bytes.len() };
            let found = (0..to).find(|at| plausible(bytes.get(*at..).unwrap_or_default(), self.order));
            self.window.consume(found.unwrap_or(to));
            if found.is_some() || !more {
                self.lost = false;
                return Ok(());
            }
        }
    }
}

/// The byte order of the section that begins here.
#[inline]
fn order_of_section(bytes: &[u8]) -> Option<Order> {
    if !bytes.starts_with(&SECTION.to_be_bytes()) {
        return None;
    }
    match bytes.get(8..12)? {
        [0x1A, 0x2B, 0x3C, 0x4D] => Some(Order::Big),
        [0x4D, 0x3C, 0x2B, 0x1A] => Some(Order::Little),
        _ => None,
    }
}

fn plausible(bytes: &[u8], order: Option<Order>) -> bool {
    let known = || {
        let section = order_of_section(bytes);
        let order = section.or(order)?;
        let kind = order.u32(bytes, 0)?;
        let size = order.u32(bytes, 4)?;
        let len = usize::try_from(size).ok()?;
        let fits = (BLOCK..=MAX_FOUND).contains(&len) && len % 4 == 0;
        let known = section.is_some() || (1..=6).contains(&kind);
        Some(fits && known && order.u32(bytes, len - 4)? == size)
    };
    known().unwrap_or(false)
}

/// The options of a block: code and value.
fn options(mut bytes: &[u8], order: Order) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (code, len) = (order.u16(bytes, 0)?, usize::from(order.u16(bytes, 2)?));
        let value = bytes.get(4..4 + len).filter(|_| code != 0)?;
        bytes = bytes.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}

impl Interface {
    fn parse(body: &[u8], order: Order, index: usize) -> Option<Self> {
        let link = order.u16(body, 0)?.into();
        let number = Channel::numbered(u32::try_from(index).ok()?);
        let mut interface = Self { link, channel: number, resolution: 6, offset: 0 };
        for (code, value) in options(body.get(8..)?, order) {
            match (code, value) {
                // A name that is none of ours leaves the number.
                (IF_NAME, name) => {
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    interface.channel = Channel::new(name).unwrap_or(number);
                }
                (IF_RESOLUTION, [resolution, ..]) => interface.resolution = *resolution,
                (IF_OFFSET, value) => {
                    let bytes = *chunk(value, 0)?;
                    interface.offset = if order == Order::Little {
                        i64::from_le_bytes(bytes)
                    } else {
                        i64::from_be_bytes(bytes)
                    };
                }
                _ => {}
            }
        }
        Some(interface)
    }

    /// The time of so many units.
    #[inline]
    fn time(&self, units: u64) -> Option<Timestamp> {
        let nanoseconds = match self.resolution {
            6 => i64::try_from(units).ok()?.checked_mul(1000)?,
            9 => i64::try_from(units).ok()?,
            resolution => {
                let units = u128::from(units) * 1_000_000_000;
                let exponent = u32::from(resolution & 0x7F);
                let nanoseconds = if resolution & 0x80 == 0 {
                    units.checked_div(10_u128.checked_pow(exponent)?)?
                } else {
                    units.checked_shr(exponent)?
                };
                i64::try_from(nanoseconds).ok()?
            }
        };
        let offset = self.offset.checked_mul(1_000_000_000)?;
        Some(Timestamp::from_nanoseconds(nanoseconds.checked_add(offset)?))
    }
}

/// Interface, time (high, low), captured and original length, packet, options.
#[inline]
fn packet(interfaces: &[Interface], kind: u32, body: &[u8], order: Order) -> Result<Option<Frame>, LogFault> {
    let short = RecordFault::Size { what: "a packet's block", size: body.len() as u64 };
    let word = |at: usize| order.u32(body, at).ok_or(LogFault::from(short));
    // The old block has 16 bits each for the interface and for the packets dropped.
    let number = if kind == OLD_PACKET { order.u16(body, 0).unwrap_or(0).into() } else { word(0)? };
    let len = usize::try_from(word(12)?).unwrap_or(usize::MAX);
    let units = u64::from(word(4)?) << 32 | u64::from(word(8)?);
    let packet = body.get(20..).and_then(|rest| rest.get(..len)).ok_or(short)?;
    let unknown = RecordFault::Unknown { what: "interface", number: number.into() };
    let interface = usize::try_from(number).ok().and_then(|number| interfaces.get(number)).ok_or(unknown)?;
    let Some(frame) = in_interface(interface, packet)? else { return Ok(None) };
    let frame = frame.with_time(interface.time(units).ok_or(LogFault::Time)?);
    let rest = body.get(20 + len.next_multiple_of(4)..).unwrap_or_default();
    for (code, value) in options(rest, order) {
        if code == PACKET_FLAGS {
            return Ok(Some(match order.u32(value, 0).map(|flags| flags & 3) {
                Some(1) => frame.with_direction(Some(Direction::Received)),
                Some(2) => frame.with_direction(Some(Direction::Transmitted)),
                _ => frame,
            }));
        }
    }
    Ok(Some(frame))
}

/// The original length, then the packet, of the first interface; without a time.
fn simple_packet(
    interface: Option<&Interface>,
    body: &[u8],
    order: Order,
) -> Result<Option<Frame>, LogFault> {
    let short = RecordFault::Size { what: "a packet's block", size: body.len() as u64 };
    let len = usize::try_from(order.u32(body, 0).ok_or(short)?).unwrap_or(usize::MAX);
    let packet = body.get(4..).ok_or(short)?;
    let interface = interface.ok_or(RecordFault::Unknown { what: "interface", number: 0 })?;
    in_interface(interface, packet.get(..len).unwrap_or(packet))
}

#[inline]
fn in_interface(interface: &Interface, packet: &[u8]) -> Result<Option<Frame>, LogFault> {
    if !socketcan::is_read(interface.link) {
        return Ok(None);
    }
    let frame = socketcan::frame(interface.link, packet)?;
    // The second cooked header names the interface itself, unless this block's did.
    Ok(frame.map(
        |frame| {
            if interface.channel.is_none() { frame } else { frame.with_channel(interface.channel) }
        },
    ))
}
