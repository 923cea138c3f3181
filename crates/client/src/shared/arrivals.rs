//! What the gateway says becomes answers, events and receipts for those who wait for them.
//!
//! *Invariant:* only the driver calls in here, one message after the other, so that their order is kept. What was waited for is taken out
//! under the lock and told outside of it.
//! *Next:* `../slot.rs` (answers), `../inbox.rs` (events).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use coachwork_transport::viss::{Metadata, SubscriptionId};
use coachwork_transport::{Arrived, Message, Reply, Ticket};
use coachwork_vehicle::{
    Catalogue, CatalogueCell, Datapoint, Each, Error, ErrorKind, Event, Get, Operation, Outcome, Permission,
    Reason, ReasonKind, Receipt, Refusal, RefusalKind, SignalId, Stage, State,
};

use super::{Asked, End, Mode, Refused, Shared, Waiting, odd};
use crate::catalogue;
use crate::slot::{Settled, Slot};

impl Shared {
    /// Takes a message of the gateway.
    pub(crate) fn take(&self, message: &Message) -> Result<(), Error> {
        let now = self.moment();
        let arrived = match &mut self.lock().session {
            Some(session) => session.receive(message, now)?,
            None => return Ok(()),
        };
        match arrived {
            Arrived::Answer { ticket, answer } => self.answered(ticket, answer),
            Arrived::Event { subscription, event, .. } => self.told(&subscription, event),
            Arrived::Interrupted { subscription, error } => self.interrupted(subscription, &error),
            Arrived::Receipt { ticket, index, outcome } => {
                let asked = self.lock().receipts.remove(&(ticket, index));
                if let Some(asked) = asked {
                    asked.receipt.settle(outcome);
                }
            }
            Arrived::CatalogueChanged { .. } => self.lock().refresh_again = true,
            Arrived::Send(message) => self.lock().out.push_back(message),
            _ => {}
        }
        Ok(())
    }

    fn answered(&self, ticket: Ticket, answer: Result<Reply, Error>) {
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Denied
            && error.operation() == Some(Operation::Admit)
        {
            self.renew.store(true, Ordering::Relaxed);
        }
        let waiting = self.lock().waiting.remove(&ticket);
        match waiting {
            None | Some(Waiting::Probe) => {}
            Some(Waiting::Present(signal)) => {
                if let Ok(Reply::Points(points)) = answer
                    && self.is_unknown(signal)
                {
                    self.present(points.iter().filter_map(|point| Some((signal, point.as_ref().ok()?))));
                }
            }
            Some(Waiting::Points(slot)) => {
                let points = answer.and_then(|reply| match reply {
                    Reply::Points(points) => Ok(points),
                    _ => Err(odd()),
                });
                slot.fill(Settled::Answered(points));
            }
            Some(Waiting::History(slot)) => {
                let recorded = answer.and_then(|reply| match reply {
                    Reply::History(recorded) => Ok(recorded),
                    _ => Err(odd()),
                });
                slot.fill(Settled::Answered(recorded));
            }
            Some(Waiting::Set(slot, asked)) => {
                let stages = answer.and_then(|reply| match reply {
                    Reply::Set(stages) if stages.len() == asked.len() => Ok(stages),
                    _ => Err(odd()),
                });
                self.set_answered(ticket, slot, asked, stages);
            }
            Some(Waiting::Subscribe(wish, slot)) => self.subscribed(wish, slot, answer),
            Some(Waiting::Delivery(numbers)) => self.delivered(&numbers, answer),
            Some(Waiting::Refresh) => {
                self.lock().refreshing = false;
                if let Ok(Reply::Metadata(metadata)) = answer {
                    self.refreshed(metadata);
                }
            }
        }
    }

