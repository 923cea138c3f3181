//! Notes in a file, each delivery one record with a checksum: what was acknowledged is there after a kill at any byte, and known.
//!
//! A record: `C0 69`, the length of its body (4 bytes, little-endian), the CRC-32 of the body (4), the body. A body: its kind (1 byte), origin
//! (16), lane (1), then for a lane's number (2) that number (8), for a delivery (1) its notes: number (8), time (8), the lengths of name
//! (2) and payload (4), name, payload.
//!
//! *Invariant:* a record is there as a whole or not at all, so that notes and the number of their lane never part.
//! *Next:* `inbox.rs` (the trait).

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use coachwork_transport::{Lane, Note, Origin};
use coachwork_vehicle::{Error, ErrorKind, Timestamp};

use super::{Inbox, has_place, remember};

const MARK: [u8; 2] = [0xC0, 0x69];
const FRAME: usize = 10;
/// The longest body that is read.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Notes in a file, which is synced with each delivery: this blocks the thread that polls the gateway for as long as the disk takes.
///
/// ```
/// use coachwork_gateway::FileInbox;
/// # fn main() -> std::io::Result<()> {
/// # let directory = std::env::temp_dir().join(format!("coachwork-inbox-doc-{}", std::process::id()));
/// let inbox = FileInbox::open(&directory, 64 * 1024 * 1024)?;
/// let (notes, position) = inbox.read()?;
/// assert!(notes.is_empty()); // hand them on; and then:
/// inbox.forget(position)?;
/// # std::fs::remove_dir_all(directory)
/// # }
/// ```
#[derive(Debug)]
pub struct FileInbox {
    directory: PathBuf,
    bound: u64,
    open: Mutex<Open>,
}

/// How far the notes of a [`FileInbox`] were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    end: u64,
    generation: u64,
}

#[derive(Debug)]
struct Open {
    /// Held for its lock.
    _lock: File,
    file: File,
    end: u64,
    /// How often it was written anew.
    generation: u64,
    lanes: HashMap<Lane, u64>,
    /// What was written may not be what is there.
    suspect: bool,
}

enum Record {
    Notes(Lane, Vec<Note>),
    Number(Lane, u64),
}

