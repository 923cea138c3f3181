//! `coachwork record`: a bus becomes a log, or, through a mapping, a recording of a vehicle's datapoints.
//!
//! *Invariant:* the file appears whole under its name, also where Ctrl-C or the end of the bus ended it; what is missing is counted.
//! *Next:* `live.rs` (buses, Ctrl-C), `replay.rs` (the way back).

use crate::convert::sink::Sink;
use crate::convert::{format_of, formats, is_packed, is_standard};
use crate::live::{OnBus, Progress, Stop, block_on, clock, failure};
use crate::{Failure, tell};
use clap::Args;
use coachwork_can::bus::{Batch, Bus, LogSource};
use coachwork_can::log::{LogReader, LogWriter};
use coachwork_can::{Databases, Mapping, Segment, StartValues, Wiring};
use coachwork_simulator::{Scenario, SimulatedVehicle};
use coachwork_vehicle::{
    Clock, Datapoint, Driver, Event, MAX_QUEUE, ManualClock, Points, ReasonKind, Recorder, State, Subscribe,
    Timestamp, Vehicle,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Record a bus, or what a vehicle behind it says.
///
/// Without a mapping, the frames of the bus become a log, in the format of the file's name or of --to. With a mapping and databases, the
/// datapoints of the vehicle become a recording, which `coachwork replay` plays back; then the frames may come from a log instead of a bus.
/// With --simulator, the vehicle is a simulated car. Ctrl-C ends it, and the file is whole.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork record --bus socketcan:can0 drive.log.gz\n  coachwork record --bus slcan:/dev/ttyACM0 -d car.dbc -m car.json drive.rec --for 60\n  coachwork record --log drive.log -d car.dbc -m car.json drive.rec\n  coachwork record --simulator=7 drive.rec --for 60"
)]
pub(crate) struct Record {
    /// The file to write; `-` is standard output.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    on: OnBus,
    /// Take the frames from this log instead of a bus.
    #[arg(long, value_name = "LOG", conflicts_with = "bus", requires = "mapping")]
    log: Option<PathBuf>,
    /// Record a simulated car, with this seed.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with_all = ["bus", "log", "mapping"])]
    simulator: Option<u64>,
    /// The format of the log to write.
    #[arg(short, long, value_name = "FORMAT", value_parser = formats(), conflicts_with_all = ["mapping", "simulator"])]
    to: Option<String>,
    /// Stop after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    time: Option<Duration>,
    /// Stop after this many frames, or datapoints.
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Record {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mapping = self.on.mapping()?;
        block_on(async {
            match mapping {
                None => match self.simulator {
                    None => self.frames().await,
                    Some(seed) => {
                        let clock: Arc<dyn Clock> = clock()?;
                        let made = SimulatedVehicle::new(clock, &Scenario::seeded(seed));
                        let (car, driver) = made.map_err(failure)?;
                        self.say(&car, driver, Progress::endless()).await
                    }
                },
                Some((mapping, databases, start)) => self.datapoints(&mapping, databases, start).await,
            }
        })
    }

