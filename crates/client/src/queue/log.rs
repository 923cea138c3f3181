//! Segments as one log: records are written at its end, and read from its beginning when it is opened.
//!
//! *Invariant:* a record is written whole, or the log knows that it may not be and writes nothing behind it. What was found torn or damaged
//! is counted, and is gone once the queue has written anew what is left. Each opening begins a new segment, and numbers far above
//! those that were seen, so that a number whose record was lost with the power is not given again.
//! *Next:* `queue.rs` (which decides what is kept), `record.rs` (bytes).

use std::collections::{HashSet, VecDeque};
use std::io;

use coachwork_transport::Origin;

use super::item::Item;
use super::record::{HEADER, Header, Record, scan};
use super::storage::Storage;

/// More than a segment has records.
const STEP: u64 = 1 << 20;
/// The most that is read of a segment, in bytes.
pub(crate) const MAX_SEGMENT: usize = 16 * 1024 * 1024;

/// What was found when a queue was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// How many items wait.
    pub waiting: usize,
    /// How many bytes of a write that never ended were cut off.
    pub torn: u64,
    /// How many bytes could not be read, though something was written behind them.
    pub damaged: u64,
    /// How many records are missing there: items, or notices that an item was delivered.
    pub lost: u64,
    /// The name of the queue was lost: it has a new one, and what was delivered under the old one may be delivered again.
    pub renamed: bool,
}

#[derive(Debug)]
pub(crate) struct Log {
    storage: Box<dyn Storage>,
    pub(crate) origin: Origin,
    next_item: u64,
    next_record: u64,
    next_segment: u64,
    /// The last one is written to.
    segments: VecDeque<Segment>,
    segment_bytes: u64,
    /// What was written may not be what is there: it must be written anew.
    pub(crate) suspect: bool,
    dirty: bool,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    live: usize,
}

/// An item, and where it stands.
pub(crate) struct Found {
    pub(crate) item: Item,
    pub(crate) segment: u64,
}

impl Log {
    /// Reads what is there. `fresh` is the name of the log where it has none yet.
    pub(crate) fn open(
        mut storage: Box<dyn Storage>,
        fresh: Origin,
        segment_bytes: u64,
    ) -> io::Result<(Self, Vec<Found>, Opened)> {
        let mut numbers = storage.segments()?;
        numbers.sort_unstable();
        numbers.dedup();
        let (mut opened, mut found, mut ended) = (Opened::default(), Vec::new(), HashSet::new());
        let (mut segments, mut origin, mut expected) = (VecDeque::new(), None, None::<u64>);
        let (mut next_item, mut disordered) = (1, false);
        for (place, &number) in numbers.iter().enumerate() {
            let (data, length) = storage.read(number, MAX_SEGMENT)?;
            let scan = scan(&data);
            let tail = length.saturating_sub(bytes(scan.end));
            let is_last = place + 1 == numbers.len();
            opened.damaged = opened.damaged.saturating_add(bytes(scan.damaged));
            let expect = |opened: &mut Opened, expected: Option<u64>, number: u64| {
                opened.lost = opened.lost.saturating_add(number.saturating_sub(expected.unwrap_or(number)));
            };
            if let Some(header) = scan.header {
                expect(&mut opened, expected, header.next_record);
                expected = Some(expected.unwrap_or(0).max(header.next_record));
                next_item = next_item.max(header.next_item);
                origin.get_or_insert(header.origin);
            }
            for (record_number, record) in scan.records {
                expect(&mut opened, expected, record_number);
                expected = Some(expected.unwrap_or(0).max(record_number.saturating_add(1)));
                match record {
                    Record::Item(item) => {
                        // Its end would be removed before it: no queue writes so.
                        disordered |= ended.contains(&item.number);
                        next_item = next_item.max(item.number.saturating_add(1));
                        found.push(Found { item, segment: number });
                    }
                    Record::End(item) => drop(ended.insert(item)),
                }
            }
            if is_last && tail > 0 {
                opened.torn = tail;
                storage.truncate(number, bytes(scan.end))?;
            } else {
                opened.damaged = opened.damaged.saturating_add(tail);
            }
            segments.push_back(Segment { number, bytes: bytes(scan.end), live: 0 });
        }
        let mut seen = HashSet::new();
        found.retain(|one| !ended.contains(&one.item.number) && seen.insert(one.item.number));
        for one in &found {
            if let Some(segment) = segments.iter_mut().find(|segment| segment.number == one.segment) {
                segment.live += 1;
            }
        }
        opened.waiting = found.len();
        opened.renamed = origin.is_none() && (opened.damaged > 0 || !found.is_empty());
        let log = Self {
            storage,
            origin: origin.unwrap_or(fresh),
            next_item: next_item.saturating_add(if numbers.is_empty() { 0 } else { STEP }),
            next_record: expected.unwrap_or(0),
            next_segment: numbers.last().map_or(1, |last| last.saturating_add(1)),
            segments,
            segment_bytes,
            suspect: opened.damaged > 0 || opened.lost > 0 || disordered,
            // What was just read may stand in the memory of the system alone.
            dirty: !numbers.is_empty(),
        };
        Ok((log, found, opened))
    }