impl FileInbox {
    /// The inbox in `directory`, which is made where it does not exist; it grows to at most `bound` bytes. The beginning of a record that was
    /// never acknowledged is cut off.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where it is open elsewhere; [`io::ErrorKind::InvalidData`], and nothing is touched, where the file is
    /// damaged before its end; otherwise what the system says.
    pub fn open(directory: impl AsRef<Path>, bound: u64) -> io::Result<Self> {
        let directory = directory.as_ref().to_owned();
        std::fs::create_dir_all(&directory)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        let path = directory.join("notes");
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut data = Vec::new();
        file.read_to_end(&mut data)?;
        let (mut lanes, mut at) = (HashMap::new(), 0);
        while let Some((record, length)) = decode(data.get(at..).unwrap_or_default()) {
            let (Record::Notes(lane, _) | Record::Number(lane, _)) = record;
            let number = lanes.entry(lane).or_default();
            *number = record.last().max(*number);
            at += length;
        }
        let rest = data.get(at..).unwrap_or_default();
        if (1..rest.len()).any(|from| rest.get(from..).is_some_and(|rest| decode(rest).is_some())) {
            let message = format!("the notes are damaged at byte {at} of {}", data.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let end = u64::try_from(at).unwrap_or(u64::MAX);
        file.set_len(end)?;
        file.sync_all()?;
        sync_directory(&directory)?;
        let open = Open { _lock: lock, file, end, generation: 0, lanes, suspect: false };
        Ok(Self { directory, bound, open: Mutex::new(open) })
    }

    /// The notes that are there, in the order in which they came, and how far that is.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] where the file was changed by somebody else.
    pub fn read(&self) -> io::Result<(Vec<(Lane, Note)>, Position)> {
        let mut open = self.lock();
        let data = open.read(0)?;
        let (mut notes, mut rest) = (Vec::new(), data.as_slice());
        while !rest.is_empty() {
            let (record, length) = decode(rest).ok_or(io::ErrorKind::InvalidData)?;
            if let Record::Notes(lane, delivered) = record {
                notes.extend(delivered.into_iter().map(|note| (lane, note)));
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok((notes, Position { end: open.end, generation: open.generation }))
    }

    /// Forgets the notes up to a position, for they have been handed on. That they came is not forgotten.
    ///
    /// # Errors
    /// What the system says; then they are still there. [`io::ErrorKind::InvalidInput`] where something was forgotten since it was read.
    pub fn forget(&self, position: Position) -> io::Result<()> {
        let mut open = self.lock();
        if position.generation != open.generation {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let later = open.read(position.end)?;
        let mut data = Vec::new();
        for (lane, number) in &open.lanes {
            encode(&mut data, *lane, |body| body.extend_from_slice(&number.to_le_bytes()), 2);
        }
        data.extend_from_slice(&later);
        let (new, path) = (self.directory.join("notes.new"), self.directory.join("notes"));
        let mut file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&new)?;
        file.write_all(&data)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        open.file = file;
        open.end = u64::try_from(data.len()).unwrap_or(u64::MAX);
        open.generation += 1;
        // Without this, a loss of power may bring the old one back.
        let synced = sync_directory(&self.directory);
        open.suspect = synced.is_err();
        synced
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Inbox for FileInbox {
    async fn stored(&self, lane: Lane) -> Result<u64, Error> {
        Ok(self.lock().lanes.get(&lane).copied().unwrap_or(0))
    }

    async fn store(&self, lane: Lane, notes: Vec<Note>) -> Result<(), Error> {
        let mut open = self.lock();
        has_place(&open.lanes, lane)?;
        let mut data = Vec::new();
        encode(&mut data, lane, |body| notes.iter().for_each(|note| write_note(body, note)), 1);
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if open.end.saturating_add(length) > self.bound || data.len() > MAX_BODY {
            return Err(Error::new(ErrorKind::Limit, "the inbox is full"));
        }
        open.append(&data).map_err(|why| {
            Error::new(ErrorKind::Unavailable, format!("the inbox cannot be written: {why}")).caused_by(why)
        })?;
        remember(&mut open.lanes, lane, &notes)
    }
}

impl Open {
    /// After a sync that failed nothing behind it is trusted: then the file is opened anew, by a restart.
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        if self.suspect {
            return Err(io::Error::other("a write has failed; the inbox has to be opened anew"));
        }
        let end = self.end;
        let written = (|| {
            self.file.seek(SeekFrom::Start(end))?;
            self.file.write_all(data)
        })();
        if let Err(error) = written {
            self.suspect = self.file.set_len(end).is_err();
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            // It may be there or not: it was not acknowledged, and must not be found beside the same notes delivered again.
            self.suspect = true;
            let _ = self.file.set_len(end);
            return Err(error);
        }
        self.end = end.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn read(&mut self, from: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(from))?;
        let mut data = Vec::new();
        (&self.file).take(self.end.saturating_sub(from)).read_to_end(&mut data)?;
        Ok(data)
    }
}

impl Record {
    fn last(&self) -> u64 {
        match self {
            Self::Notes(_, notes) => notes.last().map_or(0, |note| note.number),
            Self::Number(_, number) => *number,
        }
    }
}

fn encode(out: &mut Vec<u8>, lane: Lane, write: impl FnOnce(&mut Vec<u8>), kind: u8) {
    let mut body = vec![kind];
    body.extend_from_slice(lane.origin.as_bytes());
    body.push(lane.number);
    write(&mut body);
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    out.extend_from_slice(&body);
}

fn write_note(body: &mut Vec<u8>, note: &Note) {
    body.extend_from_slice(&note.number.to_le_bytes());
    body.extend_from_slice(&note.written.nanoseconds().to_le_bytes());
    body.extend_from_slice(&u16::try_from(note.name.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend_from_slice(&u32::try_from(note.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend_from_slice(note.name.as_bytes());
    body.extend_from_slice(&note.payload);
}

/// The record at the beginning of `data`, and its length.
fn decode(data: &[u8]) -> Option<(Record, usize)> {
    let mut rest = data.strip_prefix(&MARK)?;
    let length = usize::try_from(u32::from_le_bytes(*take(&mut rest)?)).ok()?;
    let sum = u32::from_le_bytes(*take(&mut rest)?);
    let mut body = rest.get(..length).filter(|_| length <= MAX_BODY)?;
    if crc32fast::hash(body) != sum {
        return None;
    }
    let [kind] = *take(&mut body)?;
    let origin = Origin::from_bytes(*take(&mut body)?);
    let [number] = *take(&mut body)?;
    let lane = Lane { origin, number };
    let record = match kind {
        1 => {
            let mut notes = Vec::new();
            while !body.is_empty() {
                notes.push(read_note(&mut body)?);
            }
            Record::Notes(lane, notes)
        }
        2 => Record::Number(lane, u64::from_le_bytes(*take(&mut body)?)),
        _ => return None,
    };
    Some((record, FRAME + length))
}

fn read_note(body: &mut &[u8]) -> Option<Note> {
    let number = u64::from_le_bytes(*take(body)?);
    let written = Timestamp::from_nanoseconds(i64::from_le_bytes(*take(body)?));
    let name = usize::from(u16::from_le_bytes(*take(body)?));
    let payload = usize::try_from(u32::from_le_bytes(*take(body)?)).ok()?;
    let (name, rest) = body.split_at_checked(name)?;
    let (payload, rest) = rest.split_at_checked(payload)?;
    *body = rest;
    Some(Note {
        number,
        written,
        name: std::str::from_utf8(name).ok()?.into(),
        payload: payload.to_vec().into(),
    })
}

fn take<'d, const N: usize>(data: &mut &'d [u8]) -> Option<&'d [u8; N]> {
    let (taken, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(taken)
}

/// Where directories cannot be synced (not Unix), the file's own sync does it.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests;
