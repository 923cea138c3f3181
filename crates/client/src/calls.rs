//! Get and set, from the call to its answer, over as many links as its deadline allows.
//!
//! *Invariant:* a call ends by its deadline. What was under way when a link was lost is asked again only where that moves nothing twice.
//! *Next:* `shared.rs` (which sends), `slot.rs` (where the answer comes).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::{
    Datapoint, Each, Error, ErrorKind, Key, Monotonic, Operation, Outcome, Permission, Reason, Receipt,
    Refusal, RefusalKind, Request, SignalId, Stage,
};
use futures_util::future::{Either, select};

use crate::queue::Priority;
use crate::shared::{Asked, Shared, Unasked};
use crate::slot::Settled;

/// The present datapoints.
pub(crate) async fn get(shared: &Arc<Shared>, signals: &[SignalId]) -> Result<Each<Datapoint>, Error> {
    let catalogue = shared.catalogue();
    let known: Vec<_> = signals.iter().copied().filter(|&id| catalogue.entry(id).is_ok()).collect();
    let mut points = if known.is_empty() { Vec::new() } else { points(shared, &known).await? }.into_iter();
    let missing = || Err(Error::new(ErrorKind::Protocol, "the gateway left a signal out"));
    let answer = |&id: &SignalId| match catalogue.entry(id) {
        Ok(_) => points.next().unwrap_or_else(missing).map_err(|error| error.during(Operation::Get)),
        Err(error) => Err(error.during(Operation::Get)),
    };
    Ok(signals.iter().map(answer).collect())
}

async fn points(shared: &Arc<Shared>, signals: &[SignalId]) -> Result<Each<Datapoint>, Error> {
    let deadline = shared.clock.monotonic().saturating_add(shared.options.request_time);
    loop {
        let reason = match shared.ask_points(signals, left(shared, deadline)) {
            Err(Unasked::Down(reason)) => reason,
            Err(Unasked::Failed(error)) => return Err(error.during(Operation::Get)),
            Ok(pending) => match pending.settled().await {
                Settled::Answered(answer) => return answer.map_err(|error| error.during(Operation::Get)),
                Settled::Lost(error) => {
                    if another_link(shared, deadline).await {
                        continue;
                    }
                    shared.down().unwrap_or_else(|| lost(&error))
                }
            },
        };
        return Ok(not_available(shared, signals, &reason));
    }
}

/// What may be read is not available, for the link is down.
fn not_available(shared: &Shared, signals: &[SignalId], reason: &Reason) -> Each<Datapoint> {
    let catalogue = shared.catalogue();
    let point = Datapoint::not_available(reason.clone(), shared.clock.now());
    signals.iter().map(|&id| catalogue.readable(id).map(|_| point.clone())).collect()
}

/// Asks actuators to move.
pub(crate) async fn set(shared: &Arc<Shared>, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
    let catalogue = shared.catalogue();
    let begun = shared.clock.monotonic();
    let check = |request: Request| {
        let entry = catalogue.entry(request.signal)?;
        let value = entry.settable(request.value)?;
        if catalogue.access(request.signal)?.write == Permission::No {
            let error = Error::new(ErrorKind::NotActuator, "the signal cannot be set here");
            return Err(error.on_path(entry.path().as_str()));
        }
        let receipt = Receipt::new(shared.clock.clone(), begun.saturating_add(request.set.within));
        let mut set = request.set;
        set.key = set.key.map(|key| wire_key(shared.options.seed, key));
        Ok((Request { value, set, ..request }, receipt))
    };
    let checked: Vec<Result<(Request, Receipt), Error>> = requests.into_iter().map(check).collect();
    let valid: Vec<_> = checked.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
    let mut answers = if valid.is_empty() { Vec::new() } else { receipts(shared, valid).await? }.into_iter();
    let missing = || Err(Error::new(ErrorKind::Protocol, "the gateway left a request out"));
    let answer = |one: Result<(Request, Receipt), Error>| {
        let (request, _) = one.map_err(|error| error.during(Operation::Set))?;
        answers.next().unwrap_or_else(missing).map_err(|error| {
            let error = error.during(Operation::Set);
            match (error.path(), catalogue.path(request.signal)) {
                (None, Ok(path)) => error.on_path(path.as_str()),
                _ => error,
            }
        })
    };
    Ok(checked.into_iter().map(answer).collect())
}

/// Asks an actuator to move as soon as the link stands, until the request's time is over.
pub(crate) fn set_queued(shared: &Shared, request: &Request, priority: Priority) -> Result<Receipt, Error> {
    let queue = || {
        let catalogue = shared.catalogue();
        let entry = catalogue.entry(request.signal)?;
        let value = entry.settable(request.value.clone())?;
        if catalogue.access(request.signal)?.write == Permission::No {
            let error = Error::new(ErrorKind::NotActuator, "the signal cannot be set here");
            return Err(error.on_path(entry.path().as_str()));
        }
        if request.set.key.is_some() {
            return Err(Error::new(ErrorKind::Invalid, "a queued request has a key of its own"));
        }
        shared.queue_set(Request { value, ..request.clone() }, priority)
    };
    queue().map_err(|error| error.during(Operation::Set))
}

