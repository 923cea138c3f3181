//! Subscribing.

use std::time::Duration;

use coachwork_vehicle::{ErrorKind, Event, MAX_QUEUE, State, Subscribe, Value, Vehicle};

use super::tree::foreign;
use crate::trial::{Chosen, Trial, ensure, need, report, skip};
use crate::verdict::{Failure, Ran, Verdict};

/// Brings a probe to its first value, and sees that the vehicle has it.
pub(super) async fn begin(t: &Trial, probe: &Chosen) -> Result<(), Failure> {
    if !t.reports() {
        return Ok(());
    }
    let value = probe.value(0);
    t.report(&[(&probe.path, State::Valid(value.clone()))]).map_err(Failure::new)?;
    let reads = |state: &State| matches!(state, State::Valid(seen) if seen.same(&value));
    t.get_until(probe.id, &format!("{} was reported as {value}", probe.path), reads).await?;
    Ok(())
}

pub(super) async fn v21_present_values_come_first(car: &dyn Vehicle, t: &Trial) -> Ran {
    let catalogue = car.catalogue();
    let ids: Vec<_> = catalogue.ids().filter(|&id| catalogue.readable(id).is_ok()).take(50).collect();
    if ids.is_empty() {
        return skip("no signal may be read");
    }
    let probe = t.probe(1);
    if let Some(probe) = &probe {
        begin(t, probe).await?;
    }
    let to = || Subscribe::to(ids.clone());
    // Present values are outside the bound of a queue and outside every filter.
    let hour = Duration::from_secs(3600);
    for wish in [to(), to().on_change().queue(1), to().at_most_every(hour), to().every(hour)] {
        let mut watch = t.must("the answer to a subscribe", car.subscribe(wish)).await??;
        let granted = watch.granted().to_vec();
        ensure!(granted == ids, "of {} readable signals, {} are granted", ids.len(), granted.len());
        let present = t.present(&mut watch).await?;
        if let Some(probe) = &probe {
            let first = present.iter().find(|(id, _)| *id == probe.id).map(|(_, point)| &point.state);
            let right = matches!(first, Some(State::Valid(value)) if value.same(&probe.value(0)));
            ensure!(right || !ids.contains(&probe.id), "{} comes first as {first:?}", probe.path);
        }
    }
    if let Some(probe) = &probe
        && let Some(number) = probe.value(0).as_f64()
    {
        let outside = Subscribe::to([probe.id]).within(number + 1.0, number + 2.0);
        let mut watch = t.must("the answer to a subscribe", car.subscribe(outside)).await??;
        let present = t.present(&mut watch).await?;
        ensure!(present.len() == 1, "a present value out of the range does not come first");
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v22_a_partial_subscription_reports_the_rest(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    let foreign = need!(foreign(), "there is no other catalogue");
    let mut watch =
        t.must("the answer to a subscribe", car.subscribe(Subscribe::to([foreign, id]))).await??;
    ensure!(watch.granted() == [id], "one good and one bad signal: granted are {:?}", watch.granted());
    let kinds: Vec<_> = watch.refused().map(|(_, error)| error.kind()).collect();
    ensure!(kinds == [ErrorKind::WrongCatalogue], "one good and one bad signal: the report says {kinds:?}");
    let present = t.present(&mut watch).await?;
    ensure!(present.iter().all(|(seen, _)| *seen == id), "a subscription delivers what it did not grant");
    Ok(Verdict::Passed)
}

pub(super) async fn v23_a_strict_subscription_is_whole_or_refused(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    let foreign = need!(foreign(), "there is no other catalogue");
    let wish = Subscribe::to([id, foreign]).strict();
    match t.must("the answer to a subscribe", car.subscribe(wish)).await? {
        Err(error) if error.kind() == ErrorKind::WrongCatalogue => {}
        other => return Err(Failure::new(format!("a strict wish with a bad signal is answered {other:?}"))),
    }
    let mut whole =
        t.must("the answer to a subscribe", car.subscribe(Subscribe::to([id]).strict())).await??;
    t.present(&mut whole).await?;
    Ok(Verdict::Passed)
}

pub(super) async fn v24_malformed_wishes_are_refused(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    let to = || Subscribe::to([id]);
    for wish in [
        to().queue(0),
        to().queue(MAX_QUEUE + 1),
        to().deadband(-1.0),
        to().deadband(f64::NAN),
        to().within(2.0, 1.0),
        to().every(Duration::ZERO),
        to().at_most_every(Duration::from_secs(1)).every(Duration::from_secs(1)),
    ] {
        let answer = t.must("the answer to a subscribe", car.subscribe(wish.clone())).await?;
        let invalid = matches!(&answer, Err(error) if error.kind() == ErrorKind::Invalid);
        ensure!(invalid, "{wish:?} is answered {answer:?}");
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v25_updates_arrive_in_order(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(256)).await?;
    let mut wanted = sequence(&probe);
    for value in &wanted {
        report!(t, &[(&probe.path, State::Valid(value.clone()))]);
    }
    let mut seen = Vec::new();
    while seen.len() < wanted.len() {
        match t.next(&mut watch).await? {
            Event::Changed(points) => {
                seen.extend(points.iter().filter_map(|(_, point)| point.value().cloned()));
            }
            other => return Err(Failure::new(format!("updates were due, not {other:?}"))),
        }
    }
    wanted.truncate(seen.len());
    ensure!(same(&seen, &wanted), "reported were {wanted:?}, delivered {seen:?}");
    Ok(Verdict::Passed)
}

/// Values in an order that only a queue keeps.
fn sequence(probe: &Chosen) -> Vec<Value> {
    [1, 2, 0, 1, 0, 2, 2, 1, 0, 0, 1, 2, 1, 2].into_iter().map(|n| probe.value(n)).collect()
}

/// Whether two lists of values say the same.
pub(super) fn same(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
}

pub(super) async fn v26_a_dropped_next_loses_nothing(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(256)).await?;
    let wanted = sequence(&probe);
    let mut seen = Vec::new();
    let mut keep = |event: Option<Option<Event>>| {
        if let Some(Some(Event::Changed(points))) = event {
            seen.extend(points.iter().filter_map(|(_, point)| point.value().cloned()));
        }
        seen.len()
    };
    for (n, value) in wanted.iter().enumerate() {
        report!(t, &[(&probe.path, State::Valid(value.clone()))]);
        drop(watch.next());
        // Polled once and dropped, or given the time for a few steps.
        let time = if n % 3 == 2 { Duration::from_micros(1) } else { Duration::ZERO };
        keep(t.within(time, watch.next()).await);
    }
    while keep(None) < wanted.len() {
        let event = t.next(&mut watch).await?;
        ensure!(matches!(event, Event::Changed(_)), "updates were due, not {event:?}");
        keep(Some(Some(event)));
    }
    ensure!(same(&seen, &wanted), "reported were {wanted:?}, delivered with dropped calls between {seen:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v27_a_dropped_subscription_frees_its_place(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    for round in 0..20 {
        let mut open = Vec::new();
        for _ in 0..40 {
            let answer = t.must("the answer to a subscribe", car.subscribe(Subscribe::to([id]))).await?;
            open.push(answer.map_err(|e| Failure::new(format!("in round {round}, with few open: {e}")))?);
        }
        drop(open);
        // A far end has to be told of each.
        t.pause(Duration::from_millis(20).min(t.slack().max(Duration::from_micros(1)))).await;
    }
    Ok(Verdict::Passed)
}
