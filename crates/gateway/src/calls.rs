//! What a peer asks, asked of the vehicle as the peer sees it.
//!
//! *Invariant:* a peer of pure VISS gets all or nothing; no remote peer may hold a source back.
//! *Next:* `door.rs` (whose view it is), `peer.rs` (which sends the answers).

use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::Ticket;
use coachwork_transport::viss::{Answer, Call, Form, SetItem, SubscriptionId, Target, Trigger, Wanted};
use coachwork_vehicle::{
    Catalogue, Credential, Datapoint, Each, Error, ErrorKind, Get, Operation, Outcome, Overflow, Permission,
    Reason, ReasonKind, Receipt, State, Subscription, Timestamp,
};

use crate::capabilities;
use crate::door::Pass;
use crate::gateway::Shared;
use crate::intake::deliver;
use crate::keys::{Holder, Kept, Keyed, Recalled, Told};

/// What a piece of work for a peer came to.
pub(crate) enum Done {
    Answered(Ticket, Answer),
    /// To be answered with how far the receipts have come, which are followed afterwards.
    Set(Ticket, Each<Receipt>),
    Subscribed(Ticket, Box<Subscribed>),
    /// A subscription whose right has ended was asked for again, by a newer one.
    Renewed(SubscriptionId, Result<Box<Subscribed>, Error>),
    /// Metadata was answered: from now on the peer is told of newer catalogues.
    Described(Ticket, Answer, Arc<Pass>, Arc<Catalogue>),
    Settled(Ticket, usize, Outcome),
}

pub(crate) struct Subscribed {
    pub(crate) subscription: Subscription,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) refused: Vec<(String, Error)>,
    pub(crate) pass: Arc<Pass>,
    pub(crate) wanted: Option<Arc<Wanted>>,
}

/// Asks for a subscription again, with what the peer has shown since.
pub(crate) async fn renew(
    shared: Arc<Shared>,
    id: SubscriptionId,
    credential: Credential,
    wanted: Arc<Wanted>,
) -> Done {
    let again = async {
        let pass = shared.door.admit(&credential).await?;
        subscribe(pass, &wanted).await.map(Box::new)
    };
    Done::Renewed(id, again.await)
}

/// Does what was asked. Unsubscribing is the peer's own affair.
pub(crate) async fn perform(
    shared: Arc<Shared>,
    ticket: Ticket,
    credential: Credential,
    call: Call,
    form: Form,
    from: Arc<str>,
) -> Done {
    let operation = match &call {
        Call::Set(_) => Operation::Set,
        Call::Subscribe(_) => Operation::Subscribe,
        _ => Operation::Get,
    };
    let done = async {
        let is_own = capabilities::is_meant(&call);
        let pass = if is_own { shared.own()? } else { shared.door.admit(&credential).await? };
        match call {
            Call::Capabilities => {
                let capabilities = capabilities::of(&shared.options, shared.history.get().is_some());
                Ok(Done::Answered(ticket, Answer::Capabilities(capabilities)))
            }
            Call::History { target, period } => {
                let answer = history(&shared, &pass, form, &target, period).await?;
                Ok(Done::Answered(ticket, answer))
            }
            Call::Get(target) => get(&pass, &target).await.map(|answer| Done::Answered(ticket, answer)),
            Call::Metadata { target, generations } => {
                let catalogue = pass.view().catalogue();
                let metadata = shared.metadata.described(form, &catalogue, &target, generations)?;
                let answer = Answer::Metadata(metadata);
                // What the gateway itself can do does not change.
                if is_own {
                    Ok(Done::Answered(ticket, answer))
                } else {
                    Ok(Done::Described(ticket, answer, pass, catalogue))
                }
            }
            Call::Set(items) => {
                if !form.additions {
                    all_settable(&pass.view().catalogue(), &items)?;
                }
                set(&shared, &pass, &from, items).await.map(|each| Done::Set(ticket, each))
            }
            Call::Subscribe(wanted) => subscribe(pass, &wanted)
                .await
                .map(|subscribed| Done::Subscribed(ticket, Box::new(subscribed))),
            Call::Deliver(delivery) => {
                deliver(&shared, delivery).await.map(|answer| Done::Answered(ticket, answer))
            }
            _ => Err(Error::new(ErrorKind::Unsupported, "this gateway does not know this request")),
        }
    };
    done.await.unwrap_or_else(|error: Error| {
        let error = if error.operation().is_some() { error } else { error.during(operation) };
        Done::Answered(ticket, Answer::Failed(error))
    })
}

