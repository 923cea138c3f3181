//! `coachwork metadata`: what a vehicle has, and what may be done with it.
//!
//! *Next:* `tree.rs`, which has the words for an entry.

use clap::Args;
use coachwork_vehicle::{Permission, Vehicle as _};

use super::{Where, refused, select, status};
use crate::live::block_on;
use crate::output::Output;
use crate::tree::{facts, object};
use crate::{Failure, Format, tell};

/// Show what a vehicle has: kind, type, unit, range, and what may be read and set.
#[derive(Debug, Args)]
#[command(
    visible_alias = "getMetaData",
    after_help = "Examples:\n  coachwork metadata\n  coachwork metadata Vehicle.Cabin.Seat --format json\n  coachwork metadata 'Vehicle.**.IsOpen'"
)]
pub(crate) struct Metadata {
    /// Paths, branches or patterns; without any, everything.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    at: Where,
}

impl Metadata {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        block_on(async {
            let car = self.at.connect().await.map_err(|why| refused(&why))?;
            let catalogue = car.vehicle.catalogue();
            let (signals, unknown) = if self.paths.is_empty() {
                (catalogue.ids().collect(), Vec::new())
            } else {
                select(&catalogue, &self.paths)
            };
            let mut worst = 0;
            for error in &unknown {
                tell(format_args!("{}: {}", error.path().unwrap_or_default(), error.message()));
                worst = worst.max(status(error.kind()));
            }
            let output = Output::new();
            let entries =
                || signals.iter().filter_map(|signal| Some((*signal, catalogue.entry(*signal).ok()?)));
            let width = entries().map(|(_, entry)| entry.path().as_str().len()).max().unwrap_or(0);
            for (signal, entry) in entries() {
                let (read, write) = match catalogue.access(signal) {
                    Ok(access) => (&access.read, &access.write),
                    Err(_) => (&Permission::No, &Permission::No),
                };
                let line = match self.at.format {
                    Format::Text => {
                        format!("{:width$}  {}; {}", entry.path().as_str(), facts(entry), rights(read, write))
                    }
                    Format::Jsonl => {
                        let mut object = object(entry);
                        if let Some(object) = object.as_object_mut() {
                            object.insert("read".into(), right(read).into());
                            object.insert("write".into(), right(write).into());
                        }
                        object.to_string()
                    }
                };
                output.append(|out| {
                    out.extend_from_slice(line.as_bytes());
                    out.push(b'\n');
                })?;
            }
            output.flush()?;
            if worst == 0 { Ok(()) } else { Err(Failure::Status(worst)) }
        })
    }
}

fn right(permission: &Permission) -> String {
    match permission {
        Permission::Yes => "yes".to_owned(),
        Permission::No => "no".to_owned(),
        Permission::Denied(why) => format!("denied: {why}"),
    }
}

/// What may be done with it, in words.
fn rights(read: &Permission, write: &Permission) -> String {
    match (read, write) {
        (Permission::Yes, Permission::Yes) => "read and set".to_owned(),
        (Permission::Yes, Permission::No) => "read".to_owned(),
        (read, write) => format!("read {}, set {}", right(read), right(write)),
    }
}
