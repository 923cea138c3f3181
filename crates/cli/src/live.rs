//! What runs until it is told to stop: buses by their names, the time, Ctrl-C, and how far it has come.
//!
//! *Invariant:* the first Ctrl-C ends what runs in order, so that its files are whole; nothing here is left running.
//! *Next:* `record.rs`, `replay.rs`.

use crate::convert::{Counted, bar};
use crate::{Failure, database, input};
use clap::Args;
use coachwork_can::bus::{Bus, BusName};
use coachwork_can::{Databases, Mapping, StartValues};
use coachwork_tokio::SystemClock;
use coachwork_tokio::can::Buses;
use futures_util::future::{Either, select};
use indicatif::ProgressBar;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A bus by its name, and what is on it.
#[derive(Debug, Args)]
pub(crate) struct OnBus {
    /// The bus, as python-can names it: socketcan:can0, socketcand:HOST:PORT/can0, slcan:/dev/ttyACM0. Without it, as CAN_INTERFACE and
    /// CAN_CHANNEL say.
    #[arg(short, long, value_name = "INTERFACE:CHANNEL")]
    pub(crate) bus: Option<String>,
    /// A database of what is on the bus, a DBC file; of several, the first that has a message speaks for it.
    #[arg(short, long = "database", value_name = "DBC", requires = "mapping")]
    pub(crate) databases: Vec<PathBuf>,
    /// Which signal is which path: a VSS tree in JSON with `dbc2vss` and `vss2dbc`, as of the KUKSA CAN provider.
    #[arg(short, long, value_name = "JSON", requires = "databases")]
    pub(crate) mapping: Option<PathBuf>,
    /// What signals carry that nothing else is known of, in JSON.
    #[arg(long, value_name = "JSON", requires = "mapping")]
    pub(crate) start_values: Option<PathBuf>,
}

impl OnBus {
    pub(crate) fn name(&self) -> Result<BusName, Failure> {
        BusName::resolve(self.bus.as_deref(), |name| std::env::var(name).ok()).map_err(failure)
    }

    /// Opens the bus.
    pub(crate) async fn open(&self) -> Result<Bus, Failure> {
        let name = self.name()?;
        Buses::new().map_err(failure)?.open(&name).await.map_err(failure)
    }

    /// The mapping and the databases, where they are given.
    pub(crate) fn mapping(&self) -> Result<Option<(Mapping, Databases, StartValues)>, Failure> {
        let Some(path) = &self.mapping else { return Ok(None) };
        let mapping = Mapping::load(path).map_err(failure)?;
        let load = |path: &PathBuf| database::load(path, false);
        let databases = self.databases.iter().map(load).collect::<Result<Databases, _>>()?;
        let start = self.start_values.as_ref().map(StartValues::load).transpose().map_err(failure)?;
        Ok(Some((mapping, databases, start.unwrap_or_default())))
    }
}

pub(crate) fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::Message(error.to_string())
}

/// Runs something to its end, on one thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failure)?;
    runtime.block_on(future)
}

/// The system's clock, inside of [`block_on`].
pub(crate) fn clock() -> Result<Arc<SystemClock>, Failure> {
    SystemClock::new().map(Arc::new).map_err(failure)
}

/// What tells something to stop: Ctrl-C, or the end of its time.
pub(crate) struct Stop(tokio::sync::watch::Receiver<Option<&'static str>>);

impl Stop {
    /// Listens from now on. A second Ctrl-C ends the program at once.
    pub(crate) fn new(after: Option<Duration>) -> Self {
        let (sender, receiver) = tokio::sync::watch::channel(None);
        drop(tokio::spawn(async move {
            let timer = async {
                match after {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
            };
            let why = match select(pin!(tokio::signal::ctrl_c()), pin!(timer)).await {
                Either::Left(_) => "stopped by Ctrl-C",
                Either::Right(_) => "the time is over",
            };
            let _ = sender.send(Some(why));
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        }));
        Self(receiver)
    }

    /// What a future gives, or why to stop.
    pub(crate) async fn or<T>(&self, future: impl Future<Output = T>) -> Result<T, &'static str> {
        let mut told = self.0.clone();
        let stopped = async move {
            match told.wait_for(Option::is_some).await {
                Ok(why) => why.unwrap_or("stopped"),
                Err(_) => std::future::pending().await,
            }
        };
        match select(pin!(stopped), pin!(future)).await {
            Either::Left((why, _)) => Err(why),
            Either::Right((value, _)) => Ok(value),
        }
    }
}

/// A file that is read, and how far.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
    count: u64,
}

impl Progress {
    /// Of something that has no size.
    pub(crate) fn endless() -> Self {
        Self { bar: bar(None), read: Arc::default(), count: 0 }
    }

    /// Opens a file, and watches how far it is read.
    pub(crate) fn of_file(path: &Path) -> Result<(BufReader<Counted<File>>, Self), Failure> {
        let size =
            if input::is_regular(path)? { fs::metadata(path).ok().map(|about| about.len()) } else { None };
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { input: input::open(path)?, read: Arc::clone(&read) };
        let progress = Self { bar: bar(size), read, count: 0 };
        Ok((BufReader::with_capacity(1 << 16, counted), progress))
    }

    /// Counts, and shows it now and then.
    pub(crate) fn add(&mut self, count: u64, what: &str) {
        let before = self.count;
        self.count += count;
        // The few of a slow bus are shown one by one; the bar itself draws no more often than is seen.
        if !self.bar.is_hidden() && (self.count < 256 || before >> 6 != self.count >> 6) {
            self.bar.set_position(self.read.load(Ordering::Relaxed));
            self.bar.set_message(format!("{} {what}", self.count));
        }
    }

    /// How much was counted; the bar is gone.
    pub(crate) fn finish(&self) -> u64 {
        self.bar.finish_and_clear();
        self.count
    }
}

/// Whether a file begins as a recording of datapoints does.
pub(crate) fn is_recording(reader: &mut impl BufRead) -> Result<bool, Failure> {
    Ok(reader.fill_buf().map_err(failure)?.starts_with(b"coachwork-recording"))
}
