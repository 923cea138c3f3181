//! A pcapng file becomes frames: sections of blocks, which describe interfaces or hold packets.
//!
//! *Invariant:* a block is believed when its length stands at both of its ends; else the search goes on to one of which that is so.
//! *Next:* `socketcan.rs`, which reads the packets.

use super::{Form, MAX_RECORD, Order, PacketReader, WINDOW, socketcan};
use crate::log::LogFault;
use crate::log::record::RecordFault;
use crate::log::window::chunk;
use crate::{Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;
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

/// What a section says.
#[derive(Debug, Default)]
pub(in crate::log) struct Section {
    /// `None` before the first section.
    order: Option<Order>,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    channel: Channel,
    resolution: u8,
    /// Seconds to add to its times.
    offset: i64,
}

impl Form for Section {
    const FOUND: usize = MAX_FOUND;

    #[inline]
    fn step<R: BufRead>(log: &mut PacketReader<R, Self>) -> Result<Option<Frame>, LogFault> {
        log.block()
    }

    /// A block of a known type whose length stands at both ends.
    fn plausible(&self, bytes: &[u8]) -> bool {
        plausible(bytes, self.order)
    }
}

impl<R: BufRead> PacketReader<R, Section> {
    #[inline]
    fn block(&mut self) -> Result<Option<Frame>, LogFault> {
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
            None => match self.form.order.and_then(|order| Some((order, order.u32(bytes, 0)?))) {
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
            if is_packet
                && self.form.interfaces.iter().all(|interface| interface.link == socketcan::SOCKETCAN)
            {
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
                self.form.order = Some(order);
                self.form.interfaces.clear();
                Ok(None)
            }
            INTERFACE if self.form.interfaces.len() < MAX_INTERFACES => {
                match Interface::parse(body, order, self.form.interfaces.len()) {
                    Some(interface) => {
                        self.form.interfaces.push(interface);
                        Ok(None)
                    }
                    None => Err(RecordFault::Damaged("the description of an interface").into()),
                }
            }
            INTERFACE => {
                Err(RecordFault::Size { what: "a section with more interfaces than", size: 4096 }.into())
            }
            PACKET | OLD_PACKET => packet(&self.form.interfaces, kind, body, order),
            SIMPLE_PACKET => simple_packet(self.form.interfaces.first(), body, order),
            _ => Ok(None),
        };
        self.window.consume(len);
        frame
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
