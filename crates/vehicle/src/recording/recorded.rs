//! A recording becomes a vehicle that says again what was said: at its own pace, faster, or as fast as it is listened to.
//!
//! *Invariant:* it can only be read: nobody moves a car that drove yesterday. A group of points is one publish, as it was.
//! *Next:* `recorder.rs` (the form), `board.rs` (who answers).

use std::fmt;
use std::future::poll_fn;
use std::io::{BufRead, Read};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::{MAGIC, MAX_GROUP, MAX_LINE, MAX_SIGNALS, RecordingError, RecordingFault, line};
use crate::bell::Bell;
use crate::board::Board;
use crate::catalogue::{Access, Catalogue, Entry, Facts, Permission, SignalId, TimeBase};
use crate::clock::Clock;
use crate::datapoint::{Datapoint, Reason, ReasonKind};
use crate::driver::Driver;
use crate::error::Error;
use crate::receipt::Receipt;
use crate::request::Request;
use crate::structs::{MAX_STRUCT_PROPERTIES, StructType};
use crate::subscribe::Subscribe;
use crate::subscription::Subscription;
use crate::sync::lock;
use crate::time::{Monotonic, Timestamp};
use crate::vehicle::{Each, Get, Vehicle};

/// How fast a recording is played back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Pace {
    /// As fast as it is listened to.
    #[default]
    Unpaced,
    /// This many times its own pace, on the vehicle's clock: 1 is real time, or step by step where the clock is moved by hand.
    Times(f64),
}

/// How far a playback has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Playback {
    /// Bytes that were read.
    pub bytes: u64,
    /// Datapoints that were published.
    pub points: u64,
    /// Datapoints that the recording says are missing.
    pub lost: u64,
    /// Lines that make no sense.
    pub bad: u64,
    /// When what was said last was said.
    pub at: Option<Timestamp>,
    /// Why it ended, where it has.
    pub ended: Option<String>,
}

/// A vehicle that plays back what another one said, as a [`Recorder`](crate::Recorder) wrote it down.
///
/// Its catalogue has the recorded signals, to be read alone. When the recording ends, they are not available, with the reason; a file that was
/// cut off before its `end` says so there. A reader that holds back (a `Block` subscription) holds the playback back.
///
/// ```
/// use coachwork_vehicle::{ManualClock, Pace, Recorded, VehicleExt};
/// use std::sync::Arc;
///
/// # futures::executor::block_on(async {
/// let text = "coachwork-recording 1 utc\nsignal\tVehicle.Speed\tsensor\tfloat\tunit=km/h\n@1000000000\n0\t=50.5\nend\tswitched off\n";
/// let clock = Arc::new(ManualClock::default());
/// let (car, driver) = Recorded::open("drive.rec", text.as_bytes(), clock, Pace::Unpaced)?;
/// driver.await?;
/// assert_eq!(car.playback().points, 1);
/// assert_eq!(car.read_path("Vehicle.Speed").await?.state.to_string(), "not available: drive.rec has ended: switched off");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Recorded {
    name: Arc<str>,
    board: Board,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicU64,
    points: AtomicU64,
    lost: AtomicU64,
    bad: AtomicU64,
    last: Mutex<(Option<Timestamp>, Option<String>)>,
    dropped: AtomicBool,
    bell: Bell,
}

