//! What the app runs on: a simulator, a recorded log, a bus; each started afresh for every run, on a clock of its own.
//!
//! *Next:* `wire.rs` (the same over TCP), `grant.rs` (what is open on them).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coachwork::can::bus::{Bus, LogSource, VirtualBus};
use coachwork::can::log::LogReader;
use coachwork::can::{CanVehicle, Databases, Emit, Mapping};
use coachwork::simulator::SimulatedVehicle;
use coachwork::system::{Running, spawn};
use coachwork::{Driver, ManualClock, Vehicle};
use coachwork_examples::{Fault, START, databases, load_databases, mapping_file, scenario};

use crate::options::Options;

/// How much faster than ours the cars' time passes.
pub(crate) const SPEED_UP: u32 = 20;
const TICK: Duration = Duration::from_millis(100);

/// What is under the app, wire or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Simulator,
    Log,
    Bus,
}

/// What all runs share: the files, loaded once.
pub(crate) struct Files {
    options: Options,
    log: (Databases, Mapping),
    bus: (Databases, Mapping),
}

/// A vehicle that runs, with everything that makes it run. Dropped, it stops.
pub(crate) struct Platform {
    pub(crate) vehicle: Arc<dyn Vehicle>,
    log: Option<Played>,
    pub(crate) tasks: Tasks,
}

/// A log that is played, and the first line of it that is no frame.
struct Played {
    car: Arc<CanVehicle>,
    first_bad: Arc<Mutex<Option<String>>>,
}

/// Drivers and the passing of time, stopped together.
#[derive(Default)]
pub(crate) struct Tasks {
    drivers: Vec<Running>,
    time: Option<tokio::task::JoinHandle<()>>,
}

impl Files {
    /// Loads what the options name.
    ///
    /// # Errors
    /// A file is missing or is not what it should be; the fault names it, with line and cause.
    pub(crate) fn load(options: Options) -> Result<Self, Fault> {
        let load = |files: &[_], mapping: &_| -> Result<_, Fault> {
            Ok((load_databases(files, |notice| println!("note: {notice}"))?, Mapping::load(mapping)?))
        };
        let bus = load(&databases(), &mapping_file())?;
        let log = load(&options.databases, &options.mapping)?;
        has_a_frame(&options)?;
        let files = Self { options, log, bus };
        // A mapping that does not fit its database is found before the story begins.
        files.start(Kind::Log)?;
        Ok(files)
    }

    /// What a platform is called in the story.
    pub(crate) fn name(&self, kind: Kind, tcp: bool) -> String {
        let wire = if tcp { ", over TCP" } else { "" };
        match kind {
            Kind::Simulator => format!("simulator{wire}"),
            Kind::Log => {
                let file = self.options.log.file_name().unwrap_or_default();
                format!("recorded log {}{wire}", file.to_string_lossy())
            }
            Kind::Bus => format!("virtual CAN bus{wire}"),
        }
    }

    /// Starts a platform.
    ///
    /// # Errors
    /// The mapping does not fit the database, or the log cannot be opened.
    pub(crate) fn start(&self, kind: Kind) -> Result<Platform, Fault> {
        let clock = Arc::new(ManualClock::new(START));
        let (mut tasks, mut log) = (Tasks::default(), None);
        let vehicle: Arc<dyn Vehicle> = match kind {
            Kind::Simulator => {
                let (car, driver) = SimulatedVehicle::new(clock.clone(), &scenario())?;
                tasks.run(driver)?;
                Arc::new(car)
            }
            Kind::Log => {
                let first_bad = Arc::new(Mutex::new(None));
                let bad = first_bad.clone();
                let reader = LogReader::open(&self.options.log)?;
                let source = LogSource::with_bad_records(reader, move |error| {
                    let mut first = bad.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert_with(|| error.to_string());
                });
                let bus = Bus::read_only(source.paced(clock.clone(), 1.0));
                let (databases, mapping) = &self.log;
                let (car, driver) = CanVehicle::new(bus, databases.clone(), mapping, clock.clone())?;
                tasks.run(driver)?;
                let car = Arc::new(car);
                log = Some(Played { car: car.clone(), first_bad });
                car
            }
            Kind::Bus => {
                let (databases, mapping) = &self.bus;
                let bus = VirtualBus::new("can0", 1024);
                let (car, driver) = SimulatedVehicle::new(clock.clone(), &scenario())?;
                tasks.run(driver)?;
                tasks.run(
                    Emit::of(Arc::new(car), databases.clone(), mapping)?.onto(bus.connect(), clock.clone()),
                )?;
                let (car, driver) =
                    CanVehicle::new(bus.connect(), databases.clone(), mapping, clock.clone())?;
                tasks.run(driver)?;
                Arc::new(car)
            }
        };
        tasks.pass_time(clock);
        Ok(Platform { vehicle, log, tasks })
    }
}

impl Platform {
    /// What was read of the log so far, and what was wrong with it.
    pub(crate) fn note(&self) -> Option<String> {
        let Played { car, first_bad } = self.log.as_ref()?;
        let counts = car.counts();
        let read = format!("{} frames read, {} of them mapped", counts.frames, counts.mapped);
        let first = first_bad.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match &*first {
            None => read,
            Some(first) => format!("{read}; lines that are no frames: {}, the first: {first}", counts.bad),
        })
    }
}

impl Tasks {
    pub(crate) fn run(&mut self, driver: Driver) -> Result<(), Fault> {
        self.drivers.push(spawn(driver)?);
        Ok(())
    }

    /// Moves the clock on, in steps of the simulator, faster than ours.
    fn pass_time(&mut self, clock: Arc<ManualClock>) {
        self.time = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK / SPEED_UP).await;
                clock.advance(TICK);
            }
        }));
    }

    /// Stops everything; says what failed on the way.
    ///
    /// # Errors
    /// A driver had ended with an error: a log that could not be read on, a broken link.
    pub(crate) async fn stop(mut self) -> Result<(), Fault> {
        for driver in std::mem::take(&mut self.drivers) {
            if driver.is_ended() {
                driver.await?;
            } else {
                driver.stop();
            }
        }
        Ok(())
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.drivers.iter().for_each(Running::stop);
        self.time.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// A log without a single frame is no log: what the first line says is the cause.
fn has_a_frame(options: &Options) -> Result<(), Fault> {
    let mut first = None;
    for item in LogReader::open(&options.log)? {
        match item {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.map_or_else(|| format!("{}: the log is empty", options.log.display()).into(), Fault::from))
}
