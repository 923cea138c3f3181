//! What time does to subscriptions and values.

use std::time::Duration;

use coachwork_vehicle::{Event, Monotonic, SignalId, State, Subscribe, Subscription, Vehicle};

use super::subscribe::begin;
use crate::trial::{Trial, ensure, need, report};
use crate::verdict::{Failure, Ran, Verdict};

const INTERVAL: Duration = Duration::from_millis(200);

/// The states of one signal that arrive within `time`, each with the moment of its arrival.
async fn arrivals(
    t: &Trial,
    watch: &mut Subscription,
    time: Duration,
) -> Result<Vec<(Monotonic, State)>, Failure> {
    let end = t.now().saturating_add(time);
    let mut seen = Vec::new();
    loop {
        match t.within(end.saturating_since(t.now()), watch.next()).await {
            Some(Some(Event::Changed(points))) => {
                seen.extend(points.iter().map(|(_, point)| (t.now(), point.state.clone())));
            }
            Some(other) => return Err(Failure::new(format!("datapoints were due, not {other:?}"))),
            None => return Ok(seen),
        }
    }
}

pub(super) async fn v33_at_most_every_keeps_its_distance_and_its_last_value(
    _: &dyn Vehicle,
    t: &Trial,
) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    for wish in [Subscribe::to([probe.id]), Subscribe::to([probe.id]).queue(256)] {
        begin(t, &probe).await?;
        let mut watch = t.watch(wish.at_most_every(INTERVAL)).await?;
        let mut seen = vec![(t.now(), State::NeverSet)];
        for n in 0..30 {
            report!(t, &[(&probe.path, State::Valid(probe.value(n)))]);
            seen.extend(arrivals(t, &mut watch, INTERVAL / 10).await?);
        }
        report!(t, &[(&probe.path, State::Valid(probe.value(2)))]);
        seen.extend(arrivals(t, &mut watch, INTERVAL * 3 + t.slack()).await?);
        let closest = seen.windows(2).filter_map(|pair| match pair {
            [(before, _), (after, _)] => Some(after.saturating_since(*before)),
            _ => None,
        });
        let closest = closest.min().unwrap_or(Duration::ZERO);
        ensure!(
            closest + t.slack() >= INTERVAL,
            "two updates at most every {INTERVAL:?} came {closest:?} apart"
        );
        let last = seen.last().map(|(_, state)| state);
        let kept = matches!(last, Some(State::Valid(value)) if value.same(&probe.value(2)));
        ensure!(kept, "the last update of a burst was {}, delivered was {last:?}", probe.value(2));
        ensure!(seen.len() >= 4, "of 31 updates in 3 intervals, {} were delivered", seen.len() - 1);
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v34_every_comes_by_the_clock(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = t.probe(2);
    let id = match &probe {
        Some(probe) => {
            begin(t, probe).await?;
            probe.id
        }
        None => need!(t.readable(), "no signal may be read"),
    };
    let mut watch = t.watch(Subscribe::to([id]).every(INTERVAL)).await?;
    // Half a period off the grid, so that a tick on the edge does not count or not by chance.
    let first = arrivals(t, &mut watch, INTERVAL * 4 + INTERVAL / 2).await?.len();
    let close = |count: usize| if t.slack().is_zero() { count == 4 } else { (3..=5).contains(&count) };
    ensure!(close(first), "in four and a half periods, the present state came {first} times");
    if let Some(probe) = &probe {
        for n in 0..20 {
            report!(t, &[(&probe.path, State::Valid(probe.value(n)))]);
        }
        let ticks = arrivals(t, &mut watch, INTERVAL * 4).await?;
        ensure!(close(ticks.len()), "with updates between, it came {} times in four periods", ticks.len());
        let last = ticks.last().map(|(_, state)| state);
        let present = matches!(last, Some(State::Valid(value)) if value.same(&probe.value(19)));
        ensure!(present, "a tick delivered {last:?}, the present value is {}", probe.value(19));
    }
    // A reader that was away is told once, not once for each period that it missed.
    t.pause(INTERVAL * 5).await;
    let burst = arrivals(t, &mut watch, INTERVAL / 4).await?.len();
    ensure!(
        burst <= 2 + usize::from(!t.slack().is_zero()) * 10,
        "after five missed periods came {burst} at once"
    );
    Ok(Verdict::Passed)
}

/// A signal that goes stale soon, with how soon.
fn stale_soon(t: &Trial) -> Option<(crate::trial::Chosen, Duration)> {
    let limit = if t.slack().is_zero() { Duration::from_secs(3600) } else { Duration::from_secs(3) };
    let soon = |after: Option<Duration>| after.is_some_and(|after| after <= limit);
    let probe = t.probe_where(1, |entry| soon(entry.stale_after()))?;
    let after = t.car().catalogue().entry(probe.id).ok()?.stale_after()?;
    Some((probe, after))
}

/// Waits for a state of a signal in its subscription.
async fn until(
    t: &Trial,
    watch: &mut Subscription,
    id: SignalId,
    holds: impl Fn(&State) -> bool,
) -> Result<(), Failure> {
    loop {
        let points = t.points(watch).await?;
        if points.iter().any(|(seen, point)| *seen == id && holds(&point.state)) {
            return Ok(());
        }
    }
}

pub(super) async fn v35_a_value_that_is_not_renewed_goes_stale(_: &dyn Vehicle, t: &Trial) -> Ran {
    let (probe, after) = need!(stale_soon(t), "no signal that can be made to report goes stale soon");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).on_change()).await?;
    t.pause(after + t.slack()).await;
    let stale = |state: &State| matches!(state, State::Stale(value) if value.same(&probe.value(0)));
    let seen = t.get(probe.id).await?.state;
    ensure!(stale(&seen), "{after:?} after its report, {} is still {seen}", probe.path);
    until(t, &mut watch, probe.id, stale).await?;
    Ok(Verdict::Passed)
}

