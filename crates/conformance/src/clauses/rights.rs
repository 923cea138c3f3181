//! Rights to read that are missing, go and come back.

use std::time::Duration;

use coachwork_vehicle::{Error, ErrorKind, Event, Get, Permission, State, Subscribe, Subscription, Vehicle};

use super::subscribe::begin;
use crate::trial::{Chosen, Trial, ensure, need, report};
use crate::verdict::{Failure, Ran, Verdict};

fn denied() -> Permission {
    Permission::denied("not in your plan")
}

/// Waits until the catalogue shows a right to read.
async fn shown(t: &Trial, probe: &Chosen, right: impl Fn(&Permission) -> bool) -> Result<(), Failure> {
    for _ in 0..2_000 {
        if t.car().catalogue().access(probe.id).is_ok_and(|access| right(&access.read)) {
            return Ok(());
        }
        t.pause(Duration::from_millis(5)).await;
    }
    Err(Failure::new(format!(
        "the right to read {} was changed, and the catalogue does not show it",
        probe.path
    )))
}

pub(super) async fn v40_a_signal_that_may_not_be_read_is_denied(car: &dyn Vehicle, t: &Trial) -> Ran {
    let catalogue = car.catalogue();
    let mut closed = catalogue.ids().find(|&id| catalogue.readable(id).is_err());
    if closed.is_none() {
        let probe = need!(t.watched(), "no signal may be read");
        begin(t, &probe).await?;
        need!(
            t.govern(&probe.path, denied()),
            "no signal is denied, and the subject has no means to change rights"
        );
        shown(t, &probe, |read| matches!(read, Permission::Denied(_))).await?;
        closed = Some(probe.id);
    }
    let id = need!(closed, "no signal is denied");
    let answers = t.must("the answer to a get", car.get(Get::of(&[id]))).await??;
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(drop).map_err(Error::kind)).collect();
    ensure!(kinds == [Err(ErrorKind::Denied)], "a signal that may not be read is answered {answers:?}");
    let strict = t.must("the answer to a subscribe", car.subscribe(Subscribe::to([id]).strict())).await?;
    let refused = matches!(&strict, Err(error) if error.kind() == ErrorKind::Denied);
    ensure!(refused, "a strict subscription to a signal that may not be read is answered {strict:?}");
    let mut watch = t.must("the answer to a subscribe", car.subscribe(Subscribe::to([id]))).await??;
    let kinds: Vec<_> = watch.refused().map(|(_, error)| error.kind()).collect();
    ensure!(kinds == [ErrorKind::Denied], "the report of a signal that may not be read says {kinds:?}");
    let events = t.events_within(&mut watch, t.slack() + Duration::from_millis(1)).await;
    ensure!(events.is_empty(), "a signal that may not be read is delivered: {events:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v41_a_withdrawn_right_silences_a_subscription(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(2), "no signal can be made to report two values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(256)).await?;
    need!(t.govern(&probe.path, denied()), "the subject has no means to change rights");
    shown(t, &probe, |read| matches!(read, Permission::Denied(_))).await?;
    report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    match t.next(&mut watch).await? {
        Event::Access(changes) => {
            let told = matches!(&changes[..], [(id, Permission::Denied(_))] if *id == probe.id);
            ensure!(told, "a right was withdrawn, and the subscription tells {changes:?}");
        }
        other => {
            return Err(Failure::new(format!("a right was withdrawn, and the subscription tells {other:?}")));
        }
    }
    let events = t.events_within(&mut watch, t.slack() + Duration::from_millis(1)).await;
    ensure!(events.is_empty(), "after its right was withdrawn, a signal is delivered: {events:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v42_a_right_that_returns_brings_the_present_value(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(2), "no signal can be made to report two values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).on_change().queue(256)).await?;
    need!(t.govern(&probe.path, denied()), "the subject has no means to change rights");
    shown(t, &probe, |read| matches!(read, Permission::Denied(_))).await?;
    told(t, &mut watch, &probe, |read| matches!(read, Permission::Denied(_))).await?;
    report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    t.settle().await;
    t.govern(&probe.path, Permission::Yes);
    told(t, &mut watch, &probe, |read| *read == Permission::Yes).await?;
    let points = t.points(&mut watch).await?;
    let state = points.first().map(|(_, point)| &point.state);
    let present = matches!(state, Some(State::Valid(value)) if value.same(&probe.value(1)));
    ensure!(present, "the value was {} when the right returned, delivered is {state:?}", probe.value(1));
    Ok(Verdict::Passed)
}

/// Waits until a subscription tells of a right.
async fn told(
    t: &Trial,
    watch: &mut Subscription,
    probe: &Chosen,
    right: impl Fn(&Permission) -> bool,
) -> Result<(), Failure> {
    loop {
        if let Event::Access(changes) = t.next(watch).await?
            && changes.iter().any(|(id, read)| *id == probe.id && right(read))
        {
            return Ok(());
        }
    }
}

pub(super) async fn v43_a_superseded_catalogue_says_so(car: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.watched(), "no signal may be read");
    let before = car.catalogue();
    need!(t.govern(&probe.path, denied()), "the subject has no means to change rights");
    t.must("word that the catalogue is superseded", before.superseded()).await?;
    let after = car.catalogue();
    ensure!(
        after.revision() > before.revision(),
        "revision {} follows {}",
        after.revision(),
        before.revision()
    );
    ensure!(after.is_lineage_of(&before), "a change of rights made ids of before worthless");
    ensure!(after.id(&probe.path) == Some(probe.id), "a change of rights changed an id");
    Ok(Verdict::Passed)
}
