//! Reading.

use coachwork_vehicle::{Get, Reason, ReasonKind, SignalId, State, Vehicle};

use super::tree::foreign;
use crate::trial::{Trial, ensure, need, report, skip};
use crate::verdict::{Failure, Ran, Verdict};

pub(super) async fn v4_answers_come_one_for_each_in_order(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    let foreign = need!(foreign(), "there is no other catalogue");
    for pattern in ["", "g", "gg", "bg", "gbbgbg"] {
        let ids: Vec<_> = pattern.chars().map(|c| if c == 'g' { id } else { foreign }).collect();
        let answers = t.must("the answer to a get", car.get(Get::of(&ids))).await??;
        let seen: String = answers.iter().map(|answer| if answer.is_ok() { 'g' } else { 'b' }).collect();
        ensure!(seen == pattern, "a batch of good and bad ids {pattern:?} is answered {seen:?}");
    }
    Ok(Verdict::Passed)
}

fn all_readable(car: &dyn Vehicle) -> Vec<SignalId> {
    let catalogue = car.catalogue();
    catalogue.ids().filter(|&id| catalogue.readable(id).is_ok()).collect()
}

pub(super) async fn v5_no_value_is_a_datapoint_that_says_why(car: &dyn Vehicle, t: &Trial) -> Ran {
    let ids = all_readable(car);
    if ids.is_empty() {
        return skip("no signal may be read");
    }
    let answers = t.must("the answer to a get", car.get(Get::of(&ids))).await??;
    for (answer, id) in answers.into_iter().zip(ids) {
        let path = car.catalogue().path(id)?.clone();
        let point =
            answer.map_err(|e| Failure::new(format!("{path} may be read, and a get is answered {e:?}")))?;
        if let State::NotAvailable(why) | State::Error(why) = point.state {
            ensure!(!why.to_string().is_empty(), "{path} is {:?} without a reason", why.kind());
        }
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v6_values_are_of_the_catalogues_type(car: &dyn Vehicle, t: &Trial) -> Ran {
    let (ids, catalogue) = (all_readable(car), car.catalogue());
    let mut values = 0;
    if let Some(probe) = t.probe(1) {
        report!(t, &[(&probe.path, State::Valid(probe.value(0)))]);
        t.get_until(probe.id, "after a report", |state| matches!(state, State::Valid(_))).await?;
    }
    let answers = t.must("the answer to a get", car.get(Get::of(&ids))).await??;
    for (answer, id) in answers.into_iter().zip(ids) {
        let entry = catalogue.entry(id)?;
        // That it is answered is another clause.
        let Ok(point) = answer else { continue };
        if let State::Valid(value) | State::Stale(value) = point.state {
            let (path, wanted) = (entry.path(), entry.data_type());
            ensure!(value.is(wanted), "{path} is of type {wanted}, and is read as {value:?}");
            values += 1;
        }
    }
    if values == 0 {
        skip("no signal has a value: let the first reports arrive before the subject is returned")
    } else {
        Ok(Verdict::Passed)
    }
}

pub(super) async fn v7_what_the_source_reports_is_read(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(2), "no signal can be made to report two values");
    for n in [0, 1, 0] {
        let value = probe.value(n);
        report!(t, &[(&probe.path, State::Valid(value.clone()))]);
        let reads = |state: &State| matches!(state, State::Valid(seen) if seen.same(&value));
        let what = format!("{} was reported as {value}", probe.path);
        t.get_until(probe.id, &what, reads).await?;
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v8_states_without_a_value_pass_with_their_reason(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(1), "no signal can be made to report");
    report!(t, &[(&probe.path, State::Valid(probe.value(0)))]);
    let mut tried = 0;
    // A bus says that there is no value, and no more; others say why.
    let told = Reason::because(ReasonKind::Source, "the sensor says so");
    for reason in [Reason::new(ReasonKind::Source), told] {
        for state in [State::NotAvailable(reason.clone()), State::Error(reason.clone())] {
            if t.report(&[(&probe.path, state.clone())]).is_err() {
                continue;
            }
            tried += 1;
            let same = |seen: &State| match (seen, &state) {
                (State::NotAvailable(seen), State::NotAvailable(_))
                | (State::Error(seen), State::Error(_)) => {
                    seen.kind() == reason.kind() && (reason.text().is_none() || seen == &reason)
                }
                _ => false,
            };
            t.get_until(probe.id, &format!("{} was reported as {state:?}", probe.path), same).await?;
        }
    }
    if tried == 0 { skip("the source has no way to say that it has no value") } else { Ok(Verdict::Passed) }
}

pub(super) async fn v9_a_batch_is_one_moment(car: &dyn Vehicle, t: &Trial) -> Ran {
    if !car.catalogue().facts().snapshots {
        return Ok(Verdict::Refused("its facts say that a batch is not one moment".into()));
    }
    let mut probes = t.probes_where(3, |_| true);
    let (Some(b), Some(a)) = (probes.pop(), probes.pop()) else {
        return skip("no two signals can be made to report together");
    };
    let report =
        |n: usize| t.report(&[(&a.path, State::Valid(a.value(n))), (&b.path, State::Valid(b.value(n)))]);
    let step = |n: usize, a_is: &State, b_is: &State| {
        let is = |state: &State, value| matches!(state, State::Valid(seen) if seen.same(&value));
        is(a_is, a.value(n)) && is(b_is, b.value(n))
    };
    for n in 0..12 {
        if let Err(why) = report(n) {
            return Ok(Verdict::Skipped(why.into()));
        }
        let mut tries = 0;
        loop {
            let both = t.must("the answer to a get", car.get(Get::of(&[a.id, b.id]))).await??;
            let [Ok(first), Ok(second)] = &both[..] else {
                return Err(Failure::new(format!("two readable signals are answered {both:?}")));
            };
            if step(n, &first.state, &second.state) {
                break;
            }
            let before = n > 0 && step(n - 1, &first.state, &second.state);
            ensure!(n == 0 || before, "a batch sees half a report: {} and {}", first.state, second.state);
            tries += 1;
            ensure!(tries < 2_000, "two signals that were reported together are not read");
            t.pause(std::time::Duration::from_millis(if tries < 100 { 0 } else { 5 })).await;
        }
    }
    Ok(Verdict::Passed)
}
