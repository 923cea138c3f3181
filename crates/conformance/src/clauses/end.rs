//! What is carried to the far end unchanged: times, ends and errors.

use std::time::Duration;

use coachwork_vehicle::{
    Datapoint, Error, ErrorKind, Event, Get, Operation, Request, State, Subscribe, TimeBase, Timestamp,
    Vehicle,
};

use super::subscribe::begin;
use super::tree::foreign;
use crate::sample;
use crate::trial::{Trial, ensure, need, report, skip};
use crate::verdict::{Failure, Ran, Verdict};

pub(super) async fn v51_a_subscription_ends_once(_: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    let probe = t.probe(2);
    let mut watches = Vec::new();
    for wish in [Subscribe::to([id]), Subscribe::to([id]).queue(256)] {
        watches.push(t.watch(wish).await?);
    }
    need!(t.end(), "the subject has no means to end its vehicle");
    for mut watch in watches {
        let why = loop {
            if let Event::Ended(why) = t.next(&mut watch).await? {
                break why;
            }
        };
        ensure!(!why.to_string().trim().is_empty(), "a subscription ended without a reason");
        if let Some(probe) = &probe {
            // Whether it can still be reported does not matter.
            let _ = t.report(&[(&probe.path, State::Valid(probe.value(1)))]);
        }
        for _ in 0..3 {
            t.settle().await;
            let after = t.must("the end of a subscription", watch.next()).await?;
            ensure!(after.is_none(), "a subscription has ended, and tells {after:?}");
        }
    }
    Ok(Verdict::Passed)
}

const AGO: i64 = 90_000_000_000;

pub(super) async fn v52_the_time_at_the_source_is_carried(car: &dyn Vehicle, t: &Trial) -> Ran {
    let mut seen = 0;
    for id in car.catalogue().ids().filter(|&id| car.catalogue().readable(id).is_ok()) {
        let point = t.get(id).await?;
        if point.state == State::NeverSet {
            continue;
        }
        seen += 1;
        let (path, now) = (car.catalogue().path(id)?.clone(), t.time().saturating_add(t.slack()));
        ensure!(point.received <= now, "{path} was received at {}, and it is {now}", point.received);
        let known = car.catalogue().facts().time == TimeBase::Utc;
        ensure!(!known || point.source <= now, "{path} was seen at {}, and it is {now}", point.source);
    }
    let Some(probe) = t.probe(2) else {
        return if seen == 0 { skip("no signal has a value") } else { Ok(Verdict::Passed) };
    };
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(256)).await?;
    t.pause(Duration::from_secs(2)).await;
    let (value, reported) = (probe.value(1), t.time());
    let dated = Timestamp::from_nanoseconds(reported.nanoseconds().saturating_sub(AGO));
    let is_dated = t.report_dated(&probe.path, State::Valid(value.clone()), dated).is_ok();
    if !is_dated {
        report!(t, &[(&probe.path, State::Valid(value.clone()))]);
    }
    let is_new = |state: &State| matches!(state, State::Valid(seen) if seen.same(&value));
    let told = loop {
        let points = t.points(&mut watch).await?;
        if let Some((_, point)) = points.into_iter().find(|(_, point)| is_new(&point.state)) {
            break point;
        }
    };
    // Where the source cannot say when it saw a state, that is between its report and its arrival.
    let arrived = t.time().saturating_add(t.slack());
    let source = if is_dated { dated..=dated } else { reported..=arrived };
    let right = |point: &Datapoint, how: &str, now: Timestamp| {
        let (start, end) = (source.start(), source.end());
        ensure!(
            source.contains(&point.source),
            "what the source saw at {start} to {end} is {how} as of {}",
            point.source
        );
        ensure!(
            (reported..=now.saturating_add(t.slack())).contains(&point.received),
            "what was reported at {reported} is {how} at {now} as received at {}",
            point.received
        );
        Ok(())
    };
    right(&told, "told", t.time())?;
    let read = t.get_until(probe.id, "a value was reported", is_new).await?;
    right(&read, "read", t.time())?;
    t.pause(Duration::from_secs(1)).await;
    let late = t.get(probe.id).await?;
    right(&late, "read later", t.time())?;
    ensure!(
        late.source == read.source && told.source == read.source,
        "one report was seen at {}, at {} and at {}",
        told.source,
        read.source,
        late.source
    );
    let mut next = t.must("the answer to a subscribe", car.subscribe(Subscribe::to([probe.id]))).await??;
    for (_, point) in t.present(&mut next).await? {
        right(&point, "told first", t.time())?;
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v57_an_error_names_what_failed(car: &dyn Vehicle, t: &Trial) -> Ran {
    let foreign = need!(foreign(), "there is no other catalogue");
    let during = |wanted: Operation, answer: Option<&Error>| {
        let named = answer.and_then(Error::operation);
        ensure!(named == Some(wanted), "an error of {wanted} says that it is of {named:?}: {answer:?}");
        let message = answer.is_some_and(|error| !error.message().trim().is_empty());
        ensure!(message, "an error of {wanted} says nothing");
        Ok::<(), Failure>(())
    };
    let got = t.must("the answer to a get", car.get(Get::of(&[foreign]))).await??;
    during(Operation::Get, got.first().and_then(|answer| answer.as_ref().err()))?;
    let set = t.must("the answer to a set", car.set(vec![Request::new(foreign, true)])).await??;
    during(Operation::Set, set.first().and_then(|answer| answer.as_ref().err()))?;
    let wish = Subscribe::to([foreign]).strict();
    let watch = t.must("the answer to a subscribe", car.subscribe(wish)).await?;
    during(Operation::Subscribe, watch.as_ref().err())?;
    if let Some(actuator) = t.actuator(1) {
        let wrong = sample::of_wrong_type(car.catalogue().entry(actuator.id)?);
        let set = t.must("the answer to a set", car.set(vec![Request::new(actuator.id, wrong)])).await??;
        let error = set.first().and_then(|answer| answer.as_ref().err());
        during(Operation::Set, error)?;
        let path = error.and_then(Error::path);
        let fits = error.is_some_and(|error| error.kind() == ErrorKind::WrongType);
        ensure!(!fits || path == Some(&actuator.path), "an error about {} is about {path:?}", actuator.path);
    }
    Ok(Verdict::Passed)
}
