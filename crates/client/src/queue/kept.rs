//! A queue: what is put into it is kept until it is delivered, is of no use any more, or has to give way, and each of these is counted.
//!
//! *Invariant:* what waits is bounded by bytes and by age. An item whose `put` succeeded is lost in no other way than those three, and,
//! as far as the sync policy goes, in a damaged storage. No clock is read: the caller says what time it is.
//! *Next:* `log.rs` (how it is kept), `../outbox.rs` (from here to the gateway).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coachwork_transport::{Moment, Origin};
use coachwork_vehicle::{Monotonic, Timestamp};

use super::error::QueueError;
use super::item::{Content, Item, Priority};
use super::log::{Found, Log, MAX_SEGMENT, Opened};
use super::record::{FRAME, ITEM, MAX_NAME, MAX_PAYLOAD, Record};
use super::storage::Storage;

/// How many segments may be left of earlier times, before they are made one.
const MOST_OPENED: usize = 64;

/// How a queue behaves. Start from `QueueOptions::default()` and change what should differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueOptions {
    /// How many bytes of items may wait, each with 47 bytes besides its name and payload. They are held in memory too. The storage needs at most
    /// three times as much, and four segments. Default 4 MiB.
    pub bytes: u64,
    /// How long an item is of use where it does not say. Default 30 days.
    pub age: Duration,
    /// How large a segment grows, 4 KiB to 16 MiB. Default 256 KiB.
    pub segment_bytes: u64,
    /// When what was put is made durable.
    pub sync: Sync,
    /// What happens when there is no room.
    pub full: Full,
}

/// When what was put into a queue survives a loss of power. A kill of the process it survives at once, whatever stands here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sync {
    /// When `put` returns.
    #[default]
    Each,
    /// After this many items, or this time after the first of them, whichever comes first: until then they may be lost.
    Every(u32, Duration),
    /// When the system gets to it.
    Never,
}

/// What happens to an item for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// It is refused, and its sender told.
    #[default]
    Refuse,
    /// The oldest of the lowest priority gives way, and is counted, unless all that wait are more urgent than the new one: then that is refused.
    DropLowest,
}

/// What is to be put into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    pub(crate) content: Content,
    pub(crate) name: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) priority: Priority,
    pub(crate) expires: Option<Timestamp>,
}

/// What a queue has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounters {
    /// Items that wait now, and their bytes.
    pub waiting: usize,
    /// Bytes of the items that wait now.
    pub bytes: u64,
    /// The most bytes that ever waited.
    pub most_bytes: u64,
    /// Items that were put.
    pub put: u64,
    /// Items that were delivered and acknowledged.
    pub delivered: u64,
    /// Items that were of no use any more.
    pub expired: u64,
    /// Items that gave way to others.
    pub dropped: u64,
    /// Items that the other side will never take.
    pub refused: u64,
    /// How often the storage failed.
    pub faults: u64,
}

/// Why an item need not be kept any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// It was delivered and acknowledged.
    Delivered,
    /// The other side will never take it.
    Refused,
}

/// Items that wait, in a storage.
#[derive(Debug)]
pub struct Queue {
    log: Log,
    options: QueueOptions,
    opened: Opened,
    items: BTreeMap<u64, Kept>,
    order: BTreeSet<(Priority, u64)>,
    by_end: BTreeSet<(Timestamp, u64)>,
    counters: QueueCounters,
    /// How many items were put since the last sync, and when the first of them was.
    unsynced: Option<(u32, Monotonic)>,
}

#[derive(Debug)]
struct Kept {
    item: Item,
    segment: u64,
}

impl NewItem {
    /// A message about something, for whoever stores them behind the gateway.
    pub fn note(name: &str, payload: impl Into<Bytes>) -> Self {
        let (priority, expires) = (Priority::default(), None);
        Self { content: Content::Note, name: name.into(), payload: payload.into(), priority, expires }
    }

    /// With this priority.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Of no use from this time on.
    #[must_use]
    pub fn until(self, expires: Timestamp) -> Self {
        Self { expires: Some(expires), ..self }
    }
}

impl Queue {
    /// Opens the queue that is in a storage, or begins one there under the name `fresh`: see [`Origin`].
    ///
    /// # Errors
    /// [`QueueError::Storage`] where it cannot be read, or written to.
    pub fn open(
        storage: impl Storage,
        options: QueueOptions,
        fresh: Origin,
        now: Moment,
    ) -> Result<Self, QueueError> {
        let segment_bytes = options.segment_bytes.clamp(4096, u64::try_from(MAX_SEGMENT).unwrap_or(u64::MAX));
        let (log, found, opened) = Log::open(Box::new(storage), fresh, segment_bytes)?;
        let mut queue = Self {
            log,
            options,
            opened,
            items: BTreeMap::new(),
            order: BTreeSet::new(),
            by_end: BTreeSet::new(),
            counters: QueueCounters::default(),
            unsynced: None,
        };
        for Found { item, segment } in found {
            queue.keep(item, segment);
        }
        if queue.log.suspect || queue.log.segments() > MOST_OPENED {
            queue.rewrite()?;
        } else {
            queue.log.begin_segment()?;
            queue.tidy();
        }
        queue.expire(now.time);
        Ok(queue)
    }

