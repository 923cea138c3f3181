//! Records are appended to a file, and written anew when there are too many that say nothing any more.
//!
//! *Invariant:* when `append` returns after it was told to sync, what it wrote outlives a kill at any byte and, by the policy, a loss of power.
//! After a write or a sync that failed nothing is appended: the file is written anew first, from what is known.
//! *Next:* `record.rs` (what is written), `../keys.rs` (which knows).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::KeySync;
use super::record::Record;
use crate::inbox::sync_directory;

/// The longest file that is read. One of ours is shorter.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// How much may be appended before it is written anew, beside as much as it had then.
const SLACK: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct KeyFile {
    directory: PathBuf,
    sync: KeySync,
    /// Held for its lock.
    _lock: File,
    file: File,
    end: u64,
    /// Beyond this it is written anew.
    most: u64,
    /// What was written may not be what is there.
    suspect: bool,
}

/// What is found when a file is opened.
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) cut: u64,
    pub(super) damaged: u64,
}

impl KeyFile {
    pub(super) fn open(directory: &Path, sync: KeySync) -> io::Result<(Self, Found)> {
        std::fs::create_dir_all(directory)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        let path = directory.join("keys");
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut data = Vec::new();
        (&mut file).take(MAX_FILE + 1).read_to_end(&mut data)?;
        if length(&data) > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file of keys is too long to be one"));
        }
        let (found, end) = read(&data, sync)?;
        let end = length(data.get(..end).unwrap_or_default());
        file.set_len(end)?;
        if sync == KeySync::Each {
            file.sync_all()?;
            sync_directory(directory)?;
        }
        let directory = directory.to_owned();
        let opened =
            Self { directory, sync, _lock: lock, file, end, most: SLACK, suspect: found.damaged > 0 };
        Ok((opened, found))
    }

    /// Whether it has to be written anew before the next record.
    pub(super) fn is_worn(&self) -> bool {
        self.suspect || self.end > self.most
    }

    /// Appends records; with `sync`, they are durable when it returns, as far as the policy says.
    pub(super) fn append(&mut self, data: &[u8], sync: bool) -> io::Result<()> {
        if self.suspect {
            return Err(io::Error::other("an earlier write has failed"));
        }
        let written = (|| {
            self.file.seek(SeekFrom::Start(self.end))?;
            self.file.write_all(data)?;
            if sync && self.sync == KeySync::Each { self.file.sync_data() } else { Ok(()) }
        })();
        if written.is_ok() {
            self.end = self.end.saturating_add(length(data));
        } else {
            self.suspect = true;
            // What nobody relies on should not be found either.
            let _ = self.file.set_len(self.end);
        }
        written
    }

    /// Every write fails from here on.
    #[cfg(test)]
    pub(super) fn break_down(&mut self) {
        self.file = File::open(self.directory.join("keys")).unwrap();
    }

    /// Writes it anew: then these records are all that there is, and durable by the policy.
    pub(super) fn rewrite(&mut self, data: &[u8]) -> io::Result<()> {
        // What is appended from here on would be lost with the file, should this one not come to stand.
        let was_suspect = std::mem::replace(&mut self.suspect, true);
        let (new, path) = (self.directory.join("keys.new"), self.directory.join("keys"));
        let written = (|| {
            let mut file =
                OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&new)?;
            file.write_all(data)?;
            if self.sync == KeySync::Each {
                file.sync_all()?;
            }
            std::fs::rename(&new, path)?;
            Ok(file)
        })();
        match written {
            Ok(file) => self.file = file,
            Err(error) => {
                // The old one is as it was; it is tried again when it has grown some more.
                self.suspect = was_suspect;
                self.most = self.end.saturating_add(SLACK);
                return Err(error);
            }
        }
        self.end = length(data);
        self.most = self.end.saturating_mul(2).saturating_add(SLACK);
        if self.sync == KeySync::Each {
            sync_directory(&self.directory)?;
        }
        self.suspect = false;
        Ok(())
    }
}

/// The records of a file, and where the last one ends.
fn read(data: &[u8], sync: KeySync) -> io::Result<(Found, usize)> {
    let mut found = Found { records: Vec::new(), cut: 0, damaged: 0 };
    let (mut at, mut end) = (0, 0);
    while at < data.len() {
        let Some((record, length)) = Record::decode(data.get(at..).unwrap_or_default()) else {
            at += 1;
            continue;
        };
        // How something was settled is not synced: a loss of power may take some of it, and leave what came later. What is asked is, and
        // everything before it with it.
        found.damaged += length_of(at - end);
        if found.damaged > 0 && sync == KeySync::Each && matches!(record, Record::Asked { .. }) {
            let message = format!("the keys are damaged before byte {at} of {}", data.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        found.records.push(record);
        at += length;
        end = at;
    }
    found.cut = length_of(data.len() - end);
    Ok((found, end))
}

fn length(data: &[u8]) -> u64 {
    length_of(data.len())
}

fn length_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