    /// The number that the next item gets.
    pub(crate) fn next_item(&self) -> u64 {
        self.next_item
    }

    /// Begins a new segment, durable from its first byte on, and the one before it with it.
    pub(crate) fn begin_segment(&mut self) -> io::Result<()> {
        self.sync()?;
        let number = self.next_segment;
        self.next_segment = number.checked_add(1).ok_or_else(|| io::Error::other("no segments are left"))?;
        self.storage.create(number)?;
        let header = Header {
            origin: self.origin,
            segment: number,
            next_item: self.next_item,
            next_record: self.next_record,
        };
        let header = header.encode();
        let written = self.storage.append(number, &header).and_then(|()| self.storage.sync(number));
        if let Err(error) = written {
            // A segment without a header would be read as damage.
            if self.storage.remove(number).is_err() {
                self.segments.push_back(Segment { number, bytes: bytes(HEADER), live: 0 });
                self.suspect = true;
            }
            return Err(error);
        }
        self.segments.push_back(Segment { number, bytes: bytes(header.len()), live: 0 });
        Ok(())
    }

    /// Writes a record; says in which segment.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<u64> {
        let mut data = Vec::new();
        record.encode(self.next_record, &mut data);
        let length = bytes(data.len());
        let full = |segment: &Segment| {
            segment.bytes > bytes(HEADER) && segment.bytes.saturating_add(length) > self.segment_bytes
        };
        if self.segments.back().is_none_or(full) {
            self.begin_segment()?;
        }
        let Some(segment) = self.segments.back_mut() else {
            return Err(io::Error::other("there is no segment"));
        };
        if let Err(error) = self.storage.append(segment.number, &data) {
            self.suspect |= self.storage.truncate(segment.number, segment.bytes).is_err();
            return Err(error);
        }
        segment.bytes = segment.bytes.saturating_add(length);
        if let Record::Item(item) = record {
            segment.live += 1;
            self.next_item = self.next_item.max(item.number.saturating_add(1));
        }
        self.next_record = self.next_record.saturating_add(1);
        self.dirty = true;
        Ok(segment.number)
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(segment) = self.segments.back().filter(|_| self.dirty) else { return Ok(()) };
        let synced = self.storage.sync(segment.number);
        self.suspect |= synced.is_err();
        self.dirty = false;
        synced
    }

    /// An item of a segment need not be kept any more.
    pub(crate) fn unneeded(&mut self, segment: u64) {
        if let Some(segment) = self.segments.iter_mut().find(|one| one.number == segment) {
            segment.live = segment.live.saturating_sub(1);
        }
    }

    /// Removes the segments at the beginning in which nothing is kept.
    pub(crate) fn remove_unneeded(&mut self) -> io::Result<()> {
        while self.segments.len() > 1
            && let Some(first) = self.segments.front().filter(|first| first.live == 0)
        {
            self.storage.remove(first.number)?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// What was written is not trusted, whatever a sync says about it; but the more of it is durable the better.
    pub(crate) fn give_up(&mut self) {
        let _ = self.sync();
        (self.suspect, self.dirty) = (true, false);
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The last segment.
    pub(crate) fn last_segment(&self) -> Option<u64> {
        self.segments.back().map(|segment| segment.number)
    }

    /// What stood in segments up to this one has been written anew.
    pub(crate) fn moved_from(&mut self, through: u64) {
        for segment in self.segments.iter_mut().filter(|segment| segment.number <= through) {
            segment.live = 0;
        }
    }

    /// How many bytes the segments have.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.bytes))
    }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
