//! `coachwork history`: what was recorded of signals, by path, branch or pattern.
//!
//! *Next:* `print.rs`.

use std::time::Duration;

use clap::Args;
use coachwork_transport::viss::period_of;
use coachwork_vehicle::{Error, ErrorKind, Vehicle as _};

use super::print::{error_json, point_json, state_text};
use super::{Where, refused, select, status};
use crate::live::block_on;
use crate::output::Output;
use crate::{Failure, Format, tell};

/// Show what was recorded of signals, the oldest first.
///
/// A path names one signal or a branch, `*` stands for one name in it and `**` for any number. The present value is no part of it, and a signal of which nothing was
/// recorded is no failure.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork history Vehicle.Speed --period PT10M\n  coachwork history 'Vehicle.Cabin.Door.**.IsOpen' --period P1DT12H --format json\n\nThe exit status is 0 where each has an answer, 1 where one is unknown or the vehicle records nothing, 3 where one is denied, 4 where nobody answers."
)]
pub(crate) struct History {
    /// Paths, branches or patterns.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// How far back, in days, hours, minutes and seconds as ISO 8601 has them: P2DT12H, PT90S.
    #[arg(long, value_name = "PERIOD", default_value = "PT1H", value_parser = period)]
    period: Duration,
    #[command(flatten)]
    at: Where,
}

fn period(text: &str) -> Result<Duration, String> {
    period_of(text).map_err(|why| why.message().to_owned())
}

impl History {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        block_on(async {
            let car = self.at.connect().await.map_err(|why| refused(&why))?;
            let Some(client) = &car.client else {
                let why =
                    Error::new(ErrorKind::Unsupported, "a simulated car of this process records nothing");
                return Err(refused(&why));
            };
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
                client.history(&signals, self.period).await.map_err(|why| refused(&why))?
            };
            let name = |signal| catalogue.path(signal).map_or("", coachwork_vehicle::Path::as_str);
            let width = signals.iter().map(|signal| name(*signal).len()).max().unwrap_or(0);
            for (&signal, item) in signals.iter().zip(each) {
                let points = match item {
                    Ok(points) => points,
                    Err(error) => {
                        worst = worst.max(self.fail(&output, name(signal), &error)?);
                        continue;
                    }
                };
                if points.is_empty() {
                    tell(format_args!("{}: nothing was recorded of it in this time", name(signal)));
                }
                for point in &points {
                    let line = match self.at.format {
                        Format::Jsonl => point_json(&catalogue, signal, point).to_string(),
                        Format::Text => {
                            let state = state_text(&catalogue, signal, point);
                            format!("{}  {:width$}  {state}", point.source, name(signal))
                        }
                    };
                    output.append(|out| {
                        out.extend_from_slice(line.as_bytes());
                        out.push(b'\n');
                    })?;
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