async fn get(pass: &Pass, target: &Target) -> Result<Answer, Error> {
    let catalogue = pass.view().catalogue();
    let found = target.resolve(&catalogue)?;
    let known: Vec<_> = found.iter().filter_map(|one| one.signal.as_ref().ok().copied()).collect();
    let mut points = pass.view().get(Get::of(&known)).await?.into_iter();
    let missing = || Err(Error::new(ErrorKind::Other, "the vehicle left a signal out"));
    let answer = found.into_iter().map(|one| {
        let point = match one.signal {
            Ok(_) => points.next().unwrap_or_else(missing),
            Err(error) => Err(error),
        };
        (one.path, point)
    });
    Ok(Answer::Points(answer.collect()))
}

/// What was recorded, all or nothing: the rights to the present hold for the past.
async fn history(
    shared: &Shared,
    pass: &Pass,
    form: Form,
    target: &Target,
    period: Duration,
) -> Result<Answer, Error> {
    let catalogue = pass.view().catalogue();
    let found = target.resolve(&catalogue)?;
    let mut signals = Vec::with_capacity(found.len());
    for one in &found {
        let signal = one.signal.clone()?;
        catalogue.readable(signal)?;
        signals.push(signal);
    }
    let nothing = || Error::new(ErrorKind::UnknownSignal, "nothing was recorded of it in this time");
    let history = shared.history.get();
    let history =
        history.ok_or_else(|| Error::new(ErrorKind::Unsupported, "this gateway records nothing"))?;
    let now = shared.clock.now();
    let since = Timestamp::from_nanoseconds(
        now.nanoseconds().saturating_sub(i64::try_from(period.as_nanos()).unwrap_or(i64::MAX)),
    );
    let at_most = shared.options.history;
    let recorded = history.recall(&signals, since, at_most).await?;
    if recorded.iter().map(Vec::len).sum::<usize>() > at_most {
        let message = format!("more than {at_most} datapoints were recorded: ask for a shorter period");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let present = pass.view().get(Get::of(&signals)).await?;
    let mut answer = Vec::with_capacity(found.len());
    let mut is_empty = true;
    for ((one, present), mut points) in found.into_iter().zip(present).zip(recorded) {
        // What was never set was not recorded, and the present one is no history.
        points.retain(|point| point.state != State::NeverSet);
        let present = present?;
        if points.last().is_some_and(|last| last.source == present.source && last.value() == present.value())
        {
            points.pop();
        }
        is_empty &= points.is_empty();
        // With additional members an empty list says so.
        if points.is_empty() && !form.additions {
            let reason = Reason::because(ReasonKind::Source, "nothing was recorded of it in this time");
            points.push(Datapoint::not_available(reason, now));
        }
        answer.push((one.path, points));
    }
    if is_empty && !form.additions { Err(nothing()) } else { Ok(Answer::History(answer)) }
}

/// The answer to a peer of pure VISS has one error for all: where one of several requests makes no sense or is not allowed, none is carried
/// out.
fn all_settable(catalogue: &Catalogue, items: &[SetItem]) -> Result<(), Error> {
    if items.len() < 2 {
        return Ok(());
    }
    for item in items {
        let request = item.resolve(catalogue)?;
        let entry = catalogue.entry(request.signal)?;
        entry.settable(request.value)?;
        let cannot = |kind, why: String| Err(Error::new(kind, why).on_path(entry.path().as_str()));
        match &catalogue.access(request.signal)?.write {
            Permission::Yes => {}
            Permission::No => {
                return cannot(ErrorKind::NotActuator, "the signal cannot be set here".to_owned());
            }
            Permission::Denied(reason) => return cannot(ErrorKind::Denied, reason.to_string()),
        }
    }
    Ok(())
}

/// Most sets have no key: then what can be asked is asked, and there is nothing else to it.
async fn set(shared: &Shared, pass: &Pass, from: &str, items: Vec<SetItem>) -> Result<Each<Receipt>, Error> {
    if items.iter().any(|item| item.key.is_some()) {
        return set_under_keys(shared, pass, from, items).await;
    }
    let catalogue = pass.view().catalogue();
    let (all, mut requests, mut wrong) = (items.len(), Vec::with_capacity(items.len()), Vec::new());
    for (place, item) in items.iter().enumerate() {
        match item.resolve(&catalogue) {
            Ok(request) => requests.push(request),
            Err(error) => wrong.push((place, error.during(Operation::Set))),
        }
    }
    let receipts = pass.view().set(requests).await?;
    if wrong.is_empty() && receipts.len() == all {
        return Ok(receipts);
    }
    let (mut receipts, mut wrong) = (receipts.into_iter(), wrong.into_iter().peekable());
    let missing = || Err(Error::new(ErrorKind::Other, "the vehicle left a request out"));
    let answer = |place: usize| match wrong.next_if(|(at, _)| *at == place) {
        Some((_, error)) => Err(error),
        None => receipts.next().unwrap_or_else(missing),
    };
    Ok((0..all).map(answer).collect())
}

async fn set_under_keys(
    shared: &Shared,
    pass: &Pass,
    from: &str,
    items: Vec<SetItem>,
) -> Result<Each<Receipt>, Error> {
    enum One {
        Asked(coachwork_vehicle::Request, Option<Kept>),
        Known(Result<Receipt, Error>),
    }
    let catalogue = pass.view().catalogue();
    let resolve = |item: SetItem| match item.resolve(&catalogue) {
        Ok(request) => One::Asked(request, None),
        Err(error) => One::Known(Err(error)),
    };
    let mut requests: Vec<One> = items.into_iter().map(resolve).collect();
    let now = shared.clock.now();
    let keyed = requests.iter().enumerate().filter_map(|(place, one)| match one {
        One::Asked(request, _) => {
            let (key, path) = (request.set.key.as_ref()?, catalogue.path(request.signal).ok()?);
            let until = now.saturating_add(request.set.within);
            Some((place, Keyed { key, path: path.as_str(), value: &request.value, until }))
        }
        One::Known(_) => None,
    });
    let (places, keyed): (Vec<usize>, Vec<Keyed<'_>>) = keyed.unzip();
    if !keyed.is_empty() {
        let holder = pass.holder.unwrap_or_else(|| Holder::at(from));
        let recalled = shared.keys().ask(holder, &keyed, now, &shared.clock);
        for (place, recalled) in places.into_iter().zip(recalled) {
            let Some(one) = requests.get_mut(place) else { continue };
            match (recalled, one) {
                (Recalled::New(new), One::Asked(request, kept)) => {
                    request.set.key = Some(new.at_the_vehicle.clone());
                    *kept = Some(new);
                }
                (Recalled::Same(receipt), one) => *one = One::Known(Ok(receipt)),
                (Recalled::Failed(error), one) => *one = One::Known(Err(error)),
                (Recalled::New(_), One::Known(_)) => {}
            }
        }
    }
    let valid = requests.iter().filter_map(|one| match one {
        One::Asked(request, _) => Some(request.clone()),
        One::Known(_) => None,
    });
    let is_keyed = requests.iter().any(|one| matches!(one, One::Asked(_, Some(_))));
    let receipts = pass.view().set(valid.collect()).await;
    let (mut receipts, whole) = match receipts {
        Ok(receipts) => (receipts.into_iter(), None),
        Err(error) => (Vec::new().into_iter(), Some(error)),
    };
    let missing = || Err(Error::new(ErrorKind::Other, "the vehicle left a request out"));
    let answer = |one: One| match one {
        One::Asked(_, kept) => {
            let receipt = receipts.next();
            let told = kept.map(|kept| (kept, Told::of(receipt.as_ref(), whole.as_ref())));
            (told, receipt.unwrap_or_else(missing))
        }
        One::Known(known) => (None, known.map_err(|error| error.during(Operation::Set))),
    };
    let (told, answers): (Vec<_>, Vec<_>) = requests.into_iter().map(answer).unzip();
    if is_keyed {
        shared.keys().answered(told.into_iter().flatten());
    }
    match whole {
        Some(error) => Err(error),
        None => Ok(answers),
    }
}

async fn subscribe(pass: Arc<Pass>, wanted: &Wanted) -> Result<Subscribed, Error> {
    let resolved = wanted.resolve(&pass.view().catalogue())?;
    let mut wish = resolved.subscribe;
    // Access is all or nothing in pure VISS.
    wish.strict |= matches!(wanted, Wanted::Standard { .. });
    if matches!(wish.overflow, Overflow::Block(_)) {
        let message = "a gateway does not let a peer hold the vehicle back; use a queue";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let subscription = pass.view().subscribe(wish).await?;
    let mut refused = resolved.refused;
    refused.extend(subscription.refused().map(|(path, error)| (path.to_owned(), error.clone())));
    let wanted = pass.may_end().then(|| Arc::new(wanted.clone()));
    Ok(Subscribed { subscription, trigger: resolved.trigger, refused, pass, wanted })
}
