//! Segments in memory: for tests of a queue, with the faults of real disks put in on purpose, and for queues that need not outlive the process.
//!
//! *Invariant:* it keeps what a disk would keep: after a loss of power, no more than was synced and no less.
//! *Next:* `storage.rs` (what is asked of it).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::storage::Storage;

/// Segments in memory. Clones are handles to the same ones, as a process that starts anew finds the same disk.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Disk>>);

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// After this many bytes more have been written, everything fails: the process has been killed in the middle of a write.
    pub killed_after: Option<u64>,
    /// After this many bytes more have been written, there is no room: a write is cut short and fails.
    pub full_after: Option<u64>,
    /// This many more syncs succeed; the next one fails, once, and what it should have made durable is lost with the power.
    pub syncs_until_failure: Option<u64>,
    /// Whether segments cannot be cut.
    pub cannot_truncate: bool,
}

#[derive(Debug, Default)]
struct Disk {
    segments: BTreeMap<u64, Segment>,
    faults: Faults,
    killed: bool,
    written: u64,
    syncs: u64,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    data: Vec<u8>,
    /// What a loss of power leaves: `None`, nothing at all.
    durable: Option<usize>,
    /// From here on no sync makes it durable: one has failed, and the system believes that it has written it.
    spoiled: Option<usize>,
}

impl Memory {
    /// No segments, no faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, this goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// The process has been killed and starts anew: what was written is there, and nothing is wrong any more.
    pub fn restart(&self) {
        let mut disk = self.lock();
        (disk.killed, disk.faults) = (false, Faults::default());
    }

    /// Power was lost and is back: what was not synced is gone, of the rest of each segment a beginning of `kept(bytes)` may be left.
    pub fn lose_power(&self, mut kept: impl FnMut(usize) -> usize) {
        let mut disk = self.lock();
        (disk.killed, disk.faults) = (false, Faults::default());
        disk.segments.retain(|_, segment| segment.durable.is_some());
        for segment in disk.segments.values_mut() {
            let durable = segment.durable.unwrap_or_default().min(segment.data.len());
            let loose = segment.data.len() - durable;
            let length = durable + kept(loose).min(loose);
            segment.data.truncate(length);
            (segment.durable, segment.spoiled) = (Some(length), None);
        }
    }

    /// How many bytes were written, and how often was synced.
    pub fn done(&self) -> (u64, u64) {
        let disk = self.lock();
        (disk.written, disk.syncs)
    }

    /// How many bytes are there.
    pub fn bytes(&self) -> usize {
        self.lock().segments.values().map(|segment| segment.data.len()).sum()
    }

    /// Changes what a segment holds, as a failing disk may. Says whether there is such a segment.
    pub fn damage(&self, segment: u64, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut disk = self.lock();
        let Some(segment) = disk.segments.get_mut(&segment) else { return false };
        change(&mut segment.data);
        segment.durable = Some(segment.data.len());
        true
    }

    /// Puts a segment there, whatever it holds.
    pub fn place(&self, segment: u64, data: Vec<u8>) {
        let durable = Some(data.len());
        self.lock().segments.insert(segment, Segment { data, durable, spoiled: None });
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn alive(&self) -> io::Result<()> {
        if self.killed { Err(io::Error::other("the process has been killed")) } else { Ok(()) }
    }

    fn segment(&mut self, segment: u64) -> io::Result<&mut Segment> {
        self.alive()?;
        self.segments.get_mut(&segment).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// How much of `length` bytes is written before `left` runs out; `left` is lowered.
fn room(left: &mut Option<u64>, length: usize) -> usize {
    let Some(left) = left else { return length };
    let room = usize::try_from(*left).unwrap_or(usize::MAX).min(length);
    *left = left.saturating_sub(u64::try_from(room).unwrap_or(u64::MAX));
    room
}

impl Storage for Memory {
    fn segments(&mut self) -> io::Result<Vec<u64>> {
        let disk = self.lock();
        disk.alive()?;
        Ok(disk.segments.keys().copied().collect())
    }

    fn read(&mut self, segment: u64, limit: usize) -> io::Result<(Vec<u8>, u64)> {
        let mut disk = self.lock();
        let data = &disk.segment(segment)?.data;
        Ok((data.iter().take(limit).copied().collect(), u64::try_from(data.len()).unwrap_or(u64::MAX)))
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        let mut disk = self.lock();
        disk.alive()?;
        if disk.segments.contains_key(&segment) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        disk.segments.insert(segment, Segment::default());
        Ok(())
    }

    fn append(&mut self, segment: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.lock();
        disk.segment(segment)?;
        let until_killed = room(&mut disk.faults.killed_after, data.len());
        let until_full = room(&mut disk.faults.full_after, data.len());
        let written = until_killed.min(until_full);
        disk.written = disk.written.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        disk.segment(segment)?.data.extend(data.iter().take(written));
        if until_killed < data.len() {
            disk.killed = true;
            return disk.alive();
        }
        if until_full < data.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()> {
        let mut disk = self.lock();
        if disk.faults.cannot_truncate {
            return Err(io::Error::other("the segment cannot be cut"));
        }
        let segment = disk.segment(segment)?;
        segment.data.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        // The cut itself is durable only with the next sync; that is as if the rest had never been synced.
        segment.durable = segment.durable.map(|durable| durable.min(segment.data.len()));
        segment.spoiled = segment.spoiled.filter(|spoiled| *spoiled < segment.data.len());
        Ok(())
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        let mut disk = self.lock();
        disk.segment(segment)?;
        if let Some(left) = &mut disk.faults.syncs_until_failure {
            if *left == 0 {
                disk.faults.syncs_until_failure = None;
                let segment = disk.segment(segment)?;
                segment.spoiled.get_or_insert(segment.durable.unwrap_or_default());
                return Err(io::Error::other("the disk could not write what it had taken"));
            }
            *left -= 1;
        }
        disk.syncs = disk.syncs.saturating_add(1);
        let segment = disk.segment(segment)?;
        segment.durable = Some(segment.spoiled.unwrap_or(segment.data.len()));
        Ok(())
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        let mut disk = self.lock();
        disk.segment(segment)?;
        disk.segments.remove(&segment);
        Ok(())
    }
}
