//! Segments as files of one directory, which is locked while the queue is open.
//!
//! *Invariant:* nothing but its own files is touched: `<sixteen hex digits>.queue` and `lock`.
//! *Next:* `storage.rs` (what is asked of it).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::storage::Storage;

const SUFFIX: &str = ".queue";

/// Segments in a directory.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    /// Held as long as this is: the system lets go of it when the process ends, however it ends.
    _lock: File,
    /// The segment that is written to.
    open: Option<(u64, File)>,
    /// The directory has changed since it was synced.
    changed: bool,
}

impl Files {
    /// The segments in `directory`, which is made where it does not exist.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where another process, or another queue of this one, has it open; otherwise what the system says.
    pub fn open(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref().to_owned();
        std::fs::create_dir_all(&directory)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Self { directory, _lock: lock, open: None, changed: true })
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{segment:016x}{SUFFIX}"))
    }

    /// The file of a segment, opened to be written to.
    fn file(&mut self, segment: u64) -> io::Result<&mut File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != segment) {
            let file = OpenOptions::new().append(true).open(self.path(segment))?;
            self.open = Some((segment, file));
        }
        self.open.as_mut().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Makes names durable. Where directories cannot be synced (not Unix), the file's own sync does it.
    fn sync_directory(&mut self) -> io::Result<()> {
        if self.changed && cfg!(unix) {
            File::open(&self.directory)?.sync_all()?;
        }
        self.changed = false;
        Ok(())
    }
}

impl Storage for Files {
    fn segments(&mut self) -> io::Result<Vec<u64>> {
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            let number = digits.filter(|digits| digits.len() == 16);
            segments.extend(number.and_then(|digits| u64::from_str_radix(digits, 16).ok()));
        }
        Ok(segments)
    }

    fn read(&mut self, segment: u64, limit: usize) -> io::Result<(Vec<u8>, u64)> {
        let file = File::open(self.path(segment))?;
        let length = file.metadata()?.len();
        let mut data = Vec::new();
        file.take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut data)?;
        Ok((data, length))
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create_new(true).open(self.path(segment))?;
        self.changed = true;
        self.open = Some((segment, file));
        Ok(())
    }

    fn append(&mut self, segment: u64, data: &[u8]) -> io::Result<()> {
        self.file(segment)?.write_all(data)
    }

    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()> {
        self.open = None;
        OpenOptions::new().write(true).open(self.path(segment))?.set_len(length)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.file(segment)?.sync_data()?;
        self.sync_directory()
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| *open == segment) {
            self.open = None;
        }
        std::fs::remove_file(self.path(segment))?;
        self.changed = true;
        self.sync_directory()
    }
}
