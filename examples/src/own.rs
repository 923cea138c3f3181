//! The project's own files, and files in general: a fault names the file, the line and the cause.
//!
//! *Next:* `record.rs` (which makes the log), `swap_platform` (which runs on it).

use std::path::{Path, PathBuf};

use coachwork::Timestamp;
use coachwork::can::{Databases, Stamps};
use coachwork::dbc::Options;
use coachwork::simulator::Scenario;

/// What can go wrong in an example, in words.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// When the simulated drive begins: a cool November evening.
pub const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// The drive that the recorded log holds.
pub const fn scenario() -> Scenario {
    Scenario::seeded(2026)
}

/// The three databases of the simulated car.
pub fn databases() -> Vec<PathBuf> {
    ["powertrain", "chassis", "body"].map(|name| root().join("dbc").join(name).with_extension("dbc")).into()
}

/// What their signals are in COVESA VSS.
pub fn mapping_file() -> PathBuf {
    root().join("dbc").join("coachwork_mapping.json")
}

/// What guards the steering message: a counter, and a checksum over what comes before it.
pub fn stamps() -> Stamps {
    Stamps::new()
        .counter("SteeringStatus.SteeringCounter")
        .checksum("SteeringStatus.SteeringChecksum", |_, payload| {
            crc(payload.get(..3).unwrap_or_default()).into()
        })
}

/// CRC-8 of SAE J1850.
pub fn crc(bytes: &[u8]) -> u8 {
    !bytes.iter().fold(0xFF, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum, _| if sum & 0x80 == 0 { sum << 1 } else { (sum << 1) ^ 0x1D })
    })
}

/// The recorded drive.
pub fn drive_log() -> PathBuf {
    root().join("examples").join("data").join("drive.log")
}

/// Loads databases; what had to be repaired in one is handed to `notice`.
///
/// # Errors
/// A file cannot be read, or is no database; the fault names file, line and cause.
pub fn load_databases(files: &[PathBuf], mut notice: impl FnMut(String)) -> Result<Databases, Fault> {
    let mut databases = Vec::with_capacity(files.len());
    for file in files {
        let name = shown(file);
        let bytes = std::fs::read(file).map_err(|why| format!("{name}: {why}"))?;
        let loaded = Options::new().load(&bytes).map_err(|why| format!("{name}:{why}"))?;
        if let Some(first) = loaded.diagnostics.first() {
            notice(format!("repaired in {name}: {}, the first at {first}", loaded.diagnostics.len()));
        }
        databases.push(loaded.database);
    }
    Ok(databases.into())
}

/// The workspace, seen from where the program runs if it runs there.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    match std::env::current_dir() {
        Ok(at) if at == root => PathBuf::new(),
        _ => root.to_owned(),
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}
