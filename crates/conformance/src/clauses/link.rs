//! Links that are lost and come back.

use coachwork_vehicle::{Event, Outcome, Request, State, Subscribe, Vehicle};

use super::subscribe::begin;
use crate::trial::{Trial, ensure, need, report};
use crate::verdict::{Failure, Ran, Verdict};

pub(super) const NO_LINK: &str = "the subject has no means to cut its link";

pub(super) async fn v44_a_lost_link_is_not_available_and_no_end(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.watched(), "no signal may be read");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).on_change()).await?;
    if t.switch(false).is_none() {
        return Ok(Verdict::Skipped(NO_LINK.into()));
    }
    let gone = |state: &State| matches!(state, State::NotAvailable(_));
    loop {
        match t.next(&mut watch).await? {
            Event::Changed(points) if points.iter().any(|(_, point)| gone(&point.state)) => break,
            Event::Changed(_) | Event::Lagged(_) => {}
            other => {
                return Err(Failure::new(format!("the link is lost, and a subscription tells {other:?}")));
            }
        }
    }
    t.get_until(probe.id, "the link is lost", gone).await?;
    Ok(Verdict::Passed)
}

pub(super) async fn v45_a_mended_link_heals(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.watched(), "no signal may be read");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(256)).await?;
    if t.switch(false).is_none() {
        return Ok(Verdict::Skipped(NO_LINK.into()));
    }
    t.get_until(probe.id, "the link is lost", |state| matches!(state, State::NotAvailable(_))).await?;
    t.switch(true);
    if t.reports() {
        report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    }
    let back = |state: &State| match state {
        State::Valid(value) => !t.reports() || value.same(&probe.value(1)),
        _ => false,
    };
    t.get_until(probe.id, "the link is mended and a value was reported", back).await?;
    loop {
        match t.next(&mut watch).await? {
            Event::Changed(points) if points.iter().any(|(_, point)| back(&point.state)) => {
                return Ok(Verdict::Passed);
            }
            Event::Changed(_) | Event::Lagged(_) => {}
            other => {
                return Err(Failure::new(format!("the link is mended, and a subscription tells {other:?}")));
            }
        }
    }
}

pub(super) async fn v46_a_request_without_a_link_is_not_confirmed(car: &dyn Vehicle, t: &Trial) -> Ran {
    let actuator = need!(t.actuator(1), "no actuator may be moved");
    if t.switch(false).is_none() {
        return Ok(Verdict::Skipped(NO_LINK.into()));
    }
    t.settle().await;
    let request = Request::new(actuator.id, actuator.value(0));
    let answers = t.must("the answer to a set", car.set(vec![request])).await?;
    let Ok([Ok(receipt)]) = answers.as_deref() else { return Ok(Verdict::Passed) };
    let outcome = t.outcome(receipt).await?;
    let moved = matches!(outcome, Outcome::Confirmed(_));
    ensure!(!moved, "the link is lost, and a request is {outcome}");
    Ok(Verdict::Passed)
}
