//! Asking actuators to move.

use std::time::Duration;

use coachwork_vehicle::{
    Entry, ErrorKind, Key, Kind, Outcome, Permission, Receipts, RefusalKind, Request, Set, SignalId, Stage,
    State, Value, Vehicle,
};

use super::tree::foreign;
use crate::sample;
use crate::trial::{Chosen, Trial, ensure, need, skip};
use crate::verdict::{Failure, Ran, Verdict};

/// Long enough for an actuator to move.
fn patient() -> Set {
    Set::within(Duration::from_secs(15))
}

/// How a request that makes no sense is answered.
async fn fault(car: &dyn Vehicle, t: &Trial, id: SignalId, value: Value) -> Result<ErrorKind, Failure> {
    let requests = vec![Request { signal: id, value: value.clone(), set: Set::default() }];
    let answers = t.must("the answer to a set", car.set(requests)).await??;
    match &answers[..] {
        [Err(error)] => Ok(error.kind()),
        other => Err(Failure::new(format!("to be set to {value} is answered {other:?}"))),
    }
}

pub(super) async fn v10_only_actuators_are_set(car: &dyn Vehicle, t: &Trial) -> Ran {
    let catalogue = car.catalogue();
    let no_actuator = |_, entry: &Entry| entry.kind() != Kind::Actuator;
    let fixed = |id, entry: &Entry| {
        let write = catalogue.access(id).map(|access| access.write.clone());
        entry.kind() == Kind::Actuator && matches!(write, Ok(Permission::No))
    };
    let one = |is: &dyn Fn(SignalId, &Entry) -> bool| catalogue.iter().find(|(id, entry)| is(*id, entry));
    let chosen = [one(&no_actuator), one(&fixed)];
    if chosen == [None, None] {
        return skip("every signal is an actuator that may be moved");
    }
    for (id, entry) in chosen.into_iter().flatten() {
        let value = sample::samples(entry).into_iter().next().unwrap_or(Value::Bool(true));
        let kind = fault(car, t, id, value).await?;
        ensure!(
            kind == ErrorKind::NotActuator,
            "to set the {} {} is answered {kind:?}",
            entry.kind(),
            entry.path()
        );
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v11_values_of_a_wrong_type_are_refused(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(1), "no actuator may be moved");
    let wrong = sample::of_wrong_type(car.catalogue().entry(actuator.id)?);
    let kind = fault(car, t, actuator.id, wrong).await?;
    ensure!(kind == ErrorKind::WrongType, "a value of a wrong type is answered {kind:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v12_values_out_of_range_are_refused(car: &dyn Vehicle, t: &Trial) -> Ran {
    let catalogue = car.catalogue();
    let limited = catalogue.iter().find_map(|(id, entry)| {
        let may = catalogue.access(id).is_ok_and(|access| access.write == Permission::Yes);
        may.then(|| sample::out_of_range(entry)).flatten().map(|value| (id, value))
    });
    let (id, outside) = need!(limited, "no actuator that may be moved has limits that its type exceeds");
    let kind = fault(car, t, id, outside).await?;
    ensure!(kind == ErrorKind::OutOfRange, "a value out of range is answered {kind:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v13_a_missing_right_is_a_settled_receipt(car: &dyn Vehicle, t: &Trial) -> Ran {
    let catalogue = car.catalogue();
    let denied = catalogue.iter().find(|&(id, entry)| {
        let write = catalogue.access(id).map(|access| access.write.clone());
        matches!(write, Ok(Permission::Denied(_))) && !sample::samples(entry).is_empty()
    });
    let (id, entry) = need!(denied, "no actuator is denied");
    let value = sample::samples(entry).into_iter().next().unwrap_or(Value::Bool(true));
    let receipt = t.ask(id, value, patient()).await?;
    match receipt.stage() {
        Stage::Settled(Outcome::Refused(why))
            if why.kind() == RefusalKind::Denied && !why.text().is_empty() =>
        {
            Ok(Verdict::Passed)
        }
        other => Err(Failure::new(format!("{} is denied, and its receipt is at {other:?}", entry.path()))),
    }
}

pub(super) async fn v14_one_bad_request_does_not_stop_the_others(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(1), "no actuator may be moved");
    let foreign = need!(foreign(), "there is no other catalogue");
    let good = Request { signal: actuator.id, value: actuator.value(0), set: patient() };
    let requests = vec![Request::new(foreign, true), good, Request::new(foreign, true)];
    let answers = t.must("the answer to a set", car.set(requests)).await??;
    let [Err(_), Ok(receipt), Err(_)] = &answers[..] else {
        return Err(Failure::new(format!("a good request between two bad ones is answered {answers:?}")));
    };
    t.outcome(receipt).await?;
    let none = t.must("the answer to a set", car.set(Vec::new())).await??;
    ensure!(none.is_empty(), "a set of nothing has answers");
    Ok(Verdict::Passed)
}

pub(super) async fn v15_confirmed_is_observed(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    if car.catalogue().facts().receipts == Receipts::Accepted {
        let receipt = t.ask(actuator.id, actuator.value(0), patient()).await?;
        let outcome = t.outcome(&receipt).await?;
        // A part of a merged vehicle may know more than the whole promises.
        let taken = matches!(outcome, Outcome::Accepted | Outcome::Confirmed(_));
        ensure!(taken, "its facts say that receipts end at accepted, not {outcome}");
        return Ok(Verdict::Refused("its facts say that receipts end at accepted".into()));
    }
    for n in [0, 1, 0] {
        move_to(t, &actuator, n).await?;
    }
    Ok(Verdict::Passed)
}

/// Moves an actuator and sees that it has moved.
pub(super) async fn move_to(t: &Trial, actuator: &Chosen, n: usize) -> Result<(), Failure> {
    let value = actuator.value(n);
    let receipt = t.ask(actuator.id, value.clone(), patient()).await?;
    let outcome = t.outcome(&receipt).await?;
    ensure!(matches!(outcome, Outcome::Confirmed(_)), "{} asked to go to {value}: {outcome}", actuator.path);
    let what = format!("{} is confirmed to be at {value}", actuator.path);
    t.get_until(actuator.id, &what, is_at(t, actuator, &value)?).await?;
    Ok(())
}

/// Whether a state is, within half a step, what was asked.
pub(super) fn is_at<'a>(
    t: &Trial,
    actuator: &Chosen,
    value: &'a Value,
) -> Result<impl Fn(&State) -> bool + use<'a>, Failure> {
    let step = t.car().catalogue().entry(actuator.id)?.step().unwrap_or(0.0);
    Ok(move |state: &State| match state {
        State::Valid(seen) => match (seen.as_f64(), value.as_f64()) {
            (Some(seen), Some(value)) => (seen - value).abs() <= step / 2.0,
            _ => seen.same(value),
        },
        _ => false,
    })
}

