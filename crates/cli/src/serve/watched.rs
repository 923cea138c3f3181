//! Files that may change while they are in use: whether they did.
//!
//! *Invariant:* a file counts as changed when its time, its size or the file itself is another, once for each change. One that is gone meanwhile has changed when
//! it is back.
//! *Next:* `running.rs`, which looks at intervals, and on SIGHUP.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Some files, as they were when they were last looked at.
#[derive(Debug)]
pub(crate) struct Watched(Vec<(PathBuf, Option<Stamp>)>);

type Stamp = (Option<SystemTime>, u64, u64);

impl Watched {
    /// These files as they are now.
    pub(crate) fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }

    /// Whether one of them is another than at the last look, and there.
    pub(crate) fn has_changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.0 {
            let now = stamp(path);
            if now.is_some() && now != *seen {
                *seen = now;
                changed = true;
            }
        }
        changed
    }
}

fn stamp(path: &std::path::Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&about);
    #[cfg(not(unix))]
    let inode = 0;
    Some((about.modified().ok(), about.len(), inode))
}
