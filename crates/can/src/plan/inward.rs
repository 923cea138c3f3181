//! Frames become datapoints, through the gates of the mapping.
//!
//! A gate works as its format says: the time gate first (it remembers the time even where the sample is dropped later), then the transform,
//! then the change gate against what was last passed on; the first sample always passes. A value that stays the same is passed on again
//! before it would be stale, so that `on_change` does not make it so; and that a value has become not available or an error passes the time
//! gate, so that a last valid value is not left standing.
//! *Invariant:* no name is compared and, but for numbers shown as text, nothing is allocated per frame.
//! *Next:* `value.rs` (the transforms), `vehicle.rs` (who publishes the points).

use super::{Plan, Reading, ToVehicle};
use crate::Frame;
use crate::network::Network;
use coachwork_dbc::{Raw, SignalIndex, SignalValue};
use coachwork_vehicle::{Catalogue, Datapoint, SignalId, State, Timestamp};
use std::time::Duration;

/// What each message's frames become.
pub(crate) struct Inward {
    network: Network,
    /// By path that is read: its gates.
    gates: Vec<Gate>,
    /// By position of the message: its targets.
    targets: Vec<Vec<Target>>,
    /// By segment: what is matched by parameter group alone.
    groups: Vec<Vec<Group>>,
}

/// What the frames of a J1939 parameter group become, whatever message their whole identifier is that of.
struct Group {
    pgn: u32,
    position: usize,
    targets: Vec<Target>,
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

/// A signal of a message, on its way to a path.
struct Target {
    gate: usize,
    signal: SignalIndex,
    /// Only frames of this J1939 source address.
    source: Option<u8>,
    to_vehicle: ToVehicle,
    /// What the last raw value became.
    converted: Option<(Raw, Option<State>)>,
}

/// The gates of a path, and what has passed them.
struct Gate {
    id: SignalId,
    interval: Duration,
    on_change: bool,
    /// After how long a value that stays the same is passed on again.
    refresh: Option<Duration>,
    sampled: Option<Timestamp>,
    passed: Option<(State, Timestamp)>,
}

impl Inward {
    pub(crate) fn new(plan: &Plan, catalogue: &Catalogue) -> Self {
        let mut targets: Vec<Vec<Target>> = Vec::new();
        targets.resize_with(plan.network.message_count(), Vec::new);
        let mut groups: Vec<Vec<Group>> = Vec::new();
        groups.resize_with(plan.network.len(), Vec::new);
        let mut gates = Vec::new();
        for (id, route) in catalogue.ids().zip(&plan.routes) {
            let Some(reading) = &route.reading else { continue };
            let gate = gates.len();
            gates.push(Gate::new(id, reading));
            let first = std::iter::once((&reading.place, &reading.to_vehicle));
            for (place, to_vehicle) in first.chain(reading.also.iter().map(|(place, way)| (place, way))) {
                let (signal, source) = (place.signal, place.source);
                let target = Target { gate, signal, source, to_vehicle: to_vehicle.clone(), converted: None };
                let Some(pgn) = place.group else {
                    if let Some(of_message) = targets.get_mut(place.message) {
                        of_message.push(target);
                    }
                    continue;
                };
                let Some(of_segment) = groups.get_mut(place.segment) else { continue };
                let known = |group: &&mut Group| group.pgn == pgn && group.position == place.message;
                match of_segment.iter_mut().find(known) {
                    Some(group) => group.targets.push(target),
                    None => of_segment.push(Group { pgn, position: place.message, targets: vec![target] }),
                }
            }
        }
        Self { network: plan.network.clone(), gates, targets, groups }
    }

    /// What is heard next of these signals passes the gates, whatever passed before.
    pub(crate) fn forget(&mut self, signals: &[SignalId]) {
        for gate in self.gates.iter_mut().filter(|gate| signals.contains(&gate.id)) {
            (gate.sampled, gate.passed) = (None, None);
        }
    }

