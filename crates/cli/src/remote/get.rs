//! `coachwork get`: the present datapoints of signals, by path, branch or pattern.
//!
//! *Next:* `print.rs`.

use clap::Args;
use coachwork_vehicle::{Error, Vehicle as _};

use super::print::{error_json, point_json, state_text};
use super::{Where, refused, select, status};
use crate::live::block_on;
use crate::output::Output;
use crate::{Failure, Format, tell};

/// Get the present values of signals.
///
/// A path names one signal or a branch, `*` stands for one name in it and `**` for any number. A signal that has no value is no failure: its line says why.
#[derive(Debug, Args)]
#[command(
    visible_alias = "getValue",
    after_help = "Examples:\n  coachwork get Vehicle.Speed\n  coachwork get 'Vehicle.Cabin.Door.**.IsOpen' --format json\n  coachwork get Vehicle.Powertrain --server wss://car.local:6443 --ca-cert ca.pem --token-file token\n\nThe exit status is 0 where each has an answer, 1 where one is unknown, 3 where one is denied, 4 where nobody answers."
)]
pub(crate) struct Get {
    /// Paths, branches or patterns.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    #[command(flatten)]
    at: Where,
}

impl Get {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        block_on(async {
            let car = self.at.connect().await.map_err(|why| refused(&why))?;
            let catalogue = car.vehicle.catalogue();
            let (signals, unknown) = select(&catalogue, &self.paths);
            let mut worst = 0;
            let output = Output::new();
            for error in &unknown {
                worst = worst.max(self.fail(&output, error.path().unwrap_or_default(), error)?);
            }
            let each = if signals.is_empty() {
                Vec::new()
            } else {
                car.vehicle.get(coachwork_vehicle::Get::of(&signals)).await.map_err(|why| refused(&why))?
            };
            let name = |signal| catalogue.path(signal).map_or("", coachwork_vehicle::Path::as_str);
            let width = signals.iter().map(|signal| name(*signal).len()).max().unwrap_or(0);
            for (&signal, item) in signals.iter().zip(each) {
                match item {
                    Err(error) => worst = worst.max(self.fail(&output, name(signal), &error)?),
                    Ok(point) => output.append(|out| {
                        let line = match self.at.format {
                            Format::Jsonl => point_json(&catalogue, signal, &point).to_string(),
                            Format::Text => {
                                let state = state_text(&catalogue, signal, &point);
                                format!("{:width$}  {state}", name(signal))
                            }
                        };
                        out.extend_from_slice(line.as_bytes());
                        out.push(b'\n');
                    })?,
                }
            }
            output.flush()?;
            if worst == 0 { Ok(()) } else { Err(Failure::Status(worst)) }
        })
    }

    /// Says what is wrong with one of them.
    fn fail(&self, output: &Output, path: &str, error: &Error) -> Result<u8, Failure> {
        match self.at.format {
            Format::Text => tell(format_args!("{path}: {}", error.message())),
            Format::Jsonl => output.append(|out| {
                out.extend_from_slice(error_json(path, error).to_string().as_bytes());
                out.push(b'\n');
            })?,
        }
        Ok(status(error.kind()))
    }
}
