//! A log becomes a bus that goes on: its frames at their pace, as if they were sent now, and again from the start where that is asked.
//!
//! *Invariant:* a frame carries the time at which it is told, so that a log of another year is not stale and a repeated one does not go back. A log that has
//! no frame at all is not repeated.
//! *Next:* `car.rs`; coachwork-can's `LogSource`, which it plays.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coachwork_can::Frame;
use coachwork_can::bus::{Batch, BusError, FrameSource, LogSource};
use coachwork_can::log::LogReader;
use coachwork_vehicle::{Clock, TimeBase};

use crate::Failure;
use crate::input;

/// Between the end of a log and its beginning.
const PAUSE: Duration = Duration::from_millis(20);

/// A log that is played.
pub(super) struct Played {
    path: PathBuf,
    name: String,
    clock: Arc<dyn Clock>,
    speed: f64,
    repeat: bool,
    source: Box<dyn FrameSource>,
    /// What the log gave that is not passed on yet.
    read: Batch,
    waiting: VecDeque<Frame>,
    /// Whether this round has had a frame.
    sounded: bool,
}

impl Played {
    pub(super) fn open(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        speed: f64,
        repeat: bool,
    ) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let source = open(&path, &clock, speed)?;
        Ok(Self {
            path,
            name,
            clock,
            speed,
            repeat,
            source,
            read: Batch::new(256),
            waiting: VecDeque::new(),
            sounded: false,
        })
    }
}

fn open(path: &Path, clock: &Arc<dyn Clock>, speed: f64) -> Result<Box<dyn FrameSource>, Failure> {
    input::is_regular(path)?;
    let reader = std::io::BufReader::with_capacity(1 << 16, input::open(path)?);
    let reader = LogReader::new(&path.display().to_string(), reader);
    Ok(Box::new(LogSource::new(reader).paced(clock.clone(), speed)))
}

#[async_trait]
impl FrameSource for Played {
    async fn read(&mut self, batch: &mut Batch) -> Result<(), BusError> {
        loop {
            batch.count_bad(self.read.bad());
            self.waiting.extend(self.read.frames());
            self.read.clear();
            let now = self.clock.now();
            while let Some(frame) = self.waiting.front() {
                self.sounded = true;
                if !batch.push(frame.with_time(now)) {
                    return Ok(());
                }
                self.waiting.pop_front();
            }
            if !batch.is_empty() {
                return Ok(());
            }
            // A call that is dropped here leaves in `read` what came.
            self.source.read(&mut self.read).await?;
            if !self.read.is_empty() {
                continue;
            }
            if !self.repeat || !self.sounded {
                return Ok(());
            }
            self.clock.sleep_until(self.clock.monotonic().saturating_add(PAUSE)).await;
            match open(&self.path, &self.clock, self.speed) {
                Ok(source) => (self.source, self.sounded) = (source, false),
                // It is gone, which is its end.
                Err(_) => return Ok(()),
            }
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn time_base(&self) -> TimeBase {
        TimeBase::Utc
    }

    fn waits(&self) -> bool {
        true
    }
}

impl fmt::Debug for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Played({})", self.name)
    }
}
