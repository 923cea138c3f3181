//! The data of a data group become frames, in the order in which they were recorded.
//!
//! *Invariant:* what is held is bounded: a record, and where data are apart from their frames some [`NEAR`] of each until they meet.
//! *Next:* `mod.rs`, which merges the streams; `data.rs`, `record.rs`.

use super::block::Place;
use super::data::Data;
use super::group::{Group, Groups};
use crate::Frame;
use crate::log::LogFault;
use crate::log::record::{ByteFlaw, RecordFault};
use crate::log::window::le32;
use std::collections::VecDeque;
use std::io::{Read, Seek};

/// So far apart are a frame and its data at most.
const NEAR: usize = 1024;

/// No record of a CAN bus is longer.
const MAX_RECORD: usize = 8 * 1024;

/// So often data may be looked for before where they were looked for last.
const MAX_RESTARTS: u32 = 256;

/// The frames of one data group.
#[derive(Debug)]
pub(super) struct Stream {
    groups: Groups,
    data: Data,
    /// What frames count from.
    start: i64,
    queue: VecDeque<Item>,
    /// Data of variable length: in records of their own, or apart from all.
    heaps: Vec<Heap>,
    apart: Vec<Apart>,
    ended: bool,
}

#[derive(Debug)]
enum Item {
    Ready(Frame),
    Flaw(ByteFlaw),
    /// The record of a frame whose data were not read yet.
    Waits {
        group: usize,
        record: Box<[u8]>,
        offset: u64,
    },
}

/// Data in the records of a group of their own.
#[derive(Debug)]
struct Heap {
    /// The place of the group's block.
    group: u64,
    position: u64,
    recent: VecDeque<(u64, Payload)>,
}

/// Data in blocks of their own.
#[derive(Debug)]
struct Apart {
    at: u64,
    data: Data,
    restarts: u32,
}

/// Up to 64 bytes, and how many there were.
#[derive(Clone, Copy, Debug)]
struct Payload {
    bytes: [u8; Frame::MAX_FD],
    len: usize,
}

impl Payload {
    fn of(bytes: &[u8]) -> Self {
        let mut payload = Self { bytes: [0; Frame::MAX_FD], len: bytes.len().min(Frame::MAX_FD) };
        for (into, byte) in payload.bytes.iter_mut().zip(bytes) {
            *into = *byte;
        }
        payload
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Stream {
    pub(super) fn new(groups: Groups, start: i64, unfinished: bool, file: u64) -> Self {
        let data = Data::new(groups.data, unfinished, file);
        let (mut heaps, mut apart) = (Vec::new(), Vec::<Apart>::new());
        for at in groups.each.iter().filter_map(|group| group.layout.as_ref()?.variable) {
            if groups.each.iter().any(|group| group.at == at && group.size.is_none()) {
                heaps.push(Heap { group: at, position: 0, recent: VecDeque::new() });
            } else if apart.iter().all(|apart| apart.at != at) && apart.len() < 64 {
                let data = Data::new(Some(at).filter(|at| *at != 0), unfinished, file);
                apart.push(Apart { at, data, restarts: 0 });
            }
        }
        Self { groups, data, start, queue: VecDeque::new(), heaps, apart, ended: false }
    }

    /// The next frame.
    pub(super) fn next<R: Read + Seek>(&mut self, place: &mut Place<R>) -> Option<Result<Frame, ByteFlaw>> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                match self.settled(item) {
                    Ok(done) => return Some(done),
                    Err(item) => self.queue.push_front(item),
                }
            } else if self.ended {
                return None;
            }
            if let Err(flaw) = self.record(place) {
                // Records that carry their group's number cannot be told apart any more, for their lengths differ.
                let goes_on =
                    self.groups.id_size == 0 && !matches!(flaw.fault, LogFault::Io(_)) && self.realign();
                self.ended |= !goes_on;
                self.queue.push_back(Item::Flaw(flaw));
            }
        }
    }

    /// After a damaged block, what follows begins with a whole record, as blocks do. Says whether there may be any.
    fn realign(&mut self) -> bool {
        let held = self.data.bytes().len();
        self.data.consume(held);
        self.data.has_more()
    }

    /// The item, if all of it is there.
    fn settled(&mut self, item: Item) -> Result<Result<Frame, ByteFlaw>, Item> {
        match item {
            Item::Ready(frame) => Ok(Ok(frame)),
            Item::Flaw(flaw) => Ok(Err(flaw)),
            Item::Waits { group, record, offset } => {
                let found = self.groups.each.get(group).and_then(|group| {
                    let layout = group.layout.as_ref()?;
                    let heap = self.heaps.iter().find(|heap| Some(heap.group) == layout.variable)?;
                    let payload = heap.recent.iter().find(|(at, _)| *at == offset)?;
                    Some(layout.frame(&record, self.start, Some(payload.1.bytes())))
                });
                match found {
                    Some(frame) => Ok(frame.map_err(|fault| ByteFlaw { offset: self.data.offset(), fault })),
                    None if self.ended || self.queue.len() >= NEAR => Ok(Err(ByteFlaw::new(
                        self.data.offset(),
                        RecordFault::Damaged("a frame without its data"),
                    ))),
                    None => Err(Item::Waits { group, record, offset }),
                }
            }
        }
    }

    /// Reads one record.
    fn record<R: Read + Seek>(&mut self, place: &mut Place<R>) -> Result<(), ByteFlaw> {
        let id_size = self.groups.id_size;
        if self.ended {
            return Ok(());
        }
        if !self.data.fill(place, id_size.max(1))? {
            self.ended = true;
            return if self.data.bytes().is_empty() { Ok(()) } else { Err(cut(place)) };
        }
        let mut id = [0; 8];
        for (into, byte) in id.iter_mut().zip(self.data.bytes().iter().take(id_size)) {
            *into = *byte;
        }
        let id = u64::from_le_bytes(id);
        let group = self.groups.each.iter().position(|group| id_size == 0 || group.id == id);
        let offset = self.data.offset();
        let unknown = ByteFlaw::new(offset, RecordFault::Unknown { what: "a record's group", number: id });
        let Some((number, group)) = group.and_then(|number| Some((number, self.groups.each.get(number)?)))
        else {
            return Err(unknown);
        };
        let Some(size) = group.size else {
            let at = group.at;
            return self.variable(place, at);
        };
        if group.layout.is_none() {
            if !self.data.skip(place, (id_size + size) as u64)? {
                self.ended = true;
                return Err(cut(place));
            }
            return Ok(());
        }
        if size == 0 || size > MAX_RECORD {
            self.ended = true;
            return Err(ByteFlaw::new(
                group.at,
                RecordFault::Size { what: "a record of a CAN bus", size: size as u64 },
            ));
        }
        if !self.data.fill(place, id_size + size)? {
            self.ended = true;
            return Err(cut(place));
        }
        let record = self.data.bytes().get(id_size..id_size + size).unwrap_or_default();
        let item = frame(group, number, record, self.start, &self.heaps, &mut self.apart, place);
        self.queue.push_back(match item {
            Ok(item) => item,
            Err(fault) => Item::Flaw(ByteFlaw { offset, fault }),
        });
        self.data.consume(id_size + size);
        Ok(())
    }

    /// A record that says its own length.
    fn variable<R: Read + Seek>(&mut self, place: &mut Place<R>, group: u64) -> Result<(), ByteFlaw> {
        let head = self.groups.id_size + 4;
        if !self.data.fill(place, head)? {
            self.ended = true;
            return Err(cut(place));
        }
        let len = le32(self.data.bytes(), self.groups.id_size).unwrap_or(0);
        let size = usize::try_from(len).unwrap_or(usize::MAX);
        let kept = size.min(Frame::MAX_FD);
        if !self.data.fill(place, head + kept)? {
            self.ended = true;
            return Err(cut(place));
        }
        let payload = Payload::of(self.data.bytes().get(head..head + kept).unwrap_or_default());
        if let Some(heap) = self.heaps.iter_mut().find(|heap| heap.group == group) {
            if heap.recent.len() >= NEAR {
                heap.recent.pop_front();
            }
            heap.recent.push_back((heap.position, payload));
            heap.position = heap.position.saturating_add(4 + u64::from(len));
        }
        self.data.consume(head);
        if !self.data.skip(place, len.into())? {
            self.ended = true;
            return Err(cut(place));
        }
        Ok(())
    }
}