impl Recorded {
    /// Opens a recording: reads what its signals are. `name` is for people and errors. The driver plays it back; reading blocks the task that
    /// polls it, as files do. A pace that is not a positive number is [`Pace::Unpaced`].
    ///
    /// # Errors
    /// It cannot be read, is no recording, or a signal's line makes no sense.
    pub fn open(
        name: &str,
        reader: impl BufRead + Send + 'static,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> Result<(Self, Driver), RecordingError> {
        let shared = Arc::new(Shared::default());
        let mut lines = Lines { reader, number: 0, line: Vec::new(), shared: shared.clone() };
        let at = |number: u64| move |fault| RecordingError { name: name.to_owned(), line: number, fault };
        let head = lines.next().map_err(at(1))?;
        let time = match head.as_deref().and_then(|head| head.strip_prefix(MAGIC)) {
            Some(" utc") => TimeBase::Utc,
            Some(" unknown") => TimeBase::Unknown,
            _ => return Err(at(1)(RecordingFault::NotARecording)),
        };
        let (mut entries, mut first) = (Vec::<Entry>::new(), None);
        let (mut types, mut open) = (line::Types::new(), None);
        while let Some(text) = lines.next().map_err(at(lines.number + 1))? {
            let fault = || at(lines.number)(RecordingFault::Signal(text.chars().take(80).collect()));
            if text.starts_with("property\t") {
                let (_, properties): &mut (String, Vec<Entry>) = open.as_mut().ok_or_else(fault)?;
                if properties.len() >= MAX_STRUCT_PROPERTIES {
                    return Err(fault());
                }
                properties.push(line::property(&text, &types).ok_or_else(fault)?);
                continue;
            }
            if let Some((path, properties)) = open.take() {
                let of = StructType::new(&path, properties);
                let of =
                    of.map_err(|why| at(lines.number)(RecordingFault::Signal(format!("{path}: {why}"))))?;
                types.insert(path, of);
            }
            if let Some(path) = text.strip_prefix("struct\t") {
                if types.len() >= MAX_SIGNALS {
                    return Err(at(lines.number)(RecordingFault::TooManySignals));
                }
                if types.contains_key(path) {
                    return Err(fault());
                }
                open = Some((path.to_owned(), Vec::new()));
                continue;
            }
            if !text.starts_with("signal\t") {
                first = Some(text);
                break;
            }
            if entries.len() >= MAX_SIGNALS {
                return Err(at(lines.number)(RecordingFault::TooManySignals));
            }
            entries.push(line::entry(&text, &types).ok_or_else(fault)?);
        }
        let facts = Facts { back_pressure: true, time, ..Facts::default() };
        let catalogue = Catalogue::new(entries, facts)
            .map_err(|error| at(lines.number)(RecordingFault::Signal(error.to_string())))?;
        let read_only = |_, access: &Access| Access { read: access.read.clone(), write: Permission::No };
        let catalogue = catalogue.with_access(read_only);
        let signals = catalogue.iter().map(|(id, entry)| (id, entry.clone())).collect();
        let board = Board::new(catalogue, clock);
        let recorded = Self { name: name.into(), board: board.clone(), shared };
        let name = recorded.name.clone();
        let player = Player { lines, first, signals, board, name, pace, began: None };
        Ok((recorded, Driver::new(player.run())))
    }

    /// How far it has come.
    pub fn playback(&self) -> Playback {
        let (at, ended) = lock(&self.shared.last).clone();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { bytes, points, lost, bad, .. } = &*self.shared;
        Playback { bytes: of(bytes), points: of(points), lost: of(lost), bad: of(bad), at, ended }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for Recorded {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.board.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.board.get(get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        // Nothing can be written, so that the board refuses each before it would be sent.
        self.board
            .set(requests, |_| Err(Error::new(crate::ErrorKind::NotActuator, "a recording cannot be moved")))
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.board.subscribe(subscribe)
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("name", &self.name)
            .field("playback", &self.playback())
            .finish_non_exhaustive()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.shared.dropped.store(true, Ordering::Release);
        self.shared.bell.ring();
    }
}

/// The lines of a recording, each bounded.
struct Lines<R> {
    reader: R,
    number: u64,
    line: Vec<u8>,
    shared: Arc<Shared>,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is text and not too long; others are counted.
    fn next(&mut self) -> Result<Option<String>, RecordingFault> {
        loop {
            self.line.clear();
            let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
            let read = (&mut self.reader).take(most).read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| RecordingFault::Io(Arc::new(error)))?;
            self.shared.bytes.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_whole = self.line.last() == Some(&b'\n');
            if is_whole && let Ok(text) = str::from_utf8(&self.line) {
                return Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()));
            }
            self.shared.bad.fetch_add(1, Ordering::Relaxed);
            if !is_whole {
                self.skip()?;
            }
        }
    }

    /// Reads over the rest of a line that is too long, or was cut.
    fn skip(&mut self) -> Result<(), RecordingFault> {
        let skipped = self.reader.skip_until(b'\n').map_err(|error| RecordingFault::Io(Arc::new(error)))?;
        self.shared.bytes.fetch_add(u64::try_from(skipped).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }
}

/// What the driver runs.
struct Player<R> {
    lines: Lines<R>,
    /// The line after the signals.
    first: Option<String>,
    /// By their numbers.
    signals: Vec<(SignalId, Entry)>,
    board: Board,
    name: Arc<str>,
    pace: Pace,
    /// When it began: its own time, and the clock's.
    began: Option<(Timestamp, Monotonic)>,
}