    fn set_answered(
        &self,
        ticket: Ticket,
        slot: Option<Arc<Slot<Each<Receipt>>>>,
        asked: Vec<Asked>,
        stages: Result<Each<Stage>, Error>,
    ) {
        let stages = match stages {
            Ok(stages) => stages,
            Err(error) => match slot {
                Some(slot) => return slot.fill(Settled::Answered(Err(error))),
                None => asked.iter().map(|_| Err(error.clone())).collect(),
            },
        };
        let mut answer = Vec::with_capacity(asked.len());
        let plain = matches!(self.mode, Mode::Plain(_));
        for (index, (asked, stage)) in asked.into_iter().zip(stages).enumerate() {
            let receipt = asked.receipt.clone();
            answer.push(match stage {
                Ok(Stage::Accepted) if plain => {
                    receipt.settle(Outcome::Accepted);
                    Ok(receipt)
                }
                Ok(Stage::Accepted) => {
                    self.lock().receipts.insert((ticket, index), asked);
                    Ok(receipt)
                }
                Ok(Stage::Settled(outcome)) => {
                    receipt.settle(outcome);
                    Ok(receipt)
                }
                Err(error) if asked.queued && error.is_temporary() => {
                    let now = self.clock.monotonic();
                    let mut state = self.lock();
                    state.again.push(asked);
                    state.deliveries.wait(now);
                    Err(error)
                }
                Err(error) => {
                    // Somebody may hold it from an earlier link.
                    let refusal = Refusal::new(RefusalKind::Other, error.message().to_owned());
                    receipt.settle(Outcome::Refused(refusal));
                    Err(error)
                }
            });
        }
        if let Some(slot) = slot {
            slot.fill(Settled::Answered(Ok(answer)));
        }
    }

