//! Readers that are slower than the vehicle.

use coachwork_vehicle::{ErrorKind, Event, State, Subscribe, Subscription, Vehicle};

use super::subscribe::begin;
use crate::trial::{Chosen, Trial, ensure, need, report};
use crate::verdict::{Failure, Ran, Verdict};

/// More updates than fit into the queues that are tried.
const UPDATES: usize = 40;

pub(super) async fn v37_a_queue_counts_what_it_loses(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(UPDATES + 1), "no signal can be made to report 41 values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(4)).await?;
    for n in 1..=UPDATES {
        report!(t, &[(&probe.path, State::Valid(probe.value(n)))]);
    }
    t.settle().await;
    let lost = gapless(t, &mut watch, &probe).await?;
    // A far end reads on while the updates come; here nobody has read, and four fit.
    ensure!(lost < UPDATES as u64, "of {UPDATES} updates all are lost");
    Ok(Verdict::Passed)
}

/// Reads up to the last update, checks that each one that is missing is counted where it is missing, and says how many are.
async fn gapless(t: &Trial, watch: &mut Subscription, probe: &Chosen) -> Result<u64, Failure> {
    let (mut next, mut lost) = (1, 0);
    while next <= UPDATES {
        match t.next(watch).await? {
            Event::Lagged(n) => {
                lost += n;
                next += usize::try_from(n).unwrap_or(UPDATES);
            }
            Event::Changed(points) => {
                for (_, point) in points.iter() {
                    let wanted = probe.value(next);
                    let right = point.value().is_some_and(|value| value.same(&wanted));
                    ensure!(
                        right,
                        "update {next} ({wanted}) is due after {lost} counted as lost, not {}",
                        point.state
                    );
                    next += 1;
                }
            }
            other => return Err(Failure::new(format!("updates were due, not {other:?}"))),
        }
    }
    ensure!(next == UPDATES + 1, "{lost} updates are counted as lost, more than there were");
    Ok(lost)
}

pub(super) async fn v38_latest_ends_with_the_last_state(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id])).await?;
    for n in 0..UPDATES {
        report!(t, &[(&probe.path, State::Valid(probe.value(n % 2)))]);
    }
    report!(t, &[(&probe.path, State::Valid(probe.value(2)))]);
    let (_, lagged) = t.values_until(&mut watch, &probe.value(2)).await?;
    ensure!(lagged == 0, "what is overwritten is no loss, and {lagged} are counted as lost");
    Ok(Verdict::Passed)
}

pub(super) async fn v39_block_is_lossless_or_refused(car: &dyn Vehicle, t: &Trial) -> Ran {
    let id = match t.probe(3) {
        Some(probe) => probe.id,
        None => need!(t.readable(), "no signal may be read"),
    };
    let wish = Subscribe::to([id]).block(64);
    if !car.catalogue().facts().back_pressure {
        let answer = t.must("the answer to a subscribe", car.subscribe(wish)).await?;
        let refused = matches!(&answer, Err(error) if error.kind() == ErrorKind::Unsupported);
        ensure!(refused, "its facts promise no back pressure, and a wish for it is answered {answer:?}");
        return Ok(Verdict::Refused("its facts promise no back pressure".into()));
    }
    let mut watch = t.watch(wish).await?;
    if let Some(probe) = t.probe(3) {
        for n in [1, 2, 0, 2] {
            report!(t, &[(&probe.path, State::Valid(probe.value(n)))]);
        }
        let mut seen = Vec::new();
        while seen.len() < 4 {
            seen.extend(t.points(&mut watch).await?);
        }
    }
    Ok(Verdict::Passed)
}

pub(super) async fn v47_what_a_filter_drops_fills_no_queue(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(3), "no signal can be made to report three values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).on_change().queue(4)).await?;
    report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    for _ in 0..UPDATES {
        report!(t, &[(&probe.path, State::Valid(probe.value(1)))]);
    }
    report!(t, &[(&probe.path, State::Valid(probe.value(2)))]);
    let (seen, lost) = t.values_until(&mut watch, &probe.value(2)).await?;
    ensure!(lost == 0, "a queue of 4 has lost {lost} of 2 changes among {UPDATES} repeats");
    ensure!(seen.len() == 2, "of 2 changes among {UPDATES} repeats, {seen:?} is delivered");
    Ok(Verdict::Passed)
}

pub(super) async fn v54_a_block_queue_under_reports_counts_what_it_loses(
    car: &dyn Vehicle,
    t: &Trial,
) -> Ran {
    if !car.catalogue().facts().back_pressure {
        return Ok(Verdict::Refused("its facts promise no back pressure".into()));
    }
    let probe = need!(t.probe(UPDATES + 1), "no signal can be made to report 41 values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).block(4)).await?;
    for n in 1..=UPDATES {
        report!(t, &[(&probe.path, State::Valid(probe.value(n)))]);
    }
    t.settle().await;
    // A source that waits loses nothing; one that cannot wait loses its oldest, and the gap is where they are missing.
    let lost = gapless(t, &mut watch, &probe).await?;
    ensure!(lost < UPDATES as u64, "of {UPDATES} updates all are lost");
    Ok(Verdict::Passed)
}

pub(super) async fn v58_a_queue_keeps_to_its_bound(_: &dyn Vehicle, t: &Trial) -> Ran {
    let probe = need!(t.probe(UPDATES + 1), "no signal can be made to report 41 values");
    begin(t, &probe).await?;
    let mut watch = t.watch(Subscribe::to([probe.id]).queue(5)).await?;
    for n in 1..=UPDATES {
        report!(t, &[(&probe.path, State::Valid(probe.value(n)))]);
    }
    // What is under way arrives; nobody has read since.
    t.pause(t.slack() * 4 + std::time::Duration::from_millis(1)).await;
    let lost = gapless(t, &mut watch, &probe).await?;
    let kept = UPDATES as u64 - lost;
    ensure!(kept <= 5, "a queue of 5 that nobody reads has kept {kept} of {UPDATES} updates");
    Ok(Verdict::Passed)
}
