//! `coachwork replay`: the frames of a log go onto a bus again; the datapoints of a recording are told again, or put onto a bus.
//!
//! *Invariant:* frames keep their order and, times the speed, their distances; what is not sent is counted, with the reason.
//! *Next:* `live.rs` (buses, Ctrl-C), `record.rs` (where recordings come from).

use crate::live::{OnBus, Progress, Stop, block_on, clock, failure, is_recording};
use crate::output::Output;
use crate::record::until_the_end;
use crate::{Failure, input, tell};
use clap::Args;
use coachwork_can::bus::{Batch, BusError, FrameSource, LogSource};
use coachwork_can::log::LogReader;
use coachwork_can::{Channel, Segment, Wiring};
use coachwork_vehicle::{Event, Pace, Recorded, State, Subscribe, Vehicle};
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Play a log onto a bus, or a recording to whoever listens.
///
/// A log's frames are sent on the bus, at their own pace or another. A recording of datapoints is printed as it is told; with a bus, databases
/// and a mapping, it stands behind that bus as the vehicle did.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork replay drive.log --bus socketcan:vcan0\n  coachwork replay drive.blf --bus socketcand:bench:29536/can0 --speed 10\n  coachwork replay drive.rec --speed max | grep Vehicle.Speed\n  coachwork replay drive.rec --bus socketcan:vcan0 -d car.dbc -m car.json"
)]
pub(crate) struct Replay {
    /// The log, of any format that is read, or the recording; in gzip or not where it is a log.
    #[arg(value_name = "IN")]
    input: PathBuf,
    #[command(flatten)]
    on: OnBus,
    /// How many times its own pace; `max` is as fast as it goes.
    #[arg(short, long, value_name = "TIMES", default_value = "1", value_parser = speed)]
    speed: Speed,
    /// Only the frames of this channel of the log.
    #[arg(short, long, value_name = "NAME")]
    channel: Option<Channel>,
    /// Stop after this many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    time: Option<f64>,
}

/// How many times its own pace; `None` is as fast as it goes.
#[derive(Clone, Copy, Debug)]
struct Speed(Option<f64>);

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed(None));
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed(Some(times))),
        _ => Err(format!("{text:?} is neither a positive number nor `max`")),
    }
}

impl Replay {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mapping = self.on.mapping()?;
        let (mut reader, progress) = Progress::of_file(&self.input)?;
        let time = self.time.map(Duration::try_from_secs_f64).transpose().map_err(failure)?;
        let is_recording = is_recording(&mut reader)?;
        block_on(async {
            let stop = Stop::new(time);
            match (is_recording, mapping) {
                (false, None) => self.frames(reader, progress, &stop).await,
                (false, Some(_)) => {
                    Err(Failure::Message("a log's frames are sent as they are: no mapping is needed".into()))
                }
                (true, mapping) => {
                    let name = self.input.display().to_string();
                    let pace = self.speed.0.map_or(Pace::Unpaced, Pace::Times);
                    let (car, driver) = Recorded::open(&name, reader, clock()?, pace).map_err(failure)?;
                    let car = Arc::new(car);
                    let _running = coachwork_tokio::spawn(driver).map_err(failure)?;
                    match mapping {
                        None => tell_all(&car, progress, &stop).await,
                        Some((mapping, databases, start)) => {
                            let bus = self.on.open().await?;
                            let segment = Segment::new(self.on.name()?.channel(), databases);
                            let wiring = Wiring::new().bus(bus, [segment]).start_values(start);
                            let onto = wiring.emit(car.clone(), &mapping, clock()?);
                            let (driver, missing) = onto.map_err(failure)?;
                            if !missing.is_empty() {
                                tell(format_args!("not in the recording: {}", missing.join(", ")));
                            }
                            watch_over(&car, driver, progress, &stop).await
                        }
                    }
                }
            }
        })
    }

    async fn frames(
        &self,
        reader: impl BufRead + std::fmt::Debug + Send + 'static,
        mut progress: Progress,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let name = self.input.display().to_string();
        let (_source, sink) = self.on.open().await?.into_parts();
        let sink = sink.ok_or_else(|| Failure::Message("the bus cannot be written".into()))?;
        let mut log = LogSource::new(LogReader::new(&name, reader));
        if let Some(times) = self.speed.0 {
            log = log.paced(clock()?, times);
        }
        let mut batch = Batch::new(256);
        let (mut bad, mut errors, mut others, mut refused) = (0, 0_u64, 0_u64, 0_u64);
        let why = 'all: loop {
            match stop.or(log.read(&mut batch)).await {
                Err(why) => break why,
                Ok(read) => read.map_err(failure)?,
            }
            bad += batch.bad();
            if batch.is_empty() {
                break "the log has ended";
            }
            for frame in batch.frames() {
                if self.channel.is_some_and(|channel| channel != *frame.channel()) {
                    others += 1;
                    continue;
                }
                if frame.is_error() {
                    errors += 1;
                    continue;
                }
                match stop.or(sink.send(frame)).await {
                    Err(why) => break 'all why,
                    Ok(Ok(())) => progress.add(1, "frames"),
                    Ok(Err(BusError::NotCarried(_))) => refused += 1,
                    Ok(Err(error)) => return Err(failure(error)),
                }
            }
            batch.clear();
            tokio::task::yield_now().await;
        };
        let count = progress.finish();
        tell(format_args!("{count} frames sent: {why}"));
        for (count, what) in
            [(others, "of other channels"), (errors, "error frames"), (refused, "that the bus cannot carry")]
        {
            if count > 0 {
                tell(format_args!("{count} not sent: {what}"));
            }
        }
        input::tell_bad(&name, bad)
    }
}

