//! A log as a source of frames: as fast as it is read, or at the pace of a clock.
//!
//! *Invariant:* frames keep their order and their own times; a bad line is counted and shown to whoever asked to see it, and never stops the log.
//! *Next:* `mod.rs`, whose trait it implements; `log`, which reads the lines.

use super::{Batch, BusError, FrameSource};
use crate::Frame;
use crate::log::{LogError, LogReader};
use async_trait::async_trait;
use coachwork_vehicle::{Clock, Monotonic, TimeBase, Timestamp};
use std::fmt;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

/// A log as a [`FrameSource`]: as fast as it is read unless [`paced`](Self::paced) by a clock.
///
/// Reading a file (or a pipe) blocks the task that polls it.
pub struct LogSource<R> {
    reader: LogReader<R>,
    time_base: TimeBase,
    pace: Option<Pace>,
    /// The frame that is not due yet.
    next: Option<Frame>,
    /// Records that were bad before the first frame.
    bad: u64,
    failed: Option<LogError>,
    on_bad: Option<BadRecord>,
}

type BadRecord = Box<dyn FnMut(&LogError) + Send>;

struct Pace {
    clock: Arc<dyn Clock>,
    speed: f64,
    /// When the log began: its own time, and the clock's.
    start: Option<(Timestamp, Monotonic)>,
}

impl<R: BufRead> LogSource<R> {
    /// Makes a log a source. It reads up to the first frame, to know what its times count from.
    pub fn new(reader: LogReader<R>) -> Self {
        Self::watched(reader, None)
    }

    /// The same, with a look at each record that is no frame.
    pub fn with_bad_records(reader: LogReader<R>, on_bad: impl FnMut(&LogError) + Send + 'static) -> Self {
        Self::watched(reader, Some(Box::new(on_bad)))
    }

    fn watched(reader: LogReader<R>, on_bad: Option<BadRecord>) -> Self {
        let mut source = Self {
            reader,
            time_base: TimeBase::Unknown,
            pace: None,
            next: None,
            bad: 0,
            failed: None,
            on_bad,
        };
        source.next = source.advance();
        source.time_base = source.reader.time_base();
        source
    }

    /// Plays the log at `speed` times its own pace on `clock`: 1 is real time. A speed that is not a positive number is as fast as it is read.
    #[must_use]
    pub fn paced(mut self, clock: Arc<dyn Clock>, speed: f64) -> Self {
        self.pace = (speed.is_finite() && speed > 0.0).then_some(Pace { clock, speed, start: None });
        self
    }

    /// The next frame, bad records counted.
    fn advance(&mut self) -> Option<Frame> {
        loop {
            match self.reader.next()? {
                Ok(frame) => return Some(frame),
                Err(error) => {
                    if error.is_final() {
                        self.failed = Some(error);
                        return None;
                    }
                    self.bad += 1;
                    if let Some(on_bad) = &mut self.on_bad {
                        on_bad(&error);
                    }
                }
            }
        }
    }
}

impl Pace {
    /// When a frame is due, if that is later than now. What has no time, or an earlier one than the first, is due at once.
    fn later(&mut self, frame: &Frame) -> Option<Monotonic> {
        let now = self.clock.monotonic();
        let time = frame.time()?;
        let (first, began) = *self.start.get_or_insert((time, now));
        let after = time.saturating_since(first).as_secs_f64() / self.speed;
        let due = began.saturating_add(Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX));
        (due > now).then_some(due)
    }
}

#[async_trait]
impl<R: BufRead + Send + fmt::Debug + 'static> FrameSource for LogSource<R> {
    async fn read(&mut self, batch: &mut Batch) -> Result<(), BusError> {
        while let Some(frame) = self.next {
            if let Some(pace) = &mut self.pace
                && let Some(due) = pace.later(&frame)
            {
                if !batch.is_empty() {
                    break;
                }
                pace.clock.sleep_until(due).await;
                continue;
            }
            if !batch.push(frame) {
                break;
            }
            self.next = self.advance();
        }
        batch.count_bad(std::mem::take(&mut self.bad));
        match self.failed.take() {
            Some(error) if batch.is_empty() => Err(error.into()),
            failed => {
                self.failed = failed;
                Ok(())
            }
        }
    }

    fn name(&self) -> &str {
        self.reader.name()
    }

    fn time_base(&self) -> TimeBase {
        self.time_base
    }

    fn waits(&self) -> bool {
        self.pace.is_none()
    }
}

impl<R: fmt::Debug> fmt::Debug for LogSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSource").field("reader", &self.reader).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::ManualClock;
    use futures::FutureExt;
    use futures::executor::block_on;

    const LOG: &[u8] = b"noise\n(1.0) c 001#01\n(1.5) c 001#02\nmore noise\n(1.5) c 001#03\n(4.0) c 001#04\n";

    fn bytes(batch: &Batch) -> Vec<u8> {
        batch.frames().iter().map(|frame| frame.data()[0]).collect()
    }

    #[test]
    fn as_fast_as_it_is_read() {
        let mut seen = Vec::new();
        let (sender, receiver) = std::sync::mpsc::sync_channel(8);
        let reader = LogReader::new("log", LOG);
        let mut source =
            LogSource::with_bad_records(reader, move |error| sender.send(error.to_string()).unwrap());
        assert_eq!(source.time_base(), TimeBase::Unknown);
        let (mut batch, mut bad) = (Batch::new(3), 0);
        loop {
            block_on(source.read(&mut batch)).unwrap();
            bad += batch.bad();
            if batch.is_empty() {
                break;
            }
            seen.push(bytes(&batch));
            batch.clear();
        }
        assert_eq!(seen, [vec![1, 2, 3], vec![4]]);
        assert_eq!(bad, 2);
        drop(source);
        assert_eq!(receiver.iter().count(), 2);
    }

    #[test]
    fn at_the_pace_of_a_clock() {
        let clock = ManualClock::default();
        let mut source = LogSource::new(LogReader::new("log", LOG)).paced(Arc::new(clock.clone()), 2.0);
        let mut batch = Batch::new(10);
        block_on(source.read(&mut batch)).unwrap();
        assert_eq!(bytes(&batch), [1]);
        batch.clear();
        assert!(source.read(&mut batch).now_or_never().is_none());
        clock.advance(Duration::from_millis(249));
        assert!(source.read(&mut batch).now_or_never().is_none());
        clock.advance(Duration::from_millis(1));
        block_on(source.read(&mut batch)).unwrap();
        assert_eq!(bytes(&batch), [2, 3]);
        batch.clear();
        clock.advance(Duration::from_secs(10));
        block_on(source.read(&mut batch)).unwrap();
        assert_eq!(bytes(&batch), [4]);
        batch.clear();
        block_on(source.read(&mut batch)).unwrap();
        assert!(batch.is_empty());
    }

    #[test]
    fn a_log_that_cannot_be_read_on_is_an_error_after_what_was_read() {
        let mut source = LogSource::new(LogReader::new("log", &b"PK\x03\x04zip"[..]));
        let error = block_on(source.read(&mut Batch::new(4))).unwrap_err();
        assert_eq!(error.to_string(), "log: this is a zip file, which is not read");
    }
}
