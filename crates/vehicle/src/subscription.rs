//! A subscription is a stream of events, with a report of what it covers.
//!
//! *Invariant:* all state is in the stream, so that a dropped `next` loses nothing. It ends once, with a reason, and only as a whole.
//! *Next:* `board/reader.rs` (the source behind most of them), `gate.rs` (rights that change meanwhile).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::bell::Listener;
use crate::catalogue::{Catalogue, Permission, SignalId};
use crate::clock::{Clock, Sleep};
use crate::datapoint::{Datapoint, Reason};
use crate::error::{Error, Operation};
use crate::gate::Gate;
pub use crate::points::Points;
use crate::time::Monotonic;

/// What a subscription tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Datapoints, in the order in which they came.
    Changed(Points),
    /// This many datapoints are missing here.
    Lagged(u64),
    /// Signals that may no longer be read, or may be read again; the present value of the latter follows.
    Access(Vec<(SignalId, Permission)>),
    /// Nothing more will come. A lost link is no end: its signals become not available.
    Ended(Reason),
}

/// Where a subscription's events come from. Boards have one; only a backend or wrapper without a board writes its own.
pub trait Source: Send {
    /// The next event, `None` after [`Event::Ended`]. It must keep the waker for the next one.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>>;

    /// Stops delivering `signals` and drops what is queued of them, or delivers them again, their present values first.
    fn restrict(&mut self, signals: &[SignalId], allowed: bool);
}

/// A stream of [`Event`]s, and the report of what was granted. Dropping it ends it.
pub struct Subscription {
    catalogue: Arc<Catalogue>,
    signals: Vec<SignalId>,
    refused: Vec<(String, Error)>,
    source: Box<dyn Source>,
    gates: Vec<Watch>,
    limits: Limits,
    /// What the subscription that this one is a part of has no use for at present.
    masked: BTreeSet<SignalId>,
    waiting: VecDeque<Event>,
    ended: bool,
}

/// A gate with what was last seen of it.
struct Watch {
    gate: Arc<dyn Gate>,
    seen: Arc<Catalogue>,
    replaced: Listener,
    timer: Option<(Monotonic, Sleep)>,
    passed: Option<Monotonic>,
}

impl Subscription {
    /// A subscription that covers `signals` of `catalogue`, fed by `source`; `refused` reports the others, by path.
    pub fn new(
        catalogue: Arc<Catalogue>,
        signals: Vec<SignalId>,
        refused: Vec<(String, Error)>,
        source: Box<dyn Source>,
    ) -> Self {
        let (gates, limits, waiting) = (Vec::new(), Limits::default(), VecDeque::new());
        let masked = BTreeSet::new();
        Self { catalogue, signals, refused, source, gates, limits, masked, waiting, ended: false }
    }

    /// The next event; `None` after the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The signals that it covers, those without the right at present included.
    pub fn granted(&self) -> &[SignalId] {
        &self.signals
    }

    /// The signals that were asked for and are not delivered, by path, with the reason. A signal that is merely denied may
    /// return: then [`Event::Access`] says so.
    pub fn refused(&self) -> impl ExactSizeIterator<Item = (&str, &Error)> {
        self.refused.iter().map(|(path, error)| (path.as_str(), error))
    }

    /// The path of a signal in an event.
    pub fn path(&self, signal: SignalId) -> &str {
        self.catalogue.path(signal).map_or("", crate::Path::as_str)
    }

    /// The catalogue whose ids its events carry.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Adds a line to the report: a path that was asked for by name and is not there.
    pub fn refuse(&mut self, path: impl Into<String>, error: Error) {
        self.refused.push((path.into(), error));
    }

    /// Puts the rights of a wrapper over it; for wrappers, before the first poll.
    #[must_use]
    pub fn gated(mut self, gate: Arc<dyn Gate>) -> Self {
        let watch = Watch::new(gate);
        let mut denied = Vec::new();
        for &signal in &self.signals {
            if let Err(error) = watch.seen.readable(signal) {
                denied.push(signal);
                let path = self.path(signal).to_owned();
                // One line for each signal: the innermost gate that denies it gives the reason.
                if !self.refused.iter().any(|(refused, _)| *refused == path) {
                    self.refused.push((path, error.during(Operation::Subscribe)));
                }
            }
        }
        self.source.restrict(&denied, false);
        self.limits.any |= watch.gate.limits();
        self.gates.push(watch);
        self
    }

