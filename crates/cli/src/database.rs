//! A path becomes a database, or a message that names file, line and cause.
//!
//! *Next:* `decode.rs`, `dump.rs`.

use crate::{Failure, tell};
use coachwork_dbc::{Database, Options};
use std::fs;
use std::path::Path;

/// Loads a database; what had to be repaired is told in one line.
pub(crate) fn load(path: &Path, strict: bool) -> Result<Database, Failure> {
    let name = path.display();
    let bytes = fs::read(path).map_err(|error| Failure::Message(format!("{name}: {error}")))?;
    let loaded = Options::new()
        .strict(strict)
        .load(&bytes)
        .map_err(|error| Failure::Message(format!("{name}:{error}")))?;
    if let Some(first) = loaded.diagnostics.first() {
        let more = match loaded.diagnostics.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        tell(format_args!("{name}:{first}{more}"));
    }
    Ok(loaded.database)
}
