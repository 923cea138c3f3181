//! What a clause works with: the subject's means, time, and what can be waited for.
//!
//! *Invariant:* every wait has an end on the stage's clock: a vehicle that never answers fails its clause.
//! *Next:* `clauses` (which are written in these words), `sample.rs` (which values are tried).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use coachwork_vehicle::{
    Catalogue, Datapoint, Entry, Event, Get, Monotonic, Outcome, Permission, Receipt, Request, Set, SignalId,
    State, Subscribe, Subscription, Timestamp, Value, Vehicle,
};
use futures_util::future::{Either, select};

use crate::sample::samples;
use crate::stage::Stage;
use crate::subject::{Probe, Subject};
use crate::verdict::{Failure, Ran, Verdict};

/// How long a vehicle may take for anything, unless a clause says otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// One clause at work on one subject.
#[derive(Debug)]
pub struct Trial {
    subject: Subject,
    stage: Stage,
}

/// A signal to try things on, with values to try.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) id: SignalId,
    pub(crate) path: String,
    pub(crate) values: Vec<Value>,
}

impl Chosen {
    pub(crate) fn value(&self, n: usize) -> Value {
        self.values.get(n % self.values.len().max(1)).cloned().unwrap_or(Value::Bool(false))
    }
}

/// Says that a clause cannot be tried.
#[expect(clippy::unnecessary_wraps, reason = "it is what a clause returns")]
pub(crate) fn skip(why: &'static str) -> Ran {
    Ok(Verdict::Skipped(why.into()))
}

/// Fails the clause unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::verdict::Failure::new(format!($($words)+)));
        }
    };
}

/// Skips the clause where an `Option` is `None`.
macro_rules! need {
    ($option:expr, $why:literal) => {
        match $option {
            Some(value) => value,
            None => return $crate::trial::skip($why),
        }
    };
}

/// Makes the source report states; skips the clause where the subject has no means to.
macro_rules! report {
    ($trial:expr, $points:expr) => {
        match $trial.report($points) {
            Ok(()) => {}
            Err(why) => return Ok($crate::verdict::Verdict::Skipped(why.into())),
        }
    };
}

pub(crate) use {ensure, need, report};

impl Trial {
    /// A subject on the stage that it was built on.
    pub fn new(subject: Subject, stage: Stage) -> Self {
        Self { subject, stage }
    }

    /// A name that leads nowhere would make the suite try something else, and nobody would know.
    pub(crate) fn names_what_there_is(&self) -> Result<(), Failure> {
        let catalogue = self.car().catalogue();
        let named = [("with_probe", &self.subject.probes), ("with_actuator", &self.subject.actuators)];
        for (means, probes) in named {
            for Probe { path, .. } in probes {
                ensure!(
                    catalogue.id(path).is_some(),
                    "{means} names {path}, which is not in the vehicle's catalogue"
                );
            }
        }
        Ok(())
    }

    /// A failure, with what it most likely comes from where nothing was ever said.
    pub(crate) async fn hinted(&self, failure: Failure) -> Failure {
        let ids: Vec<_> = self.car().catalogue().ids().collect();
        let answers = self.within(PATIENCE, self.car().get(Get::of(&ids))).await;
        let Some(Ok(answers)) = answers else { return failure };
        let silent = answers.iter().flatten().all(|point| matches!(point.state, State::NeverSet));
        if !silent || ids.is_empty() {
            return failure;
        }
        Failure::new(format!(
            "{failure} (no signal has ever been set: is the driver spawned on the stage, and does its source answer?)"
        ))
    }

    pub(crate) fn car(&self) -> &dyn Vehicle {
        self.subject.vehicle.as_ref()
    }

    pub(crate) fn now(&self) -> Monotonic {
        self.stage.clock().monotonic()
    }

    /// By how much a moment may be missed.
    pub(crate) fn slack(&self) -> Duration {
        self.stage.slack()
    }

    /// Lets time pass.
    pub(crate) async fn pause(&self, time: Duration) {
        let clock = self.stage.clock();
        clock.sleep_until(clock.monotonic().saturating_add(time)).await;
    }

    /// Lets what is under way arrive, without moving time on more than must be.
    pub(crate) async fn settle(&self) {
        self.pause(self.slack().max(Duration::from_micros(1))).await;
    }

