//! The channel groups of an MF4 file that log a CAN bus, and where in their records everything is.
//!
//! *Invariant:* the description is read once, in bounded number; a group that is not of a CAN bus is passed over, one that is and cannot be
//! read is a flaw.
//! *Next:* `record.rs`, which reads the records; `stream.rs`, which has them.

use super::block::{Block, Place};
use super::record::{Field, Kind, Layout, Time};
use crate::log::record::{ByteFlaw, RecordFault};
use crate::log::window::{le16, le32, le64};
use std::io::{Read, Seek};

/// No file has more groups, and no group more channels, that are looked at.
const MAX_GROUPS: usize = 4096;
const MAX_CHANNELS: usize = 4096;

/// The data of one or more groups.
#[derive(Debug)]
pub(super) struct Groups {
    /// Where the data are.
    pub(super) data: Option<u64>,
    /// Bytes of the number that each record begins with.
    pub(super) id_size: usize,
    pub(super) each: Vec<Group>,
}

/// One channel group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) at: u64,
    pub(super) id: u64,
    /// Bytes of a record behind its number; `None`: its length is in front.
    pub(super) size: Option<usize>,
    /// What it is on a CAN bus, if it is.
    pub(super) layout: Option<Layout>,
}

/// The data groups of a file that log a CAN bus, from the first at `at` on; what cannot be read of them goes to `flaws`.
pub(super) fn all<R: Read + Seek>(
    place: &mut Place<R>,
    at: Option<u64>,
    flaws: &mut Vec<ByteFlaw>,
) -> Vec<Groups> {
    let mut found = Vec::new();
    let mut next = at;
    let mut seen = 0;
    while let Some(at) = next.take() {
        seen += 1;
        if seen > MAX_GROUPS {
            flaws.push(ByteFlaw::new(at, RecordFault::Damaged("more groups than a file has")));
            break;
        }
        let groups = place.block_of(*b"##DG", at).and_then(|block| {
            next = place.link(&block, 0)?;
            data_group(place, &block, flaws)
        });
        match groups {
            Ok(groups) if groups.each.iter().any(|group| group.layout.is_some()) => found.push(groups),
            Ok(_) => {}
            Err(flaw) => flaws.push(flaw),
        }
    }
    found
}

fn data_group<R: Read + Seek>(
    place: &mut Place<R>,
    block: &Block,
    flaws: &mut Vec<ByteFlaw>,
) -> Result<Groups, ByteFlaw> {
    let [id_size] = place.data::<1>(block)?;
    if !matches!(id_size, 0 | 1 | 2 | 4 | 8) {
        return Err(ByteFlaw::new(
            block.at,
            RecordFault::Size { what: "a record's number", size: id_size.into() },
        ));
    }
    let data = place.link(block, 2)?;
    let mut groups: Vec<Group> = Vec::new();
    let mut next = place.link(block, 1)?;
    while let Some(at) = next {
        if groups.len() >= MAX_GROUPS {
            return Err(ByteFlaw::new(at, RecordFault::Damaged("more groups than a file has")));
        }
        let block = place.block_of(*b"##CG", at)?;
        next = place.link(&block, 0)?;
        groups.push(channel_group(place, &block, flaws)?);
    }
    if id_size == 0 && groups.len() > 1 {
        return Err(ByteFlaw::new(
            block.at,
            RecordFault::Damaged("records of several groups without their numbers"),
        ));
    }
    Ok(Groups { data, id_size: id_size.into(), each: groups })
}

/// Number 8, count 8, flags 2, separator 2, reserved 4, bytes 4, bytes of invalidation 4.
fn channel_group<R: Read + Seek>(
    place: &mut Place<R>,
    block: &Block,
    flaws: &mut Vec<ByteFlaw>,
) -> Result<Group, ByteFlaw> {
    let data: [u8; 32] = place.data(block)?;
    let number = |at: usize| le32(&data, at).map_or(0, u64::from);
    let (id, flags) = (le64(&data, 0).unwrap_or(0), le16(&data, 16).unwrap_or(0));
    let mut group = Group { at: block.at, id, size: None, layout: None };
    if flags & 1 != 0 {
        return Ok(group);
    }
    let size = number(24) + number(28);
    group.size = Some(
        usize::try_from(size)
            .ok()
            .filter(|size| *size <= MAX_RECORD)
            .ok_or_else(|| ByteFlaw::new(block.at, RecordFault::Size { what: "a record", size }))?,
    );
    match layout(place, block) {
        Ok(layout) => group.layout = layout,
        Err(flaw) => flaws.push(flaw),
    }
    Ok(group)
}

/// No record of a group is longer.
pub(super) const MAX_RECORD: usize = 16 * 1024 * 1024;