impl<R: BufRead + Send + 'static> Player<R> {
    async fn run(mut self) -> Result<(), Error> {
        let mut points: Vec<(SignalId, Datapoint)> = Vec::new();
        let mut at = Timestamp::EPOCH;
        let ended = loop {
            let text = match self.first.take().map_or_else(|| self.lines.next(), |first| Ok(Some(first))) {
                Ok(Some(text)) => text,
                Ok(None) => break "it was cut off".to_owned(),
                Err(fault) => {
                    let reason = format!("{}: {fault}", self.name);
                    self.close(ReasonKind::Link, reason.clone());
                    return Err(Error::new(crate::ErrorKind::Unavailable, reason));
                }
            };
            if let Some(time) = text.strip_prefix('@') {
                if !self.say(&mut points).await? {
                    return Ok(());
                }
                match time.parse().map(Timestamp::from_nanoseconds) {
                    Ok(time) => at = time,
                    Err(_) => self.count_bad(),
                }
                if !self.wait_for(at).await {
                    return Ok(());
                }
                lock(&self.lines.shared.last).0 = Some(at);
            } else if let Some(count) = text.strip_prefix("lost\t") {
                match count.parse() {
                    Ok(count) => {
                        self.lines.shared.lost.fetch_add(count, Ordering::Relaxed);
                    }
                    Err(_) => self.count_bad(),
                }
            } else if let Some(reason) = text.strip_prefix("end\t") {
                break line::unescape(reason).unwrap_or_else(|| reason.to_owned());
            } else if let Some(point) = self.point(&text, at) {
                points.push(point);
                if points.len() >= MAX_GROUP && !self.say(&mut points).await? {
                    return Ok(());
                }
            } else {
                self.count_bad();
            }
        };
        if self.say(&mut points).await? {
            self.close(ReasonKind::Ended, format!("{} has ended: {ended}", self.name));
        }
        Ok(())
    }

    /// A datapoint of a line: number, state, and the times where they are not `at`.
    fn point(&self, text: &str, at: Timestamp) -> Option<(SignalId, Datapoint)> {
        let mut fields = text.split('\t');
        let number: usize = fields.next()?.parse().ok()?;
        let (signal, entry) = self.signals.get(number)?;
        let state = line::state(fields.next()?, entry)?;
        let time = |text: &str| text.parse().ok().map(Timestamp::from_nanoseconds);
        let source = fields.next().map_or(Some(at), time)?;
        let received = fields.next().map_or(Some(source), time)?;
        let point = Datapoint { state, source, received };
        fields.next().is_none().then_some((*signal, point))
    }

    fn count_bad(&self) {
        self.lines.shared.bad.fetch_add(1, Ordering::Relaxed);
    }

    /// Publishes what was said together; whether anybody is there to hear more.
    async fn say(&mut self, points: &mut Vec<(SignalId, Datapoint)>) -> Result<bool, Error> {
        if !points.is_empty() {
            let fed = or_dropped(&self.lines.shared, self.board.feed(points)).await;
            let Some(fed) = fed else { return Ok(false) };
            fed?;
            self.lines.shared.points.fetch_add(u64::try_from(points.len()).unwrap_or(0), Ordering::Relaxed);
            points.clear();
            // A file never makes its reader wait; others want to run too.
            yield_now().await;
        }
        Ok(!self.lines.shared.dropped.load(Ordering::Acquire))
    }

    /// Waits until what was said at `at` is due; whether anybody is there to hear it.
    async fn wait_for(&mut self, at: Timestamp) -> bool {
        let Pace::Times(speed) = self.pace else { return true };
        if !(speed.is_finite() && speed > 0.0) {
            return true;
        }
        let now = self.board.clock().monotonic();
        let (first, began) = *self.began.get_or_insert((at, now));
        let after = at.saturating_since(first).as_secs_f64() / speed;
        let due = began.saturating_add(Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX));
        due <= now || or_dropped(&self.lines.shared, self.board.clock().sleep_until(due)).await.is_some()
    }

    fn close(&self, kind: ReasonKind, reason: String) {
        lock(&self.lines.shared.last).1 = Some(reason.clone());
        self.board.withdraw_all(&Reason::because(kind, reason));
    }
}

/// What a future gives, or `None` where the vehicle is dropped meanwhile.
async fn or_dropped<T>(shared: &Shared, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut bell) = (pin!(future), pin!(shared.bell.listen()));
    poll_fn(|cx| {
        if shared.dropped.load(Ordering::Acquire) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(()) = bell.as_mut().poll(cx) {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Lets other tasks of the executor run.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
