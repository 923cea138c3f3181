//! A path becomes a log's bytes, or a message that names it.
//!
//! *Next:* `decode.rs`, `convert.rs`.

use crate::{Failure, tell};
use std::fs::{self, File};
use std::path::Path;

/// How many bad records are named one by one.
pub(crate) const NAMED: u64 = 10;

/// Whether this is a file that has an end and can be read from anywhere, not a pipe.
pub(crate) fn is_regular(path: &Path) -> Result<bool, Failure> {
    let about =
        fs::metadata(path).map_err(|error| Failure::Message(format!("{}: {error}", path.display())))?;
    if about.is_dir() {
        return Err(Failure::Message(format!("{}: is a directory", path.display())));
    }
    Ok(about.is_file())
}

/// Opens what is there.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::Message(format!("{}: {error}", path.display())))
}

/// Says how many records were no frames, which is a failure where there were any.
pub(crate) fn tell_bad(name: &str, count: u64) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    let records = if count == 1 { "record is no frame" } else { "records are no frames" };
    tell(format_args!("{name}: {count} {records}"));
    Err(Failure::Told)
}