    /// Appends what a frame on a segment says to `points`; `now` is when it was received.
    pub(crate) fn read(
        &mut self,
        segment: usize,
        frame: &Frame,
        now: Timestamp,
        points: &mut Vec<(SignalId, Datapoint)>,
    ) -> Fate {
        if !frame.is_data() {
            return Fate::NoData;
        }
        let received = (frame.time().unwrap_or(now), now);
        let mut fate = Fate::Unknown;
        if let Some((position, message)) = self.network.find(segment, frame.id()) {
            fate = match self.targets.get_mut(position).filter(|targets| !targets.is_empty()) {
                Some(targets) => hand(message, targets, &mut self.gates, frame, received, points),
                None => Fate::Unmapped,
            };
        }
        let groups = self.groups.get_mut(segment).filter(|groups| !groups.is_empty());
        if let Some((groups, pgn)) = groups.zip(frame.id().pgn()) {
            for group in groups.iter_mut().filter(|group| group.pgn == pgn) {
                let Some(message) = self.network.message(group.position) else { continue };
                let read = hand(message, &mut group.targets, &mut self.gates, frame, received, points);
                fate = if fate == Fate::Short { fate } else { read };
            }
        }
        fate
    }
}

/// A frame of a message to the message's targets.
fn hand(
    message: &coachwork_dbc::Message,
    targets: &mut [Target],
    gates: &mut [Gate],
    frame: &Frame,
    (source, received): (Timestamp, Timestamp),
    points: &mut Vec<(SignalId, Datapoint)>,
) -> Fate {
    for target in targets {
        if target.source.is_some() && target.source != frame.id().source_address() {
            continue;
        }
        let Some(sample) = message.decode_signal(target.signal, frame.data()) else { continue };
        let Some(gate) = gates.get_mut(target.gate) else { continue };
        if let Some(state) = gate.pass(target, &sample, source) {
            points.push((gate.id, Datapoint { state, source, received }));
        }
    }
    if frame.len() < message.length() { Fate::Short } else { Fate::Read }
}

impl Gate {
    fn new(id: SignalId, reading: &Reading) -> Self {
        Self {
            id,
            interval: reading.interval,
            on_change: reading.on_change,
            refresh: reading.stale_after.map(|limit| limit / 2),
            sampled: None,
            passed: None,
        }
    }

    /// The sample's state, if it passes the gates.
    fn pass(&mut self, target: &mut Target, sample: &SignalValue<'_>, at: Timestamp) -> Option<State> {
        // A time before the last (a log that starts again) passes.
        if self.sampled.is_some_and(|last| at >= last && at.saturating_since(last) < self.interval) {
            return self.lost(target, sample, at);
        }
        self.sampled = Some(at);
        let known = target.converted.as_ref().filter(|(raw, _)| *raw == sample.raw());
        if known.is_none() {
            target.converted = Some((sample.raw(), target.to_vehicle.convert(sample)));
        }
        let state = target.converted.as_ref()?.1.as_ref()?;
        if self.on_change
            && let Some((last, passed)) = &self.passed
            && last.same(state)
            && self.refresh.is_none_or(|refresh| at.saturating_since(*passed) < refresh)
        {
            return None;
        }
        let state = state.clone();
        if self.on_change || !self.interval.is_zero() {
            self.passed = Some((state.clone(), at));
        }
        Some(state)
    }

    /// Between two samples: that a valid value is none any more.
    fn lost(&mut self, target: &Target, sample: &SignalValue<'_>, at: Timestamp) -> Option<State> {
        if !matches!(self.passed, Some((State::Valid(_), _))) || target.to_vehicle.special(sample).is_none() {
            return None;
        }
        let state = target.to_vehicle.convert(sample).filter(|state| !matches!(state, State::Valid(_)))?;
        self.passed = Some((state.clone(), at));
        Some(state)
    }
}
