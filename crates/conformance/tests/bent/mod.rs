//! Subscriptions that tell something else than their source does.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use coachwork_vehicle::{
    Event, Permission, Points, ReasonKind, SignalId, Source, State, Subscription, Value,
};
use futures_util::Stream;

/// What becomes of an event.
pub(crate) type Bend = Box<dyn FnMut(Event) -> Vec<Event> + Send>;

pub(crate) struct Bent {
    inner: Subscription,
    bend: Bend,
    waiting: VecDeque<Event>,
    /// An event that a call has taken and not returned yet.
    held: Option<Event>,
    forgetful: bool,
}

/// A subscription whose events pass through `bend`.
pub(crate) fn bend(inner: Subscription, bend: Bend) -> Subscription {
    Bent { inner, bend, waiting: VecDeque::new(), held: None, forgetful: false }.subscription()
}

impl Bent {
    /// A subscription whose dropped call takes its event with it, if another comes before the next call.
    pub(crate) fn forgetful(inner: Subscription) -> Subscription {
        let bend: Bend = Box::new(|event| vec![event]);
        Self { inner, bend, waiting: VecDeque::new(), held: None, forgetful: true }.subscription()
    }

    fn subscription(self) -> Subscription {
        let (catalogue, granted) = (self.inner.catalogue().clone(), self.inner.granted().to_vec());
        let refused = self.inner.refused().map(|(path, error)| (path.to_owned(), error.clone())).collect();
        Subscription::new(catalogue, granted, refused, Box::new(self))
    }
}

impl Source for Bent {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Poll::Ready(Some(event));
            }
            match Pin::new(&mut self.inner).poll_next(cx) {
                Poll::Ready(Some(event)) if self.forgetful && is_single(&event) => {
                    self.held = Some(event);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(event)) => self.waiting.extend((self.bend)(event)),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    return self.held.take().map_or(Poll::Pending, |event| Poll::Ready(Some(event)));
                }
            }
        }
    }

    fn restrict(&mut self, _: &[SignalId], _: bool) {}
}

fn is_single(event: &Event) -> bool {
    matches!(event, Event::Changed(points) if points.len() == 1)
}

/// Keeps the points of an event for which `keep` holds.
fn filter(event: Event, mut keep: impl FnMut(&State) -> bool) -> Vec<Event> {
    let Event::Changed(points) = event else { return vec![event] };
    let kept: Vec<_> = points
        .iter()
        .filter(|(_, point)| keep(&point.state))
        .map(|(id, point)| (id, point.clone()))
        .collect();
    if kept.is_empty() { Vec::new() } else { vec![Event::Changed(Points::new(kept))] }
}

pub(crate) fn drop_first() -> Bend {
    let mut first = true;
    Box::new(move |event| if std::mem::take(&mut first) { Vec::new() } else { vec![event] })
}

pub(crate) fn only_first() -> Bend {
    let mut first = true;
    Box::new(move |event| match event {
        Event::Changed(_) if !std::mem::take(&mut first) => Vec::new(),
        event => vec![event],
    })
}

pub(crate) fn reverse(length: usize) -> Bend {
    Box::new(move |event| match event {
        Event::Changed(points) if points.len() == length => {
            let mut points: Vec<_> = points.iter().map(|(id, point)| (id, point.clone())).collect();
            points.reverse();
            vec![Event::Changed(Points::new(points))]
        }
        event => vec![event],
    })
}

pub(crate) fn hide(kind: ReasonKind) -> Bend {
    Box::new(move |event| {
        filter(event, |state| !matches!(state, State::NotAvailable(why) if why.kind() == kind))
    })
}

pub(crate) fn hide_return_from_stale() -> Bend {
    let mut last: Option<Value> = None;
    Box::new(move |event| {
        filter(event, |state| match state {
            State::Stale(value) => {
                last = Some(value.clone());
                true
            }
            State::Valid(value) => last.take().is_none_or(|stale| !stale.same(value)),
            _ => true,
        })
    })
}

pub(crate) fn hide_lag() -> Bend {
    Box::new(|event| if matches!(event, Event::Lagged(_)) { Vec::new() } else { vec![event] })
}

/// It is over without a word.
pub(crate) fn hide_end() -> Bend {
    Box::new(|event| if matches!(event, Event::Ended(_)) { Vec::new() } else { vec![event] })
}

pub(crate) fn leak_after_denial() -> Bend {
    let mut last = None;
    Box::new(move |event| match event {
        Event::Changed(points) => {
            last = Some(points.clone());
            vec![Event::Changed(points)]
        }
        Event::Access(changes) if changes.iter().any(|(_, read)| *read != Permission::Yes) => {
            let leak = last.take().map(Event::Changed);
            [Some(Event::Access(changes)), leak].into_iter().flatten().collect()
        }
        event => vec![event],
    })
}

pub(crate) fn silent_return() -> Bend {
    let mut returned = false;
    Box::new(move |event| match &event {
        Event::Access(changes) => {
            returned = changes.iter().any(|(_, read)| *read == Permission::Yes);
            vec![event]
        }
        Event::Changed(_) if returned => Vec::new(),
        _ => vec![event],
    })
}

pub(crate) fn no_healing() -> Bend {
    let mut cut = false;
    Box::new(move |event| {
        filter(event, |state| {
            cut |= matches!(state, State::NotAvailable(why) if why.kind() == ReasonKind::Link);
            !cut || matches!(state, State::NotAvailable(_))
        })
    })
}

/// Drops states that repeat the one before.
pub(crate) fn no_repeats() -> Bend {
    let mut last = State::NeverSet;
    Box::new(move |event| {
        filter(event, |state| {
            let news = !last.same(state);
            last.clone_from(state);
            news
        })
    })
}
