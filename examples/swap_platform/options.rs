//! What the command line asks for.

use std::path::PathBuf;

use coachwork_examples::{databases, drive_log, mapping_file};

pub(crate) const HELP: &str = "\
One app on six platforms.

usage: swap_platform [--dbc FILE]... [--log FILE] [--mapping FILE]

  --dbc FILE      the database of the log; several where the log has several buses
  --log FILE      a candump log or a GVRET CSV
  --mapping FILE  which of its signals are which paths of COVESA VSS, in the form of the KUKSA CAN provider

Without options the log is the project's own, recorded from the simulator.";

/// The files of the recorded log.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) databases: Vec<PathBuf>,
    pub(crate) log: PathBuf,
    pub(crate) mapping: PathBuf,
}

impl Options {
    /// The options of this run; `None` where help is asked for.
    ///
    /// # Errors
    /// An option is not known, or its file is missing.
    pub(crate) fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Option<Self>, String> {
        let (mut own_databases, mut log, mut mapping) = (Vec::new(), None, None);
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let name = arg.to_string_lossy().into_owned();
            if matches!(name.as_str(), "-h" | "--help") {
                return Ok(None);
            }
            if !matches!(name.as_str(), "--dbc" | "--log" | "--mapping") {
                return Err(format!("{name} is not an option; --help lists them"));
            }
            let file = PathBuf::from(args.next().ok_or_else(|| format!("{name} needs a file"))?);
            match name.as_str() {
                "--dbc" => own_databases.push(file),
                "--log" => log = Some(file),
                _ => mapping = Some(file),
            }
        }
        Ok(Some(Self {
            databases: if own_databases.is_empty() { databases() } else { own_databases },
            log: log.unwrap_or_else(drive_log),
            mapping: mapping.unwrap_or_else(mapping_file),
        }))
    }
}
