//! Subscribe: the wish is checked, kept, and asked of the gateway, on each link anew until the app lets it go.
//!
//! *Invariant:* a call that is dropped leaves no subscription behind.
//! *Next:* `subscription.rs` (what the app gets), `inbox.rs` (where events wait).

use std::sync::Arc;

use coachwork_vehicle::{
    Catalogue, Datapoint, Error, ErrorKind, Filter, Operation, Overflow, Permission, SignalId, Subscribe,
    Subscription,
};

use crate::inbox::{Covered, Inbox};
use crate::shared::{Refused, Shared};
use crate::slot::Settled;
use crate::subscription::{Kept, Remote};

/// Subscribes at the gateway.
pub(crate) async fn subscribe(shared: &Arc<Shared>, wish: Subscribe) -> Result<Subscription, Error> {
    let catalogue = shared.catalogue();
    let Checked { signals, overflow, strict, mut refused } = check(wish, &catalogue)?;
    let covered = signals.iter().map(|(signal, filter)| Covered {
        signal: *signal,
        changes_only: filter.change.is_some(),
        permission: catalogue.access(*signal).map_or(Permission::No, |access| access.read.clone()),
    });
    let inbox = Arc::new(Inbox::new(covered, overflow));
    let mut granted: Vec<SignalId> = signals.iter().map(|(signal, _)| *signal).collect();
    if signals.is_empty() {
        return Ok(Subscription::new(catalogue, granted, refused, Box::new(Remote { inbox, _kept: None })));
    }
    let asked = Subscribe { signals, overflow, strict };
    let during = |error: Error| error.during(Operation::Subscribe);
    let number = shared.wish(asked, inbox.clone()).map_err(during)?;
    let kept = Kept { shared: shared.clone(), wish: number };
    let report = match shared.ask_subscribe(number, strict, shared.options.request_time).map_err(during)? {
        // The link is down: it stands here, and at the gateway once there is one.
        None => {
            if let Some(reason) = shared.down() {
                inbox.link_lost(&Datapoint::not_available(reason, shared.clock.now()));
            }
            let report = locally_refused(&catalogue, &granted);
            match report.first() {
                Some((_, error)) if strict => return Err(during(error.clone())),
                _ => report,
            }
        }
        Some(pending) => match pending.settled().await {
            Settled::Answered(Ok(report)) => report,
            Settled::Answered(Err(error)) => return Err(during(error)),
            // The inbox has been told by whoever lost the link.
            Settled::Lost(_) => locally_refused(&catalogue, &granted),
        },
    };
    for (path, error) in report {
        // What is merely denied is covered once the right returns.
        if error.kind() != ErrorKind::Denied {
            granted.retain(|&signal| catalogue.path(signal).is_ok_and(|known| known.as_str() != path));
        }
        refused.push((path, during(error)));
    }
    Ok(Subscription::new(catalogue, granted, refused, Box::new(Remote { inbox, _kept: Some(kept) })))
}

/// A wish whose signals are of the catalogue, each once, in the order of their ids.
pub(crate) struct Checked {
    pub(crate) signals: Vec<(SignalId, Filter)>,
    overflow: Overflow,
    strict: bool,
    pub(crate) refused: Refused,
}

pub(crate) fn check(wish: Subscribe, catalogue: &Catalogue) -> Result<Checked, Error> {
    wish.check()?;
    if matches!(wish.overflow, Overflow::Block(_)) {
        let message = "a vehicle behind a link cannot be held back; use a queue";
        return Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Subscribe));
    }
    let (mut signals, mut refused) = (Vec::new(), Vec::new());
    for (signal, filter) in wish.signals {
        match catalogue.entry(signal) {
            Ok(_) => signals.push((signal, filter)),
            Err(error) if wish.strict => return Err(error.during(Operation::Subscribe)),
            Err(error) => refused.push((format!("{signal:?}"), error.during(Operation::Subscribe))),
        }
    }
    signals.sort_by_key(|(signal, _)| *signal);
    signals.dedup_by_key(|(signal, _)| *signal);
    Ok(Checked { signals, overflow: wish.overflow, strict: wish.strict, refused })
}

/// The report as far as it is known on this side.
fn locally_refused(catalogue: &Catalogue, signals: &[SignalId]) -> Refused {
    let refused = |&signal: &SignalId| {
        let error = catalogue.readable(signal).err()?;
        Some((catalogue.path(signal).ok()?.to_string(), error))
    };
    signals.iter().filter_map(refused).collect()
}