    /// What was found when it was opened.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// Its name.
    pub fn origin(&self) -> Origin {
        self.log.origin
    }

    /// Puts an item in; says its number. What has expired meanwhile goes.
    ///
    /// # Errors
    /// [`QueueError::TooLarge`]; [`QueueError::Full`] where there is no room; [`QueueError::Storage`] where it could not be kept. After
    /// that last one it may be found all the same when the queue is opened anew.
    pub fn put(&mut self, new: NewItem, now: Moment) -> Result<u64, QueueError> {
        if new.name.len() > MAX_NAME || new.payload.len() > MAX_PAYLOAD {
            return Err(QueueError::TooLarge { name: new.name.len(), payload: new.payload.len() });
        }
        self.expire(now.time);
        self.repair()?;
        let expires = now.time.saturating_add(self.options.age);
        let number = self.log.next_item();
        if number == u64::MAX {
            return Err(std::io::Error::other("no numbers are left").into());
        }
        let item = Item {
            number,
            put: now.time,
            expires: Some(new.expires.map_or(expires, |given| given.min(expires))),
            priority: new.priority,
            content: new.content,
            name: new.name,
            payload: new.payload,
        };
        let gone = self.make_room(&item)?;
        let record = Record::Item(item);
        let segment = self.log.append(&record).inspect_err(|_| self.counters.faults += 1)?;
        if let Record::Item(item) = record {
            self.keep(item, segment);
        }
        if let Err(error) = self.sync_as_said(now.monotonic) {
            self.forget(number);
            return Err(error);
        }
        self.counters.put += 1;
        self.counters.dropped += u64::try_from(gone.len()).unwrap_or(u64::MAX);
        self.end_each(gone);
        Ok(number)
    }

    /// The next notes to deliver, all of one priority and in the order in which they were put: at most `count`, and no more than `bytes` of
    /// payload unless the first alone has more.
    pub fn next_notes(&self, count: usize, bytes: usize) -> Vec<Item> {
        for priority in Priority::ALL {
            let waiting = self.order.range((priority, 0)..=(priority, u64::MAX));
            let notes = waiting.filter_map(|(_, number)| self.items.get(number));
            let mut left = bytes;
            let mut taken = Vec::new();
            for kept in notes.filter(|kept| kept.item.content == Content::Note).take(count) {
                let size = kept.item.payload.len();
                if size > left && !taken.is_empty() {
                    break;
                }
                left = left.saturating_sub(size);
                taken.push(kept.item.clone());
            }
            if !taken.is_empty() {
                return taken;
            }
        }
        Vec::new()
    }