fn cut<R: Read + Seek>(place: &Place<R>) -> ByteFlaw {
    ByteFlaw::new(place.len(), RecordFault::Truncated("a record"))
}

/// The frame of a record, or the record while its data are still to come.
fn frame<R: Read + Seek>(
    group: &Group,
    number: usize,
    record: &[u8],
    start: i64,
    heaps: &[Heap],
    apart: &mut [Apart],
    place: &mut Place<R>,
) -> Result<Item, LogFault> {
    let Some(layout) = &group.layout else { return Err(LogFault::NotAFrame) };
    let Some(at) = layout.variable else { return layout.frame(record, start, None).map(Item::Ready) };
    let offset = layout.place_of_data(record).ok_or(LogFault::Payload)?;
    if let Some(heap) = heaps.iter().find(|heap| heap.group == at) {
        // It is the last one nearly always.
        return match heap.recent.iter().rev().find(|(at, _)| *at == offset) {
            Some((_, payload)) => layout.frame(record, start, Some(payload.bytes())).map(Item::Ready),
            None => Ok(Item::Waits { group: number, record: record.into(), offset }),
        };
    }
    let Some(apart) = apart.iter_mut().find(|apart| apart.at == at) else {
        return layout.frame(record, start, None).map(Item::Ready);
    };
    let payload = apart.payload(place, offset)?;
    layout.frame(record, start, payload.as_ref().map(Payload::bytes)).map(Item::Ready)
}

impl Apart {
    /// The data at this byte; `None` where there are none.
    fn payload<R: Read + Seek>(
        &mut self,
        place: &mut Place<R>,
        offset: u64,
    ) -> Result<Option<Payload>, LogFault> {
        if self.at == 0 {
            return Ok(None);
        }
        if offset < self.data.position() {
            self.restarts += 1;
            if self.restarts > MAX_RESTARTS {
                return Err(RecordFault::Damaged("data that are out of order").into());
            }
            self.data.restart(self.at, place.len());
        }
        let ahead = offset - self.data.position();
        let there = self.data.skip(place, ahead).and_then(|there| Ok(there && self.data.fill(place, 4)?));
        if !there.map_err(|flaw| flaw.fault)? {
            return Err(RecordFault::Truncated("the data of frames").into());
        }
        let len = usize::try_from(le32(self.data.bytes(), 0).unwrap_or(0)).unwrap_or(usize::MAX);
        let kept = len.min(Frame::MAX_FD);
        if !self.data.fill(place, 4 + kept).map_err(|flaw| flaw.fault)? {
            return Err(RecordFault::Truncated("the data of frames").into());
        }
        let payload = Payload::of(self.data.bytes().get(4..4 + kept).unwrap_or_default());
        self.data.consume(4 + kept);
        Ok(Some(payload))
    }
}
