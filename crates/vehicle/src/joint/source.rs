//! The events of subscriptions to several parts become those of one.
//!
//! *Invariant:* a signal is delivered from one part at a time: the first that answers, or else the first that has said anything. Parts
//! after it are masked, parts before it are listened to. Only when all parts have ended does the whole end.
//! *Next:* `seat.rs` (who is chosen), `subscription.rs` (the parts' own subscriptions).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::seat::{Change, Seat};
use super::view::View;
use crate::catalogue::{Permission, SignalId};
use crate::clock::Clock;
use crate::datapoint::{Datapoint, Reason, ReasonKind};
use crate::subscription::{Event, Points, Source, Subscription};

/// How many events that say nothing new are passed over in one poll.
const PATIENCE: usize = 64;

pub(super) struct JointSource {
    view: Arc<View>,
    clock: Arc<dyn Clock>,
    parts: Vec<Part>,
    /// Sorted by signal.
    seats: Vec<Seat>,
    /// The part that is asked first by the next poll, so that none starves.
    next: usize,
    waiting: VecDeque<Event>,
    over: bool,
}

struct Part {
    number: usize,
    subscription: Result<Subscription, Reason>,
}

impl JointSource {
    pub(super) fn new(
        view: Arc<View>,
        clock: Arc<dyn Clock>,
        parts: Vec<(usize, Subscription)>,
        granted: &[SignalId],
    ) -> Self {
        let seat = |signal: &SignalId| {
            let places = view.places(*signal).ok()?;
            let taking_part = places.iter().filter_map(|place| {
                let (_, part) = parts.iter().find(|(number, _)| *number == place.part)?;
                let readable = part.catalogue().readable(place.signal).is_ok();
                part.granted().contains(&place.signal).then_some((*place, readable))
            });
            Some(Seat::new(*signal, taking_part, places.first()?.part))
        };
        let mut seats: Vec<_> = granted.iter().filter_map(seat).collect();
        let part = |(number, subscription)| Part { number, subscription: Ok(subscription) };
        let mut parts: Vec<_> = parts.into_iter().map(part).collect();
        let mut changes = Vec::new();
        for seat in &mut seats {
            if let Ok(access) = view.catalogue.access(seat.signal())
                && access.read != Permission::Yes
            {
                seat.deny(access.read.clone(), &mut changes);
            }
        }
        apply(&mut parts, &changes);
        Self { view, clock, parts, seats, next: 0, waiting: VecDeque::new(), over: false }
    }

    /// Takes in what one part tells.
    fn take(&mut self, at: usize, event: Option<Event>) {
        let Some(number) = self.parts.get(at).map(|part| part.number) else { return };
        match event {
            Some(Event::Changed(points)) => self.hear(number, points.into_points()),
            Some(Event::Lagged(missing)) => {
                if self.seats.is_empty() || self.seats.iter().any(|seat| seat.is_chosen(number)) {
                    self.waiting.push_back(Event::Lagged(missing));
                }
            }
            Some(Event::Access(changes)) => self.admit(number, changes),
            Some(Event::Ended(why)) => self.end(at, why),
            None => self.end(at, Reason::new(ReasonKind::Ended)),
        }
    }

    fn hear(&mut self, number: usize, points: Vec<(SignalId, Datapoint)>) {
        let (mut told, mut changes) = (Vec::with_capacity(points.len()), Vec::new());
        for (signal, point) in points {
            let Some(signal) = self.view.up(number, signal) else { continue };
            let Some(seat) = seat(&mut self.seats, signal) else { continue };
            if let Some(point) = seat.hear(number, point, &mut changes) {
                told.push((signal, point));
            }
        }
        apply(&mut self.parts, &changes);
        if !told.is_empty() {
            self.waiting.push_back(Event::Changed(Points::new(told)));
        }
    }