/// Prints what a recording says, a line for each datapoint.
async fn tell_all(car: &Recorded, mut progress: Progress, stop: &Stop) -> Result<(), Failure> {
    let wish = Subscribe::to(car.catalogue().ids()).block(4096);
    let mut watch = car.subscribe(wish).await.map_err(failure)?;
    let output = Output::new();
    let why = loop {
        let event = match stop.or(watch.next()).await {
            Err(why) => break why.to_owned(),
            Ok(None | Some(Event::Ended(_))) => break "it has ended".to_owned(),
            Ok(Some(event)) => event,
        };
        let (event, ended) = until_the_end(event);
        let Event::Changed(points) = event else { continue };
        output.append(|out| {
            // Before anything was said, nothing is known.
            for (id, point) in points.iter().filter(|(_, point)| point.state != State::NeverSet) {
                let line = format!("{} {} {}\n", point.source, watch.path(id), point.state);
                out.extend_from_slice(line.as_bytes());
            }
        })?;
        output.flush()?;
        progress.add(u64::try_from(points.len()).unwrap_or(0), "datapoints");
        if let Some(why) = ended {
            break why;
        }
    };
    end(car, &progress, &why)
}

/// Lets a recording stand behind a bus until it ends.
async fn watch_over(
    car: &Recorded,
    driver: coachwork_vehicle::Driver,
    mut progress: Progress,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut emitting = coachwork_tokio::spawn(driver).map_err(failure)?;
    let mut told = 0;
    let why = loop {
        match stop.or(tokio::time::timeout(Duration::from_millis(50), &mut emitting)).await {
            Err(why) => break why.to_owned(),
            Ok(Ok(ended)) => {
                ended.map_err(failure)?;
                break "the bus has ended".to_owned();
            }
            Ok(Err(_)) => {}
        }
        let playback = car.playback();
        progress.add(playback.points - told, "datapoints");
        told = playback.points;
        if let Some(why) = playback.ended {
            break why;
        }
    };
    end(car, &progress, &why)
}

/// Says how a playback ended.
fn end(car: &Recorded, progress: &Progress, why: &str) -> Result<(), Failure> {
    progress.finish();
    let playback = car.playback();
    tell(format_args!("{} datapoints: {why}", playback.points));
    if playback.lost > 0 {
        tell(format_args!("{} datapoints are missing in the recording", playback.lost));
    }
    if playback.bad > 0 {
        tell(format_args!("{} lines make no sense", playback.bad));
        return Err(Failure::Told);
    }
    Ok(())
}
