//! Records the drive that `swap_platform` replays: `cargo run --release --example record_drive [FILE]`.
//!
//! The same bytes every time; without a file it writes `examples/data/drive.log`.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::time::Duration;

use coachwork::can::Mapping;
use coachwork_examples::{Fault, databases, drive_log, load_databases, mapping_file, record, scenario};

fn main() -> Result<(), Fault> {
    let file = std::env::args_os().nth(1).map_or_else(drive_log, PathBuf::from);
    let databases = load_databases(&databases(), |notice| println!("{notice}"))?;
    let log = record(&scenario(), databases, &Mapping::load(mapping_file())?, Duration::from_secs(60))?;
    let frames = log.split(|byte| *byte == b'\n').count() - 1;
    std::fs::write(&file, log).map_err(|why| format!("{}: {why}", file.display()))?;
    println!("{frames} frames of one minute of driving in {}", file.display());
    Ok(())
}
