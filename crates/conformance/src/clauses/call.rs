//! What is left where a call is dropped, fails as a whole, or nobody hears it.

use std::time::Duration;

use coachwork_vehicle::{
    ErrorKind, Key, Outcome, Receipts, Request, Set, Stage, State, Subscribe, Value, Vehicle,
};

use super::link::NO_LINK;
use super::set::{is_at, move_to};
use super::tree::foreign;
use crate::trial::{Chosen, Trial, ensure, need, poll_and_drop};
use crate::verdict::{Failure, Ran, Verdict};

fn keyed(name: &str) -> Result<Set, Failure> {
    let key = Key::new(name).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Set::within(Duration::from_secs(15)).keyed(key))
}

/// Asks again under a key, and sees that the request was sent whole: it is done, or was taken by a vehicle that says no more.
async fn is_done(t: &Trial, actuator: &Chosen, value: &Value, set: Set, what: &str) -> Result<(), Failure> {
    let again = t.ask(actuator.id, value.clone(), set).await?;
    match t.outcome(&again).await? {
        Outcome::Accepted => Ok(()),
        Outcome::Confirmed(_) => {
            let what = format!("{what}, asked again it is confirmed to be at {value}");
            t.get_until(actuator.id, &what, is_at(t, actuator, value)?).await.map(drop)
        }
        other => Err(Failure::new(format!("{what}, and asked again under its key it is {other}"))),
    }
}

pub(super) async fn v49_dropping_a_receipt_cancels_nothing(_: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    for n in [0, 1, 0, 1] {
        let (set, value) = (keyed(&format!("conformance-v49-{n}-{:?}", t.now()))?, actuator.value(n));
        drop(t.ask(actuator.id, value.clone(), set.clone()).await?);
        t.settle().await;
        is_done(t, &actuator, &value, set, "the receipt of a request was dropped").await?;
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v50_a_dropped_set_is_whole_or_nothing(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    for polls in 0..6 {
        let (set, value) = (keyed(&format!("conformance-v50-{polls}"))?, actuator.value(polls));
        let request = Request { signal: actuator.id, value: value.clone(), set: set.clone() };
        poll_and_drop(car.set(vec![request]), polls).await;
        t.settle().await;
        // Were it known and not sent, this would wait for what never comes.
        let what = format!("a set was dropped after {polls} polls");
        is_done(t, &actuator, &value, set, &what).await?;
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v53_an_error_of_the_whole_means_nothing_was_tried(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = need!(t.readable(), "no signal may be read");
    let foreign = need!(foreign(), "there is no other catalogue");
    for _ in 0..300 {
        let wish = Subscribe::to([id, foreign, id]).strict();
        let answer = t.must("the answer to a subscribe", car.subscribe(wish)).await?;
        ensure!(answer.is_err(), "a strict wish with a bad signal is granted");
    }
    let one = t.must("the answer to a subscribe", car.subscribe(Subscribe::to([id]).strict())).await?;
    let mut one = one.map_err(|e| Failure::new(format!("after 300 that were refused as a whole: {e}")))?;
    t.present(&mut one).await?;
    let Some(actuator) = t.actuator(2) else { return Ok(Verdict::Passed) };
    if t.car().catalogue().facts().receipts == Receipts::Accepted {
        return Ok(Verdict::Passed);
    }
    move_to(t, &actuator, 0).await?;
    if t.switch(false).is_none() {
        return Ok(Verdict::Passed);
    }
    t.get_until(actuator.id, "the link is lost", |state| matches!(state, State::NotAvailable(_))).await?;
    let (value, set) = (actuator.value(1), keyed("conformance-v53")?);
    let request = || Request { signal: actuator.id, value: value.clone(), set: set.clone() };
    let answers = t.must("the answer to a set", car.set(vec![request(), request()])).await?;
    t.switch(true);
    if answers.is_ok() {
        // It answers one by one, which another clause is about.
        return Ok(Verdict::Passed);
    }
    t.pause(Duration::from_secs(3)).await;
    let seen = t.get(actuator.id).await?.state;
    let moved = is_at(t, &actuator, &value)?(&seen);
    ensure!(!moved, "a set has failed as a whole, and {} is at {value}", actuator.path);
    let other = Request { signal: actuator.id, value: actuator.value(0), set };
    let answers = t.must("the answer to a set", car.set(vec![other])).await?;
    let conflict = matches!(answers.as_deref(), Ok([Err(error)]) if error.kind() == ErrorKind::Conflict);
    ensure!(!conflict, "a set has failed as a whole, and its key is taken");
    Ok(Verdict::Passed)
}

pub(super) async fn v55_a_request_does_not_write_the_reading(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    if car.catalogue().facts().receipts == Receipts::Accepted {
        return Ok(Verdict::Refused("its facts say that receipts end at accepted".into()));
    }
    move_to(t, &actuator, 0).await?;
    let value = actuator.value(1);
    let receipt = t.ask(actuator.id, value.clone(), Set::within(Duration::from_secs(14))).await?;
    let there = is_at(t, &actuator, &value)?;
    while receipt.stage() == Stage::Accepted {
        let seen = t.get(actuator.id).await?.state;
        if there(&seen) {
            // What is observed settles the request; word of it may be under way.
            t.pause(t.slack() * 2 + Duration::from_millis(100)).await;
            let open = receipt.stage() == Stage::Accepted;
            ensure!(!open, "{} reads {seen}, as was asked, and the request is still open", actuator.path);
        }
        t.pause(Duration::from_millis(20)).await;
    }
    let outcome = t.outcome(&receipt).await?;
    ensure!(matches!(outcome, Outcome::Confirmed(_)), "{} asked to go to {value}: {outcome}", actuator.path);
    Ok(Verdict::Passed)
}

pub(super) async fn v56_a_request_without_a_link_is_not_kept(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(2), "no actuator may be moved to two values");
    if car.catalogue().facts().receipts == Receipts::Accepted {
        return Ok(Verdict::Refused("its facts say that receipts end at accepted".into()));
    }
    move_to(t, &actuator, 0).await?;
    if t.switch(false).is_none() {
        return Ok(Verdict::Skipped(NO_LINK.into()));
    }
    t.get_until(actuator.id, "the link is lost", |state| matches!(state, State::NotAvailable(_))).await?;
    let value = actuator.value(1);
    let request = Request::new(actuator.id, value.clone()).with(Set::within(Duration::from_secs(14)));
    // However it is answered, another clause says.
    let _answers = t.must("the answer to a set", car.set(vec![request])).await?;
    t.pause(Duration::from_secs(1)).await;
    t.switch(true);
    for _ in 0..5 {
        t.pause(Duration::from_secs(1)).await;
        let seen: State = t.get(actuator.id).await?.state;
        let moved = is_at(t, &actuator, &value)?(&seen);
        ensure!(!moved, "{} was asked while the link was lost, and moves now that it is back", actuator.path);
    }
    Ok(Verdict::Passed)
}