pub(super) async fn v36_back_from_stale_is_a_change(_: &dyn Vehicle, t: &Trial) -> Ran {
    let (probe, after) = need!(stale_soon(t), "no signal that can be made to report goes stale soon");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).on_change().queue(256)).await?;
    until_stale(t, &mut watch, probe.id, after).await?;
    report!(t, &[(&probe.path, State::Valid(probe.value(0)))]);
    let back = |state: &State| matches!(state, State::Valid(value) if value.same(&probe.value(0)));
    until(t, &mut watch, probe.id, back).await?;
    t.get_until(probe.id, "the same value was reported again", back).await?;
    Ok(Verdict::Passed)
}

async fn until_stale(
    t: &Trial,
    watch: &mut Subscription,
    id: SignalId,
    after: Duration,
) -> Result<(), Failure> {
    t.pause(after + t.slack()).await;
    until(t, watch, id, |state| matches!(state, State::Stale(_))).await
}

pub(super) async fn v48_a_return_within_the_interval_is_no_news(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    begin(t, &probe).await?;
    let wish = Subscribe::to([probe.id]).on_change().at_most_every(INTERVAL).queue(256);
    let mut watch = t.watch(wish).await?;
    t.pause(INTERVAL + t.slack()).await;
    report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    let first = arrivals(t, &mut watch, INTERVAL / 4).await?;
    report!(t, &[(&probe.path, State::Valid(probe.value(2)))]);
    report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    let late = arrivals(t, &mut watch, INTERVAL * 2 + t.slack()).await?;
    let seen: Vec<_> = first.iter().chain(&late).map(|(_, state)| state).collect();
    let right = matches!(&seen[..], [State::Valid(value)] if value.same(&probe.value(1)));
    ensure!(right, "a change that was taken back within the interval is delivered: {seen:?}");
    Ok(Verdict::Passed)
}