    /// Rights of a part have changed: those of the first part are the whole's, those of others decide who stands by.
    fn admit(&mut self, number: usize, permissions: Vec<(SignalId, Permission)>) {
        let (mut told, mut heard, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (signal, permission) in permissions {
            let Some(signal) = self.view.up(number, signal) else { continue };
            let Some(seat) = seat(&mut self.seats, signal) else { continue };
            if seat.is_lead(number) {
                if permission == Permission::Yes {
                    seat.allow(&mut changes);
                } else {
                    seat.deny(permission.clone(), &mut changes);
                }
                if !seat.is_masked() {
                    told.push((signal, permission));
                }
            } else {
                let instead = seat.right_of(number, permission == Permission::Yes, &mut changes);
                heard.extend(instead.map(|point| (signal, point)));
            }
        }
        apply(&mut self.parts, &changes);
        if !told.is_empty() {
            self.waiting.push_back(Event::Access(told));
        }
        if !heard.is_empty() {
            self.waiting.push_back(Event::Changed(Points::new(heard)));
        }
    }

    /// A part has ended: its signals are not available, for its reason.
    fn end(&mut self, at: usize, why: Reason) {
        let Some(part) = self.parts.get_mut(at) else { return };
        let (number, now) = (part.number, self.clock.now());
        part.subscription = Err(why.clone());
        let (mut told, mut changes) = (Vec::new(), Vec::new());
        for seat in &mut self.seats {
            let gone = Datapoint::not_available(why.clone(), now);
            if let Some(point) = seat.hear(number, gone, &mut changes) {
                told.push((seat.signal(), point));
            }
        }
        apply(&mut self.parts, &changes);
        if !told.is_empty() {
            self.waiting.push_back(Event::Changed(Points::new(told)));
        }
        if self.parts.iter().all(|part| part.subscription.is_err()) {
            self.over = true;
            self.waiting.push_back(Event::Ended(why));
        }
    }
}

impl Source for JointSource {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        for _ in 0..PATIENCE {
            if let Some(event) = self.waiting.pop_front() {
                return Poll::Ready(Some(event));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let count = self.parts.len();
            let mut told = None;
            for at in (self.next..count).chain(0..self.next) {
                let Some(Part { subscription: Ok(subscription), .. }) = self.parts.get_mut(at) else {
                    continue;
                };
                if let Poll::Ready(event) = Pin::new(subscription).poll_next(cx) {
                    told = Some((at, event));
                    break;
                }
            }
            let Some((at, event)) = told else { return Poll::Pending };
            self.next = (at + 1) % count.max(1);
            self.take(at, event);
        }
        // Others have a turn before more is passed over.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn restrict(&mut self, signals: &[SignalId], allowed: bool) {
        let (mut changes, mut told, mut denied) = (Vec::new(), Vec::new(), Vec::new());
        let now = self.clock.now();
        let ended: Vec<_> = self
            .parts
            .iter()
            .filter_map(|part| Some((part.number, part.subscription.as_ref().err()?.clone())))
            .collect();
        for &signal in signals {
            let Some(seat) = seat(&mut self.seats, signal) else { continue };
            seat.mask(!allowed, &mut changes);
            if allowed {
                denied.extend(seat.denied().map(|permission| (signal, permission.clone())));
                for (number, why) in &ended {
                    let gone = Datapoint::not_available(why.clone(), now);
                    told.extend(seat.hear(*number, gone, &mut changes).map(|point| (signal, point)));
                }
            }
        }
        apply(&mut self.parts, &changes);
        if !allowed {
            for event in &mut self.waiting {
                purge(event, signals);
            }
            self.waiting.retain(|event| !matches!(event, Event::Changed(points) if points.is_empty()));
        }
        if !denied.is_empty() {
            self.waiting.push_back(Event::Access(denied));
        }
        if !told.is_empty() {
            self.waiting.push_back(Event::Changed(Points::new(told)));
        }
    }
}

fn purge(event: &mut Event, signals: &[SignalId]) {
    if let Event::Changed(points) = event {
        let mut rest = std::mem::replace(points, Points::new(Vec::new())).into_points();
        rest.retain(|(signal, _)| !signals.contains(signal));
        *points = Points::new(rest);
    }
}

fn seat(seats: &mut [Seat], signal: SignalId) -> Option<&mut Seat> {
    let at = seats.binary_search_by_key(&signal, Seat::signal).ok()?;
    seats.get_mut(at)
}

/// Opens and masks signals of the parts, each part once for each run of changes that say the same.
fn apply(parts: &mut [Part], changes: &[Change]) {
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let same = |change: &&Change| change.place.part == first.place.part && change.open == first.open;
        let run = rest.iter().take_while(same).count();
        let (now, later) = rest.split_at(run);
        let signals: Vec<_> = now.iter().map(|change| change.place.signal).collect();
        let part = parts.iter_mut().find(|part| part.number == first.place.part);
        if let Some(Part { subscription: Ok(subscription), .. }) = part {
            subscription.restrict(&signals, first.open);
        }
        rest = later;
    }
}
