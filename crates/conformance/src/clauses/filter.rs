//! Filters: which updates pass.

use coachwork_vehicle::{DataType, Entry, Event, Reason, ReasonKind, State, Subscribe, Value, Vehicle};

use super::subscribe::{begin, same};
use crate::trial::{Chosen, Trial, ensure, need, report};
use crate::verdict::{Failure, Ran, Verdict};

/// Reports values by their numbers, and collects what passes up to the last, which must pass.
async fn passing(
    t: &Trial,
    probe: &Chosen,
    wish: Subscribe,
    reports: &[usize],
) -> Result<Vec<Value>, Failure> {
    let mut watch = t.watch(wish).await?;
    for &n in reports {
        t.report(&[(&probe.path, State::Valid(probe.value(n)))]).map_err(Failure::new)?;
    }
    let last = reports.last().map_or(0, |&n| n);
    let (seen, lagged) = t.values_until(&mut watch, &probe.value(last)).await?;
    ensure!(lagged == 0, "{lagged} updates of few are lost from a queue of 256");
    Ok(seen)
}

fn chosen(probe: &Chosen, numbers: &[usize]) -> Vec<Value> {
    numbers.iter().map(|&n| probe.value(n)).collect()
}

pub(super) async fn v28_on_change_drops_repeats(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    begin(t, &probe).await?;
    let wish = Subscribe::to([probe.id]).on_change().queue(256);
    let seen = passing(t, &probe, wish, &[0, 0, 1, 1, 1, 0, 0, 1, 2]).await?;
    let wanted = chosen(&probe, &[1, 0, 1, 2]);
    ensure!(same(&seen, &wanted), "on change, {seen:?} is delivered instead of {wanted:?}");
    Ok(Verdict::Passed)
}

fn is_float(entry: &Entry) -> bool {
    matches!(entry.data_type(), DataType::FLOAT | DataType::DOUBLE)
}

pub(super) async fn v29_a_nan_equals_a_nan(car: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe_where(2, is_float), "no float can be made to report");
    begin(t, &probe).await?;
    let nan = car.catalogue().entry(probe.id)?.data_type().coerce(Value::Double(f64::NAN));
    let nan = need!(nan.ok(), "the type has no NaN");
    let mut watch = t.watch(Subscribe::to([probe.id]).on_change().queue(256)).await?;
    for value in [&nan, &nan, &nan, &probe.value(1)] {
        report!(t, &[(&probe.path, State::Valid(value.clone()))]);
    }
    let (seen, _) = t.values_until(&mut watch, &probe.value(1)).await?;
    let wanted = [nan, probe.value(1)];
    ensure!(same(&seen, &wanted), "a NaN three times and a number pass on change as {seen:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v30_a_deadband_is_measured_from_what_was_delivered(_: &dyn Vehicle, t: &Trial) -> Ran {
    let number = |entry: &Entry| entry.data_type() != DataType::STRING;
    let probe = need!(t.probe_where(8, number), "no number can be made to report eight values");
    let numbers: Vec<_> = probe.values.iter().take(8).filter_map(Value::as_f64).collect();
    let &[first, second, ..] = &numbers[..] else {
        return crate::trial::skip("no number can be made to report eight values");
    };
    begin(t, &probe).await?;
    let band = (second - first).abs() * 2.5;
    let reports: Vec<_> = (1..numbers.len()).collect();
    let mut wanted = Vec::new();
    let mut delivered = first;
    for (&n, &value) in reports.iter().zip(numbers.iter().skip(1)) {
        if (value - delivered).abs() > band {
            wanted.push(n);
            delivered = value;
        }
    }
    let reports = reports.get(..*wanted.last().unwrap_or(&0)).unwrap_or_default();
    let wish = Subscribe::to([probe.id]).deadband(band).queue(256);
    let seen = passing(t, &probe, wish, reports).await?;
    let wanted = chosen(&probe, &wanted);
    ensure!(same(&seen, &wanted), "with a deadband of {band}, {seen:?} is delivered instead of {wanted:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v31_a_range_drops_what_is_outside(_: &dyn Vehicle, t: &Trial) -> Ran {
    let number = |entry: &Entry| entry.data_type() != DataType::STRING;
    let probe = need!(t.probe_where(6, number), "no number can be made to report six values");
    let (low, high) = (probe.value(2).as_f64(), probe.value(4).as_f64());
    let (low, high) =
        (need!(low, "no number can be made to report"), need!(high, "no number can be made to report"));
    begin(t, &probe).await?;
    let wish = Subscribe::to([probe.id]).within(low, high).queue(256);
    let seen = passing(t, &probe, wish, &[1, 2, 3, 4, 5, 0, 3]).await?;
    let wanted = chosen(&probe, &[2, 3, 4, 3]);
    ensure!(same(&seen, &wanted), "from {low} to {high}, {seen:?} is delivered instead of {wanted:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v32_a_change_of_state_passes_every_deadband(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(1), "no signal can be made to report");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).deadband(1e12).queue(256)).await?;
    let gone = State::NotAvailable(Reason::new(ReasonKind::Source));
    report!(t, &[(&probe.path, gone)]);
    report!(t, &[(&probe.path, State::Valid(probe.value(0)))]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match t.next(&mut watch).await? {
            Event::Changed(points) => seen.extend(points.iter().map(|(_, point)| point.state.clone())),
            other => return Err(Failure::new(format!("updates were due, not {other:?}"))),
        }
    }
    let right =
        matches!(&seen[..], [State::NotAvailable(_), State::Valid(value)] if value.same(&probe.value(0)));
    ensure!(right, "a value that goes and comes back passes a deadband as {seen:?}");
    Ok(Verdict::Passed)
}