/// Where the parts of a frame are; `None` when this is no group of a CAN bus.
fn layout<R: Read + Seek>(place: &mut Place<R>, group: &Block) -> Result<Option<Layout>, ByteFlaw> {
    let mut time = None;
    let mut layout = None;
    let mut next = place.link(group, 1)?;
    let mut budget = MAX_CHANNELS;
    while let Some(at) = next {
        let block = place.block_of(*b"##CN", at)?;
        next = place.link(&block, 0)?;
        take_one(&mut budget, at)?;
        let name = place.link(&block, 2)?;
        let name = place.text(name)?;
        let kind = match name.as_str() {
            "CAN_DataFrame" => Some(Kind::Data),
            "CAN_RemoteFrame" => Some(Kind::Remote),
            "CAN_ErrorFrame" => Some(Kind::Error),
            _ => None,
        };
        let (field, role) = field(place, &block)?;
        if role == MASTER {
            time = Some(Time::new(field, conversion(place, &block)?));
        }
        if let Some(kind) = kind {
            let mut found = Layout::new(kind);
            let mut part = place.link(&block, 1)?;
            while let Some(at) = part {
                let block = place.block_of(*b"##CN", at)?;
                part = place.link(&block, 0)?;
                take_one(&mut budget, at)?;
                member(place, &block, &mut found)?;
            }
            layout = Some(found);
        }
    }
    let Some(mut layout) = layout else { return Ok(None) };
    let flaw = |why| Err(ByteFlaw::new(group.at, RecordFault::Damaged(why)));
    match time {
        Some(time) => layout.time = time,
        None => return flaw("a group of CAN frames without a time"),
    }
    if layout.kind != Kind::Error && layout.id.is_none() {
        return flaw("a group of CAN frames without identifiers");
    }
    Ok(Some(layout))
}

fn take_one(budget: &mut usize, at: u64) -> Result<(), ByteFlaw> {
    *budget = budget.saturating_sub(1);
    if *budget == 0 {
        Err(ByteFlaw::new(at, RecordFault::Damaged("more channels than a group has")))
    } else {
        Ok(())
    }
}

/// The types of a channel.
const FIXED: u8 = 0;
const VARIABLE: u8 = 1;
const MASTER: u8 = 2;
const MAXIMUM: u8 = 5;

/// Type, synchronisation, data type, bit offset, byte offset 4, bits 4, flags 4, …
fn field<R: Read + Seek>(place: &mut Place<R>, block: &Block) -> Result<(Field, u8), ByteFlaw> {
    let data: [u8; 16] = place.data(block)?;
    let [role, _, kind, bit, ..] = data;
    let (byte, bits) = (le32(&data, 4).unwrap_or(0), le32(&data, 8).unwrap_or(0));
    Ok((Field { byte: usize::try_from(byte).unwrap_or(usize::MAX), bit, bits, kind }, role))
}

/// A part of a frame, by the end of its name.
fn member<R: Read + Seek>(place: &mut Place<R>, block: &Block, layout: &mut Layout) -> Result<(), ByteFlaw> {
    let name = place.link(block, 2)?;
    let name = place.text(name)?;
    let (field, role) = field(place, block)?;
    let into = match name.rsplit('.').next().unwrap_or_default() {
        "BusChannel" => &mut layout.channel,
        "ID" => &mut layout.id,
        "IDE" => &mut layout.extended,
        "DLC" => &mut layout.dlc,
        "DataLength" => &mut layout.len,
        "Dir" => &mut layout.direction,
        "EDL" => &mut layout.fd,
        "BRS" => &mut layout.rate,
        "ESI" => &mut layout.state,
        "DataBytes" => {
            layout.variable = match role {
                FIXED | MAXIMUM => None,
                VARIABLE => Some(place.link(block, 5)?.unwrap_or(0)),
                role => {
                    let what = "a type of the channel DataBytes,";
                    return Err(ByteFlaw::new(block.at, RecordFault::Unknown { what, number: role.into() }));
                }
            };
            &mut layout.data
        }
        _ => return Ok(()),
    };
    *into = Some(field);
    Ok(())
}

/// Offset and factor of a linear conversion. Type, precision, flags 2, references 2, values 2, range 16, values 8 each.
fn conversion<R: Read + Seek>(place: &mut Place<R>, channel: &Block) -> Result<(f64, f64), ByteFlaw> {
    let Some(at) = place.link(channel, 4)? else { return Ok((0.0, 1.0)) };
    let block = place.block_of(*b"##CC", at)?;
    let [kind] = place.data::<1>(&block)?;
    match kind {
        0 => Ok((0.0, 1.0)),
        1 => {
            let data: [u8; 40] = place.data(&block)?;
            let value = |at: usize| le64(&data, at).map_or(0.0, f64::from_bits);
            Ok((value(24), value(32)))
        }
        kind => {
            let what = "a conversion of the time, type";
            Err(ByteFlaw::new(at, RecordFault::Unknown { what, number: kind.into() }))
        }
    }
}
