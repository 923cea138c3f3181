//! What was recorded of signals, from the call to its answer, over as many links as its deadline allows.
//!
//! *Invariant:* a call ends by its deadline, and asking twice moves nothing. What there is of one signal does not depend on the others asked for.
//! *Next:* `shared.rs` (which sends), `slot.rs` (where the answer comes), `client.rs` (which offers it).

use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::{Datapoint, Each, Error, ErrorKind, Monotonic, Operation, SignalId};

use crate::calls::{another_link, left};
use crate::shared::{Mode, Shared, Unasked};
use crate::slot::Settled;

/// What was recorded of each signal, in the order asked, the oldest first.
pub(crate) async fn history(
    shared: &Arc<Shared>,
    signals: &[SignalId],
    period: Duration,
) -> Result<Each<Vec<Datapoint>>, Error> {
    let deadline = shared.clock.monotonic().saturating_add(shared.options.request_time);
    let catalogue = shared.catalogue();
    let mut answers: Each<Vec<Datapoint>> =
        signals.iter().map(|&signal| catalogue.readable(signal).map(|_| Vec::new())).collect();
    let asked: Vec<SignalId> = signals
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.is_ok())
        .map(|(signal, _)| *signal)
        .collect();
    let recorded =
        if asked.is_empty() { Vec::new() } else { recorded(shared, &asked, period, deadline).await? };
    let mut recorded = recorded.into_iter();
    let missing = || Err(Error::new(ErrorKind::Protocol, "the gateway left a signal out"));
    for answer in &mut answers {
        if answer.is_ok() {
            *answer = recorded.next().unwrap_or_else(missing);
        }
    }
    let during = |error: Error| error.during(Operation::Get);
    Ok(answers.into_iter().map(|answer| answer.map_err(during)).collect())
}

/// Together where the server can, one by one where it cannot: in plain VISS one bad signal spoils the whole answer.
async fn recorded(
    shared: &Arc<Shared>,
    signals: &[SignalId],
    period: Duration,
    deadline: Monotonic,
) -> Result<Each<Vec<Datapoint>>, Error> {
    let together = ask(shared, signals, period, deadline).await;
    let plain = matches!(shared.mode, Mode::Plain(_));
    match together {
        Err(error) if plain && !error.is_temporary() && signals.len() > 1 => {
            let mut answers = Vec::with_capacity(signals.len());
            for &signal in signals {
                answers.push(match ask(shared, &[signal], period, deadline).await {
                    Ok(mut one) => one.pop().unwrap_or_else(|| {
                        Err(Error::new(ErrorKind::Protocol, "the server left a signal out"))
                    }),
                    Err(error) if error.is_temporary() => return Err(error),
                    Err(error) => Err(none(shared, signal, error)),
                });
            }
            Ok(answers)
        }
        Err(error) if plain && !error.is_temporary() => {
            Ok(signals.iter().map(|&signal| Err(none(shared, signal, error.clone()))).collect())
        }
        together => together,
    }
}

/// A server of plain VISS has one answer where nothing was recorded and where nothing ever is.
fn none(shared: &Shared, signal: SignalId, error: Error) -> Error {
    let catalogue = shared.catalogue();
    let path = catalogue.path(signal).map_or("", coachwork_vehicle::Path::as_str);
    if error.kind() != ErrorKind::UnknownSignal {
        return if error.path().is_some() { error } else { error.on_path(path) };
    }
    let message = format!("the server has no history of it, or none of this time: {}", error.message());
    Error::new(ErrorKind::Unsupported, message).on_path(path)
}

async fn ask(
    shared: &Arc<Shared>,
    signals: &[SignalId],
    period: Duration,
    deadline: Monotonic,
) -> Result<Each<Vec<Datapoint>>, Error> {
    let during = |error: Error| error.during(Operation::Get);
    loop {
        let reason = match shared.ask_history(signals, period, left(shared, deadline)) {
            Err(Unasked::Down(reason)) => reason.to_string(),
            Err(Unasked::Failed(error)) => return Err(during(error)),
            Ok(pending) => match pending.settled().await {
                Settled::Answered(answer) => return answer.map_err(during),
                Settled::Lost(error) => {
                    if another_link(shared, deadline).await {
                        continue;
                    }
                    error.message().to_owned()
                }
            },
        };
        return Err(during(Error::new(ErrorKind::Unavailable, reason)));
    }
}