    async fn frames(&self) -> Result<(), Failure> {
        let format = format_of(&self.output, self.to.as_deref())?;
        let (mut source, _sink) = self.on.open().await?.into_parts();
        let stop = Stop::new(self.time);
        let mut writer = LogWriter::new(format, self.create()?).map_err(failure)?;
        let (mut batch, mut progress, mut left) =
            (Batch::new(256), Progress::endless(), self.count.unwrap_or(u64::MAX));
        let (mut lost, mut refused, mut failed) = (0, 0, None);
        let why = loop {
            let read = stop.or(source.read(&mut batch)).await;
            if let Some(gap) = batch.gap() {
                tell(format_args!("{}: {}", source.name(), gap.why));
            }
            lost += batch.lost();
            let empty = batch.is_empty();
            for frame in batch.frames().iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                match writer.write(frame) {
                    Ok(()) => progress.add(1, "frames"),
                    Err(coachwork_can::log::WriteError::Io(error)) => return Err(self.failed(&error)),
                    Err(_) => refused += 1,
                }
                left -= 1;
            }
            batch.clear();
            match read {
                Err(why) => break why,
                Ok(Err(error)) => {
                    failed = Some(error.to_string());
                    break "the bus failed";
                }
                Ok(Ok(())) if left == 0 => break "that many were asked for",
                Ok(Ok(())) if empty => break "the bus has ended",
                Ok(Ok(())) => {}
            }
        };
        let losses = *writer.losses();
        let sink = writer.finish().map_err(failure)?;
        sink.finish().map_err(|error| self.failed(&error))?;
        let count = progress.finish();
        tell(format_args!("{count} frames in {}: {why}", self.output.display()));
        if lost > 0 {
            tell(format_args!("{lost} frames were lost before they were read"));
        }
        if refused > 0 {
            tell(format_args!("{refused} frames have no place in the format"));
        }
        if !losses.is_none() {
            tell(format_args!("of the written, {losses}"));
        }
        failed.map_or(Ok(()), |error| Err(Failure::Message(error)))
    }

    async fn datapoints(
        &self,
        mapping: &Mapping,
        databases: Databases,
        start: StartValues,
    ) -> Result<(), Failure> {
        let (bus, progress, clock): (Bus, _, Arc<dyn Clock>) = match &self.log {
            None => (self.on.open().await?, Progress::endless(), clock()?),
            Some(log) => {
                let (reader, progress) = Progress::of_file(log)?;
                let reader = LogReader::new(&log.display().to_string(), reader);
                // A log has a time of its own.
                (Bus::read_only(LogSource::new(reader)), progress, Arc::new(ManualClock::default()))
            }
        };
        let name = self
            .log
            .as_ref()
            .map_or_else(|| self.on.name().map(|name| name.channel().to_owned()), |_| Ok("log".into()))?;
        let wiring = Wiring::new().bus(bus, [Segment::new(&name, databases)]).start_values(start);
        let (car, driver) = wiring.vehicle(mapping, clock.clone()).map_err(failure)?;
        for remark in car.remarks() {
            tell(remark);
        }
        self.say(&car, driver, progress).await
    }

    /// Writes down what a vehicle says.
    async fn say(&self, car: &dyn Vehicle, driver: Driver, mut progress: Progress) -> Result<(), Failure> {
        let all = Subscribe::to(car.catalogue().ids());
        let wish = if car.catalogue().facts().back_pressure { all.block(4096) } else { all.queue(MAX_QUEUE) };
        let mut watch = car.subscribe(wish).await.map_err(failure)?;
        let mut recorder = Recorder::new(self.create()?, &watch).map_err(|error| self.failed(&error))?;
        let running = coachwork_tokio::spawn(driver).map_err(failure)?;
        let stop = Stop::new(self.time);
        let (mut left, mut last, mut lost) = (self.count.unwrap_or(u64::MAX), Timestamp::EPOCH, 0);
        let why = loop {
            let event = match stop.or(watch.next()).await {
                Err(why) => break why.to_owned(),
                Ok(None | Some(Event::Ended(_))) => break "the vehicle has ended".to_owned(),
                Ok(Some(event)) => event,
            };
            let (event, ended) = until_the_end(event);
            if let Event::Lagged(count) = event {
                lost += count;
            }
            for (at, event) in groups(event, self.log.is_some(), &mut last) {
                let count = recorder.write(at, &event).map_err(|error| self.failed(&error))?;
                progress.add(count, "datapoints");
                left = left.saturating_sub(count);
            }
            if let Some(why) = ended {
                break why;
            }
            if left == 0 {
                break "that many were asked for".to_owned();
            }
        };
        let sink = recorder.end(&why).map_err(|error| self.failed(&error))?;
        sink.finish().map_err(|error| self.failed(&error))?;
        let count = progress.finish();
        tell(format_args!("{count} datapoints in {}: {why}", self.output.display()));
        if lost > 0 {
            tell(format_args!("{lost} datapoints were lost before they were written"));
        }
        if running.is_ended() { running.await.map_err(failure) } else { Ok(()) }
    }

    fn create(&self) -> Result<Sink, Failure> {
        Sink::create(&self.output, is_packed(&self.output)).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        if is_standard(&self.output) && error.kind() == std::io::ErrorKind::BrokenPipe {
            return Failure::Unread;
        }
        Failure::Message(format!("{}: {error}", self.output.display()))
    }
}

/// What an event says before it says that the source has ended, and why that is, where it does.
pub(crate) fn until_the_end(event: Event) -> (Event, Option<String>) {
    let Event::Changed(points) = &event else { return (event, None) };
    let why = |state: &State| match state {
        State::NotAvailable(reason) if reason.kind() == ReasonKind::Ended => Some(reason.to_string()),
        _ => None,
    };
    let Some(ended) = points.iter().find_map(|(_, point)| why(&point.state)) else { return (event, None) };
    let before = points.iter().filter(|(_, point)| why(&point.state).is_none());
    let before: Vec<_> = before.map(|(id, point)| (id, point.clone())).collect();
    (Event::Changed(Points::new(before)), Some(ended))
}

/// An event in parts that were told together, each with its time: when it was received, or in a log, when its source saw it. Signals of which
/// nothing was ever said are left out.
fn groups(event: Event, by_source: bool, last: &mut Timestamp) -> Vec<(Timestamp, Event)> {
    let Event::Changed(points) = event else { return vec![(*last, event)] };
    let mut groups: Vec<(Timestamp, Vec<_>)> = Vec::new();
    for (id, point) in points.iter().filter(|(_, point)| point.state != State::NeverSet) {
        let received = if by_source { point.source } else { point.received };
        *last = received.max(*last);
        let point = Datapoint { received, ..point.clone() };
        match groups.last_mut().filter(|(at, _)| at == last) {
            Some((_, group)) => group.push((id, point)),
            None => groups.push((*last, vec![(id, point)])),
        }
    }
    groups.into_iter().map(|(at, group)| (at, Event::Changed(Points::new(group)))).collect()
}