/// One answer for each request, over as many links as it takes.
async fn receipts(shared: &Arc<Shared>, requests: Vec<(Request, Receipt)>) -> Result<Each<Receipt>, Error> {
    let deadline = shared.clock.monotonic().saturating_add(shared.options.request_time);
    let mut answers: Vec<Option<Result<Receipt, Error>>> = vec![None; requests.len()];
    loop {
        let open: Vec<_> =
            (0..).zip(&requests).zip(&answers).filter(|(_, answer)| answer.is_none()).collect();
        let places: Vec<usize> = open.iter().map(|((place, _), _)| *place).collect();
        let now = shared.moment();
        let asked = open.iter().map(|((_, (request, receipt)), _)| {
            let asked = Asked { request: request.clone(), receipt: receipt.clone(), queued: false };
            let request = asked.at(now);
            Asked { request, ..asked }
        });
        let asked = asked.collect();
        match shared.ask_set(asked, left(shared, deadline)) {
            Err(Unasked::Failed(error)) => return Err(error),
            Err(Unasked::Down(reason)) => {
                let error = Error::new(ErrorKind::Unavailable, reason.to_string());
                fill(&mut answers, &places, |_| Err(error.clone()));
            }
            Ok(pending) => match pending.settled().await {
                Settled::Answered(Ok(receipts)) => {
                    for (place, receipt) in places.into_iter().zip(receipts) {
                        fill(&mut answers, &[place], |_| receipt.clone());
                    }
                }
                Settled::Answered(Err(error)) if error.kind() == ErrorKind::Timeout => {
                    fill(&mut answers, &places, |place| unheard(&requests, place, &error));
                }
                Settled::Answered(Err(error)) => return Err(error),
                Settled::Lost(error) => {
                    let safe = |place: &usize| {
                        requests.get(*place).is_some_and(|(request, _)| request.set.key.is_some())
                    };
                    let (again, gone): (Vec<_>, Vec<_>) = places.into_iter().partition(safe);
                    let refusal = Refusal::new(RefusalKind::Link, error.message().to_owned());
                    fill(&mut answers, &gone, |place| settled(&requests, place, &refusal));
                    if !again.is_empty() && another_link(shared, deadline).await {
                        continue;
                    }
                    fill(&mut answers, &again, |place| settled(&requests, place, &refusal));
                }
            },
        }
        let missing = || Err(Error::new(ErrorKind::Protocol, "the gateway left a request out"));
        return Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect());
    }
}

fn fill<T>(answers: &mut [Option<T>], places: &[usize], answer: impl Fn(usize) -> T) {
    for &place in places {
        if let Some(slot) = answers.get_mut(place) {
            *slot = Some(answer(place));
        }
    }
}

/// Whether a request was heard is not known: its receipt says that nobody can tell any more.
fn settled(requests: &[(Request, Receipt)], place: usize, refusal: &Refusal) -> Result<Receipt, Error> {
    let (_, receipt) = requests.get(place).ok_or_else(|| Error::new(ErrorKind::Other, "no such request"))?;
    receipt.settle(Outcome::Refused(refusal.clone()));
    Ok(receipt.clone())
}

/// No answer came: a request whose time is over has timed out, for another one the call has.
fn unheard(requests: &[(Request, Receipt)], place: usize, error: &Error) -> Result<Receipt, Error> {
    match requests.get(place) {
        Some((_, receipt)) if receipt.stage() != Stage::Accepted => Ok(receipt.clone()),
        _ => Err(error.clone()),
    }
}

/// Waits until a link stands again; false when the deadline comes first, or none will.
pub(crate) async fn another_link(shared: &Shared, deadline: Monotonic) -> bool {
    let wait = shared.link.wait(|link| !matches!(link, crate::Link::Down { .. }));
    match select(pin!(wait), shared.clock.sleep_until(deadline)).await {
        Either::Left((link, _)) => link.is_up(),
        Either::Right(_) => false,
    }
}

pub(crate) fn left(shared: &Shared, deadline: Monotonic) -> Duration {
    deadline.saturating_since(shared.clock.monotonic())
}

fn lost(error: &Error) -> Reason {
    Reason::because(coachwork_vehicle::ReasonKind::Link, error.message().to_owned())
}

/// The key at the gateway: those of clients of different seeds do not meet.
fn wire_key(seed: u64, key: Key) -> Key {
    let named = Key::new(&format!("{seed:x}/{}", key.as_str()));
    // One that has no room for a name gets a short one of its own (FNV-1a, 128 bits).
    let short = || {
        let hash = key.as_str().bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
        Key::new(&format!("{seed:x}#{hash:032x}"))
    };
    named.or_else(|_| short()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_apart() {
        let key = |text: &str| Key::new(text).unwrap();
        let long = key(&"k".repeat(64));
        for (one, other) in [
            (wire_key(1, key("a")), wire_key(2, key("a"))),
            (wire_key(1, key("a")), wire_key(1, key("b"))),
            (wire_key(1, long.clone()), wire_key(2, long.clone())),
            (wire_key(1, long.clone()), wire_key(1, key(&format!("{}l", "k".repeat(63))))),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(wire_key(u64::MAX, long.clone()), wire_key(u64::MAX, long));
    }
}