    /// What [`Source::restrict`] is for a source, for a subscription that is a part of another one.
    pub(crate) fn restrict(&mut self, signals: &[SignalId], allowed: bool) {
        if allowed {
            self.masked.retain(|masked| !signals.contains(masked));
            let awake: Vec<_> =
                signals.iter().copied().filter(|signal| !self.limits.resting.contains_key(signal)).collect();
            self.reopen(&awake);
        } else {
            self.masked.extend(signals);
            self.source.restrict(signals, false);
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Poll::Ready(Some(event));
            }
            if self.follow_gates() {
                continue;
            }
            if !self.limits.resting.is_empty() {
                let rested = self.limits.rested(cx);
                self.reopen(&rested);
            }
            if let Poll::Ready(event) = self.source.poll_event(cx) {
                self.ended = matches!(event, Some(Event::Ended(_)) | None);
                return Poll::Ready(match event {
                    Some(Event::Changed(points)) if self.limits.any => {
                        Some(Event::Changed(self.limited(&points)))
                    }
                    other => other,
                });
            }
            // Every gate is polled, so that each keeps the waker.
            let woken = self.gates.iter_mut().fold(false, |woken, watch| watch.poll(cx) | woken);
            if !woken {
                return Poll::Pending;
            }
        }
    }

    /// Applies what has changed since the last poll; says whether events wait.
    fn follow_gates(&mut self) -> bool {
        for gate in 0..self.gates.len() {
            let Some(watch) = self.gates.get_mut(gate) else { break };
            if watch.gate.cell().revision() == watch.seen.revision() {
                continue;
            }
            let before: Vec<_> = self.signals.iter().map(|&id| self.permission(id)).collect();
            if let Some(watch) = self.gates.get_mut(gate) {
                watch.seen = watch.gate.cell().load();
            }
            let after = self.signals.iter().map(|&id| (id, self.permission(id)));
            let changes: Vec<_> = after
                .zip(&before)
                .filter(|((_, now), before)| now != *before)
                .map(|(change, _)| change)
                .collect();
            let with = |allowed: bool| -> Vec<SignalId> {
                let chosen = changes.iter().filter(|(_, now)| (*now == Permission::Yes) == allowed);
                chosen.map(|(id, _)| *id).collect()
            };
            self.source.restrict(&with(false), false);
            let open: Vec<_> =
                with(true).into_iter().filter(|signal| !self.masked.contains(signal)).collect();
            self.source.restrict(&open, true);
            self.limits.any = self.gates.iter().any(|watch| watch.gate.limits());
            // Whatever was limited otherwise until now begins anew.
            let resting: Vec<_> = std::mem::take(&mut self.limits.resting).into_keys().collect();
            self.limits.timer = None;
            self.reopen(&resting);
            if !changes.is_empty() {
                self.waiting.push_back(Event::Access(changes));
            }
        }
        !self.waiting.is_empty()
    }

    /// Points as the gates leave them. A signal that has an interval rests after each delivery, masked at the source.
    fn limited(&mut self, points: &Points) -> Points {
        let mut shaped: Vec<(SignalId, Datapoint)> = Vec::with_capacity(points.len());
        for (signal, point) in points.iter() {
            let point = self.gates.iter().fold(point.clone(), |point, watch| watch.gate.shape(signal, point));
            let intervals = self.gates.iter().filter_map(|watch| watch.gate.interval(signal));
            if let Some((clock, interval)) = intervals.max_by_key(|(_, interval)| *interval) {
                // Of several updates in one event, the last is the state.
                shaped.retain(|(earlier, _)| *earlier != signal);
                self.source.restrict(&[signal], false);
                self.limits.resting.insert(signal, (clock.monotonic().saturating_add(interval), clock));
            }
            shaped.push((signal, point));
        }
        Points::new(shaped)
    }

    fn reopen(&mut self, rested: &[SignalId]) {
        let open =
            |signal: &SignalId| !self.masked.contains(signal) && self.permission(*signal) == Permission::Yes;
        let open: Vec<_> = rested.iter().copied().filter(open).collect();
        self.source.restrict(&open, true);
    }

    /// The right to read a signal: the first gate that takes it away decides.
    fn permission(&self, signal: SignalId) -> Permission {
        let read = |watch: &Watch| match watch.seen.access(signal) {
            Ok(access) => access.read.clone(),
            // A gate that does not know the signal does not open it.
            Err(error) => Permission::denied(error.message()),
        };
        self.gates.iter().map(read).find(|read| *read != Permission::Yes).unwrap_or(Permission::Yes)
    }
}

/// What the gates leave of signals that may be read.
#[derive(Default)]
struct Limits {
    any: bool,
    /// Signals that were delivered and rest until then.
    resting: BTreeMap<SignalId, (Monotonic, Arc<dyn Clock>)>,
    timer: Option<(Monotonic, Sleep)>,
}

impl Limits {
    /// The signals whose time has come; keeps the waker for the next.
    fn rested(&mut self, cx: &mut Context<'_>) -> Vec<SignalId> {
        let due = |(until, clock): &(Monotonic, Arc<dyn Clock>)| clock.monotonic() >= *until;
        let rested: Vec<_> = self.resting.iter().filter(|(_, rest)| due(rest)).map(|(id, _)| *id).collect();
        self.resting.retain(|signal, _| rested.binary_search(signal).is_err());
        let next = self.resting.values().min_by_key(|(until, _)| *until);
        match (&self.timer, next) {
            (_, None) => self.timer = None,
            (Some((at, _)), Some((until, _))) if at == until => {}
            (_, Some((until, clock))) => self.timer = Some((*until, clock.sleep_until(*until))),
        }
        if let Some((_, sleep)) = &mut self.timer
            && Pin::new(sleep).poll(cx).is_ready()
        {
            // It became due this very moment: once more round.
            self.timer = None;
            cx.waker().wake_by_ref();
        }
        rested
    }
}

impl Watch {
    fn new(gate: Arc<dyn Gate>) -> Self {
        let replaced = gate.cell().listen();
        let seen = gate.cell().load();
        Self { gate, seen, replaced, timer: None, passed: None }
    }

    /// Whether something may have changed; keeps the waker where not.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if Pin::new(&mut self.replaced).poll(cx).is_ready() {
            return true;
        }
        let due = self.gate.next_transition().filter(|(_, due)| self.passed != Some(*due));
        match (&self.timer, due) {
            (_, None) => self.timer = None,
            (Some((at, _)), Some((_, due))) if *at == due => {}
            (_, Some((clock, due))) => self.timer = Some((due, clock.sleep_until(due))),
        }
        let Some((due, sleep)) = &mut self.timer else { return false };
        if Pin::new(sleep).poll(cx).is_pending() {
            return false;
        }
        // A gate that names the same time again after it has passed is not asked in a circle.
        self.passed = Some(*due);
        self.timer = None;
        self.gate.refresh();
        true
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({} signals, {} refused)", self.signals.len(), self.refused.len())
    }
}