    /// Awaits something for at most `time`.
    pub(crate) async fn within<T>(&self, time: Duration, what: impl Future<Output = T>) -> Option<T> {
        let what = pin!(what);
        let clock = self.stage.clock();
        let late = clock.sleep_until(clock.monotonic().saturating_add(time));
        match select(what, late).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// Awaits something that must come.
    pub(crate) async fn must<T>(&self, what: &str, wait: impl Future<Output = T>) -> Result<T, Failure> {
        let late = || Failure::new(format!("{what} did not come within {} s", PATIENCE.as_secs()));
        self.within(PATIENCE, wait).await.ok_or_else(late)
    }

    /// The next event of a subscription, which must come.
    pub(crate) async fn next(&self, watch: &mut Subscription) -> Result<Event, Failure> {
        let event = self.must("an event", watch.next()).await?;
        event.ok_or_else(|| Failure::new("a subscription is over without having ended"))
    }

    /// The next datapoints of a subscription, which must come.
    pub(crate) async fn points(
        &self,
        watch: &mut Subscription,
    ) -> Result<Vec<(SignalId, Datapoint)>, Failure> {
        match self.next(watch).await? {
            Event::Changed(points) => Ok(points.iter().map(|(id, point)| (id, point.clone())).collect()),
            other => Err(Failure::new(format!("datapoints were due, not {other:?}"))),
        }
    }

    /// Reads the present values of a new subscription, which come first.
    pub(crate) async fn present(
        &self,
        watch: &mut Subscription,
    ) -> Result<Vec<(SignalId, Datapoint)>, Failure> {
        let mut owed = watch.granted().to_vec();
        let mut all = Vec::new();
        while !owed.is_empty() {
            for (id, point) in self.points(watch).await? {
                owed.retain(|other| *other != id);
                all.push((id, point));
            }
        }
        Ok(all)
    }

    /// A subscription whose present values have been read.
    pub(crate) async fn watch(&self, wish: Subscribe) -> Result<Subscription, Failure> {
        let mut watch = self.car().subscribe(wish).await?;
        self.present(&mut watch).await?;
        Ok(watch)
    }

    /// The values and gaps of a subscription up to a value, which must come: values of one signal, in their order.
    pub(crate) async fn values_until(
        &self,
        watch: &mut Subscription,
        last: &Value,
    ) -> Result<(Vec<Value>, u64), Failure> {
        let (mut seen, mut lagged) = (Vec::new(), 0);
        loop {
            match self.next(watch).await? {
                Event::Lagged(n) => lagged += n,
                Event::Changed(points) => {
                    for (_, point) in points.iter() {
                        seen.extend(point.value().cloned());
                    }
                }
                other => return Err(Failure::new(format!("datapoints were due, not {other:?}"))),
            }
            if seen.last().is_some_and(|value| value.same(last)) {
                return Ok((seen, lagged));
            }
        }
    }

    /// What a subscription tells within `time`, for what must not come.
    pub(crate) async fn events_within(&self, watch: &mut Subscription, time: Duration) -> Vec<Event> {
        let end = self.now().saturating_add(time);
        let mut events = Vec::new();
        loop {
            let left = end.saturating_since(self.now());
            match self.within(left, watch.next()).await {
                Some(Some(event)) => events.push(event),
                Some(None) | None => return events,
            }
        }
    }

    /// The datapoint of one signal.
    pub(crate) async fn get(&self, id: SignalId) -> Result<Datapoint, Failure> {
        let mut answers = self.must("the answer to a get", self.car().get(Get::of(&[id]))).await??;
        let answer = answers.pop().ok_or_else(|| Failure::new("a get of one signal has no answer"))?;
        Ok(answer?)
    }

    /// Reads until the state of a signal is as it should be.
    pub(crate) async fn get_until(
        &self,
        id: SignalId,
        what: &str,
        holds: impl Fn(&State) -> bool,
    ) -> Result<Datapoint, Failure> {
        let end = self.now().saturating_add(PATIENCE);
        loop {
            let point = self.get(id).await?;
            if holds(&point.state) {
                return Ok(point);
            }
            ensure!(self.now() < end, "{what}: the reading stays {}", point.state);
            self.pause(Duration::from_millis(5)).await;
        }
    }

    /// Asks one actuator to move.
    pub(crate) async fn ask(&self, id: SignalId, value: Value, set: Set) -> Result<Receipt, Failure> {
        let requests = vec![Request { signal: id, value, set }];
        let mut answers = self.must("the answer to a set", self.car().set(requests)).await??;
        let answer = answers.pop().ok_or_else(|| Failure::new("a set of one signal has no answer"))?;
        Ok(answer?)
    }

    /// How a request ended.
    pub(crate) async fn outcome(&self, receipt: &Receipt) -> Result<Outcome, Failure> {
        self.must("the outcome of a request", receipt.outcome()).await
    }

    /// Makes the source report states as one batch, or says why the clause must be skipped.
    pub(crate) fn report(&self, points: &[(&str, State)]) -> Result<(), String> {
        let report = self.subject.reports.as_ref();
        let report = report.ok_or("the subject has no means to make its source report")?;
        report(points).map_err(|error| format!("the source cannot report this: {error}"))
    }

    /// Changes the right to read a signal.
    pub(crate) fn govern(&self, path: &str, read: Permission) -> Option<()> {
        self.subject.rights.as_ref().map(|govern| govern(path, read))
    }

    /// The time that a source would stamp its reports with.
    pub(crate) fn time(&self) -> Timestamp {
        self.stage.clock().now()
    }

    /// Makes the source report a state that it saw at an earlier time, or says why the clause must be skipped.
    pub(crate) fn report_dated(&self, path: &str, state: State, at: Timestamp) -> Result<(), String> {
        let report = self.subject.dated.as_ref();
        let report = report.ok_or("the subject has no means to make its source report of an earlier time")?;
        report(path, state, at).map_err(|error| format!("the source cannot report this: {error}"))
    }

    /// Adds a signal to the vehicle's tree.
    pub(crate) fn grow(&self, entry: Entry) -> Result<(), String> {
        let grow =
            self.subject.growth.as_ref().ok_or("the subject has no means to add a signal to its tree")?;
        grow(entry).map_err(|error| format!("the tree cannot be added to: {error}"))
    }

    /// Ends the vehicle for good.
    pub(crate) fn end(&self) -> Option<()> {
        self.subject.end.as_ref().map(|end| end())
    }

    /// Cuts or mends the link behind the vehicle.
    pub(crate) fn switch(&self, up: bool) -> Option<()> {
        self.subject.link.as_ref().map(|switch| switch(up))
    }

    /// A signal that the source can be made to report, with at least `count` values that differ.
    pub(crate) fn probe(&self, count: usize) -> Option<Chosen> {
        self.probe_where(count, |entry| entry.stale_after().is_none())
            .or_else(|| self.probe_where(count, |_| true))
    }

    /// Whether the source can be made to report.
    pub(crate) fn reports(&self) -> bool {
        self.subject.reports.is_some()
    }

    /// A signal to watch: one that can be made to report two values, or where none can, the first that may be read.
    pub(crate) fn watched(&self) -> Option<Chosen> {
        if self.reports() {
            return self.probe(2);
        }
        let catalogue = self.car().catalogue();
        let named = named(&catalogue, &self.subject.probes).into_iter();
        let any = || {
            let id = self.readable()?;
            Some(Chosen { id, path: catalogue.path(id).ok()?.as_str().to_owned(), values: Vec::new() })
        };
        named.into_iter().next().or_else(any)
    }

    /// A probe whose entry is of a certain kind.
    pub(crate) fn probe_where(&self, count: usize, fits: impl Fn(&Entry) -> bool) -> Option<Chosen> {
        self.probes_where(count, fits).into_iter().next()
    }

    /// All probes whose entries are of a certain kind.
    pub(crate) fn probes_where(&self, count: usize, fits: impl Fn(&Entry) -> bool) -> Vec<Chosen> {
        if self.subject.reports.is_none() {
            return Vec::new();
        }
        let catalogue = self.car().catalogue();
        let named = named(&catalogue, &self.subject.probes);
        let chosen = if named.is_empty() { any(&catalogue) } else { named };
        let fits = |one: &Chosen| {
            one.values.len() >= count
                && catalogue.readable(one.id).is_ok()
                && catalogue.entry(one.id).is_ok_and(&fits)
        };
        chosen.into_iter().filter(fits).collect()
    }

    /// An actuator that may be moved, with at least `count` values that differ.
    pub(crate) fn actuator(&self, count: usize) -> Option<Chosen> {
        let catalogue = self.car().catalogue();
        let named = named(&catalogue, &self.subject.actuators);
        let chosen = if named.is_empty() { any(&catalogue) } else { named };
        chosen.into_iter().find(|one| {
            one.values.len() >= count && catalogue.access(one.id).is_ok_and(|a| a.write == Permission::Yes)
        })
    }

    /// A signal that may be read.
    pub(crate) fn readable(&self) -> Option<SignalId> {
        let catalogue = self.car().catalogue();
        catalogue.ids().find(|&id| catalogue.readable(id).is_ok())
    }
}

/// Polls a call so many times, with everybody else between, and drops it.
pub(crate) async fn poll_and_drop<T>(mut call: Pin<Box<dyn Future<Output = T> + Send + '_>>, times: usize) {
    for _ in 0..times {
        if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await.is_ready() {
            return;
        }
        let mut rested = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut rested, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

fn named(catalogue: &Catalogue, probes: &[Probe]) -> Vec<Chosen> {
    let known = probes.iter().filter_map(|probe| {
        let id = catalogue.id(&probe.path)?;
        Some(Chosen { id, path: probe.path.clone(), values: probe.values.clone() })
    });
    known.collect()
}

fn any(catalogue: &Catalogue) -> Vec<Chosen> {
    let all = catalogue.iter().map(|(id, entry)| Chosen {
        id,
        path: entry.path().as_str().to_owned(),
        values: samples(entry),
    });
    all.collect()
}
