//! What a gateway has to say while it runs: a line each, on standard error or in a file.
//!
//! *Invariant:* saying something never fails and never waits for anybody; no credential is in it. A file that was moved away is left when it is opened anew.
//! *Next:* `running.rs`, which has things to say.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use coachwork_vehicle::Timestamp;

use super::{config, from};
use crate::live::failure;
use crate::{Failure, tell};

/// Where lines go.
#[derive(Debug)]
pub(super) struct Report {
    file: Option<(PathBuf, File)>,
}

impl Report {
    pub(super) fn open(config: &config::Report, folder: &Path) -> Result<Self, Failure> {
        let Some(path) = &config.file else { return Ok(Self { file: None }) };
        let path = from(folder, path);
        let file = append(&path).map_err(|why| failure(format_args!("{}: {why}", path.display())))?;
        Ok(Self { file: Some((path, file)) })
    }

    /// Opens the file by its name again.
    pub(super) fn reopen(&mut self) {
        if let Some((path, file)) = &mut self.file {
            match append(path) {
                Ok(new) => *file = new,
                Err(why) => tell(format_args!("{}: {why}", path.display())),
            }
        }
    }

    /// One line.
    pub(super) fn say(&mut self, now: Timestamp, what: impl fmt::Display) {
        match &mut self.file {
            None => tell(what),
            Some((path, file)) => {
                let line = format!("{now} {what}\n");
                if let Err(why) = file.write_all(line.as_bytes()) {
                    tell(format_args!("{}: {why}; {what}", path.display()));
                }
            }
        }
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