    /// The items that wait, in the order in which they were put.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values().map(|kept| &kept.item)
    }

    /// The number that the next item gets. No item had it, or a higher one, at any time.
    pub fn next_number(&self) -> u64 {
        self.log.next_item()
    }

    /// Items need not be kept any more; those that are not there are passed over. That they are gone is written, and not synced: after a
    /// loss of power they may be there again.
    pub fn end(&mut self, numbers: impl IntoIterator<Item = u64>, why: End) {
        let ended = self.end_each(numbers);
        match why {
            End::Delivered => self.counters.delivered += ended,
            End::Refused => self.counters.refused += ended,
        }
    }

    /// What has expired goes. Says which items those were.
    pub fn expire(&mut self, now: Timestamp) -> Vec<u64> {
        let over = self.by_end.range(..=(now, u64::MAX)).map(|(_, number)| *number);
        let over: Vec<_> = over.collect();
        self.counters.expired += self.end_each(over.iter().copied());
        over
    }

    /// Makes everything durable that is not yet.
    ///
    /// # Errors
    /// [`QueueError::Storage`] where that is not certain; it is tried again with the next `put`.
    pub fn sync(&mut self) -> Result<(), QueueError> {
        self.unsynced = None;
        if self.log.sync().is_err() {
            self.counters.faults += 1;
        }
        self.repair()
    }

    /// When [`sync`](Self::sync) is to be called, as the policy has it.
    pub fn sync_due(&self) -> Option<Monotonic> {
        match (self.options.sync, self.unsynced) {
            (Sync::Every(_, time), Some((_, since))) => Some(since.saturating_add(time)),
            _ => None,
        }
    }

    /// What it has done.
    pub fn counters(&self) -> QueueCounters {
        QueueCounters { waiting: self.items.len(), ..self.counters }
    }

    /// How many bytes the storage holds.
    pub fn stored_bytes(&self) -> u64 {
        self.log.bytes()
    }

    fn keep(&mut self, item: Item, segment: u64) {
        self.order.insert((item.priority, item.number));
        self.by_end.extend(item.expires.map(|expires| (expires, item.number)));
        self.counters.bytes = self.counters.bytes.saturating_add(size(&item));
        self.counters.most_bytes = self.counters.most_bytes.max(self.counters.bytes);
        self.items.insert(item.number, Kept { item, segment });
    }

    fn forget(&mut self, number: u64) -> bool {
        let Some(Kept { item, segment }) = self.items.remove(&number) else { return false };
        self.order.remove(&(item.priority, number));
        if let Some(expires) = item.expires {
            self.by_end.remove(&(expires, number));
        }
        self.counters.bytes = self.counters.bytes.saturating_sub(size(&item));
        self.log.unneeded(segment);
        true
    }

    fn end_each(&mut self, numbers: impl IntoIterator<Item = u64>) -> u64 {
        let mut ended = 0;
        for number in numbers {
            if !self.forget(number) {
                continue;
            }
            ended += 1;
            // What stands in a suspect log is written anew without it.
            if !self.log.suspect && self.log.append(&Record::End(number)).is_err() {
                self.counters.faults += 1;
                self.log.suspect = true;
            }
        }
        if ended > 0 {
            self.tidy();
        }
        ended
    }

    /// The items that give way to this one.
    fn make_room(&self, item: &Item) -> Result<Vec<u64>, QueueError> {
        let mut over = self.counters.bytes.saturating_add(size(item)).saturating_sub(self.options.bytes);
        let full = || QueueError::Full { bytes: self.counters.bytes, bound: self.options.bytes };
        let mut gone = Vec::new();
        if size(item) > self.options.bytes || self.options.full == Full::Refuse && over > 0 {
            return Err(full());
        }
        for (priority, number) in &self.order {
            if over == 0 {
                break;
            }
            if *priority > item.priority {
                return Err(full());
            }
            over = over.saturating_sub(self.items.get(number).map_or(0, |kept| size(&kept.item)));
            gone.push(*number);
        }
        Ok(gone)
    }

    fn sync_as_said(&mut self, now: Monotonic) -> Result<(), QueueError> {
        let (count, since) = self.unsynced.unwrap_or((0, now));
        self.unsynced = Some((count.saturating_add(1), since));
        match self.options.sync {
            Sync::Each => self.sync(),
            Sync::Every(most, time) if count + 1 >= most || now >= since.saturating_add(time) => self.sync(),
            _ => Ok(()),
        }
    }

    /// Writes everything anew where what is there cannot be trusted.
    fn repair(&mut self) -> Result<(), QueueError> {
        if self.log.suspect { self.rewrite().inspect_err(|_| self.counters.faults += 1) } else { Ok(()) }
    }

    /// Writes what is kept into new segments, makes them durable, and only then removes the old ones.
    fn rewrite(&mut self) -> Result<(), QueueError> {
        let old = self.log.last_segment();
        self.log.give_up();
        self.log.begin_segment()?;
        let mut moved = Vec::with_capacity(self.items.len());
        for (number, kept) in &self.items {
            moved.push((*number, self.log.append(&Record::Item(kept.item.clone()))?));
        }
        self.log.sync()?;
        for (number, segment) in moved {
            if let Some(kept) = self.items.get_mut(&number) {
                kept.segment = segment;
            }
        }
        self.unsynced = None;
        self.log.suspect = false;
        if let Some(old) = old {
            self.log.moved_from(old);
        }
        // They are read again and found to be the same, where they cannot be removed.
        if self.log.remove_unneeded().is_err() {
            self.counters.faults += 1;
        }
        Ok(())
    }

    /// Keeps the storage within its bound: removes what is at the beginning, or writes anew what stands in its way.
    fn tidy(&mut self) {
        let most = self.options.bytes.saturating_mul(2).saturating_add(2 * self.options.segment_bytes);
        let mut done = self.log.remove_unneeded().map_err(QueueError::from);
        if done.is_ok() && (self.log.suspect || self.log.bytes() > most) {
            done = self.rewrite();
        }
        if done.is_err() {
            self.counters.faults += 1;
        }
    }
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            age: Duration::from_secs(30 * 24 * 3600),
            segment_bytes: 256 * 1024,
            sync: Sync::default(),
            full: Full::default(),
        }
    }
}

/// How much an item counts.
fn size(item: &Item) -> u64 {
    u64::try_from(FRAME + ITEM + item.name.len() + item.payload.len()).unwrap_or(u64::MAX)
}