    fn subscribed(&self, number: u64, slot: Option<Arc<Slot<Refused>>>, answer: Result<Reply, Error>) {
        let answer = answer.and_then(|reply| match reply {
            Reply::Subscribed { subscription, refused } => Ok((subscription, refused)),
            _ => Err(odd()),
        });
        let end = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(wish) = state.wishes.get_mut(&number) else { return };
            wish.ticket = None;
            let interrupted = std::mem::take(&mut wish.interrupted);
            if let Ok((subscription, _)) = &answer {
                wish.name = Some(subscription.clone());
                state.names.insert(subscription.clone(), number);
            }
            (wish.end.clone(), interrupted)
        };
        let (end, interrupted) = end;
        match (answer, end) {
            (Ok((_, refused)), End::Inbox(inbox)) => {
                let catalogue = self.catalogue();
                inbox.stands(slot.is_none(), &denied(&catalogue, &refused));
                if let Some(slot) = slot {
                    slot.fill(Settled::Answered(Ok(refused)));
                }
            }
            (Ok((_, refused)), End::Board(signal)) => match slot {
                Some(slot) => slot.fill(Settled::Answered(Ok(refused))),
                // A server need not tell the present value when it is subscribed to.
                None => self.lock().unknown.push_back(signal),
            },
            (Err(error), end) => match slot {
                Some(slot) => slot.fill(Settled::Answered(Err(error))),
                // Asked once more, it is as it was: that is not asked for without end.
                None if interrupted => {
                    self.withdraw(&end, &Reason::because(ReasonKind::Other, error.message().to_owned()));
                }
                // It stood before, and the gateway does not have it any more.
                None => self.refused(number, &end, &error),
            },
        }
    }

    fn refused(&self, number: u64, end: &End, error: &Error) {
        if error.is_temporary() {
            self.lock().unsent.push_back(number);
            return;
        }
        let kind = if error.kind() == ErrorKind::Denied { ReasonKind::Denied } else { ReasonKind::Other };
        self.withdraw(end, &Reason::because(kind, error.message().to_owned()));
    }

    fn withdraw(&self, end: &End, reason: &Reason) {
        match (end, &self.mode) {
            (End::Inbox(inbox), _) => inbox.end(reason),
            // The ids of a board's own catalogue are not refused.
            (End::Board(signal), Mode::Plain(board)) => drop(board.withdraw(&[*signal], reason)),
            (End::Board(_), Mode::Native(_)) => {}
        }
    }

    /// Something may be missing, or the subscription has ended: a gap, and the present value after it.
    fn interrupted(&self, subscription: SubscriptionId, error: &Error) {
        let end = {
            let mut state = self.lock();
            let state = &mut *state;
            let number = state.names.remove(&subscription);
            state.unwanted.push(subscription);
            let Some(wish) = number.and_then(|number| state.wishes.get_mut(&number)) else { return };
            (wish.name, wish.interrupted) = (None, true);
            state.unsent.extend(number);
            wish.end.clone()
        };
        self.withdraw(&end, &Reason::because(ReasonKind::Link, error.message().to_owned()));
    }

    fn told(&self, subscription: &SubscriptionId, event: Event) {
        let end = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(number) = state.names.get(subscription).copied() else { return };
            let Some(wish) = state.wishes.get_mut(&number) else { return };
            if matches!(event, Event::Ended(_)) {
                wish.name = None;
                state.names.remove(subscription);
            }
            wish.end.clone()
        };
        match (end, event) {
            (End::Inbox(inbox), Event::Changed(points)) => {
                inbox.points(points.iter().map(|(signal, point)| (signal, point.clone())));
            }
            (End::Inbox(inbox), Event::Lagged(count)) => inbox.lagged(count),
            (End::Inbox(inbox), Event::Access(changes)) => {
                if let Mode::Native(cell) = &self.mode {
                    replace(cell, |now| catalogue::permitted(now, &changes));
                }
                inbox.access(changes);
            }
            (End::Inbox(inbox), Event::Ended(reason)) => inbox.end(&reason),
            (End::Board(_), Event::Changed(points)) => self.present(points.iter()),
            (End::Board(signal), Event::Ended(reason)) => {
                if let Mode::Plain(board) = &self.mode {
                    drop(board.withdraw(&[signal], &reason));
                }
            }
            _ => {}
        }
    }

    /// Whether the board waits for the present value of a signal.
    pub(crate) fn is_unknown(&self, signal: SignalId) -> bool {
        let Mode::Plain(board) = &self.mode else { return false };
        let point = board.get(Get::of(&[signal])).ok().and_then(|mut each| each.pop());
        match point {
            Some(Ok(Datapoint { state: State::NeverSet, .. })) => true,
            Some(Ok(Datapoint { state: State::NotAvailable(reason), .. })) => {
                reason.kind() == ReasonKind::Link
            }
            _ => false,
        }
    }

    /// What a gateway of plain VISS says to be so.
    pub(crate) fn present<'p>(&self, points: impl Iterator<Item = (SignalId, &'p Datapoint)>) {
        if let Mode::Plain(board) = &self.mode {
            let points: Vec<_> = points.map(|(signal, point)| (signal, point.clone())).collect();
            // Values were read in the types of the board's own catalogue.
            drop(board.publish(&points));
        }
    }

    fn refreshed(&self, mut metadata: Metadata) {
        self.lock().left_out = std::mem::take(&mut metadata.skipped);
        match &self.mode {
            Mode::Native(cell) => replace(cell, |now| catalogue::next(now, metadata)),
            // A server of plain VISS does not tell of changes; what it says at a new link is taken over as far as rights go.
            Mode::Plain(_) => {}
        }
        let catalogue = self.catalogue();
        if let Some(session) = &mut self.lock().session {
            session.set_catalogue(catalogue);
        }
    }
}

/// Puts the next snapshot into the cell, if there is one; a snapshot that says the same supersedes nothing.
pub(super) fn replace(cell: &CatalogueCell, next: impl FnOnce(&Catalogue) -> Option<Catalogue>) {
    // `Err` leaves the cell as it is.
    let _: Result<(), ()> = cell.try_replace(|now| next(now).ok_or(()));
}

/// The signals that a subscription covers once the right to them returns.
fn denied(catalogue: &Catalogue, refused: &Refused) -> Vec<(SignalId, Permission)> {
    let permission = |(path, error): &(String, Error)| {
        let id = catalogue.id(path)?;
        let known = catalogue.access(id).ok().map(|access| access.read.clone());
        let read = known.filter(|read| *read != Permission::Yes);
        Some((id, read.unwrap_or_else(|| Permission::denied(error.message().to_owned()))))
    };
    refused.iter().filter_map(permission).collect()
}
