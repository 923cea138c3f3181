//! What a peer asks, asked of the vehicle as the peer sees it.
//!
//! *Invariant:* a peer of pure VISS gets all or nothing; no remote peer may hold a source back.
//! *Next:* `door.rs` (whose view it is), `peer.rs` (which sends the answers).

use std::sync::Arc;

use coachwork_transport::Ticket;
use coachwork_transport::viss::{Answer, Call, Form, SetItem, Target, Trigger, Wanted};
use coachwork_vehicle::{
    Catalogue, Credential, Each, Error, ErrorKind, Get, Operation, Outcome, Overflow, Receipt, Subscription,
    Vehicle,
};

use crate::door::Pass;
use crate::gateway::Shared;
use crate::intake::deliver;
use crate::keys::{Holder, Kept, Recalled};

/// What a piece of work for a peer came to.
pub(crate) enum Done {
    Answered(Ticket, Answer),
    /// To be answered with how far the receipts have come, which are followed afterwards.
    Set(Ticket, Each<Receipt>),
    Subscribed(Ticket, Box<Subscribed>),
    /// Metadata was answered: from now on the peer is told of newer catalogues.
    Described(Ticket, Answer, Arc<Pass>, Arc<Catalogue>),
    Settled(Ticket, usize, Outcome),
}

pub(crate) struct Subscribed {
    pub(crate) subscription: Subscription,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) refused: Vec<(String, Error)>,
    pub(crate) pass: Arc<Pass>,
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
        let pass = shared.door.admit(&credential).await?;
        match call {
            Call::Get(target) => get(&pass, &target).await.map(|answer| Done::Answered(ticket, answer)),
            Call::Metadata { target, generations } => {
                let catalogue = pass.view.catalogue();
                let metadata = shared.metadata.described(form, &catalogue, &target, generations)?;
                Ok(Done::Described(ticket, Answer::Metadata(metadata), pass, catalogue))
            }
            Call::Set(items) => set(&shared, &pass, Holder::of(&credential, &pass, &from), items)
                .await
                .map(|each| Done::Set(ticket, each)),
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
    let catalogue = pass.view.catalogue();
    let found = target.resolve(&catalogue)?;
    let known: Vec<_> = found.iter().filter_map(|one| one.signal.as_ref().ok().copied()).collect();
    let mut points = pass.view.get(Get::of(&known)).await?.into_iter();
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

async fn set(
    shared: &Shared,
    pass: &Pass,
    holder: Holder,
    items: Vec<SetItem>,
) -> Result<Each<Receipt>, Error> {
    enum One {
        Asked(coachwork_vehicle::Request, Option<Kept>),
        Known(Result<Receipt, Error>),
    }
    let catalogue = pass.view.catalogue();
    let resolve = |item: SetItem| {
        let mut request = match item.resolve(&catalogue) {
            Ok(request) => request,
            Err(error) => return One::Known(Err(error)),
        };
        let Some(key) = request.set.key.take() else { return One::Asked(request, None) };
        match shared.keys.of(&holder, key, request.signal, &request.value) {
            Recalled::New(kept) => {
                request.set.key = Some(kept.at_the_vehicle.clone());
                One::Asked(request, Some(kept))
            }
            Recalled::Same(receipt) => One::Known(Ok(receipt)),
            Recalled::Other(error) => One::Known(Err(error)),
        }
    };
    let requests: Vec<One> = items.into_iter().map(resolve).collect();
    let valid = requests.iter().filter_map(|one| match one {
        One::Asked(request, _) => Some(request.clone()),
        One::Known(_) => None,
    });
    let mut receipts = pass.view.set(valid.collect()).await?.into_iter();
    let missing = || Err(Error::new(ErrorKind::Other, "the vehicle left a request out"));
    let answer = |one: One| match one {
        One::Asked(_, kept) => {
            let receipt = receipts.next().unwrap_or_else(missing);
            if let (Some(kept), Ok(receipt)) = (kept, &receipt) {
                shared.keys.settle(&holder, &kept, receipt);
            }
            receipt
        }
        One::Known(known) => known.map_err(|error| error.during(Operation::Set)),
    };
    Ok(requests.into_iter().map(answer).collect())
}

async fn subscribe(pass: Arc<Pass>, wanted: &Wanted) -> Result<Subscribed, Error> {
    let resolved = wanted.resolve(&pass.view.catalogue())?;
    let mut wish = resolved.subscribe;
    // Access is all or nothing in pure VISS.
    wish.strict |= matches!(wanted, Wanted::Standard { .. });
    if matches!(wish.overflow, Overflow::Block(_)) {
        let message = "a gateway does not let a peer hold the vehicle back; use a queue";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let subscription = pass.view.subscribe(wish).await?;
    let mut refused = resolved.refused;
    refused.extend(subscription.refused().map(|(path, error)| (path.to_owned(), error.clone())));
    Ok(Subscribed { subscription, trigger: resolved.trigger, refused, pass })
}