pub(super) async fn v16_a_request_settles_by_its_deadline(_: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    for (n, ms) in [0, 1, 40].into_iter().enumerate() {
        let within = Duration::from_millis(ms);
        let receipt = t.ask(actuator.id, actuator.value(n), Set::within(within)).await?;
        t.pause(within + t.slack() * 2).await;
        let stage = receipt.stage();
        ensure!(stage != Stage::Accepted, "{ms} ms after a request that had {ms} ms, it is still open");
        let (first, second) = (t.outcome(&receipt).await?, t.outcome(&receipt).await?);
        let same = Stage::Settled(first.clone()) == stage && first == second;
        ensure!(same, "a receipt settled as {stage:?}, then {first:?} and {second:?}");
    }
    Ok(Verdict::Passed)
}

fn keyed(name: &str) -> Option<Set> {
    Key::new(name).ok().map(|key| patient().keyed(key))
}

pub(super) async fn v17_a_repeated_key_is_one_request(_: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    let set = need!(keyed("conformance-v17"), "no key can be made");
    let first = t.ask(actuator.id, actuator.value(1), set.clone()).await?;
    let second = t.ask(actuator.id, actuator.value(1), set.clone()).await?;
    let (one, two) = (t.outcome(&first).await?, t.outcome(&second).await?);
    ensure!(one == two, "one key, and the outcomes {one:?} and {two:?}");
    if matches!(one, Outcome::Confirmed(_)) {
        // Moved elsewhere meanwhile: asked again, the old request moves nothing.
        let away = t.ask(actuator.id, actuator.value(0), patient()).await?;
        t.outcome(&away).await?;
        let third = t.ask(actuator.id, actuator.value(1), set).await?;
        let three = t.outcome(&third).await?;
        ensure!(three == one, "asked again after it was settled as {one:?}, it is {three:?}");
        t.settle().await;
        let seen = t.get(actuator.id).await?;
        let moved = seen.value().is_some_and(|value| value.same(&actuator.value(1)));
        ensure!(!moved, "a repeated key moved the actuator again");
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v18_a_key_for_another_request_is_a_conflict(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    let set = need!(keyed("conformance-v18"), "no key can be made");
    let first = t.ask(actuator.id, actuator.value(0), set.clone()).await?;
    let requests = vec![Request { signal: actuator.id, value: actuator.value(1), set }];
    let answers = t.must("the answer to a set", car.set(requests)).await??;
    let conflict = matches!(&answers[..], [Err(error)] if error.kind() == ErrorKind::Conflict);
    ensure!(conflict, "a key of another request is answered {answers:?}");
    let outcome = t.outcome(&first).await?;
    let touched = matches!(&outcome, Outcome::Refused(why) if why.kind() == RefusalKind::Superseded);
    ensure!(!touched, "a conflict superseded the first request");
    Ok(Verdict::Passed)
}

pub(super) async fn v19_a_later_request_supersedes(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    let request = |n| Request { signal: actuator.id, value: actuator.value(n), set: patient() };
    let answers = t.must("the answer to a set", car.set(vec![request(0), request(1)])).await??;
    let [Ok(first), Ok(second)] = &answers[..] else {
        return Err(Failure::new(format!("two requests for one actuator are answered {answers:?}")));
    };
    let (one, two) = (t.outcome(first).await?, t.outcome(second).await?);
    let gone = match &one {
        Outcome::Refused(why) => why.kind() == RefusalKind::Superseded,
        Outcome::Confirmed(_) | Outcome::Accepted => true,
        _ => false,
    };
    ensure!(gone, "the earlier of two requests for one actuator ends as {one:?}");
    let done = matches!(two, Outcome::Confirmed(_) | Outcome::Accepted);
    ensure!(done, "the later of two requests for one actuator ends as {two:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v20_what_is_refused_moves_nothing(car: &dyn Vehicle, t: &Trial) -> Ran {
    let catalogue = car.catalogue();
    let mut tried = 0;
    for (id, entry) in catalogue.iter().filter(|(_, entry)| entry.kind() == Kind::Actuator) {
        let access = catalogue.access(id)?;
        if access.read != Permission::Yes {
            continue;
        }
        let refused = match &access.write {
            Permission::Yes => vec![sample::of_wrong_type(entry)],
            Permission::No | Permission::Denied(_) => sample::samples(entry).into_iter().take(2).collect(),
        };
        // A car that lives may move by itself, even to what was asked, but not each time that it is asked something else than there is.
        let mut moves = Vec::new();
        for _ in 0..3 {
            let before = t.get(id).await?.state;
            let others =
                refused.iter().filter(|value| !matches!(&before, State::Valid(now) if now.same(value)));
            for value in others.clone() {
                let request = Request { signal: id, value: value.clone(), set: Set::default() };
                t.must("the answer to a set", car.set(vec![request])).await??;
                tried += 1;
            }
            t.settle().await;
            let after = t.get(id).await?.state;
            if before == after
                || !matches!(&after, State::Valid(seen) if others.clone().any(|it| it.same(seen)))
            {
                moves.clear();
                break;
            }
            moves.push(format!("it was {before}, a refused request made it {after}"));
        }
        ensure!(moves.is_empty(), "{}: {}", entry.path(), moves.join("; "));
    }
    if tried == 0 { skip("no actuator can be read") } else { Ok(Verdict::Passed) }
}
