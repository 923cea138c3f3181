//! Frames become datapoints, through the gates of the mapping.
//!
//! A gate works as its format says: the time gate first (it remembers the time even where the sample is dropped later), then the transform,
//! then the change gate against what was last passed on; the first sample always passes. A value that stays the same is passed on again
//! before it would be stale, so that `on_change` does not make it so.
//! *Invariant:* no name is compared and, but for numbers shown as text, nothing is allocated per frame.
//! *Next:* `value.rs` (the transforms), `vehicle.rs` (who publishes the points).

use super::{Plan, ToVehicle};
use crate::{Databases, Frame};
use coachwork_dbc::{Raw, SignalIndex};
use coachwork_vehicle::{Catalogue, Datapoint, SignalId, State, Timestamp};
use std::time::Duration;

/// What each message's frames become.
pub(crate) struct Inward {
    databases: Databases,
    /// By message of the databases: its targets.
    targets: Vec<Vec<Target>>,
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Its message is in the mapping, and the frame has all its bytes.
    Read,
    /// Its message is in the mapping, and the frame is shorter than it: the signals that it has were read.
    Short,
    /// Its message is in the database alone.
    Unmapped,
    /// It is in neither.
    Unknown,
    /// A remote or error frame: it has no signals.
    NoData,
}

struct Target {
    id: SignalId,
    signal: SignalIndex,
    to_vehicle: ToVehicle,
    interval: Duration,
    on_change: bool,
    /// After how long a value that stays the same is passed on again.
    refresh: Option<Duration>,
    sampled: Option<Timestamp>,
    /// What the last raw value became.
    converted: Option<(Raw, Option<State>)>,
    passed: Option<(State, Timestamp)>,
}

impl Inward {
    pub(crate) fn new(plan: &Plan, catalogue: &Catalogue) -> Self {
        let mut targets: Vec<Vec<Target>> = Vec::new();
        targets.resize_with(plan.databases.message_count(), Vec::new);
        for (id, route) in catalogue.ids().zip(&plan.routes) {
            let Some(reading) = &route.reading else { continue };
            let Some(of_message) = targets.get_mut(reading.place.message) else { continue };
            of_message.push(Target {
                id,
                signal: reading.place.signal,
                to_vehicle: reading.to_vehicle.clone(),
                interval: reading.interval,
                on_change: reading.on_change,
                refresh: reading.stale_after.map(|limit| limit / 2),
                sampled: None,
                converted: None,
                passed: None,
            });
        }
        Self { databases: plan.databases.clone(), targets }
    }

    /// Appends what a frame says to `points`; `now` is when it was received.
    pub(crate) fn read(
        &mut self,
        frame: &Frame,
        now: Timestamp,
        points: &mut Vec<(SignalId, Datapoint)>,
    ) -> Fate {
        if !frame.is_data() {
            return Fate::NoData;
        }
        let Some(position) = self.databases.find(frame.id()) else {
            return Fate::Unknown;
        };
        let (Some(message), Some(targets)) =
            (self.databases.message(position), self.targets.get_mut(position))
        else {
            return Fate::Unknown;
        };
        if targets.is_empty() {
            return Fate::Unmapped;
        }
        let source = frame.time().unwrap_or(now);
        for target in targets {
            let Some(sample) = message.decode_signal(target.signal, frame.data()) else { continue };
            if let Some(state) = target.pass(&sample, source) {
                points.push((target.id, Datapoint { state, source, received: now }));
            }
        }
        if frame.len() < message.length() { Fate::Short } else { Fate::Read }
    }
}

impl Target {
    /// The sample's state, if it passes the gates.
    fn pass(&mut self, sample: &coachwork_dbc::SignalValue<'_>, at: Timestamp) -> Option<State> {
        // A time before the last (a log that starts again) passes.
        if self.sampled.is_some_and(|last| at >= last && at.saturating_since(last) < self.interval) {
            return None;
        }
        self.sampled = Some(at);
        let known = self.converted.as_ref().filter(|(raw, _)| *raw == sample.raw());
        if known.is_none() {
            self.converted = Some((sample.raw(), self.to_vehicle.convert(sample)));
        }
        let state = self.converted.as_ref()?.1.as_ref()?;
        if self.on_change
            && let Some((last, passed)) = &self.passed
            && last.same(state)
            && self.refresh.is_none_or(|refresh| at.saturating_since(*passed) < refresh)
        {
            return None;
        }
        if self.on_change {
            self.passed = Some((state.clone(), at));
        }
        Some(state.clone())
    }
}
