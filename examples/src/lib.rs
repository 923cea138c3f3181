//! What the examples share: the project's own databases, mapping and drive, and how a drive is recorded.

mod own;
mod record;

pub use own::{Fault, START, databases, drive_log, load_databases, mapping_file, scenario};
pub use record::record;
